import Mail
import Store

/// What stops an ingest: trouble of ours, never a message's.
public enum IngestError: Error, Equatable, Sendable {
    /// The database.
    case store(StoreError)
    /// A mailbox that cannot be opened or listed.
    case mailbox(MailError)
    /// Mail was delivered at `delivered`, which is later than `now`, the present by the clock of this machine; both in seconds since 1970.
    case clock(place: String, delivered: Int, now: Int)
    /// The outcomes do not add up: a bug.
    case accounting(String)
}
