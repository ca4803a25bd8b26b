/// The time a report covers: `date_range`, in seconds since 1970-01-01 UTC, as written.
///
/// Reporters disagree on whether `end` is inclusive (23:59:59) or exclusive (24:00:00); nothing here depends on it.
public struct ReportWindow: Hashable, Sendable {
    /// First second.
    public let begin: Int
    /// Last second, or the one after it.
    public let end: Int

    /// A window above this length is spread over its days.
    public static let longestUndividedSeconds = 36 * 3600

    /// No window is longer: what says so stands in a damaged database. More than any limit allows (`limits.window_days`).
    private static let longestSeconds = 3661 * 86400
    /// Seconds from 1970 that no window is beyond.
    private static let farthest = 1 << 40

    /// Both ends; `end` must not be before `begin` (checked by the parser, which refuses such a report).
    public init(begin: Int, end: Int) {
        self.begin = min(max(begin, -Self.farthest), Self.farthest)
        self.end = min(max(self.begin, end), self.begin + Self.longestSeconds)
    }

    /// Length in seconds.
    public var seconds: Int { end - begin }

    /// The UTC day of the midpoint: the day that a report belongs to.
    public var day: Day { Day(containing: begin + (end - begin) / 2) }

    /// Whether the counts are spread over several days.
    public var isSpread: Bool { seconds > Self.longestUndividedSeconds }

    /// The days that counts fall on: the midpoint's day, or all that a long window touches.
    public var days: ClosedRange<Day> {
        isSpread ? Day(containing: begin)...Day(containing: end - 1) : day...day
    }

    /// The share of `count` that falls on each of `days`, in their order.
    ///
    /// Pro rata by the seconds of the window in each day; what is left over by rounding down goes to the largest remainders, the earlier day
    /// first. The sum is always `count`.
    public func shares(of count: Int) -> [Int] {
        guard isSpread else { return [count] }
        let weights = days.map { day in min(end, day.startSeconds + 86400) - max(begin, day.startSeconds) }
        // No overflow: a count is at most 10⁹ and a window at most 366 days.
        var shares = weights.map { count * $0 / seconds }
        let remainders = weights.map { count * $0 % seconds }
        let left = count - shares.reduce(0, +)
        for index in remainders.indices.sorted(by: { (remainders[$1], $0) < (remainders[$0], $1) }).prefix(left) {
            shares[index] += 1
        }
        return shares
    }
}
