/// SplitMix64: the same seed gives the same run on every machine, so a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Scalars that have broken somebody's output before, beside some harmless ones.
private let hostileScalars: [Unicode.Scalar] = Array(
    ("=+-@\t\r\n\0\u{1b}[31m\u{7}\u{8}\u{b}\u{c}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{a0}\u{ad}\u{200b}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}"
        + "\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{fff9}\u{e0041}\u{300}\u{301}\u{20dd}\u{fe0f}＝＋－＠\u{3000}東京🙂é"
        + ",;\"'\\/ <>&%_abcXYZ019.{}").unicodeScalars)

extension SeededGenerator {
    mutating func hostileText(maxLength: Int = 12) -> String {
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...maxLength, using: &self) {
            if Int.random(in: 0..<8, using: &self) == 0, let any = Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &self)) {
                scalars.append(any)
            } else {
                scalars.append(hostileScalars[Int.random(in: 0..<hostileScalars.count, using: &self)])
            }
        }
        return String(scalars)
    }
}
