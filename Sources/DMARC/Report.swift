/// Which of the two standards a report follows; both are version 1.0.
public enum ReportStandard: String, Sendable {
    case rfc7489
    case rfc9990
}

/// The policy record as the reporter found it (`policy_published`). Words outside the vocabulary are kept as written.
///
/// *Absent* (nil) and *empty* (`""`) are different facts. Defaults (`adkim` r, `sp` as `p`, `pct` 100) are not filled in.
public struct PublishedPolicy: Hashable, Sendable {
    /// Where the record was found: the policy domain, canonical.
    public var domain = ""
    /// Policy for the domain.
    public var p: String?
    /// Policy for existing subdomains.
    public var sp: String?
    /// Policy for subdomains that do not exist (RFC 9091, RFC 9989).
    public var np: String?
    /// DKIM alignment: `r` or `s`.
    public var adkim: String?
    /// SPF alignment: `r` or `s`.
    public var aspf: String?
    /// Percentage (RFC 7489 only).
    public var pct: String?
    /// Failure report options.
    public var fo: String?
    /// Value of the tag `t` (RFC 9989).
    public var testing: String?
    /// `psl` or `treewalk` (RFC 9990).
    public var discoveryMethod: String?

    /// An empty policy.
    public init() {}
}

/// Everything of a report but its records.
public struct ReportHeader: Hashable, Sendable {
    /// The reporter (`org_name`), trimmed; the domain of `email` if it gave none.
    public var reporter = ""
    /// Contact address, as written; nil if absent.
    public var email: String?
    /// Usually a page.
    public var contactInfo: String?
    /// The reporter's id for it, trimmed and without angle brackets; empty if it gave none.
    public var reportID = ""
    /// The time covered.
    public var window = ReportWindow(begin: 0, end: 0)
    /// `version`, as written.
    public var version: String?
    /// Software of the reporter (RFC 9990).
    public var generator: String?
    /// Problems with the policy record.
    public var errors: [String] = []
    /// The policy as published.
    public var policy = PublishedPolicy()
    /// Which standard it follows.
    public var standard = ReportStandard.rfc7489

    /// An empty header.
    public init() {}
}

/// Why one record of a report was not stored while the others were.
public enum RecordRefusal: String, CaseIterable, Hashable, Sendable {
    /// `source_ip` cannot be read.
    case badSourceAddress = "bad-source-ip"
    /// `count` is no number from 0 to 10⁹.
    case countOutOfRange = "count-out-of-range"
}

/// A parsed report without its records, which left in batches before.
public struct ParsedReport: Sendable, Equatable {
    /// Everything but the records.
    public var header: ReportHeader
    /// Records that can be stored.
    public var recordCount: Int
    /// Messages that those records speak of.
    public var messageCount: Int
    /// Tolerated breaches.
    public var deviations: Deviations
    /// Records that cannot be stored, by reason.
    public var refusedRecords: [RecordRefusal: Int]
    /// The first record of each reason: its place in the document and what was found, for the ledger.
    public var refusedRecordExamples: [RecordRefusal: String]
    /// Digest of policy and records, whatever their order.
    public var digest: ContentDigest

    /// All parts.
    public init(
        header: ReportHeader, recordCount: Int, messageCount: Int, deviations: Deviations, refusedRecords: [RecordRefusal: Int],
        refusedRecordExamples: [RecordRefusal: String], digest: ContentDigest
    ) {
        self.header = header
        self.recordCount = recordCount
        self.messageCount = messageCount
        self.deviations = deviations
        self.refusedRecords = refusedRecords
        self.refusedRecordExamples = refusedRecordExamples
        self.digest = digest
    }
}
