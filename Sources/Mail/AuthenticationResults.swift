/// A header field `Authentication-Results`: what a mail server found out about a message (RFC 8601 section 2.2). All text is foreign.
public struct AuthenticationResults: Sendable, Equatable {
    /// One method with its result, such as `dkim=pass header.d=example.org`.
    public struct Result: Sendable, Equatable {
        /// `dkim`, `spf`, `dmarc`, …, in lower case, without a version.
        public var method: String
        /// `pass`, `fail`, …, in lower case.
        public var result: String
        /// What it is about, such as `header.d` and `example.org`; names in lower case, values without quotes.
        public var properties: [Property]

        /// The first property of that name.
        public subscript(name: String) -> String? { properties.first { $0.name == name }?.value }
    }

    /// A property of a result; also a `reason`, and what servers write beside the grammar, such as `action=none`.
    public struct Property: Sendable, Equatable {
        /// In lower case.
        public var name: String
        /// Without quotes.
        public var value: String
    }

    /// Who says so (`authserv-id`), in lower case; "" where the field names nobody, as those of Microsoft 365 do.
    public var server: String
    /// In the order of the field; none for `none`.
    public var results: [Result]

    /// Bytes of one field that are read.
    static let maxBytes = 64 << 10
    /// Results of one field, and properties of one result.
    static let maxParts = 128

    /// Reads the value of a field, folded or not. Nil where it cannot be understood in one way only: a comment or a quotation without an end,
    /// or more than the limits. A part that is no result is passed over.
    ///
    /// The time is linear in the bytes.
    public static func parse(_ bytes: some Collection<UInt8>) -> AuthenticationResults? {
        guard bytes.count <= maxBytes else { return nil }
        var lexer = Lexer(Array(bytes))
        return read(&lexer)
    }

    private static func read(_ lexer: inout Lexer) -> AuthenticationResults? {
        // Microsoft's fields begin with a result.
        guard let first = lexer.name() else { return nil }
        var found = AuthenticationResults(server: "", results: [])
        if lexer.take(UInt8(ascii: "=")) {
            guard found.readResult(named: first, &lexer) else { return nil }
        } else {
            guard !first.isEmpty else { return nil }
            found.server = first
            // A version may follow.
            guard lexer.skipPart() else { return nil }
        }
        while lexer.take(UInt8(ascii: ";")) {
            guard let name = lexer.name() else { return nil }
            guard lexer.take(UInt8(ascii: "=")) else {
                guard lexer.skipPart() else { return nil }
                continue
            }
            guard found.readResult(named: name, &lexer) else { return nil }
        }
        return lexer.isAtEnd ? found : nil
    }

    /// What follows `method=`, up to the semicolon. False where the field cannot be understood.
    private mutating func readResult(named name: String, _ lexer: inout Lexer) -> Bool {
        guard results.count < Self.maxParts, let result = lexer.value() else { return false }
        // `dkim/1`: the version says nothing that matters here.
        let method = name.prefix { $0 != "/" }
        var found = Result(method: String(method), result: asciiLowercase(result), properties: [])
        while !lexer.isAtPartEnd {
            guard let property = lexer.name() else { return false }
            guard lexer.take(UInt8(ascii: "=")) else {
                // A word alone; what is neither word nor sign would never end.
                guard !property.isEmpty else { return false }
                continue
            }
            guard let value = lexer.value(), found.properties.count < Self.maxParts else { return false }
            found.properties.append(Property(name: property, value: value))
        }
        if !method.isEmpty, !found.result.isEmpty { results.append(found) }
        return true
    }
}

/// Words, signs, quoted strings and comments (RFC 5322 section 3.2). At rest it stands at the next thing that is neither blank nor comment.
private struct Lexer {
    private let bytes: [UInt8]
    private var position = 0
    /// A comment or a quotation has no end.
    private var isBroken = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        skipBlanks()
    }

    var isAtEnd: Bool { !isBroken && position == bytes.count }

    var isAtPartEnd: Bool { isBroken || position == bytes.count || bytes[position] == UInt8(ascii: ";") }

    mutating func take(_ byte: UInt8) -> Bool {
        guard !isBroken, position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        skipBlanks()
        return true
    }

    /// A name in lower case: `mx.example.org`, `dkim/1`, `header.d`. Blanks and comments may stand around its dots and slashes. Empty at a sign.
    mutating func name() -> String? {
        var text: [UInt8] = []
        while let piece = piece(isValue: false) {
            text += piece
            let joins = text.last.map(Self.joins) == true
            skipBlanks()
            guard joins || (position < bytes.count && Self.joins(bytes[position])) else { break }
        }
        return isBroken ? nil : asciiLowercase(String(decoding: text, as: UTF8.self))
    }

    /// A value: `example.org`, `@example.org`, `"john doe"@example.org`, `prvs=1a2b=john@example.org`. Empty at a semicolon.
    mutating func value() -> String? {
        let text = piece(isValue: true) ?? []
        skipBlanks()
        return isBroken ? nil : String(decoding: text, as: UTF8.self)
    }

    /// Goes on to the next semicolon. False where the field cannot be understood.
    mutating func skipPart() -> Bool {
        while !isAtPartEnd {
            if !take(UInt8(ascii: "=")), piece(isValue: true) == nil { return false }
            skipBlanks()
        }
        return !isBroken
    }

    private static func joins(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/") }

    /// Bytes up to a blank, a comment, a semicolon or, in a name, an equals sign; quoted strings are taken whole. Nil if there are none.
    private mutating func piece(isValue: Bool) -> [UInt8]? {
        var text: [UInt8] = []
        let start = position
        while !isBroken, position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0d, 0x0a, UInt8(ascii: ";"), UInt8(ascii: "("):
                return position > start ? text : nil
            case UInt8(ascii: "=") where !isValue:
                return position > start ? text : nil
            case UInt8(ascii: "\""):
                quoted(&text)
            case let byte:
                text.append(byte)
                position += 1
            }
        }
        return position > start ? text : nil
    }

    private mutating func quoted(_ text: inout [UInt8]) {
        position += 1
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\") where position + 1 < bytes.count:
                text.append(bytes[position + 1])
                position += 2
            case 0x0d, 0x0a:
                position += 1
            case let byte:
                text.append(byte)
                position += 1
            }
        }
        isBroken = true
    }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0d, 0x0a: position += 1
            case UInt8(ascii: "("): skipComment()
            default: return
            }
        }
    }

    /// Comments may hold comments.
    private mutating func skipComment() {
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= 1
            case UInt8(ascii: "\\"): position += 1
            default: break
            }
            position += 1
            if depth == 0 { return }
        }
        position = bytes.count
        isBroken = true
    }
}

/// ASCII letters in lower case, all else as it is: what compares names of servers must not depend on tables of Unicode.
func asciiLowercase(_ text: String) -> String {
    String(decoding: text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
}
