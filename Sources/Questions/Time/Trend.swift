import DMARC
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

    /// Asks `store`. Without `withTotals` the coverage does not count reports of which only an outer day lies in the period.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, by size: BucketSize, withTotals: Bool = true
    ) throws(StoreError) -> Trend {
        try reading(store, "trend") { facts in
            let scope = try Scope(facts, filter)
            guard let period = scope.period else { return Trend(coverage: scope.coverage(messages: 0, reports: 0), rows: []) }
            let buckets = size.buckets(of: period)
            var rows = buckets.map { TrendRow(label: size.label(of: $0.since), days: $0) }
            let places = Places(buckets, period)
            var reports = 0
            let hasVerdicts = try scope.hasVerdicts(facts)
            if hasVerdicts { for place in rows.indices { rows[place].forwarded = Rate() } }
            for domain in scope.domains {
                if hasVerdicts {
                    try scope.forEachForwarded(facts, of: domain) { day, rate in
                        let place = places[day]
                        rows[place].forwarded = rows[place].forwarded.map { $0 + rate }
                    }
                }
                try scope.forEachDailyFigure(facts, of: domain) { figure in
                    let place = places[figure.day]
                    rows[place].messages += figure.messages
                    rows[place].passed += figure.passed ? figure.messages : 0
                }
                try scope.forEachCountedReport(facts, of: domain, middleInside: !withTotals) { _, day in
                    reports += 1
                    if period.contains(day) { rows[places[day]].reports += 1 }
                }
                try addSources(facts, scope, of: domain, in: period, places, &rows)
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
        _ facts: Facts, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ places: Places, _ rows: inout [TrendRow]
    ) throws {
        guard scope.reports == nil else { return try addSourcesOfReports(facts, scope, of: domain, in: period, places, &rows) }
        var counter = SourceCounter()
        try facts.forEachSourceDay(of: domain, in: period) { source, day in counter.note(source, in: places[day], &rows) }
        try facts.forEachNewSourceCount(of: domain, in: period) { day, count in rows[places[day]].newSources += count }
    }

    /// As `addSources`, from the records. New are those of the sources that nobody reported before.
    private static func addSourcesOfReports(
        _ facts: Facts, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ places: Places, _ rows: inout [TrendRow]
    ) throws {
        var seen = SourceGroups()
        try RecordScan(facts, scope).forEach(of: domain.id) { record, day in
            let place = places[Day(day)]
            let before = seen.count
            if seen.number(of: record.source, place) == before { rows[place].sources += 1 }
        }
        for address in seen.addresses {
            guard let day = try facts.life(of: address, for: domain)?.firstDay, period.contains(day) else { continue }
            rows[places[day]].newSources += 1
        }
    }
}
