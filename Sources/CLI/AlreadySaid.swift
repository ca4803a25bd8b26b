import Ingest
import ReportStore

/// Ends a command with a status whose reason was told to people already.
struct AlreadySaid: Error, Equatable {
    let status: ExitStatus
}

/// A mistake of ours that the accounting of an ingest found.
struct AccountingDefect: Error {
    let found: String
}

extension IngestError {
    /// The error behind it, as the rest of the program knows it.
    var underlying: any Error {
        switch self {
        case .store(let error): error
        case .accounting(let found): AccountingDefect(found: found)
        case .mailbox: AlreadySaid(status: .inputOutput)
        }
    }
}
