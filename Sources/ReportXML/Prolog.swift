/// What the first bytes of a document say about how to read it.
struct Prolog {
    var hasByteOrderMark = false
    var hasDeclaration = false
    /// Bytes up to the end of the declaration; 0 if there is none, or if it says UTF-8.
    var declarationBytes = 0
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

    /// So many bytes are looked at, or all that there are.
    static let headBytes = 1024

    /// Reads the head of a document, at least `headBytes` of it or all, without blanks before it (`dropBlanks`).
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
        guard Self.begins(head, index, "<?xml") else { return }
        hasDeclaration = true
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
        declarationBytes = end + 1
    }

    /// Drops the blanks at the beginning, also those behind a byte order mark; true if there were any. libxml2 takes a declaration behind them for
    /// an error, and as many as anybody likes may stand there, in any number of pieces.
    static func dropBlanks(_ head: inout [UInt8]) -> Bool {
        let start = head.starts(with: "\u{FEFF}".utf8) ? 3 : 0
        let end = head[start...].firstIndex { $0 > 0x20 } ?? head.count
        head.removeSubrange(start..<end)
        return end > start
    }

    private static func begins(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ text: StaticString) -> Bool {
        guard index + text.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[index + $0] == text.utf8Start[$0] }
    }
}
