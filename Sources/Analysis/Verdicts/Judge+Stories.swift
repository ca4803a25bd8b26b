import DMARC
import Glibc

/// The weights of evidence, in natural logarithms of odds. docs/decisions/0007-verdicts.md says where they come from.
enum Weight {
    /// Most of what keeps the envelope and fails SPF was passed on; few are servers that somebody forgot.
    static let forgottenServer = -2.5
    /// What passes through a forwarder is a mixture: this share of it arrives broken.
    static let brokenOnTheWay = 0.12
    /// Never surer than this on one reporter's word.
    static let oneReporter = 890
    /// Nor than this on the word of newcomers, and of those who are not who they say.
    static let newcomer = 690
    /// Nor than this where another story explains it nearly as well.
    static let doubtful = 890
    /// A stranger with servers in good order and a small supplier look the same.
    static let unrelated = 850
}

extension Judge {
    /// One flow's verdict.
    func judge(_ flow: Flow, _ around: Surroundings) throws -> Judgement {
        let shape = flow.shape
        let habits = try knowledge.habits(domain: flow.domain)
        let selectors = try shape.own.map { try knowledge.ownSelector(key($0, flow.domain)) }
        let facts = facts(of: flow, around)
        var judgement: Judgement
        switch (shape.spf, shape.seal) {
        case (.aligned, _):
            judgement = authorized(shape, facts)
        case (.ownUnaligned, _):
            judgement = ownUnaligned(shape, facts)
        case (.ownTemporary, _) where passes(flow, around.tally), (_, .temporary) where passes(flow, around.tally):
            // Where it fails as well, whether this was meant to pass is open.
            let isSure = around.tally.surviving + around.tally.broken + around.tally.silent == 0
            judgement = Judgement(
                verdict: .authorized, confidence: isSure ? 985 : Weight.doubtful, notes: .temporaryErrors, evidence: facts)
            judgement.evidence.insert(.passesAtOtherTimes)
        case (.foreignTemporary(let name), .verified) where selectors.contains(where: { $0.isHome(name) }):
            judgement = Judgement(verdict: .dkimOnly, confidence: 930, notes: .temporaryErrors, evidence: facts)
            judgement.evidence.insert(.selectorAtHome)
        case (.foreignPass(let name), .verified):
            judgement = try serviceOrForwarder(flow, name, selectors, around, facts)
        case (.foreignUnlisted(let name), .verified) where selectors.contains(where: { $0.isHome(Beside.unlisted(name)) }):
            judgement = unlistedService(selectors, name, around, facts)
        case (_, .verified):
            judgement = try relayedOrForgotten(flow, selectors, around, habits, facts)
        case (.foreignPass(let name), .broken):
            judgement = try listOrForwarder(flow, name, selectors, around, habits, facts)
        case (_, .broken), (_, .temporary):
            judgement = try brokenOnTheWay(flow, selectors, around, habits, facts)
        case (_, .none):
            if let name = shape.spfForeignPass ?? shape.foreignVerified.first {
                judgement = try strangerOrService(flow, name, around, habits, facts)
            } else {
                judgement = try nothingPasses(flow, around, habits, facts)
            }
        }
        if judgement.confidence > Weight.oneReporter, try restsOnOneWitness(judgement.evidence, shape, selectors) {
            judgement.confidence = Weight.oneReporter
            judgement.evidence.insert(.oneReporter)
        }
        // Signed, and not aligned: strict alignment does not accept the name.
        if judgement.verdict == .dkimOnly, shape.seal == .verified, !shape.isDKIMAligned {
            judgement.verdict = .misconfigured
            judgement.confidence = min(judgement.confidence, 950)
        }
        return judgement
    }

    /// Whether the source passes for the domain in the days of the flow: before it was listed, or after it fell out of SPF, it does not.
    private func passes(_ flow: Flow, _ tally: Tally) -> Bool {
        guard tally.aligned > 0, let days = tally.alignedDays else { return false }
        return flow.firstDay <= days.upperBound + Self.daysBetween && flow.lastDay >= days.lowerBound - Self.daysBetween
    }

    /// Rows from which on a server that was never listed is told from a relay for certain.
    private static var rowsOfAServer: Int { 40 }

    /// Days for which the end of one period and the begin of another may overlap.
    private static var daysBetween: Int { 3 }

    /// Whether what decided is known from one witness alone, who saw where the signature is at home, or what a name passes on.
    private func restsOnOneWitness(_ evidence: EvidenceCodes, _ shape: FlowShape, _ selectors: [SelectorFacts]) throws -> Bool {
        if evidence.contains(.selectorAtHome) || evidence.contains(.selectorHomeElsewhere), !selectors.isEmpty,
            selectors.allSatisfy({ $0.reporters < 2 })
        {
            return true
        }
        guard evidence.contains(.nameRelays) || evidence.contains(.nameBreaks),
            let name = shape.spfForeignPass ?? shape.foreignVerified.first
        else { return false }
        return try knowledge.organisation(name).reporters < 2
    }

    // MARK: - What is read off

    private func facts(of flow: Flow, _ around: Surroundings) -> EvidenceCodes {
        let shape = flow.shape
        var codes = EvidenceCodes()
        switch shape.spf {
        case .aligned: codes.insert(.spfAligned)
        case .ownUnaligned: codes.insert(.spfOwnUnaligned)
        case .ownFail: codes.insert(.spfOwnFail)
        case .ownTemporary: codes.insert(.temporaryError)
        case .foreignPass: codes.insert(.spfForeignPass)
        case .foreignFail: codes.insert(.spfForeignFail)
        case .foreignTemporary: codes.insert(.temporaryError)
        case .foreignUnlisted, .none: codes.insert(.spfNone)
        }
        codes.insert(.dkimAligned, if: shape.isDKIMAligned)
        codes.insert(.dkimOwnBroken, if: shape.seal == .broken)
        codes.insert(.temporaryError, if: shape.seal == .temporary)
        codes.insert(.dkimForeignPass, if: !shape.foreignVerified.isEmpty)
        codes.insert(.dkimNone, if: shape.seal == .none && shape.foreignVerified.isEmpty && shape.foreignBroken.isEmpty)
        codes.insert(.overrideForwarded, if: flow.forwardedOverrides > 0)
        codes.insert(.overrideMailingList, if: flow.listOverrides > 0)
        codes.insert(.overrideArcPass, if: flow.arcOverrides > 0)
        codes.insert(.thin, if: around.tally.records < 3)
        codes.insert(.broad, if: Levels.voices(around.tally.reporterBits) >= 3 && Levels.count(around.tally.dayBits) >= 5)
        codes.insert(.narrow, if: around.tally.records >= 5 && Levels.voices(around.tally.reporterBits) == 1)
        return codes
    }

    private func judgement(_ stories: Stories, notes: VerdictNotes = []) -> Judgement {
        let (verdict, share) = stories.likeliest
        return Judgement(verdict: verdict, confidence: min(995, Int(share * 1000)), notes: notes, evidence: stories.evidence)
    }

    // MARK: - SPF is aligned: the domain's own DNS says who it is

    private func authorized(_ shape: FlowShape, _ facts: EvidenceCodes) -> Judgement {
        var notes: VerdictNotes = []
        if shape.seal == .none { notes.insert(.dkimMissing) }
        if shape.seal == .broken { notes.insert(.dkimBroken) }
        if shape.seal == .temporary { notes.insert(.temporaryErrors) }
        return Judgement(verdict: .authorized, confidence: 998, notes: notes, evidence: facts)
    }

    /// SPF passes for a name of the domain's own that strict alignment does not accept: a setting, not a relay.
    private func ownUnaligned(_ shape: FlowShape, _ facts: EvidenceCodes) -> Judgement {
        if shape.isDKIMAligned { return Judgement(verdict: .authorized, confidence: 990, evidence: facts) }
        return Judgement(verdict: .misconfigured, confidence: 950, notes: shape.seal == .broken ? .dkimBroken : [], evidence: facts)
    }

    // MARK: - The signature holds, SPF passes for somebody else

    private func serviceOrForwarder(
        _ flow: Flow, _ name: Int, _ selectors: [SelectorFacts], _ around: Surroundings, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let organisation = try knowledge.organisation(name)
        let exact = try flow.shape.spfName.map { try knowledge.organisation($0) }
        var stories = Stories([.forwarded, .dkimOnly], facts)
        // A host of the provider itself in the envelope: invitations, and answers and bounces, whose envelope is empty. What people with a
        // mailbox there pass on has their own name in it.
        if exact?.service == .mailboxService {
            stories.add(9, .dkimOnly, .knownService)
        } else if organisation.service == .mailboxProvider, flow.shape.spfName != nil {
            let isAtProvider = around.tally.aligned > 0 || around.network.authorized[flow.domain] != nil
            stories.add(isAtProvider ? 9 : 4, .dkimOnly, isAtProvider ? .neighbourAuthorized : .knownService)
        }
        if let home = selectors.first(where: { $0.isHome(name) }) {
            stories.add(min(5, 1 + log(1 + home.atHome)), .dkimOnly, .selectorAtHome)
        } else if flow.shape.own.allSatisfy({ $0.selector == 0 }) {
            // The report leaves the selector out: only the organisation's record speaks.
            stories.add(0.5, .forwarded)
        } else {
            let away = selectors.map(\.atHome).max() ?? 0
            stories.add(min(5, 1 + log(1 + away)), .forwarded, away > 0 ? .selectorHomeElsewhere : nil)
        }
        // What carries signatures that are at home elsewhere passes mail on; a service carries what is at home with it.
        let carried = organisation.relayed + organisation.atHome
        if carried > 0 {
            let share = (organisation.relayed + 0.5) / (carried + 1)
            stories.add(max(-3, min(3, log(share / (1 - share)))), .forwarded, share > 0.5 ? .nameRelays : nil)
        }
        switch organisation.service {
        case .bulkSender: stories.add(2, .dkimOnly, .knownService)
        case .forwarder, .listHost, .securityGateway: stories.add(2, .forwarded, .knownForwarder)
        case .hosting, .mailboxProvider, .mailboxService, nil: break
        }
        var result = judgement(stories)
        if result.verdict == .forwarded, selectors.contains(where: \.isService) { result.notes.insert(.serviceMail) }
        return result
    }

    /// A service whose own name publishes no SPF. Forwarding would look the same, but for what else the source does.
    private func unlistedService(_ selectors: [SelectorFacts], _ name: Int, _ around: Surroundings, _ facts: EvidenceCodes) -> Judgement {
        var stories = Stories([.dkimOnly, .forwarded], facts)
        let atHome = selectors.filter { $0.isHome(Beside.unlisted(name)) }.map(\.atHome).max() ?? 0
        stories.add(min(4, 1 + log(1 + atHome)), .dkimOnly, .selectorAtHome)
        let others = around.total.surviving + around.total.broken
        if others * 2 > around.total.atHome { stories.add(2 + 1.5 * log(1 + Double(others)), .forwarded, .sourceRelays) }
        // A service sends from a few networks, and much from each.
        let usual = atHome / 15
        let here = Double(around.network.atHome)
        if here < usual { stories.add(min(5.5, 0.5 + 1.6 * log(usual / here)), .forwarded, .thin) }
        var result = judgement(stories)
        if result.verdict == .forwarded { result.notes.insert(.serviceMail) }
        return result
    }

    // MARK: - The signature holds, the envelope was kept: passed on, or sent by a server that SPF does not list

    private func relayedOrForgotten(
        _ flow: Flow, _ selectors: [SelectorFacts], _ around: Surroundings, _ habits: HabitFacts, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let shape = flow.shape
        let isOwnEnvelope =
            switch shape.spf {
            case .ownFail, .ownTemporary: true
            default: false
            }
        // A sender without a return path of the domain's, whose signature is at home nowhere else, is a service.
        let sender: Verdict = isOwnEnvelope ? .misconfigured : .dkimOnly
        var stories = Stories([.forwarded, sender], facts)
        stories.add(forgotten(flow, selectors, around, habits, sender, &stories), sender)
        // The signature of a service that the domain's own mail carries: this message was at home before it came here.
        for seal in shape.foreignVerified where isOwnEnvelope {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            if facts.home == 0 { stories.add(1.5, .forwarded, .selectorHomeElsewhere) }
        }
        if shape.spfForeignFail.map({ name in selectors.contains { $0.isHome(name) } }) == true {
            stories.add(2, .forwarded, .selectorHomeElsewhere)
        }
        var result = judgement(stories)
        let isNew = around.tally.aligned == 0 && neighbours(flow, around) == 0
        if result.verdict == sender, isNew, around.tally.surviving < Self.rowsOfAServer, !selectors.allSatisfy(\.isHomeless) {
            result.confidence = min(result.confidence, Weight.doubtful)
        }
        // Neighbours that send for this domain alone: a relay, or a row of its own servers.
        if result.verdict == .forwarded, around.network.domains.count == 1, around.network.surviving >= 3 * max(1, around.total.surviving) {
            result.confidence = min(result.confidence, Weight.doubtful)
        }
        if result.verdict == .forwarded, selectors.contains(where: { $0.home == 0 }) { result.evidence.insert(.selectorHomeElsewhere) }
        if result.verdict == .forwarded, selectors.contains(where: \.isService) || shape.spfForeignFail != nil {
            result.notes.insert(.serviceMail)
        }
        if result.verdict == .dkimOnly, shape.spfName == nil,
            zip(shape.own, selectors).contains(where: { $0.selector > 0 && $1.home == 0 }),
            case .none = shape.spf
        {
            result.verdict = .misconfigured
        }
        return result
    }

    /// The odds that a source is the domain's own server, missing from SPF, against a relay.
    private func forgotten(
        _ flow: Flow, _ selectors: [SelectorFacts], _ around: Surroundings, _ habits: HabitFacts, _ verdict: Verdict,
        _ stories: inout Stories
    ) -> Double {
        let tally = around.tally
        let total = around.total
        var odds = Weight.forgottenServer
        func add(_ weight: Double, _ code: EvidenceCode? = nil) {
            odds += weight
            if let code, abs(weight) >= 0.5 { stories.evidence.insert(code) }
        }
        let kept = tally.surviving + tally.broken
        // A signature that is at home nowhere else was made here.
        if !selectors.isEmpty, selectors.allSatisfy(\.isHomeless) || (flow.shape.isUnnamed && tally.homeless > 0) {
            let alone = selectors.map(\.verified).max() ?? 0
            // A server is a few addresses: where each has a small part of what the signature was seen on, these are people's forwards.
            if alone >= 20, Double(tally.surviving) * 20 < alone, tally.surviving < 5 || Levels.voices(tally.reporterBits) <= 1 {
                add(-1, .scattered)
            } else {
                add(min(4.5, 1.5 + log(1 + alone)), .selectorUnknown)
            }
        } else if selectors.contains(where: \.isService) {
            add(-2.5, .selectorHomeElsewhere)
        }
        add(periods(tally), tally.aligned > 0 ? .passesAtOtherTimes : nil)
        add(neighbours(flow, around), .neighbourAuthorized)
        // A forwarder passes on the mail of other domains, and of services.
        let elsewhere = total.surviving - tally.surviving - (total.homeless - tally.homeless)
        if elsewhere > 0, total.aligned == tally.aligned { add(-1.5 - log(1 + Double(elsewhere)), .otherDomains) }
        if total.aligned > tally.aligned, tally.aligned == 0, elsewhere == 0 { add(1, .otherDomains) }
        if tally.serviceSealed > 0 {
            add(-min(5, 2 + log(Double(tally.serviceSealed))), .manySigners)
        } else if kept >= 5 {
            add(min(2, 0.08 * Double(kept)), .oneSigner)
        }
        // … and breaks some of it.
        let whole = -Double(tally.surviving) * log(1 - Weight.brokenOnTheWay)
        add(max(-2, min(2.5, whole - 2 * Double(tally.broken))))
        if tally.surviving >= 5 {
            let reporters = Levels.voices(tally.reporterBits)
            if habits.reporters >= 4 {
                let breadth = breadth(reporters, kept, habits)
                add(breadth, breadth > 0 ? .broad : .narrow)
            } else {
                add(reporters == 1 && habits.reporters >= 2 ? -1.5 : 0)
            }
            let size = Double(tally.survivingMessages) / Double(tally.surviving)
            if size >= 8 { add(1) }
        }
        // A row of servers, each with a little mail, that together send to everybody.
        if tally.surviving < 5, around.network.domains.count == 1, let together = around.network.kept[flow.domain], together.records >= 10 {
            let breadth = breadth(Levels.voices(together.bits), together.records, habits)
            if habits.reporters >= 4, breadth > 0 { add(breadth + 1) }
        }
        if tally.overridden > 0, tally.homeless == 0 { add(-1) }
        return odds
    }

    /// The odds that a source sends to everybody that the domain sends to, against a relay, which sends to a few: by the witnesses who saw it, of
    /// those who see the domain, against what the same number of rows would usually meet.
    private func breadth(_ voices: Int, _ records: Int, _ habits: HabitFacts) -> Double {
        guard records >= 4 else { return 0 }
        let expected = habits.reporters * (1 - exp(-Double(records) / (1.5 * habits.reporters)))
        let met = Double(voices) / max(1, expected)
        let odds = -3 + 5.5 * max(0, min(1, (met - 0.35) / 0.3))
        // A few rows from a relay with several targets meet as many.
        return odds * min(1, Double(records) / (odds > 0 ? 40 : 12))
    }

    /// A server that passed SPF before, or passes since, and fails between: two stories of one server. Both at a time is rather a provider.
    private func periods(_ tally: Tally) -> Double {
        guard let aligned = tally.alignedDays, let kept = tally.keptDays else { return 0 }
        if kept.lowerBound + 3 >= aligned.upperBound || kept.upperBound <= aligned.lowerBound + 3 {
            return min(6, 3 + log(Double(tally.aligned)))
        }
        // A few failures among many passes.
        return 1
    }

    private func neighbours(_ flow: Flow, _ around: Surroundings) -> Double {
        guard let own = around.network.authorized[flow.domain], around.tally.aligned == 0 else { return 0 }
        // Next to many customers' servers a neighbour says little.
        let tenants = around.network.domains.count
        return max(0, min(3, 1.5 + 0.5 * log(Double(own.records))) - 0.5 * Double(tenants - 1))
    }

    // MARK: - The signature is broken, SPF passes for somebody else

    private func listOrForwarder(
        _ flow: Flow, _ name: Int, _ selectors: [SelectorFacts], _ around: Surroundings, _ habits: HabitFacts, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let organisation = try knowledge.organisation(name)
        var stories = Stories([.mailingList, .forwarded, .dkimOnly, .misconfigured, .spoofed], facts)
        var notes: VerdictNotes = []
        // A service that signs for the domain, whose signature does not verify.
        if selectors.contains(where: { $0.isHome(name) }) {
            stories.add(4, .dkimOnly, .selectorAtHome)
            stories.add(organisation.broken > organisation.atHome ? 5 : 0, .misconfigured)
        } else {
            stories.add(-8, .dkimOnly)
            stories.add(-8, .misconfigured)
        }
        // The name below a large host says more than the host.
        let exact = try flow.shape.spfName.map { try knowledge.organisation($0) }
        let record = listRecord(exact ?? organisation)
        stories.add(record, .mailingList, record > 0 ? .nameBreaks : .nameRelays)
        // A list has readers at many receivers, a gateway stands before one.
        let seen = exact ?? organisation
        if seen.reporters <= 1, seen.records >= 3, habits.reporters >= 2 {
            stories.add(min(7, (habits.reporters >= 4 ? 1 : 0.4) * (seen.records - 1)), .forwarded, .narrow)
            // Everybody's mail goes through a gateway, services' too; to a list people write.
            let away = around.tally.foreign
            if around.tally.serviceSealedAway > 0 {
                stories.add(2, .forwarded, .manySigners)
            } else if away >= 4 {
                stories.add(min(3, 0.25 * Double(away)), .mailingList)
            }
            notes.insert(.gateway)
        }
        // Lists sign what they send; few forwarders do.
        stories.add(organisation.signs > 0 ? 0.7 : -0.7, .mailingList, organisation.signs > 0 ? .dkimForeignPass : nil)
        if flow.listOverrides > 0 {
            stories.add(1.5, .mailingList)
        } else if flow.forwardedOverrides + flow.arcOverrides > 0 {
            stories.add(-1, .mailingList)
        }
        switch organisation.service {
        case .listHost: stories.add(3, .mailingList, .knownForwarder)
        case .forwarder: stories.add(3, .forwarded, .knownForwarder)
        case .securityGateway: stories.add(3, .forwarded, .knownGateway)
        case .bulkSender, .mailboxService: stories.add(1, .dkimOnly, .knownService)
        case .hosting, .mailboxProvider, nil: break
        }
        // The provider's signature that the domain's own mail carries holds, and only the domain's does not: it was passed on whole.
        for seal in flow.shape.foreignVerified where seal != name {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            if facts.home == 0 { stories.add(2 + log(1 + facts.atHome), .forwarded, .selectorHomeElsewhere) }
        }
        stories.add(stranger(selectors, habits, &stories) - 3, .spoofed)
        var result = judgement(stories)
        if result.verdict == .forwarded { result.notes = notes }
        if result.verdict == .dkimOnly { result.notes = .dkimBroken }
        return result
    }

    /// What an organisation's record says of a message that it broke: forwarders break a small share, so what is broken beyond that was a
    /// list's doing, even where a host has lists of both kinds.
    private func listRecord(_ organisation: OrganisationFacts) -> Double {
        let carried = organisation.broken + organisation.surviving
        let usual = Weight.brokenOnTheWay * (1 - organisation.brokenShare) / (1 - Weight.brokenOnTheWay) * carried
        let excess = max(0, organisation.brokenShare * carried - usual)
        return max(-5, min(6, log((excess + 0.5) / (usual + 0.5)))) + 0.5
    }

    /// A signature that never verifies anywhere is not the domain's.
    private func stranger(_ selectors: [SelectorFacts], _ habits: HabitFacts, _ stories: inout Stories) -> Double {
        let verified = selectors.map(\.verified).max() ?? 0
        guard verified == 0 else { return 0 }
        stories.evidence.insert(.selectorUnknown)
        return habits.signedShare > 0 ? 4 : 1
    }

    // MARK: - The signature is broken, and nobody else's passes

    private func brokenOnTheWay(
        _ flow: Flow, _ selectors: [SelectorFacts], _ around: Surroundings, _ habits: HabitFacts, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let shape = flow.shape
        let tally = around.tally
        let total = around.total
        var stories = Stories([.forwarded, .spoofed, .misconfigured], facts)
        stories.add(stranger(selectors, habits, &stories), .spoofed)
        // Nothing else that would speak for a relay: most relays show themselves.
        stories.add(1.2, .spoofed)
        // A forger rarely has a signature with a selector that exists, nor somebody else's name in the envelope beside it.
        if selectors.contains(where: { $0.verified > 0 }), shape.isEnvelopeForeign { stories.add(1.7, .forwarded) }
        // Who passes on whole signatures also passes on broken ones.
        if total.surviving > 0 { stories.add(2 + log(1 + Double(total.surviving)), .forwarded, .sourceRelays) }
        if around.network.surviving > total.surviving { stories.add(0.7, .forwarded, .networkRelays) }
        let isNarrow = Levels.voices(tally.reporterBits) == 1
        if tally.broken >= 3, isNarrow { stories.add(min(4, 0.6 * Double(tally.broken)), .forwarded, .narrow) }
        // What a relay passes on mostly survives; what never does, and is seen by many, was never whole.
        if tally.broken >= 4, total.surviving == 0, !isNarrow, total.domains == 1 {
            stories.add(min(7, 1.5 + 0.7 * Double(tally.broken)), .misconfigured, .broad)
        }
        // Strangers do not copy the signature of the service beside it.
        if let name = shape.spfForeignFail, selectors.contains(where: { $0.isHome(name) }) || shape.foreignBroken.contains(name) {
            stories.add(3, .forwarded, .manySigners)
        } else if !shape.foreignBroken.isEmpty {
            stories.add(2, .forwarded, .manySigners)
        }
        var notes: VerdictNotes = []
        if !shape.foreignVerified.isEmpty {
            stories.add(2.5, .forwarded, .dkimForeignPass)
            if isNarrow { notes.insert(.gateway) }
        }
        if flow.forwardedOverrides + flow.arcOverrides > 0 { stories.add(2, .forwarded) }
        if flow.listOverrides > 0 { stories.add(0.7, .forwarded) }
        if total.silent > 0 { stories.add(1 + log(Double(total.silent)), .spoofed, .sourceBreaks) }
        stories.add(forgotten(flow, [], around, habits, .misconfigured, &stories) - 1, .misconfigured)
        if case .securityGateway? = try shape.foreignVerified.first.map({ try knowledge.organisation($0).service }) {
            stories.add(2, .forwarded, .knownGateway)
        }
        var result = judgement(stories)
        if result.verdict == .forwarded {
            result.notes = notes
            if shape.spfForeignFail != nil { result.notes.insert(.serviceMail) }
        }
        if result.verdict == .misconfigured { result.notes.insert(.dkimBroken) }
        return result
    }

    // MARK: - No signature of the domain's own, somebody else's SPF or signature passes

    private func strangerOrService(
        _ flow: Flow, _ name: Int, _ around: Surroundings, _ habits: HabitFacts, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let organisation = try knowledge.organisation(name)
        var stories = Stories([.unaligned, .spoofed, .forwarded, .mailingList], facts)
        var notes: VerdictNotes = []
        stories.add(0.5, .unaligned)
        switch organisation.service {
        case .bulkSender: stories.add(4, .unaligned, .knownService)
        case .mailboxProvider, .hosting, .mailboxService: stories.add(2, .unaligned, .knownService)
        case .forwarder, .listHost, .securityGateway: stories.add(1, .forwarded, .knownForwarder)
        case nil: break
        }
        // A service is seen again and again.
        if organisation.days >= 4 { stories.add(1, .unaligned, .broad) }
        if organisation.reporters >= 3 { stories.add(0.5, .unaligned, .broad) }
        if organisation.atHome > 0 { stories.add(2, .unaligned, .nameRelays) }
        stories.add(min(1.5, 0.3 * log(1 + organisation.records)), .unaligned)
        // Many addresses in few days for many domains: a burst.
        if organisation.span <= 6, organisation.records >= 10, organisation.sources >= 3 { stories.add(2, .spoofed, .scattered) }
        if organisation.domains >= 5, organisation.atHome == 0, organisation.reporters >= 2 { stories.add(0.7, .spoofed, .otherDomains) }
        // A signature of a service of the domain's own, away from where that service sends: passed on.
        let exact = try flow.shape.spfName.map { try knowledge.organisation($0) } ?? organisation
        if exact.service == .mailboxService { stories.add(4, .unaligned, .knownService) }
        var isPassedOn = false
        for seal in flow.shape.foreignVerified + flow.shape.foreignBroken where flow.shape.spfForeignPass != seal {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            // The provider's signature on the provider's own host: it is at home.
            if flow.shape.spfForeignPass != nil, flow.shape.spfName != nil, try knowledge.organisation(seal).isSameService(as: organisation)
            {
                stories.add(4, .unaligned, .knownService)
                continue
            }
            let isAway = flow.shape.spfForeignPass != nil || flow.shape.spfForeignFail != nil
            let weight = facts.home == 0 ? 2 + log(1 + facts.atHome) : facts.isHome(seal) && isAway ? 1 + log(1 + facts.atHome) : 0
            guard weight > 0 else { continue }
            // What broke on the way may have been broken by a list.
            let isListed = flow.shape.foreignBroken.contains(seal) && exact.reporters >= 2 && listRecord(exact) > 0
            stories.add(weight, isListed ? .mailingList : .forwarded, .selectorHomeElsewhere)
            isPassedOn = true
            if !isListed { notes.insert(.serviceMail) }
        }
        // Where the domain does not sign, what a relay passes on looks like this.
        // What kept its envelope names nobody who passed it on: only the signer's record would be asked, which says nothing about that.
        let relayed = organisation.relayed + organisation.broken
        let relays =
            isPassedOn && flow.shape.spfForeignPass == nil
            ? 0 : relayed > 0 ? log((relayed + 0.5) / (organisation.unsigned + organisation.atHome + 0.5)) : -4
        let unsigned =
            isPassedOn && flow.shape.spfForeignPass == nil ? 0 : habits.signedShare < 0.5 ? 1.5 : habits.signedShare < 1 ? -1 : -2.5
        let isList = organisation.broken > organisation.relayed
        stories.add(relays + unsigned - (isList ? 2 : 0), .forwarded, relays > 0 ? .nameRelays : nil)
        stories.add(relays + unsigned - (isList ? 0 : 2), .mailingList, relays > 0 ? .nameBreaks : nil)
        if flow.listOverrides > 0 { stories.add(1, .mailingList) }
        stories.evidence.insert(.domainSigns, if: habits.signedShare >= 0.75)
        stories.evidence.insert(.domainDoesNotSign, if: habits.signedShare < 0.25 && habits.aligned > 0)
        var result = judgement(stories)
        if result.verdict == .forwarded { result.notes = notes }
        if organisation.service == nil, organisation.atHome == 0, result.verdict == .unaligned || result.verdict == .spoofed {
            result.notes.insert(.unrelated)
        }
        return result
    }

    // MARK: - Nothing passes

    private func nothingPasses(_ flow: Flow, _ around: Surroundings, _ habits: HabitFacts, _ facts: EvidenceCodes) throws -> Judgement {
        let tally = around.tally
        let total = around.total
        let signs = habits.signedShare
        var stories = Stories([.spoofed, .misconfigured, .forwarded, .unaligned], facts)
        stories.evidence.insert(.domainSigns, if: signs >= 0.75)
        stories.evidence.insert(.domainDoesNotSign, if: signs < 0.25 && habits.aligned > 0)
        // The domain's own server.
        stories.add(-4.5, .misconfigured)
        stories.add(periods(tally), .misconfigured, tally.aligned > 0 ? .passesAtOtherTimes : nil)
        // Nobody sends from a domain that never sends.
        if habits.aligned == 0, habits.signedShare == 0 { stories.add(-2, .misconfigured) }
        // A stranger's machine sends for some days or to a few, a forgotten one of the domain's own for months and to everybody; its envelope is the
        // domain's, or that of the host.
        let steady = steadiness(tally)
        if flow.shape.isEnvelopeForeign {
            // A web site, with its host in the envelope.
            stories.add(steady > 0 ? steady + 3.5 : 0, .unaligned, .broad)
        } else if Levels.voices(tally.reporterBits) >= Self.everybody {
            stories.add(steady, .misconfigured, .broad)
        }
        // A server that SPF lists, and that fails for a part of its mail: another name of yours in the envelope.
        if tally.aligned >= 5, tally.aligned * 2 >= tally.silent, total.domains <= 2 { stories.add(5, .misconfigured) }
        stories.add(neighbours(flow, around), .misconfigured, .neighbourAuthorized)
        let count = Double(tally.silent)
        let days = Levels.count(tally.dayBits)
        if count >= 5 {
            let isBroad = Levels.voices(tally.reporterBits) >= 3 && days >= 5
            let isLong = (tally.keptDays?.count ?? 0) >= Self.campaignDays
            stories.add(min(4, log(count / 3) * 1.3) * (isBroad && isLong ? 1 : 0.3), .misconfigured, isBroad ? .broad : nil)
            if Double(tally.silentMessages) / count >= 8 { stories.add(1, .misconfigured) }
        }
        if tally.surviving > 0 { stories.add(1, .misconfigured) }
        stories.add(signs >= 0.75 ? -1.5 : signs < 0.25 ? 1.5 : 0, .misconfigured)
        // Strangers try many names.
        let others = total.silent - tally.silent
        if others > 0 { stories.add(-1 - 0.5 * log(Double(others)), .misconfigured, .otherDomains) }
        // A forwarder of mail that was never signed.
        let relayed = total.surviving - (total.aligned > 0 ? 0 : tally.surviving) + total.broken
        stories.add(-4, .forwarded)
        if total.surviving > 0 || relayed > 0 {
            stories.add(1.5 + log(1 + Double(max(total.surviving, relayed))), .forwarded, .sourceRelays)
        }
        if around.network.surviving > total.surviving { stories.add(0.7, .forwarded, .networkRelays) }
        stories.add(signs >= 0.95 ? -1 : signs < 0.25 ? 2 : 0, .forwarded)
        let overridden = Double(flow.forwardedOverrides + flow.arcOverrides) / Double(max(1, flow.records))
        stories.add(1.5 * overridden, .forwarded)
        // A service whose own SPF fails.
        stories.add(-6, .unaligned)
        if let name = flow.shape.spfForeignFail {
            let organisation = try knowledge.organisation(name)
            if organisation.service == .bulkSender { stories.add(6, .unaligned, .knownService) }
            if organisation.unsigned > 3 { stories.add(3, .unaligned) }
        }
        var result = judgement(stories)
        // One address that goes on for weeks may be a printer that nobody remembers, or a machine that somebody rented.
        if tally.aligned == 0, steady > 0 || tally.silent >= 5 && days >= 5 { result.confidence = min(result.confidence, Weight.doubtful) }
        return result
    }

    /// Witnesses that one machine of a stranger hardly ever meets for weeks.
    private static var everybody: Int { 10 }

    /// Days after which a source is no campaign of strangers any more.
    private static var campaignDays: Int { 21 }

    /// The odds that a source which goes on for weeks is the domain's own.
    private func steadiness(_ tally: Tally) -> Double {
        let span = tally.keptDays?.count ?? 0
        guard span >= Self.campaignDays, Levels.count(tally.dayBits) >= 6, tally.silent >= 6 else { return 0 }
        return min(4.5, 2 + 1.2 * log(Double(span) / Double(Self.campaignDays)) + 0.5 * log(Double(tally.silent) / 6))
    }
}
