import CLibArchive
import Glibc

/// Owner of one libarchive reader over a zip in memory, read from the first member to the last.
///
/// Only the zip format is enabled, and no filter: the other formats hold most of libarchive's flaws.
final class ZipArchive {
    struct Member {
        /// The name as written, invalid UTF-8 replaced, clipped to 512 bytes.
        let name: String
        let isRegular: Bool
        let isEncrypted: Bool
        /// Whether passing over the member is cheap, because its compressed size is known.
        let isSizeKnown: Bool
    }

    enum Header {
        case member(Member)
        case end
        case failed(Failure)
    }

    enum Block {
        /// Valid until the next call.
        case bytes(UnsafeRawBufferPointer)
        case end
        case failed(Failure)
    }

    private static let maxNameBytes = 512
    // Set by open(2)'s interface, not importable: S_IFREG as libarchive's AE_IFREG.
    private static let regularFile: UInt32 = 0o100000

    private let archive: OpaquePointer?

    /// Opens the zip in `bytes`, which must stay where they are as long as the archive is read.
    init(_ bytes: UnsafeRawBufferPointer) {
        archive = archive_read_new()
        archive_read_support_format_zip(archive)
        archive_read_open_memory(archive, bytes.baseAddress, bytes.count)
    }

    deinit {
        archive_read_free(archive)
    }

    /// Goes to the next member, past what was not read of this one.
    func next() -> Header {
        var entry: OpaquePointer?
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_OK, ARCHIVE_WARN:
            guard let entry else { return .failed(failure()) }
            return .member(
                Member(
                    name: Self.name(of: entry),
                    isRegular: UInt32(archive_entry_filetype(entry)) == Self.regularFile,
                    isEncrypted: archive_entry_is_encrypted(entry) == 1,
                    isSizeKnown: archive_entry_size_is_set(entry) != 0))
        case ARCHIVE_EOF:
            return .end
        default:
            return .failed(failure())
        }
    }

    /// The next bytes of the present member. The last call verifies sizes and CRC.
    func read() -> Block {
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
                // A wrong size or CRC is only a warning to libarchive.
                return .failed(failure())
            }
        }
    }

    private static func name(of entry: OpaquePointer) -> String {
        guard let name = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: name, count: strnlen(name, maxNameBytes)), as: UTF8.self)
    }

    private func failure() -> Failure {
        guard let message = archive_error_string(archive) else { return Failure(.archiveDamaged, "damaged zip") }
        return Failure(.archiveDamaged, String(cString: message))
    }
}

/// Counts what looks like an entry of a zip's central directory, up to `limit`.
///
/// libarchive reads the whole directory into memory, whatever the number at its end says, so a large one must be
/// recognised before it is opened. Other bytes look like an entry once in 4 billion.
func directoryEntries(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var count = 0
    var position = 0
    while count < limit, position + 4 <= bytes.count, let hit = memchr(base + position, 0x50, bytes.count - position - 3) {
        let start = base.distance(to: UnsafeRawPointer(hit))
        let isEntry = bytes[start + 1] == 0x4b && bytes[start + 2] == 1 && bytes[start + 3] == 2
        count += isEntry ? 1 : 0
        position = start + (isEntry ? 4 : 1)
    }
    return count
}
