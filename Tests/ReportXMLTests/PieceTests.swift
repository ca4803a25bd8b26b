import DMARC
@testable import ReportXML
import Testing

/// A document arrives in the pieces that its container is unpacked in, so the same report comes in other pieces from a ZIP than from a gzip. If
/// anything depended on them, it would be another report: stored twice, or stored from the one and refused from the other.
@Suite("Pieces")
struct PieceTests {
    private static let sizes = [1, 2, 3, 7, 95, 96, 97, 4096]

    /// Before the root or before the declaration. Around 96 bytes the filter decides without having seen the end of a name.
    private static let prologs: [String] = {
        var list = [
            "", "<?xml version?<?xml?", "<?xml ", "<?xml " + x(200), "<?xml version=\"1.0\"" + x(90, " ") + "?>", "<!-- <feedback> -->",
        ]
        list += ["junk", x(1020) + "<", "<x:schema>", "<!", "<?", "<", "<?x " + x(400) + "?>"]
        list += ["\u{FEFF}", "\u{FEFF}" + x(2000, " "), x(1000, "\n") + "\u{FEFF}", x(1010, " "), x(3000, " ")]
        for length in [80, 86, 87, 94, 95, 200] {
            list += ["<\(x(length)):schema>", "</\(x(length)):feedback>", "<\(x(length - 9)):feedback>"]
        }
        return list
    }()

    /// In the report or behind it.
    private static let short: [String] = {
        var list = ["&amp;", "&#x10FFFF;", "&#x110000;", "&#+65;", "&am", "&", "&;", "a & b", "&amp;amp;;", "]]>", "]&#93;>", "]]&gt;"]
        list += [
            "<![CDATA[", "<![CDATA[]]>", "<![CDATA[ ]] ]]]]><![CDATA[> & <record>]]>", "<!-- -- -->", "<!--", "<!-", "<!", "<?", "</", "<",
        ]
        list += ["<a='>", "<row", "<row <row>", "<-:row>", "<1:row/>", "<row a='>'/>", "<row a=\"'>\"/>", "<row a='<'/>", "<row a=x'y>"]
        list += ["<row a a='", "</row a>", "\u{0}", "\u{1F}", "\u{E9}", "\u{FFFE}", x(250, "]") + ">"]
        for length in [84, 91, 92, 93, 94, 95, 200] {
            list += ["<\(x(length)):row/>", "<\(x(length))>", "<\(x(length))\u{1}>", "</\(x(length)):row>"]
        }
        return list
    }()

    /// About as long as `maxMarkupBytes`.
    private static let long: [String] = [4084, 4088, 4089, 4093, 4096, 5121].flatMap { (length: Int) -> [String] in
        [
            "<\(x(length))/>", "</x\(x(length, " "))>", "<x \(x(length, " "))/>", "<x a='\(x(length))'/>", "<x a='\(x(length, ">"))'/>",
            "<x a='\(x(length / 2, "\u{20AC}"))'/>", "<x>\(x(length, "\u{E9}"))</x>", "<!--\(x(length))-->", "<!--\(x(length, ">"))-->",
            "<?x \(x(length))?>", "<?x \(x(length, ">"))?>", "<![CDATA[\(x(length))]]>", "<![CDATA[\(x(length, ">"))]]>",
            "<![CDATA[\(x(length, "]"))]]>", "<![CDATA[\(x(length / 2))]]><![CDATA[\(x(length - length / 2))]]>", "&\(x(length));",
            "& \(x(length))", x(length, "&"),
        ]
    }

    private static func x(_ count: Int, _ letter: String = "x") -> String { String(repeating: letter, count: count) }

    /// In both passes: the report, or the code of its refusal.
    private func outcome(_ document: [UInt8], _ parser: ReportParser, _ size: Int) -> String {
        [ReportParser.Pass.strict, .repairing].map { pass in
            switch parser.read(document, pass, size) {
            case .success(let (report, batches)):
                "\(report.digest) \(report.header) \(report.recordCount) \(report.messageCount) \(report.deviations.codes) \(batches.count)"
            case .failure(let error): error.code.rawValue
            }
        }.joined(separator: " | ")
    }

    private func expectSame(_ document: [UInt8], _ comment: @autoclosure () -> String) {
        let parser = ReportParser()
        let whole = outcome(document, parser, max(1, document.count))
        // Byte for byte takes long.
        for size in document.count < 3000 ? Self.sizes : [97, 1023, 4096] {
            let found = outcome(document, parser, size)
            #expect(found == whole, "\(comment()), in pieces of \(size)")
        }
    }

    @Test("what stands before the report")
    func prolog() {
        let sound = Sample.whole([Sample.record()])
        for prolog in Self.prologs {
            let comment = "\(prolog.prefix(20)) of \(prolog.utf8.count) bytes"
            expectSame(Array((prolog + sound).utf8), comment)
            expectSame(Array((prolog + sound.dropFirst(39)).utf8), comment + ", and no declaration")
            expectSame(Array(prolog.utf8), comment + ", and nothing else")
        }
    }

    @Test("what stands in it and behind it")
    func inside() {
        let sound = Sample.whole([Sample.record()])
        for text in Self.short + Self.long {
            let comment = "\(text.prefix(20)) of \(text.utf8.count) bytes"
            for blanks in text.utf8.count < 300 ? [0, 299] : [11] {
                let record = Sample.record(extra: Self.x(blanks, " ") + text)
                expectSame(Array(Sample.whole([record, Sample.record()]).utf8), "\(comment) behind \(blanks) blanks")
            }
            expectSame(Array((sound + text).utf8), comment + " behind the report")
        }
    }

    @Test("how many blanks follow a cut")
    func cut() {
        // Of more than one piece for libxml2.
        let sound = Sample.whole([Sample.record(), Sample.record()]).dropLast(2)
        for blanks in [0, 1, 52, 53, 54, 55, 63, 64, 65, 127, 128, 129] {
            expectSame(Array((sound + Self.x(blanks, " ")).utf8), "\(blanks)")
        }
    }

    @Test("other encodings", arguments: ["ISO-8859-1", "windows-1252", "UTF-16LE", "UTF-16BE"])
    func encodings(encoding: String) {
        let isUTF16 = encoding.hasPrefix("UTF-16")
        func bytes(_ text: String) -> [UInt8] {
            guard isUTF16 else { return text.unicodeScalars.map { $0 == "\u{20AC}" ? 0x80 : UInt8(truncatingIfNeeded: $0.value) } }
            return ("\u{FEFF}" + text).utf16.flatMap {
                encoding.hasSuffix("LE") ? [UInt8($0 & 255), UInt8($0 >> 8)] : [UInt8($0 >> 8), UInt8($0 & 255)]
            }
        }
        func document(_ content: String) -> String {
            "<?xml version=\"1.0\" encoding=\"\(isUTF16 ? "UTF-16" : encoding)\"?>\n<feedback>\(content)</feedback>"
        }
        let header = Sample.metadata + Sample.policy
        // Without a record it is shorter than what libxml2 is given at once.
        expectSame(bytes(document(header)), "a small report")
        #expect(throws: Never.self) { try ReportParser().read(bytes(document(header))).get() }
        for text in [
            "", "\u{E9}", "\u{81}", "a & b", "]]>", "<", "<x>", "</x>", "\u{20AC}\u{20AC}", Self.x(900, "&"), Self.x(5000, "\u{20AC}"),
        ] {
            let content = document(header + Sample.record(extra: text) + Sample.record())
            expectSame(bytes(content), "\(text.prefix(20)) inside")
            expectSame(bytes(content + text), "\(text.prefix(20)) behind")
            expectSame(bytes(content) + [0x0D], "\(text.prefix(20)) and half a character")
            expectSame(bytes(content).dropLast(7) + [0x0D, 0xD8], "\(text.prefix(20)) and half a pair")
        }
        for text in ["\u{101}", "\u{10D}", "\u{D0A}", "\u{2020}", "\u{900}", "\u{9}", " ", "\r", "\r\n", "\u{1F600}"] {
            expectSame(bytes(document(header + "<x>a & b</x>") + text + " "), "\(text.unicodeScalars.map(\.value)) behind")
        }
        for length in [2040, 2048, 4093, 4096] {
            for text in [Self.x(length), Self.x(length, "\u{E9}"), Self.x(length, encoding == "ISO-8859-1" ? "\u{FF}" : "\u{20AC}")] {
                for markup in ["<x a='\(text)'/>", "<!--\(text)-->", "<![CDATA[\(text)]]>", "<x>\(text)</x>"] {
                    expectSame(bytes(document(header + markup)), "\(markup.prefix(12)) of \(markup.utf8.count)")
                }
            }
        }
    }

    /// What the filter makes of a document, and what it says about it.
    private func filtered(_ document: [UInt8], isUTF8: Bool, _ size: Int) -> (flags: [Bool], output: [UInt8]) {
        var filter = RepairFilter(isUTF8: isUTF8)
        var output: [UInt8] = []
        document.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: size) {
                filter.process(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + size)]), isLast: false, into: &output)
            }
            filter.process(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true, into: &output)
        }
        let flags = [filter.mendedMarkup, filter.mendedCharacters, filter.droppedSchema, filter.droppedJunk, filter.sawDoctype]
        return (flags, output)
    }

    @Test("the filter that mends")
    func filter() {
        let sound = Sample.whole([Sample.record()])
        let documents =
            Self.prologs.map { $0 + sound } + Self.short.map { sound.dropLast(12) + $0 } + Self.prologs + [
                "<!DOCTYPE", "<!DOCTYPE x>" + sound,
            ]
        for document in documents {
            for bytes in [
                Array(document.utf8), Array(document.utf8) + [0xE2, 0x82], Array(document.utf8.prefix(60)) + [0xFF, 0xC3, 0x41],
            ] {
                for isUTF8 in [true, false] {
                    let whole = filtered(bytes, isUTF8: isUTF8, max(1, bytes.count))
                    for size in Self.sizes {
                        let found = filtered(bytes, isUTF8: isUTF8, size)
                        #expect(
                            found.flags == whole.flags && found.output == whole.output,
                            "\(document.prefix(40)) of \(bytes.count) bytes, in pieces of \(size)")
                    }
                }
            }
        }
    }

    @Test("what libxml2 gave up is refused, not taken for a report that ends there", arguments: [1, 1024])
    func givenUp(size: Int) {
        let records = [Sample.record(), Sample.record(source: "192.0.2.2")]
        for text in ["<-:row>", "<1:row/>"] {
            let document = Sample.whole([records[0], text, records[1]]).dropLast(2)
            #expect(throws: ReportError.self, "\(text)") { try ReportParser().read(String(document), step: size).get() }
        }
        // 0x81 is no character of windows-1252.
        let legacy = Sample.whole(records).replacing("UTF-8", with: "windows-1252").dropLast(2).utf8
        for place in [400, 900, 1030, 1500] {
            let document = legacy.prefix(place) + [0x81] + legacy.dropFirst(place)
            #expect(throws: ReportError.self, "\(place)") { try ReportParser().read(Array(document), step: size).get() }
        }
    }
}
