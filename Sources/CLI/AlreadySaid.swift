import Ingest
import Store

/// Ends a command with a status whose reason was told to people already.
struct AlreadySaid: Error, Equatable {
    let status: ExitStatus
}

/// A mistake of ours that the accounting of an ingest found.
struct AccountingDefect: Error {
    let found: String
}

/// The clock of this machine says a time that cannot be.
struct ClockError: Error, Equatable {
    /// Who contradicts it: `the last run was`.
    var witness: String
    /// At what time, in seconds since 1970.
    var time: Int
    /// What the clock says.
    var now: Int
}

extension IngestError {
    /// The error behind it, as the rest of the program knows it.
    var underlying: any Error {
        switch self {
        case .store(let error): error
        case .accounting(let found): AccountingDefect(found: found)
        case .clock(let place, let delivered, let now): ClockError(witness: "mail in \(place) was delivered", time: delivered, now: now)
        case .mailbox: AlreadySaid(status: .inputOutput)
        }
    }
}
