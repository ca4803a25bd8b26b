import DMARC
import GRDB
import Inference
import Store

/// The places of selectors, in keys: there may be a hundred thousand of them, of which only a few are shown, so that names come last.
struct SelectorPlaces {
    /// Question: where selectors are seen. Unit: one row for each place and whether the signature verified. Index: primary key of `selectors`, one
    /// walk; primary key of `selector_places`, one seek a selector.
    static let placesSQL = """
        SELECT h.domain_id, h.selector_id, h.policy_id, p.beside, p.verified, p.records, p.first_day, p.last_day, p.reporter_bits, h.home,
            h.other_home
        FROM selectors h CROSS JOIN selector_places p USING (domain_id, selector_id, policy_id)
        WHERE (h.domain_id = ?1 OR h.policy_id = ?2 OR ?3) AND (h.selector_id = ?4 OR ?5)
        """

    /// As `placesSQL`, for one domain of signatures and one selector. Index: primary key of both, one range each.
    static let keySQL = """
        SELECT h.domain_id, h.selector_id, h.policy_id, p.beside, p.verified, p.records, p.first_day, p.last_day, p.reporter_bits, h.home,
            h.other_home
        FROM selectors h CROSS JOIN selector_places p USING (domain_id, selector_id, policy_id)
        WHERE h.domain_id = ?1 AND h.selector_id = ?2
        """

    private struct Found {
        var selector: Int
        var beside: Int
        var verified = 0
        var broken = 0
        var firstDay: Int
        var lastDay: Int
        var reporterBits: Int
        var isUnexpected = false
    }

    private struct Selector {
        var domain: Int
        var selector: Int
        var policy: Int
        var life: NameExplanation.Life
    }

    private var selectors: [Selector] = []
    private var found: [Found] = []

    /// The places with most records, by policy domain, domain, selector and first day; and how many there are beyond the limit.
    static func leading(
        _ db: Database, domain: String?, selector: String?, limit: Int?
    ) throws -> (places: [NameExplanation.Place], others: Int) {
        // Without such a name no selector is found: no key is below 0.
        func key(_ name: String?, _ table: String) throws -> Int {
            try name.flatMap { try Int.fetchOne(db, sql: "SELECT id FROM \(table) WHERE name = ?", arguments: [$0]) } ?? -1
        }
        let (name, policy, label) = (try key(domain, "names"), try key(domain, "domains"), try key(selector, "names"))
        var places = SelectorPlaces()
        if domain != nil, selector != nil, policy < 0 {
            try places.add(try SQLRows(db, keySQL, [.integer(name), .integer(label)]))
        } else {
            try places.add(
                try SQLRows(
                    db, placesSQL,
                    [
                        .integer(name), .integer(policy), .integer(domain == nil ? 1 : 0), .integer(label),
                        .integer(selector == nil ? 1 : 0),
                    ]))
        }
        let all = places.found.count
        return (try places.named(db, limit: limit), max(0, all - (limit ?? all)))
    }

    /// Rows of a selector stand together, and so do those of a place: first what did not verify.
    private mutating func add(_ rows: SQLRows) throws {
        while try rows.next() {
            let (domain, selector, policy) = (rows.int(0), rows.int(1), rows.int(2))
            let (beside, isVerified, records) = (rows.int(3), rows.int(4) == 1, rows.int(5))
            let (firstDay, lastDay, home, otherHome) = (rows.int(6), rows.int(7), rows.int(9), rows.optionalInt(10) ?? -1)
            var last = selectors.count - 1
            if last < 0 || selectors[last].policy != policy || selectors[last].selector != selector || selectors[last].domain != domain {
                last += 1
                selectors.append(
                    Selector(
                        domain: domain, selector: selector, policy: policy,
                        life: NameExplanation.Life(firstDay: Day(firstDay), lastDay: Day(lastDay))))
            }
            selectors[last].life.verified += isVerified ? records : 0
            selectors[last].life.broken += isVerified ? 0 : records
            selectors[last].life.firstDay = min(selectors[last].life.firstDay, Day(firstDay))
            selectors[last].life.lastDay = max(selectors[last].life.lastDay, Day(lastDay))
            var place = found.count - 1
            if place < 0 || found[place].selector != last || found[place].beside != beside {
                place += 1
                found.append(Found(selector: last, beside: beside, firstDay: firstDay, lastDay: lastDay, reporterBits: rows.int(8)))
            } else if firstDay < found[place].firstDay {
                found[place].reporterBits = rows.int(8)
            }
            found[place].verified += isVerified ? records : 0
            found[place].broken += isVerified ? 0 : records
            found[place].firstDay = min(found[place].firstDay, firstDay)
            found[place].lastDay = max(found[place].lastDay, lastDay)
            if isVerified, home != -1, beside != home, otherHome == -1 || beside != otherHome { found[place].isUnexpected = true }
        }
    }

    private func named(_ db: Database, limit: Int?) throws -> [NameExplanation.Place] {
        var names = NameLookup(db)
        var domains: [Int: String] = [:]
        let all = try SQLRows(db, Scope.domainsSQL)
        while try all.next() { domains[all.int(0)] = all.text(1) }
        var places: [NameExplanation.Place] = []
        for place in found.leading(limit, by: { $0.verified + $0.broken }) {
            let selector = selectors[place.selector]
            let kind: NameExplanation.Kind =
                switch place.beside {
                case Beside.ownAligned: .own
                case Beside.ownFailing: .ownFailing
                case Beside.foreignFailing: .foreignFailing
                case ...(-1000): .unlisted
                case 1...: .organisation
                default: .none
                }
            let beside = place.beside <= -1000 ? -1000 - place.beside : place.beside
            places.append(
                NameExplanation.Place(
                    policyDomain: domains[selector.policy] ?? "", domain: try names.name(selector.domain) ?? "",
                    selector: selector.selector > 0 ? try names.name(selector.selector) : nil,
                    beside: beside > 0 ? try names.name(beside) : nil, kind: kind, verified: place.verified, broken: place.broken,
                    firstDay: Day(place.firstDay), lastDay: Day(place.lastDay), reporters: Levels.count(place.reporterBits),
                    isUnexpected: place.isUnexpected, life: selector.life))
        }
        guard let limit, places.count > limit else { return places.sorted(by: Self.isBefore) }
        let most = places.sorted { a, b in
            let records = (a.verified + a.broken, b.verified + b.broken)
            return records.0 != records.1 ? records.0 > records.1 : Self.isBefore(a, b)
        }
        return most.prefix(limit).sorted(by: Self.isBefore)
    }

    private static func isBefore(_ a: NameExplanation.Place, _ b: NameExplanation.Place) -> Bool {
        if a.policyDomain != b.policyDomain { return a.policyDomain < b.policyDomain }
        if a.domain != b.domain { return a.domain < b.domain }
        if a.selector != b.selector { return (a.selector ?? "") < (b.selector ?? "") }
        if a.firstDay != b.firstDay { return a.firstDay < b.firstDay }
        let kinds: [NameExplanation.Kind] = [.unlisted, .foreignFailing, .none, .ownFailing, .own, .organisation]
        let ranks = (kinds.firstIndex(of: a.kind) ?? 0, kinds.firstIndex(of: b.kind) ?? 0)
        return ranks.0 != ranks.1 ? ranks.0 < ranks.1 : (a.beside ?? "") < (b.beside ?? "")
    }
}
