/// Why an attachment, or a document in it, could not be unpacked.
public struct UnpackError: Error, Equatable, Sendable {
    /// What went wrong. The raw value is the refusal code that people and other programs see.
    public enum Code: String, Sendable, CaseIterable {
        /// The content is neither gzip, zip, zlib nor XML.
        case unknownContainer = "unknown-container"
        /// The message unpacks to more than `UnpackLimits.maxUnpackedBytes`.
        case unpackedTooLarge = "unpacked-too-large"
        /// The attachment unpacks to more than `UnpackLimits.maxRatio` times its size.
        case ratioTooHigh = "ratio-too-high"
        /// The archive holds more than `UnpackLimits.maxMembers` members.
        case tooManyMembers = "too-many-members"
        /// More than `UnpackLimits.maxNesting` containers lie around each other.
        case nestedTooDeep = "nested-too-deep"
        /// A member is encrypted. A password is never asked for.
        case archiveEncrypted = "archive-encrypted"
        /// The zip, or the compressed data in a gzip, is damaged: what it delivered cannot be trusted.
        case archiveDamaged = "archive-damaged"
        /// The gzip or zlib stream ends too early.
        case gzipTruncated = "gzip-truncated"
        /// The checksum or length at the end of the gzip or zlib stream does not hold.
        case gzipChecksum = "gzip-checksum"
        /// The archive is sound, but holds no XML.
        case noReportInArchive = "no-report-in-archive"
    }

    /// What went wrong.
    public let code: Code
    /// Where: the attachment's name and the member's, as `a.zip!b.xml`. Empty for a nameless attachment. Foreign text.
    public let place: String
    /// What was found, and which limit it met.
    public let found: String

    /// An error made elsewhere, for instance in tests.
    public init(code: Code, place: String, found: String) {
        self.code = code
        self.place = place
        self.found = found
    }
}

/// An error that does not know its place yet.
struct Failure: Equatable {
    let code: UnpackError.Code
    let found: String

    init(_ code: UnpackError.Code, _ found: String) {
        self.code = code
        self.found = found
    }
}
