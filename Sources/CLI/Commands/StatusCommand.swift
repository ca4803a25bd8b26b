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
        .text("database", "Database") { row, _ in .text(row.path) },
        .number("database_bytes", "Size in bytes") { row, _ in .integer(row.status.databaseBytes) },
        .number("schema_version", "Schema") { row, _ in .integer(row.status.schemaVersion) },
        .number("reports", "Reports") { row, _ in .integer(row.status.reports) },
        .number("uncounted_reports", "Reports that lost a conflict") { row, _ in .integer(row.status.uncountedReports) },
        .number("foreign_reports", "Reports about domains of others") { row, _ in .integer(row.status.foreignReports) },
        .number("foreign_domain_count", "  how many domains") { row, _ in .integer(row.status.foreignDomainCount) },
        .text("foreign_domains", "  most of all") { row, _ in .list(row.status.foreignDomains) },
        .number("reported_messages", "Messages they speak of") { row, _ in .integer(row.status.reportedMessages) },
        .number("domains", "Domains") { row, _ in .integer(row.status.domains) },
        .number("reporters", "Reporters") { row, _ in .integer(row.status.reporters) },
        .text("first_day", "First day with data") { $1.day($0.status.days?.since) },
        .text("last_day", "Last day with data") { $1.day($0.status.days?.until) },
        .number("silent_days", "Full days without data since") { row, _ in row.status.silentDays.map { .integer($0) } ?? .none },
        .number("mails", "Mails read") { row, _ in .integer(row.status.messages.values.reduce(0, +)) },
        .number("stored", "  stored") { row, _ in .integer(row.status.messages[.stored] ?? 0) },
        .number("duplicate", "  duplicate") { row, _ in .integer(row.status.messages[.duplicate] ?? 0) },
        .number("not_a_report", "  not a report") { row, _ in .integer(row.status.messages[.notAReport] ?? 0) },
        .number("refused", "  refused") { row, _ in .integer(row.status.messages[.refused] ?? 0) },
        .number("deferred", "  deferred") { row, _ in .integer(row.status.messages[.deferred] ?? 0) },
        .text("deferred_mails", "    which, and why") { row, _ in .list(row.status.deferredPlaces) },
        .number("refusals", "Refusals on the list") { row, _ in .integer(row.status.refusals) },
        .text("last_run_started", "Last run began") { row, _ in row.status.lastRun.map { .instant($0.started) } ?? .none },
        .text("last_run_finished", "Last run ended") { row, _ in row.status.lastRun?.finished.map { .instant($0) } ?? .none },
        .number("last_run_mails", "Mails it read") { row, _ in row.status.lastRun.map { .integer($0.seen) } ?? .none },
        .text("senders_checked", "Senders are checked") { row, _ in .boolean(row.checksSenders) },
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
