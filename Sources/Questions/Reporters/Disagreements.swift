import DMARC
import Store

/// A record whose verdict on alignment is not the one that its raw results give.
public struct Disagreement: Hashable, Sendable {
    /// Number of its report in the database, for `show`.
    public var report: Int
    /// Place in the report, from 0.
    public var record: Int
    /// Who sent the report.
    public var reporter: String
    /// The policy domain, canonical.
    public var domain: String
    /// First of the record's days in the period.
    public var day: Day
    /// The connecting address.
    public var source: IPAddress
    /// The domain in From, canonical.
    public var headerFrom: String
    /// Messages of the record in the period.
    public var messages: Int
    /// What the reporter says.
    public var said: Alignment
    /// What the raw results give under the published alignment modes.
    public var recomputed: Alignment
}

/// The answer to "where does a reporter's verdict not follow from its own results".
public struct Disagreements: Sendable {
    /// What it is about. Its figures are those of the records that disagree, and of their reports.
    public var coverage: Coverage
    /// By day, domain, report and place in the report.
    public var rows: [Disagreement]

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> Disagreements {
        try readingShared(store, "reporters") { facts, shared in
            let scope = try Scope(facts, filter)
            guard let period = scope.period else { return Disagreements(coverage: scope.coverage(messages: 0, reports: 0), rows: []) }
            var found = try shared.split(scope.domains, facts) { facts, next -> [Disagreement] in
                var alignments = try RecomputedAlignments(facts, try .ofVerdicts(facts))
                var found: [Disagreement] = []
                while let domain = next() { found += try rows(facts, scope, of: domain, in: period, &alignments) }
                return found
            }.flatMap(\.self)
            found.sort { a, b in (a.day, a.domain, a.report, a.record) < (b.day, b.domain, b.report, b.record) }
            let coverage = scope.coverage(messages: found.reduce(0) { $0 + $1.messages }, reports: Set(found.map(\.report)).count)
            return Disagreements(coverage: coverage, rows: found)
        }
    }

    private static func rows(
        _ facts: Facts, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ alignments: inout RecomputedAlignments
    ) throws -> [Disagreement] {
        let reports = try KnownReports(facts, of: domain, in: period, scope)
        var places: Set<Place> = []
        try RecordScan(facts, scope).forEach(of: domain.id, withEmpty: true) { record, day in
            guard let report = reports[record.report] else { return }
            let set = try alignments.place(record.authentication)
            let recomputed = try alignments.alignment(set, headerFrom: record.headerFrom, report.modes)
            if Alignment(dkim: record.dkim, spf: record.spf) != recomputed {
                places.insert(Place(day: day, report: record.report, countedAs: record.aligned == 0 ? 1 : 0))
            }
        }
        guard !places.isEmpty else { return [] }
        var names = NameLookup(facts)
        let reporters = try facts.reporterNames()
        // Only the rows themselves say which of a report's records it is; one of a long window has a row for each of its days and stands here once.
        var found: [[Int]: Disagreement] = [:]
        for place in places.sorted(by: { $0.day < $1.day }) {
            guard let report = reports[place.report] else { continue }
            try facts.forEachRecord(ofReport: place.report, of: domain, countedAs: place.countedAs, on: Day(place.day)) { record in
                let said = Alignment(dkim: record.dkim, spf: record.spf)
                let recomputed = try alignments.alignment(
                    try alignments.place(record.authentication), headerFrom: record.headerFrom, report.modes)
                guard said != recomputed else { return }
                let first = Disagreement(
                    report: place.report, record: record.sequence, reporter: reporters[report.reporter] ?? "", domain: domain.name,
                    day: Day(place.day), source: record.source, headerFrom: try names.name(record.headerFrom) ?? "", messages: 0,
                    said: said, recomputed: recomputed)
                found[[place.report, record.sequence], default: first].messages += record.messages
            }
        }
        return Array(found.values)
    }

    private struct Place: Hashable {
        var day: Int
        var report: Int
        var countedAs: Int
    }
}
