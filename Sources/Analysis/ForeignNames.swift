import DMARC
import GRDB

/// Which names belong to a domain, and which to a well-known service. Both tables are read when they are first asked for.
struct ForeignNames {
    private let db: Database
    private lazy var suffixes = try? PublicSuffixes.ofVerdicts(db)
    private lazy var services = Services.known

    init(_ db: Database) { self.db = db }

    /// Whether `name` belongs to the organisation of `domain`.
    mutating func isOwn(_ name: String, of domain: String) -> Bool {
        // Without a list of public suffixes only what stands above or below is known to be of one organisation.
        guard let suffixes else { return name == domain || name.hasSuffix("." + domain) || domain.hasSuffix("." + name) }
        return suffixes.organisation(of: name) == suffixes.organisation(of: domain)
    }

    /// The service behind the first of `names` that is not one of the domain's own and is known.
    mutating func service(of names: [String?], for domain: String) -> Service? {
        for case let name? in names where !isOwn(name, of: domain) {
            if let service = services.service(of: name) { return service }
        }
        return nil
    }
}
