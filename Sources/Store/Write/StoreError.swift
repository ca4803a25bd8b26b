import GRDB
import Glibc

/// Why the database cannot be used. Every one of these stops a run: it is our trouble, never a report's.
public struct StoreError: Error, Equatable, Sendable {
    /// The reasons, by the names that messages and documentation use.
    public enum Code: String, CaseIterable, Sendable {
        /// There is no such file, and it may not be made (a query).
        case missing = "database-missing"
        /// Written by a newer version.
        case databaseNewer = "database-newer"
        /// Not a database of ours, or damaged.
        case databaseDamaged = "database-damaged"
        /// Where it lies anybody could replace it.
        case databaseUnsafe = "database-unsafe"
        /// Another run holds it.
        case databaseLocked = "database-locked"
        /// No room.
        case diskFull = "disk-full"
        /// May not be read or written.
        case databasePermission = "database-permission"
        /// A file that must not be replaced is in the way.
        case fileExists = "file-exists"
        /// The file system failed.
        case ioError = "io-error"
        /// A statement failed that should not: a bug.
        case defect = "database-error"
    }

    /// The reason.
    public var code: Code
    /// The file.
    public var place: String
    /// What was found.
    public var found: String
    /// The question that could not be answered, or what was being worked out; empty where the database was opened or written for ingest.
    public var question: String

    /// All parts.
    public init(code: Code, place: String, found: String, question: String = "") {
        self.code = code
        self.place = place
        self.found = found
        self.question = question
    }

    /// Whether an error number of the system means that there is no room: on the disk, in a quota, or in what a file may be (`ulimit -f`).
    static func meansFull(_ number: Int32) -> Bool { [ENOSPC, EDQUOT, EFBIG].contains(number) }

    /// Whether SQLite says in words alone that a file is damaged: of a number in its header that it knows nothing of, of a text that we wrote as JSON
    /// and that is none, and of a sum that nothing we store comes to.
    package static func meansDamage(_ message: String?) -> Bool {
        ["unsupported file format", "malformed JSON", "integer overflow"].contains(message)
    }

    /// The reason behind an error of SQLite, by its extended result code (sqlite.org/rescode.html). Values of statements never enter it.
    ///
    /// - Parameter system: what the system said to SQLite (`sqlite3_system_errno`), for errors of input and output; 0 if that is not known.
    init(_ error: any Error, place: String, system: Int32 = 0) {
        if let known = error as? StoreError {
            self = known
            return
        }
        guard let error = error as? DatabaseError else {
            self.init(code: .defect, place: place, found: "\(error)")
            return
        }
        let code: Code =
            switch error.resultCode {
            case .SQLITE_FULL: .diskFull
            case .SQLITE_IOERR: Self.meansFull(system) ? .diskFull : .ioError
            case .SQLITE_BUSY, .SQLITE_LOCKED: .databaseLocked
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .databaseDamaged
            case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: .databasePermission
            case .SQLITE_CANTOPEN, .SQLITE_NOMEM: .ioError
            default: Self.meansDamage(error.message) ? .databaseDamaged : .defect
            }
        let found = error.message ?? error.resultCode.description
        let isOfTheSystem = error.resultCode == .SQLITE_IOERR && system != 0
        self.init(code: code, place: place, found: isOfTheSystem ? "\(found), \(String(cString: strerror(system)))" : found)
    }

    /// The same of what was met on the way to an answer. No question fails for what reports contain.
    package init(_ error: any Error, question: String, _ store: ReportStore) {
        self.init(error, place: store.path)
        if self.question.isEmpty { self.question = question }
    }
}
