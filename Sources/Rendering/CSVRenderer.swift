/// Comma-separated values (RFC 4180): UTF-8 without a byte order mark, comma, lines ending with CR LF, a header of keys.
///
/// A field is quoted when it holds a comma or a quotation mark, or begins or ends with a blank. Text comes back exactly as it went in,
/// with two exceptions for the sake of spreadsheets and terminals (threats O1 and O2):
///
/// - Text whose first character after blanks could start a formula gets an apostrophe in front. So does each text of a
///   list, because some locales split cells at the semicolon. Numbers and dates are ours and stay as they are.
/// - What does something other than show itself (control characters, line breaks, bidi controls, invisible characters) becomes visible, as
///   `\u{1b}`. JSON has the text as it was.
public struct CSVRenderer: TableRenderer {
    private var buffer = OutputBuffer()
    private var columns: [Column] = []

    /// Makes a renderer for one answer.
    public init() {}

    /// See ``TableRenderer/begin(_:into:)``.
    public mutating func begin<Sink: ByteSink>(_ table: Table, into sink: inout Sink) throws(Sink.Failure) {
        columns = table.columns
        let keys = columns.filter(\.inData).map { csvField(guarded($0.key)) }
        buffer.append(keys.joined(separator: ",") + "\r\n")
        try buffer.flush(into: &sink)
    }

    /// See ``TableRenderer/row(_:into:)``.
    public mutating func row<Sink: ByteSink>(_ cells: [Cell], into sink: inout Sink) throws(Sink.Failure) {
        precondition(cells.count == columns.count, "a row has one cell for each column")
        let start = buffer.bytes.count
        var fields = 0
        for (cell, column) in zip(cells, columns) where column.inData {
            if fields > 0 { buffer.append(UInt8(ascii: ",")) }
            fields += 1
            buffer.append(csvField(plainText(cell)))
        }
        // An empty line would be skipped by most readers, and the row with it.
        if fields == 1, buffer.bytes.count == start { buffer.append("\"\"") }
        buffer.append("\r\n")
        try buffer.flush(into: &sink)
    }

    /// See ``TableRenderer/end(into:)``.
    public mutating func end<Sink: ByteSink>(into sink: inout Sink) throws(Sink.Failure) {
        try buffer.flush(into: &sink, always: true)
    }
}

private func plainText(_ cell: Cell) -> String {
    switch cell {
    case .text(let text): guarded(text)
    case .integer(let value): String(value)
    case .rate(let value): value.flatMap(exactNumber) ?? ""
    case .number(let value), .bar(let value): exactNumber(value) ?? ""
    case .day(let day): isoDay(day) ?? ""
    case .instant(let seconds): isoInstant(seconds) ?? ""
    case .boolean(let value): value ? "true" : "false"
    case .list(let texts): texts.map(guarded).joined(separator: ";")
    case .none: ""
    case .object, .array: jsonText(cell)
    }
}

/// The characters that make a spreadsheet calculate: `= + - @`, their full-width forms, TAB, CR, NUL (CWE-1236).
private func startsFormula(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠": true
    default: false
    }
}

func guarded(_ text: String) -> String {
    // The guard looks at the text as it came: a TAB in front is dangerous, and visible afterwards.
    let isGuarded = text.unicodeScalars.first { !isBlank($0) }.map(startsFormula) ?? false
    if !isGuarded, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
    var result = String.UnicodeScalarView()
    if isGuarded { result.append("'") }
    for scalar in text.unicodeScalars {
        if isDeceptive(scalar) { result.append(contentsOf: visible(scalar).unicodeScalars) } else { result.append(scalar) }
    }
    return String(result)
}

/// What spreadsheets skip before they look for a formula. TAB and CR are not among them: they are dangerous themselves.
private func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0A, 0x0B, 0x0C, 0x20, 0xA0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true
    // Invisible, and made visible: a reader that takes them out again must not find a formula behind them.
    case 0xAD, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
    default: false
    }
}

private func csvField(_ text: String) -> String {
    let bytes = text.utf8
    let quote = UInt8(ascii: "\"")
    let needsQuotes =
        bytes.first == 0x20 || bytes.last == 0x20 || bytes.contains { $0 == quote || $0 == UInt8(ascii: ",") }
    guard needsQuotes else { return text }
    var scalars = String.UnicodeScalarView("\"".unicodeScalars)
    for scalar in text.unicodeScalars {
        if scalar == "\"" { scalars.append(scalar) }
        scalars.append(scalar)
    }
    scalars.append("\"")
    return String(scalars)
}
