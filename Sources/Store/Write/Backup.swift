import GRDB
import Glibc

/// What a backup holds.
public struct BackupOutcome: Hashable, Sendable {
    /// Bytes of the copy.
    public var bytes: Int
    /// Reports in it.
    public var reports: Int
    /// Messages of the ledger in it.
    public var messages: Int
}

extension ReportStore {
    /// Copies the database into a new file at `path`, while others may read it and write to it: one state of it, as of the beginning.
    ///
    /// The copy is made under another name beside `path`, read back (`integrity_check`, and as many rows in each table), made durable, and only
    /// then put under its name. Its mode is 0600. What is at `path` is replaced only with `replaces`.
    ///
    /// - Parameter isSound: whether the copy must be; one of a database that is to be repaired is as damaged as that.
    public func backup(to path: String, replaces: Bool = false, isSound: Bool = true) throws(StoreError) -> BackupOutcome {
        try requireRoom(at: path, replaces)
        var template = Array((path + ".XXXXXX").utf8CString)
        // mkstemp makes files of mode 0600.
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw Self.error(errno, path) }
        OwnFile.give(descriptor, path)
        let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(descriptor)
            for suffix in ["", "-journal", "-wal", "-shm"] { unlink(temporary + suffix) }
        }
        let outcome: BackupOutcome
        do {
            outcome = try copy(to: temporary, isSound: isSound)
        } catch {
            // What the system said last: the room that fails here is that of the copy, whose connection is gone.
            let number = errno
            var found = StoreError(error, place: path, system: StoreError.meansFull(number) ? number : 0)
            // SQLite copies pages without a statement, and has no message for what fails.
            if found.code == .diskFull { found.found = "no space is left on the device" }
            throw found
        }
        try Self.put(descriptor, temporary, under: path, replaces)
        return outcome
    }

    /// Refuses to write over this database, over what is no file, over a database in use, and without `replaces` over anything.
    private func requireRoom(at path: String, _ replaces: Bool) throws(StoreError) {
        var own = stat()
        var other = stat()
        if stat(path, &other) == 0 {
            guard replaces else { throw StoreError(code: .fileExists, place: path, found: "there is a file of this name") }
            let isOwn = stat(self.path, &own) == 0 && own.st_ino == other.st_ino && own.st_dev == other.st_dev
            guard !isOwn else { throw StoreError(code: .databaseUnsafe, place: path, found: "it is the database itself") }
            guard other.st_mode & S_IFMT == S_IFREG else {
                throw StoreError(code: .databaseUnsafe, place: path, found: "not a regular file")
            }
        }
        // SQLite would take the log of another database for this one's.
        for suffix in ["-wal", "-journal"] where stat(path + suffix, &other) == 0 && other.st_size > 0 {
            throw StoreError(
                code: .databaseLocked, place: path, found: "\(path + suffix) belongs to a database of this name that is in use, or was")
        }
    }

    private func copy(to temporary: String, isSound: Bool) throws -> BackupOutcome {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        let target = try DatabaseQueue(path: temporary, configuration: configuration)
        // One read transaction around all of it: an ingest goes on beside it, and the copy need not begin anew. SQLite begins to read with the first
        // statement (lang_transaction.html, "deferred"): were that the copy, it would end with the copy, and what is counted would be a later state.
        let counts = try reader.read { source in
            let counts = try Self.counts(source)
            errno = 0
            try target.writeWithoutTransaction { copy in try source.backup(to: copy) }
            return counts
        }
        let outcome = try target.writeWithoutTransaction { copy in
            // The copy says of itself that it has a write-ahead log; with a journal it is one file.
            try copy.execute(sql: "PRAGMA journal_mode = DELETE")
            let found = isSound ? try String.fetchAll(copy, sql: "PRAGMA integrity_check(1)") : ["ok"]
            guard found == ["ok"] else {
                throw StoreError(code: .databaseDamaged, place: temporary, found: "the copy is not sound: \(found.first ?? "")")
            }
            let copied = try Self.counts(copy)
            guard copied == counts else {
                throw StoreError(code: .databaseDamaged, place: temporary, found: "the copy has other rows than the original")
            }
            let size = try Int.fetchOne(copy, sql: "PRAGMA page_size") ?? 0
            let pages = try Int.fetchOne(copy, sql: "PRAGMA page_count") ?? 0
            return BackupOutcome(bytes: size * pages, reports: copied["reports"] ?? 0, messages: copied["messages"] ?? 0)
        }
        try target.close()
        return outcome
    }

    /// Rows of each table.
    private static func counts(_ db: Database) throws -> [String: Int] {
        let tables = try String.fetchAll(db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        var counts: [String: Int] = [:]
        for table in tables { counts[table] = try Int.fetchOne(db, sql: "SELECT count(*) FROM \"\(table)\"") ?? 0 }
        return counts
    }

    /// Makes the file durable, and then its name.
    private static func put(_ descriptor: Int32, _ temporary: String, under path: String, _ replaces: Bool) throws(StoreError) {
        guard fsync(descriptor) == 0 else { throw error(errno, path) }
        // Somebody else's file that came meanwhile stays: a link, unlike a rename, never takes the place of another.
        var placed = replaces ? rename(temporary, path) : link(temporary, path)
        // Not every file system has links.
        if placed != 0, !replaces, [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(errno) { placed = rename(temporary, path) }
        guard placed == 0 else {
            if errno == EEXIST { throw StoreError(code: .fileExists, place: path, found: "there is a file of this name") }
            throw error(errno, path)
        }
        let folder = Glibc.open(directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }
}
