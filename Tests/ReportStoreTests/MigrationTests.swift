import DatabaseFixtures
import Foundation
import GRDB
import Migrations
import Synchronization
import Testing

@testable import Store

/// A migration leaves the old database or the new one, wherever it is ended.
@Suite("Migrations")
struct MigrationTests {
    /// What a later version might do: a new table, filled from an old one, and a table that gets a column more.
    private static let later = """
        CREATE TABLE novelties (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
        INSERT INTO novelties (name) SELECT name FROM reporters;
        ALTER TABLE reporters ADD COLUMN novelty_id INTEGER REFERENCES novelties (id);
        UPDATE reporters SET novelty_id = (SELECT n.id FROM novelties n WHERE n.name = reporters.name);
        CREATE INDEX novelties_by_name ON novelties (name);
        """

    /// The ways to go: from each fixture to the newest schema, where that is another one, and to one that comes after it.
    private static let ways: [(fixture: DatabaseFixture, migrations: [String])] = DatabaseFixture.all.flatMap { fixture in
        let known = Migrations.all.map(\.sql)
        return (fixture.schema < known.count ? [known] : []).map { (fixture, $0) } + [(fixture, known + [later])]
    }

    @Test("what is derived in an older form is not read in the newer one")
    func derived() throws {
        let folder = try TestFolder()
        let path = folder.path("dmarc.sqlite")
        let known = Migrations.all.map(\.sql)
        let old = try ReportStore(path: path, access: .readWrite, migrations: Array(known.prefix(2)))
        try old.update { db in
            try db.execute(
                sql: "INSERT INTO keyed_results VALUES (0, x'00'); UPDATE verdict_state SET report_id = 7, rules = 'some', is_stale = 0")
        }
        let new = try ReportStore(path: path, access: .readWrite)
        let (keyed, isStale) = try new.reader.read { db in
            (
                try Int.fetchOne(db, sql: "SELECT count(*) FROM keyed_results"),
                try Int.fetchOne(db, sql: "SELECT is_stale FROM verdict_state")
            )
        }
        #expect(keyed == 0)
        #expect(isStale == 1)
    }

    @Test("killed before any of its statements, and at any write of its commit", arguments: ways.indices)
    func killed(way: Int) throws {
        let (fixture, migrations) = Self.ways[way]
        let folder = try TestFolder()
        let path = folder.path("dmarc.sqlite")
        try fixture.unpack(to: path)
        let old = try Self.content(path)

        // What a kill leaves behind is what the files hold at that moment.
        let copies = Mutex(0)
        let migrated = try ReportStore(path: path, access: .readWrite, migrations: migrations) {
            let number = copies.withLock { count in
                count += 1
                return count
            }
            for suffix in ["", "-wal"] {
                try? FileManager.default.copyItem(atPath: path + suffix, toPath: folder.path("statement-\(number)") + suffix)
            }
        }
        let statements = copies.withLock { $0 }
        try #require(statements >= 5, "only \(statements) statements were seen")
        let new = try migrated.reader.read(Self.contents)
        #expect(new != old)

        // The commit is one write after the other at the end of the log, which the migration began: each is ended in its middle, and after it.
        let database = try Data(contentsOf: URL(fileURLWithPath: path))
        let log = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
        let frame = 24 + (Int(database[16]) << 8 | Int(database[17]))
        try #require(log.count > 32 + frame && (log.count - 32) % frame == 0, "a log of \(log.count) bytes in frames of \(frame)")
        var ends = [0, 16, 32]
        for start in stride(from: 32, to: log.count, by: frame) { ends += [start + 12, start + frame / 2, start + frame] }
        for end in ends {
            let killed = folder.path("write-\(end)")
            try database.write(to: URL(fileURLWithPath: killed))
            try log.prefix(end).write(to: URL(fileURLWithPath: killed + "-wal"))
        }

        var cases: [(name: String, expected: [String])] = []
        for number in 1...statements { cases.append(("statement-\(number)", old)) }
        for end in ends { cases.append(("write-\(end)", end == log.count ? new : old)) }
        for (index, (name, expected)) in cases.enumerated() {
            #expect(try Self.content(folder.path(name)) == expected, "\(name) of \(cases.count)")
            // A question to an older schema migrates, too.
            let store = try ReportStore(path: folder.path(name), access: index % 2 == 0 ? .readOnly : .readWrite, migrations: migrations)
            #expect(try store.reader.read(Self.contents) == new, "\(name), migrated again")
        }
    }

    @Test("one that fails leaves everything as it was, and says so", arguments: DatabaseFixture.all)
    func failing(fixture: DatabaseFixture) throws {
        let folder = try TestFolder()
        let path = folder.path("dmarc.sqlite")
        try fixture.unpack(to: path)
        let old = try Self.content(path)
        let migrations = Migrations.all.map(\.sql) + [Self.later + "INSERT INTO no_such_table VALUES (1);"]
        #expect(throws: StoreError.self) { try ReportStore(path: path, access: .readWrite, migrations: migrations) }
        #expect(try Self.content(path) == old)
    }

    private static func content(_ path: String) throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try queue.read(contents)
    }

    /// All that is in a database: its version, that it is whole, its schema, and how many rows each table has with the sum of their sizes.
    private static func contents(of db: Database) throws -> [String] {
        var content = try ["user_version", "integrity_check"].flatMap { try String.fetchAll(db, sql: "PRAGMA \($0)") }
        for object in try Row.fetchAll(db, sql: "SELECT name, type, sql FROM sqlite_master ORDER BY name") {
            content.append("\(object)")
            guard object["type"] == "table" else { continue }
            let name: String = object["name"]
            let columns = try db.columns(in: name).map { "quote(\($0.name))" }.joined(separator: " || ")
            content.append(try String.fetchOne(db, sql: "SELECT count(*) || ' ' || total(length(\(columns))) FROM \(name)") ?? "")
        }
        return content
    }
}
