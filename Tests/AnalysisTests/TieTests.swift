import DMARC
import Foundation
import GRDB
import Testing

@testable import Store

@Suite("Sets of results with as many messages")
struct TieTests {
    private static let sets =
        ["beta.example", "alpha.example", "gamma.example"].map {
            AuthenticationSet(spf: [SPFResult(domain: $0, scope: .mfrom, result: .pass)])
        } + [
            AuthenticationSet(spf: [SPFResult(domain: "alpha.example", scope: .mfrom, result: .fail)]),
            AuthenticationSet(dkim: [DKIMResult(domain: "alpha.example", selector: "s1", result: .pass)]),
        ]

    private func usual(_ order: [Int], _ messages: [Int]) throws -> AuthenticationSet {
        let queue = try DatabaseQueue()
        return try queue.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                    CREATE TABLE authentication_results (
                        set_id INTEGER, position INTEGER, method TEXT, domain_id INTEGER, selector_id INTEGER, scope TEXT, result TEXT,
                        raw_result TEXT, human_result TEXT);
                    """)
            func key(_ name: String?) throws -> Int? {
                guard let name else { return nil }
                try db.execute(sql: "INSERT OR IGNORE INTO names (name) VALUES (?)", arguments: [name])
                return try Int.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [name])
            }
            var votes: [Int: Int] = [:]
            for (place, number) in order.enumerated() {
                votes[place + 1] = messages[number]
                for result in Self.sets[number].dkim {
                    try db.execute(
                        sql: "INSERT INTO authentication_results VALUES (?, 0, 'dkim', ?, ?, NULL, ?, NULL, NULL)",
                        arguments: [place + 1, key(result.domain), key(result.selector), result.result.rawValue])
                }
                for result in Self.sets[number].spf {
                    try db.execute(
                        sql: "INSERT INTO authentication_results VALUES (?, 0, 'spf', ?, NULL, 'mfrom', ?, NULL, NULL)",
                        arguments: [place + 1, key(result.domain), result.result.rawValue])
                }
            }
            var lookup = AuthenticationLookup(Facts(db))
            let usual = try lookup.usual(of: votes)
            return try usual.map { try lookup.set($0) } ?? AuthenticationSet()
        }
    }

    @Test("the first by names, then by words, whatever was stored first")
    func order() throws {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
            #expect(try usual(order, [5, 5, 5, 5, 5]) == Self.sets[3], "\(order)")
            #expect(try usual(order, [5, 5, 5, 4, 0]) == Self.sets[1], "\(order)")
            #expect(try usual(order, [5, 5, 6, 5, 0]) == Self.sets[2], "\(order)")
            // A set without SPF has no name in the first place.
            #expect(try usual(order + [4], [5, 5, 5, 5, 5]) == Self.sets[4], "\(order)")
        }
    }
}
