/// What became of a message. Exactly one of these for each message ever seen.
public enum MessageOutcome: Int, CaseIterable, Sendable {
    case stored = 1
    case duplicate = 2
    case notAReport = 3
    case refused = 4
    case deferred = 5

    /// The word that output and documentation use.
    public var word: String {
        switch self {
        case .stored: "stored"
        case .duplicate: "duplicate"
        case .notAReport: "not-a-report"
        case .refused: "refused"
        case .deferred: "deferred"
        }
    }
}

/// What became of all of a message: what decides what may be done with it where it lies.
public struct MessageFate: Hashable, Sendable {
    /// Its outcome: the best that any of its documents came to.
    public var outcome: MessageOutcome
    /// Whether anything of it was refused: itself, a document, or records of a report that was stored.
    public var hasRefusal: Bool
    /// Whether what was not stored of it is in the database all the same, as it came.
    public var isKept: Bool

    /// All parts.
    public init(outcome: MessageOutcome, hasRefusal: Bool, isKept: Bool) {
        self.outcome = outcome
        self.hasRefusal = hasRefusal
        self.isKept = isKept
    }
}

/// What became of a document: unpacked XML.
public enum DocumentOutcome: Sendable {
    /// New, and counted.
    case stored
    /// The same identity and the same content are there already.
    case duplicate
    /// The same identity with other content: kept, and counted once with the other (`replaced`: this one is counted now).
    case conflict(replaced: Bool)
    /// The same, and as many as are kept of that identity do not count already: not stored.
    case surplus
    /// It brings more that is new than one report may: not stored.
    case excessive(NoveltyExcess)
}

/// A line of the ledger about something that was not stored.
public struct Refusal: Sendable, Equatable {
    /// What was not stored.
    public enum Scope: String, Sendable {
        case message, document, records
    }

    /// What was not stored.
    public var scope: Scope
    /// The reason, by its name in `docs/DEVIATIONS.md`.
    public var code: String
    /// Where the message is, as it was named when it was read.
    public var place: String
    /// Attachment and member of the archive; empty for the message itself.
    public var member: String
    /// What was found, and which limit it met.
    public var detail: String
    /// Records refused, for `records`.
    public var records: Int

    /// All parts.
    public init(scope: Scope, code: String, place: String, member: String = "", detail: String, records: Int = 0) {
        self.scope = scope
        self.code = code
        self.place = place
        self.member = member
        self.detail = detail
        self.records = records
    }
}
