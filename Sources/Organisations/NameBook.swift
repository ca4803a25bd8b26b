/// Whose name is this: organisational domains and well-known services.
package struct NameBook {
    /// Nil: there is no list of public suffixes to be had.
    private let suffixes: PublicSuffixes?
    private let services: Services

    package init(_ suffixes: PublicSuffixes?, _ services: Services = .known) {
        self.suffixes = suffixes
        self.services = services
    }

    /// Whether `name` belongs to the organisation of `domain`; both canonical.
    package func isOwn(_ name: String, of domain: String) -> Bool {
        // Without a list of public suffixes only what stands above or below is known to be of one organisation.
        guard let suffixes else { return name == domain || name.hasSuffix("." + domain) || domain.hasSuffix("." + name) }
        return suffixes.organisation(of: name) == suffixes.organisation(of: domain)
    }

    /// The organisational domain of a name; the name itself where there is no list.
    package func organisation(of name: String) -> String { suffixes?.organisation(of: name) ?? name }

    /// The well-known service that a name belongs to.
    package func service(of name: String) -> Service? { services.service(of: name) }
}
