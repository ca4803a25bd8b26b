import Advice
import DMARC
import GRDB
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
    /// Rows, also those beyond the limit. Nil: not counted.
    public var count: Int?
    /// Rows with failed messages, also those beyond the limit. Nil: not counted.
    public var failing: Int?

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
        /// Only sources that the row's policy domain never saw before the period.
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
    ) throws(StoreError) -> SourceList {
        try reading(store, "sources") { db in
            let scope = try Scope(db, filter)
            guard let period = scope.period else {
                return SourceList(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0, failing: 0)
            }
            var sums = try scope.domains.map { try Sums(db, scope, of: $0, in: period) }
            let failing = sums.reduce(0) { $0 + $1.count(choice) }
            func isWanted(_ candidate: Candidate) throws -> Bool {
                guard choice.isNew else { return true }
                let first = try SQLRows(db, Trend.firstDaySQL, [.integer(scope.domains[candidate.domain].id), .address(candidate.source)])
                return try first.next() && Day(first.int(0)) >= period.since
            }
            var count: Int?
            // Where enough rows have failures, what passed need not be read to know which rows come first.
            var leading = try limit.flatMap { try shortlist(sums, choice, limit: $0, where: isWanted) }
            if leading == nil {
                for (index, domain) in scope.domains.enumerated() { try sums[index].add(db, scope, of: domain, 0, in: period) }
                leading = try ranked(db, scope, sums, choice, in: period, limit: limit, &count)
            }
            let rows = try details(db, scope, of: leading ?? [], in: period)
            let coverage = withTotals ? try scope.totals(db) : scope.coverage(messages: 0, reports: 0)
            return SourceList(
                coverage: coverage, rows: Array(rows.prefix(limit ?? .max)), count: count, failing: choice.isNew ? nil : failing)
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
    private struct Sums {
        private(set) var groups = SourceGroups()
        private(set) var scores: [Score] = []

        /// Those of the failed messages.
        init(_ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period) throws {
            try add(db, scope, of: domain, 1, in: period)
        }

        /// Adds what passed (0) or failed (1).
        mutating func add(_ db: Database, _ scope: Scope, of domain: PolicyDomain, _ countedAs: Int, in period: Period) throws {
            let isFiltered = scope.reports != nil
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

        /// Rows with a verdict that is asked for.
        func count(_ choice: Choice) -> Int { scores.indices.count { verdict($0, choice) != nil } }

        /// The verdict of a row, if it is asked for.
        func verdict(_ group: Int, _ choice: Choice) -> Verdict? {
            let verdict = Verdict(stored: groups.key(of: group))
            return choice.verdicts.isEmpty || choice.verdicts.contains(verdict) ? verdict : nil
        }
    }

    /// Tie groups of more rows than this are not worth a short cut.
    private static let mostEqual = 1000

    /// All rows that fail at least as much as the row in place `limit`; nil if there are fewer, or too many.
    private static func shortlist(
        _ sums: [Sums], _ choice: Choice, limit: Int, where isWanted: (Candidate) throws -> Bool
    ) throws -> [Candidate]? {
        guard limit <= mostEqual else { return nil }
        var highest = Highest<Int>(choice.isNew ? nil : limit)
        var candidates: [Candidate] = []
        for (index, sums) in sums.enumerated() {
            for (group, score) in sums.scores.enumerated() {
                guard let verdict = sums.verdict(group, choice), highest.admits(score.failed) else { continue }
                candidates.append(Candidate(domain: index, source: sums.groups.source(of: group), verdict: verdict, score: score))
            }
        }
        candidates.removeAll { !highest.keeps($0.score.failed) }
        candidates.sort { $0.score.failed > $1.score.failed }
        var chosen: [Candidate] = []
        var start = 0
        while start < candidates.count, chosen.count < limit {
            let equal = candidates[start...].prefix { $0.score.failed == candidates[start].score.failed }
            guard equal.count <= mostEqual else { return nil }
            start = equal.endIndex
            chosen += try equal.filter(isWanted)
        }
        return chosen.count < limit ? nil : chosen
    }

    /// The first `limit` rows, and how many there are, where that can be known.
    private static func ranked(
        _ db: Database, _ scope: Scope, _ sums: [Sums], _ choice: Choice, in period: Period, limit: Int?, _ count: inout Int?
    ) throws -> [Candidate] {
        var highest = Highest<Score>(limit)
        var candidates: [Candidate] = []
        var rows = 0
        for (index, sums) in sums.enumerated() {
            let new = choice.isNew ? try newSources(db, of: scope.domains[index], in: period) : nil
            for (group, score) in sums.scores.enumerated() {
                let source = sums.groups.source(of: group)
                guard let verdict = sums.verdict(group, choice), new?.find(source) != nil || new == nil else { continue }
                rows += 1
                guard highest.admits(score) else { continue }
                candidates.append(Candidate(domain: index, source: source, verdict: verdict, score: score))
            }
        }
        candidates.removeAll { !highest.keeps($0.score) }
        count = rows
        return leading(candidates, of: scope, limit: limit)
    }

    private static func newSources(_ db: Database, of domain: PolicyDomain, in period: Period) throws -> SourceTable {
        var new = SourceTable()
        let rows = try SQLRows(db, newSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() { _ = new.number(of: try rows.address(0)) }
        return new
    }

    /// The ranking. Texts are made only of those that can still be among the first.
    private static func leading(_ candidates: [Candidate], of scope: Scope, limit: Int?) -> [Candidate] {
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
            chosen += sorted.prefix((limit ?? .max) - chosen.count).map(\.candidate)
        }
        return chosen
    }

    /// The same order, of rows: those of a short list do not have it yet.
    private static func order(_ rows: [SourceRow]) -> [SourceRow] {
        let named = rows.map { (row: $0, text: $0.source.description) }
        return named.sorted { a, b in
            if a.row.failed != b.row.failed { return a.row.failed > b.row.failed }
            if a.row.messages != b.row.messages { return a.row.messages > b.row.messages }
            if a.text != b.text { return a.text < b.text }
            return a.row.domain != b.row.domain ? a.row.domain < b.row.domain : a.row.verdict.stored < b.row.verdict.stored
        }.map(\.row)
    }

    /// Second pass, over the domains of the leading rows only.
    private static func details(_ db: Database, _ scope: Scope, of leading: [Candidate], in period: Period) throws -> [SourceRow] {
        var rows = [SourceRow?](repeating: nil, count: leading.count)
        var authentications = AuthenticationLookup(db)
        var reporterOf = try ReporterLookup(db)
        var flows = try FlowLookup(db)
        let book = NameBook(db)
        for (index, places) in Dictionary(grouping: leading.indices, by: { leading[$0].domain }) {
            let domain = scope.domains[index]
            var groups = SourceGroups()
            for place in places { _ = groups.number(of: leading[place].source, leading[place].verdict.stored) }
            var sums = [RowSums](repeating: RowSums(), count: places.count)
            let life = try scope.life(db, of: domain, places.map { leading[$0].source }, in: period)
            for countedAs in life.mayPass ? [0, 1] : [1] {
                try addDetails(db, scope, of: domain, countedAs, in: life.days, groups, &sums, &reporterOf)
            }
            for (number, place) in places.enumerated() {
                let (candidate, sum) = (leading[place], sums[number])
                let set = try sum.usualResults(&authentications).map { try authentications.set($0) } ?? AuthenticationSet()
                let view = ResultView(set, for: domain.name, book)
                rows[place] = SourceRow(
                    source: candidate.source, domain: domain.name, messages: sum.messages, failed: sum.failed, verdict: candidate.verdict,
                    conclusion: try flows.conclusion(candidate.source, domain, sum.shares), spfDomain: view.check?.domain,
                    dkimDomain: view.signature?.domain,
                    service: view.service,
                    reporters: sum.reporters.count,
                    firstDay: Day(sum.firstDay), lastDay: Day(sum.lastDay), delivered: sum.delivered, quarantined: sum.quarantined,
                    rejected: sum.rejected, spfPassed: sum.spfPassed, dkimPassed: sum.dkimPassed)
            }
        }
        return order(rows.compactMap(\.self))
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
