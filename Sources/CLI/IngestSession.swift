import Ingest
import Mail
import Store

/// How a mailbox is opened; what it is given tells whether the ledger knows the message of a key.
typealias MailboxOpening = (_ isKnown: @escaping @Sendable (String) -> Bool) throws(MailError) -> any Mailbox

/// The database, locked for an ingest until this goes.
final class IngestSession {
    let store: ReportStore
    let containment: Containment?
    /// Bytes of the database when the run began.
    let bytesBefore: Int
    private let lock: StoreLock

    /// Opens and locks it. Throws `ClockError` if the clock stands before what the database knows to be past, unless it `trustsClock`.
    init(_ path: String, _ configuration: Configuration, _ context: Context, trustsClock: Bool) throws {
        store = try ReportStore(path: path, access: .readWrite)
        lock = try StoreLock(database: path, waitSeconds: 10)
        if !trustsClock { try Self.checkClock(store, configuration, context) }
        if let mode = store.looseMode {
            context.say(
                "dmarcstat: others may read \(path) (mode \(String(mode, radix: 8))), and so who sends mail in your name. Next:"
                    + " chmod 600 \(quoted(path))")
        }
        bytesBefore = try store.databaseBytes()
        containment = try IsolatedReader.containment(database: path, configuration.limits, context)
    }

    /// What was being read has been read. Stopped early, it may not have come to what was suspect.
    func end() { if !StopRequest.wasMade { containment?.finish() } }

    /// What was before is not after: the last run, and the end of reports that were believed then.
    private static func checkClock(_ store: ReportStore, _ configuration: Configuration, _ context: Context) throws {
        guard let last = try store.lastRun() else { return }
        if context.now + TimeWitness.toleranceSeconds < last { throw ClockError(witness: "the last run was", time: last, now: context.now) }
        let future = configuration.limits.xml.maxFutureDays * 86400
        if let end = try store.newestReportEnd(notAfter: last + TimeWitness.toleranceSeconds, futureSeconds: future),
            context.now + TimeWitness.toleranceSeconds < end - future
        {
            throw ClockError(witness: "the newest report in the database ended", time: end, now: context.now)
        }
    }
}
