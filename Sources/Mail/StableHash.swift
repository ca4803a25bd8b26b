/// SipHash-2-4 (Aumasson and Bernstein, 2012) with a fixed key: the same in each run, unlike `Hasher`.
///
/// It names a message by its content. Nothing depends on its being hard to collide with on purpose: who forges a
/// collision hides only a mail of his own.
func stableHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var v0: UInt64 = 0x736f_6d65_7073_6575
    var v1: UInt64 = 0x646f_7261_6e64_6f6d
    var v2: UInt64 = 0x6c79_6765_6e65_7261
    var v3: UInt64 = 0x7465_6462_7974_6573

    func round() {
        v0 &+= v1
        v1 = v1 << 13 | v1 >> 51
        v1 ^= v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = v3 << 16 | v3 >> 48
        v3 ^= v2
        v0 &+= v3
        v3 = v3 << 21 | v3 >> 43
        v3 ^= v0
        v2 &+= v1
        v1 = v1 << 17 | v1 >> 47
        v1 ^= v2
        v2 = v2 << 32 | v2 >> 32
    }

    var position = 0
    while position + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        v3 ^= word
        round()
        round()
        v0 ^= word
        position += 8
    }
    var last = UInt64(truncatingIfNeeded: bytes.count) << 56
    for index in position..<bytes.count { last |= UInt64(bytes[index]) << UInt64(8 * (index - position)) }
    v3 ^= last
    round()
    round()
    v0 ^= last
    v2 ^= 0xff
    for _ in 0..<4 { round() }
    return v0 ^ v1 ^ v2 ^ v3
}

/// The hash as 16 hexadecimal digits.
func stableHashText(_ bytes: UnsafeRawBufferPointer) -> String {
    let digits = String(stableHash(bytes), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
