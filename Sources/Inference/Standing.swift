/// Whether what a voice says of an organisation's domains teaches verdicts anything (docs/decisions/0013-voices.md).
package enum Standing: Int {
    /// Too short a time, or it has not seen what others know to be the owner's.
    case newcomer = 0
    /// Believed together with others, while nobody has stood the test of time; counts as nobody where witnesses are counted.
    case together = 1
    case witness = 2
}

/// The days on which a voice's reports arrived, as far as standing asks for them.
package struct VoiceDays: Equatable {
    /// Different days that are needed.
    package static let daysNeeded = 7
    /// From the first to the last of them.
    static let spreadNeeded = 14

    /// The first of them, ascending, at most `daysNeeded`.
    package private(set) var first: [Int] = []
    package private(set) var last = Int.min

    package init() {}

    package init(first: [Int], last: Int) {
        self.first = first
        self.last = last
    }

    /// Whether anything changed.
    @discardableResult
    package mutating func add(_ day: Int) -> Bool {
        let isLater = day > last
        last = max(last, day)
        guard first.count < Self.daysNeeded || day < first[first.count - 1] else { return isLater }
        let place = first.firstIndex { $0 >= day } ?? first.count
        if place < first.count, first[place] == day { return isLater }
        first.insert(day, at: place)
        if first.count > Self.daysNeeded { first.removeLast() }
        return true
    }

    /// Of the first days alone: whether these changed.
    package mutating func addFirst(_ day: Int) -> Bool {
        let before = first
        add(day)
        return first != before
    }

    var hasStoodTheTest: Bool { first.count == Self.daysNeeded && last - first[0] >= Self.spreadNeeded }
}

/// Some of the networks that a voice has seen aligned mail from: those with the lowest hashes. The same set of networks gives the same sketch,
/// in whatever order they come.
package struct NetworkSketch: Equatable {
    package static let most = 64

    /// Ascending.
    package private(set) var hashes: [UInt32] = []

    package init() {}

    package init(hashes: [UInt32]) { self.hashes = hashes }

    /// SplitMix64 of the network, folded.
    package static func hash(of network: Network) -> UInt32 {
        var z = network.prefix &* 2 &+ (network.isIPv4 ? 1 : 0) &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return UInt32(truncatingIfNeeded: z ^ (z >> 31))
    }

    /// Whether the sketch changed.
    package mutating func add(_ hash: UInt32) -> Bool {
        if hashes.count == Self.most, hash >= hashes[Self.most - 1] { return false }
        var (low, high) = (0, hashes.count)
        while low < high {
            let middle = (low + high) / 2
            if hashes[middle] < hash { low = middle + 1 } else { high = middle }
        }
        if low < hashes.count, hashes[low] == hash { return false }
        hashes.insert(hash, at: low)
        if hashes.count > Self.most { hashes.removeLast() }
        return true
    }

    /// The hash from which on it cannot say any more what was seen.
    var blindAbove: UInt32? { hashes.count == Self.most ? hashes[Self.most - 1] : nil }
}

/// Who is heard about an organisation's domains. Pure: a function of what is known of all voices.
package struct StandingRules {
    /// Voices that have stood the test of time and make a store grown up; or one, and so many days.
    static let voicesNeeded = 2
    static let youngDays = 28

    /// Voices that have stood the test of time.
    package let tested: Set<Int>
    package let isYoung: Bool
    /// Of each voice, on how many days its reports arrived, as far as anybody asks.
    private let days: [Int: Int]

    package init(_ voices: [Int: VoiceDays]) {
        tested = Set(voices.lazy.filter { $0.value.hasStoodTheTest }.map(\.key))
        let begin = voices.values.lazy.compactMap(\.first.first).min() ?? 0
        let end = voices.values.lazy.map(\.last).max() ?? 0
        days = voices.mapValues(\.first.count)
        isYoung = tested.isEmpty || tested.count < Self.voicesNeeded && end - begin < Self.youngDays
    }

    /// The standing of each voice that reported on the organisation.
    package func standings(_ voices: [(voice: Int, networks: NetworkSketch)]) -> [Int: Standing] {
        let asked = isYoung ? voices : voices.filter { tested.contains($0.voice) }
        let agreeing = Self.agreeing(asked)
        var standings: [Int: Standing] = [:]
        for (voice, _) in voices { standings[voice] = .newcomer }
        // Two who come together may agree on anything: while the store is young they do not silence whoever was there before.
        let longest = isYoung ? asked.lazy.map { days[$0.voice] ?? 0 }.max() : nil
        for (voice, _) in asked {
            // Where nobody agrees with anybody there is nothing that could be agreed on: a parked domain, a single reporter.
            guard agreeing.isEmpty || agreeing.contains(voice) || (longest != nil && days[voice] == longest) else { continue }
            standings[voice] = tested.contains(voice) ? .witness : .together
        }
        return standings
    }

    /// Voices that say of a network that its mail is aligned of which another voice says the same.
    private static func agreeing(_ voices: [(voice: Int, networks: NetworkSketch)]) -> Set<Int> {
        var seenBy: [UInt32: Int] = [:]
        for (_, networks) in voices {
            for hash in networks.hashes { seenBy[hash, default: 0] += 1 }
        }
        // The two sketches that are blind from the lowest hash on: one of them is another voice's.
        let blind = voices.compactMap { voice in voice.networks.blindAbove.map { (voice: voice.voice, above: $0) } }
            .sorted { ($0.above, $0.voice) < ($1.above, $1.voice) }.prefix(2)
        var agreeing: Set<Int> = []
        for (voice, networks) in voices {
            if networks.hashes.contains(where: { seenBy[$0] ?? 0 > 1 }) {
                agreeing.insert(voice)
            } else if let highest = networks.hashes.last, let other = blind.first(where: { $0.voice != voice }), highest > other.above {
                agreeing.insert(voice)
                agreeing.insert(other.voice)
            }
        }
        return agreeing
    }
}
