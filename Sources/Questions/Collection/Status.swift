import DMARC
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

    /// Domains of others that are named.
    public static let maxForeignDomains = 20
    /// Deferred messages that are named.
    public static let maxDeferredPlaces = 20
    /// Asks `store`. `today`: the UTC day on which the question is asked.
    public static func ask(_ store: ReportStore, today: Day) throws(StoreError) -> Status {
        try reading(store, "status") { facts in
            let messages = try facts.messagesByOutcome()
            let totals = try facts.totals()
            let days = try facts.extent()
            let file = try facts.file()
            return Status(
                messages: messages, refusals: totals.refusals,
                lastRun: try facts.lastRun().map {
                    RunRow(started: $0.started, finished: $0.finished, seen: $0.seen, outcomes: $0.outcomes)
                }, reports: totals.reports, uncountedReports: totals.uncountedReports, foreignReports: totals.foreignReports,
                foreignDomainCount: totals.foreignDomains,
                foreignDomains: totals.foreignReports > 0 ? try facts.foreignDomains(limit: maxForeignDomains) : [],
                reportedMessages: totals.messages, reporters: totals.reporters, domains: totals.domains - totals.foreignDomains, days: days,
                silentDays: days.map { max(0, $0.until.distance(to: today) - 1) },
                deferredPlaces: messages[.deferred] ?? 0 > 0 ? try facts.deferredPlaces(limit: maxDeferredPlaces) : [],
                databaseBytes: file.bytes, schemaVersion: file.schema)
        }
    }
}
