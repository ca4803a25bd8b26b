import ArchiveMaking
import Testing

@testable import Unpacking

@Suite("zip")
struct ZipTests {
    let report = Archives.report

    @Test("delivers a member, however it is packed")
    func kinds() {
        var stored = Archives.Member("a.xml", report)
        stored.isStored = true
        var streamed = Archives.Member("a.xml", report)
        streamed.hasDataDescriptor = true
        var large = Archives.Member("a.xml", report)
        large.isZip64 = true
        for member in [Archives.Member("a.xml", report), stored, streamed, large] {
            let bytes = Archives.zip([member])
            let outcome = unpack(bytes)
            #expect(outcome.error == nil)
            #expect(
                outcome.documents == [
                    .init(facts: .init(member: "a.xml", container: .zip, compressedBytes: bytes.count, notes: []), bytes: report)
                ])
        }
    }

    @Test("delivers every member that is XML, in order, as often as it is asked for")
    func several() {
        let second = Array("<feedback/>".utf8)
        let members = [
            Archives.Member("readme.txt", Array("hello".utf8)), .init("a.xml", report), .init("", second), .init("c", report),
        ]
        let outcome = unpack(Archives.zip(members), repeats: 1)
        #expect(outcome.error == nil)
        #expect(outcome.sound == [report, second, report])
        #expect(outcome.documents.map(\.times) == [2, 2, 2])
        #expect(outcome.documents.map(\.facts.member) == ["a.xml", "", "c"])
        #expect(outcome.documents[0].facts.notes == .severalMembers)
        #expect(outcome.documents[1].facts.notes == [.severalMembers, .namelessMember])
    }

    @Test("a first report is known to have company")
    func firstOfTwo() {
        let outcome = unpack(Archives.zip([.init("a.xml", report), .init("b.png", [0x89])]))
        #expect(outcome.documents.map(\.facts.notes) == [.severalMembers])
    }

    @Test("what a Mac adds, directories and links are no members")
    func ignored() {
        var link = Archives.Member("link.xml", report)
        link.unixMode = 0o120777
        var directory = Archives.Member("folder/", [])
        directory.unixMode = 0o040755
        let members = [link, directory, .init("__MACOSX/._a.xml", report), .init("folder/a.xml", report)]
        let outcome = unpack(Archives.zip(members))
        #expect(outcome.error == nil)
        #expect(outcome.documents.map(\.facts.member) == ["folder/a.xml"])
        #expect(unpack(Archives.zip([link])).error?.code == .noReportInArchive)
    }

    @Test(
        "hostile names are data",
        arguments: ["../../etc/passwd", "/etc/passwd", "a\u{202e}lmx.exe", "a\u{1b}[2J\n.xml", String(repeating: "n", count: 60_000)])
    func names(name: String) {
        let outcome = unpack(Archives.zip([.init(name, report)]), name: "z.zip")
        #expect(outcome.sound == [report])
        #expect((outcome.documents.first?.facts.member.utf8.count ?? 0) <= 512)
        var broken = Archives.Member("x", report)
        broken.name = [0xff, 0xfe, 0x80]
        #expect(unpack(Archives.zip([broken])).sound == [report])
    }

    @Test("an encrypted member is archive-encrypted, and does not keep others back")
    func encrypted() {
        var member = Archives.Member("a.xml", report)
        member.flags = 1
        let alone = unpack(Archives.zip([member]), name: "z.zip")
        #expect(alone.begun == 0)
        #expect(alone.error?.code == .archiveEncrypted)
        #expect(alone.error?.place == "z.zip!a.xml")
        let both = unpack(Archives.zip([member, .init("b.xml", report)]))
        #expect(both.sound == [report])
        #expect(both.error?.code == .archiveEncrypted)
    }

    @Test("declared sizes are never believed", arguments: [0, 1, 11, UInt32.max - 1])
    func lyingSizes(size: UInt32) {
        var member = Archives.Member("a.xml", report)
        member.declaredSize = size
        let outcome = unpack(Archives.zip([member]))
        #expect(outcome.sound.isEmpty)
        #expect(outcome.code == .archiveDamaged || outcome.code == .noReportInArchive)
    }

    @Test("a wrong CRC costs that member alone")
    func checksum() {
        var member = Archives.Member("a.xml", report)
        member.declaredChecksum = 42
        let small = unpack(Archives.zip([member, .init("b.xml", report)]), name: "z")
        #expect(small.error?.code == .archiveDamaged)
        #expect(small.error?.place == "z!a.xml")
        #expect(small.sound == [report])
        // A large one has begun before its CRC is known.
        member.content += [UInt8](repeating: 0x20, count: 600_000)
        let large = unpack(Archives.zip([member, .init("b.xml", report)]), name: "z")
        #expect(large.error == nil)
        #expect(large.codes == [.archiveDamaged, nil])
        #expect(large.documents.first?.error?.place == "z!a.xml")
        #expect(large.sound == [report])
    }

    @Test("a zip cut at any byte gives the whole report or an error")
    func truncated() {
        let whole = Archives.zip([.init("a.xml", report)])
        let members = Archives.zip([.init("a.xml", report)], hasDirectory: false).count
        for count in 4..<whole.count {
            let outcome = unpack(Array(whole[..<count]))
            #expect(outcome.sound == (count < members ? [] : [report]), "cut at \(count)")
            // Where the directory begins, all members have been seen.
            #expect((outcome.code != nil) == (count < members + 4), "cut at \(count)")
        }
    }

    @Test("a zip with any bit changed gives the report or an error")
    func bitFlips() {
        let whole = Archives.zip([.init("a.xml", report)])
        for bit in 32..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << (bit % 8)
            let outcome = unpack(bytes)
            #expect(outcome.sound == [report] || outcome.code != nil, "bit \(bit)")
        }
    }

    @Test("more members than the limit are refused before any is delivered")
    func manyMembers() {
        let members = (0..<17).map { Archives.Member("\($0).xml", report) }
        let outcome = unpack(Archives.zip(members))
        #expect(outcome.begun == 0)
        #expect(outcome.error?.code == .tooManyMembers)
        #expect(unpack(Archives.zip(Array(members.dropLast()))).sound.count == 16)
        // Without a directory they are counted as they come.
        let streamed = unpack(Archives.zip(members, hasDirectory: false))
        #expect(streamed.begun <= 16)
        #expect(streamed.error?.code == .tooManyMembers)
        // Twins of a Mac do not count.
        let twins = (0..<16).flatMap { [Archives.Member("\($0).xml", report), .init("__MACOSX/._\($0).xml", [0, 5])] }
        #expect(unpack(Archives.zip(twins)).sound.count == 16)
        let large = (0..<5_000).map { Archives.Member("__MACOSX/\($0)", []) }
        #expect(unpack(Archives.zip(large)).error?.code == .tooManyMembers)
    }

    @Test("a thousand directory entries on one member are refused")
    func overlap() {
        var bytes = Archives.zip([.init("a.xml", report)], hasDirectory: false)
        let start = bytes.count
        let one = Archives.zip([.init("a.xml", report)])
        let entry = Array(one[start..<one.count - 22])
        for _ in 0..<1_000 { bytes += entry }
        bytes += Archives.end(1_000, entry.count * 1_000, at: start)
        let outcome = unpack(bytes)
        #expect(outcome.begun == 0)
        #expect(outcome.error?.code == .tooManyMembers)
    }

    @Test("an empty zip holds no report")
    func empty() {
        #expect(unpack(Archives.zip([])).error?.code == .noReportInArchive)
    }
}
