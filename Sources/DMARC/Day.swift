/// A calendar day in UTC, counted from 1970-01-01 (day 0).
public struct Day: Hashable, Sendable, Comparable, Strideable {
    /// Days since 1970-01-01; negative before.
    public var number: Int

    /// From the number.
    public init(_ number: Int) { self.number = number }

    /// The day that the instant `epochSeconds` falls on.
    public init(containing epochSeconds: Int) {
        number = epochSeconds >= 0 ? epochSeconds / 86400 : -((-epochSeconds + 86399) / 86400)
    }

    /// A date of the proleptic Gregorian calendar; nil if there is no such date.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...12).contains(month), day >= 1, (-9999...9999).contains(year) else { return nil }
        // Days from civil: years begin in March, so that the leap day is the last of its year.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        number = era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
        guard date == (year, month, day) else { return nil }
    }

    /// Year, month (1…12) and day of the month (1…31).
    public var date: (year: Int, month: Int, day: Int) {
        let shifted = number + 719468
        let era = (shifted >= 0 ? shifted : shifted - 146096) / 146097
        let dayOfEra = shifted - era * 146097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
    }

    /// The first second of the day.
    public var startSeconds: Int { number * 86400 }

    /// Monday is 0 (ISO 8601 weeks begin on Monday).
    public var weekday: Int { ((number + 3) % 7 + 7) % 7 }

    /// Earlier days are smaller.
    public static func < (lhs: Day, rhs: Day) -> Bool { lhs.number < rhs.number }

    /// Days from this one to `other`.
    public func distance(to other: Day) -> Int { other.number - number }

    /// The day `n` days later.
    public func advanced(by n: Int) -> Day { Day(number + n) }
}

extension Day: CustomStringConvertible {
    /// ISO 8601: `2026-11-01`.
    public var description: String {
        let (year, month, day) = date
        func padded(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    /// Reads `2026-11-01`; nil for anything else, including dates that do not exist.
    public init?(iso text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, parts[1].count == 2, parts[2].count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }
}
