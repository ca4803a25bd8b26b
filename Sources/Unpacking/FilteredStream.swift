import CLibArchive
import CZlib
import Glibc

/// Owner of one libarchive reader over a compressed stream in memory: bzip2, xz, Zstandard or LZ4, and nothing inside it.
///
/// Only the one filter that the content asks for is enabled, with the format that passes bytes on as they are.
final class FilteredStream {
    enum Block {
        /// Valid until the next call.
        case bytes(UnsafeRawBufferPointer)
        case end
        case failed(Failure)
    }

    /// Bytes of a window that a stream may ask for. What xz and zstd write without being told otherwise needs 8 MiB at most.
    static let maxWindowBytes = 64 << 20

    private let archive: OpaquePointer?
    private var problem: Failure?

    /// Opens the stream in `bytes`, which must stay where they are as long as it is read.
    init(_ bytes: UnsafeRawBufferPointer, _ container: Container) {
        archive = archive_read_new()
        archive_read_support_format_raw(archive)
        let result: Int32
        switch container {
        case .bzip2: result = archive_read_support_filter_bzip2(archive)
        case .xz: result = archive_read_support_filter_xz(archive)
        case .zstd: result = archive_read_support_filter_zstd(archive)
        case .lz4: result = archive_read_support_filter_lz4(archive)
        case .gzip, .zip, .zlib, .xml, .none: result = ARCHIVE_FATAL
        }
        // A libarchive that was built without the library would start a program instead, and says so with a warning.
        guard result == ARCHIVE_OK else {
            problem = Failure(.archiveDamaged, "this system's libarchive cannot read \(container.rawValue)")
            return
        }
        let window = windowBytes(bytes, container)
        guard window <= Self.maxWindowBytes else {
            problem = Failure(
                .unpackedTooLarge, "a window of \(window) bytes for \(container.rawValue); the limit is \(Self.maxWindowBytes)")
            return
        }
        var entry: OpaquePointer?
        guard archive_read_open_memory(archive, bytes.baseAddress, bytes.count) == ARCHIVE_OK,
            archive_read_next_header(archive, &entry) == ARCHIVE_OK
        else {
            problem = failure()
            return
        }
        // Where the filter does not know the header, the bytes would come through as they are.
        if archive_filter_code(archive, 0) == ARCHIVE_FILTER_NONE {
            problem = Failure(.archiveDamaged, "a damaged header of \(container.rawValue)")
        }
    }

    deinit {
        archive_read_free(archive)
    }

    /// The next bytes. Checksums of the stream are verified before its end is told.
    func read() -> Block {
        if let problem { return .failed(problem) }
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        while true {
            switch archive_read_data_block(archive, &start, &count, &offset) {
            case ARCHIVE_OK:
                if count > 0 { return .bytes(UnsafeRawBufferPointer(start: start, count: count)) }
            case ARCHIVE_EOF:
                return .end
            default:
                return .failed(failure())
            }
        }
    }

    private func failure() -> Failure {
        guard let message = archive_error_string(archive) else { return Failure(.archiveDamaged, "damaged compressed data") }
        return Failure(.archiveDamaged, "damaged compressed data: " + String(cString: message))
    }
}

/// The largest window that any part of a stream asks for, as far as its headers say; 0 where it needs little whatever it says.
///
/// Each place that looks like the beginning of a stream or frame is looked at: streams may follow one another, and only the first need be
/// small. What looks like one by accident costs a refusal at worst, once in very many.
func windowBytes(_ bytes: UnsafeRawBufferPointer, _ container: Container) -> Int {
    let mark: [UInt8]
    let size: (Int) -> Int
    switch container {
    case .xz:
        mark = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]
        size = { xzDictionary(bytes, at: $0 + 12) }
    case .zstd:
        mark = [0x28, 0xb5, 0x2f, 0xfd]
        size = { zstdWindow(bytes, at: $0 + 4) }
    default: return 0
    }
    var largest = 0
    var position = 0
    guard let base = bytes.baseAddress else { return 0 }
    while position + mark.count <= bytes.count, let found = memchr(base + position, Int32(mark[0]), bytes.count - position) {
        let hit = base.distance(to: UnsafeRawPointer(found))
        if bytes[hit...].starts(with: mark) { largest = max(largest, size(hit)) }
        position = hit + 1
    }
    return container == .xz ? max(largest, laterDictionary(bytes)) : largest
}

/// The largest dictionary above what is allowed that any block asks for: a stream may have many, and each may want another. A block's header
/// is known by its checksum.
private func laterDictionary(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var largest = 0
    var position = 0
    while position + 3 <= bytes.count, let found = memchr(base + position, 0x21, bytes.count - position - 2) {
        let filter = base.distance(to: UnsafeRawPointer(found))
        position = filter + 1
        guard bytes[filter + 1] == 1, bytes[filter + 2] > 28 else { continue }
        // A header has at most 1,024 bytes, and the filter stands behind its size and flags.
        for start in stride(from: filter - 2, through: max(0, filter - 1016), by: -1) {
            let size = (Int(bytes[start]) + 1) * 4
            guard bytes[start] > 0, start + size <= bytes.count, filter + 3 <= start + size - 4, bytes[start + 1] & 0x3c == 0 else {
                continue
            }
            let end = start + size - 4
            let sum = (0..<4).reduce(UInt(0)) { $0 | UInt(bytes[end + $1]) << (8 * UInt($1)) }
            let content = bytes.bindMemory(to: UInt8.self).baseAddress
            guard UInt(crc32(0, content.map { $0 + start }, UInt32(size - 4))) == sum else { continue }
            largest = max(largest, dictionary(bytes[filter + 2]))
        }
    }
    return largest
}

/// The largest window that a member of a zip asks for with a method that has one (APPNOTE.TXT section 4.4.5: 14 is LZMA, 93 Zstandard, 95 xz,
/// 98 PPMd); 0 where the usual methods are used. Each place that looks like the header of a member is looked at, as libarchive reads it: of the
/// method only the low byte.
func zipWindowBytes(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    func number(_ offset: Int, _ count: Int) -> Int { (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }
    var largest = 0
    var streams: Set<Container> = []
    var position = 0
    while position + 30 <= bytes.count, let found = memchr(base + position, 0x50, bytes.count - position) {
        let start = base.distance(to: UnsafeRawPointer(found))
        position = start + 1
        guard start + 30 <= bytes.count, bytes[start...].starts(with: [0x50, 0x4b, 3, 4]) else { continue }
        let content = start + 30 + number(start + 26, 2) + number(start + 28, 2)
        switch bytes[start + 8] {
        // Version, size of the properties; a byte of them, then the dictionary.
        case 14 where content + 9 <= bytes.count: largest = max(largest, number(content + 5, 4))
        case 93: streams.insert(.zstd)
        case 95: streams.insert(.xz)
        // Four bits of order, then MiB of memory less one.
        case 98 where content + 2 <= bytes.count: largest = max(largest, ((number(content, 2) >> 4 & 0xff) + 1) << 20)
        default: break
        }
    }
    return streams.reduce(largest) { max($0, windowBytes(bytes, $1)) }
}

private func dictionary(_ byte: UInt8) -> Int {
    let bits = Int(byte)
    guard bits <= 40 else { return .max }
    return bits == 40 ? 0xffff_ffff : (2 | (bits & 1)) << (bits / 2 + 11)
}

/// The dictionary of the first block of a stream (xz-file-format.txt, sections 3.1 and 5.3.1).
private func xzDictionary(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
    guard start + 2 <= bytes.count, bytes[start] != 0 else { return 0 }
    let end = min(bytes.count, start + (Int(bytes[start]) + 1) * 4)
    let flags = bytes[start + 1]
    var position = start + 2
    func number() -> Int? {
        var value = 0
        var shift = 0
        while position < end, shift < 63 {
            let byte = bytes[position]
            position += 1
            value |= Int(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }
    if flags & 0x40 != 0, number() == nil { return 0 }
    if flags & 0x80 != 0, number() == nil { return 0 }
    for _ in 0...Int(flags & 3) {
        guard let id = number(), let size = number(), size >= 0, size <= end - position else { return 0 }
        if id == 0x21, size == 1 {
            return dictionary(bytes[position])
        }
        position += size
    }
    return 0
}

/// The window of a frame (RFC 8878 section 3.1.1.1).
private func zstdWindow(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
    guard start + 1 < bytes.count else { return 0 }
    let descriptor = bytes[start]
    if descriptor & 0x20 == 0 {
        let exponent = Int(bytes[start + 1] >> 3)
        let base = 1 << (10 + exponent)
        return base + base / 8 * Int(bytes[start + 1] & 7)
    }
    // One segment: the window is the content.
    let dictionary = [0, 1, 2, 4][Int(descriptor & 3)]
    let count = [1, 2, 4, 8][Int(descriptor >> 6)]
    let first = start + 1 + dictionary
    guard first + count <= bytes.count else { return 0 }
    var value: UInt64 = 0
    for index in (0..<count).reversed() { value = value << 8 | UInt64(bytes[first + index]) }
    return Int(clamping: count == 2 ? value + 256 : value)
}
