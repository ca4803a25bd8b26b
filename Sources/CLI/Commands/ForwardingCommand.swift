import ArgumentParser
import Questions
import Rendering

/// Which failures of SPF are only forwarding.
struct ForwardingCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "forwarding",
        abstract: "Which SPF failures are caused by forwarding, with the evidence.",
        discussion: """
            One row for each policy domain and address that passes its mail on, forwarders and mailing lists alike; most messages without \
            aligned SPF first. Text shows 50 rows unless --limit says otherwise; the data formats have all of them.

            EXAMPLES:
              dmarcstat forwarding
              dmarcstat forwarding --domain example.org --since 12w
              dmarcstat forwarding --output forwarding.csv
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<ForwardingRow>] = [
        .text("source", "Source", .address, "Sending address.", priority: 100, isIdentifier: true) { row, _ in .text(row.source.description)
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 70) { $1.domain($0.domain) },
        .number("messages", "Messages", .messages, "Messages that were passed on, in the period.", priority: 60) { row, _ in
            .integer(row.messages)
        },
        .number("spf_failed", "SPF failed", .messages, "Those of them without aligned SPF.", priority: 95) { row, _ in
            .integer(row.spfFailed)
        },
        .number("dkim_survived", "DKIM held", .messages, "Of those, the ones that passed by their signature.", priority: 90) { row, _ in
            .integer(row.dkimSurvived)
        },
        .number("failed", "Failed", .messages, "Messages that passed by neither.", priority: 85, emphasis: .badWhenPositive) { row, _ in
            .integer(row.failed)
        },
        .text(
            "spf_domain", "SPF domain", .domain,
            "Domain that SPF was checked for, in the results that most messages share, as in `sources`.", priority: 80
        ) { $1.domain($0.spfDomain) },
        .text("spf_result", "SPF", .word, "What came of that check of SPF.", priority: 45) { $1.text($0.spfResult?.rawValue) },
        .text("selector", "Selector", .name, "The policy domain's own selector in the signatures of most messages.", priority: 55) {
            $1.text($0.selector)
        },
        .text(
            "home", "At home", .domain,
            "Where a signature with this selector is usually seen: the policy domain itself, if beside its own aligned SPF, else the organisation whose SPF passes there.",
            priority: 50
        ) { $1.domain($0.home) },
        .text("service", "Service", .name, "The service among the names in the same results, as in `top-failures`.", priority: 75) {
            $1.text($0.service?.name)
        },
        .number("confidence", "Sure", .fraction, "As in `sources`.", priority: 65) { $1.confidence($0.conclusion) },
        .text("evidence", "Evidence", .words, "Codes of the evidence behind most of the messages.", priority: 20) { row, _ in
            .list(row.conclusion.evidence.codes)
        },
        .number("reporters", "Reporters", .reporters, "Distinct reporters.", priority: 40) { row, _ in .integer(row.reporters) },
        .date("first_day", "First day", .day, "First day with such messages in the period.", priority: 30) { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day with such messages in the period.", priority: 30) { $1.day($0.lastDay) },
        .verdict("`forwarded` or `mailing-list`: that of most of the messages.") { row, _ in .text(row.verdict.rawValue) },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let list = presentation.limited(list)
        let limit = list.sort == nil ? list.limit?.rows : nil
        let answer = try Forwarding.ask(try database.open(context, filter), filter, limit: limit, withTotals: presentation.isText)
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        var footer = presentation.more(rows.count, of: answer.count, list)
        if answer.spfFailed > 0 {
            let share = Double(answer.explained) / Double(answer.spfFailed)
            let percent = percentage(share, decimalPoint: presentation.style.decimalPoint) ?? ""
            footer.append(
                "Forwarding explains \(presentation.grouped(answer.explained)) of "
                    + "\(presentation.grouped(answer.spfFailed, "message")) whose SPF is not aligned (\(percent)).")
        }
        let table = Table(
            name: "forwarding", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
            columns: Self.fields.map(\.column), rows: rows, footer: footer,
            emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "Nothing was forwarded in this period."))
        try presentation.present(table)
    }
}
