import DMARC
import GRDB

/// What is to be deleted of reports.
public enum PurgeExtent: Hashable, Sendable {
    /// Everything but the ledger.
    case everything
    /// Everything but the ledger and the daily figures.
    case allButDaily
    /// The documents as they came; the reports stay.
    case rawOnly
}

/// What a purge deleted, or would delete.
public struct PurgeOutcome: Hashable, Sendable {
    /// Reports, those that lost a conflict included; with `rawOnly`: reports whose document goes.
    public var reports = 0
    /// Their records; 0 with `rawOnly`.
    public var records = 0
    /// The messages that those speak of; 0 with `rawOnly`.
    public var messages = 0
    /// Policy domains that they are about, in order of the alphabet.
    public var domains: [String] = []
    /// First and last day of them; nil without reports.
    public var days: ClosedRange<Day>?
    /// Documents as they came, whole mails that were kept among them, and their bytes.
    public var rawDocuments = 0
    /// Bytes of the documents.
    public var rawBytes = 0
    /// Names, sets of results and other values that nothing refers to any more.
    public var values = 0
    /// Figures by day, kept by an earlier purge, that go with the others.
    public var keptFigures = 0
}

/// Where a purge stands, for tests that end it there.
package enum PurgeStep: CaseIterable, Sendable {
    case deleted, rolledUp, swept, done
}

extension ReportStore {
    /// Deletes reports, in one transaction: with their records, odd words, documents and every value that nothing refers to any more. The ledger
    /// stays, so no mail is read again; the rollups are exact in the state that is committed. What the verdicts rest on is gone, so `finally`
    /// makes them anew, in the same transaction.
    ///
    /// With `isDryRun` all of it is done but `finally`, and undone: the figures are those of the deed itself.
    package func purge(
        _ selection: ReportSelection, _ extent: PurgeExtent, isDryRun: Bool, at step: (PurgeStep) throws -> Void = { _ in },
        finally: (Database) throws -> Void
    ) throws -> PurgeOutcome {
        try queue.writeWithoutTransaction { db in
            // Whatever refers to a deleted row is deleted here, too; SQLite would look for it row by row, in tables without an index for it.
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            defer { try? db.execute(sql: "PRAGMA foreign_keys = ON") }
            var outcome = PurgeOutcome()
            try db.inTransaction(.immediate) {
                let purge = try Purge(db, selection, extent)
                outcome = try purge.run(at: step)
                if isDryRun { return .rollback }
                if extent != .rawOnly { try finally(db) }
                try step(.done)
                return .commit
            }
            return outcome
        }
    }

    /// Gives the room of deleted rows back to the file system. Needs as much room again while it runs.
    public func vacuum() throws(StoreError) {
        try storing {
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "VACUUM")
                try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
        }
    }
}

/// One purge, inside its transaction.
private final class Purge {
    private struct Report {
        let id: Int64
        let domain: Int64
        let days: ClosedRange<Int>
        let isCounted: Bool
        let raw: Int64?
        let message: Int64?
    }

    private let db: Database
    private let selection: ReportSelection
    private let extent: PurgeExtent
    private var outcome = PurgeOutcome()
    private var reports: [Report] = []
    /// Those that the selection names, by key.
    private var domains: [Int64: String] = [:]

    init(_ db: Database, _ selection: ReportSelection, _ extent: PurgeExtent) throws {
        self.db = db
        self.selection = selection
        self.extent = extent
    }

    func run(at step: (PurgeStep) throws -> Void) throws -> PurgeOutcome {
        try select()
        var affected = Set(reports.map(\.domain))
        if extent == .rawOnly {
            for report in reports { try db.execute(sql: "UPDATE reports SET raw_id = NULL WHERE id = ?", arguments: [report.id]) }
        } else {
            if extent == .allButDaily { try keepDaily() } else { affected.formUnion(try deleteKept()) }
            try deleteReports()
        }
        try deleteRaw()
        try deleteKeptMessages()
        try step(.deleted)
        if extent != .rawOnly {
            let rebuild = try RollupRebuild(db)
            for domain in affected.sorted() { try rebuild.all(of: domain) }
            try step(.rolledUp)
            outcome.values = try UnusedValues(db).delete()
            try step(.swept)
            try db.execute(sql: "UPDATE verdict_state SET is_stale = 1")
        }
        return outcome
    }

    private func select() throws {
        for row in try Row.fetchAll(db, sql: "SELECT id, name FROM domains") where selection.includes(domain: row[1]) {
            domains[row[0]] = row[1]
        }
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT id, domain_id, day, is_spread, begin_utc, end_utc, is_counted, raw_id, records, messages, message_id
                FROM reports ORDER BY domain_id, day, id
                """)
        var names: Set<String> = []
        while let row = try rows.next() {
            guard let name = domains[row[1]] else { continue }
            let day = Day(row[2])
            let days = row[3] == 1 ? ReportWindow(begin: row[4], end: row[5]).days : day...day
            let raw: Int64? = row[7]
            guard selection.includes(lastDay: days.upperBound), extent != .rawOnly || raw != nil else { continue }
            reports.append(
                Report(
                    id: row[0], domain: row[1], days: days.lowerBound.number...days.upperBound.number, isCounted: row[6], raw: raw,
                    message: row[10]))
            names.insert(name)
            outcome.reports += 1
            if extent != .rawOnly {
                outcome.records += row[8]
                outcome.messages += row[9]
            }
            let all = outcome.days ?? days
            outcome.days = min(all.lowerBound, days.lowerBound)...max(all.upperBound, days.upperBound)
        }
        outcome.domains = names.sorted()
    }

    // MARK: - Deleting

    private func deleteReports() throws {
        let records = try HotStatement(db, "DELETE FROM records WHERE domain_id = ? AND counted_as = ? AND day = ? AND report_id = ?")
        let words = try HotStatement(db, "DELETE FROM odd_words WHERE report_id = ?")
        let own = try HotStatement(db, "DELETE FROM reports WHERE id = ?")
        for report in reports {
            for countedAs in report.isCounted ? 0...1 : 2...2 {
                for day in report.days {
                    records.bind(1, report.domain)
                    records.bind(2, countedAs)
                    records.bind(3, day)
                    records.bind(4, report.id)
                    try records.run()
                }
            }
            words.bind(1, report.id)
            try words.run()
            own.bind(1, report.id)
            try own.run()
        }
    }

    /// Documents that no report refers to any more; several reports may have come in one.
    private func deleteRaw() throws {
        var unused = Set(reports.compactMap(\.raw))
        guard !unused.isEmpty else { return }
        let used = try Int64.fetchCursor(db, sql: "SELECT raw_id FROM reports WHERE raw_id IS NOT NULL")
        while let id = try used.next() { unused.remove(id) }
        for id in unused.sorted() {
            outcome.rawBytes += try Int.fetchOne(db, sql: "SELECT length(bytes) FROM raw_documents WHERE id = ?", arguments: [id]) ?? 0
            try db.execute(sql: "DELETE FROM raw_documents WHERE id = ?", arguments: [id])
            outcome.rawDocuments += 1
        }
    }

    /// Mails that are kept whole: those that a deleted report came in, which would bring it back when they are read again; and where age alone
    /// decides, those that were read before the day, for they are about no domain.
    private func deleteKeptMessages() throws {
        var messages = Set(reports.compactMap(\.message))
        if let before = selection.before, selection.domains.isEmpty, selection.since == nil {
            let sql = "SELECT k.message_id FROM kept_messages k JOIN messages m ON m.id = k.message_id WHERE m.seen_utc < ?"
            messages.formUnion(try Int64.fetchAll(db, sql: sql, arguments: [before.number * 86_400]))
        }
        for id in messages.sorted() {
            let sql = "SELECT length(bytes) FROM kept_messages WHERE message_id = ?"
            guard let bytes = try Int.fetchOne(db, sql: sql, arguments: [id]) else { continue }
            try db.execute(sql: "DELETE FROM kept_messages WHERE message_id = ?", arguments: [id])
            outcome.rawBytes += bytes
            outcome.rawDocuments += 1
        }
    }

    // MARK: - Daily figures

    /// Figures that an earlier purge kept go with the reports of their days. Returns the domains that had any.
    private func deleteKept() throws -> Set<Int64> {
        // What begins somewhere ends nowhere: a selection by `since` deletes no figures from before it.
        let first = selection.since?.number ?? Int.min
        let end = selection.before?.number ?? Int.max
        var affected: Set<Int64> = []
        for domain in domains.keys.sorted() {
            for table in ["kept_daily", "kept_sources"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE domain_id = ? AND day >= ? AND day < ?", arguments: [domain, first, end])
                guard db.changesCount > 0 else { continue }
                affected.insert(domain)
                if table == "kept_daily" { outcome.keptFigures += db.changesCount }
            }
        }
        return affected
    }

    private struct DailyKey: Hashable {
        var domain: Int64
        var day: Int
        var disposition: Int
        var dkim: Int
        var spf: Int
        var verdict: Int
    }

    private struct SourceKey: Hashable {
        var domain: Int64
        var day: Int
        var source: IPAddress
    }

    /// Adds up the counted records of the reports before they go.
    private func keepDaily() throws {
        var daily: [DailyKey: (messages: Int, records: Int)] = [:]
        var sources: [SourceKey: (messages: Int, passed: Int)] = [:]
        let statement = try db.makeStatement(
            sql: """
                SELECT r.source, r.messages, r.disposition, r.dkim, r.spf, coalesce(f.verdict, 2), r.sequence
                FROM records r LEFT JOIN flows f ON f.source = r.source AND f.domain_id = r.domain_id
                    AND f.authentication_id = r.authentication_id AND f.aligned = r.dkim * 2 + r.spf
                WHERE r.domain_id = ? AND r.counted_as = ? AND r.day = ? AND r.report_id = ?
                """)
        for report in reports where report.isCounted {
            for countedAs in 0...1 {
                var seen: Set<Int> = []
                for day in report.days {
                    let rows = try Row.fetchCursor(statement, arguments: [report.domain, countedAs, day, report.id])
                    while let row = try rows.next() {
                        guard let source = try row.address(0) else { continue }
                        let messages: Int = row[1]
                        let key = DailyKey(
                            domain: report.domain, day: day, disposition: row[2], dkim: row[3], spf: row[4], verdict: row[5])
                        let isFirst = report.days.count == 1 || seen.insert(row[6]).inserted
                        let sum = daily[key] ?? (0, 0)
                        daily[key] = (sum.messages + messages, sum.records + (isFirst ? 1 : 0))
                        let sourceKey = SourceKey(domain: report.domain, day: day, source: source)
                        let sourceSum = sources[sourceKey] ?? (0, 0)
                        sources[sourceKey] = (sourceSum.messages + messages, sourceSum.passed + (countedAs == 0 ? messages : 0))
                    }
                }
            }
            if daily.count + sources.count > 50_000 { try write(&daily, &sources) }
        }
        try write(&daily, &sources)
    }

    private func write(
        _ daily: inout [DailyKey: (messages: Int, records: Int)], _ sources: inout [SourceKey: (messages: Int, passed: Int)]
    ) throws {
        for (key, sum) in daily {
            try db.execute(
                sql: """
                    INSERT INTO kept_daily (domain_id, day, disposition, dkim, spf, verdict, messages, records) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records
                    """,
                arguments: [key.domain, key.day, key.disposition, key.dkim, key.spf, key.verdict, sum.messages, sum.records])
        }
        let insert = try HotStatement(
            db,
            """
            INSERT INTO kept_sources (domain_id, day, source, messages, passed) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, passed = passed + excluded.passed
            """)
        for (key, sum) in sources {
            insert.bind(1, key.domain)
            insert.bind(2, key.day)
            insert.bind(3, key.source)
            insert.bind(4, sum.messages)
            insert.bind(5, sum.passed)
            try insert.run()
        }
        daily.removeAll(keepingCapacity: true)
        sources.removeAll(keepingCapacity: true)
    }
}

/// Values that nothing refers to any more. What is in use is marked with a bit each, for the tables may be long.
private struct UnusedValues {
    private struct Marks {
        private var bits: [UInt64]

        init(_ db: Database, _ table: String) throws {
            let highest = try Int.fetchOne(db, sql: "SELECT max(id) FROM \(table)") ?? 0
            bits = [UInt64](repeating: 0, count: highest / 64 + 1)
        }

        mutating func insert(_ id: Int?) {
            guard let id, id >= 0, id / 64 < bits.count else { return }
            bits[id / 64] |= 1 << UInt64(id % 64)
        }

        func contains(_ id: Int) -> Bool { bits[id / 64] >> UInt64(id % 64) & 1 == 1 }
    }

    private let db: Database

    init(_ db: Database) { self.db = db }

    /// Deletes them all. Returns how many there were. The tables that verdicts are made of are to be made anew afterwards: they name values, too.
    func delete() throws -> Int {
        var names = try Marks(db, "names")
        var sets = try Marks(db, "authentication_sets")
        var overrides = try Marks(db, "override_sets")
        let records = try Row.fetchCursor(
            db, sql: "SELECT header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id FROM records")
        while let row = try records.next() {
            for column in 0...2 { names.insert(row[column]) }
            sets.insert(row[3])
            overrides.insert(row[4])
        }
        var deleted = try delete(from: "authentication_sets", without: sets) { id in
            try db.execute(sql: "DELETE FROM authentication_results WHERE set_id = ?", arguments: [id])
        }
        let results = try Row.fetchCursor(db, sql: "SELECT domain_id, selector_id FROM authentication_results")
        while let row = try results.next() {
            names.insert(row[0])
            names.insert(row[1])
        }
        deleted += try delete(from: "override_sets", without: overrides)
        var policies = try Marks(db, "policies")
        var reporters = try Marks(db, "reporters")
        var domains = try Marks(db, "domains")
        let reports = try Row.fetchCursor(db, sql: "SELECT policy_id, reporter_id, domain_id, voice_id FROM reports")
        while let row = try reports.next() {
            policies.insert(row[0])
            reporters.insert(row[1])
            domains.insert(row[2])
            names.insert(row[3])
        }
        deleted += try delete(from: "names", without: names)
        for table in ["kept_daily", "kept_sources"] {
            let kept = try Int.fetchCursor(db, sql: "SELECT DISTINCT domain_id FROM \(table)")
            while let domain = try kept.next() { domains.insert(domain) }
        }
        deleted += try delete(from: "policies", without: policies)
        deleted += try delete(from: "reporters", without: reporters)
        deleted += try delete(from: "domains", without: domains)
        return deleted
    }

    private func delete(from table: String, without used: Marks, _ also: (Int) throws -> Void = { _ in }) throws -> Int {
        var unused: [Int] = []
        let ids = try Int.fetchCursor(db, sql: "SELECT id FROM \(table)")
        while let id = try ids.next() {
            if !used.contains(id) { unused.append(id) }
        }
        for id in unused {
            try also(id)
            try db.execute(sql: "DELETE FROM \(table) WHERE id = ?", arguments: [id])
        }
        return unused.count
    }
}
