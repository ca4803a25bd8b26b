import Foundation
import GRDB
import Testing

@Suite("docs/SCHEMA.md")
struct SchemaDocumentTests {
    private func document() throws -> String {
        // Beside the package, whose place is known from this file's.
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("docs/SCHEMA.md"), encoding: .utf8)
    }

    @Test("every table, view and column stands in it")
    func names() throws {
        let text = try document()
        let facts = try FactsFixture(seed: 1, reports: 5)
        try facts.store.reader.read { db in
            let objects = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'")
            #expect(objects.count > 15)
            for object in objects {
                let start = try #require(text.range(of: "### `\(object)`"), "\(object) has no section")
                let rest = text[start.upperBound...]
                let section = rest[..<(rest.range(of: "\n#")?.lowerBound ?? rest.endIndex)]
                for column in try db.columns(in: object) {
                    #expect(section.contains("| `\(column.name)` |"), "\(object).\(column.name) is not explained")
                }
            }
        }
    }

    @Test("every example runs")
    func examples() throws {
        let blocks = try document().components(separatedBy: "```sql\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
        #expect(blocks.count >= 5)
        let facts = try FactsFixture(seed: 2, reports: 60)
        try facts.store.reader.read { db in
            for block in blocks { #expect(throws: Never.self, "\(block)") { _ = try Row.fetchAll(db, sql: block) } }
        }
    }

    @Test("the views agree with the tables and write addresses as text")
    func views() throws {
        let facts = try FactsFixture(seed: 3, reports: 80)
        let expected = facts.shares
        try facts.store.reader.read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT * FROM v_records")
            #expect(rows.count == expected.count)
            #expect(rows.reduce(0) { $0 + ($1["messages"] as Int) } == expected.reduce(0) { $0 + $1.messages })
            let daily = try Int.fetchOne(db, sql: "SELECT sum(messages) FROM v_daily")
            let sources = try Int.fetchOne(db, sql: "SELECT sum(messages) FROM v_sources")
            #expect(daily == sources && daily == expected.reduce(0) { $0 + $1.messages })
            let four = Set(expected.map(\.record.source).filter(\.isIPv4).map(\.description))
            let six = Set(expected.map(\.record.source).filter { !$0.isIPv4 }.map { "2001:0db8:0000:0000:0000:0000:0000:00" + hex($0.low) })
            #expect(Set(rows.map { $0["source"] as String }) == four.union(six))
            for row in rows {
                let fact = try #require(
                    expected.first {
                        $0.report.id == row["report"] && $0.record.sequence == row["record"] && $0.day.description == row["day"]
                    })
                #expect(row["spf_domain"] as String? == fact.record.authentication.spf.first?.domain)
                let signature = fact.record.authentication.dkim.first { $0.result == .pass } ?? fact.record.authentication.dkim.first
                #expect(row["dkim_domain"] as String? == signature?.domain)
                #expect(row["dkim_selector"] as String? == signature?.selector)
                #expect(row["dkim_result"] as String? == signature?.result.rawValue)
                #expect((row["passed"] as Int == 1) == fact.record.passed)
            }
        }
    }

    private func hex(_ value: UInt64) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }
}
