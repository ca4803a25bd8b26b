import GRDB
import Inference
import Organisations
import Store

/// Brings the verdicts up to date with the reports: after an ingest, for what it touched.
///
/// Everything here is derived: flows are sums over records, knowledge is sums over flows, verdicts are functions of both. So a refresh of
/// what is new gives what making all of it anew would give, and the order in which reports came does not matter.
public struct VerdictRefresh: Sendable {
    /// What a refresh did.
    public struct Outcome: Hashable, Sendable {
        /// Reports that verdicts did not know yet.
        public var reports = 0
        /// Flows that were judged.
        public var flows = 0
        /// Of them, those known before whose verdict changed.
        public var changed = 0
        /// Whether all was made anew.
        public var isRebuild = false
    }

    /// Raised when the same reports would get other verdicts than before.
    static let rulesVersion = 6
    /// New records that are kept in memory at a time, 44 bytes each: a bound on memory.
    package static let recordsInMemory = 220_000

    private let suffixFile: String?
    private let recordsInMemory: Int

    /// - Parameter suffixFile: a Public Suffix List newer than the distribution's.
    public init(suffixFile: String? = nil) { self.init(suffixFile: suffixFile, recordsInMemory: Self.recordsInMemory) }

    /// - Parameter recordsInMemory: another bound on memory. The verdicts are the same.
    package init(suffixFile: String? = nil, recordsInMemory: Int) {
        self.suffixFile = suffixFile
        self.recordsInMemory = recordsInMemory
    }

    /// Question: how far the verdicts have come. Unit: one row. Index: rowid.
    static let stateSQL = "SELECT report_id, rules, is_stale FROM verdict_state WHERE id = 1"

    /// Whether there are reports that the verdicts do not know, or rules that they were not made by.
    public func isNeeded(_ store: ReportStore) throws(StoreError) -> Bool {
        let rules = try rules()
        return try reading(store, "verdicts") { facts in
            let db = facts.db
            let (known, isStale) = try Self.state(db, rules.text)
            let last = try Int.fetchOne(db, sql: "SELECT max(id) FROM reports") ?? 0
            return try isStale || known < last || Int.fetchOne(db, sql: "SELECT 1 FROM recounted_reports") != nil
        }
    }

    /// Brings the verdicts up to date, in one transaction. With `rebuild` all are made anew.
    public func run(_ store: ReportStore, rebuild: Bool = false) throws(StoreError) -> Outcome {
        let rules = try rules()
        do {
            return try store.update { db in try refresh(db, rules, rebuild: rebuild) }
        } catch {
            throw StoreError(error, question: "verdicts", store)
        }
    }

    /// Makes all verdicts anew, in the transaction of whoever changed the reports.
    package func rebuild(in db: Database) throws { _ = try refresh(db, try rules(), rebuild: true) }

    private func refresh(_ db: Database, _ rules: Rules, rebuild: Bool) throws -> Outcome {
        let usual = try Int.fetchOne(db, sql: "PRAGMA cache_size") ?? -32768
        // KiB of pages: half of what an ingest needs does as well, beside the records and what is learned from them.
        try db.execute(sql: "PRAGMA cache_size = -16384")
        // An error that cannot be undone here leaves a smaller cache, and nothing worse.
        defer { try? db.execute(sql: "PRAGMA cache_size = \(usual)") }
        var (known, isRebuild) = try Self.state(db, rules.text)
        if rebuild { isRebuild = true }
        func pass() throws -> Outcome? {
            if isRebuild {
                known = 0
                try forget(db)
            }
            return try RefreshPass(
                db, known: known, suffixes: rules.suffixes, services: rules.services, recordsInMemory: recordsInMemory
            ).run()
        }
        var made = try pass()
        if made == nil, !isRebuild {
            isRebuild = true
            made = try pass()
        }
        guard var outcome = made else {
            throw StoreError(code: .defect, place: "verdicts", found: "voices that nobody knew were heard", question: "verdicts")
        }
        outcome.isRebuild = isRebuild
        try db.execute(sql: "DELETE FROM recounted_reports")
        try db.execute(
            sql: "UPDATE verdict_state SET report_id = ?, rules = ?, suffixes = ?, is_stale = 0 WHERE id = 1",
            arguments: [try Int.fetchOne(db, sql: "SELECT max(id) FROM reports") ?? 0, rules.text, suffixFile ?? ""])
        return outcome
    }

    /// Empties all that is derived.
    private func forget(_ db: Database) throws {
        for table in [
            "flows", "selector_places", "selectors", "organisation_names", "keyed_results", "organisations", "domain_habits",
            "daily_verdicts", "packed_records", "voices", "voice_organisations", "unheard_reports", "recounted_reports",
        ] {
            try db.execute(sql: "DELETE FROM \(table)")
        }
        // Of deleted records the figures by verdict may have been kept.
        try db.execute(
            sql: """
                INSERT INTO daily_verdicts (domain_id, verdict, day, messages, passed)
                SELECT domain_id, verdict, day, sum(messages), sum(iif(dkim = 1 OR spf = 1, messages, 0)) FROM kept_daily
                GROUP BY domain_id, verdict, day HAVING sum(messages) > 0
                """)
    }

    /// Up to which report the verdicts have come, and whether they are to be made anew.
    private static func state(_ db: Database, _ rules: String) throws -> (known: Int, isStale: Bool) {
        let state = try SQLRows(db, stateSQL)
        guard try state.next() else { return (0, true) }
        let last = try Int.fetchOne(db, sql: "SELECT max(id) FROM reports") ?? 0
        // Keys of reports that were deleted are given again: what is known no longer is what is there.
        return (state.int(0), state.int(2) != 0 || state.text(1) != rules || state.int(0) > last)
    }

    private struct Rules {
        let suffixes: PublicSuffixes
        let services: Services
        let text: String
    }

    private func rules() throws(StoreError) -> Rules {
        guard let suffixes = PublicSuffixes(file: suffixFile) else {
            throw StoreError(
                code: .ioError, place: suffixFile ?? "libpsl", found: "no list of public suffixes that can be read", question: "verdicts")
        }
        let services = Services.known
        return Rules(suffixes: suffixes, services: services, text: "\(Self.rulesVersion)/\(services.version)/\(suffixes.version)")
    }
}
