import DMARC
import GRDB
import ReportStore

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
    /// Rows, also those beyond the limit. Nil: not counted, for new sources of several domains.
    public var count: Int?

    /// Question: messages by source and verdict. Unit: one row a record and day. Index: primary key of `records`, one contiguous range.
    static let sumsSQL = """
        SELECT source, messages, verdict, report_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Question: what the leading sources look like. Unit: one row a record and day. Index: as `sumsSQL`.
    static let detailsSQL = """
        SELECT source, verdict, messages, report_id, day, disposition, dkim, spf, authentication_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Question: the sources of a domain that it first saw in the period. Unit: one row a source. Index: `sources_first_day`, covering.
    static let newSQL = """
        SELECT source
        FROM sources
        WHERE domain_id = ?1 AND first_day BETWEEN ?2 AND ?3
        """

    /// What is asked for beside the filter.
    public struct Choice: Hashable, Sendable {
        /// Only rows with one of these verdicts; empty: all.
        public var verdicts: Set<Verdict>
        /// Only sources that no policy domain of the filter saw before the period.
        public var isNew: Bool

        /// Everything unless said otherwise.
        public init(verdicts: Set<Verdict> = [], isNew: Bool = false) {
            self.verdicts = verdicts
            self.isNew = isNew
        }
    }

    /// Asks `store` for the first `limit` rows; nil: all. Without `withTotals` the coverage says nothing of messages and reports.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, _ choice: Choice = Choice(), limit: Int?, withTotals: Bool = true
    ) throws(AnalysisError) -> SourceList {
        try reading(store, "sources") { db in
            let scope = try Scope(db, filter)
            guard let period = scope.period else {
                return SourceList(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0)
            }
            var candidates: [Candidate] = []
            // Whether a source is new to all domains is found out last, and only for those that could be shown.
            let isOpen = choice.isNew && scope.domains.count > 1
            var highest = Highest<Score>(isOpen ? nil : limit)
            var count = 0
            for (index, domain) in scope.domains.enumerated() {
                let new = choice.isNew ? try newSources(db, of: domain, in: period) : nil
                let (groups, scores) = try sums(db, scope, of: domain, in: period)
                for (group, score) in scores.enumerated() {
                    let verdict = Verdict(stored: groups.key(of: group))
                    guard choice.verdicts.isEmpty || choice.verdicts.contains(verdict) else { continue }
                    if let new, new.find(groups.source(of: group)) == nil { continue }
                    count += 1
                    guard highest.admits(score) else { continue }
                    candidates.append(Candidate(domain: index, source: groups.source(of: group), verdict: verdict, score: score))
                }
            }
            candidates.removeAll { !highest.keeps($0.score) }
            var earlier = try EarlierSources(db, scope, period)
            let leading = try leading(candidates, of: scope, limit: limit) { isOpen ? try !earlier.contains($0.source) : true }
            let rows = try details(db, scope, of: leading, in: period)
            let coverage = withTotals ? try scope.totals(db) : scope.coverage(messages: 0, reports: 0)
            return SourceList(coverage: coverage, rows: rows, count: isOpen ? (limit == nil ? rows.count : nil) : count)
        }
    }

    private struct Score: Comparable {
        var failed = 0
        var messages = 0

        static func < (a: Score, b: Score) -> Bool { a.failed != b.failed ? a.failed < b.failed : a.messages < b.messages }
    }

    private struct Candidate {
        let domain: Int
        let source: IPAddress
        let verdict: Verdict
        let score: Score
    }

    /// First pass: two sums a source and verdict, because most rows will not be shown.
    private static func sums(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period
    ) throws -> (SourceGroups, [Score]) {
        var groups = SourceGroups()
        var scores: [Score] = []
        let isFiltered = scope.reports != nil
        for countedAs in 0...1 {
            let rows = try SQLRows(
                db, sumsSQL, [.integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)])
            while try rows.next() {
                let messages = rows.int(1)
                if messages == 0 || isFiltered && !scope.includes(report: rows.int(3)) { continue }
                let group = groups.number(of: try rows.address(0), rows.int(2))
                if group == scores.count { scores.append(Score()) }
                scores[group].messages += messages
                if countedAs == 1 { scores[group].failed += messages }
            }
        }
        return (groups, scores)
    }

    private static func newSources(_ db: Database, of domain: PolicyDomain, in period: Period) throws -> SourceTable {
        var new = SourceTable()
        let rows = try SQLRows(db, newSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() { _ = new.number(of: try rows.address(0)) }
        return new
    }

    /// Whether any domain saw a source before the period.
    private struct EarlierSources {
        private let db: Database
        private let scope: Scope
        private let period: Period
        private var known: [IPAddress: Bool] = [:]

        init(_ db: Database, _ scope: Scope, _ period: Period) throws {
            self.db = db
            self.scope = scope
            self.period = period
        }

        mutating func contains(_ source: IPAddress) throws -> Bool {
            if let answer = known[source] { return answer }
            let answer = try scope.domains.contains { domain in
                let row = try SQLRows(db, Trend.firstDaySQL, [.integer(domain.id), .address(source)])
                return try row.next() && Day(row.int(0)) < period.since
            }
            known[source] = answer
            return answer
        }
    }

    /// The ranking. Texts are made only of those that can still be among the first.
    private static func leading(
        _ candidates: [Candidate], of scope: Scope, limit: Int?, where isWanted: (Candidate) throws -> Bool
    ) throws -> [Candidate] {
        let ranked = candidates.sorted { $0.score > $1.score }
        var chosen: [Candidate] = []
        var start = 0
        while start < ranked.count, chosen.count < limit ?? .max {
            let equal = ranked[start...].prefix { $0.score == ranked[start].score }
            start = equal.endIndex
            let named = equal.map { (candidate: $0, text: $0.source.description) }
            let sorted = named.sorted { a, b in
                if a.text != b.text { return a.text < b.text }
                let domains = (scope.domains[a.candidate.domain].name, scope.domains[b.candidate.domain].name)
                if domains.0 != domains.1 { return domains.0 < domains.1 }
                return a.candidate.verdict.stored < b.candidate.verdict.stored
            }
            for (candidate, _) in sorted where chosen.count < limit ?? .max {
                if try isWanted(candidate) { chosen.append(candidate) }
            }
        }
        return chosen
    }

    /// Second pass, over the domains of the leading rows only.
    private static func details(_ db: Database, _ scope: Scope, of leading: [Candidate], in period: Period) throws -> [SourceRow] {
        var rows = [SourceRow?](repeating: nil, count: leading.count)
        var authentications = AuthenticationLookup(db)
        var reporterOf = try ReporterLookup(db)
        let flows = try FlowLookup(db)
        var names = ForeignNames()
        for (index, places) in Dictionary(grouping: leading.indices, by: { leading[$0].domain }) {
            let domain = scope.domains[index]
            var groups = SourceGroups()
            for place in places { _ = groups.number(of: leading[place].source, leading[place].verdict.stored) }
            var sums = [RowSums](repeating: RowSums(), count: places.count)
            let hasFailures = places.contains { leading[$0].score.failed > 0 }
            let hasPasses = places.contains { leading[$0].score.failed < leading[$0].score.messages }
            for (countedAs, isNeeded) in [(0, hasPasses), (1, hasFailures)] where isNeeded {
                try addDetails(db, scope, of: domain, countedAs, in: period, groups, &sums, &reporterOf)
            }
            for (number, place) in places.enumerated() {
                let (candidate, sum) = (leading[place], sums[number])
                let set = try sum.usualResults.map { try authentications.set($0) } ?? AuthenticationSet()
                let (spfDomain, dkimDomain) = (set.spf.first?.domain, set.bestSignature?.domain)
                rows[place] = SourceRow(
                    source: candidate.source, domain: domain.name, messages: sum.messages, failed: sum.failed, verdict: candidate.verdict,
                    conclusion: try flows.conclusion(candidate.source, domain, sum.shares), spfDomain: spfDomain, dkimDomain: dkimDomain,
                    service: names.service(of: [spfDomain, dkimDomain], for: domain.name), reporters: sum.reporters.count,
                    firstDay: Day(sum.firstDay), lastDay: Day(sum.lastDay), delivered: sum.delivered, quarantined: sum.quarantined,
                    rejected: sum.rejected, spfPassed: sum.spfPassed, dkimPassed: sum.dkimPassed)
            }
        }
        return rows.compactMap(\.self)
    }

    private static func addDetails(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, _ countedAs: Int, in period: Period, _ groups: SourceGroups,
        _ sums: inout [RowSums], _ reporterOf: inout ReporterLookup
    ) throws {
        let rows = try SQLRows(
            db, detailsSQL, [.integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            guard let group = groups.find(try rows.address(0), rows.int(1)) else { continue }
            let (messages, report) = (rows.int(2), rows.int(3))
            guard messages > 0, scope.includes(report: report) else { continue }
            try sums[group].add(
                RecordSums(
                    messages: messages, report: report, day: rows.int(4), disposition: AppliedDisposition(stored: rows.int(5)),
                    dkim: rows.int(6) == 1, spf: rows.int(7) == 1, authentication: rows.int(8)),
                &reporterOf)
        }
    }
}
