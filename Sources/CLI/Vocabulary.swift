import DMARC

/// What `--since` and `--until` take: read without knowing the day, meant on a certain day.
struct PeriodText: Hashable, Sendable {
    /// Words for days counted from today.
    enum Word: String, CaseIterable, Sendable {
        case today, yesterday
        case thisWeek = "this-week"
        case lastWeek = "last-week"
        case thisMonth = "this-month"
        case lastMonth = "last-month"
        case thisYear = "this-year"
        case lastYear = "last-year"
    }

    private enum Meaning: Hashable, Sendable {
        case expression(PeriodExpression)
        case word(Word)
    }

    private let meaning: Meaning

    /// What may be written, for help and errors.
    static let examples = "2026-11-01, 2026-11, 30d, 12w, 6mo, 1y, yesterday, last-month"

    /// Reads a date (`2026-11-01`, also `2026-11` and `2026`), a span (`30d`, `12w`, `6mo`, `1y`) or a word (`last-month`).
    init?(_ text: String) {
        let text = text.lowercased()
        if let word = Word(rawValue: text) {
            meaning = .word(word)
        } else if let days = Self.date(text) ?? Self.span(text) {
            meaning = .expression(days)
        } else {
            return nil
        }
    }

    private static func date(_ text: String) -> PeriodExpression? {
        if let day = Day(iso: text) { return .days(day, day) }
        if text.utf8.count == 7, let first = Day(iso: text + "-01") {
            let next = first.advanced(by: 31)
            return .days(first, next.advanced(by: -next.date.day))
        }
        if text.utf8.count == 4, let first = Day(iso: text + "-01-01"), let last = Day(iso: text + "-12-31") { return .days(first, last) }
        return nil
    }

    private static func span(_ text: String) -> PeriodExpression? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard (1...5).contains(digits.count), let count = Int(digits), count > 0 else { return nil }
        // No period reaches back before the calendar of the reports.
        switch text.dropFirst(digits.count) {
        case "d": return .lastDays(count)
        case "w": return .lastDays(count * 7)
        case "mo": return count <= 1200 ? .lastMonths(count) : nil
        case "y": return count <= 100 ? .lastMonths(count * 12) : nil
        default: return nil
        }
    }

    /// Whether it is a span, which needs another end to count back from.
    var isSpan: Bool {
        switch meaning {
        case .expression(.lastDays), .expression(.lastMonths): true
        default: false
        }
    }

    /// What it means on the day `today`.
    func expression(today: Day) -> PeriodExpression {
        switch meaning {
        case .expression(let expression): return expression
        case .word(let word):
            let days = Self.days(word, today: today)
            return .days(days.since, days.until)
        }
    }

    /// Weeks begin on Monday.
    private static func days(_ word: Word, today: Day) -> Period {
        let (year, month, day) = today.date
        let monday = today.advanced(by: -today.weekday)
        let firstOfMonth = today.advanced(by: 1 - day)
        let firstOfYear = Day(year: year, month: 1, day: 1) ?? today
        switch word {
        case .today: return Period(since: today, until: today)
        case .yesterday: return Period(since: today.advanced(by: -1), until: today.advanced(by: -1))
        case .thisWeek: return Period(since: monday, until: today)
        case .lastWeek: return Period(since: monday.advanced(by: -7), until: monday.advanced(by: -1))
        case .thisMonth: return Period(since: firstOfMonth, until: today)
        case .lastMonth:
            let previous = month == 1 ? Day(year: year - 1, month: 12, day: 1) : Day(year: year, month: month - 1, day: 1)
            return Period(since: previous ?? firstOfMonth, until: firstOfMonth.advanced(by: -1))
        case .thisYear: return Period(since: firstOfYear, until: today)
        case .lastYear: return Period(since: Day(year: year - 1, month: 1, day: 1) ?? firstOfYear, until: firstOfYear.advanced(by: -1))
        }
    }
}

/// What `--limit` takes: a number from 1, or `all`.
struct Limit: Hashable, Sendable {
    /// The most rows; nil: all.
    let rows: Int?

    init?(_ text: String) {
        if text.lowercased() == "all" {
            rows = nil
        } else if let number = Int(text), number >= 1, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            rows = number
        } else {
            return nil
        }
    }

    init(rows: Int?) { self.rows = rows }
}

/// What `--sort` takes: a key of the table, `:asc` or `:desc` behind it.
struct SortOrder: Hashable, Sendable {
    let key: String
    /// nil: numbers from large to small, everything else from small to large.
    let isDescending: Bool?

    init(_ text: String) {
        if text.hasSuffix(":asc") {
            (key, isDescending) = (String(text.dropLast(4)), false)
        } else if text.hasSuffix(":desc") {
            (key, isDescending) = (String(text.dropLast(5)), true)
        } else {
            (key, isDescending) = (text, nil)
        }
    }
}
