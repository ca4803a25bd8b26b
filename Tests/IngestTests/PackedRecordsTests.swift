import DMARC
import Doctor
import Foundation
import GRDB
import Questions
import Store
import Testing

@testable import Ingest

/// The packed records are the records, and questions that read them answer as they do without.
@Suite("Packed records")
struct PackedRecordsTests {
    /// A world with addresses of both kinds and with reports of several days.
    private static func reports(_ seed: UInt64) -> [String] {
        var generator = VerdictNumbers(state: seed)
        let some = World(&generator, reports: 70).reports
        let six = World(&generator, reports: 25).reports.map {
            $0.replacing("<source_ip>192.0.2.", with: "<source_ip>2001:db8:7::").replacing("<report_id>r", with: "<report_id>six")
        }
        let long = (0..<6).map { number in
            let domain = number % 2 == 0 ? "one.example" : "two.example"
            let records = (0..<4).map { index in
                World.record(
                    index == 0 ? "2001:db8::\(number)" : "198.51.100.\(number + index)", 3 * index + 1, "quarantine",
                    index == 1 ? "pass" : "fail",
                    "fail", domain, [((domain, "s1"), index == 1 ? "pass" : "fail")], ("f.relay.example", "pass"))
            }
            return """
                <feedback><report_metadata><org_name>first.test</org_name><email>d@first.test</email><report_id>long\(number)</report_id>
                <date_range><begin>\((20610 + number * 7) * 86400)</begin><end>\((20616 + number * 7) * 86400 - 1)</end></date_range></report_metadata>
                <policy_published><domain>\(domain)</domain><p>none</p></policy_published>\(records.joined())</feedback>
                """
        }
        var all = some + six + long
        all.shuffle(using: &generator)
        return all
    }

    private static func wrong(_ store: ReportStore) throws -> [DatabaseFinding] {
        let findings = try DatabaseCheck().run(store)
        #expect(findings.contains { $0.check == .packedRecords && $0.examined > 300 })
        return findings.filter { $0.wrong > 0 }
    }

    /// Everything that the questions say that read them.
    private static func answers(_ store: ReportStore) throws -> [any Hashable] {
        var answers: [any Hashable] = []
        for (since, until) in [(20600, 20665), (20613, 20640), (20640, 20640)] {
            for reporters in [[], ["first.test"]] {
                let period = PeriodRequest(since: .days(Day(since), Day(since)), until: .days(Day(until), Day(until)))
                let filter = Filter(reporters: reporters, period: period, today: Day(20670))
                for grouping in ChangeGrouping.allCases { answers += try ChangeExplained.ask(store, filter, grouping: grouping).rows }
                answers += try Reporters.ask(store, filter).rows
                answers += try Advisory.ask(store, filter).domains
                for settings in [WhatIfSettings(policy: .reject), WhatIfSettings(dkimMode: .strict, spfMode: .strict)] {
                    answers += try WhatIf.ask(store, filter, settings).sources
                }
            }
        }
        return answers
    }

    @Test("are the records after one ingest and after many, and answer as these", arguments: [1, 2, 3] as [UInt64])
    func answers(seed: UInt64) throws {
        let reports = Self.reports(seed)
        let batches = stride(from: 0, to: reports.count, by: 9).map { Array(reports[$0..<min($0 + 9, reports.count)]) }
        for (batches, memory) in [([reports], 100_000), ([reports], 50), (batches, 100_000), (batches, 20)] {
            let store = try VerdictRefreshTests.store(batches, recordsInMemory: memory)
            #expect(try Self.wrong(store).isEmpty)
            guard memory > 50 else { continue }
            let packed = try Self.answers(store)
            #expect(packed.count > 100)
            // What is taken for stale is not read.
            try store.update { db in
                try db.execute(sql: "UPDATE verdict_state SET is_stale = 1; UPDATE packed_records SET ipv4 = x'', ipv6 = x''")
            }
            #expect(try Self.answers(store).map { AnyHashable($0) } == packed.map { AnyHashable($0) })
        }
    }

    @Test("a day with more records than a piece holds has several, all of them full but the last")
    func pieces() throws {
        let records = (0..<400).map { number in
            World.record("10.0.\(number / 250).\(number % 250)", 1, "none", "fail", "fail", "one.example", [], ("one.example", "fail"))
        }
        func report(_ id: Int, _ records: some Sequence<String>) -> String {
            """
            <feedback><report_metadata><org_name>first.test</org_name><email>d@first.test</email><report_id>p\(id)</report_id>
            <date_range><begin>\(20600 * 86400)</begin><end>\(20600 * 86400 + 86399)</end></date_range></report_metadata>
            <policy_published><domain>one.example</domain><p>none</p></policy_published>\(records.joined())</feedback>
            """
        }
        // Many small reports, a run each, leave the pieces that one large one leaves.
        let small = stride(from: 0, to: 400, by: 40).map { [report($0, records[$0..<$0 + 40])] }
        for batches in [[[report(0, records)]], small] {
            let store = try VerdictRefreshTests.store(batches)
            #expect(try Self.wrong(store).isEmpty)
            let sizes = try store.reader.read { db in
                try Int.fetchAll(db, sql: "SELECT length(ipv4) / 21 FROM packed_records ORDER BY day, piece")
            }
            #expect(sizes == [92, 92, 92, 92, 32])
        }
    }
}
