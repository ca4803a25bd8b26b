import Advice
import DMARC
import GRDB
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

    /// Question: failed messages by source. Unit: one row a record and day. Index: primary key of `records`, one contiguous range.
    static let failuresSQL = """
        SELECT source, messages, report_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = 1 AND day BETWEEN ?2 AND ?3
        """

    /// As `failuresSQL`, without the report: each column costs a tenth of the time, and only `--reporter` asks for it.
    static let allFailuresSQL = """
        SELECT source, messages
        FROM records
        WHERE domain_id = ?1 AND counted_as = 1 AND day BETWEEN ?2 AND ?3
        """

    /// Question: what the failures of the leading sources look like. Unit: one row a record and day. Index: as `failuresSQL`.
    static let detailsSQL = """
        SELECT source, messages, report_id, day, disposition, authentication_id, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = 1 AND day BETWEEN ?2 AND ?3
        """

    /// Question: passed messages by source. Unit: one row a record and day. Index: as `failuresSQL`.
    static let passesSQL = """
        SELECT source, messages, report_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = 0 AND day BETWEEN ?2 AND ?3
        """

    /// Asks `store` for the first `limit` rows; nil: all. Without `withTotals` the coverage says nothing of messages and reports, and takes
    /// no time to find out.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> TopFailures {
        try readingShared(store, "top-failures") { db, shared in
            let scope = try Scope(db, filter)
            guard let period = scope.period else {
                return TopFailures(coverage: scope.coverage(messages: 0, reports: 0), rows: [], failingSources: 0, failed: 0)
            }
            let parts = try shared.split(scope.domains, db) { db, next in
                var sums = Failures()
                var highest = Highest<Int>(limit)
                while let domain = next() { try sums.add(failures(db, scope, of: domain, in: period), of: domain, &highest) }
                return sums
            }
            let failed = parts.reduce(0) { $0 + $1.failed }
            let failingSources = parts.reduce(0) { $0 + $1.sources }
            let leading = Self.leading(parts.flatMap(\.candidates), limit: limit)
            let rows = try details(db, shared, scope, of: leading, in: period)
            let coverage = withTotals ? try scope.totals(db) : scope.coverage(messages: 0, reports: 0)
            return TopFailures(coverage: coverage, rows: rows, failingSources: failingSources, failed: failed)
        }
    }

    private struct Candidate {
        let domain: PolicyDomain
        let source: IPAddress
        let failed: Int
    }

    /// What fails, for some of the domains.
    private struct Failures {
        var candidates: [Candidate] = []
        var failed = 0
        var sources = 0

        mutating func add(_ found: (table: SourceTable, sums: [Int]), of domain: PolicyDomain, _ highest: inout Highest<Int>) {
            for (number, messages) in found.sums.enumerated() where messages > 0 {
                failed += messages
                sources += 1
                guard highest.admits(messages) else { continue }
                candidates.append(Candidate(domain: domain, source: found.table.addresses[number], failed: messages))
            }
        }
    }

    /// First pass: one sum a source, nothing else, because most sources will not be shown.
    private static func failures(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period
    ) throws -> (SourceTable, [Int]) {
        var table = SourceTable()
        var sums: [Int] = []
        let isFiltered = scope.reports != nil
        let rows = try SQLRows(
            db, isFiltered ? failuresSQL : allFailuresSQL,
            [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            if isFiltered, !scope.includes(report: rows.int(2)) { continue }
            let number = table.number(of: try rows.address(0))
            if number == sums.count { sums.append(0) }
            sums[number] += rows.int(1)
        }
        return (table, sums)
    }

    /// The ranking. Texts are made only of those that can still be among the first.
    private static func leading(_ candidates: [Candidate], limit: Int?) -> [Candidate] {
        var chosen = candidates
        if let limit, limit < candidates.count {
            guard limit > 0 else { return [] }
            let counts = candidates.map(\.failed).sorted(by: >)
            chosen = candidates.filter { $0.failed >= counts[limit - 1] }
        }
        let named = chosen.map { (candidate: $0, text: $0.source.description) }
        let sorted = named.sorted { a, b in
            if a.candidate.failed != b.candidate.failed { return a.candidate.failed > b.candidate.failed }
            if a.text != b.text { return a.text < b.text }
            return a.candidate.domain.name < b.candidate.domain.name
        }
        return sorted.prefix(limit ?? .max).map(\.candidate)
    }

    /// What is added up for a leading source.
    private struct Details {
        var passed = 0
        var reports: Set<Int> = []
        /// Messages by the key of their results, times 16, and the number of their verdict.
        var results: [Int: Int] = [:]
        var days: ClosedRange<Int>?
        var delivered = 0
        var quarantined = 0
        var rejected = 0
    }

    /// Second pass, over the domains of the leading sources only.
    private static func details(
        _ db: Database, _ shared: SharedReading, _ scope: Scope, of leading: [Candidate], in period: Period
    ) throws -> [FailureRow] {
        let places = Dictionary(grouping: leading.indices) { leading[$0].domain }
        // Largest first: the two threads are done at about the same time.
        let domains = places.keys.sorted { (places[$0]?.count ?? 0, $1.id) > (places[$1]?.count ?? 0, $0.id) }
        let parts = try shared.split(domains, db) { db, next in
            try details(db, scope, of: leading, places, next, in: period)
        }
        return parts.flatMap(\.self).sorted { $0.rank < $1.rank }
    }

    private static func details(
        _ db: Database, _ scope: Scope, of leading: [Candidate], _ placesOf: [PolicyDomain: [Int]], _ next: () -> PolicyDomain?,
        in period: Period
    ) throws -> [FailureRow] {
        var rows: [FailureRow] = []
        var authentications = AuthenticationLookup(db)
        var reporterOf = try ReporterLookup(db)
        var flows = try FlowLookup(db)
        let book = NameBook(db)
        while let policyDomain = next() {
            let places = placesOf[policyDomain] ?? []
            var table = SourceTable()
            for place in places { _ = table.number(of: leading[place].source) }
            var details = [Details](repeating: Details(), count: places.count)
            try addFailures(db, scope, of: policyDomain, in: period, table, &details)
            try addPasses(db, scope, of: policyDomain, in: period, table, &details)
            for (number, place) in places.enumerated() {
                let (source, detail) = (leading[place].source, details[number])
                let reporters = try Set(detail.reports.map { try reporterOf.reporter($0) })
                var results: [Int: Int] = [:]
                for (key, messages) in detail.results { results[key >> 4, default: 0] += messages }
                let set = try authentications.usual(of: results).map { try authentications.set($0) } ?? AuthenticationSet()
                let days = detail.days ?? period.since.number...period.until.number
                let (verdict, shares) = FlowShare.ofUsualVerdict(detail.results)
                let view = ResultView(set, for: policyDomain.name, book)
                rows.append(
                    FailureRow(
                        rank: place + 1, source: source, domain: policyDomain.name, messages: leading[place].failed + detail.passed,
                        failed: leading[place].failed, verdict: verdict,
                        conclusion: try flows.conclusion(source, policyDomain, shares), spfDomain: view.check?.domain,
                        dkimDomain: view.signature?.domain, service: view.service, reporters: reporters.count,
                        firstDay: Day(days.lowerBound), lastDay: Day(days.upperBound), delivered: detail.delivered,
                        quarantined: detail.quarantined, rejected: detail.rejected))
            }
        }
        return rows
    }

    private static func addFailures(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ table: SourceTable, _ details: inout [Details]
    ) throws {
        let rows = try SQLRows(db, detailsSQL, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
        while try rows.next() {
            guard let number = table.find(try rows.address(0)), scope.includes(report: rows.int(2)) else { continue }
            let messages = rows.int(1)
            guard messages > 0 else { continue }
            let day = rows.int(3)
            let days = details[number].days ?? day...day
            details[number].days = min(days.lowerBound, day)...max(days.upperBound, day)
            details[number].reports.insert(rows.int(2))
            details[number].results[rows.int(5) << 4 | rows.int(6), default: 0] += messages
            switch AppliedDisposition(stored: rows.int(4)) {
            case .none, .pass: details[number].delivered += messages
            case .quarantine: details[number].quarantined += messages
            case .reject: details[number].rejected += messages
            }
        }
    }

    private static func addPasses(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, _ table: SourceTable, _ details: inout [Details]
    ) throws {
        // Most failing sources never pass, or were never seen outside the period: the rollup knows, and spares reading all that did pass.
        var open = SourceTable()
        var days = period
        var openDays: Period?
        for (number, address) in table.addresses.enumerated() {
            let ever = try SQLRows(db, Scope.everPassedSQL, [.integer(domain.id), .address(address)])
            guard try ever.next() else { continue }
            let life = Period(since: Day(ever.int(1)), until: Day(ever.int(2)))
            if ever.int(0) == 0 { continue }
            if scope.reports == nil, period.contains(life.since), period.contains(life.until) {
                details[number].passed = ever.int(0)
                continue
            }
            _ = open.number(of: address)
            openDays = Period(since: min(openDays?.since ?? life.since, life.since), until: max(openDays?.until ?? life.until, life.until))
        }
        if let openDays { days = Period(since: max(days.since, openDays.since), until: min(days.until, openDays.until)) }
        guard !open.addresses.isEmpty else { return }
        let rows = try SQLRows(db, passesSQL, [.integer(domain.id), .integer(days.since.number), .integer(days.until.number)])
        while try rows.next() {
            let address = try rows.address(0)
            guard open.find(address) != nil, scope.includes(report: rows.int(2)), let number = table.find(address) else { continue }
            details[number].passed += rows.int(1)
        }
    }
}
