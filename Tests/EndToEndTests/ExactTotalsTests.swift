import Foundation
import Testing

/// Every figure must equal what an independent generator of reports knows to be in its corpus, however the reports arrive.
@Suite("Exact totals", .enabled(if: Tool.corpusGenerator != nil && Tool.python3 != nil, "needs python3 and ../shared/tools/gen_corpus.py"))
struct ExactTotalsTests {
    struct Corpus: Sendable, CustomTestStringConvertible {
        let name: String
        let arguments: [String]
        var testDescription: String { name }
    }

    static let corpora = [
        Corpus(name: "small", arguments: ["--profile", "small", "--reports", "2000", "--seed", "1"]),
        Corpus(
            name: "few domains", arguments: ["--profile", "small", "--reports", "400", "--seed", "77", "--domains", "3", "--days", "40"]),
        Corpus(name: "mixed", arguments: ["--profile", "mixed", "--reports", "500", "--seed", "2"]),
        Corpus(
            name: "dirty", arguments: ["--profile", "mixed", "--reports", "400", "--seed", "9", "--duplicates", ".05", "--broken", ".05"]),
        Corpus(
            name: "dirty, another seed",
            arguments: ["--profile", "small", "--reports", "900", "--seed", "31", "--duplicates", ".3", "--broken", ".3"]),
        Corpus(name: "huge", arguments: ["--profile", "huge", "--reports", "3", "--seed", "4", "--huge-records", "20000"]),
    ]

    @Test("of a maildir, again, then the same reports as files", arguments: corpora)
    func maildir(_ corpus: Corpus) throws {
        let folder = try Workdir()
        let truth = try generate(corpus, format: "maildir", into: "mails", folder)
        let database = folder.path("dmarc.sqlite")
        let mails = folder.path("mails/maildir")

        let first = try ingest([mails], database, folder)
        expectEveryFileCounted(first, truth)
        try expectTotals(truth, database, folder)
        try expectDaysAndSources(truth, database, folder)
        try expectRefused(truth, database, folder)

        let second = try ingest([mails], database, folder)
        #expect(second.stored.reports == 0, "a second run stores nothing")
        #expect(second.messages.deferred == 0)
        try expectTotals(truth, database, folder)

        _ = try generate(corpus, format: "files", into: "files", folder)
        let third = try ingest([folder.path("files/files")], database, folder)
        #expect(third.stored.reports == 0, "the same reports in other containers are duplicates")
        #expect(third.documents.conflict == 0)
        try expectTotals(truth, database, folder)
        try expectDaysAndSources(truth, database, folder)
    }

    @Test("of files under other names, in another order, in several runs", arguments: corpora)
    func shuffledFiles(_ corpus: Corpus) throws {
        let folder = try Workdir()
        let truth = try generate(corpus, format: "files", into: "files", folder)
        let database = folder.path("dmarc.sqlite")
        // A name without extension, by a hash of the path: the order has nothing to do with time or reporter.
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path("files/files"))
            .filter { !isFolder(folder.path("files/files/\($0)")) }
        try #require(files.count == truth.total.files)
        var generator = SeededGenerator(seed: 5)
        let parts = ["a", "b", "c"]
        for (index, file) in files.sorted().shuffled(using: &generator).enumerated() {
            let part = "shuffled/\(parts[index % parts.count])"
            try FileManager.default.createDirectory(atPath: folder.path(part), withIntermediateDirectories: true)
            try FileManager.default.moveItem(atPath: folder.path("files/files/\(file)"), toPath: folder.path("\(part)/\(index)"))
        }
        var stored = 0
        for part in parts { stored += try ingest([folder.path("shuffled/\(part)")], database, folder).stored.reports }
        #expect(stored == truth.total.reports)
        try expectTotals(truth, database, folder)
        try expectDaysAndSources(truth, database, folder)
    }

    @Test("after being killed in the middle, again and again")
    func killed() throws {
        let folder = try Workdir()
        let corpus = Corpus(
            name: "", arguments: ["--profile", "small", "--reports", "1500", "--seed", "12", "--duplicates", ".1", "--broken", ".05"])
        let truth = try generate(corpus, format: "maildir", into: "mails", folder)
        let database = folder.path("dmarc.sqlite")
        let arguments = ["ingest", "--database", database, folder.path("mails/maildir"), "--format", "json"]
        var kills = 0
        for milliseconds in [20, 60, 120, 200, 300, 450, 600, 800] {
            let started = try folder.start(Tool.binary.filePath, arguments)
            usleep(UInt32(milliseconds) * 1000)
            started.kill()
            if try started.finish().status == SIGKILL { kills += 1 }
        }
        #expect(kills > 0, "no run was killed: this test shows nothing")
        let last = try Tool.run(arguments, in: folder).json(IngestAnswer.self)
        #expect(last.messages.deferred == 0)
        try expectTotals(truth, database, folder)
        try expectDaysAndSources(truth, database, folder)
        try expectRefused(truth, database, folder)
    }

    @Test("when two runs start at once")
    func twoAtOnce() throws {
        let folder = try Workdir()
        let corpus = Corpus(name: "", arguments: ["--profile", "small", "--reports", "600", "--seed", "13"])
        let truth = try generate(corpus, format: "maildir", into: "mails", folder)
        let database = folder.path("dmarc.sqlite")
        let arguments = ["ingest", "--database", database, folder.path("mails/maildir"), "--format", "json"]
        let runs = try (0..<3).map { _ in try folder.start(Tool.binary.filePath, arguments) }
        let finished = try runs.map { try $0.finish() }
        for run in finished { #expect(run.status == 0 || run.status == 75, "\(run)") }
        let stored = try finished.filter { $0.status == 0 }.map { try $0.json(IngestAnswer.self).stored.reports }
        #expect(stored.reduce(0, +) == truth.total.reports)
        try expectTotals(truth, database, folder)
    }

    // MARK: Steps

    private func generate(_ corpus: Corpus, format: String, into name: String, _ folder: Workdir) throws -> Truth {
        let generator = try #require(Tool.corpusGenerator)
        let python3 = try #require(Tool.python3)
        let arguments = [generator.filePath, "--out", folder.path(name), "--format", format, "--jobs", "1"] + corpus.arguments
        let run = try folder.run(python3, arguments)
        try #require(run.status == 0, "\(run)")
        return try JSONDecoder().decode(Truth.self, from: try Data(contentsOf: folder.url.appending(path: "\(name)/truth.json")))
    }

    private func ingest(_ paths: [String], _ database: String, _ folder: Workdir) throws -> IngestAnswer {
        let answer = try Tool.run(["ingest", "--database", database] + paths + ["--format", "json"], in: folder).json(IngestAnswer.self)
        #expect(answer.schema == "dmarcstat.ingest/1")
        let messages = answer.messages
        let outcomes = messages.stored + messages.duplicate + messages.not_a_report + messages.refused + messages.deferred
        #expect(outcomes == messages.seen, "each message has one outcome")
        return answer
    }

    private func expectEveryFileCounted(_ answer: IngestAnswer, _ truth: Truth) {
        #expect(answer.messages.seen == truth.total.files)
        #expect(answer.messages.stored == truth.total.reports)
        #expect(answer.messages.duplicate == truth.total.duplicates)
        #expect(answer.messages.refused + answer.messages.not_a_report == truth.total.broken)
        #expect(answer.messages.deferred == 0)
        #expect(answer.documents.conflict == 0)
        #expect(answer.stored.reports == truth.total.reports)
        #expect(answer.stored.records == truth.total.records)
        #expect(answer.stored.messages == truth.total.messages)
    }

    private func expectTotals(_ truth: Truth, _ database: String, _ folder: Workdir) throws {
        let summary = try Tool.run(["summary", "--database", database, "--format", "json"] + Tool.allDays, in: folder)
            .json(Answer<SummaryRow>.self)
        #expect(summary.schema == "dmarcstat.summary/1")
        #expect(Set(summary.rows.map(\.domain)) == Set(truth.domains.keys))
        #expect(summary.rows.count == truth.domains.count, "one row a domain")
        for row in summary.rows {
            guard let domain = truth.domains[row.domain] else { continue }
            let place: Comment = "\(row.domain)"
            #expect(row.reports == domain.reports, place)
            #expect(row.records == domain.records, place)
            #expect(row.messages == domain.messages, place)
            #expect(row.passed == domain.pass_messages, place)
            #expect(row.failed == domain.messages - domain.pass_messages, place)
            #expect(row.dkim_passed == domain.dkim_pass_messages, place)
            #expect(row.spf_passed == domain.spf_pass_messages, place)
            #expect(row.none == domain.dispositions["none", default: 0], place)
            #expect(row.quarantined == domain.dispositions["quarantine", default: 0], place)
            #expect(row.rejected == domain.dispositions["reject", default: 0], place)
            // RFC 9990 has a fourth word, for what the policy did not touch.
            let passDisposition = domain.dispositions["pass", default: 0]
            #expect(row.none + row.quarantined + row.rejected + passDisposition == row.messages, place)
            #expect(row.pass_rate == Double(domain.pass_messages) / Double(domain.messages), place)
            #expect(row.first_day == domain.days.keys.min(), place)
            #expect(row.last_day == domain.days.keys.max(), place)
        }
    }

    private func expectDaysAndSources(_ truth: Truth, _ database: String, _ folder: Workdir) throws {
        for (name, domain) in truth.domains.sorted(by: { $0.key < $1.key }) {
            let place: Comment = "\(name)"
            let common = ["--database", database, "--domain", name, "--format", "json"] + Tool.allDays
            let trend = try Tool.run(["trend", "--by", "day"] + common, in: folder).json(Answer<TrendRow>.self)
            let days = trend.rows.filter { $0.messages > 0 }
            #expect(Dictionary(days.map { ($0.period, [$0.messages, $0.passed]) }, uniquingKeysWith: +) == domain.days, place)
            #expect(days.map(\.period) == days.map(\.period).sorted(), place)
            for row in days { #expect(row.passed + row.failed == row.messages, place) }

            let failures = try Tool.run(["top-failures", "--limit", "20"] + common, in: folder).json(Answer<FailureRow>.self)
            #expect(failures.rows.map { Truth.FailingSource(source: $0.source, failed: $0.failed) } == domain.top_failing_sources, place)
            #expect(failures.rows.map(\.rank) == Array(failures.rows.indices.map { $0 + 1 }), place)
            for row in failures.rows {
                #expect(row.domain == name, place)
                #expect(row.delivered + row.quarantined + row.rejected == row.failed, place)
            }
        }
    }

    private func expectRefused(_ truth: Truth, _ database: String, _ folder: Workdir) throws {
        let arguments = ["refused", "--database", database, "--limit", "1000000", "--format", "json"]
        let refused = try Tool.run(arguments, in: folder).json(Answer<RefusedRow>.self)
        for file in truth.broken_files {
            let name = (file.path as NSString).lastPathComponent
            #expect(refused.rows.contains { $0.place.contains(name) }, "\(file.kind): \(file.path) is not listed")
        }
        for row in refused.rows {
            #expect(["refused", "not-a-report", "deferred"].contains(row.outcome))
            #expect(!row.code.isEmpty)
            let isBroken = truth.broken_files.contains { row.place.contains(($0.path as NSString).lastPathComponent) }
            #expect(isBroken, "a sound file is listed: \(row)")
        }
    }

    private func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }
}

/// SplitMix64, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
