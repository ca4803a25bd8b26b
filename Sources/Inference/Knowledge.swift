import Organisations

/// What history knows of a selector.
package struct SelectorFacts: Hashable {
    /// `selectors.home`: 0 with the domain itself, an organisation, or -1.
    package var home = -1
    package var otherHome = -1
    /// Records with a verified signature, wherever.
    package var verified = 0.0
    /// Whether there are records with a signature that did not verify: 0 or 1.
    package var broken = 0.0
    /// Records at its homes.
    package var atHome = 0.0
    /// Witnesses who saw it; rules ask whether there are two.
    package var reporters = 0.0

    /// Whether the place (`selector_places.beside`) is a home of it.
    func isHome(_ place: Int) -> Bool { place != -1 && (home == place || otherHome == place) }
    /// At home with an organisation that signs for the domain.
    package var isService: Bool { Beside.organisation(home) != nil }
    /// At home nowhere.
    var isHomeless: Bool { home == -1 }

    package init() {}

    /// What is known of one signature for several policy domains of one organisation. At home with any of them is at home with all.
    package init(joining all: [SelectorFacts]) {
        if all.count == 1, let only = all.first {
            self = only
            return
        }
        for facts in all {
            verified += facts.verified
            broken += facts.broken
            reporters = max(reporters, facts.reporters)
        }
        if all.contains(where: { $0.home == 0 }) {
            home = 0
            otherHome = all.filter { $0.home == 0 }.map(\.otherHome).max() ?? -1
        } else {
            let ranked = all.filter { $0.home != -1 }.sorted { ($1.atHome, $0.home) < ($0.atHome, $1.home) }
            home = ranked.first?.home ?? -1
            otherHome = ranked.first { $0.home != home }?.home ?? ranked.first?.otherHome ?? -1
        }
        atHome = all.filter { $0.home == home }.reduce(0) { $0 + $1.atHome }
    }

    package init(home: Int, otherHome: Int, levels: Int) {
        self.home = home
        self.otherHome = otherHome
        verified = Levels.value(Levels.unpack(levels, 0))
        broken = Levels.value(Levels.unpack(levels, 1))
        atHome = Levels.value(Levels.unpack(levels, 2))
        reporters = Levels.value(Levels.unpack(levels, 3))
    }
}

/// What history knows of an organisation that authenticates beside a foreign domain in From.
package struct OrganisationFacts: Hashable {
    /// Records with a surviving signature whose selector is at home elsewhere.
    package var relayed = 0.0
    /// Records with a surviving signature that is at home here.
    package var atHome = 0.0
    /// Records with a signature of the policy domain that broke.
    package var broken = 0.0
    /// Records without one.
    package var unsigned = 0.0
    /// Of these four no rule tells more than four from four, so no more is kept. The last three are kept of organisations only, `domains` only where
    /// nothing is at home: nobody asks for them otherwise.
    package var days = 0.0
    package var reporters = 0.0
    package var domains = 0.0
    package var sources = 0.0
    /// Days from the first to the last; more than eight are as eight.
    package var span = 0.0
    /// Whether there are records with a verified signature of its own: 0 or 1.
    package var signs = 0.0
    /// Of records with a signature of the policy domain, the share whose signature broke; downward to the next of 31 steps.
    package var brokenShare = 0.0
    package var service: ServiceKind?
    /// Which service it is: names of one service are one organisation.
    package var serviceNumber: Int?

    package init() {}

    package init(levels: Int, moreLevels: Int, service: ServiceKind?, serviceNumber: Int? = nil) {
        relayed = Levels.value(Levels.unpack(levels, 0))
        atHome = Levels.value(Levels.unpack(levels, 1))
        broken = Levels.value(Levels.unpack(levels, 2))
        unsigned = Levels.value(Levels.unpack(levels, 3))
        days = Levels.value(Levels.unpack(levels, 4))
        reporters = Levels.value(Levels.unpack(levels, 5))
        domains = Levels.value(Levels.unpack(moreLevels, 0))
        sources = Levels.value(Levels.unpack(moreLevels, 1))
        span = Levels.value(Levels.unpack(moreLevels, 2))
        signs = Levels.value(Levels.unpack(moreLevels, 3))
        brokenShare = Double(Levels.unpack(moreLevels, 4)) / 31
        self.service = service
        self.serviceNumber = serviceNumber
    }

    /// Whether both are names of one known service.
    func isSameService(as other: OrganisationFacts) -> Bool { serviceNumber != nil && serviceNumber == other.serviceNumber }

    /// Records with a surviving signature.
    package var surviving: Double { relayed + atHome }
    package var records: Double { relayed + atHome + broken + unsigned }
}

/// What history knows of a policy domain.
package struct HabitFacts: Hashable {
    package var records = 0.0
    package var aligned = 0.0
    /// Of what has aligned SPF, the share with a verified signature of the domain's own: 0, 1/4, 1/2, 3/4 or 1, downward but for the last.
    var signedShare = 0.0
    package var reporters = 0.0

    package init() {}

    package init(levels: Int) {
        records = Levels.value(Levels.unpack(levels, 0))
        aligned = Levels.value(Levels.unpack(levels, 1))
        signedShare = Double(Levels.unpack(levels, 2)) / 4
        reporters = Levels.value(Levels.unpack(levels, 3))
    }

    /// No rule asks for more of the others than whether there are any: so what is known of a domain comes to rest, and what all its flows rest on.
    package static func levels(records: Int, aligned: Int, signed: Int, reporters: Int) -> Int {
        let share = aligned == 0 ? 0 : signed * 20 >= aligned * 19 ? 4 : min(3, signed * 4 / aligned)
        return Levels.pack([Levels.capped(records, 1), Levels.capped(aligned, 1), share, Levels.capped(reporters, 6)])
    }
}
