import DMARC
import Store

/// A published policy as far as `summary` and `reports` show it. Nil: the reports do not say, or say it with an empty element.
public struct PolicyWords: Hashable, Sendable {
    /// Policy for the domain.
    public var p: String?
    /// Policy for its subdomains.
    public var sp: String?

    /// `quarantine`, or `quarantine; sp=reject` where subdomains are treated otherwise. Nil where nothing is published.
    public var text: String? {
        let words = [p, sp].map { $0?.isEmpty == true ? nil : $0 }
        guard let p = words[0] else { return words[1].map { "sp=\($0)" } }
        guard let sp = words[1], sp != p else { return p }
        return "\(p); sp=\(sp)"
    }
}

/// How a policy domain did in the period. Figures in messages unless said otherwise.
public struct SummaryRow: Hashable, Sendable {
    /// The policy domain, canonical.
    public var domain: String
    /// Counted reports with a day in the period.
    public var reports = 0
    /// Their records; one of a long window counts on the first of its days.
    public var records = 0
    /// All messages.
    public var messages = 0
    /// DKIM or SPF aligned.
    public var passed = 0
    /// DKIM aligned.
    public var dkimPassed = 0
    /// SPF aligned.
    public var spfPassed = 0
    /// Disposition `none`, whether they passed or not.
    public var none = 0
    /// Disposition `quarantine`.
    public var quarantined = 0
    /// Disposition `reject`.
    public var rejected = 0
    /// Disposition `pass` (RFC 9990).
    public var passDisposition = 0
    /// First day with records in the period.
    public var firstDay: Day?
    /// Last day with records in the period.
    public var lastDay: Day?
    /// What was forwarded or went through a list; nil: there are no verdicts yet.
    public var forwarded: Rate?
    /// The policy that most reports of the last day with a report in the period show.
    public var policy: PolicyWords?
    /// The first half of the period, by days; the middle day of an odd number belongs to the second half.
    public var firstHalf = Rate()
    /// The second half of the period.
    public var secondHalf = Rate()

    /// A row without figures.
    public init(domain: String) { self.domain = domain }

    /// Messages that did not pass.
    public var failed: Int { messages - passed }
    /// Passed by messages, 0…1.
    public var passRate: Double? { Rate(messages: messages, passed: passed).value }
    /// The same over what was neither forwarded nor went through a list.
    public var passRateWithoutForwarding: Double? { Rate(messages: messages, passed: passed).without(forwarded) }
    /// How much the pass rate rose from the first half of the period to the second, in fractions.
    public var change: Double? {
        guard let first = firstHalf.value, let second = secondHalf.value else { return nil }
        return second - first
    }

    package mutating func add(_ figure: DailyFigure, secondHalfFrom middle: Day) {
        let passedMessages = figure.passed ? figure.messages : 0
        messages += figure.messages
        records += figure.records
        passed += passedMessages
        dkimPassed += figure.dkim ? figure.messages : 0
        spfPassed += figure.spf ? figure.messages : 0
        switch figure.disposition {
        case .none: none += figure.messages
        case .quarantine: quarantined += figure.messages
        case .reject: rejected += figure.messages
        case .pass: passDisposition += figure.messages
        }
        firstDay = min(firstDay ?? figure.day, figure.day)
        lastDay = max(lastDay ?? figure.day, figure.day)
        if figure.day < middle {
            firstHalf = Rate(messages: firstHalf.messages + figure.messages, passed: firstHalf.passed + passedMessages)
        } else {
            secondHalf = Rate(messages: secondHalf.messages + figure.messages, passed: secondHalf.passed + passedMessages)
        }
    }

    /// Adds the figures of another row; domain, days and policy stay.
    package mutating func add(_ other: SummaryRow) {
        reports += other.reports
        records += other.records
        messages += other.messages
        passed += other.passed
        dkimPassed += other.dkimPassed
        spfPassed += other.spfPassed
        none += other.none
        quarantined += other.quarantined
        rejected += other.rejected
        passDisposition += other.passDisposition
        firstHalf = Rate(messages: firstHalf.messages + other.firstHalf.messages, passed: firstHalf.passed + other.firstHalf.passed)
        secondHalf = Rate(messages: secondHalf.messages + other.secondHalf.messages, passed: secondHalf.passed + other.secondHalf.passed)
        forwarded = forwarded.flatMap { mine in other.forwarded.map { mine + $0 } }
        firstDay = [firstDay, other.firstDay].compactMap(\.self).min()
        lastDay = [lastDay, other.lastDay].compactMap(\.self).max()
    }
}

/// The answer to "how do my domains do".
public struct Summary: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// One row a policy domain with a report in the period; most messages first, then by name.
    public var rows: [SummaryRow]
    /// The sum of all rows.
    public var total: SummaryRow
    /// Messages of the total that come from reports that were checked and are not verified.
    public var unverifiedMessages: Int

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> Summary {
        try reading(store, "summary") { facts in
            let scope = try Scope(facts, filter)
            var rows: [SummaryRow] = []
            var unverified = 0
            let hasVerdicts = try scope.hasVerdicts(facts)
            if let period = scope.period {
                let middle = period.since.advanced(by: period.days / 2)
                for domain in scope.domains {
                    var row = SummaryRow(domain: domain.name)
                    try scope.forEachDailyFigure(facts, of: domain) { row.add($0, secondHalfFrom: middle) }
                    try scope.forEachCountedReport(facts, of: domain) { _, _ in row.reports += 1 }
                    guard row.reports > 0 || row.records > 0 || row.messages > 0 else { continue }
                    if hasVerdicts { row.forwarded = try scope.forwarded(facts, of: domain) }
                    row.policy = try latestPolicy(facts, scope, of: domain, in: period)
                    unverified += try scope.distrustedMessages(facts, of: domain)
                    rows.append(row)
                }
            }
            rows.sort { ($1.messages, $0.domain) < ($0.messages, $1.domain) }
            var total = SummaryRow(domain: "")
            if hasVerdicts { total.forwarded = Rate() }
            for row in rows { total.add(row) }
            return Summary(
                coverage: scope.coverage(messages: total.messages, reports: total.reports), rows: rows, total: total,
                unverifiedMessages: unverified)
        }
    }

    /// Reporters see a policy change at different hours: the one that most of them saw on the last day is the latest; of equals, the
    /// first in the order of the alphabet, so that the order of arrival does not matter.
    private static func latestPolicy(_ facts: Facts, _ scope: Scope, of domain: PolicyDomain, in period: Period) throws -> PolicyWords? {
        var votes: [PolicyWords: Int] = [:]
        for policy in try facts.policiesOfLastDay(of: domain, in: period, scope) {
            votes[PolicyWords(p: policy.p, sp: policy.sp), default: 0] += 1
        }
        return votes.max { ($0.value, $1.key.text ?? "") < ($1.value, $0.key.text ?? "") }?.key
    }
}
