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
        .number("rank", "Rank", priority: 30) { row, _ in .integer(row.rank) },
        .text("source", "Source", priority: 100, isIdentifier: true) { row, _ in .text(row.source.description) },
        .text("domain", "Domain", priority: 80) { $1.domain($0.domain) },
        .number("messages", "Messages", priority: 85) { row, _ in .integer(row.messages) },
        .number("failed", "Failed", priority: 95, emphasis: .badWhenPositive) { row, _ in .integer(row.failed) },
        .verdict { row, _ in .text(row.verdict.rawValue) },
        .number("confidence", "Sure", priority: 45) { $1.confidence($0.conclusion) },
        .data("reasons") { row, _ in .list(row.conclusion.evidence.codes) },
        .text("spf_domain", "SPF domain", priority: 70) { $1.domain($0.spfDomain) },
        .text("dkim_domain", "DKIM domain", priority: 58) { $1.domain($0.dkimDomain) },
        .text("service", "Service", priority: 65) { $1.text($0.service?.name) },
        .number("reporters", "Reporters", priority: 42) { row, _ in .integer(row.reporters) },
        .date("first_day", "First day", priority: 40) { $1.day($0.firstDay) },
        .date("last_day", "Last day", priority: 50) { $1.day($0.lastDay) },
        .number("delivered", "Delivered", priority: 75) { row, _ in .integer(row.delivered) },
        .number("quarantined", "Quarantined", priority: 35) { row, _ in .integer(row.quarantined) },
        .number("rejected", "Rejected", priority: 35) { row, _ in .integer(row.rejected) },
        .text("advice", "Advice", priority: 52) { row, _ in .text(row.advice) },
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
