/// The UTC days that a question is about, both ends included.
public struct Period: Hashable, Sendable {
    /// First day.
    public let since: Day
    /// Last day, not before `since`.
    public let until: Day

    /// Days of a period that nobody asked for.
    public static let usualDays = 30

    /// Both ends, in either order.
    public init(since: Day, until: Day) {
        self.since = min(since, until)
        self.until = max(since, until)
    }

    /// Number of days, at least 1.
    public var days: Int { since.distance(to: until) + 1 }

    /// Whether `day` lies in it.
    public func contains(_ day: Day) -> Bool { since <= day && day <= until }
}

/// One end of a period as a person says it. The words are read in `CLI`; what they mean is decided here.
public enum PeriodExpression: Hashable, Sendable {
    /// A day, a month, a year, or a word for days counted from today: resolved already. The first and the last of its days.
    case days(Day, Day)
    /// So many days (also weeks: 7 days each), the last one included.
    case lastDays(Int)
    /// So many calendar months, up to and including the last day.
    case lastMonths(Int)

    /// The first day that is not older than the span, seen from `today`; nil for what is no span.
    public func youngest(today: Day) -> Day? {
        switch self {
        case .days: nil
        case .lastDays(let count): today.advanced(by: -count)
        case .lastMonths(let count): today.monthsEarlier(count)
        }
    }

    /// The first day meant, where `until` is the last day of the period. A span of 1 day begins on `until` itself.
    package func first(until: Day) -> Day {
        switch self {
        case .days(let first, _): first
        case .lastDays(let count): until.advanced(by: 1 - count)
        case .lastMonths(let count): until.monthsEarlier(count).advanced(by: 1)
        }
    }
}

/// What a person said about the period; resolved against today and against the last day that holds data.
public struct PeriodRequest: Hashable, Sendable {
    /// What a question covers when nobody says.
    public enum Usual: Hashable, Sendable {
        /// The last 30 days, the last of them being the last that holds data.
        case recent
        /// Everything there is.
        case everything
    }

    /// First end, if given.
    public var since: PeriodExpression?
    /// Last end, if given; never a span.
    public var until: PeriodExpression?

    /// Both ends.
    public init(since: PeriodExpression? = nil, until: PeriodExpression? = nil) {
        self.since = since
        self.until = until
    }

    /// The days meant.
    ///
    /// - `since` alone reaches to the last day that holds data, and a span is counted back from there.
    /// - `until` alone takes the 30 days up to it.
    /// - neither: `usual`.
    ///
    /// - Parameters:
    ///   - data: first and last day that hold data for the chosen domains; nil if there are none.
    ///   - today: stands in for the last day with data where there are none.
    /// - Returns: nil only where nothing was asked for and there is nothing.
    public func resolve(data: Period?, today: Day, usual: Usual = .recent) -> Period? {
        let last: Day
        switch until {
        case .days(_, let end): last = end
        case .lastDays, .lastMonths, nil: last = data?.until ?? today
        }
        if let since {
            let first = since.first(until: last)
            // `--since` after the last day that holds data asks about days that are still empty, not about days before it.
            return until == nil ? Period(since: first, until: max(first, last)) : Period(since: first, until: last)
        }
        guard let data else { return until == nil ? nil : Period(since: last.advanced(by: 1 - Period.usualDays), until: last) }
        switch usual {
        case .recent: return Period(since: last.advanced(by: 1 - Period.usualDays), until: last)
        case .everything: return Period(since: min(data.since, last), until: last)
        }
    }
}

extension Day {
    /// The same day of the month `count` months earlier, or the last day of that month where it is shorter.
    func monthsEarlier(_ count: Int) -> Day {
        let (year, month, day) = date
        let months = year * 12 + month - 1 - count
        let earlierYear = (months >= 0 ? months : months - 11) / 12
        let earlierMonth = months - earlierYear * 12 + 1
        for candidate in stride(from: day, through: 28, by: -1) {
            if let found = Day(year: earlierYear, month: earlierMonth, day: candidate) { return found }
        }
        return Day(year: earlierYear, month: earlierMonth, day: min(day, 28)) ?? self
    }
}
