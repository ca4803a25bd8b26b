import Foundation
import GRDB
import Glibc
import Ingest
import Store
import Testing

/// E6, E7, E8: what lies in a mailbox and is no mail, streams without end, and what refused mail leaves behind.
@Suite("Hostile mailboxes")
struct OddEntriesTests {
    private func ingest(_ path: String, standardInput: Int32 = 0) throws -> (tally: Tally, store: ReportStore) {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        var options = IngestOptions(now: EachInputTests.now, organisations: { { $0 } })
        options.standardInput = standardInput
        let tally = try Ingest(store: store, options: options).run(path: path)
        #expect(MessageOutcome.allCases.reduce(0) { $0 + (tally.messages[$1] ?? 0) } == tally.seen)
        return (tally, store)
    }

    @Test(
        "links, pipes, sockets, devices, directories and sparse files in a maildir are refused by name; nothing blocks, no link is followed"
    )
    func entries() throws {
        let folder = try HostileFolder()
        let box = folder.path + "/box"
        let mail = Mails.around(Written(id: "e6").gzip, name: "r.gz")
        let secret = try folder.write("secret.xml", Mails.around(Written(id: "e6-secret").gzip, name: "r.gz"))
        try folder.write("box/cur/sound", mail)
        try folder.write("box/new/.hidden", mail)
        try folder.write("box/tmp/half", mail)
        #expect(symlink(secret, box + "/cur/link-to-a-mail") == 0)
        #expect(symlink("/etc/passwd", box + "/cur/link-to-a-secret") == 0)
        #expect(symlink("link-to-itself", box + "/cur/link-to-itself") == 0)
        #expect(symlink("/nonexistent", box + "/new/link-to-nothing") == 0)
        #expect(mkfifo(box + "/cur/pipe", 0o600) == 0)
        #expect(mkdir(box + "/new/directory", 0o700) == 0)
        #expect(link(box + "/cur/sound", box + "/cur/hard-link") == 0)
        let socket = try boundSocket(box + "/cur/socket")
        defer { close(socket) }
        let sparse = try folder.write("box/cur/sparse", [])
        #expect(truncate(sparse, 1 << 40) == 0)
        try folder.write("box/cur/\u{1B}[2J\n\u{202E}name", Mails.around(Written(id: "e6-name").gzip, name: "r.gz"))
        let hasDevice = mknod(box + "/cur/device", S_IFCHR | 0o600, 0x0105) == 0
        try writeInvalidName(box)

        let (tally, store) = try ingest(box)
        let codes = try store.reader.read { try Row.fetchAll($0, sql: "SELECT code, count(*) AS n FROM refusals GROUP BY code") }
        let counts = Dictionary(uniqueKeysWithValues: codes.map { ($0["code"] as String, $0["n"] as Int) })
        #expect(counts == ["not-a-regular-file": hasDevice ? 8 : 7, "message-too-large": 1])
        // The sound one, its hard link, and the two with odd names.
        #expect(tally.messages[.stored] == 3)
        #expect(tally.messages[.duplicate] == 1)
        let ids = try store.reader.read { try String.fetchAll($0, sql: "SELECT report_id FROM reports ORDER BY 1") }
        #expect(ids == ["e6", "e6-name", "e6-raw"])
    }

    private func writeInvalidName(_ box: String) throws {
        let name: [UInt8] = Array((box + "/cur/").utf8) + [0xFF, 0xFE, 0x80, 0]
        let number = name.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { open($0.baseAddress ?? UnsafePointer(strdup("")), O_WRONLY | O_CREAT, 0o600) }
        }
        try #require(number >= 0)
        defer { close(number) }
        let mail = Mails.around(Written(id: "e6-raw").gzip, name: "r.gz")
        #expect(mail.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) } == mail.count)
    }

    private func boundSocket(_ path: String) throws -> Int32 {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // The name may be longer than an address holds: bound where it fits, then moved.
        let short = "/tmp/dmarcstat-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(short.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(bound == 0)
        try #require(rename(short, path) == 0)
        return number
    }

    @Test("a folder of files: the same")
    func files() throws {
        let folder = try HostileFolder()
        let report = try folder.write("files/sound.xml", Written(id: "e6-files").bytes)
        #expect(symlink(report, folder.path + "/files/link.xml") == 0)
        #expect(mkfifo(folder.path + "/files/pipe.xml", 0o600) == 0)
        #expect(symlink("..", folder.path + "/files/up") == 0)
        let (tally, _) = try ingest(folder.path + "/files")
        #expect(tally.messages[.stored] == 1)
        #expect(tally.messages[.refused] == 3)
        #expect(Set(tally.refusals.map(\.code)) == ["not-a-regular-file"])
    }

    @Test("devices are no mailboxes", arguments: ["/dev/zero", "/dev/full", "/dev/random"])
    func devices(_ path: String) throws {
        #expect(throws: IngestError.self) { try ingest(path) }
    }

    @Test("a stream without end is refused as soon as it is too large", arguments: ["x", "Subject: x\n", "<", "\n"])
    func endless(_ unit: String) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let writer = ends[1]
        let thread = Thread {
            // Ends when nobody reads any more; SIGPIPE would end the tests.
            var mask = sigset_t()
            sigemptyset(&mask)
            sigaddset(&mask, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &mask, nil)
            let block = Array(String(repeating: unit, count: 65_536 / unit.utf8.count).utf8)
            while block.withUnsafeBytes({ Glibc.write(writer, $0.baseAddress, $0.count) }) > 0 {}
            close(writer)
        }
        thread.start()
        let (tally, _) = try ingest("-", standardInput: ends[0])
        close(ends[0])
        #expect(tally.seen == 1)
        #expect(tally.refusals.map(\.code) == ["message-too-large"])
    }

    @Test("a line From in a body makes another message, judged like any other; the mbox stays as it was")
    func mbox() throws {
        let folder = try HostileFolder()
        let text =
            "From a@b Thu Jun 13 00:00:00 2024\nSubject: x\n\nhello\n\nFrom me to you\n"
            + Mails.headed("Subject: forged", id: "e8") + "\nFrom \nFrom \n\nFrom c@d Thu Jun 13 00:00:00 2024\nbroken\n"
        let path = try folder.write("box", Array(text.utf8))
        let (tally, _) = try ingest(path)
        #expect(tally.messages[.stored] == 1)
        #expect(tally.seen > 2)
        #expect(try Data(contentsOf: URL(filePath: path)) == Data(text.utf8))
    }

    @Test("refused mail leaves its reason and none of its bytes")
    func leavesNothing() throws {
        let folder = try HostileFolder()
        let junk = Array((0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
        for number in 0..<10 {
            try folder.write("box/cur/\(number)", Mails.around(Array("<feedback><version>".utf8) + junk, name: "r.xml"))
        }
        try folder.write("box/new/.keep", [])
        let database = folder.path + "/dmarc.sqlite"
        let store = try ReportStore(path: database, access: .readWrite)
        let tally = try Ingest(store: store, options: IngestOptions(now: EachInputTests.now, organisations: { { $0 } })).run(
            path: folder.path + "/box")
        #expect(tally.messages[.refused] == 10)
        let pages = try store.reader.read {
            try Int.fetchOne($0, sql: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        }
        #expect(try #require(pages) < 2 << 20)
    }
}
