import DMARC
import GRDB

/// A policy domain with its key.
package struct PolicyDomain: Hashable, Sendable {
    package let id: Int
    package let name: String
}

/// What a filter means in one state of the database: domains, days, and, with `--reporter` or `--only-verified`, the reports.
public struct Scope: Sendable {
    package let domains: [PolicyDomain]
    /// The days; nil: there are none.
    public let period: Period?
    /// Keys of the counted reports asked for that touch the period; nil: all reports.
    public let reports: Set<Int>?
    /// Keys of reports that are left out, whenever they are from: those that are not heard, where only what is heard is asked for.
    public let leftOut: Set<Int>
    package let isDatabaseEmpty: Bool
    package let unknownReporters: [String]

    /// Question: the domains. Unit: one row a policy domain. Index: none; a table of thousands at most.
    package static let domainsSQL = "SELECT id, name FROM domains ORDER BY name"

    /// Question: first and last day with counted records of a domain. Unit: one row. Index: primary key of `daily`, one seek each.
    package static let extentSQL = """
        SELECT (SELECT min(day) FROM daily WHERE domain_id = ?1), (SELECT max(day) FROM daily WHERE domain_id = ?1)
        """

    /// Question: counted reports of a domain with their reporter and days. Unit: one row a report. Index: `reports_domain_day`.
    package static let reportsSQL = """
        SELECT id, reporter_id, day, is_spread, begin_utc, end_utc, authenticity
        FROM reports
        WHERE domain_id = ?1 AND is_counted = 1
        """

    /// Question: the reporters. Unit: one row a reporter. Index: none; a table of thousands at most.
    package static let reportersSQL = "SELECT id, name FROM reporters"

    /// Question: the reports of a domain that are not heard: of newcomers, not verified, or so new that nobody has looked yet whose word they are.
    /// Unit: one row a report. Index: primary key of `unheard_reports`; `reports_distrusted`; rowid of `reports`, from the last refresh on.
    package static let unheardSQL = """
        SELECT report_id FROM unheard_reports WHERE domain_id = ?1
        UNION ALL SELECT id FROM reports WHERE domain_id = ?1 AND authenticity <> 1
        UNION ALL SELECT id FROM reports
        WHERE id > (SELECT report_id FROM verdict_state WHERE id = 1 AND report_id > 0) AND +domain_id = ?1
        """

    /// - Parameter onlyHeard: whether reports that are not heard are left out.
    package init(_ facts: Facts, _ filter: Filter, usual: PeriodRequest.Usual = .recent, onlyHeard: Bool = false) throws {
        var chosen: [PolicyDomain] = []
        var isEmpty = true
        let all = try SQLRows(facts, Self.domainsSQL)
        while try all.next() {
            isEmpty = false
            let domain = PolicyDomain(id: all.int(0), name: all.text(1))
            if filter.includes(domain: domain.name) { chosen.append(domain) }
        }
        domains = chosen
        isDatabaseEmpty = isEmpty

        var leftOut: Set<Int> = []
        if onlyHeard {
            let unheard = try SQLRows(facts, Self.unheardSQL)
            for domain in chosen {
                try unheard.restart(domain.id)
                while try unheard.next() { leftOut.insert(unheard.int(0)) }
            }
        }
        self.leftOut = leftOut

        if filter.reporters.isEmpty, !filter.onlyVerified {
            let extent = try Self.extent(facts, of: chosen)
            period = filter.period.resolve(data: extent, today: filter.today, usual: usual)
            reports = nil
            unknownReporters = []
        } else {
            let (keys, unknown) = try Self.reporters(facts, filter)
            let found = try Self.reports(facts, of: chosen, by: keys, onlyVerified: filter.onlyVerified)
            let days = found.map(\.days)
            let extent = days.map(\.lowerBound).min().flatMap { first in
                days.map(\.upperBound).max().map { Period(since: first, until: $0) }
            }
            let resolved = filter.period.resolve(data: extent, today: filter.today, usual: usual)
            period = resolved
            reports = Set(
                found.compactMap { report in
                    guard let resolved, report.days.lowerBound <= resolved.until, resolved.since <= report.days.upperBound else {
                        return nil
                    }
                    return report.id
                })
            unknownReporters = unknown
        }
    }

    private static func extent(_ facts: Facts, of domains: [PolicyDomain]) throws -> Period? {
        var extent: Period?
        let rows = try SQLRows(facts, extentSQL)
        for domain in domains {
            try rows.restart(domain.id)
            guard try rows.next(), let first = rows.optionalInt(0), let last = rows.optionalInt(1) else { continue }
            extent = Period(since: min(extent?.since ?? Day(first), Day(first)), until: max(extent?.until ?? Day(last), Day(last)))
        }
        return extent
    }

    private static func reporters(_ facts: Facts, _ filter: Filter) throws -> (keys: Set<Int>, unknown: [String]) {
        var keys: Set<Int> = []
        var unknown = filter.reporters
        let rows = try SQLRows(facts, reportersSQL)
        while try rows.next() {
            let name = rows.text(1)
            guard filter.includes(reporter: name) else { continue }
            keys.insert(rows.int(0))
            unknown.removeAll { $0.lowercased() == name.lowercased() }
        }
        return (keys, unknown)
    }

    private static func reports(
        _ facts: Facts, of domains: [PolicyDomain], by reporters: Set<Int>, onlyVerified: Bool
    ) throws -> [(id: Int, days: ClosedRange<Day>)] {
        var found: [(id: Int, days: ClosedRange<Day>)] = []
        guard !reporters.isEmpty else { return [] }
        let rows = try SQLRows(facts, reportsSQL)
        for domain in domains {
            try rows.restart(domain.id)
            while try rows.next() {
                guard reporters.contains(rows.int(1)), !onlyVerified || rows.int(6) == Authenticity.verified.rawValue else { continue }
                let day = Day(rows.int(2))
                let isSpread = rows.int(3) != 0
                let days = isSpread ? ReportWindow(begin: rows.int(4), end: rows.int(5)).days : day...day
                found.append((rows.int(0), days))
            }
        }
        return found
    }

    /// Whether a record's report is asked for.
    @inlinable @inline(__always)
    public func includes(report id: Int) -> Bool { (reports?.contains(id) ?? true) && (leftOut.isEmpty || !leftOut.contains(id)) }

    /// What to say above an answer.
    package func coverage(messages: Int, reports: Int) -> Coverage {
        Coverage(
            period: period, domains: domains.map(\.name), messages: messages, reports: reports, isDatabaseEmpty: isDatabaseEmpty,
            unknownReporters: unknownReporters)
    }
}
