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
