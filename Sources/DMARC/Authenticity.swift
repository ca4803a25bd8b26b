/// Whether a report came from whom it says (docs/decisions/0009-authenticity.md).
public enum Authenticity: Int, CaseIterable, Sendable {
    /// Nothing shows that it did: no trusted result, a failing one, no mail at all.
    case unverified = 0
    /// The mail authenticated, and its author is of the reporter's organisation.
    case verified = 1
    /// The mail says that it comes from another organisation than the report does.
    case mismatch = 2

    /// The word in all output.
    public var word: String {
        switch self {
        case .unverified: "unverified"
        case .verified: "verified"
        case .mismatch: "mismatch"
        }
    }

    /// Which of two copies of a report says more for it: the best of its mails counts.
    public func isBetter(than other: Authenticity) -> Bool { rank > other.rank }

    private var rank: Int {
        switch self {
        case .mismatch: 0
        case .unverified: 1
        case .verified: 2
        }
    }
}

/// What is known of the mail that a report came in.
public struct ReportSender: Hashable, Sendable {
    /// Nil where nothing was checked, because no mail server is trusted.
    public var authenticity: Authenticity?
    /// Domain of the mail's author, canonical; nil: there was no mail, or not one author.
    public var mailFromDomain: String?

    /// The word in all output: what was not checked is unverified.
    public var word: String { (authenticity ?? .unverified).word }

    /// Nothing is known unless it is given.
    public init(authenticity: Authenticity? = nil, mailFromDomain: String? = nil) {
        self.authenticity = authenticity
        self.mailFromDomain = mailFromDomain
    }
}
