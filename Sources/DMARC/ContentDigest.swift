/// A 128-bit digest of a report's content, made so that the order of the records does not matter.
///
/// It tells a report that was sent twice from one whose content differs under the same identity. It is no protection against forgery, and
/// needs none: whoever can forge a report can send it first. The function is part of the database's format and must never change.
public struct ContentDigest: Hashable, Sendable {
    /// First half.
    public private(set) var first: UInt64
    /// Second half, mixed independently of the first.
    public private(set) var second: UInt64

    /// The digest of nothing.
    public init() {
        first = 0
        second = 0
    }

    /// From its two halves, as stored.
    public init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    /// The digest of a byte string.
    public init(of bytes: UnsafeRawBufferPointer) {
        var a: UInt64 = 0x9E37_79B9_7F4A_7C15 &+ UInt64(bytes.count)
        var b: UInt64 = 0xC2B2_AE3D_27D4_EB4F ^ UInt64(bytes.count)
        var index = 0
        while index &+ 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            a = Self.mix(a ^ word)
            b = Self.mixOther(b &+ word)
            index &+= 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while index < bytes.count {
            tail |= UInt64(bytes[index]) << shift
            shift &+= 8
            index &+= 1
        }
        first = Self.mix(a ^ tail)
        second = Self.mixOther(b &+ tail)
    }

    /// The digest of a text's UTF-8 bytes.
    public init(of text: String) {
        var text = text
        self = text.withUTF8 { ContentDigest(of: UnsafeRawBufferPointer($0)) }
    }

    /// Appends a number: the order of appended numbers matters.
    @inline(__always)
    public mutating func append(_ value: UInt64) {
        first = Self.mix(first ^ value)
        second = Self.mixOther(second &+ value)
    }

    /// Appends another digest.
    @inline(__always)
    public mutating func append(_ other: ContentDigest) {
        first = Self.mix(first ^ other.first)
        second = Self.mixOther(second &+ other.second)
    }

    /// Adds a digest to a sum in which order does not matter but repetition does.
    @inline(__always)
    public mutating func add(_ other: ContentDigest) {
        first &+= other.first
        second &+= other.second
    }

    /// Finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Finaliser of MurmurHash3 (Appleby), with an odd increment.
    @inline(__always)
    private static func mixOther(_ value: UInt64) -> UInt64 {
        var z = value &+ 0xD6E8_FEB8_6659_FD93
        z = (z ^ (z >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        z = (z ^ (z >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return z ^ (z >> 33)
    }
}

extension ContentDigest: CustomStringConvertible {
    /// 32 hexadecimal digits.
    public var description: String {
        func hex(_ value: UInt64) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return hex(first) + hex(second)
    }
}
