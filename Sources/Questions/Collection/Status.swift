import DMARC
import GRDB
import Store

/// A run of `ingest`.
public struct RunRow: Hashable, Sendable {
    /// When it began, in seconds since 1970-01-01 UTC.
    public var started: Int
    /// When it ended; nil: it is running, or was killed.
    public var finished: Int?
    /// Messages read, by outcome.
    public var seen: Int
    /// Messages of each outcome, in the order of `MessageOutcome`.
    public var outcomes: [Int]
}

/// The answer to "is the collection healthy".
public struct Status: Sendable {
    /// Messages in the ledger by outcome.
    public var messages: [MessageOutcome: Int]
    /// Refusals in the ledger: messages, documents and groups of records.
    public var refusals: Int
    /// The latest run of `ingest`; nil: none yet.
    public var lastRun: RunRow?
    /// Counted reports.
    public var reports: Int
    /// Reports that lost a conflict and are in no figure.
    public var uncountedReports: Int
    /// Reports about domains of others, which are in no figure.
    public var foreignReports: Int
    /// How many domains those are.
    public var foreignDomainCount: Int
    /// Those of them with the most reports, at most `maxForeignDomains`.
    public var foreignDomains: [String]
    /// Messages that the counted reports speak of.
    public var reportedMessages: Int
    /// Reporters with a report.
    public var reporters: Int
    /// Policy domains, without those of others.
    public var domains: Int
    /// First and last day with counted records.
    public var days: Period?
    /// Full days between the last day that holds data and today; nil: no data. Reports arrive a day or two late.
    public var silentDays: Int?
    /// Messages that could not be read yet: where each is, with the code of the reason; the latest, at most `maxDeferredPlaces`.
    public var deferredPlaces: [String]
    /// Size of the database, in bytes, without its write-ahead log.
    public var databaseBytes: Int
    /// Number of the schema.
    public var schemaVersion: Int

    /// Question: messages by outcome. Unit: one row an outcome. Index: none, the ledger is read as a whole.
    static let outcomesSQL = "SELECT outcome, count(*) FROM messages GROUP BY outcome"
    /// Question: the latest run. Unit: at most one row. Index: rowid of `runs`.
    static let lastRunSQL = """
        SELECT started_utc, finished_utc, seen, stored, duplicate, not_a_report, refused, deferred FROM runs ORDER BY id DESC LIMIT 1
        """
    /// Question: how much there is. Unit: one row. Index: none; `reports` is read as a whole.
    static let totalsSQL = """
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
    static let foreignSQL = """
        SELECT d.name FROM reports r JOIN domains d ON d.id = r.domain_id WHERE r.deviations & ?1 <> 0
        GROUP BY d.id ORDER BY count(*) DESC, d.name LIMIT ?2
        """
    /// Domains of others that are named.
    public static let maxForeignDomains = 20
    /// Question: what could not be read yet. Unit: one row a message. Index: none for the ledger, which is read as a whole; `refusals_message`.
    package static let deferredSQL = """
        SELECT r.place || ': ' || r.code || ': ' || r.detail FROM messages m JOIN refusals r ON r.message_id = m.id
        WHERE m.outcome = \(MessageOutcome.deferred.rawValue) ORDER BY m.id DESC LIMIT ?1
        """
    /// Deferred messages that are named.
    public static let maxDeferredPlaces = 20
    /// Question: first and last day with data. Unit: one row. Index: primary key of `daily`, two seeks a domain.
    package static let daysSQL = """
        SELECT
            min((SELECT min(day) FROM daily WHERE domain_id = d.id)),
            max((SELECT max(day) FROM daily WHERE domain_id = d.id))
        FROM domains d
        """
    /// Question: size and schema of the file. Unit: one row. Index: none.
    static let fileSQL = """
        SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size),
            (SELECT user_version FROM pragma_user_version)
        """

    /// Asks `store`. `today`: the UTC day on which the question is asked.
    public static func ask(_ store: ReportStore, today: Day) throws(StoreError) -> Status {
        try reading(store, "status") { db in
            var messages: [MessageOutcome: Int] = [:]
            let outcomes = try SQLRows(db, outcomesSQL)
            while try outcomes.next() {
                if let outcome = MessageOutcome(rawValue: outcomes.int(0)) { messages[outcome] = outcomes.int(1) }
            }
            let run = try SQLRows(db, lastRunSQL)
            let lastRun = try run.next() ? RunRow(run) : nil
            let mark = Int(bitPattern: UInt(Deviations(.foreignDomain).rawValue))
            let totals = try SQLRows(db, totalsSQL, [.integer(mark)])
            let hasTotals = try totals.next()
            var foreign: [String] = []
            if hasTotals, totals.int(6) > 0 {
                let names = try SQLRows(db, foreignSQL, [.integer(mark), .integer(maxForeignDomains)])
                while try names.next() { foreign.append(names.text(0)) }
            }
            var deferred: [String] = []
            if messages[.deferred] ?? 0 > 0 {
                let places = try SQLRows(db, deferredSQL, [.integer(maxDeferredPlaces)])
                while try places.next() { deferred.append(places.text(0)) }
            }
            let extent = try SQLRows(db, daysSQL)
            var days: Period?
            if try extent.next(), let first = extent.optionalInt(0), let last = extent.optionalInt(1) {
                days = Period(since: Day(first), until: Day(last))
            }
            let file = try SQLRows(db, fileSQL)
            let hasFile = try file.next()
            return Status(
                messages: messages, refusals: hasTotals ? totals.int(5) : 0, lastRun: lastRun, reports: hasTotals ? totals.int(0) : 0,
                uncountedReports: hasTotals ? totals.int(1) : 0, foreignReports: hasTotals ? totals.int(6) : 0,
                foreignDomainCount: hasTotals ? totals.int(7) : 0, foreignDomains: foreign,
                reportedMessages: hasTotals ? totals.int(2) : 0,
                reporters: hasTotals ? totals.int(3) : 0, domains: hasTotals ? totals.int(4) - totals.int(7) : 0, days: days,
                silentDays: days.map { max(0, $0.until.distance(to: today) - 1) }, deferredPlaces: deferred,
                databaseBytes: hasFile ? file.int(0) : 0,
                schemaVersion: hasFile ? file.int(1) : 0)
        }
    }
}

extension RunRow {
    fileprivate init(_ row: SQLRows) {
        self.init(started: row.int(0), finished: row.optionalInt(1), seen: row.int(2), outcomes: (3...7).map { row.int($0) })
    }
}
