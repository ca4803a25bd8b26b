import DMARC
import Testing

@testable import Inference

/// Who is heard: pure rules over days and networks.
@Suite("Standing of voices")
struct StandingTests {
    private func days(_ days: Int...) -> VoiceDays {
        var known = VoiceDays()
        for day in days { known.add(day) }
        return known
    }

    private func networks(_ names: String...) throws -> NetworkSketch {
        var sketch = NetworkSketch()
        for name in names { _ = sketch.add(NetworkSketch.hash(of: Network(try #require(IPAddress(name))))) }
        return sketch
    }

    private static let veteran = [100, 102, 104, 106, 108, 110, 114]

    @Test("seven days, and two weeks from the first to the last")
    func time() {
        #expect(days(100, 102, 104, 106, 108, 110, 114).hasStoodTheTest)
        #expect(!days(100, 102, 104, 106, 108, 110, 113).hasStoodTheTest)
        #expect(!days(100, 100, 104, 106, 108, 110, 120).hasStoodTheTest)
        #expect(!days(100, 200).hasStoodTheTest)
        #expect(!VoiceDays().hasStoodTheTest)
    }

    @Test("the same days give the same, in whatever order they come")
    func order() {
        var generator = SplitMix(state: 4)
        let all = (0..<40).map { _ in Int.random(in: 0..<90, using: &generator) }
        var once = VoiceDays()
        for day in all { once.add(day) }
        for _ in 0..<20 {
            var other = VoiceDays()
            for day in all.shuffled(using: &generator) { other.add(day) }
            #expect(other == once)
        }
        #expect(once.first == Array(Set(all).sorted().prefix(7)))
        #expect(once.last == all.max())
    }

    @Test("a sketch is the same in whatever order networks come, and knows what it cannot know")
    func sketch() {
        var generator = SplitMix(state: 9)
        let all = (0..<300).map { _ in UInt32.random(in: .min ... .max, using: &generator) }
        var once = NetworkSketch()
        for hash in all { _ = once.add(hash) }
        #expect(once.hashes == Array(Set(all).sorted().prefix(64)))
        #expect(once.blindAbove == once.hashes.last)
        var other = NetworkSketch()
        for hash in all.shuffled(using: &generator) { _ = other.add(hash) }
        #expect(other == once)
        #expect(other.add(once.hashes[3]) == false)
        #expect(NetworkSketch().blindAbove == nil)
    }

    @Test("a newcomer is heard neither for what it says nor for how often")
    func newcomer() throws {
        let old = days(100, 102, 104, 106, 108, 110, 114)
        let rules = StandingRules([1: old, 2: old, 3: days(114)])
        #expect(!rules.isYoung)
        let own = try networks("192.0.2.1")
        let standings = rules.standings([(1, own), (2, own), (3, own)])
        #expect(standings == [1: .witness, 2: .witness, 3: .newcomer])
    }

    @Test("time alone makes no witness where others agree on what is the owner's")
    func strangerToTheOwner() throws {
        let old = days(100, 102, 104, 106, 108, 110, 114)
        let rules = StandingRules([1: old, 2: old, 3: old])
        let own = try networks("192.0.2.1", "198.51.100.1")
        let standings = rules.standings([(1, own), (2, try networks("192.0.2.77")), (3, try networks("203.0.113.9"))])
        #expect(standings == [1: .witness, 2: .witness, 3: .newcomer])
        // Of another organisation that nobody agrees about, all are believed who have stood the test of time.
        #expect(rules.standings([(1, NetworkSketch()), (3, NetworkSketch())]) == [1: .witness, 3: .witness])
    }

    @Test("in a young store those who agree are believed together, and are never counted")
    func young() throws {
        let rules = StandingRules([1: days(100, 101), 2: days(101), 3: days(101)])
        #expect(rules.isYoung)
        let own = try networks("192.0.2.1")
        let standings = rules.standings([(1, own), (2, own), (3, try networks("203.0.113.9"))])
        #expect(standings == [1: .together, 2: .together, 3: .newcomer])
        #expect(Levels.voices(Levels.togetherBit) == 0)
        #expect(rules.standings([(1, own)]) == [1: .together])
        // Two newcomers who agree do not silence whoever has been there longest.
        let theirs = try networks("203.0.113.9")
        #expect(rules.standings([(1, own), (2, theirs), (3, theirs)]) == [1: .together, 2: .together, 3: .together])
    }

    @Test("it grows up with two voices of age, or with four weeks")
    func grownUp() {
        let old = days(100, 102, 104, 106, 108, 110, 114)
        #expect(StandingRules([1: old, 2: days(114)]).isYoung)
        #expect(!StandingRules([1: old, 2: old]).isYoung)
        #expect(StandingRules([1: days(100), 2: days(128)]).isYoung)
        #expect(!StandingRules([1: old, 2: days(128)]).isYoung)
        // After four weeks one witness is better than many newcomers.
        let rules = StandingRules([1: days(100, 102, 104, 106, 108, 110, 128), 2: days(128)])
        #expect(rules.standings([(1, NetworkSketch()), (2, NetworkSketch())]) == [1: .witness, 2: .newcomer])
    }

    @Test("a full sketch is no proof against anybody")
    func full() throws {
        let old = days(100, 102, 104, 106, 108, 110, 114)
        var large = NetworkSketch()
        for hash in 0..<64 as Range<UInt32> { _ = large.add(hash) }
        let small = NetworkSketch(hashes: [4_000_000_000])
        let rules = StandingRules([1: old, 2: old])
        #expect(rules.standings([(1, large), (2, small)]) == [1: .witness, 2: .witness])
    }
}

/// SplitMix64: the same numbers every time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
