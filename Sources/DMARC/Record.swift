/// One row of a report, in the compact form that travels from the parser to the store.
///
/// Texts are not held here but interned in the `RecordBatch` that the record came in: they repeat endlessly, and a record is copied often.
public struct Record: Sendable, Equatable {
    /// An index into one of the batch's tables; `absent` where the report has no such element.
    public typealias Index = UInt32

    /// The element is absent. An element that is there but empty has an index like any other.
    public static let absent = Index.max

    /// The connecting address.
    public var source: IPAddress
    /// Messages that this record speaks of, 0…10⁹.
    public var messages: UInt32
    /// Place of the record in the document, counting from 0; refused records leave a gap.
    public var sequence: UInt32
    /// What was done to the messages.
    public var disposition: AppliedDisposition
    /// Aligned DKIM.
    public var dkim: AlignedResult
    /// Aligned SPF.
    public var spf: AlignedResult
    /// The Author Domain, in `names`; `absent`: the policy domain stands in.
    public var headerFrom: Index
    /// Domain of MAIL FROM, in `names`.
    public var envelopeFrom: Index
    /// Domain of the recipient, in `names`.
    public var envelopeTo: Index
    /// Raw results, in `authentications`.
    public var authentication: Index
    /// Override reasons, in `overrides`; `absent` for the usual none.
    public var overrides: Index

    /// All parts.
    public init(
        source: IPAddress, messages: UInt32, sequence: UInt32, disposition: AppliedDisposition, dkim: AlignedResult, spf: AlignedResult,
        headerFrom: Index, envelopeFrom: Index, envelopeTo: Index, authentication: Index, overrides: Index
    ) {
        self.source = source
        self.messages = messages
        self.sequence = sequence
        self.disposition = disposition
        self.dkim = dkim
        self.spf = spf
        self.headerFrom = headerFrom
        self.envelopeFrom = envelopeFrom
        self.envelopeTo = envelopeTo
        self.authentication = authentication
        self.overrides = overrides
    }

    /// DMARC passed: DKIM or SPF is aligned. The receiver's verdict, and the figure that counts.
    @inlinable
    public var passed: Bool { dkim == .pass || spf == .pass }
}

/// A word of a record that is not in the vocabulary, kept as written.
public struct OddWord: Sendable, Equatable {
    /// `Record.sequence` of its record.
    public var sequence: UInt32
    /// The element: `disposition`, `dkim` or `spf` of `policy_evaluated`.
    public var element: String
    /// The word as written, clipped.
    public var word: String

    /// All parts.
    public init(sequence: UInt32, element: String, word: String) {
        self.sequence = sequence
        self.element = element
        self.word = word
    }
}

/// Records of one report with the tables that their indexes point into. Self-contained: a large report is a series of batches.
public struct RecordBatch: Sendable {
    /// The records, in the order of the document.
    public var records: [Record] = []
    /// Canonical domain names.
    public var names: [String] = []
    /// Distinct sets of raw results.
    public var authentications: [AuthenticationSet] = []
    /// A digest of each of `authentications`: equal sets have equal digests, in every batch and every process.
    public var authenticationDigests: [ContentDigest] = []
    /// Distinct lists of override reasons, none of them empty.
    public var overrides: [[PolicyOverride]] = []
    /// Words outside the vocabulary, rare.
    public var oddWords: [OddWord] = []

    /// Bytes of the distinct texts in the tables.
    public var textBytes = 0

    /// What the batch takes of memory, in records: a record's share of texts counts as one more for each 16 bytes.
    public var weight: Int { records.count + textBytes / 16 }

    /// An empty batch.
    public init() {}
}
