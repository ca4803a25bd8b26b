import DMARC
import GRDB

/// Reports of newcomers, and those that were checked and are not verified, are no witnesses (docs/decisions/0013-voices.md, 0009-authenticity.md).
///
/// The sums of a flow are those of witnesses; where no witness saw it, those of the others, so that it has figures and a verdict as well, but
/// one that is never certain and that nothing else rests on. Which of the two they are its bits of voices say: the others set none.
package enum Witnesses {
    /// For a column of sums in an UPSERT into `flows`: what is kept of the old sum when new ones come.
    package static func kept(_ column: String) -> String { "(reporter_bits <> 0 OR excluded.reporter_bits = 0) * \(column)" }

    /// For a column of days: `min` or `max` of what counts.
    package static func kept(_ function: String, _ column: String) -> String {
        "iif(reporter_bits = 0 AND excluded.reporter_bits <> 0, excluded.\(column), \(function)(\(column), excluded.\(column)))"
    }

    /// For the end of such an UPSERT: nothing changes when others speak of what witnesses saw.
    package static let condition = "reporter_bits = 0 OR excluded.reporter_bits <> 0"

    /// Question: the reports of a domain that are no witnesses, and count. Unit: one row a report. Index: primary key of `unheard_reports`,
    /// rowid of `reports`.
    package static let unheardSQL = """
        SELECT r.day, r.is_spread, r.begin_utc, r.end_utc
        FROM unheard_reports u CROSS JOIN reports r ON r.id = u.report_id
        WHERE u.domain_id = ?1
        """

    /// The days of reports that are no witnesses: their records may lie outside the days of their flows.
    package static func otherDays(_ facts: Facts, of domain: Int) throws -> [ClosedRange<Int>] {
        let rows = try SQLRows(facts, unheardSQL, [.integer(domain)])
        var days: Set<ClosedRange<Int>> = []
        while try rows.next() {
            guard rows.int(1) != 0 else {
                days.insert(rows.int(0)...rows.int(0))
                continue
            }
            let window = ReportWindow(begin: rows.int(2), end: rows.int(3)).days
            days.insert(window.lowerBound.number...window.upperBound.number)
        }
        return Array(days)
    }

    /// The same days, in spans that do not touch.
    package static func merged(_ days: [ClosedRange<Int>]) -> [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for span in days.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, span.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, span.upperBound)
            } else {
                result.append(span)
            }
        }
        return result
    }
}
