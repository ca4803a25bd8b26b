import DMARC
import GRDB

/// Statements about when sources sent.
package enum SourceSQL {
    /// Question: the sources by day. Unit: one row a day with messages. Index: primary key of `daily_sources`, one contiguous range.
    package static let days = """
        SELECT day, ipv4, ipv6
        FROM daily_sources
        WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3
        ORDER BY day
        """

    /// As `days`, the latest first.
    package static let latestDays = """
        SELECT day, ipv4, ipv6 FROM daily_sources WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3 ORDER BY day DESC
        """

    /// Question: how many sources were seen for the first time, by day. Unit: one row a day. Index: `sources_first_day`, covering.
    package static let newCounts = """
        SELECT first_day, count(*)
        FROM sources
        WHERE domain_id = ?1 AND first_day BETWEEN ?2 AND ?3
        GROUP BY first_day
        """

    /// Question: the sources of a domain that it first saw in the period. Unit: one row a source. Index: `sources_first_day`, covering.
    package static let new = """
        SELECT source
        FROM sources
        WHERE domain_id = ?1 AND first_day BETWEEN ?2 AND ?3
        """

    /// Question: when did a source send for a domain, and how much of it passed, ever. Unit: one row. Index: primary key of `sources`.
    package static let life = "SELECT passed, first_day, last_day FROM sources WHERE domain_id = ?1 AND source = ?2"
}

/// What is known of a source and a policy domain, over all time.
package struct SourceLife: Sendable {
    /// Messages with DKIM or SPF aligned.
    package var passed: Int
    package var firstDay: Day
    package var lastDay: Day
}

extension Facts {
    private func rows(_ sql: String, _ domain: PolicyDomain, _ period: Period) throws -> SQLRows {
        try SQLRows(self, sql, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
    }

    /// Calls `body` with each source of each day of the period, in the order of the days.
    package func forEachSourceDay(
        of domain: PolicyDomain, in period: Period, latestFirst: Bool = false, _ body: (_ source: IPAddress, _ day: Day) -> Void
    ) throws {
        let rows = try rows(latestFirst ? SourceSQL.latestDays : SourceSQL.days, domain, period)
        while try rows.next() {
            let day = Day(rows.int(0))
            try rows.forEachAddress(1, width: 4) { body($0, day) }
            try rows.forEachAddress(2, width: 16) { body($0, day) }
        }
    }

    /// Calls `body` with the number of sources that were seen for the first time on a day.
    package func forEachNewSourceCount(of domain: PolicyDomain, in period: Period, _ body: (_ day: Day, _ count: Int) -> Void) throws {
        let rows = try rows(SourceSQL.newCounts, domain, period)
        while try rows.next() { body(Day(rows.int(0)), rows.int(1)) }
    }

    /// Calls `body` with each source that the domain first saw in the period.
    package func forEachNewSource(of domain: PolicyDomain, in period: Period, _ body: (IPAddress) -> Void) throws {
        let rows = try rows(SourceSQL.new, domain, period)
        while try rows.next() { body(try rows.address(0)) }
    }

    /// Nil: the source never sent for the domain.
    package func life(of source: IPAddress, for domain: PolicyDomain) throws -> SourceLife? {
        let rows = try SQLRows(self, SourceSQL.life, [.integer(domain.id), .address(source)])
        guard try rows.next() else { return nil }
        return SourceLife(passed: rows.int(0), firstDay: Day(rows.int(1)), lastDay: Day(rows.int(2)))
    }

    /// The days of the period on which any of `sources` can have sent for a domain, and whether any of it may have passed. Most failing sources
    /// never pass, and many do not live long: the rollup knows, and spares reading the rest. All of them must have records in the period.
    package func life(
        of sources: [IPAddress], for domain: PolicyDomain, in period: Period
    ) throws -> (days: Period, mayPass: Bool) {
        // To ask for more of them costs more than it spares.
        guard sources.count <= 64 else { return (period, true) }
        var first = period.until
        var last = period.since
        var mayPass = false
        for source in sources {
            guard let ever = try life(of: source, for: domain) else { return (period, true) }
            mayPass = mayPass || ever.passed > 0
            first = min(first, ever.firstDay)
            last = max(last, ever.lastDay)
        }
        return (Period(since: max(first, period.since), until: min(last, period.until)), mayPass)
    }
}
