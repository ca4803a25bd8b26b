import Foundation
import Testing

@testable import Mail

@Suite("Maildir")
struct MaildirTests {
    let temporary: TemporaryFolder
    let box: String

    init() throws {
        temporary = try TemporaryFolder()
        box = try temporary.maildir()
    }

    @Test("lists new and cur merged, sorted by unique name, without tmp and dot files")
    func order() throws {
        try temporary.write("box/cur/2.b:2,S", "b")
        try temporary.write("box/new/1.a", "a")
        try temporary.write("box/new/3.c", "c")
        try temporary.write("box/new/.hidden", "x")
        try temporary.write("box/tmp/0.t", "t")
        let mailbox = try open(box + "/")
        #expect(mailbox.expectedCount == nil)
        let messages = try allMessages(mailbox, batch: 2)
        #expect(messages.map(\.key) == ["1.a", "2.b", "3.c"])
        #expect(messages.map(\.place) == [box + "/new/1.a", box + "/cur/2.b:2,S", box + "/new/3.c"])
        #expect(messages.map(content) == ["a", "b", "c"])
        #expect(messages.allSatisfy { $0.form == .mail })
        #expect(mailbox.expectedCount == 3)
        #expect(mailbox.knownCount == 0)
        #expect(mailbox.oddities.isEmpty)
        #expect(mailbox.identifier == URL(fileURLWithPath: box).resolvingSymlinksInPath().path)
    }

    @Test("says when a message came in, if its name begins with a time")
    func delivered() throws {
        let names = [
            "1780272000.M1P2.host:2,S", "1780272001_0.3.host,U=1", "1000000000", "9999999999.x", "10000000000.x", "17802720001.x",
            "99999.x",
            "00001780272000.x", "99999999999999999999.x", "x1780272000", "-1780272000",
        ]
        for name in names { try temporary.write("box/cur/\(name)", "x") }
        let times = try Dictionary(uniqueKeysWithValues: allMessages(try open(box)).map { ($0.key, $0.deliveredAt) })
        #expect(times.count == names.count)
        #expect(
            times.compactMapValues(\.self) == [
                "1780272000.M1P2.host": 1_780_272_000, "1780272001_0.3.host,U=1": 1_780_272_001, "1000000000": 1_000_000_000,
                "9999999999.x": 9_999_999_999, "00001780272000.x": 1_780_272_000,
            ])
    }

    @Test("passes over known messages and counts them")
    func known() throws {
        for number in 1...5 { try temporary.write("box/new/\(number)", "x") }
        let mailbox = try open(box, known: ["2", "4"])
        #expect(try allMessages(mailbox).map(\.key) == ["1", "3", "5"])
        #expect(mailbox.knownCount == 2)
        #expect(mailbox.expectedCount == 3)
    }

    @Test("reads Maildir++ subfolders after the maildir itself")
    func subfolders() throws {
        _ = try temporary.maildir("box/.Archive")
        _ = try temporary.maildir("box/.Archive.2026")
        try temporary.folder("box/.notes")
        try temporary.write("box/.Archive/cur/1:2,", "archived")
        try temporary.write("box/.Archive.2026/new/1", "later")
        try temporary.write("box/new/9", "new")
        let messages = try allMessages(try open(box))
        #expect(messages.map(\.key) == ["9", ".Archive/1", ".Archive.2026/1"])
        #expect(messages.map(content) == ["new", "archived", "later"])
    }

    @Test("reads nothing but regular files, and does not block on a pipe")
    func irregular() throws {
        try temporary.write("secret", "secret")
        #expect(symlink(temporary.path + "/secret", box + "/new/1.link") == 0)
        #expect(mkfifo(box + "/new/2.pipe", 0o600) == 0)
        try temporary.folder("box/new/3.folder")
        #expect(symlink("/nowhere", box + "/cur/4.dangling:2,S") == 0)
        try temporary.write("box/new/5.mail", "mail")
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = box + "/new/6.socket"
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        let messages = try allMessages(try open(box))
        let expected = ["not-a-regular-file", "not-a-regular-file", "not-a-regular-file", "not-a-regular-file", "mail"]
        #expect(Array(messages.map(content).prefix(5)) == expected)
        if isBound == 0 { #expect(messages.last.map(content) == "not-a-regular-file") }
        var buffer: [UInt8] = []
        #expect(throws: MailError.self) { try messages[0].read(into: &buffer) }
        #expect(messages.allSatisfy { !content($0).contains("secret") })
    }

    @Test("names may hold anything but a slash and NUL", arguments: ["a\u{1b}[2Jb", "a\nb", "a\u{202e}b", "1.M:2,S:2,S", "é"])
    func names(name: String) throws {
        try temporary.write("box/new/" + name, "mail")
        let messages = try allMessages(try open(box))
        #expect(messages.map(content) == ["mail"])
        #expect(messages.map(\.place) == [box + "/new/" + name])
    }

    @Test("names that are no UTF-8 are read, and have keys of their own")
    func rawNames() throws {
        for byte: UInt8 in [0xff, 0xfe] {
            let path = Array((box + "/new/1.").utf8CString.dropLast()) + [CChar(bitPattern: byte), 0]
            close(open(path, O_CREAT | O_WRONLY, 0o600))
        }
        let mailbox = try open(box)
        let messages = try allMessages(mailbox)
        #expect(messages.map(\.key) == ["1.\\xfe", "1.\\xff"])
        #expect(messages.map(content) == ["", ""])
        #expect(mailbox.settle(messages.map { ($0.key, .delete) }).isEmpty)
        #expect(try temporary.names("box/new").isEmpty)
    }

    @Test("a name without a unique part is an oddity")
    func malformed() throws {
        try temporary.write("box/cur/:2,S", "x")
        let mailbox = try open(box)
        #expect(try allMessages(mailbox).isEmpty)
        #expect(mailbox.oddities.map(\.code) == [.malformedName])
    }

    @Test("a message is found again after another program moved it or changed its flags")
    func moved() throws {
        for number in 1...3 { try temporary.write("box/new/\(number)", "mail \(number)") }
        let messages = try allMessages(try open(box))
        #expect(rename(box + "/new/1", box + "/cur/1:2,") == 0)
        #expect(rename(box + "/new/2", box + "/cur/2:2,FRS") == 0)
        #expect(unlink(box + "/new/3") == 0)
        #expect(messages.map(content) == ["mail 1", "mail 2", "vanished"])
        var buffer: [UInt8] = []
        let problem = #expect(throws: MailError.self) { try messages[2].read(into: &buffer) }
        #expect(problem?.isOurFault == true)
    }

    @Test("two files of one unique name are two messages")
    func twins() throws {
        try temporary.write("box/new/1", "one")
        try temporary.write("box/cur/1:2,S", "other")
        let messages = try allMessages(try open(box))
        #expect(messages.map(\.key) == ["1", "new/1"])
        #expect(Set(messages.map(content)) == ["one", "other"])
    }

    @Test("marking as seen moves new to cur and adds S in ASCII order")
    func markSeen() throws {
        try temporary.write("box/new/1", "1")
        try temporary.write("box/cur/2:2,FT", "2")
        try temporary.write("box/cur/3:2,S", "3")
        try temporary.write("box/cur/4", "4")
        try temporary.write("box/new/5", "5")
        let mailbox = try open(box)
        let messages = try allMessages(mailbox)
        #expect(rename(box + "/new/5", box + "/cur/5:2,R") == 0)
        #expect(mailbox.settle(messages.map { ($0.key, .markSeen) }).isEmpty)
        #expect(try temporary.names("box/cur") == ["1:2,S", "2:2,FST", "3:2,S", "4:2,S", "5:2,RS"])
        #expect(try temporary.names("box/new").isEmpty)
        #expect(mailbox.settle(messages.map { ($0.key, .markSeen) }).isEmpty)
        #expect(temporary.text("box/cur/1:2,S") == "1")
    }

    @Test("moves into a Maildir++ folder, which it makes, and deletes")
    func move() throws {
        for number in 1...4 { try temporary.write("box/new/\(number)", "\(number)") }
        let other = try temporary.maildir("other")
        let mailbox = try open(box)
        _ = try allMessages(mailbox)
        let problems = mailbox.settle([
            ("1", .move("DMARC/done")), ("2", .delete), ("3", .leave), ("4", .move(other)), ("7", .delete),
        ])
        #expect(problems.map(\.code) == [.notSettled])
        #expect(try temporary.names("box/.DMARC.done/cur") == ["1:2,S"])
        #expect(try temporary.names("box/new") == ["3"])
        #expect(try temporary.names("other/cur") == ["4:2,S"])
        #expect(mailbox.settle([("2", .delete)]).isEmpty)
    }

    @Test("a folder's name cannot lead out of the maildir", arguments: ["..", "../x", "a/../b", "", ".", "a/.b"])
    func hostileFolder(name: String) throws {
        try temporary.write("box/new/1", "1")
        let mailbox = try open(box)
        _ = try allMessages(mailbox)
        #expect(mailbox.settle([("1", .move(name))]).count == 1)
        #expect(try temporary.names("box/new") == ["1"])
    }

    @Test("a mail is never replaced")
    func noReplace() throws {
        try temporary.write("box/new/1", "one")
        let mailbox = try open(box)
        _ = try allMessages(mailbox)
        try temporary.write("box/cur/1:2,S", "other")
        #expect(mailbox.settle([("1", .markSeen)]).count == 1)
        #expect(temporary.text("box/cur/1:2,S") == "other")
        #expect(temporary.text("box/new/1") == "one")
    }

    @Test("a message above the limit is message-too-large, however little of it there is")
    func large() throws {
        try temporary.write("box/new/1", "x")
        #expect(truncate(box + "/new/1", 1 << 40) == 0)
        try temporary.write("box/new/2", "12345")
        var limits = MailLimits()
        limits.maxMessageBytes = 5
        let messages = try allMessages(try open(box, limits: limits))
        #expect(messages.map(content) == ["message-too-large", "12345"])
    }

    @Test("twenty thousand messages, half of them known, are listed by name alone")
    func many() throws {
        for number in 0..<20_000 {
            let descriptor = open(box + (number % 2 == 0 ? "/new/\(number)" : "/cur/\(number):2,S"), O_CREAT | O_WRONLY, 0o600)
            close(descriptor)
        }
        let mailbox = try openMailbox(path: box, standardInput: 0, limits: MailLimits()) { $0.hasSuffix("7") }
        let messages = try allMessages(mailbox, batch: 1_000)
        #expect(messages.count == 18_000)
        #expect(mailbox.knownCount == 2_000)
        #expect(messages.map(\.key) == messages.map(\.key).sorted())
        #expect(mailbox.settle(messages.prefix(100).map { ($0.key, .markSeen) }).isEmpty)
    }

    @Test("a directory that cannot be listed is an oddity")
    func missing() throws {
        let mailbox = try open(box)
        #expect(rmdir(box + "/new") == 0)
        #expect(try allMessages(mailbox).isEmpty)
        #expect(mailbox.oddities.map(\.code) == [.unreadableFile])
        #expect(mailbox.oddities.first?.errno == ENOENT)
    }
}
