import DMARC

/// Messages by who reports them, as decisions count them. Figures that are shown are exact sums; what is decided rests on these, because
/// anybody may write any number into a report (docs/ADVICE.md, "Whose figures decide").
package struct ByVoice: Hashable, Sendable {
    /// Messages by place of the voice in `DomainFacts.voices`, outliers set aside. Never 0.
    package private(set) var counts: [Int: Int] = [:]

    package init() {}

    /// All of them.
    package var messages: Int { counts.values.reduce(0, +) }

    package mutating func add(_ messages: Int, of voice: Int) {
        if messages > 0 { counts[voice, default: 0] += messages }
    }

    package mutating func add(_ other: ByVoice) { counts.merge(other.counts, uniquingKeysWith: +) }
}

/// Shares in which no voice carries more than a third.
package enum BoundedShare {
    /// A voice with fewer messages than this does not speak for a share of one in two hundred. Such voices are taken together, and nobody's
    /// messages are cut to fewer.
    package static let fewest = 200
    /// Of what only the bounded share shows, so many messages are needed: a single odd message at a small receiver decides nothing.
    static let fewestFaults = 5

    /// How many messages of each voice may count: such that no voice has more than a third of what counts, or more than a half where two speak.
    package static func cap(_ whole: ByVoice) -> Int {
        let all = whole.counts.values
        guard all.count > 1 else { return .max }
        let speaking = all.filter { $0 >= fewest }.sorted(by: >)
        let rest = all.reduce(0) { $0 + ($1 < fewest ? $1 : 0) }
        guard let largest = speaking.first else { return .max }
        // A third for each of three, a half for each of two.
        let parts = speaking.count + (rest >= fewest ? 1 : 0) >= 3 ? 3 : 2
        var others = speaking.reduce(rest, +)
        if largest * parts <= others { return .max }
        // The largest n are cut to c, such that c is one part of n times c and what all others have.
        for cut in 1...speaking.count {
            others -= speaking[cut - 1]
            // So many may have a part each that together they are everything: they need only be equal.
            let cap = cut >= parts ? speaking[cut - 1] : others / (parts - cut)
            if cut == speaking.count || cap >= speaking[cut] { return max(fewest, min(cap, speaking[cut - 1])) }
        }
        return .max
    }

    /// The share of `part` in `whole`, each voice's messages cut in proportion to the cap. 0 where nothing is known.
    package static func share(_ part: ByVoice, of whole: ByVoice) -> Double {
        let cap = cap(whole)
        var (counted, sum) = (0.0, 0.0)
        for (voice, messages) in whole.counts {
            let kept = Double(min(messages, cap))
            sum += kept
            counted += kept * Double(min(part.counts[voice] ?? 0, messages)) / Double(messages)
        }
        return sum > 0 ? counted / sum : 0
    }

    /// The share without bounds, outliers set aside.
    package static func plain(_ part: ByVoice, of whole: ByVoice) -> Double {
        let messages = whole.messages
        return messages > 0 ? Double(part.messages) / Double(messages) : 0
    }

    /// Whether `part` is more than `limit` of `whole`. What two witnesses saw is, if either share says so: one voice that counts a thousand times as
    /// much cannot make it small. What one voice alone says is only if both do: it cannot make it large either.
    static func exceeds(_ limit: Double, _ part: ByVoice, of whole: ByVoice, witnesses: Int) -> Bool {
        let (plain, bounded) = (plain(part, of: whole) > limit, share(part, of: whole) > limit)
        guard witnesses >= Readiness.reportersNeeded else { return plain && bounded }
        return plain || (bounded && part.messages >= fewestFaults)
    }
}

/// Counts of a voice on a day that are out of all proportion, and what may count of them.
///
/// What a voice says of a verdict on a day is an outlier where it is more than ten times what the voice reports of all senders on its median day,
/// and more than a thousand messages. It counts as much as the most that any other voice says of that verdict on that day: a newsletter goes to
/// many receivers, an invented number does not.
package struct Outliers {
    package static let times = 10
    package static let fewest = 1000
    /// With fewer days a voice has no usual day of its own: that of the others stands for it.
    package static let fewestDays = 3
    /// Longer periods are looked at this far back.
    package static let mostDays = 400
    /// Numbers of verdicts but that of strangers, who are in no share.
    private static let verdicts = 7

    private let last: Int
    private let days: Int
    private let voices: Int
    private var sums: [Int]

    package init(_ period: Period, voices: Int) {
        last = period.until.number
        self.voices = voices > 1 ? voices : 0
        days = min(Self.mostDays, period.since.distance(to: period.until) + 1)
        sums = [Int](repeating: 0, count: self.voices * days * Self.verdicts)
    }

    @inline(__always)
    private func place(_ voice: Int, _ day: Int, _ verdict: Int) -> Int? {
        let age = last - day
        guard voice < voices, age >= 0, age < days, verdict >= 2, verdict < 2 + Self.verdicts else { return nil }
        return (voice * days + age) * Self.verdicts + verdict - 2
    }

    /// - Parameter verdict: its number, 2 to 9.
    @inline(__always)
    package mutating func note(_ messages: Int, voice: Int, day: Int, verdict: Int) {
        if let place = place(voice, day, verdict) { sums[place] &+= messages }
    }

    /// After the last count: the days on which there is an outlier, by voice and verdict; empty almost always.
    package func find() -> [(voice: Int, day: Int, verdict: Int, kept: Double)] {
        guard voices > 1 else { return [] }
        let usual = (0..<voices).map { voice -> Int? in
            var totals: [Int] = []
            for age in 0..<days {
                let first = (voice * days + age) * Self.verdicts
                let total = sums[first..<first + Self.verdicts].reduce(0, &+)
                if total > 0 { totals.append(total) }
            }
            return totals.count < Self.fewestDays ? nil : Self.median(totals)
        }
        // Where one voice alone speaks there is nobody to compare it with.
        guard (0..<voices).count(where: { sums[$0 * days * Self.verdicts..<($0 + 1) * days * Self.verdicts].contains { $0 > 0 } }) > 1
        else { return [] }
        let common = Self.median(usual.compactMap(\.self))
        let limits = usual.map { max(Self.fewest, Self.times * ($0 ?? common ?? Self.fewest)) }
        var found: [(voice: Int, day: Int, verdict: Int, kept: Double)] = []
        for voice in 0..<voices {
            for age in 0..<days {
                for verdict in 2..<2 + Self.verdicts {
                    guard let place = place(voice, last - age, verdict), sums[place] > limits[voice] else { continue }
                    let others =
                        (0..<voices).filter { $0 != voice }.compactMap { other in
                            self.place(other, last - age, verdict).map { min(sums[$0], limits[other]) }
                        }.max() ?? 0
                    found.append((voice, last - age, verdict, Double(min(others, limits[voice])) / Double(sums[place])))
                }
            }
        }
        return found
    }

    /// Of an even number the lower one of the middle two.
    private static func median(_ numbers: [Int]) -> Int? { numbers.isEmpty ? nil : numbers.sorted()[(numbers.count - 1) / 2] }
}
