import DMARC

/// What is supposed to be otherwise.
public struct WhatIfSettings: Hashable, Sendable {
    /// The policy for every message; nil: as each report shows it.
    public var policy: PublishedDisposition?
    /// DKIM alignment; nil: as each report shows it.
    public var dkimMode: AlignmentMode?
    /// SPF alignment; nil: as each report shows it.
    public var spfMode: AlignmentMode?
    /// No signature verifies.
    public var isWithoutDKIM: Bool
    /// No sender passes SPF.
    public var isWithoutSPF: Bool

    /// All parts; without arguments everything stays as it is.
    public init(
        policy: PublishedDisposition? = nil, dkimMode: AlignmentMode? = nil, spfMode: AlignmentMode? = nil, isWithoutDKIM: Bool = false,
        isWithoutSPF: Bool = false
    ) {
        self.policy = policy
        self.dkimMode = dkimMode
        self.spfMode = spfMode
        self.isWithoutDKIM = isWithoutDKIM
        self.isWithoutSPF = isWithoutSPF
    }

    /// Whether raw results are needed to tell what would be.
    var recomputes: Bool { dkimMode != nil || spfMode != nil }
    /// Whether what passes goes on passing, whatever its raw results.
    var keepsPasses: Bool { !recomputes && !isWithoutDKIM && !isWithoutSPF }
    /// Whether what fails is treated as it was: it goes on failing, and no other policy was asked for.
    var keepsFailures: Bool { policy == nil && onlyTightens }
    /// Whether the published policy is needed.
    var readsPolicy: Bool { policy == nil || recomputes }
}

/// What a report says of a record, as far as `what-if` needs it.
package struct WhatIfFact {
    /// The reporter's verdict: where everything begins.
    var said: Alignment
    var disposition: AppliedDisposition
    var headerFrom: String
    /// What the report shows as published; its `domain` is the policy domain.
    var policy: PublishedPolicy
    /// Whether the receiver made an exception by a judgement of its own.
    var hasException: Bool
}

/// What would become of the messages of a record: a set of the figures that they count in.
struct WhatIfOutcome: OptionSet {
    let rawValue: UInt8

    /// Not put aside and not turned away.
    static let deliveredNow = WhatIfOutcome(rawValue: 1 << 0)
    /// Delivered now, and would not be.
    static let notDelivered = WhatIfOutcome(rawValue: 1 << 1)
    /// Would not be delivered, but the receiver made an exception that it could make again.
    static let overridden = WhatIfOutcome(rawValue: 1 << 2)
    /// Not delivered now, and would be.
    static let newlyDelivered = WhatIfOutcome(rawValue: 1 << 3)
    /// Passes DMARC by the reporter's verdict.
    static let passesNow = WhatIfOutcome(rawValue: 1 << 4)
    /// Passes now, and would fail.
    static let wouldFail = WhatIfOutcome(rawValue: 1 << 5)
    /// Fails now, and would pass.
    static let wouldPass = WhatIfOutcome(rawValue: 1 << 6)
    /// The figures in which something is otherwise.
    static let changes = Int(([.notDelivered, .newlyDelivered, .wouldFail, .wouldPass] as WhatIfOutcome).rawValue)
}

extension WhatIfSettings {
    /// What would become of a record's messages.
    ///
    /// A method passes if the reporter said so, and, where the alignment asked for is stricter than the published one, the raw results
    /// show it under that alignment, too. Where it is looser, a method passes also if the raw results alone show it. Nobody asked: the
    /// reporter's verdict stands, whatever the raw results say.
    ///
    /// What happens to a message changes only where its verdict changes or a policy was asked for; else it is as it was. A message that
    /// passes is delivered. One that fails is treated by the policy.
    ///
    /// - Parameter raw: alignment by the raw results under these modes; called only where it is needed.
    func outcome(
        _ fact: WhatIfFact, raw: (_ dkim: AlignmentMode, _ spf: AlignmentMode) throws -> Alignment
    ) rethrows -> WhatIfOutcome {
        let wouldPass = try verdict(fact, raw).passed
        let isDelivered = fact.disposition.isDelivered
        var outcome: WhatIfOutcome = isDelivered ? .deliveredNow : []
        if fact.said.passed { outcome.insert(.passesNow) }
        if fact.said.passed, !wouldPass { outcome.insert(.wouldFail) }
        if !fact.said.passed, wouldPass { outcome.insert(.wouldPass) }
        guard policy != nil || wouldPass != fact.said.passed else { return outcome }
        // A receiver may put a message aside that passes; no policy of the domain changes that.
        let wouldBeDelivered = wouldPass ? (isDelivered || !fact.said.passed) : applicable(fact) == .none
        if isDelivered, !wouldBeDelivered {
            outcome.insert(.notDelivered)
            if fact.hasException { outcome.insert(.overridden) }
        }
        if !isDelivered, wouldBeDelivered { outcome.insert(.newlyDelivered) }
        return outcome
    }

    /// Whether a record that fails by the reporter's verdict fails anyway: nothing asked for is looser than anything published.
    var onlyTightens: Bool { dkimMode != .relaxed && spfMode != .relaxed }

    private func verdict(
        _ fact: WhatIfFact, _ raw: (_ dkim: AlignmentMode, _ spf: AlignmentMode) throws -> Alignment
    ) rethrows -> Alignment {
        var verdict = fact.said
        if onlyTightens, !verdict.passed { return verdict }
        let published = (dkim: AlignmentMode(published: fact.policy.adkim), spf: AlignmentMode(published: fact.policy.aspf))
        let wanted = (dkim: dkimMode ?? published.dkim, spf: spfMode ?? published.spf)
        if wanted != published {
            let raw = try raw(wanted.dkim, wanted.spf)
            if wanted.dkim != published.dkim { verdict.dkim = wanted.dkim == .strict ? verdict.dkim && raw.dkim : verdict.dkim || raw.dkim }
            if wanted.spf != published.spf { verdict.spf = wanted.spf == .strict ? verdict.spf && raw.spf : verdict.spf || raw.spf }
        }
        if isWithoutDKIM { verdict.dkim = false }
        if isWithoutSPF { verdict.spf = false }
        return verdict
    }

    /// The policy for a message that fails: the one asked for; else the published one, that of subdomains where From is one, a step milder
    /// in test mode (`t=y`, RFC 9989). `pct` is left aside: the standard has given it up.
    private func applicable(_ fact: WhatIfFact) -> PublishedDisposition {
        if let policy { return policy }
        func published(_ word: String?) -> PublishedDisposition? { word.flatMap { PublishedDisposition(rawValue: $0.lowercased()) } }
        let isSubdomain = fact.headerFrom != fact.policy.domain && fact.headerFrom.hasSuffix("." + fact.policy.domain)
        let found = (isSubdomain ? published(fact.policy.sp) : nil) ?? published(fact.policy.p) ?? .none
        guard fact.policy.testing?.lowercased() == "y" else { return found }
        return found == .reject ? .quarantine : .none
    }
}
