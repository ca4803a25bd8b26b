/// Limits on one document. Each is a bound on time or memory that a stranger's bytes can cost. `Ingest.Limits` lists them with their keys.
public struct XMLLimits: Sendable, Equatable {
    /// Elements open at the same time.
    public var maxDepth = 32
    /// Attributes and namespace declarations of one element.
    public var maxAttributes = 32
    /// Different names of elements, attributes, prefixes, namespaces and instructions; a report has about 60.
    public var maxNames = 1000
    /// Bytes, in UTF-8, of a tag, a comment, an instruction or the content of a CDATA section. A start tag is parsed only once its `>` has arrived,
    /// and libxml2's time is quadratic in the attributes of one element: this stops floods of attributes and endless names before any of that work.
    public var maxMarkupBytes = 4096
    /// Text of a field that identifies a report or a record (org_name, report_id, domains).
    public var maxIdentityTextBytes = 1024
    /// Text of any other field; what is longer is clipped.
    public var maxOtherTextBytes = 4096
    /// Text of one element, whether it is kept or not.
    public var maxElementTextBytes = 65536
    /// Raw results or override reasons of one record.
    public var maxResultsBytes = 65536
    /// Signatures and SPF checks of one record; RFC 9990 allows 100 signatures. What is more is left out.
    public var maxResultsPerRecord = 120
    /// Bytes of distinct texts after which a batch is closed, however few records are in it.
    public var textBytesPerBatch = 256 << 10
    /// Records of one document, stored or refused.
    public var maxRecords = 1_000_000
    /// Messages of one record: no sum of SQLite's can then overflow.
    public var maxMessages = 1_000_000_000
    /// Earliest begin of a window, seconds: 2012-01-01, when reports were first sent.
    public var earliestBegin = 1_325_376_000
    /// Longest window in days: a leap year.
    public var maxWindowDays = 366
    /// How far a window may end after the present, in days.
    public var maxFutureDays = 2
    /// CPU time of the parser for one document, over all passes, in milliseconds. The other limits bound what a byte can cost, and
    /// `unpacked_bytes` how many there are; this is for what nobody thought of.
    public var maxMilliseconds = 30_000
    /// Records in a batch.
    public var recordsPerBatch = 1000

    /// The defaults.
    public init() {}
}
