import DMARC
import Foundation
@testable import ReportXML
import Testing

/// Text for tests: a small sound report.
enum Sample {
    static func record(source: String = "192.0.2.1", count: String = "1", dkim: String = "pass", extra: String = "") -> String {
        """
        <record><row><source_ip>\(source)</source_ip><count>\(count)</count><policy_evaluated><disposition>none</disposition>\
        <dkim>\(dkim)</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>example.nl</header_from></identifiers>\
        <auth_results><dkim><domain>example.nl</domain><selector>s</selector><result>\(dkim)</result></dkim>\
        <spf><domain>example.nl</domain><scope>mfrom</scope><result>fail</result></spf></auth_results>\(extra)</record>
        """
    }

    static let metadata = """
        <report_metadata><org_name>Reporter</org_name><email>a@reporter.example</email><report_id>1</report_id>\
        <date_range><begin>1782777600</begin><end>1782863999</end></date_range></report_metadata>
        """
    static let policy = """
        <policy_published><domain>example.nl</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
        """

    static func report(_ content: String) -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n<version>1.0</version>\(content)</feedback>\n"
    }

    static func whole(_ records: [String]) -> String { report(metadata + policy + records.joined(separator: "\n")) }

    /// After every window in these tests.
    static let now = 1_795_219_200
}

extension ReportParser {
    /// Reads a document in pieces of `step` bytes, with a second pass where that may help.
    func read(_ document: [UInt8], step: Int = 65536, limits: XMLLimits = XMLLimits()) -> Result<(ParsedReport, [RecordBatch]), ReportError>
    {
        let first = read(document, .strict, step)
        guard case .failure(let error) = first, error.isRepairable else { return first }
        let second = read(document, .repairing, step)
        if case .failure(let again) = second, again.code == .malformed { return first }
        return second
    }

    func read(_ document: [UInt8], _ pass: Pass, _ step: Int, isSame: Bool = false) -> Result<(ParsedReport, [RecordBatch]), ReportError> {
        begin(pass, now: Sample.now, isSame: isSame)
        var batches: [RecordBatch] = []
        document.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let end = min(bytes.count, offset + step)
                guard parse(UnsafeRawBufferPointer(rebasing: bytes[offset..<end])) else { break }
                batches += takeBatches()
                offset = end
            }
        }
        do throws(ReportError) {
            let report = try finish()
            return .success((report, batches + takeBatches()))
        } catch {
            return .failure(error)
        }
    }

    func read(_ text: String, step: Int = 65536) -> Result<(ParsedReport, [RecordBatch]), ReportError> {
        read(Array(text.utf8), step: step)
    }
}

@Suite("Parser")
struct ParserTests {
    @Test("reads the same from pieces of any size", arguments: [1, 2, 3, 7, 64, 1023, 1024, 1025, 100_000])
    func pieces(step: Int) throws {
        let text = Sample.whole((0..<40).map { Sample.record(source: "192.0.2.\($0)", count: "\($0)") })
        let (report, batches) = try ReportParser().read(text, step: step).get()
        #expect(report.recordCount == 40)
        #expect(report.messageCount == 780)
        #expect(batches.flatMap(\.records).map(\.messages) == (0..<40).map { UInt32($0) })
        #expect(report.digest == (try ReportParser().read(text).get().0.digest))
    }

    @Test("a cut report never yields a count that differs from the whole")
    func cuts() throws {
        let parser = ReportParser()
        let whole = Array(Sample.whole([Sample.record(), Sample.record(count: "2"), Sample.record(count: "4")]).utf8)
        var accepted = 0
        for length in 0..<whole.count {
            guard case .success(let (report, _)) = parser.read(Array(whole[..<length])) else { continue }
            accepted += 1
            #expect(report.messageCount == 7, "cut after \(length) of \(whole.count) bytes")
            #expect(report.deviations.contains(.closingTagCut) || length >= whole.count - 1)
        }
        // `</` to `</feedback`, and the whole without its last line end.
        #expect(accepted == 10)
    }

    @Test(
        "a closing tag that closes nothing is not mended: it would end a record or the report early",
        arguments: ["</record>", "</row>", "</feedback1>", "</x>", "</a></b></c></d>", "<row></record></row>", "<x><y></x>"])
    func strayClosingTags(stray: String) {
        let records = [Sample.record(), Sample.record(count: "2"), Sample.record(count: "4")]
        // The first makes a second pass necessary, in any case.
        for fault in ["", "<x>a & b</x>", "<x>\u{1}</x>"] {
            for place in 0...3 {
                let document = Sample.whole(Array(records[..<place]) + [fault + stray] + Array(records[place...]))
                guard case .success(let (report, _)) = ReportParser().read(document) else { continue }
                #expect(report.messageCount == 7, "\(fault)\(stray) before record \(place)")
            }
            let inside = Sample.whole([Sample.record(), Sample.record(count: "2", extra: fault + stray), Sample.record(count: "4")])
            if case .success(let (report, _)) = ReportParser().read(inside) {
                #expect(report.messageCount == 7, "\(fault)\(stray) in a record")
            }
        }
    }

    @Test("]]> in a text is text, in pieces of any size", arguments: ["]]>", "a]]>b", "]]]>", "]>]]", "]]>]]>", "]]&gt;"])
    func endOfCDATA(text: String) throws {
        let fill = String(repeating: "x", count: 1000)
        let human = "<human_result>\(fill)\(text)\(fill)</human_result>"
        let document = Sample.whole([Sample.record().replacing("<result>pass</result>", with: "<result>pass</result>" + human)])
        let expected = fill + text.replacing("&gt;", with: ">") + fill
        var digests: Set<ContentDigest> = []
        for step in [1, 2, 3, 7, 64, 500, 1023, 1024, 100_000] {
            let (report, batches) = try ReportParser().read(document, step: step).get()
            #expect(batches.first?.authentications.first?.dkim.first?.humanResult == expected)
            digests.insert(report.digest)
        }
        #expect(digests.count == 1)
    }

    @Test(
        "what stands behind the report is noted alike, whatever pieces it arrives in",
        arguments: ["", " \n", "<!-- x -->", "x", "<x>", "\n</feedback>", "&", "<?x y?>", "<feedback/>"])
    func behindTheRoot(rest: String) throws {
        for fault in ["", "<x>a & b</x>"] {
            let document = Sample.whole([Sample.record(extra: fault)]).dropLast() + rest
            let found = try [1, 2, 3, 7, 64, 500, 1023, 1024, 100_000].map { try ReportParser().read(String(document), step: $0).get().0 }
            #expect(found.allSatisfy { $0 == found[0] }, "\(Set(found.map(\.deviations.codes)))")
            #expect(found[0].deviations.contains(.trailingContent) == rest.utf8.contains { $0 > 0x20 })
            #expect(!found[0].deviations.contains(.repaired))
        }
    }

    @Test("a report whose middle is gone has no record; anything that begins behind the gap may be lost", arguments: [1, 3, 1024])
    func middleIsGone(piece: Int) throws {
        let whole = Sample.whole([Sample.record()])
        let gap = try #require(whole.range(of: "</policy_published>")?.lowerBound)
        let rest = "<result>pass</result></spf></auth_results></record>"
        let (report, _) = try ReportParser().read(String(whole[..<gap]) + rest + "</feedback>", step: piece).get()
        #expect(report.recordCount == 0)
        #expect(report.deviations.contains(.repaired) && report.deviations.contains(.noRecords))
        for more in [Sample.record(), "</row>\n<row><count>1</count></row>", "<record>"] {
            let document = String(whole[..<gap]) + rest + more + "</feedback>"
            #expect(throws: ReportError.self, "\(more)") { _ = try ReportParser().read(document, step: piece).get() }
        }
    }

    @Test("a comment is too long or not, whatever pieces it arrives in", arguments: [1, 100, 1000, 65536])
    func longComments(step: Int) throws {
        for blanks in [0, 1, 900] {
            for (length, isAllowed) in [(4089, true), (4090, false), (4500, false), (5200, false)] {
                let comment = String(repeating: " ", count: blanks) + "<!--" + String(repeating: "c", count: length) + "-->"
                let result = ReportParser().read(Sample.whole([comment + Sample.record()]), step: step)
                let code = if case .failure(let error) = result { Optional(error.code) } else { ReportError.Code?.none }
                #expect(code == (isAllowed ? nil : .markupTooLong), "\(length) bytes behind \(blanks) blanks")
            }
        }
    }

    @Test("a missing tag never costs a record", arguments: ["<row>", "</row>", "<record>", "</record>", "<auth_results>", "</dkim>"])
    func missingTags(tag: String) {
        let whole = Sample.record(count: "2")
        for number in 1...2 {
            var parts = whole.components(separatedBy: tag)
            guard parts.count > number else { continue }
            parts[number - 1] += parts.remove(at: number)
            let document = Sample.whole([Sample.record(), parts.joined(separator: tag), Sample.record(count: "4")])
            guard case .success(let (report, _)) = ReportParser().read(document) else { continue }
            #expect(report.messageCount == 7, "without \(tag)")
        }
    }

    @Test("batches are self-contained and lose nothing")
    func batches() throws {
        var limits = XMLLimits()
        limits.recordsPerBatch = 10
        let parser = ReportParser(limits: limits)
        let text = Sample.whole((0..<95).map { Sample.record(source: "2001:db8::\($0)", extra: "") })
        let (report, batches) = try parser.read(text, step: 100).get()
        #expect(batches.map(\.records.count) == Array(repeating: 10, count: 9) + [5])
        #expect(report.recordCount == 95)
        for batch in batches {
            for record in batch.records {
                #expect(batch.names[Int(record.headerFrom)] == "example.nl")
                #expect(batch.authentications[Int(record.authentication)].dkim.first?.selector == "s")
            }
        }
        #expect(report.digest == (try ReportParser().read(text).get().0.digest))
    }

    @Test("the order of records does not change the digest, their content does")
    func digest() throws {
        let parser = ReportParser()
        let a = Sample.record(source: "192.0.2.1")
        let b = Sample.record(source: "192.0.2.2")
        func digest(_ records: [String]) throws -> ContentDigest { try parser.read(Sample.whole(records)).get().0.digest }
        #expect(try digest([a, b]) == digest([b, a]))
        #expect(try digest([a, b]) != digest([a, a]))
        #expect(try digest([a, b]) != digest([a]))
        #expect(try digest([a]) != digest([Sample.record(source: "192.0.2.1", count: "2")]))
    }

    @Test("one bad record does not lose the others")
    func badRecords() throws {
        let records = [
            Sample.record(), Sample.record(source: "not an address"), Sample.record(count: "-3"), Sample.record(count: "1e3"),
            Sample.record(count: "99999999999999999999999999"), Sample.record(count: "1000000001"), Sample.record(count: " 5 "),
            Sample.record(count: "\u{665}"), Sample.record(count: "1000000000"), Sample.record(source: "192.0.2.7/32"),
        ]
        let (report, _) = try ReportParser().read(Sample.whole(records)).get()
        #expect(report.refusedRecords == [.badSourceAddress: 1, .countOutOfRange: 5])
        #expect(report.recordCount == 4)
        #expect(report.messageCount == 1_000_000_007)
    }

    @Test("never invents a pass")
    func noInventedPass() throws {
        for word in ["", "none", "softfail", "passed", "pas", "neutral", "true", "1"] {
            let (report, batches) = try ReportParser().read(Sample.whole([Sample.record(dkim: word)])).get()
            #expect(batches.first?.records.first?.dkim == .fail, "\(word)")
            #expect(report.deviations.contains(word.isEmpty ? .noEvaluatedResult : .oddEvaluatedResult), "\(word)")
        }
        let (_, batches) = try ReportParser().read(Sample.whole([Sample.record(dkim: "PASS")])).get()
        #expect(batches.first?.records.first?.dkim == .pass)
    }

    @Test("a raw & far from any semicolon is mended in a report of any size")
    func rawAmpersand() throws {
        let metadata = Sample.metadata.replacing("<org_name>Reporter</org_name>", with: "<org_name>A & B</org_name>")
        let text = Sample.report(metadata + Sample.policy + (0..<50).map { _ in Sample.record() }.joined())
        let (report, _) = try ReportParser().read(text, step: 1000).get()
        #expect(report.header.reporter == "A & B")
        #expect(report.recordCount == 50)
        #expect(report.deviations.contains(.rawMarkupInText))
    }

    @Test("the parser is as good after a broken document as before")
    func reuse() throws {
        let parser = ReportParser()
        let sound = Sample.whole([Sample.record()])
        let expected = try parser.read(sound).get().0
        for broken in ["<feedback><record>", "", "<!DOCTYPE x>", "\0\0", "<a", sound + "<feedback>", "<feedback a='1' a='2'>"] {
            _ = parser.read(broken)
            #expect(try parser.read(sound).get().0 == expected)
        }
        for _ in 0..<2500 { #expect(try parser.read(sound).get().0.digest == expected.digest) }
    }
}

@Suite("Limits of a document")
struct LimitTests {
    private func code(_ text: String, limits: XMLLimits = XMLLimits()) -> ReportError.Code? {
        if case .failure(let error) = ReportParser(limits: limits).read(text) { return error.code }
        return nil
    }

    @Test("attributes, names, comments, sections and instructions without an end are stopped early")
    func floods() {
        let many = (0..<100_000).map { "a\($0)=\"1\"" }.joined(separator: " ")
        let spaces = (0..<100_000).map { "xmlns:a\($0)=\"u\"" }.joined(separator: " ")
        let long = String(repeating: "x", count: 100_000)
        for flood in [
            "<f \(many)/>", "<f \(spaces)/>", "<\(long)/>", "<f a=\"\(long)\"/>", "<!--\(long)-->", "<?p \(long)?>", "<![CDATA[\(long)",
        ] {
            #expect(code(Sample.report(Sample.metadata + flood)) == .markupTooLong, "\(flood.prefix(20))")
        }
        let some = (0..<33).map { "a\($0)=\"1\"" }.joined(separator: " ")
        #expect(code(Sample.report("<f \(some)/>")) == .tooManyAttributes)
    }

    @Test("blanks before the declaration are no flood")
    func blanks() throws {
        let text = String(repeating: "\n", count: 100_000) + Sample.whole([Sample.record()])
        let (report, _) = try ReportParser().read(text).get()
        #expect(report.deviations.contains(.looseProlog))
    }

    @Test("depth and text are bounded")
    func depthAndText() throws {
        #expect(
            code(
                Sample.report(String(repeating: "<x>", count: 31) + String(repeating: "</x>", count: 31) + Sample.metadata + Sample.policy))
                == nil)
        #expect(code(Sample.report(String(repeating: "<x>", count: 32))) == .tooDeep)
        #expect(code(Sample.report(String(repeating: "<x>", count: 100_000))) == .tooDeep)
        let long = String(repeating: "long ", count: 20_000)
        #expect(code(Sample.report("<report_metadata><org_name>\(long)")) == .textTooLong)
        #expect(code(Sample.report("<report_metadata><extra_contact_info>\(long)")) == .textTooLong)
        #expect(code(Sample.report("<unknown>\(long)")) == .textTooLong)
        let clipped = Sample.metadata.replacing(
            "<report_id>", with: "<extra_contact_info>\(long.prefix(5000))</extra_contact_info><report_id>")
        let (report, _) = try ReportParser().read(Sample.report(clipped + Sample.policy)).get()
        #expect(report.header.contactInfo?.utf8.count ?? 0 <= 4096)
        #expect(report.deviations.contains(.textClipped))
    }

    @Test("a document type declaration is final, whatever stands before it")
    func doctype() {
        let entities = "<!DOCTYPE feedback [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b SYSTEM \"file:///etc/passwd\">]>"
        for prolog in ["<?xml version=\"1.0\"?>\n", "", "junk ", "<x:schema>", "\u{FEFF}"] {
            let text = prolog + entities + "<feedback>&a;&b;" + Sample.metadata + Sample.policy + "</feedback>"
            #expect(code(text) == .doctype, "\(prolog)")
        }
        #expect(code("<!DOCTYPE html><html></html>") == .doctype)
    }

    @Test("records are counted")
    func records() {
        var limits = XMLLimits()
        limits.maxRecords = 3
        #expect(code(Sample.whole(Array(repeating: Sample.record(), count: 3)), limits: limits) == nil)
        #expect(code(Sample.whole(Array(repeating: Sample.record(), count: 4)), limits: limits) == .tooManyRecords)
    }

    @Test("time is that of one document over its passes, and small ones are not timed")
    func time() {
        var limits = XMLLimits()
        limits.maxMilliseconds = 0
        let parser = ReportParser(limits: limits)
        let small = Array(Sample.whole([Sample.record()]).utf8)
        let large = Array(Sample.whole(Array(repeating: Sample.record(), count: 400)).utf8)
        func code(_ document: [UInt8], isSame: Bool = false) -> ReportError.Code? {
            guard case .failure(let error) = parser.read(document, .strict, 16_384, isSame: isSame) else { return nil }
            return error.code
        }
        for _ in 0..<200 { #expect(code(small) == nil) }
        #expect(large.count > 131_072 && code(large) == .parserTime)
        // It is no error that could be mended, and the next document starts anew.
        #expect(!ReportError(code: .parserTime, found: "").isRepairable)
        #expect(code(small) == nil)
        // Read again and again it costs what a large one costs.
        let codes = (0..<200).map { _ in code(small, isSame: true) }
        #expect(codes.first == .some(nil) && codes.last == .parserTime)
        // One piece, however large, is looked at on the way.
        guard case .failure(let error) = parser.read(large, .strict, large.count) else { return #expect(Bool(false), "not refused") }
        #expect(error.code == .parserTime)
    }

    @Test(
        "windows are plausible",
        arguments: [
            ("1325376000", "1325462400", true), ("1325375999", "1325462400", false), ("1782777600", "1782777599", false),
            ("1782777600", "1782777600", true), ("1795392000", "1795392000", true), ("1795392001", "1795392001", false),
            ("1700000000", "1731622400", true), ("1700000000", "1731622401", false), ("1782777600000", "1782863999000", false),
            ("99999999999", "99999999999", false), ("1337270400.0", "1337356800.0", true), ("-1", "1782777600", false), ("x", "1", false),
            ("9223372036854775808", "9223372036854775808", false), ("1e9", "2e9", false),
        ])
    func windows(begin: String, end: String, isPlausible: Bool) {
        let metadata = Sample.metadata.replacing("1782777600", with: begin).replacing("1782863999", with: end)
        #expect(code(Sample.report(metadata + Sample.policy)) == (isPlausible ? nil : .dateOutOfRange))
    }

    @Test("what a report cannot do without")
    func required() {
        #expect(code(Sample.report(Sample.metadata)) == .missingField)
        #expect(code(Sample.report(Sample.policy)) == .missingField)
        #expect(code("<html><body>no</body></html>") == .wrongRoot)
        #expect(code("<?xml version=\"1.0\" encoding=\"EBCDIC-US\"?><feedback/>") == .unknownEncoding)
        #expect(code("plain text") == .malformed)
        #expect(code("") == .malformed)
    }
}

@Suite("Interner")
struct InternerTests {
    @Test("gives equal bytes equal numbers, through growth and resets")
    func numbers() {
        var interner = ByteInterner()
        for round in 0..<3 {
            for value in 0..<5000 {
                let bytes = Array("name-\(value)".utf8)
                let first = bytes.withUnsafeBytes { interner.intern($0) }
                #expect(first.index == UInt32(value) && first.isNew, "round \(round)")
                let again = bytes.withUnsafeBytes { interner.intern($0) }
                #expect(again.index == UInt32(value) && !again.isNew)
            }
            interner.reset()
        }
        let empty = interner.intern(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(empty.isNew && empty.index == 0)
        #expect(!interner.intern(UnsafeRawBufferPointer(start: nil, count: 0)).isNew)
    }
}

@Suite("Cost of a record")
struct RecordCostTests {
    @Test("results beyond the limit are read over, however many and however different")
    func results() throws {
        let results = (0..<3000).map { "<dkim><domain>\($0).example</domain><selector>s</selector><result>fail</result></dkim>" }.joined()
        let record = Sample.record().replacing("<auth_results>", with: "<auth_results>" + results)
        let (report, batches) = try ReportParser().read(Sample.whole([record, Sample.record()])).get()
        #expect(report.recordCount == 2)
        #expect(report.deviations.contains(.textClipped))
        #expect(batches.flatMap(\.authentications).allSatisfy { $0.dkim.count + $0.spf.count <= XMLLimits().maxResultsPerRecord })
    }

    @Test("a batch is closed by its texts as well as by its records")
    func texts() throws {
        let long = String(repeating: "x", count: 900)
        let records = (0..<600).map { index in
            Sample.record().replacing("<identifiers>", with: "<identifiers><envelope_from>\(index)\(long).example</envelope_from>")
        }
        let (report, batches) = try ReportParser().read(Sample.whole(records)).get()
        #expect(report.recordCount == 600)
        #expect(batches.count >= 2)
        #expect(batches.allSatisfy { $0.textBytes < XMLLimits().textBytesPerBatch + 2048 })
    }
}
