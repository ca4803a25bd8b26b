import Foundation
import Mail
import Testing

@testable import IMAP

@Suite("A hostile server")
struct HostileTests {
    static let mails: [UInt32: String] = [3: "a\r\n", 5: "bb\r\n", 8: "ccc\r\nA1 OK\r\n", 13: "dddd\r\n"]

    /// What became of a mailbox: what it gave, and what ended it.
    static func outcome(
        _ server: ScriptedServer, limits: IMAPLimits = ScriptedServer.limits
    ) -> (mails: [String: String], error: IMAPError?, unreadable: [String: MailError]) {
        let mailbox = server.mailbox(limits: limits)
        var mails: [String: String] = [:]
        var unreadable: [String: MailError] = [:]
        var buffer: [UInt8] = []
        do throws(MailError) {
            while true {
                let messages = try mailbox.next(2)
                if messages.isEmpty { return (mails, nil, unreadable) }
                for message in messages {
                    do throws(MailError) {
                        try message.read(into: &buffer)
                        mails[message.key] = String(decoding: buffer, as: UTF8.self)
                    } catch {
                        unreadable[message.key] = error
                    }
                }
            }
        } catch {
            return (mails, mailbox.failure, unreadable)
        }
    }

    static let expected = Dictionary(uniqueKeysWithValues: mails.map { (String($0), $1) })

    @Test("the script itself is sound, however few bytes come at a time", arguments: [1, 2, 3, 17, 1 << 16])
    func sound(chunk: Int) {
        let server = ScriptedServer(mails: Self.mails, chunk: chunk)
        let (mails, error, _) = Self.outcome(server)
        #expect(error == nil)
        #expect(mails == Self.expected)
        #expect(server.log.contains { $0.hasPrefix("EXAMINE") } && !server.log.contains { $0.hasPrefix("SELECT") })
        #expect(server.log.last == "LOGOUT")
    }

    @Test("says when each message came into the mailbox")
    func delivered() throws {
        let server = ScriptedServer(mails: Self.mails)
        let mailbox = server.mailbox(limits: ScriptedServer.limits)
        var times: [Int?] = []
        var buffer: [UInt8] = []
        while true {
            let messages = try mailbox.next(3)
            if messages.isEmpty { break }
            for message in messages { try message.read(into: &buffer) }
            times += messages.map(\.deliveredAt)
        }
        #expect(server.log.contains { $0.contains("INTERNALDATE") })
        #expect(times == [Int?](repeating: 1_780_272_000, count: Self.mails.count))
    }

    @Test("says when the newest came in, before any is fetched, at the cost of one command at most")
    func newest() throws {
        for listed in [3, 500] {
            let newest = try #require(Self.mails.keys.max())
            let said = "UID \(newest) RFC822.SIZE \(Self.mails[newest]?.utf8.count ?? 0) INTERNALDATE "
            let server = ScriptedServer(mails: Self.mails) { _, _, normal, _ in
                let text = String(decoding: normal, as: UTF8.self)
                return Array(text.replacingOccurrences(of: said + "\"01-Jun", with: said + "\"03-Jun").utf8)
            }
            var limits = ScriptedServer.limits
            limits.listMessages = listed
            let mailbox = server.mailbox(limits: limits)
            #expect(mailbox.newestDeliveries(2) == [1_780_272_000 + 2 * 86_400, 1_780_272_000])
            #expect(!server.log.contains { $0.contains("BODY") })
            let found = try collect(mailbox)
            #expect(found.map(\.key) == Self.mails.keys.sorted().map(String.init))
            #expect(server.log.count { $0.contains("SEARCH") } == 1)
            let asked = server.log.count { $0.contains("INTERNALDATE") }
            #expect(asked == (listed == 500 ? 1 : (Self.mails.count + 2) / 3 + 1))
            // Somebody who only asks leaves nothing running.
            let other = server.mailbox(limits: limits)
            #expect(other.newestDeliveries(1).count == 1)
            other.close()
        }
        let broken = ScriptedServer(mails: Self.mails) { command, tag, normal, _ in
            command.contains("SEARCH") ? Array("\(tag) NO not now\r\n".utf8) : normal
        }
        let mailbox = broken.mailbox(limits: ScriptedServer.limits)
        #expect(mailbox.newestDeliveries(3).isEmpty)
        #expect(throws: MailError.self) { _ = try mailbox.next(1) }
    }

    @Test("that says NO or BAD to any one command, or to all of them, gets a clear error", arguments: ["NO", "BAD"])
    func refusals(word: String) {
        let codes: [(String, IMAPError.Code?)] = [
            ("CAPABILITY", .refused), ("AUTHENTICATE", .login), ("NAMESPACE", nil), ("EXAMINE", .noFolder), ("UID SEARCH", .refused),
            ("", .refused),
        ]
        for (command, code) in codes {
            let server = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
                text.hasPrefix(command) ? Array("\(tag) \(word) no \u{1b}[31m{3}\r\n".utf8) : normal
            }
            let (mails, error, _) = Self.outcome(server)
            #expect(error?.code == code, "\(command)")
            #expect(error?.found.contains("\u{1b}") != true)
            #expect(code != nil || mails == Self.expected)
        }
        // Sizes refused to all: they are done without, because the server says where each message ends. Bodies refused: each message stays
        // for the next run.
        let sizes = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
            text.contains("RFC822.SIZE") ? Array("\(tag) \(word) x\r\n".utf8) : normal
        }
        #expect(Self.outcome(sizes).error == nil)
        #expect(Self.outcome(sizes).mails == Self.expected)
        let bodies = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
            text.contains("BODY.PEEK") && (text.contains("3,") || text.contains(" 5 ")) ? Array("\(tag) \(word) x\r\n".utf8) : normal
        }
        let (mails, error, unreadable) = Self.outcome(bodies)
        #expect(error == nil)
        #expect(Set(mails.keys) == ["3", "8", "13"])
        #expect(unreadable["5"]?.isOurFault == true)
    }

    @Test(
        "that breaks the grammar, or answers what was not asked, gets imap-protocol",
        arguments: [
            "X9 OK done\r\n", "A1 OK done\r\n", "+ more\r\n",
            "* PREAUTH hello\r\n", "HTTP/1.1 200 OK\r\n", "\0\0\0\r\n", "* OK\n", "* 1 FETCH (UID 3\r\n",
        ])
    func breaches(_ text: String) {
        let server = ScriptedServer(mails: Self.mails) { command, _, normal, _ in
            command.contains("RFC822.SIZE") ? Array(text.utf8) + normal : normal
        }
        let (mails, error, unreadable) = Self.outcome(server)
        #expect(error?.code == .malformed)
        // Each message that was asked for alone is left for the next run, by name.
        #expect(mails.isEmpty && !unreadable.isEmpty && unreadable.values.allSatisfy { $0.code == .notDelivered && $0.isOurFault })
    }

    @Test(
        "that talks of messages that were not asked for is not listened to",
        arguments: [
            "* 1 FETCH (UID 99 RFC822.SIZE 4)\r\n", "* 1 FETCH (UID 4294967296 RFC822.SIZE 4)\r\n", "* 1 FETCH (RFC822.SIZE -4 UID 3)\r\n",
            "* 1 FETCH (UID 99 BODY[] {2}\r\nxx)\r\n", "* 1 FETCH (BODY[] {2}\r\nxx)\r\n",
        ])
    func news(_ text: String) {
        let server = ScriptedServer(mails: Self.mails) { command, _, normal, _ in
            command.contains("UID FETCH") ? Array(text.utf8) + normal : normal
        }
        let (mails, error, unreadable) = Self.outcome(server)
        #expect(error == nil && mails == Self.expected && unreadable.isEmpty)
    }

    @Test("that gives a message twice, and not the same, does not get either taken")
    func twice() {
        let server = ScriptedServer(mails: Self.mails) { command, _, normal, _ in
            command.contains("BODY.PEEK") && (command.contains(" 3 ") || command.contains("3,"))
                ? Array("* 1 FETCH (UID 3 BODY[] {1}\r\nx)\r\n".utf8) + normal : normal
        }
        let (mails, error, unreadable) = Self.outcome(server)
        #expect(error == nil)
        #expect(Set(mails.keys) == ["5", "8", "13"])
        #expect(unreadable["3"]?.code == .notDelivered)
    }

    @Test(
        "that floods is cut off at a limit",
        arguments: [
            "* 1 FETCH (UID 3 BODY[] {9223372036854775808}\r\n", "* 1 FETCH (UID 3 BODY[] {4294967295}\r\n",
            "* 1 FETCH (UID 3 BODY[] {33554433}\r\n", "* OK " + String(repeating: "x", count: 100_000),
            String(repeating: "x", count: 100_000),
            String(repeating: "* 1 EXISTS\r\n", count: 30_000), "* SEARCH" + String(repeating: " 1", count: 200_000),
        ])
    func floods(_ text: String) {
        let server = ScriptedServer(mails: Self.mails) { command, _, normal, _ in
            command.contains(text.contains("SEARCH") ? "SEARCH" : "RFC822.SIZE") ? Array(text.utf8) + normal : normal
        }
        var limits = ScriptedServer.limits
        limits.maxCommandBytes = 300_000
        limits.maxListBytes = 300_000
        limits.readSeconds = 30
        #expect(Self.outcome(server, limits: limits).error?.code == .responseTooLarge)
    }

    @Test("that flows without end does not outlast the deadline")
    func endless() {
        final class Endless: Transport {
            let certificate: CertificateFacts? = nil
            func send(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) {}
            func receive(into buffer: UnsafeMutableRawBufferPointer, deadline: Deadline) -> Int {
                let line = Array("* OK still here\r\n".utf8)
                for index in buffer.indices { buffer[index] = line[index % line.count] }
                return buffer.count / line.count * line.count
            }
            func close() {}
        }
        var limits = ScriptedServer.limits
        limits.readSeconds = 0.3
        limits.maxCommandBytes = 1 << 40
        let mailbox = IMAPMailbox(account: ScriptedServer.account, limits: limits, isKnown: { _ in false }) {
            (_, _, _, _) throws(IMAPError) in Endless()
        }
        let start = Date()
        let error = #expect(throws: IMAPError.self) { try mailbox.open() }
        #expect(error?.code == .timeout)
        #expect(Date().timeIntervalSince(start) < 3)
    }

    @Test("whose sizes are too small loses the large message, not the others")
    func wrongSizes() {
        var limits = ScriptedServer.limits
        limits.maxMessageBytes = 100_000
        limits.batchBytes = 50_000
        let large = String(repeating: "x", count: 150_000)
        let server = ScriptedServer(mails: [1: "a", 2: large, 3: "c", 4: String(repeating: "y", count: 90_000), 5: "e"]) {
            command, tag, normal, _ in
            guard command.contains("RFC822.SIZE") else { return normal }
            let sizes = (1...5).map { "* \($0) FETCH (UID \($0) RFC822.SIZE 1)\r\n" }.joined()
            return Array((sizes + "\(tag) OK\r\n").utf8)
        }
        let (mails, error, unreadable) = Self.outcome(server, limits: limits)
        #expect(error == nil)
        #expect(Set(mails.keys) == ["1", "3", "5"])
        #expect(unreadable["2"]?.code == .messageTooLarge)
        #expect(unreadable["4"]?.code == .sizeMismatch)
    }

    @Test("that floods around a message does not get the message refused for good")
    func floodAroundMessage() {
        let server = ScriptedServer(mails: [1: "a"]) { command, _, normal, _ in
            command.contains("BODY.PEEK") ? Array(("* OK " + String(repeating: "x", count: 100_000)).utf8) + normal : normal
        }
        let (mails, error, unreadable) = Self.outcome(server)
        #expect(error == nil)
        #expect(mails.isEmpty && unreadable["1"]?.code == .notDelivered)
    }

    @Test("that says BYE or closes at any command is come back to, a few times")
    func farewells() {
        let commands = ["CAPABILITY", "AUTHENTICATE", "NAMESPACE", "EXAMINE", "UID SEARCH", "RFC822.SIZE", "BODY.PEEK"]
        for command in commands {
            for bye in [true, false] {
                let once = ScriptedServer(mails: Self.mails) { text, _, normal, connection in
                    guard text.contains(command), connection == 1 else { return normal }
                    return bye ? Array("* BYE {3}\r\n".utf8) : nil
                }
                let (mails, error, _) = Self.outcome(once)
                #expect(error == nil, "\(command)")
                #expect(mails == Self.expected, "\(command)")
                #expect(once.connections == 2)
                let always = ScriptedServer(mails: Self.mails) { text, _, normal, _ in
                    guard text.contains(command) else { return normal }
                    return bye ? Array("* BYE {3}\r\n".utf8) : nil
                }
                #expect(Self.outcome(always).error?.code == .lost, "\(command)")
                #expect(always.connections >= 4 && always.connections < 20, "\(command): \(always.connections)")
            }
        }
    }

    @Test("that cuts amid a message is asked for the missing ones, each alone")
    func cutAmidMessage() {
        let server = ScriptedServer(mails: Self.mails) { text, _, normal, connection in
            guard text.contains("BODY.PEEK"), connection == 1 else { return normal }
            let whole = String(decoding: normal, as: UTF8.self).components(separatedBy: "* 3 FETCH")[0]
            return Array((whole + "* 3 FETCH (UID 8 BODY[] {14}\r\nccc\r\n").utf8) + [0xff, 0xff]
        }
        let (mails, error, _) = Self.outcome(server)
        #expect(error == nil)
        #expect(mails == Self.expected)
        #expect(
            server.log.filter { $0.contains("BODY.PEEK") } == [
                "UID FETCH 3,5,8,13 (UID BODY.PEEK[])", "UID FETCH 8 (UID BODY.PEEK[])", "UID FETCH 13 (UID BODY.PEEK[])",
            ])
    }

    @Test("that stalls amid a message gives the others first, and then that one")
    func stallAmidMessage() {
        let server = ScriptedServer(mails: Self.mails) { text, _, normal, connection in
            guard text.contains("BODY.PEEK"), connection == 1 else { return normal }
            let whole = String(decoding: normal, as: UTF8.self).components(separatedBy: "* 3 FETCH")[0]
            return Array((whole + "* 3 FETCH (UID 8 BODY[] {14}\r\nccc\r\n").utf8)
        }
        let (mails, error, _) = Self.outcome(server)
        #expect(error == nil)
        #expect(mails == Self.expected)
        #expect(server.connections == 2)
    }

    @Test("whose folder is made anew between two connections is left alone")
    func changed() {
        let server = ScriptedServer(mails: Self.mails) { text, _, normal, connection in
            if text.contains("BODY.PEEK"), connection == 1 { return nil }
            return connection == 1
                ? normal
                : Array(String(decoding: normal, as: UTF8.self).replacingOccurrences(of: "UIDVALIDITY 7", with: "UIDVALIDITY 8").utf8)
        }
        #expect(Self.outcome(server).error?.code == .folderChanged)
    }

    @Test("that does not give what it lists gets those messages named, and no others")
    func withheld() {
        let server = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
            text.contains("BODY.PEEK")
                ? Array(
                    "* 1 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 5 BODY[] {4}\r\nbb\r\n)\r\n* 9 FETCH (UID 8 BODY[] NIL)\r\n\(tag) OK\r\n"
                        .utf8)
                : normal
        }
        let (mails, error, unreadable) = Self.outcome(server)
        #expect(error == nil)
        #expect(mails == ["5": "bb\r\n"])
        #expect(Set(unreadable.keys) == ["3", "8", "13"])
        #expect(unreadable.values.allSatisfy { $0.code == .notDelivered && $0.isOurFault })
    }

    @Test("whose messages somebody else deletes after they were listed has nothing to answer for")
    func vanished() throws {
        let server = ScriptedServer(mails: Self.mails)
        let deleting = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
            guard text.contains("UID SEARCH") else {
                return text.contains("EXAMINE") ? normal : Array(server.answer(text, tag).utf8)
            }
            let answer = Array(server.answer(text, tag).utf8)
            server.state.withLock { $0.mails = $0.mails.filter { $0.key != 5 && $0.key != 13 } }
            return answer
        }
        let mailbox = deleting.mailbox()
        let got = try collect(mailbox)
        #expect(got.map(\.key) == ["3", "8"])
        #expect(mailbox.listing?.named == 4 && mailbox.listing?.vanished == 2)
        #expect(mailbox.expectedCount == 2)
    }

    @Test("that repeats the password in its errors does not get it into ours")
    func echo() {
        for (name, capabilities) in [
            ("AUTHENTICATE", "IMAP4rev1 SASL-IR AUTH=PLAIN"), ("LOGIN", "IMAP4rev1"), ("AUTHENTICATE", "IMAP4rev1 AUTH=PLAIN"),
        ] {
            for word in ["NO", "BAD"] {
                let server = ScriptedServer(mails: Self.mails, capabilities: capabilities) { text, tag, normal, _ in
                    if text == "AUTHENTICATE PLAIN" { return Array("+ \r\n".utf8) }
                    let isLogin = text.hasPrefix(name) || text.hasPrefix("AG")
                    return isLogin ? Array("\(tag) \(word) you said: \(text) and pw-canary\r\n".utf8) : normal
                }
                let error = Self.outcome(server).error
                #expect(error?.code == .login)
                let text = "\(error as Any)"
                #expect(!text.contains("canary") && !text.contains("AGRtYXJj") && !text.contains("Y2FuYXJ5"), "\(text)")
            }
        }
        let secret = ScriptedServer.account.secret
        var dumped = ""
        dump(ScriptedServer.account, to: &dumped)
        #expect(!("\(secret)" + String(reflecting: secret) + dumped).contains("canary"))
    }

    @Test(
        "is sent the OAuth answers that RFC 7628 and Google ask for after a refusal", arguments: [IMAPAuthentication.xoauth2, .oauthbearer])
    func refusedToken(authentication: IMAPAuthentication) {
        let server = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
            if text.hasPrefix("AUTHENTICATE") { return Array("+ eyJzdGF0dXMiOiI0MDAifQ==\r\n".utf8) }
            return text == "(empty)" || text == "AQ==" ? Array("\(tag) NO [AUTHENTICATIONFAILED] Invalid credentials\r\n".utf8) : normal
        }
        var account = ScriptedServer.account
        account.authentication = authentication
        let mailbox = server.mailbox(account)
        let error = #expect(throws: IMAPError.self) { try mailbox.open() }
        #expect(error?.code == .login)
        #expect(error?.found.contains("Invalid credentials") == true)
        #expect(server.log.contains(authentication == .xoauth2 ? "(empty)" : "AQ=="))
    }

    @Test("with UTF8=ACCEPT is given names in UTF-8, one without it in modified UTF-7")
    func utf8() throws {
        var account = ScriptedServer.account
        account.folder = "Prüfberichte"
        let new = ScriptedServer(mails: Self.mails, capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR ENABLE UTF8=ACCEPT")
        try new.mailbox(account).open()
        #expect(new.log.contains("ENABLE UTF8=ACCEPT"))
        #expect(new.log.contains("EXAMINE \"Prüfberichte\""))
        let refusing = ScriptedServer(mails: Self.mails, capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR ENABLE UTF8=ACCEPT") {
            text, tag, normal, _ in
            text.hasPrefix("ENABLE") ? Array("\(tag) NO not today\r\n".utf8) : normal
        }
        try refusing.mailbox(account).open()
        #expect(refusing.log.contains("EXAMINE \"Pr&APw-fberichte\""))
    }

    @Test("without SASL-IR, or without PLAIN, is logged in to all the same; one with LOGINDISABLED is not")
    func loginVariants() throws {
        let waiting = ScriptedServer(mails: Self.mails, capabilities: "IMAP4rev1 AUTH=PLAIN") { text, _, normal, _ in
            text == "AUTHENTICATE PLAIN" ? Array("+ \r\n".utf8) : normal
        }
        try waiting.mailbox().open()
        #expect(waiting.log.contains(String(decoding: base64(Array("\0dmarc@example.nl\0pw-canary".utf8)), as: UTF8.self)))
        let old = ScriptedServer(mails: Self.mails, capabilities: "IMAP4rev1")
        try old.mailbox().open()
        #expect(old.log.contains("LOGIN \"dmarc@example.nl\" \"pw-canary\""))
        var account = ScriptedServer.account
        account.secret = Secret(bytes: Array("pässwört \"\\".utf8))
        let literal = ScriptedServer(mails: Self.mails, capabilities: "IMAP4rev1")
        try literal.mailbox(account).open()
        #expect(literal.log.contains("LOGIN \"dmarc@example.nl\" {13}|pässwört \"\\"))
        let closed = ScriptedServer(mails: Self.mails, capabilities: "IMAP4rev1 LOGINDISABLED AUTH=GSSAPI")
        let error = #expect(throws: IMAPError.self) { try closed.mailbox().open() }
        #expect(error?.code == .login)
        #expect(!closed.log.joined().contains("canary"))
    }

    @Test("that cuts while a message is moved gets the move again, and no error")
    func cutWhileMoving() throws {
        let server = ScriptedServer(mails: Self.mails) { text, _, normal, connection in
            text.hasPrefix("UID MOVE") && connection == 1 ? nil : normal
        }
        let mailbox = server.mailbox()
        _ = try mailbox.next(10)
        #expect(mailbox.settle([("3", .move("Done")), ("5", .move("Done"))]).isEmpty)
        #expect(server.state.withLock { $0.moved } == [3, 5])
        #expect(server.log.filter { $0.hasPrefix("CREATE") }.count == 1)
        #expect(server.connections == 2)
        // A server that is gone for good is an error for each thing that was to be done, and no more.
        let dead = ScriptedServer(mails: Self.mails) { text, _, normal, _ in text.hasPrefix("SELECT") ? nil : normal }
        let other = dead.mailbox()
        _ = try other.next(10)
        let problems = other.settle([("3", .markSeen)])
        #expect(problems.count == 1)
        #expect(problems.first?.isOurFault == true)
    }

    @Test("that cannot tell a good password from a bad one at the moment is come back to")
    func unavailable() throws {
        let server = ScriptedServer(mails: Self.mails) { text, tag, normal, connection in
            text.hasPrefix("AUTHENTICATE") && connection < 3 ? Array("\(tag) NO [UNAVAILABLE] try later\r\n".utf8) : normal
        }
        try server.mailbox().open()
        #expect(server.connections == 3)
    }

    @Test("is spoken to under any limits without a standstill", arguments: [0, 1, 2, -1])
    func oddLimits(number: Int) {
        var limits = ScriptedServer.limits
        limits.batchMessages = number
        limits.listMessages = number
        limits.batchBytes = number
        limits.aheadBytes = number
        limits.heldBytes = number
        let (mails, error, _) = Self.outcome(ScriptedServer(mails: Self.mails), limits: limits)
        #expect(error == nil)
        #expect(mails == Self.expected)
        limits.readSeconds = .nan
        #expect(Self.outcome(ScriptedServer(mails: Self.mails), limits: limits).error?.code == .timeout)
    }

    @Test("that gives nothing for a while is asked again although much is in memory")
    func noRoom() throws {
        // The first batch is refused, so that nothing is handed out while the reader waits, and the messages before it are held.
        for _ in 0..<50 {
            var limits = ScriptedServer.limits
            limits.heldBytes = 1
            limits.batchMessages = 2
            let server = ScriptedServer(mails: Self.mails) { text, tag, normal, _ in
                text.contains("BODY.PEEK") && text.contains("8,13") ? Array("\(tag) NO x\r\n".utf8) : normal
            }
            let mailbox = server.mailbox(limits: limits)
            var held: [Message] = []
            while true {
                let messages = try mailbox.next(2)
                if messages.isEmpty { break }
                held += messages
            }
            #expect(held.map(\.key) == ["3", "5", "8", "13"])
        }
    }

    @Test("that says anything at all is survived", arguments: [1, 2, 3, 4] as [UInt64])
    func mutated(seed: UInt64) {
        for number in 0..<150 {
            let server = ScriptedServer(mails: Self.mails) { text, _, normal, connection in
                var random = Random(state: seed &* 1000 &+ UInt64(number) &* 31 &+ UInt64(text.utf8.count) &+ UInt64(connection))
                guard random.next(4) == 0, !normal.isEmpty else { return normal }
                var bytes = normal
                let alphabet = Array("\r\n{}()[]\"\\ *+019aZ\0\u{ff}".utf8)
                for _ in 0...random.next(2) {
                    let position = random.next(bytes.count)
                    if random.next(2) == 0 {
                        bytes[position] = alphabet[random.next(alphabet.count)]
                    } else {
                        bytes.removeSubrange(position...)
                    }
                    if bytes.isEmpty { return nil }
                }
                return bytes
            }
            let (mails, error, unreadable) = Self.outcome(server)
            // Whatever it does: all messages have come to something, or there is an error that says why not.
            #expect(error != nil || mails.count + unreadable.count <= 2_000_000, "seed \(seed), number \(number)")
        }
    }
}
