/// The days on which reports of one reporter lie: that of the middle of each report's window.
public struct ReportRhythm: Hashable, Sendable {
    /// First day with a report; nil if there is none.
    public let firstDay: Day?
    /// Last day with a report.
    public let lastDay: Day?
    /// Median of the days from one report day to the next; nil with fewer than two. Of an even number the mean of the middle two.
    public let usualGap: Double?
    /// The longest of them.
    public let longestGap: Int?
    /// Days from the last report day to the last day that holds data of anybody.
    public let lastGap: Int?

    /// Days in any order, repeated or not; `dataUntil`: the last day that holds data.
    public init(days: [Day], dataUntil: Day) {
        let days = Set(days).sorted()
        firstDay = days.first
        lastDay = days.last
        lastGap = days.last.map { max(0, $0.distance(to: dataUntil)) }
        let gaps = zip(days, days.dropFirst()).map { $0.distance(to: $1) }.sorted()
        longestGap = gaps.last
        usualGap = gaps.isEmpty ? nil : Double(gaps[(gaps.count - 1) / 2] + gaps[gaps.count / 2]) / 2
    }

    /// Whether it has been silent for longer than three usual gaps and three days. False where no rhythm is known.
    public var isSilent: Bool {
        guard let usualGap, let lastGap else { return false }
        return Double(lastGap) > max(3, 3 * usualGap)
    }
}
