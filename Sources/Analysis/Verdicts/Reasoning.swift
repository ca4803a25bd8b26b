/// What the verdicts on the flows of one network were weighed from, for a reader.
final class Reasoning {
    /// What one rule added.
    struct Contribution: Hashable {
        var rule: Rule
        var story: Verdict
        /// Natural logarithm of odds.
        var weight: Double
    }

    /// Of one flow.
    struct Weighing: Hashable {
        /// The stories that were told.
        var stories: [Verdict] = []
        /// In the order in which they were asked.
        var contributions: [Contribution] = []
        /// What kept the confidence where it is, the last one decides.
        var caps: [Cap] = []
    }

    private var weighings: [Int: Weighing] = [:]
    private var current = 0

    /// The flow in place `index` of those that are judged.
    subscript(index: Int) -> Weighing { weighings[index] ?? Weighing() }

    func begin(_ index: Int) { current = index }

    func tell(_ stories: [Verdict]) { weighings[current, default: Weighing()].stories = stories }

    func note(_ rule: Rule, _ story: Verdict, _ weight: Double) {
        guard weight != 0 else { return }
        weighings[current, default: Weighing()].contributions.append(Contribution(rule: rule, story: story, weight: weight))
    }

    func note(_ cap: Cap) { weighings[current, default: Weighing()].caps.append(cap) }

    /// The verdict is that of other mail: what was weighed for the flow itself does not count.
    func takeOver(_ index: Int, _ cap: Cap) {
        current = index
        weighings[index] = Weighing(caps: [cap])
    }
}
