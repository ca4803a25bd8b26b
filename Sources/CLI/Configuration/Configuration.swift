import DMARC
import IMAP
import Ingest
import Mail
import Organisations

/// What the configuration file says, checked and typed. Flags go before it, defaults behind it.
struct Configuration: Equatable {
    /// Where it was read from; nil: there is none.
    var path: String?
    /// The database.
    var database: String?
    /// The mailboxes, in the order of the file.
    var mailboxes: [MailboxConfiguration] = []
    /// Whether reports are kept as they came.
    var keepsRaw = true
    /// Days after which the ledger forgets a mail that is gone; 0: never.
    var forgetDays = IngestOptions.usualForgetDays
    /// Limits on what strangers send.
    var limits = Limits()
    /// A Public Suffix List newer than the distribution's.
    var publicSuffixList: String?
    /// Whose reports count.
    var ownDomains = OwnDomains()
    /// The names under which the own mail servers write `Authentication-Results`; nil: none is to be believed.
    var trustedServers: [String]?

    /// How an ingest is to be done, as far as the file says.
    func ingestOptions(now: Int) -> IngestOptions {
        let file = publicSuffixList
        var options = IngestOptions(now: now) {
            // A list that cannot be read is an error of the verdicts; without one only equal names agree.
            guard let suffixes = PublicSuffixes(file: file) ?? PublicSuffixes() else { return { $0 } }
            return { suffixes.organisation(of: $0) }
        }
        options.givers = {
            guard let suffixes = PublicSuffixes(file: file) ?? PublicSuffixes() else { return { $0 } }
            return { suffixes.giver(of: $0) }
        }
        options.limits = limits
        options.forgetDays = forgetDays
        options.trustedServers = trustedServers
        options.ownDomains = ownDomains
        return options
    }
}

/// One `[[mailbox]]`.
struct MailboxConfiguration: Equatable {
    /// What its owner calls it; unique.
    var name: String
    /// Where it is.
    var place: Place
    /// What is done with its mails.
    var actions = MailActions()

    enum Place: Equatable {
        /// A maildir, an mbox, a folder: whatever is at the path.
        case path(String)
        case imap(IMAPConfiguration)
    }
}

/// The part of a `[[mailbox]]` that only `kind = "imap"` has.
struct IMAPConfiguration: Equatable {
    var host: String
    var port: Int
    var tls: TLSMode
    var caFile: String?
    var user: String
    var auth: IMAPAuthentication
    var secret: SecretSource
    var folders: [String]
    /// Days since 1970-01-01.
    var since: Int?
    /// Seconds for a connection, for an answer, for a run; nil: the default.
    var connectSeconds: Int?
    var readSeconds: Int?
    var runSeconds: Int?
}

/// Where a password or token comes from. Never a flag, the environment or the configuration file itself.
enum SecretSource: Equatable {
    /// The first line that a command prints. It is started without a shell.
    case command(String)
    /// The first line of a file that only its owner can read.
    case file(String)
    /// A credential that systemd hands to the service (systemd.exec(5), LoadCredential=).
    case credential(String)
}

/// Why a configuration cannot be used.
struct ConfigurationError: Error, Equatable {
    enum Code: String {
        case unreadable = "config-unreadable"
        case syntax = "config-syntax"
        case unknownKey = "unknown-config-key"
        case wrongValue = "config-value"
        case permissions = "config-permissions"
    }

    var code: Code
    /// The file.
    var place: String
    /// The key, as `mailbox[2].host`; empty if the file as a whole is meant.
    var key: String
    /// What was found, what was expected, and what to do.
    var found: String
}
