import DMARC
import Glibc

/// Where the judge looks up what history knows. Answers must be functions of the reports alone, not of the order in which they came.
package protocol Knowledge {
    /// Of another organisation's signature, for one policy domain.
    func selector(_ key: SelectorKey) throws -> SelectorFacts
    /// Of a signature of the policy domain's own organisation: whatever is known for any policy domain of that organisation.
    func ownSelector(_ key: SelectorKey) throws -> SelectorFacts
    func organisation(_ id: Int) throws -> OrganisationFacts
    func habits(domain: Int) throws -> HabitFacts
    /// The witnesses of a policy domain's organisation.
    func quorum(domain: Int) throws -> Quorum
}

/// Gives verdicts to the flows of one network.
///
/// Each piece of evidence adds its weight, a logarithm of odds, to the stories that it speaks for; the likeliest story is the verdict, and its
/// share the confidence (docs/decisions/0007-verdicts.md). Nothing is looked at but the shape of authentication, counts and names' records.
package struct Judge<Source: Knowledge> {
    package let knowledge: Source
    /// Where it writes down what it weighs, for a reader; nil: nobody reads.
    package var reasoning: Reasoning?

    package init(knowledge: Source, reasoning: Reasoning? = nil) {
        self.knowledge = knowledge
        self.reasoning = reasoning
    }

    /// What one source did for one policy domain.
    package struct Tally {
        package var aligned = 0
        package var alignedDays: ClosedRange<Int>?
        var alignedReporters = 0
        /// Envelope kept or unknown, own signature verified.
        package var surviving = 0
        var survivingMessages = 0
        /// Envelope kept or unknown, own signature broken.
        package var broken = 0
        /// Nothing of the domain's own, and nobody else's either.
        package var silent = 0
        var silentMessages = 0
        /// Of `surviving` and `broken`, those whose signature is at home with a service.
        var serviceSealed = 0
        /// Of `surviving` and `broken`, those with somebody else's signature that holds; and where the domain's own mail carries that as well, who saw them.
        var foreignSealed = 0
        var homeSealed = 0
        var homeSealedBits = 0
        /// Of `surviving`, those whose selector is at home nowhere.
        package var homeless = 0
        /// Someone else's SPF or signature passed.
        package var foreign = 0
        package var keptDays: ClosedRange<Int>?
        package var reporterBits = 0
        /// Who saw `surviving`, `broken`, `silent` and `foreign`.
        var survivingBits = 0
        var brokenBits = 0
        var silentBits = 0
        var foreignBits = 0
        package var dayBits = 0
        /// Of `silent`.
        package var silentDays: ClosedRange<Int>?
        var silentDayBits = 0
        package var overridden = 0
        package var records = 0
        /// Signed by a service at its home, whose name has no SPF.
        package var atHome = 0
        /// SPF passes for somebody else, and a signature of a service of the domain's is there, whole or broken.
        var serviceSealedAway = 0
        /// Own signature verified, SPF passes for somebody else.
        var signedAway = 0
    }

    /// What one source did for everybody.
    package struct Total {
        package var aligned = 0
        package var surviving = 0
        package var homeless = 0
        package var atHome = 0
        package var broken = 0
        package var silent = 0
        package var foreign = 0
        package var domains = 0
        var relayedDomains = 0
    }

    package struct Neighbourhood {
        /// For each policy domain: sources with aligned SPF, and their records.
        package var authorized: [Int: (sources: Int, records: Int)] = [:]
        package var domains: Set<Int> = []
        var surviving = 0
        var atHome = 0
        /// For each policy domain: sources with records with a signature that survived beside a failing envelope, these, and who saw them.
        var kept: [Int: (sources: Int, records: Int, bits: Int)] = [:]
    }

    /// Sums over policy domains.
    package struct Whole {
        fileprivate var totals: [IPAddress: Total] = [:]
        fileprivate var network = Neighbourhood()

        fileprivate mutating func add(_ tally: Tally, _ key: TallyKey) {
            totals[key.source, default: Total()].add(tally)
            network.domains.insert(key.domain)
            network.surviving += tally.surviving
            network.atHome += tally.atHome
            if tally.surviving > 0 {
                let sum = network.kept[key.domain] ?? (0, 0, 0)
                network.kept[key.domain] = (sum.sources + 1, sum.records + tally.surviving, sum.bits | tally.survivingBits)
            }
            guard tally.aligned > 0 else { return }
            let sum = network.authorized[key.domain] ?? (0, 0)
            network.authorized[key.domain] = (sum.sources + 1, sum.records + tally.aligned)
        }
    }

    /// What is counted before any flow is judged.
    package struct Survey {
        fileprivate var tallies: [TallyKey: Tally] = [:]
        /// For everybody; and without policy domains that one witness alone mentions: these teach nothing about others.
        fileprivate var all = Whole()
        fileprivate var attested = Whole()
        fileprivate var attestedDomains: Set<Int> = []

        /// What surrounds the flows of a source for a policy domain.
        package func surroundings(_ source: IPAddress, _ domain: Int) -> Surroundings {
            let whole = attestedDomains.contains(domain) ? attested : all
            return Surroundings(
                tally: tallies[TallyKey(source: source, domain: domain)] ?? Tally(), total: whole.totals[source] ?? Total(),
                network: whole.network)
        }
    }

    /// Counts the flows of one network.
    package func survey(_ flows: [Flow]) throws -> Survey {
        var survey = Survey()
        let flows = flows.filter(\.isWitnessed)
        var named: Set<TallyKey> = []
        if flows.contains(where: \.shape.isUnnamed) {
            named = Set(flows.lazy.filter { !$0.shape.isUnnamed }.map { TallyKey(source: $0.source, domain: $0.domain) })
        }
        for flow in flows {
            let key = TallyKey(source: flow.source, domain: flow.domain)
            try add(flow, isSilent: flow.shape.isUnnamed && named.contains(key), to: &survey.tallies[key, default: Tally()])
        }
        for (key, counted) in survey.tallies {
            var tally = counted
            let isAttested = try knowledge.habits(domain: key.domain).reporters >= 2
            let quorum = try knowledge.quorum(domain: key.domain)
            // One witness could make any address one of your servers; and so could two, of many.
            if tally.aligned > 0, isAttested, !tally.isAlignmentAttested(quorum) {
                tally.aligned = 0
                tally.alignedDays = nil
            }
            tally.boundMinorities(quorum)
            survey.tallies[key] = tally
            survey.all.add(tally, key)
            guard isAttested else { continue }
            survey.attestedDomains.insert(key.domain)
            survey.attested.add(tally, key)
        }
        return survey
    }

    /// Verdicts on all flows of one network, in their order. Flows of one source stand together.
    package func judge(_ flows: [Flow]) throws -> [Judgement] {
        let survey = try survey(flows)
        var judgements: [Judgement] = []
        judgements.reserveCapacity(flows.count)
        // Flows of one source for one domain stand together.
        var latest: (source: IPAddress, domain: Int, surroundings: Surroundings)?
        for (index, flow) in flows.enumerated() {
            reasoning?.begin(index)
            let known = latest.flatMap { $0.source == flow.source && $0.domain == flow.domain ? $0.surroundings : nil }
            let surroundings = known ?? survey.surroundings(flow.source, flow.domain)
            if known == nil { latest = (flow.source, flow.domain, surroundings) }
            judgements.append(try judge(flow, surroundings))
        }
        Settling(flows: flows, reasoning: reasoning).settle(&judgements)
        var begin = 0
        while begin < flows.count {
            let (source, domain) = (flows[begin].source, flows[begin].domain)
            let end = flows[begin...].firstIndex { $0.source != source || $0.domain != domain } ?? flows.count
            try limit(flows, begin..<end, &judgements)
            begin = end
        }
        return judgements
    }

    /// What rests on the word of one witness, or of few of many, or on nothing but a stranger's own good order, is never called certain. `range`
    /// has the flows of one source for one domain.
    private func limit(_ flows: [Flow], _ range: Range<Int>, _ judgements: inout [Judgement]) throws {
        let support = Support(flows, range, judgements, try knowledge.quorum(domain: flows[range.lowerBound].domain))
        for index in range {
            reasoning?.begin(index)
            let verdict = judgements[index].verdict
            if !flows[index].isWitnessed {
                judgements[index].evidence.insert(.noWitness)
                cap(&judgements[index], .newcomer)
            } else if support.isContradicted(verdict) {
                judgements[index].evidence.insert(.contradicted)
                cap(&judgements[index], .contradicted)
            } else if support.isTooNarrow(verdict) {
                judgements[index].evidence.insert(.fewReporters)
                cap(&judgements[index], .narrow)
            } else if support.voices(verdict) < 2 {
                judgements[index].evidence.insert(.oneReporter)
                cap(&judgements[index], .oneReporter)
            } else if !support.isEnough(verdict) {
                judgements[index].evidence.insert(.fewReporters)
                cap(&judgements[index], .fewReporters)
            }
            if judgements[index].notes.contains(.unrelated) { cap(&judgements[index], .unrelated) }
        }
    }

    /// Which witnesses saw what each verdict on one source is about.
    private struct Support {
        private var bits = [Int](repeating: 0, count: 16)
        private var records = [Int](repeating: 0, count: 16)
        private var allBits = 0
        private let quorum: Quorum

        init(_ flows: [Flow], _ range: Range<Int>, _ judgements: [Judgement], _ quorum: Quorum) {
            self.quorum = quorum
            for index in range where flows[index].isWitnessed {
                let verdict = judgements[index].verdict.stored
                bits[verdict] |= flows[index].reporterBits
                records[verdict] += flows[index].records
                allBits |= flows[index].reporterBits
            }
        }

        func voices(_ verdict: Verdict) -> Int { Levels.voices(bits[verdict.stored]) }

        /// Whether of those who met the source so few say so that the others can say otherwise.
        func isContradicted(_ verdict: Verdict) -> Bool { quorum.isMinority(bits[verdict.stored], among: allBits) }

        func isEnough(_ verdict: Verdict) -> Bool { quorum.isEnough(bits[verdict.stored]) }

        /// Whether a sender of the domain's own with so many records would have been met by more. Those who pass mail on are met by few.
        func isTooNarrow(_ verdict: Verdict) -> Bool {
            guard verdict == .authorized || verdict == .misconfigured || verdict == .dkimOnly else { return false }
            return quorum.isNarrow(bits[verdict.stored], records: records[verdict.stored])
        }
    }

    fileprivate struct TallyKey: Hashable {
        let source: IPAddress
        let domain: Int
    }

    package struct Surroundings {
        package let tally: Tally
        package let total: Total
        package let network: Neighbourhood
    }

    /// - Parameter isSilent: where other reports name the selector, one that does not says nothing of its own.
    private func add(_ flow: Flow, isSilent: Bool, to tally: inout Tally) throws {
        let shape = flow.shape
        tally.records += flow.records
        tally.reporterBits |= flow.reporterBits
        tally.dayBits |= flow.dayBits
        tally.overridden += flow.forwardedOverrides + flow.arcOverrides
        let days = flow.firstDay...max(flow.firstDay, flow.lastDay)
        switch shape.spf {
        case .aligned, .ownUnaligned:
            tally.aligned += flow.records
            tally.alignedDays = joined(tally.alignedDays, days)
            tally.alignedReporters |= flow.reporterBits
            return
        case .foreignPass:
            tally.foreign += flow.records
            tally.foreignBits |= flow.reporterBits
            if shape.seal == .verified { tally.signedAway += flow.records }
            if try !shape.foreignBroken.isEmpty || shape.own.contains(where: { try knowledge.ownSelector(key($0, flow.domain)).isService })
            {
                tally.serviceSealedAway += flow.records
            }
            return
        case .ownTemporary, .foreignTemporary:
            // Says nothing about who it is.
            return
        case .foreignUnlisted(let name):
            if shape.seal == .verified,
                try shape.own.contains(where: { try knowledge.ownSelector(key($0, flow.domain)).isHome(Beside.unlisted(name)) })
            {
                tally.atHome += flow.records
                return
            }
        case .ownFail, .foreignFail, .none:
            break
        }
        if isSilent { return }
        if shape.seal == .verified || shape.seal == .broken, !shape.foreignVerified.isEmpty {
            tally.foreignSealed += flow.records
            let isFromHome = try shape.foreignVerified.contains { name in
                try knowledge.selector(SelectorKey(domain: name, selector: 0, policy: flow.domain)).home == 0
            }
            if isFromHome {
                tally.homeSealed += flow.records
                tally.homeSealedBits |= flow.reporterBits
            }
        }
        switch shape.seal {
        case .verified:
            tally.surviving += flow.records
            tally.survivingBits |= flow.reporterBits
            tally.survivingMessages += flow.messages
            let facts = try shape.own.map { try knowledge.ownSelector(key($0, flow.domain)) }
            if facts.contains(where: \.isService) { tally.serviceSealed += flow.records }
            if facts.allSatisfy(\.isHomeless) { tally.homeless += flow.records }
        case .broken:
            tally.broken += flow.records
            tally.brokenBits |= flow.reporterBits
            if !shape.foreignBroken.isEmpty || shape.spfForeignFail != nil { tally.serviceSealed += flow.records }
        case .temporary:
            return
        case .none:
            guard shape.isForeignSilent else {
                tally.foreign += flow.records
                tally.foreignBits |= flow.reporterBits
                return
            }
            tally.silent += flow.records
            tally.silentBits |= flow.reporterBits
            tally.silentDays = joined(tally.silentDays, days)
            tally.silentDayBits |= flow.dayBits
            tally.silentMessages += flow.messages
        }
        tally.keptDays = joined(tally.keptDays, days)
    }

    private func joined(_ a: ClosedRange<Int>?, _ b: ClosedRange<Int>) -> ClosedRange<Int> {
        guard let a else { return b }
        return min(a.lowerBound, b.lowerBound)...max(a.upperBound, b.upperBound)
    }

    package func key(_ signature: Outcome.Signature, _ domain: Int) -> SelectorKey {
        SelectorKey(domain: signature.domain, selector: signature.selector, policy: domain)
    }
}

extension Judge.Tally {
    /// Whether aligned mail of a source is believed to be the domain's own: of those who met the source not only a few say so, and so many records
    /// would not have been met by many more.
    fileprivate func isAlignmentAttested(_ quorum: Quorum) -> Bool {
        Levels.voices(alignedReporters) >= 2 && !quorum.isMinority(alignedReporters, among: reporterBits)
            && !quorum.isNarrow(alignedReporters, records: aligned)
    }

    /// Whether a signature of the domain's that holds was seen here by more than a few of those who met the source.
    func isSurvivalAttested(_ quorum: Quorum) -> Bool { surviving > 0 && !quorum.isMinority(survivingBits, among: reporterBits) }

    /// What one witness alone, or a few of many, say of a source that the others saw otherwise weighs at most half as much as what those say: however
    /// many records they send, they carry no more than a third.
    fileprivate mutating func boundMinorities(_ quorum: Quorum) {
        let sum = aligned + surviving + broken + silent + foreign + atHome
        let seen = reporterBits
        func most(_ records: Int, _ bits: Int) -> Int {
            guard records > 0, bits & Int.max != 0, quorum.isMinority(bits, among: seen) else { return records }
            return min(records, max(1, (sum - records) / 2))
        }
        func scaled(_ part: Int, _ most: Int, of whole: Int) -> Int { whole == 0 ? part : part * most / whole }
        let mostSurviving = most(surviving, survivingBits)
        if mostSurviving < surviving {
            survivingMessages = scaled(survivingMessages, mostSurviving, of: surviving)
            serviceSealed = scaled(serviceSealed, mostSurviving, of: surviving)
            homeless = scaled(homeless, mostSurviving, of: surviving)
            surviving = mostSurviving
        }
        // Mail that only a few saw carry a service's signature does not make a server a relay.
        if quorum.isMinority(homeSealedBits, among: seen) { homeSealed = 0 }
        broken = most(broken, brokenBits)
        let mostSilent = most(silent, silentBits)
        silentMessages = scaled(silentMessages, mostSilent, of: silent)
        silent = mostSilent
        let mostForeign = most(foreign, foreignBits)
        signedAway = scaled(signedAway, mostForeign, of: foreign)
        serviceSealedAway = scaled(serviceSealedAway, mostForeign, of: foreign)
        foreign = mostForeign
    }
}

extension Judge.Total {
    package mutating func add(_ tally: Judge.Tally) {
        aligned += tally.aligned
        surviving += tally.surviving
        homeless += tally.homeless
        atHome += tally.atHome
        broken += tally.broken
        silent += tally.silent
        foreign += tally.foreign
        domains += 1
        if tally.surviving > 0, tally.aligned == 0 { relayedDomains += 1 }
    }
}

/// The stories that are told of a flow, each with its weight so far.
struct Stories {
    private(set) var weights: [(verdict: Verdict, weight: Double)] = []
    var evidence: EvidenceCodes
    private let reasoning: Reasoning?
    /// What speaks for a relay that is seen to be one, beyond what most mail of its kind is.
    private var relayWeight = 0.0

    init(_ verdicts: [Verdict], _ evidence: EvidenceCodes, _ reasoning: Reasoning? = nil) {
        weights = verdicts.map { ($0, 0) }
        self.evidence = evidence
        self.reasoning = reasoning
        reasoning?.tell(verdicts)
    }

    /// What a rule says of `n` pieces of evidence. The code is kept when it counts for something.
    /// - Parameter story: the story it speaks for, where that is not the one in the table.
    mutating func add(_ rule: Rule, _ n: Double = 1, for story: Verdict? = nil) {
        let row = rule.weight
        let story = story ?? row.story
        guard let index = weights.firstIndex(where: { $0.verdict == story }) else { return }
        let weight = row.amount.of(n)
        if rule.showsRelay { relayWeight += story == .forwarded ? weight : -weight }
        weights[index].weight += weight
        let code = weight > 0 ? row.code : row.against
        if let code, abs(weight) >= 0.5 { evidence.insert(code) }
        reasoning?.note(rule, story, weight)
    }

    /// Whether something was found that a relay alone shows.
    var showsRelay: Bool { relayWeight >= 1 }

    /// The sum so far.
    func weight(of verdict: Verdict) -> Double { weights.first { $0.verdict == verdict }?.weight ?? 0 }

    /// The likeliest story and its share, 0…1; of equals the first.
    var likeliest: (verdict: Verdict, share: Double) {
        guard var best = weights.first else { return (.unknown, 0) }
        for story in weights where story.weight > best.weight { best = story }
        let sum = weights.reduce(0) { $0 + exp($1.weight - best.weight) }
        return (best.verdict, 1 / sum)
    }
}
