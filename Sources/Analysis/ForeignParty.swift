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

    /// The known service, else the organisation of the first foreign name; nil where all names are own or there is none.
    func party(_ results: AuthenticationSet, besides domain: String) -> String? {
        guard let first = names(results, besides: domain).first else { return nil }
        return service(results, besides: domain) ?? suffixes.organisation(of: first)
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
