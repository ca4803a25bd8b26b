import DMARC
import Mail

/// How an ingest is to be done.
public struct IngestOptions: Sendable {
    /// Limits on what strangers send.
    public var limits = Limits()
    /// Threads that read, unpack and parse; one more writes.
    public var workers = 2
    /// Whether attachments are kept in the database, in their containers.
    public var keepsRaw = true
    /// What is done with messages all of whose reports are stored or duplicates, once that is durable.
    public var after = AfterAction.leave
    /// What is done with messages of which anything was refused, beside a stored report as well.
    public var afterRefused = AfterAction.leave
    /// What is done with messages that hold no report.
    public var afterOther = AfterAction.leave
    /// The present, in seconds since 1970.
    public var now: Int
    /// Whether mail that was delivered later than `now` ends the run: the clock is wrong.
    public var doubtsClock = false
    /// Days after which the ledger forgets a message that is gone from its mailbox; 0: never.
    public var forgetDays = IngestOptions.usualForgetDays
    /// Descriptor that `-` reads from.
    public var standardInput: Int32 = 0
    /// What keeps a message that ends the process from ending every run; nil: nothing does.
    public var containment: Containment?
    /// Processes that read the messages; nil: this one does.
    public var readers: ConfinedReaders?
    /// Bytes of the database when the run began; nil: when this mailbox is begun.
    public var databaseBytesBefore: Int?
    /// Whether this reads kept messages again: nothing is done in their mailboxes, and what is still not stored stays kept.
    var isRetry = false
    /// Records and other rows that may wait before a commit.
    public var workPerCommit = 200_000
    /// The names under which the own servers write `Authentication-Results`, "" for fields without a name; nil: no mail server is trusted,
    /// and nothing is checked.
    public var trustedServers: [String]?
    /// Makes, for one thread, what tells a canonical name's organisational domain.
    public var organisations: @Sendable () -> (String) -> String
    /// Makes, for one thread, what tells who answers for a canonical name; one organisation may give names away for nothing.
    public var givers: @Sendable () -> (String) -> String

    /// Whose reports count; those about other domains are stored and left out of all figures.
    public var ownDomains = OwnDomains()

    /// The default of `forgetDays`: a year, in which whatever took a mailbox away has been noticed.
    public static let usualForgetDays = 365

    /// The defaults, at `now`. Whose word a report is depends on organisational domains, so there is no default for them.
    public init(now: Int, organisations: @escaping @Sendable () -> (String) -> String) {
        self.now = now
        self.organisations = organisations
        givers = organisations
    }
}

/// How far an ingest has come.
public struct IngestProgress: Sendable {
    /// Messages handled, in this mailbox.
    public var done: Int
    /// Messages in it that are not known yet; nil while they are still being listed.
    public var total: Int?
    /// Messages handled a second, since the start.
    public var messagesPerSecond: Double

    /// Seconds that the rest will take at that rate; nil while the total is not known.
    public var secondsLeft: Double? {
        guard let total, messagesPerSecond > 0 else { return nil }
        return Double(max(0, total - done)) / messagesPerSecond
    }
}
