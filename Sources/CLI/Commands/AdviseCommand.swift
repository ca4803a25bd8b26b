import Advice
import ArgumentParser
import DMARC
import Questions
import Rendering

/// Findings in plain words, next step, the line to publish.
struct AdviseCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "advise",
        abstract: "What to do: findings in plain words, the next step, the DNS line to publish.",
        discussion: """
            Says for each domain what is wrong, what it probably means, what to do and how to see that it worked; and whether it is ready
            for a stricter policy.

            EXAMPLES:
              dmarcstat advise
              dmarcstat advise --domain example.org --all
              dmarcstat advise --lang nl
              dmarcstat advise --format csv --output advice.csv
            """)

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions

    @Option(name: .long, help: ArgumentHelp("The language of the texts: en or nl. Usually that of the locale.", valueName: "language"))
    var lang: Context.Language?

    @Flag(name: .long, help: "In text: also what is fine, in full, and longer lists.")
    var all = false

    @OptionGroup var output: OutputOptions

    /// A finding with its words.
    struct Row {
        var finding: Finding
        var text: AdviceText
    }

    static let fields: [Field<Row>] = [
        .text("domain", "Domain", .domain, "Policy domain.", isIdentifier: true) { $1.domain($0.finding.domain) },
        .text("code", "Code", .word, "Code of the finding, as in ADVICE.md.") { row, _ in .text(row.finding.code.rawValue) },
        .text("severity", "Severity", .word, "How much it matters: `act`, `watch` or `fine`.") { row, _ in
            .text(row.finding.severity.rawValue)
        },
        .number("messages", "Messages", .messages, "Messages it is about; 0 where it is about something else.") { row, _ in
            .integer(row.finding.messages)
        },
        .number("confidence", "Confidence", .fraction, "How sure the verdicts behind it are, 0 to 1; `null` where it rests on none.") {
            row, _ in row.finding.confidence.map { .number($0) } ?? .none
        },
        .text("subjects", "Subjects", .names, "Sources, services, selectors, reporters or names, those with most messages first.") {
            row, _ in .list(row.finding.subjects)
        },
        .text("numbers", "Numbers", .object, "An object with further values; which ones depends on the code.") { row, _ in
            .object(row.finding.numbers.map { ($0.name, cell($0.value)) })
        },
        .text(
            "dns", "DNS", .objects,
            "Changes of DNS: `action` (`publish`, `insert` into a record that is there, `replace`, `remove`), `name`, `type`, `value`, `replaces`."
        ) { row, _ in .array(row.finding.dns.map(cell)) },
        .text("text", "Text", .text, "The finding in words: title, what was seen, what it means, the next step, how to see that it worked.")
        { row, _ in .text(row.text.paragraph) },
        .text("link", "Link", .text, "Where the finding is explained.") { row, _ in .text(row.finding.link) },
    ]

    private static func cell(_ value: FindingValue) -> Cell {
        switch value {
        case .count(let count): .integer(count)
        case .rate(let rate): .rate(rate)
        case .day(let day): .day(day.number)
        case .flag(let flag): .boolean(flag)
        case .word(let word): .text(word)
        case .words(let words): .list(words)
        }
    }

    private static func cell(_ change: DNSChange) -> Cell {
        .object([
            ("action", .text(change.action.rawValue)), ("name", .text(change.name)), ("type", .text(change.type)),
            ("value", .text(change.value)), ("replaces", change.replaces.map { .text($0) } ?? .none),
        ])
    }

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let answer = try Advisory.ask(try database.open(context, filter), filter)
        let texts = (lang ?? context.language).adviceTexts(most: all ? 25 : 5)
        let period = answer.coverage.period.map(Table.Period.init)
        guard presentation.isText else {
            let rows = answer.domains.flatMap(\.findings).map { Row(finding: $0, text: texts.text($0)) }
            return try presentation.present(
                Table(
                    name: "advise", period: period, columns: Self.fields.map(\.column), rows: try presentation.cells(rows, Self.fields)))
        }
        let checksSenders = try database.configuration(context).trustedServers != nil
        let view = AdviceView(texts: texts, period: answer.coverage.period, showsAll: all, checksSenders: checksSenders)
        let lines = view.lines(answer.domains)
        let empty = presentation.emptyMessage(answer.coverage, filter, otherwise: "No reports in this period.")
        // There is no table: all of it is lines that wrap.
        try presentation.present(
            Table(name: "advise", period: period, header: lines.dropLast(), columns: [], emptyMessage: lines.last ?? empty))
        guard let first = answer.domains.first, !first.findings.isEmpty else { return }
        presentation.suggest("dmarcstat top-failures --domain " + quoted(first.domain) + database.words)
    }
}

extension Context.Language: ExpressibleByArgument {}

/// Findings as lines for people.
struct AdviceView {
    let texts: any AdviceTexts
    let period: Period?
    let showsAll: Bool
    /// Whether it is checked whom reports come from.
    let checksSenders: Bool

    /// All lines; none without domains.
    func lines(_ domains: [DomainAdvice]) -> [String] {
        guard !domains.isEmpty else { return [] }
        let isLoud = { (advice: DomainAdvice) in
            showsAll || domains.count == 1 || advice.newcomers > 0 || !advice.outliers.isEmpty
                || advice.findings.contains { $0.severity != .fine }
        }
        var lines: [String] = []
        for advice in domains.filter(isLoud) {
            if !lines.isEmpty { lines.append("") }
            lines += self.lines(advice)
        }
        let quiet = domains.filter { !isLoud($0) }.map(\.domain)
        if !quiet.isEmpty { lines += (lines.isEmpty ? [] : [""]) + [texts.quiet(quiet)] }
        let hidesSome = !showsAll && domains.contains { $0.findings.contains { $0.severity == .fine } }
        if !checksSenders { lines += ["", texts.nobodyChecked(TrustHint.line)] }
        return lines + [(hidesSome ? texts.moreHint + " " : "") + texts.closing]
    }

    private func lines(_ advice: DomainAdvice) -> [String] {
        var lines = [texts.heading(advice, period), texts.counts(advice)]
        if advice.unverifiedMessages > 0 { lines.append(texts.leftOut(advice.unverifiedMessages)) }
        if advice.newcomers > 0 { lines.append(texts.newcomers(advice.newcomerMessages, advice.newcomers)) }
        for outlier in advice.outliers { lines.append(texts.outlier(outlier)) }
        let full = advice.findings.filter { showsAll || $0.severity != .fine }
        for (index, finding) in full.enumerated() { lines += [""] + self.lines(finding, number: index + 1, advice) }
        let brief = advice.findings.filter { !showsAll && $0.severity == .fine }
        if !brief.isEmpty { lines.append("") }
        for finding in brief { lines.append("\(texts.word(.fine)): \(texts.text(finding).title) (\(finding.code.rawValue))") }
        return lines
    }

    private func lines(_ finding: Finding, number: Int, _ advice: DomainAdvice) -> [String] {
        let text = texts.text(finding)
        let labels = texts.labels
        var lines = ["\(number). \(text.title) (\(finding.code.rawValue), \(texts.word(finding.severity)))"]
        lines.append("   \(labels.seen) \(text.seen)")
        lines.append("   \(labels.meaning) \(text.meaning)")
        lines.append("   \(labels.step) \(text.step)")
        for change in finding.dns { lines.append("   \(labels.dns) \(texts.instruction(change))") }
        if !finding.dns.isEmpty {
            var names: [String] = []
            for change in finding.dns {
                let name = relativeName(change.name, zone: advice.organisation)
                if !names.contains(name) { names.append(name) }
            }
            lines.append("   \(texts.panelNote(names: names, zone: advice.organisation))")
        }
        if !text.check.isEmpty { lines.append("   \(labels.check) \(text.check)") }
        lines.append("   \(labels.more) \(finding.link)")
        return lines
    }
}
