import Advice
import DMARC
import Organisations
import Store

/// What a source sends for a policy domain, as far as it has one verdict. Figures in messages unless said otherwise.
public struct SourceRow: Hashable, Sendable {
    /// The connecting address.
    public var source: IPAddress
    /// The policy domain, canonical.
    public var domain: String
    /// All messages of this source in this domain's name with this verdict in the period.
    public var messages: Int
    /// Those of them with neither DKIM nor SPF aligned.
    public var failed: Int
    /// What they are.
    public var verdict: Verdict
    /// How sure that is, and why.
    public var conclusion: Conclusion
    /// The domain that SPF was checked for, in the results that most messages share; nil if they name none.
    public var spfDomain: String?
    /// The signing domain in the same results: that of the first signature that verified, else of the first one.
    public var dkimDomain: String?
    /// The well-known service that one of these names belongs to.
    public var service: Service?
    /// Distinct reporters.
    public var reporters: Int
    /// First day with messages in the period.
    public var firstDay: Day
    /// Last day with messages in the period.
    public var lastDay: Day
    /// Failed messages with disposition `none` or `pass`.
    public var delivered: Int
    /// Failed messages with disposition `quarantine`.
    public var quarantined: Int
    /// Failed messages with disposition `reject`.
    public var rejected: Int
    /// SPF aligned.
    public var spfPassed: Int
    /// DKIM aligned.
    public var dkimPassed: Int

    /// DKIM or SPF aligned.
    public var passed: Int { messages - failed }
    /// Which finding of `advise` fits.
    public var advice: String {
        Advice.code(verdict: verdict, notes: conclusion.notes, service: service?.kind, delivered: delivered)
    }
}

/// The answer to "who sends in my name".
public struct SourceList: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// Most failed messages first, then most messages, then by the text of the address, domain and number of the verdict.
    public var rows: [SourceRow]
    /// Rows, also those beyond the limit.
    public var count: Int

    /// What is asked for beside the filter.
    public struct Choice: Hashable, Sendable {
        /// Only rows with one of these verdicts; empty: all.
        public var verdicts: Set<Verdict>
        /// Only sources that the row's policy domain never saw before the period.
        public var isNew: Bool

        /// Everything unless said otherwise.
        public init(verdicts: Set<Verdict> = [], isNew: Bool = false) {
            self.verdicts = verdicts
            self.isNew = isNew
        }

        func includes(_ verdict: Int) -> Bool { verdicts.isEmpty || verdicts.contains(Verdict(stored: verdict)) }
    }

    /// Asks `store` for the first `limit` rows; nil: all. Without `withTotals` the coverage says nothing of messages and reports.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, _ choice: Choice = Choice(), limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> SourceList {
        try readingShared(store, "sources") { facts, shared in
            let scope = try Scope(facts, filter)
            guard let period = scope.period else {
                return SourceList(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0)
            }
            let parts = try shared.split(scope.domains, facts) { facts, next in
                var part = SourceRanking<Score>(limit: limit)
                let scan = try RecordScan(facts, scope)
                while let domain = next() {
                    let (groups, scores) = try scores(scan, of: domain)
                    let new = choice.isNew ? try newSources(facts, of: domain, in: period) : nil
                    part.add(domain, groups, scores) { group in
                        choice.includes(groups.key(of: group)) && (new == nil || new?.find(groups.source(of: group)) != nil)
                    }
                }
                return part
            }
            let rows = try rows(facts, shared, scope, of: SourceRanking.leading(parts, limit: limit))
            let coverage = withTotals ? try scope.totals(facts) : scope.coverage(messages: 0, reports: 0)
            return SourceList(coverage: coverage, rows: rows, count: parts.reduce(0) { $0 + $1.count })
        }
    }

    private struct Score: Comparable {
        var failed = 0
        var messages = 0

        static func < (a: Score, b: Score) -> Bool { a.failed != b.failed ? a.failed < b.failed : a.messages < b.messages }
    }

    /// By source and verdict.
    private static func scores(_ scan: RecordScan, of domain: PolicyDomain) throws -> (SourceGroups, [Score]) {
        var groups = SourceGroups()
        var scores: [Score] = []
        try scan.forEach(of: domain.id) { record, _ in
            let group = groups.number(of: record.source, record.verdict)
            if group == scores.count { scores.append(Score()) }
            scores[group].messages += record.messages
            if record.aligned == 0 { scores[group].failed += record.messages }
        }
        return (groups, scores)
    }

    private static func newSources(_ facts: Facts, of domain: PolicyDomain, in period: Period) throws -> SourceTable {
        var new = SourceTable()
        try facts.forEachNewSource(of: domain, in: period) { _ = new.number(of: $0) }
        return new
    }

    private static func rows(
        _ facts: Facts, _ shared: SharedReading, _ scope: Scope, of leading: [RankedSource<Score>]
    ) throws -> [SourceRow] {
        let details = try RankedSource.details(
            of: leading, facts, shared, scope, initial: RowFacts(), tools: ReporterLookup.init, key: \.verdict
        ) { detail, record, day, _, reporterOf in try detail.add(record, day, &reporterOf) }
        var authentications = AuthenticationLookup(facts)
        var flows = try FlowLookup(facts)
        let book = NameBook(facts)
        var rows: [SourceRow] = []
        for (row, facts) in zip(leading, details) {
            guard let days = facts.figures.days else { continue }
            let figures = facts.figures
            let set = try facts.usualResults(&authentications).map { try authentications.set($0) } ?? AuthenticationSet()
            let view = ResultView(set, for: row.domain.name, book)
            rows.append(
                SourceRow(
                    source: row.source, domain: row.domain.name, messages: figures.messages, failed: figures.failed,
                    verdict: Verdict(stored: row.key), conclusion: try flows.conclusion(row.source, row.domain, facts.flows),
                    spfDomain: view.check?.domain, dkimDomain: view.signature?.domain, service: view.service,
                    reporters: facts.reporters.count, firstDay: days.lowerBound, lastDay: days.upperBound,
                    delivered: figures.delivered, quarantined: figures.quarantined, rejected: figures.rejected,
                    spfPassed: figures.spfAligned, dkimPassed: figures.dkimAligned))
        }
        return rows
    }
}
