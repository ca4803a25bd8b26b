import Foundation
import Mail
import Testing

@testable import IMAP

/// What a test of a mailbox needs from a ledger.
final class Known: Sendable {
    private let keys = Monitor(Set<String>())

    func insert(_ some: [String]) { keys.update { $0.formUnion(some) } }

    func contains(_ key: String) -> Bool { keys.read { $0.contains(key) } }
}

/// All that needs the Dovecot, one after another: what one test starts must not slow down another's clock.
@Suite(
    "Over the network", .serialized,
    .enabled(if: Dovecot.isThere, "there is no Dovecot: dovecot-imapd is not installed, or the tests are not run by root"))
enum NetworkTests {}

extension NetworkTests {
    @Suite("a folder on a real Dovecot")
    struct DovecotTests {
        static func mail(_ number: Int, bytes: Int = 400, end: String = "\n") -> String {
            let line = String(repeating: "0123456789abcdef", count: 4) + end
            return ["Subject: mail \(number)", "From: a@example.org", "", ""].joined(separator: end)
                + String(repeating: line, count: max(1, bytes / 65))
        }

        /// The same mail as it comes over the wire.
        static func wire(_ number: Int, bytes: Int = 400) -> [UInt8] { Array(mail(number, bytes: bytes, end: "\r\n").utf8) }

        @Test("gives each mail once and whole, over TLS and over STARTTLS", arguments: TLSMode.allCases)
        func totals(tls: TLSMode) throws {
            let server = Dovecot.plain
            let user = "totals-\(tls.rawValue)"
            // More than some batches; sizes around the limits of a line, a TLS record and the buffer.
            let sizes = [100, 4000, 16_300, 16_400, 65_400, 65_600, 131_000, 1_000_000]
            func size(_ number: Int) -> Int { number % 50 == 0 ? sizes[number / 50 % sizes.count] : 300 }
            server.deliver((0..<1500).map { Self.mail($0, bytes: size($0)) }, to: user)
            let known = Known()
            let mailbox = IMAPMailbox(account: server.account(user, tls: tls), isKnown: { known.contains($0) })
            let identifier = try mailbox.open()
            #expect(identifier.hasPrefix("imap://\(user)@localhost:"))
            #expect(identifier.contains("/INBOX;UIDVALIDITY="))
            let got = try collect(mailbox)
            #expect(got.map(\.key) == (1...1500).map(String.init))
            #expect(got.map(\.bytes) == (0..<1500).map { Self.wire($0, bytes: size($0)) })
            #expect(mailbox.expectedCount == 1500)
            #expect(mailbox.knownCount == 0)
            mailbox.close()
            // Nothing is marked as read by fetching, and nothing was done to any mail.
            #expect(server.mails(user).count == 1500)
            #expect(server.mails(user).allSatisfy { !$0.contains(":2,") || $0.hasSuffix(":2,") })

            // A second run fetches nothing; what arrives later is found.
            known.insert(got.map(\.key))
            let second = IMAPMailbox(account: server.account(user, tls: tls), isKnown: { known.contains($0) })
            #expect(try second.open() == identifier)
            #expect(try collect(second).isEmpty)
            #expect(second.knownCount == 1500)
            #expect(second.expectedCount == 0)
            server.deliver([Self.mail(7777)], to: user, start: 5000)
            let third = IMAPMailbox(account: server.account(user, tls: tls), isKnown: { known.contains($0) })
            #expect(try collect(third).map(\.bytes) == [Self.wire(7777)])
        }

        @Test("logs in in three ways", arguments: IMAPAuthentication.allCases, TLSMode.allCases)
        func logins(authentication: IMAPAuthentication, tls: TLSMode) throws {
            let user = "any@example.nl,=x"
            for server in [Dovecot.plain, .bare] {
                let mailbox = IMAPMailbox(account: server.account(user, tls: tls, authentication: authentication), isKnown: { _ in false })
                #expect(throws: Never.self) { try mailbox.open() }
            }
            let wrong = Dovecot.plain.account(user, tls: tls, authentication: authentication, secret: "wrong-canary-4711")
            let refused = IMAPMailbox(account: wrong, isKnown: { _ in false })
            let start = Date()
            let error = #expect(throws: IMAPError.self) { try refused.open() }
            #expect(error?.code == .login)
            #expect(error?.place == "rua/INBOX")
            #expect("\(error as Any)".contains("canary") == false)
            // A refused login is not tried again.
            #expect(Date().timeIntervalSince(start) < 1)
        }

        @Test("leaves, marks, moves and deletes as it is told, over and over", arguments: ["plain", "dotted", "bare"])
        func settling(shape: String) throws {
            let server = shape == "plain" ? Dovecot.plain : shape == "dotted" ? .dotted : .bare
            let user = "settling-\(shape)"
            server.deliver((0..<40).map { Self.mail($0) }, to: user)
            let mailbox = IMAPMailbox(account: server.account(user), isKnown: { _ in false })
            let keys = try collect(mailbox).map(\.key)
            func actions(_ range: Range<Int>, _ action: AfterAction) -> [(key: String, action: AfterAction)] {
                range.map { (keys[$0], action) }
            }
            func flags(_ sub: String = "") -> [String] {
                server.mails(user, sub).map { $0.components(separatedBy: ":2,").last ?? "" }.sorted()
            }

            #expect(mailbox.settle(actions(0..<40, .leave)).isEmpty)
            #expect(mailbox.settle(actions(0..<10, .markSeen)).isEmpty)
            #expect(server.mails(user).filter { $0.hasSuffix("S") }.count == 10)

            let moved = mailbox.settle(actions(10..<30, .move("DMARC/Erledigt & geprüft")) + actions(30..<35, .delete))
            let sub = shape == "dotted" ? ".DMARC.Erledigt &- gepr&APw-ft" : ".DMARC.Erledigt &- gepr&APw-ft"
            #expect(server.mails(user, sub).count == 20)
            if shape == "bare" {
                // Without UIDPLUS only all that is marked could be removed, whoever marked it: it stays, marked, and `doctor` says so.
                #expect(moved.isEmpty)
                #expect(server.mails(user).filter { $0.contains("T") && $0.hasSuffix("T") }.count == 25)
                #expect(server.mails(user).count == 40)
            } else {
                #expect(moved.isEmpty)
                #expect(server.mails(user).count == 15)
            }
            // A second time nothing is left to do, and that is no error; a folder is not moved into itself.
            do {
                #expect(mailbox.settle(actions(10..<30, .move("DMARC/Erledigt & geprüft")) + actions(30..<35, .delete)).isEmpty)
            }
            #expect(server.mails(user, sub).count == 20)
            let before = server.mails(user).sorted()
            #expect(mailbox.settle(actions(35..<40, .move("inbox"))).isEmpty)
            #expect(server.mails(user).sorted() == before)
            // What somebody else has marked as deleted is none of our business.
            let problems = mailbox.settle([("0", .markSeen), ("x", .delete)])
            #expect(problems.map(\.code) == [.notSettled, .notSettled])
        }

        @Test("expunges nothing but its own")
        func expunge() throws {
            let server = Dovecot.plain
            server.deliver((0..<6).map { Self.mail($0) }, to: "expunge")
            let mailbox = IMAPMailbox(account: server.account("expunge"), isKnown: { _ in false })
            _ = try collect(mailbox)
            // Another client has marked mail 1 as deleted.
            let transport = try CurlTransport(server.account("expunge"), IMAPLimits(), deadline: .after(seconds: 10)) { false }
            let other = Session(transport, IMAPLimits(), runDeadline: .after(seconds: 10))
            try other.askCapabilities()
            try other.logIn(server.account("expunge"))
            try other.prepare()
            try other.open(["INBOX"], toChange: true)
            try other.add(flag: "\\Deleted", to: [1])
            other.logOut()
            #expect(mailbox.settle([("2", .delete), ("3", .move("Done"))]).isEmpty)
            #expect(server.mails("expunge").count == 4)
            #expect(server.mails("expunge").filter { $0.hasSuffix("T") }.count == 1)
        }

        @Test("settles while it fetches")
        func settlingWhileFetching() throws {
            let server = Dovecot.plain
            server.deliver((0..<2000).map { Self.mail($0, bytes: 20_000) }, to: "both")
            let mailbox = IMAPMailbox(account: server.account("both"), isKnown: { _ in false })
            var keys: [String] = []
            var buffer: [UInt8] = []
            while true {
                let messages = try mailbox.next(32)
                if messages.isEmpty { break }
                for message in messages { try message.read(into: &buffer) }
                keys += messages.map(\.key)
                // Dovecot's INTERNALDATE is the time of the file, which was written just now.
                #expect(messages.allSatisfy { message in message.deliveredAt.map { abs($0 - time(nil)) < 3600 } == true })
                #expect(mailbox.settle(messages.map { ($0.key, .move("Done")) }).isEmpty)
            }
            #expect(keys == (1...2000).map(String.init))
            #expect(server.mails("both", ".Done").count == 2000)
            #expect(server.mails("both").isEmpty)
        }

        @Test(
            "is found under the name that people give it",
            arguments: [
                ("DMARC Reports", ".DMARC Reports"), ("Prüfberichte/Größe & Maß", ".Pr&APw-fberichte.Gr&APYA3w-e &- Ma&AN8-"),
                ("inbox", ""),
                ("a%b*c \"quoted\"", ".a%b*c \"quoted\""),
            ])
        func names(_ name: String, _ sub: String) throws {
            for (server, shape) in [(Dovecot.plain, "plain"), (.dotted, "dotted")] {
                let user = "names-\(shape)"
                if server.mails(user, sub).isEmpty { server.deliver([Self.mail(1)], to: user, sub) }
                let mailbox = IMAPMailbox(account: server.account(user, folder: name), isKnown: { _ in false })
                #expect(try collect(mailbox).count == 1, "\(shape)")
            }
            let missing = IMAPMailbox(account: Dovecot.dotted.account("names-dotted", folder: "Fehlt/hier"), isKnown: { _ in false })
            let error = #expect(throws: IMAPError.self) { try missing.open() }
            #expect(error?.code == .noFolder)
            #expect(error?.place == "rua/Fehlt/hier")
        }

        @Test("that was made anew is another folder")
        func uidValidity() throws {
            let server = Dovecot.plain
            server.deliver((0..<5).map { Self.mail($0) }, to: "validity", ".Reports")
            let first = IMAPMailbox(account: server.account("validity", folder: "Reports"), isKnown: { _ in false })
            let old = try first.open()
            #expect(try first.next(100).count == 5)
            first.close()
            try FileManager.default.removeItem(atPath: server.maildir("validity", ".Reports"))
            sleep(1)
            server.deliver((0..<6).map { Self.mail($0) }, to: "validity", ".Reports")
            let second = IMAPMailbox(account: server.account("validity", folder: "Reports"), isKnown: { _ in false })
            #expect(try second.open() != old)
            #expect(try collect(second).count == 6)
        }

        @Test("of 20,000 mails costs one SEARCH when they are known, and is read at thousands of mails a second")
        func manyMails() throws {
            let server = Dovecot.plain
            server.deliver((0..<20_000).map { Self.mail($0, bytes: 65) }, to: "many")
            let known = Known()
            let start = Date()
            let mailbox = IMAPMailbox(account: server.account("many"), isKnown: { _ in false })
            let keys = try collect(mailbox).map(\.key)
            #expect(keys == (1...20_000).map(String.init))
            let first = Date().timeIntervalSince(start)
            known.insert(keys)
            let again = Date()
            let second = IMAPMailbox(account: server.account("many"), isKnown: { known.contains($0) })
            #expect(try collect(second).isEmpty)
            let search = Date().timeIntervalSince(again)
            #expect(second.knownCount == 20_000)
            #expect(search < max(2, first), "20,000 known mails took \(search) s, unknown ones \(first) s")
            // Only some of them: the sets of UIDs are full of gaps.
            let third = IMAPMailbox(account: server.account("many"), isKnown: { (Int($0) ?? 0) % 7 != 0 })
            #expect(try collect(third).count == 20_000 / 7)
        }

        @Test("with a mail of 30 MB, and one above the limit, which is not fetched")
        func largeMails() throws {
            let server = Dovecot.plain
            server.deliver(
                [Self.mail(1), Self.mail(2, bytes: 29_000_000), Self.mail(3), Self.mail(4, bytes: 35_000_000), Self.mail(5)], to: "large")
            let mailbox = IMAPMailbox(account: server.account("large"), isKnown: { _ in false })
            let messages = try mailbox.next(1) + mailbox.next(10) + mailbox.next(10) + mailbox.next(10)
            #expect(messages.map(\.key) == ["1", "2", "3", "4", "5"])
            var buffer: [UInt8] = []
            try messages[1].read(into: &buffer)
            #expect(buffer == Self.wire(2, bytes: 29_000_000))
            let error = #expect(throws: MailError.self) { try messages[3].read(into: &buffer) }
            #expect(error?.code == .messageTooLarge)
            #expect(error?.isOurFault == false)
            try messages[4].read(into: &buffer)
            #expect(buffer == Self.wire(5))
        }

        @Test("can be closed at any time")
        func closing() throws {
            let server = Dovecot.plain
            server.deliver((0..<600).map { Self.mail($0, bytes: 60_000) }, to: "closing")
            for taken in [0, 1, 2, 5] {
                let start = Date()
                let mailbox = IMAPMailbox(account: server.account("closing"), isKnown: { _ in false })
                var messages: [Message] = []
                for _ in 0..<taken { messages += try mailbox.next(10) }
                mailbox.close()
                #expect(Date().timeIntervalSince(start) < 5)
                var buffer: [UInt8] = []
                for message in messages { try message.read(into: &buffer) }
                #expect(throws: MailError.self) { _ = try mailbox.next(1) }
            }
            // Without a close it ends with the last that knows it.
            _ = try IMAPMailbox(account: server.account("closing"), isKnown: { _ in false }).next(1)
        }

        @Test("only counts what arrived since a day, if that is asked for")
        func since() throws {
            let server = Dovecot.plain
            // Dovecot takes the time in the file's name of a new mail for nothing; it takes the file's own.
            server.deliver((0..<4).map { Self.mail($0) }, to: "since")
            for name in server.mails("since").prefix(3) {
                var times = [timeval(tv_sec: 1_600_000_000, tv_usec: 0), timeval(tv_sec: 1_600_000_000, tv_usec: 0)]
                utimes(server.maildir("since") + "/new/" + name, &times)
            }
            var account = server.account("since")
            account.since = 1_700_000_000 / 86_400
            #expect(try collect(IMAPMailbox(account: account, isKnown: { _ in false })).count == 1)
            account.since = 1_600_000_000 / 86_400
            #expect(try collect(IMAPMailbox(account: account, isKnown: { _ in false })).count == 4)
        }

        @Test("is tried out step by step")
        func probing() throws {
            let server = Dovecot.plain
            server.deliver([Self.mail(1)], to: "probe")
            let steps = probe(server.account("probe"), targets: ["DMARC/done"])
            #expect(steps.map(\.name) == [.connection, .certificate, .capabilities, .login, .folder, .messageCount, .change, .target])
            #expect(steps.allSatisfy { $0.outcome == .passed })
            #expect(steps[1].found.contains("localhost") && steps[1].found.contains("test authority"))
            #expect(abs((steps[1].expires ?? 0) - Int(Date().timeIntervalSince1970) - 30 * 86_400) < 3600)
            #expect(steps[5].found == "1")
            #expect(steps[6].found.contains("MOVE"))
            #expect(steps[7].found.contains("will be made"))
            #expect(probe(Dovecot.bare.account("probe")).last?.outcome == .doubtful)

            let refused = probe(server.account("probe", secret: "wrong-canary"))
            #expect(refused.map(\.name) == [.connection, .certificate, .capabilities, .login])
            guard case .failed(let error)? = refused.last?.outcome else {
                Issue.record("a wrong password passed")
                return
            }
            #expect(error.code == .login)
            let unreachable = probe(server.account("probe", port: freePort()))
            guard unreachable.count == 1, case .failed(let gone) = unreachable[0].outcome else {
                Issue.record("a server that is not there passed")
                return
            }
            #expect(gone.code == .lost)
        }
    }
}
