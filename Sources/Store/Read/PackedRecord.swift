import DMARC
import GRDB

/// A counted record as `packed_records` keeps it: 17 bytes and the address, least significant byte first but for the address.
///
/// - 0: report; 4: set of authentication results; 8: domain in From; 12: messages of the day (30 bits), aligned SPF (bit 30) and DKIM (bit 31);
///   16: verdict (4 bits) and disposition (bits 4 and 5); 17: the source, 4 or 16 bytes in network order.
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
    /// The connecting address.
    @inlinable @inline(__always) public var source: IPAddress {
        if isIPv4 { return IPAddress(ipv4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 17, as: UInt32.self))) }
        return IPAddress(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 17, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 25, as: UInt64.self)))
    }

    /// Appends a record to others of sources with as many bytes.
    ///
    /// - Parameter messages: at most 1,000,000,000, as the table of records demands.
    package static func append(
        source: IPAddress, report: Int, authentication: Int, headerFrom: Int, messages: Int, aligned: Int, disposition: Int, verdict: Int,
        to output: inout [UInt8]
    ) {
        func append(_ word: UInt32) { withUnsafeBytes(of: word.littleEndian) { output.append(contentsOf: $0) } }
        // What no sound database holds is cut to what fits, and found by `doctor`.
        append(UInt32(clamping: report))
        append(UInt32(clamping: authentication))
        append(UInt32(clamping: headerFrom))
        append(UInt32(min(max(messages, 0), 1_000_000_000)) | UInt32(aligned & 3) << 30)
        output.append(UInt8(verdict & 15 | (disposition & 3) << 4))
        source.withBytes { output.append(contentsOf: $0) }
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

/// All counted records of a domain in a period, for questions that read them all: packed, which is ten times quicker than row by row; or row by
/// row, while there are reports that the verdicts, and so the packed records, do not know yet.
public struct PackedRecords {
    /// Question: does every counted record stand in `packed_records`. Unit: at most one row. Index: rowids.
    static let currentSQL = """
        SELECT 1 FROM verdict_state
        WHERE id = 1 AND is_stale = 0 AND report_id = (SELECT max(id) FROM reports)
            AND NOT EXISTS (SELECT 1 FROM recounted_reports WHERE report_id > 0)
        """

    /// Question: the records of some days. Unit: one row a piece. Index: primary key of `packed_records`, one contiguous range.
    package static let piecesSQL = """
        SELECT day, ipv4, ipv6
        FROM packed_records
        WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3 AND counted_as BETWEEN ?4 AND ?5
        """

    /// Question: the same. Unit: one row a record and day. Index: primary key of `records`, one contiguous range.
    package static let recordsSQL = """
        SELECT day, source, report_id, authentication_id, header_from_id, messages, dkim, spf, disposition, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    @usableFromInline let db: Database
    @usableFromInline let isCurrent: Bool

    package init(_ db: Database) throws {
        self.db = db
        isCurrent = try SQLRows(db, Self.currentSQL).next()
    }

    /// Calls `body` with each record of `domain`, and its day, in no order but of days.
    ///
    /// - Parameter outcomes: 0 what passed, 1 what failed.
    @inlinable @inline(__always)
    public func forEach(
        of domain: Int, in period: Period, outcomes: ClosedRange<Int> = 0...1, _ body: (PackedRecord, Int) throws -> Void
    ) throws {
        if isCurrent {
            let rows = try pieces(of: domain, in: period, outcomes: outcomes)
            while try rows.next() {
                let day = rows.int(0)
                for column in 1...2 as ClosedRange<Int32> {
                    try rows.withBytes(column) { try PackedRecord.forEach($0, isIPv4: column == 1) { try body($0, day) } }
                }
            }
        } else {
            try forEachRow(of: domain, in: period, outcomes: outcomes) { try body($0, $1) }
        }
    }

    @usableFromInline
    func pieces(of domain: Int, in period: Period, outcomes: ClosedRange<Int>) throws -> SQLRows {
        try SQLRows(
            db, Self.piecesSQL,
            [
                .integer(domain), .integer(period.since.number), .integer(period.until.number), .integer(outcomes.lowerBound),
                .integer(outcomes.upperBound),
            ])
    }

    @inline(never) @usableFromInline
    func forEachRow(
        of domain: Int, in period: Period, outcomes: ClosedRange<Int>, _ body: (PackedRecord, Int) throws -> Void
    ) throws {
        var bytes: [UInt8] = []
        for countedAs in outcomes {
            let rows = try SQLRows(
                db, Self.recordsSQL, [.integer(domain), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)])
            while try rows.next() {
                let source = try rows.address(1)
                bytes.removeAll(keepingCapacity: true)
                PackedRecord.append(
                    source: source, report: rows.int(2), authentication: rows.int(3), headerFrom: rows.int(4), messages: rows.int(5),
                    aligned: rows.int(6) << 1 | rows.int(7), disposition: rows.int(8), verdict: rows.int(9), to: &bytes)
                try bytes.withUnsafeBytes { try PackedRecord.forEach($0, isIPv4: source.isIPv4) { try body($0, rows.int(0)) } }
            }
        }
    }
}
