import ArgumentParser
import Questions
import Rendering

/// One line a domain.
struct SummaryCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary",
        abstract: "One line a domain: reports, messages, pass rate, policy.",
        discussion: """
            EXAMPLES:
              dmarcstat summary
              dmarcstat summary --since last-month --until last-month
              dmarcstat summary --domain example.org --output summary.csv
              dmarcstat summary --since yesterday --fail-on 'pass-rate<0.98' --fail-on new-source
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var conditions: FailOnOptions

    static let fields: [Field<SummaryRow>] = [
        .text("domain", "Domain", .domain, "Policy domain.", priority: 100, isIdentifier: true) { $1.domain($0.domain) },
        .number("reports", "Reports", .reports, "Counted reports with a day in the period.", priority: 60) { row, _ in .integer(row.reports)
        },
        .number("records", "Records", .records, "Their records; one of a long window counts on the first of its days.", priority: 20) {
            row, _ in .integer(row.records)
        },
        .number("messages", "Messages", .messages, "Messages that the reports speak of.", priority: 90) { row, _ in .integer(row.messages)
        },
        .number("passed", "Passed", .messages, "Messages with aligned DKIM or SPF.", priority: 30) { row, _ in .integer(row.passed) },
        .number(
            "failed", "Failed", .messages, "The others: messages with neither DKIM nor SPF aligned.", priority: 85,
            emphasis: .badWhenPositive
        ) { row, _ in .integer(row.failed) },
        .number(
            "pass_rate", "Pass rate", .fraction, "Share of the messages that passed: `passed` / `messages`.", priority: 95,
            emphasis: .goodWhenHigh
        ) { row, _ in .rate(row.passRate) },
        .number("dkim_passed", "DKIM", .messages, "Messages with aligned DKIM.", priority: 40) { row, _ in .integer(row.dkimPassed) },
        .number("spf_passed", "SPF", .messages, "Messages with aligned SPF.", priority: 40) { row, _ in .integer(row.spfPassed) },
        .number(
            "pass_rate_without_forwarding", "Without fwd", .fraction,
            "The rate over messages whose verdict is neither `forwarded` nor `mailing-list`; `null` where none are left, or there are no verdicts yet.",
            priority: 75, emphasis: .goodWhenHigh
        ) { row, _ in
            .rate(row.passRateWithoutForwarding)
        },
        .data("none", .messages, "Messages with disposition none, passed or not.") { row, _ in .integer(row.none) },
        .number("quarantined", "Quarantined", .messages, "Messages with disposition quarantine.", priority: 50) { row, _ in
            .integer(row.quarantined)
        },
        .number("rejected", "Rejected", .messages, "Messages with disposition reject.", priority: 50) { row, _ in .integer(row.rejected) },
        .data("first_day", .day, "First day with records in the period.") { $1.day($0.firstDay) },
        .data("last_day", .day, "Last day with records in the period.") { $1.day($0.lastDay) },
        .text(
            "policy", "Policy", .text, "Policy that most reports of the last day show: `quarantine`, or `quarantine; sp=reject`.",
            priority: 80
        ) { $1.text($0.policy?.text) },
        Field(
            Column(key: "trend", title: "Trend", alignment: .right, priority: 70, inData: false), .text,
            "By how many percentage points the pass rate of the second half of the period is above or below that of the first half."
        ) { trend($0, $1) },
        .data("pass", .messages, "Messages with disposition pass (RFC 9990).") { row, _ in .integer(row.passDisposition) },
    ]

    /// How the pass rate of the second half of the period compares with the first, in percentage points.
    private static func trend(_ row: SummaryRow, _ presentation: Presentation) -> Cell {
        guard let change = row.change else { return .none }
        let tenths = Int((change * 1000).rounded())
        let points = "\(abs(tenths) / 10)\(presentation.style.decimalPoint)\(abs(tenths) % 10)"
        let arrows = presentation.style.ascii ? ["-", "=", "+"] : ["↓ ", "→ ", "↑ "]
        return .text(arrows[tenths.signum() + 1] + points)
    }

    /// How much rests on reports that anybody may have sent.
    private func unverified(_ summary: Summary, _ presentation: Presentation) -> [String] {
        guard summary.unverifiedMessages > 0, summary.total.messages > 0 else { return [] }
        let share = Double(summary.unverifiedMessages) / Double(summary.total.messages)
        let percent = percentage(min(1, share), decimalPoint: presentation.style.decimalPoint) ?? ""
        return ["\(percent) of the messages are from unverified reporters; without them: --only-verified."]
    }

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let store = try database.open(context, filter)
        let summary = try Summary.ask(store, filter)
        var total = Self.fields.map { $0.cell(summary.total, presentation) }
        total[0] = .text("Total")
        let rows = try presentation.cells(summary.rows, Self.fields, list)
        let table = Table(
            name: "summary", period: summary.coverage.period.map(Table.Period.init), header: presentation.header(summary.coverage),
            columns: Self.fields.map(\.column), rows: rows,
            total: summary.rows.count > 1 ? total : nil,
            footer: (rows.count < summary.rows.count ? ["\(rows.count) of \(presentation.grouped(summary.rows.count, "domain"))."] : [])
                + unverified(summary, presentation),
            emptyMessage: presentation.emptyMessage(summary.coverage, filter, otherwise: "No reports in this period."))
        try presentation.present(table)
        if let worst = summary.rows.max(by: { $0.failed < $1.failed }) {
            let isOne = summary.rows.count == 1
            presentation.suggest(
                "dmarcstat top-failures" + (isOne ? self.filter.words : " --domain " + quoted(worst.domain)) + database.words)
        }
        try conditions.check(store, filter, context)
    }
}
