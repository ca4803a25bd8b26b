import ArgumentParser
import DMARC
import Questions
import Rendering
import Store

extension PublishedDisposition: ExpressibleByArgument {}

/// What another setting would have done, and to whom.
struct WhatIfCommand: ContextCommand {
    /// What may be told apart.
    enum Rows: String, CaseIterable, ExpressibleByArgument {
        case verdict, source
    }

    /// The tags `adkim` and `aspf`.
    enum Mode: String, CaseIterable, ExpressibleByArgument {
        case relaxed = "r"
        case strict = "s"

        var mode: AlignmentMode { self == .strict ? .strict : .relaxed }
    }

    /// What may be lost.
    enum Method: String, CaseIterable, ExpressibleByArgument {
        case spf, dkim
    }

    static let configuration = CommandConfiguration(
        commandName: "what-if",
        abstract: "What a stricter policy, strict alignment, or the loss of SPF or DKIM would have done, and to whom.",
        discussion: """
            EXAMPLES:
              dmarcstat what-if --policy reject
              dmarcstat what-if --strict --policy quarantine --by source
              dmarcstat what-if --without spf --domain example.org --format csv
            """)

    @Option(name: .long, help: ArgumentHelp("The policy for all messages.", valueName: "p"))
    var policy: PublishedDisposition?

    @Flag(name: .long, help: "Strict alignment of DKIM and SPF.")
    var strict = false

    @Option(name: .long, help: ArgumentHelp("Alignment of DKIM.", valueName: "mode"))
    var adkim: Mode?

    @Option(name: .long, help: ArgumentHelp("Alignment of SPF.", valueName: "mode"))
    var aspf: Mode?

    @Option(name: .long, help: ArgumentHelp("As if this never passed. Repeatable.", valueName: "method"))
    var without: [Method] = []

    @Option(name: .long, help: ArgumentHelp("A row for each verdict, or for each source.", valueName: "what"))
    var by: Rows = .verdict

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var list: ListOptions
    @OptionGroup var output: OutputOptions

    mutating func validate() throws {
        guard policy != nil || strict || adkim != nil || aspf != nil || !without.isEmpty else {
            throw ValidationError("nothing is supposed. Expected --policy, --strict, --adkim, --aspf or --without")
        }
        guard !strict || (adkim == nil && aspf == nil) else {
            throw ValidationError("--strict already says both; give it, or --adkim and --aspf")
        }
    }

    /// Sources in text when nobody says: below the verdicts, and by themselves.
    private static let usualLimit = (below: 10, alone: 20)

    static let fields: [Field<WhatIfRow>] = [
        .text("verdict", "Verdict", .word, "What the messages are.", priority: 95, isIdentifier: true) { row, _ in
            .text(row.verdict.rawValue)
        },
        .text("source", "Source", .address, "Sending address; `null` in a row for a whole verdict.", priority: 100, isIdentifier: true) {
            row, _ in row.source.map { .text($0.description) } ?? .none
        },
        .text("domain", "Domain", .domain, "Policy domain; `null` in a row for a whole verdict.", priority: 80) { $1.domain($0.domain) },
        .text("service", "Service", .name, "The known service behind the source.", priority: 70) { $1.text($0.service) },
        .number("messages", "Messages", .messages, "Messages in the period.", priority: 75) { row, _ in .integer(row.figures.messages) },
        .number(
            "delivered_now", "Delivered now", .messages,
            "Messages with disposition none or pass, also where that was an exception or a sample.", priority: 85
        ) { row, _ in .integer(row.figures.deliveredNow) },
        .number(
            "not_delivered", "Would not be", .messages, "Those of `delivered_now` that would not be.", priority: 95,
            emphasis: .badWhenPositive
        ) { row, _ in .integer(row.figures.notDelivered) },
        .number("passes_now", "Passes now", .messages, "Messages that pass DMARC now.", priority: 60) { row, _ in
            .integer(row.figures.passesNow)
        },
        .number("would_fail", "Would fail", .messages, "Those of `passes_now` that would fail.", priority: 90, emphasis: .badWhenPositive) {
            row, _ in .integer(row.figures.wouldFail)
        },
        .number(
            "overridden", "Exceptions", .messages,
            "Those of `not_delivered` for which the receiver made an exception (`forwarded`, `trusted_forwarder`, `mailing_list`, `local_policy`): it may do so again.",
            priority: 65
        ) { row, _ in .integer(row.figures.overridden) },
        .number("newly_delivered", "Newly delivered", .messages, "Messages that are not delivered now, and would be.", priority: 65) {
            row, _ in .integer(row.figures.newlyDelivered)
        },
        .number("would_pass", "Would pass", .messages, "Messages that fail now, and would pass.", priority: 65) { row, _ in
            .integer(row.figures.wouldPass)
        },
    ]

    private var settings: WhatIfSettings {
        WhatIfSettings(
            policy: policy, dkimMode: strict ? .strict : adkim?.mode, spfMode: strict ? .strict : aspf?.mode,
            isWithoutDKIM: without.contains(.dkim), isWithoutSPF: without.contains(.spf))
    }

    func run(_ context: Context) throws {
        let filter = try filter.filter(context)
        let presentation = try Presentation(output, context)
        let answer = try WhatIf.ask(
            try database.open(context, filter), filter, settings, sources: limit(presentation), withTotals: presentation.isText)
        let table = try by == .verdict ? verdicts(answer, filter, presentation) : sources(answer, filter, presentation)
        var tables = [table]
        if presentation.isText, by == .verdict, !answer.sources.isEmpty { tables.append(try below(answer, presentation)) }
        try presentation.present(tables)
        if !answer.verdicts.isEmpty { presentation.suggest("dmarcstat top-failures" + self.filter.words + database.words) }
    }

    /// How many sources are asked for; nil: all of them.
    private func limit(_ presentation: Presentation) -> Int? {
        if by == .verdict { return presentation.isText ? Self.usualLimit.below : 0 }
        guard presentation.isText, list.sort == nil else { return nil }
        return list.limit.map(\.rows) ?? Self.usualLimit.alone
    }

    // MARK: - Tables

    private func verdicts(_ answer: WhatIf, _ filter: Filter, _ presentation: Presentation) throws -> Table {
        let total = Self.fields.map { $0.cell(WhatIfRow(verdict: .unknown, figures: answer.total), presentation) }
        return Table(
            name: "what-if", period: answer.coverage.period.map(Table.Period.init), header: header(answer, presentation),
            columns: columns(answer, hidden: ["source", "domain", "service"]),
            rows: try presentation.cells(answer.verdicts, Self.fields, list),
            total: answer.verdicts.count > 1 ? [.text("All")] + total.dropFirst() : nil,
            emptyMessage: empty(answer, filter, presentation), extra: members(answer, presentation))
    }

    private func sources(_ answer: WhatIf, _ filter: Filter, _ presentation: Presentation) throws -> Table {
        var list = list
        if list.limit == nil, presentation.isText { list.limit = Limit(rows: Self.usualLimit.alone) }
        let rows = try presentation.cells(answer.sources, Self.fields, list)
        var footer: [String] = []
        if presentation.isText, list.limit?.rows != nil, rows.count < answer.affectedSources {
            footer = [more(rows.count, answer, presentation)]
        }
        let isUnaffected = rows.isEmpty && !answer.verdicts.isEmpty
        return Table(
            name: "what-if", period: answer.coverage.period.map(Table.Period.init), header: header(answer, presentation),
            columns: columns(answer, hidden: []), rows: rows, footer: footer,
            emptyMessage: isUnaffected ? "Nothing would change." : empty(answer, filter, presentation), extra: members(answer, presentation)
        )
    }

    /// Text only: the leading sources below the verdicts.
    private func below(_ answer: WhatIf, _ presentation: Presentation) throws -> Table {
        var footer: [String] = []
        if answer.sources.count < answer.affectedSources { footer = [more(answer.sources.count, answer, presentation)] }
        return Table(
            name: "what-if", header: ["Sources of the messages that would fare otherwise"], columns: columns(answer, hidden: []),
            rows: try presentation.cells(answer.sources, Self.fields), footer: footer)
    }

    private func more(_ shown: Int, _ answer: WhatIf, _ presentation: Presentation) -> String {
        "\(shown) of \(presentation.grouped(answer.affectedSources, "source")); --by source --limit all shows them."
    }

    /// Columns in which nothing ever happens are not shown to people.
    private func columns(_ answer: WhatIf, hidden: Set<String>) -> [Column] {
        let empty = [
            ("overridden", answer.total.overridden), ("newly_delivered", answer.total.newlyDelivered),
            ("would_pass", answer.total.wouldPass),
        ].filter { $0.1 == 0 }.map(\.0)
        return Self.fields.map { field in
            var column = field.column
            if hidden.contains(column.key) || empty.contains(column.key) { column.inText = false }
            return column
        }
    }

    private func empty(_ answer: WhatIf, _ filter: Filter, _ presentation: Presentation) -> String {
        presentation.emptyMessage(answer.coverage, filter, otherwise: "No messages in this period.")
    }

    // MARK: - Words

    /// What is supposed, and what it would have done.
    private func header(_ answer: WhatIf, _ presentation: Presentation) -> [String] {
        let total = answer.total
        guard total.messages > 0 else { return presentation.header(answer.coverage) }
        let lost = "\(presentation.grouped(total.notDelivered, "message")) of \(presentation.grouped(total.deliveredNow))"
        var effects = ["\(lost) delivered now would not be"]
        func add(_ count: Int, _ words: (String) -> String) {
            if count > 0 { effects.append(words(presentation.grouped(count))) }
        }
        add(total.overridden) { "receivers made an exception for \($0) of them and may again" }
        add(total.newlyDelivered) { "\($0) that are not delivered now would be" }
        add(total.wouldFail) { "\($0) that pass now would fail" }
        add(total.wouldPass) { "\($0) that fail now would pass" }
        return presentation.header(answer.coverage) + ["If \(supposition): " + effects.joined(separator: "; ")]
    }

    /// `p=reject adkim=s aspf=s, without SPF`.
    private var supposition: String {
        let tags = [
            settings.policy.map { "p=\($0.rawValue)" }, settings.dkimMode.map { "adkim=\($0.word)" },
            settings.spfMode.map { "aspf=\($0.word)" },
        ].compactMap(\.self)
        let lost = [settings.isWithoutSPF ? "SPF" : nil, settings.isWithoutDKIM ? "DKIM" : nil].compactMap(\.self)
        let words = [tags.joined(separator: " "), lost.isEmpty ? "" : "without " + lost.joined(separator: " and ")]
        return words.filter { !$0.isEmpty }.joined(separator: ", ")
    }

    /// What stands beside `rows` in the JSON object.
    private func members(_ answer: WhatIf, _ presentation: Presentation) -> [(String, Cell)] {
        let lost = [settings.isWithoutSPF ? "spf" : nil, settings.isWithoutDKIM ? "dkim" : nil].compactMap(\.self)
        let supposed: [(String, Cell)] = [
            ("policy", settings.policy.map { .text($0.rawValue) } ?? .none), ("adkim", settings.dkimMode.map { .text($0.word) } ?? .none),
            ("aspf", settings.spfMode.map { .text($0.word) } ?? .none), ("without", .list(lost)),
        ]
        let row = WhatIfRow(verdict: .unknown, figures: answer.total)
        let total = Self.fields.dropFirst(4).map { ($0.column.key, $0.cell(row, presentation)) }
        return [("if", .object(supposed)), ("total", .object(total))]
    }
}
