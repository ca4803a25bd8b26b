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
        /// No room for the file, or for a temporary one.
        case diskFull = "disk-full"
        /// The file cannot be read.
        case ioError = "io-error"
        /// A statement of ours is wrong, or the schema is not the one we know.
        case defect = "database-error"
    }

    /// What went wrong.
    public let code: Code
    /// The question that was asked.
    public let place: String
    /// SQLite's message, without the values of arguments.
    public let found: String
    /// The database; empty where the error is not about it.
    public let database: String

    /// All parts.
    public init(code: Code, place: String, found: String, database: String = "") {
        self.code = code
        self.place = place
        self.found = found
        self.database = database
    }

    init(_ error: any Error, place: String, _ store: ReportStore) {
        if let error = error as? StoreError {
            self.init(code: Code(rawValue: error.code.rawValue) ?? .ioError, place: place, found: error.found, database: error.place)
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(code: .defect, place: place, found: "\(type(of: error))", database: store.path)
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
        let found = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        self.init(code: StoreError.meansDamage(error.message) ? .databaseDamaged : code, place: place, found: found, database: store.path)
    }
}
