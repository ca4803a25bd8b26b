import DMARC
import GRDB

/// Statements about the ledger and the whole of the database.
package enum LedgerSQL {
    /// Question: messages by outcome. Unit: one row an outcome. Index: none, the ledger is read as a whole.
    static let outcomes = "SELECT outcome, count(*) FROM messages GROUP BY outcome"
    /// Question: the latest run. Unit: at most one row. Index: rowid of `runs`.
    static let lastRun = """
        SELECT started_utc, finished_utc, seen, stored, duplicate, not_a_report, refused, deferred FROM runs ORDER BY id DESC LIMIT 1
        """
    /// Question: how much there is. Unit: one row. Index: none; `reports` is read as a whole.
    static let totals = """
        SELECT
            coalesce(sum(is_counted = 1), 0),
            coalesce(sum(is_counted = 0 AND deviations & ?1 = 0), 0),
            coalesce(sum(CASE is_counted WHEN 1 THEN messages END), 0),
            count(DISTINCT reporter_id),
            (SELECT count(*) FROM domains),
            (SELECT count(*) FROM refusals),
            coalesce(sum(deviations & ?1 <> 0), 0),
            count(DISTINCT CASE WHEN deviations & ?1 <> 0 THEN domain_id END)
        FROM reports
        """
    /// Question: the domains of others. Unit: one row a domain, those with the most reports first. Index: none; `reports` is read as a whole.
    static let foreign = """
        SELECT d.name FROM reports r JOIN domains d ON d.id = r.domain_id WHERE r.deviations & ?1 <> 0
        GROUP BY d.id ORDER BY count(*) DESC, d.name LIMIT ?2
        """
    /// Question: what could not be read yet. Unit: one row a message. Index: none for the ledger, which is read as a whole; `refusals_message`.
    package static let deferred = """
        SELECT r.place || ': ' || r.code || ': ' || r.detail FROM messages m JOIN refusals r ON r.message_id = m.id
        WHERE m.outcome = \(MessageOutcome.deferred.rawValue) ORDER BY m.id DESC LIMIT ?1
        """
    /// Question: first and last day with data. Unit: one row. Index: primary key of `daily`, two seeks a domain.
    package static let days = """
        SELECT
            min((SELECT min(day) FROM daily WHERE domain_id = d.id)),
            max((SELECT max(day) FROM daily WHERE domain_id = d.id))
        FROM domains d
        """
    /// Question: size and schema of the file. Unit: one row. Index: none.
    static let file = """
        SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size),
            (SELECT user_version FROM pragma_user_version)
        """
    /// Question: what was not stored. Unit: one row a refusal. Index: rowid of `messages`; `refusals` is short and read as a whole.
    static let refusals = """
        SELECT m.seen_utc, m.outcome, f.scope, f.code, f.place, f.member, f.detail, f.records
        FROM refusals f JOIN messages m ON m.id = f.message_id
        ORDER BY m.seen_utc, f.id
        """
    /// Question: was anything ever read. Unit: one row. Index: any of `messages`.
    static let any = "SELECT EXISTS (SELECT 1 FROM messages)"
}

/// How much is stored.
package struct StoredTotals: Sendable {
    package var reports = 0
    package var uncountedReports = 0
    /// Of the counted reports.
    package var messages = 0
    package var reporters = 0
    /// Also those of others.
    package var domains = 0
    package var refusals = 0
    package var foreignReports = 0
    package var foreignDomains = 0
}

/// A run of `ingest`, as the ledger has it.
package struct StoredRun: Sendable {
    /// Seconds since 1970-01-01 UTC.
    package var started: Int
    package var finished: Int?
    package var seen: Int
    /// In the order of `MessageOutcome`.
    package var outcomes: [Int]
}

/// Something that was not stored, as the ledger has it.
package struct StoredRefusal: Sendable {
    /// When the message was read, in seconds since 1970-01-01 UTC.
    package var time: Int
    package var outcome: MessageOutcome
    package var scope: String
    package var code: String
    package var place: String
    package var member: String
    package var detail: String
    package var records: Int
}

extension Facts {
    private static var foreignMark: SQLValue { .integer(Int(bitPattern: UInt(Deviations(.foreignDomain).rawValue))) }

    /// Messages in the ledger by outcome.
    package func messagesByOutcome() throws -> [MessageOutcome: Int] {
        var messages: [MessageOutcome: Int] = [:]
        let rows = try SQLRows(self, LedgerSQL.outcomes)
        while try rows.next() {
            if let outcome = MessageOutcome(rawValue: rows.int(0)) { messages[outcome] = rows.int(1) }
        }
        return messages
    }

    /// The latest run of `ingest`.
    package func lastRun() throws -> StoredRun? {
        let row = try SQLRows(self, LedgerSQL.lastRun)
        guard try row.next() else { return nil }
        return StoredRun(started: row.int(0), finished: row.optionalInt(1), seen: row.int(2), outcomes: (3...7).map { row.int($0) })
    }

    /// How much is stored.
    package func totals() throws -> StoredTotals {
        let row = try SQLRows(self, LedgerSQL.totals, [Self.foreignMark])
        guard try row.next() else { return StoredTotals() }
        return StoredTotals(
            reports: row.int(0), uncountedReports: row.int(1), messages: row.int(2), reporters: row.int(3), domains: row.int(4),
            refusals: row.int(5), foreignReports: row.int(6), foreignDomains: row.int(7))
    }

    /// The domains of others with the most reports, at most `limit`.
    package func foreignDomains(limit: Int) throws -> [String] {
        var names: [String] = []
        let rows = try SQLRows(self, LedgerSQL.foreign, [Self.foreignMark, .integer(limit)])
        while try rows.next() { names.append(rows.text(0)) }
        return names
    }

    /// Where the latest messages are that could not be read yet, with the code of the reason; at most `limit`.
    package func deferredPlaces(limit: Int) throws -> [String] {
        var places: [String] = []
        let rows = try SQLRows(self, LedgerSQL.deferred, [.integer(limit)])
        while try rows.next() { places.append(rows.text(0)) }
        return places
    }

    /// First and last day with data of any domain.
    package func extent() throws -> Period? {
        let rows = try SQLRows(self, LedgerSQL.days)
        guard try rows.next(), let first = rows.optionalInt(0), let last = rows.optionalInt(1) else { return nil }
        return Period(since: Day(first), until: Day(last))
    }

    /// Size of the database in bytes, without its write-ahead log, and the number of its schema.
    package func file() throws -> (bytes: Int, schema: Int) {
        let row = try SQLRows(self, LedgerSQL.file)
        return try row.next() ? (row.int(0), row.int(1)) : (0, 0)
    }

    /// Whether no message was ever read.
    package func isLedgerEmpty() throws -> Bool {
        let row = try SQLRows(self, LedgerSQL.any)
        return try !row.next() || row.int(0) == 0
    }

    /// Calls `body` with all that was not stored, the oldest first.
    package func forEachRefusal(_ body: (StoredRefusal) -> Void) throws {
        let rows = try SQLRows(self, LedgerSQL.refusals)
        while try rows.next() {
            body(
                StoredRefusal(
                    time: rows.int(0), outcome: MessageOutcome(rawValue: rows.int(1)) ?? .refused, scope: rows.text(2), code: rows.text(3),
                    place: rows.text(4), member: rows.text(5), detail: rows.text(6), records: rows.int(7)))
        }
    }
}
