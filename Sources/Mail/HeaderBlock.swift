import Glibc

/// The header block of a message or part: where its fields of interest are.
struct HeaderBlock {
    var contentType: Range<Int>?
    var encoding: Range<Int>?
    var disposition: Range<Int>?
    var subject: Range<Int>?
    var from: Range<Int>?
    var messageID: Range<Int>?
    var date: Range<Int>?
    /// Where the body begins.
    var end = 0
    /// Whether it reads the same for any reader: each line a field or its continuation, no field of MIME twice or
    /// misspelt, an empty line at its end.
    var isPlain = true

    /// Scans the block that begins at `start` and ends with an empty line, or at `limit`.
    ///
    /// - Throws: `header-too-large`.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ limits: MailLimits, isTop: Bool) throws(MailError) {
        var position = range.lowerBound
        end = range.upperBound
        guard let base = bytes.baseAddress else {
            isPlain = false
            return
        }
        var field: WritableKeyPath<HeaderBlock, Range<Int>?>?
        var isFirst = true
        while true {
            guard position < range.upperBound else {
                isPlain = false
                return
            }
            let rest = range.upperBound - position
            var lineEnd = range.upperBound
            if let newline = memchr(base + position, 0x0a, rest) {
                lineEnd = base.distance(to: UnsafeRawPointer(newline))
            } else {
                isPlain = false
            }
            try Self.check(line: lineEnd - position, block: lineEnd - range.lowerBound, limits)
            let first = bytes[position]
            if lineEnd == position || (first == 0x0d && lineEnd == position + 1) {
                end = min(lineEnd + 1, range.upperBound)
                return
            }
            if first == 0x20 || first == 0x09 {
                if isFirst || bytes[position..<lineEnd].allSatisfy({ $0 <= 0x20 }) { isPlain = false }
                if let field, let old = self[keyPath: field] { self[keyPath: field] = old.lowerBound..<lineEnd }
            } else {
                field = begin(bytes, position, lineEnd, isTop: isTop)
            }
            isFirst = false
            position = lineEnd + 1
        }
    }

    private static func check(line: Int, block: Int, _ limits: MailLimits) throws(MailError) {
        if line > limits.maxHeaderLineBytes {
            let found = "a line of \(line) bytes; the limit is \(limits.maxHeaderLineBytes)"
            throw MailError(code: .headerTooLarge, place: "", found: found)
        }
        if block > limits.maxHeaderBytes {
            let found = "a header of more than \(limits.maxHeaderBytes) bytes"
            throw MailError(code: .headerTooLarge, place: "", found: found)
        }
    }

    /// Notes the field that begins at `start`, if it is of interest. Returns where its continuations are to be added.
    private mutating func begin(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ lineEnd: Int, isTop: Bool
    ) -> WritableKeyPath<HeaderBlock, Range<Int>?>? {
        var colon = start
        while colon < lineEnd, bytes[colon] != 0x3a {
            if bytes[colon] <= 0x20 || bytes[colon] >= 0x7f { break }
            colon += 1
        }
        guard colon < lineEnd, bytes[colon] == 0x3a, colon > start else {
            isPlain = false
            return nil
        }
        func isName(_ name: StaticString) -> Bool {
            guard name.utf8CodeUnitCount == colon - start else { return false }
            for index in 0..<name.utf8CodeUnitCount where bytes[start + index] | 0x20 != name.utf8Start[index] { return false }
            return true
        }
        let path: WritableKeyPath<HeaderBlock, Range<Int>?>
        let isOfMime: Bool
        switch bytes[start] | 0x20 {
        case UInt8(ascii: "c"):
            if isName("content-type") {
                path = \.contentType
            } else if isName("content-transfer-encoding") {
                path = \.encoding
            } else if isName("content-disposition") {
                path = \.disposition
            } else {
                if isName("contenttype") { isPlain = false }
                return nil
            }
            isOfMime = true
        case UInt8(ascii: "s") where isTop && isName("subject"):
            (path, isOfMime) = (\.subject, false)
        case UInt8(ascii: "f") where isTop && isName("from"):
            (path, isOfMime) = (\.from, false)
        case UInt8(ascii: "m") where isTop && isName("message-id"):
            (path, isOfMime) = (\.messageID, false)
        case UInt8(ascii: "d") where isTop && isName("date"):
            (path, isOfMime) = (\.date, false)
        default:
            return nil
        }
        if self[keyPath: path] != nil {
            // The first counts, but readers differ on fields of MIME.
            if isOfMime { isPlain = false }
            return nil
        }
        self[keyPath: path] = colon + 1..<lineEnd
        return path
    }
}

/// A field `token/token; name=value; name="value"` of RFC 2045 section 5.1, in the plain form that needs no judgement.
struct ParameterisedField {
    /// In lower case.
    private(set) var main: String
    private var parameters: [(name: Substring, value: String)] = []

    /// Nil if the field holds anything that readers may understand differently: comments, escapes, encoded words,
    /// RFC 2231, bytes beyond ASCII, repeated parameters, blanks in odd places.
    init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isMediaType: Bool) {
        var cursor = Cursor(bytes: bytes, position: range.lowerBound, end: range.upperBound)
        cursor.skipBlanks()
        guard let first = cursor.token() else { return nil }
        main = first.lowercased()
        if isMediaType {
            guard cursor.take(0x2f), let second = cursor.token() else { return nil }
            main += "/" + second.lowercased()
        }
        cursor.skipBlanks()
        while !cursor.isAtEnd {
            guard cursor.take(0x3b) else { return nil }
            cursor.skipBlanks()
            if cursor.isAtEnd { return }
            guard let name = cursor.token(), !name.utf8.contains(0x2a), cursor.take(0x3d), let value = cursor.value() else { return nil }
            let lowered = Substring(name.lowercased())
            guard self[lowered] == nil else { return nil }
            parameters.append((lowered, value))
            cursor.skipBlanks()
        }
    }

    subscript(name: Substring) -> String? {
        parameters.first { $0.name == name }?.value
    }

    private struct Cursor {
        let bytes: UnsafeRawBufferPointer
        var position: Int
        let end: Int

        var isAtEnd: Bool { position >= end }

        mutating func skipBlanks() {
            while position < end, bytes[position] == 0x20 || bytes[position] == 0x09 || bytes[position] == 0x0d || bytes[position] == 0x0a {
                position += 1
            }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < end, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func token() -> String? {
            let start = position
            while position < end, isTokenByte(bytes[position]) { position += 1 }
            return start == position ? nil : String(decoding: bytes[start..<position], as: UTF8.self)
        }

        mutating func value() -> String? {
            guard take(0x22) else { return token() }
            let start = position
            while position < end, bytes[position] != 0x22 {
                let byte = bytes[position]
                // A backslash escapes, `=?` may begin an encoded word.
                if byte < 0x20 || byte >= 0x7f || byte == 0x5c { return nil }
                if byte == 0x3d, position + 1 < end, bytes[position + 1] == 0x3f { return nil }
                position += 1
            }
            let value = bytes[start..<position]
            guard take(0x22), let first = value.first, let last = value.last, first != 0x20, last != 0x20 else { return nil }
            return String(decoding: value, as: UTF8.self)
        }

        /// RFC 2045 section 5.1, without the characters that make some readers think of RFC 2231 or 2047.
        private func isTokenByte(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            case 0x21, 0x23, 0x24, 0x26, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e, 0x5f, 0x60, 0x7b, 0x7c, 0x7d, 0x7e: true
            default: false
            }
        }
    }
}
