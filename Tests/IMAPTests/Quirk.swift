import Foundation
import Testing

@testable import IMAP

/// A way in which servers depart from RFC 3501, where it was seen, and what a run has to make of it.
///
/// The server has five reports, of UID 3, 5, 8, 13 and 21. What is public of each quirk is its description: the scripts are ours.
struct Quirk: Sendable, CustomTestStringConvertible {
    var name: String
    /// A public report of it.
    var seen: String
    /// Messages that cannot be had as long as the server is like that.
    var deferred: [String] = []
    /// The code they are deferred with.
    var code = "not-delivered"
    /// The code that the folder as a whole fails with.
    var failure: IMAPError.Code?
    var capabilities: String?
    var uidValidity: String?
    var account = ScriptedServer.account
    var twist: ScriptedServer.Twist = { _, _, normal, _ in normal }

    var testDescription: String { name }

    /// The message that most of them are about.
    static let bad: UInt32 = 8

    // MARK: - Scripts

    /// Whether a command asks for the bytes of the message, alone or among others.
    private static func asks(_ command: String, _ item: String = "BODY.PEEK[]") -> Bool {
        let words = command.split(separator: " ")
        guard command.hasPrefix("UID FETCH"), command.contains(item), words.count > 2 else { return false }
        return ScriptedServer.uids(String(words[2])).contains(bad)
    }

    /// The answer in pieces: each untagged response, then the end.
    private static func pieces(_ normal: [UInt8], _ tag: String) -> (responses: [String], end: String) {
        let text = String(decoding: normal, as: UTF8.self)
        guard let end = text.range(of: "\(tag) ", options: .backwards) else { return ([], text) }
        var responses = text[..<end.lowerBound].components(separatedBy: "\r\n* ")
        for index in responses.indices {
            if index > 0 { responses[index] = "* " + responses[index] }
            if index < responses.count - 1 { responses[index] += "\r\n" }
        }
        return (responses.filter { !$0.isEmpty }, String(text[end.lowerBound...]))
    }

    /// Changes what is said of the message; nil leaves it out.
    private static func changing(_ item: String = "BODY.PEEK[]", _ change: @escaping @Sendable (String) -> String?) -> ScriptedServer.Twist
    {
        { command, tag, normal, _ in
            guard asks(command, item), !command.contains("<") else { return normal }
            let (responses, end) = pieces(normal, tag)
            return Array((responses.compactMap { $0.contains("UID \(bad) ") ? change($0) : $0 }.joined() + end).utf8)
        }
    }

    /// Says what comes before the message, then `last`, and is silent or, with two bytes 0xff, gone.
    private static func ending(_ last: @escaping @Sendable (String) -> [UInt8]) -> ScriptedServer.Twist {
        { command, tag, normal, _ in
            guard asks(command) else { return normal }
            let (responses, _) = pieces(normal, tag)
            let before = responses.prefix { !$0.contains("UID \(bad) ") }
            return Array(before.joined().utf8) + last(responses.first { $0.contains("UID \(bad) ") } ?? "")
        }
    }

    /// Answers with NO, after all other messages.
    private static func refusing(_ words: String, others: Bool) -> ScriptedServer.Twist {
        { command, tag, normal, _ in
            guard asks(command) else { return normal }
            let (responses, _) = pieces(normal, tag)
            return Array(((others ? responses.filter { !$0.contains("UID \(bad) ") }.joined() : "") + "\(tag) NO \(words)\r\n").utf8)
        }
    }

    /// Puts `news` before each answer to a command.
    private static func saying(_ news: String, before item: String) -> ScriptedServer.Twist {
        { command, _, normal, _ in command.contains(item) ? Array(news.utf8) + normal : normal }
    }

    private static func replacing(_ old: String, _ new: String, in item: String) -> ScriptedServer.Twist {
        { command, _, normal, _ in
            command.contains(item) ? Array(String(decoding: normal, as: UTF8.self).replacingOccurrences(of: old, with: new).utf8) : normal
        }
    }

    private static let gone: [UInt8] = [0xff, 0xff]

    // MARK: - The table

    static let all: [Quirk] = connection + messages + numbers + words

    /// One message ends the connection.
    private static let connection: [Quirk] = [
        Quirk(
            name: "closes at one message, after those before it", seen: "github.com/imapsync/imapsync/issues/433", deferred: ["8"],
            twist: ending { _ in gone }),
        Quirk(
            name: "closes before it gives anything, where one message is among those asked for",
            seen: "Dovecot and a mail it may not read: github.com/OfflineIMAP/offlineimap/issues/198", deferred: ["8"],
            twist: { command, _, normal, _ in asks(command) ? nil : normal }),
        Quirk(
            name: "announces the message and ends", seen: "Courier: github.com/svarshavchik/courier/issues/82", deferred: ["8"],
            twist: ending { response in Array(response.prefix(60).utf8) + gone }),
        Quirk(
            name: "announces more bytes than it gives, and waits", seen: "github.com/jstedfast/MailKit/issues/361", deferred: ["8"],
            twist: { command, tag, normal, _ in
                guard asks(command) else { return normal }
                let (responses, end) = pieces(normal, tag)
                return Array(
                    (responses.map { response in
                        guard response.contains("UID \(bad) "), let brace = response.range(of: "BODY[] {") else { return response }
                        return response.replacingCharacters(in: brace, with: "BODY[] {9")
                    }.joined() + end).utf8)
            }),
        Quirk(
            name: "never answers for one message", seen: "github.com/lefcha/imapfilter/issues/121", deferred: ["8"],
            twist: ending { _ in [] }),
        Quirk(
            name: "never answers where one message is among those whose sizes are asked for",
            seen: "Cyrus, MDaemon: github.com/jakartaee/mail-api/issues/16", deferred: ["8"],
            twist: { command, _, normal, _ in asks(command, "RFC822.SIZE") ? [] : normal }),
        Quirk(
            name: "says BYE amid a fetch", seen: "github.com/caiobegotti/Lost-Photos-Found/issues/19", deferred: ["8"],
            twist: ending { _ in Array("* BYE System Error\r\n".utf8) + gone }),
        Quirk(
            name: "says BYE when the token ends, once", seen: "Exchange Online: github.com/iroco-co/aioimaplib/issues/83",
            twist: { command, _, normal, connection in
                asks(command) && connection == 1 ? Array("* BYE Session invalidated - AccessTokenExpired\r\n".utf8) + gone : normal
            }),
        Quirk(
            name: "refuses everything when an account has been read too much", seen: "Gmail: github.com/ljmerza/ha-email-sensor/issues/16",
            deferred: ["3", "5", "8", "13", "21"], failure: .refused,
            twist: { command, tag, normal, _ in
                command.contains("BODY.PEEK")
                    ? Array("\(tag) NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)\r\n".utf8) : normal
            }),
    ]

    /// One message does not come, or not as it is.
    private static let messages: [Quirk] = [
        Quirk(
            name: "answers NIL for a message", seen: "github.com/emersion/go-imap/pull/392", deferred: ["8"],
            twist: changing { _ in "* 3 FETCH (UID 8 BODY[] NIL)\r\n" }),
        Quirk(
            name: "answers with an empty string", seen: "github.com/mscdex/node-imap/issues/153", deferred: ["8"],
            twist: changing { _ in "* 3 FETCH (UID 8 BODY[] \"\")\r\n" }),
        Quirk(
            name: "answers with an empty literal", seen: "iCloud: github.com/tecnologicachile/mail-mcp/issues/22", deferred: ["8"],
            twist: changing { _ in "* 3 FETCH (UID 8 BODY[] {0}\r\n)\r\n" }),
        Quirk(
            name: "answers with the first part of a message", seen: "Exchange: github.com/stalwartlabs/vandelay/issues/12", deferred: ["8"],
            code: "size-mismatch",
            twist: changing { response in
                let body = response.components(separatedBy: "}\r\n")[1].prefix(100)
                return "* 3 FETCH (UID 8 BODY[] {\(body.utf8.count)}\r\n\(body))\r\n"
            }),
        Quirk(
            name: "counts the message before it adds header fields to it", seen: "github.com/hmailserver/hmailserver/issues/476",
            deferred: ["8"], code: "size-mismatch",
            twist: changing("RFC822.SIZE") { _ in "* 3 FETCH (UID 8 RFC822.SIZE 29)\r\n" }),
        Quirk(
            name: "guesses the sizes of all messages", seen: "Exchange 5.5: Microsoft Knowledge Base Q191504",
            twist: replacing("RFC822.SIZE ", "RFC822.SIZE 1", in: "RFC822.SIZE")),
        Quirk(
            name: "counts characters as bytes, in all messages", seen: "github.com/greenmail-mail-test/greenmail/issues/967",
            twist: { command, tag, normal, _ in
                guard command.contains("RFC822.SIZE") else { return normal }
                let uids = ScriptedServer.uids(String(command.split(separator: " ")[2]))
                return Array((uids.map { "* 1 FETCH (UID \($0) RFC822.SIZE 0)\r\n" }.joined() + "\(tag) OK\r\n").utf8)
            }),
        Quirk(
            name: "counts other line ends than it gives", seen: "WildDuck: github.com/zone-eu/wildduck/issues/536",
            twist: { command, tag, normal, _ in
                guard command.contains("RFC822.SIZE"), !command.contains("<") else { return normal }
                let (responses, end) = pieces(normal, tag)
                return Array(
                    (responses.map { response in
                        let size = Int(response.components(separatedBy: "RFC822.SIZE ")[1].prefix { $0.isNumber }) ?? 0
                        return response.replacingOccurrences(of: "\(size))", with: "\(size + QuirkTests.lines))")
                    }.joined() + end).utf8)
            }),
        Quirk(
            name: "names no size for a message", seen: "github.com/mailpile/Mailpile/issues/1080", deferred: ["8"], code: "size-mismatch",
            twist: changing("RFC822.SIZE") { _ in "* 3 FETCH (UID 8 FLAGS (\\Seen))\r\n" }),
        Quirk(
            name: "gives a message without its UID", seen: "github.com/nextcloud/mail/pull/13507", deferred: ["8"],
            twist: changing { $0.replacingOccurrences(of: "UID 8 ", with: "") }),
        Quirk(
            name: "gives a message the UID 0", seen: "github.com/OfflineIMAP/offlineimap/issues/336", deferred: ["0", "8"],
            twist: { command, tag, normal, _ in
                if command.contains("SEARCH") {
                    return Array(String(decoding: normal, as: UTF8.self).replacingOccurrences(of: "SEARCH 3", with: "SEARCH 0 3").utf8)
                }
                return changing { $0.replacingOccurrences(of: "UID 8 ", with: "UID 0 ") }(command, tag, normal, 1)
            }),
        Quirk(
            name: "refuses all messages where one of them is among them", seen: "Yahoo: github.com/jstedfast/MailKit/issues/358",
            deferred: ["8"], twist: refusing("FETCH Server error while fetching messages", others: false)),
        Quirk(
            name: "gives all but one, and says NO", seen: "Gmail: github.com/rtucker/imap2maildir/issues/4", deferred: ["8"],
            twist: refusing("Some messages could not be FETCHed (Failure)", others: true)),
        Quirk(
            name: "says of a message that it lists that it no longer exists", seen: "github.com/ikvk/imap_tools/pull/203", deferred: ["8"],
            twist: refusing("Some of the requested messages no longer exist.", others: true)),
        Quirk(
            name: "says OK and leaves a message out", seen: "Gmail: github.com/MailCore/mailcore2/issues/1279", deferred: ["8"],
            twist: changing { _ in nil }),
        Quirk(
            name: "says OK to many and gives none of them", seen: "github.com/chatmail/core/issues/4331",
            twist: { command, tag, normal, _ in
                command.contains("BODY.PEEK") && command.contains(",") ? Array("\(tag) OK done\r\n".utf8) : normal
            }),
    ]

    /// Numbers that are not as they must be.
    private static let numbers: [Quirk] = [
        Quirk(name: "UIDVALIDITY 0", seen: "SmarterMail 13: github.com/jstedfast/MailKit/issues/150", uidValidity: "0"),
        Quirk(
            name: "no UIDVALIDITY", seen: "Tencent: github.com/rustmailer/bichon/issues/284, Xeams: github.com/nextcloud/mail/issues/10199",
            uidValidity: ""),
        Quirk(
            name: "UIDVALIDITY of more than 32 bits", seen: "GreenMail: github.com/jstedfast/MailKit/issues/723",
            uidValidity: "1528896777421"),
        Quirk(
            name: "UIDNEXT 0", seen: "github.com/jstedfast/MailKit/issues/1010",
            twist: saying("* OK [UIDNEXT 0] Predicted\r\n* OK [UNSEEN 0] First\r\n", before: "EXAMINE")),
        Quirk(
            name: "no UIDNEXT, no RECENT, and a flag list of its own", seen: "Winmail Pro: github.com/modern-email/defects/issues/43",
            twist: saying("* OK [PERMANENTFLAGS (\\Draft \\Seen)] Limited\r\n", before: "EXAMINE")),
    ]

    /// Words in other places, or other words.
    private static let words: [Quirk] = [
        Quirk(
            name: "opens no folder before it knows who asks", seen: "NetEase: github.com/pimalaya/himalaya/issues/651",
            capabilities: "IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ UIDPLUS SASL-IR AUTH=PLAIN",
            twist: { command, tag, normal, connection in
                if command.hasPrefix("ID ") {
                    // It takes a list of pairs and nothing else.
                    guard command.hasPrefix("ID (\"name\" \""), command.hasSuffix("\")") else {
                        return Array("\(tag) BAD Parse command error\r\n".utf8)
                    }
                    QuirkTests.introduced.update { _ = $0.insert(String(tag.prefix(13))) }
                    return Array("* ID NIL\r\n".utf8) + normal
                }
                guard command.hasPrefix("EXAMINE") || command.hasPrefix("SELECT") else { return normal }
                return QuirkTests.introduced.read { $0.contains(String(tag.prefix(13))) }
                    ? normal : Array("\(tag) NO SELECT Unsafe Login.\r\n".utf8)
            }),
        Quirk(
            name: "gives the older name of what was asked for",
            seen: "DavMail, the other way round: github.com/mguessan/davmail/issues/298",
            twist: replacing("BODY[] {", "RFC822 {", in: "BODY.PEEK")),
        Quirk(
            name: "gives literals of bytes", seen: "RFC 3516, which servers with UTF8=ACCEPT have: github.com/duesee/imap-codec/issues/444",
            twist: replacing("BODY[] {", "BODY[] ~{", in: "BODY.PEEK")),
        Quirk(
            name: "tells of messages that were not asked for, with their UID",
            seen: "ProtonMail Bridge: github.com/getmail6/getmail6/pull/93",
            twist: saying("* 51868 FETCH (FLAGS (NonJunk) UID 51958)\r\n", before: "FETCH")),
        Quirk(
            name: "tells of changed flags without a UID", seen: "Dovecot: github.com/emersion/go-imap/issues/430",
            twist: saying("* 1994 FETCH (FLAGS ())\r\n* 1 FETCH (FLAGS (\\Seen))\r\n", before: "UID ")),
        Quirk(
            name: "tells of new and deleted messages amid everything", seen: "github.com/mattnenterprise/rust-imap/issues/81",
            twist: saying("* 7 EXISTS\r\n* 1 RECENT\r\n* 7 EXPUNGE\r\n* OK Still here\r\n", before: "UID ")),
        Quirk(
            name: "lists messages on many lines", seen: "mox: github.com/mjl-/mox/issues/389",
            twist: { command, tag, normal, _ in
                command.contains("UID SEARCH")
                    ? Array("* SEARCH 3 5\r\n* SEARCH\r\n* SEARCH 8 13 \r\n* SEARCH 21 (MODSEQ 4)\r\n\(tag) OK done\r\n".utf8) : normal
            }),
        Quirk(
            name: "lists messages as ranges", seen: "Exchange: github.com/jstedfast/MailKit/issues/1177",
            twist: { command, tag, normal, _ in
                command.contains("UID SEARCH") ? Array("* ESEARCH (TAG \"\(tag)\") UID ALL 3,5,8,13,21\r\n\(tag) OK\r\n".utf8) : normal
            }),
        Quirk(
            name: "lists nothing", seen: "github.com/jstedfast/MailKit/issues/1177",
            twist: { command, tag, normal, _ in
                command.contains("UID SEARCH") ? Array("* ESEARCH (TAG \"\(tag)\") UID\r\n\(tag) OK done\r\n".utf8) : normal
            }),
        Quirk(
            name: "answers in an order of its own", seen: "GreenMail: github.com/greenmail-mail-test/greenmail/issues/377",
            twist: { command, tag, normal, _ in
                guard command.contains("FETCH") else { return normal }
                let (responses, end) = pieces(normal, tag)
                return Array((responses.reversed().joined() + end).utf8)
            }),
        Quirk(
            name: "puts spaces where none may be", seen: "QQ: github.com/jakartaee/mail-api/issues/209",
            twist: { command, tag, normal, _ in
                guard command.contains("UID FETCH") else { return normal }
                let (responses, end) = pieces(normal, tag)
                return Array((responses.map { String($0.dropLast(2)) + " ) \r\n" }.joined() + end).utf8)
            }),
        Quirk(
            name: "ends commands without a word of text", seen: "Exchange: github.com/OfflineIMAP/offlineimap/pull/623",
            twist: { command, tag, normal, _ in
                let (responses, end) = pieces(normal, tag)
                return end.hasPrefix("\(tag) OK") && !command.hasPrefix("EXAMINE")
                    ? Array((responses.joined() + "\(tag) OK\r\n").utf8) : normal
            }),
        Quirk(
            name: "is an INBOX in small letters with folders in it", seen: "Office 365: github.com/atc0005/check-mail/issues/128",
            account: {
                var account = ScriptedServer.account
                account.folder = "inbox/Current Reporting"
                return account
            }(),
            twist: { command, tag, normal, _ in
                command.hasPrefix("EXAMINE") && !command.contains("\"INBOX/") ? Array("\(tag) NO no such folder\r\n".utf8) : normal
            }),
    ]
}
