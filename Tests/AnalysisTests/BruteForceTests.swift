import DMARC
import Testing

@testable import Questions
@testable import Store

/// Every question against an answer that is worked out from the facts alone, for many filters.
@Suite("Answers equal brute force")
struct BruteForceTests {
    /// What is asked, and what of the facts it means.
    struct Case: CustomStringConvertible, Sendable {
        var filter: Filter
        var period: Period

        var description: String { "\(filter.domains) \(filter.reporters) \(period.since)…\(period.until)" }

        func includes(_ report: FactReport) -> Bool {
            let isDomain =
                filter.domains.isEmpty
                || filter.domains.contains { chosen in report.domain == chosen || report.domain.hasSuffix("." + chosen) }
            return isDomain && (filter.reporters.isEmpty || filter.reporters.contains { $0.lowercased() == report.reporter.lowercased() })
        }
    }

    static let cases: [Case] = {
        var cases: [Case] = []
        for domains in [[], ["example.org"], ["exa_ple.org", "org"], ["%.org", "nowhere.example"]] {
            for reporters in [[], ["GOOGLE.com"], ["yahoo", "Outlook.com", "nobody"]] {
                for (since, until) in [(20590, 20720), (20630, 20650), (20650, 20650), (20100, 20120)] {
                    let period = Period(since: Day(since), until: Day(until))
                    let request = PeriodRequest(since: .days(period.since, period.since), until: .days(period.until, period.until))
                    cases.append(
                        Case(
                            filter: Filter(domains: domains, reporters: reporters, period: request, today: FactsFixture.today),
                            period: period))
                }
            }
        }
        return cases
    }()

    @Test("summary", arguments: [1, 2] as [UInt64])
    func summary(seed: UInt64) throws {
        let facts = try FactsFixture(seed: seed, reports: 60)
        let everything = facts.shares
        for asked in Self.cases {
            let answer = try Summary.ask(facts.store, asked.filter)
            var expected: [String: SummaryRow] = [:]
            for report in facts.reports where report.isCounted && asked.includes(report) {
                let days = report.window.days
                guard days.lowerBound <= asked.period.until, asked.period.since <= days.upperBound else { continue }
                expected[report.domain, default: SummaryRow(domain: report.domain)].reports += 1
            }
            for share in everything where asked.includes(share.report) && asked.period.contains(share.day) {
                let (record, messages) = (share.record, share.messages)
                var row = expected[share.report.domain] ?? SummaryRow(domain: share.report.domain)
                row.messages += messages
                row.records += share.isFirst ? 1 : 0
                row.passed += record.passed ? messages : 0
                row.dkimPassed += record.dkim ? messages : 0
                row.spfPassed += record.spf ? messages : 0
                row.none += record.disposition == .none ? messages : 0
                row.quarantined += record.disposition == .quarantine ? messages : 0
                row.rejected += record.disposition == .reject ? messages : 0
                row.passDisposition += record.disposition == .pass ? messages : 0
                row.firstDay = min(row.firstDay ?? share.day, share.day)
                row.lastDay = max(row.lastDay ?? share.day, share.day)
                expected[share.report.domain] = row
            }
            let rows = expected.values.sorted { ($1.messages, $0.domain) < ($0.messages, $1.domain) }
            #expect(answer.rows.map(\.domain) == rows.map(\.domain), "\(asked)")
            for (row, wanted) in zip(answer.rows, rows) {
                var row = row
                // Halves and policy have tests of their own.
                row.firstHalf = Rate()
                row.secondHalf = Rate()
                row.policy = nil
                #expect(row == wanted, "\(asked)")
            }
            #expect(answer.coverage.messages == rows.reduce(0) { $0 + $1.messages })
            #expect(answer.total.messages == answer.total.firstHalf.messages + answer.total.secondHalf.messages)
        }
    }

    @Test("top failures", arguments: [4, 5] as [UInt64])
    func topFailures(seed: UInt64) throws {
        struct Key: Hashable {
            var domain: String
            var source: IPAddress
        }
        let facts = try FactsFixture(seed: seed, reports: 60)
        let everything = facts.shares
        for asked in Self.cases {
            var messages: [Key: Int] = [:]
            var failures: [Key: [FactShare]] = [:]
            for share in everything where asked.includes(share.report) && asked.period.contains(share.day) && share.messages > 0 {
                let key = Key(domain: share.report.domain, source: share.record.source)
                messages[key, default: 0] += share.messages
                if !share.record.passed { failures[key, default: []].append(share) }
            }
            let ranked = failures.map { (key: $0, shares: $1, failed: $1.reduce(0) { $0 + $1.messages }) }.sorted { a, b in
                if a.failed != b.failed { return a.failed > b.failed }
                let texts = (a.key.source.description, b.key.source.description)
                return texts.0 != texts.1 ? texts.0 < texts.1 : a.key.domain < b.key.domain
            }
            for limit in [nil, 1, 5] {
                let answer = try TopFailures.ask(facts.store, asked.filter, limit: limit)
                #expect(answer.failingSources == ranked.count)
                #expect(answer.failed == ranked.reduce(0) { $0 + $1.failed })
                #expect(answer.rows.count == min(limit ?? .max, ranked.count), "\(asked)")
                for (index, (row, wanted)) in zip(answer.rows, ranked).enumerated() {
                    #expect(row.rank == index + 1)
                    #expect(row.source == wanted.key.source && row.domain == wanted.key.domain, "\(asked) row \(index)")
                    #expect(row.failed == wanted.failed && row.messages == messages[wanted.key], "\(asked) row \(index)")
                    #expect(row.reporters == Set(wanted.shares.map(\.report.reporter)).count)
                    #expect(row.firstDay == wanted.shares.map(\.day).min() && row.lastDay == wanted.shares.map(\.day).max())
                    func sum(_ dispositions: Set<AppliedDisposition>) -> Int {
                        wanted.shares.reduce(0) { $0 + (dispositions.contains($1.record.disposition) ? $1.messages : 0) }
                    }
                    #expect(row.delivered == sum([.none, .pass]))
                    #expect(row.quarantined == sum([.quarantine]) && row.rejected == sum([.reject]))
                    var votes: [AuthenticationSet: Int] = [:]
                    for share in wanted.shares { votes[share.record.authentication, default: 0] += share.messages }
                    let best = FactsFixture.authentications.filter { votes[$0] == votes.values.max() }.first
                    // Nothing of it passed for the domain, so the first of each kind is shown, a check of HELO last.
                    let checks = best?.spf ?? []
                    let signatures = best?.dkim ?? []
                    #expect(row.spfDomain == (checks.first { $0.scope != .helo } ?? checks.first)?.domain)
                    let own = signatures.first { $0.result == .pass && $0.domain == row.domain }
                    #expect(row.dkimDomain == (own ?? signatures.first { $0.result == .pass } ?? signatures.first)?.domain)
                }
            }
        }
    }

    @Test("trend", arguments: [7, 8] as [UInt64])
    func trend(seed: UInt64) throws {
        struct Pair: Hashable {
            var domain: String
            var source: IPAddress
        }
        let facts = try FactsFixture(seed: seed, reports: 60)
        var firstDays: [Pair: Day] = [:]
        let everything = facts.shares
        for share in everything {
            let pair = Pair(domain: share.report.domain, source: share.record.source)
            firstDays[pair] = min(firstDays[pair] ?? share.day, share.day)
        }
        for asked in Self.cases {
            let asking = everything.filter { asked.includes($0.report) && asked.period.contains($0.day) }
            for size in BucketSize.allCases {
                let answer = try Trend.ask(facts.store, asked.filter, by: size)
                #expect(answer.rows.reduce(0) { $0 + $1.days.days } == asked.period.days)
                #expect(Set(answer.rows.map(\.label)).count == answer.rows.count)
                for row in answer.rows {
                    let shares = asking.filter { row.days.contains($0.day) }
                    #expect(row.messages == shares.reduce(0) { $0 + $1.messages }, "\(asked) \(row.label)")
                    #expect(row.passed == shares.reduce(0) { $0 + ($1.record.passed ? $1.messages : 0) })
                    let pairs = Set(shares.filter { $0.messages > 0 }.map { Pair(domain: $0.report.domain, source: $0.record.source) })
                    #expect(row.sources == pairs.count, "\(asked) \(row.label)")
                    let reports = facts.reports.filter { $0.isCounted && asked.includes($0) && row.days.contains($0.window.day) }
                    #expect(row.reports == reports.count)
                    guard asked.filter.reporters.isEmpty else { continue }
                    let new = firstDays.filter { pair, day in row.days.contains(day) && asked.filter.includes(domain: pair.domain) }
                    #expect(row.newSources == new.count, "\(asked) \(row.label)")
                }
            }
        }
    }

    @Test("exported records", arguments: [10, 11] as [UInt64])
    func exportedRecords(seed: UInt64) throws {
        struct Key: Hashable {
            var report: String
            var sequence: Int
        }
        let facts = try FactsFixture(seed: seed, reports: 60)
        let everything = facts.shares
        for asked in Self.cases {
            var shares: [Key: [FactShare]] = [:]
            for share in everything where asked.includes(share.report) && asked.period.contains(share.day) {
                shares[Key(report: share.report.reportID, sequence: share.record.sequence), default: []].append(share)
            }
            var rows: [ExportedRecord] = []
            try RecordExport.ask(
                facts.store, asked.filter, begin: { _ in true },
                row: {
                    rows.append($0)
                    return true
                })
            #expect(rows.count == shares.count, "\(asked)")
            for row in rows {
                let found = try #require(shares[Key(report: row.reportID, sequence: row.record.sequence)])
                let fact = found[0]
                #expect(row.day == found.map(\.day).min())
                #expect(row.record.messages == found.reduce(0) { $0 + $1.messages }, "\(asked)")
                #expect(row.domain == fact.report.domain && row.reporter == fact.report.reporter && row.window == fact.report.window)
                #expect(row.record.source == fact.record.source && row.record.passed == fact.record.passed)
                #expect(row.record.disposition == fact.record.disposition)
                #expect(row.record.authentication == fact.record.authentication)
                #expect(row.record.overrides == fact.record.overrides)
                #expect(row.policy.p == fact.report.p && row.policy.sp == fact.report.sp)
                #expect(row.record.headerFrom == fact.report.domain && row.record.envelopeTo == nil)
            }
            let order = rows.map { ($0.domain, $0.day, Int($0.reportID.dropFirst(3)) ?? 0, $0.record.sequence) }
            #expect(zip(order, order.dropFirst()).allSatisfy { $0 < $1 }, "\(asked)")
        }
    }

    @Test("daily figures and reports", arguments: [13, 14] as [UInt64])
    func dailyAndReports(seed: UInt64) throws {
        let facts = try FactsFixture(seed: seed, reports: 60)
        let everything = facts.shares
        for asked in Self.cases {
            let daily = try DailyExport.ask(facts.store, asked.filter)
            let shares = everything.filter { asked.includes($0.report) && asked.period.contains($0.day) }
            struct Key: Hashable {
                var domain: String
                var day: Day
            }
            let groups = Dictionary(grouping: shares) { Key(domain: $0.report.domain, day: $0.day) }
            #expect(daily.rows.count == groups.count, "\(asked)")
            for row in daily.rows {
                let group = try #require(groups[Key(domain: row.domain, day: row.day)])
                #expect(row.figures.messages == group.reduce(0) { $0 + $1.messages })
                #expect(row.figures.records == group.count { $0.isFirst })
            }
            let list = try ReportList.ask(facts.store, asked.filter)
            let reports = facts.reports.filter {
                asked.includes($0) && $0.window.days.lowerBound <= asked.period.until && asked.period.since <= $0.window.days.upperBound
            }
            #expect(Set(list.rows.map(\.id)) == Set(reports.map(\.id)), "\(asked)")
        }
    }

    @Test("a report in full, whether it counts or not")
    func reportDetail() throws {
        let facts = try FactsFixture(seed: 20, reports: 60)
        for report in facts.reports {
            let detail = try #require(try ReportDetail.ask(facts.store, id: report.id))
            #expect(detail.isCounted == report.isCounted)
            #expect(detail.header.window == report.window && detail.header.policy.p == report.p)
            #expect(detail.records.map(\.sequence) == report.records.map(\.sequence))
            #expect(detail.records.map(\.messages) == report.records.map(\.messages))
            #expect(detail.records.map(\.source) == report.records.map(\.source))
            #expect(detail.records.map(\.authentication) == report.records.map(\.authentication))
        }
        #expect(try ReportDetail.ask(facts.store, id: 9999) == nil)
    }
}
