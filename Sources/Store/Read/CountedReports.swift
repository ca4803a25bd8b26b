import DMARC
import GRDB

extension Scope {
    /// Question: counted reports whose day lies in the period. Unit: one row a report, in the order of the days.
    /// Index: `reports_domain_day`.
    static let reportsOfPeriodSQL = """
        SELECT id, day
        FROM reports
        WHERE domain_id = ?1 AND is_counted = 1 AND day BETWEEN ?2 AND ?3
        ORDER BY day
        """

    /// Question: counted reports with a long window that touches the period while their middle lies outside. A window is at most 366 days
    /// long, so their middle is at most 183 days away. Unit: one row a report. Index: `reports_spread` where there is one, else
    /// `reports_domain_day`.
    package static let spreadReportsSQL = """
        SELECT id, day, begin_utc, end_utc
        FROM reports
        WHERE domain_id = ?1 AND is_spread = 1 AND is_counted = 1 AND day BETWEEN ?2 - 184 AND ?3 + 184
        """

    /// Question: the messages of counted reports that were checked and are not verified. Unit: one row. Index: `reports_distrusted`.
    static let distrustedMessagesSQL = """
        SELECT coalesce(sum(messages), 0) FROM reports
        WHERE domain_id = ?1 AND authenticity <> 1 AND is_counted = 1 AND day BETWEEN ?2 AND ?3
        """

    /// Messages, in the period, of reports that were checked and are not verified, whatever else the filter leaves out. Reports of long windows
    /// belong to the day of their middle.
    package func distrustedMessages(_ facts: Facts, of domain: PolicyDomain) throws -> Int {
        guard let period, reports == nil else { return 0 }
        let rows = try SQLRows(
            facts, Self.distrustedMessagesSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        return try rows.next() ? rows.int(0) : 0
    }

    /// Question: the messages of counted reports of newcomers, and how many newcomers there are. Unit: one row. Index: primary key of
    /// `unheard_reports`, one range; rowid of `reports`.
    static let newcomersSQL = """
        SELECT coalesce(sum(r.messages), 0), count(DISTINCT coalesce(u.voice_id, 0))
        FROM unheard_reports u JOIN reports r ON r.id = u.report_id
        WHERE u.domain_id = ?1 AND (r.authenticity IS NULL OR r.authenticity = 1) AND r.is_counted = 1 AND r.day BETWEEN ?2 AND ?3
        """

    /// Messages, in the period, of reports of newcomers, and how many newcomers sent them.
    package func newcomers(_ facts: Facts, of domain: PolicyDomain) throws -> (messages: Int, voices: Int) {
        guard let period, reports == nil else { return (0, 0) }
        let rows = try SQLRows(
            facts, Self.newcomersSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        return try rows.next() ? (rows.int(0), rows.int(1)) : (0, 0)
    }

    /// Calls `body` with the key of each counted report of `domain` that has a day in the period, and with the day of its middle, which may
    /// lie outside; with `middleInside`, only of those whose middle lies inside.
    package func forEachCountedReport(
        _ facts: Facts, of domain: PolicyDomain, middleInside: Bool = false, _ body: (_ id: Int, _ day: Day) throws -> Void
    ) throws {
        guard let period else { return }
        let arguments = [SQLValue.integer(domain.id), .integer(period.since.number), .integer(period.until.number)]
        let inside = try SQLRows(facts, Self.reportsOfPeriodSQL, arguments)
        while try inside.next() {
            if includes(report: inside.int(0)) { try body(inside.int(0), Day(inside.int(1))) }
        }
        guard !middleInside else { return }
        let spread = try SQLRows(facts, Self.spreadReportsSQL, arguments)
        while try spread.next() {
            let day = Day(spread.int(1))
            let days = ReportWindow(begin: spread.int(2), end: spread.int(3)).days
            guard !period.contains(day), days.lowerBound <= period.until, period.since <= days.upperBound else { continue }
            if includes(report: spread.int(0)) { try body(spread.int(0), day) }
        }
    }
}
