import DMARC
import Foundation
import GRDB
import Migrations
import Store
import Testing

@Suite("Store")
struct StoreTests {
    private func folder() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    private func error(_ body: () throws(StoreError) -> Void) -> StoreError.Code? {
        do throws(StoreError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    @Test("every migration of the folder is in the list, in order")
    func migrationsAreListed() throws {
        let folder = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }.sorted()
        #expect(files == Migrations.all.map { $0.name + ".sql" })
        for (file, migration) in zip(files, Migrations.all) {
            #expect(try String(contentsOf: folder.appending(path: file), encoding: .utf8) == migration.sql)
        }
        #expect(
            Migrations.all.enumerated().allSatisfy { $0.element.name.hasPrefix(String(repeating: "0", count: 3) + "\($0.offset + 1)_") })
    }

    @Test("a new file is private, durable and ours")
    func newFile() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "deep/er/dmarc.sqlite").path
        let store = try ReportStore(path: path, access: .readWrite)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.attributesOfItem(atPath: folder.appending(path: "deep").path)[.posixPermissions] as? Int == 0o700)
        func value(_ sql: String) throws -> Int { try store.reader.read { try Int.fetchOne($0, sql: sql) ?? -1 } }
        #expect(try store.reader.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try value("PRAGMA synchronous") == 2)
        #expect(try value("PRAGMA user_version") == ReportStore.schemaVersion)
        #expect(try value("PRAGMA application_id") == 0x444D_5354)
        #expect(try value("PRAGMA foreign_keys") == 1)
        let loose =
            "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%' AND NOT strict"
        #expect(try value(loose) == 0)
    }

    @Test("what is not to be opened says why")
    func refused() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let missing = folder.appending(path: "missing.sqlite").path
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: missing, access: .readOnly) } == .missing)
        #expect(!FileManager.default.fileExists(atPath: missing))
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: folder.path, access: .readWrite) } == .databaseUnsafe)

        let text = folder.appending(path: "text.sqlite")
        try Data(repeating: 0x41, count: 10_000).write(to: text)
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: text.path, access: .readWrite) } == .databaseDamaged)

        let foreign = folder.appending(path: "foreign.sqlite").path
        try DatabaseQueue(path: foreign).write { try $0.execute(sql: "PRAGMA application_id = 7; CREATE TABLE t (a)") }
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: foreign, access: .readWrite) } == .databaseDamaged)

        // Neither number set, as SQLite leaves them: still somebody else's.
        let plain = folder.appending(path: "plain.sqlite").path
        try DatabaseQueue(path: plain).write { try $0.execute(sql: "CREATE TABLE t (a)") }
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: plain, access: .readOnly) } == .databaseDamaged)
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: plain, access: .readWrite) } == .databaseDamaged)
        #expect(try DatabaseQueue(path: plain).read { try Int.fetchOne($0, sql: "SELECT count(*) FROM sqlite_master") } == 1)

        let newer = folder.appending(path: "newer.sqlite").path
        _ = try ReportStore(path: newer, access: .readWrite)
        try DatabaseQueue(path: newer).write { try $0.execute(sql: "PRAGMA user_version = 99") }
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: newer, access: .readOnly) } == .databaseNewer)

        let open = folder.appending(path: "open")
        try FileManager.default.createDirectory(at: open, withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: open.path)
        let unsafe = open.appending(path: "a.sqlite").path
        #expect(error { () throws(StoreError) in _ = try ReportStore(path: unsafe, access: .readWrite) } == .databaseUnsafe)
    }

    @Test("one run at a time: the second waits, then gives up")
    func lock() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "a.sqlite").path
        do {
            let first = try StoreLock(database: path, waitSeconds: 0)
            #expect(error { () throws(StoreError) in _ = try StoreLock(database: path, waitSeconds: 0.2) } == .databaseLocked)
            keep(first)
        }
        #expect(error { () throws(StoreError) in _ = try StoreLock(database: path, waitSeconds: 0) } == nil)
    }
}

/// Keeps the lock until here.
private func keep(_ lock: borrowing StoreLock) {}
