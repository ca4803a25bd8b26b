import DMARC
import Testing

@Suite("Days and windows")
struct WindowTests {
    @Test(
        "a window belongs to the day of its midpoint",
        arguments: [
            (1_782_777_600, 1_782_863_999, "2026-06-30"),  // a UTC day, end inclusive
            (1_782_777_600, 1_782_864_000, "2026-06-30"),  // end exclusive
            (1_782_766_800, 1_782_853_199, "2026-06-30"),  // 21:00 to 21:00: Moscow's day
            (1_782_777_600, 1_782_777_600, "2026-06-30"),  // an instant
            (1_782_777_599, 1_782_777_599, "2026-06-29"),
            (1_782_756_000, 1_782_799_200 + 86400, "2026-06-30"),  // exactly 36 hours are not spread
        ])
    func day(begin: Int, end: Int, expected: String) {
        let window = ReportWindow(begin: begin, end: end)
        #expect(window.day.description == expected)
        #expect(!window.isSpread)
        #expect(window.shares(of: 17) == [17])
    }

    @Test("a long window is spread pro rata, the largest remainder first, and keeps the sum")
    func spread() {
        let midnight = Day(containing: 1_782_777_600).startSeconds
        let threeDays = ReportWindow(begin: midnight, end: midnight + 3 * 86400)
        #expect(threeDays.days.count == 3)
        #expect(threeDays.shares(of: 9) == [3, 3, 3])
        #expect(threeDays.shares(of: 10) == [4, 3, 3])
        #expect(threeDays.shares(of: 1) == [1, 0, 0])
        // Half a day, a whole one, half a day.
        let noonToNoon = ReportWindow(begin: midnight + 43200, end: midnight + 43200 + 2 * 86400)
        #expect(noonToNoon.shares(of: 8) == [2, 4, 2])
        #expect(noonToNoon.shares(of: 9) == [2, 5, 2])
        let inclusive = ReportWindow(begin: midnight, end: midnight + 7 * 86400 - 1)
        #expect(inclusive.days.count == 7)
        #expect(inclusive.shares(of: 7) == [1, 1, 1, 1, 1, 1, 1])
    }

    @Test("the sum is kept for every count and every window")
    func sum() {
        var seed: UInt64 = 42
        func next(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % bound
        }
        for _ in 0..<3000 {
            let begin = 1_600_000_000 + next(100_000_000)
            let window = ReportWindow(begin: begin, end: begin + 36 * 3600 + 1 + next(365 * 86400))
            let count = next(2) == 0 ? next(50) : next(1_000_000_001)
            let shares = window.shares(of: count)
            #expect(shares.reduce(0, +) == count)
            #expect(shares.count == window.days.count)
            #expect(shares.allSatisfy { $0 >= 0 })
        }
    }

    @Test("days convert to dates and back over 400 years")
    func dates() throws {
        #expect(Day(0).description == "1970-01-01")
        #expect(Day(containing: -1).description == "1969-12-31")
        #expect(Day(iso: "2024-02-29")?.number == 19782)
        for text in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-1-01", "24-01-01", "2024-01-32", "2024-01-01x", "", "+024-01-01"] {
            #expect(Day(iso: text) == nil, "\(text)")
        }
        for number in stride(from: -60000, to: 90000, by: 7) {
            let (year, month, day) = Day(number).date
            #expect(Day(year: year, month: month, day: day) == Day(number))
        }
        #expect(Day(0).weekday == 3)
    }
}

@Suite("Digests")
struct DigestTests {
    @Test("depend on every byte and on the length, and never change")
    func stability() {
        #expect(ContentDigest(of: "example.nl") == ContentDigest(of: "example.nl"))
        #expect(ContentDigest(of: "example.nl") != ContentDigest(of: "example.nm"))
        #expect(ContentDigest(of: "a") != ContentDigest(of: "a\0"))
        #expect(ContentDigest(of: "") != ContentDigest())
        // Part of the database's format: a change here would make every known report look new.
        #expect(ContentDigest(of: "example.nl").description == "010d535d62eff34d46c8dd51fa07c8d0")
    }

    @Test("sums do not depend on order but on repetition")
    func sums() {
        let a = ContentDigest(of: "a")
        let b = ContentDigest(of: "b")
        var first = ContentDigest()
        var second = ContentDigest()
        var third = ContentDigest()
        for digest in [a, b, a] { first.add(digest) }
        for digest in [a, a, b] { second.add(digest) }
        for digest in [a, b] { third.add(digest) }
        #expect(first == second)
        #expect(first != third)
    }
}

@Suite("Deviations")
struct DeviationTests {
    @Test("have unique names and fit a stored bit")
    func codes() {
        #expect(Set(Deviation.allCases.map(\.code)).count == Deviation.allCases.count)
        #expect(Deviation.allCases.allSatisfy { (1...63).contains($0.rawValue) })
        var set = Deviations()
        set.insert(.oddScope)
        set.insert(.namespace)
        #expect(set.rawValue == 1 << 35 | 1 << 9)
        #expect(set.codes == ["namespace", "odd-scope"])
        #expect(set.contains(.oddScope) && !set.contains(.oddCount))
    }
}
