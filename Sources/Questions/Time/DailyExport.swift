import DMARC
import Store

/// A policy domain on one day: a row of `export daily`. Figures in messages unless said otherwise.
public struct DailyRow: Hashable, Sendable {
    /// The UTC day.
    public var day: Day
    /// The policy domain, canonical.
    public var domain: String
    /// All figures of the day.
    public var figures: SummaryRow
}

/// The answer to "give me the daily figures".
public struct DailyExport: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// One row a day with records; by domain, then day.
    public var rows: [DailyRow]

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> DailyExport {
        try reading(store, "export") { facts in
            let scope = try Scope(facts, filter, usual: .everything)
            var rows: [DailyRow] = []
            for domain in scope.domains {
                var days: [Day: SummaryRow] = [:]
                try scope.forEachDailyFigure(facts, of: domain) { figure in
                    days[figure.day, default: SummaryRow(domain: domain.name)].add(figure, secondHalfFrom: figure.day)
                }
                rows += days.sorted { $0.key < $1.key }.map { DailyRow(day: $0.key, domain: domain.name, figures: $0.value) }
            }
            return DailyExport(coverage: try scope.totals(facts), rows: rows)
        }
    }
}
