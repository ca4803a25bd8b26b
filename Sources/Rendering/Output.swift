/// Where rendered bytes go: a file descriptor, memory, anything that takes bytes in order.
public protocol ByteSink {
    /// What a failed write throws; `Never` for memory.
    associatedtype Failure: Error
    /// Takes all of `bytes`, or throws.
    mutating func write(_ bytes: [UInt8]) throws(Failure)
}

/// A sink that keeps everything, for tests and for small answers.
public struct MemorySink: ByteSink, Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []

    /// Makes an empty sink.
    public init() {}

    /// Appends.
    public mutating func write(_ bytes: [UInt8]) { self.bytes += bytes }

    /// The bytes as text; what the renderers write is always valid UTF-8.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Bytes gathered until writing them is worth a call.
struct OutputBuffer: Sendable {
    static let flushBytes = 64 * 1024

    var bytes: [UInt8] = []

    mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func flush<Sink: ByteSink>(into sink: inout Sink, always: Bool = false) throws(Sink.Failure) {
        guard !bytes.isEmpty, always || bytes.count >= Self.flushBytes else { return }
        try sink.write(bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}

/// The formats of DESIGN section 6. Each is one file in this folder.
public enum Format: String, CaseIterable, Sendable {
    /// Aligned text for people.
    case table
    /// RFC 4180.
    case csv
    /// One JSON object (RFC 8259).
    case json
    /// One JSON object a line, rows alone.
    case ndjson

    /// The format that a file name's extension asks for; letter case does not matter.
    public init?(fileExtension: String) {
        switch fileExtension.lowercased() {
        case "txt": self = .table
        case "csv": self = .csv
        case "json": self = .json
        case "ndjson", "jsonl": self = .ndjson
        default: return nil
        }
    }

    /// A renderer for one answer. `style` matters to text only.
    public func makeRenderer(style: TextStyle = TextStyle()) -> any TableRenderer {
        switch self {
        case .table: TextRenderer(style: style)
        case .csv: CSVRenderer()
        case .json: JSONRenderer()
        case .ndjson: NDJSONRenderer()
        }
    }
}

/// Turns a table into bytes, one row at a time, so that millions of rows need no memory.
///
/// Call `begin` once, `row` for each row, `end` once. Only text keeps the rows until `end`: it must know how wide they are.
public protocol TableRenderer: Sendable {
    /// Starts an answer. `table.rows` is not looked at.
    mutating func begin<Sink: ByteSink>(_ table: Table, into sink: inout Sink) throws(Sink.Failure)
    /// Adds one row; it has one cell for each column.
    mutating func row<Sink: ByteSink>(_ cells: [Cell], into sink: inout Sink) throws(Sink.Failure)
    /// Finishes the answer and hands over all that is left.
    mutating func end<Sink: ByteSink>(into sink: inout Sink) throws(Sink.Failure)
}

/// Renders a table with its rows.
public func render<Sink: ByteSink>(
    _ table: Table, as format: Format, style: TextStyle = TextStyle(), into sink: inout Sink
) throws(Sink.Failure) {
    var renderer = format.makeRenderer(style: style)
    try renderer.begin(table, into: &sink)
    for row in table.rows { try renderer.row(row, into: &sink) }
    try renderer.end(into: &sink)
}

/// Renders a table whose rows come from elsewhere, one at a time; `table.rows` is not looked at.
public func render<Sink: ByteSink>(
    _ table: Table, as format: Format, style: TextStyle = TextStyle(), into sink: inout Sink, rows: some Sequence<[Cell]>
) throws(Sink.Failure) {
    var renderer = format.makeRenderer(style: style)
    try renderer.begin(table, into: &sink)
    for row in rows { try renderer.row(row, into: &sink) }
    try renderer.end(into: &sink)
}

/// Renders a table with its rows into a string.
public func rendered(_ table: Table, as format: Format, style: TextStyle = TextStyle()) -> String {
    var sink = MemorySink()
    render(table, as: format, style: style, into: &sink)
    return sink.text
}
