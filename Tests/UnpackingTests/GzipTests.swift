import ArchiveMaking
import Testing

@testable import Unpacking

@Suite("gzip and zlib")
struct GzipTests {
    let report = Archives.report

    @Test("delivers the content of a gzip")
    func plain() throws {
        let bytes = Archives.gzip(report)
        let outcome = unpack(bytes)
        #expect(outcome.error == nil)
        #expect(
            outcome.documents == [
                .init(facts: .init(member: "", container: .gzip, compressedBytes: bytes.count, notes: []), bytes: report)
            ])
    }

    @Test("delivers plain XML as it is")
    func xml() {
        let outcome = unpack(report)
        #expect(outcome.sound == [report])
        #expect(outcome.documents.first?.facts.container == .xml)
    }

    @Test("delivers a large document whole, in pieces, as often as it is asked for")
    func large() {
        var bytes = Array("<feedback>".utf8)
        for number in 0..<50_000 { bytes += Array("<record>\(number &* 2_654_435_761)</record>".utf8) }
        #expect(bytes.count > 1 << 20)
        for archive in [bytes, Archives.gzip(bytes), Archives.zlib(bytes), Archives.zip([.init("a.xml", bytes)])] {
            let outcome = unpack(archive, repeats: 2)
            #expect(outcome.sound == [bytes])
            #expect(outcome.documents.first?.times == 3)
            #expect(unpack(archive, repeats: 9).begun == 3)
        }
    }

    @Test("what gzipCompressed makes can be unpacked, and is the same each time")
    func compressed() {
        for content in [report, [], [UInt8](repeating: 7, count: 300_000)] {
            let bytes = content.withUnsafeBytes(Unpacker.gzipCompressed)
            #expect(bytes == content.withUnsafeBytes(Unpacker.gzipCompressed))
            if content == report { #expect(unpack(bytes).sound == [report]) }
        }
    }

    @Test("a gzip cut at any byte delivers nothing to be trusted")
    func truncated() {
        let whole = Archives.gzip(report)
        for count in 2..<whole.count {
            let outcome = unpack(Array(whole[..<count]))
            #expect(outcome.sound.isEmpty)
            #expect(outcome.code == .gzipTruncated, "cut at \(count)")
        }
    }

    @Test("a gzip with any bit changed is refused, or gives the same content")
    func bitFlips() {
        let whole = Archives.gzip(report)
        for bit in 16..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << (bit % 8)
            let outcome = unpack(bytes)
            // Time and system in the header and the last bits of the compressed data mean nothing.
            #expect(outcome.sound == [report] || (outcome.sound.isEmpty && outcome.code != nil), "bit \(bit)")
        }
    }

    @Test("a wrong CRC or length is gzip-checksum")
    func checksum() {
        for back in 1...8 {
            var bytes = Archives.gzip(report)
            bytes[bytes.count - back] ^= 1
            let outcome = unpack(bytes, name: "r.xml.gz")
            #expect(outcome.error == nil)
            #expect(outcome.codes == [.gzipChecksum])
            #expect(outcome.documents.first?.error?.place == "r.xml.gz")
        }
        var bytes = Archives.zlib(report)
        bytes[bytes.count - 1] ^= 1
        #expect(unpack(bytes).codes == [.gzipChecksum])
    }

    @Test("the checksum is looked at even if the receiver has had enough")
    func checksumUnwanted() {
        var content = report
        for number in 0..<60_000 { content += Array("<a>\(number &* 40_503)</a>".utf8) }
        var bytes = Archives.gzip(content)
        #expect(unpack(bytes, wanted: 10).codes == [nil])
        bytes[bytes.count - 6] ^= 1
        #expect(unpack(bytes, wanted: 10).codes == [.gzipChecksum])
        var archive = Archives.Member("a.xml", content)
        #expect(unpack(Archives.zip([archive]), wanted: 10).codes == [nil])
        archive.declaredChecksum = 1
        #expect(unpack(Archives.zip([archive]), wanted: 10).codes == [.archiveDamaged])
    }

    @Test(
        "trailing bytes are ignored and noted",
        arguments: [[0x0d, 0x0a], [0], [UInt8](repeating: 0, count: 500), Array("a list footer, decoded".utf8), [0x1f], [0x1f, 0x8b]])
    func trailing(bytes: [UInt8]) {
        for archive in [Archives.gzip(report), Archives.zlib(report)] {
            let outcome = unpack(archive + bytes)
            #expect(outcome.sound == [report])
            #expect(outcome.documents.first?.facts.notes.contains(.trailingBytes) == true)
        }
    }

    @Test("members of one gzip are one document")
    func concatenated() {
        for cut in [0, 1, 5, 30, report.count] {
            let outcome = unpack(Archives.gzip(Array(report[..<cut])) + Archives.gzip(Array(report[cut...])))
            #expect(outcome.sound == [report], "cut at \(cut)")
            #expect(outcome.documents.first?.facts.notes == .concatenatedMembers)
        }
    }

    @Test("two reports in one gzip are two documents, each of which can be had again")
    func twoReports() {
        let second = Array("\u{feff}<?xml version=\"1.0\"?><feedback/>".utf8)
        let outcome = unpack(Archives.gzip(report) + Archives.gzip(second) + [0, 0], repeats: 1)
        #expect(outcome.sound == [report, second])
        #expect(outcome.documents.map(\.times) == [2, 2])
        #expect(outcome.documents.last?.facts.notes.contains(.trailingBytes) == true)
    }

    @Test("a damaged second member costs the document")
    func damagedSecond() {
        let second = Archives.gzip(Array(report[20...]))
        let outcome = unpack(Archives.gzip(Array(report[..<20])) + second.dropLast(3))
        #expect(outcome.codes == [.gzipTruncated])
    }

    @Test("a gzip full of reports stops at the limit of members")
    func manyReports() {
        let outcome = unpack((0..<20).flatMap { _ in Archives.gzip(report) })
        #expect(outcome.sound.count == 16)
        #expect(outcome.error?.code == .tooManyMembers)
    }

    @Test(
        "what holds no XML is no-report-in-archive",
        arguments: [[], Array("unused".utf8), [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a], [UInt8](repeating: 0x20, count: 200_000)])
    func noReport(content: [UInt8]) {
        for archive in [Archives.gzip(content), Archives.zlib(content), Archives.zip([.init("a.xml", content)])] {
            let outcome = unpack(archive)
            #expect(outcome.begun == 0)
            #expect(outcome.error?.code == .noReportInArchive)
        }
    }

    @Test("XML behind many blanks is found in any container", arguments: [60_000, 65_536, 200_000])
    func blanks(count: Int) {
        let content = [UInt8](repeating: 0x0a, count: count) + report
        for archive in [content, Archives.gzip(content), Archives.zlib(content), Archives.zip([.init("a.xml", content)])] {
            #expect(unpack(archive).sound == [content])
        }
    }

    @Test(
        "what is no container is unknown-container",
        arguments: [[], [1, 2, 3], Array("Rar!\u{1a}\u{7}\u{0}".utf8), Array("hello".utf8)])
    func unknown(content: [UInt8]) {
        let outcome = unpack(content, name: "x")
        #expect(outcome.error?.code == .unknownContainer)
        #expect(outcome.error?.place == "x")
    }

    @Test("one unpacker serves many attachments, whatever became of the one before")
    func reuse() {
        let unpacker = Unpacker(limits: UnpackLimits())
        for _ in 0..<3 {
            unpacker.beginMessage()
            let cut = Array(Archives.gzip(report).dropLast(9))
            for archive in [Archives.gzip(report), Archives.zlib(report), cut, [1, 2], report] {
                let outcome = unpack(archive, with: unpacker)
                #expect(outcome.sound == (outcome.code == nil ? [report] : []))
            }
        }
    }
}
