import Glibc

/// Why a mailbox, or a message in it, could not be read or handled.
public struct MailError: Error, Equatable, Sendable {
    /// What went wrong. The raw value is the refusal code that people and other programs see.
    public enum Code: String, Sendable, CaseIterable {
        /// Larger than `MailLimits.maxMessageBytes`.
        case messageTooLarge = "message-too-large"
        /// A header block or a header line above its limit.
        case headerTooLarge = "header-too-large"
        /// More multiparts and messages around each other than `MailLimits.maxMimeDepth`.
        case mimeTooDeep = "mime-too-deep"
        /// More parts than `MailLimits.maxMimeParts`.
        case mimeTooManyParts = "mime-too-many-parts"
        /// A symbolic link, pipe, socket, device or directory where a file was expected.
        case notARegularFile = "not-a-regular-file"
        /// The system refused to open, read or list it; `errno` tells why.
        case unreadableFile = "unreadable-file"
        /// A file that was listed and is gone: another program moved or deleted it.
        case vanished = "vanished"
        /// A name in a maildir that holds no unique part.
        case malformedName = "malformed-name"
        /// A server has listed it and does not give it: it closes the connection, stalls, refuses, or answers with nothing.
        case notDelivered = "not-delivered"
        /// What a server gave is not as long as it says the message is.
        case sizeMismatch = "size-mismatch"
        /// It was moved in part, or nobody knows whether it was: it stays where it is, and this is not tried again.
        case leftInPlace = "left-in-place"
        /// The message could not be marked, moved or deleted.
        case notSettled = "not-settled"
    }

    /// What went wrong.
    public let code: Code
    /// Where: a path as given by the user, and the file below it. Foreign text.
    public let place: String
    /// What was found, and which limit it met.
    public let found: String
    /// The system's error number; 0 if the system did not fail.
    public let errno: Int32

    /// An error made elsewhere, for instance by another kind of mailbox.
    public init(code: Code, place: String, found: String, errno: Int32 = 0) {
        self.code = code
        self.place = place
        self.found = found
        self.errno = errno
    }

    /// Whether the fault lies with this machine or its moment, not with the mail: the message is to be left where it is
    /// and tried again in the next run.
    public var isOurFault: Bool {
        switch code {
        case .vanished, .notSettled, .notDelivered, .sizeMismatch, .leftInPlace: return true
        default: break
        }
        return errno != 0 && errno != ELOOP && errno != ENXIO && errno != ENAMETOOLONG
    }

    static func system(_ number: Int32, _ code: Code = .unreadableFile, place: String) -> MailError {
        MailError(code: code, place: place, found: String(cString: strerror(number)), errno: number)
    }
}
