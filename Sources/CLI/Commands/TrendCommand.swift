import ArgumentParser
import DMARC
import Questions
import Rendering
import Store

extension BucketSize: ExpressibleByArgument {}
extension ChangeGrouping: ExpressibleByArgument {}

/// Is it getting better.
struct TrendCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "trend",
        abstract: "Pass rate by day, week or month.",
        discussion: """
            EXAMPLES:
              dmarcstat trend
              dmarcstat trend --by month --since 1y
              dmarcstat trend --by week --domain example.org --format csv
              dmarcstat trend --explain --by month          which source moved it
              dmarcstat trend --explain --since 2026-10 --until 2026-10 --against 2026-09
            """)

    @Option(name: .long, help: ArgumentHelp("How days are gathered; weeks begin on Monday.", valueName: "size"))
    var by: BucketSize = .day

    @OptionGroup var explanation: ExplanationOptions

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var conditions: FailOnOptions

    static let fields: [Field<TrendRow>] = [
        .text(
            "period", "Period", .text,
            "The day, week or month: `2026-11-01`, `2026-W45` or `2026-11`; the first and the last may be cut by the period.",
            priority: 100, isIdentifier: true
        ) { row, _ in .text(row.label) },
        .number("messages", "Messages", .messages, "Messages that the reports speak of.", priority: 90) { row, _ in .integer(row.messages)
        },
        .number("passed", "Passed", .messages, "Messages with aligned DKIM or SPF.", priority: 30) { row, _ in .integer(row.passed) },
        .number(
            "failed", "Failed", .messages, "The others: messages with neither DKIM nor SPF aligned.", priority: 80,
            emphasis: .badWhenPositive
        ) { row, _ in .integer(row.failed) },
        .number(
            "pass_rate", "Pass rate", .fraction, "Share of the messages that passed: `passed` / `messages`; `null` without messages.",
            priority: 95, emphasis: .goodWhenHigh
        ) { row, _ in .rate(row.passRate) },
        .number(
            "pass_rate_without_forwarding", "Without fwd", .fraction,
            "The rate over messages whose verdict is neither `forwarded` nor `mailing-list`, as in `summary`.", priority: 75,
            emphasis: .goodWhenHigh
        ) { row, _ in
            .rate(row.passRateWithoutForwarding)
        },
        .number("reports", "Reports", .reports, "Counted reports whose day (that of their window's middle) lies in it.", priority: 50) {
            row, _ in .integer(row.reports)
        },
        .number("sources", "Sources", .sources, "Pairs of policy domain and source with messages in it.", priority: 60) { row, _ in
            .integer(row.sources)
        },
        .number("new_sources", "New sources", .sources, "Pairs of policy domain and source that nobody reported before.", priority: 40) {
            row, _ in .integer(row.newSources)
        },
        Field(Column(key: "bar", title: "Passed", priority: 70, inData: false), .fraction, "The pass rate, drawn as a bar.") { row, _ in
            row.passRate.map { .bar($0) } ?? .text("")
        },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        if explanation.explain { return try explain(filter, presentation, context) }
        let store = try database.open(context, filter)
        let trend = try Trend.ask(store, filter, by: by, withTotals: presentation.isText)
        let isEmpty = trend.coverage.isDatabaseEmpty || trend.coverage.domains.isEmpty
        let table = Table(
            name: "trend", period: trend.coverage.period.map(Table.Period.init), header: presentation.header(trend.coverage),
            columns: Self.fields.map(\.column),
            rows: isEmpty && presentation.isText ? [] : try presentation.cells(trend.rows, Self.fields, list),
            emptyMessage: presentation.emptyMessage(trend.coverage, filter, otherwise: "No reports in this period."))
        try presentation.present(table)
        if !trend.rows.isEmpty { presentation.suggest("dmarcstat top-failures" + self.filter.words + database.words) }
        try conditions.check(store, filter, context)
    }

    private func explain(_ filter: Filter, _ presentation: Presentation, _ context: Context) throws {
        // Another order needs all rows before it can be cut.
        let usual = Limit(rows: presentation.isText ? ChangeView.usualLimit : nil)
        let limit = list.sort == nil ? list.limit ?? usual : Limit(rows: nil)
        let answer = try ChangeExplained.ask(
            try database.open(context, filter), filter, by: by, against: explanation.against?.expression(today: filter.today),
            grouping: explanation.group ?? .source, limit: limit.rows, withTotals: presentation.isText)
        try presentation.present(ChangeView.table(answer, explanation.group ?? .source, filter, list, presentation))
        if !answer.rows.isEmpty { presentation.suggest("dmarcstat top-failures" + self.filter.words + database.words) }
    }
}
