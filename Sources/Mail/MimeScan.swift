import CGMime
import Glibc

/// The parts of a mail, found without building a tree of it.
///
/// Most mails with reports are plain: one multipart or none, unambiguous fields, well-formed base64. Those are read here
/// in a few microseconds. Whatever could be understood in two ways makes `isExact` false; GMime, which knows the ways of
/// the world, then reads the mail anew. Both must give the same parts; the tests compare them over many mails. Known
/// differences, all to the advantage of this reader: GMime cuts or leaves a byte at the end of a part where CRLF and LF
/// are mixed, and a header field at its first NUL.
struct MimeScan {
    struct Leaf {
        var attachment: Attachment
        var content: Range<Int>
        var encoding: TransferEncoding
    }

    private let bytes: UnsafeRawBufferPointer
    private let limits: MailLimits
    private(set) var leaves: [Leaf] = []
    private(set) var facts = MailFacts()
    /// Whether what was found is all there is to find.
    private(set) var isExact = true
    private let trusted: TrustedResults
    /// Of all headers so far.
    private var (headerBytes, headerFields) = (0, 0)

    /// - Throws: `header-too-large`, `mime-too-deep`, `mime-too-many-parts`, also if the scan is not exact.
    init(_ bytes: UnsafeRawBufferPointer, _ limits: MailLimits, _ trusted: TrustedResults = TrustedResults()) throws(MailError) {
        self.bytes = bytes
        self.limits = limits
        self.trusted = trusted
        if bytes.starts(with: "From ".utf8) || bytes.starts(with: ">From ".utf8) { isExact = false }
        try entity(0..<bytes.count, depth: 0, boundaries: [], container: "", isReturned: false)
    }

    private mutating func entity(
        _ range: Range<Int>, depth: Int, boundaries: [String], container: String, isReturned: Bool
    ) throws(MailError) {
        let isTop = depth == 0
        let header = try HeaderBlock(bytes, range, limits, isTop: isTop)
        if !header.isPlain { isExact = false }
        try count(header, range)
        if isTop { noteText(header) }
        var type: ParameterisedField?
        if let field = header.contentType {
            type = ParameterisedField(bytes, field, isMediaType: true)
            if type == nil { isExact = false }
        }
        var encoding = TransferEncoding.identity
        if let field = header.encoding {
            let known = ParameterisedField(bytes, field, isMediaType: false).flatMap { TransferEncoding($0.main) }
            if known == nil { isExact = false }
            encoding = known ?? .identity
        }
        let mediaType = type?.main ?? ""
        facts.note(mediaType: mediaType, reportType: type?["report-type"])
        let isReturned = isReturned || MailFacts.isReturn(mediaType: mediaType, reportType: type?["report-type"])
        if isTop { facts.topMediaType = mediaType }
        let body = header.end..<range.upperBound
        if mediaType.hasPrefix("message/") || container == "multipart/digest" {
            // Messages in messages are rare and of many kinds: they are looked at for the sake of the limits alone.
            isExact = false
            guard depth < limits.maxMimeDepth else { throw tooDeep(limits) }
            // One that is encoded has no header to be seen; it is looked at when it is decoded.
            guard encoding == .identity else { return }
            try entity(body, depth: depth + 1, boundaries: boundaries, container: mediaType, isReturned: isReturned)
            return
        }
        if mediaType.hasPrefix("multipart/") {
            if encoding != .identity { isExact = false }
            if let boundary = type?["boundary"] {
                guard depth < limits.maxMimeDepth else { throw tooDeep(limits) }
                if boundaries.contains(boundary) { isExact = false }
                try multipart(body, boundary, depth: depth, boundaries: boundaries, mediaType: mediaType, isReturned: isReturned)
                return
            }
            isExact = false
        }
        guard leaves.count < limits.maxMimeParts else { throw tooManyParts(limits) }
        var name = type?["name"] ?? ""
        if let field = header.disposition {
            if let disposition = ParameterisedField(bytes, field, isMediaType: false) {
                name = disposition["filename"] ?? name
            } else {
                isExact = false
            }
        }
        let attachment = Attachment(
            name: name, mediaType: mediaType, hasContentType: header.contentType != nil, container: container,
            insideMessage: false, isWholeBody: isTop, isReturned: isReturned)
        leaves.append(Leaf(attachment: attachment, content: body, encoding: encoding))
    }

    /// GMime keeps each field of each header: a few bytes of mail would become hundreds of memory.
    private mutating func count(_ header: HeaderBlock, _ range: Range<Int>) throws(MailError) {
        headerBytes += header.end - range.lowerBound
        headerFields += header.fields
        if headerFields > limits.maxMailHeaderFields {
            let found = "more than \(limits.maxMailHeaderFields) header fields in one mail (limits.mail_header_fields)"
            throw MailError(code: .headerTooLarge, place: "", found: found)
        }
        if headerBytes > limits.maxMailHeaderBytes {
            let found = "headers of more than \(limits.maxMailHeaderBytes) bytes in one mail (limits.mail_header_bytes)"
            throw MailError(code: .headerTooLarge, place: "", found: found)
        }
    }

    private mutating func multipart(
        _ body: Range<Int>, _ boundary: String, depth: Int, boundaries: [String], mediaType: String, isReturned: Bool
    ) throws(MailError) {
        let delimiter = Array("--".utf8) + Array(boundary.utf8)
        var position = body.lowerBound
        var partStart: Int?
        while let found = nextDelimiter(delimiter, position..<body.upperBound, from: body.lowerBound) {
            if let partStart {
                // The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
                var end = found.start - 1
                if end > partStart, bytes[end - 1] == 0x0d { end -= 1 }
                if end < partStart { isExact = false }
                try entity(
                    partStart..<max(end, partStart), depth: depth + 1, boundaries: boundaries + [boundary], container: mediaType,
                    isReturned: isReturned)
            }
            if found.isLast {
                // Without any part, what stands before may be the content.
                if partStart == nil { isExact = false }
                return
            }
            partStart = found.end
            position = found.end
        }
        // Cut off: what there is of the last part is looked at for the sake of the limits.
        isExact = false
        if let partStart {
            try entity(
                partStart..<body.upperBound, depth: depth + 1, boundaries: boundaries + [boundary], container: mediaType,
                isReturned: isReturned)
        }
    }

    /// The next line that is the delimiter, alone or with `--` behind it.
    private mutating func nextDelimiter(
        _ delimiter: [UInt8], _ range: Range<Int>, from first: Int
    ) -> (start: Int, end: Int, isLast: Bool)? {
        guard let base = bytes.baseAddress else { return nil }
        var position = range.lowerBound
        while position < range.upperBound, let hit = cgmime_find(base + position, range.upperBound - position, delimiter, delimiter.count) {
            let start = base.distance(to: hit)
            position = start + delimiter.count
            guard start == first || bytes[start - 1] == 0x0a else { continue }
            var end = position
            var isLast = false
            if end + 1 < range.upperBound, bytes[end] == 0x2d, bytes[end + 1] == 0x2d {
                isLast = true
                end += 2
            }
            if end == range.upperBound {
                if !isLast { isExact = false }
                return (start, end, isLast)
            }
            if bytes[end] == 0x0d, end + 1 < range.upperBound, bytes[end + 1] == 0x0a { end += 1 }
            if bytes[end] == 0x0a { return (start, end + 1, isLast) }
            // Blanks may stand behind a delimiter; anything else makes it another line, such as that of an inner multipart.
            if bytes[end] == 0x20 || bytes[end] == 0x09 || bytes[end] == 0x0d { isExact = false }
        }
        return nil
    }

    private mutating func noteText(_ header: HeaderBlock) {
        facts.subject = headerText(header.subject)
        facts.from = headerText(header.from)
        facts.messageID = headerText(header.messageID)
        facts.date = headerText(header.date)
        if let received = header.received { facts.receivedAt = receivedAt(UnsafeRawBufferPointer(rebasing: bytes[received])) }
        if let from = header.from, !header.isFromRepeated { facts.authorDomain = authorDomain(bytes[from]) }
        facts.authentication = trusted.results(of: header, bytes)
        facts.objections = trusted.objections(in: header, bytes)
        facts.isFromMailSystem = facts.from.lowercased().contains("mailer-daemon")
        facts.returnsMail =
            !header.isJournal
            && (facts.isFromMailSystem || header.returnPath.map { words($0) == "<>" } ?? false
                || header.autoSubmitted.map { words($0).hasPrefix("auto-replied") } ?? false)
    }

    /// A field without blanks, in lower case.
    private func words(_ range: Range<Int>) -> String {
        String(decoding: bytes[range].prefix(256).filter { $0 > 0x20 }, as: UTF8.self).lowercased()
    }

    private func headerText(_ range: Range<Int>?) -> String {
        guard let range, let base = bytes.baseAddress else { return "" }
        return decodedHeader(UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count))
    }
}

func tooDeep(_ limits: MailLimits) -> MailError {
    MailError(
        code: .mimeTooDeep, place: "", found: "multiparts nested deeper than the limit of \(limits.maxMimeDepth) (limits.mime_depth)")
}

func tooManyParts(_ limits: MailLimits) -> MailError {
    MailError(code: .mimeTooManyParts, place: "", found: "more parts than the limit of \(limits.maxMimeParts) (limits.mime_parts)")
}

/// Refuses what would keep GMime busy for long: it compares each line that begins with `--` with the boundary of each
/// multipart that is open.
func checkCost(_ bytes: UnsafeRawBufferPointer, _ limits: MailLimits) throws(MailError) {
    guard let base = bytes.baseAddress else { return }
    var multiparts = 0
    for word in ["boundary", "Boundary", "BOUNDARY"] {
        multiparts += count(of: word, base, bytes.count, limit: limits.maxMimeParts + 1)
    }
    guard multiparts <= limits.maxMimeParts else { throw tooManyParts(limits) }
    let delimiters = count(of: "\n--", base, bytes.count, limit: .max)
    guard delimiters * max(1, multiparts) <= maxBoundaryComparisons else {
        throw MailError(code: .mimeTooManyParts, place: "", found: "\(delimiters) lines that could end any of \(multiparts) multiparts")
    }
}

/// About a second of work.
private let maxBoundaryComparisons = 50_000_000

private func count(of word: String, _ base: UnsafeRawPointer, _ size: Int, limit: Int) -> Int {
    let wanted = Array(word.utf8)
    var count = 0
    var position = 0
    while count < limit, position < size, let hit = cgmime_find(base + position, size - position, wanted, wanted.count) {
        count += 1
        position = base.distance(to: hit) + wanted.count
    }
    return count
}
