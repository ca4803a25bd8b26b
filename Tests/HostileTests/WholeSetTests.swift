import CLI
import DMARC
import Foundation
import GRDB
import Ingest
import Refresh
import Store
import Testing
import Unpacking

/// All inputs together: one maildir, one folder of files, one database.
@Suite("All hostile inputs at once")
struct WholeSetTests {
    /// THREATS R6: above what a report of one record takes.
    static let spareMiB = 64.0

    /// Every input as a mail, and those that are attachments also as files. Names begin with the number of the input.
    private static func write(_ folder: HostileFolder) throws -> (mails: Int, files: Int) {
        var files = 0
        try folder.write("maildir/new/.keep", [])
        try folder.makeFolders("maildir/cur", "files")
        for (number, input) in Corpus.all.enumerated() {
            let made = try input.made()
            try folder.link(made.mail, "maildir/cur/\(number)")
            guard case .attachment(let name) = input.form, let file = made.file else { continue }
            try folder.link(file, "files/\(number)-\(name)")
            files += 1
        }
        return (Corpus.all.count, files)
    }

    @Test("each has its outcome in the ledger, no output holds a control character, and the built program needs little memory")
    func all() throws {
        let folder = try HostileFolder()
        let (mails, files) = try Self.write(folder)
        try checkLedger(folder, mails, files)
        checkOutputs(folder, database: folder.path + "/maildir.sqlite")
        try checkProgram(folder, mails + files)
    }

    @Test("told to delete everything, it deletes nothing that is not in the database")
    func deleted() throws {
        let folder = try HostileFolder()
        let (mails, files) = try Self.write(folder)
        for (box, count) in [("maildir", mails), ("files", files)] {
            let store = try ReportStore(path: folder.path + "/\(box).sqlite", access: .readWrite)
            var options = IngestOptions(now: EachInputTests.now, organisations: { { $0 } })
            options.after = .delete
            options.afterRefused = .delete
            options.afterOther = .delete
            let tally = try Ingest(store: store, options: options).run(path: folder.path + "/\(box)")
            #expect(tally.seen == count && tally.messages.values.reduce(0, +) == count && tally.unsettled.isEmpty)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + (box == "maildir" ? "/maildir/cur" : "/files"))
            let left = Set(names.compactMap { Int($0.prefix { $0.isNumber }) })
            #expect(left.count == tally.withheld.count)
            let rows = try store.reader.read {
                try Row.fetchAll(
                    $0,
                    sql: """
                        SELECT key, outcome, (SELECT min(scope) FROM refusals WHERE message_id = m.id) AS scope,
                            (SELECT bytes FROM kept_messages WHERE message_id = m.id) AS kept FROM messages m
                        """)
            }
            for row in rows {
                let key: String = row["key"]
                guard let number = Int(key.prefix { $0.isNumber }), !left.contains(number) else { continue }
                let scope: String? = row["scope"]
                let outcome: Int = row["outcome"]
                // Of a report that lacks records the document is there.
                if outcome <= MessageOutcome.duplicate.rawValue, scope == nil || scope == "records" { continue }
                let input = Corpus.all[number]
                let made = try input.made()
                let original = try Data(contentsOf: URL(filePath: box == "maildir" ? made.mail : try #require(made.file)))
                let kept: Data? = row["kept"]
                let bytes = kept?.withUnsafeBytes { Unpacker.gzipInflated($0, maxBytes: 1 << 26) }
                #expect(bytes.map { Data($0) } == original, "\(box): \(input.testDescription)")
            }
        }
    }

    private func checkLedger(_ folder: HostileFolder, _ mails: Int, _ files: Int) throws {
        for (box, count) in [("maildir", mails), ("files", files)] {
            let store = try ReportStore(path: folder.path + "/\(box).sqlite", access: .readWrite)
            let tally = try Ingest(store: store, options: IngestOptions(now: EachInputTests.now, organisations: { { $0 } })).run(
                path: folder.path + "/\(box)")
            #expect(tally.seen == count)
            #expect(MessageOutcome.allCases.reduce(0) { $0 + (tally.messages[$1] ?? 0) } == count)
            #expect((tally.messages[.deferred] ?? 0) == 0)
            _ = try VerdictRefresh().run(store)
            let outcomes = try Self.outcomes(store)
            #expect(outcomes.count == count)
            for (number, input) in Corpus.all.enumerated() {
                guard box == "maildir" || input.form != .mail else { continue }
                let expected = box == "maildir" ? input.expectedInMail : input.expected
                #expect(outcomes[number] == Self.outcome(expected), "\(box): \(input.testDescription)")
            }
        }
    }

    private static func outcome(_ expected: Expected) -> MessageOutcome {
        switch expected.outcome {
        case .stored: .stored
        case .refused: .refused
        case .notAReport: .notAReport
        }
    }

    /// The ledger, by the numbers of the inputs.
    private static func outcomes(_ store: ReportStore) throws -> [Int: MessageOutcome] {
        var found: [Int: MessageOutcome] = [:]
        let rows = try store.reader.read { try Row.fetchAll($0, sql: "SELECT key, outcome FROM messages") }
        for row in rows {
            let key: String = row["key"]
            guard let number = Int(key.prefix { $0.isNumber }), let outcome = MessageOutcome(rawValue: row["outcome"]) else { continue }
            found[number] = outcome
        }
        return found
    }

    // MARK: - Outputs

    private func checkOutputs(_ folder: HostileFolder, database: String) {
        let questions: [[String]] = [
            ["summary"], ["top-failures"], ["sources"], ["unaligned"], ["forwarding"], ["trend"], ["trend", "--explain"], ["reporters"],
            ["reports"],
            ["refused"], ["status"], ["advise"], ["what-if", "--policy", "reject"], ["export"], ["export", "daily"],
            ["explain", "192.0.2.1"], ["doctor", "--in-depth"],
        ]
        let days = ["--since", "2024-06-01", "--until", "2024-06-30"]
        for question in questions {
            for format in ["table", "csv", "json", "ndjson"] {
                for width in [nil, 60] where format == "table" || width == nil {
                    let withDays = ["doctor", "status", "explain"].contains(question[0]) ? [] : days
                    check(question + withDays + ["--format", format, "--no-color", "--database", database], format, width)
                }
            }
        }
        for (number, input) in Corpus.all.enumerated() where input.threat == "O" && number % 5 == 0 {
            guard case .attachment(let name) = input.form else { continue }
            let path = folder.path + "/files/\(number)-\(name)"
            for format in ["table", "csv", "json"] { check(["show", path, "--no-color", "--format", format], format, nil) }
        }
    }

    private func check(_ arguments: [String], _ format: String, _ width: Int?) {
        let (output, errors) = (MemoryChannel(), MemoryChannel())
        let context = Context(
            environment: ["HOME": "/nonexistent"], standardOutput: output, standardError: errors, terminalWidth: width,
            isErrorTerminal: false,
            now: EachInputTests.now)
        let status = DmarcstatMain.run(arguments: arguments, context: context)
        #expect(status == 0, "\(arguments): \(errors.text)\(status == 0 ? "" : output.text)")
        let (text, said) = (output.text, errors.text)
        #expect(!text.isEmpty || format == "ndjson", "\(arguments)")
        for found in [Forbidden.found(in: text, allowsCR: format == "csv"), Forbidden.found(in: said)] {
            #expect(found.isEmpty, "\(arguments): \(found.map { String($0, radix: 16) })")
        }
    }

    // MARK: - The built program

    /// All of it in one run; then the heavy ones alone.
    private func checkProgram(_ folder: HostileFolder, _ count: Int) throws {
        let one = try Child.run(
            ["ingest", folder.write("one.xml", Written(id: "one").bytes), "--database", folder.path + "/one"], in: folder)
        try #require(one.status == 0, "\(one.errors)")
        let all = try Child.run(
            ["ingest", folder.path + "/maildir", folder.path + "/files", "--database", folder.path + "/all", "--format", "json"], in: folder
        )
        #expect(all.status == 0, "\(all.errors)")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(all.output.utf8))
        let messages = answer.messages
        #expect(messages.seen == count)
        #expect(messages.stored + messages.duplicate + messages.not_a_report + messages.refused + messages.deferred == messages.seen)
        #expect(messages.deferred == 0)

        var worst = (name: "", mebibytes: 0.0)
        for (number, input) in Self.heavy(folder) {
            let alone = try Child.run(
                ["ingest", folder.path + "/maildir/cur/\(number)", "--database", folder.path + "/\(number).sqlite"], in: folder)
            #expect(alone.status == 0, "\(input.testDescription): \(alone.errors)")
            if alone.peakMiB > worst.mebibytes { worst = (input.testDescription, alone.peakMiB) }
            #expect(
                alone.peakMiB - one.peakMiB <= Self.spareMiB,
                "\(input.testDescription): \(alone.peakMiB) MiB, one record \(one.peakMiB) MiB")
        }
        print(
            "hostile inputs: \(Corpus.all.count); one record takes \(Int(one.peakMiB)) MiB, all in one run \(Int(all.peakMiB)) MiB, the worst alone"
                + " \(Int(worst.mebibytes)) MiB: \(worst.name)")
    }

    /// Those that memory could depend on: the largest of each threat, and small ones that unpack to much.
    private static func heavy(_ folder: HostileFolder) -> [(number: Int, input: HostileInput)] {
        func size(_ number: Int) -> Int {
            let attributes = try? FileManager.default.attributesOfItem(atPath: folder.path + "/maildir/cur/\(number)")
            return attributes?[.size] as? Int ?? 0
        }
        let numbered = Corpus.all.enumerated().map { (number: $0.offset, input: $0.element, size: size($0.offset)) }
        let largest = Dictionary(grouping: numbered, by: \.input.threat).values.compactMap { $0.max { $0.size < $1.size } }
        let chosen = Set(largest.filter { $0.size > 1 << 20 }.map(\.number))
        return numbered.filter { chosen.contains($0.number) || $0.input.threat == "Z1" || $0.input.name.contains("names of elements") }
            .map { ($0.number, $0.input) }
    }

    private struct Answer: Decodable {
        struct Messages: Decodable {
            var seen: Int
            var stored: Int
            var duplicate: Int
            var not_a_report: Int
            var refused: Int
            var deferred: Int
        }

        var messages: Messages
    }
}
