import Store

/// Domains of a filter that no report is about, nor about anything below them: most likely slips.
public struct UnknownDomains: Sendable {
    /// Those of the filter, in its order.
    public var names: [String]
    /// All policy domains, in the order of the alphabet; empty where none of the filter's is unknown.
    public var known: [String]

    /// Asks `store`; not even that where the filter names no domain.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> UnknownDomains {
        guard !filter.domains.isEmpty else { return UnknownDomains(names: [], known: []) }
        return try reading(store, "domains") { facts in
            let known = try facts.domains().map(\.name)
            let names = filter.domains.filter { asked in
                let one = Filter(domains: [asked], today: filter.today)
                return !known.contains { one.includes(domain: $0) }
            }
            return UnknownDomains(names: names, known: names.isEmpty ? [] : known)
        }
    }
}
