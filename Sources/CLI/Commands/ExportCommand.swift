import ArgumentParser
import DMARC
import Questions
import Rendering
import Store

/// Everything, for other programs.
struct ExportCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "The records or the daily figures, for spreadsheets and other programs.",
        discussion: """
            CSV unless --format or the name of --output says otherwise; all days unless --since or --until says otherwise.

            EXAMPLES:
              dmarcstat export > records.csv
              dmarcstat export daily --domain example.org --output daily.csv
              dmarcstat export records --since 7d --format ndjson
            """)

    /// What can be exported.
    enum Kind: String, CaseIterable, ExpressibleByArgument {
        case records, daily
    }

    @Argument(help: ArgumentHelp("records (one row a record) or daily (one row a domain and day).", valueName: "what"))
    var kind: Kind = .records

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .long, help: ArgumentHelp("The most rows, or all.", valueName: "n"),
        transform: { text in
            guard let limit = Limit(text) else { throw ValidationError("expected a number from 1, or all") }
            return limit
        })
    var limit: Limit?

    static let recordFields: [Field<ExportedRecord>] = [
        .text("day", "Day", .day, "Day of the record, UTC.") { $1.day($0.day) },
        .text("domain", "Domain", .domain, "Policy domain.") { $1.domain($0.domain) },
        .text("reporter", "Reporter", .name, "Who sent the report.") { row, _ in .text(row.reporter) },
        .text("report_id", "Report id", .text, "The reporter's id for the report.") { row, _ in .text(row.reportID) },
        .text("begin", "Begin", .instant, "Begin of the report's window.") { row, _ in .instant(row.window.begin) },
        .text("end", "End", .instant, "End of the report's window.") { row, _ in .instant(row.window.end) },
        .number("record", "Record", .number, "Place of the record in the report, from 0.") { row, _ in .integer(row.record.sequence) },
        .text("source", "Source", .address, "Sending address.") { row, _ in .text(row.record.source.description) },
        .number("messages", "Messages", .messages, "Messages that the record speaks of.") { row, _ in .integer(row.record.messages) },
        .text("disposition", "Disposition", .word, "What was done with the messages: none, quarantine, reject, pass.") { row, _ in
            .text(row.record.disposition.word)
        },
        .text("dkim", "DKIM", .word, "Whether DKIM is aligned: pass, fail.") { row, _ in .text(row.record.dkim.word) },
        .text("spf", "SPF", .word, "Whether SPF is aligned: pass, fail.") { row, _ in .text(row.record.spf.word) },
        .text("passed", "Passed", .truth, "Whether DKIM or SPF is aligned.") { row, _ in .boolean(row.record.passed) },
        .text("header_from", "Header from", .domain, "Domain in From.") { $1.domain($0.record.headerFrom) },
        .text("envelope_from", "Envelope from", .domain, "Domain of the envelope's sender.") { $1.domain($0.record.envelopeFrom) },
        .text("envelope_to", "Envelope to", .domain, "Domain of the recipient.") { $1.domain($0.record.envelopeTo) },
        .text("spf_domain", "SPF domain", .domain, "Domain of the SPF check that made the record pass, else of the first one.") {
            $1.domain($0.check?.domain)
        },
        .text("spf_scope", "SPF scope", .word, "Scope of that SPF check: mfrom, helo.") { $1.text($0.check?.scope?.rawValue) },
        .text("spf_result", "SPF result", .word, "Raw result of that SPF check.") { $1.text($0.check?.result.rawValue) },
        .text(
            "dkim_domain", "DKIM domain", .domain,
            "Signing domain of the signature that made the record pass, else of the first that verified, else of the first one."
        ) { $1.domain($0.signature?.domain) },
        .text("dkim_selector", "DKIM selector", .name, "Selector of that signature.") { $1.text($0.signature?.selector) },
        .text("dkim_result", "DKIM result", .word, "Raw result of that signature.") { $1.text($0.signature?.result.rawValue) },
        .number("dkim_count", "Signatures", .signatures, "Number of signatures in the results.") { row, _ in
            .integer(row.record.authentication.dkim.count)
        },
        .text("override_types", "Override", .words, "Why the policy was not applied.") { row, _ in .list(row.record.overrides.map(\.type))
        },
        .text("override_comments", "Comment", .texts, "The reporter's comments on that, in the same order.") { row, _ in
            .list(row.record.overrides.map { $0.comment ?? "" })
        },
        .text("p", "p", .word, "Policy for the domain, as published.") { $1.text($0.policy.p) },
        .text("sp", "sp", .word, "Policy for subdomains, as published.") { $1.text($0.policy.sp) },
        .text("np", "np", .word, "Policy for subdomains that do not exist, as published.") { $1.text($0.policy.np) },
        .text("adkim", "adkim", .word, "Published alignment mode of DKIM.") { $1.text($0.policy.adkim) },
        .text("aspf", "aspf", .word, "Published alignment mode of SPF.") { $1.text($0.policy.aspf) },
        .text("pct", "pct", .text, "Published percentage of messages that the policy is for.") { $1.text($0.policy.pct) },
        .text("fo", "fo", .text, "Published options for failure reports.") { $1.text($0.policy.fo) },
        .text("testing", "testing", .word, "Published tag `t`, which says whether the policy is only tested.") {
            $1.text($0.policy.testing)
        },
        .text("discovery_method", "discovery", .word, "How the policy was found.") { $1.text($0.policy.discoveryMethod) },
    ]

    static let dailyFields: [Field<DailyRow>] = [
        .text("day", "Day", .day, "The day, UTC.", priority: 100) { $1.day($0.day) },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 95) { $1.domain($0.domain) },
        .number("messages", "Messages", .messages, "Messages of the day.", priority: 90) { row, _ in .integer(row.figures.messages) },
        .number("passed", "Passed", .messages, "Messages with aligned DKIM or SPF.") { row, _ in .integer(row.figures.passed) },
        .number("failed", "Failed", .messages, "The others: messages with neither DKIM nor SPF aligned.", priority: 80) { row, _ in
            .integer(row.figures.failed)
        },
        .number("pass_rate", "Pass rate", .fraction, "Share of the messages that passed: `passed` / `messages`.", priority: 90) { row, _ in
            .rate(row.figures.passRate)
        },
        .number("dkim_passed", "DKIM", .messages, "Messages with aligned DKIM.") { row, _ in .integer(row.figures.dkimPassed) },
        .number("spf_passed", "SPF", .messages, "Messages with aligned SPF.") { row, _ in .integer(row.figures.spfPassed) },
        .number("none", "None", .messages, "Messages with disposition none.", priority: 40) { row, _ in .integer(row.figures.none) },
        .number("quarantined", "Quarantined", .messages, "Messages with disposition quarantine.", priority: 40) { row, _ in
            .integer(row.figures.quarantined)
        },
        .number("rejected", "Rejected", .messages, "Messages with disposition reject.", priority: 40) { row, _ in
            .integer(row.figures.rejected)
        },
        .number("pass", "Pass", .messages, "Messages with disposition pass.", priority: 30) { row, _ in
            .integer(row.figures.passDisposition)
        },
        .number("records", "Records", .records, "Records; one of a long window counts on the first of its days.", priority: 20) { row, _ in
            .integer(row.figures.records)
        },
    ]

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context, usually: .csv)
        let store = try database.open(context, filter)
        switch kind {
        case .records:
            try presentation.send { channel in
                var writer = RecordWriter(presentation, filter, limit: limit?.rows, channel)
                try RecordExport.ask(store, filter, begin: { writer.begin($0) }, row: { writer.row($0) })
                try writer.end()
            }
        case .daily:
            let answer = try DailyExport.ask(store, filter)
            let rows = answer.rows.prefix(limit?.rows ?? .max)
            let table = Table(
                name: "export-daily", period: answer.coverage.period.map(Table.Period.init), header: presentation.header(answer.coverage),
                columns: Self.dailyFields.map(\.column), rows: try presentation.cells(Array(rows), Self.dailyFields),
                emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "No reports in this period."))
            try presentation.present(table)
        }
    }

    /// Writes rows as they come. What goes wrong is kept until the question is done with: its reading must end in order.
    private struct RecordWriter {
        private let presentation: Presentation
        private let filter: Filter
        private let limit: Int
        private var renderer: any TableRenderer
        private var sink: ChannelSink
        private var count = 0
        private var failure: OutputError?

        init(_ presentation: Presentation, _ filter: Filter, limit: Int?, _ channel: any OutputChannel) {
            self.presentation = presentation
            self.filter = filter
            self.limit = limit ?? .max
            renderer = presentation.format.makeRenderer(style: presentation.style)
            sink = ChannelSink(channel: channel)
        }

        mutating func begin(_ coverage: Coverage) -> Bool {
            let table = Table(
                name: "export-records", period: coverage.period.map(Table.Period.init), header: presentation.header(coverage),
                columns: recordFields.map(\.column),
                emptyMessage: presentation.emptyMessage(coverage, filter, otherwise: "No reports in this period."))
            return attempt { renderer, sink throws(OutputError) in try renderer.begin(table, into: &sink) }
        }

        mutating func row(_ record: ExportedRecord) -> Bool {
            count += 1
            guard count <= limit else { return false }
            let cells = recordFields.map { $0.cell(record, presentation) }
            return attempt { renderer, sink throws(OutputError) in try renderer.row(cells, into: &sink) }
        }

        mutating func end() throws(OutputError) {
            if let failure { throw failure }
            try renderer.end(into: &sink)
        }

        private mutating func attempt(
            _ body: (inout any TableRenderer, inout ChannelSink) throws(OutputError) -> Void
        ) -> Bool {
            do {
                try body(&renderer, &sink)
                return true
            } catch {
                failure = error
                return false
            }
        }
    }
}
