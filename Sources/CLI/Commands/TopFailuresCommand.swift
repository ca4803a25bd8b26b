import ArgumentParser
import Questions
import Rendering

/// Which sources fail most.
struct TopFailuresCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "top-failures",
        abstract: "Which sources fail DMARC most, and what they are.",
        discussion: """
            One row for each policy domain and sending address, most failed messages first; 20 rows unless --limit says otherwise.

            EXAMPLES:
              dmarcstat top-failures
              dmarcstat top-failures --domain example.org --since 12w --limit 50
              dmarcstat top-failures --limit all --format csv > failures.csv
            """)

    /// Rows when nobody says.
    static let usualLimit = 20

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var conditions: FailOnOptions

    static let fields: [Field<FailureRow>] = [
        .number("rank", "Rank", .number, "Place in the list, from 1.", priority: 30) { row, _ in .integer(row.rank) },
        .text("source", "Source", .address, "Sending address.", priority: 100, isIdentifier: true) { row, _ in .text(row.source.description)
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 80) { $1.domain($0.domain) },
        .number("messages", "Messages", .messages, "All messages of this source in this domain's name in the period.", priority: 85) {
            row, _ in .integer(row.messages)
        },
        .number("failed", "Failed", .messages, "Those of them with neither DKIM nor SPF aligned.", priority: 95, emphasis: .badWhenPositive)
        { row, _ in .integer(row.failed) },
        .verdict("What the source is: the verdict of most of its failed messages.") { row, _ in .text(row.verdict.rawValue) },
        .number("confidence", "Sure", .fraction, "How sure the verdict is, from 0 to 1.", priority: 45) { $1.confidence($0.conclusion) },
        .data("reasons", .words, "Codes of the evidence behind the verdict.") { row, _ in .list(row.conclusion.evidence.codes) },
        .text(
            "spf_domain", "SPF domain", .domain,
            "Domain that SPF was checked for, in the results that most of its failed messages share: of the first check that counts; one of the name in HELO counts only where there is none of the envelope's sender.",
            priority: 70
        ) { $1.domain($0.spfDomain) },
        .text(
            "dkim_domain", "DKIM domain", .domain,
            "Signing domain in the same results: of the first signature that verified, one of the policy domain's own before others; else of the first one.",
            priority: 58
        ) { $1.domain($0.dkimDomain) },
        .text(
            "service", "Service", .name,
            "The first well-known service among the names in the same results that are not the policy domain's own: those that passed before those that did not, SPF before DKIM.",
            priority: 65
        ) { $1.text($0.service?.name) },
        .number("reporters", "Reporters", .reporters, "Distinct reporters of the failed messages.", priority: 42) { row, _ in
            .integer(row.reporters)
        },
        .date("first_day", "First day", .day, "First day with failed messages in the period.", priority: 40) { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day with failed messages in the period.", priority: 50) { $1.day($0.lastDay) },
        .number("delivered", "Delivered", .messages, "Failed messages with disposition none or pass.", priority: 75) { row, _ in
            .integer(row.delivered)
        },
        .number("quarantined", "Quarantined", .messages, "Failed messages with disposition quarantine.", priority: 35) { row, _ in
            .integer(row.quarantined)
        },
        .number("rejected", "Rejected", .messages, "Failed messages with disposition reject.", priority: 35) { row, _ in
            .integer(row.rejected)
        },
        .text("advice", "Advice", .word, "Which finding of `advise` fits.", priority: 52) { row, _ in .text(row.advice) },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let store = try database.open(context, filter)
        let limit = list.limit ?? Limit(rows: Self.usualLimit)
        // Another order needs all rows before it can be cut.
        let answer = try TopFailures.ask(
            store, filter, limit: list.sort == nil ? limit.rows : nil,
            withTotals: presentation.isText)
        var list = list
        list.limit = limit
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        var footer: [String] = []
        if rows.count < answer.failingSources {
            footer.append(
                "\(rows.count) of \(presentation.grouped(answer.failingSources, "source")) with \(presentation.grouped(answer.failed, "failed message")) in all."
            )
        }
        let table = Table(
            name: "top-failures", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
            columns: Self.fields.map(\.column), rows: rows, footer: footer,
            emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "Nothing failed in this period."))
        try presentation.present(table)
        if !rows.isEmpty { presentation.suggest("dmarcstat trend --by week" + self.filter.words + database.words) }
        try conditions.check(store, filter, context)
    }
}
