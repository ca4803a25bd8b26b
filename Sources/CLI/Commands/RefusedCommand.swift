import ArgumentParser
import DMARC
import Questions
import Rendering
import Store

/// What was not stored.
struct RefusedCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "refused",
        abstract: "What was not stored, and why.",
        discussion: """
            Messages, documents and groups of records that were read and not stored, oldest first. Days are those on which they were read.

            EXAMPLES:
              dmarcstat refused
              dmarcstat refused --since 7d --limit 20
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var period: PeriodOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<RefusalRow>] = [
        .date("time", "Read at", priority: 60) { row, _ in .instant(row.time) },
        .text("outcome", "Outcome", priority: 80) { row, _ in .text(row.outcome.word) },
        .text("scope", "What", priority: 40) { row, _ in .text(row.scope) },
        .text("code", "Reason", priority: 100, isIdentifier: true) { row, _ in .text(row.code) },
        .text("place", "Where", priority: 90) { row, _ in .text(row.place) },
        .text("member", "Member", priority: 50) { row, _ in .text(row.member) },
        .text("detail", "Found", priority: 70) { row, _ in .text(row.detail) },
        .data("records") { row, _ in .integer(row.records) },
    ]

    func run(_ context: Context) throws {
        let today = Day(containing: context.now)
        let presentation = try Presentation(output, context)
        let request = try period.request(today: today)
        // The newest are the ones that matter: without another order, --limit keeps the end of the list.
        let limit = list.sort == nil ? list.limit?.rows : nil
        let answer = try RefusalList.ask(try database.open(context), period: request, today: today, limit: limit)
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        let footer = rows.count < answer.count ? ["\(rows.count) of \(answer.count)."] : []
        let table = Table(
            name: "refused", period: answer.period.map(Table.Period.init), columns: Self.fields.map(\.column), rows: rows, footer: footer,
            emptyMessage: answer.isLedgerEmpty ? "Nothing was read yet. Next: dmarcstat ingest PATH" : "Nothing was refused.")
        try presentation.present(table)
    }
}
