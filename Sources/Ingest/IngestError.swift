import Mail
import ReportStore

/// What stops an ingest: trouble of ours, never a message's.
public enum IngestError: Error, Equatable, Sendable {
    /// The database.
    case store(StoreError)
    /// A mailbox that cannot be opened or listed.
    case mailbox(MailError)
    /// The outcomes do not add up: a bug.
    case accounting(String)
}
