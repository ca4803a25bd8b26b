/// Finds what ends the process in toml++, which asserts much of its input instead of checking it: that what follows the `[` of a table can begin
/// a name, that a value begins where one belongs, that a date goes on in the form of a date.
///
/// So values are only let through in the forms that a configuration has: texts, whole numbers, true and false, arrays and tables. It follows the
/// text as TOML does (toml.io/en/v1.0.0), to know where a table and where a value begins and what is text or comment. That is exact as far as
/// the text is sound, and up to its first fault is all that matters.
struct TOMLGuard {
    /// Where it stands, counting from 1; columns are bytes.
    struct Fault: Equatable {
        var line: Int
        var column: Int
        var expected: String
    }

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var lineStart = 0
    /// The `[` and `{` that are open.
    private var open: [UInt8] = []
    /// A value comes next: after `=`, and in arrays.
    private var isBeforeValue = false

    /// The first fault of `text`; nil if it may be parsed, whatever else is wrong with it.
    static func fault(in text: String) -> Fault? {
        var reader = TOMLGuard(bytes: Array(text.utf8))
        if reader.bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            reader.position = 3
            reader.lineStart = 3
        }
        return reader.read()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(_ offset: Int = 0) -> UInt8? { position + offset < bytes.count ? bytes[position + offset] : nil }

    private func fault(_ expected: String) -> Fault { Fault(line: line, column: position - lineStart + 1, expected: expected) }

    private mutating func read() -> Fault? {
        var isLineEmpty = true
        while let next = byte() {
            switch next {
            case UInt8(ascii: "\n"):
                newLine()
                isLineEmpty = true
                if open.isEmpty { isBeforeValue = false }
                continue
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                position += 1
                continue
            case UInt8(ascii: "#"):
                while let next = byte(), next != UInt8(ascii: "\n") { position += 1 }
                continue
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                skipText(next)
                isBeforeValue = false
            case UInt8(ascii: "[") where isLineEmpty && open.isEmpty:
                guard skipToName() else { return fault("expected the name of a table after [") }
                skipName()
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                position += 1
                open.append(next)
                isBeforeValue = next == UInt8(ascii: "[")
            case UInt8(ascii: "]"),
                UInt8(ascii: "}") where !isBeforeValue:
                position += 1
                _ = open.popLast()
                isBeforeValue = false
            case UInt8(ascii: ",") where !isBeforeValue:
                position += 1
                isBeforeValue = open.last == UInt8(ascii: "[")
            case UInt8(ascii: "="):
                position += 1
                isBeforeValue = true
            default:
                guard isBeforeValue else {
                    position += 1
                    break
                }
                guard skipBareValue() else { return fault("expected a text in quotes, a whole number, true or false") }
                isBeforeValue = false
            }
            isLineEmpty = false
        }
        return nil
    }

    private mutating func newLine() {
        position += 1
        line += 1
        lineStart = position
    }

    private mutating func skipBlanks() {
        while let next = byte(), next == UInt8(ascii: " ") || next == UInt8(ascii: "\t") { position += 1 }
    }

    /// From the `[` of a table to its name; or to a `]`, of which toml++ complains itself. False: there is no name.
    private mutating func skipToName() -> Bool {
        position += 1
        skipBlanks()
        if byte() == UInt8(ascii: "[") {
            position += 1
            skipBlanks()
        }
        guard let next = byte() else { return false }
        return Self.isDigit(next) || (0x61...0x7A).contains(next | 0x20) || "_-\"']".utf8.contains(next)
    }

    private mutating func skipName() {
        while let next = byte(), next != UInt8(ascii: "]"), next != UInt8(ascii: "\n") {
            if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") { skipText(next) } else { position += 1 }
        }
    }

    /// Behind `true`, `false` or a whole number; false, and unmoved, if there is none.
    private mutating func skipBareValue() -> Bool {
        let rest = bytes[position...]
        let word = rest.prefix { !" \t\r\n,]}#".utf8.contains($0) }
        guard Self.isValue(word) else { return false }
        position += word.count
        return true
    }

    private static func isValue(_ word: ArraySlice<UInt8>) -> Bool {
        if word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8) { return true }
        func isNumber(_ digits: ArraySlice<UInt8>, _ allowed: String) -> Bool {
            !digits.isEmpty && digits.allSatisfy { allowed.utf8.contains($0) || $0 == UInt8(ascii: "_") }
        }
        switch String(decoding: word.prefix(2), as: UTF8.self) {
        case "0x": return isNumber(word.dropFirst(2), "0123456789abcdefABCDEF")
        case "0o": return isNumber(word.dropFirst(2), "01234567")
        case "0b": return isNumber(word.dropFirst(2), "01")
        default:
            let digits = word.first == UInt8(ascii: "+") || word.first == UInt8(ascii: "-") ? word.dropFirst() : word
            return digits.first.map(isDigit) == true && isNumber(digits, "0123456789")
        }
    }

    /// Behind a text that begins here, of one line or of several; a text of one line ends with it at the latest.
    private mutating func skipText(_ quote: UInt8) {
        let isLong = byte(1) == quote && byte(2) == quote
        position += isLong ? 3 : 1
        while let next = byte() {
            if next == quote, !isLong || (byte(1) == quote && byte(2) == quote) {
                position += isLong ? 3 : 1
                // Up to two more belong to a long text that ends with quotes.
                if isLong, byte() == quote { position += byte(1) == quote ? 2 : 1 }
                return
            }
            if next == UInt8(ascii: "\n") {
                guard isLong else { return }
                newLine()
            } else {
                position += next == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") && byte(1) != UInt8(ascii: "\n") ? 2 : 1
            }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
