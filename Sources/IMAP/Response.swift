/// The first word of a status response (RFC 9051 section 7.1).
enum StatusWord: String {
    case ok = "OK"
    case no = "NO"
    case bad = "BAD"
    case bye = "BYE"
    case preauth = "PREAUTH"
}

/// What stands in brackets in a status response, as far as it matters here (RFC 9051 section 7.1).
enum ResponseCode: Equatable {
    /// Its digits, without zeros in front; nil for 0 and for what is no number.
    case uidValidity(String?)
    case readOnly
    case readWrite
    case tryCreate
    case alreadyExists
    case permanentFlags([String])
    case capability([String])
    /// Another one: its first word in upper case.
    case other(String)
}

/// A status: what a server says of a command, or of itself.
struct Status: Equatable {
    var word: StatusWord
    var code: ResponseCode?
    /// For people; clipped and cleaned. Foreign text.
    var text: String
}

/// A folder as LIST names it.
struct ListedFolder: Equatable {
    /// Attributes in lower case, with their backslash.
    var attributes: [String]
    /// The hierarchy separator; nil in a flat namespace.
    var separator: UInt8?
    /// The name as it came, without quotes: modified UTF-7, or UTF-8 after ENABLE UTF8=ACCEPT.
    var name: [UInt8]
}

/// What FETCH says of one message, as far as it matters here.
struct FetchedMessage: Equatable {
    /// Nil when the server gives none, 0, two, or one above 32 bits: then nobody can tell which message it is.
    var uid: UInt32?
    /// RFC822.SIZE in bytes; nil when it is no number of 63 bits.
    var size: UInt64?
    /// INTERNALDATE: when the message came into the mailbox, in seconds since 1970; nil when it is no date.
    var deliveredAt: Int?
    /// BODY[]: nil when it was not among the items, or the server has none (`NIL`).
    var body: [UInt8]?
    /// Whether BODY[] was among the items.
    var hasBody = false
    /// A piece of BODY[]: where it begins, and its bytes.
    var rest: Piece?

    struct Piece: Equatable {
        var origin: Int
        var count: Int
    }
}

/// A response of a server (RFC 9051 section 9, `response`).
enum Response: Equatable {
    /// The server waits for more of the command. The text is foreign.
    case continuation(String)
    /// The end of a command.
    case tagged(tag: [UInt8], Status)
    /// A status that belongs to no command.
    case status(Status)
    case capability([String])
    case enabled([String])
    case list(ListedFolder)
    /// UIDs, and the numbers that cannot be UIDs.
    case search([UInt32], odd: [String] = [])
    case exists(UInt32)
    case expunge(UInt32)
    case fetch(FetchedMessage)
    /// The prefix and separator of the first personal namespace; nil if there is none.
    case namespace(ListedFolder?)
    /// One that does not matter here.
    case other
}

/// A response in one piece, not understood yet: its text, in which a LF stands behind each `{n}` that announced a literal, and the literals.
struct RawResponse: Equatable {
    var text: [UInt8] = []
    var literals: [[UInt8]] = []
}

/// Bytes that are no response.
struct Malformed: Error, Equatable {
    /// Why: a sentence of ours that may end in foreign text.
    var reason: String
    /// Whether a limit was met.
    var isTooLarge = false
    /// Whether it was that on the bytes of a message.
    var isMessage = false

    var error: IMAPError {
        IMAPError(code: isTooLarge ? .responseTooLarge : .malformed, found: reason, mayPass: false, isMessageTooLarge: isMessage)
    }
}
