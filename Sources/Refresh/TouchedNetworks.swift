import GRDB
import Inference
import Store

/// The networks whose flows rest on knowledge that changed.
struct TouchedNetworks {
    private let outcomes: Outcomes
    private let flows: SQLRows
    private let setsOfName: SQLRows
    private let setsOfSelector: SQLRows
    private let members: SQLRows
    private let ofDomain: SQLRows
    /// The organisations of policy domains.
    private let own: Set<Int>

    /// Question: the flows of a set of results. Unit: one row a flow. Index: `flows_authentication`, which covers it.
    static let flowsSQL = "SELECT source, domain_id FROM flows WHERE authentication_id = ?1"
    /// Question: the sets in which a selector occurs. Unit: one row a signature. Index: `authentication_results_domain`.
    static let selectorSQL = """
        SELECT set_id FROM authentication_results WHERE domain_id = ?1 AND coalesce(selector_id, 0) = ?2 AND method = 'dkim'
        """

    init(_ db: Database, _ outcomes: Outcomes) throws {
        self.outcomes = outcomes
        flows = try SQLRows(db, Self.flowsSQL)
        setsOfName = try SQLRows(db, "SELECT set_id FROM authentication_results WHERE domain_id = ?1")
        setsOfSelector = try SQLRows(db, Self.selectorSQL)
        members = try SQLRows(db, "SELECT name_id FROM organisation_names WHERE organisation_id = ?1")
        ofDomain = try SQLRows(db, "SELECT source FROM sources WHERE domain_id = ?1")
        own = Set(try Int.fetchAll(db, sql: "SELECT domain_id FROM domain_habits").map { try outcomes.organisation(ofPolicyDomain: $0) })
    }

    /// Adds them to `networks`, where those of new flows are already.
    func find(_ history: History, _ networks: inout Set<Network>) throws {
        var sets: Set<Int> = []
        for organisation in history.changedOrganisations { try add(organisation, to: &sets) }
        for set in sets { try add(set, to: &networks) { _ in true } }

        // Another organisation's signature counts for the policy domain that it was seen for. All flows of a new one are new.
        var policies: [Int: Set<Int>] = [:]
        var signatures: Set<SelectorKey> = []
        for key in history.changedSelectors {
            signatures.insert(SelectorKey(domain: key.domain, selector: key.selector, policy: 0))
            if key.selector == 0, !history.newDomains.contains(key.policy) { policies[key.domain, default: []].insert(key.policy) }
        }
        for key in signatures { try addOwn(key, to: &networks) }
        for (organisation, policies) in policies {
            var sets: Set<Int> = []
            try add(organisation, to: &sets)
            for set in sets { try add(set, to: &networks) { policies.contains($0) } }
        }

        // Whoever sends for a policy domain stands among its sources.
        for domain in history.changedDomains {
            try ofDomain.restart(domain)
            while try ofDomain.next() { networks.insert(Network(try ofDomain.address(0))) }
        }
    }

    /// The signature of a policy domain's own organisation counts for all policy domains of that.
    private func addOwn(_ key: SelectorKey, to networks: inout Set<Network>) throws {
        let organisation = try outcomes.organisation(of: key.domain)
        guard own.contains(organisation) else { return }
        var sets: [Int] = []
        try setsOfSelector.restart(key.domain, key.selector)
        while try setsOfSelector.next() { sets.append(setsOfSelector.int(0)) }
        for set in sets {
            try add(set, to: &networks) { try outcomes.organisation(ofPolicyDomain: $0) == organisation }
        }
    }

    /// Adds the networks of a set's flows for the policy domains that `counts` says.
    private func add(_ set: Int, to networks: inout Set<Network>, where counts: (Int) throws -> Bool) throws {
        try flows.restart(set)
        while try flows.next() {
            if try counts(flows.int(1)) { networks.insert(Network(try flows.address(0))) }
        }
    }

    /// Adds the sets in which names of an organisation occur.
    private func add(_ organisation: Int, to sets: inout Set<Int>) throws {
        var names = [organisation]
        try members.restart(organisation)
        while try members.next() { names.append(members.int(0)) }
        for name in names {
            try setsOfName.restart(name)
            while try setsOfName.next() { sets.insert(setsOfName.int(0)) }
        }
    }
}
