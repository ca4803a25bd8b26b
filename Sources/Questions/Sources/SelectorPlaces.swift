import DMARC
import Inference
import Store

/// The places of selectors, in keys: there may be a hundred thousand of them, of which only a few are shown, so that names come last.
struct SelectorPlaces {
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

        var key: SelectorKey { SelectorKey(domain: domain, selector: selector, policy: policy) }
    }

    private var selectors: [Selector] = []
    private var found: [Found] = []

    /// The places with most records, by policy domain, domain, selector and first day; and how many there are beyond the limit.
    static func leading(
        _ facts: Facts, domain: String?, selector: String?, limit: Int?
    ) throws -> (places: [NameExplanation.Place], others: Int) {
        // Without such a name no selector is found: no key is below 0.
        let signing = try domain.map { try facts.key(ofName: $0) ?? -1 }
        let policy = try domain.map { try facts.key(ofDomain: $0) ?? -1 }
        let label = try selector.map { try facts.key(ofName: $0) ?? -1 }
        var places = SelectorPlaces()
        try facts.forEachPlace(signing: signing, policy: policy, selector: label) { places.add($0) }
        let all = places.found.count
        return (try places.named(facts, limit: limit), max(0, all - (limit ?? all)))
    }

    /// Those of a selector come together, and so do those of a place: first what did not verify.
    private mutating func add(_ seen: SelectorPlace) {
        let (isVerified, records) = (seen.isVerified, seen.records)
        var last = selectors.count - 1
        if last < 0 || selectors[last].key != SelectorKey(domain: seen.domain, selector: seen.selector, policy: seen.policy) {
            last += 1
            selectors.append(
                Selector(
                    domain: seen.domain, selector: seen.selector, policy: seen.policy,
                    life: NameExplanation.Life(firstDay: Day(seen.firstDay), lastDay: Day(seen.lastDay))))
        }
        selectors[last].life.verified += isVerified ? records : 0
        selectors[last].life.broken += isVerified ? 0 : records
        selectors[last].life.firstDay = min(selectors[last].life.firstDay, Day(seen.firstDay))
        selectors[last].life.lastDay = max(selectors[last].life.lastDay, Day(seen.lastDay))
        var place = found.count - 1
        if place < 0 || found[place].selector != last || found[place].beside != seen.beside {
            place += 1
            found.append(
                Found(
                    selector: last, beside: seen.beside, firstDay: seen.firstDay, lastDay: seen.lastDay, reporterBits: seen.reporterBits))
        } else if seen.firstDay < found[place].firstDay {
            found[place].reporterBits = seen.reporterBits
        }
        found[place].verified += isVerified ? records : 0
        found[place].broken += isVerified ? 0 : records
        found[place].firstDay = min(found[place].firstDay, seen.firstDay)
        found[place].lastDay = max(found[place].lastDay, seen.lastDay)
        if isVerified, seen.home != -1, seen.beside != seen.home, seen.otherHome == -1 || seen.beside != seen.otherHome {
            found[place].isUnexpected = true
        }
    }

    private func named(_ facts: Facts, limit: Int?) throws -> [NameExplanation.Place] {
        var names = NameLookup(facts)
        let domains = Dictionary(uniqueKeysWithValues: try facts.domains().map { ($0.id, $0.name) })
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
