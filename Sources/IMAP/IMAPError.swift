import Glibc
import Mail

/// Why a server, a login or a folder could not be used.
public struct IMAPError: Error, Equatable, Sendable {
    /// What went wrong. The raw value is the code that people and other programs see.
    public enum Code: String, Sendable, CaseIterable {
        /// The account cannot be used as it is written.
        case account = "imap-account"
        /// No password or token could be had.
        case noSecret = "imap-no-secret"
        /// No TLS connection of at least version 1.2 could be made; nothing was sent in plain text.
        case tlsRequired = "imap-tls-required"
        /// The server's certificate is not to be trusted: unknown authority, wrong host name, expired.
        case certificate = "imap-certificate"
        /// The server refuses the user, password or token, or offers no way to log in that is supported.
        case login = "imap-login"
        /// The server says what RFC 3501 and RFC 9051 do not allow it to say there.
        case malformed = "imap-protocol"
        /// A line, a literal or a whole response above its limit.
        case responseTooLarge = "imap-response-too-large"
        /// Nothing came for too long, or the run has lasted too long.
        case timeout = "imap-timeout"
        /// The server cannot be reached, or ended the connection.
        case lost = "imap-lost"
        /// There is no such folder, or it may not be opened.
        case noFolder = "imap-no-folder"
        /// The folder was made anew while it was being read: its UIDVALIDITY is another one.
        case folderChanged = "imap-folder-changed"
        /// The server answers a command with NO or BAD.
        case refused = "imap-refused"
        /// It was done in part, or nobody can tell whether it was: it is not tried again.
        case halfDone = "imap-half-done"
        /// The mailbox was closed while it was being read.
        case cancelled = "imap-cancelled"
        /// libcurl is not installed, or cannot be used.
        case noLibrary = "imap-no-library"
    }

    /// What went wrong.
    public let code: Code
    /// Where: the account, its folder, the command.
    public var place: String
    /// What was found: at most 512 bytes, without control characters, never a credential. Foreign text.
    public let found: String
    /// Whether it may be otherwise in a second, on a new connection.
    let mayPass: Bool
    /// Whether it is one message that is too large, and not what the server says around it.
    let isMessageTooLarge: Bool

    /// An error; `found` is clipped and cleaned.
    public init(code: Code, place: String = "", found: String) {
        self.init(code: code, place: place, found: found, mayPass: code == .lost)
    }

    init(code: Code, place: String = "", found: String, mayPass: Bool, isMessageTooLarge: Bool = false) {
        self.code = code
        self.place = place
        self.found = clipped(Array(found.utf8))
        self.mayPass = mayPass
        self.isMessageTooLarge = isMessageTooLarge
    }

    /// Whether the connection can be used no more after it.
    var endsConnection: Bool {
        switch code {
        case .refused, .noFolder, .halfDone: false
        default: true
        }
    }

    func at(_ place: String) -> IMAPError {
        var error = self
        if error.place.isEmpty { error.place = place }
        return error
    }

    /// The same for those who read any kind of mailbox. It is always our fault or the server's, never the mail's: `isOurFault`.
    public var mailError: MailError {
        MailError(code: .unreadableFile, place: place, found: "\(code.rawValue): \(found)", errno: systemNumber)
    }

    /// The system error that comes nearest.
    var systemNumber: Int32 {
        switch code {
        case .account: EINVAL
        case .noSecret, .login, .certificate, .tlsRequired: EACCES
        case .malformed, .responseTooLarge: EPROTO
        case .timeout: ETIMEDOUT
        case .lost: EHOSTUNREACH
        case .noFolder: ENOENT
        case .folderChanged: EAGAIN
        case .refused: EPERM
        case .halfDone: EIO
        case .cancelled: ECANCELED
        case .noLibrary: ELIBACC
        }
    }
}

/// Foreign bytes for an error: at most 512, and what would steer a terminal replaced.
func clipped(_ bytes: some Collection<UInt8>) -> String {
    let cleaned = bytes.prefix(512).map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }
    return String(decoding: cleaned, as: UTF8.self) + (bytes.count > 512 ? "…" : "")
}
