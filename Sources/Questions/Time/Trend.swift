import DMARC
import GRDB
import Store

/// What happened in one day, week or month. Figures in messages unless said otherwise.
public struct TrendRow: Hashable, Sendable {
    /// The bucket's name: `2026-11-01`, `2026-W45`, `2026-11`.
    public var label: String
    /// Its days, cut to the period.
    public var days: Period
    /// All messages.
    public var messages = 0
    /// DKIM or SPF aligned.
    public var passed = 0
    /// What was forwarded or went through a list; nil: there are no verdicts yet.
    public var forwarded: Rate?
    /// Counted reports whose day lies in the bucket.
    public var reports = 0
    /// Pairs of policy domain and source with messages.
    public var sources = 0
    /// Pairs of policy domain and source whose first day, ever, lies in the bucket.
    public var newSources = 0

    /// Messages that did not pass.
    public var failed: Int { messages - passed }
    /// Passed by messages, 0…1.
    public var passRate: Double? { Rate(messages: messages, passed: passed).value }
    /// The same over what was neither forwarded nor went through a list.
    public var passRateWithoutForwarding: Double? { Rate(messages: messages, passed: passed).without(forwarded) }
}

/// The answer to "is it getting better".
public struct Trend: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// Every bucket of the period, also the empty ones.
    public var rows: [TrendRow]

    /// Question: the sources by day. Unit: one row a day with messages. Index: primary key of `daily_sources`, one contiguous range.
    package static let sourcesSQL = """
        SELECT day, ipv4, ipv6
        FROM daily_sources
        WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3
        ORDER BY day
        """

    /// Question: how many sources were seen for the first time, by day. Unit: one row a day. Index: `sources_first_day`, covering.
    static let newSourcesSQL = """
        SELECT first_day, count(*)
        FROM sources
        WHERE domain_id = ?1 AND first_day BETWEEN ?2 AND ?3
        GROUP BY first_day
        """

    /// Question: on which day a source first sent for a domain. Unit: one row. Index: primary key of `sources`.
    static let firstDaySQL = "SELECT first_day FROM sources WHERE domain_id = ?1 AND source = ?2"

    /// Asks `store`. Without `withTotals` the coverage does not count reports of which only an outer day lies in the period.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, by size: BucketSize, withTotals: Bool = true
    ) throws(StoreError) -> Trend {
        try reading(store, "trend") { db in
            let scope = try Scope(db, filter)
            guard let period = scope.period else { return Trend(coverage: scope.coverage(messages: 0, reports: 0), rows: []) }
            let buckets = size.buckets(of: period)
            var rows = buckets.map { TrendRow(label: size.label(of: $0.since), days: $0) }
            let places = Places(buckets, period)
            var reports = 0
            let hasVerdicts = try scope.hasVerdicts(db)
            if hasVerdicts { for place in rows.indices { rows[place].forwarded = Rate() } }
            for domain in scope.domains {
                if hasVerdicts {
                    try scope.forEachForwarded(db, of: domain) { day, rate in
                        let place = places[day]
                        rows[place].forwarded = rows[place].forwarded.map { $0 + rate }
                    }
                }
                try scope.forEachDailyFigure(db, of: domain) { figure in
                    let place = places[figure.day]
                    rows[place].messages += figure.messages
                    rows[place].passed += figure.passed ? figure.messages : 0
                }
                try scope.forEachCountedReport(db, of: domain, middleInside: !withTotals) { _, day in
                    reports += 1
                    if period.contains(day) { rows[places[day]].reports += 1 }
                }
                try addSources(db, scope, of: domain, in: period, places, &rows)
            }
            let messages = rows.reduce(0) { $0 + $1.messages }
            return Trend(coverage: scope.coverage(messages: messages, reports: reports), rows: rows)
        }
    }

    /// The bucket of each day of the period.
    private struct Places {
        private let first: Int
        private var places: [Int32]

        init(_ buckets: [Period], _ period: Period) {
            first = period.since.number
            places = []
            places.reserveCapacity(period.days)
            for (place, bucket) in buckets.enumerated() {
                places.append(contentsOf: repeatElement(Int32(place), count: bucket.days))
            }
        }

        subscript(_ day: Day) -> Int { Int(places[day.number - first]) }
    }

    /// Counts distinct sources in each bucket in one pass: days come in their order, so it is enough to remember for each source the bucket
    /// that it was last seen in.
    private struct SourceCounter {
        var table = SourceTable()
        private var lastSeen: [Int32] = []

        mutating func note(_ address: IPAddress, in place: Int, _ rows: inout [TrendRow]) {
            let number = table.number(of: address)
            if number == lastSeen.count { lastSeen.append(-1) }
            guard lastSeen[number] != Int32(place) else { return }
            lastSeen[number] = Int32(place)
            rows[place].sources += 1
        }
    }

    private static func addSources(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ places: Places, _ rows: inout [TrendRow]
    ) throws {
        guard scope.reports == nil else { return try addSourcesOfReports(db, scope, of: domain, in: period, places, &rows) }
        let arguments = [SQLValue.integer(domain.id), .integer(period.since.number), .integer(period.until.number)]
        var counter = SourceCounter()
        let days = try SQLRows(db, sourcesSQL, arguments)
        while try days.next() {
            let place = places[Day(days.int(0))]
            try days.forEachAddress(1, width: 4) { counter.note($0, in: place, &rows) }
            try days.forEachAddress(2, width: 16) { counter.note($0, in: place, &rows) }
        }
        let new = try SQLRows(db, newSourcesSQL, arguments)
        while try new.next() { rows[places[Day(new.int(0))]].newSources += new.int(1) }
    }

    /// As `addSources`, from the records. New are those of the sources that nobody reported before.
    private static func addSourcesOfReports(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ places: Places, _ rows: inout [TrendRow]
    ) throws {
        var seen = SourceGroups()
        try RecordScan(db, scope).forEach(of: domain.id) { record, day in
            let place = places[Day(day)]
            let before = seen.count
            if seen.number(of: record.source, place) == before { rows[place].sources += 1 }
        }
        for address in seen.addresses {
            let first = try SQLRows(db, firstDaySQL, [.integer(domain.id), .address(address)])
            guard try first.next() else { continue }
            let day = Day(first.int(0))
            if period.contains(day) { rows[places[day]].newSources += 1 }
        }
    }
}
