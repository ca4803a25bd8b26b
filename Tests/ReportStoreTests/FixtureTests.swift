import DatabaseFixtures
import Foundation
import GRDB
import Migrations
import Testing

@testable import Store

/// What an earlier version left is opened, and becomes what a new database is.
@Suite("Databases of earlier schemas")
struct FixtureTests {
    @Test("the first schema is there")
    func first() throws {
        #expect(DatabaseFixture.all.first?.schema == 1)
        #expect(
            DatabaseFixture.all.allSatisfy { $0.schema <= Migrations.all.count }, "a fixture of a schema that this version does not know")
    }

    @Test("each is brought to the newest schema and is whole", arguments: DatabaseFixture.all, [ReportStore.Access.readOnly, .readWrite])
    func migrated(fixture: DatabaseFixture, access: ReportStore.Access) throws {
        let folder = try TestFolder()
        let path = folder.path("dmarc.sqlite")
        try fixture.unpack(to: path)
        // It is what it says, and it is no empty shell.
        let old = try DatabaseQueue(path: path)
        try old.read { (db) throws in
            #expect(try Int.fetchOne(db, sql: "PRAGMA user_version") == fixture.schema)
            for table in ["reports", "records", "raw_documents", "refusals", "kept_messages", "daily_verdicts", "kept_daily"] {
                #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0 > 0, "no row in \(table)")
            }
        }
        try old.close()

        let store = try ReportStore(path: path, access: access)
        let fresh = try ReportStore(path: folder.path("fresh.sqlite"), access: .readWrite)
        try store.reader.read { (db) throws in
            #expect(try Int.fetchOne(db, sql: "PRAGMA user_version") == Migrations.all.count)
            #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"])
            #expect(try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").isEmpty)
        }
        #expect(try Self.schema(store) == Self.schema(fresh))
    }

    @Test("no migration was changed after a database was made with it", arguments: DatabaseFixture.all)
    func frozen(fixture: DatabaseFixture) throws {
        let digests = fixture.folder.appendingPathComponent("migrations.sha256")
        let lines = try String(contentsOf: digests, encoding: .utf8).split(separator: "\n")
        // What is embedded is compared with the files elsewhere.
        #expect(
            lines.map { $0.split(separator: " ").last.map(String.init) } == Migrations.all.prefix(fixture.schema).map { $0.name + ".sql" })
        let check = Process()
        check.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        check.arguments = ["sha256sum", "--check", "--strict", "--quiet", digests.path]
        check.currentDirectoryURL = fixture.folder.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("migrations")
        try check.run()
        check.waitUntilExit()
        #expect(check.terminationStatus == 0, "a released migration differs from its digest; what has to change gets the next number")
    }

    /// Every object's definition, without what white space there is.
    private static func schema(_ store: ReportStore) throws -> [String] {
        try store.reader.read { db in
            try Row.fetchAll(db, sql: "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name").map { row in
                let sql: String = row[3]
                return "\(row[0] as String) \(row[1] as String) \(row[2] as String) \(sql.split { $0.isWhitespace }.joined(separator: " "))"
            }
        }
    }
}

/// A folder that goes with the test.
final class TestFolder: Sendable {
    let url = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }
}
