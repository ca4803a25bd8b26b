import DMARC
import Foundation
import GRDB
import Testing

@testable import Advice
@testable import Organisations
@testable import Questions
@testable import Store

/// The facts that advice rests on, against what is worked out from the records alone.
@Suite("Facts for advice")
struct AdviceFactsTests {
    /// A verdict for each flow that depends on nothing but what it is.
    private static func verdict(_ record: FactRecord) -> Verdict {
        let authentication = (FactsFixture.authentications.firstIndex(of: record.authentication) ?? 0) + 1
        let last = record.source.withBytes { Int($0[$0.count - 1]) }
        return Verdict(stored: 2 + (last * 7 + authentication + (record.dkim ? 2 : 0) + (record.spf ? 1 : 0)) % 8)
    }

    private func judged(seed: UInt64) throws -> FactsFixture {
        let facts = try FactsFixture(seed: seed, reports: 150)
        let queue = try DatabaseQueue(path: facts.path)
        try queue.write { db in
            for share in facts.shares {
                let record = share.record
                try db.execute(
                    sql: """
                        INSERT OR IGNORE INTO flows
                        SELECT ?1, id, ?3, ?4, 1, 1, 0, 0, 0, 0, 0, ?5, 0, 0, 0 FROM domains WHERE name = ?2
                        """,
                    arguments: [
                        record.source.withBytes { Data($0) }, share.report.domain,
                        (FactsFixture.authentications.firstIndex(of: record.authentication) ?? 0) + 1,
                        (record.dkim ? 2 : 0) + (record.spf ? 1 : 0), Self.verdict(record).stored,
                    ])
            }
        }
        try queue.close()
        return facts
    }

    @Test("messages by verdict and by what was done with them", arguments: [1, 2, 3] as [UInt64])
    func totals(seed: UInt64) throws {
        let fixture = try judged(seed: seed)
        let period = Period(since: Day(20620), until: Day(20680))
        try fixture.store.reader.read { db in
            let request = PeriodRequest(since: .days(period.since, period.since), until: .days(period.until, period.until))
            let scope = try Scope(Facts(db), Filter(period: request, today: FactsFixture.today))
            let suffixes = try #require(PublicSuffixes())
            let reader = try DomainFactsReader(Facts(db), scope, period, today: FactsFixture.today, suffixes)
            try reader.findLastDataDay()
            for domain in scope.domains {
                let shares = fixture.shares.filter { $0.report.domain == domain.name && period.contains($0.day) && $0.messages > 0 }
                var expected: [Verdict: DomainFacts.Treatment] = [:]
                var sources: [Verdict: Set<IPAddress>] = [:]
                for share in shares {
                    let verdict = Self.verdict(share.record)
                    var one = DomainFacts.Treatment(messages: share.messages)
                    if share.record.passed {
                        one.passed = share.messages
                    } else {
                        switch share.record.disposition {
                        case .none, .pass: one.delivered = share.messages
                        case .quarantine: one.quarantined = share.messages
                        case .reject: one.rejected = share.messages
                        }
                    }
                    expected[verdict, default: DomainFacts.Treatment()].add(one)
                    sources[verdict, default: []].insert(share.record.source)
                }
                let facts = try reader.facts(of: domain)
                let totals = facts?.totals ?? [:]
                #expect(Set(totals.keys) == Set(expected.keys))
                for (verdict, treatment) in expected {
                    var found = totals[verdict] ?? DomainFacts.Treatment()
                    #expect(found.sources == sources[verdict]?.count)
                    found.sources = 0
                    found.networks = 0
                    #expect(found == treatment, "\(domain.name) \(verdict)")
                }
                let days = Set(
                    fixture.reports.filter {
                        $0.domain == domain.name && $0.isCounted && $0.window.day >= period.since.advanced(by: -90)
                            && $0.window.day <= period.until
                    }.map(\.window.day))
                #expect(Set(facts?.reporters.flatMap(\.days) ?? []) == days)
                // Nobody has standing in this database.
                #expect(facts?.reportDays ?? 0 == 0)
                if let facts {
                    let isLess = facts.known.messages < facts.knownMessages
                    #expect(facts.known.messages <= facts.knownMessages && isLess == facts.hasOutliers, "\(domain.name)")
                }
            }
        }
    }

    @Test("a monthly sender is late when the period does not hold it, and not when somebody with its signature was seen")
    func late() throws {
        let fixture = try FactsFixture(seed: 5, reports: 1)
        let queue = try DatabaseQueue(path: fixture.path)
        let (own, monthly) = (Data([192, 0, 2, 10]), Data([198, 51, 100, 9]))
        try queue.write { db in
            for table in ["records", "daily", "daily_sources", "sources", "flows", "reports"] {
                try db.execute(sql: "DELETE FROM \(table)")
            }
            try db.execute(
                sql: "INSERT INTO flows (\(Self.flowColumns)) VALUES (?, 1, 4, 2, 9, 4, 20500, 20660, 1, 1, 0, 4, 950, 0, 0)",
                arguments: [monthly])
            for day in 20540...20700 {
                try db.execute(sql: "INSERT INTO daily VALUES (1, ?, 0, 1, 1, 5, 1)", arguments: [day])
                let isMonthly = [20580, 20610, 20641].contains(day)
                try db.execute(
                    sql: "INSERT INTO daily_sources VALUES (1, ?, ?, x'')", arguments: [day, isMonthly ? own + monthly : own])
            }
        }
        func late(_ since: Int) throws -> [DomainFacts.LateSender] {
            try fixture.store.reader.read { db in
                let period = Period(since: Day(since), until: Day(20700))
                let request = PeriodRequest(since: .days(period.since, period.since), until: .days(period.until, period.until))
                let scope = try Scope(Facts(db), Filter(period: request, today: FactsFixture.today))
                let reader = try DomainFactsReader(Facts(db), scope, period, today: FactsFixture.today, try #require(PublicSuffixes()))
                try reader.findLastDataDay()
                let domain = try #require(scope.domains.first { $0.id == 1 })
                var seen = try SeenRecords(reader, domain, HeardReports([:]))
                seen.looks = try seen.setKeys.map { reader.look(try reader.authentications.set($0), "example") }
                var facts = DomainFacts(
                    domain: domain.name, organisation: "example", period: period, lastDataDay: period.until, today: period.until,
                    firstDay: period.since)
                try reader.addLateSenders(of: domain, seen, to: &facts)
                return facts.lateSenders
            }
        }
        #expect(try late(20671).map(\.lastDay) == [Day(20641)])
        #expect(try late(20671).map(\.every) == [31])
        // Set 1 has no results at all; the same set on a record of the period means that it was seen from elsewhere.
        try queue.write { db in
            try db.execute(
                sql: """
                    INSERT INTO records(domain_id, counted_as, day, report_id, sequence, source, messages, disposition, dkim, spf, header_from_id,
                        authentication_id)
                    VALUES (1, 0, 20680, 1, 0, ?, 5, 0, 1, 0, 1, 4)
                    """, arguments: [Data([203, 0, 113, 1])])
            try db.execute(
                sql: "INSERT INTO flows (\(Self.flowColumns)) VALUES (?, 1, 4, 2, 5, 1, 20680, 20680, 1, 1, 0, 4, 950, 0, 0)",
                arguments: [Data([203, 0, 113, 1])])
        }
        #expect(try late(20671).isEmpty)
        try queue.close()
    }

    private static let flowColumns = """
        source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits, day_bits, overrides, verdict, confidence,
        notes, evidence
        """
}
