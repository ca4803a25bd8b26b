import DMARC
import Questions
import Rendering
import Store

/// How `trend --explain` is shown.
enum ChangeView {
    /// Rows of text when nobody says.
    static let usualLimit = 20

    static let fields: [Field<ChangeRow>] = [
        .text("source", "Source", .address, "Sending address; `null` with `--group service`.", priority: 95, isIdentifier: true) { row, _ in
            row.source.map { .text($0.description) } ?? .none
        },
        .text("domain", "Domain", .domain, "Policy domain.", priority: 70) { $1.domain($0.domain) },
        .text("verdict", "Verdict", .word, "What the source is, for those of its messages that moved the rate most.", priority: 90) {
            row, _ in .text(row.verdict.rawValue)
        },
        .text(
            "service", "Service", .name,
            "The known service behind it; with `--group service` else the organisation's domain, and `null` for the domain's own.",
            priority: 80
        ) { $1.text($0.service) },
        .number("messages_before", "Before", .messages, "Messages in the earlier period.", priority: 60) { row, _ in
            .integer(row.before.messages)
        },
        .number("passed_before", "Passed before", .messages, "Those of `messages_before` with aligned DKIM or SPF.", priority: 50) {
            row, _ in .integer(row.before.passed)
        },
        .number("messages", "Messages", .messages, "Messages in the later period.", priority: 65) { row, _ in .integer(row.after.messages)
        },
        .number("passed", "Passed", .messages, "Those of `messages` with aligned DKIM or SPF.", priority: 55) { row, _ in
            .integer(row.after.passed)
        },
        .number(
            "contribution", "Points", .fraction,
            "By how much it moved the rate: a fraction in data, percentage points in text; `null` where one of the periods has no messages.",
            priority: 100
        ) { points($0.contribution, $1) },
    ]

    /// A contribution: percentage points for people, a fraction for programs.
    private static func points(_ contribution: Double?, _ presentation: Presentation) -> Cell {
        contribution.map { .number(presentation.isText ? $0 * 100 : $0) } ?? .none
    }

    /// The columns; where services are told apart there is no address to show.
    static func columns(_ grouping: ChangeGrouping) -> [Column] {
        fields.map { field in
            var column = field.column
            if grouping == .service, column.key == "source" { column.inText = false }
            if grouping == .service, column.key == "service" {
                column.isIdentifier = true
                column.priority = 95
            }
            return column
        }
    }

    static func table(
        _ answer: ChangeExplained, _ grouping: ChangeGrouping, _ filter: Filter, _ list: ListOptions, _ presentation: Presentation
    ) throws -> Table {
        var list = list
        if list.limit == nil, presentation.isText { list.limit = Limit(rows: usualLimit) }
        var rows = try presentation.cells(answer.rows, fields, list)
        let rest = answer.others + answer.rows.count - rows.count
        if presentation.isText, answer.others > 0 { rows.append(others(answer, grouping)) }
        let hasRows = !answer.rows.isEmpty
        return Table(
            name: "trend-explain", period: answer.coverage.period.map(Table.Period.init),
            header: presentation.header(answer.coverage) + headline(answer, presentation), columns: columns(grouping), rows: rows,
            total: hasRows ? sum(answer.change.before, answer.change.after, "Change", answer, grouping) : nil,
            footer: footer(answer, grouping, rest, presentation),
            emptyMessage: presentation.emptyMessage(answer.coverage, filter, otherwise: "No messages in either period."),
            extra: members(answer))
    }

    private static func footer(
        _ answer: ChangeExplained, _ grouping: ChangeGrouping, _ rest: Int, _ presentation: Presentation
    ) -> [String] {
        guard rest > 0 else { return [] }
        let unit = grouping == .source ? "source" : "service"
        let words = answer.others > 0 ? "All others: " : "Not shown: "
        return ["\(words)\(presentation.grouped(rest, unit)); --limit all shows them."]
    }

    /// Both rates and the change, in one line.
    private static func headline(_ answer: ChangeExplained, _ presentation: Presentation) -> [String] {
        guard let earlier = answer.earlier, !answer.rows.isEmpty else { return [] }
        let days = periodPhrase(Table.Period(earlier))
        guard let before = answer.change.before.value, let after = answer.change.after.value, let value = answer.change.value else {
            return ["No messages to compare with: \(days) or the later period has none."]
        }
        let point = presentation.style.decimalPoint
        let rates = [before, after].map { percentage($0, decimalPoint: point) ?? "" }
        let hundredths = Int((value * 10000).rounded())
        let size = abs(hundredths)
        let points = "\(size / 100)\(point)\(size % 100 < 10 ? "0" : "")\(size % 100)"
        let sign = hundredths < 0 ? "-" : "+"
        return [
            "Pass rate \(rates[1]), \(sign)\(points) points: it was \(rates[0]) of "
                + "\(presentation.grouped(answer.change.before.messages, "message")) in \(days)"
        ]
    }

    /// What the rows that are not shown contribute, so that the sum can be seen.
    private static func others(_ answer: ChangeExplained, _ grouping: ChangeGrouping) -> [Cell] {
        let (all, shown) = (answer.change, answer.rows)
        let before = Rate(
            messages: all.before.messages - shown.reduce(0) { $0 + $1.before.messages },
            passed: all.before.passed - shown.reduce(0) { $0 + $1.before.passed })
        let after = Rate(
            messages: all.after.messages - shown.reduce(0) { $0 + $1.after.messages },
            passed: all.after.passed - shown.reduce(0) { $0 + $1.after.passed })
        return sum(before, after, "All others", answer, grouping)
    }

    /// A row for several.
    private static func sum(
        _ before: Rate, _ after: Rate, _ name: String, _ answer: ChangeExplained, _ grouping: ChangeGrouping
    ) -> [Cell] {
        [
            .text(grouping == .source ? name : ""), .text(""), .text(""), .text(grouping == .service ? name : ""),
            .integer(before.messages), .integer(before.passed), .integer(after.messages), .integer(after.passed),
            answer.change.contribution(before: before, after: after).map { .number($0 * 100) } ?? .none,
        ]
    }

    /// What stands beside `rows` in the JSON object.
    private static func members(_ answer: ChangeExplained) -> [(String, Cell)] {
        let against: Cell =
            answer.earlier.map { .object([("since", .day($0.since.number)), ("until", .day($0.until.number))]) } ?? .none
        return [
            ("against", against), ("pass_rate_before", .rate(answer.change.before.value)), ("pass_rate", .rate(answer.change.after.value)),
            ("change", answer.change.value.map { .number($0) } ?? .none),
        ]
    }
}
