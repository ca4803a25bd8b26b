import GRDB
import ReportStore

/// Why a question could not be answered. No question fails for what reports contain.
public struct AnalysisError: Error, Equatable, Sendable {
    /// What went wrong. The words are those of `StoreError` where they mean the same.
    public enum Code: String, Sendable {
        /// Another process holds the database.
        case databaseLocked = "database-locked"
        /// The file is no database, or is damaged.
        case databaseDamaged = "database-damaged"
        /// No room for a temporary file.
        case diskFull = "disk-full"
        /// The file cannot be read.
        case ioError = "io-error"
        /// A statement of ours is wrong, or the schema is not the one we know.
        case defect
    }

    /// What went wrong.
    public let code: Code
    /// The question that was asked.
    public let place: String
    /// SQLite's message, without the values of arguments.
    public let found: String

    /// All parts.
    public init(code: Code, place: String, found: String) {
        self.code = code
        self.place = place
        self.found = found
    }

    init(_ error: any Error, place: String) {
        guard let error = error as? DatabaseError else {
            self.init(code: .defect, place: place, found: "\(type(of: error))")
            return
        }
        let code: Code =
            switch error.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED: .databaseLocked
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .databaseDamaged
            case .SQLITE_FULL: .diskFull
            case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_NOMEM: .ioError
            default: .defect
            }
        self.init(code: code, place: place, found: error.message ?? "SQLite error \(error.extendedResultCode.rawValue)")
    }
}
