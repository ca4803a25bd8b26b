/// What a verdict rests on. The words are those of `explain` and of the column `reasons`; docs/VERDICTS.md says what each means.
public enum EvidenceCode: Int, CaseIterable, Hashable, Sendable {
    // Read off the records themselves.
    case spfAligned = 0
    case dkimAligned
    case spfOwnFail
    case spfOwnUnaligned
    case spfForeignPass
    case spfForeignFail
    case spfNone
    case temporaryError
    case dkimOwnBroken
    case dkimForeignPass
    case dkimNone
    case overrideForwarded
    case overrideMailingList
    case overrideArcPass
    // From history.
    case selectorAtHome
    case selectorHomeElsewhere
    case selectorUnknown
    case nameRelays
    case nameBreaks
    case sourceRelays
    case sourceBreaks
    case networkRelays
    case neighbourAuthorized
    case passesAtOtherTimes
    case manySigners
    case oneSigner
    case otherDomains
    case broad
    case narrow
    case thin
    case scattered
    case knownService
    case knownForwarder
    case knownGateway
    case domainSigns
    case domainDoesNotSign
    case oneReporter
    case noWitness
    case fewReporters
    case contradicted
    case nameSteady

    /// The word.
    public var code: String {
        switch self {
        case .spfAligned: "spf-aligned"
        case .dkimAligned: "dkim-aligned"
        case .spfOwnFail: "spf-own-fail"
        case .spfOwnUnaligned: "spf-own-unaligned"
        case .spfForeignPass: "spf-foreign-pass"
        case .spfForeignFail: "spf-foreign-fail"
        case .spfNone: "spf-none"
        case .temporaryError: "temporary-error"
        case .dkimOwnBroken: "dkim-own-broken"
        case .dkimForeignPass: "dkim-foreign-pass"
        case .dkimNone: "dkim-none"
        case .overrideForwarded: "override-forwarded"
        case .overrideMailingList: "override-mailing-list"
        case .overrideArcPass: "override-arc-pass"
        case .selectorAtHome: "selector-at-home"
        case .selectorHomeElsewhere: "selector-home-elsewhere"
        case .selectorUnknown: "selector-unknown"
        case .nameRelays: "name-relays"
        case .nameBreaks: "name-breaks"
        case .sourceRelays: "source-relays"
        case .sourceBreaks: "source-breaks"
        case .networkRelays: "network-relays"
        case .neighbourAuthorized: "neighbour-authorized"
        case .passesAtOtherTimes: "passes-at-other-times"
        case .manySigners: "many-signers"
        case .oneSigner: "one-signer"
        case .otherDomains: "other-domains"
        case .broad: "broad"
        case .narrow: "narrow"
        case .thin: "thin"
        case .scattered: "scattered"
        case .knownService: "known-service"
        case .knownForwarder: "known-forwarder"
        case .knownGateway: "known-gateway"
        case .domainSigns: "domain-signs"
        case .domainDoesNotSign: "domain-does-not-sign"
        case .oneReporter: "one-reporter"
        case .noWitness: "no-witness"
        case .fewReporters: "few-reporters"
        case .contradicted: "contradicted"
        case .nameSteady: "name-steady"
        }
    }
}

/// A set of them, as the database keeps it.
public struct EvidenceCodes: Hashable, Sendable, ExpressibleByArrayLiteral {
    /// Bit n: the code with the raw value n.
    public private(set) var bits: Int

    /// The set with these bits.
    public init(bits: Int = 0) { self.bits = bits }

    /// The set of these codes.
    public init(arrayLiteral codes: EvidenceCode...) { bits = codes.reduce(0) { $0 | 1 << $1.rawValue } }

    /// Whether the code is in it.
    public func contains(_ code: EvidenceCode) -> Bool { bits >> code.rawValue & 1 == 1 }

    /// Those that say why a confidence is bounded: they are about one row, and say nothing of the rows beside it.
    package static let bounds: EvidenceCodes = [.oneReporter, .noWitness, .fewReporters, .contradicted]

    package mutating func insert(_ code: EvidenceCode) { bits |= 1 << code.rawValue }

    package mutating func insert(_ code: EvidenceCode, if condition: Bool) { if condition { insert(code) } }

    package mutating func formUnion(_ other: EvidenceCodes) { bits |= other.bits }

    package func subtracting(_ other: EvidenceCodes) -> EvidenceCodes { EvidenceCodes(bits: bits & ~other.bits) }

    /// Of what there are very few records it cannot be said that it is steady: the evidence of several flows, or of a place that is seen more
    /// often than this row, can hold both.
    package func consistent(records: Int? = nil) -> EvidenceCodes {
        var bits = bits
        if let records, records >= 3 { bits &= ~(1 << EvidenceCode.thin.rawValue) }
        if bits >> EvidenceCode.thin.rawValue & 1 == 1 { bits &= ~(1 << EvidenceCode.broad.rawValue) }
        return EvidenceCodes(bits: bits)
    }

    /// The words, facts first.
    public var codes: [String] { EvidenceCode.allCases.filter(contains).map(\.code) }
}
