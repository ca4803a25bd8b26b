import DMARC
import Doctor
import Foundation
import GRDB
import Organisations
import Questions
import Refresh
import Store
import Testing

@testable import Ingest

/// Verdicts are functions of the reports: however they came in, in whatever order and in however many runs.
@Suite("Verdicts, refreshed")
struct VerdictRefreshTests {
    @Test("are the same whatever the order and the batches of the ingest", arguments: 1...6 as ClosedRange<UInt64>)
    func order(seed: UInt64) throws {
        var generator = VerdictNumbers(state: seed)
        let reports = World(&generator, reports: 90).reports
        let once = try Self.verdicts([reports])
        #expect(once.count > 100)
        #expect(Set(once.map { $0.split(separator: "|")[4] }).count >= 4, "a world in which nearly everything is the same shows nothing")
        var shuffled = reports
        shuffled.shuffle(using: &generator)
        #expect(try Self.verdicts([shuffled]) == once)
        // A report a run at first, then larger and larger batches.
        var batches: [[String]] = []
        var rest = shuffled[...]
        var size = 1
        while !rest.isEmpty {
            batches.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
            size = size * 3 / 2 + (batches.count > 4 ? 1 : 0)
        }
        #expect(batches.count > 5)
        #expect(try Self.verdicts(batches) == once)
        // Of more records than are kept in memory the flows are written first, and judged then.
        #expect(try Self.verdicts([reports], recordsInMemory: 100) == once)
        #expect(try Self.verdicts(batches, recordsInMemory: 7) == once)
    }

    @Test("are the same when voices become witnesses late, or never", arguments: [21, 22, 23] as [UInt64])
    func standing(seed: UInt64) throws {
        var generator = VerdictNumbers(state: seed)
        let often = ["first.test", "second.test", "third.test"].flatMap { [String](repeating: $0, count: 12) }
        let reports = World(&generator, reports: 110, reporters: often + ["rare.test", "seldom.test", "late.test", "late.test"]).reports
        let once = try Self.standings([reports])
        let heard = Set(once.map { $0.split(separator: "|")[2] })
        #expect(heard == ["0", "2"], "a world in which everybody is heard, or nobody, shows nothing")
        var shuffled = reports
        shuffled.shuffle(using: &generator)
        var batches: [[String]] = []
        var rest = shuffled[...]
        while !rest.isEmpty {
            batches.append(Array(rest.prefix(9)))
            rest = rest.dropFirst(9)
        }
        #expect(try Self.standings(batches) == once)
        // In the order in which they came, a voice is promoted with its older reports behind it.
        let days = reports.sorted { Self.day(of: $0) < Self.day(of: $1) }
        let inOrder = stride(from: 0, to: days.count, by: 7).map { Array(days[$0..<min($0 + 7, days.count)]) }
        #expect(try Self.standings(inOrder) == once)
        #expect(try Self.verdicts(inOrder) == (try Self.verdicts([reports])))
        #expect(try Self.verdicts(inOrder, recordsInMemory: 11) == (try Self.verdicts(batches)))
        let store = try Self.store(inOrder)
        #expect(try DatabaseCheck().run(store).allSatisfy { $0.wrong == 0 })
    }

    private static func day(of report: String) -> String {
        let start = report.range(of: "<begin>")?.upperBound ?? report.startIndex
        return String(report[start...].prefix { $0 != "<" })
    }

    /// Who is heard, and whose reports are not.
    private static func standings(_ batches: [[String]]) throws -> [String] {
        let store = try store(batches)
        return try store.reader.read { db in
            let voices = try String.fetchAll(
                db,
                sql: """
                    SELECT o.name || '|' || v.name || '|' || s.standing || '|' || hex(s.networks) || '|' || hex(d.days) || '|' || d.last_day
                    FROM voice_organisations s JOIN names o ON o.id = s.organisation_id JOIN names v ON v.id = s.voice_id
                        JOIN voices d ON d.voice_id = s.voice_id
                    """)
            let unheard = try String.fetchAll(
                db,
                sql: """
                    SELECT d.name || '|' || v.name || '|0|' || r.report_id
                    FROM unheard_reports u JOIN reports r ON r.id = u.report_id JOIN domains d ON d.id = u.domain_id
                        JOIN names v ON v.id = u.voice_id
                    """)
            return (voices + unheard).sorted()
        }
    }

    @Test("are made anew when a report that they rest on loses a conflict")
    func conflict() throws {
        var generator = VerdictNumbers(state: 99)
        let reports = World(&generator, reports: 30).reports
        let subset = reports[3]
        // The same report with one record more: it replaces the other.
        let end = try #require(subset.range(of: "</feedback>"))
        let superset = subset.replacingCharacters(
            in: end.lowerBound..<end.upperBound,
            with: World.record("192.0.2.99", 7, "none", "fail", "fail", "one.example", [], ("one.example", "softfail")) + "</feedback>")
        let replaced = try Self.verdicts([reports, [superset]])
        var others = reports
        others.remove(at: 3)
        // The sources of what was replaced stay in names only, so the same verdicts come out.
        #expect(replaced == (try Self.verdicts([others + [superset]])))
    }

    @Test("agree with the daily figures and with the records")
    func sums() throws {
        var generator = VerdictNumbers(state: 5)
        let reports = World(&generator, reports: 60).reports
        let store = try Self.store([Array(reports.prefix(20)), Array(reports.dropFirst(20))])
        let different = try store.reader.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT domain_id, verdict, day, messages, passed FROM daily_verdicts
                    EXCEPT
                    SELECT r.domain_id, f.verdict, r.day, sum(r.messages), sum(CASE r.counted_as WHEN 0 THEN r.messages ELSE 0 END)
                    FROM records r LEFT JOIN flows f ON f.source = r.source AND f.domain_id = r.domain_id
                        AND f.authentication_id = r.authentication_id AND f.aligned = r.dkim * 2 + r.spf
                    WHERE r.counted_as < 2 GROUP BY 1, 2, 3
                    """)
        }
        #expect(different.isEmpty)
        let strays = try store.reader.read { db in
            try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM records r LEFT JOIN flows f ON f.source = r.source AND f.domain_id = r.domain_id
                        AND f.authentication_id = r.authentication_id AND f.aligned = r.dkim * 2 + r.spf
                    WHERE r.counted_as < 2 AND f.verdict IS NULL
                    """)
        }
        #expect(strays == 0)
        #expect(try VerdictRefresh().isNeeded(store) == false)
    }

    @Test("another list of public suffixes makes them anew; one that cannot be read is said")
    func suffixes() throws {
        var generator = VerdictNumbers(state: 11)
        let store = try Self.store([World(&generator, reports: 10).reports])
        let file = FileManager.default.temporaryDirectory.appending(path: "suffixes-\(UUID().uuidString).dat")
        // With this list `service.example` is a suffix, so what is below it is an organisation of its own.
        try Data("com\nexample\nservice.example\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let refresh = VerdictRefresh(suffixFile: file.path(percentEncoded: false))
        #expect(try refresh.isNeeded(store))
        #expect(try refresh.run(store).isRebuild)
        #expect(try refresh.isNeeded(store) == false)
        let names = try store.reader.read { db in
            try String.fetchAll(db, sql: "SELECT n.name FROM organisations o JOIN names n ON n.id = o.name_id")
        }
        #expect(names.contains("bounce.service.example"))
        // As many suffixes, but others: told apart by content.
        try Data("com\nexample\nanother.example\n".utf8).write(to: file)
        #expect(try refresh.isNeeded(store))
        #expect(try #require(PublicSuffixes()).version.contains("-1") == false)
        #expect(throws: StoreError.self) { try VerdictRefresh(suffixFile: "/nonexistent").run(store) }
    }

    @Test("the pieces that explain shows add up to the verdict, and the last bound to its confidence")
    func weighing() throws {
        var generator = VerdictNumbers(state: 5)
        let store = try Self.store([World(&generator, reports: 120).reports])
        let sources = try store.reader.read { db in try String.fetchAll(db, sql: "SELECT DISTINCT hex(source) FROM flows") }
        var weighed = 0
        for source in sources.compactMap(Self.address) {
            for story in try SourceExplanation.ask(store, source: source, domains: []).stories {
                let weighing = story.weighing
                #expect(!weighing.pieces.isEmpty || !weighing.bounds.isEmpty, "neither weighed nor read off")
                if let bound = weighing.bounds.last { #expect(story.confidence <= bound.confidence) }
                guard let likeliest = weighing.sums.first else { continue }
                let told = weighing.pieces.reduce(0) { $0 + $1.weight }
                #expect(abs(told - weighing.sums.reduce(0) { $0 + $1.weight }) < 1e-6, "a piece belongs to no story")
                // A setting of the domain's own is told from a service's after the weighing.
                #expect(story.verdict == likeliest.story || (story.verdict, likeliest.story) == (.misconfigured, .dkimOnly))
                let share = 1 / weighing.sums.reduce(0) { $0 + exp($1.weight - likeliest.weight) }
                let bounds = weighing.bounds.map(\.confidence)
                #expect(abs(story.confidence - min(share, bounds.min() ?? 1)) < 0.0111, "\(story.source): not what the weights say")
                weighed += 1
            }
        }
        #expect(weighed > 20)
    }

    private static func address(_ hex: String) -> IPAddress? {
        let bytes = stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
        return bytes.withUnsafeBytes { IPAddress(bytes: $0) }
    }

    // MARK: - Tools

    /// Ingests batch after batch, each with a refresh behind it.
    static func store(_ batches: [[String]], recordsInMemory: Int = VerdictRefresh.recordsInMemory) throws -> ReportStore {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-verdicts-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try ReportStore(path: folder.appending(path: "d.sqlite").path(percentEncoded: false), access: .readWrite)
        for (number, batch) in batches.enumerated() {
            let inbox = folder.appending(path: "in-\(number)")
            try FileManager.default.createDirectory(at: inbox, withIntermediateDirectories: true)
            for (index, report) in batch.enumerated() {
                try Data(report.utf8).write(to: inbox.appending(path: "\(index).xml"))
            }
            let tally = try Ingest(store: store, options: IngestOptions(now: 1_790_000_000, organisations: { { $0 } })).run(
                path: inbox.path(percentEncoded: false))
            #expect(tally.refusals.isEmpty)
            _ = try VerdictRefresh(recordsInMemory: recordsInMemory).run(store)
        }
        return store
    }

    /// Everything that verdicts say, without keys.
    private static func verdicts(_ batches: [[String]], recordsInMemory: Int = VerdictRefresh.recordsInMemory) throws -> [String] {
        let store = try store(batches, recordsInMemory: recordsInMemory)
        return try store.reader.read { db in
            let flows = try String.fetchAll(
                db,
                sql: """
                    SELECT hex(f.source) || '|' || d.name || '|' || hex(a.digest) || '|' || f.aligned || '|' || f.verdict || '|' ||
                        f.confidence || '|' || f.notes || '|' || f.evidence || '|' || f.messages || '|' || f.records
                    FROM flows f JOIN domains d ON d.id = f.domain_id JOIN authentication_sets a ON a.id = f.authentication_id
                    """)
            let days = try String.fetchAll(
                db,
                sql: """
                    SELECT d.name || '|' || v.day || '|' || v.messages || '|' || v.passed || '|' || v.verdict
                    FROM daily_verdicts v JOIN domains d ON d.id = v.domain_id
                    """)
            return (flows + days).sorted()
        }
    }
}

/// SplitMix64: the same numbers every time.
struct VerdictNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Two domains with servers, services, forwarders, lists and strangers, who share addresses.
struct World {
    private(set) var reports: [String] = []

    init(
        _ generator: inout VerdictNumbers, reports count: Int,
        reporters: [String] = ["first.test", "second.test", "third.test", "fourth.test"]
    ) {
        for number in 0..<count {
            let domain = ["one.example", "two.example"].randomElement(using: &generator) ?? ""
            let reporter = reporters.randomElement(using: &generator) ?? ""
            let day = 20600 + Int.random(in: 0..<60, using: &generator)
            var records = ""
            for _ in 0..<Int.random(in: 2...9, using: &generator) { records += Self.record(domain, &generator) }
            reports.append(
                """
                <feedback><report_metadata><org_name>\(reporter)</org_name><email>d@\(reporter)</email><report_id>r\(number)</report_id>
                <date_range><begin>\(day * 86400)</begin><end>\(day * 86400 + 86399)</end></date_range></report_metadata>
                <policy_published><domain>\(domain)</domain><p>none</p></policy_published>\(records)</feedback>
                """)
        }
    }

    private static func record(_ domain: String, _ generator: inout VerdictNumbers) -> String {
        let count = Int.random(in: 1...9, using: &generator)
        let last = Int.random(in: 1...9, using: &generator)
        let own = (domain, "s1")
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...1: return record("198.51.100.\(last)", count, "none", "pass", "pass", domain, [(own, "pass")], (domain, "pass"))
        case 2:
            return record(
                "203.0.113.\(last)", count, "none", "pass", "fail", domain, [((domain, "k1"), "pass")], ("bounce.service.example", "pass"))
        case 3...4: return record("192.0.2.\(last)", 1, "none", "pass", "fail", domain, [(own, "pass")], (domain, "softfail"))
        case 5:
            return record("192.0.2.\(last + 20)", 1, "none", "pass", "fail", domain, [(own, "pass")], ("f\(last).relay.example", "pass"))
        case 6:
            return record(
                "192.0.2.\(last + 40)", 1, "none", "fail", "fail", domain, [(own, "fail"), (("list\(last).example", "l"), "pass")],
                ("list\(last).example", "pass"))
        case 7: return record("192.0.2.\(last)", 1, "none", "fail", "fail", domain, [(own, "fail")], (domain, "softfail"))
        case 8: return record("100.\(last).\(count).9", 1, "none", "fail", "fail", domain, [], (domain, "fail"))
        default:
            return record(
                "203.0.113.\(last + 100)", count, "none", "fail", "fail", domain, [(("vendor.example", "v"), "pass")],
                ("vendor.example", "pass"))
        }
    }

    static func record(
        _ source: String, _ count: Int, _ disposition: String, _ dkim: String, _ spf: String, _ from: String,
        _ signatures: [(name: (String, String), result: String)], _ envelope: (String, String)
    ) -> String {
        let signed = signatures.map {
            "<dkim><domain>\($0.name.0)</domain><selector>\($0.name.1)</selector><result>\($0.result)</result></dkim>"
        }
        return """
            <record><row><source_ip>\(source)</source_ip><count>\(count)</count><policy_evaluated><disposition>\(disposition)</disposition>\
            <dkim>\(dkim)</dkim><spf>\(spf)</spf></policy_evaluated></row><identifiers><header_from>\(from)</header_from></identifiers>\
            <auth_results>\(signed.joined())<spf><domain>\(envelope.0)</domain><result>\(envelope.1)</result></spf></auth_results></record>

            """
    }
}
