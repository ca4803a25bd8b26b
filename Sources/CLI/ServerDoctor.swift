import Glibc
import IMAP

/// What to do about each way in which a server, a login or a folder can fail.
enum ServerDoctor {
    /// A certificate that ends sooner is worth a word: two weeks.
    static let expiryWarningSeconds = 14 * 86400

    /// What may be missing where something works only in part.
    static func next(doubtful step: ProbeStep.Name) -> String {
        switch step {
        case .change: "set after = \"leave\", or have the rights on the folder changed"
        case .target: "the folder is made when the first message is moved"
        default: ""
        }
    }

    /// One next step for people.
    static func next(_ error: IMAPError) -> String {
        switch error.code {
        case .account: "correct host, user or folder in the configuration"
        case .noSecret: "see that the command prints the secret as its first line, or the file holds it"
        case .tlsRequired: "use the port for TLS (993) or tls = \"starttls\" on 143; nothing is ever sent in plain text"
        case .certificate: "name the authority with ca_file, use the name that the certificate is for, or have it renewed"
        case .login: "check user and password; Gmail and Microsoft 365 want auth = \"xoauth2\" with token_command"
        case .malformed: "the server does not keep to RFC 3501; please report it with its name"
        case .responseTooLarge: "something other than mail answers there, or the folder is enormous: split it"
        case .timeout: "try again later; raise connect_seconds or read_seconds if the server is slow"
        case .lost: "see that host and port are right and can be reached from here"
        case .noFolder: "list the folders in your mail program; INBOX is always there"
        case .folderChanged: "run again: the folder was made anew"
        case .refused: "the server does not allow it: check the rights on the folder"
        case .halfDone: "look for the message in both folders: it is not touched again"
        case .cancelled: "run again"
        case .noLibrary: "install libcurl; on Debian and Ubuntu: apt-get install libcurl4"
        }
    }

    /// The exit status that an ingest would end with.
    static func status(_ error: IMAPError) -> ExitStatus { ExitStatus(systemError: error.mailError.errno) }
}
