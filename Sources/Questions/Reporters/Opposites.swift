import DMARC
import Store

/// Finds where reporters contradict each other: the same source, the same signature (domain and selector), the same day; one says that it
/// verified, another that it did not.
///
/// Only `pass` and `fail` are counted: all other results say that nothing was found out. Signatures without a selector cannot be told
/// apart and are left aside. So is one that a record lists both ways: some reporters put several messages into one record, or see one key
/// twice in a message, and nobody knows which result is whose.
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
    /// By key: the number of a selector and 1, or 0 for an empty one.
    private var selectors = KeyedPlaces()
    private var numbers: [String: Int32] = [:]
    /// The last voice on each topic on which somebody said that a signature did not verify: few, while almost every message has one that did.
    private var disputed: [Topic: Int32] = [:]
    private var failing: [Bool] = []
    private var voices: [Voice] = []
    private var passes: [(topic: Topic, reporter: Int32)] = []

    /// A number for a source.
    @inline(__always)
    private mutating func number(ofSource address: IPAddress) -> Int { sources.number(of: address) }

    /// A number for a selector; they are labels of DNS, in which letter case means nothing. Nil for an empty one.
    @inline(__always)
    private mutating func number(ofSelector key: Int, _ names: inout NameLookup) throws -> Int32? {
        let known = try selectors[key] ?? addSelector(key, &names)
        return known == 0 ? nil : Int32(known - 1)
    }

    private mutating func addSelector(_ key: Int, _ names: inout NameLookup) throws -> Int {
        let name = try names.name(key)?.lowercased() ?? ""
        if !name.isEmpty, numbers[name] == nil { numbers[name] = Int32(numbers.count) }
        let known = numbers[name].map { Int($0) + 1 } ?? 0
        selectors[key] = known
        return known
    }

    /// Whether a result says of a signature with a domain and a selector that it verified, or that it did not.
    @inline(__always)
    private static func isStatement(_ result: KeyedResult) -> Bool {
        result.isDKIM && (result.passed || result.failed) && result.domain != 0 && result.selector != 0
    }

    /// Notes what a record of a reporter says of signatures on a day.
    @inline(__always)
    mutating func note(
        _ results: ArraySlice<KeyedResult>, source address: IPAddress, day: Int, reporter: Int, _ names: inout NameLookup
    ) throws {
        var source = -1
        for result in results where Self.isStatement(result) {
            if source < 0 { source = number(ofSource: address) }
            if try isListedBothWays(result, in: results, &names) { continue }
            try note(result, source: source, day: day, reporter: reporter, &names)
        }
    }

    @inline(__always)
    private mutating func isListedBothWays(
        _ statement: KeyedResult, in results: ArraySlice<KeyedResult>, _ names: inout NameLookup
    ) throws -> Bool {
        for other in results where other.domain == statement.domain && other.passed != statement.passed && Self.isStatement(other) {
            if other.selector == statement.selector { return true }
            if try number(ofSelector: Int(other.selector), &names) == number(ofSelector: Int(statement.selector), &names) { return true }
        }
        return false
    }

    /// Notes what a reporter says of a signature on a day.
    private mutating func note(_ statement: KeyedResult, source: Int, day: Int, reporter: Int, _ names: inout NameLookup) throws {
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

    /// Adds what was noted about records of other domains, of all of them at once: then it is known of which sources somebody said that a
    /// signature did not verify, and the passes of all others need not be looked at.
    ///
    /// - Parameter others: each with the numbers here of the reporters there.
    mutating func add(_ others: [(opposites: Opposites, reporters: [Int32])]) {
        let translations = others.map { other, reporters in
            Translation(
                sources: other.sources.addresses.map { Int32(sources.number(of: $0)) }, selectors: translated(other.numbers),
                reporters: reporters)
        }
        failing += repeatElement(false, count: sources.addresses.count - failing.count)
        for ((other, _), translation) in zip(others, translations) {
            for (place, isFailing) in zip(translation.sources, other.failing) where isFailing { failing[Int(place)] = true }
            for (topic, last) in other.disputed {
                let topic = translation.topic(topic)
                var place = last
                while place >= 0 {
                    let voice = other.voices[Int(place)]
                    let reporter = translation.reporters[Int(voice.reporter)]
                    add(Voice(reporter: reporter, passed: false, previous: disputed[topic] ?? -1), on: topic)
                    place = voice.previous
                }
            }
        }
        for ((other, _), translation) in zip(others, translations) {
            for (topic, reporter) in other.passes where failing[Int(translation.sources[Int(topic.source)])] {
                passes.append((translation.topic(topic), translation.reporters[Int(reporter)]))
            }
        }
    }

    /// The numbers here of what has others there.
    private struct Translation {
        let sources: [Int32]
        let selectors: [Int32]
        let reporters: [Int32]

        func topic(_ topic: Topic) -> Topic {
            Topic(
                source: sources[Int(topic.source)], domain: topic.domain, selector: selectors[Int(topic.selector)], day: topic.day)
        }
    }

    private mutating func translated(_ selectors: [String: Int32]) -> [Int32] {
        var found = [Int32](repeating: -1, count: selectors.count)
        for (name, number) in selectors {
            let known = numbers[name] ?? Int32(numbers.count)
            numbers[name] = known
            found[Int(number)] = known
        }
        return found
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
