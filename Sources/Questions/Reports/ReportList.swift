import DMARC
import GRDB
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

    /// Question: all reports of a domain that could touch the period. A window is at most 366 days long, so that its middle is at most 183
    /// days away. Unit: one row a report. Index: `reports_domain_day`; rowids of `reporters`, `policies` and `names`.
    package static let reportsSQL = """
        SELECT r.id, o.name, r.report_id, r.begin_utc, r.end_utc, r.records, r.messages, r.passed, p.p, p.sp, r.standard, r.is_counted,
            r.deviations, r.authenticity, r.mail_from_domain, n.name
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN policies p ON p.id = r.policy_id
            LEFT JOIN names n ON n.id = r.voice_id
        WHERE r.domain_id = ?1
            AND r.day BETWEEN ?2 - 184 AND ?3 + 184
            AND (r.is_spread = 1 OR r.day BETWEEN ?2 AND ?3)
        """

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> ReportList {
        try reading(store, "reports") { db in
            // Reporters are matched by name on each row: reports that lost a conflict are in no figure, but belong in this list.
            let scope = try Scope(db, filter)
            var rows: [ReportRow] = []
            if let period = scope.period {
                for domain in scope.domains {
                    try append(db, filter, of: domain, in: period, to: &rows)
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
        _ db: Database, _ filter: Filter, of domain: PolicyDomain, in period: Period, to list: inout [ReportRow]
    ) throws {
        let rows = try SQLRows(db, reportsSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            let reporter = rows.text(1)
            let window = ReportWindow(begin: rows.int(3), end: rows.int(4))
            let sender = ReportSender(
                authenticity: rows.optionalInt(13).flatMap(Authenticity.init), mailFromDomain: rows.optionalText(14),
                voice: rows.optionalText(15))
            guard filter.includes(reporter: reporter), !filter.onlyVerified || sender.authenticity == .verified,
                window.days.lowerBound <= period.until, period.since <= window.days.upperBound
            else { continue }
            list.append(
                ReportRow(
                    id: rows.int(0), reporter: reporter, domain: domain.name, reportID: rows.text(2), window: window, records: rows.int(5),
                    messages: rows.int(6), passed: rows.int(7), policy: PolicyWords(p: rows.optionalText(8), sp: rows.optionalText(9)),
                    standard: rows.text(10), isCounted: rows.int(11) == 1,
                    deviations: Deviations(rawValue: UInt64(bitPattern: Int64(rows.int(12)))), sender: sender))
        }
    }
}
