import DMARC
import Glibc

extension Judge {
    /// One flow's verdict.
    package func judge(_ flow: Flow, _ around: Surroundings) throws -> Judgement {
        let shape = flow.shape
        let habits = try knowledge.habits(domain: flow.domain)
        let selectors = try shape.own.map { try knowledge.ownSelector(key($0, flow.domain)) }
        let facts = facts(of: flow, around)
        var judgement: Judgement
        // A look-up that failed for a while leaves open what it would have said.
        var isOpen = shape.isLookUpFailed
        switch (shape.spf, shape.seal) {
        case (.aligned, _):
            judgement = authorized(shape, facts)
        case (.ownUnaligned, _):
            judgement = ownUnaligned(shape, facts)
        case (.ownTemporary, _) where passes(flow, around.tally), (_, .temporary) where passes(flow, around.tally):
            judgement = read(.authorized, .temporaryError, notes: .temporaryErrors, facts)
            judgement.evidence.insert(.passesAtOtherTimes)
            // Where it fails as well, whether this was meant to pass is open: its share says how often.
            let failing = around.tally.surviving + around.tally.broken + around.tally.silent
            if failing > 0 {
                cap(&judgement, .doubtful)
                judgement.confidence = min(judgement.confidence, 1000 * around.tally.aligned / (around.tally.aligned + failing))
            }
            isOpen = false
        case (.foreignTemporary(let name), .verified) where selectors.contains(where: { $0.isHome(name) }):
            judgement = read(.dkimOnly, .temporaryAtHome, notes: .temporaryErrors, facts)
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
        if judgement.confidence > Cap.oneReporter.most, try restsOnOneWitness(judgement.evidence, shape, selectors) {
            cap(&judgement, .oneReporter)
            judgement.evidence.insert(.oneReporter)
        }
        if isOpen { cap(&judgement, .doubtful) }
        // Signed, and not aligned: strict alignment does not accept the name.
        if judgement.verdict == .dkimOnly, shape.seal == .verified, !shape.isDKIMAligned {
            judgement.verdict = .misconfigured
            cap(&judgement, .strictAlignment)
        }
        return judgement
    }

    /// What is read off, without weighing.
    private func read(_ verdict: Verdict, _ cap: Cap, notes: VerdictNotes = [], _ facts: EvidenceCodes) -> Judgement {
        reasoning?.note(cap)
        return Judgement(verdict: verdict, confidence: cap.most, notes: notes, evidence: facts)
    }

    /// Makes it no surer than the cap allows.
    package func cap(_ judgement: inout Judgement, _ cap: Cap) { judgement.bound(by: cap, reasoning) }

    private func tell(_ verdicts: [Verdict], _ facts: EvidenceCodes) -> Stories { Stories(verdicts, facts, reasoning) }

    /// Whether the source passes for the domain in the days of the flow, and mostly: before it was listed, or after it fell out of SPF, it does not.
    private func passes(_ flow: Flow, _ tally: Tally) -> Bool {
        guard tally.aligned > 0, tally.aligned >= tally.surviving + tally.broken + tally.silent, let days = tally.alignedDays else {
            return false
        }
        return flow.firstDay <= days.upperBound + Usual.daysBetween && flow.lastDay >= days.lowerBound - Usual.daysBetween
    }

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
        var result = Judgement(verdict: verdict, confidence: Int(share * 1000), notes: notes, evidence: stories.evidence)
        cap(&result, .likeliest)
        return result
    }

    // MARK: - SPF is aligned: the domain's own DNS says who it is

    private func authorized(_ shape: FlowShape, _ facts: EvidenceCodes) -> Judgement {
        var notes: VerdictNotes = []
        if shape.seal == .none { notes.insert(.dkimMissing) }
        if shape.seal == .broken { notes.insert(.dkimBroken) }
        if shape.seal == .temporary { notes.insert(.temporaryErrors) }
        return read(.authorized, .spfAligned, notes: notes, facts)
    }

    /// SPF passes for a name of the domain's own that strict alignment does not accept: a setting, not a relay.
    private func ownUnaligned(_ shape: FlowShape, _ facts: EvidenceCodes) -> Judgement {
        if shape.isDKIMAligned { return read(.authorized, .bothOwn, facts) }
        return read(.misconfigured, .spfOwnUnaligned, notes: shape.seal == .broken ? .dkimBroken : [], facts)
    }

    // MARK: - The signature holds, SPF passes for somebody else

    private func serviceOrForwarder(
        _ flow: Flow, _ name: Int, _ selectors: [SelectorFacts], _ around: Surroundings, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let organisation = try knowledge.organisation(name)
        let exact = try flow.shape.spfName.map { try knowledge.organisation($0) }
        var stories = tell([.forwarded, .dkimOnly], facts)
        // A host of the provider itself in the envelope: invitations, and answers and bounces, whose envelope is empty. What people with a
        // mailbox there pass on has their own name in it.
        if exact?.service == .mailboxService {
            stories.add(.providerHost)
        } else if organisation.service == .mailboxProvider, flow.shape.spfName != nil {
            let isAtProvider = around.tally.aligned > 0 || around.network.authorized[flow.domain] != nil
            stories.add(isAtProvider ? .providerOfYours : .provider)
        }
        if let home = selectors.first(where: { $0.isHome(name) }) {
            stories.add(.signatureAtHome, home.atHome)
        } else if flow.shape.own.allSatisfy({ $0.selector == 0 }) {
            // The report leaves the selector out: only the organisation's record speaks.
            stories.add(.signatureUnnamed)
        } else {
            let away = selectors.map(\.atHome).max() ?? 0
            stories.add(away > 0 ? .signatureElsewhere : .signatureNowhere, away)
        }
        // What carries signatures that are at home elsewhere passes mail on; a service carries what is at home with it.
        let carried = organisation.relayed + organisation.atHome
        if carried > 0 {
            let share = (organisation.relayed + 0.5) / (carried + 1)
            stories.add(.nameCarries, log(share / (1 - share)))
        }
        switch organisation.service {
        case .bulkSender: stories.add(.bulkSender)
        case .forwarder, .listHost, .securityGateway: stories.add(.relayingService)
        case .hosting, .mailboxProvider, .mailboxService, nil: break
        }
        var result = judgement(stories)
        if result.verdict == .forwarded, selectors.contains(where: \.isService) { result.notes.insert(.serviceMail) }
        return result
    }

    /// A service whose own name publishes no SPF. Forwarding would look the same, but for what else the source does.
    private func unlistedService(_ selectors: [SelectorFacts], _ name: Int, _ around: Surroundings, _ facts: EvidenceCodes) -> Judgement {
        var stories = tell([.dkimOnly, .forwarded], facts)
        let atHome = selectors.filter { $0.isHome(Beside.unlisted(name)) }.map(\.atHome).max() ?? 0
        stories.add(.unlistedAtHome, atHome)
        let others = around.total.surviving + around.total.broken
        if others * 2 > around.total.atHome { stories.add(.unlistedRelays, Double(others)) }
        // A service sends from a few networks, and much from each.
        let usual = atHome / 15
        let here = Double(around.network.atHome)
        if here < usual { stories.add(.unlistedRare, usual / here) }
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
        var stories = tell([.forwarded, sender], facts)
        weighForgotten(flow, selectors, around, habits, sender, &stories)
        // The signature of a service that the domain's own mail carries: this message was at home before it came here.
        for seal in shape.foreignVerified where isOwnEnvelope {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            if facts.home == 0 { stories.add(.serviceSealFromHome) }
        }
        if shape.spfForeignFail.map({ name in selectors.contains { $0.isHome(name) } }) == true {
            stories.add(.envelopeOfHome)
        }
        var result = judgement(stories)
        let isNew = around.tally.aligned == 0 && neighbours(flow, around) == 0
        if result.verdict == sender, isNew, around.tally.surviving < Usual.rowsOfAServer, !selectors.allSatisfy(\.isHomeless) {
            cap(&result, .doubtful)
        }
        // Nothing that a relay alone would show: most of its kind are, and this one may be a server.
        if result.verdict == .forwarded, !stories.showsRelay { cap(&result, .doubtful) }
        // Neighbours that send for this domain alone: a relay, or a row of its own servers.
        if result.verdict == .forwarded, around.network.domains.count == 1, around.network.surviving >= 3 * max(1, around.total.surviving) {
            cap(&result, .doubtful)
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

    /// Weighs that a source is the domain's own server, missing from SPF, against a relay.
    /// - Parameter sender: the story that it speaks for.
    private func weighForgotten(
        _ flow: Flow, _ selectors: [SelectorFacts], _ around: Surroundings, _ habits: HabitFacts, _ sender: Verdict,
        _ stories: inout Stories
    ) {
        let tally = around.tally
        let total = around.total
        stories.add(.mostlyPassedOn, for: sender)
        let kept = tally.surviving + tally.broken
        // A signature that is at home nowhere else was made here.
        if !selectors.isEmpty, selectors.allSatisfy(\.isHomeless) || (flow.shape.isUnnamed && tally.homeless > 0) {
            let alone = selectors.map(\.verified).max() ?? 0
            // A server is a few addresses: where each has a small part of what the signature was seen on, these are people's forwards.
            let isScattered =
                alone >= 20 && Double(tally.surviving) * 20 < alone && (tally.surviving < 5 || Levels.voices(tally.reporterBits) <= 1)
            // The more of what the key is seen on comes from this network, the more.
            let here = Double(around.network.kept[flow.domain]?.records ?? 0)
            stories.add(isScattered ? .keyScattered : .keyOnlyHere, alone > here ? here * here / alone : alone, for: sender)
        } else if selectors.contains(where: \.isService) {
            stories.add(.keyOfService, for: sender)
        }
        weighPeriods(tally, sender, &stories)
        stories.add(.neighbours, neighbours(flow, around), for: sender)
        // A forwarder passes on the mail of other domains, and of services.
        let elsewhere = total.surviving - tally.surviving - (total.homeless - tally.homeless)
        if elsewhere > 0, total.aligned == tally.aligned { stories.add(.carriesOthers, Double(elsewhere), for: sender) }
        if total.aligned > tally.aligned, tally.aligned == 0, elsewhere == 0 { stories.add(.passesForOthers, for: sender) }
        if tally.serviceSealed > 0 {
            stories.add(.serviceSealsToo, -(2 + log(Double(tally.serviceSealed))), for: sender)
        } else if tally.homeSealed > 0, tally.homeSealed < kept {
            // Some of the domain's own mail carries a service's signature, and some does not; both come through here.
            stories.add(.serviceSealsToo, -(2 + log(Double(tally.homeSealed))), for: sender)
        } else if kept >= 5, tally.foreignSealed == 0 {
            stories.add(.oneSealOnly, Double(kept), for: sender)
        }
        // … and breaks some of it, more than what arrives from a server.
        let whole = log((1 - Usual.brokenAtReceivers) / (1 - Usual.brokenOnTheWay))
        let broken = log(Usual.brokenAtReceivers / Usual.brokenOnTheWay)
        stories.add(.wholeOnly, Double(tally.surviving) * whole + Double(tally.broken) * broken, for: sender)
        if tally.surviving >= 5 {
            let reporters = Levels.voices(tally.survivingBits | tally.brokenBits)
            if habits.reporters >= 4 {
                stories.add(.breadth, breadth(reporters, kept, habits), for: sender)
            } else if reporters == 1, habits.reporters >= 2 {
                stories.add(.oneReceiverOfFew, for: sender)
            }
            let size = Double(tally.survivingMessages) / Double(tally.surviving)
            // One receiver's rows are as large as its share of the domain's readers.
            if size >= 4, reporters > 1 || habits.reporters < 2 { stories.add(.largeRows, size / 4, for: sender) }
        }
        // A row of servers, each with a little mail, that together send to everybody.
        if habits.reporters >= 4, around.network.domains.count == 1, let together = around.network.kept[flow.domain], together.records >= 10
        {
            let isRow = tally.surviving < 5 || together.sources >= Usual.rowOfServers
            let alone = tally.surviving < 5 ? 0 : breadth(Levels.voices(tally.survivingBits | tally.brokenBits), kept, habits)
            let breadth = breadth(Levels.voices(together.bits), together.records, habits)
            if isRow, breadth > max(0, alone) { stories.add(.rowOfServers, breadth + 1 - max(0, alone), for: sender) }
        }
        if tally.overridden > 0, tally.homeless == 0 { stories.add(.receiverSawForwarding, for: sender) }
    }

    /// The odds that a source sends to everybody that the domain sends to, against a relay, which sends to a few: by the witnesses who saw it, of
    /// those who see the domain, against what the same number of rows would usually meet.
    private func breadth(_ voices: Int, _ records: Int, _ habits: HabitFacts) -> Double {
        guard records >= 4 else { return 0 }
        let expected = habits.reporters * (1 - exp(-Double(records) / (1.5 * habits.reporters)))
        let met = Double(voices) / max(1, expected)
        let odds = -3 + 5.5 * max(0, min(1, (met - 0.35) / 0.3))
        // A few rows from a relay with several targets meet as many.
        return odds * min(1, Double(records) / (odds > 0 ? 25 : 12))
    }

    /// A server that passed SPF before, or passes since, and fails between: two stories of one server. Both at a time is rather a provider.
    private func weighPeriods(_ tally: Tally, _ sender: Verdict, _ stories: inout Stories) {
        guard let aligned = tally.alignedDays, let kept = tally.keptDays else { return }
        let areApart =
            kept.lowerBound + Usual.daysBetween >= aligned.upperBound || kept.upperBound <= aligned.lowerBound + Usual.daysBetween
        stories.add(areApart ? .otherPeriod : .passesAmongFailures, Double(tally.aligned), for: sender)
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
        var stories = tell([.mailingList, .forwarded, .dkimOnly, .misconfigured, .spoofed], facts)
        var notes: VerdictNotes = []
        let exact = try flow.shape.spfName.map { try knowledge.organisation($0) }
        // A service that signs for the domain, whose signature does not verify: its own is broken as well, or it is a provider's host.
        let isSender = exact?.service == .mailboxService || flow.shape.foreignBroken.contains(name)
        if isSender || selectors.contains(where: { $0.isHome(name) }) {
            stories.add(.brokenAtHome)
            if !isSender, organisation.broken > organisation.atHome { stories.add(.brokenMoreThanWhole) }
        } else {
            stories.add(.notAtHome)
            stories.add(.notAtHomeOwn)
        }
        // The name below a large host says more than the host.
        stories.add(.nameBreaks, listRecord(exact ?? organisation))
        // A list has readers at many receivers, a gateway stands before one.
        let seen = exact ?? organisation
        if seen.reporters <= 1, seen.records >= 3, habits.reporters >= 2 {
            stories.add(habits.reporters >= 4 ? .oneReceiverOfMany : .oneReceiverOfSome, seen.records - 1)
            // Everybody's mail goes through a gateway, services' too; to a list people write.
            let away = around.tally.foreign
            if around.tally.serviceSealedAway > 0 {
                stories.add(.servicesThereToo)
            } else if away >= 4 {
                stories.add(.peopleOnly, Double(away))
            }
            notes.insert(.gateway)
        }
        // Lists sign what they send; few forwarders do.
        stories.add(organisation.signs > 0 ? .signsItself : .signsNothing)
        if flow.listOverrides > 0 {
            stories.add(.receiverSaysList)
        } else if flow.forwardedOverrides + flow.arcOverrides > 0 {
            stories.add(.receiverSaysForwarded)
        }
        switch organisation.service {
        case .listHost: stories.add(.listHost)
        case .forwarder: stories.add(.forwarderHost)
        case .securityGateway: stories.add(.gatewayHost)
        case .bulkSender, .mailboxService: stories.add(.senderHost)
        case .hosting, .mailboxProvider, nil: break
        }
        // The provider's signature that the domain's own mail carries holds, and only the domain's does not: it was passed on whole.
        for seal in flow.shape.foreignVerified where seal != name {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            if facts.home == 0 { stories.add(.providerSealHolds, facts.atHome) }
        }
        stories.add(.forgersSeldomSign)
        weighStranger(selectors, habits, &stories)
        var result = judgement(stories)
        if result.verdict == .forwarded { result.notes = notes }
        if result.verdict == .dkimOnly { result.notes = .dkimBroken }
        return result
    }

    /// What an organisation's record says of a message that it broke: forwarders break a small share, so what is broken beyond that was a
    /// list's doing, even where a host has lists of both kinds.
    private func listRecord(_ organisation: OrganisationFacts) -> Double {
        let carried = organisation.broken + organisation.surviving
        let usual = Usual.brokenOnTheWay * (1 - organisation.brokenShare) / (1 - Usual.brokenOnTheWay) * carried
        let excess = max(0, organisation.brokenShare * carried - usual)
        return max(-5, min(6, log((excess + 0.5) / (usual + 0.5)))) + 0.5
    }

    /// A signature that never verifies anywhere is not the domain's.
    private func weighStranger(_ selectors: [SelectorFacts], _ habits: HabitFacts, _ stories: inout Stories) {
        guard selectors.allSatisfy({ $0.verified == 0 }) else { return }
        stories.add(habits.signedShare > 0 ? .keyNeverVerifies : .keyNeverVerifiesUnsigned)
    }

    // MARK: - The signature is broken, and nobody else's passes

    private func brokenOnTheWay(
        _ flow: Flow, _ selectors: [SelectorFacts], _ around: Surroundings, _ habits: HabitFacts, _ facts: EvidenceCodes
    ) throws -> Judgement {
        let shape = flow.shape
        let tally = around.tally
        let total = around.total
        var stories = tell([.forwarded, .spoofed, .misconfigured], facts)
        weighStranger(selectors, habits, &stories)
        // Nothing else that would speak for a relay: most relays show themselves.
        stories.add(.noRelayShown)
        // A forger rarely has a signature with a selector that exists, nor somebody else's name in the envelope beside it.
        if selectors.contains(where: { $0.verified > 0 }), shape.isEnvelopeForeign { stories.add(.keyExists) }
        // Who passes on whole signatures also passes on broken ones; a server of the domain's own has both as well.
        let isNamed = tally.surviving > 0
        weighForgotten(flow, isNamed ? selectors : [], around, habits, .misconfigured, &stories)
        if isNamed, stories.weight(of: .misconfigured) > 0 {
            stories.add(.wholeHereToo, Double(tally.surviving))
        } else {
            if total.surviving > 0 { stories.add(.sourceRelays, Double(total.surviving)) }
            if around.network.surviving > total.surviving { stories.add(.networkRelays) }
        }
        let isNarrow = Levels.voices(tally.reporterBits) == 1
        if tally.broken >= 3, isNarrow { stories.add(.brokenAtOneReceiver, Double(tally.broken)) }
        // What a relay passes on mostly survives; what never does, and is seen by many, was never whole.
        if tally.broken >= 4, total.surviving == 0, !isNarrow, total.domains == 1 {
            stories.add(.neverWhole, Double(tally.broken))
        }
        // Strangers do not copy the signature of the service beside it.
        if let name = shape.spfForeignFail, selectors.contains(where: { $0.isHome(name) }) || shape.foreignBroken.contains(name) {
            stories.add(.serviceSealBeside)
        } else if !shape.foreignBroken.isEmpty {
            stories.add(.foreignSealBeside)
        }
        var notes: VerdictNotes = []
        if !shape.foreignVerified.isEmpty {
            stories.add(.foreignSealHolds)
            if isNarrow { notes.insert(.gateway) }
        }
        if flow.forwardedOverrides + flow.arcOverrides > 0 { stories.add(.forwardingOverride) }
        if flow.listOverrides > 0 { stories.add(.listOverride) }
        if total.silent > 0 { stories.add(.sourceSendsUnsigned, Double(total.silent)) }
        stories.add(.seldomBroken)
        if case .securityGateway? = try shape.foreignVerified.first.map({ try knowledge.organisation($0).service }) {
            stories.add(.gatewaySeal)
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
        var stories = tell([.unaligned, .spoofed, .forwarded, .mailingList], facts)
        var notes: VerdictNotes = []
        stories.add(.authenticatesItself)
        switch organisation.service {
        case .bulkSender: stories.add(.bulkService)
        case .mailboxProvider, .hosting, .mailboxService: stories.add(.hostingService)
        case .forwarder, .listHost, .securityGateway: stories.add(.relayService)
        case nil: break
        }
        // A service is seen again and again.
        if organisation.days >= 4 { stories.add(.seenOften) }
        if organisation.reporters >= 3 { stories.add(.seenWidely) }
        if organisation.atHome > 0 { stories.add(.atHomeForOthers) }
        stories.add(.steadyName, organisation.records)
        // Many addresses in few days for many domains: a burst.
        if organisation.span <= 6, organisation.records >= 10, organisation.sources >= 3 { stories.add(.burst) }
        if organisation.domains >= 5, organisation.atHome == 0, organisation.reporters >= 2 { stories.add(.manyDomains) }
        // A signature of a service of the domain's own, away from where that service sends: passed on.
        let exact = try flow.shape.spfName.map { try knowledge.organisation($0) } ?? organisation
        if exact.service == .mailboxService { stories.add(.providerHostAlone) }
        var isPassedOn = false
        for seal in flow.shape.foreignVerified + flow.shape.foreignBroken where flow.shape.spfForeignPass != seal {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            // The provider's signature on the provider's own host: it is at home.
            if flow.shape.spfForeignPass != nil, flow.shape.spfName != nil, try knowledge.organisation(seal).isSameService(as: organisation)
            {
                stories.add(.providerSealAlone)
                continue
            }
            let isAway = flow.shape.spfForeignPass != nil || flow.shape.spfForeignFail != nil
            guard facts.home == 0 || facts.isHome(seal) && isAway else { continue }
            // What broke on the way may have been broken by a list.
            let isListed = flow.shape.foreignBroken.contains(seal) && exact.reporters >= 2 && listRecord(exact) > 0
            stories.add(facts.home == 0 ? .ownSealAway : .serviceSealAway, facts.atHome, for: isListed ? .mailingList : .forwarded)
            isPassedOn = true
            if !isListed { notes.insert(.serviceMail) }
        }
        // Where the domain does not sign, what a relay passes on looks like this.
        // What kept its envelope names nobody who passed it on: only the signer's record would be asked, which says nothing about that.
        if !isPassedOn || flow.shape.spfForeignPass != nil {
            let relayed = organisation.relayed + organisation.broken
            let relays = relayed > 0 ? log((relayed + 0.5) / (organisation.unsigned + organisation.atHome + 0.5)) : -4
            let signed: Rule = habits.signedShare < 0.5 ? .domainUnsigned : habits.signedShare < 1 ? .domainPartlySigned : .domainSigned
            stories.add(.nameRelays, relays)
            stories.add(signed, for: .forwarded)
            stories.add(.nameBreaksHere, relays)
            stories.add(signed, for: .mailingList)
        }
        stories.add(organisation.broken > organisation.relayed ? .brokeMoreThanRelayed : .relayedMoreThanBroke)
        if flow.listOverrides > 0 { stories.add(.listOverrideHere) }
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
        var stories = tell([.spoofed, .misconfigured, .forwarded, .unaligned], facts)
        stories.evidence.insert(.domainSigns, if: signs >= 0.75)
        stories.evidence.insert(.domainDoesNotSign, if: signs < 0.25 && habits.aligned > 0)
        // The domain's own server.
        stories.add(.seldomForgotten)
        weighPeriods(tally, .misconfigured, &stories)
        // Nobody sends from a domain that never sends.
        if habits.aligned == 0, habits.signedShare == 0 { stories.add(.domainNeverSends) }
        // A stranger's machine sends for some days or to a few, a forgotten one of the domain's own for months and to everybody; its envelope is the
        // domain's, or that of the host.
        let steady = steadiness(tally)
        if flow.shape.isEnvelopeForeign {
            // A web site, with its host in the envelope.
            if steady > 0 { stories.add(.steadyHosted, steady) }
        } else if Levels.voices(tally.silentBits) >= Usual.everybody {
            stories.add(.steadyOwn, steady)
        }
        // A server that SPF lists, and that fails for a part of its mail: another name of yours in the envelope.
        if tally.aligned >= 5, tally.aligned * 2 >= tally.silent, total.domains <= 2 { stories.add(.listedOtherwise) }
        stories.add(.neighbours, neighbours(flow, around), for: .misconfigured)
        let count = Double(tally.silent)
        let days = Levels.count(tally.silentDayBits)
        if count >= 5 {
            let isBroad = Levels.voices(tally.silentBits) >= 3 && days >= 5
            let isLong = (tally.silentDays?.count ?? 0) >= Usual.campaignDays
            stories.add(isBroad && isLong ? .manyRowsBroad : .manyRows, count / 3)
            if Double(tally.silentMessages) / count >= 8 { stories.add(.manyMessages) }
        }
        let isSurvivalAttested = tally.isSurvivalAttested(try knowledge.quorum(domain: flow.domain))
        if isSurvivalAttested { stories.add(.signedElsewhere) }
        if signs >= 0.75 { stories.add(.yourMailIsSigned) } else if signs < 0.25 { stories.add(.yourMailIsUnsigned) }
        // Strangers try many names.
        let others = total.silent - tally.silent
        if others > 0 { stories.add(.strangersTryMany, Double(others)) }
        // A forwarder of mail that was never signed.
        let surviving = total.surviving - (isSurvivalAttested ? 0 : tally.surviving)
        let relayed = total.surviving - (total.aligned > 0 && isSurvivalAttested ? 0 : tally.surviving) + total.broken
        stories.add(.seldomPassedOn)
        // What a few of many say they saw survive does not explain what all the others saw.
        if surviving > 0 || relayed > 0 { stories.add(.relaysOtherwise, Double(max(surviving, relayed))) }
        if around.network.surviving > total.surviving { stories.add(.networkRelaysUnsigned) }
        if signs >= 0.95 { stories.add(.signedMailPassedOn) } else if signs < 0.25 { stories.add(.unsignedMailPassedOn) }
        let overridden = Double(flow.forwardedOverrides + flow.arcOverrides) / Double(max(1, flow.records))
        if overridden > 0 { stories.add(.overriddenShare, overridden) }
        // A service's signature beside it, whole nowhere here: the service's mail for the domain, passed on.
        for seal in flow.shape.foreignBroken {
            let facts = try knowledge.selector(SelectorKey(domain: seal, selector: 0, policy: flow.domain))
            if facts.atHome > 0 { stories.add(.brokenServiceSeal, facts.atHome) }
        }
        // A service whose own SPF fails.
        stories.add(.seldomService)
        if let name = flow.shape.spfForeignFail {
            let organisation = try knowledge.organisation(name)
            if organisation.service == .bulkSender { stories.add(.bulkFails) }
            if organisation.unsigned > 3 { stories.add(.hostFailsOften) }
        }
        var result = judgement(stories)
        // One address that goes on for weeks may be a printer that nobody remembers, or a machine that somebody rented.
        if tally.aligned == 0, steady > 0 || tally.silent >= 5 && days >= 5 { cap(&result, .doubtful) }
        return result
    }

    /// The odds that a source which goes on for weeks is the domain's own.
    private func steadiness(_ tally: Tally) -> Double {
        let span = tally.silentDays?.count ?? 0
        guard span >= Usual.campaignDays, Levels.count(tally.silentDayBits) >= 6, tally.silent >= 6 else { return 0 }
        return min(4.5, 2 + 1.2 * log(Double(span) / Double(Usual.campaignDays)) + 0.5 * log(Double(tally.silent) / 6))
    }
}
