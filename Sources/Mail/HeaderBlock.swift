import Glibc

/// The header block of a message or part: where its fields of interest are.
struct HeaderBlock {
    /// A field of interest.
    enum Field {
        case contentType, encoding, disposition, subject, from, messageID, date, received, authentication
    }

    private(set) var contentType: Range<Int>?
    private(set) var encoding: Range<Int>?
    private(set) var disposition: Range<Int>?
    private(set) var subject: Range<Int>?
    private(set) var from: Range<Int>?
    private(set) var messageID: Range<Int>?
    private(set) var date: Range<Int>?
    /// Whether there is more than one field From.
    private(set) var isFromRepeated = false
    /// Every field Authentication-Results, from the top; at most `maxAuthentications`.
    private(set) var authentications: [Range<Int>] = []
    /// The topmost field Return-Path, without its continuations.
    private(set) var returnPath: Range<Int>?
    /// The first field Auto-Submitted, without its continuations.
    private(set) var autoSubmitted: Range<Int>?
    /// Whether the mail is a journal's copy of another one.
    private(set) var isJournal = false
    /// Where the topmost field Received begins.
    private(set) var receivedStart: Int?
    /// Its value.
    private(set) var received: Range<Int>?
    /// Lines that begin a field, or should.
    private(set) var fields = 0
    /// Where the body begins.
    var end = 0
    /// Whether it reads the same for any reader: each line a field or its continuation, no field of MIME twice or
    /// misspelt, an empty line at its end.
    var isPlain = true

    private static let maxAuthentications = 64

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
        var field: Field?
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
                if let field, let old = self[field] { self[field] = old.lowerBound..<lineEnd }
            } else {
                fields += 1
                field = begin(bytes, position, lineEnd, isTop: isTop)
            }
            isFirst = false
            position = lineEnd + 1
        }
    }

    private static func check(line: Int, block: Int, _ limits: MailLimits) throws(MailError) {
        if line > limits.maxHeaderLineBytes {
            let found = "a line of \(line) bytes; the limit is \(limits.maxHeaderLineBytes) (limits.header_line_bytes)"
            throw MailError(code: .headerTooLarge, place: "", found: found)
        }
        if block > limits.maxHeaderBytes {
            let found = "a header of more than \(limits.maxHeaderBytes) bytes (limits.header_bytes)"
            throw MailError(code: .headerTooLarge, place: "", found: found)
        }
    }

    /// Notes the field that begins at `start`, if it is of interest. Returns where its continuations are to be added.
    private mutating func begin(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ lineEnd: Int, isTop: Bool
    ) -> Field? {
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
        let field: Field
        switch bytes[start] | 0x20 {
        case UInt8(ascii: "c"):
            if isName("content-type") {
                field = .contentType
            } else if isName("content-transfer-encoding") {
                field = .encoding
            } else if isName("content-disposition") {
                field = .disposition
            } else {
                if isName("contenttype") { isPlain = false }
                return nil
            }
        case UInt8(ascii: "s") where isTop && isName("subject"):
            field = .subject
        case UInt8(ascii: "f") where isTop && isName("from"):
            field = .from
        case UInt8(ascii: "m") where isTop && isName("message-id"):
            field = .messageID
        case UInt8(ascii: "d") where isTop && isName("date"):
            field = .date
        case UInt8(ascii: "a") where isTop && isName("authentication-results"):
            guard authentications.count < Self.maxAuthentications else { return nil }
            authentications.append(colon + 1..<lineEnd)
            return .authentication
        case UInt8(ascii: "a") where isTop && isName("auto-submitted"):
            autoSubmitted = autoSubmitted ?? colon + 1..<lineEnd
            return nil
        case UInt8(ascii: "r") where isTop && isName("return-path"):
            returnPath = returnPath ?? colon + 1..<lineEnd
            return nil
        case UInt8(ascii: "x") where isTop && (isName("x-ms-journal-report") || isName("x-ms-exchange-organization-journal-report")):
            isJournal = true
            return nil
        case UInt8(ascii: "r") where isTop && isName("received"):
            guard receivedStart == nil else { return nil }
            receivedStart = start
            field = .received
        default:
            return nil
        }
        if self[field] != nil {
            // The first counts, but readers differ on fields of MIME.
            switch field {
            case .contentType, .encoding, .disposition: isPlain = false
            case .from: isFromRepeated = true
            case .subject, .messageID, .date, .received, .authentication: break
            }
            return nil
        }
        self[field] = colon + 1..<lineEnd
        return field
    }

    private subscript(field: Field) -> Range<Int>? {
        get {
            switch field {
            case .contentType: contentType
            case .encoding: encoding
            case .disposition: disposition
            case .subject: subject
            case .from: from
            case .messageID: messageID
            case .date: date
            case .received: received
            case .authentication: authentications.last
            }
        }
        set {
            switch field {
            case .contentType: contentType = newValue
            case .encoding: encoding = newValue
            case .disposition: disposition = newValue
            case .subject: subject = newValue
            case .from: from = newValue
            case .messageID: messageID = newValue
            case .date: date = newValue
            case .received: received = newValue
            case .authentication:
                if let newValue, !authentications.isEmpty { authentications[authentications.count - 1] = newValue }
            }
        }
    }
}

/// A field `token/token; name=value; name="value"` of RFC 2045 section 5.1, in the plain form that needs no judgement.
struct ParameterisedField {
    /// In lower case.
    private(set) var main: String
    private var parameters: [Parameter] = []

    private struct Parameter {
        let name: String
        var value: String
        /// How many pieces it has come in so far (RFC 2231 section 3); nil if it came whole.
        var pieces: Int?
    }

    /// Nil if the field holds anything that readers may understand differently: comments, escapes, encoded words,
    /// charsets of RFC 2231, bytes beyond ASCII, repeated parameters, blanks in odd places.
    init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isMediaType: Bool) {
        var cursor = Cursor(bytes: bytes, position: range.lowerBound, end: range.upperBound)
        cursor.skipBlanks()
        guard let first = cursor.token(isMediaType: isMediaType) else { return nil }
        main = first
        cursor.skipBlanks()
        while !cursor.isAtEnd {
            guard cursor.take(0x3b) else { return nil }
            cursor.skipBlanks()
            if cursor.isAtEnd { return }
            guard let name = cursor.name(), cursor.take(0x3d), let value = cursor.value() else { return nil }
            guard add(name.text, name.piece, value) else { return nil }
            cursor.skipBlanks()
        }
    }

    private mutating func add(_ name: String, _ piece: Int?, _ value: String) -> Bool {
        if let known = parameters.firstIndex(where: { $0.name == name }) {
            // Pieces may come in any order; here they must come in theirs.
            guard let piece, parameters[known].pieces == piece else { return false }
            parameters[known].value += value
            parameters[known].pieces = piece + 1
            return true
        }
        guard (piece ?? 0) == 0 else { return false }
        parameters.append(Parameter(name: name, value: value, pieces: piece.map { $0 + 1 }))
        return true
    }

    subscript(name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    private struct Cursor {
        let bytes: UnsafeRawBufferPointer
        var position: Int
        let end: Int

        var isAtEnd: Bool { position >= end }

        mutating func skipBlanks() {
            while position < end {
                switch bytes[position] {
                case 0x20, 0x09, 0x0d, 0x0a: position += 1
                default: return
                }
            }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard position < end, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        /// A token, or a media type of two, in lower case.
        mutating func token(isMediaType: Bool) -> String? {
            let start = position
            guard skipToken() else { return nil }
            if isMediaType {
                guard take(0x2f), skipToken() else { return nil }
            }
            return lowered(start..<position)
        }

        /// The name of a parameter, in lower case, and the number of its piece if it comes in pieces.
        mutating func name() -> (text: String, piece: Int?)? {
            let start = position
            guard skipToken() else { return nil }
            guard let star = bytes[start..<position].firstIndex(of: 0x2a) else { return (lowered(start..<position), nil) }
            let digits = bytes[(star + 1)..<position]
            // One digit will do; a second star announces a charset.
            guard star > start, digits.count == 1, let digit = digits.first, (0x30...0x39).contains(digit) else { return nil }
            return (lowered(start..<star), Int(digit) - 0x30)
        }

        mutating func value() -> String? {
            let start = position
            guard take(0x22) else {
                return skipToken() ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
            }
            while position < end, bytes[position] != 0x22 {
                let byte = bytes[position]
                // A backslash escapes, `=?` may begin an encoded word.
                if byte < 0x20 || byte >= 0x7f || byte == 0x5c { return nil }
                if byte == 0x3d, position + 1 < end, bytes[position + 1] == 0x3f { return nil }
                position += 1
            }
            let value = bytes[(start + 1)..<position]
            guard take(0x22), let first = value.first, let last = value.last, first != 0x20, last != 0x20 else { return nil }
            return String(decoding: value, as: UTF8.self)
        }

        private mutating func skipToken() -> Bool {
            let start = position
            while position < end, isTokenByte(bytes[position]) { position += 1 }
            return position > start
        }

        /// RFC 2045 section 5.1, without the characters that make some readers think of RFC 2231 or 2047.
        private func isTokenByte(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            case 0x21, 0x23, 0x24, 0x26, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e, 0x5f, 0x60, 0x7b, 0x7c, 0x7d, 0x7e: true
            default: false
            }
        }

        private func lowered(_ range: Range<Int>) -> String {
            String(unsafeUninitializedCapacity: range.count) { text in
                for (index, byte) in bytes[range].enumerated() {
                    text[index] = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
                }
                return range.count
            }
        }
    }
}
