import Foundation
import Testing

@testable import CLI

@Suite("Slips, and readers that go away")
struct SlipTests {
    @Test("a domain that nobody reports about is named, with the nearest one; a condition cannot pass on it")
    func unknownDomain() throws {
        let runner = try CommandRunner.filled()
        let warning = "dmarcstat: no reports about exmaple.org or anything below. Did you mean 'example.org'?\n"
        for question in ["summary", "sources", "trend --explain", "what-if --policy reject", "advise", "reporters", "export records"] {
            let outcome = runner.ask(question.split(separator: " ").map(String.init) + ["--domain", "exmaple.org"])
            #expect(outcome.status == 0 && outcome.errors == warning, "\(question): \(outcome)")
        }
        let condition = ["summary", "--fail-on", "pass-rate<0.000001", "--domain"]
        #expect(runner.ask(condition + ["exmaple.org"]).status == 64)
        #expect(runner.ask(condition + ["example.org"]).status == 0)
        #expect(runner.ask(condition + ["example.org", "--domain", "exmaple.org"]).status == 64)
        let held = runner.ask(["summary", "--fail-on", "failed", "--domain", "example.org", "--domain", "exmaple.org"])
        #expect(held.status == 1 && held.errors.hasPrefix(warning))
    }

    @Test("a reader that goes away does not decide whether a condition holds", arguments: ["table", "csv", "json", "ndjson"])
    func closedPipe(format: String) throws {
        let runner = try CommandRunner.filled()
        for question in ["summary", "top-failures", "sources", "unaligned", "trend", "status"] {
            let arguments = [question, "--format", format, "--database", runner.database, "--fail-on"]
            let held = runner.run(arguments + ["reporter-silent", "--fail-on", "failed"], output: ClosedChannel())
            #expect(held.status == 1 && held.errors.contains("failed: "), "\(question): \(held)")
            #expect(runner.run(arguments + ["failed>1000000"], output: ClosedChannel()).status == 0)
        }
    }

    @Test("explain shows the places with most records, and says how many there are")
    func leadingPlaces() throws {
        let runner = try CommandRunner()
        let samples = CommandRunner.golden.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("reports-sample/maildir")
        #expect(runner.run(["ingest", samples.path, "--database", runner.database]).status == 0)
        func places(_ arguments: [String]) -> [Int] {
            let output = runner.ask(["explain", "mail2026", "--format", "csv"] + arguments).output
            return output.split(whereSeparator: \.isNewline).dropFirst().compactMap { line in
                let cells = line.split(separator: ",", omittingEmptySubsequences: false)
                return Int(cells[5]).flatMap { verified in Int(cells[6]).map { verified + $0 } }
            }
        }
        let all = places([])
        try #require(all.count > 1)
        #expect(places(["--limit", "all"]) == all)
        #expect(places(["--limit", "1"]) == [all.max()])
        let text = runner.ask(["explain", "mail2026", "--limit", "1"]).output
        #expect(text.contains("1 of \(all.count) places, those with most records; the others with --limit all."))
    }

    @Test("a subject that no report has is no success", arguments: ["192.0.2.250", "nowhere.example", "nothing"])
    func unknownSubject(subject: String) throws {
        let runner = try CommandRunner.filled()
        for format in ["table", "csv", "json"] {
            let outcome = runner.ask(["explain", subject, "--format", format])
            #expect(outcome.status == 64 && outcome.errors.contains(subject))
        }
    }
}
