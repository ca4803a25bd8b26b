import Foundation
import Testing

@testable import Mail

@Suite("Files, mboxes and streams")
struct OtherMailboxTests {
    let temporary: TemporaryFolder

    init() throws {
        temporary = try TemporaryFolder()
    }

    @Test("recognises what a path is")
    func kinds() throws {
        let box = try temporary.maildir()
        try temporary.folder("folder")
        try temporary.write("a.xml", "<feedback/>")
        try temporary.write("mbox", "From a@b Sat\n\nx\n")
        #expect(mkfifo(temporary.path + "/pipe", 0o600) == 0)
        #expect(try mailboxKind(path: box) == .maildir)
        #expect(try mailboxKind(path: temporary.path + "/folder") == .directory)
        #expect(try mailboxKind(path: temporary.path + "/a.xml") == .file)
        #expect(try mailboxKind(path: temporary.path + "/mbox") == .mbox)
        #expect(try mailboxKind(path: temporary.path + "/pipe") == .standardInput)
        #expect(try mailboxKind(path: "-") == .standardInput)
        let device = #expect(throws: MailError.self) { try mailboxKind(path: "/dev/null") }
        #expect(device?.code == .notARegularFile)
        let missing = #expect(throws: MailError.self) { try open(temporary.path + "/missing") }
        #expect(missing?.errno == ENOENT)
        #expect(missing?.isOurFault == true)
    }

    @Test("one file is one message, whose key changes with the file")
    func file() throws {
        try temporary.write("a.xml", "<feedback/>")
        let path = temporary.path + "/a.xml"
        let mailbox = try open(path)
        let messages = try allMessages(mailbox)
        #expect(messages.map(content) == ["<feedback/>"])
        #expect(messages.map(\.place) == [path])
        #expect(messages.map(\.form) == [.file])
        let key = try #require(messages.first?.key)
        let again = try open(path, known: [key])
        #expect(try allMessages(again).isEmpty)
        #expect(again.knownCount == 1)
        #expect(mailbox.settle([(key, .delete)]).isEmpty)
        try temporary.write("a.xml", "<feedback></feedback>")
        #expect(try allMessages(try open(path, known: [key])).count == 1)
    }

    @Test("a directory is read at any depth, sorted by path; maildirs and mboxes in it are read as such")
    func directory() throws {
        try temporary.folder("in/b/c")
        _ = try temporary.maildir("in/mail")
        try temporary.write("in/b/c/2.xml", "two")
        try temporary.write("in/a.xml", "one")
        try temporary.write("in/.hidden", "x")
        try temporary.write("in/mail/new/1", "mail")
        try temporary.write("in/archive", "From a\n\nfirst\nFrom b\n\nsecond\n")
        #expect(symlink(temporary.path + "/in/a.xml", temporary.path + "/in/link.xml") == 0)
        #expect(mkfifo(temporary.path + "/in/pipe", 0o600) == 0)
        let path = temporary.path + "/in"
        let mailbox = try open(path)
        let messages = try allMessages(mailbox, batch: 2)
        #expect(messages.map(content) == ["one", "\nfirst\n", "\nsecond\n", "two", "mail"])
        let places = ["/a.xml", "/archive#1", "/archive#2", "/b/c/2.xml", "/mail/new/1"]
        #expect(messages.map(\.place) == places.map { path + $0 })
        #expect(messages.map(\.form) == [.file, .mail, .mail, .file, .mail])
        #expect(Set(mailbox.oddities.map(\.place)) == [path + "/link.xml", path + "/pipe"])
        #expect(mailbox.oddities.allSatisfy { $0.code == .notARegularFile })
        #expect(mailbox.expectedCount == 5)
        #expect(Set(messages.map(\.key)).count == 5)
        let again = try open(path, known: Set(messages.map(\.key)))
        #expect(try allMessages(again).isEmpty)
        #expect(again.knownCount == 5)
        #expect(mailbox.settle([(messages[4].key, .markSeen), (messages[0].key, .delete)]).isEmpty)
        #expect(try temporary.names("in/mail/cur") == ["1:2,S"])
        #expect(mailbox.settle([(messages[3].key, .move(temporary.path + "/done"))]).isEmpty)
        #expect(temporary.text("done/2.xml") == "two")
        #expect(mailbox.settle([(messages[1].key, .delete)]).map(\.code) == [.notSettled])
    }

    @Test("an mbox is cut at its From lines, also in bodies, and keeps its keys")
    func mbox() throws {
        let text = "From a Sat\r\nSubject: 1\r\n\r\nbody\r\n\r\nFrom b Sun\nSubject: 2\n\n>From x\n From y\nFromage\nFrom forged\nthird\n"
        try temporary.write("mbox", text)
        let path = temporary.path + "/mbox"
        let mailbox = try open(path)
        let messages = try allMessages(mailbox, batch: 1)
        let expected = ["Subject: 1\r\n\r\nbody\r\n\r\n", "Subject: 2\n\n>From x\n From y\nFromage\n", "third\n"]
        #expect(messages.map(content) == expected)
        #expect(messages.map(\.place) == [path + "#1", path + "#2", path + "#3"])
        let known = try open(path, known: [messages[1].key])
        #expect(try allMessages(known).map(content) == [expected[0], expected[2]])
        #expect(known.knownCount == 1)
        #expect(temporary.text("mbox") == text)
    }

    @Test("a large mail in an mbox is told, and those behind it are read", arguments: [0, 5, 100_000, 1_000_000])
    func largeInMbox(size: Int) throws {
        var limits = MailLimits()
        limits.maxMessageBytes = 50_000
        let large = String(repeating: "0123456789012345678\n", count: size / 20)
        try temporary.write("mbox", "From a\nsmall\nFrom b\n\(large)From c\nlast")
        let messages = try allMessages(try open(temporary.path + "/mbox", limits: limits))
        #expect(messages.map(content) == ["small\n", size > 50_000 ? "message-too-large" : large, "last"])
        let stream = try piped("From a\nsmall\nFrom b\n\(large)From c\nlast", limits: limits)
        #expect(stream.messages.map(content) == ["small\n", size > 50_000 ? "message-too-large" : large, "last"])
    }

    @Test("many mails come through the splitter whole, whatever their length")
    func manyInMbox() throws {
        let bodies = (0..<3_000).map { String(repeating: "line \($0)\n", count: $0 % 90) }
        let text = bodies.map { "From x\n" + $0 }.joined()
        try temporary.write("mbox", text)
        #expect(try allMessages(try open(temporary.path + "/mbox"), batch: 100).map(content) == bodies)
        #expect(try piped(text).messages.map(content) == bodies)
    }

    /// What standard input gives when `text` is written to it.
    func piped(_ text: String, limits: MailLimits = MailLimits()) throws -> (messages: [Message], oddities: [MailError]) {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let writer = Thread {
            signal(SIGPIPE, SIG_IGN)
            try? FileHandle(fileDescriptor: writing, closeOnDealloc: true).write(contentsOf: Data(text.utf8))
        }
        writer.start()
        let mailbox = try openMailbox(path: "-", standardInput: reading, limits: limits) { _ in false }
        let messages = try allMessages(mailbox)
        close(reading)
        return (messages, mailbox.oddities)
    }

    @Test("standard input is one file, or an mbox")
    func standardInput() throws {
        let file = try piped("<feedback/>").messages
        #expect(file.map(content) == ["<feedback/>"])
        #expect(file.map(\.form) == [.file])
        #expect(file.map(\.place) == ["-"])
        let mbox = try piped("From a\n1\nFrom b\n2\n").messages
        #expect(mbox.map(content) == ["1\n", "2\n"])
        #expect(mbox.map(\.place) == ["-#1", "-#2"])
        #expect(mbox.map(\.form) == [.mail, .mail])
        #expect(try piped("").messages.map(content) == [""])
        #expect(try piped("Fro").messages.map(content) == ["Fro"])
    }

    @Test("endless input stops at the limit")
    func endless() throws {
        var limits = MailLimits()
        limits.maxMessageBytes = 100_000
        let stream = try piped(String(repeating: "y\n", count: 1_000_000), limits: limits)
        #expect(stream.messages.map(content) == ["message-too-large"])
    }

    @Test("a named pipe is read like standard input")
    func namedPipe() throws {
        let path = temporary.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let writer = Thread { try? Data("<feedback/>".utf8).write(to: URL(fileURLWithPath: path), options: []) }
        writer.start()
        #expect(try allMessages(try open(path)).map(content) == ["<feedback/>"])
    }

    @Test(
        "tells a mail from a report file",
        arguments: [
            ("From: a@b\n", true), ("Return-Path: <a@b>\r\n", true), ("From a@b Sat\n", true), ("X: ", true),
            ("<feedback>", false), ("<?xml version=\"1.0\"?>", false), ("PK\u{3}\u{4}", false), ("", false), ("a b: c", false),
            (":x", false), ("{\"a\":1}", false), ("nothing", false),
        ])
    func mail(text: String, isMail: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes(looksLikeMail) == isMail)
    }
}
