import DMARC
import GRDB
import Organisations

/// Which names belong to a domain, and which to a well-known service. Both tables are read when they are first asked for.
package struct ForeignNames {
    private let db: Database
    private lazy var suffixes = try? PublicSuffixes.ofVerdicts(db)
    private lazy var services = Services.known

    package init(_ db: Database) { self.db = db }

    /// Whether `name` belongs to the organisation of `domain`.
    package mutating func isOwn(_ name: String, of domain: String) -> Bool {
        // Without a list of public suffixes only what stands above or below is known to be of one organisation.
        guard let suffixes else { return name == domain || name.hasSuffix("." + domain) || domain.hasSuffix("." + name) }
        return suffixes.organisation(of: name) == suffixes.organisation(of: domain)
    }

    /// The check and the signature to show where there is room for one of each, of mail in the name of `name`: those that made it pass, if any
    /// did; else the first check, and the first signature that verified or else the first. Of several the one of the same name is taken, for
    /// strict alignment asks for no less.
    package mutating func shown(_ set: AuthenticationSet, for name: String) -> (check: SPFResult?, signature: DKIMResult?) {
        // What the server said in HELO counts only in place of a sender (RFC 7489 §3.1.2).
        let hasSender = set.spf.contains { $0.scope != .helo }
        let checks = set.spf.filter { $0.result == .pass && ($0.scope != .helo || !hasSender) }
        let signatures = set.dkim.filter { $0.result == .pass }
        let check = aligned(checks, for: name, \.domain) ?? set.spf.first
        return (check, aligned(signatures, for: name, \.domain) ?? signatures.first ?? set.dkim.first)
    }

    private mutating func aligned<Result>(_ results: [Result], for name: String, _ domain: (Result) -> String?) -> Result? {
        if let exact = results.first(where: { domain($0) == name }) { return exact }
        for result in results {
            if let other = domain(result), !other.isEmpty, isOwn(other, of: name) { return result }
        }
        return nil
    }

    /// The service behind the first of `names` that is not one of the domain's own and is known.
    package mutating func service(of names: [String?], for domain: String) -> Service? {
        for case let name? in names where !isOwn(name, of: domain) {
            if let service = services.service(of: name) { return service }
        }
        return nil
    }
}
