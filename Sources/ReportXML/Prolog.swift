/// What the first bytes of a document say about how to read it.
struct Prolog {
    /// Bytes to leave out: blanks before the declaration. libxml2 raises no event for them, so a long run would look like a flood.
    var skippedBytes = 0
    var hasByteOrderMark = false
    var hasDeclaration = false
    var isUTF16 = false
    /// The declared encoding, upper case; nil if none is declared.
    var encoding: String?

    /// Encodings that reports may have.
    private static let known: Set<String> = [
        "UTF-8", "UTF8", "US-ASCII", "ASCII", "UTF-16", "UTF-16LE", "UTF-16BE", "ISO-8859-1", "LATIN1", "ISO8859-1", "WINDOWS-1252", "CP1252",
    ]
    private static let utf8: Set<String> = ["UTF-8", "UTF8", "US-ASCII", "ASCII"]

    /// Whether bytes above 0x7F must be UTF-8.
    var isUTF8: Bool { !isUTF16 && (encoding.map { Self.utf8.contains($0) } ?? true) }

    /// Whether the declared encoding is one that reports may have.
    var isKnown: Bool { encoding.map { Self.known.contains($0) } ?? true }

    /// Reads the head of a document: at least 512 bytes of it, or all.
    init(_ head: UnsafeRawBufferPointer) {
        var index = 0
        if head.starts(with: [0xEF, 0xBB, 0xBF]) {
            hasByteOrderMark = true
            index = 3
        } else if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
            hasByteOrderMark = true
            isUTF16 = true
            hasDeclaration = true
            return
        }
        let start = index
        while index < head.count, head[index] <= 0x20 { index += 1 }
        if index > start { skippedBytes = index }
        let rest = UnsafeRawBufferPointer(rebasing: head[index...])
        guard rest.starts(with: Array("<?xml".utf8)) else { return }
        hasDeclaration = index == start
        guard let end = rest.prefix(400).firstIndex(of: UInt8(ascii: ">")) else { return }
        let declaration = String(decoding: rest[..<end], as: UTF8.self)
        guard let equals = declaration.firstRange(of: "encoding") else { return }
        let value = declaration[equals.upperBound...].drop { $0 == " " || $0 == "=" }
        guard let quote = value.first, quote == "\"" || quote == "'" else { return }
        encoding = String(value.dropFirst().prefix { $0 != quote }).uppercased()
    }
}
