import DMARC
import GRDB
import Inference

/// Statements about what was learned, and about flows over all time.
package enum KnowledgeSQL {
    /// Question: how sure is the verdict about a flow. Unit: one row a flow. Index: primary key of `flows`, one range.
    package static let judgements = """
        SELECT verdict, confidence, notes, authentication_id, evidence
        FROM flows
        WHERE source = ?1 AND domain_id = ?2 AND authentication_id BETWEEN ?3 AND ?4
        """

    /// Question: who sends with a set of results, without aligned SPF. Unit: one row a flow. Index: `flows_authentication`, covering.
    package static let flowsOfSet = """
        SELECT source, domain_id, verdict, messages FROM flows WHERE authentication_id = ?1 AND aligned IN (0, 2)
        """

    /// Question: the sets of results in which an organisation authenticates. Unit: one row a set and name. Index: primary key of
    /// `organisation_names`; `authentication_results_domain`.
    package static let setsOfOrganisation = """
        SELECT a.set_id
        FROM names n
            JOIN organisation_names o ON o.organisation_id = n.id
            JOIN authentication_results a ON a.domain_id = o.name_id
        WHERE n.name = ?1 AND a.set_id BETWEEN ?2 AND ?3 AND a.result = 'pass'
        """

    /// Question: the largest key of a set of results. Unit: one row. Index: rowid, one seek.
    package static let lastSet = "SELECT max(id) FROM authentication_sets"

    /// Question: the signatures in a set of results. Unit: one row a signature, in the order of the report. Index: primary key of
    /// `authentication_results`, rowid of `names`.
    package static let signatures = """
        SELECT a.domain_id, d.name, coalesce(a.selector_id, 0), s.name, a.result
        FROM authentication_results a
            JOIN names d ON d.id = a.domain_id
            LEFT JOIN names s ON s.id = a.selector_id
        WHERE a.set_id = ?1 AND a.method = 'dkim'
        ORDER BY a.position
        """

    /// Question: where are selectors seen. Unit: one row for each place and whether the signature verified. Index: primary key of `selectors`, one
    /// walk; primary key of `selector_places`, one seek a selector.
    package static let places = """
        SELECT h.domain_id, h.selector_id, h.policy_id, p.beside, p.verified, p.records, p.first_day, p.last_day, p.reporter_bits, h.home,
            h.other_home
        FROM selectors h CROSS JOIN selector_places p USING (domain_id, selector_id, policy_id)
        WHERE (h.domain_id = ?1 OR h.policy_id = ?2 OR ?3) AND (h.selector_id = ?4 OR ?5)
        """

    /// As `places`, for one domain of signatures and one selector. Index: primary key of both, one range each.
    package static let placesOfKey = """
        SELECT h.domain_id, h.selector_id, h.policy_id, p.beside, p.verified, p.records, p.first_day, p.last_day, p.reporter_bits, h.home,
            h.other_home
        FROM selectors h CROSS JOIN selector_places p USING (domain_id, selector_id, policy_id)
        WHERE h.domain_id = ?1 AND h.selector_id = ?2
        """

    /// Question: beside whose SPF does a signature pass. Unit: one row an organisation. Index: primary key of `selector_places`.
    package static let homes = """
        SELECT beside, messages
        FROM selector_places
        WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3 AND beside >= 0 AND verified = 1
        """

    /// Question: where is a selector at home. Unit: at most one row. Index: primary key of `selectors`.
    package static let home = "SELECT home FROM selectors WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3"

    /// Question: all places of a selector for one policy domain. Unit: one row a place. Index: primary key of `selector_places`, one range.
    package static let placesOfSelector = """
        SELECT beside, verified, records FROM selector_places WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3
        """

    /// Question: how much of a domain's mail with aligned SPF is signed. Unit: at most one row. Index: rowid of `domain_habits`.
    package static let habits = "SELECT aligned, signed FROM domain_habits WHERE domain_id = ?1"

    /// Question: what is known of an organisation. Unit: at most one row. Index: rowid of `organisations`.
    package static let organisation = """
        SELECT surviving, broken, unsigned, relayed, reporter_bits, day_bits, source_bits, domain_bits FROM organisations WHERE name_id = ?1
        """

    /// Question: who may be believed about the domains of an organisation. Unit: one row a voice. Index: `names` by name; primary key of
    /// `voice_organisations`, one range.
    package static let standings = """
        SELECT v.voice_id, v.standing
        FROM names n JOIN voice_organisations v ON v.organisation_id = n.id
        WHERE n.name = ?1
        """

    /// Question: was there ever a message that passed. Unit: at most one row. Index: primary key of `daily`, left at the first row.
    package static let everPassed = "SELECT 1 FROM daily WHERE domain_id = ?1 AND dkim + spf > 0 AND messages > 0 LIMIT 1"

    /// Question: was there ever a message of somebody who is not a stranger. Unit: at most one row. Index: primary key of `daily_verdicts`,
    /// left at the first row. Verdicts 3 to 8: from authorized to unaligned.
    package static let everKnown = "SELECT 1 FROM daily_verdicts WHERE domain_id = ?1 AND verdict BETWEEN 3 AND 8 AND messages > 0 LIMIT 1"
}

/// What is concluded about one flow.
package struct FlowJudgement {
    /// As stored.
    package var verdict: Int
    /// In thousandths.
    package var confidence: Int
    package var notes: VerdictNotes
    /// Key of the set of results.
    package var authentication: Int
    package var evidence: EvidenceCodes
}

/// A signature's domain and selector, with their keys; the selector 0: none is named.
package struct KeyedSignature: Hashable {
    package var domain: Int
    package var domainName: String
    package var selector: Int
    package var selectorName: String?
}

/// Where a selector is seen, and how often it verified there, or did not.
package struct SelectorPlace {
    package var domain: Int
    package var selector: Int
    package var policy: Int
    /// As in `selector_places`.
    package var beside: Int
    package var isVerified: Bool
    package var records: Int
    package var firstDay: Int
    package var lastDay: Int
    package var reporterBits: Int
    package var home: Int
    /// -1: none.
    package var otherHome: Int
}

/// What is known of an organisation. Records; bits of reporters, days, sources and domains.
package struct KnownOrganisation {
    package var surviving: Int
    package var broken: Int
    package var unsigned: Int
    package var relayed: Int
    package var reporterBits: Int
    package var dayBits: Int
    package var sourceBits: Int
    package var domainBits: Int
}

extension Facts {
    /// What is concluded about the flows of a source and a domain, of one set of results or of all.
    package func judgements(of source: IPAddress, for domain: PolicyDomain, authentication: Int? = nil) throws -> [FlowJudgement] {
        let rows = try SQLRows(
            self, KnowledgeSQL.judgements,
            [.address(source), .integer(domain.id), .integer(authentication ?? 0), .integer(authentication ?? .max)])
        var found: [FlowJudgement] = []
        while try rows.next() {
            found.append(
                FlowJudgement(
                    verdict: rows.int(0), confidence: rows.int(1), notes: VerdictNotes(rawValue: rows.int(2)), authentication: rows.int(3),
                    evidence: EvidenceCodes(bits: rows.int(4))))
        }
        return found
    }

    /// Calls `body` with the flows without aligned SPF of sets of results, in the order of `sets`.
    package func forEachFlow(
        ofSets sets: [Int], _ body: (_ source: IPAddress, _ domain: Int, _ verdict: Int, _ messages: Int) -> Void
    ) throws {
        let rows = try SQLRows(self, KnowledgeSQL.flowsOfSet)
        for set in sets {
            try rows.restart(set)
            while try rows.next() { body(try rows.address(0), rows.int(1), rows.int(2), rows.int(3)) }
        }
    }

    /// Keys of the sets of results in which an organisation authenticates.
    package func sets(of organisation: String, in keys: Range<Int>) throws -> Set<Int> {
        var sets: Set<Int> = []
        let rows = try SQLRows(
            self, KnowledgeSQL.setsOfOrganisation, [.text(organisation), .integer(keys.lowerBound), .integer(keys.upperBound - 1)])
        while try rows.next() { sets.insert(rows.int(0)) }
        return sets
    }

    /// The largest key of a set of results; 0: there is none.
    package func lastSet() throws -> Int {
        let rows = try SQLRows(self, KnowledgeSQL.lastSet)
        return try rows.next() ? rows.int(0) : 0
    }

    /// The signatures in a set of results that name a domain, in the order of the report, and whether they verified.
    package func signatures(ofSet set: Int) throws -> [(signature: KeyedSignature, hasPassed: Bool)] {
        let rows = try SQLRows(self, KnowledgeSQL.signatures, [.integer(set)])
        var found: [(signature: KeyedSignature, hasPassed: Bool)] = []
        while try rows.next() {
            let signature = KeyedSignature(
                domain: rows.int(0), domainName: rows.text(1), selector: rows.int(2), selectorName: rows.optionalText(3))
            found.append((signature, rows.text(4) == AuthenticationResult.pass.rawValue))
        }
        return found
    }

    /// The key of a name, if it was met.
    package func key(ofName name: String) throws -> Int? {
        try Int.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [name])
    }

    /// The key of a policy domain, if there are reports about it.
    package func key(ofDomain name: String) throws -> Int? {
        try Int.fetchOne(db, sql: "SELECT id FROM domains WHERE name = ?", arguments: [name])
    }

    /// The name of the policy domain with the key `id`.
    package func domainName(_ id: Int) throws -> String {
        try String.fetchOne(db, sql: "SELECT name FROM domains WHERE id = ?", arguments: [id]) ?? ""
    }

    /// All policy domains, in the order of the alphabet.
    package func domains() throws -> [PolicyDomain] {
        var domains: [PolicyDomain] = []
        let rows = try SQLRows(self, Scope.domainsSQL)
        while try rows.next() { domains.append(PolicyDomain(id: rows.int(0), name: rows.text(1))) }
        return domains
    }

    /// First and last day with data of a domain.
    package func extent(of domain: PolicyDomain) throws -> Period? {
        let rows = try SQLRows(self, Scope.extentSQL, [.integer(domain.id)])
        guard try rows.next(), let first = rows.optionalInt(0), let last = rows.optionalInt(1) else { return nil }
        return Period(since: Day(first), until: Day(last))
    }

    /// Calls `body` with the places of selectors: of a domain of signatures or a policy domain, nil: of all; of a selector, nil: of all. Those of a
    /// selector stand together, and so do those of a place: first what did not verify. A name with key -1 is nowhere.
    package func forEachPlace(
        signing: Int?, policy: Int?, selector: Int?, _ body: (SelectorPlace) throws -> Void
    ) throws {
        let rows: SQLRows
        if let signing, let selector, policy ?? -1 < 0 {
            rows = try SQLRows(self, KnowledgeSQL.placesOfKey, [.integer(signing), .integer(selector)])
        } else {
            rows = try SQLRows(
                self, KnowledgeSQL.places,
                [
                    .integer(signing ?? -1), .integer(policy ?? -1), .integer(signing == nil ? 1 : 0), .integer(selector ?? -1),
                    .integer(selector == nil ? 1 : 0),
                ])
        }
        while try rows.next() {
            try body(
                SelectorPlace(
                    domain: rows.int(0), selector: rows.int(1), policy: rows.int(2), beside: rows.int(3), isVerified: rows.int(4) == 1,
                    records: rows.int(5), firstDay: rows.int(6), lastDay: rows.int(7), reporterBits: rows.int(8), home: rows.int(9),
                    otherHome: rows.optionalInt(10) ?? -1))
        }
    }

    /// Calls `body` with each place beside whose SPF a signature verifies, 0 that of the domain itself, and how many messages.
    package func forEachHome(of signature: KeyedSignature, policy: Int, _ body: (_ beside: Int, _ messages: Int) -> Void) throws {
        let rows = try SQLRows(self, KnowledgeSQL.homes, [.integer(signature.domain), .integer(signature.selector), .integer(policy)])
        while try rows.next() { body(rows.int(0), rows.int(1)) }
    }

    /// Where a selector is at home, as in `selectors`; -1: nowhere. And its places.
    package func home(
        of selector: SelectorKey
    ) throws -> (home: Int, places: [(beside: Int, isVerified: Bool, records: Int)]) {
        let key = [SQLValue.integer(selector.domain), .integer(selector.selector), .integer(selector.policy)]
        let home = try SQLRows(self, KnowledgeSQL.home, key)
        let found = try home.next() ? home.int(0) : -1
        let rows = try SQLRows(self, KnowledgeSQL.placesOfSelector, key)
        var places: [(beside: Int, isVerified: Bool, records: Int)] = []
        while try rows.next() { places.append((rows.int(0), rows.int(1) == 1, rows.int(2))) }
        return (found, places)
    }

    /// Records of a domain with aligned SPF, and those of them that are signed.
    package func habits(ofDomain id: Int) throws -> (aligned: Int, signed: Int)? {
        let rows = try SQLRows(self, KnowledgeSQL.habits, [.integer(id)])
        return try rows.next() ? (rows.int(0), rows.int(1)) : nil
    }

    /// What is known of the organisation whose name has the key `id`.
    package func organisation(_ id: Int) throws -> KnownOrganisation? {
        let rows = try SQLRows(self, KnowledgeSQL.organisation, [.integer(id)])
        guard try rows.next() else { return nil }
        return KnownOrganisation(
            surviving: rows.int(0), broken: rows.int(1), unsigned: rows.int(2), relayed: rows.int(3), reporterBits: rows.int(4),
            dayBits: rows.int(5), sourceBits: rows.int(6), domainBits: rows.int(7))
    }

    /// Of each voice that reports about the organisation's domains: 0 newcomer, 1 believed with others while the store is young, 2 witness.
    package func standings(of organisation: String) throws -> [Int: Int] {
        var standings: [Int: Int] = [:]
        let rows = try SQLRows(self, KnowledgeSQL.standings, [.text(organisation)])
        while try rows.next() { standings[rows.int(0)] = rows.int(1) }
        return standings
    }

    /// Whether a message of the domain ever passed, or was ever of somebody who is not a stranger.
    package func everSent(_ domain: PolicyDomain) throws -> Bool {
        try SQLRows(self, KnowledgeSQL.everPassed, [.integer(domain.id)]).next()
            || SQLRows(self, KnowledgeSQL.everKnown, [.integer(domain.id)]).next()
    }
}
