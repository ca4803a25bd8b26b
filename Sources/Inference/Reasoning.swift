import DMARC

/// What the verdicts on the flows of one network were weighed from, for a reader.
package final class Reasoning {
    /// What one rule added.
    package struct Contribution: Hashable {
        package var rule: Rule
        package var story: Verdict
        /// Natural logarithm of odds.
        package var weight: Double
    }

    /// Of one flow.
    package struct Weighing: Hashable {
        /// The stories that were told.
        package var stories: [Verdict] = []
        /// In the order in which they were asked.
        package var contributions: [Contribution] = []
        /// What kept the confidence where it is, the last one decides.
        package var caps: [Cap] = []

        package init(caps: [Cap] = []) { self.caps = caps }
    }

    private var weighings: [Int: Weighing] = [:]
    private var current = 0

    package init() {}

    /// The flow in place `index` of those that are judged.
    package subscript(index: Int) -> Weighing { weighings[index] ?? Weighing() }

    package func begin(_ index: Int) { current = index }

    package func tell(_ stories: [Verdict]) { weighings[current, default: Weighing()].stories = stories }

    package func note(_ rule: Rule, _ story: Verdict, _ weight: Double) {
        guard weight != 0 else { return }
        weighings[current, default: Weighing()].contributions.append(Contribution(rule: rule, story: story, weight: weight))
    }

    package func note(_ cap: Cap) { weighings[current, default: Weighing()].caps.append(cap) }

    /// The verdict is that of other mail: what was weighed for the flow itself does not count.
    package func takeOver(_ index: Int, _ cap: Cap) {
        current = index
        weighings[index] = Weighing(caps: [cap])
    }
}
