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
        .number("id", "Number", .number, "Number of the report in the database, for `show`.", priority: 100) { row, _ in .integer(row.id) },
        .text("reporter", "Reporter", .name, "Who sent the report.", priority: 90) { row, _ in .text(row.reporter) },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 85) { $1.domain($0.domain) },
        .text("report_id", "Report id", .text, "The reporter's id for the report.", priority: 10) { row, _ in .text(row.reportID) },
        .date("begin", "Begin", .instant, "Begin of the report's window.", priority: 60) { row, _ in .instant(row.window.begin) },
        .date("end", "End", .instant, "End of the report's window, as written.", priority: 20) { row, _ in .instant(row.window.end) },
        .data("days", .days, "Number of days that the report is spread over.") { row, _ in .integer(row.window.days.count) },
        .number("records", "Records", .records, "Records in the report.", priority: 70) { row, _ in .integer(row.records) },
        .number("messages", "Messages", .messages, "Messages that the report speaks of.", priority: 80) { row, _ in .integer(row.messages)
        },
        .data("passed", .messages, "Messages with aligned DKIM or SPF.") { row, _ in .integer(row.passed) },
        .number(
            "pass_rate", "Pass rate", .fraction, "Share of the messages that passed: `passed` / `messages`.", priority: 80,
            emphasis: .goodWhenHigh
        ) { row, _ in .rate(row.passRate) },
        .text("policy", "Policy", .text, "The policy that the report shows.", priority: 40) { $1.text($0.policy.text) },
        .text("standard", "Standard", .word, "The standard that it follows: `rfc7489` or `rfc9990`.", priority: 30) { row, _ in
            .text(row.standard)
        },
        .text(
            "counted", "Counted", .truth,
            "Whether the report is in the figures; false: it lost a conflict, or has the deviation `foreign-domain`.", priority: 50
        ) { row, _ in .boolean(row.isCounted) },
        .data("deviations", .words, "Tolerated breaches of the format, see DEVIATIONS.md.") { row, _ in .list(row.deviations.codes) },
        .text(
            "authenticity", "Sender", .word,
            "Whether it came from whom it says: `verified`, `unverified` (also: never checked), `mismatch`.", priority: 45
        ) { row, _ in .text(row.sender.word) },
        .data("mail_from_domain", .domain, "Domain of the author of the mail it came in; `null`: no mail, or not one author.") {
            $1.domain($0.sender.mailFromDomain)
        },
        .data(
            "voice", .domain,
            "Whose word the report is, whatever it calls itself; empty: nobody is named; `null`: nobody (a `mismatch`), or not known."
        ) { $1.domain($0.sender.voice) },
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
