import ArgumentParser
import DMARC
import Questions
import Rendering
import Store

/// Health of the collection.
struct StatusCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Health of the collection: what is stored, when reports last arrived.",
        discussion: """
            EXAMPLES:
              dmarcstat status
              dmarcstat status --format json
              dmarcstat status --fail-on reporter-silent > /dev/null
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var conditions: FailOnOptions

    /// What `status` shows: the answer and the path that was asked.
    struct Row {
        var status: Status
        var path: String
        /// Whether it is checked whom reports come from.
        var checksSenders: Bool
    }

    static let fields: [Field<Row>] = [
        .text("database", "Database", .path, "Path of the database.") { row, _ in .text(row.path) },
        .number("database_bytes", "Size in bytes", .bytes, "Size of the database in bytes.") { row, _ in .integer(row.status.databaseBytes)
        },
        .number("schema_version", "Schema", .number, "Number of its schema.") { row, _ in .integer(row.status.schemaVersion) },
        .number("reports", "Reports", .reports, "Reports that count.") { row, _ in .integer(row.status.reports) },
        .number("uncounted_reports", "Reports that lost a conflict", .reports, "Reports that lost a conflict.") { row, _ in
            .integer(row.status.uncountedReports)
        },
        .number(
            "foreign_reports", "Reports about domains of others", .reports,
            "Reports about domains that are not yours (`domains` in the configuration); they are in no figure."
        ) { row, _ in .integer(row.status.foreignReports) },
        .number("foreign_domain_count", "  how many domains", .domains, "How many domains those are about.") { row, _ in
            .integer(row.status.foreignDomainCount)
        },
        .text("foreign_domains", "  most of all", .names, "Those with the most reports, at most 20.") { row, _ in
            .list(row.status.foreignDomains)
        },
        .number("reported_messages", "Messages they speak of", .messages, "Messages that the reports speak of.") { row, _ in
            .integer(row.status.reportedMessages)
        },
        .number("domains", "Domains", .domains, "Policy domains, without those that are not yours.") { row, _ in
            .integer(row.status.domains)
        },
        .number("reporters", "Reporters", .reporters, "Reporters that sent the reports.") { row, _ in .integer(row.status.reporters) },
        .text("first_day", "First day with data", .day, "First day with data in any counted report.") { $1.day($0.status.days?.since) },
        .text("last_day", "Last day with data", .day, "Last day with data in any counted report.") { $1.day($0.status.days?.until) },
        .number(
            "silent_days", "Full days without data since", .days,
            "Full days between the last day with data and today; reports arrive a day or two late."
        ) { row, _ in row.status.silentDays.map { .integer($0) } ?? .none },
        .number("mails", "Mails read", .mails, "Mails that were ever read.") { row, _ in .integer(row.status.messages.values.reduce(0, +))
        },
        .number("stored", "  stored", .mails, "Those of the mails with a new report.") { row, _ in
            .integer(row.status.messages[.stored] ?? 0)
        },
        .number("duplicate", "  duplicate", .mails, "Those of the mails with reports that were there already.") { row, _ in
            .integer(row.status.messages[.duplicate] ?? 0)
        },
        .number("not_a_report", "  not a report", .mails, "Those of the mails without a report.") { row, _ in
            .integer(row.status.messages[.notAReport] ?? 0)
        },
        .number("refused", "  refused", .mails, "Those of the mails with nothing that could be stored.") { row, _ in
            .integer(row.status.messages[.refused] ?? 0)
        },
        .number("deferred", "  deferred", .mails, "Those of the mails left for the next run.") { row, _ in
            .integer(row.status.messages[.deferred] ?? 0)
        },
        .text("deferred_mails", "    which, and why", .texts, "The latest of these, at most 20: place, code and reason.") { row, _ in
            .list(row.status.deferredPlaces)
        },
        .number("refusals", "Refusals on the list", .number, "Entries that `refused` lists.") { row, _ in .integer(row.status.refusals) },
        .text("last_run_started", "Last run began", .instant, "Begin of the last run of `ingest`.") { row, _ in
            row.status.lastRun.map { .instant($0.started) } ?? .none
        },
        .text("last_run_finished", "Last run ended", .instant, "End of the last run; `null`: it is running, or was killed.") { row, _ in
            row.status.lastRun?.finished.map { .instant($0) } ?? .none
        },
        .number("last_run_mails", "Mails it read", .mails, "Mails that the last run read.") { row, _ in
            row.status.lastRun.map { .integer($0.seen) } ?? .none
        },
        .text(
            "senders_checked", "Senders are checked", .truth,
            "Whether the configuration names a server that checks whom reports come from; text says what to add if not."
        ) { row, _ in .boolean(row.checksSenders) },
    ]

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let path = try database.path(context)
        let store = try database.open(context)
        let today = Day(containing: context.now)
        let status = try Status.ask(store, today: today)
        let row = Row(status: status, path: path, checksSenders: try database.configuration(context).trustedServers != nil)
        let cells = Self.fields.map { $0.cell(row, presentation) }
        guard presentation.isText else {
            try presentation.present(Table(name: "status", columns: Self.fields.map(\.column), rows: [cells]))
            return try conditions.check(store, Filter(today: today), context)
        }
        // For people the one row stands upright.
        let columns = [
            Column(key: "what", title: "Status", priority: 100, isIdentifier: true),
            Column(key: "value", title: "", isIdentifier: true),
        ]
        let rows = zip(Self.fields, cells).map { [Cell.text($0.column.title), $1] }
        try presentation.present(Table(name: "status", columns: columns, rows: rows, footer: warnings(row)))
        presentation.suggest(
            (status.reports == 0 ? "dmarcstat ingest PATH" : status.messages[.refused] ?? 0 > 0 ? "dmarcstat refused" : "dmarcstat summary")
                + database.words)
        try conditions.check(store, Filter(today: today), context)
    }

    /// An empty mailbox and a clean domain look alike, so silence is said aloud.
    private func warnings(_ row: Row) -> [String] {
        let status = row.status
        var warnings: [String] = []
        if let silent = status.silentDays, silent > 3 {
            warnings.append("No report covers the last \(silent) days. Is the mailbox full, is rua= still in the DNS?")
        }
        if let run = status.lastRun, run.finished == nil { warnings.append("The last run of ingest is still going on, or was killed.") }
        if !row.checksSenders { warnings.append(TrustHint.sentence) }
        return warnings
    }
}
