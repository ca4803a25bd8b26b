/// Why a document is not stored.
public struct ReportError: Error, Equatable, Sendable {
    /// The reasons, by the names that the ledger and the documentation use.
    public enum Code: String, CaseIterable, Sendable {
        case doctype
        case markupTooLong = "markup-too-long"
        case tooManyAttributes = "too-many-attributes"
        case tooManyNames = "too-many-names"
        case textTooLong = "text-too-long"
        case tooDeep = "too-deep"
        case tooManyRecords = "too-many-records"
        case unknownEncoding = "unknown-encoding"
        case malformed = "xml-malformed"
        case truncated = "xml-truncated"
        case wrongRoot = "wrong-root"
        case missingField = "missing-field"
        case dateOutOfRange = "date-out-of-range"
        case parserTime = "parser-time"
    }

    /// The reason.
    public var code: Code
    /// The line of the document, counting from 1; 0 if the document as a whole is meant.
    public var line: Int
    /// What was found, and what was expected.
    public var found: String

    /// When the report ends, in seconds since 1970, if that is all that is wrong with it: it lies in the future by the clock of this machine.
    public var endAhead: Int?

    /// All parts.
    public init(code: Code, line: Int = 0, found: String, endAhead: Int? = nil) {
        self.code = code
        self.line = line
        self.found = found
        self.endAhead = endAhead
    }

    /// Whether a second pass that repairs may do better: something stands before the root, or the text is not well-formed. Never after a limit
    /// or a document type declaration: those are final.
    public var isRepairable: Bool { code == .malformed || code == .wrongRoot }
}
