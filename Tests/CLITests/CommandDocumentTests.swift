import ArgumentParser
import Foundation
import Testing

@testable import CLI

@Suite("docs/COMMANDS.md")
struct CommandDocumentTests {
    private func document() throws -> String {
        let root = CommandRunner.golden.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("docs/COMMANDS.md"), encoding: .utf8)
    }

    private func section(_ command: String) throws -> Substring {
        let text = try document()
        let start = try #require(text.range(of: "\n## `\(command)`\n"), "\(command) has no section")
        let rest = text[start.upperBound...]
        return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)]
    }

    static let keys: [(command: String, keys: [String])] = [
        ("summary", SummaryCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("top-failures", TopFailuresCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("sources", SourcesCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("unaligned", UnalignedCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("forwarding", ForwardingCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("explain", ExplainCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("explain", ExplainCommand.placeFields.filter(\.column.inData).map(\.column.key)),
        ("trend", TrendCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("trend", ChangeView.fields.filter(\.column.inData).map(\.column.key)),
        ("what-if", WhatIfCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("reporters", ReportersCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("reporters", ReportersCommand.disagreementFields.filter(\.column.inData).map(\.column.key)),
        ("reports", ReportsCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("show", ReportView.fields.filter(\.column.inData).map(\.column.key)),
        ("refused", RefusedCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("status", StatusCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("advise", AdviseCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("doctor", DoctorCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("purge", PurgeCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("reprocess", ReprocessCommand.fields.filter(\.column.inData).map(\.column.key)),
        ("export", ExportCommand.recordFields.filter(\.column.inData).map(\.column.key)),
        ("export", ExportCommand.dailyFields.filter(\.column.inData).map(\.column.key)),
    ]

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
