/// One JSON object (RFC 8259): `{"schema":"dmarcstat.summary/1","period":{"since":"…","until":"…"},"rows":[…]}`.
///
/// `period` is `null` when the question has none; further members stand between `period` and `rows`; keys come in
/// the order of the columns; rates are fractions; numbers have the fewest digits that read back as the same value.
/// The text is UTF-8 without a byte order mark and ends with a line feed; each row stands on a line of its own.
public struct JSONRenderer: TableRenderer {
    private var buffer = OutputBuffer()
    private var columns: [Column] = []
    private var isFirstRow = true

    /// Makes a renderer for one answer.
    public init() {}

    /// See ``TableRenderer/begin(_:into:)``.
    public mutating func begin<Sink: ByteSink>(_ table: Table, into sink: inout Sink) throws(Sink.Failure) {
        columns = table.columns
        buffer.append("{\"schema\":")
        appendJSON("dmarcstat.\(table.name)/\(table.schemaVersion)", to: &buffer)
        buffer.append(",\"period\":")
        if let period = table.period {
            appendJSON(.object([("since", .day(period.since)), ("until", .day(period.until))]), to: &buffer)
        } else {
            buffer.append("null")
        }
        for (key, value) in table.extra {
            buffer.append(",")
            appendJSON(key, to: &buffer)
            buffer.append(":")
            appendJSON(value, to: &buffer)
        }
        buffer.append(",\"rows\":[")
        try buffer.flush(into: &sink)
    }

    /// See ``TableRenderer/row(_:into:)``.
    public mutating func row<Sink: ByteSink>(_ cells: [Cell], into sink: inout Sink) throws(Sink.Failure) {
        buffer.append(isFirstRow ? "\n" : ",\n")
        isFirstRow = false
        appendJSONRow(cells, columns: columns, to: &buffer)
        try buffer.flush(into: &sink)
    }

    /// See ``TableRenderer/end(into:)``.
    public mutating func end<Sink: ByteSink>(into sink: inout Sink) throws(Sink.Failure) {
        buffer.append(isFirstRow ? "]}\n" : "\n]}\n")
        try buffer.flush(into: &sink, always: true)
    }
}
