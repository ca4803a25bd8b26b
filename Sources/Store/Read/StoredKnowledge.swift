import GRDB
import Inference
import Organisations

/// Knowledge from the tables `selectors`, `organisations` and `domain_habits`, with a memory.
package final class StoredKnowledge: Knowledge {
    /// Question: where a selector is at home. Unit: one row. Index: primary key.
    package static let selectorSQL =
        "SELECT home, other_home, levels FROM selectors WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3"
    /// Question: where a signature is at home, for all policy domains of its organisation. Unit: one row a policy domain. Index: primary key.
    static let ownSelectorSQL = "SELECT home, other_home, levels FROM selectors WHERE domain_id = ?1 AND selector_id = ?2"
    /// Question: what an organisation is known for. Unit: one row. Index: primary key, rowid of `names`.
    package static let organisationSQL =
        "SELECT o.levels, o.more_levels, n.name FROM organisations o JOIN names n ON n.id = o.name_id WHERE o.name_id = ?1"
    /// Question: what is known of a policy domain. Unit: one row. Index: primary key.
    package static let habitsSQL = "SELECT levels FROM domain_habits WHERE domain_id = ?1"

    /// Question: whose word counts about an organisation's domains. Unit: one row a witness. Index: primary key, rowid of `names`.
    static let witnessesSQL = """
        SELECT n.name, v.networks FROM voice_organisations v JOIN names n ON n.id = v.voice_id WHERE v.organisation_id = ?1 AND v.standing = 2
        """

    private let services: Services
    private let outcomes: Outcomes
    private let witnessRows: SQLRows
    private var quorums: [Int: Quorum] = [:]
    private let selectorRows: SQLRows
    private let ownSelectorRows: SQLRows
    private let organisationRows: SQLRows
    private let habitRows: SQLRows
    private var selectors: [SelectorKey: SelectorFacts] = [:]
    private var ownSelectors: [SelectorKey: SelectorFacts] = [:]
    private var organisations: [Int: Organisation] = [:]
    private var habits: [Int: HabitFacts] = [:]
    /// What may be remembered of each: a bound on memory.
    private static let mostRemembered = 49_000

    /// `OrganisationFacts` as they are stored: a third of the size.
    private struct Organisation {
        let levels: Int
        let moreLevels: Int
        let service: ServiceKind?
        let serviceNumber: Int?

        var facts: OrganisationFacts {
            OrganisationFacts(levels: levels, moreLevels: moreLevels, service: service, serviceNumber: serviceNumber)
        }
    }

    package init(_ facts: Facts, _ services: Services, _ outcomes: Outcomes) throws {
        self.services = services
        self.outcomes = outcomes
        witnessRows = try SQLRows(facts, Self.witnessesSQL)
        selectorRows = try SQLRows(facts, Self.selectorSQL)
        ownSelectorRows = try SQLRows(facts, Self.ownSelectorSQL)
        organisationRows = try SQLRows(facts, Self.organisationSQL)
        habitRows = try SQLRows(facts, Self.habitsSQL)
    }

    package func selector(_ key: SelectorKey) throws -> SelectorFacts {
        if let facts = selectors[key] { return facts }
        try selectorRows.restart(key.domain, key.selector, key.policy)
        var facts = SelectorFacts()
        if try selectorRows.next() {
            facts = SelectorFacts(home: selectorRows.int(0), otherHome: selectorRows.int(1), levels: selectorRows.int(2))
        }
        if selectors.count >= Self.mostRemembered { selectors.removeAll() }
        selectors[key] = facts
        return facts
    }

    package func ownSelector(_ key: SelectorKey) throws -> SelectorFacts {
        let any = SelectorKey(domain: key.domain, selector: key.selector, policy: 0)
        if let facts = ownSelectors[any] { return facts }
        try ownSelectorRows.restart(key.domain, key.selector)
        var all: [SelectorFacts] = []
        while try ownSelectorRows.next() {
            all.append(SelectorFacts(home: ownSelectorRows.int(0), otherHome: ownSelectorRows.int(1), levels: ownSelectorRows.int(2)))
        }
        let facts = SelectorFacts(joining: all)
        if ownSelectors.count >= Self.mostRemembered { ownSelectors.removeAll() }
        ownSelectors[any] = facts
        return facts
    }

    package func organisation(_ id: Int) throws -> OrganisationFacts {
        if let known = organisations[id] { return known.facts }
        try organisationRows.restart(id)
        // What is not there has no levels: all of it is 0.
        var found = Organisation(levels: 0, moreLevels: 0, service: nil, serviceNumber: nil)
        if try organisationRows.next() {
            let number = services.place(of: organisationRows.text(2))
            found = Organisation(
                levels: organisationRows.int(0), moreLevels: organisationRows.int(1), service: number.map { services.all[$0].kind },
                serviceNumber: number)
        }
        if organisations.count >= Self.mostRemembered { organisations.removeAll() }
        organisations[id] = found
        return found.facts
    }

    package func quorum(domain: Int) throws -> Quorum {
        let organisation = try outcomes.organisation(ofPolicyDomain: domain)
        if let known = quorums[organisation] { return known }
        try witnessRows.restart(organisation)
        var quorum = Quorum()
        while try witnessRows.next() {
            var said = Said()
            witnessRows.withBytes(1) { said = Said($0) }
            quorum.add(Levels.bit(ofVoice: witnessRows.text(0)), weight: Quorum.weight(of: said.days))
        }
        quorums[organisation] = quorum
        return quorum
    }

    package func habits(domain: Int) throws -> HabitFacts {
        if let facts = habits[domain] { return facts }
        try habitRows.restart(domain)
        let facts = try habitRows.next() ? HabitFacts(levels: habitRows.int(0)) : HabitFacts()
        habits[domain] = facts
        return facts
    }
}
