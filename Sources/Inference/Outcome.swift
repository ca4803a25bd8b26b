/// A set of authentication results as verdicts see it: names by their key, with their organisations.
package struct Outcome {
    package enum SPF: UInt8 {
        case pass, fail, none, temporary
    }

    package enum Seal: UInt8 {
        case verified, broken, temporary
    }

    package struct Signature {
        package let domain: Int
        /// 0: the report does not say.
        package let selector: Int
        package let organisation: Int
        package let seal: Seal

        package init(domain: Int, selector: Int, organisation: Int, seal: Seal) {
            self.domain = domain
            self.selector = selector
            self.organisation = organisation
            self.seal = seal
        }
    }

    /// The check of the envelope's sender, else the first.
    package let spf: SPF
    /// nil: the report names none.
    package let spfOrganisation: Int?
    /// The name itself.
    package let spfName: Int?
    package let signatures: [Signature]

    package init(spf: SPF, spfOrganisation: Int?, spfName: Int?, signatures: [Signature]) {
        self.spf = spf
        self.spfOrganisation = spfOrganisation
        self.spfName = spfName
        self.signatures = signatures
    }
}

/// A selector as it stands in the database.
package struct SelectorKey: Hashable {
    package let domain: Int
    package let selector: Int
    /// For whom; 0 for signatures of other organisations.
    package let policy: Int

    package init(domain: Int, selector: Int, policy: Int) {
        self.domain = domain
        self.selector = selector
        self.policy = policy
    }
}

/// Where a signature was seen: `selector_places.beside`.
package enum Beside {
    package static let ownAligned = 0
    package static let ownFailing = -1
    package static let nothing = -2
    package static let foreignFailing = -3

    /// Beside a name of an organisation that publishes no SPF.
    package static func unlisted(_ organisation: Int) -> Int { -1000 - organisation }

    /// The organisation of a place or a home; nil where there is none.
    package static func organisation(_ place: Int) -> Int? { place > 0 ? place : place <= -1000 ? -1000 - place : nil }
}

/// How a flow authenticates, from the point of view of its policy domain.
package struct FlowShape {
    package enum SPFRelation {
        case aligned
        /// Passes for a name of the domain's own that strict alignment does not accept.
        case ownUnaligned
        case ownFail
        /// A look-up failed for a while.
        case ownTemporary
        case foreignPass(Int)
        case foreignFail(Int)
        case foreignTemporary(Int)
        /// Another name, which publishes no SPF: it can neither pass nor break.
        case foreignUnlisted(Int)
        case none
    }

    package enum OwnSeal {
        case verified, broken, temporary, none
    }

    package let spf: SPFRelation
    /// The name that SPF was checked for, if it is below its organisation.
    package let spfName: Int?
    package let seal: OwnSeal
    let isDKIMAligned: Bool
    /// The domain's own signatures that decide `seal`.
    package let own: [Outcome.Signature]
    /// Organisations, other than the domain's own, whose signature verified.
    package let foreignVerified: [Int]
    /// The same, whose signature did not.
    let foreignBroken: [Int]

    /// - Parameters:
    ///   - own: the organisation of the policy domain.
    ///   - aligned: `flows.aligned`, the reporter's verdict.
    package init(_ outcome: Outcome, own organisation: Int, aligned: Int) {
        isDKIMAligned = aligned & 2 != 0
        spfName = outcome.spfName == outcome.spfOrganisation ? nil : outcome.spfName
        if aligned & 1 != 0 {
            spf = .aligned
        } else if let name = outcome.spfOrganisation {
            switch outcome.spf {
            case .pass: spf = name == organisation ? .ownUnaligned : .foreignPass(name)
            case .fail: spf = name == organisation ? .ownFail : .foreignFail(name)
            case .none: spf = name == organisation ? .ownFail : .foreignUnlisted(name)
            case .temporary: spf = name == organisation ? .ownTemporary : .foreignTemporary(name)
            }
        } else {
            spf = .none
        }
        let mine = outcome.signatures.filter { $0.organisation == organisation }
        if mine.contains(where: { $0.seal == .verified }) {
            seal = .verified
            own = mine.filter { $0.seal == .verified }
        } else if mine.contains(where: { $0.seal == .broken }) {
            seal = .broken
            own = mine.filter { $0.seal == .broken }
        } else {
            seal = mine.isEmpty ? .none : .temporary
            own = mine
        }
        var verified: [Int] = []
        var broken: [Int] = []
        for signature in outcome.signatures where signature.organisation != organisation {
            if signature.seal == .verified {
                if !verified.contains(signature.organisation) { verified.append(signature.organisation) }
            } else if signature.seal == .broken {
                if !broken.contains(signature.organisation) { broken.append(signature.organisation) }
            }
        }
        foreignVerified = verified
        foreignBroken = broken
    }

    /// The organisation whose SPF passed, if it is not the domain's own.
    package var spfForeignPass: Int? { if case .foreignPass(let name) = spf { name } else { nil } }

    /// The organisation whose SPF was checked and did not pass, if it is not the domain's own.
    package var spfForeignFail: Int? {
        switch spf {
        case .foreignFail(let name), .foreignTemporary(let name): name
        default: nil
        }
    }

    /// SPF was checked for a name that is not the domain's own.
    var isEnvelopeForeign: Bool {
        switch spf {
        case .foreignPass, .foreignFail, .foreignTemporary, .foreignUnlisted: true
        case .aligned, .ownUnaligned, .ownFail, .ownTemporary, .none: false
        }
    }

    /// The report leaves out the selectors of the domain's own signatures.
    package var isUnnamed: Bool { !own.isEmpty && own.allSatisfy { $0.selector == 0 } }

    /// The report has a verdict on a signature of the domain's own, and says nothing of SPF.
    package var isWithoutSPF: Bool {
        guard case .none = spf else { return false }
        return seal == .verified || seal == .broken
    }

    /// A look-up failed for a while, and nothing is aligned.
    package var isTemporary: Bool {
        if isDKIMAligned { return false }
        switch spf {
        case .aligned, .ownUnaligned: return false
        case .ownTemporary, .foreignTemporary: return seal != .verified
        case .ownFail, .foreignPass, .foreignFail, .foreignUnlisted, .none: return seal == .temporary
        }
    }

    /// A look-up failed for a while, of SPF or of the key.
    var isLookUpFailed: Bool {
        switch spf {
        case .ownTemporary, .foreignTemporary: true
        default: seal == .temporary
        }
    }

    /// Nothing of another organisation passed.
    var isForeignSilent: Bool { spfForeignPass == nil && foreignVerified.isEmpty }

    /// `selector_places.beside`.
    package var beside: Int {
        switch spf {
        case .aligned, .ownUnaligned: Beside.ownAligned
        case .ownFail: Beside.ownFailing
        case .ownTemporary, .foreignTemporary, .none: Beside.nothing
        case .foreignPass(let name): name
        case .foreignUnlisted(let name): Beside.unlisted(name)
        case .foreignFail: Beside.foreignFailing
        }
    }
}
