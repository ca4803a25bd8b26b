import Doctor
import Foundation
import GRDB
import Refresh
import Store
import Testing

@testable import Ingest

/// The ledger forgets mails that are gone, and nothing is read where nothing happened.
@Suite("What the ledger forgets")
struct ForgettingTests {
    private static let now = 1_790_000_000
    private static let day = 86400

    /// A maildir with a database beside it.
    private final class Box {
        let folder: TemporaryFolder
        let store: ReportStore

        init() throws {
            folder = try TemporaryFolder()
            for name in ["cur", "new", "tmp"] {
                try FileManager.default.createDirectory(at: folder.url.appending(path: "box/\(name)"), withIntermediateDirectories: true)
            }
            store = try ReportStore(path: folder.path + "/dmarc.sqlite", access: .readWrite)
        }

        func put(_ name: String, _ content: String) throws {
            let type = content.hasPrefix("<") ? "xml" : "plain"
            try folder.write(
                "box/cur/\(name):2,S", "From: d@reporter.example\nMessage-ID: <\(name)@x>\nContent-Type: text/\(type)\n\n\(content)\n")
        }

        func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: folder.path + "/box/cur/\(name):2,S") }

        func ingest(after days: Int = 0) throws -> Tally {
            var options = IngestOptions(now: ForgettingTests.now + days * ForgettingTests.day, organisations: { { $0 } })
            options.forgetDays = 30
            return try Ingest(store: store, options: options).run(path: folder.path + "/box")
        }

        /// Longer than the clock of the file system ticks.
        func wait() { usleep(150_000) }

        func keys(_ condition: String = "1") throws -> [String] {
            try store.reader.read { try String.fetchAll($0, sql: "SELECT key FROM messages WHERE \(condition) ORDER BY key") }
        }
    }

    @Test("mails that are gone, n days after, but not what was stored; what comes back is counted once")
    func gone() throws {
        let box = try Box()
        try box.put("1", Written().text)
        try box.put("2", Written().text)
        try box.put("3", "a note")
        try box.put("4", "<feedback>")
        let first = try box.ingest()
        #expect(first.messages == [.stored: 1, .duplicate: 1, .notAReport: 1, .refused: 1], "\(first.messages)")
        let figures = try box.store.figures()
        for name in ["1", "2", "3", "4"] { try box.remove(name) }
        box.wait()
        #expect(try box.ingest(after: 1).seen == 0)
        #expect(try box.keys("gone_utc = \(Self.now + Self.day)") == ["1", "2", "3", "4"])
        // The third comes back in time.
        try box.put("3", "a note")
        box.wait()
        #expect(try box.ingest(after: 20).known == 1)
        #expect(try box.keys("gone_utc IS NOT NULL") == ["1", "2", "4"])
        #expect(try box.ingest(after: 31).known == 1)
        #expect(try box.keys() == ["1", "2", "3", "4"])
        #expect(try box.ingest(after: 32).known == 1)
        // What was refused is kept whole, so its line stays.
        #expect(try box.keys() == ["1", "3", "4"])
        #expect(try DatabaseCheck().run(box.store).allSatisfy { $0.check == .verdicts || $0.wrong == 0 })
        for name in ["1", "2"] { try box.put(name, Written().text) }
        let back = try box.ingest(after: 33)
        #expect(back.messages == [.duplicate: 1] && back.known == 2)
        #expect(try box.store.figures() == figures)
    }

    @Test("nothing while figures of deleted reports are kept, of which it was a copy")
    func kept() throws {
        let box = try Box()
        for name in ["1", "2"] { try box.put(name, Written().text) }
        _ = try box.ingest()
        _ = try Retention().purge(box.store, ReportSelection(), .allButDaily, isDryRun: false)
        for name in ["1", "2"] { try box.remove(name) }
        box.wait()
        _ = try box.ingest(after: 1)
        _ = try box.ingest(after: 50)
        #expect(try box.keys() == ["1", "2"])
    }

    @Test("a mailbox that is made anew leaves nothing behind for ever")
    func family() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let gone = try store.write { writer in
            try writer.begin()
            let family = "imap://u@host/INBOX"
            let boxes = try ["\(family);UIDVALIDITY=1", "\(family);UIDVALIDITY=2", "imap://u@host/OTHER"].map { try writer.mailbox($0) }
            for box in boxes {
                let run = try writer.beginRun(now: Self.now)
                _ = try writer.message(mailbox: box, key: "7", run: run, now: Self.now, outcome: .notAReport)
                try writer.finishRun(run, now: Self.now, counts: [.notAReport: 1])
            }
            let run = try writer.beginRun(now: Self.now)
            try writer.noteGone(mailbox: boxes[1], KnownKeys(), except: run, now: Self.now, family: family + ";")
            try writer.forgetGone(mailbox: boxes[1], before: Self.now + 1, family: family + ";")
            try writer.commit()
            return boxes
        }
        let left = try store.reader.read { try Int64.fetchAll($0, sql: "SELECT mailbox_id FROM messages ORDER BY 1") }
        #expect(left == [gone[1], gone[2]])
    }

    @Test("a maildir in which nothing happened is not listed, for a day; whatever happens in it is met")
    func rest() throws {
        let box = try Box()
        for name in ["1", "2", "3"] { try box.put(name, "a note") }
        box.wait()
        #expect(try box.ingest().seen == 3)
        // As if nothing had been known of it: that shows whether anybody looks.
        try box.store.update { try $0.execute(sql: "PRAGMA foreign_keys = ON; DELETE FROM messages WHERE key = '2'") }
        let atRest = try box.ingest()
        #expect(atRest.seen == 0 && atRest.known == 3)
        let nextDay = try box.ingest(after: 2)
        #expect(nextDay.seen == 1 && nextDay.known == 2)
        try box.put("4", "another")
        #expect(try box.ingest(after: 2).seen == 1)
        // At once after that the clock of the file system cannot tell one change from the next.
        try box.put("5", "another")
        let last = try box.ingest(after: 2)
        #expect(last.seen == 1 && last.known == 4)
        box.wait()
        try FileManager.default.createDirectory(atPath: box.folder.path + "/box/.More", withIntermediateDirectories: true)
        for name in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(atPath: box.folder.path + "/box/.More/\(name)", withIntermediateDirectories: true)
        }
        try box.folder.write("box/.More/new/6", "From: a@b.example\nSubject: x\n\ntext\n")
        #expect(try box.ingest(after: 2).seen == 1)
        // A file with the name of one that is known is another one.
        try box.folder.write("box/new/1", "From: a@b.example\nSubject: twin\n\ntext\n")
        let twin = try box.ingest(after: 2)
        #expect(twin.seen == 1 && twin.known == 6)
        box.wait()
        #expect(try box.ingest(after: 2).known == 7)
        #expect(try box.ingest(after: 2).known == 7)
    }

    @Test("what an earlier run left undone is done, also where only what is new is listed")
    func leftOver() throws {
        let box = try Box()
        for name in ["1", "2"] { try box.put(name, Written().text) }
        _ = try box.ingest()
        try box.store.update { try $0.execute(sql: "UPDATE messages SET is_settled = 0 WHERE key = '1'") }
        box.wait()
        var options = IngestOptions(now: Self.now, organisations: { { $0 } })
        options.after = .delete
        _ = try Ingest(store: box.store, options: options).run(path: box.folder.path + "/box")
        #expect(try FileManager.default.contentsOfDirectory(atPath: box.folder.path + "/box/cur") == ["2:2,S"])
    }
}
