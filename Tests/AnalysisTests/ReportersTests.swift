import DMARC
import Testing

@testable import Questions
@testable import Store

@Suite("reporters")
struct ReportersTests {
    private struct Place: Hashable {
        var report: Int
        var sequence: Int
    }

    private struct Topic: Hashable {
        var source: IPAddress
        var domain: String
        var selector: String
        var day: Day
    }

    private func recomputed(_ share: VerdictShare) -> Alignment {
        func aligns(_ name: String?, _ published: String?) -> Bool {
            guard let name else { return false }
            if published?.lowercased() == "s" { return name == share.record.headerFrom }
            return VerdictFacts.organisation(of: name) == VerdictFacts.organisation(of: share.record.headerFrom)
        }
        let results = share.record.results
        let policy = share.report.policy
        let hasSender = results.spf.contains { $0.scope != .helo }
        return Alignment(
            dkim: results.dkim.contains { $0.result == .pass && aligns($0.domain, policy.adkim) },
            spf: results.spf.contains { $0.result == .pass && (!hasSender || $0.scope != .helo) && aligns($0.domain, policy.aspf) })
    }

    /// On how many topics somebody else said the opposite.
    private func contradictions(_ shares: [VerdictShare]) -> [String: Int] {
        var passed: [Topic: Set<String>] = [:]
        var failed: [Topic: Set<String>] = [:]
        for share in shares {
            var words: [Topic: Set<AuthenticationResult>] = [:]
            for signature in share.record.results.dkim {
                guard let domain = signature.domain, let selector = signature.selector else { continue }
                let topic = Topic(source: share.record.source, domain: domain, selector: selector.lowercased(), day: share.day)
                words[topic, default: []].insert(signature.result)
            }
            // A record that says both of a signature says nothing of it.
            for (topic, said) in words where !said.isSuperset(of: [.pass, .fail]) {
                if said.contains(.pass) { passed[topic, default: []].insert(share.report.reporter) }
                if said.contains(.fail) { failed[topic, default: []].insert(share.report.reporter) }
            }
        }
        var counts: [String: Int] = [:]
        for reporter in VerdictFacts.reporters {
            counts[reporter] = Set(passed.keys).union(failed.keys).count { topic in
                let (yes, no) = (passed[topic] ?? [], failed[topic] ?? [])
                return yes.contains(reporter) && !no.subtracting([reporter]).isEmpty
                    || no.contains(reporter) && !yes.subtracting([reporter]).isEmpty
            }
        }
        return counts
    }

    static let filters: [Filter] = {
        var filters: [Filter] = []
        for (domains, reporters) in [([], []), (["example.org"], []), (["shop.example.co.uk"], ["GOOGLE.com", "nobody"])]
            as [([String], [String])]
        {
            for period in [Period(since: Day(20500), until: Day(20800)), Period(since: Day(20600), until: Day(20640))] {
                filters.append(Filter(domains: domains, reporters: reporters, today: Day(20800)).limited(to: period))
            }
        }
        return filters
    }()

    @Test("equal what the facts say", arguments: [(51, 20560...20710), (52, 20618...20624)] as [(UInt64, ClosedRange<Int>)])
    func figures(seed: UInt64, days: ClosedRange<Int>) throws {
        let facts = try VerdictFacts.random(seed: seed, reports: 150, days: days)
        let everything = facts.shares
        var sawContradiction = false
        for filter in Self.filters {
            let period = try #require(filter.period.resolve(data: nil, today: filter.today))
            let shares = everything.filter { period.contains($0.day) && filter.includes(domain: $0.report.domain) }
            let dataUntil = min(
                period.until, try #require(everything.filter { filter.includes(domain: $0.report.domain) }.map(\.day).max()))
            let contradictions = contradictions(shares)
            let reports = facts.reports.filter { report in
                report.isCounted && filter.includes(domain: report.domain) && report.window.days.lowerBound <= period.until
                    && period.since <= report.window.days.upperBound
            }
            let answer = try Reporters.ask(facts.store, filter)
            let expected = Dictionary(grouping: reports, by: \.reporter).filter { filter.includes(reporter: $0.key) }
            #expect(Set(answer.rows.map(\.reporter)) == Set(expected.keys))
            #expect(answer.coverage.unknownReporters == filter.reporters.filter { $0 == "nobody" })
            for row in answer.rows {
                let own = try #require(expected[row.reporter])
                let mine = shares.filter { $0.report.reporter == row.reporter }
                #expect(row.reports == own.count && row.domains == Set(own.map(\.domain)).count)
                #expect(row.messages == mine.reduce(0) { $0 + $1.messages })
                let records = mine.filter(\.isFirst)
                #expect(row.records == records.count)
                let wrong = records.filter { recomputed($0) != Alignment(dkim: $0.record.dkim, spf: $0.record.spf) }
                #expect(row.alignmentDisagreements == wrong.count)
                #expect(row.contradictions == contradictions[row.reporter])
                sawContradiction = sawContradiction || row.contradictions > 0
                let days = own.map { min(max($0.window.day, period.since), period.until) }
                #expect(row.rhythm == ReportRhythm(days: days, dataUntil: dataUntil))
                for deviation in Deviation.allCases {
                    #expect(row.deviations[deviation] ?? 0 == own.count { $0.deviations.contains(deviation) })
                }
                #expect(row.emails == Set(own.compactMap(\.email)).subtracting([""]).sorted())
            }
            let list = try Disagreements.ask(facts.store, filter)
            let wrong = shares.filter {
                filter.includes(reporter: $0.report.reporter) && recomputed($0) != Alignment(dkim: $0.record.dkim, spf: $0.record.spf)
            }
            let places = Dictionary(grouping: wrong) { Place(report: $0.report.id, sequence: $0.sequence) }
            #expect(Set(list.rows.map { Place(report: $0.report, sequence: $0.record) }) == Set(places.keys))
            #expect(list.rows.count == places.count)
            for row in list.rows {
                let found = try #require(places[Place(report: row.report, sequence: row.record)])
                #expect(row.messages == found.reduce(0) { $0 + $1.messages } && row.day == found.map(\.day).min())
                #expect(row.recomputed == recomputed(found[0]) && row.headerFrom == found[0].record.headerFrom)
                #expect(row.source == found[0].record.source && row.reporter == found[0].report.reporter)
                #expect(row.said == Alignment(dkim: found[0].record.dkim, spf: found[0].record.spf))
            }
            let order = list.rows.map { ($0.day, $0.domain, $0.report, $0.record) }
            #expect(zip(order, order.dropFirst()).allSatisfy { $0 < $1 })
        }
        // Only where many report on the same few days does somebody contradict somebody.
        #expect(sawContradiction || days.count > 10)
    }

    @Test("the rhythm of days")
    func rhythm() {
        func rhythm(_ days: [Int], until: Int) -> ReportRhythm { ReportRhythm(days: days.map { Day($0) }, dataUntil: Day(until)) }
        let daily = rhythm([5, 3, 4, 4, 6, 9], until: 12)
        #expect(daily.usualGap == 1 && daily.longestGap == 3 && daily.lastGap == 3 && daily.firstDay == Day(3) && daily.lastDay == Day(9))
        #expect(!daily.isSilent && rhythm([5, 3, 4, 6, 9], until: 13).isSilent)
        let weekly = rhythm([0, 7, 14, 22, 29], until: 50)
        #expect(weekly.usualGap == 7 && !weekly.isSilent && rhythm([0, 7, 14, 22, 29], until: 51).isSilent)
        #expect(rhythm([0, 1, 3], until: 7).usualGap == 1.5 && !rhythm([0, 1, 3], until: 7).isSilent)
        #expect(rhythm([0, 1, 3], until: 8).isSilent)
        let once = rhythm([4], until: 90)
        #expect(once.usualGap == nil && once.longestGap == nil && once.lastGap == 86 && !once.isSilent)
        #expect(rhythm([], until: 90).lastGap == nil)
    }
}
