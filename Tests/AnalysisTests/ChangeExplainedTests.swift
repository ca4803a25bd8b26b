import DMARC
import Testing

@testable import Questions
@testable import Store

@Suite("trend --explain")
struct ChangeExplainedTests {
    private static func month(_ number: Int) -> Period {
        // Months of 2026, from April.
        let first = Day(year: 2026, month: 4 + number, day: 1) ?? Day(0)
        let next = Day(year: 2026, month: 5 + number, day: 1) ?? Day(0)
        return Period(since: first, until: next.advanced(by: -1))
    }

    private static func filter(_ period: Period, domains: [String] = [], reporters: [String] = []) -> Filter {
        Filter(domains: domains, reporters: reporters, today: Day(20800)).limited(to: period)
    }

    private func sum(_ answer: ChangeExplained) -> Double { answer.rows.compactMap(\.contribution).reduce(0, +) }

    @Test(
        "every pair of months of random facts: exact rows, contributions that add up, largest first", arguments: [31, 32, 33] as [UInt64])
    func random(seed: UInt64) throws {
        let facts = try VerdictFacts.random(seed: seed, reports: 90)
        let everything = facts.shares
        for (domains, reporters) in [([], []), (["example.org"], []), ([], ["google.com", "tiny"])] as [([String], [String])] {
            for earlier in 0..<5 {
                for later in 0..<5 {
                    let periods = (Self.month(earlier), Self.month(later))
                    let asked = Self.filter(periods.1, domains: domains, reporters: reporters)
                    for grouping in ChangeGrouping.allCases {
                        let answer = try ChangeExplained.ask(
                            facts.store, asked, against: .days(periods.0.since, periods.0.until), grouping: grouping)
                        #expect(answer.earlier == periods.0 && answer.coverage.period == periods.1)
                        try check(answer, everything.filter { includes(asked, $0) }, periods, grouping)
                        let first = try ChangeExplained.ask(
                            facts.store, asked, against: .days(periods.0.since, periods.0.until), grouping: grouping, limit: 3)
                        #expect(first.rows == Array(answer.rows.prefix(3)) && first.others == max(0, answer.rows.count - 3))
                    }
                }
            }
        }
    }

    private func includes(_ filter: Filter, _ share: VerdictShare) -> Bool {
        let isDomain =
            filter.domains.isEmpty || filter.domains.contains { share.report.domain == $0 || share.report.domain.hasSuffix("." + $0) }
        return isDomain && (filter.reporters.isEmpty || filter.reporters.contains { $0.lowercased() == share.report.reporter.lowercased() })
    }

    private struct Key: Hashable {
        var source: IPAddress?
        var domain: String
        var service: String?
        var verdict: Verdict?
    }

    private func rate(_ shares: [VerdictShare]) -> Rate {
        Rate(
            messages: shares.reduce(0) { $0 + $1.messages }, passed: shares.reduce(0) { $0 + ($1.record.passed ? $1.messages : 0) })
    }

    private func check(
        _ answer: ChangeExplained, _ shares: [VerdictShare], _ periods: (Period, Period), _ grouping: ChangeGrouping
    ) throws {
        let before = shares.filter { periods.0.contains($0.day) }
        let after = shares.filter { periods.1.contains($0.day) }
        let change = RateChange(before: rate(before), after: rate(after))
        #expect(answer.change == change)
        func key(_ share: VerdictShare) -> Key {
            if grouping == .source { return Key(source: share.record.source, domain: share.report.domain) }
            let own = VerdictFacts.organisation(of: share.report.domain)
            let senders = share.record.results.spf.filter { $0.scope != .helo }
            // A check of the name in HELO says nothing beside one of the envelope's sender.
            let checks = senders.isEmpty ? share.record.results.spf : senders
            let names =
                checks.map { ($0.domain, $0.result) }
                + share.record.results.dkim.map { ($0.domain, $0.result) }
            let foreign = names.filter { $0.0 != nil && VerdictFacts.organisation(of: $0.0 ?? "") != own }
            let name = (foreign.first { $0.1 == .pass } ?? foreign.first)?.0
            return Key(
                domain: share.report.domain, service: name.map(VerdictFacts.organisation), verdict: name == nil ? share.record.verdict : nil
            )
        }
        let groups = (
            before: Dictionary(grouping: before.filter { $0.messages > 0 }, by: key),
            after: Dictionary(grouping: after.filter { $0.messages > 0 }, by: key)
        )
        let keys = Set(groups.before.keys).union(groups.after.keys)
        #expect(answer.rows.count == keys.count)
        for row in answer.rows {
            let own = Key(
                source: row.source, domain: row.domain, service: grouping == .service ? row.service : nil,
                verdict: grouping == .service && row.service == nil ? row.verdict : nil)
            let part = (before: groups.before[own] ?? [], after: groups.after[own] ?? [])
            #expect(keys.contains(own) && row.before == rate(part.before) && row.after == rate(part.after), "\(own)")
            guard let r0 = change.before.value, let r1 = change.after.value else {
                #expect(row.contribution == nil)
                continue
            }
            func contribution(_ part: (before: [VerdictShare], after: [VerdictShare])) -> Double {
                let (mean, a0, a1) = ((r0 + r1) / 2, rate(part.before), rate(part.after))
                return (Double(a1.passed) - mean * Double(a1.messages)) / Double(change.after.messages)
                    - (Double(a0.passed) - mean * Double(a0.messages)) / Double(change.before.messages)
            }
            #expect(abs(try #require(row.contribution) - contribution(part)) < 1e-12)
            let weights = Dictionary(
                uniqueKeysWithValues: Verdict.allCases.map { verdict in
                    (
                        verdict,
                        abs(
                            contribution(
                                (part.before.filter { $0.record.verdict == verdict }, part.after.filter { $0.record.verdict == verdict })))
                    )
                })
            #expect(try #require(weights[row.verdict]) >= (weights.values.max() ?? 0) - 1e-12)
        }
        let sizes = answer.rows.map { abs($0.contribution ?? 0) }
        #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 >= $1 })
        guard let value = change.value else { return }
        #expect(abs(sum(answer) - value) < 1e-9)
    }

    /// Six months of one domain; a newsletter service with five addresses begins in the fourth, unaligned, while everything else wavers.
    private static func world() throws -> VerdictFacts {
        var generator = SeededGenerator(state: 77)
        var reports: [VerdictReport] = []
        for number in 0..<6 {
            let days = month(number)
            for offset in 0..<days.days {
                let begin = days.since.advanced(by: offset).startSeconds
                var report = VerdictReport(
                    id: reports.count + 1, domain: "example.org", reporter: offset % 2 == 0 ? "google.com" : "Yahoo",
                    window: ReportWindow(begin: begin, end: begin + 86399))
                func add(_ address: UInt32, _ messages: Int, _ passes: Bool, _ verdict: Verdict, spf: String) {
                    report.records.append(
                        VerdictRecord(
                            source: IPAddress(ipv4: address), messages: messages, dkim: passes, headerFrom: "example.org",
                            results: AuthenticationSet(spf: [SPFResult(domain: spf, scope: .mfrom, result: .pass)]), verdict: verdict))
                }
                for server in 0..<4 as Range<UInt32> {
                    add(0xC000_0201 + server, Int.random(in: 300...420, using: &generator), true, .authorized, spf: "example.org")
                }
                for relay in 0..<6 as Range<UInt32> {
                    let passes = Int.random(in: 0..<8, using: &generator) > 0
                    add(0xC633_6401 + relay, Int.random(in: 0...12, using: &generator), passes, .forwarded, spf: "relay\(relay).test")
                }
                add(0xCB00_7101 + UInt32(offset * 7), Int.random(in: 0...9, using: &generator), false, .spoofed, spf: "stranger.test")
                if number >= 3 {
                    for server in 0..<5 as Range<UInt32> {
                        add(
                            0xCB00_71F0 + server, Int.random(in: 20...40, using: &generator), false, .unaligned,
                            spf: "b\(server).service.example")
                    }
                }
                reports.append(report)
            }
        }
        return try VerdictFacts(reports)
    }

    @Test("a service that starts unaligned half-way comes first, by its addresses and as one")
    func service() throws {
        let facts = try Self.world()
        for earlier in 0..<6 {
            for later in 0..<6 where later != earlier {
                let periods = (Self.month(earlier), Self.month(later))
                for grouping in ChangeGrouping.allCases {
                    let answer = try ChangeExplained.ask(
                        facts.store, Self.filter(periods.1), against: .days(periods.0.since, periods.0.until), grouping: grouping)
                    let value = try #require(answer.change.value)
                    #expect(abs(sum(answer) - value) < 1e-9)
                    guard (earlier < 3) != (later < 3) else { continue }
                    let isGrouped = grouping == .service
                    for row in answer.rows.prefix(isGrouped ? 1 : 5) {
                        #expect(row.verdict == .unaligned && (row.service == "service.example") == isGrouped, "\(row)")
                        #expect((try #require(row.contribution) < 0) == (earlier < later))
                    }
                    #expect(answer.rows.count { $0.verdict == .unaligned } == (isGrouped ? 1 : 5))
                }
            }
        }
    }

    @Test("the earlier period is as long and just before, or the full month before, or what was asked for")
    func periods() throws {
        let facts = try Self.world()
        let everything = Filter(today: Day(20800))
        let usual = try ChangeExplained.ask(facts.store, everything)
        #expect(usual.coverage.period?.days == 30 && usual.coverage.period?.until == Self.month(5).until)
        #expect(usual.earlier?.days == 30 && usual.earlier?.until == usual.coverage.period?.since.advanced(by: -1))
        let months = try ChangeExplained.ask(facts.store, everything, by: .month)
        #expect(months.coverage.period == Self.month(5) && months.earlier == Self.month(4))
        let chosen = try ChangeExplained.ask(facts.store, Self.filter(Self.month(3)), by: .month)
        #expect(chosen.earlier?.days == 31 && chosen.earlier?.until == Self.month(2).until)
        let span = try ChangeExplained.ask(facts.store, Self.filter(Self.month(3)), against: .lastDays(7))
        #expect(span.earlier == Period(since: Self.month(2).until.advanced(by: -6), until: Self.month(2).until))
        #expect(BucketSize.month.lastFull(upTo: Self.month(3).until) == Self.month(3))
        #expect(BucketSize.month.lastFull(upTo: Self.month(3).until.advanced(by: -1)) == Self.month(2))
        #expect(BucketSize.week.lastFull(upTo: Day(year: 2026, month: 11, day: 21) ?? Day(0)).until == Day(year: 2026, month: 11, day: 15))
    }

    @Test("an empty period has nothing to compare, and an empty database nothing at all")
    func empty() throws {
        let facts = try Self.world()
        let answer = try ChangeExplained.ask(facts.store, Self.filter(Self.month(0)))
        #expect(answer.change.value == nil && !answer.rows.isEmpty && answer.rows.allSatisfy { $0.contribution == nil })
        #expect(answer.rows[0].messages >= answer.rows[1].messages)
        let nothing = try ChangeExplained.ask(try VerdictFacts([]).store, Filter(today: Day(20800)))
        #expect(nothing.rows.isEmpty && nothing.earlier == nil && nothing.coverage.isDatabaseEmpty)
    }

    @Test("sums stay right for millions of messages a record")
    func large() throws {
        var reports: [VerdictReport] = []
        for (number, day) in [Self.month(0).since, Self.month(1).since].enumerated() {
            var report = VerdictReport(
                id: number + 1, domain: "example.org", reporter: "a",
                window: ReportWindow(begin: day.startSeconds, end: day.startSeconds + 86399))
            for index in 0..<300 {
                report.records.append(
                    VerdictRecord(
                        source: IPAddress(ipv4: 0x0A00_0000 + UInt32(index)), messages: 1_000_000_000 - index * (number + 3),
                        dkim: index % 3 == number,
                        headerFrom: "example.org"))
            }
            reports.append(report)
        }
        let facts = try VerdictFacts(reports)
        let answer = try ChangeExplained.ask(
            facts.store, Self.filter(Self.month(1)), against: .days(Self.month(0).since, Self.month(0).until))
        #expect(abs(sum(answer) - (try #require(answer.change.value))) < 1e-12)
    }
}

extension ChangeRow {
    fileprivate var messages: Int { before.messages + after.messages }
}
