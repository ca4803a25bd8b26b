import DMARC
import GRDB
import Organisations

/// What sets of results say, in keys of `names` instead of texts: every other record may have a set of its own, so that reading them is what
/// questions about raw results spend their time on. They are read 64 sets at a time, each once, and unpacked when they are asked for: of most
/// chunks few sets are.
public struct KeyedResults {
    /// Question: the results of 64 sets. Unit: one row. Index: rowid of `keyed_results`.
    static let keyedSQL = "SELECT results FROM keyed_results WHERE chunk = ?1"

    /// Question: the last of these rows. Unit: one row. Index: rowid of `keyed_results`, one seek.
    static let lastChunkSQL = "SELECT max(chunk) FROM keyed_results"

    /// The same for sets that are not in there yet. Unit: one row a result, in the order of the report. Index: primary key of
    /// `authentication_results`.
    package static let resultsSQL = """
        SELECT set_id, method = 'dkim', domain_id, selector_id, scope = 'helo',
            CASE result WHEN 'pass' THEN 1 WHEN 'fail' THEN 2 WHEN 'temperror' THEN 16 WHEN 'none' THEN 32 ELSE 0 END
        FROM authentication_results
        WHERE set_id BETWEEN ?1 AND ?2
        ORDER BY set_id, position
        """

    /// Question: the key of a name. Unit: one row. Index: unique index of `names`.
    package static let keySQL = "SELECT id FROM names WHERE name = ?1"

    private let facts: Facts
    private let keyed: SQLRows
    private let rows: SQLRows
    private let suffixes: PublicSuffixes
    private var names: NameLookup
    private var organisations: [Int: Int32] = [:]
    private var others: [String: Int32] = [:]
    /// Where the bytes of each chunk begin in `bytes`.
    private var chunks = KeyedPlaces()
    private var bytes: [UInt8] = []
    /// The place of each set that was asked for: close together, so that what is asked again and again stays near.
    @usableFromInline var places = KeyedPlaces()
    /// Where the results of each of them end in `results`.
    @usableFromInline var ends: [Int32] = []
    @usableFromInline var results: [KeyedResult] = []

    package init(_ facts: Facts, _ suffixes: PublicSuffixes) throws {
        self.facts = facts
        keyed = try SQLRows(facts, Self.keyedSQL)
        rows = try SQLRows(facts, Self.resultsSQL)
        self.suffixes = suffixes
        names = NameLookup(facts)
        // Grown step by step they would be copied again and again. What is not filled costs nothing.
        let chunks = try Int.fetchOne(facts.db, sql: Self.lastChunkSQL) ?? 0
        bytes.reserveCapacity(min(chunks << 12, 64 << 20))
        results.reserveCapacity(min(chunks << 7, 4 << 20))
    }

    /// The place of the set with the key `id`, for the questions below.
    @inlinable @inline(__always)
    public mutating func place(_ id: Int) throws -> Int { try places[id] ?? unpack(id) }

    /// Places are below this.
    package var count: Int { ends.count }

    /// The results of a set.
    @inlinable @inline(__always)
    public subscript(_ place: Int) -> ArraySlice<KeyedResult> { results[(place == 0 ? 0 : Int(ends[place - 1]))..<Int(ends[place])] }

    @usableFromInline
    mutating func unpack(_ id: Int) throws -> Int {
        guard id >= 0, id < Int(Int32.max) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a set of results with the key \(id)")
        }
        let chunk = id / KeyedResult.setsInChunk
        let begin = try chunks[chunk] ?? read(chunk: chunk)
        bytes.withUnsafeBytes { KeyedResult.unpack($0, chunk: begin, set: id % KeyedResult.setsInChunk, to: &results) }
        places[id] = ends.count
        ends.append(Int32(results.count))
        return ends.count - 1
    }

    private mutating func read(chunk: Int) throws -> Int {
        let begin = bytes.count
        try keyed.restart(chunk)
        if try keyed.next() { keyed.withBytes(0) { if KeyedResult.isChunk($0) { bytes.append(contentsOf: $0) } } }
        // Not in there yet, or no chunk.
        if bytes.count == begin {
            let sets = try KeyedResult.sets(ofChunk: chunk, rows, party: { try party(of: $0) })
            bytes.append(contentsOf: KeyedResult.pack(sets))
        }
        chunks[chunk] = begin
        return begin
    }

    /// Alignment of a set with the name `from`, worked out anew from the raw results, whatever the reporter concluded (RFC 7489 §3.1).
    ///
    /// Only the result `pass` passes, and a result without a name is as good as none. Which checks of SPF count, `SenderCheck` says. A name without
    /// organisational domain, such as a public suffix, aligns with itself only; an empty one with nothing.
    package mutating func alignment(_ place: Int, from: Int, dkim: AlignmentMode, spf: AlignmentMode) throws -> Alignment {
        let organisation = try organisation(of: from)
        func aligns(_ result: KeyedResult, _ mode: AlignmentMode) -> Bool {
            result.organisation != 0 && (Int(result.domain) == from || (mode == .relaxed && result.organisation == organisation))
        }
        var found = Alignment(dkim: false, spf: false)
        let hasSender = hasSender(place)
        for result in self[place] where result.passed {
            if result.isDKIM {
                if !found.dkim { found.dkim = aligns(result, dkim) }
            } else if !found.spf, SenderCheck.counts(isHELO: result.isHELO, hasSender: hasSender) {
                found.spf = aligns(result, spf)
            }
        }
        return found
    }

    /// Whether a set has a check of the envelope's sender.
    @inlinable @inline(__always)
    public func hasSender(_ place: Int) -> Bool { self[place].contains { !$0.isDKIM && !$0.isHELO } }

    private mutating func party(of name: Int) throws -> KeyedResult.Party {
        KeyedResult.Party(
            organisation: try organisation(of: name), isService: Services.known.service(of: try names.name(name) ?? "") != nil)
    }

    /// The key of the organisation of a name: in `names`, a negative number if it is not in there, 0 for an empty name.
    package mutating func organisation(of name: Int) throws -> Int32 {
        if let known = organisations[name] { return known }
        let organisation = try self.organisation(ofText: try names.name(name) ?? "")
        organisations[name] = organisation
        return organisation
    }

    /// The same for a text.
    package mutating func organisation(ofText name: String) throws -> Int32 {
        guard !name.isEmpty else { return 0 }
        let organisation = suffixes.organisation(of: name)
        if let known = others[organisation] { return known }
        let key = try Int32.fetchOne(facts.db.cachedStatement(sql: Self.keySQL), arguments: [organisation]) ?? Int32(-1 - others.count)
        others[organisation] = key
        return key
    }
}

/// A result in keys, as `keyed_results` keeps it.
public struct KeyedResult {
    /// Bits of `kind`, beside what came out: 0 something else, 1 pass, 2 fail.
    public static let dkim: UInt8 = 4
    /// It is of the name in HELO.
    public static let helo: UInt8 = 8
    /// An error that passes, and a check that found nothing to check: of what is neither pass nor fail.
    public static let temporary: UInt8 = 16
    /// A check that found nothing to check.
    public static let absent: UInt8 = 32
    /// The domain belongs to a known service.
    public static let service: UInt8 = 64

    /// What was checked, and what came of it.
    public var kind: UInt8
    /// names; 0: the report gives none.
    public var domain: Int32
    /// names; 0: the report gives none.
    public var selector: Int32
    /// names: the organisation of the domain; 0: none.
    public var organisation: Int32

    /// A signature; else a check of SPF.
    @inlinable @inline(__always) public var isDKIM: Bool { kind & Self.dkim != 0 }
    /// Of the name in HELO.
    @inlinable @inline(__always) public var isHELO: Bool { kind & Self.helo != 0 }
    /// Verified, or allowed.
    @inlinable @inline(__always) public var passed: Bool { kind & 3 == 1 }
    /// Did not verify, or not allowed.
    @inlinable @inline(__always) public var failed: Bool { kind & 3 == 2 }
    /// An error that passes.
    @inlinable @inline(__always) public var isTemporary: Bool { kind & Self.temporary != 0 }
    /// Nothing was there to check.
    @inlinable @inline(__always) public var isAbsent: Bool { kind & Self.absent != 0 }
    /// The domain belongs to a known service.
    @inlinable @inline(__always) public var isOfService: Bool { kind & Self.service != 0 }

    /// Sets in a row of `keyed_results`: those with the keys from 64 times its key on.
    package static let setsInChunk = 64
    /// Bytes that a result takes: its kind and three numbers of 32 bits. All numbers have their least significant byte first.
    private static let byteCount = 13

    /// The results of the sets of a chunk, from the rows of `KeyedResults.resultsSQL`.
    package static func sets(ofChunk chunk: Int, _ rows: SQLRows, party: (Int) throws -> Party) throws -> [[KeyedResult]] {
        var sets = [[KeyedResult]](repeating: [], count: setsInChunk)
        let first = chunk * setsInChunk
        try rows.restart(first, first + setsInChunk - 1)
        while try rows.next() {
            let domain = rows.int(2)
            sets[rows.int(0) - first].append(KeyedResult(rows, domain == 0 ? Party() : try party(domain)))
        }
        return sets
    }

    /// The bytes of a chunk: how many results each set has, in 32 bits, then all of them.
    package static func pack(_ sets: [[KeyedResult]]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: Int32) { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
        for set in sets { append(Int32(set.count)) }
        for result in sets.joined() {
            bytes.append(result.kind)
            append(result.domain)
            append(result.selector)
            append(result.organisation)
        }
        return bytes
    }

    /// Whether these bytes are as long as they say.
    static func isChunk(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= setsInChunk * 4 else { return false }
        var count = 0
        for set in 0..<setsInChunk { count += Int(UInt32(bitPattern: number(bytes, set * 4))) }
        return bytes.count == setsInChunk * 4 + count * byteCount
    }

    @inline(__always)
    private static func number(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int32 {
        Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    }

    /// Appends the results of a set of the chunk that begins at `chunk`, in the order of the report.
    package static func unpack(_ bytes: UnsafeRawBufferPointer, chunk: Int, set: Int, to results: inout [KeyedResult]) {
        var first: Int32 = 0
        for other in 0..<set { first &+= number(bytes, chunk + other * 4) }
        var offset = chunk + setsInChunk * 4 + Int(first) * byteCount
        for _ in 0..<number(bytes, chunk + set * 4) {
            results.append(
                KeyedResult(
                    kind: bytes[offset], domain: number(bytes, offset + 1), selector: number(bytes, offset + 5),
                    organisation: number(bytes, offset + 9)))
            offset += byteCount
        }
    }
}

extension KeyedResult {
    /// What is known of the name in a result.
    package struct Party {
        /// As in `KeyedResult`.
        package var organisation: Int32 = 0
        /// Whether it belongs to a known service.
        package var isService = false

        package init(organisation: Int32 = 0, isService: Bool = false) {
            self.organisation = organisation
            self.isService = isService
        }
    }

    /// From a row of `KeyedResults.resultsSQL`.
    package init(_ rows: SQLRows, _ party: Party) {
        kind =
            (rows.int(1) == 1 ? Self.dkim : rows.int(4) == 1 ? Self.helo : 0) | UInt8(rows.int(5)) | (party.isService ? Self.service : 0)
        domain = Int32(truncatingIfNeeded: rows.int(2))
        selector = Int32(truncatingIfNeeded: rows.int(3))
        organisation = party.organisation
    }
}
