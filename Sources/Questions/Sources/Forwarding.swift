import DMARC
import GRDB
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

    /// Question: what was passed on. Unit: one row a record and day. Index: primary key of `records`, one contiguous range.
    package static let recordsSQL = """
        SELECT source, messages, report_id, day, dkim, spf, authentication_id, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4 AND verdict BETWEEN ?5 AND ?6
        """

    /// Question: the signatures in a set of results. Unit: one row a signature, in the order of the report. Index: primary key of
    /// `authentication_results`, rowid of `names`.
    static let signaturesSQL = """
        SELECT a.domain_id, d.name, coalesce(a.selector_id, 0), s.name, a.result
        FROM authentication_results a
            JOIN names d ON d.id = a.domain_id
            LEFT JOIN names s ON s.id = a.selector_id
        WHERE a.set_id = ?1 AND a.method = 'dkim'
        ORDER BY a.position
        """

    /// Question: beside whose SPF a signature passes. Unit: one row an organisation. Index: primary key of `selector_places`.
    static let homesSQL = """
        SELECT beside, messages
        FROM selector_places
        WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3 AND beside >= 0 AND verified = 1
        """

    /// Asks `store` for the first `limit` rows; nil: all. Without `withTotals` the coverage says nothing of messages and reports, and
    /// `spfFailed` is 0.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> Forwarding {
        try readingShared(store, "forwarding") { db, shared in
            let scope = try Scope(db, filter)
            guard let period = scope.period else {
                return Forwarding(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0, explained: 0, spfFailed: 0)
            }
            let parts = try shared.split(scope.domains, db) { db, next in
                var part = Part()
                while let domain = next() { try part.add(db, scope, of: domain, in: period) }
                return part
            }
            let explained = parts.flatMap(\.candidates).reduce(0) { $0 + $1.totals.spfFailed }
            var tools = try Tools(db)
            let rows = try leading(parts, limit: limit).map { try row($0, of: parts[$1], &tools) }
            var spfFailed = 0
            if withTotals {
                for domain in scope.domains {
                    try scope.forEachDailyFigure(db, of: domain) { spfFailed += $0.spf ? 0 : $0.messages }
                }
            }
            let coverage = withTotals ? try scope.totals(db) : scope.coverage(messages: 0, reports: 0)
            return Forwarding(
                coverage: coverage, rows: rows, count: parts.reduce(0) { $0 + $1.candidates.count }, explained: explained,
                spfFailed: spfFailed)
        }
    }

    private struct Candidate: Sendable {
        let domain: PolicyDomain
        let source: IPAddress
        let totals: Totals
    }

    /// What rows are ranked by.
    private struct Totals: Sendable {
        var messages = 0
        var spfFailed = 0
        var last: Int32 = -1
    }

    /// What one connection finds: the rows that may come to be shown, and their records.
    private struct Part: Sendable {
        private(set) var candidates: [Candidate] = []
        private(set) var kept = KeptRecords()

        mutating func add(_ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period) throws {
            let (groups, totals) = try Forwarding.totals(db, scope, of: domain, in: period, &kept)
            for (group, totals) in totals.enumerated() {
                candidates.append(Candidate(domain: domain, source: groups.source(of: group), totals: totals))
            }
        }
    }

    private static func totals(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ kept: inout KeptRecords
    ) throws -> (SourceGroups, [Totals]) {
        var groups = SourceGroups()
        var totals: [Totals] = []
        for countedAs in 0...1 {
            let rows = try SQLRows(
                db, recordsSQL,
                [
                    .integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number),
                    .integer(Verdict.forwarded.stored), .integer(Verdict.mailingList.stored),
                ])
            while try rows.next() {
                let (messages, report) = (rows.int(1), rows.int(2))
                guard messages > 0, scope.includes(report: report) else { continue }
                let group = groups.number(of: try rows.address(0), 0)
                if group == totals.count { totals.append(Totals()) }
                let record = RecordSums(
                    messages: messages, report: report, day: rows.int(3), disposition: .none, dkim: rows.int(4) == 1,
                    spf: rows.int(5) == 1, authentication: rows.int(6))
                totals[group].messages += messages
                if !record.spf { totals[group].spfFailed += messages }
                kept.add(record, verdict: rows.int(7), after: &totals[group].last)
            }
        }
        return (groups, totals)
    }

    /// The first rows, and in which part they are.
    private static func leading(_ parts: [Part], limit: Int?) -> [(candidate: Candidate, part: Int)] {
        var highest = Highest<Int>(limit)
        var chosen: [(candidate: Candidate, part: Int)] = []
        for (number, part) in parts.enumerated() {
            for candidate in part.candidates where highest.admits(candidate.totals.spfFailed) { chosen.append((candidate, number)) }
        }
        chosen.removeAll { !highest.keeps($0.candidate.totals.spfFailed) }
        let named = chosen.map { (chosen: $0, text: $0.candidate.source.description) }
        let sorted = named.sorted { a, b in
            let (first, second) = (a.chosen.candidate.totals, b.chosen.candidate.totals)
            if first.spfFailed != second.spfFailed { return first.spfFailed > second.spfFailed }
            if first.messages != second.messages { return first.messages > second.messages }
            if a.text != b.text { return a.text < b.text }
            return a.chosen.candidate.domain.name < b.chosen.candidate.domain.name
        }
        return sorted.prefix(limit ?? .max).map(\.chosen)
    }

    /// What the rows that are shown need beside the sums.
    private struct Tools {
        var authentications: AuthenticationLookup
        let signatures: SQLRows
        let homes: SQLRows
        var flows: FlowLookup
        var reporterOf: ReporterLookup
        let book: NameBook
        var organisations: NameLookup
        var knownHomes: [Place: String?] = [:]

        struct Place: Hashable {
            var selector: Selector
            var policy: Int
        }

        init(_ db: Database) throws {
            book = NameBook(db)
            organisations = NameLookup(db)
            authentications = AuthenticationLookup(db)
            signatures = try SQLRows(db, signaturesSQL)
            homes = try SQLRows(db, homesSQL)
            flows = try FlowLookup(db)
            reporterOf = try ReporterLookup(db)
        }
    }

    /// A signature's domain and selector, with their keys.
    private struct Selector: Hashable {
        var domain: Int
        var domainName: String
        var selector: Int
        var selectorName: String?

        /// In the order of the alphabet: keys depend on the order of arrival.
        var text: String { (selectorName ?? "") + "\u{0}" + domainName }
    }

    private static func row(_ candidate: Candidate, of part: Part, _ tools: inout Tools) throws -> ForwardingRow {
        let domain = candidate.domain
        var row = RowSums()
        var forwarded = 0
        try part.kept.forEach(from: candidate.totals.last) { record, verdict in
            try row.add(record, &tools.reporterOf)
            if verdict == Verdict.forwarded.stored { forwarded += record.messages }
        }
        let set = try row.usualResults(&tools.authentications).map { try tools.authentications.set($0) } ?? AuthenticationSet()
        let selector = try usualSelector(row, domain, &tools)
        let home = try selector.flatMap { try Self.home(of: $0, domain, &tools) }
        let view = ResultView(set, for: domain.name, tools.book)
        return ForwardingRow(
            source: candidate.source, domain: domain.name, messages: row.messages, spfFailed: row.messages - row.spfPassed,
            // What did not fail passed by SPF or by its signature.
            dkimSurvived: row.messages - row.failed - row.spfPassed, failed: row.failed, spfDomain: view.check?.domain,
            spfResult: view.check?.result, selector: selector?.selectorName, home: home,
            service: view.service,
            verdict: forwarded * 2 >= row.messages ? .forwarded : .mailingList,
            conclusion: try tools.flows.conclusion(candidate.source, domain, row.shares), reporters: row.reporters.count,
            firstDay: Day(row.firstDay), lastDay: Day(row.lastDay))
    }

    /// The own selector of most messages. Of several signatures in a message the first that verified counts, else the first.
    private static func usualSelector(_ row: RowSums, _ domain: PolicyDomain, _ tools: inout Tools) throws -> Selector? {
        var messages: [Selector: Int] = [:]
        for share in row.shares {
            var found: Selector?
            try tools.signatures.restart(share.authentication)
            while try tools.signatures.next() {
                let rows = tools.signatures
                let hasPassed = rows.text(4) == AuthenticationResult.pass.rawValue
                guard found == nil || hasPassed, tools.book.isOwn(rows.text(1), of: domain.name) else { continue }
                found = Selector(
                    domain: rows.int(0), domainName: rows.text(1), selector: rows.int(2), selectorName: rows.optionalText(3))
                if hasPassed { break }
            }
            if let found { messages[found, default: 0] += share.messages }
        }
        return messages.max { ($0.value, $1.key.text) < ($1.value, $0.key.text) }?.key
    }

    private static func home(of selector: Selector, _ domain: PolicyDomain, _ tools: inout Tools) throws -> String? {
        let place = Tools.Place(selector: selector, policy: domain.id)
        if let home = tools.knownHomes[place] { return home }
        // Relays stand there in their thousands: names are looked up only for those that come first.
        var best: [Int] = []
        var most = Int.min
        let rows = tools.homes
        try rows.restart(selector.domain, selector.selector, domain.id)
        while try rows.next() {
            guard rows.int(1) >= most else { continue }
            if rows.int(1) > most { best.removeAll() }
            most = rows.int(1)
            best.append(rows.int(0))
        }
        let home = try best.map { $0 == 0 ? domain.name : try tools.organisations.name($0) ?? "" }.min()
        tools.knownHomes[place] = .some(home)
        return home
    }
}
