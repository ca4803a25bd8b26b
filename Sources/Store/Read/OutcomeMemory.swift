import Inference

/// Outcomes that were read before, in about 40 bytes each: most flows rest on few of them, but these are met again and again.
struct OutcomeMemory {
    private struct Slot {
        var id: Int32
        var place: Int32
    }

    /// Where in `words` an outcome begins; that of a set stands at its key, or where several keys meet if there are very many sets.
    private var slots: [Slot] = []
    /// Of each outcome the result of SPF and the number of its signatures, SPF's organisation and name, and three words for each signature.
    private var words: [Int32] = []
    /// Bounds on memory. When there are more words than this, all is forgotten.
    private static let mostWords = 2_500_000
    /// A power of two.
    private static let mostSlots = 1 << 18
    private static let nothing = Int32.min

    subscript(id: Int) -> Outcome? {
        guard !slots.isEmpty else { return nil }
        let slot = slots[id & (slots.count - 1)]
        guard Int(slot.id) == id else { return nil }
        var next = Int(slot.place)
        func word() -> Int {
            defer { next += 1 }
            return Int(words[next])
        }
        func name() -> Int? {
            let word = word()
            return word == Int(Self.nothing) ? nil : word
        }
        let head = word()
        let organisation = name()
        let spfName = name()
        var signatures: [Outcome.Signature] = []
        signatures.reserveCapacity(head >> 2)
        for _ in 0..<(head >> 2) {
            let domain = word()
            let selector = word()
            let sealed = word()
            signatures.append(
                Outcome.Signature(
                    domain: domain, selector: selector, organisation: sealed >> 2,
                    seal: Outcome.Seal(rawValue: UInt8(sealed & 3)) ?? .broken))
        }
        return Outcome(
            spf: Outcome.SPF(rawValue: UInt8(head & 3)) ?? .none, spfOrganisation: organisation, spfName: spfName, signatures: signatures)
    }

    mutating func remember(_ outcome: Outcome, _ id: Int) {
        if words.count >= Self.mostWords {
            slots.removeAll(keepingCapacity: true)
            words.removeAll(keepingCapacity: true)
        }
        while slots.count <= id, slots.count < Self.mostSlots {
            slots.append(contentsOf: repeatElement(Slot(id: -1, place: 0), count: max(1024, slots.count)))
        }
        slots[id & (slots.count - 1)] = Slot(id: Int32(id), place: Int32(words.count))
        words.append(Int32(outcome.signatures.count << 2 | Int(outcome.spf.rawValue)))
        words.append(outcome.spfOrganisation.map { Int32($0) } ?? Self.nothing)
        words.append(outcome.spfName.map { Int32($0) } ?? Self.nothing)
        for signature in outcome.signatures {
            words.append(Int32(signature.domain))
            words.append(Int32(signature.selector))
            words.append(Int32(signature.organisation << 2 | Int(signature.seal.rawValue)))
        }
    }
}
