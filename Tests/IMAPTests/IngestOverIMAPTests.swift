import CLI
import Foundation
import GRDB
import Testing
import Unpacking

@testable import IMAP

/// The whole way: a real server, a configuration, the command.
@Suite("Ingest over IMAP", .enabled(if: Dovecot.isThere, "\(Dovecot.hindrance ?? "")"))
struct IngestOverIMAPTests {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A folder with a configuration and a database.
    private final class Setup {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-imap-\(UUID().uuidString)")
        /// After the last sample, and not before the mail is delivered to the server.
        var now = max(1_795_219_200, Int(time(nil)))
        let server: Dovecot

        init(_ server: Dovecot) throws {
            self.server = server
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let password = folder.appending(path: "password").path
            _ = FileManager.default.createFile(
                atPath: password, contents: Data((Dovecot.password + "\n").utf8), attributes: [.posixPermissions: 0o600])
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        func mailbox(_ user: String, name: String = "rua", tls: TLSMode = .implicit, more: String = "", caFile: Bool = true) -> String {
            """
            [[mailbox]]
            name = "\(name)"
            kind = "imap"
            host = "localhost"
            port = \(tls == .implicit ? server.port : server.startTLSPort)
            tls = "\(tls.rawValue)"
            user = "\(user)"
            password_file = "\(folder.path)/password"
            \(caFile ? "ca_file = \"\(server.caFile)\"" : "")
            \(more)

            """
        }

        /// Runs a command with this configuration.
        func run(_ configuration: String, _ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
            let file = folder.appending(path: "config.toml")
            try Data(configuration.utf8).write(to: file)
            let output = MemoryChannel()
            let errors = MemoryChannel()
            let context = Context(environment: [:], standardOutput: output, standardError: errors, now: now)
            let status = DmarcstatMain.run(
                arguments: arguments + ["--config", file.path, "--database", folder.path + "/dmarc.sqlite"], context: context)
            #expect(!(output.text + errors.text).contains(Dovecot.password))
            return (status, output.text, errors.text)
        }

        func ingest(_ configuration: String, _ more: String...) throws -> Answer {
            let file = folder.appending(path: "config.toml")
            try Data(configuration.utf8).write(to: file)
            let output = MemoryChannel()
            let errors = MemoryChannel()
            let context = Context(environment: [:], standardOutput: output, standardError: errors, now: now)
            let arguments = ["ingest", "--format", "json", "--config", file.path, "--database", folder.path + "/dmarc.sqlite"] + more
            let status = DmarcstatMain.run(arguments: arguments, context: context)
            #expect(!(output.text + errors.text).contains(Dovecot.password))
            try #require(!output.text.isEmpty, "\(errors.text)")
            var answer = try JSONDecoder().decode(Answer.self, from: Data(output.text.utf8))
            answer.status = status
            answer.errors = errors.text
            return answer
        }
    }

    private struct Answer: Decodable {
        struct Messages: Decodable, Equatable {
            var seen: Int
            var stored: Int
            var duplicate: Int
            var not_a_report: Int
            var refused: Int
            var deferred: Int
            var known: Int
        }

        struct Stored: Decodable, Equatable {
            var reports: Int
            var records: Int
            var messages: Int
        }

        var messages: Messages
        var stored: Stored
        var status: Int32?
        var errors: String?
    }

    /// The mails of a maildir, in the order of their names.
    private static func mails(_ maildir: URL) throws -> [String] {
        var files: [URL] = []
        for sub in ["cur", "new"] {
            files += try FileManager.default.contentsOfDirectory(at: maildir.appending(path: sub), includingPropertiesForKeys: nil)
        }
        return try files.filter { !$0.lastPathComponent.hasPrefix(".") }.sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }
    }

    private static func demo() throws -> [String] { try mails(root.appending(path: "reports-sample/maildir")) }

    @Test("the built program reaches its server when it is kept to its places", arguments: [TLSMode.implicit, .startTLS])
    func confined(tls: TLSMode) throws {
        let server = Dovecot.plain
        let user = "command-confined-\(tls.rawValue)"
        server.deliver(Array(try Self.demo().prefix(20)), to: user)
        let setup = try Setup(server)
        let program = Bundle.main.bundleURL.appending(path: "dmarcstat").path
        try #require(FileManager.default.isExecutableFile(atPath: program))
        func ingest(_ configuration: String) throws -> Int32 {
            let file = setup.folder.appending(path: "config.toml").path
            try Data(configuration.utf8).write(to: URL(filePath: file))
            let arguments = ["ingest", "--trust-clock", "--config", file, "--database", setup.folder.path + "/dmarc.sqlite"]
            return IMAPTests.run(program, arguments + ["--verbose"], in: setup.folder.path)
        }
        let log = setup.folder.appending(path: "log").path
        // The secret comes from a program, which is started before nothing else can be.
        let own = setup.mailbox(user, tls: tls, more: "after = \"move:done\"")
            .replacingOccurrences(of: "password_file = \"", with: "password_command = \"cat ")
        #expect(try ingest(own) == 0, "\((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        #expect(try String(contentsOfFile: log, encoding: .utf8).contains("20 messages"))
    }

    @Test("the demo mailbox gives its totals; then nothing is fetched but what is new", arguments: [TLSMode.implicit, .startTLS])
    func totals(tls: TLSMode) throws {
        let server = Dovecot.plain
        // Other suites have users of the same server.
        let user = "command-totals-\(tls.rawValue)"
        let demo = try Self.demo()
        server.deliver(Array(demo.dropLast(5)), to: user)
        let setup = try Setup(server)
        let configuration = setup.mailbox(user, tls: tls)
        let first = try setup.ingest(configuration)
        #expect(first.status == 0, "\(first.errors ?? "")")
        #expect(first.messages.seen == demo.count - 5)
        let second = try setup.ingest(configuration)
        #expect(second.messages == .init(seen: 0, stored: 0, duplicate: 0, not_a_report: 0, refused: 0, deferred: 0, known: demo.count - 5))
        server.deliver(Array(demo.suffix(5)), to: user, start: demo.count)
        let third = try setup.ingest(configuration)
        #expect(third.messages.seen == 5)
        #expect(first.messages.stored + third.messages.stored == 430)
        #expect(first.messages.duplicate + third.messages.duplicate == 2)
        #expect(first.messages.refused + third.messages.refused == 1)
        #expect(first.messages.not_a_report + third.messages.not_a_report == 2)
        // As much as from the maildir itself.
        let direct = try Setup(server)
        let fromDisk = try direct.ingest("", Self.root.appending(path: "reports-sample/maildir").path)
        #expect(first.stored.messages + third.stored.messages == fromDisk.stored.messages)
        #expect(first.stored.records + third.stored.records == fromDisk.stored.records)
        let seen = try FileManager.default.contentsOfDirectory(atPath: server.maildir(user) + "/cur").filter {
            $0.contains("S") && $0.hasSuffix("S")
        }
        #expect(seen.isEmpty, "nothing is marked as read by fetching")
    }

    /// Mails as the server `mx.example.nl` delivered them, by the id of their report.
    private static let checked: [(id: String, text: String)] = {
        func mail(_ id: String, _ fields: String, from: String = "reporter.test") -> (String, String) {
            let report = """
                <feedback><report_metadata><org_name>reporter.test</org_name><email>d@reporter.test</email><report_id>\(id)</report_id>
                <date_range><begin>1780272000</begin><end>1780358399</end></date_range></report_metadata>
                <policy_published><domain>example.nl</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip>
                <count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
                <identifiers><header_from>example.nl</header_from></identifiers><auth_results/></record></feedback>
                """
            let header =
                fields + "From: reports <d@\(from)>\nSubject: a report\nMIME-Version: 1.0\nContent-Type: text/xml; name=\"r.xml\"\n"
            return (id, header + "\n" + report + "\n")
        }
        let way = "Received: from somewhere by mx.example.nl; Mon, 1 Jun 2026 00:00:00 +0000\n"
        func found(_ server: String, _ words: String) -> String { "Authentication-Results: \(server);\n\t\(words)\n" }
        let passed = "dmarc=pass header.from=reporter.test"
        return [
            mail("trusted", found("mx.example.nl", passed) + way),
            mail("failed", found("mx.example.nl", "dmarc=fail header.from=reporter.test") + way),
            // What came with the mail stands below the line of our server.
            mail("forged-below", found("mx.example.nl", "dmarc=fail header.from=reporter.test") + way + found("mx.example.nl", passed)),
            // Some servers write below their own Received: the topmost one counts (docs/decisions/0009-authenticity.md).
            mail("below-received", way + found("mx.example.nl", passed)),
            mail("other-server", found("mx.evil.test", passed) + way),
            mail("another-sender", found("mx.example.nl", "dmarc=pass header.from=evil.test") + way, from: "evil.test"),
            mail("nothing", way),
        ]
    }()

    @Test("what the own mail server found out about a mail is known over IMAP as it is from a maildir")
    func authenticity() throws {
        let server = Dovecot.plain
        let user = "command-authenticity"
        server.deliver(Self.checked.map(\.text), to: user)
        let trust = "[authenticity]\ntrusted_authserv_id = \"mx.example.nl\"\n\n"
        func senders(_ setup: Setup) throws -> [String: String] {
            try DatabaseQueue(path: setup.folder.path + "/dmarc.sqlite").read { db in
                let rows = try Row.fetchAll(db, sql: "SELECT report_id, authenticity, mail_from_domain, arrived_utc FROM reports")
                return Dictionary(
                    uniqueKeysWithValues: rows.map { row in
                        // What the own server wrote on top says when it arrived, whatever the mailbox says.
                        #expect(row[3] as Int? == 1_780_272_000)
                        return (row[0], "\(row[1] as Int? ?? -1) \(row[2] as String? ?? "-")")
                    })
            }
        }
        let remote = try Setup(server)
        let answer = try remote.ingest(trust + remote.mailbox(user))
        #expect(answer.status == 0 && answer.messages.stored == Self.checked.count, "\(answer.errors ?? "")")
        let known = try senders(remote)
        // The mail server's word, above everything that came with the mail, and nothing else.
        for id in ["trusted", "below-received"] { #expect(known[id] == "1 reporter.test", "\(id)") }
        #expect(known["another-sender"] == "2 evil.test")
        for id in ["failed", "forged-below", "other-server", "nothing"] { #expect(known[id] == "0 reporter.test", "\(id)") }

        let local = try Setup(server)
        let fromDisk = try local.ingest(trust, server.maildir(user))
        #expect(fromDisk.stored == answer.stored)
        #expect(try senders(local) == known)
        // And what a person is told.
        for (setup, configuration) in [(remote, trust + remote.mailbox(user)), (local, trust)] {
            let list = try setup.run(configuration, "reports", "--format", "csv", "--since", "2026-06-01", "--until", "2026-06-30")
            #expect(list.output.components(separatedBy: "unverified").count == 5, "\(list.output)")
            #expect(list.output.contains("mismatch"), "\(list.output)")
        }
    }

    @Test("handled and refused mail go where each is to go")
    func moving() throws {
        let server = Dovecot.plain
        server.deliver(try Self.demo(), to: "command-moving")
        let setup = try Setup(server)
        let answer = try setup.ingest(
            setup.mailbox(
                "command-moving", more: "after = \"move:DMARC/done\"\nafter_refused = \"move:DMARC/refused\"\nafter_other = \"mark-seen\""))
        #expect(answer.status == 0, "\(answer.errors ?? "")")
        func count(_ folder: String) throws -> Int {
            try ["cur", "new"].reduce(0) {
                try $0 + FileManager.default.contentsOfDirectory(atPath: server.maildir("command-moving", folder) + "/" + $1).count
            }
        }
        // The note of a person and the TLS report among them stay.
        #expect(try count("") == 2)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: server.maildir("command-moving", "") + "/cur").filter { $0.contains("S") }
                .count == 2)
        #expect(try count(".DMARC.done") == 432)
        #expect(try count(".DMARC.refused") == 1)
        #expect(try setup.ingest(setup.mailbox("command-moving")).messages.seen == 0)
    }

    @Test("a clock that stands before the newest mail came in ends the run, and nothing is judged or touched")
    func clock() throws {
        let server = Dovecot.plain
        let user = "command-clock"
        // 2026-06-02T03:00:00Z, a few hours after the reports end.
        let sent = 1_780_369_200
        func deliver(_ count: Int, at seconds: Int, start: Int) throws {
            let known = Set(server.mails(user))
            server.deliver((0..<count).map { Self.checked[($0 + start) % 7].text }, to: user, start: start)
            // Dovecot's INTERNALDATE is the time of the file.
            for name in Set(server.mails(user)).subtracting(known) {
                var times = [timeval(tv_sec: seconds, tv_usec: 0), timeval(tv_sec: seconds, tv_usec: 0)]
                try #require(utimes(server.maildir(user) + "/new/" + name, &times) == 0)
            }
        }
        try deliver(4, at: sent, start: 0)
        let setup = try Setup(server)
        let configuration = setup.mailbox(user, more: "after = \"delete\"\nafter_refused = \"delete\"\nafter_other = \"delete\"")
        for early in [sent - 30 * 86_400, sent - 2 * 3600] {
            setup.now = early
            let run = try setup.run(configuration, "ingest", "--format", "json")
            #expect(run.status == 75 && run.output.isEmpty && run.errors.contains("was delivered 2026-06-02T03:00:00Z"), "\(run)")
            #expect(server.mails(user).count == 4)
        }
        setup.now = sent + 3600
        #expect(try setup.ingest(configuration).messages.stored == 4)
        #expect(server.mails(user).isEmpty)
        // One mail with a wrong time is no witness among others; and who says that the clock is right is believed.
        try deliver(1, at: sent + 9 * 86_400, start: 4)
        try deliver(2, at: sent, start: 5)
        #expect(try setup.ingest(configuration).messages.seen == 3)
        try deliver(3, at: sent + 9 * 86_400, start: 7)
        #expect(try setup.run(configuration, "ingest").status == 75)
        #expect(try setup.ingest(configuration, "--trust-clock").messages.seen == 3)
    }

    /// Mails by the rule that is for them.
    private static let kinds: [(key: String, file: String)] = [
        ("after", "mails/base64.lf.eml"), ("after_refused", "mails/one-good-one-damaged.eml"),
        ("after_refused", "refused/report-in-7z.eml"),
        ("after_other", "mails/note-from-a-person.lf.eml"), ("after_other", "mails/own-report-in-a-bounce.eml"),
    ]

    @Test("each kind of mail has a rule of its own", arguments: ["leave", "mark-seen", "move:away", "delete"])
    func rules(action: String) throws {
        let server = Dovecot.plain
        for key in ["after", "after_refused", "after_other"] {
            let user = "command-rules-\(key)-\(action.prefix(4))"
            server.deliver(
                try Self.kinds.map {
                    String(decoding: try Data(contentsOf: Self.root.appending(path: "reports-sample/" + $0.file)), as: UTF8.self)
                },
                to: user)
            let setup = try Setup(server)
            let configuration = setup.mailbox(user, more: "\(key) = \"\(action)\"")
            let first = try setup.ingest(configuration)
            #expect(first.status == 0 && first.messages.stored == 2 && first.messages.refused == 1 && first.messages.not_a_report == 2)
            func names(_ folder: String) -> [String] {
                ["cur", "new"].flatMap {
                    (try? FileManager.default.contentsOfDirectory(atPath: server.maildir(user, folder) + "/" + $0)) ?? []
                }
            }
            let meant = Self.kinds.filter { $0.key == key }.count
            let isGone = action == "delete" || action.hasPrefix("move")
            #expect(names("").count == (isGone ? 5 - meant : 5), "\(key) \(action)")
            #expect(names(".away").count == (action.hasPrefix("move") ? meant : 0), "\(key) \(action)")
            // Only what was meant is marked; a server may mark what it moves as it likes.
            if action == "mark-seen" { #expect(names("").filter { $0.contains(":2,S") }.count == meant) }
            if action == "leave" { #expect(names("").filter { $0.contains(":2,S") }.isEmpty) }
            let database = try DatabaseQueue(path: setup.folder.path + "/dmarc.sqlite")
            let kept = try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM kept_messages") }
            #expect(kept == (key == "after_other" && action == "delete" ? 4 : 2))
            #expect(try setup.ingest(configuration).messages.seen == 0)
        }
    }

    /// What a mail is, as far as it matters for what may be done with it.
    private enum Kind: String, CaseIterable {
        case stored, duplicate, storedAndRefused, duplicateAndRefused, lostRecords, refused, tooLarge, note, bounce, failureReport,
            tlsReport

        /// The key that is for this kind.
        var key: Int {
            switch self {
            case .stored, .duplicate: 0
            case .storedAndRefused, .duplicateAndRefused, .lostRecords, .refused, .tooLarge: 1
            case .note, .bounce, .failureReport, .tlsReport: 2
            }
        }

        /// The mail; `number` keeps those of one mailbox from being those of another.
        func text(_ number: Int) -> String {
            func report(_ id: String, address: String = "192.0.2.2") -> String {
                """
                <feedback><report_metadata><org_name>reporter.test</org_name><email>d@reporter.test</email>
                <report_id>\(number).\(id)</report_id><date_range><begin>1780272000</begin><end>1780358399</end></date_range></report_metadata>
                <policy_published><domain>example.nl</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip>
                <count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
                <identifiers><header_from>example.nl</header_from></identifiers><auth_results/></record><record><row>
                <source_ip>\(address)</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim>
                <spf>fail</spf></policy_evaluated></row><identifiers><header_from>example.nl</header_from></identifiers><auth_results/>
                </record></feedback>
                """
            }
            func part(_ type: String, _ content: String) -> String { "--x\nContent-Type: \(type)\n\n\(content)\n" }
            let damaged = part("text/xml; name=\"b.xml\"", String(report("b").dropLast(60)))
            func attached(_ id: String, address: String = "192.0.2.2") -> String {
                part("text/xml; name=\"\(id).xml\"", report(id, address: address))
            }
            func mail(_ type: String, _ parts: String...) -> String {
                "From: a@b.example\nSubject: x\nX-Kind: \(rawValue) \(number)\nMIME-Version: 1.0\nContent-Type: multipart/\(type); boundary=x\n\n"
                    + parts.joined() + "--x--\n"
            }
            switch self {
            case .stored, .duplicate: return mail("mixed", attached("a"))
            case .storedAndRefused: return mail("mixed", attached("c"), damaged)
            case .duplicateAndRefused: return mail("mixed", attached("a"), damaged)
            case .lostRecords: return mail("mixed", attached("d", address: "192.0.2.999"))
            case .refused: return mail("mixed", damaged)
            case .tooLarge: return mail("mixed", attached("e"), part("text/plain", String(repeating: "long\n", count: 2000)))
            case .note: return mail("mixed", part("text/plain", "Is this mail yours?"))
            case .bounce:
                return mail(
                    "report; report-type=delivery-status", part("text/plain", "no"),
                    part("message/delivery-status", "Reporting-MTA: dns; a\n\nAction: failed"))
            case .failureReport:
                return mail(
                    "report; report-type=feedback-report", part("text/plain", "no"), part("message/feedback-report", "Feedback-Type: abuse")
                )
            case .tlsReport: return mail("report; report-type=tlsrpt", part("application/tlsrpt+json", "{}"))
            }
        }
    }

    /// All 64 combinations at once: a mailbox for each, all of them in one run into one database. What is expected is written down by hand.
    @Test("each kind has a rule of its own: every action for every key", arguments: [true, false])
    func table(keepsRaw: Bool) throws {
        let server = Dovecot.plain
        let setup = try Setup(server)
        let actions = ["leave", "mark-seen", "move:Done", "delete"]
        let combinations = actions.flatMap { a in actions.flatMap { b in actions.map { [a, b, $0] } } }
        func user(_ number: Int) -> String { "command-table-\(keepsRaw)-\(number)" }
        var configuration = "[limits]\nmessage_bytes = 8192\n\n"
        for (number, keys) in combinations.enumerated() {
            server.deliver(Kind.allCases.map { $0.text(number) }, to: user(number))
            configuration += setup.mailbox(
                user(number), name: "m\(number)",
                more: "after = \"\(keys[0])\"\nafter_refused = \"\(keys[1])\"\nafter_other = \"\(keys[2])\"")
        }
        /// Where each kind's mail is now: the folder, and `S` if it is marked as read.
        func places(_ number: Int) throws -> [String: String] {
            var found: [String: String] = [:]
            for sub in ["new", "cur", ".Done/new", ".Done/cur"] {
                let folder = server.maildir(user(number)) + "/" + sub
                for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                    let text = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
                    let kind = try #require(Kind.allCases.first { text.contains("X-Kind: \($0.rawValue) \(number)\n") }, "\(sub)/\(name)")
                    #expect(
                        found.updateValue(
                            sub.hasPrefix(".Done") ? "Done" : name.hasSuffix("S") ? "INBOX S" : "INBOX", forKey: kind.rawValue) == nil)
                }
            }
            return found
        }
        let answer = try setup.ingest(configuration, keepsRaw ? "--verbose" : "--no-raw")
        let count = combinations.count
        #expect(
            answer.messages
                == .init(
                    seen: 11 * count, stored: 3 * count, duplicate: count, not_a_report: 4 * count, refused: 3 * count, deferred: 0,
                    known: 0))
        let blobs = try DatabaseQueue(path: setup.folder.path + "/dmarc.sqlite").read {
            try Data.fetchAll($0, sql: "SELECT bytes FROM kept_messages UNION ALL SELECT bytes FROM raw_documents")
        }
        func plain(_ text: String) -> String { text.replacingOccurrences(of: "\r\n", with: "\n").trimmingCharacters(in: .newlines) }
        let contents = Set(
            blobs.compactMap { blob in blob.withUnsafeBytes { Unpacker.gzipInflated($0, maxBytes: 1 << 24) } }
                .map { plain(String(decoding: $0, as: UTF8.self)) })
        var all: [[String: String]] = []
        for (number, keys) in combinations.enumerated() {
            let found = try places(number)
            all.append(found)
            for kind in Kind.allCases {
                let label = "\(keys) \(kind)"
                let place = found[kind.rawValue]
                switch keys[kind.key] {
                case "leave": #expect(place == "INBOX", "\(label)")
                case "mark-seen": #expect(place == "INBOX S", "\(label)")
                case "move:Done": #expect(place == "Done", "\(label)")
                default:
                    // Without its bytes in the database it stays.
                    let isKept = kind.key == 0 || (keepsRaw && kind != .tooLarge)
                    #expect(place == (isKept ? nil : "INBOX"), "\(label)")
                    guard keepsRaw, place == nil else { continue }
                    let text = plain(kind.text(number))
                    // Of a report that is stored its document is enough, also where rows of it were refused.
                    let id = kind.key == 0 ? "a" : kind == .lostRecords ? "d" : nil
                    let isThere =
                        id.map { id in contents.contains { $0.contains("<report_id>\(number).\(id)<") && text.contains($0) } }
                        ?? contents.contains(text)
                    #expect(isThere, "\(label)")
                }
            }
        }
        // Nothing is left to do, and a second run does nothing.
        let again = try setup.ingest(configuration)
        #expect(again.messages.seen == 0 && again.status == 0, "\(again.errors ?? "")")
        for number in combinations.indices { #expect(try places(number) == all[number]) }
    }

    @Test("killed between commit and move, the next run finishes the move and fetches nothing")
    func killedBeforeMove() throws {
        let server = Dovecot.plain
        let demo = try Self.demo()
        server.deliver(demo, to: "command-killed")
        let setup = try Setup(server)
        let first = try setup.ingest(setup.mailbox("command-killed"))
        #expect(first.messages.seen == demo.count)
        // What a kill after the commit leaves behind: everything stored, nothing settled.
        try DatabaseQueue(path: setup.folder.path + "/dmarc.sqlite").write { try $0.execute(sql: "UPDATE messages SET is_settled = 0") }
        let second = try setup.ingest(setup.mailbox("command-killed", more: "after = \"move:done\"\nafter_refused = \"delete\""))
        #expect(second.messages.seen == 0 && second.messages.known == demo.count && second.status == 0)
        let moved = try ["cur", "new"].reduce(0) {
            try $0 + FileManager.default.contentsOfDirectory(atPath: server.maildir("command-killed", ".done") + "/" + $1).count
        }
        #expect(moved == demo.count - 3)
        #expect(try setup.ingest(setup.mailbox("command-killed", more: "after = \"move:done\"")).messages.known == 2)
    }

    @Test("one mailbox that fails does not stop the others, and the exit status says so")
    func oneFails() throws {
        let server = Dovecot.plain
        server.deliver(Array(try Self.demo().prefix(20)), to: "command-works")
        let setup = try Setup(server)
        let broken = setup.mailbox("command-works", name: "stranger", caFile: false)
        let answer = try setup.ingest(broken + setup.mailbox("command-works"))
        #expect(answer.messages.seen == 20)
        #expect(answer.status == 77)
        #expect(answer.errors?.contains("imap-certificate") == true)
        let only = try setup.ingest(broken + setup.mailbox("command-works"), "--mailbox", "rua")
        #expect(only.status == 0 && only.messages.known == 20)
    }

    @Test("dry run and doctor change nothing and say what there is")
    func dryRunAndDoctor() throws {
        let server = Dovecot.plain
        server.deliver(Array(try Self.demo().prefix(7)), to: "command-dry")
        let setup = try Setup(server)
        let configuration = setup.mailbox("command-dry")
        let survey = try setup.run(configuration, "ingest", "--dry-run", "--format", "csv")
        #expect(survey.status == 0 && survey.output == "mailbox,new,known\r\nrua/INBOX,7,0\r\n", "\(survey)")
        #expect(!FileManager.default.fileExists(atPath: setup.folder.path + "/dmarc.sqlite"))
        let doctor = try setup.run(configuration, "doctor", "--format", "ndjson")
        #expect(doctor.status == 0, "\(doctor)")
        for check in ["connection", "certificate", "login", "folder", "message-count"] {
            #expect(doctor.output.contains("\"check\":\"\(check)\",\"result\":\"ok\""), "\(check)\n\(doctor.output)")
        }
        let wrong = try setup.run(configuration.replacing("[[mailbox]]", with: "[[mailbox]]\nfolders = [\"Nowhere\"]"), "doctor")
        #expect(wrong.status != 0)
        #expect(wrong.output.contains("imap-no-folder"))
    }

    /// Made with the corpus generator in `../shared/tools`, where that is at hand.
    private static let generator = root.deletingLastPathComponent().appending(path: "shared/tools/gen_corpus.py").path

    @Test(
        "a few thousand mails give exact totals",
        .enabled(if: FileManager.default.fileExists(atPath: generator), "the corpus generator is not beside the project"))
    func corpus() throws {
        let server = Dovecot.plain
        let setup = try Setup(server)
        let corpus = setup.folder.appending(path: "corpus")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", Self.generator, "--reports", "2000", "--profile", "mixed", "--seed", "77", "--duplicates", ".05", "--broken", ".05",
            "--jobs", "1", "--out", corpus.path,
        ]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        struct Truth: Decodable {
            struct Total: Decodable {
                var reports: Int
                var records: Int
                var messages: Int
                var duplicates: Int
                var broken: Int
            }
            var total: Total
        }
        let truth = try JSONDecoder().decode(Truth.self, from: Data(contentsOf: corpus.appending(path: "truth.json"))).total
        server.deliver(try Self.mails(corpus.appending(path: "maildir")), to: "command-corpus")
        let answer = try setup.ingest(setup.mailbox("command-corpus"))
        #expect(answer.status == 0, "\(answer.errors ?? "")")
        #expect(answer.stored == .init(reports: truth.reports, records: truth.records, messages: truth.messages))
        #expect(answer.messages.duplicate == truth.duplicates)
        #expect(answer.messages.refused + answer.messages.not_a_report == truth.broken)
    }
}
