import Mail
import ReportXML
import Store
import Unpacking

/// All limits on a stranger's bytes, in one value: what `[limits]` in the configuration sets.
///
/// `Limits.all` is the one list of them. The targets below each know only the struct of their own; its values before anything is set are those
/// of this list (a test compares them), so that they can be used alone. The limits on a server's answers are `IMAPLimits`.
public struct Limits: Sendable, Equatable {
    /// Limits on a mail and its parts.
    public var mail = MailLimits()
    /// Limits on what is unpacked.
    public var unpacking = UnpackLimits()
    /// Limits on a document.
    public var xml = XMLLimits()
    /// Bytes of whole messages that the database keeps because something of them was not stored, compressed, all together. Default 256 MiB:
    /// strangers choose what is refused.
    public var maxKeptBytes = 256 << 20
    /// Reports that are taken from one mail. Default 256.
    public var maxDocuments = 256
    /// Names that one report may bring which the database does not know yet. Default 50,000.
    public var maxNewNames = 50_000
    /// Sets of authentication results that one report may bring which the database does not know yet. Default 50,000.
    public var maxNewSets = 50_000
    /// Sources of one report. Default 400,000.
    public var maxSources = 400_000
    /// Bytes by which the database may grow in one run. Default 2 GiB.
    public var maxRunBytes = 2 << 30
    /// Bytes that must be free on the disk of the database before a message is stored. Default 32 MiB.
    public var minFreeBytes = 32 << 20

    /// The defaults.
    public init() {}

    /// What the store is to know of them.
    var novelty: NoveltyLimits {
        var novelty = NoveltyLimits()
        (novelty.names, novelty.sets, novelty.sources) = (maxNewNames, maxNewSets, maxSources)
        return novelty
    }

    /// Every limit, in the order in which a message meets them.
    public static let all: [Limit] = [
        // key, unit, default, what it may be set to, code, field, meaning
        Limit("message_bytes", .bytes, 32 << 20, 4096...(1 << 30), "message-too-large", \.mail.maxMessageBytes, "one message or file"),
        Limit(
            "header_bytes", .bytes, 256 << 10, 4096...(64 << 20), "header-too-large", \.mail.maxHeaderBytes,
            "the header of a mail or of a part"),
        Limit(
            "header_line_bytes", .bytes, 64 << 10, 998...(64 << 20), "header-too-large", \.mail.maxHeaderLineBytes, "one line of a header"),
        Limit(
            "mail_header_fields", .number, 10_000, 100...10_000_000, "header-too-large", \.mail.maxMailHeaderFields,
            "header fields of one mail, of its parts and of mails inside it, together"),
        Limit(
            "mail_header_bytes", .bytes, 1 << 20, 4096...(1 << 30), "header-too-large", \.mail.maxMailHeaderBytes,
            "the headers of one mail, of its parts and of mails inside it, together"),
        Limit("mime_depth", .number, 16, 1...100, "mime-too-deep", \.mail.maxMimeDepth, "multiparts and messages inside one another"),
        Limit("mime_parts", .number, 256, 1...10_000, "mime-too-many-parts", \.mail.maxMimeParts, "parts of one mail"),
        Limit(
            "unpacked_bytes", .bytes, 256 << 20, 65_536...(1 << 36), "unpacked-too-large", \.unpacking.maxUnpackedBytes,
            "what all attachments of one mail unpack to, together"),
        Limit("ratio", .number, 400, 1...100_000, "ratio-too-high", \.unpacking.maxRatio, "unpacked bytes for each byte of the attachment"),
        Limit(
            "ratio_from_bytes", .bytes, 16 << 20, 0...(1 << 36), "ratio-too-high", \.unpacking.ratioCheckedAboveBytes,
            "unpacked bytes from which `ratio` counts"),
        Limit(
            "members", .number, 16, 1...10_000, "too-many-members", \.unpacking.maxMembers, "files in one archive, documents in one gzip"),
        Limit("nesting", .number, 2, 1...10, "nested-too-deep", \.unpacking.maxNesting, "archives inside one another"),
        Limit(
            "inner_archive_bytes", .bytes, 32 << 20, 4096...(1 << 30), "unpacked-too-large", \.unpacking.maxInnerArchiveBytes,
            "an archive in an archive, and the mails in one, which are held in memory"),
        Limit(
            "checked_bytes", .bytes, 16 << 20, 0...(1 << 36), "unpacked-too-large", \.unpacking.maxVerifiedBytes,
            "what is unpacked of a refused document only to verify the checksum behind it"),
        Limit(
            "markup_bytes", .bytes, 4096, 2048...65_536, "markup-too-long", \.xml.maxMarkupBytes, "a tag, comment, CDATA section or name"),
        Limit(
            "attributes", .number, 32, 1...1000, "too-many-attributes", \.xml.maxAttributes,
            "attributes and namespace declarations of one element"),
        Limit("names", .number, 1000, 100...10_000, "too-many-names", \.xml.maxNames, "different names of elements and attributes"),
        Limit("element_depth", .number, 32, 8...1000, "too-deep", \.xml.maxDepth, "elements inside one another"),
        Limit(
            "element_bytes", .bytes, 65_536, 4096...(1 << 30), "text-too-long", \.xml.maxElementTextBytes,
            "text of one element, blanks included"),
        Limit(
            "identity_bytes", .bytes, 1024, 255...2048, "text-too-long", \.xml.maxIdentityTextBytes,
            "a text that identifies something: organisation, report id, domain"),
        Limit(
            "text_bytes", .bytes, 4096, 4096...(1 << 20), "text-clipped", \.xml.maxOtherTextBytes, "any other text; the rest is left out"),
        Limit(
            "results", .number, 120, 1...10_000, "text-clipped", \.xml.maxResultsPerRecord,
            "signatures and SPF checks of one record; the rest is left out"),
        Limit(
            "results_bytes", .bytes, 65_536, 4096...(1 << 24), "text-clipped", \.xml.maxResultsBytes,
            "raw results, and likewise override reasons, of one record; the rest is left out"),
        Limit("documents", .number, 256, 1...1_000_000, "too-many-documents", \.maxDocuments, "reports of one mail"),
        Limit("records", .number, 1_000_000, 1...100_000_000, "too-many-records", \.xml.maxRecords, "records of one report"),
        Limit(
            "new_names", .number, 50_000, 100...100_000_000, "too-much-new", \.maxNewNames,
            "names (domains, selectors) of one report that no report had before"),
        Limit(
            "new_sets", .number, 50_000, 100...100_000_000, "too-much-new", \.maxNewSets,
            "sets of authentication results of one report that no report had before"),
        Limit("sources", .number, 400_000, 100...100_000_000, "too-much-new", \.maxSources, "different sources of one report"),
        // The database has the same upper bound: no sum can overflow.
        Limit("count", .number, 1_000_000_000, 1...1_000_000_000, "count-out-of-range", \.xml.maxMessages, "messages of one record"),
        Limit(
            "earliest_begin", .secondsSince1970, 1_325_376_000, 0...4_102_444_800, "date-out-of-range", \.xml.earliestBegin,
            "earliest begin of a report; 2012-01-01, when reports were first sent"),
        Limit("window_days", .days, 366, 1...3660, "date-out-of-range", \.xml.maxWindowDays, "time that one report covers"),
        Limit("future_days", .days, 2, 0...3660, "date-out-of-range", \.xml.maxFutureDays, "time from now to the end of a report"),
        Limit(
            "parser_milliseconds", .milliseconds, 30_000, 1...3_600_000, "parser-time", \.xml.maxMilliseconds,
            "time of the processor for reading the XML of one document"),
        Limit(
            "kept_bytes", .bytes, 256 << 20, 0...(1 << 40), "not-kept", \.maxKeptBytes,
            "whole mails of which something was not stored, kept compressed in the database, all together"),
        Limit(
            "run_bytes", .bytes, 2 << 30, 1 << 20...(1 << 40), "run-full", \.maxRunBytes,
            "growth of the database in one run, which ends at the next message then"),
        Limit(
            "free_bytes", .bytes, 32 << 20, 0...(1 << 40), "disk-full", \.minFreeBytes,
            "room on the disk of the database below which no message is begun"),
    ]
}

/// One limit: what it is called, what it bounds and what happens beyond it.
public struct Limit: Sendable {
    /// In what a limit is counted.
    public enum Unit: String, Sendable {
        /// Bytes.
        case bytes
        /// Things.
        case number
        /// Thousandths of a second.
        case milliseconds
        /// Days of 86,400 seconds.
        case days
        /// Seconds since 1970-01-01T00:00:00Z.
        case secondsSince1970 = "seconds since 1970"
    }

    /// Its key in `[limits]`. A refusal names it as `limits.KEY`.
    public let key: String
    /// In what it is counted.
    public let unit: Unit
    /// What it is without being set.
    public let standard: Int
    /// What it may be set to.
    public let range: ClosedRange<Int>
    /// The refusal code beyond it, or the deviation of what is stored in part.
    public let code: String
    /// What it bounds.
    public let meaning: String
    /// Where it is kept.
    public let field: WritableKeyPath<Limits, Int> & Sendable

    init(
        _ key: String, _ unit: Unit, _ standard: Int, _ range: ClosedRange<Int>, _ code: String,
        _ field: WritableKeyPath<Limits, Int> & Sendable, _ meaning: String
    ) {
        self.key = key
        self.unit = unit
        self.standard = standard
        self.range = range
        self.code = code
        self.meaning = meaning
        self.field = field
    }
}
