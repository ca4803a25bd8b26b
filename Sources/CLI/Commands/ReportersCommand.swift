import ArgumentParser
import DMARC
import Questions
import Rendering
import Store

/// Who reports, how regularly and how well.
struct ReportersCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "reporters",
        abstract: "Who reports, how often, since when no more, and how well.",
        discussion: """
            One row a reporter with a report in the period: a longer one also shows who fell silent before.

            EXAMPLES:
              dmarcstat reporters
              dmarcstat reporters --since 6mo --sort last_gap_days
              dmarcstat reporters --disagreements --reporter google.com
              dmarcstat reporters --overlaps --since 90d
            """)

    @Flag(name: .long, help: "The records whose verdict on alignment is not the one that their raw results give.")
    var disagreements = false

    @Flag(name: .long, help: "Voices that report about one domain under several names at the same time.")
    var overlaps = false

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<ReporterRow>] = [
        .text("reporter", "Reporter", .name, "Name of the reporter.", priority: 100, isIdentifier: true) { row, _ in .text(row.reporter) },
        .number("reports", "Reports", .reports, "Counted reports with a day in the period.", priority: 80) { row, _ in .integer(row.reports)
        },
        .number("records", "Records", .records, "Their records; one of a long window counts on the first of its days.", priority: 40) {
            row, _ in .integer(row.records)
        },
        .number("messages", "Messages", .messages, "Their messages in the period.", priority: 85) { row, _ in .integer(row.messages) },
        .date(
            "first_day", "First day", .day,
            "First report day: the day of a report is that of its window's middle, or the nearest day of the period.", priority: 30
        ) { $1.day($0.rhythm.firstDay) },
        .date("last_day", "Last day", .day, "Last report day of the period.", priority: 75) { $1.day($0.rhythm.lastDay) },
        .number(
            "usual_gap_days", "Usual gap", .days,
            "Median of the days from one report day to the next; `null` with fewer than two report days.", priority: 65
        ) { row, _ in row.rhythm.usualGap.map { .number($0) } ?? .none },
        .number(
            "last_gap_days", "Last gap", .days, "Days from the last report day to the last day of the period that holds data of anybody.",
            priority: 70
        ) { row, _ in row.rhythm.lastGap.map { .integer($0) } ?? .none },
        .number("longest_gap_days", "Longest gap", .days, "The longest gap between two report days.", priority: 35) { row, _ in
            row.rhythm.longestGap.map { .integer($0) } ?? .none
        },
        .text("silent", "Silent", .truth, "Whether the last gap is longer than three days and than three usual gaps.", priority: 90) {
            row, _ in .boolean(row.rhythm.isSilent)
        },
        .number("domains", "Domains", .domains, "Policy domains that it reports about.", priority: 45) { row, _ in .integer(row.domains) },
        .text(
            "deviations", "Deviations", .words,
            "Tolerated breaches of the format with the number of its reports that have them: `no-selector:12`.", priority: 10
        ) { row, _ in .list(deviations(row)) },
        .number(
            "alignment_disagreements", "Disagrees with itself", .records,
            "Records whose `policy_evaluated` is not what their raw results give under the published alignment modes and the Public Suffix List; whole verdicts are never replaced.",
            priority: 55, emphasis: .badWhenPositive
        ) { row, _ in
            .integer(row.alignmentDisagreements)
        },
        .number(
            "contradictions", "With others", .number,
            "Combinations of source, signature (domain and selector) and day for which it says `pass` and another reporter `fail`, or the reverse; a record that says both of one signature is left aside.",
            priority: 50
        ) { row, _ in .integer(row.contradictions) },
        .data("emails", .texts, "Addresses that its reports name.") { row, _ in .list(row.emails) },
        .number("verified", "Verified", .reports, "Its reports that came from whom they say.", priority: 37) { row, _ in
            .integer(row.verified)
        },
        .number(
            "unverified", "Unverified", .reports,
            "Those of its reports of which nothing shows that they came from whom they say, or that were never checked.", priority: 38
        ) { row, _ in .integer(row.unverified) },
        .number(
            "mismatch", "Mismatch", .reports, "Those of its reports whose mail came from another organisation.", priority: 52,
            emphasis: .badWhenPositive
        ) { row, _ in .integer(row.mismatch) },
        .number("largest_report", "Largest report", .messages, "Messages that its largest report speaks of.", priority: 32) { row, _ in
            .integer(row.largestReport)
        },
    ]

    /// `no-selector:12`, the most frequent first.
    private static func deviations(_ row: ReporterRow) -> [String] {
        row.deviations.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.map { "\($0.key.code):\($0.value)" }
    }

    static let disagreementFields: [Field<Disagreement>] = [
        .number("report", "Report", .number, "Number of the report, for `show`.", priority: 100) { row, _ in .integer(row.report) },
        .number("record", "Record", .number, "Place of the record in the report, from 0.", priority: 40) { row, _ in .integer(row.record) },
        .text("reporter", "Reporter", .name, "Who sent the report.", priority: 80) { row, _ in .text(row.reporter) },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 50) { $1.domain($0.domain) },
        .date("day", "Day", .day, "First of the record's days in the period.", priority: 60) { $1.day($0.day) },
        .text("source", "Source", .address, "Sending address.", priority: 90, isIdentifier: true) { row, _ in .text(row.source.description)
        },
        .text("header_from", "From", .domain, "Domain in From.", priority: 70) { $1.domain($0.headerFrom) },
        .number("messages", "Messages", .messages, "Messages of the record in the period.", priority: 75) { row, _ in .integer(row.messages)
        },
        .text("said", "Said", .text, "What the reporter concluded: `dkim=pass spf=fail`.", priority: 95) { row, _ in .text(row.said.text) },
        .text("recomputed", "By its own results", .text, "What its raw results give, in the same words.", priority: 95) { row, _ in
            .text(row.recomputed.text)
        },
    ]

    static let overlapFields: [Field<VoiceOverlap>] = [
        .text("voice", "Voice", .domain, "Who speaks; empty where nobody is named.", priority: 100, isIdentifier: true) {
            row, presentation in
            row.voice.isEmpty ? .text("") : presentation.domain(row.voice)
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 90) { $1.domain($0.domain) },
        .text("reporters", "Reporters", .names, "The names under which it speaks, as reporters.", priority: 95) { row, _ in
            .list(row.reporters)
        },
        .number("reports", "Reports", .reports, "Counted reports whose window overlaps that of one under another name.", priority: 80) {
            row, _ in .integer(row.reports)
        },
        .number("messages", "Messages", .messages, "Messages that these speak of.", priority: 70) { row, _ in .integer(row.messages) },
        .date("first_day", "First day", .day, "First day of one of these reports.", priority: 40) { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day of one of these reports.", priority: 60) { $1.day($0.lastDay) },
    ]

    func validate() throws {
        if overlaps && disagreements { throw ValidationError("--overlaps and --disagreements are two questions: ask one at a time.") }
    }

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        if disagreements { return try list(filter, presentation, context) }
        if overlaps { return try listOverlaps(filter, presentation, context) }
        let answer = try Reporters.ask(try database.open(context, filter), filter)
        let rows = try presentation.cells(answer.rows, Self.fields, list)
        let table = Table(
            name: "reporters", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
            columns: Self.fields.map(\.column), rows: rows,
            footer: (rows.count < answer.rows.count ? ["\(rows.count) of \(presentation.grouped(answer.rows.count, "reporter"))."] : [])
                + answer.outliers.map { outlier in
                    "One report of \(outlier.reporter) about \(DomainName.readable(outlier.domain)) says \(presentation.grouped(outlier.messages, "message")); everybody else together \(presentation.grouped(outlier.others))."
                },
            emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "No reports in this period."))
        try presentation.present(table)
        if answer.rows.contains(where: { $0.alignmentDisagreements > 0 }) {
            presentation.suggest("dmarcstat reporters --disagreements" + self.filter.words + database.words)
        }
    }

    private func listOverlaps(_ filter: Filter, _ presentation: Presentation, _ context: Context) throws {
        let answer = try VoiceOverlaps.ask(try database.open(context, filter), filter)
        let rows = try presentation.cells(answer.rows, Self.overlapFields, list)
        let table = Table(
            name: "reporters-overlaps", period: answer.coverage.period.map(Table.Period.init),
            header: presentation.header(answer.coverage), columns: Self.overlapFields.map(\.column), rows: rows,
            footer: rows.count < answer.rows.count ? ["\(rows.count) of \(presentation.grouped(answer.rows.count, "voice"))."] : [],
            emptyMessage: presentation.emptyMessage(
                answer.coverage, filter, otherwise: "Nobody reports about a domain under several names at the same time."))
        try presentation.present(table)
    }

    private func list(_ filter: Filter, _ presentation: Presentation, _ context: Context) throws {
        let answer = try Disagreements.ask(try database.open(context, filter), filter)
        let rows = try presentation.cells(answer.rows, Self.disagreementFields, list)
        let table = Table(
            name: "reporters-disagreements", period: answer.coverage.period.map(Table.Period.init),
            header: presentation.header(answer.coverage), columns: Self.disagreementFields.map(\.column), rows: rows,
            footer: rows.count < answer.rows.count ? ["\(rows.count) of \(presentation.grouped(answer.rows.count, "record"))."] : [],
            emptyMessage: presentation.emptyMessage(
                answer.coverage, filter, otherwise: "Every verdict on alignment follows from the raw results beside it."))
        try presentation.present(table)
        if let first = answer.rows.first { presentation.suggest("dmarcstat show \(first.report)" + database.words) }
    }
}
