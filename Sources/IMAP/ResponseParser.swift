import Mail

/// Understands responses. Each function stands below the production of RFC 9051 section 9 (RFC 3501 where it differs) that it reads.
///
/// It reads what this program asks for. All other responses are passed over whole, because the reader knows where they end.
struct ResponseParser {
    private let text: [UInt8]
    private var literals: [[UInt8]]
    private var nextLiteral = 0
    private var position = 0

    private init(_ raw: consuming RawResponse) {
        text = raw.text
        literals = raw.literals
    }

    ///     response = *(continue-req / response-data) response-done
    ///     continue-req = "+" SP (resp-text / base64) CRLF
    ///     response-tagged = tag SP resp-cond-state CRLF
    static func parse(_ raw: consuming RawResponse) throws(Malformed) -> Response {
        var parser = ResponseParser(raw)
        guard let first = parser.peek else { throw Malformed(reason: "an empty line") }
        if first == UInt8(ascii: "+") {
            parser.position = 1
            // Deviation: Yandex sends "+" without the space (github.com/djc/imap-proto/issues/67).
            parser.skip(0x20)
            return .continuation(parser.rest)
        }
        if first == UInt8(ascii: "*") {
            parser.position = 1
            try parser.space()
            return try parser.untagged()
        }
        let tag = try parser.tag()
        try parser.space()
        let word = try parser.word()
        guard let status = StatusWord(rawValue: word), status == .ok || status == .no || status == .bad else {
            throw parser.malformed("the end of a command is neither OK, NO nor BAD")
        }
        return .tagged(tag: tag, try parser.status(status))
    }

    ///     response-data = "*" SP (resp-cond-state / resp-cond-bye / mailbox-data / message-data / capability-data / enable-data) CRLF
    ///     message-data  = nz-number SP ("EXPUNGE" / ("FETCH" SP msg-att))
    ///     mailbox-data  = … / number SP "EXISTS"
    private mutating func untagged() throws(Malformed) -> Response {
        if let byte = peek, isDigit(byte) {
            let number = try clampedNumber()
            try space()
            switch try word() {
            case "EXISTS": return .exists(number)
            case "EXPUNGE": return .expunge(number)
            case "FETCH":
                try space()
                return .fetch(try messageAttributes())
            default: return .other
            }
        }
        let word = try word()
        if let status = StatusWord(rawValue: word) { return .status(try self.status(status)) }
        switch word {
        case "CAPABILITY": return .capability(words())
        case "ENABLED": return .enabled(words())
        case "LIST":
            try space()
            return .list(try mailboxList())
        case "SEARCH": return try searchResult()
        case "ESEARCH": return try extendedSearchResult()
        case "NAMESPACE": return .namespace(try namespaces())
        default: return .other
        }
    }

    // MARK: - Status

    ///     resp-text = ["[" resp-text-code "]" SP] [text]
    private mutating func status(_ word: StatusWord) throws(Malformed) -> Status {
        // Deviation: Exchange sends "OK" with neither space nor text (github.com/OfflineIMAP/offlineimap/pull/623).
        skip(0x20)
        var code: ResponseCode?
        if peek == UInt8(ascii: "[") {
            guard let closing = text[position...].firstIndex(of: UInt8(ascii: "]")) else {
                throw malformed("a response code without its closing bracket")
            }
            code = Self.code(text[position + 1..<closing])
            position = closing + 1
            // The space is missing where no text follows: nothing is lost by that.
            skip(0x20)
        }
        return Status(word: word, code: code, text: rest)
    }

    ///     resp-text-code = "ALREADYEXISTS" / "CAPABILITY" … / "PERMANENTFLAGS" SP "(" [flag-perm *(SP flag-perm)] ")" / "READ-ONLY" /
    ///                      "READ-WRITE" / "TRYCREATE" / "UIDNEXT" SP nz-number / "UIDVALIDITY" SP nz-number / …
    ///
    /// What is not needed is not read: UIDNEXT and UNSEEN are 0 or missing with some servers.
    private static func code(_ bytes: ArraySlice<UInt8>) -> ResponseCode {
        let words = bytes.split(whereSeparator: { $0 == 0x20 || $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: ")") })
        let name = words.first.map { String(decoding: $0.prefix(64), as: UTF8.self).uppercased() } ?? ""
        func texts() -> [String] { words.dropFirst().prefix(1000).map { String(decoding: $0.prefix(128), as: UTF8.self) } }
        switch name {
        case "UIDVALIDITY":
            // Deviation: 0, or more than 32 bits (docs/DEVIATIONS.md, "Servers"). It is only compared, so its digits will do.
            guard words.count == 2, words[1].count <= 64, words[1].allSatisfy(isDigit) else { return .uidValidity(nil) }
            let digits = words[1].drop { $0 == 0x30 }
            return .uidValidity(digits.isEmpty ? nil : String(decoding: digits, as: UTF8.self))
        case "READ-ONLY": return .readOnly
        case "READ-WRITE": return .readWrite
        case "TRYCREATE": return .tryCreate
        case "ALREADYEXISTS": return .alreadyExists
        case "PERMANENTFLAGS": return .permanentFlags(texts().map { $0.lowercased() })
        case "CAPABILITY": return .capability(texts().map { $0.uppercased() })
        default: return .other(clipped(Array(name.utf8)))
        }
    }

    // MARK: - Lists

    ///     capability-data = "CAPABILITY" *(SP capability) SP "IMAP4rev2" *(SP capability)
    ///     enable-data     = "ENABLED" *(SP capability)
    private mutating func words() -> [String] {
        let words = text[position...].split(separator: 0x20)
        position = text.count
        return words.map { String(decoding: $0.prefix(128), as: UTF8.self).uppercased() }
    }

    ///     mailbox-data = … / "SEARCH" *(SP nz-number)
    private mutating func searchResult() throws(Malformed) -> Response {
        var numbers: [UInt32] = []
        var odd: [String] = []
        while peek == 0x20 {
            position += 1
            // A space at the end is let pass, as in `end`; CONDSTORE (RFC 7162 section 3.1.5) appends "(MODSEQ n)".
            guard let byte = peek, byte != UInt8(ascii: "(") else { return .search(numbers, odd: odd) }
            let digits = try digits()
            if let number = UInt32(String(decoding: digits, as: UTF8.self)), number > 0 {
                numbers.append(number)
            } else if odd.count < IMAPLimits.maxOddNumbers {
                odd.append(clipped(digits.prefix(32)))
            } else {
                throw malformed("more than \(IMAPLimits.maxOddNumbers) numbers that no message can have")
            }
        }
        try end()
        return .search(numbers, odd: odd)
    }

    ///     esearch-response   = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
    ///     search-return-data = "ALL" SP sequence-set / …
    ///
    /// A server that knows IMAP4rev2 alone answers SEARCH so.
    private mutating func extendedSearchResult() throws(Malformed) -> Response {
        var numbers: [UInt32] = []
        var isUID = false
        while peek == 0x20 {
            position += 1
            if peek == UInt8(ascii: "(") {
                try skipValue()
                continue
            }
            let name = try word()
            if name == "UID" {
                isUID = true
                continue
            }
            try space()
            guard name == "ALL" else {
                try skipValue()
                continue
            }
            repeat {
                if peek == UInt8(ascii: ",") { position += 1 }
                let first = try number32()
                var last = first
                if peek == UInt8(ascii: ":") {
                    position += 1
                    last = try number32()
                }
                let range = min(first, last)...max(first, last)
                guard range.lowerBound > 0 else { throw malformed("a message number 0") }
                guard numbers.count + range.count <= IMAPLimits.maxExpandedMessages else {
                    throw Malformed(reason: "a list of more than \(IMAPLimits.maxExpandedMessages) messages", isTooLarge: true)
                }
                numbers += range
            } while peek == UInt8(ascii: ",")
        }
        try end()
        return isUID ? .search(numbers) : .other
    }

    ///     mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP mbox-list-extended]
    private mutating func mailboxList() throws(Malformed) -> ListedFolder {
        try byte("(")
        var attributes: [String] = []
        while let byte = peek, byte != UInt8(ascii: ")") {
            if byte == 0x20 { position += 1 }
            let start = position
            skip(0x5c)
            _ = try atom()
            attributes.append(String(decoding: text[start..<position].prefix(64), as: UTF8.self).lowercased())
        }
        try byte(")")
        try space()
        let separator = try nstring()
        guard separator.map({ $0.count == 1 }) ?? true else { throw malformed("a hierarchy separator of more than one character") }
        try space()
        return ListedFolder(attributes: attributes, separator: separator?.first, name: try astring())
    }

    ///     namespace-response = "NAMESPACE" SP namespace SP namespace SP namespace
    ///     namespace          = nil / "(" 1*namespace-descr ")"
    ///     namespace-descr    = "(" string SP (DQUOTE QUOTED-CHAR DQUOTE / nil) [namespace-response-extensions] ")"
    ///
    /// Only the first of the personal ones matters.
    private mutating func namespaces() throws(Malformed) -> ListedFolder? {
        try space()
        guard peek == UInt8(ascii: "(") else { return nil }
        try byte("(")
        try byte("(")
        guard let prefix = try nstring() else { throw malformed("a namespace without a prefix") }
        try space()
        let separator = try nstring()
        guard separator.map({ $0.count == 1 }) ?? true else { throw malformed("a hierarchy separator of more than one character") }
        return ListedFolder(attributes: [], separator: separator?.first, name: prefix)
    }

    // MARK: - FETCH

    ///     msg-att         = "(" (msg-att-dynamic / msg-att-static) *(SP (msg-att-dynamic / msg-att-static)) ")"
    ///     msg-att-static  = … / "RFC822.SIZE" SP number64 / "INTERNALDATE" SP date-time / "BODY" section ["<" number ">"] SP nstring /
    ///                       "UID" SP uniqueid
    private mutating func messageAttributes() throws(Malformed) -> FetchedMessage {
        var message = FetchedMessage()
        var uids = 0
        try byte("(")
        while true {
            let (name, section, origin) = try attributeName()
            try space()
            switch (name, section) {
            case ("UID", nil):
                let uid = try number().flatMap { UInt32(exactly: $0) }
                uids += 1
                message.uid = uid == 0 || (uids > 1 && uid != message.uid) ? nil : uid
            case ("RFC822.SIZE", nil):
                message.size = try number()
            case ("INTERNALDATE", nil):
                let start = position
                try skipValue()
                message.deliveredAt = secondsSince1970(
                    String(decoding: text[start..<position].filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self))
            case ("FLAGS", nil):
                try flags()
            // Deviation: some answer with the name that was asked for, or with the older one for the same (docs/DEVIATIONS.md, "Servers").
            case ("BODY", .some("")) where origin == nil, ("BODY.PEEK", .some("")) where origin == nil, ("RFC822", nil):
                guard !message.hasBody else { throw malformed("two bodies of one message") }
                message.hasBody = true
                message.body = try nstring()
            case ("BODY", .some("")):
                let piece = try nstring()
                message.rest = FetchedMessage.Piece(origin: origin ?? 0, count: piece?.count ?? 0)
            default:
                try skipValue()
            }
            // Deviation: QQ and an older Cyrus put a space before the closing parenthesis (github.com/jakartaee/mail-api/issues/209,
            // github.com/djc/imap-proto/issues/190).
            if peek != UInt8(ascii: ")") { try space() }
            if peek == UInt8(ascii: ")") { break }
        }
        try byte(")")
        try end()
        return message
    }

    /// `flag-list`, or flags that stand there without their parentheses.
    private mutating func flags() throws(Malformed) {
        if peek != UInt8(ascii: "("), peek != 0x5c, peek != UInt8(ascii: "$") { return try skipValue() }
        try skipValue()
        while peek == 0x20, position + 1 < text.count, text[position + 1] == 0x5c || text[position + 1] == UInt8(ascii: "$") {
            position += 1
            try skipValue()
        }
    }

    /// A name such as `RFC822.SIZE` or `BODY[HEADER.FIELDS (DATE)]<0>`, the section in the brackets and the number after them, if there are any.
    private mutating func attributeName() throws(Malformed) -> (name: String, section: String?, origin: Int?) {
        let start = position
        while let byte = peek, byte > 0x20, byte != UInt8(ascii: "["), byte != UInt8(ascii: "("), byte != UInt8(ascii: ")") {
            position += 1
        }
        guard position > start, position - start <= 64 else { throw malformed("the name of an item was expected") }
        let name = String(decoding: text[start..<position].map(upper), as: UTF8.self)
        guard peek == UInt8(ascii: "[") else { return (name, nil, nil) }
        guard let closing = text[position...].firstIndex(of: UInt8(ascii: "]")) else {
            throw malformed("a section without its closing bracket")
        }
        let section = String(decoding: text[position + 1..<closing].prefix(64), as: UTF8.self)
        position = closing + 1
        guard peek == UInt8(ascii: "<") else { return (name, section, nil) }
        let first = position + 1
        while let byte = peek, byte != 0x20 { position += 1 }
        let digits = text[min(first, position)..<position].prefix(while: isDigit)
        return (name, section, Int(String(decoding: digits, as: UTF8.self)) ?? -1)
    }

    // MARK: - Values

    private var peek: UInt8? { position < text.count ? text[position] : nil }

    private var rest: String { clipped(text[position...]) }

    private func malformed(_ reason: String) -> Malformed {
        Malformed(reason: "\(reason), at byte \(position) of: \(clipped(text.prefix(200)))")
    }

    private mutating func skip(_ byte: UInt8) {
        if peek == byte { position += 1 }
    }

    private mutating func byte(_ character: Unicode.Scalar) throws(Malformed) {
        guard peek == UInt8(ascii: character) else { throw malformed("\"\(character)\" was expected") }
        position += 1
    }

    private mutating func space() throws(Malformed) {
        guard peek == 0x20 else { throw malformed("a space was expected") }
        position += 1
    }

    private mutating func end() throws(Malformed) {
        // Deviation: Outlook ends STATUS with a space (github.com/djc/imap-proto/pull/152); other lines are read alike.
        skip(0x20)
        guard position == text.count else { throw malformed("the end of the line was expected") }
    }

    ///     tag = 1*<any ASTRING-CHAR except "+">
    private mutating func tag() throws(Malformed) -> [UInt8] {
        let start = position
        while let byte = peek, byte > 0x20, byte < 0x7f { position += 1 }
        guard position > start, position - start <= 64 else { throw malformed("a tag was expected") }
        return Array(text[start..<position])
    }

    /// A word of letters, digits and `-` in upper case.
    private mutating func word() throws(Malformed) -> String {
        let start = position
        while let byte = peek, isDigit(byte) || byte == UInt8(ascii: "-") || (upper(byte) >= 0x41 && upper(byte) <= 0x5a) { position += 1 }
        guard position > start, position - start <= 64 else { throw malformed("a word was expected") }
        return String(decoding: text[start..<position].map(upper), as: UTF8.self)
    }

    ///     number64 = 1*DIGIT ; 0 <= n <= 9,223,372,036,854,775,807
    private mutating func number64() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        let start = position
        while let byte = peek, isDigit(byte) {
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = product.addingReportingOverflow(UInt64(byte - 0x30))
            guard !overflows, !overflowsToo, sum <= UInt64(Int64.max) else { throw malformed("a number above 63 bits") }
            value = sum
            position += 1
        }
        guard position > start else { throw malformed("a number was expected") }
        return value
    }

    /// A number64, or a value that is none: nil. For numbers that one can do without.
    private mutating func number() throws(Malformed) -> UInt64? {
        let start = position
        if let byte = peek, isDigit(byte) {
            let digits = try digits()
            if peek == nil || peek == 0x20 || peek == UInt8(ascii: ")") {
                return Int64(String(decoding: digits, as: UTF8.self)).map { UInt64($0) }
            }
        }
        position = start
        try skipValue()
        return nil
    }

    private mutating func digits() throws(Malformed) -> ArraySlice<UInt8> {
        let start = position
        while let byte = peek, isDigit(byte) { position += 1 }
        guard position > start else { throw malformed("a number was expected") }
        return text[start..<position]
    }

    /// A number; the largest of 32 bits for a larger one.
    private mutating func clampedNumber() throws(Malformed) -> UInt32 {
        UInt32(String(decoding: try digits(), as: UTF8.self)) ?? UInt32.max
    }

    ///     number = 1*DIGIT ; 0 <= n < 4,294,967,296
    private mutating func number32() throws(Malformed) -> UInt32 {
        guard let number = UInt32(exactly: try number64()) else { throw malformed("a number above 32 bits") }
        return number
    }

    ///     ATOM-CHAR = <any CHAR except atom-specials>
    ///     atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
    ///
    /// `*`, `%`, `\` and brackets are let through here, because flags and sections have them.
    private mutating func atom() throws(Malformed) -> ArraySlice<UInt8> {
        let start = position
        while let byte = peek, byte > 0x20, byte != 0x7f, byte != UInt8(ascii: "("), byte != UInt8(ascii: ")"), byte != UInt8(ascii: "{"),
            byte != UInt8(ascii: "\"")
        {
            position += 1
        }
        guard position > start else { throw malformed("an atom was expected") }
        return text[start..<position]
    }

    ///     nstring = string / nil
    private mutating func nstring() throws(Malformed) -> [UInt8]? {
        if let string = try string() { return string }
        guard String(decoding: try atom(), as: UTF8.self).uppercased() == "NIL" else { throw malformed("a string or NIL was expected") }
        return nil
    }

    ///     astring = 1*ASTRING-CHAR / string
    private mutating func astring() throws(Malformed) -> [UInt8] {
        if let string = try string() { return string }
        return Array(try atom())
    }

    ///     string = quoted / literal
    ///     quoted = DQUOTE *QUOTED-CHAR DQUOTE
    ///     literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
    private mutating func string() throws(Malformed) -> [UInt8]? {
        if peek == UInt8(ascii: "~"), position + 1 < text.count, text[position + 1] == UInt8(ascii: "{") { position += 1 }
        if peek == UInt8(ascii: "{") {
            guard let newline = text[position...].firstIndex(of: 0x0a), nextLiteral < literals.count else {
                throw malformed("a literal where none may be")
            }
            position = newline + 1
            defer { nextLiteral += 1 }
            // Moved, not copied: it may be large.
            var literal: [UInt8] = []
            swap(&literal, &literals[nextLiteral])
            return literal
        }
        guard peek == UInt8(ascii: "\"") else { return nil }
        position += 1
        var result: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            position += 1
            guard byte == 0x5c else {
                guard byte != 0x0a else { throw malformed("a quoted string without its end") }
                result.append(byte)
                continue
            }
            guard let escaped = peek, escaped != 0x0a else { throw malformed("a quoted string without its end") }
            result.append(escaped)
            position += 1
        }
        guard peek != nil else { throw malformed("a quoted string without its end") }
        position += 1
        return result
    }

    /// Any value: an atom, a string, or a list of these in parentheses.
    private mutating func skipValue() throws(Malformed) {
        var depth = 0
        repeat {
            switch peek {
            case UInt8(ascii: "("):
                depth += 1
                position += 1
                guard depth <= IMAPLimits.maxDepth else {
                    throw malformed("more than \(IMAPLimits.maxDepth) parentheses around each other")
                }
            case UInt8(ascii: ")") where depth > 0:
                depth -= 1
                position += 1
            case 0x20 where depth > 0:
                position += 1
            default:
                if try string() == nil { _ = try atom() }
            }
        } while depth > 0
    }
}
