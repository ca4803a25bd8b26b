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

    /// Calls `body` with every figure of `domain` in the period: from the rollup, or with `--reporter` from the records themselves.
    package func forEachDailyFigure(_ facts: Facts, of domain: PolicyDomain, _ body: (DailyFigure) throws -> Void) throws {
        guard let period else { return }
        guard reports == nil else {
            return try RecordScan(facts, self).forEach(of: domain.id, withEmpty: true) { record, day in
                try body(
                    DailyFigure(
                        day: Day(day), disposition: AppliedDisposition(stored: record.disposition), dkim: record.dkim, spf: record.spf,
                        messages: record.messages, records: record.isFirstShare ? 1 : 0))
            }
        }
        let rows = try SQLRows(facts, Self.dailySQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            try body(
                DailyFigure(
                    day: Day(rows.int(0)), disposition: AppliedDisposition(stored: rows.int(1)), dkim: rows.int(2) == 1,
                    spf: rows.int(3) == 1, messages: rows.int(4), records: rows.int(5)))
        }
    }
}

extension AppliedDisposition {
    /// From its number in the database; a number that no version of ours wrote reads as `none`.
    package init(stored number: Int) { self = UInt8(exactly: number).flatMap(AppliedDisposition.init(rawValue:)) ?? .none }
}
