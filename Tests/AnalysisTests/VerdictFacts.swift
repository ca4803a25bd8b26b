import DMARC
import Foundation
import GRDB

@testable import Store

/// A report with all that questions about alignment, policies and verdicts read.
struct VerdictReport {
    var id: Int
    var domain: String
    var reporter: String
    var window: ReportWindow
    var isCounted = true
    var policy = PublishedPolicy()
    var deviations = Deviations()
    var email: String?
    var records: [VerdictRecord] = []
}

/// A record with all of that.
struct VerdictRecord {
    var source: IPAddress
    var messages: Int
    var disposition = AppliedDisposition.none
    var dkim = false
    var spf = false
    var headerFrom: String
    var results = AuthenticationSet()
    var overrides: [PolicyOverride] = []
    var verdict = Verdict.unknown

    var passed: Bool { dkim || spf }
}

/// A record on one of its days.
struct VerdictShare {
    var report: VerdictReport
    var sequence: Int
    var record: VerdictRecord
    var day: Day
    var messages: Int
    /// Of the days of its record the first.
    var isFirst: Bool
}

/// A database that holds given reports, filled by SQL, flows included.
final class VerdictFacts {
    let store: ReportStore
    let reports: [VerdictReport]
    private let directory: URL

    init(_ given: [VerdictReport]) throws {
        let (reports, verdicts) = Self.withVerdictsOfFlows(given)
        self.reports = reports
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let path = directory.appendingPathComponent("facts.sqlite").path
        store = try ReportStore(path: path, access: .readWrite)
        let queue = try DatabaseQueue(path: path)
        var keys = Keys()
        try queue.write { db in
            for report in reports { try Self.insert(report, &keys, db) }
            try db.execute(
                sql: """
                    INSERT INTO flows
                    SELECT source, domain_id, authentication_id, spf + 2 * dkim, sum(messages), count(*), min(day), max(day), 0, 0, 0,
                        2, 900, 0, 0
                    FROM records WHERE counted_as < 2 GROUP BY 1, 2, 3, 4
                    """)
            for (flow, verdict) in verdicts {
                try db.execute(
                    sql: "UPDATE flows SET verdict = ? WHERE source = ? AND domain_id = ? AND authentication_id = ? AND aligned = ?",
                    arguments: [
                        verdict.stored, flow.source.withBytes { Data($0) }, keys.domains[flow.domain], keys.results[flow.results],
                        (flow.dkim ? 2 : 0) + (flow.spf ? 1 : 0),
                    ])
            }
        }
        try queue.close()
    }

    private struct Flow: Hashable {
        var source: IPAddress
        var domain: String
        var results: AuthenticationSet
        var dkim: Bool
        var spf: Bool

        init(_ record: VerdictRecord, _ domain: String) {
            source = record.source
            self.domain = domain
            results = record.results
            dkim = record.dkim
            spf = record.spf
        }
    }

    /// A verdict stands on the flow: of records of one flow that come with several the first decides.
    private static func withVerdictsOfFlows(_ given: [VerdictReport]) -> ([VerdictReport], [Flow: Verdict]) {
        var reports = given
        var verdicts: [Flow: Verdict] = [:]
        for report in reports.indices where reports[report].isCounted {
            for record in reports[report].records.indices {
                let flow = Flow(reports[report].records[record], reports[report].domain)
                let verdict = verdicts[flow] ?? reports[report].records[record].verdict
                verdicts[flow] = verdict
                reports[report].records[record].verdict = verdict
            }
        }
        return (reports, verdicts)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Everything that counts, by day.
    var shares: [VerdictShare] {
        reports.filter(\.isCounted).flatMap { report in
            report.records.enumerated().flatMap { sequence, record in
                Self.shares(of: record.messages, in: report.window).enumerated().map { place, share in
                    VerdictShare(
                        report: report, sequence: sequence, record: record, day: share.0, messages: share.1, isFirst: place == 0)
                }
            }
        }
    }

    private static func shares(of messages: Int, in window: ReportWindow) -> [(Day, Int)] {
        let shares = zip(window.days, window.shares(of: messages)).filter { $0.1 > 0 }
        return shares.isEmpty ? [(window.days.lowerBound, 0)] : Array(shares)
    }

    // MARK: - Filling

    /// Numbers for texts and sets as they come.
    private struct Keys {
        var names: [String: Int] = [:]
        var reporters: [String: Int] = [:]
        var domains: [String: Int] = [:]
        var results: [AuthenticationSet: Int] = [:]
        var overrides: [[PolicyOverride]: Int] = [:]
    }

    private static func key(_ name: String?, _ keys: inout [String: Int], _ table: String, _ db: Database) throws -> Int? {
        guard let name else { return nil }
        if let key = keys[name] { return key }
        let key = keys.count + 1
        keys[name] = key
        try db.execute(sql: "INSERT INTO \(table)(id, name) VALUES (?, ?)", arguments: [key, name])
        return key
    }

    private static func key(_ set: AuthenticationSet, _ keys: inout Keys, _ db: Database) throws -> Int {
        if let key = keys.results[set] { return key }
        let key = keys.results.count + 1
        keys.results[set] = key
        try db.execute(
            sql: "INSERT INTO authentication_sets VALUES (?, ?)", arguments: [key, withUnsafeBytes(of: (key, key)) { Data($0) }])
        for (position, result) in set.dkim.enumerated() {
            try db.execute(
                sql: "INSERT INTO authentication_results VALUES (?, ?, 'dkim', ?, ?, NULL, ?, NULL, NULL)",
                arguments: [
                    key, position, try self.key(result.domain, &keys.names, "names", db),
                    try self.key(result.selector, &keys.names, "names", db), result.result.rawValue,
                ])
        }
        for (position, result) in set.spf.enumerated() {
            try db.execute(
                sql: "INSERT INTO authentication_results VALUES (?, ?, 'spf', ?, NULL, ?, ?, NULL, NULL)",
                arguments: [
                    key, set.dkim.count + position, try self.key(result.domain, &keys.names, "names", db), result.scope?.rawValue,
                    result.result.rawValue,
                ])
        }
        return key
    }

    private static func key(_ overrides: [PolicyOverride], _ keys: inout Keys, _ db: Database) throws -> Int? {
        if overrides.isEmpty { return nil }
        if let key = keys.overrides[overrides] { return key }
        let key = keys.overrides.count + 1
        keys.overrides[overrides] = key
        let text = "[" + overrides.map { "[\"\($0.type)\",\($0.comment.map { "\"\($0)\"" } ?? "null")]" }.joined(separator: ",") + "]"
        try db.execute(sql: "INSERT INTO override_sets VALUES (?, ?)", arguments: [key, text])
        return key
    }

    private static func insert(_ report: VerdictReport, _ keys: inout Keys, _ db: Database) throws {
        let domain = try key(report.domain, &keys.domains, "domains", db)
        let reporter = try key(report.reporter, &keys.reporters, "reporters", db)
        let policy = report.policy
        try db.execute(
            sql: "INSERT INTO policies(id, p, sp, adkim, aspf, testing) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [report.id, policy.p, policy.sp, policy.adkim, policy.aspf, policy.testing])
        try db.execute(
            sql: """
                INSERT INTO reports(id, reporter_id, domain_id, report_id, begin_utc, end_utc, day, is_spread, is_counted, digest, policy_id,
                    standard, version, email, records, messages, passed, deviations, refused_records, member)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, zeroblob(16), ?, 'rfc7489', '1.0', ?, ?, ?, ?, ?, 0, '')
                """,
            arguments: [
                report.id, reporter, domain, "id-\(report.id)", report.window.begin, report.window.end, report.window.day.number,
                report.window.isSpread, report.isCounted, report.id, report.email, report.records.count,
                report.records.reduce(0) { $0 + $1.messages }, report.records.reduce(0) { $0 + ($1.passed ? $1.messages : 0) },
                Int64(bitPattern: report.deviations.rawValue),
            ])
        for (sequence, record) in report.records.enumerated() {
            let results = try key(record.results, &keys, db)
            let overrides = try key(record.overrides, &keys, db)
            let headerFrom = try key(record.headerFrom, &keys.names, "names", db)
            for (day, messages) in shares(of: record.messages, in: report.window) {
                try db.execute(
                    sql: "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)",
                    arguments: [
                        domain, report.isCounted ? (record.passed ? 0 : 1) : 2, day.number, report.id, sequence,
                        record.source.withBytes { Data($0) }, messages, Int(record.disposition.rawValue), record.dkim, record.spf,
                        headerFrom, results, overrides,
                    ])
                guard report.isCounted else { continue }
                try db.execute(
                    sql: "INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET messages = messages + excluded.messages",
                    arguments: [domain, day.number, Int(record.disposition.rawValue), record.dkim, record.spf, messages])
            }
        }
    }
}

// MARK: - Random facts

extension VerdictFacts {
    static let domains = ["example.org", "mail.example.org", "shop.example.co.uk"]
    static let reporters = ["google.com", "Outlook.com", "Yahoo", "Tiny"]
    static let names = [
        "example.org", "mail.example.org", "news.mail.example.org", "shop.example.co.uk", "example.co.uk", "other.co.uk", "co.uk",
        "bounce.service.example", "service.example", "relay.test",
    ]

    /// The organisation of one of `names`, by hand.
    static func organisation(of name: String) -> String {
        if name == "co.uk" { return name }
        return name.split(separator: ".").suffix(name.hasSuffix(".co.uk") ? 3 : 2).joined(separator: ".")
    }

    /// Reports of five months, or of other days, with everything in them that a question could trip over.
    static func random(seed: UInt64, reports count: Int, days: ClosedRange<Int> = 20560...20710) throws -> VerdictFacts {
        var generator = SeededGenerator(state: seed)
        return try VerdictFacts((1...count).map { report($0, days, &generator) })
    }

    private static func report(_ id: Int, _ days: ClosedRange<Int>, _ generator: inout SeededGenerator) -> VerdictReport {
        func one<Element>(of list: [Element], _ fallback: Element) -> Element { list.randomElement(using: &generator) ?? fallback }
        let day = Int.random(in: days, using: &generator)
        let kind = Int.random(in: 0..<12, using: &generator)
        let length = kind == 0 ? Int.random(in: 2...20, using: &generator) * 86400 + 3600 : 86399
        let domain = one(of: domains, "example.org")
        var report = VerdictReport(
            id: id, domain: domain, reporter: one(of: reporters, "Yahoo"),
            window: ReportWindow(begin: day * 86400, end: day * 86400 + length),
            isCounted: kind != 2)
        report.policy.domain = domain
        report.policy.p = one(of: ["none", "quarantine", "reject", "Reject", "odd", nil], nil)
        report.policy.sp = one(of: ["none", "quarantine", "reject", "", nil], nil)
        report.policy.adkim = one(of: ["r", "s", "S", nil], nil)
        report.policy.aspf = one(of: ["r", "s", "", nil], nil)
        report.policy.testing = one(of: ["y", "n", nil, nil], nil)
        report.deviations = one(of: [[], Deviations(.noSelector), [Deviations(.noSelector), Deviations(.oddVersion)]], [])
        report.email = one(of: ["b@reporter.example", "a@reporter.example", "", nil], nil)
        for _ in 0..<Int.random(in: 0...10, using: &generator) { report.records.append(record(domain, &generator)) }
        return report
    }

    private static func record(_ domain: String, _ generator: inout SeededGenerator) -> VerdictRecord {
        func one<Element>(of list: [Element], _ fallback: Element) -> Element { list.randomElement(using: &generator) ?? fallback }
        let address = Int.random(in: 0..<14, using: &generator)
        let signed = AuthenticationResult.allCases + [.pass, .pass, .pass, .fail, .fail]
        var results = AuthenticationSet()
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            results.dkim.append(
                DKIMResult(
                    domain: one(of: names + [nil], nil), selector: one(of: ["s1", "S1", "s2", nil], nil), result: one(of: signed, .pass)))
        }
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            results.spf.append(
                SPFResult(domain: one(of: names + [nil], nil), scope: one(of: [.mfrom, .helo, nil], nil), result: one(of: signed, .pass)))
        }
        var record = VerdictRecord(
            source: address % 5 == 0
                ? IPAddress(high: 0x2001_0DB8_0000_0000, low: UInt64(address)) : IPAddress(ipv4: 0x0A00_0000 + UInt32(address * 9)),
            messages: one(of: [0, 1, 1, 2, 7, 40, 1000], 1),
            headerFrom: one(of: [domain, domain, "a." + domain, "example.org", "other.co.uk"], domain),
            results: results)
        record.disposition = one(of: AppliedDisposition.allCases, .none)
        record.dkim = Bool.random(using: &generator)
        record.spf = Bool.random(using: &generator)
        record.verdict = one(of: Verdict.allCases, .unknown)
        let types = ["forwarded", "mailing_list", "local_policy", "trusted_forwarder", "sampled_out", "policy_test_mode", "other", "odd"]
        if Int.random(in: 0..<2, using: &generator) == 0 {
            record.overrides = [PolicyOverride(type: one(of: types, "other"), comment: one(of: ["arc=pass", nil], nil))]
        }
        return record
    }
}
