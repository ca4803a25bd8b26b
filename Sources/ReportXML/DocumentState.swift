import Glibc

/// Everything that belongs to the document being read.
struct DocumentState: ~Copyable {
    var builder: ReportBuilder
    var filter: RepairFilter?
    var head: [UInt8] = []
    var hasBegun = false
    let tokenCount: Int
    /// The first error of libxml2: what, where, and whether it only came when the input had ended.
    var xmlError: String?
    var xmlErrorLine = 0
    var xmlErrorAtEnd = false
    /// It is about a raw `&`, which libxml2 may find out only at the end.
    var xmlErrorIsReference = false
    var isAtEnd = false
    /// Names that the parser knew before this document.
    var knownNames: Int32 = 0
    var isRecovering = false
    /// While recovering: a closing tag had another name than what it closed; an element of reports stood where it has no meaning.
    var hasMismatch = false
    var hasMisplaced = false
    /// While recovering, before the first record: the tags do not fit together any more. Whatever begins after that may be lost.
    var torn: String?
    private var isAfterOpening = false
    /// What follows the root is not well-formed: nothing to mend, but the context has seen it.
    var hasErrorBehindRoot = false
    private var tail: [UInt8] = []
    var isUTF16 = false
    var isLittleEndian = false
    private var halfUnit: UInt8?

    init(limits: XMLLimits, latestEnd: Int, table: UnsafeMutablePointer<Element>, scratch: Scratch, tokenCount: Int) {
        builder = ReportBuilder(limits: limits, latestEnd: latestEnd, table: table, scratch: scratch)
        self.tokenCount = tokenCount
    }

    /// Whether more input can make a report of it.
    var isReadable: Bool { builder.failure == nil && (xmlError == nil || isRecovering) }

    /// Behind a root that a tag of another name closed: only further closing tags may follow.
    mutating func noteBehindTorn(_ bytes: UnsafeRawBufferPointer) {
        guard let torn else { return }
        for byte in bytes {
            if isAfterOpening, byte > 0x20, !"/!?".utf8.contains(byte) {
                builder.fail(.malformed, torn)
                return
            }
            isAfterOpening = byte == UInt8(ascii: "<")
        }
    }

    mutating func noteTrailing(_ bytes: UnsafeRawBufferPointer) {
        if isUTF16 {
            noteTrailingUnits(bytes)
            return
        }
        noteBehindTorn(bytes)
        // Megabytes of the same blank are what a bomb consists of.
        guard let base = bytes.baseAddress, bytes.count > 0, bytes[0] > 0x20 || memcmp(base, base + 1, bytes.count - 1) != 0 else { return }
        if bytes.contains(where: { $0 > 0x20 }) { builder.note(.trailingContent) }
    }

    /// As above, but a blank has two bytes, and a piece may end between them.
    private mutating func noteTrailingUnits(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            guard let first = halfUnit else {
                halfUnit = byte
                continue
            }
            halfUnit = nil
            let unit = isLittleEndian ? UInt16(byte) << 8 | UInt16(first) : UInt16(first) << 8 | UInt16(byte)
            if unit > 0x20 { builder.note(.trailingContent) }
        }
    }

    /// Keeps the last bytes: whether a closing tag had begun decides if a cut can be tolerated.
    mutating func keepTail(of piece: UnsafeRawBufferPointer) {
        guard builder.depth <= 1 else { return }
        if piece.count < 64 { tail.append(contentsOf: piece) } else { tail = Array(piece.suffix(64)) }
        if tail.count > 64 { tail.removeFirst(tail.count - 64) }
    }

    /// `</` and a beginning of `feedback`, prefix aside, is all that follows the last complete tag.
    var endsInClosingTag: Bool {
        guard let open = tail.lastIndex(of: UInt8(ascii: "<")) else { return false }
        var rest = tail[(open + 1)...]
        guard rest.first == UInt8(ascii: "/") else { return false }
        rest = rest.dropFirst()
        while let last = rest.last, last <= 0x20 { rest = rest.dropLast() }
        if let colon = rest.lastIndex(of: UInt8(ascii: ":")) { rest = rest[(colon + 1)...] }
        return Array("feedback".utf8).starts(with: rest)
    }
}
