import DMARC
import GRDB

/// A counted record as `packed_records` keeps it: 17 bytes and the address, least significant byte first but for the address.
///
/// - 0: report; 4: set of authentication results; 8: domain in From; 12: messages of the day (30 bits), aligned SPF (bit 30) and DKIM (bit 31);
///   16: verdict (4 bits), disposition (bits 4 and 5), whether it is the first share of its record (bit 6), whether the receiver made an exception
///   (bit 7); 17: the source, 4 or 16 bytes in network order.
///
/// It looks at memory that belongs to somebody else, and is valid during the call only that it is given to.
public struct PackedRecord {
    /// Bytes before the address.
    @usableFromInline static let headBytes = 17
    /// Bytes of a record of an IPv4 source.
    @usableFromInline package static let ipv4Bytes = headBytes + 4
    /// Bytes of a record of an IPv6 source.
    @usableFromInline package static let ipv6Bytes = headBytes + 16

    @usableFromInline let bytes: UnsafeRawPointer
    @usableFromInline let isIPv4: Bool

    @inlinable @inline(__always)
    init(bytes: UnsafeRawPointer, isIPv4: Bool) {
        self.bytes = bytes
        self.isIPv4 = isIPv4
    }

    @inlinable @inline(__always)
    func word(_ offset: Int) -> UInt32 { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }

    /// Key of the report.
    @inlinable @inline(__always) public var report: Int { Int(word(0)) }
    /// Key of the set of authentication results.
    @inlinable @inline(__always) public var authentication: Int { Int(word(4)) }
    /// Key of the name in From.
    @inlinable @inline(__always) public var headerFrom: Int { Int(word(8)) }
    /// Messages of the day.
    @inlinable @inline(__always) public var messages: Int { Int(word(12) & 0x3FFF_FFFF) }
    /// 0 nothing aligned, 1 SPF, 2 DKIM, 3 both.
    @inlinable @inline(__always) public var aligned: Int { Int(word(12) >> 30) }
    /// DKIM aligned.
    @inlinable @inline(__always) public var dkim: Bool { word(12) >> 31 != 0 }
    /// SPF aligned.
    @inlinable @inline(__always) public var spf: Bool { word(12) >> 30 & 1 != 0 }
    /// As stored.
    @inlinable @inline(__always) public var verdict: Int { Int(bytes.load(fromByteOffset: 16, as: UInt8.self) & 15) }
    /// As stored.
    @inlinable @inline(__always) public var disposition: Int { Int(bytes.load(fromByteOffset: 16, as: UInt8.self) >> 4 & 3) }
    /// A record of a long window has a share on several days, and counts as a record on the first of them.
    @inlinable @inline(__always) public var isFirstShare: Bool { bytes.load(fromByteOffset: 16, as: UInt8.self) & 64 != 0 }
    /// The receiver did otherwise than the policy says, by its own judgement (`PolicyOverride.isException`).
    @inlinable @inline(__always) public var hasException: Bool { bytes.load(fromByteOffset: 16, as: UInt8.self) & 128 != 0 }
    /// The connecting address.
    @inlinable @inline(__always) public var source: IPAddress {
        if isIPv4 { return IPAddress(ipv4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 17, as: UInt32.self))) }
        return IPAddress(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 17, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 25, as: UInt64.self)))
    }

    /// What a packed record is made of, and says.
    package struct Fields {
        package var source: IPAddress
        package var report: Int
        package var authentication: Int
        package var headerFrom: Int
        /// At most 1,000,000,000, as the table of records demands.
        package var messages: Int
        package var aligned: Int
        package var disposition: Int
        package var isFirstShare: Bool
        package var hasException: Bool
        package var verdict: Int

        package init(
            source: IPAddress, report: Int, authentication: Int, headerFrom: Int, messages: Int, aligned: Int, disposition: Int,
            isFirstShare: Bool, hasException: Bool, verdict: Int
        ) {
            self.source = source
            self.report = report
            self.authentication = authentication
            self.headerFrom = headerFrom
            self.messages = messages
            self.aligned = aligned
            self.disposition = disposition
            self.isFirstShare = isFirstShare
            self.hasException = hasException
            self.verdict = verdict
        }
    }

    /// Appends a record to others of sources with as many bytes.
    package static func append(_ fields: Fields, to output: inout [UInt8]) {
        func append(_ word: UInt32) { withUnsafeBytes(of: word.littleEndian) { output.append(contentsOf: $0) } }
        // What no sound database holds is cut to what fits, and found by `doctor`.
        append(UInt32(clamping: fields.report))
        append(UInt32(clamping: fields.authentication))
        append(UInt32(clamping: fields.headerFrom))
        append(UInt32(min(max(fields.messages, 0), 1_000_000_000)) | UInt32(fields.aligned & 3) << 30)
        let marks: UInt8 = (fields.isFirstShare ? 64 : 0) | (fields.hasException ? 128 : 0)
        output.append(UInt8(fields.verdict & 15 | (fields.disposition & 3) << 4) | marks)
        fields.source.withBytes { output.append(contentsOf: $0) }
    }

    /// Puts another verdict on the record that begins at `place`.
    package static func set(verdict: Int, at place: Int, of bytes: inout [UInt8]) {
        bytes[place + 16] = bytes[place + 16] & 0xF0 | UInt8(verdict & 15)
    }

    /// Calls `body` with each record of a blob.
    @inlinable @inline(__always)
    public static func forEach(_ bytes: UnsafeRawBufferPointer, isIPv4: Bool, _ body: (PackedRecord) throws -> Void) throws {
        guard let start = bytes.baseAddress else { return }
        let width = isIPv4 ? ipv4Bytes : ipv6Bytes
        guard bytes.count % width == 0 else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "packed records of \(bytes.count) bytes")
        }
        var offset = 0
        while offset < bytes.count {
            try body(PackedRecord(bytes: start + offset, isIPv4: isIPv4))
            offset += width
        }
    }
}
