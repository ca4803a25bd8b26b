import DMARC
import GRDB
import Organisations

/// What a party is called: texts are looked up only for those that are shown.
package enum PartyName: Hashable, Sendable {
    /// The policy domain's own.
    case own
    /// A known service, or an organisation.
    case text(String)
    /// names: an organisation.
    case key(Int)

    /// The text; nil for the policy domain's own.
    package func text(_ names: inout NameLookup) throws -> String? {
        switch self {
        case .own: nil
        case .text(let text): text
        case .key(let key): try names.name(key) ?? ""
        }
    }
}

/// Whom the sets of results of a policy domain speak for: a known service, else the first foreign organisation. Only names of services are looked
/// up, each once.
package struct KeyedParties {
    private struct Party {
        /// The number of its service, else of its organisation.
        package var number: Int
        package var isService: Bool
    }

    /// What the parties are called, by number, in the order of their first appearance.
    package private(set) var names: [PartyName] = []
    private let book: NameBook
    private var results: KeyedResults
    private var texts: NameLookup
    private var numbers: [PartyName: Int] = [:]
    private var places = KeyedPlaces()
    private var organisations = KeyedPlaces()
    private var parties: [Party] = []
    /// The answers by the place of a set, with the domain that they hold for: a set mostly comes with one only.
    private var known: [(domain: Int32, number: Int32)] = []

    package init(_ facts: Facts, _ suffixes: PublicSuffixes) throws {
        book = NameBook(suffixes)
        results = try KeyedResults(facts, suffixes)
        texts = NameLookup(facts)
    }

    /// The number of the organisation of a policy domain.
    package mutating func organisation(of domain: PolicyDomain) throws -> Int32 { try results.organisation(ofText: domain.name) }

    /// The number of the party of the set with the key `id`, for a policy domain of the organisation `own`.
    @inlinable @inline(__always)
    public mutating func number(ofSet id: Int, for domain: PolicyDomain, own: Int32) throws -> Int {
        let place = try results.place(id)
        if place >= known.count { known.append(contentsOf: repeatElement((domain: -1, number: 0), count: results.count - known.count)) }
        let key = Int32(truncatingIfNeeded: domain.id)
        if known[place].domain != key { known[place] = (key, Int32(try found(place, own))) }
        return Int(known[place].number)
    }

    private mutating func found(_ place: Int, _ own: Int32) throws -> Int {
        // What passed before what did not, SPF before DKIM, and a known service before the first name of all.
        var best: (rank: Int, party: Party)?
        let hasSender = results.hasSender(place)
        for result in results[place] where result.organisation != 0 && result.organisation != own {
            guard result.isDKIM || SenderCheck.counts(isHELO: result.isHELO, hasSender: hasSender) else { continue }
            let party = try party(of: result)
            let order = (result.passed ? 0 : 2) + (result.isDKIM ? 1 : 0)
            let rank = (party.isService ? 0 : 4) + order
            if best.map({ rank < $0.rank }) ?? true { best = (rank, party) }
        }
        return best?.party.number ?? number(of: .own)
    }

    private mutating func party(of result: KeyedResult) throws -> Party {
        // Below 0 it has no key in the database.
        guard result.organisation > 0, !result.isOfService else { return try party(ofName: Int(result.domain)) }
        let organisation = Int(result.organisation)
        if let place = organisations[organisation] { return parties[place] }
        let found = Party(number: number(of: .key(organisation)), isService: false)
        organisations[organisation] = parties.count
        parties.append(found)
        return found
    }

    private mutating func party(ofName key: Int) throws -> Party {
        if let place = places[key] { return parties[place] }
        let name = try texts.name(key) ?? ""
        let service = book.service(of: name)?.name
        let found = Party(number: number(of: .text(service ?? book.organisation(of: name))), isService: service != nil)
        places[key] = parties.count
        parties.append(found)
        return found
    }

    private mutating func number(of name: PartyName) -> Int {
        if let number = numbers[name] { return number }
        numbers[name] = names.count
        names.append(name)
        return names.count - 1
    }
}

/// Small numbers by keys of a table, which count from 1 with few gaps: an array is quicker than a dictionary.
public struct KeyedPlaces: Sendable {
    @usableFromInline var places: [Int32] = []
    /// Those of keys that no sound database has.
    @usableFromInline var far: [Int: Int] = [:]

    package init() {}
    private static let most = 1 << 28

    /// The number of a key; nil: none yet.
    public subscript(_ key: Int) -> Int? {
        @inlinable @inline(__always) get {
            if key >= 0, key < places.count { return places[key] >= 0 ? Int(places[key]) : nil }
            return far.isEmpty ? nil : far[key]
        }
        set {
            guard key >= 0, key < Self.most else {
                far[key] = newValue
                return
            }
            if key >= places.count { places.append(contentsOf: repeatElement(-1, count: key + 1 - places.count + places.count / 2)) }
            places[key] = newValue.map { Int32($0) } ?? -1
        }
    }
}

/// The known service behind a source, by the results that most of its messages share, over all time.
package struct SourceServices {
    /// Question: what a source sends for a domain. Unit: one row a flow. Index: primary key of `flows`, one seek.
    package static let flowsSQL = "SELECT authentication_id, messages, verdict FROM flows WHERE source = ?1 AND domain_id = ?2"

    private let facts: Facts
    private let book: NameBook
    private var authentications: AuthenticationLookup

    package init(_ facts: Facts, _ suffixes: PublicSuffixes) {
        self.facts = facts
        book = NameBook(suffixes)
        authentications = AuthenticationLookup(facts)
    }

    /// The service, of those flows only that have this verdict.
    package mutating func service(of source: IPAddress, for domain: PolicyDomain, verdict: Verdict) throws -> String? {
        var votes: [Int: Int] = [:]
        let flows = try SQLRows(facts, Self.flowsSQL, [.address(source), .integer(domain.id)])
        while try flows.next() {
            if flows.int(2) == verdict.stored { votes[flows.int(0), default: 0] += flows.int(1) }
        }
        guard let best = try authentications.usual(of: votes) else { return nil }
        return ResultView(try authentications.set(best), for: domain.name, book).service?.name
    }
}

extension NameBook {
    /// With the list of public suffixes that the verdicts of this database were made with, where there is one.
    package init(_ facts: Facts) { self.init(try? PublicSuffixes.ofVerdicts(facts)) }
}

extension PublicSuffixes {
    /// The list that the verdicts of this database were made with; the distribution's if it cannot be read any more.
    package static func ofVerdicts(_ facts: Facts) throws -> PublicSuffixes {
        let file = try String.fetchOne(facts.db, sql: "SELECT suffixes FROM verdict_state WHERE id = 1") ?? ""
        guard let suffixes = (file.isEmpty ? nil : PublicSuffixes(file: file)) ?? PublicSuffixes() else {
            throw StoreError(code: .ioError, place: "the list of public suffixes", found: "it cannot be read", question: "names")
        }
        return suffixes
    }
}
