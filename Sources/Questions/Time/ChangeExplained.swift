import DMARC
import Organisations
import Store

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
    public let before: Rate
    /// All messages of the later period.
    public let after: Rate

    /// Both parts.
    public init(before: Rate, after: Rate) {
        self.before = before
        self.after = after
        mean = before.value.flatMap { earlier in after.value.map { (earlier + $0) / 2 } }
    }

    /// The mean of both rates.
    private let mean: Double?

    /// By how much the rate rose, in fractions; nil where one of the periods has no messages.
    public var value: Double? {
        guard let earlier = before.value, let later = after.value else { return nil }
        return later - earlier
    }

    /// What a part of the messages contributes: (p₁ − m·a₁)/n₁ − (p₀ − m·a₀)/n₀ with m the mean of both rates. The contributions of all
    /// parts add up to the change: each term is at most 1 and rounded once or twice, so that their sum is right to about 10⁻¹⁵ however
    /// many they are.
    public func contribution(before part: Rate, after later: Rate) -> Double? {
        guard let mean else { return nil }
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
    /// The sources or services with messages in one of the periods: the largest contributions first, whatever their sign.
    public var rows: [ChangeRow]
    /// How many there are beyond the limit.
    public var others = 0

    /// Asks `store`. The later period is that of the filter; where the filter names none and `size` is not a day, the last week or month that
    /// is full. The earlier one is `against`, else the same number of days, or the week or month, just before.
    ///
    /// - Parameter limit: how many rows; nil: all.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, by size: BucketSize = .day, against: PeriodExpression? = nil,
        grouping: ChangeGrouping = .source, limit: Int? = nil, withTotals: Bool = true
    ) throws(StoreError) -> ChangeExplained {
        try readingShared(store, "trend") { facts, shared in
            let (later, earlier) = try periods(facts, filter, size, against)
            guard let later, let earlier else {
                let nothing = try Scope(facts, filter).coverage(messages: 0, reports: 0)
                return ChangeExplained(coverage: nothing, change: RateChange(before: Rate(), after: Rate()), rows: [])
            }
            let suffixes = try PublicSuffixes.ofVerdicts(facts)
            let scopes = try [earlier, later].map { try Scope(facts, filter.limited(to: $0)) }
            let compared = try shared.split(scopes[1].domains, facts) { facts, next in
                try grouping == .source ? sources(facts, scopes, of: next) : services(facts, scopes, of: next)
            }.flatMap(\.self)
            var all = Part()
            for domain in compared { domain.parts.slots.forEach { all.add($0.value) } }
            let change = RateChange(before: all.before, after: all.after)
            var candidates: [Candidate] = []
            candidates.reserveCapacity(compared.reduce(0) { $0 + $1.parts.count })
            for (index, domain) in compared.enumerated() { domain.appendCandidates(Int32(index), change, to: &candidates) }
            let leading = candidates.leading(limit, by: \.weight)
            var names = NameLookup(facts)
            var rows = ranked(try leading.map { try compared[Int($0.domain)].row($0, change, &names) })
            if let limit { rows = Array(rows.prefix(limit)) }
            if grouping == .source {
                var lookup = SourceServices(facts, suffixes)
                let domains = Dictionary(uniqueKeysWithValues: scopes[1].domains.map { ($0.name, $0) })
                for index in rows.indices {
                    guard let source = rows[index].source, let domain = domains[rows[index].domain] else { continue }
                    rows[index].service = try lookup.service(of: source, for: domain, verdict: rows[index].verdict)
                }
            }
            let coverage = withTotals ? try scopes[1].totals(facts) : scopes[1].coverage(messages: 0, reports: 0)
            return ChangeExplained(
                coverage: coverage, earlier: earlier, change: change, rows: rows, others: candidates.count - rows.count)
        }
    }

    // MARK: - Periods

    private static func periods(
        _ facts: Facts, _ filter: Filter, _ size: BucketSize, _ against: PeriodExpression?
    ) throws -> (later: Period?, earlier: Period?) {
        let isChosen = filter.period.since != nil || filter.period.until != nil
        guard let found = try Scope(facts, filter, usual: size == .day ? .recent : .everything).period else { return (nil, nil) }
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
    private struct Part: Sendable {
        var before = Rate()
        var after = Rate()

        var hasMessages: Bool { before.messages > 0 || after.messages > 0 }

        /// How much it moved the rate; where nothing can be compared, its size.
        func weight(_ change: RateChange) -> Double {
            change.contribution(before: before, after: after).map(abs) ?? Double(before.messages + after.messages)
        }

        mutating func add(_ other: Part) {
            before.add(other.before)
            after.add(other.after)
        }

        @inline(__always)
        mutating func add(_ messages: Int, isLater: Bool, passed: Bool) {
            if isLater {
                after.messages += messages
                if passed { after.passed += messages }
            } else {
                before.messages += messages
                if passed { before.passed += messages }
            }
        }
    }

    /// The sources or services of one domain.
    private struct Compared: Sendable {
        var domain: PolicyDomain
        var addresses: [IPAddress] = []
        var services: [PartyName] = []
        var parts: VerdictSlots<Part>

        /// One for each group; of what is the domain's own, one for each verdict: it must not hide who borrows its name.
        func appendCandidates(_ domain: Int32, _ change: RateChange, to found: inout [Candidate]) {
            for number in 0..<parts.count {
                let isSplit = !services.isEmpty && services[number] == .own
                var candidate = Candidate(domain: domain, number: Int32(number))
                parts.forEach(of: number) { verdict, part in
                    guard part.hasMessages else { return }
                    if isSplit { candidate = Candidate(domain: domain, number: Int32(number)) }
                    candidate.add(part, verdict, change)
                    if isSplit { found.append(candidate.weighed(change)) }
                }
                if !isSplit, candidate.sum.hasMessages { found.append(candidate.weighed(change)) }
            }
        }

        func row(_ candidate: Candidate, _ change: RateChange, _ names: inout NameLookup) throws -> ChangeRow {
            let (number, sum) = (Int(candidate.number), candidate.sum)
            return ChangeRow(
                source: addresses.isEmpty ? nil : addresses[number], domain: domain.name, verdict: Verdict(stored: candidate.verdict),
                service: services.isEmpty ? nil : try services[number].text(&names), before: sum.before, after: sum.after,
                contribution: change.contribution(before: sum.before, after: sum.after))
        }
    }

    /// A row that may come to be shown.
    private struct Candidate {
        let domain: Int32
        let number: Int32
        private(set) var sum = Part()
        private(set) var weight = 0.0
        private(set) var verdict = 0
        private var heaviest = -1.0

        init(domain: Int32, number: Int32) {
            self.domain = domain
            self.number = number
        }

        /// Adds the messages with one verdict. The verdict of the row is that of those that moved the rate most; of equals the first.
        mutating func add(_ part: Part, _ verdict: Int, _ change: RateChange) {
            sum.add(part)
            let weight = part.weight(change)
            guard weight > heaviest || (weight == heaviest && verdict < self.verdict) else { return }
            heaviest = weight
            self.verdict = verdict
        }

        func weighed(_ change: RateChange) -> Candidate {
            var candidate = self
            candidate.weight = sum.weight(change)
            return candidate
        }
    }

    /// Calls `body` with each record and day of a domain in both periods.
    @inline(__always)
    private static func forEachRecord(
        _ scans: [RecordScan], of domain: PolicyDomain, _ body: (_ record: PackedRecord, _ isLater: Bool) throws -> Void
    ) throws {
        for (number, scan) in scans.enumerated() {
            try scan.forEach(of: domain.id) { record, _ in try body(record, number == 1) }
        }
    }

    private static func sources(_ facts: Facts, _ scopes: [Scope], of next: () -> PolicyDomain?) throws -> [Compared] {
        let scans = try scopes.map { try RecordScan(facts, $0) }
        var compared: [Compared] = []
        while let domain = next() {
            var table = SourceTable()
            var parts = VerdictSlots<Part>()
            try forEachRecord(scans, of: domain) { record, isLater in
                parts.change(table.number(of: record.source), record.verdict, Part()) {
                    $0.add(record.messages, isLater: isLater, passed: record.aligned != 0)
                }
            }
            compared.append(Compared(domain: domain, addresses: table.addresses, parts: parts))
        }
        return compared
    }

    private static func services(_ facts: Facts, _ scopes: [Scope], of next: () -> PolicyDomain?) throws -> [Compared] {
        let scans = try scopes.map { try RecordScan(facts, $0) }
        var parties = try KeyedParties(facts, .ofVerdicts(facts))
        var compared: [Compared] = []
        while let domain = next() {
            var parts = VerdictSlots<Part>()
            let own = try parties.organisation(of: domain)
            try forEachRecord(scans, of: domain) { record, isLater in
                parts.change(try parties.number(ofSet: record.authentication, for: domain, own: own), record.verdict, Part()) {
                    $0.add(record.messages, isLater: isLater, passed: record.aligned != 0)
                }
            }
            compared.append(Compared(domain: domain, services: parties.names, parts: parts))
        }
        return compared
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

extension Rate {
    fileprivate mutating func add(_ other: Rate) {
        messages += other.messages
        passed += other.passed
    }
}

extension Filter {
    /// The same for these days only.
    package func limited(to period: Period) -> Filter {
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
