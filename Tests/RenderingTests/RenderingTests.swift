import Foundation
import Testing

@testable import Rendering

@Suite("Text for people")
struct TextTests {
    @Test(
        "a stranger's text cannot move the cursor, hide or turn round",
        arguments: [
            ("plain", "plain"), ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"), ("a\nb\tc", "a\\u{a}b\\u{9}c"), ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            ("a\u{202e}b", "a\\u{202e}b"), ("\u{200b}\u{200d}\u{feff}", "\\u{200b}\\u{200d}\\u{feff}"), ("a\u{2028}b", "a\\u{2028}b"),
            ("\0", "\\u{0}"), ("\u{e0041}", "\\u{e0041}"), ("café 東京 ✓", "café 東京 ✓"), ("\u{301}a", "\\u{301}a"), ("\u{ad}", "\\u{ad}"),
        ])
    func safe(_ input: String, _ expected: String) { #expect(safeText(input, maxScalars: 100) == expected) }

    @Test("only four combining marks may stack")
    func combiningMarks() {
        let output = safeText("e" + String(repeating: "\u{301}", count: 50), maxScalars: .max)
        #expect(output.unicodeScalars.filter { $0 == "\u{301}" }.count == 4)
        #expect(output.contains("\\u{301}"))
    }

    @Test(
        "is clipped with a mark of omission and never inside an escape",
        arguments: [
            ("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("abcdef", 1, "…"), ("abcdef", 0, ""), ("\u{1b}\u{1b}", 7, "\\u{1b}…"),
            ("\u{1b}\u{1b}", 6, "…"), ("\u{1b}\u{1b}", 12, "\\u{1b}\\u{1b}"), ("éé", 1, "…"),
        ])
    func clip(_ input: String, _ limit: Int, _ expected: String) { #expect(safeText(input, maxScalars: limit) == expected) }

    @Test("clipping keeps to the limit for any text", arguments: 0..<400)
    func clipProperty(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let text = generator.hostileText(maxLength: 40)
        let limit = Int.random(in: 0...30, using: &generator)
        let output = safeText(text, maxScalars: limit)
        #expect(output.unicodeScalars.count <= limit)
        #expect(output.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        #expect(safeText(output, maxScalars: .max) == output, "what is safe stays as it is")
    }

    @Test(
        "width in columns",
        arguments: [
            ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("東京", 4), ("🙂", 2), ("ﾊﾝｶｸ", 4), ("Ａ", 2), ("한국", 4), ("\u{200b}", 0),
            ("–…█", 3),
            ("\u{1112}\u{1161}\u{11ab}", 2), ("Ω≈ç√", 4), ("\u{1F1F3}\u{1F1F1}", 2),
        ])
    func width(_ text: String, _ expected: Int) { #expect(displayWidth(text) == expected) }

    @Test("no control byte but the line feed leaves a renderer of text, whatever went in", arguments: 0..<200)
    func noControlBytes(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let table = hostileTable(&generator)
        for style in [TextStyle(), TextStyle(width: 30), TextStyle(width: 100, ascii: true)] {
            let output = rendered(table, as: .table, style: style)
            for scalar in output.unicodeScalars {
                let isVisible = scalar == "\n" || (scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value))
                #expect(isVisible, "U+\(String(scalar.value, radix: 16)), seed \(seed)")
                #expect(!(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value), "seed \(seed)")
                #expect(!(0x200B...0x200F).contains(scalar.value) && scalar.value != 0xFEFF, "seed \(seed)")
            }
            if style.ascii { #expect(output.utf8.allSatisfy { $0 < 0x7F }, "seed \(seed)") }
            #expect(output.split(separator: "\n", omittingEmptySubsequences: false).allSatisfy { !$0.hasSuffix(" ") }, "seed \(seed)")
        }
    }

    @Test("colour is the only escape, and without it the same text remains")
    func colorOnlyAdds() throws {
        let table = try GoldenTests.inputTable()
        let colored = rendered(table, as: .table, style: TextStyle(width: 100, color: true))
        #expect(colored.contains("\u{1b}[31m"))
        var plain = colored
        for code in ["0", "1", "31", "32", "33"] { plain = plain.replacingOccurrences(of: "\u{1b}[\(code)m", with: "") }
        #expect(plain == rendered(table, as: .table, style: TextStyle(width: 100)))
    }

    @Test("a pipe gets every character of every cell")
    func pipeIsWhole() {
        let long = String(repeating: "x", count: 5000)
        let table = Table(
            name: "t", columns: [Column(key: "a", title: "a"), Column(key: "b", title: "b")], rows: [[.text(long), .text("end")]])
        #expect(rendered(table, as: .table).contains(long + "  end"))
        #expect(!rendered(table, as: .table, style: TextStyle(width: 80)).contains(long))
    }

    @Test("without a terminal one long cell puts its own line out of place, and does not make all others as long")
    func longCell() {
        let long = String(repeating: "x", count: 50_000)
        let columns = [Column(key: "a", title: "a"), Column(key: "b", title: "b")]
        let rows: [[Cell]] = (0..<1000).map { [.text($0 == 500 ? long : "short"), .text("end")] }
        let lines = rendered(Table(name: "t", columns: columns, rows: rows), as: .table).split(separator: "\n")
        #expect(lines.count == 1002)
        #expect(lines[502] == long + "  end")
        #expect(lines[503] == "short" + String(repeating: " ", count: TextRenderer.widestFilled - 5) + "  end")
        #expect(lines.filter { $0.utf8.count > TextRenderer.widestFilled * 4 }.count == 1)
    }

    @Test("an empty answer is a sentence")
    func empty() {
        let table = Table(
            name: "t", header: ["Head"], columns: [Column(key: "a", title: "a")], footer: ["Foot"], emptyMessage: "No source failed.")
        #expect(rendered(table, as: .table) == "Head\n\nNo source failed.\n\nFoot\n")
        #expect(rendered(table, as: .csv) == "a\r\n")
        #expect(rendered(table, as: .json) == "{\"schema\":\"dmarcstat.t/1\",\"period\":null,\"rows\":[]}\n")
        #expect(rendered(table, as: .ndjson) == "")
    }

    @Test("what is left out for lack of room is named")
    func omitted() {
        let columns = [
            Column(key: "source", title: "source", priority: 1, isIdentifier: true), Column(key: "n", title: "messages", alignment: .right),
            Column(key: "m", title: "reports", alignment: .right, priority: 9),
        ]
        let table = Table(name: "t", columns: columns, rows: [[.text("198.51.100.255"), .integer(1000), .integer(2)]])
        let narrow = rendered(table, as: .table, style: TextStyle(width: 25))
        #expect(
            narrow.hasPrefix("source          messages\n──────────────  ────────\n198.51.100.255     1,000\n\nNot shown, 25 columns are\n"))
        #expect(narrow.contains(" reports. "))
        let tiny = rendered(table, as: .table, style: TextStyle(width: 3))
        #expect(tiny.hasPrefix("source\n──────────────\n198.51.100.255\n"))
    }

    @Test(
        "bars show the smallest share",
        arguments: [
            (0.0, "", ""), (0.0001, "▏", "#"), (0.5, "████", "####"), (1.0, "████████", "########"), (7, "████████", "########"),
            (0.51, "████▏", "####"), (-1, "", ""), (.nan, "", ""),
        ])
    func bars(_ fraction: Double, _ blocks: String, _ ascii: String) {
        let table = Table(name: "t", columns: [Column(key: "b", title: "b")], rows: [[.bar(fraction)]])
        #expect(rendered(table, as: .table, style: TextStyle(barWidth: 8)) == "b\n────────\n\(blocks)\n")
        #expect(rendered(table, as: .table, style: TextStyle(ascii: true, barWidth: 8)) == "b\n--------\n\(ascii)\n")
    }

    @Test(
        "percentages never round to all or nothing",
        arguments: [
            (0.0, "0.0%"), (1.0, "100.0%"), (0.9999, ">99.9%"), (0.99949, "99.9%"), (0.0004, "<0.1%"), (0.0005, "0.1%"), (0.5, "50.0%"),
            (0.123, "12.3%"), (-0.031, "-3.1%"), (1.5, "150.0%"),
        ])
    func percentages(_ fraction: Double, _ expected: String) { #expect(percentage(fraction, decimalPoint: ".") == expected) }

    @Test(
        "numbers for people",
        arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (.min, "-9,223,372,036,854,775,808")])
    func grouping(_ value: Int, _ expected: String) { #expect(groupedNumber(value, separator: ",") == expected) }

    @Test(
        "decimals for people",
        arguments: [(0.97, "0.97"), (12.5, "12.5"), (1234.0, "1,234"), (-0.004, "0"), (3.056, "3.06"), (2.05, "2.05")])
    func decimals(_ value: Double, _ expected: String) {
        #expect(shortNumber(value, separator: ",", decimalPoint: ".") == expected)
    }
}

@Suite("Days and instants")
struct CalendarTests {
    @Test("agree with Foundation from 1900 to 2100, every 97 days")
    func agreesWithFoundation() throws {
        let formatter = ISO8601DateFormatter()
        for day in stride(from: -25_567, to: 47_482, by: 97) {
            let seconds = day * 86_400 + (day &* 7919 % 86_400 + 86_400) % 86_400
            let expected = formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
            #expect(isoInstant(seconds) == expected)
            #expect(isoDay(day) == String(expected.prefix(10)))
        }
    }

    @Test(
        "edges",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, nil), (.max, nil), (.min, nil), (-62_135_596_800, "0001-01-01T00:00:00Z"), (-62_135_596_801, nil),
        ] as [(Int, String?)])
    func edges(_ seconds: Int, _ expected: String?) { #expect(isoInstant(seconds) == expected) }

    @Test(
        "a period names no more than it must",
        arguments: [
            (20_758, 20_777, "1–20 Nov 2026, UTC days"), (20_758, 20_758, "1 Nov 2026, UTC day"),
            (20_757, 20_758, "31 Oct – 1 Nov 2026, UTC days"), (20_400, 20_758, "8 Nov 2025 – 1 Nov 2026, UTC days"),
        ])
    func phrase(_ since: Int, _ until: Int, _ expected: String) { #expect(periodPhrase(.init(since: since, until: until)) == expected) }
}

@Suite("CSV")
struct CSVTests {
    @Test(
        "formulas are disarmed in text, never in numbers",
        arguments: [
            ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\tx", "'\\u{9}x"), ("\0x", "'\\u{0}x"), ("  =1", "'  =1"),
            ("\u{a0}=1", "'\u{a0}=1"), ("＝1", "'＝1"), ("＋", "'＋"), ("－", "'－"), ("＠", "'＠"), ("\n=1", "'\\u{a}=1"),
            ("\rx", "'\\u{d}x"), ("\u{200b}=1", "'\\u{200b}=1"), ("\u{202e}@a", "'\\u{202e}@a"), ("\u{ad}＝1", "'\\u{ad}＝1"),
            ("a\u{1b}[2J", "a\\u{1b}[2J"), ("a\r\nb", "a\\u{d}\\u{a}b"), ("a\u{9b}b\u{7f}", "a\\u{9b}b\\u{7f}"),
            ("a\u{e0041}", "a\\u{e0041}"), ("a\u{61c}", "a\\u{61c}"), ("東京 café 🙂", "東京 café 🙂"),
            ("a=1", "a=1"),
            ("", ""), ("a\0b", "a\\u{0}b"), ("'=1", "'=1"), ("  \0", "'  \\u{0}"),
        ])
    func formulas(_ text: String, _ expected: String) { #expect(guarded(text) == expected) }

    @Test("values of ours stay as they are")
    func numbers() {
        let cells: [Cell] = [
            .integer(-5), .rate(0.25), .rate(nil), .number(-1.5), .day(0), .instant(0), .boolean(true), .none, .list(["a", "=b"]),
        ]
        let columns = cells.indices.map { Column(key: "k\($0)", title: "") }
        let output = rendered(Table(name: "t", columns: columns, rows: [cells]), as: .csv)
        #expect(output == "k0,k1,k2,k3,k4,k5,k6,k7,k8\r\n-5,0.25,,-1.5,1970-01-01,1970-01-01T00:00:00Z,true,,a;'=b\r\n")
    }

    @Test("a row of one empty field is not an empty line")
    func emptyField() {
        let table = Table(name: "t", columns: [Column(key: "a", title: "")], rows: [[.none], [.text("")], [.text("x")]])
        #expect(rendered(table, as: .csv) == "a\r\n\"\"\r\n\"\"\r\nx\r\n")
    }

    @Test("comes back as it went in, but for the guard", arguments: 0..<300)
    func roundTrip(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let table = hostileTable(&generator)
        let records = try #require(readCSV(rendered(table, as: .csv)), "seed \(seed)")
        try #require(records.count == table.rows.count + 1)
        for (record, row) in zip(records.dropFirst(), table.rows) {
            for (field, cell) in zip(record, row) {
                guard case .text(let text) = cell else { continue }
                let visible = text.unicodeScalars.map { isDeceptive($0) ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
                #expect(Array(field.utf8) == Array(visible.utf8) || Array(field.utf8) == Array(("'" + visible).utf8), "seed \(seed)")
                let first = field.unicodeScalars.first { !($0 == " " || $0 == "\n") }
                #expect(!(first.map { "=+-@\t\r＝＋－＠".unicodeScalars.contains($0) } ?? false), "seed \(seed)")
            }
        }
    }

    @Test("Python's csv module reads the same fields", .enabled(if: python3 != nil, "python3 is not installed"), arguments: [1, 2, 3])
    func python(_ seed: Int) throws {
        let python3 = try #require(python3)
        var generator = SeededGenerator(seed: UInt64(seed))
        let columns = (0..<4).map { Column(key: "key\($0)", title: "") }
        let rows: [[Cell]] = (0..<200).map { _ in (0..<4).map { _ in .text(generator.hostileText()) } }
        let output = rendered(Table(name: "t", columns: columns, rows: rows), as: .csv)
        let file = FileManager.default.temporaryDirectory.appending(
            path: "rendering-\(ProcessInfo.processInfo.processIdentifier)-\(seed).csv")
        try Data(output.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: python3)
        process.arguments = [
            "-c", "import csv,json,sys;print(json.dumps(list(csv.reader(open(sys.argv[1],encoding='utf-8',newline=''),strict=True))))",
            file.path(percentEncoded: false),
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        defer { try? pipe.fileHandleForReading.close() }
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let read = try #require(try JSONSerialization.jsonObject(with: data) as? [[String]])
        let own = try #require(readCSV(output))
        #expect(read.count == own.count)
        for (left, right) in zip(read, own) { #expect(left.map { Array($0.utf8) } == right.map { Array($0.utf8) }, "seed \(seed)") }
    }
}

@Suite("What stands in no output")
struct ForbiddenScalarTests {
    /// Written out, and not taken from the code that is tested: C0, DEL, C1, bidi controls, zero-width and invisible characters, tags.
    static let forbidden: Set<UInt32> = Set(
        Array(0...0x1F) + Array(0x7F...0x9F) + Array(0x202A...0x202E) + Array(0x2066...0x2069) + Array(0x200B...0x200F)
            + Array(0x2028...0x2029) + [0x61C, 0xFEFF, 0xAD, 0x2060] + Array(0xE0000...0xE007F))

    @Test("each of them, at the beginning, in the middle and at the end of a text, in every format", arguments: Format.allCases)
    func each(_ format: Format) {
        let lineEnds: Set<UInt32> = format == .csv ? [0x0D, 0x0A] : [0x0A]
        for value in Self.forbidden.sorted() {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = "\(scalar)a\(scalar)b\(scalar)"
            let table = Table(
                name: "t", header: [text], columns: [Column(key: "k", title: text), Column(key: "l", title: "")],
                rows: [[.text(text), .list([text, text])]], footer: [text], extra: [(text, .object([(text, .text(text))]))])
            let lines = rendered(Table(name: "t", columns: [Column(key: "k", title: "")], rows: [[.text("x")]]), as: format)
            let output = rendered(table, as: format)
            let found = output.unicodeScalars.filter { Self.forbidden.contains($0.value) && !lineEnds.contains($0.value) }
            #expect(found.isEmpty, "U+\(String(value, radix: 16)) as \(format)")
            if format != .table {
                #expect(output.utf8.count { $0 == 0x0A } == lines.utf8.count { $0 == 0x0A }, "U+\(String(value, radix: 16))")
            }
        }
    }
}

@Suite("JSON")
struct JSONTests {
    @Test(
        "what does not show itself is escaped, beyond the basic plane as two surrogates",
        arguments: [
            ("\u{1b}\u{9b}\u{7f}", "\\u001b\\u009b\\u007f"), ("\u{61c}\u{ad}\u{feff}", "\\u061c\\u00ad\\ufeff"),
            ("\u{202e}\u{2066}\u{200b}", "\\u202e\\u2066\\u200b"), ("\u{e0041}", "\\udb40\\udc41"),
            ("東京 é 🙂 </script>", "東京 é 🙂 </script>"),
        ])
    func escapes(_ text: String, _ expected: String) { #expect(jsonText(.text(text)) == "\"\(expected)\"") }

    @Test("comes back exactly as it went in", arguments: 0..<300)
    func roundTrip(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let table = hostileTable(&generator)
        let object = try JSONDecoder().decode([String: JSONValue].self, from: Data(rendered(table, as: .json).utf8))
        #expect(object["schema"] == .text("dmarcstat.hostile/1"))
        guard case .array(let rows) = object["rows"] else {
            Issue.record("no rows, seed \(seed)")
            return
        }
        try #require(rows.count == table.rows.count)
        let lines = rendered(table, as: .ndjson).split(separator: "\n")
        #expect(lines.count == rows.count)
        for (row, cells) in zip(rows, table.rows) {
            guard case .object(let members) = row else {
                Issue.record("a row is not an object, seed \(seed)")
                continue
            }
            for (column, cell) in zip(table.columns, cells) {
                let value = try #require(members[column.key])
                #expect(value.agrees(with: cell), "\(value) for \(cell), seed \(seed)")
            }
        }
    }

    @Test(
        "numbers are the shortest that read back",
        arguments: [
            (0.1, "0.1"), (1, "1"), (1.0 / 3, "0.3333333333333333"), (.leastNonzeroMagnitude, "5e-324"), (1e300, "1e+300"), (.nan, "null"),
            (.infinity, "null"), (0, "0"),
        ])
    func numbers(_ value: Double, _ expected: String) { #expect(jsonText(.number(value)) == expected) }

    @Test("keys keep the order of the columns, bars and hidden columns stay out, further members come before the rows")
    func shape() {
        let table = Table(
            name: "ingest", schemaVersion: 2, period: .init(since: 0, until: 1),
            columns: [
                Column(key: "b", title: "b"), Column(key: "bar", title: "", inData: false), Column(key: "a", title: "a", inText: false),
            ],
            rows: [[.text("\u{2028}\"\\\u{1}\n"), .bar(1), .boolean(false)]],
            extra: [("messages", .object([("seen", .integer(1)), ("days", .array([.day(0), .instant(1)]))]))])
        #expect(
            rendered(table, as: .json)
                == "{\"schema\":\"dmarcstat.ingest/2\",\"period\":{\"since\":\"1970-01-01\",\"until\":\"1970-01-02\"},"
                + "\"messages\":{\"seen\":1,\"days\":[\"1970-01-01\",\"1970-01-01T00:00:01Z\"]},"
                + "\"rows\":[\n{\"b\":\"\\u2028\\\"\\\\\\u0001\\n\",\"a\":false}\n]}\n")
        #expect(rendered(table, as: .csv).hasPrefix("b,a\r\n"))
    }
}

@Suite("Streaming")
struct StreamingTests {
    struct Full: Error, Equatable {}

    /// Takes so many bytes and then fails, like a disk that is full or a pipe that is closed.
    struct LimitedSink: ByteSink {
        var room: Int
        var largestWrite = 0
        mutating func write(_ bytes: [UInt8]) throws(Full) {
            largestWrite = max(largestWrite, bytes.count)
            room -= bytes.count
            if room < 0 { throw Full() }
        }
    }

    static let table = Table(name: "export", columns: [Column(key: "n", title: "n"), Column(key: "t", title: "t")])
    static var rows: some Sequence<[Cell]> { (0..<60_000).lazy.map { [Cell.integer($0), .text("some text that stands for a row")] } }

    @Test("hands over pieces of bounded size", arguments: [Format.csv, .json, .ndjson])
    func pieces(_ format: Format) throws {
        var sink = LimitedSink(room: .max)
        try render(Self.table, as: format, into: &sink, rows: Self.rows)
        #expect(sink.largestWrite < 80 * 1024)
        #expect(Int.max - sink.room > 2_000_000)
    }

    @Test("stops at the first failed write, with the sink's own error", arguments: Format.allCases)
    func failure(_ format: Format) {
        var sink = LimitedSink(room: 100_000)
        #expect(throws: Full()) { try render(Self.table, as: format, into: &sink, rows: Self.rows) }
    }

    @Test(
        "format names and file extensions",
        arguments: [("csv", Format.csv), ("JSON", .json), ("jsonl", .ndjson), ("txt", .table), ("pdf", nil), ("", nil)])
    func extensions(_ name: String, _ expected: Format?) { #expect(Format(fileExtension: name) == expected) }
}

/// Rows of all kinds with text made to break renderers.
func hostileTable(_ generator: inout SeededGenerator) -> Table {
    let columns = (0..<6).map {
        Column(key: "key\($0)", title: generator.hostileText(), priority: Int.random(in: 0...9, using: &generator))
    }
    let rows: [[Cell]] = (0..<Int.random(in: 1...8, using: &generator)).map { _ in
        [
            .text(generator.hostileText()), .text(generator.hostileText(maxLength: 60)),
            .integer(Int.random(in: .min ... .max, using: &generator)),
            Bool.random(using: &generator) ? .rate(Double.random(in: 0...1, using: &generator)) : .rate(nil),
            .number(Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator)).finiteOrZero),
            .list((0..<3).map { _ in generator.hostileText(maxLength: 5) }),
        ]
    }
    return Table(
        name: "hostile", header: [generator.hostileText()], columns: columns, rows: rows, footer: [generator.hostileText(maxLength: 80)],
        emptyMessage: generator.hostileText())
}

extension Double {
    fileprivate var finiteOrZero: Double { isFinite ? self : 0 }
}

/// What a reader of JSON sees. Texts are compared byte by byte: Swift's `==` would accept another normalisation.
enum JSONValue: Decodable, Equatable {
    case null, boolean(Bool), integer(Int), number(Double), text([UInt8]), array([JSONValue]), object([String: JSONValue])

    static func text(_ text: String) -> JSONValue { .text(Array(text.utf8)) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(Array(value.utf8))
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func agrees(with cell: Cell) -> Bool {
        switch (self, cell) {
        case (.text(let bytes), .text(let text)): bytes == Array(text.utf8)
        case (.integer(let value), .integer(let expected)): value == expected
        // A reader may take a number without decimals for a whole one.
        case (.integer(let value), .rate(let expected?)), (.integer(let value), .number(let expected)): Double(value) == expected
        case (.number(let value), .rate(let expected?)), (.number(let value), .number(let expected)): value == expected
        case (.null, .rate(nil)), (.null, .none): true
        case (.array(let values), .list(let texts)):
            values.count == texts.count && zip(values, texts).allSatisfy { $0 == .text($1) }
        default: false
        }
    }
}

/// Path of a Python 3 interpreter, when there is one.
let python3: String? = ["/usr/bin/python3", "/usr/local/bin/python3"].first { FileManager.default.isExecutableFile(atPath: $0) }
