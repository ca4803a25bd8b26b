import CLI
import Foundation
import GRDB
import Testing

@testable import IMAP

/// The whole way: a real server, a configuration, the command.
@Suite("Ingest over IMAP", .enabled(if: Dovecot.isThere, "\(Dovecot.hindrance ?? "")"))
struct IngestOverIMAPTests {
    private static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A folder with a configuration and a database.
    private final class Setup {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-imap-\(UUID().uuidString)")
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
            let context = Context(environment: [:], standardOutput: output, standardError: errors, now: 1_795_219_200)
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
            let context = Context(environment: [:], standardOutput: output, standardError: errors, now: 1_795_219_200)
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
