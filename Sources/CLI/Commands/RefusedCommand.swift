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
        .date("time", "Read at", .instant, "When it was read.", priority: 60) { row, _ in .instant(row.time) },
        .text(
            "outcome", "Outcome", .word, "What became of the whole mail: stored, duplicate, not-a-report, refused, deferred.", priority: 80
        ) { row, _ in .text(row.outcome.word) },
        .text("scope", "What", .word, "How much was not stored: message, document, records.", priority: 40) { row, _ in .text(row.scope) },
        .text("code", "Reason", .word, "The reason for refusing it, see DEVIATIONS.md.", priority: 100, isIdentifier: true) { row, _ in
            .text(row.code)
        },
        .text("place", "Where", .text, "Where the mail is.", priority: 90) { row, _ in .text(row.place) },
        .text("member", "Member", .text, "Attachment and archive member that it stood in.", priority: 50) { row, _ in .text(row.member) },
        .text("detail", "Found", .text, "What was found, and which limit.", priority: 70) { row, _ in .text(row.detail) },
        .data("records", .records, "Records not stored, where `scope` is records.") { row, _ in .integer(row.records) },
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
