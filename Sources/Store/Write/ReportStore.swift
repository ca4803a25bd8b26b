import GRDB
import GRDBSQLite
import Glibc
import Migrations

/// The SQLite file: opening, schema, and the two ways in: `reader` for questions, `write` for ingest.
///
/// WAL with `synchronous=FULL`: mail is moved only after a commit, and anything less may lose the last commits when the power goes
/// (sqlite.org/pragma.html#pragma_synchronous).
public final class ReportStore: Sendable {
    /// How the file is used.
    public enum Access: Sendable {
        /// Questions. The file must exist.
        case readOnly
        /// Ingest. The file is made, with mode 0600, if it does not exist.
        case readWrite
    }

    /// `DMST`, so that `file` and we recognise the format (sqlite.org/pragma.html#pragma_application_id).
    static let applicationID = 0x444D_5354

    /// The path, as given.
    public let path: String
    let queue: DatabaseQueue
    /// Keeps writers out where SQLite is told that the file does not change; nil: it may change.
    private let guardian: WriterGuard?

    /// Opens the file. An older schema is migrated, in one transaction, whatever the access; a newer one is refused.
    public convenience init(path: String, access: Access) throws(StoreError) {
        try self.init(path: path, access: access, migrations: Migrations.all.map(\.sql))
    }

    /// The same with other migrations; `statement` is called before each statement of theirs.
    init(path: String, access: Access, migrations: [String], statement: @escaping @Sendable () -> Void = {}) throws(StoreError) {
        self.path = path
        if path != ":memory:" { try Self.prepareFile(path, access) }
        do throws(StoreError) {
            queue = try Self.connect(path, access, migrations, statement)
            guardian = nil
        } catch {
            // On a disk without any room SQLite cannot make the small files that readers share. Without a log and without writers it needs none.
            guard access == .readOnly, error.code == .diskFull, !Self.hasLog(path), let guardian = WriterGuard(database: path) else {
                throw error
            }
            queue = try Self.connect(path, access, migrations, statement, isUnchanging: true)
            self.guardian = guardian
        }
    }

    private static func connect(
        _ path: String, _ access: Access, _ migrations: [String], _ statement: @escaping @Sendable () -> Void, isUnchanging: Bool = false
    ) throws(StoreError) -> DatabaseQueue {
        errno = 0
        do {
            var queue = try Self.open(path, access, isUnchanging: isUnchanging)
            let version = try queue.read { db in
                try Self.naming(db, path) { try Self.version(of: db, path, access, newest: migrations.count) }
            }
            if version < migrations.count {
                if access == .readOnly { queue = try Self.open(path, .readWrite) }
                try queue.writeWithoutTransaction { db in
                    try Self.naming(db, path) { try Self.migrate(db, path, migrations, statement) }
                }
                if access == .readOnly { queue = try Self.open(path, .readOnly) }
            }
            return queue
        } catch {
            // Opening fails before there is a connection that could be asked.
            let number = errno
            throw explained(StoreError(error, place: path, system: StoreError.meansFull(number) ? number : 0), path)
        }
    }

    /// For questions: reads see one consistent state.
    public var reader: any DatabaseReader { queue }

    /// A connection beside `reader`, for one more thread.
    package func secondReader() throws -> any DatabaseReader { try Self.open(path, .readOnly, isUnchanging: guardian != nil) }

    /// Empties the caches of pages and statements. They fill again from the system's own.
    public func releaseMemory() { queue.releaseMemory() }

    /// Bytes of the database file, without its log; 0 where there is no file.
    package var fileBytes: Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The newest schema that this version knows.
    public static var schemaVersion: Int { Migrations.all.count }

    /// Calls `body` with the one writer. Nothing is in a transaction yet.
    public func write<Result>(_ body: (ReportWriter) throws -> Result) throws -> Result {
        try queue.writeWithoutTransaction { db in
            try Self.naming(db, path) { try body(try ReportWriter(db)) }
        }
    }

    /// Calls `body` in one write transaction: for what is derived from the records. Committed when it returns, rolled back when it throws.
    package func update<Result>(_ body: (Database) throws -> Result) throws -> Result {
        try queue.writeWithoutTransaction { db in
            var result: Result?
            try Self.naming(db, path) {
                try db.inTransaction(.immediate) {
                    result = try body(db)
                    return .commit
                }
            }
            guard let result else { throw StoreError(code: .ioError, place: path, found: "a transaction that did not end") }
            return result
        }
    }

    /// Calls `body`; for an error of input or output it asks SQLite what the system said: SQLite's own codes do not tell a disk that is full
    /// from one that is broken, except for a write.
    private static func naming<Result>(_ db: Database, _ path: String, _ body: () throws -> Result) throws -> Result {
        errno = 0
        do {
            return try body()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_IOERR {
            // SQLite 3.40 does not note what the system said where a statement without a transaction around it is committed. The thread still
            // has it, if nothing else failed since.
            let (last, noted) = (errno, sqlite3_system_errno(db.sqliteConnection))
            throw StoreError(error, place: path, system: noted != 0 ? noted : StoreError.meansFull(last) ? last : 0)
        }
    }

    /// As `write`, with SQLite's errors as ours.
    public func storing<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        do { return try body() } catch { throw Self.explained(StoreError(error, place: path), path) }
    }

    /// The messages of a mailbox that need not be read again: all but the deferred ones. Empty for a mailbox never met.
    public func knownMessages(mailbox identifier: String) throws(StoreError) -> KnownKeys {
        try storing {
            try queue.read { db in
                guard let mailbox = try Int64.fetchOne(db, sql: "SELECT id FROM mailboxes WHERE identifier = ?", arguments: [identifier])
                else {
                    return KnownKeys()
                }
                return try KnownKeys(db, mailbox: mailbox)
            }
        }
    }

    /// How many messages a mailbox has that looks as it did when a run of the last day had looked through all of it, and left nothing undone: then
    /// there is nothing to read. Nil: that is not so, or it is not known.
    public func unchanged(mailbox identifier: String, imprint: String, now: Int) throws(StoreError) -> Int? {
        try storing {
            try queue.read { db in
                // Question: is nothing to be done there. Unit: one row. Index: that of identifiers, messages_deferred, messages_unsettled.
                let sql = """
                    SELECT messages FROM mailboxes b
                    WHERE identifier = ?1 AND imprint = ?2 AND looked_utc BETWEEN ?3 - 86400 AND ?3
                        AND NOT EXISTS (
                            SELECT 1 FROM messages WHERE mailbox_id = b.id AND outcome = \(MessageOutcome.deferred.rawValue))
                        AND NOT EXISTS (SELECT 1 FROM messages WHERE mailbox_id = b.id AND is_settled = 0)
                    """
                return try Int.fetchOne(db, sql: sql, arguments: [identifier, imprint, now])
            }
        }
    }

    /// The keys of the messages of a mailbox that could not be read yet.
    public func deferredMessages(mailbox identifier: String) throws(StoreError) -> Set<String> {
        try storing {
            try queue.read { db in
                let sql = """
                    SELECT m.key FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
                    WHERE b.identifier = ? AND m.outcome = \(MessageOutcome.deferred.rawValue)
                    """
                return try Set(String.fetchAll(db, sql: sql, arguments: [identifier]))
            }
        }
    }

    /// Bytes of the write-ahead log; 0 where there is none.
    public var logBytes: Int {
        var status = stat()
        return stat(path + "-wal", &status) == 0 ? Int(status.st_size) : 0
    }

    /// The attachment that a report came in, and which member of it is the report; nil if it was not kept.
    public func rawDocument(reportID: Int64) throws -> (bytes: [UInt8], member: String)? {
        try queue.read { db in
            let sql = "SELECT d.bytes, r.member FROM reports r JOIN raw_documents d ON d.id = r.raw_id WHERE r.id = ?"
            guard let row = try Row.fetchOne(db, sql: sql, arguments: [reportID]) else { return nil }
            let bytes: [UInt8] = try row.withUnsafeData(atIndex: 0) { data in data.map { [UInt8]($0) } ?? [] }
            return (bytes, row[1])
        }
    }

    // MARK: - Opening

    /// Creates the file with mode 0600, and its directory with 0700; refuses a directory in which anybody could replace it.
    private static func prepareFile(_ path: String, _ access: Access) throws(StoreError) {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            throw StoreError(code: .databaseUnsafe, place: path, found: "not a regular file")
        }
        if !exists {
            guard access == .readWrite else { throw StoreError(code: .missing, place: path, found: "there is no such file") }
            try makeDirectory(directory(of: path))
        }
        if stat(directory(of: path), &status) == 0, status.st_mode & S_IWOTH != 0, status.st_mode & S_ISVTX == 0 {
            throw StoreError(
                code: .databaseUnsafe, place: path, found: "anybody may write to its directory; type: chmod o-w \(directory(of: path))")
        }
        for suffix in ["", "-wal", "-shm", "-journal"] { try OwnFile.check(path + suffix) }
        guard (Self.status(of: path)?.st_mode ?? 0) & S_IWOTH == 0 else {
            throw StoreError(code: .databaseUnsafe, place: path, found: "anybody may write to it; type: chmod 600 \(path)")
        }
        guard !exists else { return }
        close(try OwnFile.open(path))
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        return stat(path, &status) == 0 ? status : nil
    }

    /// The mode of the file, if others than its owner may read it; nil: they may not.
    public var looseMode: Int? { Self.status(of: path).flatMap { $0.st_mode & 0o077 == 0 ? nil : Int($0.st_mode & 0o777) } }

    static func error(_ number: Int32, _ path: String) -> StoreError {
        let code: StoreError.Code =
            switch number {
            case EACCES, EPERM, EROFS: .databasePermission
            case _ where StoreError.meansFull(number): .diskFull
            default: .ioError
            }
        return StoreError(code: code, place: path, found: String(cString: strerror(number)))
    }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes the folder that a database at `path` lies in, as opening it for writing does.
    public static func makeFolder(for path: String) throws(StoreError) { try makeDirectory(directory(of: path)) }

    private static func makeDirectory(_ path: String) throws(StoreError) {
        var status = stat()
        if stat(path, &status) == 0 { return }
        if path.contains("/"), directory(of: path) != path { try makeDirectory(directory(of: path)) }
        guard mkdir(path, 0o700) == 0 else {
            guard errno == EEXIST else { throw error(errno, path) }
            return
        }
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard folder >= 0 else { return }
        OwnFile.give(folder, path)
        close(folder)
    }

    private static func open(_ path: String, _ access: Access, isUnchanging: Bool = false) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = true
        configuration.readonly = access == .readOnly
        configuration.maximumReaderCount = 1
        configuration.prepareDatabase { db in
            guard access == .readWrite else {
                // The file is not mapped: if another program cut it short, a signal would end the process instead of an error. Most pages are
                // read once, and from the system's cache: memory that is used again is quicker than memory that is asked for.
                try db.execute(sql: "PRAGMA cache_size = -4096")
                return
            }
            // The page size of a new file has to be set before anything else; on an older one it does nothing.
            try naming(db, path) {
                try db.execute(
                    sql: """
                        PRAGMA page_size = 8192;
                        PRAGMA journal_mode = WAL;
                        PRAGMA synchronous = FULL;
                        PRAGMA cache_size = -32768;
                        PRAGMA wal_autocheckpoint = 4096;
                        PRAGMA journal_size_limit = 33554432;
                        PRAGMA temp_store = \(path == ":memory:" ? "MEMORY" : "FILE");
                        """)
            }
        }
        return try DatabaseQueue(path: location(path, access, isUnchanging), configuration: configuration)
    }

    private static func hasLog(_ path: String) -> Bool {
        var log = stat()
        return stat(path + "-wal", &log) == 0 && log.st_size > 0
    }

    /// What fails for want of room is not always a write, and SQLite then keeps no note of what the system said.
    private static func explained(_ error: StoreError, _ path: String) -> StoreError {
        guard error.code == .ioError, isFull(directory(of: path)) else { return error }
        return StoreError(code: .diskFull, place: path, found: "no space is left on the device")
    }

    /// Whether a file system has less room than SQLite needs to open a database with a log: 32 KiB.
    private static func isFull(_ folder: String) -> Bool {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return false }
        let blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail
        return UInt64(blocks) * UInt64(status.f_frsize) < 64 << 10
    }

    /// What SQLite is to open: a path, or a URI (sqlite.org/uri.html), which it takes anything for that begins with `file:`.
    ///
    /// Questions to a database with a write-ahead log need files beside it. Where none may be made, as on a medium that is read-only, and no log is
    /// there, nobody of our rights writes to it, and SQLite is told that it does not change.
    private static func location(_ path: String, _ access: Access, _ isUnchanging: Bool) -> String {
        let mayNotWrite = access == .readOnly && Glibc.access(directory(of: path), W_OK) != 0
        guard isUnchanging || (mayNotWrite && !hasLog(path)) else { return path.hasPrefix("file:") ? "./" + path : path }
        let plain = Set("/-._~".utf8)
        var uri = "file:"
        for byte in path.utf8 {
            let isPlain =
                plain.contains(byte) || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            uri += isPlain ? String(UnicodeScalar(byte)) : (byte < 16 ? "%0" : "%") + String(byte, radix: 16)
        }
        return uri + "?immutable=1"
    }

    /// The schema's number; 0 for an empty file.
    private static func version(of db: Database, _ path: String, _ access: Access, newest: Int) throws -> Int {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        // 0 and 0 are SQLite's defaults: ours only if the file is new and empty, and it is to be written.
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        let isNew = application == 0 && version == 0 && tables == 0 && access == .readWrite
        guard application == applicationID || isNew else {
            throw StoreError(code: .databaseDamaged, place: path, found: "an SQLite database, but not one of dmarcstat")
        }
        guard version <= newest else {
            throw StoreError(
                code: .databaseNewer, place: path,
                found: "its schema is number \(version), this version knows up to \(newest)")
        }
        return version
    }

    /// Brings the schema up to date in one transaction: it is the old one or the new one, never between.
    private static func migrate(
        _ db: Database, _ path: String, _ migrations: [String], _ statement: @escaping @Sendable () -> Void
    ) throws {
        db.trace { _ in statement() }
        defer { db.trace(options: []) }
        try db.inTransaction(.immediate) {
            // Another process may have been quicker.
            let version = try version(of: db, path, .readWrite, newest: migrations.count)
            for sql in migrations.dropFirst(version) { try db.execute(sql: sql) }
            try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(migrations.count)")
            return .commit
        }
    }
}
