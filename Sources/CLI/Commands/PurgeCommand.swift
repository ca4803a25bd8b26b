import ArgumentParser
import DMARC
import Refresh
import Rendering
import Store

/// Delete what is old, or a domain.
struct PurgeCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete old reports, or those about a domain.",
        discussion: """
            EXAMPLES:
              dmarcstat purge --older-than 2y --dry-run
              dmarcstat purge --older-than 2y --keep-daily
              dmarcstat purge --before 2025-01-01 --raw-only
              dmarcstat purge --domain old.example.org --vacuum

            The ledger stays, so no mail is read a second time. --dry-run prints what would go and changes nothing.
            """)

    @Option(
        name: .long, help: ArgumentHelp("Reports whose last day is longer ago: 400d, 60w, 13mo, 2y.", valueName: "span"),
        transform: { text in
            guard let span = PeriodText(text), span.isSpan else { throw ValidationError("expected a span such as 400d, 60w, 13mo or 2y") }
            return span
        })
    var olderThan: PeriodText?

    @Option(
        name: .long, help: ArgumentHelp("Reports whose last day is before this one.", valueName: "date"),
        transform: { text in
            guard let date = PeriodText(text), !date.isSpan else { throw ValidationError("expected a date or a word such as 2025-01-01") }
            return date
        })
    var before: PeriodText?

    @Option(name: .long, help: ArgumentHelp("Only reports about this policy domain and those below it. Repeatable.", valueName: "name"))
    var domain: [String] = []

    @Flag(name: .long, help: "Keep the figures by day and by source that trends are made of.")
    var keepDaily = false

    @Flag(name: .long, help: "Delete only the documents as they came; reports and figures stay.")
    var rawOnly = false

    @Flag(name: .long, help: "Only say what would be deleted; nothing is changed.")
    var dryRun = false

    @Flag(name: .long, help: "Give the room back to the file system, too; needs as much room again meanwhile.")
    var vacuum = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<PurgeOutcome>] = [
        .number("reports", "Reports", .reports, "Reports that are deleted; with `--raw-only` those whose document goes.") { row, _ in
            .integer(row.reports)
        },
        .number("records", "Their records", .records, "Records of these reports.") { row, _ in .integer(row.records) },
        .number("messages", "Messages they speak of", .messages, "Messages that these reports speak of.") { row, _ in .integer(row.messages)
        },
        .text("domains", "Domains", .names, "Policy domains that these reports are about.") { row, presentation in
            presentation.isText ? .text(domains(row.domains)) : .array(row.domains.map { .text($0) })
        },
        .text("first_day", "First day", .day, "First day of these reports.") { $1.day($0.days?.lowerBound) },
        .text("last_day", "Last day", .day, "Last day of these reports.") { $1.day($0.days?.upperBound) },
        .number(
            "raw_documents", "Documents as they came", .documents,
            "Documents as they came, and mails that were kept whole: those that a deleted report came in, and with an age and no `--domain` those read before it."
        ) { row, _ in .integer(row.rawDocuments) },
        .number("raw_bytes", "Their bytes", .bytes, "Bytes of these documents.") { row, _ in .integer(row.rawBytes) },
        .number("values", "Names and other values", .number, "Names, sets of results and other values that nothing refers to any more.") {
            row, _ in .integer(row.values)
        },
        .number("kept_figures", "Figures by day kept earlier", .number, "Figures by day that an earlier purge kept.") { row, _ in
            .integer(row.keptFigures)
        },
    ]

    private static func domains(_ names: [String]) -> String {
        let shown = names.prefix(3).map { DomainName.readable($0) }.joined(separator: ", ")
        return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
    }

    func validate() throws {
        guard olderThan != nil || before != nil || !domain.isEmpty else {
            throw ValidationError("expected --older-than, --before or --domain: what is to be deleted?")
        }
        if olderThan != nil, before != nil { throw ValidationError("either --older-than or --before, not both") }
        if rawOnly, keepDaily { throw ValidationError("--raw-only deletes no figures; it does not go with --keep-daily") }
        if dryRun, vacuum { throw ValidationError("either --dry-run or --vacuum, not both") }
    }

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let path = try database.path(context)
        let suffixFile = try database.configuration(context).publicSuffixList
        let selection = try selection(context)
        // A mistyped path makes no database.
        _ = try ReportStore(path: path, access: .readOnly)
        let lock = try StoreLock(database: path, waitSeconds: 10)
        defer { extendLifetime(lock) }
        do { try purge(path, selection, suffixFile, presentation) } catch {
            guard ExitStatus(error) == .tryAgain, Self.isFull(error) else { throw error }
            context.say("dmarcstat: no room for \(path): a purge writes before it frees. Next: make room, or use another disk:")
            for command in [
                "dmarcstat backup /OTHER/DISK/copy.sqlite" + database.words,
                "dmarcstat purge … --vacuum --database /OTHER/DISK/copy.sqlite", "mv /OTHER/DISK/copy.sqlite \(quoted(path))",
            ] { context.say("  " + command) }
            throw AlreadySaid(status: .tryAgain)
        }
    }

    private static func isFull(_ error: any Error) -> Bool {
        switch error {
        case let error as StoreError: error.code == .diskFull
        default: false
        }
    }

    private func purge(_ path: String, _ selection: ReportSelection, _ suffixFile: String?, _ presentation: Presentation) throws {
        let store = try ReportStore(path: path, access: .readWrite)
        let extent: PurgeExtent = rawOnly ? .rawOnly : keepDaily ? .allButDaily : .everything
        let outcome = try Retention(suffixFile: suffixFile).purge(store, selection, extent, isDryRun: dryRun)
        // Whatever comes of the room: what was deleted is deleted, and is said.
        let vacuumed = Result { if vacuum { try store.vacuum() } }
        try present(outcome, presentation)
        try vacuumed.get()
        if dryRun, outcome.reports > 0 { presentation.suggest("dmarcstat backup FILE" + database.words) }
    }

    private func selection(_ context: Context) throws(CommandError) -> ReportSelection {
        let today = Day(containing: context.now)
        var selection = ReportSelection()
        if let olderThan { selection.before = olderThan.expression(today: today).youngest(today: today) }
        if let before, case .days(let first, _) = before.expression(today: today) { selection.before = first }
        for text in domain {
            let name = DomainName.canonical(text)
            guard !name.isEmpty else { throw .usage("--domain is empty. Expected the name of a policy domain, such as example.org.") }
            selection.domains.append(name)
        }
        return selection
    }

    private func present(_ outcome: PurgeOutcome, _ presentation: Presentation) throws {
        let cells = Self.fields.map { $0.cell(outcome, presentation) }
        guard presentation.isText else {
            return try presentation.present(Table(name: "purge", columns: Self.fields.map(\.column), rows: [cells]))
        }
        let columns = [
            Column(key: "what", title: dryRun ? "Would be deleted" : "Deleted", priority: 100, isIdentifier: true),
            Column(key: "value", title: "", isIdentifier: true),
        ]
        let rows = zip(Self.fields, cells).map { [Cell.text($0.column.title), $1] }
        try presentation.present(
            Table(name: "purge", columns: columns, rows: rows, footer: dryRun ? ["Nothing was changed."] : []))
    }

    /// Keeps the lock until here.
    private func extendLifetime(_ lock: borrowing StoreLock) {}
}
