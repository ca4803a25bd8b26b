import DMARC

/// Whether a domain may take the next step: none, quarantine, reject; never two at once.
///
/// Every rule errs on the side of waiting. A policy that is one month late costs little; a policy that stops invoices costs trust.
package struct Readiness {
    /// Days with reports that are needed, and days of quarantine before reject.
    package static let daysNeeded = 30
    /// Witnesses that are needed.
    package static let reportersNeeded = 2
    /// Days with reports that a reporter must have to count.
    static let reporterDays = 3
    /// The share of known senders' messages that may be at fault.
    package static let quietShare = 0.005
    /// Whatever the share: a sender at fault with so many messages in the period, that two witnesses saw, is in the way. It is what the share
    /// comes to for a domain with 200,000 messages; below that the share is stricter.
    static let loudMessages = 1000
    /// Of how many messages on a sender above the share is to be seen by two witnesses.
    package static let fewestToSee = 10
    /// For how many days after it was first seen a name that nobody knows is waited for: whoever it is, the owner has been asked by then.
    package static let questionDays = 30

    /// What is in the way.
    package enum Kind: String, CaseIterable {
        /// Fewer than thirty days with reports.
        case thin
        /// Fewer than two witnesses.
        case oneReporter = "one-reporter"
        /// A sender above the share that fewer than two witnesses saw.
        case oneWitness = "one-witness"
        /// Half of the witnesses that reported regularly no longer do: what the others say may be true, but nobody is left to contradict it.
        case reportersStopped = "reporters-stopped"
        /// No known sender was seen at all.
        case noKnownMail = "no-known-mail"
        case misconfigured
        case unaligned
        /// Names that authenticate as themselves, that nobody knows, and that are new.
        case question
        case dkimMissing = "dkim-missing"
        case dkimBroken = "dkim-broken"
        case spfError = "spf-error"
        case unknown
        /// Regular senders that were not seen in the period.
        case lateSender = "late-sender"
        /// Reporters see different policies, so the present one is not in force everywhere.
        case mixedPolicy = "mixed-policy"
        /// The present policy is only being tested, or holds for part of the mail.
        case notInForce = "not-in-force"
        /// Less than thirty days of quarantine.
        case quarantineShort = "quarantine-short"
        /// People of this domain post to mailing lists.
        case mailingList = "mailing-list"
    }

    /// Something that is in the way, and how much of it: messages, days, reporters or senders.
    package struct Blocker: Hashable {
        var kind: Kind
        var count: Int
        var subjects: [String] = []
    }

    package let policy: String
    package let next: String
    package let blockers: [Blocker]
    package let days: Int
    package let reporters: Int
    /// Messages of known senders that fail now.
    package let wouldFail: Int
    let knownPassed: Int
    /// Those that fail, by verdict: together they are `wouldFail`.
    package let hit: [(verdict: Verdict, messages: Int)]
    /// First day of the figures.
    package let since: Day
    /// Whether something is in the way, or is not, because no voice may carry more than a third.
    let isBounded: Bool

    package var isReady: Bool { blockers.isEmpty }

    /// Nil where there is no further step, or no report shows a policy.
    package init?(_ facts: DomainFacts, _ policy: CurrentPolicy?) {
        guard let policy, policy.p != "reject" else { return nil }
        self.policy = policy.p
        next = policy.p == "none" ? "quarantine" : "reject"
        days = facts.reportDays
        reporters = Self.independent(facts.voices)
        let questions = facts.questions
        let known = facts.totals.filter { $0.key != .spoofed }.values
        knownPassed = known.reduce(0) { $0 + $1.passed } - questions.passed
        hit = Self.hitOrder.compactMap { verdict in
            let failed = facts.total(verdict).failed - (verdict == .unaligned ? questions.failed : 0)
            return failed > 0 ? (verdict, failed) : nil
        }
        wouldFail = hit.reduce(0) { $0 + $1.messages }
        since = max(facts.period.since, min(facts.firstDay, facts.period.until))
        var blockers = Blockers(facts)
        blockers.add(facts, policy, next: next, days: days, reporters: reporters)
        self.blockers = blockers.found
        isBounded = blockers.isBounded
    }

    private static let hitOrder: [Verdict] = [
        .misconfigured, .unaligned, .authorized, .dkimOnly, .forwarded, .mailingList, .unknown,
    ]

    /// Voices that speak for themselves: witnesses, and not one that wrote once or twice.
    package static func independent(_ voices: [DomainFacts.Voice]) -> Int {
        voices.count { $0.isWitness && $0.days.count >= reporterDays }
    }
}

/// Gathers what is in the way.
private struct Blockers {
    private let facts: DomainFacts
    private(set) var found: [Readiness.Blocker] = []
    private(set) var isBounded = false

    init(_ facts: DomainFacts) { self.facts = facts }

    private mutating func add(_ kind: Readiness.Kind, _ count: Int, _ subjects: [String] = []) {
        found.append(Readiness.Blocker(kind: kind, count: count, subjects: Array(subjects.prefix(3))))
    }

    /// Something that is counted in messages.
    private mutating func add(
        _ kind: Readiness.Kind, _ fault: DomainFacts.Fault, _ subjects: [String] = [], loud: [DomainFacts.Sender] = []
    ) {
        guard fault.messages > 0 else { return }
        let isLoud = loud.contains { $0.decisive >= Readiness.loudMessages && $0.witnesses >= Readiness.reportersNeeded }
        let exceeds = BoundedShare.exceeds(
            Readiness.quietShare, fault.byVoice, of: facts.known, witnesses: fault.witnesses)
        let asReported = Double(fault.messages) > Readiness.quietShare * Double(facts.knownMessages)
        isBounded = isBounded || (exceeds != asReported && !isLoud)
        if exceeds || isLoud { add(kind, fault.messages, subjects) }
    }

    private func names(_ senders: [DomainFacts.Sender]) -> [String] {
        senders.sorted { ($0.treatment.messages, $1.name) > ($1.treatment.messages, $0.name) }.map(\.name)
    }

    private func fault(_ kind: Readiness.Kind) -> DomainFacts.Fault { facts.faults[kind] ?? DomainFacts.Fault() }

    mutating func add(_ facts: DomainFacts, _ policy: CurrentPolicy, next: String, days: Int, reporters: Int) {
        if days < Readiness.daysNeeded { add(.thin, days) }
        if reporters < Readiness.reportersNeeded { add(.oneReporter, reporters) }
        let regular = facts.voices.filter { $0.isWitness && $0.days.count >= Advisor.regularDays }
        let stopped = regular.count { $0.hasStopped(by: facts.lastDataDay) }
        if stopped > 0, 2 * stopped >= regular.count { add(.reportersStopped, stopped) }
        if facts.knownMessages == 0 { add(.noKnownMail, 0) }
        // Where SPF ends in an error the server is not at fault: that is a blocker of its own.
        let misconfigured = facts.senders(.misconfigured).filter { $0.spf != .ownError }
        add(.misconfigured, fault(.misconfigured), names(misconfigured), loud: misconfigured)
        let unaligned = facts.senders(.unaligned).filter { !$0.isQuestion && $0.signsSince == nil }
        add(.unaligned, fault(.unaligned), names(unaligned), loud: unaligned)
        // Somebody whom nobody knows is asked about, each by his own share, and only so long.
        let questions = facts.senders(.unaligned).filter { sender in
            sender.isQuestion && sender.witnesses >= Readiness.reportersNeeded && sender.decisive >= Readiness.fewestToSee
                && Double(sender.decisive) > Readiness.quietShare * Double(facts.known.messages)
                && (sender.knownSince ?? sender.firstDay).distance(to: facts.period.until) < Readiness.questionDays
        }
        if !questions.isEmpty { add(.question, questions.reduce(0) { $0 + $1.treatment.messages }, names(questions)) }
        add(.dkimMissing, fault(.dkimMissing), facts.senders(.authorized).filter(\.isUnsigned).map(\.name))
        let broken = facts.selectors.filter(\.isBroken)
        add(.dkimBroken, fault(.dkimBroken), broken.map(\.place))
        let errors = facts.spf.reduce(into: DomainFacts.Fault()) { fault, spf in
            fault.messages += spf.permanentErrors
            fault.byVoice.add(spf.permanentErrorsByVoice)
            fault.witnesses = max(fault.witnesses, spf.permanentErrorWitnesses)
        }
        add(.spfError, errors, facts.spf.filter { $0.permanentErrors > 0 }.map(\.domain))
        add(.unknown, fault(.unknown))
        // Without two witnesses at all this says nothing more.
        if reporters >= Readiness.reportersNeeded, !facts.lonelySenders.isEmpty {
            add(.oneWitness, facts.lonelySenders.count, facts.lonelySenders)
        }
        if !facts.lateSenders.isEmpty { add(.lateSender, facts.lateSenders.count, facts.lateSenders.map(\.name)) }
        let policies = facts.currentPolicies
        if policies.count > 1 { add(.mixedPolicy, policies.count, policies) }
        guard next == "reject" else { return }
        if policy.isTesting || policy.pct != nil { add(.notInForce, 1) }
        let quarantined = policy.since.distance(to: facts.period.until) + 1
        if quarantined < Readiness.daysNeeded { add(.quarantineShort, quarantined) }
        add(.mailingList, fault(.mailingList), names(facts.senders(.mailingList)))
    }
}
