import CGMime
import Glibc

/// Whether GMime has been set up; done once for the process.
private let isReady: Bool = {
    g_mime_init()
    return true
}()

/// A header field's value, unfolded and decoded (RFC 2047), without blanks around it.
func decodedHeader(_ bytes: UnsafeRawBufferPointer) -> String {
    var start = 0
    var end = bytes.count
    while start < end, bytes[start] <= 0x20 { start += 1 }
    while end > start, bytes[end - 1] <= 0x20 { end -= 1 }
    let value = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    if let text = plainHeader(value) { return text }
    guard isReady else { return "" }
    // NUL would end the text for C.
    let text = value.map { $0 == 0 ? CChar(0x20) : CChar(bitPattern: $0) } + [0]
    guard let unfolded = g_mime_utils_header_unfold(text) else { return "" }
    defer { g_free(unfolded) }
    guard let decoded = g_mime_utils_header_decode_text(nil, unfolded) else { return "" }
    defer { g_free(decoded) }
    return trimmed(decoded)
}

/// ASCII without anything encoded, unfolded: only line ends are left out. Nil if there is more to do.
private func plainHeader(_ value: UnsafeRawBufferPointer) -> String? {
    var lineEnds = 0
    for byte in value {
        if byte == 0x0d || byte == 0x0a {
            lineEnds += 1
        } else if byte >= 0x7f || byte == 0x3d || (byte < 0x20 && byte != 0x09) {
            return nil
        }
    }
    if lineEnds == 0 { return String(decoding: value, as: UTF8.self) }
    return String(unsafeUninitializedCapacity: value.count - lineEnds) { text in
        var count = 0
        for byte in value where byte != 0x0d && byte != 0x0a {
            text[count] = byte
            count += 1
        }
        return count
    }
}

private func trimmed(_ text: UnsafePointer<CChar>) -> String {
    var bytes = UnsafeRawBufferPointer(start: text, count: strlen(text))[...]
    while let first = bytes.first, first <= 0x20 { bytes.removeFirst() }
    while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
}

/// A mail read by GMime: owner of its tree.
final class MimeTree {
    private struct Leaf {
        var attachment: Attachment
        /// A part of the tree, or nil if `prologue` is all there is.
        var part: UnsafeMutablePointer<GMimePart>?
        var prologue: [UInt8] = []
        /// That of `prologue`.
        var encoding = TransferEncoding.identity
    }

    private let bytes: UnsafeRawBufferPointer
    /// Borrows `bytes` for the stream.
    private let array: UnsafeMutablePointer<GByteArray>
    private let stream: UnsafeMutablePointer<GMimeStream>
    private let message: UnsafeMutablePointer<GMimeMessage>
    private let limits: MailLimits
    private var leaves: [Leaf] = []
    private(set) var facts = MailFacts()

    /// Nil if the bytes are nothing that GMime calls a message.
    ///
    /// - Parameter bytes: must stay where they are as long as the tree lives.
    /// - Throws: `mime-too-deep`, `mime-too-many-parts`, `header-too-large`.
    init?(_ bytes: UnsafeRawBufferPointer, _ limits: MailLimits) throws(MailError) {
        self.limits = limits
        self.bytes = bytes
        guard isReady, let array = g_byte_array_new() else { return nil }
        guard let stream = cgmime_stream_over(array, bytes.baseAddress, bytes.count) else {
            cgmime_forget(array)
            return nil
        }
        guard let message = Self.parse(stream) else {
            cgmime_unref(stream)
            cgmime_forget(array)
            return nil
        }
        self.array = array
        self.stream = stream
        self.message = message
        let object = cgmime_object_of_message(message)
        facts.subject = Self.header(object, "Subject")
        facts.from = Self.header(object, "From")
        facts.messageID = Self.header(object, "Message-Id")
        facts.date = Self.header(object, "Date")
        if let top = g_mime_message_get_mime_part(message) {
            if Self.hasHeader(top, "Content-Type") { facts.topMediaType = Self.mediaType(top) }
            try walk(top, depth: 0, container: "", insideMessage: false, isReturned: false)
        }
    }

    deinit {
        cgmime_unref(message)
        cgmime_unref(stream)
        cgmime_forget(array)
    }

    private static func parse(_ stream: UnsafeMutablePointer<GMimeStream>) -> UnsafeMutablePointer<GMimeMessage>? {
        guard let parser = g_mime_parser_new_with_stream(stream) else { return nil }
        defer { cgmime_unref(parser) }
        // The stream stays: parts are pieces of it and not copies.
        g_mime_parser_set_persist_stream(parser, 1)
        return g_mime_parser_construct_message(parser, nil)
    }

    private func walk(
        _ object: UnsafeMutablePointer<GMimeObject>, depth: Int, container: String, insideMessage: Bool, isReturned: Bool
    ) throws(MailError) {
        let hasContentType = Self.hasHeader(object, "Content-Type")
        let mediaType = hasContentType ? Self.mediaType(object) : ""
        let reportType = Self.parameter(object, "report-type")
        facts.note(mediaType: mediaType, reportType: reportType)
        var isReturned = isReturned || MailFacts.isReturn(mediaType: mediaType, reportType: reportType)
        if let multipart = cgmime_multipart(object) {
            guard depth < limits.maxMimeDepth else { throw tooDeep(limits) }
            let count = g_mime_multipart_get_count(multipart)
            let parts = (0..<max(0, count)).compactMap { g_mime_multipart_get_part(multipart, $0) }
            // Some mail systems leave out what kind of multipart it is.
            isReturned = isReturned || parts.contains { MailFacts.isReturn(part: Self.mediaType($0)) }
            for part in parts {
                try walk(part, depth: depth + 1, container: mediaType, insideMessage: insideMessage, isReturned: isReturned)
            }
            // Some reporters call the archive itself a multipart: then all of it stands before the first delimiter.
            if count <= 0, let prologue = g_mime_multipart_get_prologue(multipart) {
                let text = Array(UnsafeRawBufferPointer(start: prologue, count: strlen(prologue)))
                let encoding = TransferEncoding(Self.header(object, "Content-Transfer-Encoding").lowercased()) ?? .identity
                let attachment = Attachment(
                    name: Self.parameter(object, "name") ?? "", mediaType: mediaType, hasContentType: true,
                    container: container, insideMessage: insideMessage, isWholeBody: depth == 0 && !insideMessage,
                    isReturned: isReturned)
                try add(Leaf(attachment: attachment, part: nil, prologue: text, encoding: encoding))
            }
        } else if let inner = cgmime_message_part(object) {
            guard depth < limits.maxMimeDepth else { throw tooDeep(limits) }
            guard let message = g_mime_message_part_get_message(inner), let top = g_mime_message_get_mime_part(message) else { return }
            try walk(top, depth: depth + 1, container: mediaType, insideMessage: true, isReturned: isReturned)
        } else if let part = cgmime_part(object) {
            let attachment = Attachment(
                name: Self.name(part), mediaType: mediaType, hasContentType: hasContentType, container: container,
                insideMessage: insideMessage, isWholeBody: depth == 0, isReturned: isReturned)
            try add(Leaf(attachment: attachment, part: part))
        }
    }

    private func add(_ leaf: Leaf) throws(MailError) {
        guard leaves.count < limits.maxMimeParts else { throw tooManyParts(limits) }
        leaves.append(leaf)
    }

    /// Hands over each part with its decoded bytes, in order.
    func forEachPart(_ decoder: TransferDecoder, _ body: (Attachment, UnsafeRawBufferPointer) -> Void) {
        for leaf in leaves {
            guard let part = leaf.part else {
                leaf.prologue.withUnsafeBytes { body(leaf.attachment, decoder.decode($0, leaf.encoding)) }
                continue
            }
            guard let content = g_mime_part_get_content(part) else {
                body(leaf.attachment, UnsafeRawBufferPointer(start: nil, count: 0))
                continue
            }
            if let encoding = Self.encoding(of: part), let raw = self.raw(content) {
                body(leaf.attachment, decoder.decode(raw, encoding))
                continue
            }
            guard let output = g_mime_stream_mem_new() else { continue }
            defer { cgmime_unref(output) }
            g_mime_data_wrapper_write_to_stream(content, output)
            guard let decoded = cgmime_mem_bytes(output) else { continue }
            body(leaf.attachment, UnsafeRawBufferPointer(start: decoded.pointee.data, count: Int(decoded.pointee.len)))
        }
    }

    /// The bytes of a part as they stand in the mail.
    private func raw(_ content: UnsafeMutablePointer<GMimeDataWrapper>) -> UnsafeRawBufferPointer? {
        guard let piece = g_mime_data_wrapper_get_stream(content) else { return nil }
        let start = Int(piece.pointee.bound_start)
        let end = piece.pointee.bound_end < 0 ? bytes.count : Int(piece.pointee.bound_end)
        guard start >= 0, start <= end, end <= bytes.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    /// Nil for those that only GMime undoes.
    private static func encoding(of part: UnsafeMutablePointer<GMimePart>) -> TransferEncoding? {
        switch g_mime_part_get_content_encoding(part) {
        case GMIME_CONTENT_ENCODING_BASE64: return .base64
        case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE: return .quotedPrintable
        case GMIME_CONTENT_ENCODING_UUENCODE: return nil
        case GMIME_CONTENT_ENCODING_DEFAULT:
            // GMime does not see it if something follows, as in `base64;`.
            let field = header(cgmime_object_of_part(part), "Content-Transfer-Encoding").lowercased()
            if field.hasPrefix("base64") { return .base64 }
            return field.hasPrefix("quoted-printable") ? .quotedPrintable : .identity
        default: return .identity
        }
    }

    private static func hasHeader(_ object: UnsafeMutablePointer<GMimeObject>, _ name: String) -> Bool {
        g_mime_object_get_header(object, name) != nil
    }

    private static func header(_ object: UnsafeMutablePointer<GMimeObject>?, _ name: String) -> String {
        guard let value = g_mime_object_get_header(object, name) else { return "" }
        return trimmed(value)
    }

    private static func mediaType(_ object: UnsafeMutablePointer<GMimeObject>) -> String {
        guard let type = g_mime_object_get_content_type(object), let text = g_mime_content_type_get_mime_type(type) else { return "" }
        defer { g_free(text) }
        return String(cString: text).lowercased()
    }

    private static func parameter(_ object: UnsafeMutablePointer<GMimeObject>, _ name: String) -> String? {
        guard let value = g_mime_object_get_content_type_parameter(object, name) else { return nil }
        return String(cString: value)
    }

    private static func name(_ part: UnsafeMutablePointer<GMimePart>) -> String {
        if let name = g_mime_part_get_filename(part) { return String(cString: name) }
        // Some mailers misspell the field.
        guard let field = g_mime_object_get_header(cgmime_object_of_part(part), "ContentType"),
            let type = g_mime_content_type_parse(nil, field)
        else { return "" }
        defer { cgmime_unref(type) }
        return g_mime_content_type_get_parameter(type, "name").map { String(cString: $0) } ?? ""
    }
}
