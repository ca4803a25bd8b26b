import DMARC
import Foundation
import Ingest
import Store
import Testing

/// What `FILE.expected.json` says of a sample.
struct Expected: Decodable {
    struct Report: Decodable {
        struct RefusedRecords: Decodable, Hashable {
            var code: String
            var n: Int
        }

        var org_name: String
        var domain: String
        var report_id: String
        var begin: Int
        var end: Int
        var records: Int
        var messages: Int
        var passed: Int
        var refused_records: [RefusedRecords]?
        var deviations: [String]
    }

    var outcome: String
    var code: String?
    var reports: [Report]?
}

/// The samples that lie in the repository.
enum Samples {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "reports-sample").resolvingSymlinksInPath()

    /// Paths below the folder of all samples with an expected outcome, but for the demo mailbox.
    static let all: [String] = {
        let suffix = ".expected.json"
        let found = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return found.filter { $0.hasSuffix(suffix) && $0 != "maildir" + suffix }.map { String($0.dropLast(suffix.count)) }.sorted()
    }()

    static func options() -> IngestOptions {
        // One moment for all: 2026-11-21, after the last sample.
        IngestOptions(now: 1_795_219_200, organisations: { { $0 } })
    }
}

@Suite("Samples")
struct SampleTests {
    @Test("are there")
    func found() { #expect(Samples.all.count > 250) }

    @Test("read as expected, without a database", arguments: Samples.all)
    func read(sample: String) throws {
        let path = Samples.folder.appending(path: sample).path
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(filePath: path + ".expected.json")))
        let found = try readReports(path: path, options: Samples.options())
        let reports = found.compactMap { item in item.report.map { ($0, item.batches) } }
        let wanted = expected.reports ?? []
        try #require(reports.count == wanted.count, "\(found.compactMap { $0.refusal?.code })")
        for ((report, batches), want) in zip(reports, wanted) {
            #expect(report.header.reporter == want.org_name)
            #expect(report.header.policy.domain == want.domain)
            #expect(report.header.reportID == want.report_id)
            #expect(report.header.window.begin == want.begin)
            #expect(report.header.window.end == want.end)
            #expect(report.recordCount == want.records)
            #expect(report.messageCount == want.messages)
            let records = batches.flatMap(\.records)
            #expect(records.count == want.records)
            #expect(records.filter(\.passed).reduce(0) { $0 + Int($1.messages) } == want.passed)
            let refused = Set(report.refusedRecords.map { Expected.Report.RefusedRecords(code: $0.key.rawValue, n: $0.value) })
            #expect(refused == Set(want.refused_records ?? []))
            #expect(report.deviations.codes == want.deviations)
        }
        if expected.outcome != "stored" { #expect(found.first?.refusal?.code == expected.code) }
    }

    @Test("end in the ledger as expected", arguments: Samples.all)
    func ingest(sample: String) throws {
        let path = Samples.folder.appending(path: sample).path
        let expected = try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(filePath: path + ".expected.json")))
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try Ingest(store: store, options: Samples.options()).run(path: path)
        #expect(tally.seen == 1)
        #expect(tally.messages.keys.map(\.word) == [expected.outcome])
        let wanted = expected.reports ?? []
        #expect(tally.documents.stored + tally.documents.duplicate + tally.documents.conflict == wanted.count)
    }
}
