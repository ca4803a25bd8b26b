/// How text for people is laid out. Everything that depends on the terminal is a value in here.
public struct TextStyle: Sendable, Equatable {
    /// Columns of the terminal; `nil` when the text does not go to one: then nothing is ever shortened or left out, and a cell of more than
    /// 100 columns puts the rest of its own line out of place, not the whole table.
    public var width: Int?
    /// Whether to use colour. The text says the same without it.
    public var color: Bool
    /// Whether to write ASCII only: bars of `#`, lines of `-`, everything else made visible as `\u{…}`.
    public var ascii: Bool
    /// Between groups of three digits.
    public var thousandsSeparator: String
    /// Between a whole number and its decimals.
    public var decimalPoint: String
    /// Columns that a bar takes when there is room.
    public var barWidth: Int

    /// Makes a style; without arguments it is that of a pipe.
    public init(
        width: Int? = nil, color: Bool = false, ascii: Bool = false, thousandsSeparator: String = ",", decimalPoint: String = ".",
        barWidth: Int = 20
    ) {
        self.width = width
        self.color = color
        self.ascii = ascii
        self.thousandsSeparator = thousandsSeparator
        self.decimalPoint = decimalPoint
        self.barWidth = max(1, barWidth)
    }
}

/// Aligned text: header lines, a table, footer lines.
///
/// When the terminal is too narrow, text columns are shortened, those of the lowest priority first; when that is not enough, columns are
/// left out in the same order, and a line below says which. Keeps all rows until `end`.
public struct TextRenderer: TableRenderer {
    /// Columns of text that a cell is filled up to at most when there is no terminal. Without a bound the size of the answer is that of the
    /// widest cell times the number of rows: a stranger's one long name made a table of 9 MB into one of 760 MB.
    static let widestFilled = 100

    private let style: TextStyle
    private var table = Table(name: "", columns: [])
    private var rows: [[TextCell]] = []

    /// Makes a renderer for one answer.
    public init(style: TextStyle) { self.style = style }

    /// See ``TableRenderer/begin(_:into:)``.
    public mutating func begin<Sink: ByteSink>(_ table: Table, into sink: inout Sink) throws(Sink.Failure) { self.table = table }

    /// See ``TableRenderer/row(_:into:)``.
    public mutating func row<Sink: ByteSink>(_ cells: [Cell], into sink: inout Sink) throws(Sink.Failure) {
        rows.append(textCells(cells))
    }

    /// See ``TableRenderer/end(into:)``.
    public mutating func end<Sink: ByteSink>(into sink: inout Sink) throws(Sink.Failure) {
        var buffer = OutputBuffer()
        appendLines(table.header, to: &buffer)
        if !table.header.isEmpty { buffer.append("\n") }
        let layout = rows.isEmpty ? nil : makeLayout()
        if let layout {
            try appendTable(layout, to: &buffer, into: &sink)
        } else {
            appendLines([table.emptyMessage], to: &buffer)
        }
        let omitted = layout.map(omissionLine) ?? nil
        let footer = (omitted.map { [$0] } ?? []) + table.footer
        if !footer.isEmpty { buffer.append("\n") }
        appendLines(footer, to: &buffer)
        rows.removeAll()
        try buffer.flush(into: &sink, always: true)
    }

    // MARK: Cells

    private func textCells(_ cells: [Cell]) -> [TextCell] {
        precondition(cells.count == table.columns.count, "a row has one cell for each column")
        return zip(cells, table.columns).filter { $1.inText }.map { TextCell(text($0), tone: tone(of: $0, in: $1), fraction: fraction($0)) }
    }

    private func fraction(_ cell: Cell) -> Double? {
        guard case .bar(let value) = cell else { return nil }
        return value.isFinite ? min(1, max(0, value)) : 0
    }

    private func text(_ cell: Cell) -> String {
        switch cell {
        case .text(let text): safe(text)
        case .integer(let value): groupedNumber(value, separator: style.thousandsSeparator)
        case .rate(let value): value.flatMap { percentage($0, decimalPoint: style.decimalPoint) } ?? dash
        case .number(let value):
            shortNumber(value, separator: style.thousandsSeparator, decimalPoint: style.decimalPoint) ?? dash
        case .day(let day): isoDay(day) ?? dash
        case .instant(let seconds): isoInstant(seconds) ?? dash
        case .boolean(let value): value ? "yes" : "no"
        case .list(let texts): texts.isEmpty ? dash : texts.map(safe).joined(separator: ", ")
        case .bar: ""
        case .none: dash
        case .object, .array: safe(jsonText(cell))
        }
    }

    private var dash: String { style.ascii ? "-" : "–" }
    private var omission: String { style.ascii ? "..." : "…" }

    /// On a terminal nobody reads a thousand characters in one cell, and a stranger must not make us lay them out.
    private func safe(_ text: String) -> String {
        safeText(text, maxScalars: style.width == nil ? .max : 1024, ascii: style.ascii)
    }

    private func tone(of cell: Cell, in column: Column) -> Column.Tone? {
        switch (column.emphasis, cell) {
        case (.goodWhenHigh, .rate(let value?)): value >= 0.98 ? .good : value < 0.9 ? .bad : .doubtful
        case (.badWhenPositive, .integer(let value)): value > 0 ? .bad : nil
        case (.words(let tones), .text(let word)): tones[word]
        default: nil
        }
    }

    // MARK: Layout

    private func makeLayout() -> Layout {
        let total = table.total.map(textCells)
        let columns = table.columns.filter(\.inText)
        let sized = columns.enumerated().map { index, column in
            let title = safe(column.title)
            let cells = rows.lazy.map { $0[index] } + (total.map { [$0[index]] } ?? [])
            let isBar = cells.contains { $0.fraction != nil }
            let content = cells.reduce(0) { max($0, $1.fraction == nil ? $1.width : style.barWidth) }
            let natural = max(displayWidth(title), style.width == nil ? min(content, Self.widestFilled) : content)
            let canShrink = isBar || (!column.isIdentifier && column.alignment == .left)
            return SizedColumn(
                index: index, title: title, alignment: column.alignment, priority: column.priority, isIdentifier: column.isIdentifier,
                natural: natural, minimum: canShrink ? min(natural, max(displayWidth(title), isBar ? 6 : 10)) : natural)
        }
        return Layout(columns: sized, total: total, width: style.width)
    }

    private func omissionLine(_ layout: Layout) -> String? {
        guard !layout.omitted.isEmpty, let width = style.width else { return nil }
        let names = layout.omitted.map(\.title).joined(separator: ", ")
        return "Not shown, \(width) columns are too few: \(names). A wider terminal or --format csv has them all."
    }

    // MARK: Lines

    private func appendTable<Sink: ByteSink>(_ layout: Layout, to buffer: inout OutputBuffer, into sink: inout Sink) throws(Sink.Failure) {
        let titles = layout.columns.map { TextCell($0.title, tone: nil, fraction: nil) }
        appendRow(titles, layout, code: "1", to: &buffer)
        appendRule(layout, to: &buffer)
        for row in rows {
            appendRow(layout.columns.map { row[$0.index] }, layout, code: nil, to: &buffer)
            try buffer.flush(into: &sink)
        }
        guard let total = layout.total else { return }
        appendRule(layout, to: &buffer)
        appendRow(layout.columns.map { total[$0.index] }, layout, code: "1", to: &buffer)
    }

    private func appendRule(_ layout: Layout, to buffer: inout OutputBuffer) {
        let stroke = style.ascii ? "-" : "─"
        buffer.append(layout.columns.map { String(repeating: stroke, count: $0.width) }.joined(separator: Layout.gap) + "\n")
    }

    private func appendRow(_ cells: [TextCell], _ layout: Layout, code: String?, to buffer: inout OutputBuffer) {
        var line = ""
        for (position, (cell, column)) in zip(cells, layout.columns).enumerated() {
            let isLast = position == cells.count - 1
            let visible =
                cell.fraction.map { bar($0, width: column.width) }
                ?? (style.width == nil ? cell.text : clipped(cell.text, to: column.width, omission: omission))
            let padding = String(repeating: " ", count: max(0, column.width - displayWidth(visible)))
            if position > 0 { line += Layout.gap }
            if column.alignment == .right { line += padding }
            line += colored(visible, code ?? cell.tone.map(colorCode))
            if column.alignment == .left, !isLast { line += padding }
        }
        buffer.append(withoutTrailingBlanks(line) + "\n")
    }

    private func colored(_ text: String, _ code: String?) -> String {
        guard style.color, let code, !text.isEmpty else { return text }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    private func colorCode(_ tone: Column.Tone) -> String {
        switch tone {
        case .good: "32"
        case .doubtful: "33"
        case .bad: "31"
        }
    }

    /// A bar of eighths of a column. Something that is not nothing gets at least the thinnest stroke.
    private func bar(_ fraction: Double, width: Int) -> String {
        if style.ascii {
            let full = Int((fraction * Double(width)).rounded())
            return String(repeating: "#", count: fraction > 0 ? max(1, full) : 0)
        }
        let exact = Int((fraction * Double(width) * 8).rounded())
        let eighths = fraction > 0 ? max(1, exact) : 0
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        return String(repeating: "█", count: eighths / 8) + rest
    }

    /// Lines for people, broken at blanks to fit the terminal; continued lines keep the indentation.
    private func appendLines(_ lines: [String], to buffer: inout OutputBuffer) {
        for line in lines {
            let line = withoutTrailingBlanks(safeText(line, maxScalars: .max, ascii: style.ascii))
            guard let width = style.width, displayWidth(line) > width else {
                buffer.append(line + "\n")
                continue
            }
            let indentation = String(line.prefix { $0 == " " })
            var current = indentation
            for word in line.split(separator: " ") {
                if current.count > indentation.count, displayWidth(current) + 1 + displayWidth(String(word)) > width {
                    buffer.append(current + "\n")
                    current = indentation
                }
                current += (current.count > indentation.count ? " " : "") + word
            }
            buffer.append(current + "\n")
        }
    }
}

private func withoutTrailingBlanks(_ line: String) -> String {
    var scalars = Substring(line).unicodeScalars
    while scalars.last == " " { scalars.removeLast() }
    return String(scalars)
}

/// A cell that is ready but for its width.
private struct TextCell: Sendable {
    let text: String
    let width: Int
    let tone: Column.Tone?
    /// Set for bars, which are drawn when their width is known.
    let fraction: Double?

    init(_ text: String, tone: Column.Tone?, fraction: Double?) {
        self.text = text
        width = displayWidth(text)
        self.tone = tone
        self.fraction = fraction
    }
}

private struct SizedColumn {
    let index: Int
    let title: String
    let alignment: Column.Alignment
    let priority: Int
    let isIdentifier: Bool
    let natural: Int
    let minimum: Int
    var width = 0

    init(index: Int, title: String, alignment: Column.Alignment, priority: Int, isIdentifier: Bool, natural: Int, minimum: Int) {
        self.index = index
        self.title = title
        self.alignment = alignment
        self.priority = priority
        self.isIdentifier = isIdentifier
        self.natural = natural
        self.minimum = minimum
    }
}

/// Which columns are shown, and how wide.
private struct Layout {
    static let gap = "  "

    private(set) var columns: [SizedColumn]
    private(set) var omitted: [SizedColumn] = []
    let total: [TextCell]?

    init(columns: [SizedColumn], total: [TextCell]?, width: Int?) {
        self.columns = columns
        self.total = total
        for index in self.columns.indices { self.columns[index].width = self.columns[index].natural }
        guard let width else { return }
        while !shrink(to: width), self.columns.count > 1 { omitLeastImportant() }
        omitted.sort { $0.index < $1.index }
    }

    /// Gives every column its natural width, then takes from the least important until all fit.
    /// - Returns: whether they do.
    private mutating func shrink(to width: Int) -> Bool {
        for index in columns.indices { columns[index].width = columns[index].natural }
        var excess = columns.reduce(0) { $0 + $1.width } + Self.gap.count * (columns.count - 1) - width
        for index in leastImportantFirst where excess > 0 {
            let taken = min(excess, columns[index].width - columns[index].minimum)
            columns[index].width -= taken
            excess -= taken
        }
        return excess <= 0
    }

    private mutating func omitLeastImportant() {
        guard let index = leastImportantFirst.first else { return }
        omitted.append(columns.remove(at: index))
    }

    private var leastImportantFirst: [Int] {
        columns.indices.sorted { left, right in
            let (a, b) = (columns[left], columns[right])
            if a.isIdentifier != b.isIdentifier { return !a.isIdentifier }
            return (a.priority, right) < (b.priority, left)
        }
    }
}
