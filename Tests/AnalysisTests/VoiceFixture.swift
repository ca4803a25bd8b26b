import DMARC
import Foundation
import GRDB

@testable import Advice
@testable import Questions
@testable import Store

/// A database with reports of chosen voices about `example.org`, as it is after a refresh of the verdicts: filled by SQL.
final class VoiceFixture {
    /// A record: who sends, how much, with what outcome.
    struct Mail {
        var source = 10
        var messages = 100
        var dkim = true
        var spf = true
        /// 1 own SPF and signature pass; 2 own SPF fails, no signature; 3 a stranger; 4 own SPF fails, the signature passes; 5 another service.
        var set = 1
        var verdict = Verdict.authorized
        var from = "example.org"

        /// A server of the domain's own that SPF names.
        static func own(_ messages: Int = 100, source: Int = 10) -> Mail { Mail(source: source, messages: messages) }

        /// One that it does not name.
        static func missing(_ messages: Int, source: Int = 20, signed: Bool = false) -> Mail {
            Mail(source: source, messages: messages, dkim: signed, spf: false, set: signed ? 4 : 2, verdict: .misconfigured)
        }

        static func stranger(_ messages: Int, from: String = "example.org") -> Mail {
            Mail(source: 66, messages: messages, dkim: false, spf: false, set: 3, verdict: .spoofed, from: from)
        }

        static func service(_ messages: Int) -> Mail {
            Mail(source: 50, messages: messages, dkim: false, spf: false, set: 5, verdict: .unaligned)
        }
    }

    /// The day of the question, and the last day with data.
    static let today = Day(20700)
    static let last = today.advanced(by: -1)

    let store: ReportStore
    private let directory: URL
    private let queue: DatabaseQueue
    private var reports = 0

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let path = directory.appendingPathComponent("voices.sqlite").path
        store = try ReportStore(path: path, access: .readWrite)
        queue = try DatabaseQueue(path: path)
        try queue.write { db in
            for name in ["example.org", "mail", "bot.invalid", "service.example"] {
                try db.execute(sql: "INSERT INTO names(name) VALUES (?)", arguments: [name])
            }
            try db.execute(sql: "INSERT INTO domains(id, name) VALUES (1, 'example.org')")
            try db.execute(sql: "INSERT INTO policies(id, p) VALUES (1, 'none'), (2, 'quarantine')")
            let results: [(set: Int, kind: String, domain: String, selector: String?, result: AuthenticationResult)] = [
                (1, "dkim", "example.org", "mail", .pass),
                (1, "spf", "example.org", nil, .pass),
                (2, "spf", "example.org", nil, .fail),
                (3, "spf", "bot.invalid", nil, .none),
                (4, "dkim", "example.org", "mail", .pass),
                (4, "spf", "example.org", nil, .softfail),
                (5, "dkim", "service.example", nil, .pass),
                (5, "spf", "service.example", nil, .pass),
            ]
            for set in 1...5 {
                try db.execute(
                    sql: "INSERT INTO authentication_sets(id, digest) VALUES (?, ?)",
                    arguments: [set, Data(repeating: UInt8(set), count: 16)])
            }
            for (position, row) in results.enumerated() {
                try db.execute(
                    sql: """
                        INSERT INTO authentication_results
                        VALUES (?, ?, ?, (SELECT id FROM names WHERE name = ?), (SELECT id FROM names WHERE name = ?), ?, ?, NULL, NULL)
                        """,
                    arguments: [
                        row.set, position, row.kind, row.domain, row.selector, row.kind == "spf" ? "mfrom" : nil, row.result.rawValue,
                    ])
            }
        }
    }

    deinit {
        try? queue.close()
        try? FileManager.default.removeItem(at: directory)
    }

    func execute(_ sql: String) throws { try queue.write { db in try db.execute(sql: sql) } }

    /// Gives a voice its standing: 0 newcomer, 1 believed while the store is young, 2 witness.
    func voice(_ name: String, standing: Int) throws {
        try queue.write { db in
            try db.execute(sql: "INSERT OR IGNORE INTO names(name) VALUES (?)", arguments: [name])
            try db.execute(
                sql: """
                    INSERT INTO voice_organisations(organisation_id, voice_id, networks, standing)
                    SELECT o.id, v.id, x'', ? FROM names o, names v WHERE o.name = 'example.org' AND v.name = ?
                    """, arguments: [standing, name])
        }
    }

    /// A report for each day, counted back from the last one.
    ///
    /// - Parameter arrived: days before the day of the question; nil: no mail.
    func report(
        _ days: ClosedRange<Int>, of voice: String?, as name: String? = nil, arrived: Int? = nil, isHeard: Bool = true,
        authenticity: Int? = nil, policy: Int = 1, _ mails: [Mail]
    ) throws {
        try queue.write { db in
            let reporter = name ?? voice ?? "?"
            try db.execute(sql: "INSERT OR IGNORE INTO reporters(name) VALUES (?)", arguments: [reporter])
            if let voice { try db.execute(sql: "INSERT OR IGNORE INTO names(name) VALUES (?)", arguments: [voice]) }
            for age in days {
                let day = Self.last.advanced(by: -age)
                reports += 1
                try db.execute(
                    sql: """
                        INSERT INTO reports(id, reporter_id, domain_id, report_id, begin_utc, end_utc, day, is_spread, is_counted, digest,
                            policy_id, standard, version, records, messages, passed, deviations, refused_records, member, authenticity,
                            voice_id, arrived_utc)
                        VALUES (?, (SELECT id FROM reporters WHERE name = ?), 1, ?, ?, ?, ?, 0, 1, zeroblob(16), ?, 'rfc7489', '1.0', ?, ?, 0, 0,
                            0, '', ?, (SELECT id FROM names WHERE name = ?), ?)
                        """,
                    arguments: [
                        reports, reporter, "\(reports)", day.number * 86400, day.number * 86400 + 86399, day.number, policy, mails.count,
                        mails.reduce(0) { $0 + $1.messages }, authenticity, voice,
                        arrived.map { (Self.today.number - $0) * 86400 + 3600 },
                    ])
                if !isHeard {
                    try db.execute(
                        sql: "INSERT INTO unheard_reports VALUES (1, ?, (SELECT id FROM names WHERE name = ?))",
                        arguments: [reports, voice])
                }
                for (sequence, mail) in mails.enumerated() { try insert(mail, day, sequence, db) }
            }
        }
    }

    private func insert(_ mail: Mail, _ day: Day, _ sequence: Int, _ db: Database) throws {
        let source = Data([192, 0, 2, UInt8(mail.source)])
        let passed = mail.dkim || mail.spf
        try db.execute(sql: "INSERT OR IGNORE INTO names(name) VALUES (?)", arguments: [mail.from])
        try db.execute(
            sql: """
                INSERT INTO records VALUES (1, ?, ?, ?, ?, ?, ?, 0, ?, ?, (SELECT id FROM names WHERE name = ?), NULL, NULL, ?, NULL)
                """,
            arguments: [
                passed ? 0 : 1, day.number, reports, sequence, source, mail.messages, mail.dkim, mail.spf, mail.from, mail.set,
            ])
        try db.execute(
            sql: """
                INSERT INTO daily VALUES (1, ?, 0, ?, ?, ?, 1)
                ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + 1
                """, arguments: [day.number, mail.dkim, mail.spf, mail.messages])
        try db.execute(
            sql: """
                INSERT INTO sources VALUES (1, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, passed = passed + excluded.passed
                """, arguments: [source, day.number, day.number, mail.messages, passed ? mail.messages : 0])
        let aligned = (mail.dkim ? 2 : 0) + (mail.spf ? 1 : 0)
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO flows(source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits,
                    day_bits, overrides, verdict, confidence, notes, evidence)
                VALUES (?, 1, ?, ?, 1, 1, 0, 0, 1, 1, 0, ?, 950, 0, 0)
                """, arguments: [source, mail.set, aligned, mail.verdict.stored])
    }

    /// What is said about the domain.
    func advice() throws -> DomainAdvice? {
        try Advisory.ask(store, Filter(today: Self.today)).domains.first
    }

    /// The finding with a code.
    func finding(_ code: FindingCode) throws -> Finding? { try advice()?.findings.first { $0.code == code } }
}
