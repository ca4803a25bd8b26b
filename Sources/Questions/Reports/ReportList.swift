import DMARC
import Store

/// A stored report, without its records. Figures in messages unless said otherwise.
public struct ReportRow: Hashable, Sendable {
    /// Its number in the database, for `show`.
    public var id: Int
    /// Who sent it.
    public var reporter: String
    /// The policy domain, canonical.
    public var domain: String
    /// The reporter's id for it; empty if it gave none.
    public var reportID: String
    /// The time it covers.
    public var window: ReportWindow
    /// Records stored.
    public var records: Int
    /// All messages.
    public var messages: Int
    /// DKIM or SPF aligned.
    public var passed: Int
    /// The policy it shows.
    public var policy: PolicyWords
    /// Which standard it follows.
    public var standard: String
    /// Whether it counts; false for one that lost a conflict.
    public var isCounted: Bool
    /// Tolerated breaches of the format.
    public var deviations: Deviations
    /// What is known of the mail that it came in.
    public var sender: ReportSender

    /// Passed by messages, 0…1.
    public var passRate: Double? { Rate(messages: messages, passed: passed).value }
}

/// The answer to "which reports are there".
public struct ReportList: Sendable {
    /// What it is about. Its figures are those of the counted reports.
    public var coverage: Coverage
    /// Reports with a day in the period, also those that lost a conflict: by day, domain, reporter and number.
    public var rows: [ReportRow]

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> ReportList {
        try reading(store, "reports") { facts in
            // Reporters are matched by name on each row: reports that lost a conflict are in no figure, but belong in this list.
            let scope = try Scope(facts, filter)
            var rows: [ReportRow] = []
            if let period = scope.period {
                for domain in scope.domains {
                    try append(facts, filter, of: domain, in: period, to: &rows)
                }
            }
            rows.sort { a, b in
                if a.window.day != b.window.day { return a.window.day < b.window.day }
                return (a.domain, a.reporter, a.id) < (b.domain, b.reporter, b.id)
            }
            let counted = rows.filter(\.isCounted)
            return ReportList(
                coverage: scope.coverage(messages: counted.reduce(0) { $0 + $1.messages }, reports: counted.count), rows: rows)
        }
    }

    private static func append(
        _ facts: Facts, _ filter: Filter, of domain: PolicyDomain, in period: Period, to list: inout [ReportRow]
    ) throws {
        try facts.forEachReportHead(of: domain, in: period) { head in
            guard filter.includes(reporter: head.reporter), !filter.onlyVerified || head.sender.authenticity == .verified else { return }
            list.append(
                ReportRow(
                    id: head.id, reporter: head.reporter, domain: domain.name, reportID: head.reportID, window: head.window,
                    records: head.records, messages: head.messages, passed: head.passed, policy: PolicyWords(p: head.p, sp: head.sp),
                    standard: head.standard, isCounted: head.isCounted, deviations: head.deviations, sender: head.sender))
        }
    }
}
