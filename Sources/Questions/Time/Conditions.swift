import Advice
import DMARC
import Store

/// How a figure is compared with a bound.
public enum Comparison: String, CaseIterable, Hashable, Sendable {
    /// Below the bound.
    case less = "<"
    /// Not above it.
    case atMost = "<="
    /// Above it.
    case more = ">"
    /// Not below it.
    case atLeast = ">="

    /// Whether `figure` stands so to `bound`.
    public func holds<Figure: Comparable>(_ figure: Figure, _ bound: Figure) -> Bool {
        switch self {
        case .less: figure < bound
        case .atMost: figure <= bound
        case .more: figure > bound
        case .atLeast: figure >= bound
        }
    }
}

/// Something that a script wants to know about. Figures are those of all domains, reporters and days that are asked about, together.
public enum Condition: Hashable, Sendable {
    /// There is a source that a policy domain never saw before the period.
    case newSource
    /// Passed by messages; without messages it never holds.
    case passRate(Comparison, Double)
    /// The same without what was forwarded or went through a list.
    case passRateWithoutForwarding(Comparison, Double)
    /// Failed messages.
    case failed(Comparison, Int)
    /// Failed messages with the verdict `unaligned`.
    case unaligned(Comparison, Int)
    /// Failed messages with the verdict `spoofed` and the disposition `none` or `pass`.
    case spoofedDelivered(Comparison, Int)
    /// A reporter that reported regularly does so no more.
    case reporterSilent
}

/// A reporter that fell silent.
public struct SilentReporter: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// The day of its latest report.
    public var lastDay: Day
    /// Days from then to the day that silence is measured to.
    public var silentDays: Int
    /// Days between two of its reports, usually: the median.
    public var usualGap: Int

    /// Days before the measured one in which reports make a habit.
    static let habitDays = 120
    /// Days with reports that make a habit.
    package static let fewestDays = 5
    /// Silence is longer than so many usual gaps …
    package static let gaps = 3
    /// … and has so many days.
    static let shortest = 3

    /// Those who are silent on `day`, in the order of the alphabet. `days`: the days of each one's reports.
    package static func among(_ days: [String: Set<Day>], on day: Day) -> [SilentReporter] {
        days.compactMap { name, days in
            let sorted = days.sorted()
            guard sorted.count >= fewestDays, let last = sorted.last else { return nil }
            let gaps = zip(sorted, sorted.dropFirst()).map { $0.distance(to: $1) }.sorted()
            let usual = gaps[gaps.count / 2]
            let silent = last.distance(to: day)
            guard silent > usual * Self.gaps, silent >= shortest else { return nil }
            return SilentReporter(name: name, lastDay: last, silentDays: silent, usualGap: usual)
        }.sorted { $0.name < $1.name }
    }
}

/// A condition that holds, with what made it so.
public struct HeldCondition: Hashable, Sendable {
    /// What was found.
    public enum Finding: Hashable, Sendable {
        /// The first of the new sources, since when, and for whom.
        case source(IPAddress, domain: String, firstDay: Day)
        /// Passed and all messages.
        case rate(passed: Int, messages: Int)
        /// Messages.
        case messages(Int)
        /// Who is silent.
        case reporters([SilentReporter])
    }

    /// The condition.
    public var condition: Condition
    /// What made it hold.
    public var finding: Finding

    /// Those of `conditions` that hold, in their order. Nothing is read that none of them needs.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, _ conditions: [Condition]
    ) throws(StoreError) -> [HeldCondition] {
        var held: [HeldCondition] = []
        var total: SummaryRow?
        for condition in conditions {
            var finding: Finding?
            switch condition {
            case .newSource:
                let new = try SourceList.ask(store, filter, .init(isNew: true), limit: 1, withTotals: false).rows.first
                finding = new.map { .source($0.source, domain: $0.domain, firstDay: $0.firstDay) }
            case .passRate(let comparison, let bound):
                let row = try summary(store, filter, &total)
                if let rate = row.passRate, comparison.holds(rate, bound) {
                    finding = .rate(passed: row.passed, messages: row.messages)
                }
            case .passRateWithoutForwarding(let comparison, let bound):
                let row = try summary(store, filter, &total)
                if let rate = row.passRateWithoutForwarding, comparison.holds(rate, bound) {
                    let forwarded = row.forwarded ?? Rate()
                    finding = .rate(passed: row.passed - forwarded.passed, messages: row.messages - forwarded.messages)
                }
            case .failed(let comparison, let bound):
                let row = try summary(store, filter, &total)
                if comparison.holds(row.failed, bound) { finding = .messages(row.failed) }
            case .unaligned(let comparison, let bound):
                let messages = try failures(store, filter, .unaligned, deliveredOnly: false)
                if comparison.holds(messages, bound) { finding = .messages(messages) }
            case .spoofedDelivered(let comparison, let bound):
                let messages = try failures(store, filter, .spoofed, deliveredOnly: true)
                if comparison.holds(messages, bound) { finding = .messages(messages) }
            case .reporterSilent:
                let silent = try silentReporters(store, filter)
                if !silent.isEmpty { finding = .reporters(silent) }
            }
            if let finding { held.append(HeldCondition(condition: condition, finding: finding)) }
        }
        return held
    }

    /// The sum of all domains, asked for once.
    private static func summary(_ store: ReportStore, _ filter: Filter, _ known: inout SummaryRow?) throws(StoreError) -> SummaryRow {
        if let known { return known }
        let total = try Summary.ask(store, filter).total
        known = total
        return total
    }

    private static func failures(
        _ store: ReportStore, _ filter: Filter, _ verdict: Verdict, deliveredOnly: Bool
    ) throws(StoreError) -> Int {
        try reading(store, "conditions") { facts in
            let scope = try Scope(facts, filter)
            let scan = try RecordScan(facts, scope)
            var messages = 0
            for domain in scope.domains {
                try scan.forEach(of: domain.id, .failed) { record, _ in
                    guard record.verdict == verdict.stored else { return }
                    if !deliveredOnly || AppliedDisposition(stored: record.disposition).isDelivered { messages += record.messages }
                }
            }
            return messages
        }
    }

    /// Silence is measured to the day of the question, or to an earlier last day of the period.
    private static func silentReporters(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> [SilentReporter] {
        try reading(store, "conditions") { facts in
            let scope = try Scope(facts, filter)
            var until = filter.today
            if case .days(_, let last) = filter.period.until { until = min(last, until) }
            let names = try facts.reporterNames().filter { filter.includes(reporter: $0.value) }
            var days: [String: Set<Day>] = [:]
            let habit = Period(since: until.advanced(by: 1 - SilentReporter.habitDays), until: until)
            for domain in scope.domains {
                try facts.forEachReportDay(of: domain, in: habit, onlyVerified: filter.onlyVerified) { reporter, day in
                    if let name = names[reporter] { days[name, default: []].insert(day) }
                }
            }
            return SilentReporter.among(days, on: until)
        }
    }
}
