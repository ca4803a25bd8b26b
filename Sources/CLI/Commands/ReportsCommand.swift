import ArgumentParser
import Questions
import Rendering

/// The list of reports.
struct ReportsCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "reports",
        abstract: "The reports, one a row.",
        discussion: """
            EXAMPLES:
              dmarcstat reports --since 7d
              dmarcstat reports --domain example.org --reporter google.com
              dmarcstat reports --sort messages --limit 10
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<ReportRow>] = [
        .number("id", "Number", priority: 100) { row, _ in .integer(row.id) },
        .text("reporter", "Reporter", priority: 90) { row, _ in .text(row.reporter) },
        .text("domain", "Domain", priority: 85) { $1.domain($0.domain) },
        .text("report_id", "Report id", priority: 10) { row, _ in .text(row.reportID) },
        .date("begin", "Begin", priority: 60) { row, _ in .instant(row.window.begin) },
        .date("end", "End", priority: 20) { row, _ in .instant(row.window.end) },
        .data("days") { row, _ in .integer(row.window.days.count) },
        .number("records", "Records", priority: 70) { row, _ in .integer(row.records) },
        .number("messages", "Messages", priority: 80) { row, _ in .integer(row.messages) },
        .data("passed") { row, _ in .integer(row.passed) },
        .number("pass_rate", "Pass rate", priority: 80, emphasis: .goodWhenHigh) { row, _ in .rate(row.passRate) },
        .text("policy", "Policy", priority: 40) { $1.text($0.policy.text) },
        .text("standard", "Standard", priority: 30) { row, _ in .text(row.standard) },
        .text("counted", "Counted", priority: 50) { row, _ in .boolean(row.isCounted) },
        .data("deviations") { row, _ in .list(row.deviations.codes) },
        .text("authenticity", "Sender", priority: 45) { row, _ in .text(row.sender.word) },
        .data("mail_from_domain") { $1.domain($0.sender.mailFromDomain) },
        .data("voice") { $1.domain($0.sender.voice) },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let answer = try ReportList.ask(try database.open(context, filter), filter)
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        let footer = rows.count < answer.rows.count ? ["\(rows.count) of \(presentation.grouped(answer.rows.count, "report"))."] : []
        let table = Table(
            name: "reports", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
            columns: Self.fields.map(\.column), rows: rows, footer: footer,
            emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "No reports in this period."))
        try presentation.present(table)
        if let last = answer.rows.last { presentation.suggest("dmarcstat show \(last.id)" + database.words) }
    }
}
