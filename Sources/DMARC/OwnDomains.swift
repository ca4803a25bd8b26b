/// The domains whose reports are collected: each of these and everything below it. Without any, every domain is one.
///
/// Anybody can mail a report about any domain; what is about others is no figure of ours.
public struct OwnDomains: Sendable, Equatable {
    private let names: Set<String>

    /// From names in any spelling.
    public init(_ names: [String] = []) { self.names = Set(names.map(DomainName.canonical)) }

    /// Whether a canonical name is none of these, nor below one.
    public func isForeign(_ domain: String) -> Bool {
        guard !names.isEmpty else { return false }
        var rest = Substring(domain)
        while !names.contains(String(rest)) {
            guard let point = rest.firstIndex(of: ".") else { return true }
            rest = rest[rest.index(after: point)...]
        }
        return false
    }
}
