import DMARC
import Foundation
import GRDB
import Testing

@testable import Questions
@testable import Store

@Suite("What was not stored, and how things are")
struct LedgerTests {
    private func facts() throws -> FactsFixture {
        let facts = try FactsFixture(seed: 30, reports: 40)
        let queue = try DatabaseQueue(path: facts.path)
        try queue.write { db in
            try db.execute(sql: "INSERT INTO mailboxes (id, identifier) VALUES (1, '/var/mail/dmarc')")
            try db.execute(
                sql: "INSERT INTO runs VALUES (1, 100, 110, 9, 9, 0, 0, 0, 0, 0, 0), (2, \(20699 * 86400), NULL, 30, 20, 4, 3, 2, 1, 0, 0)")
            for index in 0..<30 {
                let outcome = index < 20 ? 1 : index < 24 ? 2 : index < 27 ? 3 : index < 29 ? 4 : 5
                try db.execute(
                    sql: "INSERT INTO messages VALUES (?, 1, ?, 2, ?, ?, 1, NULL)",
                    arguments: [index + 1, "key-\(index)", (20670 + index) * 86400, outcome])
                if outcome == 4 {
                    try db.execute(
                        sql:
                            "INSERT INTO refusals(message_id, scope, code, place, member, detail, records) VALUES (?, 'document', 'doctype', ?, 'a.xml', 'line 1', 0)",
                        arguments: [index + 1, "/var/mail/dmarc/cur/\(index)"])
                }
            }
            try db.execute(
                sql:
                    "INSERT INTO refusals(message_id, scope, code, place, member, detail, records) VALUES (1, 'records', 'bad-source-ip', 'x', 'y', 'z', 3)"
            )
        }
        try queue.close()
        return facts
    }

    @Test("refusals come oldest first, and a limit keeps the newest")
    func refusals() throws {
        let facts = try facts()
        let all = try RefusalList.ask(facts.store, period: PeriodRequest(), today: FactsFixture.today, limit: nil)
        #expect(all.rows.map(\.code) == ["bad-source-ip", "doctype", "doctype"])
        #expect(all.rows[0].outcome == .stored && all.rows[0].records == 3 && all.rows[0].scope == "records")
        #expect(all.period == nil && all.count == 3 && !all.isLedgerEmpty)
        let newest = try RefusalList.ask(facts.store, period: PeriodRequest(), today: FactsFixture.today, limit: 1)
        #expect(newest.rows.map(\.place) == ["/var/mail/dmarc/cur/28"] && newest.count == 3)
        let first = PeriodRequest(until: .days(Day(20670), Day(20670)))
        #expect(
            try RefusalList.ask(facts.store, period: first, today: FactsFixture.today, limit: nil).rows.map(\.code) == ["bad-source-ip"])
        let recent = PeriodRequest(since: .lastDays(4))
        #expect(try RefusalList.ask(facts.store, period: recent, today: FactsFixture.today, limit: nil).rows.count == 2)
    }

    @Test("status counts what is there")
    func status() throws {
        let facts = try facts()
        let status = try Status.ask(facts.store, today: FactsFixture.today)
        #expect(status.messages == [.stored: 20, .duplicate: 4, .notAReport: 3, .refused: 2, .deferred: 1])
        #expect(status.refusals == 3)
        #expect(status.lastRun == RunRow(started: 20699 * 86400, finished: nil, seen: 30, outcomes: [20, 4, 3, 2, 1]))
        let counted = facts.reports.filter(\.isCounted)
        #expect(status.reports == counted.count && status.uncountedReports == facts.reports.count - counted.count)
        #expect(status.reportedMessages == counted.flatMap(\.records).reduce(0) { $0 + $1.messages })
        #expect(status.days?.since == facts.shares.map(\.day).min() && status.days?.until == facts.shares.map(\.day).max())
        #expect(status.silentDays == status.days.map { $0.until.distance(to: FactsFixture.today) - 1 })
        #expect(status.databaseBytes > 0)
    }

    @Test("an empty database has answers, all of them empty")
    func empty() throws {
        let facts = try FactsFixture(seed: 31, reports: 1)
        let queue = try DatabaseQueue(path: facts.path)
        try queue.write { db in
            for table in ["records", "daily", "daily_sources", "sources", "reports", "policies", "domains"] {
                try db.execute(sql: "DELETE FROM \(table)")
            }
        }
        let filter = Filter(today: FactsFixture.today)
        #expect(try Summary.ask(facts.store, filter).rows.isEmpty)
        #expect(try Summary.ask(facts.store, filter).coverage.isDatabaseEmpty)
        #expect(try TopFailures.ask(facts.store, filter, limit: 20).rows.isEmpty)
        #expect(try Trend.ask(facts.store, filter, by: .day).rows.isEmpty)
        #expect(try Status.ask(facts.store, today: FactsFixture.today).days == nil)
    }

    @Test("the policy is the one that most reports of the last day show, whatever the order they came in")
    func policy() throws {
        let facts = try FactsFixture(seed: 32, reports: 200)
        let summary = try Summary.ask(
            facts.store, Filter(period: PeriodRequest(since: .days(Day(20500), Day(20500))), today: FactsFixture.today))
        for row in summary.rows {
            let reports = facts.reports.filter { $0.isCounted && $0.domain == row.domain }
            let last = reports.map(\.window.day).max()
            var votes: [PolicyWords: Int] = [:]
            for report in reports where report.window.day == last { votes[PolicyWords(p: report.p, sp: report.sp), default: 0] += 1 }
            let policy = try #require(row.policy)
            #expect(votes[policy] == votes.values.max())
        }
    }
}
