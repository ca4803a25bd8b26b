import ArchiveMaking
import Testing

@testable import Unpacking

/// What lies in a container, is neither a document nor a container, and is wanted all the same.
@Suite("files in containers")
struct FileTests {
    private let letter = Array("Letter\nhello".utf8)

    private func collect(
        _ bytes: [UInt8], limits: UnpackLimits = UnpackLimits()
    ) -> (files: [String], contents: [[UInt8]], documents: Int, code: UnpackError.Code?) {
        var recorder = Recorder()
        recorder.wantedFile = Array("Letter\n".utf8)
        var code: UnpackError.Code?
        let unpacker = Unpacker(limits: limits)
        unpacker.beginMessage()
        bytes.withUnsafeBytes { bytes in
            do throws(UnpackError) { try unpacker.unpack(bytes, name: "", into: &recorder) } catch { code = error.code }
        }
        return (recorder.files.map(\.member), recorder.files.map(\.bytes), recorder.documents.count, code)
    }

    @Test("are handed over whole, wherever they lie, and beside documents")
    func found() {
        let zip = Archives.zip([
            .init("readme.txt", Array("hello".utf8)), .init("a.eml", letter), .init("r.xml", Archives.report), .init("b.eml", letter),
        ])
        let several = collect(zip)
        #expect(several.files == ["a.eml", "b.eml"] && several.contents == [letter, letter])
        #expect(several.documents == 1 && several.code == nil)
        #expect(collect(Archives.gzip(letter)).contents == [letter])
        #expect(collect(Archives.gzip(Archives.gzip(letter))).contents == [letter])
        let inner = collect(Archives.zip([.init("in.zip", Archives.zip([.init("a.eml", letter)])), .init("b.gz", Archives.gzip(letter))]))
        #expect(inner.files == ["in.zip!a.eml", "b.gz"] && inner.code == nil)
        var streamed = Archives.Member("a.eml", letter)
        streamed.hasDataDescriptor = true
        #expect(collect(Archives.zip([streamed])).contents == [letter])
        let long = letter + [UInt8](repeating: 0x61, count: 700_000)
        #expect(collect(Archives.zip([.init("a.eml", long)])).contents == [long])
        #expect(collect(Archives.gzip(long)).contents == [long])
    }

    @Test("that are not wanted are passed over as before, and an archive of nothing else holds no report")
    func unwanted() {
        let other = collect(Archives.zip([.init("a.txt", Array("hello".utf8))]))
        #expect(other.files.isEmpty && other.code == .noReportInArchive)
        #expect(unpack(Archives.zip([.init("a.eml", letter)])).code == .noReportInArchive)
        #expect(unpack(Archives.gzip(letter)).code == .noReportInArchive)
        // The attachment itself is none that lies in a container.
        #expect(collect(letter).code == .unknownContainer)
    }

    @Test("stay below the limit of an archive in an archive, all of an attachment together, and come out of the budget")
    func limits() {
        var limits = UnpackLimits()
        limits.maxInnerArchiveBytes = 10_000
        let half = letter + [UInt8](repeating: 0x61, count: 6000)
        #expect(collect(Archives.zip([.init("a", half)]), limits: limits).files == ["a"])
        let two = collect(Archives.zip([.init("a", half), .init("b", half)]), limits: limits)
        #expect(two.files == ["a"] && two.code == .unpackedTooLarge)
        let large = letter + [UInt8](repeating: 0x61, count: 20_000)
        for bytes in [Archives.zip([.init("a", large)]), Archives.gzip(large)] {
            let outcome = collect(bytes, limits: limits)
            #expect(outcome.files.isEmpty && outcome.code == .unpackedTooLarge)
        }
        limits = UnpackLimits()
        limits.maxUnpackedBytes = 10_000
        for bytes in [Archives.zip([.init("a", large)]), Archives.gzip(large)] {
            #expect(collect(bytes, limits: limits).code == .unpackedTooLarge)
        }
        // Damage is damage.
        #expect(collect(Array(Archives.gzip(letter).dropLast(4))).code == .gzipTruncated)
    }
}
