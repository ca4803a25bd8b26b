import Glibc

/// Whose word is enough about an organisation's domains: its witnesses, each with its weight (docs/decisions/0013-voices.md).
///
/// Two domains that report honestly for two weeks are witnesses. What they then invent nobody else ever met: that is what gives them away. A witness
/// that reports day by day weighs more than one that reports now and then, which meets little.
package struct Quorum: Hashable {
    /// The weight of one that reports every day.
    package static let daily = 8
    /// So many voices are enough whatever the others weigh, and so many with a third of all weight.
    private static let always = 8
    private static let withThird = 5

    /// By bit of `Levels.bit(ofVoice:)`; where two share one, the lighter: nobody gets the weight of another by his name.
    private var weights = [Int](repeating: 0, count: 64)
    /// Of all witnesses.
    package private(set) var total = 0

    package init() {}

    /// - Parameter bit: what the voice sets.
    package mutating func add(_ bit: Int, weight: Int) {
        let place = bit.trailingZeroBitCount
        guard weight > 0, place < weights.count else { return }
        weights[place] = weights[place] == 0 ? weight : min(weights[place], weight)
        total += weight
    }

    /// What a voice weighs by the first days, at most seven, on which its reports on the organisation arrived.
    package static func weight(of days: VoiceDays) -> Int {
        guard let begin = days.first.first, let end = days.first.last else { return 1 }
        guard days.first.count == VoiceDays.daysNeeded else { return days.first.count > 4 ? 2 : 1 }
        let span = end - begin + 1
        return span <= 10 ? daily : span <= 18 ? 4 : span <= 36 ? 2 : 1
    }

    private func weight(of bits: Int) -> Int {
        var rest = UInt(bitPattern: bits & Int.max)
        var sum = 0
        while rest != 0 {
            sum += weights[rest.trailingZeroBitCount]
            rest &= rest - 1
        }
        return sum
    }

    /// Whether these voices are enough to be sure: two at least, with more than half of the weight of all; or five with a third of it; or eight.
    package func isEnough(_ bits: Int) -> Bool { Self.isEnough(Levels.voices(bits), weight(of: bits), of: total) }

    /// The same, of those who met a source; fewer than three cannot outvote each other.
    package func isMinority(_ bits: Int, among met: Int) -> Bool {
        guard Levels.voices(met) >= 3 else { return false }
        let all = weight(of: met)
        guard all > 0 else { return Levels.voices(bits) < Self.needed(of: Levels.voices(met)) }
        return !Self.isEnough(Levels.voices(bits), weight(of: bits), of: all)
    }

    private static func isEnough(_ voices: Int, _ weight: Int, of all: Int) -> Bool {
        guard voices >= 2 else { return false }
        return all == 0 || weight * 2 > all || voices >= withThird && weight * 3 > all || voices >= always
    }

    /// Whether so many records, if they were real, would have been met by more than twice as many.
    func isNarrow(_ bits: Int, records: Int) -> Bool {
        let all = Double(total) / Double(Self.daily)
        guard all > 0 else { return false }
        let expected = all * (1 - exp(-Double(records) / (1.5 * all)))
        return 2 * Double(weight(of: bits)) / Double(Self.daily) < expected
    }

    /// How many voices are enough where all weigh the same.
    package static func needed(of voices: Int) -> Int {
        voices < 9 ? max(2, voices / 2 + 1) : min(always, max(withThird, voices / 3 + 1))
    }
}
