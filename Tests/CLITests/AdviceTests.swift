import Analysis
import DMARC
import Foundation
import Testing

@testable import CLI

/// The twelve situations of `Situations/`: the codes, and the texts in both languages.
@Suite("Advice")
struct AdviceTests {
    static let folder = CommandRunner.golden.deletingLastPathComponent().appendingPathComponent("Situations")

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".world") }.map { String($0.dropLast(6)) }.sorted()

    /// A database that holds the reports of a situation.
    private func runner(_ name: String) throws -> CommandRunner {
        let runner = try CommandRunner()
        let reports = runner.directory.appendingPathComponent("reports")
        try FileManager.default.createDirectory(at: reports, withIntermediateDirectories: false)
        let world = try String(contentsOf: Self.folder.appendingPathComponent("\(name).world"), encoding: .utf8)
        try Situation(world).write(to: reports)
        let outcome = runner.ask(["ingest", reports.path])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return runner
    }

    @Test("there are twelve situations")
    func twelve() { #expect(Self.names.count == 12) }

    @Test("a situation gives its codes and no others, in words of both languages", arguments: names)
    func situation(name: String) throws {
        let runner = try runner(name)
        let data = runner.ask(["advise", "--format", "json"])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(data.output.utf8)) as? [String: Any])
        #expect(object["schema"] as? String == "dmarcstat.advise/1")
        let rows = try #require(object["rows"] as? [[String: Any]])
        let codes = rows.compactMap { $0["code"] as? String }
        let expected = try String(contentsOf: Self.folder.appendingPathComponent("\(name).codes"), encoding: .utf8)
        #expect(codes.sorted() == expected.split(separator: "\n").map(String.init).sorted())
        for language in ["en", "nl"] {
            let outcome = runner.ask(["advise", "--all", "--lang", language, "--no-color"], width: 100)
            #expect(outcome.status == 0)
            try compare("\(name).\(language).txt", outcome.output)
        }
    }

    private func compare(_ name: String, _ text: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("recorded \(name)")
            return
        }
        let expected = try? String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "\(name); RECORD_SNAPSHOTS=1 writes it anew")
    }

    @Test("keys and codes are the same in every language")
    func languages() throws {
        let runner = try runner("03-mailing-list")
        func rows(_ language: String) throws -> [[String: Any]] {
            let output = runner.ask(["advise", "--format", "ndjson", "--lang", language]).output
            return try output.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
        let (english, dutch) = (try rows("en"), try rows("nl"))
        #expect(!english.isEmpty && english.count == dutch.count)
        for (a, b) in zip(english, dutch) {
            #expect(a["text"] as? String != b["text"] as? String)
            for key in a.keys where key != "text" { #expect(a[key] as? NSObject == b[key] as? NSObject, "\(key)") }
        }
    }

    @Test("the language is that of the locale unless asked otherwise")
    func locale() throws {
        let runner = try runner("01-healthy")
        func first(_ environment: [String: String], _ arguments: [String] = []) -> String {
            var environment = environment
            environment["HOME"] = "/nonexistent"
            let outcome = runner.run(["advise", "--database", runner.database] + arguments, environment: environment)
            return outcome.output.contains("Klaar voor p=quarantine") ? "nl" : outcome.output.contains("Ready for") ? "en" : "?"
        }
        #expect(first([:]) == "en")
        #expect(first(["LANG": "nl_NL.UTF-8"]) == "nl")
        #expect(first(["LANG": "nl_BE"]) == "nl")
        #expect(first(["LANG": "nl_NL.UTF-8", "LC_ALL": "C"]) == "en")
        #expect(first(["LANG": "en_GB.UTF-8", "LC_MESSAGES": "nl_NL.UTF-8"]) == "nl")
        #expect(first(["LANG": "nl_NL.UTF-8"], ["--lang", "en"]) == "en")
        #expect(runner.ask(["advise", "--lang", "fr"]).status == 64)
    }

    @Test("without --all what is fine is one line, and a domain with nothing else only a name")
    func brief() throws {
        let runner = try runner("02-forwarder")
        let text = runner.ask(["advise"]).output
        #expect(text.contains("\nfine: Forwarded mail fails SPF, as always (A1)\n") && !text.contains("SRS"))
        #expect(runner.ask(["advise", "--all"]).output.contains("SRS"))
    }

    @Test("with reports of one reporter only, no stricter policy is advised")
    func oneReporter() throws {
        let runner = try runner("01-healthy")
        let output = runner.ask(["advise", "--reporter", "google.com", "--format", "csv"]).output
        #expect(output.contains("one-reporter") && !output.contains("p=quarantine\"\",\"\"replaces"))
    }

    @Test("every text of every finding is there in both languages, and leaves nothing unsaid")
    func texts() throws {
        for name in Self.names {
            for language in ["en", "nl"] {
                let file = Self.folder.appendingPathComponent("\(name).\(language).txt")
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(!text.contains("Optional(") && !text.contains("  .") && !text.contains(" 1 messages"), "\(name)")
                #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 || $0.contains("https://") }, "\(name)")
            }
        }
    }

    @Test("numbers and days are written as the language does")
    func notation() {
        let dutch = DutchAdvice(most: 3).writer
        let english = EnglishAdvice(most: 3).writer
        let day = Day(year: 2026, month: 10, day: 1) ?? Day(0)
        #expect(dutch.number(1_234_567) == "1.234.567" && english.number(1_234_567) == "1,234,567")
        #expect(dutch.day(day) == "1 okt 2026" && english.day(day) == "1 Oct 2026")
        #expect(dutch.percent(1, of: 3) == "33,3%" && english.percent(999_999, of: 1_000_000) == ">99.9%")
        #expect(english.percent(1, of: 1_000_000) == "<0.1%" && english.percent(5, of: 5) == "100%" && english.percent(0, of: 0) == "–")
        #expect(dutch.list(["a", "b", "c", "d", "e"]) == "a, b, c en 2 andere" && english.list(["a", "b"]) == "a and b")
        #expect(english.list(["a", "b", "c", "d"]) == "a, b, c and d")
        #expect(relativeName("_dmarc.shop.example.org", zone: "example.org") == "_dmarc.shop")
        #expect(relativeName("example.org", zone: "example.org") == "@")
    }
}
