import DMARC
import Testing

@testable import Questions
@testable import Store

@Suite("Conditions")
struct ConditionTests {
    @Test("hold exactly when brute force says so", arguments: [41, 42] as [UInt64])
    func bruteForce(seed: UInt64) throws {
        let judged = try JudgedFacts(seed: seed, reports: 60)
        var held = 0
        for asked in BruteForceTests.cases {
            let shares = judged.shares.filter { asked.includes($0.share.report) && asked.period.contains($0.share.day) }
            func sum(_ isWanted: (JudgedShare) -> Bool) -> Int { shares.reduce(0) { $0 + (isWanted($1) ? $1.messages : 0) } }
            func isIndirect(_ share: JudgedShare) -> Bool { share.verdict == .forwarded || share.verdict == .mailingList }
            let (messages, passed) = (sum { _ in true }, sum(\.passed))
            let (direct, directPassed) = (sum { !isIndirect($0) }, sum { !isIndirect($0) && $0.passed })
            let unaligned = sum { $0.verdict == .unaligned && !$0.passed }
            let delivered = sum {
                $0.verdict == .spoofed && !$0.passed && ($0.share.record.disposition == .none || $0.share.record.disposition == .pass)
            }
            let rate = messages == 0 ? 0.5 : Double(passed) / Double(messages)
            let directRate = direct == 0 ? 0.5 : Double(directPassed) / Double(direct)
            let expected: [(Condition, HeldCondition.Finding?)] = [
                (.passRate(.less, rate), nil), (.passRate(.less, 1), passed < messages ? .rate(passed: passed, messages: messages) : nil),
                (.passRate(.atMost, rate), messages == 0 ? nil : .rate(passed: passed, messages: messages)),
                (.passRateWithoutForwarding(.atLeast, directRate), direct == 0 ? nil : .rate(passed: directPassed, messages: direct)),
                (.passRateWithoutForwarding(.more, directRate), nil),
                (.failed(.atLeast, messages - passed), .messages(messages - passed)), (.failed(.more, messages - passed), nil),
                (.unaligned(.more, 0), unaligned > 0 ? .messages(unaligned) : nil), (.unaligned(.atLeast, unaligned + 1), nil),
                (.spoofedDelivered(.more, 0), delivered > 0 ? .messages(delivered) : nil),
                (.spoofedDelivered(.atMost, delivered), .messages(delivered)),
            ]
            let answer = try HeldCondition.ask(judged.facts.store, asked.filter, expected.map(\.0))
            let wanted = expected.compactMap { condition, finding in finding.map { HeldCondition(condition: condition, finding: $0) } }
            #expect(answer == wanted, "\(asked)")
            held += answer.count

            let new = try SourceList.ask(judged.facts.store, asked.filter, .init(isNew: true), limit: nil).rows.first
            let finding = new.map { HeldCondition.Finding.source($0.source, domain: $0.domain, firstDay: $0.firstDay) }
            #expect(try HeldCondition.ask(judged.facts.store, asked.filter, [.newSource]).map(\.finding) == [finding].compactMap(\.self))
        }
        #expect(held > 0)
    }

    private func days(_ numbers: [Int]) -> Set<Day> { Set(numbers.map { Day($0) }) }

    @Test("a reporter is silent after three of its usual gaps, and three days at least")
    func silence() {
        func silent(_ numbers: [Int], on day: Int) -> Bool { !SilentReporter.among(["r": days(numbers)], on: Day(day)).isEmpty }
        let daily = Array(1...10)
        #expect(!silent(daily, on: 13) && silent(daily, on: 14))
        let weekly = [1, 8, 15, 22, 29]
        #expect(!silent(weekly, on: 50) && silent(weekly, on: 51))
        // One long gap does not make a habit.
        #expect(silent([1, 2, 3, 30, 31, 32], on: 36))
        #expect(!silent([1, 2, 3, 4], on: 40), "four days are no habit")
        let found = SilentReporter.among(["b": days(daily), "a": days(weekly), "c": days(Array(60...70))], on: Day(71))
        #expect(
            found == [
                SilentReporter(name: "a", lastDay: Day(29), silentDays: 42, usualGap: 7),
                SilentReporter(name: "b", lastDay: Day(10), silentDays: 61, usualGap: 1),
            ])
    }

    @Test("silence is measured to today, or to an earlier last day that was asked for")
    func measured() throws {
        let facts = try FactsFixture(seed: 43, reports: 200)
        for domains in [[], ["example.org"], ["nowhere.example"]] {
            for reporters in [[], ["GOOGLE.com"]] {
                for (until, measured) in [(nil, 20730), (20650, 20650), (20800, 20730)] as [(Int?, Int)] {
                    let request = PeriodRequest(until: until.map { .days(Day($0), Day($0)) })
                    let filter = Filter(domains: domains, reporters: reporters, period: request, today: Day(20730))
                    var days: [String: Set<Day>] = [:]
                    for report in facts.reports
                    where report.isCounted && filter.includes(domain: report.domain) && filter.includes(reporter: report.reporter) {
                        let day = report.window.day
                        if (measured - 119...measured).contains(day.number) { days[report.reporter, default: []].insert(day) }
                    }
                    let expected = SilentReporter.among(days, on: Day(measured))
                    let answer = try HeldCondition.ask(facts.store, filter, [.reporterSilent])
                    #expect(answer.map(\.finding) == (expected.isEmpty ? [] : [.reporters(expected)]))
                    if domains.isEmpty, until == nil { #expect(!expected.isEmpty) }
                }
            }
        }
    }
}
