import GRDB
import Inference
import Store

/// Adds new flows to what is known of selectors, organisations and policy domains, and finds out whose knowledge changed for verdicts.
final class History {
    private struct Place: Hashable {
        let selector: SelectorKey
        let beside: Int
        let isVerified: Bool
    }

    /// A place, as it stands in the table.
    private struct SeenPlace {
        let beside: Int
        let isVerified: Bool
        let records: Int
        let bits: Int
        let messages: Int
        /// From the first to the last.
        let days: Int
    }

    private struct Organisation {
        var surviving = 0
        var broken = 0
        var unsigned = 0
        var signs = 0
        var domainBits = 0
        var sourceBits = 0
        var sums = FlowSums()
    }

    private struct Habits {
        var records = 0
        var aligned = 0
        var signed = 0
        var reporterBits = 0
        var dayBits = 0

        mutating func add(_ sums: FlowSums, _ shape: FlowShape) {
            records += sums.records
            if case .aligned = shape.spf {
                aligned += sums.records
                if shape.seal == .verified { signed += sums.records }
            }
            reporterBits |= sums.reporterBits
            dayBits |= sums.dayBits
        }
    }

    private let db: Database
    private var places: [Place: FlowSums] = [:]
    private var organisations: [Int: Organisation] = [:]
    /// What may be kept of each before it is written: a bound on memory.
    private static let mostKept = 24_000
    /// Knowledge that was added to, and written.
    private var touchedSelectors: Set<SelectorKey> = []
    private var touchedOrganisations: Set<Int> = []
    private var habits: [Int: Habits] = [:]
    private var domainBits: [Int: Int] = [:]

    /// Knowledge that is not what it was: flows that rest on it are judged again.
    private(set) var changedSelectors: Set<SelectorKey> = []
    private(set) var changedOrganisations: Set<Int> = []
    private(set) var changedDomains: Set<Int> = []
    /// Policy domains that were not known before.
    private(set) var newDomains: Set<Int> = []

    init(_ db: Database) { self.db = db }

    func add(_ key: FlowKey, _ sums: FlowSums, _ shape: FlowShape) throws {
        // What no witness saw is no knowledge.
        guard sums.reporterBits != 0 else { return }
        if places.count >= Self.mostKept { try writePlaces() }
        if organisations.count >= Self.mostKept { try writeOrganisations() }
        if retaken?.domains.contains(key.domain) ?? true { habits[key.domain, default: Habits()].add(sums, shape) }
        for place in Self.places(of: key, shape) where retaken?.places.contains(place) ?? true {
            places[place, default: FlowSums()].add(sums)
        }
        var names = Self.names(of: shape)
        if let retaken { names.removeAll { !retaken.organisations.contains($0) } }
        guard !names.isEmpty else { return }
        let bit = try domainBit(key.domain)
        let sourceBit = key.source.withBytes { bytes in
            Int(bitPattern: 1 << UInt(bytes.reduce(UInt64(14_695_981_039)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } >> 20 & 63))
        }
        for name in names {
            withUnsafeMutablePointer(to: &organisations[name, default: Organisation()]) { sum in
                switch shape.seal {
                case .verified: sum.pointee.surviving += sums.records
                case .broken: sum.pointee.broken += sums.records
                case .temporary, .none: sum.pointee.unsigned += sums.records
                }
                if shape.foreignVerified.contains(name) { sum.pointee.signs += sums.records }
                sum.pointee.domainBits |= bit
                sum.pointee.sourceBits |= sourceBit
                sum.pointee.sums.add(sums)
            }
        }
    }

    /// Where a flow's signatures stand.
    private static func places(of key: FlowKey, _ shape: FlowShape) -> [Place] {
        let own = shape.seal == .verified || shape.seal == .broken ? shape.own : []
        return own.map { signature in
            Place(
                selector: SelectorKey(domain: signature.domain, selector: signature.selector, policy: key.domain), beside: shape.beside,
                isVerified: shape.seal == .verified)
        }
            + shape.foreignVerified.map { name in
                Place(selector: SelectorKey(domain: name, selector: 0, policy: key.domain), beside: shape.beside, isVerified: true)
            }
    }

    /// The organisations, and names below them, that carried a flow.
    private static func names(of shape: FlowShape) -> [Int] {
        if case .aligned = shape.spf { return [] }
        var names = shape.foreignVerified
        if let name = shape.spfForeignPass, !names.contains(name) { names.append(name) }
        guard !names.isEmpty else { return [] }
        // Lists at a large host are told apart by the name below the organisation.
        if shape.spfForeignPass != nil, let name = shape.spfName { names.append(name) }
        return names
    }

    private func domainBit(_ id: Int) throws -> Int {
        if let bit = domainBits[id] { return bit }
        let bit = Levels.bit(of: try String.fetchOne(db, sql: "SELECT name FROM domains WHERE id = ?", arguments: [id]) ?? "")
        domainBits[id] = bit
        return bit
    }

    // MARK: - Taking out

    /// What is added up anew from the flows that are left.
    private struct Retaken {
        var places: Set<Place> = []
        var organisations: Set<Int> = []
        var domains: Set<Int> = []
    }

    private var retaken: Retaken?
    /// What verdicts used of what is added up anew.
    private var levelsBefore: [Int: (levels: Int, more: Int)] = [:]
    private var habitsBefore: [Int: Int] = [:]

    /// Adds up anew all that `flows` were added to, which are not what they were. Bits and first days cannot be taken out of sums.
    ///
    /// - Parameter forEachFlow: calls its argument with each flow that is left. To be called before anything is added.
    func takeOut(
        _ flows: [(key: FlowKey, shape: FlowShape)], _ forEachFlow: ((FlowKey, FlowSums, FlowShape) throws -> Void) throws -> Void
    ) throws {
        guard !flows.isEmpty else { return }
        var meant = Retaken()
        for (key, shape) in flows {
            meant.places.formUnion(Self.places(of: key, shape))
            meant.organisations.formUnion(Self.names(of: shape))
            meant.domains.insert(key.domain)
        }
        let place = try HotStatement(
            db,
            "DELETE FROM selector_places WHERE domain_id = ? AND selector_id = ? AND policy_id = ? AND beside = ? AND verified = ?")
        for found in meant.places {
            place.bind(1, found.selector.domain)
            place.bind(2, found.selector.selector)
            place.bind(3, found.selector.policy)
            place.bind(4, found.beside)
            place.bind(5, found.isVerified ? 1 : 0)
            try place.run()
            touchedSelectors.insert(found.selector)
        }
        let organisations = try SQLRows(db, Self.organisationSQL)
        for name in meant.organisations {
            try organisations.restart(name)
            if try organisations.next() { levelsBefore[name] = (organisations.int(10), organisations.int(11)) }
            organisations.stop()
            try db.execute(sql: "DELETE FROM organisations WHERE name_id = ?", arguments: [name])
            touchedOrganisations.insert(name)
        }
        let habits = try SQLRows(db, Self.habitsSQL)
        for domain in meant.domains {
            try habits.restart(domain)
            if try habits.next() { habitsBefore[domain] = habits.int(4) }
            habits.stop()
            try db.execute(sql: "DELETE FROM domain_habits WHERE domain_id = ?", arguments: [domain])
        }
        retaken = meant
        try forEachFlow { try add($0, $1, $2) }
        retaken = nil
    }

    // MARK: - Writing

    /// Writes the sums, and what verdicts use of them.
    ///
    /// - Parameter reweighed: policy domains of organisations whose witnesses are not the same any more, or weigh otherwise.
    func write(reweighed: Set<Int>) throws {
        try writePlaces()
        try writeOrganisations()
        try writeHabits()
        try findHomes()
        try weighOrganisations()
        try weighHabits()
        changedDomains.formUnion(reweighed.subtracting(newDomains))
        places = [:]
        organisations = [:]
        touchedSelectors = []
        touchedOrganisations = []
    }

    private func writePlaces() throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO selector_places (domain_id, selector_id, policy_id, beside, verified, messages, records, first_day, last_day, reporter_bits)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records,
                first_day = min(first_day, excluded.first_day), last_day = max(last_day, excluded.last_day),
                reporter_bits = reporter_bits | excluded.reporter_bits
            """)
        for (place, sums) in places {
            insert.bind(1, place.selector.domain)
            insert.bind(2, place.selector.selector)
            insert.bind(3, place.selector.policy)
            insert.bind(4, place.beside)
            insert.bind(5, place.isVerified ? 1 : 0)
            insert.bind(6, sums.messages)
            insert.bind(7, sums.records)
            insert.bind(8, sums.firstDay)
            insert.bind(9, sums.lastDay)
            insert.bind(10, sums.reporterBits)
            try insert.run()
            touchedSelectors.insert(place.selector)
        }
        places.removeAll(keepingCapacity: true)
    }

    private func writeOrganisations() throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO organisations (name_id, surviving, broken, unsigned, messages, first_day, last_day, reporter_bits, day_bits,
                domain_bits, source_bits, signs, relayed, levels, more_levels)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, -1, -1)
            ON CONFLICT DO UPDATE SET surviving = surviving + excluded.surviving, broken = broken + excluded.broken,
                unsigned = unsigned + excluded.unsigned, messages = messages + excluded.messages,
                first_day = min(first_day, excluded.first_day), last_day = max(last_day, excluded.last_day),
                reporter_bits = reporter_bits | excluded.reporter_bits, day_bits = day_bits | excluded.day_bits,
                domain_bits = domain_bits | excluded.domain_bits, source_bits = source_bits | excluded.source_bits,
                signs = signs + excluded.signs
            """)
        for (name, sum) in organisations {
            insert.bind(1, name)
            insert.bind(2, sum.surviving)
            insert.bind(3, sum.broken)
            insert.bind(4, sum.unsigned)
            insert.bind(5, sum.sums.messages)
            insert.bind(6, sum.sums.firstDay)
            insert.bind(7, sum.sums.lastDay)
            insert.bind(8, sum.sums.reporterBits)
            insert.bind(9, sum.sums.dayBits)
            insert.bind(10, sum.domainBits)
            insert.bind(11, sum.sourceBits)
            insert.bind(12, sum.signs)
            try insert.run()
            touchedOrganisations.insert(name)
        }
        organisations.removeAll(keepingCapacity: true)
    }

    private func writeHabits() throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO domain_habits (domain_id, records, aligned, signed, reporter_bits, day_bits, levels) VALUES (?, ?, ?, ?, ?, ?, -1)
            ON CONFLICT DO UPDATE SET records = records + excluded.records, aligned = aligned + excluded.aligned,
                signed = signed + excluded.signed, reporter_bits = reporter_bits | excluded.reporter_bits,
                day_bits = day_bits | excluded.day_bits
            """)
        for (domain, sum) in habits {
            insert.bind(1, domain)
            insert.bind(2, sum.records)
            insert.bind(3, sum.aligned)
            insert.bind(4, sum.signed)
            insert.bind(5, sum.reporterBits)
            insert.bind(6, sum.dayBits)
            try insert.run()
        }
    }

    // MARK: - What verdicts use

    /// Question: the places of a selector. Unit: one row a place. Index: primary key.
    static let placesSQL = """
        SELECT beside, verified, records, reporter_bits, messages, first_day, last_day
        FROM selector_places
        WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3
        """

    /// A home, also a second one, has at least this part of the records in which a selector verifies.
    private static let leastPart = 12
    /// Days from the first to the last that a second home beside one's own has at least.
    private static let serviceDays = 14

    /// A selector is at home with the domain itself where a fair share of it stands beside aligned SPF; else with the organisations beside
    /// whose SPF most of it stands. Forwarders relay services' mail as well, so a home is a share, never all or nothing.
    private func findHomes() throws {
        let rows = try SQLRows(db, Self.placesSQL)
        let old = try SQLRows(db, StoredKnowledge.selectorSQL)
        var names = NameLookup(Facts(db))
        let insert = try HotStatement(
            db,
            """
            INSERT INTO selectors (domain_id, selector_id, policy_id, home, other_home, levels) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET home = excluded.home, other_home = excluded.other_home, levels = excluded.levels
            """)
        var seen: [SeenPlace] = []
        for key in touchedSelectors {
            try rows.restart(key.domain, key.selector, key.policy)
            seen.removeAll(keepingCapacity: true)
            while try rows.next() {
                seen.append(
                    SeenPlace(
                        beside: rows.int(0), isVerified: rows.int(1) == 1, records: rows.int(2), bits: rows.int(3), messages: rows.int(4),
                        days: rows.int(6) - rows.int(5)))
            }
            if seen.isEmpty {
                // All that was known of it was taken out.
                try db.execute(
                    sql: "DELETE FROM selectors WHERE domain_id = ? AND selector_id = ? AND policy_id = ?",
                    arguments: [key.domain, key.selector, key.policy])
                changedSelectors.insert(key)
                continue
            }
            // What a few of many witnesses saw carries no more than a third, however many records they send.
            let share = Self.shares(of: seen)
            var verified = 0
            var broken = 0
            var own = 0
            var bits = 0
            var beside: [(id: Int, records: Int, bits: Int)] = []
            var ownMessages = 0
            var verifiedMessages = 0
            /// Organisations beside whose SPF it stands as a service's would.
            var broad: [(id: Int, messages: Int, records: Int, bits: Int)] = []
            for place in seen {
                let records = share(place.records, place.bits)
                bits |= place.bits
                guard place.isVerified else {
                    broken += records
                    continue
                }
                verified += records
                verifiedMessages += place.messages
                switch place.beside {
                case Beside.ownAligned:
                    own += records
                    ownMessages += place.messages
                case let id where Beside.organisation(id) != nil:
                    beside.append((id, records, place.bits))
                    if place.days >= Self.serviceDays { broad.append((id, place.messages, records, place.bits)) }
                default: break
                }
            }
            var homes: [Int] = []
            var atHome = 0
            // There may be thousands of relays: names are looked up only for what can be a home.
            let voices = Levels.voices(bits)
            let ranked = try beside.filter { $0.records * Self.leastPart >= verified }
                .map {
                    (
                        id: $0.id, records: $0.records, name: try names.name(Beside.organisation($0.id)) ?? "",
                        // A forwarder to one receiver is seen by one.
                        isWidelySeen: voices < 2 || Levels.voices($0.bits) * 2 > voices
                    )
                }
                .sorted { ($1.records, $0.name) < ($0.records, $1.name) }
            if own * 10 >= verified, own > 0 {
                homes = [0]
                atHome = own
                // Where the reports leave the selector out, all of them are one.
                if key.selector == 0, let best = ranked.first, best.isWidelySeen { homes.append(best.id) }
                // A forwarder carries a small part of a domain's mail, to few; a service that has the key as well a large part, to everybody, in
                // rows as large as the domain's own, or a third of all.
                let all = Levels.voices(bits)
                let second = try broad.filter { place in
                    let voices = Levels.voices(place.bits)
                    return place.messages * Self.leastPart >= verifiedMessages && all >= 5 && voices * 10 >= all * 8
                        && (place.messages * own * 2 >= ownMessages * place.records || place.messages * 3 >= verifiedMessages)
                }.map { (id: $0.id, records: $0.records, name: try names.name(Beside.organisation($0.id)) ?? "") }
                    .max { ($0.records, $1.name) < ($1.records, $0.name) }
                if homes.count == 1, let second {
                    homes.append(second.id)
                    atHome += second.records
                }
            } else {
                let best = ranked.filter { $0.records * 4 >= verified }.prefix(2)
                homes = best.map(\.id)
                atHome = best.reduce(0) { $0 + $1.records }
            }
            let home = homes.first ?? -1
            let otherHome = homes.count > 1 ? homes[1] : -1
            let levels = Levels.pack([
                Levels.saturated(verified), Levels.capped(broken, 1), Levels.saturated(atHome), Levels.capped(Levels.voices(bits), 2),
            ])
            try old.restart(key.domain, key.selector, key.policy)
            if try old.next(), old.int(0) == home, old.int(1) == otherHome, old.int(2) == levels { continue }
            changedSelectors.insert(key)
            insert.bind(1, key.domain)
            insert.bind(2, key.selector)
            insert.bind(3, key.policy)
            insert.bind(4, home)
            insert.bind(5, otherHome)
            insert.bind(6, levels)
            try insert.run()
        }
    }

    /// How many of a place's records count, by who saw them.
    private static func shares(of places: [SeenPlace]) -> (_ records: Int, _ bits: Int) -> Int {
        let all = Levels.voices(places.reduce(0) { $1.isVerified ? $0 | $1.bits : $0 })
        let needed = Quorum.needed(of: all)
        func isMinority(_ bits: Int) -> Bool { all >= 3 && Levels.voices(bits) < needed }
        var (few, most) = (0, 0)
        for place in places where place.isVerified {
            if isMinority(place.bits) { few += place.records } else { most += place.records }
        }
        guard most > 0, few > most / 2 else { return { records, _ in records } }
        let part = Double(most) / 2 / Double(few)
        return { records, bits in isMinority(bits) ? Int((Double(records) * part).rounded(.up)) : records }
    }

    /// Question: signatures that survived beside an organisation's SPF. Unit: one row a selector. Index: `selector_places_beside`.
    static let carriedSQL = """
        SELECT p.records, s.home, s.other_home
        FROM selector_places p JOIN selectors s USING (domain_id, selector_id, policy_id)
        WHERE p.beside = ?1 AND p.beside > 0 AND p.verified = 1 AND p.selector_id > 0
        """
    /// Question: organisations that a selector was seen beside. Unit: one row a place. Index: primary key.
    static let besideSQL = """
        SELECT DISTINCT beside FROM selector_places WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3 AND beside > 0
        """
    /// Question: the sums of an organisation. Unit: one row. Index: primary key.
    static let organisationSQL = """
        SELECT surviving, broken, unsigned, first_day, last_day, reporter_bits, day_bits, domain_bits, source_bits, signs, levels, more_levels
        FROM organisations WHERE name_id = ?1
        """

    private func weighOrganisations() throws {
        var touched = touchedOrganisations
        let besides = try SQLRows(db, Self.besideSQL)
        for key in changedSelectors {
            try besides.restart(key.domain, key.selector, key.policy)
            while try besides.next() { touched.insert(besides.int(0)) }
        }
        let carried = try SQLRows(db, Self.carriedSQL)
        let sums = try SQLRows(db, Self.organisationSQL)
        let members = try SQLRows(db, "SELECT 1 FROM organisation_names WHERE organisation_id = ?1")
        let update = try HotStatement(db, "UPDATE organisations SET relayed = ?, levels = ?, more_levels = ? WHERE name_id = ?")
        for name in touched {
            try sums.restart(name)
            guard try sums.next() else {
                if levelsBefore[name] != nil { changedOrganisations.insert(name) }
                continue
            }
            var relayed = 0
            var atHome = 0
            try carried.restart(name)
            while try carried.next() {
                if carried.int(1) == name || carried.int(2) == name { atHome += carried.int(0) } else { relayed += carried.int(0) }
            }
            // Of a name below its organisation rules ask for less (`OrganisationFacts`).
            try members.restart(name)
            let isOwn = try members.next()
            // A name below its organisation, or none of the reports names selectors.
            if relayed + atHome == 0 { relayed = sums.int(0) }
            let levels = Levels.pack([
                Levels.saturated(relayed), Levels.saturated(atHome), Levels.saturated(sums.int(1)), Levels.saturated(sums.int(2)),
                isOwn ? Levels.capped(Levels.count(sums.int(6)), 3) : 0, Levels.capped(Levels.voices(sums.int(5)), 3),
            ])
            let moreLevels = Levels.pack([
                isOwn && atHome == 0 ? Levels.capped(Levels.count(sums.int(7)), 3) : 0,
                isOwn ? Levels.capped(Levels.count(sums.int(8)), 3) : 0, isOwn ? Levels.capped(sums.int(4) - sums.int(3) + 1, 4) : 0,
                isOwn ? Levels.capped(sums.int(9), 1) : 0,
                sums.int(0) + sums.int(1) == 0 ? 0 : sums.int(1) * 31 / (sums.int(0) + sums.int(1)),
            ])
            let before = levelsBefore[name] ?? (sums.int(10), sums.int(11))
            if before.levels != levels || before.more != moreLevels { changedOrganisations.insert(name) }
            update.bind(1, relayed)
            update.bind(2, levels)
            update.bind(3, moreLevels)
            update.bind(4, name)
            try update.run()
        }
    }

    /// Question: the sums of a policy domain. Unit: one row. Index: primary key.
    static let habitsSQL = "SELECT records, aligned, signed, reporter_bits, levels FROM domain_habits WHERE domain_id = ?1"

    private func weighHabits() throws {
        let sums = try SQLRows(db, Self.habitsSQL)
        let update = try HotStatement(db, "UPDATE domain_habits SET levels = ? WHERE domain_id = ?")
        for domain in Set(habits.keys).union(habitsBefore.keys) {
            try sums.restart(domain)
            guard try sums.next() else {
                changedDomains.insert(domain)
                continue
            }
            let levels = HabitFacts.levels(
                records: sums.int(0), aligned: sums.int(1), signed: sums.int(2), reporters: Levels.voices(sums.int(3)))
            let before = habitsBefore[domain] ?? sums.int(4)
            guard sums.int(4) != levels else { continue }
            if before == levels {
                // What was added up anew says the same.
            } else if before < 0 {
                newDomains.insert(domain)
            } else {
                changedDomains.insert(domain)
            }
            update.bind(1, levels)
            update.bind(2, domain)
            try update.run()
        }
    }
}
