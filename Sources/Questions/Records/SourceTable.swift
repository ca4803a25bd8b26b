import DMARC

/// Numbers addresses 0, 1, 2 … in the order of their first appearance: an open-addressing hash table that is quicker than a dictionary.
///
/// Anybody can choose the addresses in a report, so the hash is mixed with a seed that differs in every process.
struct SourceTable: Sendable {
    private(set) var addresses: [IPAddress] = []
    private var slots: [Int32]
    private var mask: Int
    private static let seed = UInt64.random(in: .min ... .max)

    init() {
        slots = [Int32](repeating: -1, count: 8192)
        mask = 8191
    }

    /// The number of `address`, a new one if it has none yet.
    @inline(__always)
    mutating func number(of address: IPAddress) -> Int {
        var slot = Self.hash(address) & mask
        while true {
            let number = Int(slots[slot])
            if number < 0 { break }
            if addresses[number] == address { return number }
            slot = (slot &+ 1) & mask
        }
        return add(address, at: slot)
    }

    /// The number of `address`, if it has one.
    @inline(__always)
    func find(_ address: IPAddress) -> Int? {
        var slot = Self.hash(address) & mask
        while true {
            let number = Int(slots[slot])
            if number < 0 { return nil }
            if addresses[number] == address { return number }
            slot = (slot &+ 1) & mask
        }
    }

    private mutating func add(_ address: IPAddress, at slot: Int) -> Int {
        let number = addresses.count
        addresses.append(address)
        slots[slot] = Int32(number)
        if addresses.count * 2 > slots.count { grow() }
        return number
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 4)
        mask = slots.count - 1
        for (number, address) in addresses.enumerated() {
            var slot = Self.hash(address) & mask
            while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
            slots[slot] = Int32(number)
        }
    }

    /// Finaliser of SplitMix64 over both halves.
    @inline(__always)
    private static func hash(_ address: IPAddress) -> Int {
        var z = (address.low ^ seed) &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z ^= address.high &+ (address.isIPv4 ? 1 : 0)
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int(truncatingIfNeeded: z ^ (z >> 31))
    }
}
