import ArgumentParser
import DMARC
import Glibc
import Ingest
import Refresh
import Rendering
import Store

/// History through the present parser and the present rules.
struct ReprocessCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "reprocess",
        abstract: "Read the kept reports again with this version, and make all verdicts anew.",
        discussion: """
            EXAMPLES:
              dmarcstat reprocess --dry-run
              dmarcstat reprocess
              dmarcstat reprocess --domain example.nl --since 2026-10-01

            Reports that this version reads otherwise are replaced; what it cannot read stays as it is.
            """)

    @Flag(name: .long, help: "Only say what would change; nothing is changed.")
    var dryRun = false

    @Option(name: .long, help: ArgumentHelp("Only reports about this policy domain and those below it. Repeatable.", valueName: "name"))
    var domain: [String] = []

    @Option(
        name: .long, help: ArgumentHelp("Only reports whose last day is this one or later: a date, a span or a word.", valueName: "when"),
        transform: { text in
            guard let period = PeriodText(text) else { throw ValidationError("expected a day or a span such as \(PeriodText.examples)") }
            return period
        })
    var since: PeriodText?

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<ReprocessOutcome>] = [
        .number("reports", "Reports", .reports, "Reports that were meant: the sum of the next five.") { row, _ in .integer(row.reports) },
        .number("same", "  the same", .reports, "Reports that read as before.") { row, _ in .integer(row.same) },
        .number("changed", "  changed", .reports, "Reports that were replaced.") { row, _ in .integer(row.changed) },
        .number("refused", "  refused now, kept as they were", .reports, "Reports that this version cannot read; they stay as they were.") {
            row, _ in .integer(row.refused)
        },
        .number(
            "duplicate", "  the same as another, removed", .reports,
            "Reports that turned out to be the same as another one and were removed; a dry run counts them among the changed."
        ) { row, _ in .integer(row.duplicate) },
        .number("without_raw", "  document not kept", .reports, "Reports whose document was not kept, or purged.") { row, _ in
            .integer(row.withoutRaw)
        },
        .number("records_before", "Records of the changed, before", .records, "Records of the changed reports, before.") { row, _ in
            .integer(row.recordsBefore)
        },
        .number("records", "Records of the changed, now", .records, "Records of the changed reports, now.") { row, _ in
            .integer(row.recordsAfter)
        },
        .number("messages_before", "Messages of the changed, before", .messages, "Messages that the changed reports spoke of.") { row, _ in
            .integer(row.messagesBefore)
        },
        .number("messages", "Messages of the changed, now", .messages, "Messages that the changed reports speak of now.") { row, _ in
            .integer(row.messagesAfter)
        },
    ]

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let path = try database.path(context)
        let configuration = try database.configuration(context)
        let suffixFile = configuration.publicSuffixList
        let selection = try selection(context)
        let readers = configuration.readers(context)
        defer { readers?.end() }
        var options = configuration.ingestOptions(now: context.now)
        options.readers = readers
        if let kernel = context.kernel { Confinement([], database: path, configuration, output: output.output, context).begin(kernel) }
        // A mistyped path makes no database.
        _ = try ReportStore(path: path, access: .readOnly)
        let lock = try StoreLock(database: path, waitSeconds: 10)
        defer { extendLifetime(lock) }
        let store = try ReportStore(path: path, access: .readWrite)
        StopRequest.listen()
        let reprocess = Reprocess(store: store, options: options, shouldStop: { StopRequest.wasMade })
        let outcome = try reprocess.run(selection, isDryRun: dryRun)
        let retried = try retryKept(store, path, options, context)
        if !dryRun, !StopRequest.wasMade { _ = try VerdictRefresh(suffixFile: suffixFile).run(store, rebuild: true) }
        try present(outcome, retried, presentation)
        if StopRequest.wasMade { throw AlreadySaid(status: .tryAgain) }
    }

    /// What came of messages that were kept because something of them was not stored.
    struct Retried {
        var messages = 0
        var recovered = 0
    }

    /// They are about no domain yet and of no day: read when everything is meant.
    private func retryKept(
        _ store: ReportStore, _ path: String, _ options: IngestOptions, _ context: Context
    ) throws -> Retried {
        guard domain.isEmpty, since == nil, !StopRequest.wasMade else { return Retried() }
        var options = options
        let count = try RetryKept(store: store, options: options).count()
        guard count > 0, !dryRun,
            let containment = try IsolatedReader.containment(database: path, areAllSuspect: true, options.limits, context)
        else {
            return Retried(messages: count)
        }
        options.containment = containment
        let retry = RetryKept(store: store, options: options, shouldStop: { StopRequest.wasMade })
        do throws(IngestError) { _ = try retry.run() } catch { throw error.underlying }
        containment.finish()
        return Retried(messages: count, recovered: try count - retry.count())
    }

    private func selection(_ context: Context) throws(CommandError) -> ReportSelection {
        let today = Day(containing: context.now)
        var selection = ReportSelection()
        switch since?.expression(today: today) {
        case .days(let first, _): selection.since = first
        case let span?: selection.since = span.youngest(today: today)
        case nil: break
        }
        for text in domain {
            let name = DomainName.canonical(text)
            guard !name.isEmpty else { throw .usage("--domain is empty. Expected the name of a policy domain, such as example.org.") }
            selection.domains.append(name)
        }
        return selection
    }

    static let retriedFields: [Field<Retried>] = [
        .number(
            "kept_messages", "Messages kept whole for another look", .mails,
            "Messages that are kept whole because something of them was not stored, or reading them ended a process; read again, each looked at in a process of its own first, when neither `--domain` nor `--since` is given."
        ) { row, _ in .integer(row.messages) },
        .number("recovered", "  read now", .mails, "Those of the kept messages that could be read now.") { row, _ in .integer(row.recovered)
        },
    ]

    private func present(_ outcome: ReprocessOutcome, _ retried: Retried, _ presentation: Presentation) throws {
        let cells = Self.fields.map { $0.cell(outcome, presentation) } + Self.retriedFields.map { $0.cell(retried, presentation) }
        let titles = Self.fields.map(\.column) + Self.retriedFields.map(\.column)
        guard presentation.isText else {
            let changes = outcome.changes.map { change in
                Cell.object([
                    ("report", .integer(Int(change.report))), ("what", .array(change.what.map { .text($0) })),
                    ("code", change.code.map { .text($0) } ?? .none),
                ])
            }
            return try presentation.present(
                Table(
                    name: "reprocess", columns: titles, rows: [cells], extra: [("changes", .array(changes))]))
        }
        let columns = [
            Column(key: "what", title: dryRun ? "Would be read again" : "Read again", priority: 100, isIdentifier: true),
            Column(key: "value", title: "", isIdentifier: true),
        ]
        let rows = zip(titles, cells).map { [Cell.text($0.title), $1] }
        let shown = 20
        var footer = outcome.changes.prefix(shown).map { change in
            "Report \(change.report): " + (change.code.map { "\($0): " } ?? "") + change.what.joined(separator: ", ")
        }
        if outcome.changes.count > shown { footer.append("And more; --format json lists \(ReprocessOutcome.maxChanges) of them.") }
        if dryRun { footer.append("Nothing was changed.") }
        try presentation.present(Table(name: "reprocess", columns: columns, rows: rows, footer: footer))
    }

    /// Keeps the lock until here.
    private func extendLifetime(_ lock: borrowing StoreLock) {}
}
