/// What a message in a mailbox is known to be.
public enum MessageForm: Sendable {
    /// A mail.
    case mail
    /// A file from disk or standard input: a report file or a mail, its content decides (`looksLikeMail`).
    case file
}

/// One thing to be ingested: a mail, or a file that counts as a mail with one attachment.
public struct Message: Sendable {
    /// What the ledger knows the message by; unique in its mailbox, the same in each run.
    public let key: String
    /// Where the message is, for people: the path as given, and what is below it. Foreign text.
    public let place: String
    /// What it is known to be.
    public let form: MessageForm
    /// When the mailbox says that the message came in, in seconds since 1970; nil where it does not say.
    public let deliveredAt: Int?
    private let content: @Sendable (inout [UInt8]) throws(MailError) -> Void

    /// A message whose bytes `content` puts into a buffer, in place of what the buffer holds.
    public init(
        key: String, place: String, form: MessageForm, deliveredAt: Int? = nil,
        content: @escaping @Sendable (inout [UInt8]) throws(MailError) -> Void
    ) {
        self.key = key
        self.place = place
        self.form = form
        self.deliveredAt = deliveredAt
        self.content = content
    }

    /// Puts the bytes of the message into `buffer`, in place of what it holds. Safe from any thread.
    ///
    /// - Throws: `message-too-large`, `not-a-regular-file`, `unreadable-file`, `vanished`.
    public func read(into buffer: inout [UInt8]) throws(MailError) {
        try content(&buffer)
    }
}

/// What is to become of a message once its outcome is stored.
public enum AfterAction: Sendable, Equatable {
    /// Nothing.
    case leave
    /// It counts as read; in a maildir it moves from `new` to `cur`.
    case markSeen
    /// It goes to this folder: in a maildir the name of a subfolder (`DMARC/done`) or the absolute path of another maildir;
    /// beside files a directory.
    case move(String)
    /// It is deleted.
    case delete
}

/// A place that mail is read from.
public protocol Mailbox: AnyObject, Sendable {
    /// What the ledger knows the mailbox by: its canonical absolute path, or an address.
    var identifier: String { get }

    /// The number of messages that are not known yet; nil until the listing is complete.
    var expectedCount: Int? { get }

    /// The number of messages passed over so far because the ledger knows them.
    var knownCount: Int { get }

    /// What was found while listing and is no message: links, pipes, devices, malformed names, directories that cannot be
    /// read. Complete once `next` has returned no message.
    var oddities: [MailError] { get }

    /// What was listed and where it went, for mailboxes that know; complete once `next` has returned no message.
    var listing: MailboxListing? { get }

    /// Whether every message that is there and not known was handed out, so that one that was not is gone. To be asked once `next` has returned
    /// no message.
    var isLookedThrough: Bool { get }

    /// What the mailbox looks like to whoever opens nothing in it: as long as this stays the same no message came, went or got another name. Nil: that
    /// cannot be told, or something changed just now. To be asked before the first `next`.
    var imprint: String? { get }

    /// Says that all of its messages are known, `count` of them: then it need not be listed. False: it cannot rest. To be called before the first
    /// `next`.
    func rest(_ count: Int) -> Bool

    /// Names messages that an earlier run could not read: they are to come after all others. To be called before the first `next`.
    func tryLast(_ keys: Set<String>)

    /// Whether it does no harm to do this to a message twice. What is not repeatable is noted as done before it is begun.
    func isRepeatable(_ action: AfterAction) -> Bool

    /// The next messages, at most `limit`, in the same order in each run; none at the end. To be called by one thread at a time.
    func next(_ limit: Int) throws(MailError) -> [Message]

    /// When the newest messages that are not known came in, by a clock of the mailbox's own (`Message.deliveredAt`): at most `count` times, the
    /// latest first. Fewer where fewer are known; the mailbox is listed for it if it was not yet.
    func newestDeliveries(_ count: Int) -> [Int]

    /// Does with messages what is to be done after their outcome is stored. What fails is returned, because it must not
    /// undo anything: the next run finds the message again.
    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError]
}

extension Mailbox {
    /// Nothing is known.
    public var listing: MailboxListing? { nil }

    /// Nobody knows: what comes from a pipe is another thing each time.
    public var isLookedThrough: Bool { false }

    /// It cannot be told.
    public var imprint: String? { nil }

    /// It is listed in every run.
    public func rest(_ count: Int) -> Bool { false }

    /// The order stays as it is.
    public func tryLast(_ keys: Set<String>) {}

    /// It does no harm.
    public func isRepeatable(_ action: AfterAction) -> Bool { true }

    /// None: no time of delivery is known that a stranger has no say in.
    public func newestDeliveries(_ count: Int) -> [Int] { [] }
}

/// What a mailbox has listed. Each of them is known, was handed out, or has vanished.
public struct MailboxListing: Sendable, Equatable {
    /// Messages that the mailbox named.
    public var named: Int
    /// Those of them that were gone when they were to be fetched, as the mailbox itself says.
    public var vanished: Int

    /// How the identifiers begin that this mailbox has had before, if it may have had others.
    public var family: String?

    /// All parts.
    public init(named: Int, vanished: Int, family: String? = nil) {
        self.named = named
        self.vanished = vanished
        self.family = family
    }
}

/// The kinds of mailboxes on disk.
public enum MailboxKind: String, Sendable, CaseIterable {
    /// A directory with `cur` and `new`, and its Maildir++ subfolders.
    case maildir
    /// A file of mails, each behind a line `From `.
    case mbox
    /// A directory of files.
    case directory
    /// One file.
    case file
    /// Standard input or a pipe.
    case standardInput = "standard-input"
}
