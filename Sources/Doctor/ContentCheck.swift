import DMARC
import GRDB
import Store

/// Stored reports that are not what they were when they were stored: their digests and windows say what they were.
public struct ContentDamage: Sendable {
    /// Reports whose records, policy, results or days are others.
    public var reports: Set<Int64> = []
    /// Sets of authentication results that are others.
    public var sets: Set<Int64> = []
    /// Rows of records that belong to no report as its window has it.
    public var strayRows = 0
    /// Reports that were looked at.
    public var examinedReports = 0
    /// Sets that were looked at.
    public var examinedSets = 0

    /// Looks at everything. Reads `records` once, report by report; memory does not grow with their number.
    public static func find(_ store: ReportStore) throws(StoreError) -> ContentDamage {
        try reading(store, "doctor") { try ContentCheck($0.db).run() }
    }
}

/// Makes the digests of reports anew from what is stored of them, and not with the code that made them: `ReportXML` owns that.
final class ContentCheck {
    private let db: Database
    private var damage = ContentDamage()
    private var sets: [Int: ContentDigest] = [:]
    private var names: [Int: ContentDigest?] = [:]
    private var overrides: [Int: ContentDigest?] = [:]
    private let records: SQLRows
    private let name: SQLRows
    private let override: SQLRows

    private static let mostRemembered = 200_000
    /// Records of a report that may name the policy domain or nothing, of which each choice is tried.
    private static let mostTried = 16
    /// No window is longer, whatever the limits (`limits.window_days`).
    private static let mostDays = 3660
    /// Shares of one report beyond which a record falls on one day (`ReportWriter`).
    private static let mostShares = 200_000

    /// Question: the records of a report on a day. Unit: one row a record. Index: primary key of `records`, one contiguous range.
    static let recordsSQL = """
        SELECT sequence, source, messages, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id,
            override_id
        FROM records WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4
        """

    /// Question: all results. Unit: one row a result. Index: primary key of `authentication_results`, read as a whole.
    static let resultsSQL = """
        SELECT a.set_id, a.position, a.method, d.name, s.name, a.scope, a.result, a.raw_result, a.human_result,
            a.domain_id IS NULL, a.selector_id IS NULL
        FROM authentication_results a LEFT JOIN names d ON d.id = a.domain_id LEFT JOIN names s ON s.id = a.selector_id
        ORDER BY a.set_id, a.position
        """

    /// Question: all reports, with their policies. Unit: one row a report. Index: rowid of `reports`, read as a whole.
    static let reportsSQL = """
        SELECT p.id, p.domain_id, p.begin_utc, p.end_utc, p.day, p.is_spread, p.digest, p.records, p.refused_records, p.deviations,
            d.name, y.id, y.p, y.sp, y.np, y.adkim, y.aspf, y.pct
        FROM reports p LEFT JOIN domains d ON d.id = p.domain_id LEFT JOIN policies y ON y.id = p.policy_id
        ORDER BY p.id
        """

    /// Question: a list of reasons. Unit: one row a reason; none for what is no list. Index: rowid of `override_sets`.
    static let reasonsSQL = """
        SELECT r.value ->> 0, r.value ->> 1
        FROM override_sets o, json_each(iif(json_valid(o.reasons), o.reasons, '[]')) r
        WHERE o.id = ?1
        """

    init(_ db: Database) throws {
        self.db = db
        records = try SQLRows(db, Self.recordsSQL)
        name = try SQLRows(db, "SELECT name FROM names WHERE id = ?1")
        override = try SQLRows(db, Self.reasonsSQL)
    }

    func run() throws -> ContentDamage {
        try readSets()
        var seen = 0
        let reports = try SQLRows(db, Self.reportsSQL)
        while try reports.next() {
            damage.examinedReports += 1
            let report = Report(reports)
            let (rows, isSound) = try look(at: report)
            seen += rows
            if !isSound { damage.reports.insert(Int64(report.id)) }
        }
        let all = try Int.fetchOne(db, sql: "SELECT count(*) FROM records") ?? 0
        damage.strayRows = max(0, all - seen)
        return damage
    }

    // MARK: - Sets

    private func readSets() throws {
        let results = try SQLRows(db, Self.resultsSQL)
        var hasResult = try results.next()
        let known = try SQLRows(db, "SELECT id, digest FROM authentication_sets ORDER BY id")
        while try known.next() {
            damage.examinedSets += 1
            let id = known.int(0)
            let stored = known.digest(1)
            // Results of sets that are not there break references.
            while hasResult, results.int(0) < id { hasResult = try results.next() }
            var digest = ContentDigest()
            var position = 0
            var isWhole = true
            while hasResult, results.int(0) == id {
                if results.int(1) != position { isWhole = false }
                position += 1
                let isDKIM = results.text(2) == "dkim"
                digest.append(isDKIM ? 3 : 4)
                let second = isDKIM ? results.optionalText(4) : results.optionalText(5)
                for text in [results.optionalText(3), second, results.text(6), results.optionalText(7), results.optionalText(8)] {
                    if let text { digest.append(ContentDigest(of: text)) } else { digest.append(2) }
                }
                // A name that is gone is no name that never was.
                if results.int(9) == 0 && results.optionalText(3) == nil || results.int(10) == 0 && results.optionalText(4) == nil {
                    isWhole = false
                }
                hasResult = try results.next()
            }
            if let stored, stored == digest, isWhole { sets[id] = digest } else { damage.sets.insert(Int64(id)) }
        }
    }

    // MARK: - Reports

    private struct Report {
        let id: Int
        let domain: Int
        let begin: Int
        let end: Int
        let day: Int
        let isSpread: Bool
        let digest: ContentDigest?
        let records: Int
        let refused: Int
        let mayLackIdentifier: Bool
        let domainName: ContentDigest?
        let policy: ContentDigest?

        init(_ row: SQLRows) {
            id = row.int(0)
            domain = row.int(1)
            begin = row.int(2)
            end = row.int(3)
            day = row.int(4)
            isSpread = row.int(5) != 0
            digest = row.digest(6)
            records = row.int(7)
            refused = row.int(8)
            let deviations = Deviations(rawValue: UInt64(bitPattern: Int64(row.int(9))))
            mayLackIdentifier = deviations.contains(.missingIdentifier)
            domainName = row.optionalText(10).map { ContentDigest(of: $0) }
            guard row.optionalInt(11) != nil else {
                policy = nil
                return
            }
            var digest = ContentDigest()
            for column in 12...17 as ClosedRange<Int32> {
                if let text = row.optionalText(column) { digest.append(ContentDigest(of: text)) } else { digest.append(1) }
            }
            policy = digest
        }

        /// Nil: nothing that any version would store.
        var window: ReportWindow? {
            guard begin >= 0, begin < 1 << 40, end >= begin, end - begin <= ContentCheck.mostDays * 86400 else { return nil }
            return ReportWindow(begin: begin, end: end)
        }
    }

    /// A record, whose messages may be spread over several days.
    private struct Record {
        var rest: ContentDigest
        var source: IPAddress
        var isHeaderDomain: Bool
        var flags: UInt64
        var names: [ContentDigest?]
        var override: ContentDigest?
        var set: Int
        var messages = 0
        var shares: [Int: Int] = [:]

        /// Two rows are one record.
        func isSame(_ other: Record) -> Bool {
            source == other.source && flags == other.flags && names == other.names && override == other.override && set == other.set
        }

        func digest(withoutHeader: Bool = false) -> ContentDigest {
            var own = rest
            own.append(source.high)
            own.append(source.low)
            own.append(UInt64(truncatingIfNeeded: messages) << 8 | flags)
            for (place, name) in names.enumerated() {
                if let name, !(withoutHeader && place == 0) { own.append(name) } else { own.append(1) }
            }
            if let override { own.append(override) }
            return own
        }
    }

    /// The rows of a report, and whether they are what its digest says.
    private func look(at report: Report) throws -> (rows: Int, isSound: Bool) {
        guard let window = report.window else { return (0, false) }
        var isSound =
            window.day.number == report.day && window.isSpread == report.isSpread && report.policy != nil && report.domainName != nil
        var found: [Int: Record] = [:]
        var rows = 0
        for day in window.days {
            for countedAs in 0...2 {
                try records.restart(report.domain, countedAs, day.number, report.id)
                while try records.next() {
                    rows += 1
                    guard var record = try record(report) else {
                        isSound = false
                        continue
                    }
                    let sequence = records.int(0)
                    let messages = min(max(records.int(2), 0), 1_000_000_000)
                    if let known = found[sequence] {
                        if !known.isSame(record) || known.shares[day.number] != nil { isSound = false }
                        record = known
                    }
                    record.messages += messages
                    record.shares[day.number] = messages
                    found[sequence] = record
                }
            }
        }
        guard isSound, let stored = report.digest, let policy = report.policy, found.count == report.records else { return (rows, false) }
        let last = found.keys.max() ?? -1
        guard found.keys.min() ?? 0 >= 0, last < report.records + report.refused else { return (rows, false) }
        if window.isSpread, rows < Self.mostShares {
            let days = window.days.map(\.number)
            for record in found.values {
                let shares = zip(days, window.shares(of: record.messages)).filter { $0.1 > 0 }
                let kept = record.shares.filter { $0.value > 0 }
                if kept.count != shares.count || shares.contains(where: { kept[$0.0] != $0.1 }) { return (rows, false) }
            }
        }
        return (rows, agrees(Array(found.values), policy, stored, report.mayLackIdentifier))
    }

    private func agrees(_ records: [Record], _ policy: ContentDigest, _ stored: ContentDigest, _ mayLackIdentifier: Bool) -> Bool {
        var sum = policy
        var open: [(named: ContentDigest, unnamed: ContentDigest)] = []
        for record in records {
            if mayLackIdentifier, record.isHeaderDomain {
                open.append((record.digest(), record.digest(withoutHeader: true)))
            } else {
                sum.add(record.digest())
            }
        }
        func total(_ choose: (Int) -> Bool) -> ContentDigest {
            var whole = sum
            for (place, pair) in open.enumerated() { whole.add(choose(place) ? pair.unnamed : pair.named) }
            return whole
        }
        // Without a domain in From the policy domain stands for it, and the digest is another one.
        if total({ _ in false }) == stored { return true }
        if open.isEmpty { return false }
        if total({ _ in true }) == stored { return true }
        guard open.count <= Self.mostTried else { return false }
        for choice in 1..<(1 << open.count) where total({ choice >> $0 & 1 == 1 }) == stored { return true }
        return false
    }

    /// The row at hand; nil: something that it names is not there, or no such row is ever written.
    private func record(_ report: Report) throws -> Record? {
        let set = records.int(9)
        guard let rest = sets[set], records.byteCount(1) == 4 || records.byteCount(1) == 16 else { return nil }
        let source = try records.address(1)
        var named: [ContentDigest?] = []
        for column in 6...8 as ClosedRange<Int32> {
            guard let id = records.optionalInt(column) else {
                named.append(nil)
                continue
            }
            guard let digest = try name(id) else { return nil }
            named.append(digest)
        }
        var override: ContentDigest?
        if let id = records.optionalInt(10) {
            guard let digest = try reasons(id) else { return nil }
            override = digest
        }
        let (disposition, dkim, spf) = (records.int(3), records.int(4), records.int(5))
        guard (0...3).contains(disposition), (0...1).contains(dkim), (0...1).contains(spf) else { return nil }
        let flags = UInt64(disposition) << 4 | UInt64(dkim) << 3 | UInt64(spf) << 2 | (source.isIPv4 ? 1 : 0)
        return Record(
            rest: rest, source: source, isHeaderDomain: named[0] == report.domainName, flags: flags, names: named, override: override,
            set: set)
    }

    private func name(_ id: Int) throws -> ContentDigest? {
        if let known = names[id] { return known }
        if names.count >= Self.mostRemembered { names.removeAll(keepingCapacity: true) }
        try name.restart(id)
        let digest = try name.next() ? name.optionalText(0).map { ContentDigest(of: $0) } : nil
        names[id] = .some(digest)
        return digest
    }

    private func reasons(_ id: Int) throws -> ContentDigest? {
        if let known = overrides[id] { return known }
        if overrides.count >= Self.mostRemembered { overrides.removeAll(keepingCapacity: true) }
        try override.restart(id)
        var digest: ContentDigest?
        while try override.next() {
            var sum = digest ?? ContentDigest()
            sum.append(ContentDigest(of: override.text(0)))
            sum.append(override.optionalText(1).map { ContentDigest(of: $0) } ?? ContentDigest())
            digest = sum
        }
        overrides[id] = .some(digest)
        return digest
    }
}

extension SQLRows {
    /// Column `index` as a digest; nil if it is none.
    package func digest(_ index: Int32) -> ContentDigest? {
        var digest: ContentDigest?
        withBytes(index) { bytes in
            guard bytes.count == 16 else { return }
            digest = ContentDigest(
                first: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                second: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
        return digest
    }
}
