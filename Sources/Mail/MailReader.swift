/// Takes mails apart.
///
/// Every part that is no multipart is handed over, text too, because content decides what holds a report. Transfer
/// encodings are undone, charsets are not. One reader serves one thread and any number of mails.
public final class MailReader {
    private let limits: MailLimits
    private let decoder = TransferDecoder()
    private let trusted: TrustedResults
    /// What the mail says of itself whose parts are being handed over.
    public private(set) var current = MailFacts()

    /// A reader with these limits. `trustedServers`: the names under which the own servers write `Authentication-Results`, "" for fields
    /// without a name; nil where none is known.
    public init(limits: MailLimits, trustedServers: [String]? = nil) {
        self.limits = limits
        trusted = TrustedResults(servers: trustedServers)
    }

    /// Reads `message` and calls `part` with each part and its decoded bytes, in order; they are valid during the call.
    ///
    /// - Returns: what the mail says of itself.
    /// - Throws: before any part is handed over: `message-too-large`, `header-too-large`, `mime-too-deep`,
    ///   `mime-too-many-parts`; `place` is empty.
    @discardableResult
    public func read(
        _ message: UnsafeRawBufferPointer, part: (Attachment, UnsafeRawBufferPointer) -> Void
    ) throws(MailError) -> MailFacts {
        try read(message, reader: .best, part: part)
    }

    /// Which of the two readers is to do it; tests compare them.
    enum Reader {
        case best, scan, tree
    }

    /// With `.scan` it throws if the scan is not exact.
    func read(
        _ message: UnsafeRawBufferPointer, reader: Reader, part: (Attachment, UnsafeRawBufferPointer) -> Void
    ) throws(MailError) -> MailFacts {
        guard message.count <= limits.maxMessageBytes else {
            throw tooLarge(message.count, limit: limits.maxMessageBytes, place: "")
        }
        // Its limits hold in any case: it sees the depth and the number of parts before GMime spends time on them.
        let scan = try MimeScan(message, limits, trusted)
        // A mail inside a mail may be read meanwhile.
        let outer = current
        defer { current = outer }
        if scan.isExact, reader != .tree {
            current = scan.facts
            for leaf in scan.leaves {
                let content = UnsafeRawBufferPointer(rebasing: message[leaf.content])
                part(leaf.attachment, decoder.decode(content, leaf.encoding))
            }
            return scan.facts
        }
        if reader == .scan { throw MailError(code: .unreadableFile, place: "", found: "not exact") }
        try checkCost(message, limits)
        guard let tree = try MimeTree(message, limits) else {
            // No header to go by: all of it is one part.
            let attachment = Attachment(
                name: "", mediaType: "", hasContentType: false, container: "", insideMessage: false, isWholeBody: true)
            part(attachment, message)
            return MailFacts()
        }
        let returnsMail = scan.facts.returnsMail
        current = tree.facts
        current.returnsMail = scan.facts.returnsMail
        current.isFromMailSystem = scan.facts.isFromMailSystem
        tree.forEachPart(decoder) { attachment, content in
            var attachment = attachment
            if attachment.insideMessage, returnsMail { attachment.isReturned = true }
            part(attachment, content)
        }
        var facts = tree.facts
        // Read from the bytes themselves, by one reader only.
        facts.authorDomain = scan.facts.authorDomain
        facts.receivedAt = scan.facts.receivedAt
        facts.authentication = scan.facts.authentication
        facts.objections = scan.facts.objections
        facts.returnsMail = scan.facts.returnsMail
        facts.isFromMailSystem = scan.facts.isFromMailSystem
        return facts
    }
}
