import ArgumentParser
import DMARC
import Questions
import Rendering

/// Every piece of evidence behind a verdict.
struct ExplainCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Every piece of evidence behind a verdict.",
        discussion: """
            SUBJECT is a source (an IP address), a domain that other mail authenticates as, or a selector. Verdicts rest on all that is
            known, so there is no period.

            EXAMPLES:
              dmarcstat explain 192.0.2.25
              dmarcstat explain 192.0.2.25 --domain example.nl
              dmarcstat explain newsletters.example
              dmarcstat explain s1._domainkey.example.nl
            """)

    @Argument(help: "An IP address, a domain, or a selector such as s1 or s1._domainkey.example.nl.")
    var subject: String

    @Option(name: .long, help: ArgumentHelp("A policy domain, and all policy domains below it. Repeatable.", valueName: "name"))
    var domain: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("For a domain or a selector: the most places, or all. Text: 50 unless said otherwise.", valueName: "n"),
        transform: { text in
            guard let limit = Limit(text) else { throw ValidationError("expected a number from 1, or all") }
            return limit
        })
    var limit: Limit?

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    static let fields: [Field<SourceExplanation.Story>] = [
        .text("source", "Source", .address, "Sending address.", priority: 100, isIdentifier: true) { row, _ in .text(row.source.description)
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 90) { $1.domain($0.domain) },
        .verdict("What the source is.") { row, _ in .text(row.verdict.rawValue) },
        .number("confidence", "Confidence", .fraction, "How sure the verdict is, from 0 to 1, of what sends most messages.", priority: 80) {
            row, _ in .number(row.confidence)
        },
        .data("notes", .words, "Remarks beside the verdict.") { row, _ in .list(row.notes.codes) },
        .data("evidence", .words, "Codes of all evidence.") { row, _ in .list(row.evidence.codes) },
        .number("messages", "Messages", .messages, "Messages with this verdict, over all time.", priority: 90) { row, _ in
            .integer(row.messages)
        },
        .number("passed", "Passed", .messages, "Those of them that passed DMARC.", priority: 70) { row, _ in .integer(row.passed) },
        .number("records", "Records", .records, "Records with this verdict.", priority: 60) { row, _ in .integer(row.records) },
        .number("reporters", "Reporters", .reporters, "About how many reporters saw it.", priority: 50) { row, _ in .integer(row.reporters)
        },
        .date("first_day", "First day", .day, "First day on which it was seen.", priority: 40) { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day on which it was seen.", priority: 50) { $1.day($0.lastDay) },
        .data("service", .name, "The well-known service that one of its names belongs to.") { row, presentation in
            presentation.text(row.strangers.lazy.compactMap { $0.service?.name }.first)
        },
        .data(
            "weighing", .objects,
            "How the part with most messages was weighed: a list of `rule`, `story`, `weight` (natural logarithm of odds) and `reason`; empty where it was read off, or taken over from other mail."
        ) { row, _ in .array(row.weighing.pieces.map(piece)) },
        .data("bounds", .objects, "Why the confidence is not higher: a list of `confidence` and `reason`, the last one decides.") {
            row, _ in
            .array(row.weighing.bounds.map { .object([("confidence", .number($0.confidence)), ("reason", .text($0.reason))]) })
        },
        .data("text", .texts, "The note for people, a line an entry.") { row, presentation in
            .array(ExplanationText(presentation: presentation).note(row).map { .text($0) })
        },
    ]

    private static func piece(_ piece: SourceExplanation.Weighing.Piece) -> Cell {
        .object([
            ("rule", .text(piece.rule)), ("story", .text(piece.story.rawValue)),
            ("weight", .number((piece.weight * 100).rounded() / 100)), ("reason", .text(piece.reason)),
        ])
    }

    static let placeFields: [Field<NameExplanation.Place>] = [
        .text("policy_domain", "Policy domain", .domain, "Policy domain that the signature was met for.") { $1.domain($0.policyDomain) },
        .text("dkim_domain", "DKIM domain", .domain, "Domain of the signature.") { $1.domain($0.domain) },
        .text("selector", "Selector", .name, "Selector of the signature; `null`: the reports do not name it.") { $1.text($0.selector) },
        .text(
            "beside", "Beside", .word,
            "What it stands beside: `own` aligned SPF, `own-failing` SPF, the SPF of an `organisation`, an `unlisted` name without SPF, `foreign-failing` SPF, `none`."
        ) { row, _ in .text(row.kind.rawValue) },
        .text("organisation", "Organisation", .domain, "Organisation whose SPF it stands beside.") { $1.domain($0.beside) },
        .number("verified", "Verified", .records, "Records in which the signature verified.") { row, _ in .integer(row.verified) },
        .number("broken", "Broken", .records, "Records in which the signature did not verify.") { row, _ in .integer(row.broken) },
        .date("first_day", "First day", .day, "First day on which it was met.") { $1.day($0.firstDay) },
        .date("last_day", "Last day", .day, "Last day on which it was met.") { $1.day($0.lastDay) },
        .number("reporters", "Reporters", .reporters, "About how many reporters met it.") { row, _ in .integer(row.reporters) },
        .text(
            "unexpected", "Unexpected", .truth,
            "Whether it verified away from where the selector is at home: relayed, or a key in other hands."
        ) { row, _ in .boolean(row.isUnexpected) },
    ]

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let store = try database.open(context)
        let domains = domain.map { DomainName.canonical($0) }
        if let source = IPAddress(subject) {
            try explain(source, try SourceExplanation.ask(store, source: source, domains: domains), presentation)
        } else {
            try requireName()
            let limit = limit ?? Limit(rows: presentation.isText ? 50 : nil)
            let name = subject.contains(".") ? DomainName.canonical(subject) : subject
            try explain(name, try NameExplanation.ask(store, name: name, limit: limit.rows), presentation)
        }
    }

    /// What is neither an address nor a name is a slip, and no answer of "nothing is known" should hide it.
    private func requireName() throws(CommandError) {
        let isName =
            !subject.isEmpty
            && subject.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0) }
        let looksNumeric = subject.unicodeScalars.allSatisfy { "0123456789.".unicodeScalars.contains($0) }
        guard isName, !looksNumeric else {
            throw .usage(
                "'\(subject)' is no address and no name. Expected an IP address such as 192.0.2.25 or 2001:db8::25, a domain, or a selector."
            )
        }
    }

    private func explain(_ source: IPAddress, _ answer: SourceExplanation, _ presentation: Presentation) throws {
        let text = ExplanationText(presentation: presentation)
        let nothing = "no verdict on \(source). dmarcstat sources lists the sources that were met."
        guard presentation.isText else {
            let rows = try presentation.cells(answer.stories, Self.fields)
            try presentation.present(Table(name: "explain", columns: Self.fields.map(\.column), rows: rows, emptyMessage: nothing))
            if answer.stories.isEmpty { throw CommandError.usage(nothing) }
            return
        }
        guard !answer.stories.isEmpty else { throw CommandError.usage(nothing) }
        var lines: [String] = []
        for (index, story) in answer.stories.enumerated() { lines += (index > 0 ? [""] : []) + text.note(story) }
        try write(lines, presentation)
        if let first = answer.stories.first {
            presentation.suggest("dmarcstat sources --domain " + quoted(first.domain) + database.words)
        }
    }

    private func explain(_ name: String, _ answer: NameExplanation, _ presentation: Presentation) throws {
        let nothing = "nothing is known of \(name). dmarcstat sources lists the names that were met."
        guard presentation.isText else {
            let rows = try presentation.cells(answer.places, Self.placeFields)
            try presentation.present(
                Table(name: "explain", columns: Self.placeFields.map(\.column), rows: rows, emptyMessage: nothing))
            if !answer.isMet { throw CommandError.usage(nothing) }
            return
        }
        guard answer.isMet else { throw CommandError.usage(nothing) }
        let lines = ExplanationText(presentation: presentation).note(answer, name)
        try write(lines.isEmpty ? ["No selector of \(name) was met, and nobody authenticates as it."] : lines, presentation)
    }

    /// All text from reports passes `safeText`, a line at a time.
    private func write(_ lines: [String], _ presentation: Presentation) throws {
        try presentation.send { channel in
            // There may be a line for each of thousands of forwarders: not a call each.
            var bytes: [UInt8] = []
            for line in lines {
                let safe = safeText(line, maxScalars: 2000, ascii: presentation.style.ascii)
                for part in wrapped(safe, width: presentation.style.width) { bytes += (part + "\n").utf8 }
                if bytes.count > 1 << 16 {
                    try channel.write(bytes)
                    bytes.removeAll(keepingCapacity: true)
                }
            }
            try channel.write(bytes)
        }
    }

    /// On a terminal, broken between words with the indentation kept; elsewhere as it is.
    private func wrapped(_ line: String, width: Int?) -> [String] {
        guard let width = width.map({ max(40, min($0, 100)) }), line.count > width else { return [line] }
        let margin = String(line.prefix { $0 == " " })
        let text = line.dropFirst(margin.count)
        let indent = margin + (text.hasPrefix("• ") || text.hasPrefix("- ") ? "  " : "")
        var parts: [String] = []
        var current = margin
        for (place, word) in text.split(separator: " ").enumerated() {
            if place > 0, current.count + 1 + word.count > width {
                parts.append(current)
                current = indent + word
            } else {
                current += (place > 0 ? " " : "") + word
            }
        }
        return parts + [current]
    }
}
