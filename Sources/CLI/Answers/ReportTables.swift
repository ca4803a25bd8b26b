import DMARC
import Questions
import Rendering
import Store

/// Something that `show` was pointed at: a report, or why there is none.
struct ShownReport {
    /// Where it is.
    var place: String
    /// The report; nil if it was refused.
    var detail: ReportDetail?
    /// Why it was refused.
    var refusal: (code: String, detail: String)?
}

/// Reports in full: the same view whether they come from the database or from a file.
struct ReportView {
    private let presentation: Presentation

    init(_ presentation: Presentation) { self.presentation = presentation }

    /// A record with the number of its report, from 1, among those that are shown.
    struct Row {
        var report: Int
        var record: RecordDetail
    }

    static let fields: [Field<Row>] = [
        .data("report", .number, "Which of `reports` the record belongs to, from 1.") { row, _ in .integer(row.report) },
        .number("record", "Record", .number, "Place of the record in the report, from 0.", priority: 20) { row, _ in
            .integer(row.record.sequence)
        },
        .text("source", "Source", .address, "Sending address.", priority: 100, isIdentifier: true) { row, _ in
            .text(row.record.source.description)
        },
        .number("messages", "Messages", .messages, "Messages that the record speaks of.", priority: 95) { row, _ in
            .integer(row.record.messages)
        },
        .text("disposition", "Disposition", .word, "What was done with the messages: none, quarantine, reject, pass.", priority: 70) {
            row, _ in .text(row.record.disposition.word)
        },
        Field(Column(key: "dkim", title: "DKIM", priority: 90, emphasis: verdicts), .word, "Aligned DKIM: pass, fail.") { row, _ in
            .text(row.record.dkim.word)
        },
        Field(Column(key: "spf", title: "SPF", priority: 90, emphasis: verdicts), .word, "Aligned SPF: pass, fail.") { row, _ in
            .text(row.record.spf.word)
        },
        .data("passed", .truth, "Whether DKIM or SPF is aligned.") { row, _ in .boolean(row.record.passed) },
        .text("header_from", "Header from", .domain, "Domain in From.", priority: 60) { $1.domain($0.record.headerFrom) },
        .text("envelope_from", "Envelope from", .domain, "Domain of the envelope's sender.", priority: 30) {
            $1.domain($0.record.envelopeFrom)
        },
        .text("envelope_to", "Envelope to", .domain, "Domain of the recipient.", priority: 15) { $1.domain($0.record.envelopeTo) },
        .text("spf_results", "SPF checked", .objects, "All SPF checks: domain, scope, result, raw_result, human_result.", priority: 50) {
            row, presentation in
            presentation.isText
                ? .list(row.record.authentication.spf.map { "\(DomainName.readable($0.domain ?? "?")) \($0.result.rawValue)" })
                : .array(row.record.authentication.spf.map(object))
        },
        .text("dkim_results", "DKIM checked", .objects, "All signatures: domain, selector, result, raw_result, human_result.", priority: 50)
        { row, presentation in
            presentation.isText
                ? .list(row.record.authentication.dkim.map { "\(DomainName.readable($0.domain ?? "?")) \($0.result.rawValue)" })
                : .array(row.record.authentication.dkim.map(object))
        },
        .text("overrides", "Override", .objects, "Why the policy was not applied: type, comment.", priority: 40) { row, presentation in
            presentation.isText
                ? .list(row.record.overrides.map { reason in reason.comment.map { "\(reason.type) (\($0))" } ?? reason.type })
                : .array(row.record.overrides.map { .object([("type", .text($0.type)), ("comment", optional($0.comment))]) })
        },
    ]

    private static let verdicts = Column.Emphasis.words(["pass": .good, "fail": .bad])

    private static func optional(_ text: String?) -> Cell { text.map { .text($0) } ?? .none }

    private static func object(_ result: SPFResult) -> Cell {
        .object([
            ("domain", optional(result.domain)), ("scope", optional(result.scope?.rawValue)), ("result", .text(result.result.rawValue)),
            ("raw_result", optional(result.rawResult)), ("human_result", optional(result.humanResult)),
        ])
    }

    private static func object(_ result: DKIMResult) -> Cell {
        .object([
            ("domain", optional(result.domain)), ("selector", optional(result.selector)), ("result", .text(result.result.rawValue)),
            ("raw_result", optional(result.rawResult)), ("human_result", optional(result.humanResult)),
        ])
    }

    /// Shows all of them: text one after the other, data in one table.
    func present(_ reports: [ShownReport]) throws {
        guard presentation.isText else { return try presentation.present(table(reports)) }
        try presentation.send { channel in
            for (index, report) in reports.enumerated() {
                if index > 0 { try channel.write([0x0A]) }
                var sink = ChannelSink(channel: channel)
                try render(table(report), as: .table, style: presentation.style, into: &sink)
            }
        }
    }

    private func table(_ reports: [ShownReport]) -> Table {
        var heads: [Cell] = []
        var refusals: [Cell] = []
        var rows: [[Cell]] = []
        for shown in reports {
            if let detail = shown.detail {
                heads.append(.object([("report", .integer(heads.count + 1)), ("place", .text(shown.place))] + members(detail)))
                let number = heads.count
                rows += detail.records.map { record in Self.fields.map { $0.cell(Row(report: number, record: record), presentation) } }
            }
            if let refusal = shown.refusal {
                refusals.append(
                    .object([("place", .text(shown.place)), ("code", .text(refusal.code)), ("detail", .text(refusal.detail))]))
            }
        }
        return Table(
            name: "show", columns: Self.fields.map(\.column), rows: rows,
            extra: [("reports", .array(heads)), ("refusals", .array(refusals))])
    }

    private func members(_ detail: ReportDetail) -> [(String, Cell)] {
        let header = detail.header
        let policy = header.policy
        let rate = detail.rate
        return [
            ("id", detail.id.map { .integer($0) } ?? .none),
            ("reporter", .text(header.reporter)),
            ("domain", .text(policy.domain)),
            ("report_id", .text(header.reportID)),
            ("begin", .instant(header.window.begin)),
            ("end", .instant(header.window.end)),
            ("counted", .boolean(detail.isCounted)),
            ("standard", .text(header.standard.rawValue)),
            ("version", Self.optional(header.version)),
            ("email", Self.optional(header.email)),
            ("contact_info", Self.optional(header.contactInfo)),
            ("generator", Self.optional(header.generator)),
            ("errors", .list(header.errors)),
            ("records", .integer(detail.records.count)),
            ("refused_records", .integer(detail.refusedRecords)),
            ("messages", .integer(rate.messages)),
            ("passed", .integer(rate.passed)),
            ("pass_rate", .rate(rate.value)),
            (
                "policy",
                .object([
                    ("p", Self.optional(policy.p)), ("sp", Self.optional(policy.sp)), ("np", Self.optional(policy.np)),
                    ("adkim", Self.optional(policy.adkim)), ("aspf", Self.optional(policy.aspf)), ("pct", Self.optional(policy.pct)),
                    ("fo", Self.optional(policy.fo)), ("testing", Self.optional(policy.testing)),
                    ("discovery_method", Self.optional(policy.discoveryMethod)),
                ])
            ),
            ("deviations", .list(detail.deviations.codes)),
            ("authenticity", .text(detail.sender.word)),
            ("mail_from_domain", Self.optional(detail.sender.mailFromDomain)),
            ("voice", Self.optional(detail.sender.voice)),
            ("arrived", detail.sender.arrivedAt.map { .instant($0) } ?? .none),
        ]
    }

    private func table(_ shown: ShownReport) -> Table {
        guard let detail = shown.detail else {
            let refusal = shown.refusal ?? (code: "no-report-in-archive", detail: "nothing that looks like a report")
            return Table(
                name: "show", columns: Self.fields.map(\.column), emptyMessage: "\(shown.place): \(refusal.code): \(refusal.detail)")
        }
        let rows = detail.records.map { record in Self.fields.map { $0.cell(Row(report: 1, record: record), presentation) } }
        var footer: [String] = []
        if detail.refusedRecords > 0 { footer.append("\(presentation.grouped(detail.refusedRecords, "record")) could not be read.") }
        if detail.deviations.contains(.foreignDomain) {
            footer.append("It is about a domain that is not among yours (`domains` in the configuration) and is in no figure.")
        } else if !detail.isCounted {
            footer.append("It lost a conflict with another report of the same identity and is in no figure.")
        }
        if !detail.deviations.isEmpty { footer.append("Deviations: \(detail.deviations.codes.joined(separator: ", "))") }
        return Table(
            name: "show", header: lines(detail), columns: Self.fields.map(\.column), rows: rows, footer: footer,
            emptyMessage: "It has no records: the reporter saw no mail in this domain's name.")
    }

    /// What stands above the records.
    private func lines(_ detail: ReportDetail) -> [String] {
        let header = detail.header
        let policy = header.policy
        let rate = detail.rate
        let tags = [
            ("p", policy.p), ("sp", policy.sp), ("np", policy.np), ("adkim", policy.adkim), ("aspf", policy.aspf), ("pct", policy.pct),
            ("fo", policy.fo), ("t", policy.testing),
        ].compactMap { tag, value in value.map { "\(tag)=\($0)" } }
        var lines = [
            [header.reporter, DomainName.readable(policy.domain), window(header.window)].joined(separator: presentation.separator),
            "Report id: \(header.reportID.isEmpty ? "none" : header.reportID)",
            "Policy: \(tags.isEmpty ? "none given" : tags.joined(separator: "; "))",
            "\(presentation.grouped(detail.records.count, "record")), \(presentation.grouped(rate.messages, "message")), "
                + (rate.passed == rate.messages ? "all passed" : "\(rate.messages - rate.passed) failed"),
        ]
        if let email = header.email, !email.isEmpty { lines.insert("Contact: \(email)", at: 2) }
        if let sender = sender(detail.sender) { lines.append(sender) }
        if let voice = voice(detail.sender, header.reporter) { lines.append(voice) }
        lines += header.errors.map { "The reporter says: \($0)" }
        return lines
    }

    /// Nothing where nothing was checked.
    private func sender(_ sender: ReportSender) -> String? {
        guard let authenticity = sender.authenticity else { return nil }
        let mail = sender.mailFromDomain.map { "a mail from \(DomainName.readable($0))" } ?? "no mail, or one without a single author"
        return "Sender: \(authenticity.word) (\(mail))"
    }

    /// Who speaks, where that is not whom the report names.
    private func voice(_ sender: ReportSender, _ reporter: String) -> String? {
        guard let voice = sender.voice else { return nil }
        if voice.isEmpty { return "Voice: nobody is named" }
        return DomainName.named(reporter) == voice ? nil : "Voice: \(DomainName.readable(voice))"
    }

    /// Whole days as days, anything else to the second. Reporters disagree whether the end is the last second or the one after it.
    private func window(_ window: ReportWindow) -> String {
        let first = Day(containing: window.begin)
        let last = Day(containing: max(window.begin, window.end - 1))
        let isWholeDays = window.begin == first.startSeconds && window.end >= last.startSeconds + 86399
        guard !isWholeDays else { return periodPhrase(Table.Period(since: first.number, until: last.number)) }
        return "\(isoInstant(window.begin) ?? "?") to \(isoInstant(window.end) ?? "?")"
    }
}
