/// The limits under which foreign mail is read. `Ingest.Limits` lists them with their keys.
public struct MailLimits: Sendable, Equatable {
    /// Bytes of one message or file. Default 32 MiB.
    public var maxMessageBytes = 32 << 20
    /// Bytes of one header block, of the message or of a part. Default 256 KiB.
    public var maxHeaderBytes = 256 << 10
    /// Bytes of one physical header line. Default 64 KiB.
    public var maxHeaderLineBytes = 64 << 10
    /// Header fields of one mail and all its parts and mails inside it. Default 10,000.
    public var maxMailHeaderFields = 10_000
    /// Bytes of all headers of one mail, of its parts and of mails inside it. Default 1 MiB.
    public var maxMailHeaderBytes = 1 << 20
    /// Multiparts and messages around each other. Default 16.
    public var maxMimeDepth = 16
    /// Parts of one message that are no multiparts. Default 256.
    public var maxMimeParts = 256

    /// The defaults.
    public init() {}

    /// Mails inside a mail in other forms than message/rfc822: encoded, signed, or under another type; and how deep inside one another.
    public static let maxNestedMails = 64
    /// See `maxNestedMails`.
    public static let maxNestedDepth = 4
    /// Directories inside directories.
    static let maxDirectoryDepth = 64
    /// Bytes of standard input that are passed over to find the end of a message that is too large.
    static let maxSkippedBytes = 512 << 20
    /// Bytes of messages from a stream that one batch may hold in memory.
    static let maxBatchBytes = 16 << 20
    /// Messages of a stream that are read before anything is locked for them, and seconds for which the first of them waits for others.
    static let maxRoundMessages = 1000
    static let maxRoundSeconds = 5.0
}
