import ArgumentParser
import DMARC
import Questions
import Rendering

extension Verdict: ExpressibleByArgument {}

/// Who sends.
struct SourcesCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "sources",
        abstract: "All sources with their verdict.",
        discussion: """
            One row for each policy domain, sending address and verdict, most failed messages first. Text shows 50 rows unless --limit says \
            otherwise; the data formats have all of them.

            EXAMPLES:
              dmarcstat sources
              dmarcstat sources --new --since last-week
              dmarcstat sources --verdict unaligned --verdict misconfigured
              dmarcstat sources --domain example.org --output sources.csv
            """)

    @Flag(name: .long, help: "Only sources that were never seen before the period.")
    var new = false

    @Option(name: .long, help: ArgumentHelp("Only rows with this verdict. Repeatable.", valueName: "word"))
    var verdict: [Verdict] = []

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var conditions: FailOnOptions

    static let fields: [Field<SourceRow>] = [
        .text("source", "Source", .address, "Sending address.", priority: 100, isIdentifier: true) { row, _ in .text(row.source.description)
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 80) { $1.domain($0.domain) },
        .number(
            "messages", "Messages", .messages, "Messages of this source in this domain's name with this verdict, in the period.",
            priority: 85
        ) { row, _ in .integer(row.messages) },
        .number("failed", "Failed", .messages, "Those of them with neither DKIM nor SPF aligned.", priority: 90, emphasis: .badWhenPositive)
        { row, _ in .integer(row.failed) },
        .verdict("What these messages are.") { row, _ in .text(row.verdict.rawValue) },
        .number(
            "confidence", "Sure", .fraction,
            "How sure that is, 0 to 1, rounded down: the mean over what the source sends, by messages; `null`: there is no verdict yet.",
            priority: 60
        ) { $1.confidence($0.conclusion) },
        .data("reasons", .words, "Codes of the evidence behind most of the messages.") { row, _ in .list(row.conclusion.evidence.codes) },
        .text(
            "spf_domain", "SPF domain", .domain,
            "Domain that SPF was checked for, in the results that most messages share: of the check that made them pass, else of the first one that counts (as in `top-failures`).",
            priority: 65
        ) { $1.domain($0.spfDomain) },
        .text(
            "dkim_domain", "DKIM domain", .domain,
            "Signing domain in the same results: of the signature that made them pass, else of the first that verified, else of the first one.",
            priority: 60
        ) { $1.domain($0.dkimDomain) },
        .text("service", "Service", .name, "The service among the names in the same results, as in `top-failures`.", priority: 70) {
            $1.text($0.service?.name)
        },
        .number("reporters", "Reporters", .reporters, "Distinct reporters.", priority: 40) { row, _ in .integer(row.reporters) },
        .date("first_day", "First day", .day, "First day with messages in the period.", priority: 45) { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day with messages in the period.", priority: 45) { $1.day($0.lastDay) },
        .number("delivered", "Delivered", .messages, "Failed messages with disposition none or pass.", priority: 50) { row, _ in
            .integer(row.delivered)
        },
        .number("quarantined", "Quarantined", .messages, "Failed messages with disposition quarantine.", priority: 35) { row, _ in
            .integer(row.quarantined)
        },
        .number("rejected", "Rejected", .messages, "Failed messages with disposition reject.", priority: 35) { row, _ in
            .integer(row.rejected)
        },
        .text("advice", "Advice", .word, "Which finding of `advise` fits.", priority: 55) { row, _ in .text(row.advice) },
        .data("passed", .messages, "Messages with aligned DKIM or SPF.") { row, _ in .integer(row.passed) },
        .data("spf_passed", .messages, "Messages with aligned SPF.") { row, _ in .integer(row.spfPassed) },
        .data("dkim_passed", .messages, "Messages with aligned DKIM.") { row, _ in .integer(row.dkimPassed) },
        .data("notes", .words, "Remarks: `dkim-missing`, `dkim-broken`, `temporary-errors`, `gateway`, `service-mail`, `unrelated`.") {
            row, _ in .list(row.conclusion.notes.codes)
        },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let list = presentation.limited(list)
        let choice = SourceList.Choice(verdicts: Set(verdict), isNew: new)
        let store = try database.open(context, filter)
        // Another order needs all rows before it can be cut.
        let limit = list.sort == nil ? list.limit?.rows : nil
        let answer = try SourceList.ask(store, filter, choice, limit: limit, withTotals: presentation.isText)
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        let table = Table(
            name: "sources", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
            columns: Self.fields.map(\.column), rows: rows,
            footer: presentation.more(rows.count, of: answer.count, list),
            emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "No such sources in this period."))
        try presentation.present(table)
        if !rows.isEmpty { presentation.suggest("dmarcstat unaligned" + self.filter.words + database.words) }
        try conditions.check(store, filter, context)
    }
}
