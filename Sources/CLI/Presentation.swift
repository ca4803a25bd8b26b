import DMARC
import Rendering
import Store

/// A column of a command's answer: what it says, how it is laid out, and how its value is taken from a row.
struct Field<Row>: Sendable {
    /// How a value becomes a cell.
    typealias Value = @Sendable (Row, Presentation) -> Cell

    /// Key, title and layout, as the renderers take them.
    let column: Column
    /// What the value is, or what it counts.
    let unit: Unit
    /// What it says, in plain English, for the documentation.
    let help: String
    /// The cell of a row.
    let cell: Value

    init(_ column: Column, _ unit: Unit, _ help: String, _ cell: @escaping Value) {
        self.column = column
        self.unit = unit
        self.help = help
        self.cell = cell
    }

    /// A column that only programs see.
    static func data(_ key: String, _ unit: Unit, _ help: String, _ cell: @escaping Value) -> Field {
        Field(Column(key: key, title: key, inText: false), unit, help, cell)
    }

    /// A number, on the right.
    static func number(
        _ key: String, _ title: String, _ unit: Unit, _ help: String, priority: Int = 50, emphasis: Column.Emphasis = .plain,
        _ cell: @escaping Value
    ) -> Field {
        Field(Column(key: key, title: title, alignment: .right, priority: priority, emphasis: emphasis), unit, help, cell)
    }

    /// A day or an instant, which is useless when cut: columns on the right are never shortened.
    static func date(
        _ key: String, _ title: String, _ unit: Unit, _ help: String, priority: Int = 50, _ cell: @escaping Value
    ) -> Field {
        Field(Column(key: key, title: title, alignment: .right, priority: priority), unit, help, cell)
    }

    /// The verdict, in words with a tone. Shorter than a domain and never worth cutting.
    static func verdict(_ help: String, _ cell: @escaping Value) -> Field {
        let tones: [String: Column.Tone] = [
            Verdict.authorized.rawValue: .good, Verdict.dkimOnly.rawValue: .good, Verdict.misconfigured.rawValue: .bad,
            Verdict.unaligned.rawValue: .doubtful, Verdict.spoofed.rawValue: .bad,
        ]
        return Field(
            Column(key: "verdict", title: "Verdict", priority: 95, isIdentifier: true, emphasis: .words(tones)), .word, help, cell)
    }

    /// A text, on the left.
    static func text(
        _ key: String, _ title: String, _ unit: Unit, _ help: String, priority: Int = 50, isIdentifier: Bool = false,
        _ cell: @escaping Value
    ) -> Field {
        Field(Column(key: key, title: title, priority: priority, isIdentifier: isIdentifier), unit, help, cell)
    }
}

/// One answer on its way out: format, style and destination are decided once.
struct Presentation {
    let format: Format
    let style: TextStyle
    private let options: OutputOptions
    private let context: Context

    init(_ options: OutputOptions, _ context: Context, usually usual: Format = .table) throws(CommandError) {
        format = try options.format(usually: usual)
        style = options.style(context)
        self.options = options
        self.context = context
    }

    var isText: Bool { format == .table }

    /// A domain: readable for people, canonical for programs.
    func domain(_ name: String?) -> Cell { name.map { .text(isText ? DomainName.readable($0) : $0) } ?? .none }

    /// A text, where there is one.
    func text(_ text: String?) -> Cell { text.map { .text($0) } ?? .none }

    /// A day, where there is one.
    func day(_ day: Day?) -> Cell { day.map { .day($0.number) } ?? .none }

    /// How sure a verdict is; nothing where there is none.
    func confidence(_ conclusion: Conclusion) -> Cell { conclusion.confidence.map { .number($0) } ?? .none }

    /// A list that may be very long: as asked for, else a screenful of text and all of the data.
    func limited(_ list: ListOptions) -> ListOptions {
        var list = list
        list.limit = list.limit ?? Limit(rows: isText ? 50 : nil)
        return list
    }

    /// The line below a list that was cut. `count`: all rows, `failing`: those with failed messages; nil: nobody counted.
    func more(_ shown: Int, of count: Int, _ list: ListOptions) -> [String] {
        shown < count ? ["\(shown) of \(grouped(count, "row")); the others with --limit all."] : []
    }

    /// Between the parts of a line.
    var separator: String { style.ascii ? " - " : " · " }

    /// The line above a table: domains, days and how much is in them.
    func header(_ coverage: Coverage) -> [String] {
        guard !coverage.domains.isEmpty else { return [] }
        var parts: [String] = []
        let names = coverage.domains.prefix(1).map { DomainName.readable($0) }
        if let first = names.first { parts.append(coverage.domains.count == 1 ? first : "\(first) and \(coverage.domains.count - 1) more") }
        if let period = coverage.period { parts.append(periodPhrase(Table.Period(period))) }
        parts.append("\(grouped(coverage.messages, "message")) in \(grouped(coverage.reports, "report"))")
        return [parts.joined(separator: separator)]
    }

    /// What to say when there is no row.
    func emptyMessage(_ coverage: Coverage, _ filter: Filter, otherwise message: String) -> String {
        if coverage.isDatabaseEmpty { return "No reports yet. Next: dmarcstat ingest PATH" }
        if let reporter = coverage.unknownReporters.first { return "No reports of \(reporter). dmarcstat reports lists who sends them." }
        if coverage.domains.isEmpty {
            return "No reports about \(filter.domains.joined(separator: ", ")) or anything below. dmarcstat summary lists the domains."
        }
        if filter.onlyVerified { return "No verified reports in this period. Next: dmarcstat reports says what is known of each." }
        return message
    }

    /// A count with its unit, digits in groups.
    func grouped(_ count: Int, _ unit: String) -> String { grouped(count) + " " + unit + (count == 1 ? "" : "s") }

    /// A count, digits in groups.
    func grouped(_ count: Int) -> String {
        var digits = String(count)
        var result = ""
        while digits.count > 3 {
            result = style.thousandsSeparator + digits.suffix(3) + result
            digits.removeLast(3)
        }
        return digits + result
    }

    /// The cells of rows, sorted and cut as asked for.
    func cells<Row>(_ rows: [Row], _ fields: [Field<Row>], _ list: ListOptions? = nil) throws(CommandError) -> [[Cell]] {
        var cells = rows.map { row in fields.map { $0.cell(row, self) } }
        if let order = list?.sort {
            let columns = fields.map(\.column).filter(\.inData)
            guard let index = fields.firstIndex(where: { $0.column.key == order.key && $0.column.inData }) else {
                let keys = columns.map(\.key)
                let hint = suggestion(for: order.key, among: keys).map { " Did you mean '\($0)'?" } ?? ""
                throw .usage("--sort \(order.key): there is no such key.\(hint) The keys are \(keys.joined(separator: ", ")).")
            }
            let isDescending = order.isDescending ?? cells.contains { $0[index].isNumber }
            // Equal cells stay in the command's own order; cells without a value come last either way.
            cells = cells.enumerated().sorted { a, b in
                guard let order = a.element[index].order(b.element[index], isDescending) else { return a.offset < b.offset }
                return order
            }.map(\.element)
        }
        if let limit = list?.limit?.rows { cells = Array(cells.prefix(limit)) }
        return cells
    }

    /// Renders a table to where it belongs.
    func present(_ table: Table) throws { try present([table]) }

    /// Renders tables one below the other. Only text may have several.
    func present(_ tables: [Table]) throws {
        try send { channel throws(OutputError) in
            var sink = ChannelSink(channel: channel)
            for (number, table) in tables.enumerated() {
                if number > 0 { try channel.write([UInt8(ascii: "\n")]) }
                try render(table, as: format, style: style, into: &sink)
            }
        }
    }

    /// Hands `body` the channel of standard output or of a file that is put in its place when all is written.
    func send(_ body: (any OutputChannel) throws -> Void) throws {
        guard let path = options.output, path != "-" else {
            // A reader that went away has read enough; what comes after the answer, such as `--fail-on`, still does.
            do { return try body(context.standardOutput) } catch OutputError.closed { return }
        }
        let file = try OutputFile(path: path)
        do {
            try body(file.channel)
        } catch let error as OutputError {
            throw CommandError.output(path: path, error)
        }
        try file.keep()
    }

    /// Suggests the next command, after text on a terminal.
    func suggest(_ command: String) {
        if isText, options.isTerminal(context) { context.suggest(command) }
    }
}

extension Table.Period {
    init(_ period: Period) { self.init(since: period.since.number, until: period.until.number) }
}

extension Cell {
    fileprivate var isNumber: Bool {
        switch self {
        case .integer, .number, .rate(.some), .bar: true
        default: false
        }
    }

    private var numeric: Double? {
        switch self {
        case .integer(let value), .day(let value), .instant(let value): Double(value)
        case .number(let value), .bar(let value), .rate(let value?): value
        case .boolean(let value): value ? 1 : 0
        default: nil
        }
    }

    /// Whether this comes before `other`; nil where they are equal.
    fileprivate func order(_ other: Cell, _ isDescending: Bool) -> Bool? {
        switch (self, other) {
        case (.none, .none), (.rate(nil), .rate(nil)): return nil
        case (.none, _), (.rate(nil), _): return false
        case (_, .none), (_, .rate(nil)): return true
        case (.text(let a), .text(let b)): return a == b ? nil : (a < b) != isDescending
        default:
            guard let a = numeric, let b = other.numeric, a != b else { return nil }
            return (a < b) != isDescending
        }
    }
}
