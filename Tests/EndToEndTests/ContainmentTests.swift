import Foundation
import Glibc
import Ingest
import Mail
import Testing

@testable import CLI

/// A message that ends the process costs one run, and is refused by the next. Debug builds have faults that a document can ask for.
@Suite("A message that ends the process")
struct ContainmentTests {
    private func fault(_ kind: String) -> [UInt8] { Array("<!--seeded-fault:\(kind)--><feedback/>".utf8) }

    /// Ends by a trap, and without the seconds that a backtrace takes.
    private func ingest(_ folder: Workdir, _ extra: String...) throws -> Finished {
        try Tool.run(
            ["ingest", "--database", folder.path("dmarc.sqlite"), folder.path("box"), "--format", "json"] + extra, in: folder,
            environment: ["SWIFT_BACKTRACE": "enable=no"])
    }

    private func box(_ documents: [String: Data]) throws -> Workdir {
        let folder = try Workdir()
        for (name, content) in documents { try folder.write("box/" + name, content) }
        return folder
    }

    private func refused(_ folder: Workdir) throws -> [RefusedRow] {
        try Tool.run(["refused", "--database", folder.path("dmarc.sqlite"), "--format", "json"], in: folder).json(Answer<RefusedRow>.self)
            .rows
    }

    @Test("while it is read: it costs a reader, and the same run refuses it and stores the rest; the next opens nothing")
    func whileRead() throws {
        let folder = try box([
            "a.xml": Data(sampleReport(id: "a").utf8), "b.xml": Data(fault("crash")), "c.xml": Data(sampleReport(id: "c").utf8),
        ])
        let first = try ingest(folder).json(IngestAnswer.self)
        #expect(first.messages.seen == 3 && first.messages.stored == 2 && first.messages.refused == 1)
        let rows = try refused(folder)
        #expect(rows.map(\.code) == ["parser-crash"] && rows[0].place.hasSuffix("b.xml"), "\(rows)")
        #expect(!FileManager.default.fileExists(atPath: folder.path("dmarc.sqlite.reading")))
        let second = try ingest(folder).json(IngestAnswer.self)
        #expect(second.messages.seen == 0)
    }

    @Test("behind a large report, whose records were passed on already: that is given up with it, and kept")
    func behindLarge() throws {
        let folder = try Workdir()
        try folder.write("parts/1.xml", Data(sampleReport(id: "large", sources: 60_000).utf8))
        try folder.write("parts/2.xml", Data(fault("crash")))
        // In one archive, so that the reader comes to both.
        let zip = "import sys,zipfile\nwith zipfile.ZipFile(sys.argv[1],'w',8) as z:\n  for f in sys.argv[2:]: z.write(f)"
        try FileManager.default.createDirectory(atPath: folder.path("box"), withIntermediateDirectories: true)
        let made = try folder.run(
            try #require(Tool.python3), ["-c", zip, folder.path("box/a.zip"), folder.path("parts/1.xml"), folder.path("parts/2.xml")])
        try #require(made.status == 0, "\(made)")
        try folder.write("box/b.xml", Data(sampleReport(id: "b").utf8))
        let answer = try ingest(folder).json(IngestAnswer.self)
        #expect(answer.messages.seen == 2 && answer.messages.refused == 1 && answer.stored.reports == 1 && answer.stored.records == 3)
        #expect(try refused(folder).map(\.code) == ["parser-crash"])
        #expect(try reprocess(folder, "--dry-run").kept_messages == 1)
        #expect(try Tool.run(["doctor", "--database", folder.path("dmarc.sqlite")], in: folder).status == 0)
    }

    @Test("who reads mails can only compute: an attack from inside comes to nothing")
    func inside() throws {
        let folder = try box(["a.xml": Data(fault("confined")), "b.xml": Data(sampleReport(id: "b").utf8)])
        let answer = try ingest(folder).json(IngestAnswer.self)
        #expect(answer.messages.stored == 1 && answer.messages.refused == 1)
        // The attempts were made, or it would not have been looked into as far as this; had one succeeded it had crashed.
        #expect(try refused(folder).map(\.code) == ["missing-field"])
    }

    @Test("five of them among many cost five refusals, and no run")
    func several() throws {
        var documents: [String: Data] = [:]
        for number in 0..<120 { documents[String(format: "%03d.xml", number)] = Data(sampleReport(id: "\(number)").utf8) }
        for number in [7, 31, 32, 80, 118] { documents[String(format: "%03d-x.xml", number)] = Data(fault("crash")) }
        let folder = try box(documents)
        let answer = try ingest(folder).json(IngestAnswer.self)
        #expect(answer.messages.stored == 120 && answer.messages.refused == 5)
        #expect(try refused(folder).map(\.code) == Array(repeating: "parser-crash", count: 5))
        #expect(!FileManager.default.fileExists(atPath: folder.path("dmarc.sqlite.reading")))
    }

    @Test("while it is stored: the next run refuses it and stores the rest")
    func whileStored() throws {
        let folder = try box([
            "a.xml": Data(sampleReport(id: "a").utf8), "b.xml": Data(sampleReport(organisation: "seeded-fault.example").utf8),
            "c.xml": Data(sampleReport(id: "c").utf8),
        ])
        #expect(try ingest(folder).status != 0)
        let second = try ingest(folder).json(IngestAnswer.self)
        #expect(second.messages.stored == 2 && second.messages.refused == 1)
        #expect(try refused(folder).map(\.code) == ["parser-crash"])
    }

    private struct RetriedRow: Decodable {
        let kept_messages: Int
        let recovered: Int
    }

    private func reprocess(_ folder: Workdir, _ extra: String...) throws -> RetriedRow {
        let arguments = ["reprocess", "--database", folder.path("dmarc.sqlite"), "--format", "json"] + extra
        return try #require(try Tool.run(arguments, in: folder).json(Answer<RetriedRow>.self).rows.first)
    }

    @Test("it is kept whole, and reprocess stores it once it can be read")
    func recovered() throws {
        let folder = try box(["b.xml": Data(fault("crash"))])
        _ = try ingest(folder)
        _ = try ingest(folder)
        let database = folder.path("dmarc.sqlite")
        let still = try reprocess(folder)
        #expect(still.kept_messages == 1 && still.recovered == 0)
        #expect(try refused(folder).map(\.code) == ["parser-crash"])
        // What a better parser would make of it, tried with bytes that this one can read.
        let python = try #require(Tool.python3)
        let sound = try folder.write("sound.xml", Data(sampleReport(id: "b").utf8))
        let swap = """
            import gzip, sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            with db: db.execute('UPDATE kept_messages SET bytes = ?', (gzip.compress(open(sys.argv[2], 'rb').read()),))
            """
        try #require(try folder.run(python, ["-c", swap, database, sound]).status == 0)
        #expect(try reprocess(folder, "--dry-run").kept_messages == 1)
        let better = try reprocess(folder)
        #expect(better.kept_messages == 1 && better.recovered == 1)
        #expect(try refused(folder).isEmpty)
        #expect(try reprocess(folder).kept_messages == 0)
        let summary = try Tool.run(["summary", "--database", database, "--format", "json"] + Tool.allDays, in: folder)
        #expect(try summary.json(Answer<SummaryRow>.self).rows.map(\.reports) == [1])
        #expect(try Tool.run(["doctor", "--database", database], in: folder).status == 0)
    }

    @Test("a sound message that was being read when a run was killed is stored by the next")
    func soundSuspect() throws {
        let folder = try box(["a.xml": Data(sampleReport(id: "a").utf8), "b.xml": Data(sampleReport(id: "b", sources: 3000).utf8)])
        // As the killed run would have noted it: the mailbox by its canonical path, the message by its key in the ledger.
        try #require(try ingest(folder).status == 0)
        let keys = try folder.run(
            try #require(Tool.python3),
            [
                "-c",
                "import sqlite3,sys\nfor r in sqlite3.connect(sys.argv[1]).execute('SELECT identifier, key FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id'): print(*r, sep='\\t')",
                folder.path("dmarc.sqlite"),
            ])
        let lines = keys.text.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        try #require(lines.count == 2, "\(keys)")
        for file in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: folder.path("dmarc.sqlite" + file)) }
        let notes = try ReadingNotes(database: folder.path("dmarc.sqlite"))
        for (slot, line) in lines.enumerated() {
            #expect(notes.begin(ReadingNotes.Suspect(mailbox: line[0], key: line[1]), slot: slot + 1))
        }
        let next = try ReadingNotes(database: folder.path("dmarc.sqlite"))
        #expect(next.suspects.count == 2)
        let answer = try ingest(folder, "--verbose").json(IngestAnswer.self)
        #expect(answer.messages.stored == 2 && answer.stored.records == 3003)
        #expect(!FileManager.default.fileExists(atPath: folder.path("dmarc.sqlite.reading")))
    }

    @Test("notes that are damaged name nobody and stop nothing")
    func damagedNotes() throws {
        let folder = try box(["a.xml": Data(sampleReport(id: "a").utf8)])
        for bytes in [[UInt8]](arrayLiteral: [], [1], [255, 255, 0, 0, 1], [UInt8](repeating: 0xFF, count: 40_000)) {
            try folder.write("dmarc.sqlite.reading", Data(bytes))
            #expect(try ReadingNotes(database: folder.path("dmarc.sqlite")).suspects.isEmpty)
        }
        #expect(try ingest(folder).json(IngestAnswer.self).messages.stored == 1)
    }

    @Test("the process that looks at it may crash, take all memory or never end; and all that it can do is compute")
    func examination() {
        let reader = IsolatedReader(executable: Tool.binary.filePath, allowance: IsolatedReader.Allowance(seconds: 1, mebibytes: 512))
        func reason(_ kind: String) -> Containment.Reason? {
            guard case .fatal(let reason, _) = reader.examine(fault(kind), .file, "a.xml") else { return nil }
            return reason
        }
        #expect(reason("crash") == .crash)
        #expect(reason("memory") == .memory)
        #expect(reason("time") == .time)
        // Nothing is shown by a refusal of what is refused everywhere. A kernel may have no io_uring.
        let here = SeededFault.attempts()
        #expect(here.count >= 12 && here.allSatisfy { $0.error != EPERM || $0.name == "io_uring" }, "\(here)")
        #expect(reader.examine(fault("confined"), .file, "a.xml") == .sound)
        #expect(reader.examine(Array(sampleReport().utf8), .file, "a.xml") == .sound)
        #expect(reader.examine([], .mail, "") == .sound)
        let none = IsolatedReader(executable: "/nonexistent/dmarcstat")
        guard case .notExamined = none.examine([], .mail, "") else {
            Issue.record("a program that is not there has looked at a message")
            return
        }
    }
}
