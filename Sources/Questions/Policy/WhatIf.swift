import DMARC
import Inference
import Organisations
import Store

/// What would become of messages. All of them counts of messages.
public struct WhatIfFigures: Hashable, Sendable {
    /// All messages.
    public var messages = 0
    /// Disposition `none` or `pass`.
    public var deliveredNow = 0
    /// Delivered now, and would not be.
    public var notDelivered = 0
    /// Those of `notDelivered` for which the receiver made an exception (forwarded, mailing list, policy of its own): it could again.
    public var overridden = 0
    /// Not delivered now, and would be.
    public var newlyDelivered = 0
    /// Pass DMARC by the reporter's verdict.
    public var passesNow = 0
    /// Pass now, and would fail.
    public var wouldFail = 0
    /// Fail now, and would pass.
    public var wouldPass = 0

    /// Nothing.
    public init() {}

    /// Whether anything would be otherwise.
    public var isAffected: Bool { notDelivered > 0 || newlyDelivered > 0 || wouldFail > 0 || wouldPass > 0 }

    @inline(__always)
    mutating func add(_ count: Int, _ outcome: WhatIfOutcome) {
        messages += count
        if outcome.contains(.deliveredNow) { deliveredNow += count }
        if outcome.contains(.passesNow) { passesNow += count }
        if outcome.isSubset(of: [.deliveredNow, .passesNow]) { return }
        if outcome.contains(.notDelivered) { notDelivered += count }
        if outcome.contains(.overridden) { overridden += count }
        if outcome.contains(.newlyDelivered) { newlyDelivered += count }
        if outcome.contains(.wouldFail) { wouldFail += count }
        if outcome.contains(.wouldPass) { wouldPass += count }
    }

    package mutating func add(_ other: WhatIfFigures) {
        messages += other.messages
        deliveredNow += other.deliveredNow
        notDelivered += other.notDelivered
        overridden += other.overridden
        newlyDelivered += other.newlyDelivered
        passesNow += other.passesNow
        wouldFail += other.wouldFail
        wouldPass += other.wouldPass
    }
}

/// The messages of one verdict, or of one source with one verdict.
public struct WhatIfRow: Hashable, Sendable {
    /// What the messages are.
    public var verdict: Verdict
    /// The connecting address; nil in a row for a whole verdict.
    public var source: IPAddress?
    /// The policy domain, canonical; nil in a row for a whole verdict.
    public var domain: String?
    /// The known service behind the source, if any.
    public var service: String?
    /// What would become of them.
    public var figures: WhatIfFigures

    /// All parts.
    public init(
        verdict: Verdict, source: IPAddress? = nil, domain: String? = nil, service: String? = nil, figures: WhatIfFigures
    ) {
        self.verdict = verdict
        self.source = source
        self.domain = domain
        self.service = service
        self.figures = figures
    }
}

/// The answer to "what would have happened".
public struct WhatIf: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// One row a verdict with messages: most messages that would not be delivered first.
    public var verdicts: [WhatIfRow]
    /// One row a policy domain, source and verdict, in the same order.
    public var sources: [WhatIfRow]
    /// Sources that anything would be otherwise for, also those beyond the limit.
    public var affectedSources: Int
    /// The sum.
    public var total: WhatIfFigures

    /// Asks `store`.
    ///
    /// - Parameter sources: how many of the leading sources are given, with their service; nil: all, also those for which nothing changes.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, _ settings: WhatIfSettings, sources limit: Int? = nil, withTotals: Bool = true
    ) throws(StoreError) -> WhatIf {
        try readingShared(store, "what-if") { facts, shared in
            let scope = try Scope(facts, filter)
            var answer = WhatIf(
                coverage: scope.coverage(messages: 0, reports: 0), verdicts: [], sources: [], affectedSources: 0, total: WhatIfFigures())
            guard let period = scope.period else { return answer }
            let parts = try shared.split(scope.domains, facts) { facts, next in
                var part = Part()
                let scan = try RecordScan(facts, scope)
                var outcomes = try OutcomeLookup(facts, scope.domains, settings, .ofVerdicts(facts))
                while let domain = next() {
                    let (table, slots) = try outcomeSums(facts, scan, of: domain, in: period, settings, &outcomes)
                    part.add(domain, table, slots, onlyAffected: limit != nil)
                }
                return part
            }
            var sums = [Int](repeating: 0, count: Part.keys)
            var sources: [Candidate] = []
            for part in parts {
                answer.affectedSources += part.affected
                for key in sums.indices { sums[key] += part.sums[key] }
                sources += part.candidates
            }
            var verdicts: [Int: WhatIfFigures] = [:]
            for (key, messages) in sums.enumerated() where messages > 0 {
                verdicts[key >> 8, default: WhatIfFigures()].add(messages, WhatIfOutcome(rawValue: UInt8(key & 255)))
            }
            for figures in verdicts.values { answer.total.add(figures) }
            answer.verdicts = ranked(verdicts.map { WhatIfRow(verdict: Verdict(stored: $0), figures: $1) })
            answer.sources = Array(ranked(sources.leading(limit, by: \.figures.weight).map(\.row)).prefix(limit ?? .max))
            try nameServices(facts, scope, .ofVerdicts(facts), &answer.sources)
            if withTotals { answer.coverage = try scope.totals(facts) }
            return answer
        }
    }

    /// What some of the domains come to.
    private struct Part: Sendable {
        /// Messages by verdict and outcome, in one number below this.
        static let keys = 16 << 8
        private(set) var sums = [Int](repeating: 0, count: keys)
        private(set) var candidates: [Candidate] = []
        private(set) var affected = 0

        mutating func add(_ domain: PolicyDomain, _ table: SourceTable, _ slots: VerdictSlots<Int>, onlyAffected: Bool) {
            for slot in slots.slots { sums[Int(slot.verdict)] += slot.value }
            for number in 0..<slots.count {
                var found: [(verdict: Int, figures: WhatIfFigures)] = []
                if onlyAffected {
                    var isAffected = false
                    slots.forEach(of: number) { key, messages in isAffected = isAffected || messages > 0 && key & WhatIfOutcome.changes != 0
                    }
                    guard isAffected else { continue }
                }
                slots.forEach(of: number) { key, messages in
                    guard messages > 0 else { return }
                    let place = found.firstIndex { $0.verdict == key >> 8 } ?? found.count
                    if place == found.count { found.append((key >> 8, WhatIfFigures())) }
                    found[place].figures.add(messages, WhatIfOutcome(rawValue: UInt8(key & 255)))
                }
                for (verdict, figures) in found {
                    if figures.isAffected { affected += 1 }
                    guard figures.isAffected || !onlyAffected else { continue }
                    candidates.append(
                        Candidate(domain: domain.name, source: table.addresses[number], verdict: verdict, figures: figures))
                }
            }
        }
    }

    /// A source that may come to be shown.
    private struct Candidate: Sendable {
        var domain: String
        var source: IPAddress
        var verdict: Int
        var figures: WhatIfFigures

        var row: WhatIfRow { WhatIfRow(verdict: Verdict(stored: verdict), source: source, domain: domain, figures: figures) }
    }

    /// What the outcome of a record depends on; 0 where it does not.
    private struct Kind: Hashable {
        var domain = 0
        var authentication = 0
        var headerFrom = 0
        var policy = 0
        /// From the lowest: SPF, DKIM, two bits of the disposition, whether the receiver made an exception.
        var flags = 0
    }

    /// Messages of each source of a domain by verdict and outcome, in one number: the verdict as stored, times 256, and the outcome.
    private static func outcomeSums(
        _ facts: Facts, _ scan: RecordScan, of domain: PolicyDomain, in period: Period, _ settings: WhatIfSettings,
        _ outcomes: inout OutcomeLookup
    ) throws -> (SourceTable, VerdictSlots<Int>) {
        var table = SourceTable()
        var sums = VerdictSlots<Int>()
        let policies = settings.readsPolicy ? try facts.policyKeys(of: domain, in: period) : [:]
        var (report, policy) = (-1, 0)
        var kind: Kind?
        var outcome = WhatIfOutcome()
        try scan.forEach(of: domain.id) { record, _ in
            let passed = record.aligned != 0
            var next = Kind(
                domain: domain.id, flags: record.aligned | record.disposition << 2 | (record.hasException ? 16 : 0))
            // Of records whose verdict stays as it is, whatever else they say, only the treatment matters.
            if !(passed ? settings.keepsPasses : settings.keepsFailures) {
                if settings.readsPolicy {
                    if record.report != report {
                        report = record.report
                        policy = policies[report] ?? 0
                    }
                    next.policy = policy
                    next.headerFrom = record.headerFrom
                }
                if settings.recomputes, passed || !settings.onlyTightens { next.authentication = record.authentication }
            }
            // Neighbours are often alike.
            if next != kind {
                kind = next
                outcome = try outcomes.outcome(next)
            }
            let messages = record.messages
            sums.change(table.number(of: record.source), record.verdict << 8 | Int(outcome.rawValue), 0) { $0 += messages }
        }
        return (table, sums)
    }

    /// Outcomes, each worked out once: the same few kinds of records repeat endlessly.
    private struct OutcomeLookup {
        private let settings: WhatIfSettings
        private let domains: [Int: String]
        private let facts: Facts
        private var results: KeyedResults
        private var names: NameLookup
        private var policies: [Int: PublishedPolicy] = [:]
        private var policiesOf = -1
        private var known: [Kind: WhatIfOutcome] = [:]
        private var places = KeyedPlaces()
        private var latest: [(kind: Kind, outcome: WhatIfOutcome)] = []

        init(_ facts: Facts, _ domains: [PolicyDomain], _ settings: WhatIfSettings, _ suffixes: PublicSuffixes) throws {
            self.facts = facts
            self.domains = Dictionary(uniqueKeysWithValues: domains.map { ($0.id, $0.name) })
            self.settings = settings
            results = try KeyedResults(facts, suffixes)
            names = NameLookup(facts)
        }

        mutating func outcome(_ kind: Kind) throws -> WhatIfOutcome {
            // With raw results almost every other record is of a kind of its own: a set mostly comes with the rest the same.
            guard kind.authentication != 0 else { return try remembered(kind) }
            if let place = places[kind.authentication] {
                return latest[place].kind == kind ? latest[place].outcome : try remembered(kind)
            }
            let outcome = try workedOut(kind)
            places[kind.authentication] = latest.count
            latest.append((kind, outcome))
            return outcome
        }

        private mutating func remembered(_ kind: Kind) throws -> WhatIfOutcome {
            if let outcome = known[kind] { return outcome }
            let outcome = try workedOut(kind)
            known[kind] = outcome
            return outcome
        }

        private mutating func workedOut(_ kind: Kind) throws -> WhatIfOutcome {
            let fact = WhatIfFact(
                said: Alignment(dkim: kind.flags & 2 != 0, spf: kind.flags & 1 != 0),
                disposition: AppliedDisposition(stored: kind.flags >> 2 & 3),
                headerFrom: settings.readsPolicy ? try names.name(kind.headerFrom) ?? "" : "",
                policy: try policy(kind.policy, of: kind.domain),
                hasException: kind.flags & 16 != 0)
            return try settings.outcome(fact) { dkim, spf in
                try results.alignment(try results.place(kind.authentication), from: kind.headerFrom, dkim: dkim, spf: spf)
            }
        }

        private mutating func policy(_ id: Int, of domain: Int) throws -> PublishedPolicy {
            // Records come one domain after the other.
            if domain != policiesOf {
                policies = [:]
                policiesOf = domain
            }
            if let policy = policies[id] { return policy }
            var policy = PublishedPolicy()
            policy.domain = domains[domain] ?? ""
            if id != 0 { policy = try facts.policy(id, of: policy.domain) ?? policy }
            policies[id] = policy
            return policy
        }
    }

    // MARK: - Order

    private static func ranked(_ rows: [WhatIfRow]) -> [WhatIfRow] {
        rows.map { (row: $0, text: $0.source?.description ?? "") }.sorted { a, b in
            let weights = (a.row.figures.weight, b.row.figures.weight)
            if weights.0 != weights.1 { return weights.0 > weights.1 }
            if a.text != b.text { return a.text < b.text }
            return (a.row.domain ?? "", a.row.verdict.stored) < (b.row.domain ?? "", b.row.verdict.stored)
        }.map(\.row)
    }

    private static func nameServices(_ facts: Facts, _ scope: Scope, _ suffixes: PublicSuffixes, _ rows: inout [WhatIfRow]) throws {
        guard !rows.isEmpty else { return }
        var lookup = SourceServices(facts, suffixes)
        let domains = Dictionary(uniqueKeysWithValues: scope.domains.map { ($0.name, $0) })
        for index in rows.indices {
            guard let source = rows[index].source, let domain = rows[index].domain.flatMap({ domains[$0] }) else { continue }
            rows[index].service = try lookup.service(of: source, for: domain, verdict: rows[index].verdict)
        }
    }
}

extension WhatIfFigures {
    /// How much would be otherwise: first what would be lost, then what would fail, then what would come; of equals the largest.
    fileprivate var weight: Weight {
        Weight(notDelivered: notDelivered, wouldFail: wouldFail, gained: newlyDelivered + wouldPass, messages: messages)
    }

    fileprivate struct Weight: Comparable {
        var notDelivered: Int
        var wouldFail: Int
        var gained: Int
        var messages: Int

        static func < (a: Weight, b: Weight) -> Bool {
            (a.notDelivered, a.wouldFail, a.gained, a.messages) < (b.notDelivered, b.wouldFail, b.gained, b.messages)
        }
    }
}
