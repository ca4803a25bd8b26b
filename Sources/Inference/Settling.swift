import DMARC

/// Verdicts that mail takes over from other mail of one network, because what its reports leave out, others tell.
struct Settling {
    /// Of one network.
    let flows: [Flow]
    let reasoning: Reasoning?

    func settle(_ judgements: inout [Judgement]) {
        settleHidden(&judgements)
        settleErrors(&judgements)
        settleUnnamed(&judgements)
    }

    private struct SourceKey: Hashable {
        let source: IPAddress
        let domain: Int
    }

    private struct ShapeKey: Hashable {
        let source: IPAddress
        let domain: Int
        /// nil: whatever the SPF.
        let beside: Int?
        let seal: FlowShape.OwnSeal

        init(_ flow: Flow, anySPF: Bool) {
            (source, domain, seal) = (flow.source, flow.domain, flow.shape.seal)
            beside = anySPF ? nil : flow.shape.beside
        }
    }

    private struct HiddenKey: Hashable {
        let domain: Int
        let beside: Int
        let seal: FlowShape.OwnSeal

        init(_ flow: Flow) { (domain, beside, seal) = (flow.domain, flow.shape.beside, flow.shape.seal) }
    }

    /// A host sends mail of its own and of the domain's from one address: they are told apart by whose name is in the envelope.
    private struct EnvelopeKey: Hashable {
        let source: IPAddress
        let domain: Int
        let isForeign: Bool

        init(_ flow: Flow) { (source, domain, isForeign) = (flow.source, flow.domain, flow.shape.isEnvelopeForeign) }
    }

    /// A report that leaves out the selector, or SPF, sees the same mail as those that give it.
    private func settleUnnamed(_ judgements: inout [Judgement]) {
        func isOpen(_ flow: Flow) -> Bool { flow.shape.isUnnamed || flow.shape.isWithoutSPF }
        let open = Set(flows.lazy.filter(isOpen).map { SourceKey(source: $0.source, domain: $0.domain) })
        guard !open.isEmpty else { return }
        var usual = UsualVerdicts<ShapeKey>()
        for (flow, judgement) in zip(flows, judgements)
        where flow.isWitnessed && !isOpen(flow) && flow.shape.seal != .none
            && open.contains(SourceKey(source: flow.source, domain: flow.domain))
        {
            for anySPF in [false, true] { usual.add(judgement, records: flow.records, of: ShapeKey(flow, anySPF: anySPF)) }
        }
        for (index, flow) in flows.enumerated() where isOpen(flow) {
            guard let most = usual.most(of: ShapeKey(flow, anySPF: flow.shape.isWithoutSPF)) else { continue }
            takeOver(.takenOverUnnamed, most, &judgements, index)
        }
    }

    /// A receiver that hides the end of addresses gives the mail of a whole network to one, which nobody else sees: the network's mail says what it is.
    private func settleHidden(_ judgements: inout [Judgement]) {
        let open = Set(flows.lazy.filter(\.source.isNetworkAddress).map(HiddenKey.init))
        guard !open.isEmpty else { return }
        var usual = UsualVerdicts<HiddenKey>()
        for (flow, judgement) in zip(flows, judgements) where flow.isWitnessed && !flow.source.isNetworkAddress {
            let key = HiddenKey(flow)
            if open.contains(key) { usual.add(judgement, records: flow.records, of: key) }
        }
        for (index, flow) in flows.enumerated() where flow.source.isNetworkAddress && judgements[index].confidence < Cap.spfAligned.most {
            guard let most = usual.most(of: HiddenKey(flow)) else { continue }
            takeOver(.takenOverHidden, most, &judgements, index)
        }
    }

    /// A look-up that failed for a while says nothing about who it is: what the source did otherwise does.
    private func settleErrors(_ judgements: inout [Judgement]) {
        let open = Set(flows.lazy.filter(\.shape.isTemporary).map(EnvelopeKey.init))
        guard !open.isEmpty else { return }
        var usual = UsualVerdicts<EnvelopeKey>()
        for (flow, judgement) in zip(flows, judgements) where flow.isWitnessed && !flow.shape.isTemporary {
            let key = EnvelopeKey(flow)
            if open.contains(key) { usual.add(judgement, records: flow.records, of: key) }
        }
        for (index, flow) in flows.enumerated() where flow.shape.isTemporary {
            guard var most = usual.most(of: EnvelopeKey(flow)) else { continue }
            let passes = most.verdict == .authorized || most.verdict == .dkimOnly
            most.notes = passes ? .temporaryErrors : []
            takeOver(.takenOver, most, &judgements, index)
            // A source that passes at times, and fails at others, does both.
            if usual.isDivided(EnvelopeKey(flow)) { judgements[index].bound(by: .doubtful, reasoning) }
            judgements[index].evidence.insert(.passesAtOtherTimes, if: passes)
        }
    }

    /// Gives a flow the verdict of other mail, and keeps its own evidence.
    private func takeOver(_ cap: Cap, _ judgement: Judgement, _ judgements: inout [Judgement], _ index: Int) {
        reasoning?.takeOver(index, cap)
        judgements[index].verdict = judgement.verdict
        judgements[index].confidence = min(judgement.confidence, cap.most)
        judgements[index].notes = judgement.notes
    }
}

/// What the mail of one key, as far as witnesses tell of it, was judged to be.
private struct UsualVerdicts<Key: Hashable> {
    private var verdicts: [Key: [Verdict: (records: Int, surest: Judgement)]] = [:]

    mutating func add(_ judgement: Judgement, records: Int, of key: Key) {
        var known = verdicts[key, default: [:]][judgement.verdict] ?? (0, judgement)
        known.records += records
        if !known.surest.isBefore(judgement) { known.surest = judgement }
        verdicts[key, default: [:]][judgement.verdict] = known
    }

    /// The surest judgement with the verdict that most records have; of equals the first.
    func most(of key: Key) -> Judgement? {
        verdicts[key]?.max { ($0.value.records, $1.key.stored) < ($1.value.records, $0.key.stored) }?.value.surest
    }

    func isDivided(_ key: Key) -> Bool { (verdicts[key]?.count ?? 0) > 1 }
}
