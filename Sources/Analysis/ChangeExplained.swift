import DMARC
import GRDB
import ReportStore

/// What is told apart when a change is explained.
public enum ChangeGrouping: String, CaseIterable, Sendable {
    /// Each sending address.
    case source
    /// Each organisation that stands beside the domain's own name in authentication results.
    case service
}

/// What one source, or one service, did to the pass rate. Figures in messages.
public struct ChangeRow: Hashable, Sendable {
    /// The connecting address; nil where services are told apart.
    public var source: IPAddress?
    /// The policy domain, canonical.
    public var domain: String
    /// The verdict of those of its messages that moved the rate most.
    public var verdict: Verdict
    /// The known service behind it; where services are told apart, else the foreign organisation. Nil: none, or the domain itself.
    public var service: String?
    /// In the earlier period.
    public var before: Rate
    /// In the later period.
    public var after: Rate
    /// By how much it moved the rate, in fractions; nil where one of the periods has no messages.
    public var contribution: Double?
}

/// Two periods and the rates of all that is compared: what a contribution is measured by.
public struct RateChange: Hashable, Sendable {
    /// All messages of the earlier period.
    public var before: Rate
    /// All messages of the later period.
    public var after: Rate

    /// Both parts.
    public init(before: Rate, after: Rate) {
        self.before = before
        self.after = after
    }

    /// By how much the rate rose, in fractions; nil where one of the periods has no messages.
    public var value: Double? {
        guard let earlier = before.value, let later = after.value else { return nil }
        return later - earlier
    }

    /// What a part of the messages contributes: (p₁ − m·a₁)/n₁ − (p₀ − m·a₀)/n₀ with m the mean of both rates. The contributions of all
    /// parts add up to the change: each term is at most 1 and rounded once or twice, so that their sum is right to about 10⁻¹⁵ however
    /// many they are.
    public func contribution(before part: Rate, after later: Rate) -> Double? {
        guard let r0 = before.value, let r1 = after.value else { return nil }
        let mean = (r0 + r1) / 2
        let gained = (Double(later.passed) - mean * Double(later.messages)) / Double(after.messages)
        let lost = (Double(part.passed) - mean * Double(part.messages)) / Double(before.messages)
        return gained - lost
    }
}

/// The answer to "which source moved the pass rate".
public struct ChangeExplained: Sendable {
    /// What it is about: the later period.
    public var coverage: Coverage
    /// The earlier period; nil where there is no later one.
    public var earlier: Period?
    /// The rates of both.
    public var change: RateChange
    /// Every source or service with messages in one of the periods: the largest contributions first, whatever their sign.
    public var rows: [ChangeRow]

    /// Question: messages by source and verdict. Unit: one row a record and day. Index: primary key of `records`, one contiguous range.
    static let sourcesSQL = """
        SELECT source, messages, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// As `sourcesSQL`, with the report, for `--reporter`.
    static let sourcesAndReportsSQL = """
        SELECT source, messages, verdict, report_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Question: messages by results and verdict. Unit and index as `sourcesSQL`.
    static let resultsSQL = """
        SELECT authentication_id, messages, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// As `resultsSQL`, with the report, for `--reporter`.
    static let resultsAndReportsSQL = """
        SELECT authentication_id, messages, verdict, report_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Asks `store`. The later period is that of the filter; where the filter names none and `size` is not a day, the last week or month that
    /// is full. The earlier one is `against`, else the same number of days, or the week or month, just before.
    ///
    /// - Parameter services: of how many leading rows the service is looked up; nil: all. Where services are told apart it is known anyway.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, by size: BucketSize = .day, against: PeriodExpression? = nil,
        grouping: ChangeGrouping = .source, services: Int? = nil, withTotals: Bool = true
    ) throws(AnalysisError) -> ChangeExplained {
        try reading(store, "trend") { db in
            let (later, earlier) = try periods(db, filter, size, against)
            guard let later, let earlier else {
                let nothing = try Scope(db, filter).coverage(messages: 0, reports: 0)
                return ChangeExplained(coverage: nothing, change: RateChange(before: Rate(), after: Rate()), rows: [])
            }
            let suffixes = try PublicSuffixes.distribution()
            let scopes = try [earlier, later].map { try Scope(db, filter.limited(to: $0)) }
            var groups: [Group] = []
            for domain in scopes[1].domains {
                switch grouping {
                case .source: try addSources(db, scopes, of: domain, to: &groups)
                case .service: try addServices(db, scopes, of: domain, ForeignParty(suffixes), to: &groups)
                }
            }
            let change = RateChange(
                before: groups.reduce(into: Rate()) { sum, group in group.parts.values.forEach { sum.add($0.before) } },
                after: groups.reduce(into: Rate()) { sum, group in group.parts.values.forEach { sum.add($0.after) } })
            var rows = ranked(groups.flatMap { $0.rows(change) })
            if grouping == .source {
                var lookup = SourceServices(db, suffixes)
                let domains = Dictionary(uniqueKeysWithValues: scopes[1].domains.map { ($0.name, $0) })
                for index in rows.indices.prefix(services ?? .max) {
                    guard let source = rows[index].source, let domain = domains[rows[index].domain] else { continue }
                    rows[index].service = try lookup.service(of: source, for: domain, verdict: rows[index].verdict)
                }
            }
            let coverage = withTotals ? try scopes[1].totals(db) : scopes[1].coverage(messages: 0, reports: 0)
            return ChangeExplained(coverage: coverage, earlier: earlier, change: change, rows: rows)
        }
    }

    // MARK: - Periods

    private static func periods(
        _ db: Database, _ filter: Filter, _ size: BucketSize, _ against: PeriodExpression?
    ) throws -> (later: Period?, earlier: Period?) {
        let isChosen = filter.period.since != nil || filter.period.until != nil
        guard let found = try Scope(db, filter, usual: size == .day ? .recent : .everything).period else { return (nil, nil) }
        let later = isChosen || size == .day ? found : size.lastFull(upTo: found.until)
        let end = later.since.advanced(by: -1)
        let earlier: Period
        switch against {
        case .days(let first, let last): earlier = Period(since: first, until: last)
        case .some(let span): earlier = Period(since: span.first(until: end), until: end)
        case nil where isChosen || size == .day: earlier = Period(since: end.advanced(by: 1 - later.days), until: end)
        case nil: earlier = Period(since: size.start(of: end), until: end)
        }
        return (later, earlier)
    }

    // MARK: - Adding up

    /// The messages of one group with one verdict.
    private struct Part {
        var before = Rate()
        var after = Rate()
    }

    /// A source or service of one domain, by verdict.
    private struct Group {
        var source: IPAddress?
        var domain: String
        var service: String?
        /// Whether each verdict is a row of its own: what is the domain's own must not hide who borrows its name.
        var isSplit = false
        var parts: [Verdict: Part]

        func rows(_ change: RateChange) -> [ChangeRow] {
            let verdicts = Verdict.allCases.filter { parts[$0] != nil }.sorted { $0.stored < $1.stored }
            if isSplit { return verdicts.map { row([$0], $0, change) }.filter { $0.hasMessages } }
            // Where nothing can be compared, the size takes the place of the contribution.
            let weights = verdicts.map { verdict -> Double in
                guard let part = parts[verdict] else { return 0 }
                return change.contribution(before: part.before, after: part.after).map(abs)
                    ?? Double(part.before.messages + part.after.messages)
            }
            guard let most = weights.max(), let leading = zip(verdicts, weights).first(where: { $0.1 == most })?.0 else { return [] }
            return [row(verdicts, leading, change)].filter { $0.hasMessages }
        }

        private func row(_ verdicts: [Verdict], _ leading: Verdict, _ change: RateChange) -> ChangeRow {
            var sum = Part()
            for part in verdicts.compactMap({ parts[$0] }) {
                sum.before.add(part.before)
                sum.after.add(part.after)
            }
            return ChangeRow(
                source: source, domain: domain, verdict: leading, service: service, before: sum.before, after: sum.after,
                contribution: change.contribution(before: sum.before, after: sum.after))
        }
    }

    /// Sums by group number and verdict, as a flat table: eight verdicts from 2.
    private struct Sums {
        static let width = 8
        private var parts: [Part] = []

        @inline(__always)
        mutating func add(_ messages: Int, to group: Int, verdict: Int, isLater: Bool, passed: Bool) {
            let place = group * Self.width + ((2...9).contains(verdict) ? verdict - 2 : 0)
            while place >= parts.count { parts.append(contentsOf: repeatElement(Part(), count: Self.width)) }
            if isLater {
                parts[place].after.messages += messages
                if passed { parts[place].after.passed += messages }
            } else {
                parts[place].before.messages += messages
                if passed { parts[place].before.passed += messages }
            }
        }

        func parts(of group: Int) -> [Verdict: Part] {
            var found: [Verdict: Part] = [:]
            for number in 0..<Self.width {
                let part = parts[group * Self.width + number]
                if part.before.messages > 0 || part.after.messages > 0 { found[Verdict(stored: number + 2)] = part }
            }
            return found
        }
    }

    /// Calls `body` with each record and day of a domain in both periods.
    private static func forEachRow(
        _ db: Database, _ scopes: [Scope], of domain: PolicyDomain, _ sql: String, withReports: String,
        _ body: (_ rows: SQLRows, _ isLater: Bool, _ passed: Bool) throws -> Void
    ) throws {
        for (number, scope) in scopes.enumerated() {
            guard let period = scope.period else { continue }
            let isFiltered = scope.reports != nil
            for countedAs in 0...1 {
                let rows = try SQLRows(
                    db, isFiltered ? withReports : sql,
                    [.integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)])
                while try rows.next() {
                    if isFiltered, !scope.includes(report: rows.int(3)) { continue }
                    try body(rows, number == 1, countedAs == 0)
                }
            }
        }
    }

    private static func addSources(
        _ db: Database, _ scopes: [Scope], of domain: PolicyDomain, to groups: inout [Group]
    ) throws {
        var table = SourceTable()
        var sums = Sums()
        try forEachRow(db, scopes, of: domain, sourcesSQL, withReports: sourcesAndReportsSQL) { rows, isLater, passed in
            sums.add(
                rows.int(1), to: table.number(of: try rows.address(0)), verdict: rows.int(2), isLater: isLater, passed: passed)
        }
        for (number, address) in table.addresses.enumerated() {
            groups.append(Group(source: address, domain: domain.name, parts: sums.parts(of: number)))
        }
    }

    private static func addServices(
        _ db: Database, _ scopes: [Scope], of domain: PolicyDomain, _ party: ForeignParty, to groups: inout [Group]
    ) throws {
        var authentications = AuthenticationLookup(db)
        var numbers: [String?: Int] = [:]
        var names: [String?] = []
        var known: [Int: Int] = [:]
        var sums = Sums()
        try forEachRow(db, scopes, of: domain, resultsSQL, withReports: resultsAndReportsSQL) { rows, isLater, passed in
            let key = rows.int(0)
            var group = known[key] ?? -1
            if group < 0 {
                let name = party.party(try authentications.set(key), besides: domain.name)
                group = numbers[name] ?? names.count
                if group == names.count { names.append(name) }
                numbers[name] = group
                known[key] = group
            }
            sums.add(rows.int(1), to: group, verdict: rows.int(2), isLater: isLater, passed: passed)
        }
        for (number, name) in names.enumerated() {
            groups.append(Group(domain: domain.name, service: name, isSplit: name == nil, parts: sums.parts(of: number)))
        }
    }

    /// Largest contribution first; then most messages, then domain, address or service, and verdict.
    private static func ranked(_ rows: [ChangeRow]) -> [ChangeRow] {
        let named = rows.map { (row: $0, weight: abs($0.contribution ?? 0), text: $0.source?.description ?? $0.service ?? "") }
        return named.sorted { a, b in
            if a.weight != b.weight { return a.weight > b.weight }
            let messages = (a.row.before.messages + a.row.after.messages, b.row.before.messages + b.row.after.messages)
            if messages.0 != messages.1 { return messages.0 > messages.1 }
            return (a.row.domain, a.text, a.row.verdict.stored) < (b.row.domain, b.text, b.row.verdict.stored)
        }.map(\.row)
    }
}

extension ChangeRow {
    fileprivate var hasMessages: Bool { before.messages > 0 || after.messages > 0 }
}

extension Rate {
    fileprivate mutating func add(_ other: Rate) {
        messages += other.messages
        passed += other.passed
    }
}

extension Filter {
    /// The same for these days only.
    func limited(to period: Period) -> Filter {
        var filter = self
        filter.period = PeriodRequest(since: .days(period.since, period.since), until: .days(period.until, period.until))
        return filter
    }
}

extension BucketSize {
    /// The last bucket whose days have all come by `day`.
    func lastFull(upTo day: Day) -> Period {
        let begin = start(of: day)
        if let bucket = buckets(of: Period(since: begin, until: begin.advanced(by: 40))).first, bucket.until <= day { return bucket }
        let end = begin.advanced(by: -1)
        return Period(since: start(of: end), until: end)
    }
}
