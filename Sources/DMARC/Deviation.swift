/// A tolerated breach of the report format, with a stable number and a name.
///
/// The raw value is the number in `docs/DEVIATIONS.md`, which says what each looks like, who sends it and what becomes of it.
/// Numbers 9 and 11 are missing here on purpose: those two are refused, never tolerated.
public enum Deviation: UInt8, CaseIterable, Sendable {
    case straySchemaBeforeRoot = 1
    case junkInProlog = 2
    case rawMarkupInText = 3
    case invalidUTF8 = 4
    case legacyEncoding = 5
    case byteOrderMark = 6
    case looseProlog = 7
    case closingTagCut = 8
    case namespace = 10
    case paddedValue = 12
    case extraAttribute = 13
    case oddVersion = 14
    case noRecords = 15
    case identitiesAlias = 16
    case repeatedOrMisnamedGroup = 17
    case looseAuthResults = 18
    case emptySignature = 19
    case noSPFDomain = 20
    case missingIdentifier = 21
    case noSelector = 22
    case noEvaluatedResult = 23
    case looseReason = 24
    case loosePolicyTags = 25
    case looseMetadata = 26
    case unknownElement = 27
    case repeatedSignature = 28
    case equalRecords = 29
    case letterCase = 30
    case oddAuthResult = 31
    case oddEvaluatedResult = 32
    case oddDisposition = 33
    case dispositionOnPass = 34
    case passWithoutEvidence = 35
    case oddScope = 36
    case oddSourceAddress = 37
    case oddWindow = 38
    case oddReportID = 39
    case oddCount = 40
    case oddDomainSpelling = 41
    case genericMediaType = 42
    case oddMediaType = 43
    case mislabelledContainer = 44
    case oddArchive = 45
    case noContentType = 46
    case forwardedReport = 47
    case bodyBesideReport = 48
    case plainAttachment = 49
    case oddSubject = 50
    case oddFileName = 51
    case largeReport = 52
    case trailingContent = 53
    case repaired = 54
    case textClipped = 55
    /// No breach but a flag: the report is about a domain that is none of ours. The store sets it, not the parser.
    case foreignDomain = 56

    /// The name used in the database, in JSON and in the documentation.
    public var code: String {
        switch self {
        case .straySchemaBeforeRoot: "stray-schema-before-root"
        case .junkInProlog: "junk-in-prolog"
        case .rawMarkupInText: "raw-markup-in-text"
        case .invalidUTF8: "invalid-utf8"
        case .legacyEncoding: "legacy-encoding"
        case .byteOrderMark: "byte-order-mark"
        case .looseProlog: "loose-prolog"
        case .closingTagCut: "closing-tag-cut"
        case .namespace: "namespace"
        case .paddedValue: "padded-value"
        case .extraAttribute: "extra-attribute"
        case .oddVersion: "odd-version"
        case .noRecords: "no-records"
        case .identitiesAlias: "identities-alias"
        case .repeatedOrMisnamedGroup: "repeated-or-misnamed-group"
        case .looseAuthResults: "loose-auth-results"
        case .emptySignature: "empty-signature"
        case .noSPFDomain: "no-spf-domain"
        case .missingIdentifier: "missing-identifier"
        case .noSelector: "no-selector"
        case .noEvaluatedResult: "no-evaluated-result"
        case .looseReason: "loose-reason"
        case .loosePolicyTags: "loose-policy-tags"
        case .looseMetadata: "loose-metadata"
        case .unknownElement: "unknown-element"
        case .repeatedSignature: "repeated-signature"
        case .equalRecords: "equal-records"
        case .letterCase: "letter-case"
        case .oddAuthResult: "odd-auth-result"
        case .oddEvaluatedResult: "odd-evaluated-result"
        case .oddDisposition: "odd-disposition"
        case .dispositionOnPass: "disposition-on-pass"
        case .passWithoutEvidence: "pass-without-evidence"
        case .oddScope: "odd-scope"
        case .oddSourceAddress: "odd-source-address"
        case .oddWindow: "odd-window"
        case .oddReportID: "odd-report-id"
        case .oddCount: "odd-count"
        case .oddDomainSpelling: "odd-domain-spelling"
        case .genericMediaType: "generic-media-type"
        case .oddMediaType: "odd-media-type"
        case .mislabelledContainer: "mislabelled-container"
        case .oddArchive: "odd-archive"
        case .noContentType: "no-content-type"
        case .forwardedReport: "forwarded-report"
        case .bodyBesideReport: "body-beside-report"
        case .plainAttachment: "plain-attachment"
        case .oddSubject: "odd-subject"
        case .oddFileName: "odd-file-name"
        case .largeReport: "large-report"
        case .trailingContent: "trailing-content"
        case .repaired: "repaired"
        case .textClipped: "text-clipped"
        case .foreignDomain: "foreign-domain"
        }
    }
}

/// The deviations of one report: bit `number - 1` of a 64-bit integer, which is also how the database keeps them.
public struct Deviations: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt64

    /// From the bits, as stored.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// A set of one.
    public init(_ deviation: Deviation) { rawValue = 1 << UInt64(deviation.rawValue - 1) }

    /// Whether `deviation` is in the set.
    public func contains(_ deviation: Deviation) -> Bool { contains(Deviations(deviation)) }

    /// Adds one.
    public mutating func insert(_ deviation: Deviation) { formUnion(Deviations(deviation)) }

    /// The codes in the order of their numbers.
    public var codes: [String] { Deviation.allCases.filter { contains($0) }.map(\.code) }
}
