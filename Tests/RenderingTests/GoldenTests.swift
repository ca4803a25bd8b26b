import Foundation
import Testing

@testable import Rendering

/// Golden files stand beside their input in `Golden`. `RECORD_SNAPSHOTS=1 swift test` rewrites them and fails, so that nobody
/// records without reading the difference.
@Suite("Golden tables")
struct GoldenTests {
    struct Variant: Sendable, CustomTestStringConvertible {
        let file: String
        let format: Format
        let style: TextStyle
        var testDescription: String { file }
    }

    static let variants = [
        Variant(file: "top-failures.60.txt", format: .table, style: TextStyle(width: 60)),
        Variant(file: "top-failures.80.txt", format: .table, style: TextStyle(width: 80)),
        Variant(file: "top-failures.132.txt", format: .table, style: TextStyle(width: 132)),
        Variant(file: "top-failures.pipe.txt", format: .table, style: TextStyle()),
        Variant(file: "top-failures.color.txt", format: .table, style: TextStyle(width: 132, color: true)),
        Variant(file: "top-failures.ascii.txt", format: .table, style: TextStyle(width: 132, ascii: true)),
        Variant(
            file: "top-failures.nl.txt", format: .table, style: TextStyle(width: 132, thousandsSeparator: ".", decimalPoint: ",")),
        Variant(file: "top-failures.csv", format: .csv, style: TextStyle()),
        Variant(file: "top-failures.json", format: .json, style: TextStyle()),
        Variant(file: "top-failures.ndjson", format: .ndjson, style: TextStyle()),
    ]

    @Test("is rendered as the golden file says", arguments: variants)
    func golden(_ variant: Variant) throws {
        let output = rendered(try Self.inputTable(), as: variant.format, style: variant.style)
        let file = Self.folder.appending(path: variant.file)
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] != nil {
            try Data(output.utf8).write(to: file)
            Issue.record("recorded \(variant.file); run again without RECORD_SNAPSHOTS")
            return
        }
        #expect(output == String(decoding: try Data(contentsOf: file), as: UTF8.self))
    }

    @Test("no line is wider than the terminal", arguments: 40...140)
    func fitsWidth(_ width: Int) throws {
        let output = rendered(try Self.inputTable(), as: .table, style: TextStyle(width: width))
        for line in output.split(separator: "\n") { #expect(displayWidth(String(line)) <= width, "\(line)") }
    }

    @Test("addresses and counts are whole at every width", arguments: [1, 40, 60, 80, 132])
    func identifiersAreWhole(_ width: Int) throws {
        let output = rendered(try Self.inputTable(), as: .table, style: TextStyle(width: width))
        #expect(output.contains("2001:db8:85a3:8d3:1319:8a2e:370:7348"))
    }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static func inputTable() throws -> Table {
        let text = String(decoding: try Data(contentsOf: folder.appending(path: "top-failures.input.csv")), as: UTF8.self)
        let records = try #require(readCSV(text.split(separator: "\n").joined(separator: "\r\n") + "\r\n"))
        let rows: [[Cell]] = records.dropFirst().map { record in
            let value = { (index: Int) in record[index] }
            let integer = { (index: Int) -> Cell in Int(record[index]).map { .integer($0) } ?? .none }
            let list: Cell = .list(value(9).split(separator: ";").map(String.init))
            return [
                integer(0), .text(value(1)), .text(value(2)), integer(3), integer(4), .text(value(5)),
                Double(value(6)).map { .number($0) } ?? .none, .rate(Double(value(7))), .bar(Double(value(8)) ?? 0), list,
                value(10).isEmpty ? .none : .text(value(10)), Int(value(11)).map { .day($0) } ?? .none, integer(12),
            ]
        }
        let columns = [
            Column(key: "rank", title: "#", alignment: .right, priority: 40),
            Column(key: "source", title: "source", priority: 100, isIdentifier: true),
            Column(key: "domain", title: "domain", priority: 80),
            Column(key: "messages", title: "messages", alignment: .right, priority: 70),
            Column(key: "failed", title: "failed", alignment: .right, priority: 90),
            Column(
                key: "verdict", title: "verdict", priority: 85,
                emphasis: .words(["misconfigured": .bad, "unaligned": .doubtful, "forwarded": .good])),
            Column(key: "confidence", title: "sure", alignment: .right, priority: 30),
            Column(key: "pass_rate", title: "passed", alignment: .right, priority: 60, emphasis: .goodWhenHigh),
            Column(key: "share", title: "share", priority: 10, inData: false),
            Column(key: "reasons", title: "reasons", priority: 20),
            Column(key: "service", title: "service", priority: 35),
            Column(key: "first_day", title: "first day", priority: 15, inText: false),
            Column(key: "delivered", title: "delivered", alignment: .right, priority: 25, emphasis: .badWhenPositive),
        ]
        let total: [Cell] = [
            .text("all"), .text(""), .text(""), .integer(1_343_573), .integer(1_208_810), .text(""), .text(""), .rate(0.1003), .bar(1),
            .text(""), .text(""), .text(""), .integer(1_200_002),
        ]
        let period = Table.Period(since: 20_600, until: 20_650)
        return Table(
            name: "top-failures", period: period, header: ["Sources that fail DMARC, \(periodPhrase(period)), messages by reported count"],
            columns: columns, rows: rows, total: total,
            footer: ["  Next: dmarcstat explain 192.0.2.10 shows every piece of evidence behind the first of these verdicts."],
            extra: [("domains", .array([.object([("domain", .text("example.nl")), ("policy", .none)])]))])
    }
}
