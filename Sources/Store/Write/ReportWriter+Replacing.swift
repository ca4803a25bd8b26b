import DMARC
import Foundation
import GRDB

/// A stored report without its records: what reading its document again is compared with.
public struct StoredReport: Sendable {
    /// Its number.
    public var id: Int64
    /// Everything but the records; `errors` as one text.
    public var header: ReportHeader
    /// Content, whatever the order of the records.
    public var digest: ContentDigest
    /// Records stored.
    public var records: Int
    /// Messages that they speak of.
    public var messages: Int
    /// Tolerated breaches.
    public var deviations: Deviations
    /// Records that could not be stored.
    public var refusedRecords: Int
    /// The document it came in; nil: not kept.
    public var rawID: Int64?
    /// Which member of the document it is.
    public var member: String
    /// Whether it counts, or lost a conflict.
    public var isCounted: Bool
    /// What is known of the mail.
    var sender: ReportSender
    /// The message it came in.
    var message: Int64?
    /// Its policy domain's key.
    var domain: Int64
    /// Its reporter's key.
    var reporter: Int64
}

/// What became of a report that was read again.
public enum Replacement: Sendable {
    /// It stands where the older reading stood.
    case replaced
    /// It is the same as another stored report, and is gone.
    case duplicate
}

/// What has to be put right before a commit: sums can be subtracted, but not when a source was first and last seen.
struct ReplacedReports {
    struct DayKey: Hashable {
        var domain: Int64
        var day: Int
    }

    struct Place: Hashable {
        var source: IPAddress
        var day: Int
    }

    /// Days whose lists of sources are to be made anew.
    var days: Set<DayKey> = []
    /// Sources that are gone from a day.
    var lost: [Int64: Set<Place>] = [:]
    /// Domains whose rollups are to be made anew.
    var domains: Set<Int64> = []
    /// Whether any report was replaced.
    var isChanged = false
    /// The lowest number of a report that was there before and counts otherwise, or says other things, than it did.
    private(set) var lowest: Int64?

    /// A stored report counts otherwise, or says other things.
    mutating func note(_ id: Int64) { lowest = min(lowest ?? id, id) }
}

extension ReportWriter {
    // MARK: - Reading

    /// Stored reports by number, at most `limit` of them after `id`; and the number to go on from, nil at the end.
    public func storedReports(after id: Int64, limit: Int, _ selection: ReportSelection) throws -> (reports: [StoredReport], next: Int64?) {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT p.id, p.domain_id, d.name, p.reporter_id, o.name, p.report_id, p.begin_utc, p.end_utc, p.digest, p.version, p.email,
                    p.contact_info, p.generator, p.errors, p.standard, p.records, p.messages, p.deviations, p.refused_records, p.message_id,
                    p.raw_id, p.member, y.p, y.sp, y.np, y.adkim, y.aspf, y.pct, y.fo, y.testing, y.discovery_method,
                    p.is_counted, p.authenticity, p.mail_from_domain,
                    (SELECT name FROM names WHERE id = p.voice_id), p.arrived_utc, p.sender_rank
                FROM reports p JOIN domains d ON d.id = p.domain_id JOIN reporters o ON o.id = p.reporter_id
                    JOIN policies y ON y.id = p.policy_id
                WHERE p.id > ? ORDER BY p.id LIMIT ?
                """, arguments: [id, limit])
        var found: [StoredReport] = []
        for row in rows {
            var header = ReportHeader()
            header.policy.domain = row[2]
            header.reporter = row[4]
            header.reportID = row[5]
            header.window = ReportWindow(begin: row[6], end: row[7])
            guard selection.includes(domain: header.policy.domain), selection.includes(lastDay: header.window.days.upperBound) else {
                continue
            }
            header.version = row[9]
            header.email = row[10]
            header.contactInfo = row[11]
            header.generator = row[12]
            header.errors = (row[13] as String?).map { [$0] } ?? []
            header.standard = ReportStandard(rawValue: row[14]) ?? .rfc7489
            header.policy.p = row[22]
            header.policy.sp = row[23]
            header.policy.np = row[24]
            header.policy.adkim = row[25]
            header.policy.aspf = row[26]
            header.policy.pct = row[27]
            header.policy.fo = row[28]
            header.policy.testing = row[29]
            header.policy.discoveryMethod = row[30]
            found.append(
                StoredReport(
                    id: row[0], header: header, digest: try row.digest(8), records: row[15], messages: row[16],
                    deviations: Deviations(rawValue: UInt64(bitPattern: row[17])), refusedRecords: row[18], rawID: row[20], member: row[21],
                    isCounted: row[31],
                    sender: ReportSender(
                        authenticity: row[32], mailFromDomain: row[33], voice: row[34], arrivedAt: row[35], rank: row[36]),
                    message: row[19], domain: row[1], reporter: row[3]))
        }
        return (found, rows.count < limit ? nil : rows.last?[0])
    }

    /// A document as it came; nil if it is gone.
    public func rawDocument(_ id: Int64) throws -> [UInt8]? {
        guard let row = try Row.fetchOne(db, sql: "SELECT bytes FROM raw_documents WHERE id = ?", arguments: [id]) else { return nil }
        return try row.withUnsafeData(atIndex: 0) { data in data.map { [UInt8]($0) } ?? [] }
    }

    /// Words outside the vocabulary that are kept of a report, as `sequence element word`.
    public func oddWords(of id: Int64) throws -> Set<String> {
        try Set(
            String.fetchAll(
                db, sql: "SELECT sequence || ' ' || element || ' ' || word FROM odd_words WHERE report_id = ?", arguments: [id]))
    }

    // MARK: - Replacing

    /// Puts a report in the place of an older reading of its document, under the same number.
    public func replace(_ old: StoredReport, with report: ParsedReport, _ batches: [RecordBatch]) throws -> Replacement {
        guard try makeRoom(old, for: report) else { return .duplicate }
        try start(report.header, hasRivals: false, isStreamed: false, replacing: old)
        for batch in batches { try append(batch) }
        return try settle(old, report)
    }

    /// Takes the older reading away; false if the report is the same as another one, and nothing is to be put in its place.
    public func makeRoom(_ old: StoredReport, for report: ParsedReport) throws -> Bool {
        let days = old.header.window.days
        let isCounted = try Bool.fetchOne(db, sql: "SELECT is_counted FROM reports WHERE id = ?", arguments: [old.id]) ?? false
        if isCounted {
            replaced.lost[old.domain, default: []].formUnion(try places(of: old.id, domain: old.domain, days))
            try addRollups(of: old.id, domain: old.domain, days, countedAs: "IN (0, 1)", sign: -1)
        }
        try db.execute(
            sql: """
                WITH \(Self.daysSQL)
                DELETE FROM records
                WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day IN (SELECT day FROM days) AND report_id = :id
                """, arguments: ["domain": old.domain, "first": days.lowerBound.number, "last": days.upperBound.number, "id": old.id])
        try db.execute(sql: "DELETE FROM reports WHERE id = ?", arguments: [old.id])
        replaced.note(old.id)
        note(old.domain, days)
        recordsInTransaction += old.records
        guard try isDuplicate(report) else { return true }
        try settleIdentity(old.domain, old.reporter, old.header)
        if let raw = old.rawID {
            try db.execute(
                sql: "DELETE FROM raw_documents WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM reports WHERE raw_id = ?1)", arguments: [raw])
        }
        return false
    }

    /// Starts a large report in the place that `makeRoom` made. To be ended by `closeReplacement`, or by `abandonReport`.
    public func openReplacement(_ old: StoredReport, _ header: ReportHeader) throws {
        try db.execute(sql: "SAVEPOINT report")
        try start(header, hasRivals: false, isStreamed: true, replacing: old)
    }

    /// Ends it.
    public func closeReplacement(_ old: StoredReport, _ report: ParsedReport) throws -> Replacement {
        let result = try settle(old, report)
        try db.execute(sql: "RELEASE report")
        return result
    }

    private func settle(_ old: StoredReport, _ report: ParsedReport) throws -> Replacement {
        let header = report.header
        _ = try finish(report, origin: Origin(message: 0, attachment: 0, member: old.member, bytes: nil, place: ""))
        let domain = try interning.domain(header.policy.domain)
        let reporter = try interning.reporter(header.reporter)
        note(domain, header.window.days)
        try settleIdentity(domain, reporter, header)
        let isSame =
            domain == old.domain && reporter == old.reporter && header.reportID == old.header.reportID && header.window == old.header.window
        if !isSame { try settleIdentity(old.domain, old.reporter, old.header) }
        return .replaced
    }

    func note(_ domain: Int64, _ days: ClosedRange<Day>) {
        replaced.isChanged = true
        for day in days { replaced.days.insert(ReplacedReports.DayKey(domain: domain, day: day.number)) }
    }

    private func places(of id: Int64, domain: Int64, _ days: ClosedRange<Day>) throws -> Set<ReplacedReports.Place> {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                WITH \(Self.daysSQL)
                SELECT day, source FROM records
                WHERE domain_id = :domain AND counted_as IN (0, 1) AND day IN (SELECT day FROM days) AND report_id = :id
                """, arguments: ["domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "id": id])
        var places: Set<ReplacedReports.Place> = []
        while let row = try rows.next() {
            if let source = try row.address(1) { places.insert(ReplacedReports.Place(source: source, day: row[0])) }
        }
        return places
    }

    /// Puts right what sums cannot say. The sums themselves are written.
    func finishReplacing() throws {
        guard replaced.isChanged else { return }
        let rebuild = try RollupRebuild(db)
        for key in replaced.days.sorted(by: { ($0.domain, $0.day) < ($1.domain, $1.day) }) {
            try rebuild.sources(of: key.domain, day: key.day)
        }
        for domain in Set(replaced.days.map(\.domain)) {
            try db.execute(sql: "DELETE FROM daily WHERE domain_id = ? AND messages = 0 AND records = 0", arguments: [domain])
        }
        let atEnd = try db.makeStatement(sql: "SELECT 1 FROM sources WHERE domain_id = ? AND source = ? AND ? IN (first_day, last_day)")
        for (domain, places) in replaced.lost where !replaced.domains.contains(domain) {
            for place in places {
                // What a report still says of a source on that day, another one may have said, too: then making it anew does no harm.
                let bytes = place.source.withBytes { Data($0) }
                if try Int.fetchOne(atEnd, arguments: [domain, bytes, place.day]) != nil,
                    try !has(place, domain)
                {
                    replaced.domains.insert(domain)
                    break
                }
            }
        }
        for domain in replaced.domains.sorted() { try rebuild.all(of: domain) }
        // What verdicts never knew makes none of them stale.
        if let lowest = replaced.lowest {
            try db.execute(sql: "UPDATE verdict_state SET is_stale = 1 WHERE report_id >= ?", arguments: [lowest])
        }
        replaced = ReplacedReports()
    }

    private func has(_ place: ReplacedReports.Place, _ domain: Int64) throws -> Bool {
        let bytes = place.source.withBytes { Data($0) }
        return try Int.fetchOne(
            db,
            sql: """
                SELECT 1 FROM records WHERE domain_id = ?1 AND counted_as IN (0, 1) AND day = ?2 AND source = ?3
                UNION ALL SELECT 1 FROM kept_sources WHERE domain_id = ?1 AND day = ?2 AND source = ?3 LIMIT 1
                """, arguments: [domain, place.day, bytes]) != nil
    }
}
