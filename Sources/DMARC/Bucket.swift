/// How days are gathered in `trend`.
public enum BucketSize: String, CaseIterable, Sendable {
    /// UTC days: `2026-11-01`.
    case day
    /// Weeks of ISO 8601, from Monday: `2026-W45`.
    case week
    /// Calendar months: `2026-11`.
    case month

    /// The first day of the bucket that `day` lies in.
    public func start(of day: Day) -> Day {
        switch self {
        case .day: day
        case .week: day.advanced(by: -day.weekday)
        case .month: day.advanced(by: 1 - day.date.day)
        }
    }

    /// The name of the bucket that `day` lies in.
    public func label(of day: Day) -> String {
        switch self {
        case .day: return day.description
        case .week:
            // The year of a week is that of its Thursday; week 1 holds the year's first Thursday (ISO 8601).
            let thursday = day.advanced(by: 3 - day.weekday)
            let year = thursday.date.year
            let week = (Day(year: year, month: 1, day: 1) ?? thursday).distance(to: thursday) / 7 + 1
            return "\(thursday.description.prefix(4))-W\(week < 10 ? "0" : "")\(week)"
        case .month: return String(day.description.prefix(7))
        }
    }

    /// The buckets of a period in their order; the first and the last may be cut by it.
    package func buckets(of period: Period) -> [Period] {
        var buckets: [Period] = []
        var day = period.since
        while day <= period.until {
            var end = day
            switch self {
            case .day: break
            case .week: end = start(of: day).advanced(by: 6)
            // The 31st day from the first of a month is in the month itself or in the next.
            case .month: end = start(of: start(of: day).advanced(by: 31)).advanced(by: -1)
            }
            buckets.append(Period(since: day, until: min(end, period.until)))
            day = end.advanced(by: 1)
        }
        return buckets
    }
}
