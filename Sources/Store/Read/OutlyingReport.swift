import GRDB

/// A report with more than ten times as many messages as all other reports about the domain together. It stands in every figure, as every
/// report does; whoever reads the figures is to know.
public struct OutlyingReport: Hashable, Sendable {
    /// The policy domain, canonical.
    public var domain: String
    /// Who sent it.
    public var reporter: String
    /// Its messages.
    public var messages: Int
    /// Messages of all reports about the domain in the period that are not out of proportion.
    public var others: Int

    /// More than so many times the others is out of proportion …
    package static let times = 10
    /// … from so many messages on.
    package static let fewest = 1000
    /// Reports that can be out of proportion together.
    package static let most = 5

    /// Question: how large are the counted reports of the period. Unit: one row a report. Index: `reports_domain_day`; rowid of `reporters`.
    static let sizesSQL = """
        SELECT r.messages, r.reporter_id FROM reports r WHERE r.domain_id = ?1 AND r.is_counted = 1 AND r.day BETWEEN ?2 AND ?3
        """

    /// Question: who sent it. Unit: one row. Index: rowid.
    static let reporterSQL = "SELECT name FROM reporters WHERE id = ?1"

    /// Those of the period, heard or not, the largest first.
    package static func find(_ facts: Facts, of domain: PolicyDomain, _ scope: Scope) throws -> [OutlyingReport] {
        guard let period = scope.period, scope.reports == nil else { return [] }
        var largest: [(messages: Int, reporter: Int)] = []
        var sum = 0
        let rows = try SQLRows(facts, sizesSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            let messages = rows.int(0)
            sum += messages
            guard messages >= fewest, largest.count < most || messages > largest[most - 1].messages else { continue }
            let place = largest.firstIndex { $0.messages < messages } ?? largest.count
            largest.insert((messages, rows.int(1)), at: place)
            if largest.count > most { largest.removeLast() }
        }
        // Two invented numbers must not hide each other: the most that stand out from the rest.
        var others = sum
        var count = 0
        for (place, report) in largest.enumerated() where report.messages * times >= largest[0].messages {
            let rest = largest.prefix(place + 1).reduce(sum) { $0 - $1.messages }
            if rest > 0, report.messages / times > rest { (count, others) = (place + 1, rest) }
        }
        return try largest.prefix(count).map { report in
            let names = try SQLRows(facts, reporterSQL, [.integer(report.reporter)])
            return OutlyingReport(
                domain: domain.name, reporter: try names.next() ? names.text(0) : "", messages: report.messages, others: others)
        }
    }
}
