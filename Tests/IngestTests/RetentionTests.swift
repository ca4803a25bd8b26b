import DMARC
import Doctor
import Foundation
import GRDB
import Ingest
import Refresh
import Store
import Synchronization
import Testing
import Unpacking

/// The same numbers every time (SplitMix64).
private struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// What a test breaks off with.
private struct BrokenOff: Error {}

private let firstDay = 20_600

/// Reports of three domains over forty days: some with long windows, some that conflict, some with no record.
private func world(_ seed: UInt64, reports count: Int) -> [Written] {
    var numbers = Numbers(state: seed)
    var reports: [Written] = []
    for number in 0..<count {
        var report = Written()
        report.reporter = ["Alpha", "Beta", "Gamma"].randomElement(using: &numbers) ?? ""
        report.id = "r\(number)"
        report.domain = ["one.example", "sub.one.example", "two.example"].randomElement(using: &numbers) ?? ""
        let day = firstDay + Int.random(in: 0..<40, using: &numbers)
        let length = number % 7 == 3 ? Int.random(in: 2...5, using: &numbers) : 1
        report.begin = day * 86400
        report.end = (day + length) * 86400 - 1
        report.records = records(&numbers, 0...5)
        reports.append(report)
        guard number % 9 == 4 else { continue }
        // The same identity with more, or with other records.
        var rival = report
        rival.records = number % 2 == 0 ? report.records + records(&numbers, 1...2) : records(&numbers, 1...3)
        reports.append(rival)
    }
    return reports
}

private func records(_ numbers: inout Numbers, _ count: ClosedRange<Int>) -> [(String, Int, Bool, Bool)] {
    (0..<Int.random(in: count, using: &numbers)).map { _ in
        let last = Int.random(in: 1...30, using: &numbers)
        let address = Bool.random(using: &numbers) ? "192.0.2.\(last)" : "2001:db8::\(last)"
        return (address, Int.random(in: 0...20, using: &numbers), Bool.random(using: &numbers), Bool.random(using: &numbers))
    }
}

extension Written {
    fileprivate var lastDay: Int { ReportWindow(begin: begin, end: end).days.upperBound.number }
}

/// A database in a folder of its own.
private final class Collection {
    let folder: TemporaryFolder
    let store: ReportStore
    private var inboxes = 0

    init(_ reports: [Written]) throws {
        folder = try TemporaryFolder()
        store = try ReportStore(path: folder.path + "/d.sqlite", access: .readWrite)
        try add(reports)
    }

    func add(_ reports: [Written]) throws {
        inboxes += 1
        for (index, report) in reports.enumerated() {
            let digits = String(index)
            let name = String(repeating: "0", count: 5 - digits.count) + digits
            try folder.write("in-\(inboxes)/\(name).xml", report.text)
        }
        if !reports.isEmpty { try ingest() }
        _ = try VerdictRefresh().run(store)
    }

    @discardableResult
    func ingest() throws -> Tally {
        try Ingest(store: store, options: Samples.options()).run(path: folder.path + "/in-\(inboxes)")
    }

    func purge(
        before day: Int? = nil, domains: [String] = [], _ extent: PurgeExtent = .everything, isDryRun: Bool = false,
        at step: (PurgeStep) throws -> Void = { _ in }
    ) throws -> PurgeOutcome {
        try Retention().purge(
            store, ReportSelection(before: day.map { Day($0) }, domains: domains), extent, isDryRun: isDryRun, at: step)
    }

    /// The checks that find something wrong.
    func wrong() throws -> [DatabaseFinding] { try DatabaseCheck().run(store).filter { $0.wrong > 0 } }

    /// Everything that can be asked for, without the numbers that rows happen to have.
    func everything() throws -> [String] {
        let figures = try store.figures()
        let verdicts = try rows([
            """
            SELECT 'flow', hex(f.source), d.name, hex(a.digest), f.aligned, f.verdict, f.confidence, f.notes, f.evidence, f.messages, f.records,
                f.first_day, f.last_day
            FROM flows f JOIN domains d ON d.id = f.domain_id JOIN authentication_sets a ON a.id = f.authentication_id
            """,
            "SELECT 'verdict', d.name, v.verdict, v.day, v.messages, v.passed FROM daily_verdicts v JOIN domains d ON d.id = v.domain_id",
        ])
        let facts = try rows([
            """
            SELECT 'record', d.name, r.counted_as, r.day, o.name, p.report_id, hex(p.digest), r.sequence, hex(r.source), r.messages,
                r.disposition, r.dkim, r.spf, h.name, hex(a.digest), r.override_id IS NULL
            FROM records r JOIN reports p ON p.id = r.report_id JOIN reporters o ON o.id = p.reporter_id JOIN domains d ON d.id = r.domain_id
                JOIN names h ON h.id = r.header_from_id JOIN authentication_sets a ON a.id = r.authentication_id
            """,
            """
            SELECT 'report', o.name, d.name, p.report_id, p.begin_utc, p.end_utc, p.is_counted, hex(p.digest), p.records, p.messages, p.passed,
                p.deviations
            FROM reports p JOIN reporters o ON o.id = p.reporter_id JOIN domains d ON d.id = p.domain_id
            """,
        ])
        return figures + verdicts + facts
    }

    /// The values that other rows refer to.
    func values() throws -> [String] {
        try rows([
            "SELECT 'name', name FROM names", "SELECT 'reporter', name FROM reporters", "SELECT 'domain', name FROM domains",
            "SELECT 'set', hex(digest) FROM authentication_sets", "SELECT 'policy', p, sp, pct FROM policies",
            "SELECT 'raw', hex(bytes) FROM raw_documents",
        ])
    }

    func rows(_ statements: [String]) throws -> [String] {
        try store.reader.read { db in
            try statements.flatMap { sql in
                try Row.fetchAll(db, sql: sql).map { $0.databaseValues.map { "\($0)" }.joined(separator: "|") }.sorted()
            }
        }
    }

    func value(_ sql: String) throws -> Int { try store.value(sql) }

    func change(_ sql: String, _ arguments: StatementArguments = []) throws {
        let queue = try DatabaseQueue(path: store.path)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            try db.execute(sql: sql, arguments: arguments)
        }
        try queue.close()
    }

    /// Puts other documents in the place of those that reports came in.
    func replaceRaw(_ documents: [(report: Int, text: String)]) throws {
        for (report, text) in documents {
            let bytes = Array(text.utf8).withUnsafeBytes { Unpacker.gzipCompressed($0) }
            try change(
                "UPDATE raw_documents SET bytes = ? WHERE id = (SELECT raw_id FROM reports WHERE id = ?)", [Data(bytes), report])
        }
    }
}

@Suite("doctor --database")
struct DatabaseCheckTests {
    @Test("finds nothing wrong in a sound database", arguments: [1, 2, 3] as [UInt64])
    func sound(seed: UInt64) throws {
        let collection = try Collection(world(seed, reports: 60))
        let findings = try DatabaseCheck().run(collection.store)
        #expect(findings.allSatisfy { $0.wrong == 0 })
        #expect(findings.map(\.check) == DatabaseFinding.Check.allCases)
        #expect(findings.filter { ![.log].contains($0.check) }.allSatisfy { $0.examined > 0 })
    }

    @Test(
        "finds each kind of damage, and says which",
        arguments: [
            ("UPDATE daily SET messages = messages + 1 WHERE day = (SELECT min(day) FROM daily)", DatabaseFinding.Check.daily),
            ("UPDATE daily SET records = records - 1 WHERE day = (SELECT max(day) FROM daily)", .daily),
            ("DELETE FROM daily WHERE day = (SELECT max(day) FROM daily)", .daily),
            ("UPDATE sources SET first_day = first_day - 1 WHERE source = (SELECT min(source) FROM sources)", .sources),
            ("DELETE FROM sources WHERE source = (SELECT min(source) FROM sources)", .sources),
            ("UPDATE daily_sources SET ipv4 = x'01020304' WHERE day = (SELECT max(day) FROM daily_sources)", .dailySources),
            ("DELETE FROM daily_sources WHERE day = (SELECT min(day) FROM daily_sources)", .dailySources),
            ("INSERT INTO daily_sources VALUES (1, 1, x'01020304', x'')", .dailySources),
            ("UPDATE reports SET passed = passed + 1 WHERE id = 3", .reports),
            ("UPDATE runs SET stored = stored + 1, seen = seen + 1", .ledger),
            ("DELETE FROM messages WHERE id = (SELECT max(id) FROM messages)", .ledger),
            ("DELETE FROM override_sets; DELETE FROM names WHERE id = 1", .references),
            ("DROP INDEX sources_first_day", .schema),
            ("UPDATE flows SET messages = messages + 1 WHERE source = (SELECT max(source) FROM flows)", .flows),
            ("UPDATE flows SET verdict = verdict % 8 + 2 WHERE source = (SELECT max(source) FROM flows)", .packedRecords),
            ("UPDATE daily_verdicts SET passed = passed + 1 WHERE day = (SELECT max(day) FROM daily_verdicts)", .dailyVerdicts),
            ("UPDATE packed_records SET ipv4 = zeroblob(length(ipv4)) WHERE day = (SELECT max(day) FROM packed_records)", .packedRecords),
            ("DELETE FROM packed_records WHERE day = (SELECT min(day) FROM packed_records)", .packedRecords),
            ("INSERT INTO packed_records VALUES (1, 1, 0, 0, zeroblob(21), x'')", .packedRecords),
            ("UPDATE verdict_state SET is_stale = 1", .verdicts),
        ])
    func damage(sql: String, check: DatabaseFinding.Check) throws {
        let collection = try Collection(world(4, reports: 40))
        try collection.change(sql)
        let wrong = try collection.wrong().map(\.check)
        #expect(wrong.contains(check), "\(wrong)")
        // A message that is gone also leaves its reports behind, which name it; what names something that is gone is not what it was;
        // and the verdict of a flow is told by packed records and by figures.
        let besides: [DatabaseFinding.Check] =
            switch check {
            case .ledger: [.references]
            case .references: [.contents]
            case .packedRecords: [.dailyVerdicts]
            default: []
            }
        #expect(Set(wrong).subtracting([check]).isSubset(of: besides), "\(wrong)")
    }

    @Test("a damaged page is found, and nothing further is said")
    func pages() throws {
        let collection = try Collection(world(5, reports: 40))
        let path = collection.folder.path + "/copy.sqlite"
        _ = try collection.store.backup(to: path)
        var bytes = try Data(contentsOf: URL(filePath: path))
        for page in 10..<20 { bytes.replaceSubrange(8192 * page..<8192 * page + 4096, with: repeatElement(0xFF, count: 4096)) }
        try bytes.write(to: URL(filePath: path))
        let findings = try DatabaseCheck().run(ReportStore(path: path, access: .readOnly))
        #expect(findings.map(\.check) == [.integrity] && findings.allSatisfy { !$0.isFine && $0.example != nil })
    }
}

@Suite("Backup")
struct BackupTests {
    @Test("is a sound copy of mode 0600, and nothing else is left behind")
    func copy() throws {
        let collection = try Collection(world(6, reports: 40))
        let path = collection.folder.path + "/copy.sqlite"
        let outcome = try collection.store.backup(to: path)
        let copy = try ReportStore(path: path, access: .readOnly)
        #expect(try copy.figures() == collection.store.figures())
        #expect(try copy.value("SELECT count(*) FROM reports") == outcome.reports)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int == outcome.bytes)
        let files = try FileManager.default.contentsOfDirectory(atPath: collection.folder.path)
        #expect(files.filter { $0.hasPrefix("copy") } == ["copy.sqlite"])
    }

    @Test("replaces nothing unless it is told to, and never the database or one in use")
    func refuses() throws {
        let collection = try Collection(world(7, reports: 10))
        let store = collection.store
        func code(_ path: String, _ replaces: Bool) -> StoreError.Code? {
            do throws(StoreError) {
                _ = try store.backup(to: path, replaces: replaces)
                return nil
            } catch {
                return error.code
            }
        }
        let path = try collection.folder.write("other", "something else")
        #expect(code(path, false) == .fileExists)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "something else")
        #expect(code(path, true) == nil)
        #expect(try ReportStore(path: path, access: .readOnly).figures() == store.figures())
        #expect(code(store.path, true) == .databaseUnsafe)
        #expect(code(collection.folder.path + "/in-1", true) == .databaseUnsafe)
        #expect(code(collection.folder.path + "/no/such/folder/b", false) == .ioError)
        try collection.folder.write("used-wal", "a log")
        #expect(code(collection.folder.path + "/used", true) == .databaseLocked)
        #expect(try collection.wrong().isEmpty)
    }

    @Test("while an ingest goes on it is one of its states")
    func concurrent() throws {
        let collection = try Collection(world(8, reports: 20))
        let path = collection.store.path
        let other = try ReportStore(path: path, access: .readOnly)
        // In the middle of a transaction: records are written, rollups are not.
        var copied: BackupOutcome?
        try collection.store.write { writer in
            try writer.begin()
            let mailbox = try writer.mailbox("elsewhere")
            let run = try writer.beginRun(now: 1)
            _ = try writer.message(mailbox: mailbox, key: "k", run: run, now: 1, outcome: .stored)
            copied = try other.backup(to: path + ".copy")
            try writer.rollback()
        }
        #expect(copied?.messages == (try collection.value("SELECT count(*) FROM messages")))
        #expect(try DatabaseCheck().run(ReportStore(path: path + ".copy", access: .readOnly)).allSatisfy { $0.wrong == 0 })
    }

    @Test("beside a writer that commits all the time each is one state, as of its beginning")
    func busy() throws {
        let collection = try Collection(world(9, reports: 20))
        let path = collection.store.path
        let other = try ReportStore(path: path, access: .readOnly)
        let before = try collection.value("SELECT count(*) FROM messages")
        let writer = BusyWriter(collection.store)
        var copied: [Int] = []
        for _ in 0..<40 { copied.append(try other.backup(to: path + ".copy", replaces: true).messages) }
        let commits = writer.stop()
        #expect(commits > 40, "\(commits) commits beside 40 copies: this shows nothing")
        #expect(copied == copied.sorted() && Set(copied).count > 10, "\(copied)")
        #expect(try collection.value("SELECT count(*) FROM messages") == before + commits)
        #expect(try ReportStore(path: path + ".copy", access: .readOnly).value("SELECT count(*) FROM messages") == copied.last)
    }
}

/// A writer that commits a message of the ledger over and over, until it is told to stop.
///
/// `@unchecked Sendable`: `commits` is written by its one thread, and read after that has signalled its end.
private final class BusyWriter: @unchecked Sendable {
    private let isToEnd = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    private var commits = 0

    init(_ store: ReportStore) {
        Thread { [self] in
            try? store.write { writer in
                try writer.begin()
                let mailbox = try writer.mailbox("busy")
                let run = try writer.beginRun(now: 1)
                try writer.commit()
                while !isToEnd.load(ordering: .relaxed) {
                    try writer.begin()
                    _ = try writer.message(mailbox: mailbox, key: "\(commits)", run: run, now: 1, outcome: .notAReport)
                    try writer.commit()
                    commits += 1
                }
            }
            ended.signal()
        }.start()
    }

    /// How often it has committed.
    func stop() -> Int {
        isToEnd.store(true, ordering: .relaxed)
        ended.wait()
        return commits
    }
}

@Suite("Purge")
struct PurgeTests {
    @Test("leaves what an ingest without the purged reports gives", arguments: [11, 12, 13, 14] as [UInt64])
    func byAge(seed: UInt64) throws {
        var reports = world(seed, reports: 70)
        let cut = firstDay + 20
        // Names that nothing else has.
        reports.append(
            Written(reporter: "Old", domain: "old.example", begin: firstDay * 86400, end: firstDay * 86400 + 86399))
        let collection = try Collection(reports)
        let outcome = try collection.purge(before: cut)
        let expected = try Collection(reports.filter { $0.lastDay >= cut })
        #expect(try collection.everything() == expected.everything())
        #expect(try collection.values() == expected.values())
        #expect(try collection.wrong().isEmpty)
        #expect(outcome.reports == reports.filter { $0.lastDay < cut }.count)
        #expect(outcome.rawDocuments == outcome.reports && outcome.rawBytes > 0 && outcome.values > 0)
        // The ledger stays, so the same mailbox brings nothing back.
        #expect(try collection.value("SELECT count(*) FROM messages") == reports.count)
        #expect(try collection.ingest().seen == 0)
    }

    @Test("by domain takes what is below it, too")
    func byDomain() throws {
        let reports = world(15, reports: 60)
        let collection = try Collection(reports)
        let outcome = try collection.purge(domains: ["one.example"])
        #expect(outcome.domains == ["one.example", "sub.one.example"])
        #expect(try collection.everything() == Collection(reports.filter { $0.domain == "two.example" }).everything())
        #expect(try collection.value("SELECT count(*) FROM domains") == 1)
        let rest = try collection.purge(domains: ["two.example"])
        #expect(rest.domains == ["two.example"])
        #expect(try collection.everything().isEmpty && collection.wrong().isEmpty)
    }

    @Test("keeps the daily figures if asked, through further purges and ingests", arguments: [16, 17] as [UInt64])
    func keepDaily(seed: UInt64) throws {
        let reports = world(seed, reports: 70)
        let collection = try Collection(reports)
        func figures() throws -> [String] {
            try collection.store.figures()
                + collection.rows(["SELECT v.* FROM daily_verdicts v WHERE messages > 0 ORDER BY domain_id, verdict, day"])
        }
        let before = try figures()
        _ = try collection.purge(before: firstDay + 10, .allButDaily)
        let outcome = try collection.purge(before: firstDay + 20, .allButDaily)
        #expect(outcome.reports > 0)
        // Sums stay; the verdicts of what is left may rest on less than before.
        #expect(try collection.store.figures() == Array(before.prefix(collection.store.figures().count)))
        #expect(try collection.wrong().isEmpty)
        #expect(try collection.value("SELECT count(*) FROM reports") == reports.filter { $0.lastDay >= firstDay + 20 }.count)

        var late = reports[0]
        late.id = "late"
        late.begin = firstDay * 86400
        late.end = late.begin + 86399
        late.records = [("198.51.100.1", 5, true, true)]
        try collection.add([late])
        #expect(try collection.wrong().isEmpty)
        // Without --keep-daily the kept figures go with the rest.
        let last = try collection.purge(before: firstDay + 20)
        #expect(last.reports == 1 && last.keptFigures > 0)
        #expect(try collection.everything() == Collection(reports.filter { $0.lastDay >= firstDay + 20 }).everything())
        #expect(try collection.wrong().isEmpty)
    }

    @Test("of raw documents leaves reports and figures")
    func rawOnly() throws {
        let collection = try Collection(world(18, reports: 40))
        let before = try collection.everything()
        let outcome = try collection.purge(before: firstDay + 20, .rawOnly)
        #expect(outcome.reports > 0 && outcome.records == 0 && outcome.rawDocuments == outcome.reports)
        #expect(try collection.everything() == before && collection.wrong().isEmpty)
        let left = try collection.value("SELECT count(*) FROM raw_documents")
        #expect(left == (try collection.value("SELECT count(*) FROM reports WHERE raw_id IS NOT NULL")))
        #expect(try collection.purge(before: firstDay + 20, .rawOnly).reports == 0)
    }

    @Test("a dry run says the same figures and changes nothing", arguments: [PurgeExtent.everything, .allButDaily, .rawOnly])
    func dryRun(extent: PurgeExtent) throws {
        let collection = try Collection(world(19, reports: 50))
        let before = try collection.everything() + collection.values()
        let said = try collection.purge(before: firstDay + 25, extent, isDryRun: true)
        #expect(try collection.everything() + collection.values() == before && collection.wrong().isEmpty)
        #expect(try collection.purge(before: firstDay + 25, extent) == said)
    }

    @Test("broken off at any step it was never begun", arguments: PurgeStep.allCases)
    func brokenOff(at end: PurgeStep) throws {
        let collection = try Collection(world(20, reports: 40))
        let before = try collection.everything() + collection.values()
        #expect(throws: (any Error).self) {
            try collection.purge(before: firstDay + 20, .allButDaily) { step in if step == end { throw BrokenOff() } }
        }
        #expect(try collection.everything() + collection.values() == before && collection.wrong().isEmpty)
        #expect(try collection.purge(before: firstDay + 20, .allButDaily).reports > 0)
        #expect(try collection.wrong().isEmpty)
    }

    @Test("a report that comes back in another mail is stored again")
    func comesBack() throws {
        let reports = world(21, reports: 30)
        let collection = try Collection(reports)
        let before = try collection.everything()
        _ = try collection.purge(before: firstDay + 20)
        try collection.add(reports)
        #expect(try collection.everything() == before && collection.wrong().isEmpty)
    }

    @Test("vacuum makes the file smaller")
    func vacuum() throws {
        let collection = try Collection(world(22, reports: 200))
        try collection.store.vacuum()
        _ = try collection.purge(before: firstDay + 100)
        func size() throws -> Int { try FileManager.default.attributesOfItem(atPath: collection.store.path)[.size] as? Int ?? 0 }
        let before = try size()
        try collection.store.vacuum()
        #expect(try size() < before && collection.wrong().isEmpty)
    }
}

@Suite("Reprocess")
struct ReprocessTests {
    private func reprocess(
        _ collection: Collection, _ selection: ReportSelection = ReportSelection(), isDryRun: Bool = false, workPerCommit: Int = 200_000,
        afterReport: (Int64) throws -> Void = { _ in }
    ) throws -> ReprocessOutcome {
        var options = Samples.options()
        options.workPerCommit = workPerCommit
        let outcome = try Reprocess(store: collection.store, options: options).run(selection, isDryRun: isDryRun, afterReport: afterReport)
        if !isDryRun { _ = try VerdictRefresh().run(collection.store, rebuild: true) }
        return outcome
    }

    @Test("reads all samples as the ingest did")
    func samples() throws {
        let folder = try TemporaryFolder()
        let store = try ReportStore(path: folder.path + "/d.sqlite", access: .readWrite)
        for part in ["maildir", "deviations"] {
            _ = try Ingest(store: store, options: Samples.options()).run(path: Samples.folder.appending(path: part).path)
        }
        let outcome = try Reprocess(store: store, options: Samples.options()).run(ReportSelection(), isDryRun: false)
        #expect(outcome.same == outcome.reports && outcome.reports > 500 && outcome.changes.isEmpty)
    }

    /// What a reader with mistakes would have made of reports: others of their records, another reporter, id or window.
    private func misread(_ reports: [Written], _ seed: UInt64) -> [Written] {
        var numbers = Numbers(state: seed)
        return reports.enumerated().map { index, report in
            var other = report
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0: other.records = records(&numbers, 0...4)
            case 1: other.reporter = "Misread"
            case 2:
                other.begin -= 86400 * Int.random(in: 1...9, using: &numbers)
                other.end = other.begin + 86400 * Int.random(in: 1...3, using: &numbers) - 1
            case 3: other.domain = "two.example"
            case 4: other.records = report.records.reversed() + [("203.0.113.9", 3, false, true)]
            default: break
            }
            // Each is a report of its own, so that none of them is taken for a duplicate.
            other.id = "misread-\(index)"
            return other
        }
    }

    @Test("gives what an ingest with the present parser gives", arguments: [31, 32, 33, 34, 35] as [UInt64])
    func changed(seed: UInt64) throws {
        var reports = world(seed, reports: 50)
        // Some mails come twice.
        reports += [reports[2], reports[6]]
        let collection = try Collection(misread(reports, seed &+ 100))
        try collection.replaceRaw(reports.enumerated().map { ($0.offset + 1, $0.element.text) })
        let expected = try Collection(reports)
        let untouched = try collection.everything()
        let said = try reprocess(collection, isDryRun: true)
        #expect(try collection.everything() == untouched)
        let outcome = try reprocess(collection, workPerCommit: 20)
        #expect(try collection.everything() == expected.everything())
        #expect(try collection.wrong().isEmpty)
        #expect(outcome.duplicate == 2 && outcome.reports == reports.count && outcome.refused == 0)
        #expect(said.changed == outcome.changed + outcome.duplicate)
        #expect(outcome.reports == outcome.same + outcome.changed + outcome.refused + outcome.duplicate + outcome.withoutRaw)
        #expect(try reprocess(collection).same == reports.count - 2)
    }

    @Test("only what is meant is read again")
    func selection() throws {
        let reports = world(36, reports: 40)
        let collection = try Collection(reports)
        let outcome = try reprocess(collection, ReportSelection(since: Day(firstDay + 20), domains: ["one.example"]))
        #expect(outcome.reports == reports.filter { $0.lastDay >= firstDay + 20 && $0.domain.hasSuffix("one.example") }.count)
        #expect(outcome.same == outcome.reports)
    }

    @Test("broken off, the totals are exact and the next run does the rest", arguments: [1, 9, 25])
    func brokenOff(after count: Int) throws {
        let reports = world(37, reports: 50)
        let collection = try Collection(misread(reports, 5))
        try collection.replaceRaw(reports.enumerated().map { ($0.offset + 1, $0.element.text) })
        var left = count
        #expect(throws: StoreError.self) {
            try reprocess(collection, workPerCommit: 2) { _ in
                left -= 1
                if left == 0 { throw BrokenOff() }
            }
        }
        #expect(try collection.store.figures() == collection.store.recomputedFigures())
        #expect(try collection.wrong().allSatisfy { $0.check == .verdicts })
        _ = try reprocess(collection)
        #expect(try collection.everything() == Collection(reports).everything())
        #expect(try collection.wrong().isEmpty)
    }

    @Test("what cannot be read any more stays as it was; what was not kept is counted")
    func refused() throws {
        let reports = world(38, reports: 12)
        let collection = try Collection(reports)
        let before = try collection.everything()
        try collection.replaceRaw([(2, "<feedback><report_metadata>"), (3, "no report")])
        try collection.change("UPDATE reports SET raw_id = NULL WHERE id = 5")
        let outcome = try reprocess(collection)
        #expect(try collection.everything() == before && collection.wrong().isEmpty)
        #expect(outcome.refused == 2 && outcome.withoutRaw == 1 && outcome.same == outcome.reports - 3)
        #expect(outcome.changes.map(\.report) == [2, 3] && outcome.changes.allSatisfy { $0.code != nil })
    }

    @Test("a report too large to be held is replaced, too")
    func large() throws {
        var report = Written()
        report.end = report.begin + 3 * 86400 - 1
        report.records = (0..<41_000).map { ("198.51.\($0 / 250).\($0 % 250)", $0 % 7, $0 % 2 == 0, $0 % 3 == 0) }
        var wrong = report
        wrong.records = [("192.0.2.1", 1, true, true)]
        let collection = try Collection([wrong])
        try collection.replaceRaw([(1, report.text)])
        let outcome = try reprocess(collection)
        #expect(outcome.changed == 1 && outcome.recordsBefore == 1 && outcome.recordsAfter == 41_000)
        #expect(try collection.wrong().isEmpty)
        #expect(try reprocess(collection).same == 1)
        #expect(try collection.value("SELECT count(*) FROM sources") == 41_000)
    }
}
