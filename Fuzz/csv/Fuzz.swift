@testable import Rendering

/// Texts → CSV → texts, read by a reader as strict as the grammar; no cell is a formula. The other formats must at least be made.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    // 0xFF, which is no UTF-8, stands between cells.
    let cells = bytes.split(separator: 0xFF, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    let columns = cells.indices.map { Column(key: "k\($0)", title: "K") }
    let table = Table(name: "fuzz", columns: columns, rows: [cells.map { .text($0) }])
    guard let records = readCSV(rendered(table, CSVRenderer())), records.count == 2 else { fatalError("no CSV") }
    require(records[1] == cells.map(guarded), "other texts came back")
    for field in records[1] {
        let first = field.unicodeScalars.first { $0 != " " }
        require(first.map { !"=+-@\t\r\0".unicodeScalars.contains($0) } ?? true, "a formula: \(field)")
    }
    sink &+= rendered(table, JSONRenderer()).utf8.count
    for scalar in safeText(cells[0], maxScalars: 500).unicodeScalars {
        require(scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value), "a control character")
    }
    return 0
}

private func rendered(_ table: Table, _ renderer: some TableRenderer) -> String {
    var renderer = renderer
    var sink = MemorySink()
    renderer.begin(table, into: &sink)
    for row in table.rows { renderer.row(row, into: &sink) }
    renderer.end(into: &sink)
    return String(decoding: sink.bytes, as: UTF8.self)
}

/// Keeps the optimiser from dropping what is made.
nonisolated(unsafe) private var sink = 0
