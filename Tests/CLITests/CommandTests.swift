import DMARC
import Foundation
import Inference
import Questions
import Testing

@testable import CLI

@Suite("Commands")
struct CommandTests {
    // MARK: Formats

    static let questions = [
        "summary", "top-failures", "sources", "trend", "reports", "refused", "status", "export", "export daily", "show 1", "advise",
    ]

    @Test("JSON is one object with schema, period and rows whose keys are the columns", arguments: questions)
    func json(question: String) throws {
        let words = question.split(separator: " ").map(String.init)
        let runner = try CommandRunner.filled()
        let outcome = runner.ask(words + ["--format", "json"])
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        let suffix = words.first == "export" ? "-" + (words.count > 1 ? words[1] : "records") : ""
        #expect(object["schema"] as? String == "dmarcstat.\(words[0])\(suffix)/1")
        #expect(object["period"] != nil)
        let rows = try #require(object["rows"] as? [[String: Any]])
        #expect(!rows.isEmpty)
        let csv = runner.ask(words + ["--format", "csv"]).output
        let header = try #require(csv.components(separatedBy: "\r\n").first).components(separatedBy: ",")
        #expect(rows.allSatisfy { Set($0.keys) == Set(header) })
        let lines = runner.ask(words + ["--format", "ndjson"]).output.split(separator: "\n")
        #expect(lines.count == rows.count)
    }

    @Test("what is piped is never shortened, and has no colour", arguments: questions)
    func piped(question: String) throws {
        let runner = try CommandRunner.filled()
        let text = runner.ask(question.split(separator: " ").map(String.init)).output
        #expect(!text.contains("\u{1b}") && !text.contains("…"))
    }

    @Test("a stranger's text reaches no terminal as it is")
    func safe() throws {
        let runner = try CommandRunner.filled()
        for question in ["reports", "show 6", "export --format table", "refused"] {
            for width in [nil, 60, 200] {
                let outcome = runner.ask(question.split(separator: " ").map(String.init) + ["--no-color"], width: width)
                for scalar in (outcome.output + outcome.errors).unicodeScalars where scalar != "\n" {
                    #expect(scalar.value >= 0x20 && scalar.value != 0x7F && !(0x80...0x9F).contains(scalar.value))
                    #expect(!(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value))
                }
            }
        }
    }

    @Test("lines fit the terminal", arguments: [60, 80, 132])
    func width(width: Int) throws {
        let runner = try CommandRunner.filled()
        for question in ["summary", "top-failures", "sources", "unaligned --all", "forwarding", "trend", "reports", "show 1"] {
            let text = runner.ask(question.split(separator: " ").map(String.init) + ["--no-color"], width: width).output
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= width }, "\(question)")
        }
    }

    @Test("colour needs a terminal and nobody who minds")
    func color() throws {
        let runner = try CommandRunner.filled()
        let arguments = ["top-failures", "--database", runner.database]
        #expect(runner.run(arguments, width: 100).output.contains("\u{1b}["))
        #expect(!runner.run(arguments, width: 100, environment: ["NO_COLOR": "1"]).output.contains("\u{1b}["))
        #expect(!runner.run(arguments, width: 100, environment: ["TERM": "dumb"]).output.contains("\u{1b}["))
        #expect(!runner.run(arguments + ["--no-color"], width: 100).output.contains("\u{1b}["))
        #expect(!runner.run(arguments).output.contains("\u{1b}["))
    }

    // MARK: Where output goes

    @Test("--output writes a whole file, whose name chooses the format")
    func outputFile() throws {
        let runner = try CommandRunner.filled()
        for name in ["a.csv", "a.json", "a.ndjson", "a.txt"] {
            let path = runner.directory.appendingPathComponent(name).path
            let outcome = runner.ask(["summary", "--output", path])
            #expect(outcome == Outcome(status: 0, output: "", errors: ""))
            let format = name == "a.txt" ? "table" : String(name.dropFirst(2))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == runner.ask(["summary", "--format", format]).output)
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: runner.directory.path)
        #expect(files.filter { !$0.hasPrefix("dmarc.sqlite") }.sorted() == ["a.csv", "a.json", "a.ndjson", "a.txt"])
        let nowhere = runner.directory.appendingPathComponent("no/such/a.csv").path
        let outcome = runner.ask(["summary", "-o", nowhere])
        #expect(outcome.status == 74 && outcome.errors.contains("a.csv cannot be written: no such file or directory"))
        let export = runner.ask(["export", "-o", nowhere])
        #expect(export.status == 74)
    }

    @Test("a reader that goes away is success, a full disk is not", arguments: questions)
    func closed(question: String) throws {
        let runner = try CommandRunner.filled()
        let arguments = question.split(separator: " ").map(String.init) + ["--database", runner.database]
        let closed = runner.run(arguments, output: ClosedChannel())
        #expect(closed.status == 0 && closed.errors.isEmpty)
        let full = runner.run(arguments, output: FullChannel())
        #expect(full.status == 75 && full.errors.contains("no space left"))
    }

    @Test("the next command is suggested on a terminal only, and repeats what is needed")
    func suggestions() throws {
        let runner = try CommandRunner.filled()
        let outcome = runner.ask(["summary"], width: 100)
        #expect(outcome.errors.contains("Next: dmarcstat top-failures --domain example.org --database \(runner.database)"))
        #expect(runner.ask(["summary"]).errors.isEmpty)
        #expect(runner.ask(["summary", "--format", "csv"], width: 100).errors.isEmpty)
    }

    // MARK: Databases

    @Test("without a database a question says what to do, and bare dmarcstat how to begin")
    func noDatabase() throws {
        let runner = try CommandRunner()
        for command in [
            "summary", "top-failures", "sources", "unaligned", "forwarding", "trend", "reports", "refused", "status", "export", "show 1",
        ] {
            let outcome = runner.ask(command.split(separator: " ").map(String.init))
            #expect(outcome.status == 74 && outcome.output.isEmpty)
            #expect(outcome.errors.contains("no database at \(runner.database) yet. Next: dmarcstat ingest PATH"))
        }
        let start = runner.run([], environment: ["HOME": runner.directory.path])
        #expect(start.status == 0 && start.output.split(separator: "\n").count == 6)
        #expect(!FileManager.default.fileExists(atPath: runner.database))
    }

    @Test("bare dmarcstat is the status of the database there is")
    func bare() throws {
        let runner = try CommandRunner.filled()
        let data = runner.directory.appendingPathComponent("dmarcstat")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: false)
        for file in ["dmarc.sqlite", "dmarc.sqlite-wal", "dmarc.sqlite-shm"] {
            try? FileManager.default.copyItem(at: runner.directory.appendingPathComponent(file), to: data.appendingPathComponent(file))
        }
        let outcome = runner.run([], environment: ["XDG_DATA_HOME": runner.directory.path])
        #expect(outcome.status == 0 && outcome.output.hasPrefix("Status\n") && outcome.output.contains("Last day with data"))
    }

    @Test("the usual place of the database")
    func place() throws {
        let runner = try CommandRunner()
        func place(_ environment: [String: String], _ userID: UInt32) -> String {
            runner.run(["summary"], environment: environment, userID: userID).errors
        }
        #expect(place(["HOME": "/nonexistent/a"], 1000).contains("/nonexistent/a/.local/share/dmarcstat/dmarc.sqlite yet"))
        #expect(
            place(["HOME": "/nonexistent/a", "XDG_DATA_HOME": "/nonexistent/b"], 1000).contains(
                " /nonexistent/b/dmarcstat/dmarc.sqlite yet"))
        #expect(place(["HOME": "/nonexistent/a", "XDG_DATA_HOME": "relative"], 1000).contains("/nonexistent/a/.local/share/"))
        #expect(runner.run(["summary"], environment: [:]).status == 78)
    }

    @Test("a file that is no database is refused in words")
    func notADatabase() throws {
        let runner = try CommandRunner()
        try String(repeating: "not a database at all ", count: 100).write(toFile: runner.database, atomically: true, encoding: .utf8)
        let outcome = runner.ask(["summary"])
        #expect(outcome.status == 74 && outcome.errors.contains("is no sound dmarcstat database"))
    }

    // MARK: show

    @Test("a report from its file shows what the stored one shows", arguments: 1...6)
    func showFile(number: Int) throws {
        let runner = try CommandRunner.filled()
        let stored = runner.ask(["show", "\(number)", "--format", "csv"])
        let file = runner.run(["show", CommandRunner.reports[number - 1], "--format", "csv"])
        #expect(stored.status == 0 && file == stored)
        let text = runner.run(["show", CommandRunner.reports[number - 1]]).output
        #expect(
            text.components(separatedBy: "\n\nDeviations").first
                == runner.ask(["show", "\(number)"]).output.components(separatedBy: "\n\nDeviations").first)
    }

    @Test("what cannot be shown is explained")
    func showNothing() throws {
        let runner = try CommandRunner()
        let cut = runner.run(["show", CommandRunner.reports[6]])
        #expect(cut.status == 65 && cut.output.contains("07-cut-off.xml: xml-truncated: line"))
        let missing = runner.run(["show", "/nonexistent/report.xml"])
        #expect(missing.status == 74 && missing.errors.contains("/nonexistent/report.xml cannot be read"))
    }

    // MARK: Limits and order

    @Test("--sort orders by any key, values that are missing last; --limit cuts afterwards")
    func sorting() throws {
        let runner = try CommandRunner.filled()
        func first(_ arguments: String...) -> [String] {
            runner.ask(arguments + ["--format", "csv"]).output.components(separatedBy: "\r\n").dropFirst().filter { !$0.isEmpty }
                .map { $0.components(separatedBy: ",")[0] }
        }
        #expect(first("summary") == ["example.org", "xn--bcher-kva.example", "shop.example.org", "evil.example"])
        #expect(first("summary", "--sort", "domain") == ["evil.example", "example.org", "shop.example.org", "xn--bcher-kva.example"])
        #expect(first("summary", "--sort", "messages:asc").first == "evil.example")
        #expect(first("summary", "--sort", "pass_rate").first == "example.org")
        #expect(first("summary", "--sort", "domain", "--limit", "1") == ["evil.example"])
        #expect(first("top-failures", "--sort", "reporters").first == "1")
        #expect(first("reports", "--sort", "records:asc", "--limit", "2") == ["6", "4"])
        #expect(first("export", "--limit", "3").count == 3)
        #expect(first("top-failures", "--limit", "all").count == 5)
    }
}

@Suite("Words of the command line")
struct VocabularyTests {
    @Test(
        "days, spans and words",
        arguments: [
            ("2026-11-01", "2026-11-01", "2026-11-01"), ("2026-02", "2026-02-01", "2026-02-28"), ("2024-12", "2024-12-01", "2024-12-31"),
            ("2026", "2026-01-01", "2026-12-31"), ("today", "2026-11-21", "2026-11-21"), ("Yesterday", "2026-11-20", "2026-11-20"),
            ("this-week", "2026-11-16", "2026-11-21"), ("last-week", "2026-11-09", "2026-11-15"),
            ("this-month", "2026-11-01", "2026-11-21"), ("last-month", "2026-10-01", "2026-10-31"),
            ("this-year", "2026-01-01", "2026-11-21"), ("last-year", "2025-01-01", "2025-12-31"),
        ])
    func days(text: String, first: String, last: String) throws {
        let today = try #require(Day(iso: "2026-11-21"))
        guard case .days(let since, let until) = try #require(PeriodText(text)).expression(today: today) else {
            Issue.record("\(text) is not read as days")
            return
        }
        #expect("\(since)" == first && "\(until)" == last)
    }

    @Test("last month is in the last year in January")
    func january() throws {
        let today = try #require(Day(iso: "2026-01-31"))
        guard case .days(let since, let until) = try #require(PeriodText("last-month")).expression(today: today) else { return }
        #expect("\(since) \(until)" == "2025-12-01 2025-12-31")
    }

    @Test(
        "spans",
        arguments: [("30d", PeriodExpression.lastDays(30)), ("12w", .lastDays(84)), ("6mo", .lastMonths(6)), ("1y", .lastMonths(12))])
    func spans(text: String, expected: PeriodExpression) throws {
        let period = try #require(PeriodText(text))
        #expect(period.isSpan && period.expression(today: Day(0)) == expected)
    }

    @Test(
        "nonsense is not read",
        arguments: [
            "", "0d", "-3d", "d", "30", "30 d", "999999d", "6m", "2026-13", "2026-02-30", "26-01-01", "next-month", "2026-11-01T00:00",
            "٣d",
        ])
    func nonsense(text: String) { #expect(PeriodText(text) == nil) }

    @Test(
        "conditions",
        arguments: [
            ("new-source", .newSource), ("reporter-silent", .reporterSilent), ("pass-rate<0.98", .passRate(.less, 0.98)),
            ("pass-rate >= 1", .passRate(.atLeast, 1)), ("pass-rate-without-forwarding<=.5", .passRateWithoutForwarding(.atMost, 0.5)),
            ("failed>100", .failed(.more, 100)), ("failed", .failed(.more, 0)), ("unaligned>=7", .unaligned(.atLeast, 7)),
            ("spoofed-delivered", .spoofedDelivered(.more, 0)), ("spoofed-delivered>10", .spoofedDelivered(.more, 10)),
        ] as [(String, Condition)])
    func conditions(text: String, expected: Condition) { #expect(ConditionText(text)?.condition == expected) }

    @Test(
        "no conditions",
        arguments: [
            "", "failure", "pass-rate", "pass-rate<", "pass-rate<98", "pass-rate<98%", "pass-rate=0.98", "pass-rate<>0.9", "pass-rate<-1",
            "pass-rate<nan", "pass-rate<0x1", "failed>1.5", "failed>many", "failed>99999999999999999999", "new-source>1", "<1",
            "reporter-silent<3",
        ])
    func noConditions(text: String) { #expect(ConditionText(text) == nil) }

    @Test("limits", arguments: [("1", 1), ("20", 20), ("all", nil)] as [(String, Int?)])
    func limits(text: String, rows: Int?) throws { #expect(try #require(Limit(text)).rows == rows) }

    @Test("no limits", arguments: ["0", "-1", "+1", "1.5", "many", ""])
    func noLimits(text: String) { #expect(Limit(text) == nil) }

    @Test(
        "suggestions",
        arguments: [("sumary", "summary"), ("top-failure", "top-failures"), ("trned", "trend"), ("stat", "status"), ("xyzzy", nil)]
            as [(String, String?)])
    func suggestions(word: String, expected: String?) {
        #expect(suggestion(for: word, among: ["summary", "top-failures", "trend", "status"]) == expected)
    }

    @Test(
        "words of a shell",
        arguments: [("a.sqlite", "a.sqlite"), ("two words", "'two words'"), ("it's", #"'it'\''s'"#), ("", "''"), ("$x", "'$x'")])
    func quoting(text: String, expected: String) { #expect(quoted(text) == expected) }
}
