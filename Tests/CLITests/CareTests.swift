import Foundation
import Testing

@testable import CLI

@Suite("Commands that look after a database")
struct CareTests {
    @Test("backup says what it copied, and replaces nothing unless it is told to")
    func backup() throws {
        let runner = try CommandRunner.filled()
        let copy = runner.directory.appendingPathComponent("copy.sqlite").path
        let outcome = runner.ask(["backup", copy])
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.hasPrefix("\(copy): ") && outcome.output.hasSuffix(" bytes, 6 reports, 7 messages of the ledger; checked\n"))
        let again = runner.ask(["backup", copy])
        #expect(again.status == 64 && again.errors.contains("is there already and is left as it is"))
        #expect(runner.ask(["backup", "--force", copy]) == outcome)
        #expect(runner.ask(["backup", "--force", runner.database]).status == 77)
        #expect(runner.run(["export", "--database", copy]) == runner.ask(["export"]))
        let missing = runner.run(["backup", copy + ".2", "--database", copy + ".3"])
        #expect(missing.status == 74 && !FileManager.default.fileExists(atPath: copy + ".2"))
    }

    @Test("unwatched, ingest says in one line what somebody should know, and nothing otherwise; --fail-on makes it a status")
    func noteworthy() throws {
        let runner = try CommandRunner.filled()
        func file(_ name: String, _ content: String) throws -> String {
            let url = runner.directory.appendingPathComponent(name)
            try Data(content.utf8).write(to: url)
            return url.path
        }
        let note = try file("note.eml", "From: a@b.example\nSubject: hello\n\nhello\n")
        #expect(runner.ask(["ingest", note]) == Outcome(status: 0, output: "", errors: ""))
        let cut = try file("cut.xml", "<?xml version=\"1.0\"?>\n<feedback><version>1.0</version>")
        let refused = runner.ask(["ingest", cut])
        #expect(refused.status == 0 && refused.output.isEmpty)
        #expect(
            refused.errors.hasPrefix("dmarcstat: 1 refused: \(cut): xml-truncated: ") && refused.errors.contains(" Next: dmarcstat refused")
        )
        #expect(refused.errors.filter { $0 == "\n" }.count == 1)
        // It is new once.
        #expect(runner.ask(["ingest", cut, "--fail-on", "refused"]) == Outcome(status: 0, output: "", errors: ""))
        let again = try file("again.xml", "<feedback>")
        #expect(runner.ask(["ingest", again, "--fail-on", "conflict", "--fail-on", "refused"]).status == 1)
        let third = try file("third.xml", "<feedback><a/>")
        let data = runner.ask(["ingest", third, "--format", "json", "--fail-on", "refused"])
        #expect(data.status == 1 && data.errors == "dmarcstat: refused: 1 in this run.\n")
        // The same report with other counts.
        let original = try String(contentsOfFile: try #require(CommandRunner.reports.first { $0.hasSuffix(".xml") }), encoding: .utf8)
        let other = try file(
            "other.xml", original.replacing("</feedback>", with: "<!-- --></feedback>").replacing("<count>1", with: "<count>7"))
        let conflict = runner.ask(["ingest", other, "--fail-on", "refused", "--fail-on", "deferred"])
        #expect(conflict.status == 0 && conflict.errors.hasPrefix("dmarcstat: 1 conflict"), "\(conflict)")
        let unknown = runner.ask(["ingest", note, "--fail-on", "refuse"])
        #expect(unknown.status == 64)
    }

    @Test("doctor --database checks in depth, with a file or without one, and plain doctor mentions it")
    func doctor() throws {
        let runner = try CommandRunner.filled()
        let folder = runner.directory.appendingPathComponent("dmarcstat")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        #expect(runner.ask(["backup", folder.appendingPathComponent("dmarc.sqlite").path]).status == 0)
        let environment = ["XDG_DATA_HOME": runner.directory.path]
        func doctor(_ arguments: String...) -> Outcome { runner.run(["doctor"] + arguments, environment: environment) }
        let plain = doctor()
        #expect(plain.status == 0 && !plain.output.contains("integrity") && plain.output.contains("doctor --database checks it in depth"))
        for outcome in [doctor("--database"), doctor("--database", "--ascii"), doctor("--in-depth")] {
            #expect(outcome.status == 0 && outcome.output.contains("daily-verdicts"))
        }
        #expect(runner.ask(["doctor"]).output.contains("daily-verdicts"))
        let missing = doctor("--database", folder.path + "/none.sqlite")
        #expect(missing.status == 74 && missing.output.contains("not there yet, so nothing was checked"))
    }

    @Test("none of them makes a database where there is none", arguments: [["purge", "--before", "2026-01-01"], ["reprocess"]])
    func missing(arguments: [String]) throws {
        let runner = try CommandRunner()
        #expect(runner.ask(arguments).status == 74)
        #expect(try FileManager.default.contentsOfDirectory(atPath: runner.directory.path).isEmpty)
    }

    @Test("after a purge questions are answered from what is left")
    func purge() throws {
        let runner = try CommandRunner.filled()
        let trend = runner.ask(["trend", "--since", "2026-11-01", "--format", "csv"]).output
        #expect(runner.ask(["purge", "--before", "2026-11-05", "--keep-daily"]).status == 0)
        // All but the number of reports.
        func figures(_ text: String) -> [[Substring]] {
            text.split(separator: "\r\n").map { line in line.split(separator: ",", omittingEmptySubsequences: false).map { $0 } }
                .map { row in row.indices.filter { $0 != 6 }.map { row[$0] } }
        }
        #expect(figures(runner.ask(["trend", "--since", "2026-11-01", "--format", "csv"]).output) == figures(trend))
        #expect(runner.ask(["doctor"]).status == 0)
        #expect(runner.ask(["purge", "--domain", "example.org", "--vacuum"]).status == 0)
        #expect(!runner.ask(["summary", "--since", "2026-01-01"]).output.contains("example.org"))
        #expect(runner.ask(["reprocess"]).status == 0 && runner.ask(["doctor"]).status == 0)
    }

    private static let noFiles = [":memory:", "file:dmarc.sqlite", "file:dmarc.sqlite?mode=memory", "FILE:x", ":", ""]

    @Test("what SQLite would not take for a file on disk is no database, whoever names it", arguments: noFiles)
    func noFile(name: String) throws {
        let runner = try CommandRunner.filled()
        let report = CommandRunner.reports[0]
        for command in [["ingest", report], ["summary"], ["purge", "--before", "2020-01-01"], ["reprocess"], ["status"], []] {
            let outcome = runner.run(command + ["--database", name])
            #expect(outcome.status == 64 && outcome.output.isEmpty, "\(command) \(outcome)")
            #expect(outcome.errors.contains("Expected the path of a file on disk"), "\(command) \(outcome)")
        }
        let backup = runner.ask(["backup", name])
        #expect(backup.status == 64 && backup.errors.contains("Expected the path of a file on disk"), "\(backup)")
        let config = runner.directory.appendingPathComponent("config.toml")
        try Data("database = \"\(name)\"\n".utf8).write(to: config)
        let configured = runner.run(["ingest", report, "--config", config.path])
        #expect(configured.status == 78 && configured.errors.contains("database: "), "\(configured)")
        let named = runner.run(["summary"], environment: ["DMARCSTAT_CONFIG": config.path])
        #expect(named.status == 78, "\(named)")
    }

    @Test("a home that makes the usual database something else than a file is an error of the environment")
    func noHome() throws {
        let outcome = try CommandRunner().run(["summary"], environment: ["HOME": "file:nowhere"])
        #expect(outcome.status == 78 && outcome.errors.contains("HOME: "), "\(outcome)")
    }
}
