import Ingest

/// The file that `dmarcstat init` writes: every key, with what it means and what it is without being set.
enum ConfigurationTemplate {
    static let text = """
        # Configuration of dmarcstat. Lines that begin with # are comments; the values shown there are the defaults or examples.
        # Check it with: dmarcstat doctor

        # The database. Without this line: $XDG_DATA_HOME/dmarcstat/dmarc.sqlite, for root /var/lib/dmarcstat/dmarc.sqlite.
        # database = "/var/lib/dmarcstat/dmarc.sqlite"

        # Your domains; all below them is yours, too. Reports about others are stored, and are in no figure. Without this line all are yours.
        # domains = ["example.nl", "example.org"]

        # Keep the reports as they came, so that they can be read again.
        # keep_raw = true

        # Days after which the ledger forgets a mail that held no report to be stored and is gone from its mailbox; 0: never.
        # forget_days = \(IngestOptions.usualForgetDays)

        # A Public Suffix List (publicsuffix.org) newer than the system's. Verdicts group names by it.
        # public_suffix_list = "/usr/share/publicsuffix/public_suffix_list.dat"

        # Your mail server's name in the header field Authentication-Results, or a list of names: whether a report's mail came from whom it
        # says is read there. The server must remove fields with its own name from mail that comes in. Without this nothing is checked.
        # [authenticity]
        # trusted_authserv_id = "mx.example.nl"

        # What is larger is refused; the refusal names the limit. The first mailbox comes after them.
        # [limits]
        \(limits)

        # A maildir. As many [[mailbox]] as you like; `dmarcstat ingest` without a path collects from all of them.
        # [[mailbox]]
        # name = "local"
        # kind = "maildir"
        # path = "/var/mail/dmarc"
        # after = "leave"                   # what is done with mail that was stored: "leave", "mark-seen", "move:FOLDER", "delete"
        # after_refused = "leave"           # the same for mail of which anything was refused, beside a stored report as well
        # after_other = "leave"             # the same for mail without a report: a person's note, a bounce, another kind of report

        # An IMAP folder.
        # [[mailbox]]
        # name = "rua"
        # kind = "imap"
        # host = "imap.example.nl"
        # tls = "implicit"                  # or "starttls"; there is no third
        # port = 993                        # 143 for "starttls"
        # ca_file = "/etc/ssl/private-ca.pem"   # authorities to trust instead of the system's
        # user = "dmarc@example.nl"
        # auth = "password"                 # "xoauth2", "oauthbearer" take token_command
        # password_command = "pass show dmarc"  # its first line; or password_file = "…" (mode 0600), or password_credential = "…" (systemd)
        # folders = ["INBOX"]
        # since = "2026-01-01"              # older mail is not looked at
        # after = "leave"
        # after_refused = "leave"
        # after_other = "leave"
        # connect_seconds = 10              # for a connection
        # read_seconds = 60                 # for an answer
        # run_seconds = 3600                # for a run

        """

    private static let limits = Limits.all.map { limit in
        let setting = "# \(limit.key) = \(limit.standard)"
        return setting + String(repeating: " ", count: max(1, 36 - setting.count)) + "# \(limit.unit.rawValue): \(limit.meaning)"
    }.joined(separator: "\n")
}
