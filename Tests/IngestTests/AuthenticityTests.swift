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

/// Forged reports: what they can do, and what they cannot.
@Suite("Authenticity of reports")
struct AuthenticityTests {
    /// A mail with a report, as the server `mx.example.nl` delivered it.
    private struct Mail {
        var report: String
        /// Domain in From.
        var from: String
        /// What the server found out.
        var dmarc: String

        /// An hour after the window ended, as reporters do (RFC 5322 §3.3).
        private var arrival: String {
            let start = report.range(of: "<end>")?.upperBound ?? report.startIndex
            let end = Double(String(report[start...].prefix { $0 != "<" })) ?? 0
            let format = DateFormatter()
            format.locale = Locale(identifier: "en_US_POSIX")
            format.timeZone = TimeZone(secondsFromGMT: 0)
            format.dateFormat = "EEE, d MMM yyyy HH:mm:ss Z"
            return format.string(from: Date(timeIntervalSince1970: end + 3600))
        }

        var text: String {
            """
            Authentication-Results: mx.example.nl; dmarc=\(dmarc) header.from=\(from)
            Received: from somewhere by mx.example.nl; \(arrival)
            Authentication-Results: mx.example.nl; dmarc=pass header.from=\(from)
            From: reports <d@\(from)>
            Subject: a report
            MIME-Version: 1.0
            Content-Type: text/xml; name="r.xml"

            \(report)
            """
        }
    }

    private static let now = 1_790_000_000
    private static let today = Day(containing: now)

    private static func options(trusting: Bool) -> IngestOptions {
        var options = IngestOptions(now: now) {
            guard let suffixes = PublicSuffixes() else { return { $0 } }
            return { suffixes.organisation(of: $0) }
        }
        if trusting { options.trustedServers = ["mx.example.nl"] }
        return options
    }

    private static func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-authenticity-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    private static func store(in folder: URL) throws -> ReportStore {
        try ReportStore(path: folder.appending(path: "d.sqlite").path(percentEncoded: false), access: .readWrite)
    }

    /// Ingests texts, mails or report files, and refreshes the verdicts.
    private static func ingest(
        _ texts: [String], into store: ReportStore, _ folder: URL, trusting: Bool, isRefreshing: Bool = true
    ) throws {
        let inbox = folder.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: inbox, withIntermediateDirectories: true)
        for (index, text) in texts.enumerated() { try Data(text.utf8).write(to: inbox.appending(path: "\(1000 + index)")) }
        let tally = try Ingest(store: store, options: options(trusting: trusting)).run(path: inbox.path(percentEncoded: false))
        #expect(tally.refusals.isEmpty && tally.messages.values.reduce(0, +) == texts.count)
        let refresh = VerdictRefresh()
        if isRefreshing, try refresh.isNeeded(store) { _ = try refresh.run(store) }
    }

    /// Everything that verdicts say, without keys.
    private static func verdicts(_ store: ReportStore, onlyWitnessed: Bool = false) throws -> [String] {
        try store.reader.read { db in
            let flows = try String.fetchAll(
                db,
                sql: """
                    SELECT hex(f.source) || '|' || d.name || '|' || hex(a.digest) || '|' || f.aligned || '|' || f.verdict || '|' ||
                        f.confidence || '|' || f.notes || '|' || f.evidence || '|' || f.messages || '|' || f.records || '|' || f.first_day
                        || '|' || f.last_day || '|' || f.reporter_bits || '|' || f.overrides
                    FROM flows f JOIN domains d ON d.id = f.domain_id JOIN authentication_sets a ON a.id = f.authentication_id
                    WHERE f.reporter_bits <> 0 OR NOT ?
                    """, arguments: [onlyWitnessed])
            let days = try String.fetchAll(
                db,
                sql: """
                    SELECT d.name || '|' || v.day || '|' || v.messages || '|' || v.passed || '|' || v.verdict
                    FROM daily_verdicts v JOIN domains d ON d.id = v.domain_id
                    """)
            return (flows + (onlyWitnessed ? [] : days)).sorted()
        }
    }

    private static func isSound(_ store: ReportStore) throws -> Bool { try DatabaseCheck().run(store).allSatisfy { $0.wrong == 0 } }

    // MARK: - Worlds

    /// Random reports; about a third of them are forged.
    private static func world(_ seed: UInt64, _ count: Int) -> [Mail] {
        var generator = VerdictNumbers(state: seed)
        return World(&generator, reports: count).reports.map { report in
            let start = report.range(of: "<email>d@")?.upperBound ?? report.startIndex
            let name = String(report[start...].prefix { $0 != "<" })
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: return Mail(report: report, from: name, dmarc: "fail")
            case 1: return Mail(report: report, from: "evil.example", dmarc: "pass")
            default: return Mail(report: report, from: name, dmarc: "pass")
            }
        }
    }

    @Test("what is replaced, or turns out to be somebody's word, leaves what a fresh pass finds", arguments: 31...36 as ClosedRange<UInt64>)
    func replaced(seed: UInt64) throws {
        var generator = VerdictNumbers(state: seed)
        let mails = Self.world(seed, 70)
        try Self.withFolder { folder in
            let store = try Self.store(in: folder)
            try Self.ingest(mails.map(\.text), into: store, folder, trusting: true)
            var (taken, rebuilt, judged, flows) = (0, 0, 0, 0)
            for round in 0..<10 {
                let batch = (0..<Int.random(in: 1...3, using: &generator)).compactMap { _ -> Mail? in
                    guard var mail = mails.randomElement(using: &generator) else { return nil }
                    let name = mail.report.components(separatedBy: "<email>d@").last?.components(separatedBy: "<").first ?? ""
                    let more = World.record(
                        "192.0.2.\(100 + round)", 7, "none", "fail", "fail", "one.example", [], ("one.example", "softfail"))
                    let kind = Int.random(in: 0..<5, using: &generator)
                    // A copy of it, or a superset, from whom it says; a superset from whoever sent it; other content, verified or not.
                    if [0, 1, 3].contains(kind) { (mail.from, mail.dmarc) = (name, "pass") }
                    if [1, 2].contains(kind) { mail.report = mail.report.replacing("</feedback>", with: more + "</feedback>") }
                    if kind > 2, let start = mail.report.range(of: "<record>"), let end = mail.report.range(of: "</record>") {
                        mail.report.replaceSubrange(start.lowerBound..<end.upperBound, with: more)
                    }
                    return mail
                }
                try Self.ingest(batch.map(\.text), into: store, folder, trusting: true, isRefreshing: false)
                let refresh = VerdictRefresh(recordsInMemory: round % 2 == 0 ? VerdictRefresh.recordsInMemory : 40)
                let recounted = try store.reader.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM recounted_reports") ?? 0 }
                if try refresh.isNeeded(store) {
                    let outcome = try refresh.run(store)
                    taken += recounted > 0 ? 1 : 0
                    rebuilt += outcome.isRebuild ? 1 : 0
                    if recounted > 0, !outcome.isRebuild {
                        judged += outcome.flows
                        flows += try store.reader.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM flows") ?? 0 }
                    }
                }
                let wrong = try DatabaseCheck().run(store).filter { $0.wrong > 0 }
                #expect(wrong.isEmpty, "round \(round): \(wrong)")
            }
            #expect(taken > 3 && rebuilt * 2 <= taken, "\(taken) times something was taken out, \(rebuilt) times all was made anew")
            #expect(judged < flows)
        }
    }

    @Test("verdicts rest on verified reports alone, whatever the order and the batches", arguments: [1, 2] as [UInt64])
    func witnesses(seed: UInt64) throws {
        let mails = Self.world(seed, 45)
        let genuine = mails.filter { $0.dmarc == "pass" && $0.from != "evil.example" }
        #expect(genuine.count > 20 && mails.count - genuine.count > 7)
        var generator = VerdictNumbers(state: seed + 100)
        let all = try Self.withFolder { folder in
            let store = try Self.store(in: folder)
            try Self.ingest(mails.map(\.text), into: store, folder, trusting: true)
            #expect(try Self.isSound(store))
            try questions(store, genuine)
            return (try Self.verdicts(store), try Self.verdicts(store, onlyWitnessed: true))
        }
        try Self.withFolder { folder in
            let store = try Self.store(in: folder)
            try Self.ingest(genuine.map(\.text), into: store, folder, trusting: true)
            #expect(try Self.verdicts(store, onlyWitnessed: true) == all.1)
        }
        // In any order, in several runs; and all at once again.
        try Self.withFolder { folder in
            let store = try Self.store(in: folder)
            var rest = mails.shuffled(using: &generator)[...]
            while !rest.isEmpty {
                try Self.ingest(rest.prefix(15).map(\.text), into: store, folder, trusting: true)
                rest = rest.dropFirst(15)
            }
            #expect(try Self.verdicts(store) == all.0)
            #expect(try Self.isSound(store))
            _ = try VerdictRefresh().run(store, rebuild: true)
            #expect(try Self.verdicts(store) == all.0)
        }
    }

    /// `--only-verified` answers as a store that never saw anything else.
    private func questions(_ store: ReportStore, _ genuine: [Mail]) throws {
        try Self.withFolder { folder in
            let other = try Self.store(in: folder)
            try Self.ingest(genuine.map(\.text), into: other, folder, trusting: true)
            let period = PeriodRequest(since: .days(Day(20600), Day(20600)), until: .days(Day(20670), Day(20670)))
            let verified = Filter(onlyVerified: true, period: period, today: Self.today)
            let everything = Filter(period: period, today: Self.today)
            #expect(try Summary.ask(store, verified).rows == Summary.ask(other, everything).rows)
            // What a source is new to, and where the data end, is measured against everybody.
            func trend(_ store: ReportStore, _ filter: Filter) throws -> [[Int]] {
                try Trend.ask(store, filter, by: .week).rows.map { [$0.messages, $0.passed, $0.reports, $0.sources] }
            }
            #expect(try trend(store, verified) == trend(other, everything))
            func reporters(_ store: ReportStore, _ filter: Filter) throws -> [[Int]] {
                try Reporters.ask(store, filter).rows.map {
                    [
                        $0.messages, $0.records, $0.reports, $0.contradictions, $0.alignmentDisagreements, $0.verified, $0.unverified,
                        $0.mismatch,
                    ]
                }
            }
            #expect(try reporters(store, verified) == reporters(other, everything))
            // Of equals the results that were stored first are shown: the order of the keys plays no part here.
            func sources(_ store: ReportStore, _ filter: Filter) throws -> Set<String> {
                try Set(
                    SourceList.ask(store, filter, limit: nil).rows.map {
                        "\($0.source) \($0.domain) \($0.verdict) \($0.messages) \($0.failed) \($0.conclusion.confidence ?? -1)"
                    })
            }
            #expect(try sources(store, verified) == sources(other, everything))
            func failures(_ store: ReportStore, _ filter: Filter) throws -> [String] {
                try TopFailures.ask(store, filter, limit: nil).rows.map { "\($0.source) \($0.domain) \($0.messages) \($0.failed)" }
            }
            #expect(try failures(store, verified) == failures(other, everything))
            #expect(try DailyExport.ask(store, verified).rows == DailyExport.ask(other, everything).rows)
            #expect(try ReportList.ask(store, verified).rows.map(\.reportID) == ReportList.ask(other, everything).rows.map(\.reportID))
            #expect(try Advisory.ask(store, everything).domains.map(\.findings) == Advisory.ask(other, everything).domains.map(\.findings))
        }
    }

    // MARK: - The forger

    private static let firstDay = 20650

    /// A report of a day. Without further records: 100 messages of the domain's own server, as it should be.
    private static func report(_ reporter: String, day: Int, _ records: String = own(100)) -> String {
        """
        <feedback><report_metadata><org_name>\(reporter)</org_name><email>d@\(reporter)</email><report_id>\(reporter).\(day)</report_id>
        <date_range><begin>\(day * 86400)</begin><end>\(day * 86400 + 86399)</end></date_range></report_metadata>
        <policy_published><domain>one.example</domain><p>none</p></policy_published>\(records)</feedback>
        """
    }

    private static func own(_ count: Int, at source: String = "198.51.100.1") -> String {
        World.record(
            source, count, "none", "pass", "pass", "one.example", [(("one.example", "s1"), "pass")], ("one.example", "pass"))
    }

    /// A server of the domain's own that somebody forgot in SPF, and that does not sign.
    private static let forgotten = World.record(
        "198.51.100.9", 10, "none", "fail", "fail", "one.example", [(("one.example", "s9"), "fail")], ("one.example", "permerror"))

    private static func days(_ reporter: String, dmarc: String, _ records: String = own(100)) -> [Mail] {
        (firstDay..<firstDay + 40).map { Mail(report: report(reporter, day: $0, records), from: reporter, dmarc: dmarc) }
    }

    private static func isReady(_ store: ReportStore) throws -> Bool? {
        let advice = try Advisory.ask(store, Filter(today: Day(firstDay + 41)))
        let finding = advice.domains.flatMap(\.findings).first { $0.code == .readiness }
        return finding?.numbers.first { $0.name == "ready" }.map { $0.value == .flag(true) }
    }

    private static func confidence(_ store: ReportStore, _ source: String) throws -> Double? {
        let rows = try SourceList.ask(store, Filter(today: Day(firstDay + 41)), limit: nil).rows
        return rows.filter { $0.source.description == source }.compactMap(\.conclusion.confidence).max()
    }

    @Test("a forged reporter is no second one: neither certain nor ready")
    func secondReporter() throws {
        let google = Self.days("google.com", dmarc: "pass")
        let yahoo = Self.days("second.test", dmarc: "fail")
        for isTrusting in [true, false] {
            try Self.withFolder { folder in
                let store = try Self.store(in: folder)
                try Self.ingest((google + yahoo).map(\.text), into: store, folder, trusting: isTrusting)
                // Where nothing is configured nothing changes: two reporters are two.
                #expect(try Self.isReady(store) == !isTrusting)
                let confidence = try #require(try Self.confidence(store, "198.51.100.1"))
                #expect(isTrusting ? confidence < 0.9 : confidence > 0.9)
                let words = try ReportList.ask(store, Filter(today: Day(Self.firstDay + 41))).rows.map { [$0.reporter, $0.sender.word] }
                #expect(
                    Set(words)
                        == (isTrusting
                            ? [["google.com", "verified"], ["second.test", "unverified"]]
                            : [["google.com", "unverified"], ["second.test", "unverified"]]))
                let summary = try Summary.ask(store, Filter(today: Day(Self.firstDay + 41)))
                #expect(summary.unverifiedMessages == (isTrusting ? 3000 : 0) && summary.total.messages == 6000)
                let reporters = try Reporters.ask(store, Filter(today: Day(Self.firstDay + 41))).rows
                #expect(
                    reporters.map { [$0.verified, $0.unverified, $0.mismatch] }
                        == (isTrusting
                            ? [[30, 0, 0], [0, 30, 0]]
                            : [[0, 30, 0], [0, 30, 0]]))
                // The genuine reports come, too: what was unverified is upgraded, and counts.
                guard isTrusting else { return }
                try Self.ingest(Self.days("second.test", dmarc: "pass").map(\.text), into: store, folder, trusting: true)
                #expect(try Self.isReady(store) == true)
                #expect(try #require(try Self.confidence(store, "198.51.100.1")) > 0.9)
                #expect(try Self.isSound(store))
            }
        }
    }

    @Test("a report in the name of google.com, sent by nobody, makes no server and hides none")
    func nobody() throws {
        let honest =
            (Self.days("google.com", dmarc: "pass", Self.own(500) + Self.forgotten)
            + Self.days("second.test", dmarc: "pass", Self.own(500) + Self.forgotten)).map(\.text)
        // Many of them, of several names; a server of the forger's own, and so much of what is fine that nothing else seems to matter.
        let lies = Self.own(1000, at: "203.0.113.66") + Self.own(900_000_000) + Self.own(900_000_000, at: "198.51.100.9")
        let forged = (0..<30).flatMap { day in
            [
                Mail(report: Self.report("google.com", day: Self.firstDay - 60 + day, lies), from: "google.com", dmarc: "fail"),
                Mail(report: Self.report("fastmail.com", day: Self.firstDay + day, lies), from: "evil.example", dmarc: "pass"),
                Mail(report: Self.report("gmx.example", day: Self.firstDay + 10 + day, lies), from: "gmx.example", dmarc: "none"),
            ].map(\.text)
        }
        try Self.withFolder { folder in
            let store = try Self.store(in: folder)
            try Self.ingest(honest, into: store, folder, trusting: true)
            let before = try Self.verdicts(store, onlyWitnessed: true)
            let advice = try Advisory.ask(store, Filter(today: Day(Self.firstDay + 41))).domains.map(\.findings)
            #expect(try Self.isReady(store) == false)
            try Self.ingest(forged, into: store, folder, trusting: true)
            #expect(try Self.verdicts(store, onlyWitnessed: true) == before)
            #expect(try Advisory.ask(store, Filter(today: Day(Self.firstDay + 41))).domains.map(\.findings) == advice)
            let confidence = try #require(try Self.confidence(store, "203.0.113.66"))
            #expect(confidence < 0.9)
            #expect(try Self.isReady(store) == false)
            let senders = try ReportList.ask(
                store, Filter(period: PeriodRequest(since: .days(Day(Self.firstDay - 70), Day(Self.firstDay - 70))), today: Self.today)
            ).rows.map { [$0.reporter, $0.sender.word, $0.sender.mailFromDomain ?? "-"] }
            #expect(
                Set(senders) == [
                    ["google.com", "verified", "google.com"], ["second.test", "verified", "second.test"],
                    ["google.com", "unverified", "google.com"], ["fastmail.com", "mismatch", "evil.example"],
                    ["gmx.example", "unverified", "gmx.example"],
                ])
            #expect(try Self.isSound(store))
        }
    }

    @Test("the best of a report's mails counts, and reading history again forgets none of it")
    func copies() throws {
        let report = Self.report("google.com", day: Self.firstDay)
        let verified = Mail(report: report, from: "google.com", dmarc: "pass").text
        let unverified = Mail(report: report, from: "google.com", dmarc: "fail").text
        let mismatch = Mail(report: report, from: "evil.example", dmarc: "pass").text
        func word(_ texts: [(String, Bool)]) throws -> String {
            try Self.withFolder { folder in
                let store = try Self.store(in: folder)
                for (text, isTrusting) in texts { try Self.ingest([text], into: store, folder, trusting: isTrusting) }
                #expect(try Self.isSound(store))
                _ = try Reprocess(store: store, options: Self.options(trusting: true)).run(ReportSelection(), isDryRun: false)
                let rows = try ReportList.ask(store, Filter(today: Day(Self.firstDay + 1))).rows
                #expect(rows.count == 1)
                return rows.map { "\($0.sender.authenticity?.word ?? "unknown") \($0.sender.mailFromDomain ?? "-")" }.joined()
            }
        }
        #expect(try word([(report, false)]) == "unknown -")
        #expect(try word([(report, true)]) == "unverified -")
        #expect(try word([(verified, false)]) == "unknown google.com")
        #expect(try word([(mismatch, true), (unverified, true)]) == "unverified google.com")
        #expect(try word([(unverified, true), (mismatch, true)]) == "unverified google.com")
        #expect(try word([(unverified, true), (verified, true), (mismatch, true), (report, true)]) == "verified google.com")
        // What was stored before anything was checked can only gain.
        #expect(try word([(verified, false), (unverified, true)]) == "unknown google.com")
        #expect(try word([(report, false), (verified, true)]) == "verified google.com")
    }

    @Test("a forger who guesses a report's id pushes nobody out, whoever comes first")
    func conflict() throws {
        let honest = Self.report("google.com", day: Self.firstDay)
        let superset = Self.report("google.com", day: Self.firstDay, Self.own(100) + Self.own(900, at: "203.0.113.66"))
        let other = Self.report("google.com", day: Self.firstDay, Self.own(7, at: "203.0.113.66"))
        func mail(_ report: String, _ dmarc: String) -> String { Mail(report: report, from: "google.com", dmarc: dmarc).text }
        for forged in [superset, other] {
            let orders = [
                [mail(honest, "pass"), mail(forged, "fail")], [mail(forged, "fail"), mail(honest, "pass")],
                // The honest one is known by its second mail only.
                [mail(forged, "fail"), mail(honest, "fail"), mail(honest, "pass")],
            ]
            for order in orders {
                try Self.withFolder { folder in
                    let store = try Self.store(in: folder)
                    for text in order { try Self.ingest([text], into: store, folder, trusting: true) }
                    let filter = Filter(today: Day(Self.firstDay + 1))
                    #expect(try Summary.ask(store, filter).total.messages == 100)
                    let rows = try ReportList.ask(store, filter).rows
                    #expect(rows.count == 2)
                    #expect(rows.allSatisfy { $0.isCounted == ($0.sender.authenticity == .verified) })
                    #expect(try SourceList.ask(store, filter, limit: nil).rows.map(\.source.description) == ["198.51.100.1"])
                    #expect(try Self.isSound(store))
                }
            }
        }
    }

    @Test("a large report, whose records go ahead of it, is checked as well")
    func large() throws {
        // What counts is how much text waits.
        let records = (0..<3000).map { number in
            let reason = "<reason><type>other</type><comment>\(number) \(String(repeating: "x", count: 300))</comment></reason>"
            return Self.own(1).replacing("</policy_evaluated>", with: reason + "</policy_evaluated>")
        }.joined(separator: "\n")
        let report = Self.report("google.com", day: Self.firstDay, records)
        try Self.withFolder { folder in
            let store = try Self.store(in: folder)
            func word() throws -> String {
                try ReportList.ask(store, Filter(today: Day(Self.firstDay + 1))).rows.map(\.sender.word).joined()
            }
            try Self.ingest([Mail(report: report, from: "google.com", dmarc: "fail").text], into: store, folder, trusting: true)
            #expect(try word() == "unverified")
            try Self.ingest([Mail(report: report, from: "google.com", dmarc: "pass").text], into: store, folder, trusting: true)
            #expect(try word() == "verified")
        }
    }
}
