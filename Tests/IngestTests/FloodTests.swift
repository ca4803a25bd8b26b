import DMARC
import Foundation
import GRDB
import GRDBSQLite
import Store
import Testing

@testable import Ingest

/// Thousands of reports that are made to cost more than they are.
@Suite("Floods")
struct FloodTests {
    private static let now = 1_790_000_000

    /// One mbox with a mail for each report: what a mail costs is little beside what its report costs.
    private static func ingest(
        _ reports: [(report: String, from: String)], into store: ReportStore, trusting: Bool = false,
        _ change: (inout IngestOptions) -> Void = { _ in }
    ) throws -> Tally {
        let folder = try TemporaryFolder()
        let mails = reports.enumerated().map { number, report in
            """
            From x Thu Jan  1 00:00:00 2026
            Authentication-Results: mx.example.nl; dmarc=\(trusting ? "fail" : "pass") header.from=\(report.from)
            From: reports <d@\(report.from)>
            Message-ID: <\(number)@\(report.from)>
            Content-Type: text/xml; name="r.xml"

            \(report.report)

            """
        }
        try folder.write("box", mails.joined())
        var options = IngestOptions(now: now, organisations: { { $0 } })
        if trusting { options.trustedServers = ["mx.example.nl"] }
        change(&options)
        return try Ingest(store: store, options: options).run(path: folder.path + "/box")
    }

    /// What SQLite had to do, in instructions of its machine: a clock would measure what else runs.
    private final class Work {
        private static let step: Int32 = 100
        private let steps = UnsafeMutablePointer<Int>.allocate(capacity: 1)

        init(_ store: ReportStore) throws {
            steps.initialize(to: 0)
            try store.update { db in
                let count: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { steps in
                    steps?.assumingMemoryBound(to: Int.self).pointee += 1
                    return 0
                }
                sqlite3_progress_handler(db.sqliteConnection, Self.step, count, steps)
            }
        }

        /// To be asked once, at the end.
        func instructions(_ store: ReportStore) throws -> Int {
            try store.update { db in sqlite3_progress_handler(db.sqliteConnection, 0, nil, nil) }
            defer { steps.deallocate() }
            return steps.pointee * Int(Self.step)
        }
    }

    private static func counts(_ store: ReportStore) throws -> (counted: Int, uncounted: Int) {
        try store.reader.read { db in
            (
                try Int.fetchOne(db, sql: "SELECT count(*) FROM reports WHERE is_counted = 1") ?? 0,
                try Int.fetchOne(db, sql: "SELECT count(*) FROM reports WHERE is_counted = 0") ?? 0
            )
        }
    }

    private static func written(
        _ records: [(String, Int)], id: String = "1", reporter: String = "reporter.example", domain: String = "example.nl"
    )
        -> String
    {
        var written = Written()
        (written.id, written.reporter, written.domain) = (id, reporter, domain)
        written.records = records.map { ($0.0, $0.1, true, true) }
        return written.text
    }

    /// The floods, by name: how the reports of one begin, and what is left of them.
    private static func flood(_ name: String, _ count: Int) -> (reports: [(report: String, from: String)], trusting: Bool) {
        let numbers = 1...count
        func each(_ make: (Int) -> String, from: (Int) -> String = { _ in "reporter.example" }) -> [(report: String, from: String)] {
            numbers.map { (make($0), from($0)) }
        }
        switch name {
        case "one identity":
            return (each { written([("192.0.2.1", $0)]).replacing("192.0.2.1", with: "192.0.\($0 / 250).\($0 % 250)") }, false)
        case "no id": return (each { written([("192.0.2.1", $0)], id: "") }, false)
        case "supersets": return (each { written([("192.0.2.1", $0)]) }, false)
        case "nobody vouches": return (each { written([("192.0.\($0 / 250).\($0 % 250)", 1)]) }, true)
        case "voices": return (each({ written([("192.0.2.1", $0)], reporter: "Receiver Inc.") }, from: { "v\($0).example" }), false)
        case "gateways": return (each({ written([("192.0.\($0 / 250).\($0 % 250)", 1)]) }, from: { "v\($0).example" }), false)
        case "domains": return (each { written([("192.0.2.1", $0)], domain: "d\($0).example") }, false)
        default: return (each { written([("192.0.2.1", $0)], reporter: "r\($0).example") }, false)
        }
    }

    @Test(
        "cost what their mails cost, and no more for being many",
        arguments: ["one identity", "no id", "supersets", "nobody vouches", "voices", "gateways", "domains", "reporters"])
    func linear(name: String) throws {
        func run(_ count: Int) throws -> (tally: Tally, work: Int, counts: (counted: Int, uncounted: Int)) {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            let flood = Self.flood(name, count)
            let work = try Work(store)
            let tally = try Self.ingest(flood.reports, into: store, trusting: flood.trusting)
            let instructions = try work.instructions(store)
            #expect(tally.seen == count && tally.documents.seen == count)
            return (tally, instructions, try Self.counts(store))
        }
        let (few, many) = (100, 400)
        let (small, large) = (try run(few), try run(many))
        // Four times as many; the square would be 16 times as much.
        #expect(small.work > few * 100 && large.work < small.work * 5, "\(small.work) for \(few), \(large.work) for \(many)")
        let refused = large.tally.refusals.filter { $0.code == "duplicate-identity" }.count
        switch name {
        case "one identity":
            #expect(large.counts == (1, 16) && refused == many - 17)
        case "supersets":
            #expect(large.counts == (1, 16) && refused == many - 17)
        default:
            #expect(large.counts == (many, 0) && refused == 0, "\(large.counts)")
        }
    }

    @Test("a stranger's keeps no report out of those who are worth more, nor a correction")
    func notKeptOut() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        // Mismatches of a guessed identity: subsets of one of them.
        let flood = (0..<40).map { (Self.written([("203.0.113.1", 100 - $0)]), "evil.example") }
        let first = try Self.ingest(flood, into: store)
        #expect(first.documents.refused == 23)
        let real = try Self.ingest([(Self.written([("192.0.2.1", 5)]), "reporter.example")], into: store)
        #expect(real.documents.refused == 0)
        let sources = { try store.reader.read { try Int.fetchAll($0, sql: "SELECT messages FROM sources WHERE messages > 0") } }
        #expect(try sources() == [5])
        let correction = try Self.ingest([(Self.written([("192.0.2.1", 5), ("192.0.2.2", 7)]), "reporter.example")], into: store)
        #expect(correction.documents.refused == 0)
        #expect(try sources().sorted() == [5, 7])
        // And of the stranger's no more is kept.
        #expect(try Self.ingest([(Self.written([("203.0.113.9", 1)]), "evil.example")], into: store).documents.refused == 1)
        #expect(try Self.ingest(Array(flood.suffix(1)), into: store).documents.refused == 1)
    }

    @Test("a report that loses where it never counted makes no verdict stale")
    func staleness() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let recounted = { try store.reader.read { try Int.fetchAll($0, sql: "SELECT report_id FROM recounted_reports") } }
        let isStale = { try store.reader.read { try Bool.fetchOne($0, sql: "SELECT is_stale FROM verdict_state") } }
        _ = try Self.ingest([(Self.written([("192.0.2.1", 5)], id: "old"), "reporter.example")], into: store)
        try store.update { try $0.execute(sql: "UPDATE verdict_state SET report_id = 1, is_stale = 0") }
        // In one run: the second takes the place of the first, which no verdict knew; a stranger's gives way to the real one.
        let reports = [
            (Self.written([("192.0.2.1", 5)]), "reporter.example"), (Self.written([("192.0.2.1", 6)]), "reporter.example"),
            (Self.written([("192.0.2.7", 6)], id: "2"), "evil.example"), (Self.written([("192.0.2.8", 6)], id: "2"), "reporter.example"),
            // It loses against what verdicts know.
            (Self.written([("192.0.2.9", 5)], id: "old"), "reporter.example"),
        ]
        let tally = try Self.ingest(reports, into: store)
        #expect(tally.documents.conflict == 3)
        #expect(try recounted().isEmpty && isStale() == false)
        // What they knew is replaced.
        _ = try Self.ingest([(Self.written([("192.0.2.1", 6)], id: "old"), "reporter.example")], into: store)
        #expect(try recounted() == [1] && isStale() == false)
    }

    @Test("a report that brings too much that is new is refused, held or streamed, and leaves nothing behind")
    func novelty() throws {
        // Long names make a report that is too large to be held.
        func report(_ count: Int, names: Bool, isLong: Bool) -> String {
            let rest = isLong ? [".a", ".b", ".c"].map { $0 + String(repeating: "x", count: 60) }.joined() + ".example" : ".example"
            var written = Written()
            written.records = (0..<count).map { ("10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)", 1, true, false) }
            var number = 0
            return names || isLong
                ? written.text.split(separator: "<spf><domain>example.nl", omittingEmptySubsequences: false).reduce(into: "") {
                    text, piece in
                    text += text.isEmpty ? String(piece) : "<spf><domain>n\(number)\(rest)\(piece)"
                    number += 1
                } : written.text
        }
        let cases: [(key: WritableKeyPath<Limits, Int>, names: Bool, limit: String)] = [
            (\.maxNewNames, true, "new_names"), (\.maxNewSets, true, "new_sets"), (\.maxSources, false, "sources"),
        ]
        for (key, names, limit) in cases {
            for (allowed, count) in [(100, 500), (4000, 5000)] {
                let store = try ReportStore(path: ":memory:", access: .readWrite)
                let tally = try Self.ingest(
                    [
                        (report(count, names: names, isLong: count > 1000), "reporter.example"),
                        (Self.written([("192.0.2.1", 5)], id: "2"), "reporter.example"),
                    ],
                    into: store, { $0.limits[keyPath: key] = allowed }
                )
                #expect(
                    tally.refusals.map(\.code) == ["too-much-new"] && tally.refusals[0].detail.hasSuffix("(limits.\(limit))"), "\(tally)")
                #expect(tally.messages == [.refused: 1, .stored: 1])
                let rows = try store.reader.read { db in
                    try ["reports", "records", "sources", "authentication_sets"].map {
                        try Int.fetchOne(db, sql: "SELECT count(*) FROM \($0)")
                    }
                }
                #expect(rows == [1, 1, 1, 1])
                let sound = try Self.ingest(
                    [(report(allowed - 20, names: names, isLong: count > 1000), "reporter.example")],
                    into: ReportStore(path: ":memory:", access: .readWrite),
                    { $0.limits[keyPath: key] = allowed }
                )
                #expect(sound.refusals.isEmpty && sound.stored.records == allowed - 20)
            }
        }
    }

    @Test("a run ends before the message that there is no room for, and the next goes on")
    func room() throws {
        let folder = try TemporaryFolder()
        let store = try ReportStore(path: folder.path + "/dmarc.sqlite", access: .readWrite)
        let reports = (1...40).map { number in
            (Self.written((0..<200).map { ("10.\(number).0.\($0)", 1) }, id: "\(number)"), "reporter.example")
        }
        let full = try Self.ingest(reports, into: store, { $0.limits.minFreeBytes = .max })
        #expect(full.seen == 0)
        guard case .disk = full.shortage else {
            Issue.record("\(full)")
            return
        }
        let box = try TemporaryFolder()
        for (number, report) in reports.enumerated() { try box.write("\(number).xml", report.0) }
        var seen = 0
        for _ in 0..<40 where seen < 40 {
            var options = IngestOptions(now: Self.now, organisations: { { $0 } })
            options.limits.maxRunBytes = 200_000
            let tally = try Ingest(store: store, options: options).run(path: box.path)
            #expect(tally.seen > 0 && tally.known == (tally.shortage == nil ? seen : tally.known))
            seen += tally.seen
            if seen < 40 {
                guard case .run(let grown) = tally.shortage else {
                    Issue.record("\(tally)")
                    return
                }
                // By no more than one message beyond.
                #expect(grown >= 200_000 && grown < 500_000)
            }
        }
        #expect(seen == 40)
        #expect(try Self.counts(store).counted == 40)
    }
}
