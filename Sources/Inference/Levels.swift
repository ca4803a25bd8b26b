/// Sums as verdicts use them: in powers of two. A verdict that depended on exact sums would have to be made anew for every flow with every
/// report; a level moves rarely, and a factor below two says nothing.
package enum Levels {
    /// 0 for 0; else the number of binary digits, at most 31.
    package static func level(_ count: Int) -> Int { count <= 0 ? 0 : min(31, Int.bitWidth - count.leadingZeroBitCount) }

    /// The same for what is known of names: beyond a thousand records more of them say nothing more, and the knowledge of large senders, which
    /// most flows rest on, comes to rest.
    package static func saturated(_ count: Int) -> Int { min(10, level(count)) }

    /// The same for what rules ask for only up to a bound, whose level is `most`.
    package static func capped(_ count: Int, _ most: Int) -> Int { min(most, level(count)) }

    /// What a level stands for: about the middle of the counts that have it.
    package static func value(_ level: Int) -> Double {
        switch level {
        case 0: 0
        case 1: 1
        default: 0.75 * Double(1 << level) - 0.5
        }
    }

    /// Up to twelve levels in one number.
    package static func pack(_ levels: [Int]) -> Int { levels.enumerated().reduce(0) { $0 | $1.element << ($1.offset * 5) } }

    package static func unpack(_ packed: Int, _ index: Int) -> Int { packed >> (index * 5) & 31 }

    /// Which of 64 bits a name sets; the same in every process and every database.
    package static func bit(of name: String) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        return Int(bitPattern: 1 << UInt(hash & 63))
    }

    /// The bit of all voices that are believed together while a store is young. Nobody counts it.
    package static let togetherBit = Int.min

    /// Which of the other 63 bits a voice sets.
    package static func bit(ofVoice name: String) -> Int {
        let bit = bit(of: name)
        return bit == togetherBit ? 1 : bit
    }

    /// How many voices there are, about, of those that count.
    package static func voices(_ bits: Int) -> Int { (bits & Int.max).nonzeroBitCount }

    package static func bit(of day: Int) -> Int { Int(bitPattern: 1 << UInt(day & 63)) }

    /// How many there are, about: the bits that are set.
    package static func count(_ bits: Int) -> Int { bits.nonzeroBitCount }
}
