/// What the first bytes of a document say about how to read it.
struct Prolog {
    /// Bytes to leave out: blanks before the declaration. libxml2 raises no event for them, so a long run would look like a flood.
    var skippedBytes = 0
    var hasByteOrderMark = false
    var hasDeclaration = false
    var isUTF16 = false
    /// The declared encoding, upper case; nil if none or UTF-8 is declared.
    var encoding: String?

    /// Encodings that reports may have.
    private static let known: Set<String> = [
        "UTF-8", "UTF8", "US-ASCII", "ASCII", "UTF-16", "UTF-16LE", "UTF-16BE", "ISO-8859-1", "LATIN1", "ISO8859-1", "WINDOWS-1252",
        "CP1252",
    ]
    private static let utf8: Set<String> = ["UTF-8", "UTF8", "US-ASCII", "ASCII"]

    /// Whether bytes above 0x7F must be UTF-8.
    var isUTF8: Bool { !isUTF16 && (encoding.map { Self.utf8.contains($0) } ?? true) }

    /// Whether the declared encoding is one that reports may have.
    var isKnown: Bool { encoding.map { Self.known.contains($0) } ?? true }

    /// Reads the head of a document: at least 512 bytes of it, or all.
    init(_ head: UnsafeRawBufferPointer) {
        var index = 0
        if Self.begins(head, 0, "\u{FEFF}") {
            hasByteOrderMark = true
            index = 3
        } else if head.count >= 2, (head[0] == 0xFF && head[1] == 0xFE) || (head[0] == 0xFE && head[1] == 0xFF) {
            hasByteOrderMark = true
            isUTF16 = true
            hasDeclaration = true
            return
        }
        let start = index
        while index < head.count, head[index] <= 0x20 { index += 1 }
        if index > start { skippedBytes = index }
        guard Self.begins(head, index, "<?xml") else { return }
        hasDeclaration = index == start
        guard let end = head[index...].prefix(400).firstIndex(of: UInt8(ascii: ">")) else { return }
        while index < end, !Self.begins(head, index, "encoding") { index += 1 }
        guard index < end else { return }
        index += 8
        while index < end, head[index] == UInt8(ascii: "=") || head[index] <= 0x20 { index += 1 }
        guard index < end, head[index] == UInt8(ascii: "\"") || head[index] == UInt8(ascii: "'") else { return }
        let value = head[(index + 1)..<end].prefix { $0 != head[index] }
        // By far the most: no text has to be made of it.
        if value.count == 5, Self.begins(head, index + 1, "UTF-8") || Self.begins(head, index + 1, "utf-8") { return }
        encoding = String(decoding: value, as: UTF8.self).uppercased()
    }

    private static func begins(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ text: StaticString) -> Bool {
        guard index + text.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[index + $0] == text.utf8Start[$0] }
    }
}
