/// What some bytes are, judged by their content alone: names and media types are often wrong.
public enum Container: String, Sendable, Equatable {
    /// RFC 1952.
    case gzip
    /// PKWARE's APPNOTE.TXT.
    case zip
    /// RFC 1950.
    case zlib
    /// bzip2 (sourceware.org/bzip2).
    case bzip2
    /// The .xz format (tukaani.org/xz/xz-file-format.txt).
    case xz
    /// Zstandard, RFC 8878.
    case zstd
    /// An LZ4 frame (LZ4 Frame Format Description).
    case lz4
    /// Something that begins like a document: `<` after an optional byte order mark and blanks.
    case xml
    /// None of these.
    case none

    /// Whether it is one compressed stream and no archive of members.
    public var isStream: Bool {
        switch self {
        case .gzip, .zlib, .bzip2, .xz, .zstd, .lz4: true
        case .zip, .xml, .none: false
        }
    }
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
    case (0x42, 0x5a) where bytes.count >= 4 && bytes[2] == 0x68 && (0x31...0x39).contains(bytes[3]):
        // The magic number of a block, or of the end of an empty stream.
        let block: [UInt8] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]
        let end: [UInt8] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]
        let mark = bytes[4...].prefix(6)
        if mark.elementsEqual(block) || mark.elementsEqual(end) { return .bzip2 }
        return !isComplete && (mark.elementsEqual(block.prefix(mark.count)) || mark.elementsEqual(end.prefix(mark.count)))
            ? nil : Container.none
    case (0xfd, 0x37) where bytes.count >= 4:
        let mark: [UInt8] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
        guard bytes.prefix(6).elementsEqual(mark.prefix(min(6, bytes.count))) else { return Container.none }
        return bytes.count >= 6 ? .xz : isComplete ? Container.none : nil
    case (0x28, 0xb5) where bytes.count >= 4 && bytes[2] == 0x2f && bytes[3] == 0xfd:
        return .zstd
    case (0x04, 0x22) where bytes.count >= 4 && bytes[2] == 0x4d && bytes[3] == 0x18:
        return .lz4
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
