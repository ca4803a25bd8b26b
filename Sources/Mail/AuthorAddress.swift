/// The domain of the one address in a field From (RFC 5322 section 3.6.2), as written; nil where there is not exactly one.
///
/// Read from the bytes as they stand: a name decoded from `=?utf-8?…?=` may hold anything, an address cannot (RFC 2047 section 5).
func authorDomain(_ field: some Sequence<UInt8>) -> String? {
    var reader = AuthorReader()
    for byte in field { reader.read(byte) }
    return reader.domain
}

private struct AuthorReader {
    private enum Place {
        case text, quotation, comment, literal
    }

    private var place = Place.text
    private var isEscaped = false
    private var depth = 0
    /// In angle brackets; what stands outside is a name.
    private var isInBrackets = false
    private var brackets = 0
    private var isPlural = false
    /// Behind the last `@` since the address began.
    private var host: [UInt8]?

    mutating func read(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
            return
        }
        switch place {
        case .quotation:
            if byte == UInt8(ascii: "\\") { isEscaped = true }
            if byte == UInt8(ascii: "\"") { place = .text }
        case .comment:
            if byte == UInt8(ascii: "\\") { isEscaped = true }
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            if depth == 0 { place = .text }
        case .literal:
            if byte == UInt8(ascii: "]") { place = .text }
            host?.append(byte)
        case .text:
            readText(byte)
        }
    }

    private mutating func readText(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): place = .quotation
        case UInt8(ascii: "("):
            place = .comment
            depth = 1
        case UInt8(ascii: "<"):
            brackets += 1
            isInBrackets = true
            host = nil
        case UInt8(ascii: ">"): isInBrackets = false
        // Two addresses, a group, or the route of RFC 822: nobody can say who wrote it.
        case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"): isPlural = true
        case UInt8(ascii: "@"):
            if isInBrackets || brackets == 0 { host = [] }
        case 0x20, 0x09, 0x0d, 0x0a: break
        default:
            guard isInBrackets || brackets == 0 else { return }
            if byte == UInt8(ascii: "["), host != nil { place = .literal }
            host?.append(byte)
        }
    }

    var domain: String? {
        guard place == .text, !isPlural, brackets <= 1, !isInBrackets, let host, !host.isEmpty else { return nil }
        return String(decoding: host, as: UTF8.self)
    }
}
