import DMARC
import GRDB

/// Who stands beside a domain's own name in authentication results: a service, a forwarder, a stranger.
struct ForeignParty {
    private let suffixes: PublicSuffixes
    private let services: Services

    init(_ suffixes: PublicSuffixes) {
        self.suffixes = suffixes
        services = Services()
    }

    /// The names in `results` of other organisations than that of `domain`: those that passed first, SPF before DKIM.
    func names(_ results: AuthenticationSet, besides domain: String) -> [String] {
        let own = suffixes.organisation(of: domain)
        let spf = results.spf.map { ($0.domain, $0.result == .pass) }
        let dkim = results.dkim.map { ($0.domain, $0.result == .pass) }
        let foreign = (spf + dkim).compactMap { name, passed -> (name: String, passed: Bool)? in
            guard let name, !name.isEmpty, suffixes.organisation(of: name) != own else { return nil }
            return (name, passed)
        }
        return foreign.filter(\.passed).map(\.name) + foreign.filter { !$0.passed }.map(\.name)
    }

    /// The known service among the foreign names, if any.
    func service(_ results: AuthenticationSet, besides domain: String) -> String? {
        for name in names(results, besides: domain) {
            if let service = services.service(of: name) { return service.name }
        }
        return nil
    }

    /// Whom a name speaks for: a known service, else its organisation; nil where that is the domain's own.
    func party(ofName name: String, besides domain: String) -> (name: String, isService: Bool)? {
        let organisation = suffixes.organisation(of: name)
        guard !name.isEmpty, organisation != suffixes.organisation(of: domain) else { return nil }
        return services.service(of: name).map { ($0.name, true) } ?? (organisation, false)
    }
}

/// Whom the sets of results of one policy domain speak for: a known service, else the first foreign organisation. Each name is looked at
/// once.
struct KeyedParties {
    private struct Party {
        var number: Int
        var isService: Bool
    }

    /// What the parties are called, by number; nil: the domain's own. Numbered in the order of their first appearance.
    private(set) var names: [String?] = []
    private let party: ForeignParty
    private let domain: String
    private let rows: SQLRows
    private var texts: NameLookup
    private var numbers: [String?: Int] = [:]
    /// By name: nil where it is own.
    private var parties: [Int: Party?] = [:]
    private var sets = KeyedPlaces()

    init(_ db: Database, _ party: ForeignParty, besides domain: String) throws {
        self.party = party
        self.domain = domain
        rows = try SQLRows(db, KeyedResults.resultsSQL)
        texts = NameLookup(db)
    }

    /// The number of the party of the set with the key `id`.
    mutating func number(ofSet id: Int) throws -> Int {
        if let known = sets[id] { return known }
        let number = try found(id)
        sets[id] = number
        return number
    }

    private mutating func found(_ id: Int) throws -> Int {
        // What passed before what did not, SPF before DKIM, and a known service before the first name of all.
        var best: (rank: Int, party: Party)?
        try rows.restart(id)
        while try rows.next() {
            guard let name = rows.optionalInt(1), let party = try self.party(ofName: name) else { continue }
            let order = (rows.int(4) == 1 ? 0 : 2) + (rows.int(0) == 1 ? 1 : 0)
            let rank = (party.isService ? 0 : 4) + order
            if best.map({ rank < $0.rank }) ?? true { best = (rank, party) }
        }
        return best?.party.number ?? number(of: nil)
    }

    private mutating func party(ofName key: Int) throws -> Party? {
        if let known = parties[key] { return known }
        let name = try texts.name(key) ?? ""
        let found = party.party(ofName: name, besides: domain).map { Party(number: number(of: $0.name), isService: $0.isService) }
        parties[key] = .some(found)
        return found
    }

    private mutating func number(of name: String?) -> Int {
        if let number = numbers[name] { return number }
        numbers[name] = names.count
        names.append(name)
        return names.count - 1
    }
}

/// Small numbers by keys of a table, which count from 1 with few gaps: an array is quicker than a dictionary.
struct KeyedPlaces {
    private var places: [Int32] = []

    subscript(_ key: Int) -> Int? {
        @inline(__always) get { key < places.count && places[key] >= 0 ? Int(places[key]) : nil }
        set {
            if key >= places.count { places.append(contentsOf: repeatElement(-1, count: key + 1 - places.count + places.count / 2)) }
            places[key] = newValue.map { Int32($0) } ?? -1
        }
    }
}

/// The known service behind a source, by the results that most of its messages share, over all time.
struct SourceServices {
    /// Question: what a source sends for a domain. Unit: one row a flow. Index: primary key of `flows`, one seek.
    static let flowsSQL = "SELECT authentication_id, messages, verdict FROM flows WHERE source = ?1 AND domain_id = ?2"

    private let db: Database
    private let party: ForeignParty
    private var authentications: AuthenticationLookup

    init(_ db: Database, _ suffixes: PublicSuffixes) {
        self.db = db
        party = ForeignParty(suffixes)
        authentications = AuthenticationLookup(db)
    }

    /// The service, of those flows only that have this verdict.
    mutating func service(of source: IPAddress, for domain: PolicyDomain, verdict: Verdict) throws -> String? {
        var votes: [Int: Int] = [:]
        let flows = try SQLRows(db, Self.flowsSQL, [.address(source), .integer(domain.id)])
        while try flows.next() {
            if flows.int(2) == verdict.stored { votes[flows.int(0), default: 0] += flows.int(1) }
        }
        // Of equals the lowest key, so that the answer does not depend on the dictionary.
        guard let best = votes.max(by: { ($0.value, $1.key) < ($1.value, $0.key) })?.key else { return nil }
        return party.service(try authentications.set(best), besides: domain.name)
    }
}

extension PublicSuffixes {
    /// The distribution's list.
    static func distribution() throws(AnalysisError) -> PublicSuffixes {
        guard let suffixes = PublicSuffixes() else {
            throw AnalysisError(code: .ioError, place: "the list of public suffixes", found: "it cannot be read")
        }
        return suffixes
    }
}
