/// What a PKCS #7 / CMS structure is (RFC 5652), as far as it takes to reach the mail in it.
public enum SecureMail: Equatable, Sendable {
    /// Signed data: the content that is signed, which is a MIME entity. Nothing of the signature is verified.
    case signed([UInt8])
    /// A signature alone; what it signs stands beside it.
    case signature
    /// Encrypted for somebody.
    case encrypted
    /// Something else in the same envelope, such as compressed data.
    case other
    /// The structure is damaged or ends too early.
    case damaged
}

/// Tells what the structure in `bytes` is; nil: it is none.
///
/// A walk over the few fields that precede the content, in BER (Outlook streams with indefinite lengths) as in DER. It reads forward only,
/// nests eight deep and copies no more bytes than there are.
public func secureMail(_ bytes: UnsafeRawBufferPointer) -> SecureMail? {
    guard bytes.count > 4, bytes[0] == 0x30 else { return nil }
    var walk = BERWalk(bytes)
    guard let outer = walk.enter(0x30), let type = walk.take(0x06) else { return nil }
    guard let kind = SecureMail.Kind(bytes[type]) else { return nil }
    switch kind {
    case .data, .compressed: return .other
    case .encrypted: return .encrypted
    case .signed: break
    }
    _ = outer
    // ContentInfo.content [0] → SignedData → version, digest algorithms, EncapsulatedContentInfo → its type.
    guard walk.enter(0xa0) != nil, walk.enter(0x30) != nil, walk.take(0x02) != nil, walk.skip(0x31), let inner = walk.enter(0x30),
        walk.take(0x06) != nil
    else { return .damaged }
    if walk.isAtEnd(of: inner) { return .signature }
    guard walk.enter(0xa0) != nil, let content = walk.octets() else { return .damaged }
    return .signed(content)
}

extension SecureMail {
    fileprivate enum Kind {
        case data, signed, encrypted, compressed

        init?(_ identifier: Slice<UnsafeRawBufferPointer>) {
            // 1.2.840.113549.1.7.x and 1.2.840.113549.1.9.16.1.x
            let pkcs7: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07]
            let smime: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01]
            guard let last = identifier.last else { return nil }
            if identifier.count == pkcs7.count + 1, identifier.starts(with: pkcs7) {
                switch last {
                case 1: self = .data
                case 2: self = .signed
                case 3, 4, 6: self = .encrypted
                default: return nil
                }
            } else if identifier.count == smime.count + 1, identifier.starts(with: smime) {
                switch last {
                case 9: self = .compressed
                case 23: self = .encrypted
                default: return nil
                }
            } else {
                return nil
            }
        }
    }
}

/// Reads BER (X.690) forward.
private struct BERWalk {
    /// Where a constructed value ends; nil: at its end-of-contents octets.
    struct Extent {
        var end: Int?
    }

    private static let maxDepth = 8

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The tag and length at the present position, which moves behind them. Nil where they are not whole or the length is none.
    private mutating func header() -> (tag: UInt8, length: Int?)? {
        guard position + 2 <= bytes.count else { return nil }
        let tag = bytes[position]
        // Tags of more than one byte do not occur here.
        guard tag & 0x1f != 0x1f else { return nil }
        let first = bytes[position + 1]
        position += 2
        if first < 0x80 { return (tag, Int(first)) }
        if first == 0x80 { return (tag, nil) }
        let count = Int(first & 0x7f)
        guard count <= 4, position + count <= bytes.count else { return nil }
        var length = 0
        for _ in 0..<count {
            length = length << 8 | Int(bytes[position])
            position += 1
        }
        return (tag, length)
    }

    /// Goes into a constructed value.
    mutating func enter(_ wanted: UInt8) -> Extent? {
        guard let (tag, length) = header(), tag == wanted else { return nil }
        guard let length else { return Extent(end: nil) }
        // One that is cut off is walked as far as it goes.
        return Extent(end: position + length)
    }

    /// A primitive value, which the position moves behind.
    mutating func take(_ wanted: UInt8) -> Range<Int>? {
        guard let (tag, length) = header(), tag == wanted, let length, length <= bytes.count - position else { return nil }
        defer { position += length }
        return position..<position + length
    }

    /// Passes over one value.
    mutating func skip(_ wanted: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == wanted else { return false }
        return skip(depth: 0)
    }

    private mutating func skip(depth: Int) -> Bool {
        guard depth < Self.maxDepth, let (_, length) = header() else { return false }
        if let length {
            guard length <= bytes.count - position else { return false }
            position += length
            return true
        }
        while !takesEnd() {
            guard position < bytes.count, skip(depth: depth + 1) else { return false }
        }
        return true
    }

    /// Passes over end-of-contents octets, if they are next.
    private mutating func takesEnd() -> Bool {
        guard position + 2 <= bytes.count, bytes[position] == 0, bytes[position + 1] == 0 else { return false }
        position += 2
        return true
    }

    func isAtEnd(of extent: Extent) -> Bool {
        if let end = extent.end { return position >= end }
        return position + 2 <= bytes.count && bytes[position] == 0 && bytes[position + 1] == 0
    }

    /// An OCTET STRING in one piece or in many; nil if a piece is cut off.
    mutating func octets() -> [UInt8]? {
        var content: [UInt8] = []
        return append(to: &content, depth: 0) ? content : nil
    }

    private mutating func append(to content: inout [UInt8], depth: Int) -> Bool {
        guard depth < Self.maxDepth, let (tag, length) = header() else { return false }
        if tag == 0x04 {
            guard let length, length <= bytes.count - position else { return false }
            content.append(contentsOf: bytes[position..<position + length])
            position += length
            return true
        }
        guard tag == 0x24 else { return false }
        let end = length.map { position + $0 }
        if let end, end > bytes.count { return false }
        while true {
            if let end {
                if position == end { return true }
                if position > end { return false }
            } else if takesEnd() {
                return true
            }
            guard position < bytes.count, append(to: &content, depth: depth + 1) else { return false }
        }
    }
}
