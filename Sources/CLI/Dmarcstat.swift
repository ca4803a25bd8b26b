import ArgumentParser
import Rendering
import Store

/// The root command. Bare, it says how things are; without a database, how to begin.
struct Dmarcstat: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "dmarcstat",
        abstract: "Collects DMARC aggregate reports and answers questions about them.",
        discussion: """
            EXAMPLES:
              dmarcstat ingest ~/Maildir        collect
              dmarcstat summary                 one line a domain
              dmarcstat top-failures            which sources fail
              dmarcstat trend --by week         is it getting better
            """,
        version: "0.1.0",
        subcommands: [
            IngestCommand.self, SummaryCommand.self, TopFailuresCommand.self, SourcesCommand.self, UnalignedCommand.self,
            ForwardingCommand.self, ExplainCommand.self, TrendCommand.self, WhatIfCommand.self, ReportersCommand.self, ReportsCommand.self,
            ShowCommand.self, AdviseCommand.self, RefusedCommand.self,
            StatusCommand.self, ExportCommand.self, BackupCommand.self, PurgeCommand.self, ReprocessCommand.self,
            InitCommand.self, DoctorCommand.self, ExamineCommand.self,
        ])

    @OptionGroup var database: DatabaseOptions

    func run(_ context: Context) throws {
        do {
            var status = try StatusCommand.parse([])
            status.database = database
            try status.run(context)
        } catch let error as StoreError where error.code == .missing && database.database == nil {
            for line in Self.start { try context.standardOutput.write(Array((line + "\n").utf8)) }
        }
    }

    private static let start = [
        "dmarcstat collects DMARC aggregate reports into one database and answers questions about them.",
        "  dmarcstat show FILE         look at one report, nothing is stored",
        "  dmarcstat ingest PATH       collect: a maildir, an mbox, a folder, a file",
        "  dmarcstat top-failures      which sources fail, most first",
        "  dmarcstat trend             is it getting better",
        "  dmarcstat --help            everything else",
    ]
}
