import Advice
import DMARC
import Store

extension DomainFactsReader {
    /// Senders that come at even distances and did not come in the period. An address changes from month to month within its network, so
    /// networks are followed; a sender whose results were seen in the period came from elsewhere and is not late.
    func addLateSenders(of domain: PolicyDomain, _ seen: SeenRecords, to facts: inout DomainFacts) throws {
        var networks = NetworkDays()
        for address in seen.table.addresses { networks.leaveOut(address) }
        let first = period.since.number - Self.rhythmDays
        let before = Period(since: Day(first), until: period.since.advanced(by: -1))
        try stored.forEachSourceDay(of: domain, in: before, latestFirst: true) { source, day in
            // The latest days come first. Who was not seen for two months is not waited for, so is not worth a place.
            let isRecent = day.distance(to: period.since) <= 2 * Rhythm.monthly.upperBound + 1
            networks.note(source, UInt128(1) << UInt128(day.number - first), isRecent)
        }
        var candidates: [(address: IPAddress, rhythm: Rhythm)] = []
        networks.forEach { address, days in
            if let rhythm = Rhythm(days, first: first, until: period.since.number - 1) { candidates.append((address, rhythm)) }
        }
        guard !candidates.isEmpty else { return }
        candidates.sort { a, b in
            if a.rhythm.times != b.rhythm.times { return a.rhythm.times > b.rhythm.times }
            if a.rhythm.unevenness != b.rhythm.unevenness { return a.rhythm.unevenness < b.rhythm.unevenness }
            return a.address.isBefore(b.address)
        }
        let known = [Verdict.authorized, .dkimOnly, .unaligned, .misconfigured].map { UInt8($0.stored) }
        let presentSets = Set(seen.flows.lazy.filter { known.contains($0.number) }.map { seen.setKeys[Int($0.set)] })
        var presentNames = Set(facts.senders.map(\.name))
        for look in seen.looks { if let look, look.isSigned { presentNames.formUnion(look.signatures.map(\.selector)) } }
        var late: [String: DomainFacts.LateSender] = [:]
        for (address, rhythm) in candidates.prefix(Self.mostCandidates) {
            for judgement in try stored.judgements(of: address, for: domain) {
                let verdict = Verdict(stored: judgement.verdict)
                let set = judgement.authentication
                guard known.contains(UInt8(verdict.stored)), !presentSets.contains(set) else { continue }
                let look = look(try authentications.set(set), facts.organisation)
                if look.signatures.contains(where: { $0.result == .pass && presentNames.contains($0.selector) }) { continue }
                let named = [.authorized, .misconfigured].contains(verdict) ? "" : name(of: look).name
                let name = named.isEmpty ? address.description : named
                guard !presentNames.contains(name), late[name].map({ $0.lastDay.number < rhythm.lastDay }) ?? true else { continue }
                late[name] = DomainFacts.LateSender(name: name, lastDay: Day(rhythm.lastDay), every: rhythm.every, addresses: [address])
            }
        }
        facts.lateSenders = late.values.sorted { $0.name < $1.name }
    }
}

/// On which days networks were seen, leaving out some: a hash table that keeps keys and places in the same line of memory, because half a million
/// addresses go through it.
private struct NetworkDays {
    private struct Slot {
        /// 0: empty.
        var network: UInt64 = 0
        /// -1: left out.
        var place: Int32 = -1
    }

    private var slots = [Slot](repeating: Slot(), count: 16384)
    private var count = 0
    private var days: [UInt128] = []
    /// The latest address of each: that which was noted first.
    private var addresses: [IPAddress] = []
    private static let seed = UInt64.random(in: .min ... .max)

    /// Only before anything is noted.
    mutating func leaveOut(_ address: IPAddress) {
        let network = address.networkNumber
        let slot = self.slot(of: network)
        if slots[slot].network == 0 { enter(network, at: slot, place: -1) }
    }

    mutating func note(_ address: IPAddress, _ bit: UInt128, _ isNewWelcome: Bool) {
        let network = address.networkNumber
        let slot = self.slot(of: network)
        if slots[slot].network == 0 {
            guard isNewWelcome else { return }
            days.append(bit)
            addresses.append(address)
            enter(network, at: slot, place: Int32(days.count - 1))
            return
        }
        let place = Int(slots[slot].place)
        guard place >= 0 else { return }
        days[place] |= bit
    }

    func forEach(_ body: (IPAddress, UInt128) -> Void) {
        for (address, days) in zip(addresses, days) { body(address, days) }
    }

    private mutating func enter(_ network: UInt64, at slot: Int, place: Int32) {
        slots[slot] = Slot(network: network, place: place)
        count += 1
        guard count * 2 > slots.count else { return }
        let old = slots
        slots = [Slot](repeating: Slot(), count: old.count * 4)
        for entry in old where entry.network != 0 { slots[self.slot(of: entry.network)] = entry }
    }

    /// The slot of a network, or the empty one where it belongs.
    @inline(__always)
    private func slot(of network: UInt64) -> Int {
        var z = (network ^ Self.seed) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 32)) &* 0x94D0_49BB_1331_11EB
        var slot = Int(truncatingIfNeeded: z ^ (z >> 31)) & (slots.count - 1)
        while slots[slot].network != 0, slots[slot].network != network { slot = (slot &+ 1) & (slots.count - 1) }
        return slot
    }
}

extension IPAddress {
    /// Its /24 or /48 as a number that is not 0.
    fileprivate var networkNumber: UInt64 { isIPv4 ? 1 << 63 | low >> 8 : 1 << 62 | high >> 16 }
}

/// Times at which somebody sends, at even distances of a month or a quarter.
struct Rhythm {
    /// Days that belong to one time: a batch goes out over some days, and reports of one day reach two.
    static let batchDays = 5
    static let monthly = 25...37
    static let quarterly = 83...99

    /// How often.
    let times: Int
    /// Mean distance in days.
    let every: Int
    /// Longest less shortest distance.
    let unevenness: Int
    /// First day of the latest time.
    let lastDay: Int

    /// Nil where there is no rhythm, or where it ended: bit n of `days` is the day `first + n`, and the next time is overdue at `until`.
    init?(_ days: UInt128, first: Int, until: Int) {
        guard days & (days &- 1) != 0 else { return nil }
        var rest = days
        let start = first + rest.trailingZeroBitCount
        var (last, count, isMonthly, isQuarterly) = (start, 1, true, true)
        var (shortest, longest) = (Int.max, 0)
        while true {
            rest &= rest - 1
            guard rest != 0 else { break }
            let day = first + rest.trailingZeroBitCount
            let gap = day - last
            if gap <= Self.batchDays { continue }
            isMonthly = isMonthly && Self.monthly.contains(gap)
            isQuarterly = isQuarterly && Self.quarterly.contains(gap)
            // Most networks come and go as they like: they are left at their first step.
            guard isMonthly || isQuarterly else { return nil }
            (shortest, longest) = (min(shortest, gap), max(longest, gap))
            (last, count) = (day, count + 1)
        }
        guard count > 1 else { return nil }
        every = (last - start + (count - 1) / 2) / (count - 1)
        // Twice its distance without a message: it has stopped, and nothing is to be waited for.
        guard until - last <= 2 * every else { return nil }
        times = count
        unevenness = longest - shortest
        lastDay = last
    }
}
