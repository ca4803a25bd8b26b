import DMARC
import GRDB

/// Finds where reporters contradict each other: the same source, the same signature (domain and selector), the same day; one says that it
/// verified, another that it did not.
///
/// Only `pass` and `fail` are counted: all other results say that nothing was found out. Signatures without a selector cannot be told
/// apart and are left aside.
struct Opposites: Sendable {
    private struct Topic: Hashable {
        var source: Int32
        var domain: Int32
        var selector: Int32
        var day: Int32
    }

    /// What a reporter said, and what was said before on the same topic.
    private struct Voice {
        var reporter: Int32
        var passed: Bool
        var previous: Int32
    }

    private var sources = SourceTable()
    private var selectors: [Int: Int32] = [:]
    private var numbers: [String: Int32] = [:]
    /// The last voice on each topic on which somebody said that a signature did not verify: few, while almost every message has one that did.
    private var disputed: [Topic: Int32] = [:]
    private var failing: [Bool] = []
    private var voices: [Voice] = []
    private var passes: [(topic: Topic, reporter: Int32)] = []

    /// A number for a source.
    @inline(__always)
    mutating func number(ofSource address: IPAddress) -> Int { sources.number(of: address) }

    /// A number for a selector; they are labels of DNS, in which letter case means nothing. Nil for an empty one.
    private mutating func number(ofSelector key: Int, _ names: inout NameLookup) throws -> Int32? {
        if let known = selectors[key] { return known < 0 ? nil : known }
        let name = try names.name(key)?.lowercased() ?? ""
        let number = name.isEmpty ? -1 : numbers[name] ?? Int32(numbers.count)
        if number >= 0 { numbers[name] = number }
        selectors[key] = number
        return number < 0 ? nil : number
    }

    /// Whether a result says of a signature with a domain and a selector that it verified, or that it did not.
    @inline(__always)
    static func isStatement(_ result: KeyedResult) -> Bool {
        result.isDKIM && (result.passed || result.failed) && result.domain != 0 && result.selector != 0
    }

    /// Notes what a reporter says of a signature on a day.
    mutating func note(_ statement: KeyedResult, source: Int, day: Int, reporter: Int, _ names: inout NameLookup) throws {
        while failing.count <= source { failing.append(false) }
        guard let selector = try number(ofSelector: Int(statement.selector), &names) else { return }
        let topic = Topic(
            source: Int32(source), domain: statement.domain, selector: selector, day: Int32(truncatingIfNeeded: day))
        if statement.passed {
            passes.append((topic, Int32(reporter)))
        } else {
            failing[source] = true
            add(Voice(reporter: Int32(reporter), passed: false, previous: disputed[topic] ?? -1), on: topic)
        }
    }

    private mutating func add(_ voice: Voice, on topic: Topic) {
        disputed[topic] = Int32(voices.count)
        voices.append(voice)
    }

    /// Adds what was noted about records of other domains.
    ///
    /// - Parameter reporters: the numbers here of the reporters there.
    mutating func add(_ other: Opposites, reporters: [Int32]) {
        let places = other.sources.addresses.map { Int32(sources.number(of: $0)) }
        while failing.count < sources.addresses.count { failing.append(false) }
        for (place, isFailing) in zip(places, other.failing) where isFailing { failing[Int(place)] = true }
        var names = [Int32](repeating: -1, count: other.numbers.count)
        for (name, number) in other.numbers {
            let known = numbers[name] ?? Int32(numbers.count)
            numbers[name] = known
            names[Int(number)] = known
        }
        func translated(_ topic: Topic) -> Topic {
            Topic(source: places[Int(topic.source)], domain: topic.domain, selector: names[Int(topic.selector)], day: topic.day)
        }
        for (topic, last) in other.disputed {
            let topic = translated(topic)
            var place = last
            while place >= 0 {
                let voice = other.voices[Int(place)]
                add(Voice(reporter: reporters[Int(voice.reporter)], passed: false, previous: disputed[topic] ?? -1), on: topic)
                place = voice.previous
            }
        }
        passes.reserveCapacity(passes.count + other.passes.count)
        for (topic, reporter) in other.passes { passes.append((translated(topic), reporters[Int(reporter)])) }
    }

    /// For each reporter, on how many topics another one said the opposite.
    mutating func counts(reporters: Int) -> [Int] {
        for (topic, reporter) in passes where failing[Int(topic.source)] {
            guard let previous = disputed[topic] else { continue }
            add(Voice(reporter: reporter, passed: true, previous: previous), on: topic)
        }
        passes.removeAll()
        var counts = [Int](repeating: 0, count: reporters)
        // Passes were added last: a topic whose last voice is none has nobody who says so.
        for last in disputed.values where voices[Int(last)].passed {
            var passed: Set<Int32> = []
            var failed: Set<Int32> = []
            var place = last
            while place >= 0 {
                let voice = voices[Int(place)]
                if voice.passed { passed.insert(voice.reporter) } else { failed.insert(voice.reporter) }
                place = voice.previous
            }
            for reporter in passed.union(failed) {
                let isOpposed =
                    passed.contains(reporter) && !failed.subtracting([reporter]).isEmpty
                    || failed.contains(reporter) && !passed.subtracting([reporter]).isEmpty
                if isOpposed { counts[Int(reporter)] += 1 }
            }
        }
        return counts
    }
}
