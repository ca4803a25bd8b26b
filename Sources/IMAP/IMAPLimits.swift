/// The limits under which a server is spoken to. Each limit exists once, here.
public struct IMAPLimits: Sendable, Equatable {
    /// Bytes of one response without its literals. Default 64 KiB.
    public var maxLineBytes = 64 << 10
    /// Bytes of the one response that lists the messages of a folder. Default 8 MiB: about a million messages.
    public var maxListBytes = 8 << 20
    /// Messages of a folder. Default two million.
    public var maxListedMessages = 2_000_000
    /// Bytes of all responses to one command, without their literals. Default 16 MiB.
    public var maxCommandBytes = 16 << 20
    /// Bytes of one message. Default 32 MiB; a larger one is not fetched.
    public var maxMessageBytes = 32 << 20
    /// Bytes of messages that are asked for at a time; a message larger than that is asked for alone. Default 4 MiB.
    public var batchBytes = 4 << 20
    /// Messages that are asked for at a time. Default 200.
    public var batchMessages = 200
    /// Messages whose sizes are asked for at a time, and that are marked, moved or deleted at a time. Default 500: the command stays
    /// below the 8192 bytes that RFC 7162 section 4 lets servers ask for.
    public var listMessages = 500
    /// Bytes of messages that wait to be handed out. Default 8 MiB.
    public var aheadBytes = 8 << 20
    /// Bytes of messages in memory: those that wait, and those handed out but not read yet. Fetching pauses above it, unless somebody
    /// waits for the next message. Default 24 MiB.
    public var heldBytes = 24 << 20
    /// Seconds for name, TCP, TLS and greeting. Default 10.
    public var connectSeconds = 10.0
    /// Seconds for the answer to a command; while messages arrive, for each 64 KiB or message. Default 60.
    public var readSeconds = 60.0
    /// Seconds from `open` until the last message is fetched. What is done with messages afterwards has `readSeconds` more. Default 3600.
    public var runSeconds = 3600.0
    /// Seconds for saying goodbye. Default 2.
    public var goodbyeSeconds = 2.0
    /// How often a connection is tried again before the server counts as gone. Default 3.
    public var retries = 3
    /// How often a lost connection is made again in a run. Default 40.
    public var maxReconnections = 40
    /// Fetches in a row that end the connection, or are refused, without a message gained, after which messages are tried one by one; a
    /// time-out counts three times. Default 4.
    public var maxFruitlessBatches = 4
    /// The same for messages that are tried alone; then the folder is left for the next run. Default 12.
    public var maxFruitlessMessages = 12
    /// Messages that are refused in a row, each asked for alone, after which the folder is left for the next run. Default 100.
    public var maxRefusedMessages = 100
    /// Messages in a run that are not as long as the server says, and not fewer than those that are, from which on its sizes count for
    /// nothing. Default 3.
    public var guessedSizes = 3
    /// Seconds before the first of these retries; each further one waits twice as long, up to eight times. Default 1.
    public var retrySeconds = 1.0

    /// The defaults.
    public init() {}

    /// The same with at least one message at a time: with none nothing would ever be done.
    var sane: IMAPLimits {
        var limits = self
        limits.batchMessages = max(1, batchMessages)
        limits.listMessages = max(1, listMessages)
        limits.maxMessageBytes = max(0, min(maxMessageBytes, 1 << 31))
        limits.batchBytes = max(0, min(batchBytes, 1 << 31))
        return limits
    }

    /// Bytes that libcurl may pass on as greeting and capabilities.
    static let maxGreetingBytes = 64 << 10
    /// Bytes of a literal that is no message: the name of a folder.
    static let maxNameBytes = 8 << 10
    /// Messages in a set that a server writes as ranges.
    static let maxExpandedMessages = 2_000_000
    /// Numbers in a list of messages that no message can have.
    static let maxOddNumbers = 1000
    /// Literals in one response.
    static let maxLiterals = 64
    /// Parentheses around each other in a response.
    static let maxDepth = 64
    /// Bytes of a literal that must arrive within `readSeconds`.
    static let progressBytes = 64 << 10
}
