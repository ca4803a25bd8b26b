import Advice
import DMARC
import Organisations
import Store

/// How a stranger proved who it is.
public enum ForeignProof: String, CaseIterable, Hashable, Sendable {
    /// SPF passed for its domain.
    case spf
    /// A signature of its domain verified.
    case dkim
    case both
}

/// A source that authenticates as somebody else while it uses a domain in From. Figures in messages unless said otherwise.
public struct UnalignedRow: Hashable, Sendable {
    /// The connecting address.
    public var source: IPAddress
    /// The policy domain, canonical.
    public var domain: String
    /// The domain in From, canonical.
    public var headerFrom: String
    /// All messages of this source with this domain in From in the period.
    public var messages: Int
    /// Those of them that the row is about: they fail, and authenticate as somebody else.
    public var failed: Int
    /// The other domain, in the results that most of these messages share: that of SPF, else that of the signature.
    public var authenticatedAs: String
    /// How, in the same results.
    public var proof: ForeignProof
    /// The well-known service that the domain of SPF or of the signature belongs to.
    public var service: Service?
    /// That of most of these messages; of equals the one with the lower number.
    public var verdict: Verdict
    /// How sure that is, and why.
    public var conclusion: Conclusion
    /// Distinct reporters of these messages.
    public var reporters: Int
    /// First day with such messages in the period.
    public var firstDay: Day
    /// Last day with such messages in the period.
    public var lastDay: Day
    /// Such messages with disposition `none` or `pass`.
    public var delivered: Int
    /// Such messages with disposition `quarantine`.
    public var quarantined: Int
    /// Such messages with disposition `reject`.
    public var rejected: Int

    /// Which finding of `advise` fits.
    public var advice: String {
        Advice.code(verdict: verdict, notes: conclusion.notes, service: service?.kind, delivered: delivered)
    }
}

/// The answer to "who authenticates as somebody else while using my name".
public struct Unaligned: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// Most failed messages first, then by the text of the address, policy domain and domain in From.
    public var rows: [UnalignedRow]
    /// Rows, also those beyond the limit.
    public var count: Int

    /// Asks `store` for the first `limit` rows; nil: all. With `anyVerdict` not only what is held for `unaligned`.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, anyVerdict: Bool, limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> Unaligned {
        try readingShared(store, "unaligned") { facts, shared in
            let scope = try Scope(facts, filter)
            guard scope.period != nil else {
                return Unaligned(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0)
            }
            let verdicts = anyVerdict ? 0...Int(UInt8.max) : Verdict.unaligned.stored...Verdict.unaligned.stored
            let parts = try shared.split(scope.domains, facts) { facts, next in
                var part = SourceRanking<Int>(limit: limit)
                let scan = try RecordScan(facts, scope)
                var strangers = try Strangers(facts)
                while let domain = next() {
                    let (groups, failed) = try failures(scan, of: domain, verdicts, &strangers)
                    part.add(domain, groups, failed)
                }
                return part
            }
            let rows = try rows(facts, shared, scope, verdicts, of: leading(facts, parts, limit: limit))
            let coverage = withTotals ? try scope.totals(facts) : scope.coverage(messages: 0, reports: 0)
            return Unaligned(coverage: coverage, rows: rows, count: parts.reduce(0) { $0 + $1.count })
        }
    }

    /// As whom sets of results authenticate.
    private struct Strangers {
        private var results: KeyedResults
        /// The answers by the place of a set, with the name in From that they hold for: a set mostly comes with one only.
        private var known: [(from: Int, proof: Proof?)] = []

        init(_ facts: Facts) throws {
            results = try KeyedResults(facts, .ofVerdicts(facts))
        }

        /// As whom mail from `from` authenticates; nil if as nobody else.
        mutating func proof(from: Int, _ authentication: Int) throws -> Proof? {
            let place = try results.place(authentication)
            if place >= known.count {
                known.append(contentsOf: repeatElement((from: -1, proof: Proof?.none), count: results.count - known.count))
            }
            if known[place].from == from { return known[place].proof }
            let own = try results.organisation(of: from)
            var proof = Proof()
            let hasSender = results.hasSender(place)
            for result in results[place] where result.passed && result.domain != 0 && result.organisation != own {
                if result.isDKIM {
                    proof.dkim = proof.dkim ?? Int(result.domain)
                } else if SenderCheck.counts(isHELO: result.isHELO, hasSender: hasSender) {
                    proof.spf = proof.spf ?? Int(result.domain)
                }
            }
            let found = proof.spf == nil && proof.dkim == nil ? nil : proof
            known[place] = (from, found)
            return found
        }
    }

    /// The names of somebody else for which SPF and a signature passed.
    private struct Proof {
        var spf: Int?
        var dkim: Int?
    }

    /// By source and name in From.
    private static func failures(
        _ scan: RecordScan, of domain: PolicyDomain, _ verdicts: ClosedRange<Int>, _ strangers: inout Strangers
    ) throws -> (SourceGroups, [Int]) {
        var groups = SourceGroups()
        var failed: [Int] = []
        try scan.forEach(of: domain.id, .failed) { record, _ in
            guard verdicts.contains(record.verdict), try strangers.proof(from: record.headerFrom, record.authentication) != nil else {
                return
            }
            let group = groups.number(of: record.source, record.headerFrom)
            if group == failed.count { failed.append(0) }
            failed[group] += record.messages
        }
        return (groups, failed)
    }

    /// Keys of names depend on the order of arrival: of equal rows the names decide.
    private static func leading(_ facts: Facts, _ parts: [SourceRanking<Int>], limit: Int?) throws -> [RankedSource<Int>] {
        var lookup = NameLookup(facts)
        var names: [Int: String] = [:]
        for part in parts {
            for key in Set(part.candidates.map(\.key)) where names[key] == nil { names[key] = try lookup.name(key) ?? "" }
        }
        return SourceRanking.leading(parts, limit: limit) { (names[$0] ?? "") < (names[$1] ?? "") }
    }

    private static func rows(
        _ facts: Facts, _ shared: SharedReading, _ scope: Scope, _ verdicts: ClosedRange<Int>, of leading: [RankedSource<Int>]
    ) throws -> [UnalignedRow] {
        let details = try RankedSource.details(
            of: leading, facts, shared, scope, initial: (messages: 0, failed: RowFacts()),
            tools: { (reporterOf: try ReporterLookup($0), strangers: try Strangers($0)) }, key: \.headerFrom
        ) { detail, record, day, row, tools in
            detail.messages += record.messages
            guard record.aligned == 0, verdicts.contains(record.verdict),
                try tools.strangers.proof(from: row.key, record.authentication) != nil
            else { return }
            try detail.failed.add(record, day, &tools.reporterOf)
        }
        var strangers = try Strangers(facts)
        let book = NameBook(facts)
        var names = NameLookup(facts)
        var flows = try FlowLookup(facts)
        var authentications = AuthenticationLookup(facts)
        var rows: [UnalignedRow] = []
        for (row, (messages, failed)) in zip(leading, details) {
            guard let days = failed.figures.days else { continue }
            let verdict = failed.usualVerdict
            let results = try failed.usualResults(&authentications)
            let usual = try results.flatMap { try strangers.proof(from: row.key, $0) }
            let set = try results.map { try authentications.set($0) } ?? AuthenticationSet()
            let spf = try names.name(usual?.spf)
            let dkim = try names.name(usual?.dkim)
            let headerFrom = try names.name(row.key) ?? ""
            rows.append(
                UnalignedRow(
                    source: row.source, domain: row.domain.name, headerFrom: headerFrom, messages: messages,
                    failed: failed.figures.failed, authenticatedAs: spf ?? dkim ?? "",
                    proof: spf == nil ? .dkim : dkim == nil ? .spf : .both, service: ResultView(set, for: headerFrom, book).service,
                    verdict: verdict, conclusion: try flows.conclusion(row.source, row.domain, failed.flows(with: verdict)),
                    reporters: failed.reporters.count, firstDay: days.lowerBound, lastDay: days.upperBound,
                    delivered: failed.figures.delivered, quarantined: failed.figures.quarantined, rejected: failed.figures.rejected))
        }
        return rows
    }
}
