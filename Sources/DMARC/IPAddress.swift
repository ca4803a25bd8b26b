/// The address of a *source*: the host that connected to the reporter's server.
///
/// Canonical by construction: an IPv4 address is always held as IPv4, also when it was written as an IPv4-mapped IPv6 address
/// (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2). Equality and hashing follow.
public struct IPAddress: Hashable, Sendable {
    /// The first eight bytes of an IPv6 address in network order; 0 for IPv4.
    public let high: UInt64
    /// The last eight bytes of an IPv6 address; for IPv4 the 32-bit address.
    public let low: UInt64
    /// Whether the address is IPv4.
    public let isIPv4: Bool

    /// An IPv4 address from its 32 bits in host order (192.0.2.1 is 0xC0000201).
    public init(ipv4 bits: UInt32) {
        high = 0
        low = UInt64(bits)
        isIPv4 = true
    }

    /// An IPv6 address from its two halves; an IPv4-mapped one becomes IPv4.
    public init(high: UInt64, low: UInt64) {
        if high == 0, low >> 32 == 0xFFFF {
            self.init(ipv4: UInt32(truncatingIfNeeded: low))
        } else {
            self.init(exactHigh: high, low: low)
        }
    }

    /// IPv6 without the look for a mapped address.
    private init(exactHigh high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
        isIPv4 = false
    }

    /// The parts that tell addresses of one kind apart: each one that is hashed costs time.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(low)
        if !isIPv4 { hasher.combine(high) }
    }

    /// From the stored form: 4 bytes for IPv4, 16 for IPv6, both in network order. Nil for any other length.
    public init?(bytes: UnsafeRawBufferPointer) {
        switch bytes.count {
        case 4:
            self.init(ipv4: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        case 16:
            self.init(
                exactHigh: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        default:
            return nil
        }
    }

    /// The number of bytes of the stored form: 4 or 16.
    public var byteCount: Int { isIPv4 ? 4 : 16 }

    /// Calls `body` with the stored form: 4 or 16 bytes in network order.
    @inlinable
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        if isIPv4 {
            return try withUnsafeBytes(of: UInt32(truncatingIfNeeded: low).bigEndian, body)
        }
        return try withUnsafeBytes(of: (high.bigEndian, low.bigEndian), body)
    }
}

// MARK: - Reading

extension IPAddress {
    /// Reads the textual form: dotted decimal, or RFC 4291 §2.2 in any of its spellings. No zone, no port, no prefix.
    public init?(_ text: String) {
        var text = text
        let parsed = text.withUTF8 { IPAddress(text: UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// As `init(_:)`, from ASCII bytes.
    public init?(text: UnsafeRawBufferPointer) {
        guard !text.isEmpty, text.count <= 45 else { return nil }
        if let bits = Self.parseIPv4(text) {
            self.init(ipv4: bits)
            return
        }
        guard let (high, low) = Self.parseIPv6(text) else { return nil }
        self.init(high: high, low: low)
    }

    /// `d8.d8.d8.d8`; leading zeros are refused because some readers take them for octal.
    private static func parseIPv4(_ text: UnsafeRawBufferPointer) -> UInt32? {
        var bits: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | octet
                octet = 0
                digits = 0
                dots += 1
            } else {
                guard byte >= 0x30, byte <= 0x39, digits == 0 || octet != 0 else { return nil }
                octet = octet * 10 + UInt32(byte & 15)
                digits += 1
                guard octet <= 255 else { return nil }
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        return bits << 8 | octet
    }

    /// Groups of 1–4 hexadecimal digits, at most one `::`, an IPv4 address allowed as the last 32 bits.
    private static func parseIPv6(_ text: UnsafeRawBufferPointer) -> (UInt64, UInt64)? {
        var groups: (UInt64, UInt64) = (0, 0)
        var count = 0
        var gap: Int?
        var index = 0
        func append(_ value: UInt64) {
            if count < 4 {
                groups.0 |= value << UInt64(48 - 16 * count)
            } else {
                groups.1 |= value << UInt64(48 - 16 * (count - 4))
            }
            count += 1
        }
        if text.count >= 2, text[0] == 0x3A {
            guard text[1] == 0x3A else { return nil }
            gap = 0
            index = 2
        }
        while index < text.count {
            guard count < 8 else { return nil }
            let start = index
            var value: UInt64 = 0
            while index < text.count, let digit = hexDigit(text[index]) {
                value = value << 4 | digit
                index += 1
                guard index - start <= 4 else { return nil }
            }
            if index < text.count, text[index] == UInt8(ascii: ".") {
                guard count <= 6, let bits = parseIPv4(UnsafeRawBufferPointer(rebasing: text[start...])) else { return nil }
                append(UInt64(bits >> 16))
                append(UInt64(bits & 0xFFFF))
                index = text.count
                break
            }
            guard index > start else { return nil }
            append(value)
            guard index < text.count else { break }
            guard text[index] == 0x3A else { return nil }
            index += 1
            if index < text.count, text[index] == 0x3A {
                guard gap == nil else { return nil }
                gap = count
                index += 1
            } else if index == text.count {
                return nil
            }
        }
        guard let gap else { return count == 8 ? groups : nil }
        guard count < 8 else { return nil }
        return insertingZeros(groups, count: count, at: gap)
    }

    /// Moves the groups behind `gap` to the end.
    private static func insertingZeros(_ groups: (UInt64, UInt64), count: Int, at gap: Int) -> (UInt64, UInt64) {
        func group(_ index: Int) -> UInt64 {
            ((index < 4 ? groups.0 : groups.1) >> UInt64(48 - 16 * (index % 4))) & 0xFFFF
        }
        var result: (UInt64, UInt64) = (0, 0)
        for index in 0..<count {
            let target = index < gap ? index : 8 - count + index
            if target < 4 {
                result.0 |= group(index) << UInt64(48 - 16 * target)
            } else {
                result.1 |= group(index) << UInt64(48 - 16 * (target - 4))
            }
        }
        return result
    }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x41...0x46: UInt64(byte - 0x41 + 10)
        case 0x61...0x66: UInt64(byte - 0x61 + 10)
        default: nil
        }
    }
}

// MARK: - Writing

extension IPAddress: CustomStringConvertible {
    /// Dotted decimal, or the canonical text of RFC 5952: lower case, no leading zeros, the longest run of zero groups as `::`.
    public var description: String {
        if isIPv4 {
            return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)"
        }
        let groups = (0..<8).map { (index: Int) -> UInt16 in
            let half = index < 4 ? high : low
            return UInt16(truncatingIfNeeded: half >> UInt64(48 - 16 * (index % 4)))
        }
        var best = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, groups[end] == 0 { end += 1 }
            if end - index > max(1, best.count) { best = index..<end }
            index = max(end, index + 1)
        }
        func text(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, then by number.
    public static func < (lhs: IPAddress, rhs: IPAddress) -> Bool {
        if lhs.isIPv4 != rhs.isIPv4 { return lhs.isIPv4 }
        return (lhs.high, lhs.low) < (rhs.high, rhs.low)
    }
}
