import DMARC
import GRDB
import Refresh
import Store

/// One check of the database itself, and what came out.
public struct DatabaseFinding: Hashable, Sendable {
    /// The checks, by the names that output uses, in the order in which they are made.
    public enum Check: String, CaseIterable, Sendable {
        /// Every page and index is as SQLite wrote it.
        case integrity
        /// The tables and indexes are those of this version.
        case schema
        /// Every key that a row names is there.
        case references
        /// What each run counted is what the ledger has.
        case ledger
        /// The records, results and days of each report are those of its digest and window.
        case contents
        /// What each report says of itself is what its records add up to.
        case reports
        /// The figures by day are the sums of the records.
        case daily
        /// The sources of each day are those of the records.
        case dailySources = "daily-sources"
        /// The figures by source are the sums of the records.
        case sources
        /// The verdicts know all reports.
        case verdicts
        /// The flows are the sums of the records.
        case flows
        /// The figures by verdict are the sums of the records.
        case dailyVerdicts = "daily-verdicts"
        /// The packed records are the records.
        case packedRecords = "packed-records"
        /// What is derived of all reports is what is derived of them anew.
        case knowledge
        /// The size of the write-ahead log.
        case log
    }

    /// What was checked.
    public var check: Check
    /// How much was looked at: rows of the table, reports for `verdicts`, the number of the schema for `schema`, bytes for `log`.
    public var examined: Int
    /// How many of them are wrong. For `verdicts`: reports that the verdicts do not know, which the next ingest puts right.
    public var wrong: Int
    /// SQLite's words, or the name of what is missing, for the first that is wrong.
    public var example: String?

    /// Whether all is well. Verdicts that lag behind are no damage.
    public var isFine: Bool { wrong == 0 || check == .verdicts || check == .log }
}

/// Checks that the database is sound: the file, and that each figure kept beside the records is what the records say.
///
/// Everything is computed anew in SQL, and not by the code that keeps the figures. Reads the whole file; changes nothing.
public struct DatabaseCheck: Sendable {
    private let suffixFile: String?

    /// - Parameter suffixFile: as for `VerdictRefresh`.
    public init(suffixFile: String? = nil) { self.suffixFile = suffixFile }

    /// Makes all checks. A file whose pages are damaged gets no check beyond `integrity`, and one with other tables none beyond `schema`: the
    /// answers would be noise.
    public func run(_ store: ReportStore) throws(StoreError) -> [DatabaseFinding] {
        do throws(StoreError) {
            return try findings(store)
        } catch {
            // Some damage shows only to the statement that comes upon it.
            guard error.code == .databaseDamaged else { throw error }
            return [DatabaseFinding(check: .integrity, examined: 0, wrong: 1, example: error.found)]
        }
    }

    private func findings(_ store: ReportStore) throws(StoreError) -> [DatabaseFinding] {
        let integrity = try reading(store, "doctor") { Self.integrity($0.db) }
        guard integrity.isFine else { return [integrity] }
        let schema = try reading(store, "doctor") { try Self.schema($0.db) }
        guard schema.isFine else { return [integrity, schema] }
        let verdictsLag = try VerdictRefresh(suffixFile: suffixFile).isNeeded(store)
        var findings = try reading(store, "doctor") { facts in
            let db = facts.db
            var findings = [integrity, schema, try Self.references(db)]
            findings.append(try Self.compared(db, .ledger, Self.ledgerSQL))
            findings.append(Self.contents(try ContentCheck(db).run()))
            findings.append(try Self.compared(db, .reports, Self.reportsSQL))
            findings.append(try Self.compared(db, .daily, Self.dailySQL))
            findings.append(try Self.dailySources(db))
            findings.append(try Self.compared(db, .sources, Self.sourcesSQL))
            findings.append(try Self.verdicts(db, isLagging: verdictsLag))
            if !verdictsLag {
                findings.append(try Self.compared(db, .flows, Self.flowsSQL))
                findings.append(try Self.compared(db, .dailyVerdicts, Self.dailyVerdictsSQL))
                findings.append(try Self.packedRecords(db))
            }
            return findings
        }
        // Of damaged facts nothing is to be derived.
        if !verdictsLag, findings.allSatisfy({ $0.isFine }) {
            findings.append(
                try DerivedCheck.find(store, suffixFile: suffixFile)
                    ?? DatabaseFinding(check: .knowledge, examined: 0, wrong: 0, example: "no room for a copy"))
        }
        findings.append(DatabaseFinding(check: .log, examined: store.logBytes, wrong: 0))
        return findings
    }

    private static func contents(_ damage: ContentDamage) -> DatabaseFinding {
        let example =
            damage.reports.min().map { "report \($0)" } ?? damage.sets.min().map { "set of results \($0)" }
            ?? (damage.strayRows > 0 ? "\(damage.strayRows) records on days of no report of theirs" : nil)
        return DatabaseFinding(
            check: .contents, examined: damage.examinedReports, wrong: damage.reports.count + damage.sets.count + damage.strayRows,
            example: example)
    }

    /// What `integrity_check` finds that cannot be made anew from other rows: damaged pages. Rows that break a rule of their table, and indexes that
    /// are not those of their rows, can.
    public static func damagedPage(_ store: ReportStore) throws(StoreError) -> String? {
        let mendable = ["CHECK constraint failed in ", "NULL value in ", "wrong # of entries in index ", "non-unique entry in index "]
        return try reading(store, "doctor") { facts in
            let found = try String.fetchAll(facts.db, sql: "PRAGMA integrity_check(1000)")
            return found.flatMap { $0.split(separator: "\n").map(String.init) }.first { line in
                line != "ok" && !mendable.contains { line.hasPrefix($0) }
                    && !(line.hasPrefix("row ") && line.contains(" missing from index "))
            }
        }
    }

    // MARK: - The file

    private static func integrity(_ db: Database) -> DatabaseFinding {
        do {
            let found = try String.fetchAll(db, sql: "PRAGMA integrity_check(100)")
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            if found == ["ok"] { return DatabaseFinding(check: .integrity, examined: pages, wrong: 0) }
            let lines = found.flatMap { $0.split(separator: "\n") }.filter { !$0.hasPrefix("***") }
            return DatabaseFinding(check: .integrity, examined: pages, wrong: max(1, lines.count), example: lines.first.map(String.init))
        } catch {
            let words = (error as? DatabaseError)?.message ?? "\(type(of: error))"
            return DatabaseFinding(check: .integrity, examined: 0, wrong: 1, example: words)
        }
    }

    /// Question: records that name something that is not there: they have no foreign keys, whose checks cost more than the insert.
    /// Unit: one row. Index: rowids.
    static let strayRecordsSQL = """
        SELECT count(*), coalesce(sum(
            NOT EXISTS (SELECT 1 FROM domains WHERE id = r.domain_id)
            OR NOT EXISTS (SELECT 1 FROM reports WHERE id = r.report_id)
            OR NOT EXISTS (SELECT 1 FROM names WHERE id = r.header_from_id)
            OR (r.envelope_from_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM names WHERE id = r.envelope_from_id))
            OR (r.envelope_to_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM names WHERE id = r.envelope_to_id))
            OR NOT EXISTS (SELECT 1 FROM authentication_sets WHERE id = r.authentication_id)
            OR (r.override_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM override_sets WHERE id = r.override_id))), 0)
        FROM records r
        """

    private static func references(_ db: Database) throws -> DatabaseFinding {
        let broken = try Row.fetchOne(db, sql: "SELECT count(*), min(\"table\") FROM pragma_foreign_key_check")
        let records = try Row.fetchOne(db, sql: strayRecordsSQL)
        let stray: Int = records?[1] ?? 0
        let table: String? = broken?[1]
        let rows: Int = broken?[0] ?? 0
        return DatabaseFinding(
            check: .references, examined: records?[0] ?? 0, wrong: rows + stray, example: table ?? (stray > 0 ? "records" : nil))
    }

    private static func schema(_ db: Database) throws -> DatabaseFinding {
        let sql = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"
        let found = Set(try String.fetchAll(db, sql: sql))
        let wanted = Set(try ReportStore(path: ":memory:", access: .readWrite).reader.read { try String.fetchAll($0, sql: sql) })
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        // One that is another than it should be is missing, and one too many.
        let missing = wanted.subtracting(found).sorted()
        let foreign = found.subtracting(wanted).sorted()
        let example = missing.first.map { "no " + $0.prefix { $0 != ":" } } ?? foreign.first.map { "a foreign " + $0.prefix { $0 != ":" } }
        return DatabaseFinding(check: .schema, examined: version, wrong: max(missing.count, foreign.count), example: example)
    }

    // MARK: - Figures

    /// A statement that returns one row: how many were looked at, and how many are wrong.
    private static func compared(_ db: Database, _ check: DatabaseFinding.Check, _ sql: String) throws -> DatabaseFinding {
        let row = try Row.fetchOne(db, sql: sql)
        return DatabaseFinding(check: check, examined: row?[0] ?? 0, wrong: row?[1] ?? 0)
    }

    /// Question: does the ledger add up. Unit: one row. Index: none; the ledger is read as a whole.
    ///
    /// A run that ended has as many messages of each outcome as it counted; deferred ones go over to the run that reads them,
    /// and so do refused ones that reprocess reads again; what was forgotten is counted. What was not stored has a reason, and a report comes from a message that counts as stored.
    static let ledgerSQL = """
        WITH found AS MATERIALIZED (
            SELECT run_id, sum(outcome = 1) AS stored, sum(outcome = 2) AS duplicate, sum(outcome = 3) AS not_a_report,
                sum(outcome = 4) AS refused, sum(outcome = 5) AS deferred
            FROM messages GROUP BY run_id)
        SELECT (SELECT count(*) FROM messages),
            (SELECT count(*) FROM runs r LEFT JOIN found f ON f.run_id = r.id
             WHERE r.finished_utc IS NOT NULL
                AND (r.seen <> r.stored + r.duplicate + r.not_a_report + r.refused + r.deferred OR r.deferred < coalesce(f.deferred, 0)
                    OR r.stored + r.duplicate + r.not_a_report + r.refused
                        <> coalesce(f.stored + f.duplicate + f.not_a_report + f.refused, 0) + r.taken_over + r.forgotten
                    OR r.stored < coalesce(f.stored, 0) OR r.duplicate < coalesce(f.duplicate, 0)
                    OR r.not_a_report < coalesce(f.not_a_report, 0) OR r.refused < coalesce(f.refused, 0) + r.taken_over
                    OR r.forgotten = 0 AND (r.stored <> coalesce(f.stored, 0) OR r.duplicate <> coalesce(f.duplicate, 0)
                        OR r.not_a_report <> coalesce(f.not_a_report, 0))))
            + (SELECT count(*) FROM messages m
               WHERE m.outcome IN (3, 4, 5) AND NOT EXISTS (SELECT 1 FROM refusals WHERE message_id = m.id))
            + (SELECT count(*) FROM reports p JOIN messages m ON m.id = p.message_id WHERE m.outcome <> 1)
        """

    /// Question: is what each report says of itself true. Unit: one row. Index: none; `records` is read as a whole.
    package static let reportsSQL = """
        WITH found AS MATERIALIZED (
            SELECT report_id, count(DISTINCT sequence) AS records, sum(messages) AS messages,
                sum(iif(dkim = 1 OR spf = 1, messages, 0)) AS passed,
                sum(counted_as = 2) AS uncounted, sum(counted_as < 2 AND counted_as <> (dkim = 0 AND spf = 0)) AS misplaced, count(*) AS n
            FROM records GROUP BY report_id)
        SELECT count(*), coalesce(sum(
            p.records <> coalesce(f.records, 0) OR p.messages <> coalesce(f.messages, 0) OR p.passed <> coalesce(f.passed, 0)
            OR coalesce(f.misplaced, 0) > 0 OR coalesce(f.uncounted, 0) <> iif(p.is_counted, 0, coalesce(f.n, 0))), 0)
        FROM reports p LEFT JOIN found f ON f.report_id = p.id
        """

    /// Question: are the figures by day the sums of the records. Unit: one row. Index: none; `records` is read as a whole, twice for long
    /// windows, whose records count on the first of their days.
    package static let dailySQL = """
        WITH spread AS MATERIALIZED (SELECT id FROM reports WHERE is_spread = 1),
        wrong AS (
            SELECT 1 FROM (
                SELECT domain_id, day, disposition, dkim, spf, messages, records FROM daily
                UNION ALL
                SELECT domain_id, day, disposition, dkim, spf, -messages, -records FROM kept_daily
                UNION ALL
                SELECT domain_id, day, disposition, dkim, spf, -messages, -(report_id NOT IN (SELECT id FROM spread))
                FROM records WHERE counted_as < 2
                UNION ALL
                SELECT domain_id, min(day), disposition, dkim, spf, 0, -1
                FROM records WHERE counted_as < 2 AND report_id IN (SELECT id FROM spread) GROUP BY report_id, sequence)
            GROUP BY domain_id, day, disposition, dkim, spf
            HAVING sum(messages) <> 0 OR sum(records) <> 0)
        SELECT (SELECT count(*) FROM daily), (SELECT count(*) FROM wrong)
        """

    /// Question: are the figures by source the sums of the records. Unit: one row. Index: none; `records` is read as a whole.
    package static let sourcesSQL = """
        WITH both AS (
            SELECT domain_id, source, first_day, last_day, messages, passed FROM sources
            UNION ALL
            SELECT domain_id, source, min(day), max(day), sum(messages), sum(passed) FROM (
                SELECT domain_id, source, day, messages, iif(counted_as = 0, messages, 0) AS passed FROM records WHERE counted_as < 2
                UNION ALL
                SELECT domain_id, source, day, messages, passed FROM kept_sources)
            GROUP BY domain_id, source),
        wrong AS (
            SELECT domain_id, source FROM both
            GROUP BY domain_id, source, first_day, last_day, messages, passed HAVING count(*) <> 2)
        SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM (SELECT DISTINCT domain_id, source FROM wrong))
        """

    /// Question: the sources of each day, from the records. Unit: one row a domain, day and source, in the order that `daily_sources` keeps.
    static let daysSourcesSQL = """
        SELECT domain_id, day, source FROM (
            SELECT domain_id, day, source FROM records WHERE counted_as < 2 AND messages > 0
            UNION
            SELECT domain_id, day, source FROM kept_sources WHERE messages > 0)
        ORDER BY domain_id, day, length(source), source
        """

    /// Both sides in one order, side by side.
    private static func dailySources(_ db: Database) throws -> DatabaseFinding {
        struct Key: Hashable {
            let domain: Int
            let day: Int
        }
        var finding = DatabaseFinding(check: .dailySources, examined: 0, wrong: 0)
        let kept = try SQLRows(db, "SELECT domain_id, day, ipv4, ipv6 FROM daily_sources ORDER BY domain_id, day")
        var keptRow: (key: Key, addresses: [IPAddress])?
        func nextKept() throws {
            keptRow = nil
            guard try kept.next() else { return }
            finding.examined += 1
            var addresses: [IPAddress] = []
            try kept.forEachAddress(2, width: 4) { addresses.append($0) }
            try kept.forEachAddress(3, width: 16) { addresses.append($0) }
            keptRow = (Key(domain: kept.int(0), day: kept.int(1)), addresses)
        }
        func compare(_ key: Key, _ addresses: [IPAddress]) throws {
            while let row = keptRow, (row.key.domain, row.key.day) < (key.domain, key.day) {
                if !row.addresses.isEmpty { finding.wrong += 1 }
                try nextKept()
            }
            guard let row = keptRow, row.key == key else {
                finding.wrong += 1
                return
            }
            if row.addresses != addresses { finding.wrong += 1 }
            try nextKept()
        }
        try nextKept()
        let rows = try SQLRows(db, daysSourcesSQL)
        var day: Key?
        var addresses: [IPAddress] = []
        while try rows.next() {
            let key = Key(domain: rows.int(0), day: rows.int(1))
            if let day, day != key {
                try compare(day, addresses)
                addresses.removeAll(keepingCapacity: true)
            }
            day = key
            addresses.append(try rows.address(2))
        }
        if let day { try compare(day, addresses) }
        while let row = keptRow {
            if !row.addresses.isEmpty { finding.wrong += 1 }
            try nextKept()
        }
        return finding
    }

    // MARK: - Verdicts

    private static func verdicts(_ db: Database, isLagging: Bool) throws -> DatabaseFinding {
        let sql = """
            SELECT (SELECT count(*) FROM reports), (SELECT count(*) FROM reports WHERE id > s.report_id), s.is_stale
            FROM verdict_state s
            """
        let row = try Row.fetchOne(db, sql: sql)
        let reports: Int = row?[0] ?? 0
        let new: Int = row?[1] ?? reports
        // Other rules, or a report that does not count any more: all of them are to be made anew.
        return DatabaseFinding(check: .verdicts, examined: reports, wrong: !isLagging ? 0 : new > 0 && row?[2] == 0 ? new : max(1, reports))
    }

    /// Question: are the flows the sums of the records (of witnesses, if there are any). Unit: one row. Index: none; `records` is read as a whole.
    package static let flowsSQL = """
        WITH both AS (
            SELECT source, domain_id, authentication_id, aligned, messages, records, first_day, last_day FROM flows
            UNION ALL
            SELECT source, domain_id, authentication_id, dkim * 2 + spf,
                iif(max(is_heard), sum(iif(is_heard, messages, 0)), sum(messages)), iif(max(is_heard), sum(is_heard), count(*)),
                iif(max(is_heard), min(iif(is_heard, day, NULL)), min(day)), iif(max(is_heard), max(iif(is_heard, day, NULL)), max(day))
            FROM (
                SELECT *, report_id NOT IN (SELECT report_id FROM unheard_reports) AS is_heard FROM records WHERE counted_as < 2)
            GROUP BY source, domain_id, authentication_id, dkim * 2 + spf),
        wrong AS (
            SELECT source, domain_id, authentication_id, aligned FROM both
            GROUP BY source, domain_id, authentication_id, aligned, messages, records, first_day, last_day
            HAVING count(*) <> 2)
        SELECT (SELECT count(*) FROM flows), (SELECT count(*) FROM (SELECT DISTINCT source, domain_id, authentication_id, aligned FROM wrong))
        """

    /// Question: are the figures by verdict the sums of the records. Unit: one row. Index: none; `records` is read as a whole.
    package static let dailyVerdictsSQL = """
        WITH wrong AS (
            SELECT 1 FROM (
                SELECT domain_id, verdict, day, messages, passed FROM daily_verdicts
                UNION ALL
                SELECT r.domain_id, coalesce(f.verdict, 2), r.day, -r.messages, -iif(r.counted_as = 0, r.messages, 0)
                FROM records r LEFT JOIN flows f ON f.source = r.source AND f.domain_id = r.domain_id
                    AND f.authentication_id = r.authentication_id AND f.aligned = r.dkim * 2 + r.spf
                WHERE r.counted_as < 2
                UNION ALL
                SELECT domain_id, verdict, day, -messages, -iif(dkim = 1 OR spf = 1, messages, 0) FROM kept_daily)
            GROUP BY domain_id, verdict, day
            HAVING sum(messages) <> 0 OR sum(passed) <> 0)
        SELECT (SELECT count(*) FROM daily_verdicts), (SELECT count(*) FROM wrong)
        """

    /// Question: the days of the packed records, or those of the records. Unit: one row a domain, day and outcome. Index: none.
    static let packedDaysSQL = """
        SELECT domain_id, day, counted_as FROM packed_records
        UNION
        SELECT domain_id, day, counted_as FROM records WHERE counted_as < 2
        """

    /// Whether there are the same records on either side, whatever their order: as many, with the same sum of their hashes.
    private static func packedRecords(_ db: Database) throws -> DatabaseFinding {
        struct Contents: Equatable {
            var records = 0
            var sum = 0

            mutating func add(_ bytes: some Sequence<UInt8>) {
                var hasher = Hasher()
                for byte in bytes { hasher.combine(byte) }
                records += 1
                sum &+= hasher.finalize()
            }
        }
        var finding = DatabaseFinding(check: .packedRecords, examined: 0, wrong: 0)
        let days = try SQLRows(db, packedDaysSQL)
        let pieces = try SQLRows(db, RecordScan.piecesSQL)
        var rows = try PackedRows(Facts(db))
        var bytes: [UInt8] = []
        while try days.next() {
            let (domain, day, countedAs) = (days.int(0), days.int(1), days.int(2))
            var (packed, facts) = (Contents(), Contents())
            var isWhole = true
            try pieces.restart(domain, day, day, countedAs, countedAs)
            while try pieces.next() {
                for (column, width) in [(Int32(1), PackedRecord.ipv4Bytes), (2, PackedRecord.ipv6Bytes)] {
                    pieces.withBytes(column) { bytes in
                        isWhole = isWhole && bytes.count % width == 0
                        for start in stride(from: 0, to: bytes.count, by: width) {
                            packed.add(bytes[start..<min(start + width, bytes.count)])
                        }
                    }
                }
            }
            try rows.restart(domain: domain, countedAs: countedAs, days: day...day)
            while let fields = try rows.next() {
                bytes.removeAll(keepingCapacity: true)
                PackedRecord.append(fields, to: &bytes)
                facts.add(bytes)
            }
            finding.examined += packed.records
            if packed != facts || !isWhole { finding.wrong += 1 }
        }
        return finding
    }
}
