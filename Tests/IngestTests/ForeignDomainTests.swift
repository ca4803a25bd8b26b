import DMARC
import Doctor
import Foundation
import GRDB
import Questions
import Refresh
import Store
import Testing

@testable import Ingest

/// D5: reports about domains of others change nothing that is said of ours.
@Suite("Reports about domains of others")
struct ForeignDomainTests {
    private static let ours = OwnDomains(["One.Example."])

    /// A folder with a database.
    private final class Place {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-foreign-\(UUID().uuidString)")
        let store: ReportStore

        init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            store = try ReportStore(path: folder.appending(path: "d.sqlite").path(percentEncoded: false), access: .readWrite)
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        static func options(_ domains: OwnDomains) -> IngestOptions {
            var options = IngestOptions(now: 1_790_000_000, organisations: { { $0 } })
            options.ownDomains = domains
            return options
        }

        @discardableResult
        func ingest(_ reports: [String], _ domains: OwnDomains) throws -> Tally {
            let inbox = folder.appending(path: UUID().uuidString)
            try FileManager.default.createDirectory(at: inbox, withIntermediateDirectories: true)
            for (index, text) in reports.enumerated() { try Data(text.utf8).write(to: inbox.appending(path: "\(1000 + index)")) }
            let tally = try Ingest(store: store, options: Self.options(domains)).run(path: inbox.path(percentEncoded: false))
            #expect(tally.refusals.isEmpty && tally.seen == reports.count)
            let refresh = VerdictRefresh()
            if try refresh.isNeeded(store) { _ = try refresh.run(store) }
            #expect(try DatabaseCheck().run(store).filter { $0.wrong > 0 } == [])
            return tally
        }

        /// All figures and verdicts, without keys, which depend on the order of arrival.
        func figures() throws -> [String] {
            try store.reader.read { db in
                try [
                    "SELECT d.name || '|' || day || '|' || disposition || dkim || spf || '|' || messages || '|' || records FROM daily t",
                    "SELECT d.name || '|' || day || '|' || hex(ipv4) || '|' || hex(ipv6) FROM daily_sources t",
                    "SELECT d.name || '|' || hex(source) || '|' || first_day || '|' || last_day || '|' || messages || '|' || passed FROM sources t",
                    "SELECT d.name || '|' || verdict || '|' || day || '|' || messages || '|' || passed FROM daily_verdicts t",
                    """
                    SELECT d.name || '|' || hex(source) || '|' || hex(a.digest) || '|' || aligned || '|' || verdict || '|' || confidence || '|' ||
                        evidence || '|' || messages || '|' || t.records || '|' || reporter_bits
                    FROM flows t JOIN authentication_sets a ON a.id = t.authentication_id
                    """,
                    "SELECT d.name || '|' || report_id || '|' || is_counted || '|' || records FROM reports t",
                ].flatMap { sql in
                    try String.fetchAll(db, sql: sql + " JOIN domains d ON d.id = t.domain_id")
                }.sorted()
            }
        }

        /// Without what says of foreign reports that they are there.
        func figuresOfOurs() throws -> [String] { try figures().filter { !$0.hasPrefix("two.example|") || !$0.contains("|0|") } }

        func deviations() throws -> [String: Set<Bool>] {
            try store.reader.read { db in
                try Row.fetchAll(db, sql: "SELECT d.name, deviations FROM reports r JOIN domains d ON d.id = r.domain_id")
            }.reduce(into: [:]) { found, row in
                let deviations = Deviations(rawValue: UInt64(bitPattern: row[1]))
                found[row[0], default: []].insert(deviations.contains(.foreignDomain))
            }
        }
    }

    /// Reports about both domains; of some there is a second with the same identity, that says more, less or something else.
    private static func world(_ seed: UInt64) -> [String] {
        var generator = VerdictNumbers(state: seed)
        let reports = World(&generator, reports: 40).reports
        let rivals = reports.enumerated().filter { $0.offset % 4 == 0 }.map { index, report in
            let extra = World.record("192.0.2.200", 3, "none", "fail", "fail", "x.example", [], ("x.example", "fail"))
            switch index % 3 {
            case 0: return report.replacing("</feedback>", with: extra + "</feedback>")
            case 1: return report.replacing("192.0.2.", with: "192.0.3.").replacing("198.51.100.", with: "198.51.101.")
            default: return report.replacing("</feedback>", with: extra + extra + "</feedback>")
            }
        }
        return (reports + rivals).shuffled(using: &generator)
    }

    private static func isAboutOne(_ report: String) -> Bool { report.contains("<domain>one.example</domain><p>") }

    @Test("are stored, flagged and counted nowhere: everything is as if they had never come", arguments: [1, 2, 3] as [UInt64])
    func apart(_ seed: UInt64) throws {
        let reports = Self.world(seed)
        let own = reports.filter(Self.isAboutOne)
        #expect(own.count > 10 && reports.count - own.count > 10)
        let (mixed, pure) = (try Place(), try Place())
        let tally = try mixed.ingest(reports, Self.ours)
        try pure.ingest(own, OwnDomains())
        #expect(try mixed.figuresOfOurs() == pure.figures())
        #expect(try mixed.deviations() == ["one.example": [false], "two.example": [true]])
        #expect(tally.stored.foreign == reports.count - own.count - tally.documents.duplicate)
        let status = try Status.ask(mixed.store, today: Day(20700))
        #expect(status.foreignReports == tally.stored.foreign && status.foreignDomains == ["two.example"])
        #expect(status.domains == 1 && status.foreignDomainCount == 1)
        // The same again is a duplicate, whatever is counted.
        let again = try mixed.ingest(reports, Self.ours)
        #expect(again.stored.reports == 0 && again.documents.duplicate == reports.count)
    }

    @Test("a list that changes holds for what is stored, in both directions, conflicts and all", arguments: [4, 5, 6] as [UInt64])
    func change(_ seed: UInt64) throws {
        let reports = Self.world(seed)
        let (changed, before, after) = (try Place(), try Place(), try Place())
        try before.ingest(reports, OwnDomains())
        try after.ingest(reports, Self.ours)
        let (all, oursAlone) = (try before.figures(), try after.figures())
        #expect(all != oursAlone)
        // Part under no list, part under one; then none, one, and another that has all.
        try changed.ingest(Array(reports.prefix(20)), OwnDomains())
        try changed.ingest(Array(reports.dropFirst(20)), Self.ours)
        #expect(try changed.figures() == oursAlone)
        try changed.ingest([], OwnDomains())
        #expect(try changed.figures() == all)
        try changed.ingest([], Self.ours)
        #expect(try changed.figures() == oursAlone)
        try changed.ingest([], OwnDomains(["example"]))
        #expect(try changed.figures() == all)
        #expect(try changed.deviations() == ["one.example": [false], "two.example": [false]])
    }

    @Test("reading them again changes nothing, and follows the list as well")
    func reprocess() throws {
        let place = try Place()
        try place.ingest(Self.world(7), Self.ours)
        let figures = try place.figures()
        func reprocess(_ domains: OwnDomains, isDryRun: Bool = false) throws -> ReprocessOutcome {
            let outcome = try Reprocess(store: place.store, options: Place.options(domains)).run(ReportSelection(), isDryRun: isDryRun)
            _ = try VerdictRefresh().run(place.store, rebuild: true)
            return outcome
        }
        let same = try reprocess(Self.ours)
        #expect(same.changed == 0 && same.same == same.reports && same.reports > 0)
        #expect(try place.figures() == figures)
        _ = try reprocess(OwnDomains(), isDryRun: true)
        #expect(try place.figures() == figures)
        #expect(try reprocess(OwnDomains()).changed == 0)
        #expect(try place.figures() != figures)
        #expect(try place.deviations() == ["one.example": [false], "two.example": [false]])
        #expect(try DatabaseCheck().run(place.store).allSatisfy { $0.wrong == 0 })
    }

    @Test(
        "a domain and all below it is ours, label by label",
        arguments: [
            ("example.nl", false), ("a.example.nl", false), ("b.a.example.nl", false), ("notexample.nl", true), ("nl", true), ("", true),
            ("example.nl.evil.test", true), ("xn--bcher-kva.example", false), ("example", true),
        ])
    func names(_ name: String, _ isForeign: Bool) {
        #expect(OwnDomains(["Example.NL.", "bücher.example"]).isForeign(name) == isForeign)
        #expect(!OwnDomains().isForeign(name))
    }
}
