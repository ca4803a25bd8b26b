import Foundation
import Testing

@testable import CLI

/// Every command's output, errors and status as they were agreed on. `RECORD_SNAPSHOTS=1` rewrites them, and still fails, so that nobody
/// mistakes a recording for a test.
@Suite("Golden outputs")
struct GoldenTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var arguments: [String]
        var width: Int?

        var testDescription: String { name }

        init(_ name: String, _ arguments: String, width: Int? = nil) {
            self.name = name
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.width = width
        }
    }

    static let cases = [
        Case("summary", "summary"), Case("summary-60", "summary", width: 60), Case("summary-100", "summary", width: 100),
        Case("summary-ascii", "summary --ascii", width: 100), Case("summary-csv", "summary --format csv"),
        Case("summary-limit", "summary --limit 1"), Case("summary-json", "summary --format json"),
        Case("summary-ndjson", "summary --format ndjson"),
        Case("summary-sorted", "summary --sort pass_rate:asc --limit 2 --format csv"),
        Case("summary-reporter", "summary --reporter GAMMA --format json"),
        Case("summary-of-one-reporter", "summary --since 2026-11-01 --until 2026-11-05 --domain example.org --format csv"),
        Case("top-failures", "top-failures"), Case("top-failures-80", "top-failures", width: 80),
        Case("top-failures-csv", "top-failures --format csv"), Case("top-failures-json", "top-failures --limit 2 --format json"),
        Case("sources", "sources"), Case("sources-100", "sources", width: 100), Case("sources-csv", "sources --format csv"),
        Case("sources-json", "sources --limit 2 --format json"), Case("sources-limit", "sources --limit 3"),
        Case("sources-verdict", "sources --verdict spoofed --verdict unaligned --format csv"),
        Case("sources-new", "sources --new --since 2026-11-05"),
        Case("sources-new-limit", "sources --new --limit 1"), Case("sources-no-such-verdict", "sources --verdict bad"),
        Case("unaligned", "unaligned"), Case("unaligned-100", "unaligned", width: 100), Case("unaligned-csv", "unaligned --format csv"),
        Case("unaligned-all-csv", "unaligned --all --format csv"), Case("unaligned-json", "unaligned --all --limit 1 --format json"),
        Case("forwarding", "forwarding"), Case("forwarding-100", "forwarding", width: 100),
        Case("forwarding-csv", "forwarding --format csv"), Case("forwarding-json", "forwarding --format json"),
        Case("top-failures-100", "top-failures", width: 100),
        Case("fail-on-holds", "summary --format csv --fail-on pass-rate<0.98 --fail-on failed>1000 --fail-on failed>=162"),
        Case("fail-on-holds-not", "trend --by month --format csv --fail-on pass-rate<0.5 --fail-on unaligned>1000000"),
        Case("fail-on-new-source", "status --format ndjson --fail-on new-source --fail-on reporter-silent"),
        Case("fail-on-unknown", "summary --fail-on pass-rat<0.98"),
        Case("trend", "trend --domain example.org --since 2026-11-01"), Case("trend-80", "trend --by week", width: 80),
        Case("trend-month-json", "trend --by month --format json"), Case("trend-week-csv", "trend --by week --format csv"),
        Case("trend-explain", "trend --explain --since 2026-11-05"),
        Case("trend-explain-80", "trend --explain --since 2026-11-05 --limit 3", width: 80),
        Case("trend-explain-csv", "trend --explain --since 2026-11-05 --format csv"),
        Case("trend-explain-json", "trend --explain --since 2026-11-05 --against 2026-11-02 --format json"),
        Case("trend-explain-service", "trend --explain --since 2026-11-05 --group service"),
        Case("trend-explain-nothing", "trend --explain --since 2026-11-05 --against 2026-09"),
        Case("trend-against-alone", "trend --against 2026-09"),
        Case("what-if-reject", "what-if --policy reject"), Case("what-if-reject-80", "what-if --policy reject", width: 80),
        Case("what-if-reject-csv", "what-if --policy reject --format csv"),
        Case("what-if-source-csv", "what-if --without dkim --by source --format csv"),
        Case("what-if-strict-json", "what-if --strict --policy quarantine --format json"),
        Case("what-if-none-source", "what-if --policy none --by source --limit 2"), Case("what-if-nothing-supposed", "what-if"),
        Case("what-if-both", "what-if --strict --adkim r"),
        Case("what-if-no-effect", "what-if --without spf --by source --domain evil.example"),
        Case("reporters", "reporters"), Case("reporters-100", "reporters", width: 100), Case("reporters-csv", "reporters --format csv"),
        Case("reporters-json", "reporters --reporter GAMMA --format json"),
        Case("reporters-disagreements", "reporters --disagreements"),
        Case("reporters-disagreements-csv", "reporters --disagreements --format csv"),
        Case("reports-100", "reports", width: 100), Case("reports-json", "reports --format json"),
        Case("reports-csv", "reports --format csv"), Case("refused-csv", "refused --format csv"),
        Case("refused-json", "refused --format json"), Case("status-ndjson", "status --format ndjson"),
        Case("export-records-csv", "export"), Case("export-records-json", "export records --domain evil.example --format json"),
        Case("export-daily-csv", "export daily"), Case("export-daily-ndjson", "export daily --domain shop.example.org --format ndjson"),
        Case("purge", "purge --before 2026-11-05 --keep-daily"), Case("purge-dry-run", "purge --older-than 16d --dry-run"),
        Case("purge-json", "purge --domain example.org --format json"), Case("purge-nothing-said", "purge --keep-daily"),
        Case("purge-both", "purge --before 2026-01-01 --older-than 1y"), Case("reprocess", "reprocess --dry-run"),
        Case("reprocess-json", "reprocess --since 2026-11-05 --format json"), Case("doctor-in-depth-csv", "doctor --format csv"),
        Case("show", "show 1"), Case("show-hostile-100", "show 6", width: 100), Case("show-csv", "show 2 --format csv"),
        Case("show-json", "show 5 --format json"), Case("nothing-in-period", "top-failures --since 2027-01-01"),
        Case("no-such-domain", "summary --domain nowhere.example"), Case("no-such-report", "show 99"),
        Case("unknown-command", "sumary"), Case("unknown-command-in-help", "help trnd"), Case("unknown-flag", "summary --formt csv"),
        Case("wrong-day", "summary --since 2026-02-30"),
        Case("span-as-until", "trend --until 30d"), Case("days-in-wrong-order", "trend --since 2026-11-10 --until 2026-11-01"),
        Case("unknown-key", "reports --sort mesages"), Case("zero-limit", "reports --limit 0"),
        Case("unknown-extension", "summary --output figures.xls"),
    ]

    @Test("output, errors and status", arguments: cases)
    func golden(asked: Case) throws {
        let runner = try CommandRunner.filled()
        let takesDatabase = !asked.name.hasPrefix("unknown-command")
        let outcome = takesDatabase ? runner.ask(asked.arguments, width: asked.width) : runner.run(asked.arguments)
        try compare(asked.name, text(outcome, runner))
    }

    /// A folder of mails of three domains, with one of each kind of sender.
    private static let samples = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
            "reports-sample/maildir")

    @Test("explain reads like a note on each kind of sender in the sample mailbox")
    func explain() throws {
        let runner = try CommandRunner()
        #expect(runner.run(["ingest", Self.samples.path, "--database", runner.database]).status == 0)
        let subjects = [
            ("forwarder", ["203.0.113.77", "--domain", "example.nl"]), ("list", ["203.0.113.150"]),
            ("unaligned-service", ["198.51.100.80"]),
            ("spoofer", ["203.0.113.222"]), ("missing-spf", ["192.0.2.26"]), ("name", ["facturen.example"]),
            ("selector", ["mail2026._domainkey.example.nl"]), ("unknown", ["192.0.2.250"]), ("no-address", ["999.1.1.1"]),
            ("forwarder-json", ["203.0.113.77", "--format", "json"]), ("selector-csv", ["mail2026", "--format", "csv"]),
        ]
        for (name, arguments) in subjects {
            try compare("explain-\(name)", text(runner.ask(["explain"] + arguments), runner))
        }
        try compare("explain-forwarder-80", text(runner.ask(["explain", "203.0.113.77"], width: 80), runner))
    }

    @Test("help begins with examples", arguments: DmarcstatMain.commandNames.filter { $0 != "help" && $0 != "ingest" })
    func help(command: String) throws {
        let runner = try CommandRunner()
        let outcome = runner.run([command, "--help"])
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        let examples = try #require(outcome.output.range(of: "EXAMPLES:"))
        let usage = try #require(outcome.output.range(of: "USAGE:"))
        #expect(examples.lowerBound < usage.lowerBound)
        try compare("help-\(command)", text(outcome, runner))
    }

    private func text(_ outcome: Outcome, _ runner: CommandRunner) -> String {
        var text = "status \(outcome.status)\n--- output\n\(outcome.output)--- errors\n\(outcome.errors)"
        text = text.replacingOccurrences(of: runner.database, with: "DATABASE")
        text = text.replacingOccurrences(of: CommandRunner.golden.path, with: "GOLDEN")
        // Depends on SQLite's pages, not on us.
        text = text.replacing(#/"database_bytes":\d+/#, with: "\"database_bytes\":0")
        text = text.replacing(#/\d+ pages/#, with: "0 pages")
        return text.replacing(#/\d+ bytes/#, with: "0 bytes")
    }

    private func compare(_ name: String, _ text: String) throws {
        let file = CommandRunner.golden.appendingPathComponent("\(name).txt")
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("recorded \(name)")
            return
        }
        let expected = try? String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "\(file.lastPathComponent); RECORD_SNAPSHOTS=1 writes it anew")
    }
}
