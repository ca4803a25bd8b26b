/// One JSON object a line (RFC 8259 texts, each followed by a line feed): the rows alone, as in ``JSONRenderer``.
public struct NDJSONRenderer: TableRenderer {
    private var buffer = OutputBuffer()
    private var columns: [Column] = []

    /// Makes a renderer for one answer.
    public init() {}

    /// See ``TableRenderer/begin(_:into:)``.
    public mutating func begin<Sink: ByteSink>(_ table: Table, into sink: inout Sink) throws(Sink.Failure) {
        columns = table.columns
    }

    /// See ``TableRenderer/row(_:into:)``.
    public mutating func row<Sink: ByteSink>(_ cells: [Cell], into sink: inout Sink) throws(Sink.Failure) {
        appendJSONRow(cells, columns: columns, to: &buffer)
        buffer.append("\n")
        try buffer.flush(into: &sink)
    }

    /// See ``TableRenderer/end(into:)``.
    public mutating func end<Sink: ByteSink>(into sink: inout Sink) throws(Sink.Failure) {
        try buffer.flush(into: &sink, always: true)
    }
}
