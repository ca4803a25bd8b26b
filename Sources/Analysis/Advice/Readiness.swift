import DMARC

/// Whether a domain may take the next step: none, quarantine, reject; never two at once.
///
/// Every rule errs on the side of waiting. A policy that is one month late costs little; a policy that stops invoices costs trust.
struct Readiness {
    /// Days with reports that are needed, and days of quarantine before reject.
    static let daysNeeded = 30
    /// Independent reporters that are needed.
    static let reportersNeeded = 2
    /// Days with reports that a reporter must have to count.
    static let reporterDays = 3
    /// The share of known senders' messages that may be at fault.
    static let quietShare = 0.005

    /// What is in the way.
    enum Kind: String, CaseIterable {
        /// Fewer than thirty days with reports.
        case thin
        /// Fewer than two independent reporters.
        case oneReporter = "one-reporter"
        /// No known sender was seen at all.
        case noKnownMail = "no-known-mail"
        case misconfigured
        case unaligned
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
    struct Blocker: Hashable {
        var kind: Kind
        var count: Int
        var subjects: [String] = []
    }

    let policy: String
    let next: String
    let blockers: [Blocker]
    let days: Int
    let reporters: Int
    /// Messages of known senders that fail now.
    let wouldFail: Int
    let knownPassed: Int
    /// First day of the figures.
    let since: Day

    var isReady: Bool { blockers.isEmpty }

    /// Nil where there is no further step, or no report shows a policy.
    init?(_ facts: DomainFacts, _ policy: CurrentPolicy?) {
        guard let policy, policy.p != "reject" else { return nil }
        self.policy = policy.p
        next = policy.p == "none" ? "quarantine" : "reject"
        days = facts.reportDays
        reporters = Self.independent(facts.reporters)
        let known = facts.totals.filter { $0.key != .spoofed }.values
        knownPassed = known.reduce(0) { $0 + $1.passed }
        wouldFail = known.reduce(0) { $0 + $1.failed }
        since = facts.period.since
        blockers = Self.blockers(facts, policy, next: next, days: days, reporters: reporters)
    }

    private static func blockers(
        _ facts: DomainFacts, _ policy: CurrentPolicy, next: String, days: Int, reporters: Int
    ) -> [Blocker] {
        var blockers: [Blocker] = []
        let known = facts.knownMessages
        func add(_ kind: Kind, _ messages: Int, _ subjects: [String] = []) {
            guard messages > 0, Double(messages) > quietShare * Double(known) else { return }
            blockers.append(Blocker(kind: kind, count: messages, subjects: Array(subjects.prefix(3))))
        }
        func names(_ verdict: Verdict) -> [String] {
            facts.senders(verdict).sorted { ($0.treatment.messages, $1.name) > ($1.treatment.messages, $0.name) }.map(\.name)
        }
        if days < daysNeeded { blockers.append(Blocker(kind: .thin, count: days)) }
        if reporters < reportersNeeded { blockers.append(Blocker(kind: .oneReporter, count: reporters)) }
        if known == 0 { blockers.append(Blocker(kind: .noKnownMail, count: 0)) }
        // Where SPF ends in an error the server is not at fault: that is a blocker of its own.
        let inError = facts.senders(.misconfigured).filter { $0.spf == .ownError }
        let misconfigured = facts.total(.misconfigured).messages - inError.reduce(0) { $0 + $1.treatment.messages }
        add(.misconfigured, misconfigured, facts.senders(.misconfigured).filter { $0.spf != .ownError }.map(\.name))
        add(.unaligned, facts.total(.unaligned).messages, names(.unaligned))
        let unsigned = facts.senders(.authorized).filter(\.isUnsigned)
        add(.dkimMissing, unsigned.reduce(0) { $0 + $1.unsigned }, unsigned.map(\.name))
        let broken = facts.selectors.filter(\.isBroken)
        add(.dkimBroken, broken.reduce(0) { $0 + $1.failed }, broken.map { "\($0.selector)._domainkey.\($0.domain)" })
        add(.spfError, facts.spf.reduce(0) { $0 + $1.permanentErrors }, facts.spf.filter { $0.permanentErrors > 0 }.map(\.domain))
        add(.unknown, facts.total(.unknown).failed)
        if !facts.lateSenders.isEmpty {
            blockers.append(Blocker(kind: .lateSender, count: facts.lateSenders.count, subjects: facts.lateSenders.map(\.name)))
        }
        let others = Set(facts.policies.filter { $0.until >= facts.period.until.advanced(by: -7) }.compactMap { $0.p?.lowercased() })
        if others.count > 1 { blockers.append(Blocker(kind: .mixedPolicy, count: others.count, subjects: others.sorted())) }
        guard next == "reject" else { return blockers }
        if policy.isTesting || policy.pct != nil { blockers.append(Blocker(kind: .notInForce, count: 1)) }
        let quarantined = policy.since.distance(to: facts.period.until) + 1
        if quarantined < daysNeeded { blockers.append(Blocker(kind: .quarantineShort, count: quarantined)) }
        add(.mailingList, facts.total(.mailingList).messages, names(.mailingList))
        return blockers
    }

    /// Reporters that speak for themselves: several names of one provider are one, and one that wrote once or twice is none.
    static func independent(_ reporters: [DomainFacts.Reporter]) -> Int {
        Set(reporters.filter { $0.days.count >= reporterDays }.map { provider($0.name) }).count
    }

    private static func provider(_ name: String) -> String {
        let name = name.lowercased()
        if name.contains("outlook") || name.contains("microsoft") || name.contains("hotmail") { return "microsoft" }
        if name.contains("google") { return "google" }
        if name.contains("yahoo") || name.contains("aol") { return "yahoo" }
        return name
    }
}
