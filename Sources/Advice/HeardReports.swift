import DMARC

/// Which reports of a domain are heard, and whose word each is. Voices are numbered, witnesses first, for masks of 128 bits.
package struct HeardReports {
    /// Voices beyond so many share the last number, and nobody among them is a witness by himself.
    private static let most = 128

    package struct Voice {
        /// Key of its name; 0: nobody.
        package let id: Int
        package let standing: Int
        /// Days with a report, ascending.
        package var days: [Int] = []
        /// Days on which reports arrived: who sends many at once is not there for longer.
        var arrivals: Set<Int> = []
    }

    private let standings: [Int: Int]
    private var reports: [Int: (voice: Int, isSettled: Bool)] = [:]
    private var places: [Int: Int] = [:]
    /// By number.
    package private(set) var all: [Voice] = []
    private var witnessMask: UInt128 = 0

    /// - Parameter standings: by voice; who is not in it is a newcomer.
    package init(_ standings: [Int: Int]) { self.standings = standings }

    /// Numbers that reports can have: those of voices, and one for reports that are not known.
    package var voices: Int { min(Self.most, all.count + 1) }

    /// Reports come in the order of days.
    package mutating func add(_ report: Int, voice: Int, day: Int, arrived: Int, isSettled: Bool) {
        let place = places[voice] ?? all.count
        if place == all.count {
            places[voice] = place
            all.append(Voice(id: voice, standing: voice == 0 ? 0 : standings[voice] ?? 0))
        }
        if all[place].days.last != day { all[place].days.append(day) }
        all[place].arrivals.insert(arrived)
        reports[report] = (voice, isSettled)
    }

    /// After the last one.
    package mutating func settle() {
        all.sort { ($1.standing, $1.days.count, $0.id) < ($0.standing, $0.days.count, $1.id) }
        places = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.id, min($0, Self.most - 1)) })
        for (place, voice) in all.prefix(Self.most - 1).enumerated() where voice.standing == 2 { witnessMask |= 1 << UInt128(place) }
        for (report, of) in reports { reports[report] = (places[of.voice] ?? Self.most - 1, of.isSettled) }
    }

    /// The number of a voice.
    package func place(of voice: Int) -> Int { places[voice] ?? Self.most - 1 }

    /// Whose word a report is, and whether it came some days ago. A long window may lie outside the days that were read: nobody says it then.
    @inline(__always)
    package subscript(_ report: Int) -> (voice: Int, isSettled: Bool) { reports[report] ?? (min(all.count, Self.most - 1), false) }

    /// How many witnesses are among some voices.
    package func witnesses(_ voices: UInt128) -> Int { (voices & witnessMask).nonzeroBitCount }

    /// Whether some witnesses have more than half of what all of them said, counted in days on which their reports arrived.
    package func isMajority(_ some: Set<Int>) -> Bool {
        var (theirs, everybodys) = (0, 0)
        for place in 0..<min(all.count, Self.most - 1) where isWitness(place) {
            everybodys += all[place].arrivals.count
            if some.contains(place) { theirs += all[place].arrivals.count }
        }
        return theirs * 2 > everybodys
    }

    /// Whether the voice with a number is one.
    package func isWitness(_ place: Int) -> Bool { witnessMask >> UInt128(place) & 1 == 1 }
}
