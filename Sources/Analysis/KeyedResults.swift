import DMARC
import GRDB

/// What sets of results say, in keys of `names` instead of texts: every other record may have a set of its own, so that reading them is what
/// questions about raw results spend their time on. Each set is read once; all of them stand one behind the other in one list.
struct KeyedResults {
    /// Question: what passed and what failed in a set, and of which organisations. Unit: one row. Index: rowid of `keyed_results`.
    static let keyedSQL = "SELECT results FROM keyed_results WHERE set_id = ?1"

    /// The same for sets that the refresh of verdicts has not met yet. Unit: one row a result, in the order of the report. Index: primary key
    /// of `authentication_results`.
    static let resultsSQL = """
        SELECT method = 'dkim', domain_id, selector_id, scope = 'helo', CASE result WHEN 'pass' THEN 1 WHEN 'fail' THEN 2 ELSE 0 END
        FROM authentication_results
        WHERE set_id = ?1
        """

    /// Question: the key of a name. Unit: one row. Index: unique index of `names`.
    static let keySQL = "SELECT id FROM names WHERE name = ?1"

    private let db: Database
    private let keyed: SQLRows
    private let rows: SQLRows
    private let suffixes: PublicSuffixes
    private var names: NameLookup
    private var organisations: [Int: Int32] = [:]
    private var others: [String: Int32] = [:]
    private var places = KeyedPlaces()
    /// Where the results of each set end in `results`.
    private var ends: [Int32] = []
    private var results: [KeyedResult] = []

    init(_ db: Database, _ suffixes: PublicSuffixes) throws {
        self.db = db
        keyed = try SQLRows(db, Self.keyedSQL)
        rows = try SQLRows(db, Self.resultsSQL)
        self.suffixes = suffixes
        names = NameLookup(db)
    }

    /// The place of the set with the key `id`, for the questions below. Places count from 0 in the order of their first appearance.
    @inline(__always)
    mutating func place(_ id: Int) throws -> Int {
        if let place = places[id] { return place }
        return try read(id)
    }

    /// The results of a set.
    @inline(__always)
    subscript(_ place: Int) -> ArraySlice<KeyedResult> { results[(place == 0 ? 0 : Int(ends[place - 1]))..<Int(ends[place])] }

    private mutating func read(_ id: Int) throws -> Int {
        try keyed.restart(id)
        if try keyed.next() {
            keyed.withBytes(0) { KeyedResult.append($0, to: &results) }
        } else {
            try rows.restart(id)
            while try rows.next() {
                let kind = rows.int(0) == 1 ? KeyedResult.dkim : rows.int(3) == 1 ? KeyedResult.helo : 0
                let domain = rows.int(1)
                results.append(
                    KeyedResult(
                        kind: kind | UInt8(rows.int(4)), domain: Int32(domain), selector: Int32(rows.int(2)),
                        organisation: domain == 0 ? 0 : try organisation(of: domain)))
            }
        }
        places[id] = ends.count
        ends.append(Int32(results.count))
        return ends.count - 1
    }

    /// Alignment of a set with the name `from` (`Alignment.init(of:dkim:spf:aligns:)` says what counts).
    mutating func alignment(_ place: Int, from: Int, dkim: AlignmentMode, spf: AlignmentMode) throws -> Alignment {
        let organisation = try organisation(of: from)
        func aligns(_ result: KeyedResult, _ mode: AlignmentMode) -> Bool {
            result.organisation != 0 && (Int(result.domain) == from || (mode == .relaxed && result.organisation == organisation))
        }
        var found = Alignment(dkim: false, spf: false)
        var greeting = false
        var hasSender = false
        for result in self[place] {
            if result.isDKIM {
                if result.passed, !found.dkim { found.dkim = aligns(result, dkim) }
            } else if result.isGreeting {
                if result.passed, !greeting { greeting = aligns(result, spf) }
            } else {
                hasSender = true
                if result.passed, !found.spf { found.spf = aligns(result, spf) }
            }
        }
        if !hasSender { found.spf = greeting }
        return found
    }

    /// The key of the organisation of a name: in `names`, a negative number if it is not in there, 0 for an empty name.
    mutating func organisation(of name: Int) throws -> Int32 {
        if let known = organisations[name] { return known }
        let organisation = try self.organisation(ofText: try names.name(name) ?? "")
        organisations[name] = organisation
        return organisation
    }

    /// The same for a text.
    mutating func organisation(ofText name: String) throws -> Int32 {
        guard !name.isEmpty else { return 0 }
        let organisation = suffixes.organisation(of: name)
        if let known = others[organisation] { return known }
        let key = try Int32.fetchOne(db.cachedStatement(sql: Self.keySQL), arguments: [organisation]) ?? Int32(-1 - others.count)
        others[organisation] = key
        return key
    }
}

/// A result in keys, as `keyed_results` keeps it.
struct KeyedResult {
    /// Bits of `kind`, beside what came out: 0 something else, 1 pass, 2 fail.
    static let dkim: UInt8 = 4
    static let helo: UInt8 = 8

    var kind: UInt8
    /// names; 0: the report gives none.
    var domain: Int32
    /// names; 0: the report gives none.
    var selector: Int32
    /// names: the organisation of the domain; 0: none.
    var organisation: Int32

    var isDKIM: Bool { kind & Self.dkim != 0 }
    var isGreeting: Bool { kind & Self.helo != 0 }
    var passed: Bool { kind & 3 == 1 }
    var failed: Bool { kind & 3 == 2 }

    /// Bytes that a result takes: its kind and three numbers of 32 bits, least significant byte first.
    static let byteCount = 13

    /// The bytes of this result.
    func write(to bytes: inout [UInt8]) {
        bytes.append(kind)
        for number in [domain, selector, organisation] { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
    }

    /// Reads results that stand one behind the other.
    static func append(_ bytes: UnsafeRawBufferPointer, to results: inout [KeyedResult]) {
        var offset = 0
        while offset + byteCount <= bytes.count {
            func number(_ place: Int) -> Int32 { Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + place, as: Int32.self)) }
            results.append(KeyedResult(kind: bytes[offset], domain: number(1), selector: number(5), organisation: number(9)))
            offset += byteCount
        }
    }
}
