/// What some bytes are, judged by their content alone: names and media types are often wrong.
public enum Container: String, Sendable, Equatable {
    /// RFC 1952.
    case gzip
    /// PKWARE's APPNOTE.TXT.
    case zip
    /// RFC 1950.
    case zlib
    /// Something that begins like a document: `<` after an optional byte order mark and blanks.
    case xml
    /// None of these.
    case none
}

/// Tells what `bytes` are by their first bytes.
///
/// XML may be preceded by a byte order mark (UTF-8, or UTF-16 in either order) and by up to 256 KiB of blanks and NULs.
public func sniff(_ bytes: UnsafeRawBufferPointer) -> Container {
    sniffPrefix(bytes, isComplete: true) ?? .none
}

/// Blanks and NULs that may precede a document.
private let maxLeadingBlanks = 256 << 10

/// Tells what a stream is by its beginning. Returns nil if `bytes` are too few to tell and more may follow.
func sniffPrefix(_ bytes: UnsafeRawBufferPointer, isComplete: Bool) -> Container? {
    guard bytes.count >= 4 || isComplete else { return nil }
    guard bytes.count >= 2 else { return bytes.first == UInt8(ascii: "<") ? .xml : Container.none }
    switch (bytes[0], bytes[1]) {
    case (0x1f, 0x8b):
        return .gzip
    case (0x50, 0x4b) where bytes.count >= 4:
        switch (bytes[2], bytes[3]) {
        // A member, the end of an empty archive, the marker of a split one.
        case (3, 4), (5, 6), (7, 8): return .zip
        default: return Container.none
        }
    case (0x78, 0x01), (0x78, 0x5e), (0x78, 0x9c), (0x78, 0xda):
        // The second byte makes the first two divisible by 31 (RFC 1950 section 2.2), for each of the four levels.
        return .zlib
    default:
        break
    }
    var position = 0
    if bytes.count >= 3, bytes[0] == 0xef, bytes[1] == 0xbb, bytes[2] == 0xbf {
        position = 3
    } else if (bytes[0] == 0xfe && bytes[1] == 0xff) || (bytes[0] == 0xff && bytes[1] == 0xfe) {
        position = 2
    }
    // NUL is passed over as well: it is half of each character in UTF-16, and some reporters pad with it.
    while position < bytes.count, isBlank(bytes[position]) {
        if position >= maxLeadingBlanks { return Container.none }
        position += 1
    }
    if position < bytes.count { return bytes[position] == UInt8(ascii: "<") ? .xml : Container.none }
    return isComplete || position >= maxLeadingBlanks ? Container.none : nil
}

func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 || byte == 0
}
