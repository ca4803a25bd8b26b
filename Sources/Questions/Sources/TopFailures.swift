import Advice
import DMARC
import Organisations
import Store

/// A source that fails for a policy domain. Figures in messages unless said otherwise.
public struct FailureRow: Hashable, Sendable {
    /// Place in the ranking, from 1.
    public var rank: Int
    /// The connecting address.
    public var source: IPAddress
    /// The policy domain, canonical.
    public var domain: String
    /// All messages of this source in this domain's name in the period.
    public var messages: Int
    /// Those of them with neither DKIM nor SPF aligned.
    public var failed: Int
    /// That of most failed messages; of equals the one with the lower number.
    public var verdict: Verdict
    /// How sure that is, and why.
    public var conclusion: Conclusion
    /// The domain that SPF was checked for, in the results that most failed messages share; nil if they name none.
    public var spfDomain: String?
    /// The signing domain in the same results: that of the first signature that verified, else of the first one.
    public var dkimDomain: String?
    /// The well-known service that one of these names belongs to.
    public var service: Service?
    /// Distinct reporters of the failed messages.
    public var reporters: Int
    /// First day with failed messages in the period.
    public var firstDay: Day
    /// Last day with failed messages in the period.
    public var lastDay: Day
    /// Failed messages with disposition `none` or `pass`.
    public var delivered: Int
    /// Failed messages with disposition `quarantine`.
    public var quarantined: Int
    /// Failed messages with disposition `reject`.
    public var rejected: Int

    /// Which finding of `advise` fits.
    public var advice: String {
        Advice.code(verdict: verdict, notes: conclusion.notes, service: service?.kind, delivered: delivered)
    }
}

/// The answer to "which sources fail DMARC most".
public struct TopFailures: Sendable {
    /// What it is about. Its figures are those of all messages, failed or not.
    public var coverage: Coverage
    /// Most failed messages first, then by the text of the address, then by domain.
    public var rows: [FailureRow]
    /// Pairs of domain and source with failed messages, also those beyond the limit.
    public var failingSources: Int
    /// Failed messages of all of them.
    public var failed: Int

    /// Asks `store` for the first `limit` rows; nil: all. Without `withTotals` the coverage says nothing of messages and reports, and takes
    /// no time to find out.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> TopFailures {
        try readingShared(store, "top-failures") { facts, shared in
            let scope = try Scope(facts, filter)
            guard scope.period != nil else {
                return TopFailures(coverage: scope.coverage(messages: 0, reports: 0), rows: [], failingSources: 0, failed: 0)
            }
            let parts = try shared.split(scope.domains, facts) { facts, next in
                var part = (ranking: SourceRanking<Int>(limit: limit), failed: 0)
                let scan = try RecordScan(facts, scope)
                while let domain = next() {
                    let (groups, failed) = try failures(scan, of: domain)
                    part.ranking.add(domain, groups, failed)
                    part.failed += failed.reduce(0, +)
                }
                return part
            }
            let leading = SourceRanking.leading(parts.map(\.ranking), limit: limit)
            let rows = try rows(facts, shared, scope, of: leading)
            let coverage = withTotals ? try scope.totals(facts) : scope.coverage(messages: 0, reports: 0)
            return TopFailures(
                coverage: coverage, rows: rows, failingSources: parts.reduce(0) { $0 + $1.ranking.count },
                failed: parts.reduce(0) { $0 + $1.failed })
        }
    }

    private static func failures(_ scan: RecordScan, of domain: PolicyDomain) throws -> (SourceGroups, [Int]) {
        var groups = SourceGroups()
        var failed: [Int] = []
        try scan.forEach(of: domain.id, .failed) { record, _ in
            let group = groups.number(of: record.source, 0)
            if group == failed.count { failed.append(0) }
            failed[group] += record.messages
        }
        return (groups, failed)
    }

    private static func rows(
        _ facts: Facts, _ shared: SharedReading, _ scope: Scope, of leading: [RankedSource<Int>]
    ) throws -> [FailureRow] {
        let details = try RankedSource.details(
            of: leading, facts, shared, scope, initial: (passed: 0, failed: RowFacts()), tools: ReporterLookup.init, key: { _ in 0 }
        ) { detail, record, day, _, reporterOf in
            if record.aligned != 0 { detail.passed += record.messages } else { try detail.failed.add(record, day, &reporterOf) }
        }
        var authentications = AuthenticationLookup(facts)
        var flows = try FlowLookup(facts)
        let book = NameBook(facts)
        var rows: [FailureRow] = []
        for (row, (passed, failed)) in zip(leading, details) {
            guard let days = failed.figures.days else { continue }
            let set = try failed.usualResults(&authentications).map { try authentications.set($0) } ?? AuthenticationSet()
            let view = ResultView(set, for: row.domain.name, book)
            let verdict = failed.usualVerdict
            rows.append(
                FailureRow(
                    rank: rows.count + 1, source: row.source, domain: row.domain.name, messages: row.score + passed, failed: row.score,
                    verdict: verdict, conclusion: try flows.conclusion(row.source, row.domain, failed.flows(with: verdict)),
                    spfDomain: view.check?.domain, dkimDomain: view.signature?.domain, service: view.service,
                    reporters: failed.reporters.count, firstDay: days.lowerBound, lastDay: days.upperBound,
                    delivered: failed.figures.delivered, quarantined: failed.figures.quarantined, rejected: failed.figures.rejected))
        }
        return rows
    }
}
