/// Mends the ways in which reports are not well-formed, on their way into the second pass: a raw `<`, `&` or `]]>` in a text, bytes that are not
/// UTF-8, characters that XML forbids, and whatever stands before the root.
///
/// Only names of the vocabulary are taken for tags; every other `<` is text. It works on pieces of any size and holds back less than
/// `longestHeld` bytes.
struct RepairFilter {
    /// A tag's name, an entity or a character is decided within this many bytes from where it begins. Nobody looks further, even where more is
    /// held: what comes out must not depend on the pieces that the document arrives in.
    private static let longestHeld = 96

    /// What was mended: raw markup, characters, the prolog.
    private(set) var mendedMarkup = false
    private(set) var mendedCharacters = false
    private(set) var droppedSchema = false
    private(set) var droppedJunk = false
    private(set) var sawDoctype = false

    /// Bytes are passed as they are above 0x7F when the document declares another encoding than UTF-8.
    private let isUTF8: Bool
    private let names: Set<[UInt8]>
    private var held: [UInt8] = []
    private var inRoot = false
    private var inDeclaration = false
    private var inTag = false
    private var inCDATA = false

    init(isUTF8: Bool) {
        self.isUTF8 = isUTF8
        names = Set(Vocabulary.names.dropFirst().map { Array($0.utf8) })
    }

    /// Appends the mended form of `bytes` to `output`.
    mutating func process(_ bytes: UnsafeRawBufferPointer, isLast: Bool, into output: inout [UInt8]) {
        held.append(contentsOf: bytes)
        var index = 0
        while index < held.count {
            let left = held.count - index
            if !isLast, left < Self.longestHeld { break }
            index += step(at: index, into: &output)
        }
        held.removeFirst(index)
    }

    /// Handles what begins at `index`; returns how many bytes it took.
    private mutating func step(at index: Int, into output: inout [UInt8]) -> Int {
        let byte = held[index]
        guard inRoot else { return skipProlog(at: index, into: &output) }
        if inCDATA {
            if starts(with: "]]>", at: index) {
                output.append(contentsOf: held[index..<index + 3])
                inCDATA = false
                return 3
            }
            return character(at: index, into: &output)
        }
        if inTag {
            if byte == UInt8(ascii: ">") { inTag = false }
            if byte == UInt8(ascii: "<") {
                output.append(contentsOf: Array("&lt;".utf8))
                mendedMarkup = true
                return 1
            }
            return character(at: index, into: &output)
        }
        switch byte {
        case UInt8(ascii: "<"):
            if starts(with: "<![CDATA[", at: index) {
                output.append(contentsOf: held[index..<index + 9])
                inCDATA = true
                return 9
            }
            if starts(with: "<!--", at: index) || starts(with: "<?", at: index) {
                inTag = true
                output.append(byte)
                return 1
            }
            if isTag(at: index) {
                inTag = true
                output.append(byte)
                return 1
            }
            output.append(contentsOf: Array("&lt;".utf8))
            mendedMarkup = true
            return 1
        case UInt8(ascii: "&"):
            if isReference(at: index) {
                output.append(byte)
            } else {
                output.append(contentsOf: Array("&amp;".utf8))
                mendedMarkup = true
            }
            return 1
        case UInt8(ascii: "]") where starts(with: "]]>", at: index):
            // libxml2 would drop some of it, and how much depends on the pieces: the digest would, too.
            output.append(contentsOf: Array("]]&gt;".utf8))
            mendedMarkup = true
            return 3
        default:
            return character(at: index, into: &output)
        }
    }

    /// Drops what stands before `<feedback`, but for the XML declaration, which the parser has had already. A declaration ends with `>`, and before
    /// the next `<` at the latest.
    private mutating func skipProlog(at index: Int, into output: inout [UInt8]) -> Int {
        if held[index] == UInt8(ascii: "<") {
            inDeclaration = starts(with: "<?xml", at: index)
            if inDeclaration { return 1 }
            if isTag(at: index), localName(at: index + 1, of: index) == Array("feedback".utf8) {
                inRoot = true
                inTag = true
                output.append(held[index])
                return 1
            }
            if starts(with: "<!DOCTYPE", at: index) { sawDoctype = true }
            if index + 4 < held.count, held[index + 1] != UInt8(ascii: "!"), held[index + 1] != UInt8(ascii: "?") { droppedSchema = true }
            return 1
        }
        if inDeclaration {
            inDeclaration = held[index] != UInt8(ascii: ">")
            return 1
        }
        if !isBlank(held[index]), held[index] < 0x80, !droppedSchema { droppedJunk = true }
        return 1
    }

    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private func starts(with text: StaticString, at index: Int) -> Bool {
        guard index + text.utf8CodeUnitCount <= held.count else { return false }
        return text.withUTF8Buffer { zip($0, held[index...]).allSatisfy { $0 == $1 } }
    }

    /// A start or end tag whose name, prefix aside, is in the vocabulary.
    private func isTag(at index: Int) -> Bool {
        var start = index + 1
        if start < held.count, held[start] == UInt8(ascii: "/") { start += 1 }
        guard let name = localName(at: start, of: index) else { return false }
        return names.contains(name)
    }

    /// The local name that begins at `start`, in the tag that begins at `index`, if a tag can go on after it.
    private func localName(at start: Int, of index: Int) -> [UInt8]? {
        let window = index + Self.longestHeld
        var end = start
        while end < min(held.count, window), isNameByte(held[end]) { end += 1 }
        guard end > start, end < window else { return nil }
        // A document may end within a tag.
        if end < held.count {
            guard isBlank(held[end]) || held[end] == UInt8(ascii: ">") || held[end] == UInt8(ascii: "/") else { return nil }
        }
        let name = held[start..<end]
        if let colon = name.lastIndex(of: UInt8(ascii: ":")) { return Array(name[(colon + 1)...]) }
        return Array(name)
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"): true
        default: false
        }
    }

    /// One of XML's five entities or a character reference.
    private func isReference(at index: Int) -> Bool {
        guard let end = held[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { return false }
        let body = String(decoding: held[(index + 1)..<end], as: UTF8.self)
        if ["amp", "lt", "gt", "quot", "apos"].contains(body) { return true }
        guard body.hasPrefix("#") else { return false }
        // `+` is a part of a number for Swift, for XML it is not.
        let number = body.hasPrefix("#x") ? UInt32(body.dropFirst(2), radix: 16) : UInt32(body.dropFirst())
        guard let number, !body.contains("+") else { return false }
        return [0x9, 0xA, 0xD].contains(number) || (0x20...0xD7FF).contains(number) || (0xE000...0xFFFD).contains(number)
            || (0x10000...0x10FFFF).contains(number)
    }

    /// Passes one character, or U+FFFD for what is none.
    private mutating func character(at index: Int, into output: inout [UInt8]) -> Int {
        let byte = held[index]
        if byte < 0x80 {
            if byte >= 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
                output.append(byte)
            } else {
                replace(into: &output)
            }
            return 1
        }
        guard isUTF8 else {
            output.append(byte)
            return 1
        }
        var iterator = held[index..<min(held.count, index + 4)].makeIterator()
        var decoder = UTF8()
        if case .scalarValue(let scalar) = decoder.decode(&iterator), !(0xFFFE...0xFFFF).contains(scalar.value) {
            let length = scalar.utf8.count
            output.append(contentsOf: held[index..<index + length])
            return length
        }
        replace(into: &output)
        return 1
    }

    private mutating func replace(into output: inout [UInt8]) {
        output.append(contentsOf: [0xEF, 0xBF, 0xBD])
        mendedCharacters = true
    }
}
