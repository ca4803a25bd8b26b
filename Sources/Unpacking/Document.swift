/// What is known of a document besides its bytes.
public struct DocumentFacts: Sendable, Equatable {
    /// The path of the member that holds it, such as `report.xml` or, in a zip in a zip, `inner.zip!report.xml`. Empty if
    /// it is the attachment itself or the content of a gzip. Foreign text.
    public var member: String
    /// The outermost container: what the attachment itself is.
    public var container: Container
    /// The size of the attachment, all its members together, in bytes.
    public var compressedBytes: Int
    /// What is odd about the container. Complete only in `documentEnds`.
    public var notes: DocumentNotes

    /// Facts made elsewhere, for instance in tests.
    public init(member: String, container: Container, compressedBytes: Int, notes: DocumentNotes) {
        self.member = member
        self.container = container
        self.compressedBytes = compressedBytes
        self.notes = notes
    }
}

/// Oddities of a container that cost nothing but deserve to be noted.
public struct DocumentNotes: OptionSet, Sendable, Hashable {
    /// One bit an oddity.
    public let rawValue: UInt8

    /// A set of oddities by its bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Bytes after the end of the gzip or zlib stream, which were ignored.
    public static let trailingBytes = DocumentNotes(rawValue: 1)
    /// The gzip consists of several members (RFC 1952 section 2.2).
    public static let concatenatedMembers = DocumentNotes(rawValue: 2)
    /// The zip holds more than one member, reports or not.
    public static let severalMembers = DocumentNotes(rawValue: 4)
    /// The member of the zip has no name.
    public static let namelessMember = DocumentNotes(rawValue: 8)
    /// A container in a container.
    public static let nested = DocumentNotes(rawValue: 16)
    /// A bare zlib stream (RFC 1950) somewhere around the document.
    public static let zlibStream = DocumentNotes(rawValue: 32)
}

/// What the receiver of a document wants after its end.
public enum NextStep: Sendable {
    /// The next document.
    case next
    /// The same document once more, from its first byte. Granted twice for each document, then taken as `next`.
    case again
}

/// Takes documents piece by piece, while they are being unpacked.
public protocol DocumentReceiver {
    /// A document begins. Its container has been sniffed, nothing is verified.
    mutating func documentBegins(_ facts: DocumentFacts)

    /// The next bytes of it, as many as come at a time, valid during the call.
    ///
    /// Returns false if no more of this document is wanted. What is left is then unpacked without being delivered, as
    /// far as 16 MiB in a message, so that `documentEnds` can tell of the checksum all the same.
    mutating func receive(_ chunk: UnsafeRawBufferPointer) -> Bool

    /// The document has ended.
    ///
    /// If `error` is nil, all its bytes have been delivered (as far as they were wanted) and the checksum holds;
    /// otherwise nothing that was delivered may be trusted.
    mutating func documentEnds(_ facts: DocumentFacts, error: UnpackError?) -> NextStep

    /// Whether what lies in a container, is neither a document nor a container, and begins with these bytes is wanted as a whole, such as a
    /// mail. `member` is as in `DocumentFacts`.
    func wantsFile(beginning head: UnsafeRawBufferPointer, member: String) -> Bool

    /// All of something that was wanted. It is as large as an archive in an archive may be, all those of an attachment together.
    mutating func receiveFile(_ content: [UInt8], _ facts: DocumentFacts)
}

extension DocumentReceiver {
    /// Nothing but documents is wanted.
    public func wantsFile(beginning head: UnsafeRawBufferPointer, member: String) -> Bool { false }

    /// Is not called where nothing is wanted.
    public mutating func receiveFile(_ content: [UInt8], _ facts: DocumentFacts) {}
}
