import ArchiveMaking
import Testing

@testable import Unpacking

@Suite("Unpacking limits")
struct LimitTests {
    let report = Archives.report

    /// XML that compresses about a thousandfold.
    func bomb(_ count: Int) -> [UInt8] { report + [UInt8](repeating: 0x20, count: count) }

    @Test("a bomb is stopped at the ratio, soon after the size from which it counts")
    func ratio() {
        let content = bomb(20 << 20)
        for archive in [Archives.gzip(content), Archives.zlib(content), Archives.zip([.init("a.xml", content)])] {
            let outcome = unpack(archive)
            #expect(outcome.codes == [.ratioTooHigh])
            #expect((outcome.documents.first?.bytes.count ?? 0) <= (16 << 20) + (512 << 10))
        }
        let small = bomb(10 << 20)
        #expect(unpack(Archives.gzip(small)).sound == [small])
    }

    @Test("the budget holds over all attachments of a message, and is whole again for the next")
    func budget() {
        var limits = UnpackLimits()
        limits.maxUnpackedBytes = 1_000_000
        let unpacker = Unpacker(limits: limits)
        let content = bomb(400_000)
        for _ in 0..<2 {
            unpacker.beginMessage()
            #expect(unpack(Archives.gzip(content), with: unpacker).codes == [nil])
            #expect(unpack(Archives.zip([.init("a.xml", content)]), with: unpacker).codes == [nil])
            #expect(unpack(content, with: unpacker).codes == [.unpackedTooLarge])
            #expect(unpack(Archives.gzip(content), with: unpacker).code == .unpackedTooLarge)
        }
    }

    @Test("a member over the budget ends the archive")
    func budgetInZip() {
        var limits = UnpackLimits()
        limits.maxUnpackedBytes = 500_000
        let members = [Archives.Member("a.xml", bomb(300_000)), .init("b.xml", bomb(300_000)), .init("c.xml", report)]
        let outcome = unpack(Archives.zip(members), limits: limits)
        #expect(outcome.codes == [nil, .unpackedTooLarge])
    }

    @Test("a document delivered again counts once")
    func repeats() {
        var limits = UnpackLimits()
        let content = bomb(400_000)
        limits.maxUnpackedBytes = content.count
        for archive in [Archives.gzip(content), Archives.zip([.init("a.xml", content)]), content] {
            let outcome = unpack(archive, limits: limits, repeats: 2)
            #expect(outcome.sound == [content])
            #expect(outcome.begun == 3)
        }
    }

    @Test("what nobody wants is unpacked only so far, and then not trusted")
    func unwanted() {
        var state: UInt64 = 1
        var piece: [UInt8] = []
        while piece.count < 1 << 20 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            piece += Array(repeating: UInt8(state >> 59) &+ 0x61, count: 64)
        }
        let content = report + Array(repeatElement(piece, count: 18).joined())
        let outcome = unpack(Archives.gzip(content), wanted: 1)
        #expect(outcome.codes == [.unpackedTooLarge])
        #expect(unpack(Archives.zip([.init("a.xml", content)]), wanted: 1).codes == [.unpackedTooLarge])
    }

    @Test("two containers around each other pass, a third is refused")
    func nesting() {
        let gzip = Archives.gzip(report)
        let zip = Archives.zip([.init("a.xml", report)])
        let inner = Archives.zip([.init("a.xml.gz", gzip), .init("b.zip", zip), .init("c", Archives.zlib(report))])
        for two in [Archives.gzip(gzip), Archives.gzip(zip), Archives.zlib(gzip), Archives.gzip(Archives.zlib(report))] {
            let outcome = unpack(two, repeats: 1)
            #expect(outcome.sound == [report])
            #expect(outcome.documents.first?.facts.notes.contains(.nested) == true)
            #expect(unpack(Archives.gzip(two)).error?.code == .nestedTooDeep)
            #expect(unpack(Archives.zip([.init("x", two)])).error?.code == .nestedTooDeep)
        }
        let outcome = unpack(inner)
        #expect(outcome.sound == [report, report, report])
        #expect(outcome.documents.map(\.facts.member) == ["a.xml.gz", "b.zip!a.xml", "c"])
        #expect(outcome.documents.allSatisfy { $0.facts.notes.isSuperset(of: [.nested, .severalMembers]) })
        #expect(outcome.documents.last?.facts.notes.contains(.zlibStream) == true)
        var many = gzip
        for _ in 0..<24 { many = Archives.gzip(many) }
        #expect(unpack(many).error?.code == .nestedTooDeep)
    }

    @Test("an inner archive without a report does not hide the others")
    func innerWithoutReport() {
        let members = [Archives.Member("a.gz", Archives.gzip([1, 2, 3])), .init("b.xml", report)]
        let outcome = unpack(Archives.zip(members))
        #expect(outcome.error == nil)
        #expect(outcome.sound == [report])
        #expect(unpack(Archives.zip([members[0]])).error?.code == .noReportInArchive)
    }

    @Test("a damaged inner archive is told")
    func damagedInner() {
        let gzip = Archives.gzip(report)
        #expect(unpack(Archives.gzip(Array(gzip.dropLast(2)))).codes == [.gzipTruncated])
        #expect(unpack(Archives.gzip(gzip).dropLast(2).map { $0 }).code == .gzipTruncated)
        let outcome = unpack(Archives.zip([.init("a.gz", Array(gzip.dropLast(2)))]), name: "z")
        #expect(outcome.documents.first?.error?.place == "z!a.gz")
    }
}
