import DMARC
import GRDB

/// The records of reports that verdicts do not know yet, a report at a time.
struct NewRecords {
    /// Question: counted reports behind the known ones. Unit: one row a report, by domain and day. Index: rowid.
    static let reportsSQL = """
        SELECT p.id, p.domain_id, r.name, p.day, p.is_spread, p.begin_utc, p.end_utc
        FROM reports p JOIN reporters r ON r.id = p.reporter_id
        WHERE p.id > ?1 AND p.is_counted = 1
        ORDER BY p.domain_id, p.day, p.id
        """
    /// Question: the records of a report on a day. Unit: one row a record. Index: primary key of `records`, two ranges.
    static let recordsSQL = """
        SELECT source, authentication_id, dkim, spf, messages, override_id, sequence, verdict, counted_as
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4
        """

    struct Report {
        let id: Int
        let domain: Int
        let reporterBit: Int
        let days: ClosedRange<Int>
    }

    struct Record {
        let key: FlowKey
        let day: Int
        let messages: Int
        /// 0: none.
        let override: Int
        let sequence: Int
        let verdict: Int
        let countedAs: Int
    }

    let reports: [Report]
    private let rows: SQLRows

    /// All reports with a key above `known`.
    init(_ db: Database, after known: Int) throws {
        var reports: [Report] = []
        let found = try SQLRows(db, Self.reportsSQL, [.integer(known)])
        var bits: [String: Int] = [:]
        while try found.next() {
            let name = found.text(2)
            // Letter case aside, as everywhere: another spelling is no second witness.
            let bit = bits[name] ?? Levels.bit(of: name.lowercased())
            bits[name] = bit
            let day = found.int(3)
            var days = day...day
            if found.int(4) != 0 {
                let window = ReportWindow(begin: found.int(5), end: found.int(6)).days
                days = window.lowerBound.number...window.upperBound.number
            }
            reports.append(Report(id: found.int(0), domain: found.int(1), reporterBit: bit, days: days))
        }
        self.reports = reports
        rows = try SQLRows(db, Self.recordsSQL)
    }

    /// Calls `body` with each record of a report, one for each day that a share of it falls on.
    func forEachRecord(of report: Report, _ body: (Record) throws -> Void) throws {
        for countedAs in 0...1 {
            for day in report.days {
                try rows.restart(report.domain, countedAs, day, report.id)
                while try rows.next() {
                    let key = FlowKey(
                        source: try rows.address(0), domain: report.domain, authentication: rows.int(1),
                        aligned: rows.int(2) << 1 | rows.int(3))
                    try body(
                        Record(
                            key: key, day: day, messages: rows.int(4), override: rows.int(5), sequence: rows.int(6), verdict: rows.int(7),
                            countedAs: rows.int(8)))
                }
            }
        }
    }
}
