import Mail
import Store

/// What an ingest did. The sums are checked against the ledger before anybody sees them.
public struct Tally: Sendable, Equatable {
    /// Messages by outcome.
    public var messages: [MessageOutcome: Int] = [:]
    /// Messages passed over because the ledger knew them.
    public var known = 0
    /// Messages that were listed and gone when they were to be read.
    public var vanished = 0
    /// Documents (unpacked XML) by what became of them.
    public var documents = Documents()
    /// What is in the database now that was not before.
    public var stored = Stored()
    /// What was not stored, in the order it was met; at most `maxRefusals`, the ledger has them all.
    public var refusals: [Refusal] = []
    /// Messages left where they are for the next run, and why.
    public var deferrals: [Refusal] = []
    /// Of the deferred messages, those with a report that ends in the future by the clock of this machine, and by nothing else.
    public var aheadOfClock = 0
    /// Messages that could not be marked, moved or deleted afterwards: place and reason.
    public var unsettled: [MailError] = []
    /// Messages that were to be deleted and were not, because what was not stored of them could not be kept: their places.
    public var withheld: [String] = []

    /// Why the run ended before its last message; nil: it did not.
    public var shortage: Shortage?

    /// What there is too little of to go on.
    public enum Shortage: Sendable, Equatable {
        /// Bytes are free on the disk of the database; fewer than `limits.free_bytes`.
        case disk(free: Int)
        /// Bytes have come to the database in this run: as many as `limits.run_bytes`.
        case run(grown: Int)
    }

    /// Mailboxes that could not be read to their end, and why.
    public var failures: [MailError] = []

    /// Refusals that are kept to be shown.
    public static let maxRefusals = 10_000

    /// Documents by outcome; `seen` is the sum of the others.
    public struct Documents: Sendable, Equatable {
        /// All.
        public var seen = 0
        /// New, and counted.
        public var stored = 0
        /// There already.
        public var duplicate = 0
        /// Other content under a known identity: kept, counted once.
        public var conflict = 0
        /// Not stored.
        public var refused = 0
    }

    /// New reports, their records, and the messages that those speak of.
    public struct Stored: Sendable, Equatable {
        /// Reports, conflicting ones included.
        public var reports = 0
        /// Their records.
        public var records = 0
        /// The messages that the records speak of.
        public var messages = 0
        /// Of the reports, those about domains of others, which are in no figure.
        public var foreign = 0
    }

    /// An empty tally.
    public init() {}

    /// Messages seen: the sum of the outcomes.
    public var seen: Int { messages.values.reduce(0, +) }

    /// Adds the tally of another mailbox.
    public mutating func add(_ other: Tally) {
        for (outcome, count) in other.messages { messages[outcome, default: 0] += count }
        known += other.known
        vanished += other.vanished
        aheadOfClock += other.aheadOfClock
        shortage = shortage ?? other.shortage
        documents.seen += other.documents.seen
        documents.stored += other.documents.stored
        documents.duplicate += other.documents.duplicate
        documents.conflict += other.documents.conflict
        documents.refused += other.documents.refused
        stored.reports += other.stored.reports
        stored.records += other.stored.records
        stored.messages += other.stored.messages
        stored.foreign += other.stored.foreign
        refusals += other.refusals.prefix(max(0, Self.maxRefusals - refusals.count))
        failures += other.failures
        deferrals += other.deferrals.prefix(max(0, Self.maxRefusals - deferrals.count))
        withheld += other.withheld.prefix(max(0, Self.maxRefusals - withheld.count))
        unsettled += other.unsettled.prefix(max(0, Self.maxRefusals - unsettled.count))
    }
}
