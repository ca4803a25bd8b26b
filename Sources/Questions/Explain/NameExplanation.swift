import DMARC
import Inference
import Organisations
import Store

/// Everywhere a name or a selector is seen.
public struct NameExplanation: Sendable {
    /// Life of a selector: from where, since when, and how often it verifies.
    public struct Place: Hashable, Sendable {
        /// For whom.
        public var policyDomain: String
        /// The policy domain, canonical; of a signature its own domain.
        public var domain: String
        /// Nil: the reports do not name it.
        public var selector: String?
        /// Whose SPF it stands beside: nil where that is the policy domain's own, or none.
        public var beside: String?
        /// What it stands beside.
        public var kind: Kind
        /// Records in which it verified.
        public var verified: Int
        /// The same, where the signature did not verify.
        public var broken: Int
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
        /// About how many reporters.
        public var reporters: Int
        /// Seen away from where the selector is at home.
        public var isUnexpected = false
        /// Of the selector for the policy domain, at all places.
        public var life: Life
    }

    /// All that is known of a selector for a policy domain.
    public struct Life: Hashable, Sendable {
        /// Records in which it verified.
        public var verified = 0
        /// The same, where the signature did not verify.
        public var broken = 0
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
    }

    /// What a signature stands beside.
    public enum Kind: String, Sendable {
        case own, ownFailing = "own-failing", none, foreignFailing = "foreign-failing", organisation, unlisted
    }

    /// What is known of an organisation, if the name is one that was met.
    public let organisation: SourceExplanation.Stranger?
    /// Where selectors that the name or the selector stands for were seen, those with most records; by policy domain, selector and first day.
    public let places: [Place]
    /// How many there are beyond the limit.
    public let otherPlaces: Int
    /// Whether any report has the name or the selector, whatever else is known of it.
    public let isMet: Bool
    /// Sources that authenticate as the organisation, most messages first; at most 20.
    public let sources: [(source: IPAddress, domain: String, verdict: Verdict, messages: Int)]

    /// A domain, or a selector: `s1`, `s1._domainkey.example.nl`.
    ///
    /// - Parameter limit: how many places; nil: all.
    public static func ask(_ store: ReportStore, name: String, limit: Int? = nil) throws(StoreError) -> NameExplanation {
        try readingShared(store, "explain") { facts, shared in
            var selector: String?
            var domain: String? = name
            if let range = name.firstRange(of: "._domainkey.") {
                selector = String(name[..<range.lowerBound])
                domain = String(name[range.upperBound...])
            } else if !name.contains(".") {
                selector = name
                domain = nil
            }
            let organisation = try domain.flatMap { try Self.organisation(facts, $0) }
            let isMet = try [domain, selector].compactMap(\.self).allSatisfy { try Self.isMet(facts, $0) }
            let tasks = [Task.places] + (selector == nil ? try Self.setRanges(facts).map(Task.senders) : [])
            let parts = try shared.split(tasks, facts) { [domain, selector] facts, next in
                var part = Part()
                while let task = next() { try part.add(facts, task, domain: domain, selector: selector, limit: limit) }
                return part
            }
            let (places, others) = parts.compactMap(\.places).first ?? ([], 0)
            return NameExplanation(
                organisation: organisation, places: places, otherPlaces: others, isMet: isMet,
                sources: try leading(facts, parts.map(\.senders)))
        }
    }

    /// What is found out one by one, on one connection or on two.
    private enum Task: Sendable {
        /// Where selectors are seen.
        case places
        /// Who sends, by the sets of results with these keys.
        case senders(Range<Int>)
    }

    private struct Part: Sendable {
        private(set) var places: (places: [Place], others: Int)?
        private(set) var senders = Senders()

        mutating func add(_ facts: Facts, _ task: Task, domain: String?, selector: String?, limit: Int?) throws {
            switch task {
            case .places: places = try SelectorPlaces.leading(facts, domain: domain, selector: selector, limit: limit)
            case .senders(let range): if let domain { try senders.add(facts, domain, range) }
            }
        }
    }

    /// Pieces that two connections take in turn.
    private static func setRanges(_ facts: Facts) throws -> [Range<Int>] {
        let end = try facts.lastSet() + 1
        let count = 16
        return (0..<count).map { end * $0 / count..<end * ($0 + 1) / count }
    }

    private static func isMet(_ facts: Facts, _ name: String) throws -> Bool {
        try facts.key(ofName: name) != nil || facts.key(ofDomain: name) != nil
    }

    private static func organisation(_ facts: Facts, _ name: String) throws -> SourceExplanation.Stranger? {
        guard let key = try facts.key(ofName: name), let known = try facts.organisation(key) else { return nil }
        var stranger = SourceExplanation.Stranger(name: name, service: Services.known.service(of: name))
        stranger.add(known)
        return stranger
    }

    private struct Sender {
        var source: IPAddress
        var domain: Int
        var verdict: Int
        var messages = 0
    }

    /// What each source sends for a domain with a verdict: those of some sets of results.
    private struct Senders: Sendable {
        private(set) var groups = SourceGroups()
        private(set) var messages: [Int] = []

        mutating func add(_ facts: Facts, _ name: String, _ range: Range<Int>) throws {
            // In the order in which they lie in the index.
            let sets = try facts.sets(of: name, in: range).sorted()
            try facts.forEachFlow(ofSets: sets) { source, domain, verdict, messages in add(messages, of: source, domain << 8 | verdict) }
        }

        mutating func add(_ count: Int, of source: IPAddress, _ key: Int) {
            let group = groups.number(of: source, key)
            if group == messages.count { messages.append(0) }
            messages[group] += count
        }
    }

    /// The first of them, most messages first.
    private static func leading(_ facts: Facts, _ parts: [Senders]) throws -> [(
        source: IPAddress, domain: String, verdict: Verdict, messages: Int
    )] {
        var senders = parts[0]
        for part in parts.dropFirst() {
            for group in part.messages.indices {
                senders.add(part.messages[group], of: part.groups.source(of: group), part.groups.key(of: group))
            }
        }
        let (groups, messages) = (senders.groups, senders.messages)
        let leading = messages.indices.leading(mostSources) { messages[$0] }.map { group in
            let key = groups.key(of: group)
            return Sender(source: groups.source(of: group), domain: key >> 8, verdict: key & 255, messages: messages[group])
        }
        var domains: [Int: String] = [:]
        for domain in Set(leading.map(\.domain)) {
            domains[domain] = try facts.domainName(domain)
        }
        let rows = leading.map { ($0.source, domains[$0.domain] ?? "", Verdict(stored: $0.verdict), $0.messages) }
        return Array(
            rows.sorted { a, b in
                if a.3 != b.3 { return a.3 > b.3 }
                if a.0 != b.0 { return a.0.isBefore(b.0) }
                return (a.1, a.2.stored) < (b.1, b.2.stored)
            }.prefix(mostSources))
    }

    private static let mostSources = 20
}
