import DMARC
import GRDB

/// Messages and records of one domain and day that were treated alike: what all figures over time are made of.
package struct DailyFigure {
    package var day: Day
    package var disposition: AppliedDisposition
    package var dkim: Bool
    package var spf: Bool
    package var messages: Int
    /// A record of a long window counts on the first of its days.
    package var records: Int

    package var passed: Bool { dkim || spf }
}

extension Scope {
    /// Question: messages by day and treatment. Unit: one row a day, disposition, DKIM and SPF result. Index: primary key of `daily`.
    package static let dailySQL = """
        SELECT day, disposition, dkim, spf, messages, records
        FROM daily
        WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3
        """

    /// Question: as `dailySQL`, for some reports only. Unit: one row a record and day. Index: primary key of `records`, one range.
    static let recordFiguresSQL = """
        SELECT day, disposition, dkim, spf, messages, report_id, sequence
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Question: is there a share of a record on an earlier day. Unit: at most one row. Index: primary key of `records`, one seek.
    static let shareSQL = """
        SELECT 1 FROM records WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4 AND sequence = ?5
        """

    /// Question: is a report's window long. Unit: at most one row. Index: rowid of `reports`.
    static let windowSQL = "SELECT begin_utc, end_utc FROM reports WHERE id = ?1 AND is_spread = 1"

    /// Calls `body` with every figure of `domain` in the period: from the rollup, or with `--reporter` from the records themselves.
    package func forEachDailyFigure(_ db: Database, of domain: PolicyDomain, _ body: (DailyFigure) throws -> Void) throws {
        guard let period else { return }
        guard reports == nil else { return try forEachRecordFigure(db, of: domain, in: period, body) }
        let rows = try SQLRows(db, Self.dailySQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            try body(
                DailyFigure(
                    day: Day(rows.int(0)), disposition: AppliedDisposition(stored: rows.int(1)), dkim: rows.int(2) == 1,
                    spf: rows.int(3) == 1, messages: rows.int(4), records: rows.int(5)))
        }
    }

    private func forEachRecordFigure(
        _ db: Database, of domain: PolicyDomain, in period: Period, _ body: (DailyFigure) throws -> Void
    ) throws {
        var windows: [Int: ReportWindow?] = [:]
        let window = try SQLRows(db, Self.windowSQL)
        let share = try SQLRows(db, Self.shareSQL)
        for countedAs in 0...1 {
            let rows = try SQLRows(
                db, Self.recordFiguresSQL,
                [.integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)])
            while try rows.next() {
                let report = rows.int(5)
                guard includes(report: report) else { continue }
                if windows[report] == nil {
                    try window.restart(report)
                    windows[report] = .some(try window.next() ? ReportWindow(begin: window.int(0), end: window.int(1)) : nil)
                }
                let day = Day(rows.int(0))
                var isFirst = true
                if case .some(.some(let long)) = windows[report] {
                    var earlier = long.days.lowerBound
                    while isFirst, earlier < day {
                        try share.restart(domain.id, countedAs, earlier.number, report, rows.int(6))
                        isFirst = try !share.next()
                        earlier = earlier.advanced(by: 1)
                    }
                }
                try body(
                    DailyFigure(
                        day: day, disposition: AppliedDisposition(stored: rows.int(1)), dkim: rows.int(2) == 1, spf: rows.int(3) == 1,
                        messages: rows.int(4), records: isFirst ? 1 : 0))
            }
        }
    }
}

extension AppliedDisposition {
    /// From its number in the database; a number that no version of ours wrote reads as `none`.
    package init(stored number: Int) { self = UInt8(exactly: number).flatMap(AppliedDisposition.init(rawValue:)) ?? .none }
}
