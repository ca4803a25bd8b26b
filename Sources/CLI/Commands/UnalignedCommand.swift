import ArgumentParser
import Questions
import Rendering

/// Who authenticates as somebody else.
struct UnalignedCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "unaligned",
        abstract: "Who authenticates as somebody else while using your name.",
        discussion: """
            Services that send for you and are not set up yet, mostly: SPF or DKIM passes for their own domain, and DMARC fails. One row for \
            each policy domain, sending address and domain in From, most failed messages first. Text shows 50 rows unless --limit says \
            otherwise; the data formats have all of them.

            EXAMPLES:
              dmarcstat unaligned
              dmarcstat unaligned --domain example.org --since 12w
              dmarcstat unaligned --all --format csv
            """)

    @Flag(name: .long, help: "Also what is held for something else than a service of yours: forwarders, lists, strangers.")
    var all = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var conditions: FailOnOptions

    static let fields: [Field<UnalignedRow>] = [
        .text("source", "Source", .address, "Sending address.", priority: 100, isIdentifier: true) { row, _ in .text(row.source.description)
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 55) { $1.domain($0.domain) },
        .text("header_from", "From", .domain, "Domain in From.", priority: 80) { $1.domain($0.headerFrom) },
        .number("messages", "Messages", .messages, "All messages of this source with this domain in From, in the period.", priority: 50) {
            row, _ in .integer(row.messages)
        },
        .number("failed", "Failed", .messages, "Those of them that the row is about.", priority: 95, emphasis: .badWhenPositive) { row, _ in
            .integer(row.failed)
        },
        .text(
            "authenticated_as", "Authenticated as", .domain,
            "The other domain, in the results that most of these messages share: that of SPF, else that of the signature.", priority: 90
        ) { $1.domain($0.authenticatedAs) },
        .text("by", "By", .word, "How it authenticates as that domain, in the same results: `spf`, `dkim` or `both`.", priority: 60) {
            row, _ in .text(row.proof.rawValue)
        },
        .text("service", "Service", .name, "The service among the names in the same results, as in `top-failures`.", priority: 85) {
            $1.text($0.service?.name)
        },
        .verdict("What these messages are: the verdict of most of them.") { row, _ in .text(row.verdict.rawValue) },
        .number("confidence", "Sure", .fraction, "As in `sources`.", priority: 70) { $1.confidence($0.conclusion) },
        .number("reporters", "Reporters", .reporters, "Distinct reporters of these messages.", priority: 40) { row, _ in
            .integer(row.reporters)
        },
        .date("first_day", "First day", .day, "First day with such messages in the period.", priority: 45) { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day with such messages in the period.", priority: 45) { $1.day($0.lastDay) },
        .number("delivered", "Delivered", .messages, "Such messages with disposition none or pass.", priority: 52) { row, _ in
            .integer(row.delivered)
        },
        .number("quarantined", "Quarantined", .messages, "Such messages with disposition quarantine.", priority: 35) { row, _ in
            .integer(row.quarantined)
        },
        .number("rejected", "Rejected", .messages, "Such messages with disposition reject.", priority: 35) { row, _ in
            .integer(row.rejected)
        },
        .text("advice", "Advice", .word, "As in `sources`.", priority: 65) { row, _ in .text(row.advice) },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let store = try database.open(context, filter)
        let list = presentation.limited(list)
        let limit = list.sort == nil ? list.limit?.rows : nil
        let answer = try Unaligned.ask(
            store, filter, anyVerdict: all, limit: limit, withTotals: presentation.isText)
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        let table = Table(
            name: "unaligned", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
            columns: Self.fields.map(\.column), rows: rows, footer: presentation.more(rows.count, of: answer.count, list),
            emptyMessage: presentation.emptyMessage(
                answer.coverage, filter,
                otherwise: all ? "Nobody does in this period." : "No such service in this period; --all shows whoever else does."))
        try presentation.present(table)
        try conditions.check(store, filter, context)
    }
}
