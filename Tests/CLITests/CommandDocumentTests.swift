import ArgumentParser
import Foundation
import Testing

@testable import CLI

@Suite("docs/COMMANDS.md")
struct CommandDocumentTests {
    private static let place = CommandRunner.golden.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/COMMANDS.md")

    private func document() throws -> String { try String(contentsOf: Self.place, encoding: .utf8) }

    private func section(_ command: String) throws -> Substring {
        let text = try document()
        let start = try #require(text.range(of: "\n## `\(command)`\n"), "\(command) has no section")
        let rest = text[start.upperBound...]
        return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)]
    }

    /// A column, whatever its rows are.
    struct Documented {
        let key: String
        let unit: CLI.Unit
        let help: String
        let inData: Bool

        static func all<Row>(_ fields: [Field<Row>]) -> [Documented] {
            fields.map { Documented(key: $0.column.key, unit: $0.unit, help: $0.help, inData: $0.column.inData) }
        }
    }

    /// Every answer: the name of its table in the document, the command whose section that is in, and the columns.
    static let answers: [(name: String, command: String, columns: [Documented])] = [
        ("summary", "summary", Documented.all(SummaryCommand.fields)),
        ("top-failures", "top-failures", Documented.all(TopFailuresCommand.fields)),
        ("sources", "sources", Documented.all(SourcesCommand.fields)),
        ("unaligned", "unaligned", Documented.all(UnalignedCommand.fields)),
        ("forwarding", "forwarding", Documented.all(ForwardingCommand.fields)),
        ("explain", "explain", Documented.all(ExplainCommand.fields)),
        ("explain-places", "explain", Documented.all(ExplainCommand.placeFields)),
        ("trend", "trend", Documented.all(TrendCommand.fields)),
        ("trend-explain", "trend", Documented.all(ChangeView.fields)),
        ("what-if", "what-if", Documented.all(WhatIfCommand.fields)),
        ("reporters", "reporters", Documented.all(ReportersCommand.fields)),
        ("reporters-disagreements", "reporters", Documented.all(ReportersCommand.disagreementFields)),
        ("reporters-overlaps", "reporters", Documented.all(ReportersCommand.overlapFields)),
        ("advise", "advise", Documented.all(AdviseCommand.fields)),
        ("reports", "reports", Documented.all(ReportsCommand.fields)),
        ("show", "show", Documented.all(ReportView.fields)),
        ("refused", "refused", Documented.all(RefusedCommand.fields)),
        ("status", "status", Documented.all(StatusCommand.fields)),
        ("export-records", "export", Documented.all(ExportCommand.recordFields)),
        ("export-daily", "export", Documented.all(ExportCommand.dailyFields)),
        ("purge", "purge", Documented.all(PurgeCommand.fields)),
        ("reprocess", "reprocess", Documented.all(ReprocessCommand.fields) + Documented.all(ReprocessCommand.retriedFields)),
        ("doctor", "doctor", Documented.all(DoctorCommand.fields)),
    ]

    static let keys: [(command: String, keys: [String])] = answers.map { ($0.command, $0.columns.filter(\.inData).map(\.key)) }

    @Test("every column says in a sentence what it is", arguments: answers.map(\.name))
    func sentences(_ name: String) throws {
        let answer = try #require(Self.answers.first { $0.name == name })
        for column in answer.columns {
            #expect(column.help.hasSuffix(".") && column.help.count > 5, "\(name), \(column.key): \(column.help)")
            #expect(column.help.first.map { !$0.isLowercase } == true, "\(name), \(column.key): \(column.help)")
            #expect(!column.help.contains("|") && !column.help.contains("\n"), "\(name), \(column.key) breaks the table")
        }
    }

    /// `RECORD_SNAPSHOTS=1` writes the tables anew, and still fails, so that nobody records by mistake.
    @Test("its tables are those of the columns")
    func tables() throws {
        var text = try document()
        for answer in Self.answers {
            let begin = "<!-- columns: \(answer.name) -->\n"
            let start = try #require(text.range(of: begin), "no place for the columns of \(answer.name)")
            let rest = text[start.upperBound...]
            let end = try #require(rest.range(of: "<!-- end of columns -->"), "the columns of \(answer.name) have no end")
            let rows = answer.columns.filter(\.inData).map { "| `\($0.key)` | \($0.unit.rawValue) | \($0.help) |\n" }
            text.replaceSubrange(start.upperBound..<end.lowerBound, with: "| key | unit | meaning |\n|---|---|---|\n" + rows.joined())
        }
        let isCurrent = try text == document()
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
            try Data(text.utf8).write(to: Self.place)
            Issue.record("recorded docs/COMMANDS.md")
        } else {
            #expect(isCurrent, "docs/COMMANDS.md is older than the columns; RECORD_SNAPSHOTS=1 writes its tables anew")
        }
    }

    @Test("every key stands in it, in the order of the columns")
    func keys() throws {
        for (command, keys) in Self.keys {
            let lines = try section(command).split(separator: "\n")
            let documented = lines.compactMap { line in line.firstMatch(of: #/^\| `([a-z_]+)` \|/#).map { String($0.1) } }
            let position = documented.indices.first { documented[$0...].starts(with: keys) }
            #expect(position != nil, "\(command): \(documented) does not hold \(keys)")
        }
    }

    @Test("the keys that other programs rely on, in their order")
    func promised() {
        let promised = [
            (
                "summary",
                "domain,reports,records,messages,passed,failed,pass_rate,dkim_passed,spf_passed,pass_rate_without_forwarding,none,quarantined,rejected,first_day,last_day,policy"
            ),
            (
                "top-failures",
                "rank,source,domain,messages,failed,verdict,confidence,reasons,spf_domain,dkim_domain,service,reporters,first_day,last_day,delivered,quarantined,rejected,advice"
            ),
            ("trend", "period,messages,passed,failed,pass_rate,pass_rate_without_forwarding,reports,sources,new_sources"),
            ("trend", "source,domain,verdict,service,messages_before,passed_before,messages,passed,contribution"),
            ("what-if", "verdict,source,domain,service,messages,delivered_now,not_delivered,passes_now,would_fail"),
            (
                "reporters",
                "reporter,reports,records,messages,first_day,last_day,usual_gap_days,last_gap_days,longest_gap_days,silent,domains,deviations,alignment_disagreements,contradictions,emails"
            ),
            (
                "sources",
                "source,domain,messages,failed,verdict,confidence,reasons,spf_domain,dkim_domain,service,reporters,first_day,last_day,delivered,quarantined,rejected,advice,passed,spf_passed,dkim_passed"
            ),
            (
                "unaligned",
                "source,domain,header_from,messages,failed,authenticated_as,by,service,verdict,confidence,reporters,first_day,last_day,delivered,quarantined,rejected,advice"
            ),
            (
                "forwarding",
                "source,domain,messages,spf_failed,dkim_survived,failed,spf_domain,spf_result,selector,home,service,confidence,evidence,reporters,first_day,last_day"
            ),
        ]
        for (command, wanted) in promised {
            let keys = wanted.split(separator: ",").map(String.init)
            #expect(Self.keys.contains { $0.command == command && $0.keys.starts(with: keys) }, "\(command)")
        }
    }

    @Test("every command and every flag stands in it")
    func flags() throws {
        let text = try document()
        for command in Dmarcstat.configuration.subcommands {
            let name = command.configuration.commandName ?? ""
            let own = try section(name)
            let common = text[..<(text.range(of: "\n## `")?.lowerBound ?? text.endIndex)]
            let help = Dmarcstat.helpMessage(for: command, columns: 200)
            let options = help[(help.range(of: "OPTIONS:")?.lowerBound ?? help.startIndex)...]
            for flag in options.matches(of: #/--[a-z][a-z-]+/#).map({ String($0.0) })
            where options.contains("  \(flag) ") || options.contains(", \(flag) ") {
                #expect(own.contains("`\(flag)`") || common.contains("| `\(flag)` |"), "\(name) \(flag)")
            }
        }
    }

    @Test("every exit status stands in it")
    func statuses() throws {
        let text = try document()
        for status in [0, 1, 64, 65, 69, 70, 74, 75, 77, 78] as [Int32] {
            #expect(ExitStatus(rawValue: status) != nil && text.contains("\n| \(status) |"))
        }
    }
}
