import DMARC
import Organisations
import Store

/// A source that passes a domain's mail on. Figures in messages unless said otherwise.
public struct ForwardingRow: Hashable, Sendable {
    /// The connecting address.
    public var source: IPAddress
    /// The policy domain, canonical.
    public var domain: String
    /// Messages of this source in this domain's name that were forwarded or went through a list, in the period.
    public var messages: Int
    /// Those of them without aligned SPF.
    public var spfFailed: Int
    /// Those without aligned SPF that passed by their signature.
    public var dkimSurvived: Int
    /// Those that did not pass.
    public var failed: Int
    /// The domain that SPF was checked for, in the results that most messages share; nil if they name none.
    public var spfDomain: String?
    /// What came of it; nil if it was not checked.
    public var spfResult: AuthenticationResult?
    /// The domain's own selector in the signatures of most messages; of equals the first in the alphabet. Nil if there is none.
    public var selector: String?
    /// Where a signature with this selector is usually seen: the policy domain itself, if beside its own SPF, else the organisation whose SPF
    /// passes there. Nil if it is seen nowhere.
    public var home: String?
    /// The well-known service that the domain of SPF or of a signature belongs to.
    public var service: Service?
    /// `forwarded` or `mailing-list`: that of most messages, of equals `forwarded`.
    public var verdict: Verdict
    /// How sure these verdicts are, and why.
    public var conclusion: Conclusion
    /// Distinct reporters.
    public var reporters: Int
    /// First day with such messages in the period.
    public var firstDay: Day
    /// Last day with such messages in the period.
    public var lastDay: Day
}

/// The answer to "which failures of SPF are only forwarding".
public struct Forwarding: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// Most messages without aligned SPF first, then most messages, then by the text of the address and by domain.
    public var rows: [ForwardingRow]
    /// Rows, also those beyond the limit.
    public var count: Int
    /// Messages without aligned SPF that forwarding explains, of all rows.
    public var explained: Int
    /// All messages without aligned SPF.
    public var spfFailed: Int

    /// Asks `store` for the first `limit` rows; nil: all. Without `withTotals` the coverage says nothing of messages and reports, and
    /// `spfFailed` is 0.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> Forwarding {
        try readingShared(store, "forwarding") { facts, shared in
            let scope = try Scope(facts, filter)
            guard scope.period != nil else {
                return Forwarding(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0, explained: 0, spfFailed: 0)
            }
            let parts = try shared.split(scope.domains, facts) { facts, next in
                var part = (ranking: SourceRanking<Score>(limit: limit), explained: 0)
                let scan = try RecordScan(facts, scope)
                while let domain = next() {
                    let (groups, scores) = try scores(scan, of: domain)
                    part.ranking.add(domain, groups, scores)
                    part.explained += scores.reduce(0) { $0 + $1.spfFailed }
                }
                return part
            }
            let rows = try rows(facts, shared, scope, of: SourceRanking.leading(parts.map(\.ranking), limit: limit))
            var spfFailed = 0
            if withTotals {
                for domain in scope.domains {
                    try scope.forEachDailyFigure(facts, of: domain) { spfFailed += $0.spf ? 0 : $0.messages }
                }
            }
            let coverage = withTotals ? try scope.totals(facts) : scope.coverage(messages: 0, reports: 0)
            return Forwarding(
                coverage: coverage, rows: rows, count: parts.reduce(0) { $0 + $1.ranking.count },
                explained: parts.reduce(0) { $0 + $1.explained }, spfFailed: spfFailed)
        }
    }

    private struct Score: Comparable {
        var spfFailed = 0
        var messages = 0

        static func < (a: Score, b: Score) -> Bool { (a.spfFailed, a.messages) < (b.spfFailed, b.messages) }
    }

    private static func isPassedOn(_ record: PackedRecord) -> Bool {
        record.verdict == Verdict.forwarded.stored || record.verdict == Verdict.mailingList.stored
    }

    private static func scores(_ scan: RecordScan, of domain: PolicyDomain) throws -> (SourceGroups, [Score]) {
        var groups = SourceGroups()
        var scores: [Score] = []
        try scan.forEach(of: domain.id) { record, _ in
            guard isPassedOn(record) else { return }
            let group = groups.number(of: record.source, 0)
            if group == scores.count { scores.append(Score()) }
            scores[group].messages += record.messages
            if !record.spf { scores[group].spfFailed += record.messages }
        }
        return (groups, scores)
    }

    /// What the rows that are shown need beside the sums.
    private struct Tools {
        var authentications: AuthenticationLookup
        let facts: Facts
        var flows: FlowLookup
        let book: NameBook
        var organisations: NameLookup
        var knownHomes: [Place: String?] = [:]

        struct Place: Hashable {
            var selector: KeyedSignature
            var policy: Int
        }

        init(_ facts: Facts) throws {
            book = NameBook(facts)
            organisations = NameLookup(facts)
            authentications = AuthenticationLookup(facts)
            self.facts = facts
            flows = try FlowLookup(facts)
        }
    }

    private static func rows(
        _ facts: Facts, _ shared: SharedReading, _ scope: Scope, of leading: [RankedSource<Score>]
    ) throws -> [ForwardingRow] {
        let details = try RankedSource.details(
            of: leading, facts, shared, scope, initial: RowFacts(), tools: ReporterLookup.init, key: { _ in 0 }
        ) { facts, record, day, _, reporterOf in
            if isPassedOn(record) { try facts.add(record, day, &reporterOf) }
        }
        var tools = try Tools(facts)
        return try zip(leading, details).compactMap { try row($0, $1, &tools) }
    }

    private static func row(_ row: RankedSource<Score>, _ facts: RowFacts, _ tools: inout Tools) throws -> ForwardingRow? {
        guard let days = facts.figures.days else { return nil }
        let (domain, figures, flows) = (row.domain, facts.figures, facts.flows)
        let forwarded = flows.reduce(0) { $0 + ($1.verdict == Verdict.forwarded.stored ? $1.messages : 0) }
        let set = try facts.usualResults(&tools.authentications).map { try tools.authentications.set($0) } ?? AuthenticationSet()
        let selector = try usualSelector(flows, domain, &tools)
        let home = try selector.flatMap { try Self.home(of: $0, domain, &tools) }
        let view = ResultView(set, for: domain.name, tools.book)
        return ForwardingRow(
            source: row.source, domain: domain.name, messages: figures.messages, spfFailed: figures.messages - figures.spfAligned,
            // What did not fail passed by SPF or by its signature.
            dkimSurvived: figures.messages - figures.failed - figures.spfAligned, failed: figures.failed, spfDomain: view.check?.domain,
            spfResult: view.check?.result, selector: selector?.selectorName, home: home, service: view.service,
            verdict: forwarded * 2 >= figures.messages ? .forwarded : .mailingList,
            conclusion: try tools.flows.conclusion(row.source, domain, flows), reporters: facts.reporters.count,
            firstDay: days.lowerBound, lastDay: days.upperBound)
    }

    /// The own selector of most messages. Of several signatures in a message the first that verified counts, else the first.
    private static func usualSelector(_ flows: [PeriodFlow], _ domain: PolicyDomain, _ tools: inout Tools) throws -> KeyedSignature? {
        var messages: [KeyedSignature: Int] = [:]
        for flow in flows {
            let own = try tools.facts.signatures(ofSet: flow.authentication).filter {
                tools.book.isOwn($0.signature.domainName, of: domain.name)
            }
            guard let found = own.first(where: \.hasPassed) ?? own.first else { continue }
            messages[found.signature, default: 0] += flow.messages
        }
        // Of equals in the order of the alphabet: keys depend on the order of arrival.
        func text(_ signature: KeyedSignature) -> String { (signature.selectorName ?? "") + "\u{0}" + signature.domainName }
        return messages.max { ($0.value, text($1.key)) < ($1.value, text($0.key)) }?.key
    }

    private static func home(of selector: KeyedSignature, _ domain: PolicyDomain, _ tools: inout Tools) throws -> String? {
        let place = Tools.Place(selector: selector, policy: domain.id)
        if let home = tools.knownHomes[place] { return home }
        // Relays stand there in their thousands: names are looked up only for those that come first.
        var best: [Int] = []
        var most = Int.min
        try tools.facts.forEachHome(of: selector, policy: domain.id) { beside, messages in
            guard messages >= most else { return }
            if messages > most { best.removeAll() }
            most = messages
            best.append(beside)
        }
        let home = try best.map { $0 == 0 ? domain.name : try tools.organisations.name($0) ?? "" }.min()
        tools.knownHomes[place] = .some(home)
        return home
    }
}
