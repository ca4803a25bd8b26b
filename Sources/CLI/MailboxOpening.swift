import IMAP
import Ingest
import Mail

/// A mailbox to be collected from: one of the command line, or a folder of one of the configuration.
struct MailboxTarget {
    /// For people.
    var name: String
    var place: Place
    var actions: MailActions

    /// Standard input or a pipe: what it holds comes when somebody writes it, and is gone once it is read.
    var isStream: Bool {
        guard case .path(let path) = place else { return false }
        return (try? mailboxKind(path: path)) == .standardInput
    }

    enum Place {
        case path(String)
        case imap(IMAPAccount, IMAPLimits)
    }

    /// The targets of a configured mailbox: an IMAP account has one for each folder, and all of them the secret that `secret` makes of its source.
    static func all(of mailbox: MailboxConfiguration, _ limits: MailLimits, secret: (SecretSource) -> Secret) -> [MailboxTarget] {
        switch mailbox.place {
        case .path(let path):
            return [MailboxTarget(name: mailbox.name, place: .path(path), actions: mailbox.actions)]
        case .imap(let imap):
            var own = IMAPLimits()
            own.maxMessageBytes = limits.maxMessageBytes
            if let seconds = imap.connectSeconds { own.connectSeconds = Double(seconds) }
            if let seconds = imap.readSeconds { own.readSeconds = Double(seconds) }
            if let seconds = imap.runSeconds { own.runSeconds = Double(seconds) }
            let shared = secret(imap.secret)
            return imap.folders.map { folder in
                var account = IMAPAccount(
                    name: mailbox.name, host: imap.host, port: UInt16(imap.port), tls: imap.tls, caFile: imap.caFile, user: imap.user,
                    authentication: imap.auth, secret: shared, folder: folder, since: imap.since)
                account.version = Dmarcstat.configuration.version
                return MailboxTarget(
                    name: mailbox.name + "/" + folder, place: .imap(account, own), actions: mailbox.actions)
            }
        }
    }

    /// Opens it. A server is connected to here: its mailbox has no identifier before.
    func open(_ context: Context, _ limits: MailLimits, _ isKnown: @escaping @Sendable (String) -> Bool) throws(MailError) -> any Mailbox {
        switch place {
        case .path(let path):
            return try openMailbox(
                path: path, standardInput: context.standardInput, limits: limits, excluding: actions.folders,
                shouldStop: { StopRequest.wasMade }, isKnown: isKnown)
        case .imap(let account, let imapLimits):
            let mailbox = IMAPMailbox(account: account, limits: imapLimits, isKnown: isKnown)
            do throws(IMAPError) {
                try mailbox.open()
            } catch {
                throw error.mailError
            }
            return mailbox
        }
    }
}
