/// What was done to the messages of a record (`policy_evaluated/disposition`).
///
/// A type of its own, apart from `PublishedDisposition`, because RFC 9990 adds `pass`: DMARC passed under an enforcing policy.
public enum AppliedDisposition: UInt8, CaseIterable, Sendable {
    case none = 0
    case quarantine = 1
    case reject = 2
    case pass = 3

    /// The word of the standard.
    public var word: String {
        switch self {
        case .none: "none"
        case .quarantine: "quarantine"
        case .reject: "reject"
        case .pass: "pass"
        }
    }

    /// Whether a message was let through: neither put aside nor turned away.
    @inlinable public var isDelivered: Bool { self == .none || self == .pass }
}

/// What a domain owner asks for (`p`, `sp`, `np`; RFC 7489 §6.3, RFC 9989).
public enum PublishedDisposition: String, CaseIterable, Sendable {
    case none, quarantine, reject
}

/// The receiver's verdict on DKIM or SPF *alignment* (`policy_evaluated`): never raw authentication.
public enum AlignedResult: UInt8, Sendable {
    case fail = 0
    case pass = 1

    /// The word of the standard.
    public var word: String { self == .pass ? "pass" : "fail" }
}

/// A raw authentication result (`auth_results`), the union of what DKIM and SPF define (RFC 7489 Appendix C, RFC 9990).
///
/// `unknown` stands for a word that no standard knows; the word itself is kept beside it. It is never a pass.
public enum AuthenticationResult: String, CaseIterable, Sendable {
    case none, pass, fail, policy, neutral, softfail, temperror, permerror, unknown
}

/// The identity that SPF checked (`scope`). Absent means `mfrom`.
public enum SPFScope: String, Sendable {
    case helo, mfrom
}

/// One DKIM signature as the receiver saw it.
public struct DKIMResult: Hashable, Sendable {
    /// The signing domain (`d=`), canonical; nil if the report gives none.
    public var domain: String?
    /// The selector (`s=`) as written; nil if the report gives none. Two unknown selectors are not the same selector.
    public var selector: String?
    /// The raw result, not alignment.
    public var result: AuthenticationResult
    /// The word as written, where it is not the one of `result`.
    public var rawResult: String?
    /// Free text of the receiver; nil if absent or empty.
    public var humanResult: String?

    /// All parts.
    public init(
        domain: String?, selector: String?, result: AuthenticationResult, rawResult: String? = nil, humanResult: String? = nil
    ) {
        self.domain = domain
        self.selector = selector
        self.result = result
        self.rawResult = rawResult
        self.humanResult = humanResult
    }
}

/// One SPF check as the receiver saw it.
public struct SPFResult: Hashable, Sendable {
    /// The domain that was checked, canonical; nil if the report gives none.
    public var domain: String?
    /// What the domain was taken from; nil if the report does not say (then `mfrom`).
    public var scope: SPFScope?
    /// The raw result, not alignment.
    public var result: AuthenticationResult
    /// The word as written, where it is not the one of `result`.
    public var rawResult: String?
    /// Free text of the receiver (RFC 9990 only); nil if absent or empty.
    public var humanResult: String?

    /// All parts.
    public init(
        domain: String?, scope: SPFScope?, result: AuthenticationResult, rawResult: String? = nil, humanResult: String? = nil
    ) {
        self.domain = domain
        self.scope = scope
        self.result = result
        self.rawResult = rawResult
        self.humanResult = humanResult
    }
}

/// All that `auth_results` says of a record, in the order of the report. The same few sets repeat endlessly, so they are interned.
public struct AuthenticationSet: Hashable, Sendable {
    /// Signatures; the same one twice in a row is kept once.
    public var dkim: [DKIMResult]
    /// SPF checks; 0 to 5 occur.
    public var spf: [SPFResult]

    /// Both lists.
    public init(dkim: [DKIMResult] = [], spf: [SPFResult] = []) {
        self.dkim = dkim
        self.spf = spf
    }
}

/// Why the published policy was not applied (`policy_evaluated/reason`).
public struct PolicyOverride: Hashable, Sendable {
    /// The words that RFC 7489 and RFC 9990 define between them.
    public enum Kind: String, CaseIterable, Sendable {
        case forwarded
        case sampledOut = "sampled_out"
        case trustedForwarder = "trusted_forwarder"
        case mailingList = "mailing_list"
        case localPolicy = "local_policy"
        case policyTestMode = "policy_test_mode"
        case other
    }

    /// The word as written, lower case; usually one of `Kind`.
    public var type: String
    /// The receiver's comment; nil if absent or empty.
    public var comment: String?

    /// The defined kind, if it is one.
    public var kind: Kind? { Kind(rawValue: type) }

    /// Whether the receiver made an exception by a judgement of its own. A sample or a test mode is none: it ends with the policy that asked for it.
    public var isException: Bool {
        switch kind {
        case .forwarded, .trustedForwarder, .mailingList, .localPolicy: true
        case .sampledOut, .policyTestMode, .other, nil: false
        }
    }

    /// Both parts.
    public init(type: String, comment: String? = nil) {
        self.type = type
        self.comment = comment
    }
}
