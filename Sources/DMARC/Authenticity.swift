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
    /// Who speaks (`Voice.name`), empty where nobody is named; nil: nobody, because it is a mismatch, or it is not known.
    public var voice: String?
    /// When the mail arrived, in seconds since 1970; nil: no mail, or it is not known.
    public var arrivedAt: Int?
    /// Whose report stays in the figures; nil: by `authenticity`.
    public var rank: Rank?

    /// Whose report stays in the figures where two have one identity: the greater goes before (docs/decisions/0005-conflicts.md).
    public enum Rank: Int, CaseIterable, Comparable, Sendable {
        /// A mismatch.
        case mismatch = 0
        /// Checked, and nothing shows that the mail is from its author; or not checked, and its own header says that DMARC failed.
        case unverified = 1
        /// From another organisation than the report names, be it a gateway's, or not checked; or its own header has results that do not show
        /// its author.
        case elsewhere = 2
        /// Not checked, and nothing contradicts it; or it came in no mail.
        case unchecked = 3
        /// Verified.
        case verified = 4

        /// By what they are worth.
        public static func < (a: Rank, b: Rank) -> Bool { a.rawValue < b.rawValue }

        /// That of a report which was stored before ranks were noted.
        public init(_ authenticity: Authenticity?) {
            switch authenticity {
            case nil: self = .unchecked
            case .verified: self = .verified
            case .unverified: self = .unverified
            case .mismatch: self = .mismatch
            }
        }
    }

    /// The word in all output: what was not checked is unverified.
    public var word: String { (authenticity ?? .unverified).word }

    /// Nothing is known unless it is given.
    public init(
        authenticity: Authenticity? = nil, mailFromDomain: String? = nil, voice: String? = nil, arrivedAt: Int? = nil, rank: Rank? = nil
    ) {
        self.authenticity = authenticity
        self.mailFromDomain = mailFromDomain
        self.voice = voice
        self.arrivedAt = arrivedAt
        self.rank = rank
    }

    /// The rank, whether it was noted or not.
    public var standing: Rank { rank ?? Rank(authenticity) }
}
