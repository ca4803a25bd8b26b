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
    if value.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }), !value.contains(0x3d) {
        return String(decoding: value, as: UTF8.self)
    }
    guard isReady else { return "" }
    // NUL would end the text for C.
    let text = value.map { $0 == 0 ? CChar(0x20) : CChar(bitPattern: $0) } + [0]
    guard let unfolded = g_mime_utils_header_unfold(text) else { return "" }
    defer { g_free(unfolded) }
    guard let decoded = g_mime_utils_header_decode_text(nil, unfolded) else { return "" }
    defer { g_free(decoded) }
    return trimmed(decoded)
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
    }

    private let message: UnsafeMutablePointer<GMimeMessage>
    private let limits: MailLimits
    private var leaves: [Leaf] = []
    private(set) var facts = MailFacts()

    /// - Parameter bytes: must stay where they are as long as the tree lives.
    /// - Throws: `mime-too-deep`, `mime-too-many-parts`, `header-too-large`.
    init(_ bytes: UnsafeRawBufferPointer, _ limits: MailLimits) throws(MailError) {
        self.limits = limits
        guard isReady, let message = Self.parse(bytes) else {
            throw MailError(code: .unreadableFile, place: "", found: "GMime gave no message")
        }
        self.message = message
        let object = cgmime_object_of_message(message)
        facts.subject = Self.header(object, "Subject")
        facts.from = Self.header(object, "From")
        facts.messageID = Self.header(object, "Message-Id")
        facts.date = Self.header(object, "Date")
        if let top = g_mime_message_get_mime_part(message) {
            if Self.hasHeader(top, "Content-Type") { facts.topMediaType = Self.mediaType(top) }
            try walk(top, depth: 0, container: "", insideMessage: false)
        }
    }

    deinit {
        cgmime_unref(message)
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<GMimeMessage>? {
        guard let array = g_byte_array_new() else { return nil }
        // The array borrows our bytes for the stream, which only reads; it must not free them.
        array.pointee.data = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        array.pointee.len = UInt32(clamping: bytes.count)
        defer {
            array.pointee.data = nil
            array.pointee.len = 0
        }
        guard let stream = cgmime_stream_over(array) else { return nil }
        defer { cgmime_unref(stream) }
        guard let parser = g_mime_parser_new_with_stream(stream) else { return nil }
        defer { cgmime_unref(parser) }
        // Contents are copied out of the stream now, so that the tree does not depend on it.
        g_mime_parser_set_persist_stream(parser, 0)
        return g_mime_parser_construct_message(parser, nil)
    }

    private func walk(
        _ object: UnsafeMutablePointer<GMimeObject>, depth: Int, container: String, insideMessage: Bool
    ) throws(MailError) {
        let hasContentType = Self.hasHeader(object, "Content-Type")
        let mediaType = hasContentType ? Self.mediaType(object) : ""
        facts.note(mediaType: mediaType, reportType: Self.parameter(object, "report-type"))
        if let multipart = cgmime_multipart(object) {
            guard depth < limits.maxMimeDepth else { throw tooDeep(limits) }
            let count = g_mime_multipart_get_count(multipart)
            for index in 0..<max(0, count) {
                guard let part = g_mime_multipart_get_part(multipart, index) else { continue }
                try walk(part, depth: depth + 1, container: mediaType, insideMessage: insideMessage)
            }
            // Some reporters call the archive itself a multipart: then all of it stands before the first delimiter.
            if count <= 0, let prologue = g_mime_multipart_get_prologue(multipart) {
                let text = UnsafeRawBufferPointer(start: prologue, count: strlen(prologue))
                let encoding = TransferEncoding(rawValue: Self.header(object, "Content-Transfer-Encoding").lowercased())
                let content = Array(TransferDecoder().decode(text, encoding?.normalised ?? .identity))
                let attachment = Attachment(
                    name: Self.parameter(object, "name") ?? "", mediaType: mediaType, hasContentType: true,
                    container: container, insideMessage: insideMessage, isWholeBody: depth == 0 && !insideMessage)
                try add(Leaf(attachment: attachment, part: nil, prologue: content))
            }
        } else if let inner = cgmime_message_part(object) {
            guard depth < limits.maxMimeDepth else { throw tooDeep(limits) }
            guard let message = g_mime_message_part_get_message(inner), let top = g_mime_message_get_mime_part(message) else { return }
            try walk(top, depth: depth + 1, container: mediaType, insideMessage: true)
        } else if let part = cgmime_part(object) {
            let attachment = Attachment(
                name: Self.name(part), mediaType: mediaType, hasContentType: hasContentType, container: container,
                insideMessage: insideMessage, isWholeBody: depth == 0)
            try add(Leaf(attachment: attachment, part: part))
        }
    }

    private func add(_ leaf: Leaf) throws(MailError) {
        guard leaves.count < limits.maxMimeParts else { throw tooManyParts(limits) }
        leaves.append(leaf)
    }

    /// Hands over each part with its decoded bytes, in order.
    func forEachPart(_ body: (Attachment, UnsafeRawBufferPointer) -> Void) {
        for leaf in leaves {
            guard let part = leaf.part else {
                leaf.prologue.withUnsafeBytes { body(leaf.attachment, $0) }
                continue
            }
            guard let stream = g_mime_stream_mem_new() else { continue }
            defer { cgmime_unref(stream) }
            if let content = g_mime_part_get_content(part) {
                if let encoding = Self.unusualEncoding(part) { g_mime_data_wrapper_set_encoding(content, encoding) }
                g_mime_data_wrapper_write_to_stream(content, stream)
            }
            guard let bytes = cgmime_mem_bytes(stream) else { continue }
            body(leaf.attachment, UnsafeRawBufferPointer(start: bytes.pointee.data, count: Int(bytes.pointee.len)))
        }
    }

    private static func hasHeader(_ object: UnsafeMutablePointer<GMimeObject>, _ name: String) -> Bool {
        g_mime_object_get_header(object, name) != nil
    }

    private static func header(_ object: UnsafeMutablePointer<GMimeObject>?, _ name: String) -> String {
        guard let value = g_mime_object_get_header(object, name) else { return "" }
        return trimmed(value)
    }

    /// What the field Content-Transfer-Encoding names, if GMime did not see it because something follows, as in `base64;`.
    private static func unusualEncoding(_ part: UnsafeMutablePointer<GMimePart>) -> GMimeContentEncoding? {
        guard g_mime_part_get_content_encoding(part) == GMIME_CONTENT_ENCODING_DEFAULT else { return nil }
        let field = header(cgmime_object_of_part(part), "Content-Transfer-Encoding").lowercased()
        if field.hasPrefix("base64") { return GMIME_CONTENT_ENCODING_BASE64 }
        return field.hasPrefix("quoted-printable") ? GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE : nil
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
