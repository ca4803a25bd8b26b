/// What is concluded about a flow: one source, sending for one policy domain with one outcome of authentication.
public enum Verdict: String, CaseIterable, Hashable, Sendable {
    /// Not enough to say.
    case unknown
    /// The domain's own server, or a service that was set up: SPF is aligned.
    case authorized
    /// A service that signs for the domain and has a return path of its own. Fine.
    case dkimOnly = "dkim-only"
    /// The domain's message, passed on by somebody else; SPF broke on the way.
    case forwarded
    /// A list changed the message.
    case mailingList = "mailing-list"
    /// The domain's own server or signer, failing.
    case misconfigured
    /// Somebody who authenticates as himself, not as the domain: a service that was not set up, or a stranger (`unrelated`).
    case unaligned
    /// Somebody else uses the name.
    case spoofed

    /// The number in the database: from 2, so that every value takes one byte (sqlite.org/fileformat2.html#record_format).
    public var stored: Int {
        switch self {
        case .unknown: 2
        case .authorized: 3
        case .dkimOnly: 4
        case .forwarded: 5
        case .mailingList: 6
        case .misconfigured: 7
        case .unaligned: 8
        case .spoofed: 9
        }
    }

    /// From the database; what is no verdict is `unknown`.
    public init(stored number: Int) {
        self =
            switch number {
            case 3: .authorized
            case 4: .dkimOnly
            case 5: .forwarded
            case 6: .mailingList
            case 7: .misconfigured
            case 8: .unaligned
            case 9: .spoofed
            default: .unknown
            }
    }

    /// By the number: the text, which stands for it otherwise, takes a hundred times as long.
    public func hash(into hasher: inout Hasher) { hasher.combine(UInt8(truncatingIfNeeded: stored)) }

    /// Whether somebody passed the message on: what the owner of the domain cannot mend.
    public var isIndirect: Bool { self == .forwarded || self == .mailingList }
}

/// Remarks beside a verdict.
public struct VerdictNotes: OptionSet, Hashable, Sendable {
    /// As in the database.
    public let rawValue: Int
    /// From the database.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// Authorized, but nothing of the domain's own is signed.
    public static let dkimMissing = VerdictNotes(rawValue: 1 << 0)
    /// Authorized, but the signature does not verify.
    public static let dkimBroken = VerdictNotes(rawValue: 1 << 1)
    /// Authorized; the receiver's look-ups failed for a while.
    public static let temporaryErrors = VerdictNotes(rawValue: 1 << 2)
    /// Forwarded by the gateway of one receiver.
    public static let gateway = VerdictNotes(rawValue: 1 << 3)
    /// Forwarded mail that a service sent.
    public static let serviceMail = VerdictNotes(rawValue: 1 << 4)
    /// Spoofed or unaligned: it authenticates impeccably as itself, and nobody knows it.
    public static let unrelated = VerdictNotes(rawValue: 1 << 5)

    /// The words of the notes, in the order of their bits.
    public var codes: [String] {
        ["dkim-missing", "dkim-broken", "temporary-errors", "gateway", "service-mail", "unrelated"].enumerated()
            .filter { rawValue >> $0.offset & 1 == 1 }.map(\.element)
    }
}
