import Foundation
import GRDB
import Mail
import Store
import Testing

@testable import Ingest

/// A folder that is gone when its owner is.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    var path: String { url.path }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}

/// A report as text.
struct Written {
    var reporter = "Reporter"
    var id = "1"
    var domain = "example.nl"
    var begin = 1_782_777_600
    var end = 1_782_863_999
    var policyLast = false
    /// Address, count, DKIM, SPF.
    var records: [(String, Int, Bool, Bool)] = [("192.0.2.1", 1, true, true)]

    var text: String {
        let metadata = """
            <report_metadata><org_name>\(reporter)</org_name><email>a@reporter.example</email><report_id>\(id)</report_id>\
            <date_range><begin>\(begin)</begin><end>\(end)</end></date_range></report_metadata>
            """
        let policy = """
            <policy_published><domain>\(domain)</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
            """
        let rows = records.map { source, count, dkim, spf in
            """
            <record><row><source_ip>\(source)</source_ip><count>\(count)</count><policy_evaluated><disposition>none</disposition>\
            <dkim>\(dkim ? "pass" : "fail")</dkim><spf>\(spf ? "pass" : "fail")</spf></policy_evaluated></row>\
            <identifiers><header_from>\(domain)</header_from></identifiers><auth_results><spf><domain>\(domain)</domain>\
            <result>\(spf ? "pass" : "fail")</result></spf></auth_results></record>
            """
        }.joined(separator: "\n")
        let inner = policyLast ? rows + metadata + policy : metadata + policy + rows
        return "<?xml version=\"1.0\"?>\n<feedback><version>1.0</version>\n\(inner)</feedback>\n"
    }
}

extension ReportStore {
    /// The figures that people see, whatever numbers the rows have.
    func figures() throws -> [String] {
        try reader.read { db in
            let daily = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.name, r.day, r.disposition, r.dkim, r.spf, r.messages, r.records FROM daily r JOIN domains d ON d.id = r.domain_id
                    WHERE r.messages <> 0 OR r.records <> 0 ORDER BY 1, 2, 3, 4, 5
                    """)
            let sources = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.name, hex(source), first_day, last_day, messages, passed FROM sources s JOIN domains d ON d.id = s.domain_id
                    ORDER BY 1, 2
                    """)
            let days = try Row.fetchAll(
                db,
                sql: "SELECT d.name, s.day, hex(ipv4) || hex(ipv6) FROM daily_sources s JOIN domains d ON d.id = s.domain_id ORDER BY 1, 2")
            return (daily + sources + days).map { $0.databaseValues.map { "\($0)" }.joined(separator: "|") }
        }
    }

    /// The rollups, computed anew from the records: what they must be.
    func recomputedFigures() throws -> [String] {
        try reader.read { db in
            let daily = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.name, r.day, r.disposition, r.dkim, r.spf, sum(r.messages),
                        sum(NOT EXISTS (SELECT 1 FROM records e WHERE e.domain_id = r.domain_id AND e.counted_as = r.counted_as
                            AND e.report_id = r.report_id AND e.sequence = r.sequence AND e.day < r.day))
                    FROM records r JOIN domains d ON d.id = r.domain_id WHERE r.counted_as IN (0, 1) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
                    """)
            let sources = try Row.fetchAll(
                db,
                sql: """
                    SELECT d.name, hex(source), min(day), max(day), sum(messages), sum(iif(counted_as = 0, messages, 0))
                    FROM records r JOIN domains d ON d.id = r.domain_id WHERE r.counted_as IN (0, 1) GROUP BY 1, 2 ORDER BY 1, 2
                    """)
            let days = try Row.fetchAll(
                db,
                sql: """
                    SELECT name, day, group_concat(address, '') FROM (
                        SELECT DISTINCT d.name, day, hex(source) AS address FROM records r JOIN domains d ON d.id = r.domain_id
                        WHERE r.counted_as IN (0, 1) AND r.messages > 0 ORDER BY 1, 2, length(source), source)
                    GROUP BY 1, 2 ORDER BY 1, 2
                    """)
            return (daily + sources + days).map { $0.databaseValues.map { "\($0)" }.joined(separator: "|") }
        }
    }

    /// Reports in the order of their numbers.
    func reportOrder() throws -> [String] {
        try reader.read { try String.fetchAll($0, sql: "SELECT report_id || '@' || begin_utc FROM reports ORDER BY id") }
    }

    func value(_ sql: String) throws -> Int { try reader.read { try Int.fetchOne($0, sql: sql) ?? -1 } }
}

@Suite("Ingest")
struct IngestTests {
    private func ingest(_ store: ReportStore, _ path: String, _ change: (inout IngestOptions) -> Void = { _ in }) throws -> Tally {
        var options = Samples.options()
        change(&options)
        return try Ingest(store: store, options: options).run(path: path)
    }

    @Test("the demo mailbox gives the expected totals, and the second run reads nothing")
    func demo() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let path = Samples.folder.appending(path: "maildir").path
        let first = try ingest(store, path)
        #expect(first.messages == [.stored: 430, .duplicate: 2, .notAReport: 2, .refused: 1])
        #expect(try store.figures() == store.recomputedFigures())
        let figures = try store.figures()
        let second = try ingest(store, path)
        #expect(second.seen == 0)
        #expect(second.known == 435)
        #expect(try store.figures() == figures)
    }

    @Test("threads and sizes of transactions change nothing", arguments: [(1, 200_000), (2, 1), (4, 100), (8, 200_000)])
    func threads(workers: Int, work: Int) throws {
        let path = Samples.folder.appending(path: "maildir").path
        let usual = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try ingest(usual, path)
        let other = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try ingest(other, path) {
            $0.workers = workers
            $0.workPerCommit = work
        }
        #expect(tally.seen == 435)
        #expect(try other.figures() == usual.figures())
        // The order of the mailbox, not of the threads, numbers the reports.
        #expect(try other.reportOrder() == usual.reportOrder())
    }

    @Test("a report of another container or mail is a duplicate")
    func duplicates() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let folder = Samples.folder.appending(path: "containers").path
        let tally = try ingest(store, folder)
        #expect(
            tally.documents.stored + tally.documents.duplicate + tally.documents.refused + tally.documents.conflict == tally.documents.seen)
        let again = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try ingest(again, folder)
        #expect(try again.figures() == store.figures())
    }

    @Test("records in another order, and equal records, are what they are")
    func equalRecords() throws {
        let folder = try TemporaryFolder()
        var report = Written()
        report.records = [("192.0.2.1", 1, true, true), ("192.0.2.1", 1, true, true), ("192.0.2.2", 2, false, false)]
        try folder.write("a.xml", report.text)
        report.records.reverse()
        try folder.write("b.xml", report.text)
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try ingest(store, folder.path)
        #expect(tally.documents == .init(seen: 2, stored: 1, duplicate: 1))
        #expect(try store.value("SELECT sum(messages) FROM records") == 4)
        #expect(try store.value("SELECT count(*) FROM records") == 3)
    }

    @Test("of two reports with one identity a superset counts, else the first; both are kept", arguments: [false, true])
    func conflicts(reversed: Bool) throws {
        let folder = try TemporaryFolder()
        var small = Written()
        small.records = [("192.0.2.1", 3, true, true), ("192.0.2.2", 2, false, false)]
        var large = small
        large.records.append(("192.0.2.3", 5, false, true))
        try folder.write(reversed ? "2.xml" : "1.xml", small.text)
        try folder.write(reversed ? "1.xml" : "2.xml", large.text)
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try ingest(store, folder.path)
        #expect(tally.documents == .init(seen: 2, stored: 1, conflict: 1))
        #expect(try store.value("SELECT sum(messages) FROM daily") == 10)
        #expect(try store.value("SELECT sum(records) FROM daily") == 3)
        #expect(try store.value("SELECT count(*) FROM reports") == 2)
        #expect(try store.value("SELECT records FROM reports WHERE is_counted") == 3)
        #expect(try store.figures() == store.recomputedFigures())
        // Neither contains the other: the one that is counted stays.
        var other = small
        other.records = [("192.0.2.9", 100, false, false)]
        try folder.write("3.xml", other.text)
        #expect(try ingest(store, folder.path).documents == .init(seen: 1, conflict: 1))
        #expect(try store.value("SELECT sum(messages) FROM daily") == 10)
        #expect(try store.figures() == store.recomputedFigures())
        // And each of them once more is a duplicate.
        try folder.write("4.xml", small.text + "\n")
        try folder.write("5.xml", other.text + "\n")
        #expect(try ingest(store, folder.path).documents == .init(seen: 2, duplicate: 2))
    }

    @Test("of two reports that differ in their policy only, the first stays")
    func policyConflict() throws {
        let folder = try TemporaryFolder()
        try folder.write("1.xml", Written().text)
        try folder.write("2.xml", Written().text.replacing("<p>none</p>", with: "<p>reject</p>"))
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        #expect(try ingest(store, folder.path).documents == .init(seen: 2, stored: 1, conflict: 1))
        #expect(try store.value("SELECT is_counted FROM reports ORDER BY id LIMIT 1") == 1)
    }

    @Test("the larger of two reports with a long window counts, whatever the shares of its days", arguments: [false, true])
    func spreadConflict(reversed: Bool) throws {
        let folder = try TemporaryFolder()
        var report = Written()
        report.begin = 1_760_019_093
        report.end = 1_760_602_882
        for (name, count) in [(reversed ? "2.xml" : "1.xml", 10), (reversed ? "1.xml" : "2.xml", 21)] {
            report.records = [("192.0.2.1", count, true, true)]
            try folder.write(name, report.text)
        }
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        #expect(try ingest(store, folder.path).documents == .init(seen: 2, stored: 1, conflict: 1))
        #expect(try store.value("SELECT sum(messages) FROM daily") == 21)
        #expect(try store.figures() == store.recomputedFigures())
    }

    @Test("mail that is moved below its own mailbox is not read again")
    func movedBelow() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.xml", Written().text)
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        func run() throws -> Tally {
            var options = Samples.options()
            options.after = .move("done")
            return try Ingest(store: store, options: options).run { isKnown throws(MailError) in
                try openMailbox(path: folder.path, standardInput: 0, limits: MailLimits(), excluding: ["done"], isKnown: isKnown)
            }
        }
        #expect(try run().seen == 1)
        #expect(FileManager.default.fileExists(atPath: folder.url.appending(path: "done/a.xml").path))
        #expect(try run().seen == 0)
    }

    @Test("reports without an id are told apart by their content")
    func withoutID() throws {
        let folder = try TemporaryFolder()
        try folder.write("1.xml", Written(id: "", records: [("192.0.2.1", 1, true, true)]).text)
        try folder.write("2.xml", Written(id: "", records: [("192.0.2.2", 2, true, true)]).text)
        try folder.write("3.xml", Written(id: "", records: [("192.0.2.2", 2, true, true)]).text + "\n")
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        #expect(try ingest(store, folder.path).documents == .init(seen: 3, stored: 2, duplicate: 1))
        #expect(try store.value("SELECT sum(messages) FROM daily") == 3)
    }

    @Test("a large report passes through, wherever its policy stands, and broken it leaves nothing", arguments: [false, true])
    func large(policyLast: Bool) throws {
        let folder = try TemporaryFolder()
        var report = Written()
        report.policyLast = policyLast
        report.records = (0..<10_500).map { ("2001:db8::\(String($0, radix: 16))", $0 % 7, $0 % 2 == 0, $0 % 3 == 0) }
        let expected = report.records.reduce(0) { $0 + $1.1 }
        let small = Written(id: "small").text
        try folder.write("0.xml", small)
        try folder.write("1.xml", String(report.text.dropLast(40)))
        try folder.write("2.xml", report.text)
        try folder.write("3.xml", report.text + "\n")
        try folder.write("4.xml", report.text.replacing("<org_name>Reporter", with: "<org_name>A & B"))
        try folder.write("5.xml", small + "\n")
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try ingest(store, folder.path) { $0.workers = 3 }
        #expect(tally.messages == [.stored: 3, .duplicate: 2, .refused: 1])
        #expect(tally.refusals.map(\.code) == ["xml-truncated"])
        #expect(try store.value("SELECT sum(messages) FROM daily") == 2 * expected + 1)
        #expect(try store.value("SELECT count(*) FROM records") == 21_001)
        #expect(try store.figures() == store.recomputedFigures())
        #expect(try store.value("SELECT count(*) FROM raw_documents") == 3)
    }

    @Test("a long window is spread over its days, in every figure")
    func longWindow() throws {
        let folder = try TemporaryFolder()
        var report = Written()
        report.end = report.begin + 7 * 86400 - 1
        report.records = [
            ("192.0.2.1", 70, true, true), ("192.0.2.2", 1, false, false), ("192.0.2.3", 0, false, false), ("192.0.2.4", 10, false, false),
        ]
        try folder.write("1.xml", report.text)
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try ingest(store, folder.path)
        let perDay = try store.reader.read { try Int.fetchAll($0, sql: "SELECT sum(messages) FROM daily GROUP BY day ORDER BY day") }
        #expect(perDay.reduce(0, +) == 81)
        #expect(perDay == [13, 12, 12, 11, 11, 11, 11])
        #expect(try store.value("SELECT sum(records) FROM daily") == 4)
        #expect(try store.figures() == store.recomputedFigures())
    }

    @Test("the ledger has every message, and what was not stored with its reason")
    func ledger() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try ingest(store, Samples.folder.path)
        #expect(tally.seen > 500)
        #expect(try store.value("SELECT count(*) FROM messages") == tally.seen)
        let withoutReason = """
            SELECT count(*) FROM messages m WHERE outcome IN (3, 4, 5) AND NOT EXISTS (SELECT 1 FROM refusals r WHERE r.message_id = m.id)
            """
        #expect(try store.value(withoutReason) == 0)
        #expect(try store.value("SELECT seen - stored - duplicate - not_a_report - refused - deferred FROM runs") == 0)
        #expect(try store.figures() == store.recomputedFigures())
        #expect(try store.value("PRAGMA foreign_key_check") == -1)
    }

    @Test("the mailbox is touched only if asked, and refused mail as is asked for it")
    func settling() throws {
        let folder = try TemporaryFolder()
        for name in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(at: folder.url.appending(path: name), withIntermediateDirectories: true)
        }
        func mail(_ body: String) -> String {
            "From: a@b.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/xml; name=\"r.xml\"\n\n" + body
        }
        try folder.write("new/1.a.host", mail(Written().text))
        try folder.write("new/2.b.host", mail(String(Written(id: "2").text.dropLast(60))))
        try folder.write("new/3.c.host", "From: a@b.example\nSubject: hello\n\nno report\n")
        func names(_ sub: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: sub).path).sorted()
        }
        let first = try ReportStore(path: ":memory:", access: .readWrite)
        #expect(try ingest(first, folder.path).messages == [.stored: 1, .refused: 1, .notAReport: 1])
        #expect(try names("new") == ["1.a.host", "2.b.host", "3.c.host"])
        let second = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try ingest(second, folder.path) { $0.after = .markSeen }
        #expect(try names("new") == ["2.b.host", "3.c.host"])
        #expect(try names("cur") == ["1.a.host:2,S"])
        let third = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try ingest(third, folder.path) { $0.afterRefused = .delete }
        #expect(try names("new") == ["3.c.host"])
        #expect(try names("cur") == ["1.a.host:2,S"])
        let fourth = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try ingest(fourth, folder.path) { $0.afterOther = .markSeen }
        #expect(try names("new") == [])
        #expect(try names("cur") == ["1.a.host:2,S", "3.c.host:2,S"])
    }

    @Test("killed between commit and move, the next run finishes the move and counts nothing twice")
    func interrupted() throws {
        let folder = try TemporaryFolder()
        for name in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(at: folder.url.appending(path: name), withIntermediateDirectories: true)
        }
        for id in 1...5 {
            try folder.write("new/\(id).a.host", "From: a@b.example\nContent-Type: text/xml\n\n" + Written(id: "\(id)").text)
        }
        func names(_ sub: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: sub).path).sorted()
        }
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        var options = Samples.options()
        options.after = .markSeen
        let first = try Ingest(store: store, options: options).run { isKnown throws(MailError) in
            Interrupted(try openMailbox(path: folder.path, standardInput: 0, limits: MailLimits(), isKnown: isKnown))
        }
        #expect(first.messages == [.stored: 5])
        #expect(try names("new").count == 5)
        #expect(try store.value("SELECT count(*) FROM messages WHERE is_settled = 0") == 5)
        // One was deleted by somebody else in between: there is nothing left to do with it.
        try FileManager.default.removeItem(at: folder.url.appending(path: "new/3.a.host"))
        let second = try Ingest(store: store, options: options).run(path: folder.path)
        #expect(second.seen == 0 && second.unsettled.isEmpty)
        #expect(try names("new") == [])
        #expect(try names("cur") == ["1.a.host:2,S", "2.a.host:2,S", "4.a.host:2,S", "5.a.host:2,S"])
        #expect(try store.value("SELECT count(*) FROM messages WHERE is_settled = 0") == 0)
        #expect(try store.value("SELECT sum(messages) FROM daily") == 5)
    }

    @Test("what cannot be read now is deferred, and read by the next run")
    func deferred() throws {
        guard getuid() != 0 || access("/proc/self/mem", R_OK) == 0 else { return }
        let folder = try TemporaryFolder()
        for name in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(at: folder.url.appending(path: name), withIntermediateDirectories: true)
        }
        try FileManager.default.createSymbolicLink(
            at: folder.url.appending(path: "new/1.link.host"), withDestinationURL: URL(filePath: "/etc/passwd"))
        mkfifo(folder.url.appending(path: "new/2.fifo.host").path, 0o600)
        try folder.write("new/3.c.host", "From: a@b.example\nContent-Type: text/xml\n\n" + Written().text)
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try ingest(store, folder.path)
        #expect(tally.messages == [.stored: 1, .refused: 2])
        #expect(Set(tally.refusals.map(\.code)) == ["not-a-regular-file"])
        // They are known from now on, and not said again.
        #expect(try ingest(store, folder.path).seen == 0)
    }
}

/// A mailbox whose user is gone when messages are to be settled: as after a kill between commit and move.
final class Interrupted: Mailbox {
    private let mailbox: any Mailbox

    init(_ mailbox: any Mailbox) { self.mailbox = mailbox }

    var identifier: String { mailbox.identifier }
    var expectedCount: Int? { mailbox.expectedCount }
    var knownCount: Int { mailbox.knownCount }
    var oddities: [MailError] { mailbox.oddities }

    func next(_ limit: Int) throws(MailError) -> [Message] { try mailbox.next(limit) }

    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        messages.map { _ in MailError(code: .notSettled, place: "", found: "killed", errno: EINTR) }
    }
}
