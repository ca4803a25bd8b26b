import ArgumentParser
import Questions
import Rendering

/// One report, from the database or straight from a file.
struct ShowCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "One report in full, also straight from a file.",
        discussion: """
            REPORT is the number of a stored report (dmarcstat reports lists them), or a path: a report file, a mail, an mbox, a maildir,
            or - for standard input. A path needs no database and stores nothing; for a file with digits only as its name write ./123.

            EXAMPLES:
              dmarcstat show google.com!example.org!1793491200!1793577599.zip
              dmarcstat show 17
              dmarcstat show mail.eml --format json
            """)

    @Argument(help: "The number of a stored report, or a path.")
    var report: String

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let view = ReportView(presentation)
        if let id = Int(report), report.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            let detail = try ReportDetail.ask(try database.open(context), id: id)
            guard let detail else { throw CommandError.noSuchReport(id, database: try database.path(context)) }
            try view.present([ShownReport(place: "report \(id)", detail: detail, refusal: nil)])
            presentation.suggest("dmarcstat top-failures --domain " + quoted(detail.header.policy.domain) + database.words)
        } else {
            let reports = try FileReports.read(report, try database.configuration(context), context)
            try view.present(reports)
            // Programs see the reports only; why one is missing is for people.
            if !presentation.isText {
                for report in reports {
                    if let refusal = report.refusal { context.say("dmarcstat: \(report.place): \(refusal.code): \(refusal.detail)") }
                }
            }
            if reports.allSatisfy({ $0.detail == nil }) { throw AlreadySaid(status: .refused) }
            presentation.suggest("dmarcstat ingest " + quoted(report) + database.words)
        }
    }
}
