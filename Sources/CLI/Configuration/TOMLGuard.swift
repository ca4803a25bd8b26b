/// Finds what ends the process in toml++, which asserts three things of its input instead of checking them: that what follows the `[` of a table
/// can begin a name, that what follows the `[` or a comma of an array can begin a value, and that a digit follows the `T` of a date with a time.
///
/// It follows the text as TOML does (toml.io/en/v1.0.0), to know where a table may begin and what is text or comment. That is exact as far as the
/// text is sound, and up to its first fault is all that matters.
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
    /// Arrays that are open: in them `[` begins another one, also at the start of a line.
    private var depth = 0

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
        var isBeforeValue = false
        while let next = byte() {
            let wasBeforeValue = isBeforeValue
            switch next {
            case UInt8(ascii: "\n"):
                newLine()
                isLineEmpty = true
                continue
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                position += 1
                continue
            case UInt8(ascii: "#"):
                while let next = byte(), next != UInt8(ascii: "\n") { position += 1 }
                continue
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                skipText(next)
            case UInt8(ascii: "[") where isLineEmpty && depth == 0:
                guard skipToName() else { return fault("expected the name of a table after [") }
                while let next = byte(), next != UInt8(ascii: "]"), next != UInt8(ascii: "\n") {
                    if next == UInt8(ascii: "\"") || next == UInt8(ascii: "'") { skipText(next) } else { position += 1 }
                }
            case UInt8(ascii: "}") where isBeforeValue, 0x80... where isBeforeValue: return fault("expected a value")
            case UInt8(ascii: "["):
                depth += 1
                position += 1
                isBeforeValue = true
            case UInt8(ascii: ",") where depth > 0:
                position += 1
                isBeforeValue = true
            case UInt8(ascii: "]"):
                depth = max(0, depth - 1)
                position += 1
            case UInt8(ascii: "T"), UInt8(ascii: "t"):
                position += 1
                if isAfterDate, !(byte().map(Self.isDigit) ?? true) {
                    return fault("expected a time after \(Character(UnicodeScalar(next)))")
                }
            default:
                position += 1
            }
            isLineEmpty = false
            // What was expected has come.
            if wasBeforeValue, next != UInt8(ascii: "["), next != UInt8(ascii: ",") { isBeforeValue = false }
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

    /// Whether `2026-11-22` and one byte more stand before.
    private var isAfterDate: Bool {
        guard position > 10 else { return false }
        let date = bytes[(position - 11)..<(position - 1)]
        return zip(date, "dddd-dd-dd".utf8).allSatisfy { $1 == UInt8(ascii: "d") ? Self.isDigit($0) : $0 == $1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
