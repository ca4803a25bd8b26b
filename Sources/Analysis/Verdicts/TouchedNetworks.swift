import GRDB

/// The networks whose flows rest on knowledge that changed.
struct TouchedNetworks {
    private let db: Database

    init(_ db: Database) { self.db = db }

    /// Adds them to `networks`.
    func find(_ history: History, _ networks: inout Set<Network>) throws {
        let sources = try SQLRows(db, "SELECT source FROM flows WHERE authentication_id = ?1")
        for set in try sets(history) {
            try sources.restart(set)
            while try sources.next() { networks.insert(Network(try sources.address(0))) }
        }
        // Whoever sends for a policy domain stands among its sources.
        let ofDomain = try SQLRows(db, "SELECT source FROM sources WHERE domain_id = ?1")
        for domain in history.changedDomains {
            try ofDomain.restart(domain)
            while try ofDomain.next() { networks.insert(Network(try ofDomain.address(0))) }
        }
    }

    /// The sets of results in which names occur of which something else is known now.
    private func sets(_ history: History) throws -> Set<Int> {
        let setsOfName = try SQLRows(db, "SELECT set_id FROM authentication_results WHERE domain_id = ?1")
        let setsOfSelector = try SQLRows(
            db, "SELECT set_id FROM authentication_results WHERE domain_id = ?1 AND coalesce(selector_id, 0) = ?2 AND method = 'dkim'")
        let members = try SQLRows(db, "SELECT name_id FROM organisation_names WHERE organisation_id = ?1")
        var sets: Set<Int> = []
        var organisations = history.changedOrganisations
        for key in history.changedSelectors {
            // The signature of another organisation, whatever its selectors.
            if key.selector == 0 { organisations.insert(key.domain) }
            try setsOfSelector.restart(key.domain, key.selector)
            while try setsOfSelector.next() { sets.insert(setsOfSelector.int(0)) }
        }
        for organisation in organisations {
            try setsOfName.restart(organisation)
            while try setsOfName.next() { sets.insert(setsOfName.int(0)) }
            try members.restart(organisation)
            while try members.next() {
                try setsOfName.restart(members.int(0))
                while try setsOfName.next() { sets.insert(setsOfName.int(0)) }
            }
        }
        return sets
    }
}
