/// A cell as JSON text, for places that need one value rather than a table.
public func jsonText(_ cell: Cell) -> String {
    var buffer = OutputBuffer()
    appendJSON(cell, to: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
}

func appendJSONRow(_ cells: [Cell], columns: [Column], to buffer: inout OutputBuffer) {
    precondition(cells.count == columns.count, "a row has one cell for each column")
    buffer.append("{")
    var isFirst = true
    for (cell, column) in zip(cells, columns) where column.inData {
        if !isFirst { buffer.append(",") }
        isFirst = false
        appendJSON(column.key, to: &buffer)
        buffer.append(":")
        appendJSON(cell, to: &buffer)
    }
    buffer.append("}")
}

func appendJSON(_ cell: Cell, to buffer: inout OutputBuffer) {
    switch cell {
    case .text(let text): appendJSON(text, to: &buffer)
    case .integer(let value): buffer.append(String(value))
    case .rate(let value): buffer.append(value.flatMap(exactNumber) ?? "null")
    case .number(let value), .bar(let value): buffer.append(exactNumber(value) ?? "null")
    case .day(let day): appendJSON(isoDay(day), to: &buffer)
    case .instant(let seconds): appendJSON(isoInstant(seconds), to: &buffer)
    case .boolean(let value): buffer.append(value ? "true" : "false")
    case .list(let texts): appendJSON(.array(texts.map { .text($0) }), to: &buffer)
    case .none: buffer.append("null")
    case .object(let members):
        buffer.append("{")
        for (index, member) in members.enumerated() {
            if index > 0 { buffer.append(",") }
            appendJSON(member.0, to: &buffer)
            buffer.append(":")
            appendJSON(member.1, to: &buffer)
        }
        buffer.append("}")
    case .array(let cells):
        buffer.append("[")
        for (index, cell) in cells.enumerated() {
            if index > 0 { buffer.append(",") }
            appendJSON(cell, to: &buffer)
        }
        buffer.append("]")
    }
}

private func appendJSON(_ text: String?, to buffer: inout OutputBuffer) {
    if let text { appendJSON(text, to: &buffer) } else { buffer.append("null") }
}

/// RFC 8259 section 7. Quotation mark, reverse solidus and control characters must be escaped. Everything else that ``isDeceptive(_:)``
/// names is escaped as well, because JSON is printed on terminals and pasted into scripts; what is read back is exact in any case.
func appendJSON(_ text: String, to buffer: inout OutputBuffer) {
    buffer.append(UInt8(ascii: "\""))
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
        buffer.append(text)
    } else {
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: buffer.append("\\\"")
            case 0x5C: buffer.append("\\\\")
            case 0x08: buffer.append("\\b")
            case 0x09: buffer.append("\\t")
            case 0x0A: buffer.append("\\n")
            case 0x0C: buffer.append("\\f")
            case 0x0D: buffer.append("\\r")
            default:
                if isDeceptive(scalar) {
                    appendEscape(scalar, to: &buffer)
                } else {
                    buffer.bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                }
            }
        }
    }
    buffer.append(UInt8(ascii: "\""))
}

/// `\u001b`; beyond the basic plane as the two surrogates of UTF-16.
private func appendEscape(_ scalar: Unicode.Scalar, to buffer: inout OutputBuffer) {
    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
        let digits = String(unit, radix: 16)
        buffer.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
    }
}
