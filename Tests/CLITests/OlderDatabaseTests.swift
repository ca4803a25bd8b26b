import DatabaseFixtures
import Foundation
import Testing

/// A database that an earlier version left answers as it did then.
@Suite("Databases of earlier schemas: answers")
struct OlderDatabaseTests {
    /// What rules concluded may be concluded anew by better rules; what was counted stays.
    private static let concluded: Set = ["pass_rate_without_forwarding"]

    private static let questions: [(file: String, arguments: [String])] = [
        ("summary.ndjson", ["summary"]), ("reports.ndjson.gz", ["reports", "--limit", "all"]), ("refused.ndjson", ["refused"]),
        ("export-daily.ndjson", ["export", "daily"]), ("export-records.ndjson.gz", ["export", "records"]),
    ]

    @Test("what was recorded is answered", arguments: DatabaseFixture.all)
    func answers(fixture: DatabaseFixture) throws {
        let runner = try CommandRunner()
        try fixture.unpack(to: runner.database)
        for (file, arguments) in Self.questions {
            let period = arguments == ["refused"] ? [] : ["--since", "2012-01-01", "--until", "2026-11-21"]
            let outcome = runner.ask(arguments + period + ["--format", "ndjson"])
            #expect(outcome.status == 0 && outcome.errors == "", "\(file): \(outcome.errors)")
            let recorded = try fixture.answer(file)
            let answered = outcome.output.split(separator: "\n").map(String.init)
            try #require(recorded.count == answered.count && !recorded.isEmpty, "\(file): \(recorded.count) lines, now \(answered.count)")
            for (then, now) in zip(recorded, answered) {
                let (then, now) = (try object(then), try object(now))
                for (key, value) in then where !Self.concluded.contains(key) {
                    #expect(now[key] == value, "\(file), \(key): \(value), now \(String(describing: now[key]))")
                }
            }
        }
    }

    @Test("every figure agrees with the records", arguments: DatabaseFixture.all)
    func doctor(fixture: DatabaseFixture) throws {
        let runner = try CommandRunner()
        try fixture.unpack(to: runner.database)
        let outcome = runner.run(["doctor", "--database", runner.database])
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }

    private func object(_ line: String) throws -> [String: NSObject] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: NSObject])
    }
}
