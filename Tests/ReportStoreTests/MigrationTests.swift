import DMARC
import Foundation
import GRDB
import Migrations
import Synchronization
import Testing

@testable import ReportStore

/// A migration leaves the old schema or the new one, wherever it is ended.
@Suite("Migrations")
struct MigrationTests {
    /// What a later version might do: a new table, filled from an old one, and a table that is made anew with a column more.
    static let later = """
        CREATE TABLE novelties (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
        INSERT INTO novelties (name) SELECT name FROM reporters;
        ALTER TABLE reporters ADD COLUMN novelty_id INTEGER REFERENCES novelties (id);
        UPDATE reporters SET novelty_id = (SELECT n.id FROM novelties n WHERE n.name = reporters.name);
        CREATE INDEX novelties_by_name ON novelties (name);
        """

    @Test("killed before any of its statements, and after the last")
    func killed() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "dmarc.sqlite").path
        do {
            let old = try ReportStore(path: path, access: .readWrite)
            try old.update { db in try db.execute(sql: "INSERT INTO reporters (name) VALUES ('Ontvanger'), ('Empfänger')") }
        }
        let migrations = Migrations.all.map(\.sql) + [Self.later]
        // What a kill leaves behind is what the files hold at that moment.
        let copies = Mutex(0)
        let migrated = try ReportStore(path: path, access: .readWrite, migrations: migrations) {
            let number = copies.withLock { count in
                count += 1
                return count
            }
            for suffix in ["", "-wal"] {
                try? FileManager.default.copyItem(atPath: path + suffix, toPath: folder.appending(path: "killed-\(number)").path + suffix)
            }
        }
        #expect(try Self.state(migrated.reader) == Self.new)
        let count = copies.withLock { $0 }
        try #require(count >= 5, "only \(count) statements were seen")
        for number in 1...count {
            let killed = folder.appending(path: "killed-\(number)").path
            let found = try DatabaseQueue(path: killed)
            #expect(try found.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
            #expect(try Self.state(found) == Self.old, "before statement \(number)")
            try found.close()
            // A question to an older schema migrates, too.
            let store = try ReportStore(path: killed, access: number % 2 == 0 ? .readOnly : .readWrite, migrations: migrations)
            #expect(try Self.state(store.reader) == Self.new, "statement \(number)")
        }
    }

    @Test("one that fails leaves everything as it was, and says so")
    func failing() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "dmarc.sqlite").path
        do {
            let old = try ReportStore(path: path, access: .readWrite)
            try old.update { db in try db.execute(sql: "INSERT INTO reporters (name) VALUES ('Ontvanger'), ('Empfänger')") }
        }
        let migrations = Migrations.all.map(\.sql) + [Self.later + "INSERT INTO no_such_table VALUES (1);"]
        #expect(throws: StoreError.self) { try ReportStore(path: path, access: .readWrite, migrations: migrations) }
        let store = try ReportStore(path: path, access: .readOnly)
        #expect(try Self.state(store.reader) == Self.old)
    }

    private static let old = State(version: Migrations.all.count, reporters: 2, hasNovelties: false)
    private static let new = State(version: Migrations.all.count + 1, reporters: 2, hasNovelties: true)

    private struct State: Equatable {
        var version: Int
        var reporters: Int
        var hasNovelties: Bool
    }

    private static func state(_ reader: any DatabaseReader) throws -> State {
        try reader.read { db in
            State(
                version: try Int.fetchOne(db, sql: "PRAGMA user_version") ?? -1,
                reporters: try Int.fetchOne(db, sql: "SELECT count(*) FROM reporters") ?? -1,
                hasNovelties: try db.tableExists("novelties") && db.columns(in: "reporters").contains { $0.name == "novelty_id" })
        }
    }
}
