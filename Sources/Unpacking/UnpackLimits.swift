/// The limits under which foreign archives are unpacked. `Ingest.Limits` lists them with their keys.
///
/// They bound work and memory for a whole message, because documents are streamed: an archive that lies about its sizes
/// is stopped by what it really delivers.
public struct UnpackLimits: Sendable, Equatable {
    /// Bytes that all attachments of one message may unpack to, together. Default 256 MiB: a sound report of 250,000
    /// records is 178 MB of XML.
    public var maxUnpackedBytes = 256 << 20
    /// Unpacked bytes for each byte of the attachment. Default 400: 300,000 like records compress 229:1, a bomb 1,000:1.
    public var maxRatio = 400
    /// Unpacked bytes of one attachment above which `maxRatio` is looked at. Default 16 MiB: small reports may compress
    /// as well as they like.
    public var ratioCheckedAboveBytes = 16 << 20
    /// Regular members of one archive (gzip: documents in one stream). Default 16. Directories, links and the
    /// `__MACOSX` twins that some systems add are not counted here, but there may be no more than four times as many.
    public var maxMembers = 16
    /// Container layers around a document. Default 2: a gzip in a gzip or in a zip occurs in practice, a third layer does not.
    public var maxNesting = 2

    /// Bytes of an archive inside an archive, which is held in memory as a whole while it is read; and of the mails in one attachment. Default
    /// 32 MiB.
    public var maxInnerArchiveBytes = 32 << 20
    /// Bytes of one message that are unpacked only to reach and verify a checksum, after the receiver wanted no more. Default 16 MiB.
    public var maxVerifiedBytes = 16 << 20

    /// The defaults.
    public init() {}

    /// How often a document may be delivered again at the receiver's wish.
    static let maxRepeats = 2

    /// Entries of any kind in one archive.
    var maxEntries: Int { maxMembers * 5 }
}
