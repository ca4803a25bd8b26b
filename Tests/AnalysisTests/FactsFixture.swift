import DMARC
import Foundation
import GRDB
import Store

/// A generator of the same numbers every time (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A report as the brute-force answers know it.
struct FactReport {
    var id: Int
    var domain: String
    var reporter: String
    var reportID: String
    var window: ReportWindow
    var isCounted: Bool
    var p: String?
    var sp: String?
    var records: [FactRecord] = []
}

/// A record as the brute-force answers know it.
struct FactRecord {
    var sequence: Int
    var source: IPAddress
    var messages: Int
    var disposition: AppliedDisposition
    var dkim: Bool
    var spf: Bool
    var authentication: AuthenticationSet
    var overrides: [PolicyOverride]

    var passed: Bool { dkim || spf }
}

/// What a record says of one day.
struct FactShare {
    var report: FactReport
    var record: FactRecord
    var day: Day
    var messages: Int
    var isFirst: Bool
}

/// A database in a directory of its own, filled by SQL, together with what was put into it.
final class FactsFixture {
    let path: String
    let store: ReportStore
    let reports: [FactReport]
    private let directory: URL

    static let domains = [
        "example.org", "mail.example.org", "notexample.org", "exa_ple.org", "exaXple.org", "%.org", "xn--bcher-kva.example",
    ]
    static let reporters = ["google.com", "Outlook.com", "Yahoo"]
    static let today = Day(20700)

    init(seed: UInt64, reports count: Int) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        path = directory.appendingPathComponent("facts.sqlite").path
        store = try ReportStore(path: path, access: .readWrite)
        var generator = SeededGenerator(state: seed)
        reports = (1...max(1, count)).map { Self.report($0, &generator) }
        let queue = try DatabaseQueue(path: path)
        try queue.write { db in try Self.insert(reports, db) }
        try queue.close()
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Everything that counts, by day.
    var shares: [FactShare] { reports.filter(\.isCounted).flatMap { Self.shares(of: $0) } }

    static func shares(of report: FactReport) -> [FactShare] {
        report.records.flatMap { record in
            var shares: [FactShare] = []
            for (day, messages) in zip(report.window.days, report.window.shares(of: record.messages)) where messages > 0 {
                shares.append(FactShare(report: report, record: record, day: day, messages: messages, isFirst: shares.isEmpty))
            }
            // A record without messages stands on the first day.
            if shares.isEmpty {
                shares.append(FactShare(report: report, record: record, day: report.window.days.lowerBound, messages: 0, isFirst: true))
            }
            return shares
        }
    }

    // MARK: - Making

    private static func report(_ id: Int, _ generator: inout SeededGenerator) -> FactReport {
        let day = Int.random(in: 20600...20690, using: &generator)
        let kind = Int.random(in: 0..<10, using: &generator)
        let begin = day * 86400 + (kind == 1 ? 79200 : 0)
        let length = kind == 0 ? Int.random(in: 2...20, using: &generator) * 86400 + 3600 : 86399
        var report = FactReport(
            id: id, domain: domains.randomElement(using: &generator) ?? "", reporter: reporters.randomElement(using: &generator) ?? "",
            reportID: "id-\(id)", window: ReportWindow(begin: begin, end: begin + length), isCounted: kind != 2,
            p: ["none", "quarantine", "reject", nil].randomElement(using: &generator) ?? nil, sp: kind == 3 ? "reject" : nil)
        for sequence in 0..<Int.random(in: 0...12, using: &generator) {
            let mode = Int.random(in: 0..<4, using: &generator)
            let disposition = AppliedDisposition.allCases.randomElement(using: &generator) ?? .none
            let address = Int.random(in: 0..<20, using: &generator)
            report.records.append(
                FactRecord(
                    sequence: sequence,
                    source: address % 5 == 0
                        ? IPAddress(high: 0x2001_0DB8_0000_0000, low: UInt64(address)) : IPAddress(ipv4: 0x0A00_0000 + UInt32(address * 9)),
                    messages: [0, 1, 1, 2, 7, 40, 1000].randomElement(using: &generator) ?? 1, disposition: disposition,
                    dkim: mode & 1 == 1,
                    spf: mode & 2 == 2,
                    authentication: authentications[Int.random(in: 0..<authentications.count, using: &generator)],
                    overrides: Int.random(in: 0..<4, using: &generator) == 0
                        ? [PolicyOverride(type: "local_policy", comment: "arc=pass \"as\""), PolicyOverride(type: "other")] : []))
        }
        return report
    }

    static let authentications = [
        AuthenticationSet(),
        AuthenticationSet(spf: [
            SPFResult(domain: "relay.example", scope: .mfrom, result: .pass), SPFResult(domain: "a.example", scope: nil, result: .fail),
        ]),
        AuthenticationSet(
            dkim: [
                DKIMResult(domain: "one.example", selector: "s1", result: .fail),
                DKIMResult(domain: "two.example", selector: "s2", result: .pass, humanResult: "good"),
            ], spf: [SPFResult(domain: nil, scope: .helo, result: .unknown, rawResult: "hardfail")]),
        AuthenticationSet(dkim: [DKIMResult(domain: "three.example", selector: nil, result: .temperror)]),
    ]

    private static func insert(_ reports: [FactReport], _ db: Database) throws {
        func names() throws -> [String: Int64] {
            var keys: [String: Int64] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT id, name FROM names") { keys[row[1]] = row[0] }
            return keys
        }
        let texts =
            domains
            + authentications.flatMap { set in
                set.spf.compactMap(\.domain) + set.dkim.compactMap(\.domain) + set.dkim.compactMap(\.selector)
            }
        for name in Set(texts).sorted() { try db.execute(sql: "INSERT INTO names(name) VALUES (?)", arguments: [name]) }
        let keys = try names()
        for (index, name) in reporters.enumerated() {
            try db.execute(sql: "INSERT INTO reporters(id, name) VALUES (?, ?)", arguments: [index + 1, name])
        }
        // Keys that do not follow the alphabet: the order of answers must not depend on them.
        for (index, name) in domains.reversed().enumerated() {
            try db.execute(sql: "INSERT INTO domains(id, name) VALUES (?, ?)", arguments: [index + 1, name])
        }
        let domainKeys = Dictionary(uniqueKeysWithValues: domains.reversed().enumerated().map { ($1, $0 + 1) })
        for (index, set) in authentications.enumerated() {
            try db.execute(
                sql: "INSERT INTO authentication_sets(id, digest) VALUES (?, ?)",
                arguments: [index + 1, Data(repeating: UInt8(index), count: 16)])
            for (position, dkim) in set.dkim.enumerated() {
                try db.execute(
                    sql: "INSERT INTO authentication_results VALUES (?, ?, 'dkim', ?, ?, NULL, ?, ?, ?)",
                    arguments: [
                        index + 1, position, dkim.domain.flatMap { keys[$0] }, dkim.selector.flatMap { keys[$0] }, dkim.result.rawValue,
                        dkim.rawResult, dkim.humanResult,
                    ])
            }
            for (position, spf) in set.spf.enumerated() {
                try db.execute(
                    sql: "INSERT INTO authentication_results VALUES (?, ?, 'spf', ?, NULL, ?, ?, ?, ?)",
                    arguments: [
                        index + 1, set.dkim.count + position, spf.domain.flatMap { keys[$0] }, spf.scope?.rawValue, spf.result.rawValue,
                        spf.rawResult, spf.humanResult,
                    ])
            }
        }
        try db.execute(
            sql: "INSERT INTO override_sets(id, reasons) VALUES (1, ?)",
            arguments: [#"[["local_policy","arc=pass \"as\""],["other",null]]"#])
        for report in reports {
            try insert(report, domain: domainKeys[report.domain] ?? 0, names: keys, db)
        }
        try db.execute(
            sql: """
                INSERT INTO sources
                SELECT domain_id, source, min(day), max(day), sum(messages), sum(CASE counted_as WHEN 0 THEN messages ELSE 0 END)
                FROM records WHERE counted_as < 2 GROUP BY domain_id, source
                """)
        try insertDailySources(db)
    }

    private static func insertDailySources(_ db: Database) throws {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT DISTINCT domain_id, day, source FROM records WHERE counted_as < 2 AND messages > 0 ORDER BY 1, 2, source
                """)
        var days: [[Int]: (ipv4: Data, ipv6: Data)] = [:]
        for row in rows {
            let source: Data = row[2]
            if source.count == 4 {
                days[[row[0], row[1]], default: (Data(), Data())].ipv4.append(source)
            } else {
                days[[row[0], row[1]], default: (Data(), Data())].ipv6.append(source)
            }
        }
        for (key, sources) in days {
            try db.execute(sql: "INSERT INTO daily_sources VALUES (?, ?, ?, ?)", arguments: [key[0], key[1], sources.ipv4, sources.ipv6])
        }
    }

    private static func insert(_ report: FactReport, domain: Int, names: [String: Int64], _ db: Database) throws {
        try db.execute(sql: "INSERT INTO policies(id, p, sp) VALUES (?, ?, ?)", arguments: [report.id, report.p, report.sp])
        let passed = report.records.reduce(0) { $0 + ($1.passed ? $1.messages : 0) }
        try db.execute(
            sql: """
                INSERT INTO reports(id, reporter_id, domain_id, report_id, begin_utc, end_utc, day, is_spread, is_counted, digest, policy_id,
                    standard, version, records, messages, passed, deviations, refused_records, member)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, zeroblob(16), ?, 'rfc7489', '1.0', ?, ?, ?, 0, 0, '')
                """,
            arguments: [
                report.id, (reporters.firstIndex(of: report.reporter) ?? 0) + 1, domain, report.reportID, report.window.begin,
                report.window.end, report.window.day.number, report.window.isSpread, report.isCounted, report.id, report.records.count,
                report.records.reduce(0) { $0 + $1.messages }, passed,
            ])
        for share in shares(of: report) {
            let record = share.record
            let source = record.source.withBytes { Data($0) }
            try db.execute(
                sql: "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)",
                arguments: [
                    domain, report.isCounted ? (record.passed ? 0 : 1) : 2, share.day.number, report.id, record.sequence, source,
                    share.messages, Int(record.disposition.rawValue), record.dkim, record.spf, names[report.domain], names[report.domain],
                    (authentications.firstIndex(of: record.authentication) ?? 0) + 1, record.overrides.isEmpty ? nil : 1,
                ])
            guard report.isCounted else { continue }
            try db.execute(
                sql: """
                    INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records
                    """,
                arguments: [
                    domain, share.day.number, Int(record.disposition.rawValue), record.dkim, record.spf, share.messages,
                    share.isFirst ? 1 : 0,
                ])
        }
    }
}
