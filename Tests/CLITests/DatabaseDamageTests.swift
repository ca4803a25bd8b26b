import Foundation
import GRDB
import Testing

/// What a disk, a program or a hand does to a database behind our back is found, and put right as far as documents and records go.
@Suite("Damage done to a database")
struct DatabaseDamageTests {
    /// One way to damage a database.
    struct Damage: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let sql: String
        /// Whether what it takes is kept somewhere else in the database.
        var isWhole = true
    }

    private static func one(_ table: String, _ key: String, where condition: String = "1") -> String {
        "(\(key)) = (SELECT \(key) FROM \(table) WHERE \(condition) ORDER BY \(key) LIMIT 1)"
    }

    private static let recordKey = "domain_id, counted_as, day, report_id, sequence"
    /// A record of a report of which one alone is damaged.
    private static let record = one("records", recordKey, where: "counted_as < 2 AND messages > 0")
    private static let report = "id = (SELECT min(id) FROM reports WHERE is_counted = 1 AND raw_id IS NOT NULL)"
    private static let other = "(SELECT max(id) FROM reports WHERE is_counted = 1)"
    private static let flow = one("flows", "source, domain_id, authentication_id, aligned")

    static let all: [Damage] = [
        // Records.
        Damage(testDescription: "a record is gone", sql: "DELETE FROM records WHERE \(record)"),
        Damage(
            testDescription: "all records of a report are gone",
            sql: "DELETE FROM records WHERE report_id = (SELECT min(report_id) FROM records)"),
        Damage(testDescription: "a record counts one message more", sql: "UPDATE records SET messages = messages + 1 WHERE \(record)"),
        Damage(testDescription: "a record has another source", sql: "UPDATE records SET source = x'C6336401' WHERE \(record)"),
        Damage(testDescription: "a record has a source of no length", sql: "UPDATE records SET source = x'C63364' WHERE \(record)"),
        Damage(
            testDescription: "a record was treated otherwise", sql: "UPDATE records SET disposition = (disposition + 1) % 3 WHERE \(record)"
        ),
        Damage(testDescription: "a record's DKIM is turned round", sql: "UPDATE records SET dkim = 1 - dkim WHERE \(record)"),
        Damage(testDescription: "a record's SPF is turned round", sql: "UPDATE records SET spf = 1 - spf WHERE \(record)"),
        Damage(
            testDescription: "a record is from another name",
            sql: "UPDATE records SET header_from_id = (SELECT max(id) FROM names WHERE id <> header_from_id) WHERE \(record)"),
        Damage(
            testDescription: "a record has another envelope",
            sql: "UPDATE records SET envelope_from_id = (SELECT max(id) FROM names WHERE id IS NOT envelope_from_id) WHERE \(record)"),
        Damage(
            testDescription: "a record has another recipient",
            sql: "UPDATE records SET envelope_to_id = (SELECT max(id) FROM names WHERE id IS NOT envelope_to_id) WHERE \(record)"),
        Damage(
            testDescription: "a record has other results",
            sql:
                "UPDATE records SET authentication_id = (SELECT max(id) FROM authentication_sets WHERE id <> authentication_id) WHERE \(record)"
        ),
        Damage(
            testDescription: "a record's reason is gone",
            sql: "UPDATE records SET override_id = NULL WHERE \(one("records", recordKey, where: "override_id IS NOT NULL"))"),
        Damage(
            testDescription: "a record has a reason that it had not",
            sql:
                "UPDATE records SET override_id = (SELECT min(id) FROM override_sets) WHERE \(one("records", recordKey, where: "override_id IS NULL"))"
        ),
        Damage(testDescription: "a record's place is another", sql: "UPDATE records SET sequence = sequence + 1000 WHERE \(record)"),
        Damage(testDescription: "a record does not count", sql: "UPDATE records SET counted_as = 2 WHERE \(record)"),
        Damage(testDescription: "a record lies on another day", sql: "UPDATE records SET day = day + 400 WHERE \(record)"),
        Damage(
            testDescription: "a record belongs to another domain",
            sql: "UPDATE records SET domain_id = (SELECT max(id) FROM domains WHERE id <> domain_id) WHERE \(record)"),
        Damage(
            testDescription: "a record belongs to another report",
            sql: "UPDATE OR IGNORE records SET report_id = \(other), sequence = 7000 WHERE \(record)"),
        Damage(
            testDescription: "a record is there twice",
            sql: """
                INSERT INTO records SELECT domain_id, counted_as, day, report_id, 5000, source, messages, disposition, dkim, spf, header_from_id,
                    envelope_from_id, envelope_to_id, authentication_id, override_id FROM records WHERE \(record)
                """),
        Damage(
            testDescription: "a record counts more than any may", sql: "UPDATE records SET messages = 4000000000000000000 WHERE \(record)"),
        Damage(
            testDescription: "a record names a set that is not there",
            sql: "UPDATE records SET authentication_id = 99999999999 WHERE \(record)"),
        // Reports.
        Damage(testDescription: "a digest is zero", sql: "UPDATE reports SET digest = zeroblob(16) WHERE \(report)"),
        Damage(testDescription: "a digest is short", sql: "UPDATE reports SET digest = x'01' WHERE \(report)"),
        Damage(
            testDescription: "a digest is another's",
            sql: "UPDATE reports SET digest = (SELECT digest FROM reports WHERE id = \(other)) WHERE \(report)"),
        Damage(testDescription: "a report's day is another", sql: "UPDATE reports SET day = day + 1 WHERE \(report)"),
        Damage(testDescription: "a report begins earlier", sql: "UPDATE reports SET begin_utc = begin_utc - 60 WHERE \(report)"),
        Damage(
            testDescription: "a report begins a year earlier", sql: "UPDATE reports SET begin_utc = begin_utc - 31536000 WHERE \(report)"),
        Damage(testDescription: "a report ends later", sql: "UPDATE reports SET end_utc = end_utc + 60 WHERE \(report)"),
        Damage(
            testDescription: "a report ends in a million years", sql: "UPDATE reports SET end_utc = 9000000000000000000 WHERE \(report)"),
        Damage(
            testDescription: "a report is another reporter's",
            sql: "UPDATE reports SET reporter_id = (SELECT max(id) FROM reporters WHERE id <> reporter_id) WHERE \(report)"),
        Damage(testDescription: "a report has another id", sql: "UPDATE reports SET report_id = report_id || 'x' WHERE \(report)"),
        Damage(
            testDescription: "a report is about another domain",
            sql: "UPDATE reports SET domain_id = (SELECT max(id) FROM domains WHERE id <> domain_id) WHERE \(report)"),
        Damage(testDescription: "a report does not count", sql: "UPDATE reports SET is_counted = 0 WHERE \(report)"),
        Damage(
            testDescription: "a report had another policy",
            sql: "UPDATE reports SET policy_id = (SELECT max(id) FROM policies WHERE id <> policy_id) WHERE \(report)"),
        Damage(testDescription: "a report is spread", sql: "UPDATE reports SET is_spread = 1 - is_spread WHERE \(report)"),
        Damage(testDescription: "a report counts other records", sql: "UPDATE reports SET records = records + 1 WHERE \(report)"),
        Damage(testDescription: "a report counts other messages", sql: "UPDATE reports SET messages = messages + 1 WHERE \(report)"),
        Damage(testDescription: "a report counts others that passed", sql: "UPDATE reports SET passed = passed + 1 WHERE \(report)"),
        Damage(
            testDescription: "a report has other deviations", sql: "UPDATE reports SET deviations = deviations | (1 << 40) WHERE \(report)"),
        Damage(
            testDescription: "a report lost other records", sql: "UPDATE reports SET refused_records = refused_records + 1 WHERE \(report)"),
        Damage(testDescription: "a report has another address", sql: "UPDATE reports SET email = 'x@y.example' WHERE \(report)"),
        Damage(testDescription: "a report has another contact", sql: "UPDATE reports SET contact_info = 'x' WHERE \(report)"),
        Damage(testDescription: "a report has another version", sql: "UPDATE reports SET version = '7' WHERE \(report)"),
        Damage(testDescription: "a report has other errors", sql: "UPDATE reports SET errors = 'none' WHERE \(report)"),
        Damage(testDescription: "a report is gone", sql: "DELETE FROM reports WHERE \(report)", isWhole: false),
        Damage(
            testDescription: "a report has another's document",
            sql: "UPDATE reports SET raw_id = (SELECT raw_id FROM reports WHERE id = \(other)) WHERE \(report)", isWhole: false),
        // What they name.
        Damage(
            testDescription: "a name is another",
            sql: "UPDATE names SET name = 'damaged.example' WHERE id = (SELECT header_from_id FROM records WHERE \(record))"),
        Damage(
            testDescription: "a domain is another",
            sql: "UPDATE domains SET name = 'other.example' WHERE id = (SELECT min(domain_id) FROM reports)"),
        Damage(
            testDescription: "a reporter is another",
            sql: "UPDATE reporters SET name = 'Other' WHERE id = (SELECT min(reporter_id) FROM reports)"),
        Damage(
            testDescription: "a policy is another",
            sql: "UPDATE policies SET p = p || 'x' WHERE id = (SELECT policy_id FROM reports WHERE \(report))"),
        Damage(
            testDescription: "a reason is another",
            sql: "UPDATE override_sets SET reasons = '[[\"other\",\"x\"]]' WHERE id = (SELECT min(override_id) FROM records)"),
        Damage(
            testDescription: "a reason is no JSON",
            sql: "UPDATE override_sets SET reasons = '[[' WHERE id = (SELECT min(override_id) FROM records)"),
        Damage(
            testDescription: "a failure is a pass",
            sql:
                "UPDATE authentication_results SET result = 'pass' WHERE \(one("authentication_results", "set_id, position", where: "result = 'fail'"))"
        ),
        Damage(
            testDescription: "a result is about another name",
            sql:
                "UPDATE authentication_results SET domain_id = (SELECT max(id) FROM names) WHERE \(one("authentication_results", "set_id, position"))"
        ),
        Damage(
            testDescription: "a selector is another",
            sql:
                "UPDATE authentication_results SET selector_id = (SELECT max(id) FROM names) WHERE \(one("authentication_results", "set_id, position", where: "selector_id IS NOT NULL"))"
        ),
        Damage(
            testDescription: "a selector is gone",
            sql:
                "UPDATE authentication_results SET selector_id = NULL WHERE \(one("authentication_results", "set_id, position", where: "selector_id IS NOT NULL"))"
        ),
        Damage(
            testDescription: "a check is of another identity",
            sql:
                "UPDATE authentication_results SET scope = 'helo' WHERE \(one("authentication_results", "set_id, position", where: "method = 'spf' AND scope IS NOT 'helo'"))"
        ),
        Damage(
            testDescription: "a result is gone",
            sql: "DELETE FROM authentication_results WHERE \(one("authentication_results", "set_id, position"))"),
        Damage(
            testDescription: "a set has another digest",
            sql: "UPDATE authentication_sets SET digest = randomblob(16) WHERE id = (SELECT min(authentication_id) FROM records)"),
        Damage(
            testDescription: "a set is gone", sql: "DELETE FROM authentication_sets WHERE id = (SELECT min(authentication_id) FROM records)"
        ),
        Damage(testDescription: "a name is gone", sql: "DELETE FROM names WHERE id = (SELECT header_from_id FROM records WHERE \(record))"),
        Damage(testDescription: "a domain is gone", sql: "DELETE FROM domains WHERE id = (SELECT min(domain_id) FROM reports)"),
        Damage(testDescription: "a reporter is gone", sql: "DELETE FROM reporters WHERE id = (SELECT min(reporter_id) FROM reports)"),
        Damage(testDescription: "a policy is gone", sql: "DELETE FROM policies WHERE id = (SELECT policy_id FROM reports WHERE \(report))"),
        Damage(testDescription: "a reason is gone", sql: "DELETE FROM override_sets WHERE id = (SELECT min(override_id) FROM records)"),
        Damage(testDescription: "a word is another", sql: "INSERT INTO odd_words SELECT id, 0, 'dkim', 'odd' FROM reports WHERE \(report)"),
        // Documents.
        Damage(
            testDescription: "a document is cut", sql: "UPDATE raw_documents SET bytes = substr(bytes, 1, length(bytes) / 2) WHERE id = 1",
            isWhole: false),
        Damage(
            testDescription: "a document is zero", sql: "UPDATE raw_documents SET bytes = zeroblob(length(bytes)) WHERE id = 1",
            isWhole: false),
        Damage(testDescription: "a document is empty", sql: "UPDATE raw_documents SET bytes = x'' WHERE id = 1", isWhole: false),
        Damage(testDescription: "a document is gone", sql: "DELETE FROM raw_documents WHERE id = 1", isWhole: false),
        // Figures.
        Damage(
            testDescription: "a day counts more",
            sql: "UPDATE daily SET messages = messages + 1 WHERE \(one("daily", "domain_id, day, disposition, dkim, spf"))"),
        Damage(testDescription: "a day is gone", sql: "DELETE FROM daily WHERE \(one("daily", "domain_id, day, disposition, dkim, spf"))"),
        Damage(testDescription: "there is a day too many", sql: "INSERT INTO daily VALUES (1, 1, 0, 1, 1, 5, 1)"),
        Damage(
            testDescription: "a source passed more",
            sql: "UPDATE sources SET passed = passed + 1 WHERE \(one("sources", "domain_id, source"))"),
        Damage(
            testDescription: "a source is older",
            sql: "UPDATE sources SET first_day = first_day - 1 WHERE \(one("sources", "domain_id, source"))"),
        Damage(testDescription: "a source is gone", sql: "DELETE FROM sources WHERE \(one("sources", "domain_id, source"))"),
        Damage(
            testDescription: "a day's sources are others",
            sql: "UPDATE daily_sources SET ipv4 = x'01020304' WHERE \(one("daily_sources", "domain_id, day"))"),
        Damage(
            testDescription: "a day's sources are cut",
            sql: "UPDATE daily_sources SET ipv4 = x'0102' WHERE \(one("daily_sources", "domain_id, day"))"),
        Damage(
            testDescription: "a day's sources are gone", sql: "DELETE FROM daily_sources WHERE \(one("daily_sources", "domain_id, day"))"),
        // What is derived.
        Damage(testDescription: "a flow counts more", sql: "UPDATE flows SET messages = messages + 1 WHERE \(flow)"),
        Damage(testDescription: "a flow is surer", sql: "UPDATE flows SET confidence = confidence - 1 WHERE \(flow)"),
        Damage(testDescription: "a flow has other evidence", sql: "UPDATE flows SET evidence = evidence + 1 WHERE \(flow)"),
        Damage(testDescription: "a flow has other witnesses", sql: "UPDATE flows SET reporter_bits = reporter_bits + 1 WHERE \(flow)"),
        Damage(testDescription: "a flow has another verdict", sql: "UPDATE flows SET verdict = 3 + (verdict = 3) WHERE \(flow)"),
        Damage(testDescription: "a flow has a verdict that is none", sql: "UPDATE flows SET verdict = 300 WHERE \(flow)"),
        Damage(testDescription: "a flow's days are turned round", sql: "UPDATE flows SET first_day = last_day + 5 WHERE \(flow)"),
        Damage(testDescription: "a flow is gone", sql: "DELETE FROM flows WHERE \(flow)"),
        Damage(testDescription: "a selector is at home elsewhere", sql: "UPDATE selectors SET home = home - 1"),
        Damage(
            testDescription: "a selector's place is gone",
            sql:
                "DELETE FROM selector_places WHERE (domain_id, selector_id) IN (SELECT domain_id, selector_id FROM selector_places LIMIT 1)"
        ),
        Damage(testDescription: "a name carries more", sql: "UPDATE organisations SET surviving = surviving + 1"),
        Damage(testDescription: "a domain has other habits", sql: "UPDATE domain_habits SET aligned = aligned + 1"),
        Damage(testDescription: "results in keys are others", sql: "INSERT OR REPLACE INTO keyed_results VALUES (0, zeroblob(256))"),
        Damage(
            testDescription: "a name has another organisation",
            sql:
                "DELETE FROM organisation_names WHERE (organisation_id, name_id) IN (SELECT organisation_id, name_id FROM organisation_names LIMIT 1)"
        ),
        Damage(
            testDescription: "a verdict counts more",
            sql: "UPDATE daily_verdicts SET messages = messages + 1 WHERE \(one("daily_verdicts", "domain_id, verdict, day"))"),
        Damage(
            testDescription: "packed records are gone",
            sql: "DELETE FROM packed_records WHERE \(one("packed_records", "domain_id, day, counted_as, piece"))"),
        Damage(
            testDescription: "a packed record is another",
            sql: """
                UPDATE packed_records SET ipv4 = CAST(ipv4 || zeroblob(21) AS BLOB)
                WHERE \(one("packed_records", "domain_id, day, counted_as, piece"))
                """
        ),
        Damage(
            testDescription: "a packed record has another verdict",
            sql: """
                UPDATE packed_records
                SET ipv4 = CAST(substr(ipv4, 1, 16) || iif(substr(ipv4, 17, 1) = x'43', x'44', x'43') || substr(ipv4, 18) AS BLOB)
                WHERE \(one("packed_records", "domain_id, day, counted_as, piece", where: "length(ipv4) > 0"))
                """),
        Damage(
            testDescription: "packed records are cut",
            sql:
                "UPDATE packed_records SET ipv4 = substr(ipv4, 1, length(ipv4) - 1) WHERE \(one("packed_records", "domain_id, day, counted_as, piece", where: "length(ipv4) > 0"))"
        ),
        Damage(testDescription: "a voice is older", sql: "UPDATE voices SET last_day = last_day - 1"),
        Damage(testDescription: "a voice is believed", sql: "UPDATE voice_organisations SET standing = (standing + 1) % 3"),
        Damage(testDescription: "a report is not heard", sql: "INSERT INTO unheard_reports VALUES (1, 77777, NULL)"),
        // The ledger.
        Damage(testDescription: "a run stored more", sql: "UPDATE runs SET stored = stored + 1 WHERE id = 1"),
        Damage(
            testDescription: "a message was a duplicate",
            sql: "UPDATE messages SET outcome = 2 WHERE id = (SELECT min(message_id) FROM reports)"),
        Damage(
            testDescription: "a message is gone", sql: "DELETE FROM messages WHERE id = (SELECT min(message_id) FROM reports)",
            isWhole: false),
        // The schema.
        Damage(
            testDescription: "there is a foreign trigger",
            sql: "CREATE TRIGGER foreign_trigger AFTER INSERT ON reports BEGIN DELETE FROM records; END"),
        Damage(testDescription: "there is a foreign table", sql: "CREATE TABLE foreign_table (id)", isWhole: false),
        Damage(testDescription: "an index is gone", sql: "DROP INDEX reports_domain_day", isWhole: false),
        Damage(testDescription: "a view is another", sql: "DROP VIEW v_daily; CREATE VIEW v_daily AS SELECT 1 AS domain", isWhole: false),
    ]

    /// A database with conflicts, long windows, refused records, reasons and several runs.
    private static func filled() throws -> CommandRunner {
        let runner = try CommandRunner.filled()
        let samples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("reports-sample")
        for folder in ["reporters", "deviations"] {
            let outcome = runner.ask(["ingest", samples.appendingPathComponent(folder).path])
            try #require(outcome.status == 0, "\(outcome)")
        }
        return runner
    }

    /// The files of it, made once.
    private static let files: [String: Data] = {
        guard let runner = try? filled() else { return [:] }
        var files: [String: Data] = [:]
        for name in ["dmarc.sqlite", "dmarc.sqlite-wal"] {
            files[name] = try? Data(contentsOf: runner.directory.appendingPathComponent(name))
        }
        return files
    }()

    private static func copy() throws -> CommandRunner {
        let runner = try CommandRunner()
        for (name, bytes) in files {
            let file = runner.directory.appendingPathComponent(name)
            try bytes.write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
        }
        return runner
    }

    private static let days = ["--since", "2012-01-01", "--until", "2026-12-31"]
    private static let questions = [
        ["export", "--limit", "all"] + days, ["sources", "--limit", "all", "--format", "json"] + days,
        ["summary", "--format", "json"] + days,
        ["trend", "--format", "csv"] + days, ["reports", "--limit", "all", "--format", "json"] + days,
        ["reporters", "--limit", "all", "--format", "json"] + days, ["unaligned", "--limit", "all", "--format", "json"] + days,
        ["forwarding", "--limit", "all", "--format", "json"] + days, ["advise", "--format", "json"] + days,
        ["top-failures", "--limit", "all", "--format", "json"] + days,
    ]

    private static func answers(_ runner: CommandRunner) -> [Outcome] { questions.map { runner.ask($0) } }

    private static let sound: [Outcome] = (try? answers(copy())) ?? []

    @Test("is no damage where there is none, and repairing that changes nothing")
    func none() throws {
        #expect(Self.all.count >= 62)
        let runner = try Self.copy()
        let doctor = runner.ask(["doctor"])
        #expect(doctor.status == 0, "\(doctor)")
        #expect(Self.sound.allSatisfy { $0.status == 0 } && Self.sound.count == Self.questions.count, "\(Self.sound)")
        let repaired = runner.ask(["doctor", "--repair"])
        #expect(repaired.status == 0, "\(repaired)")
        #expect(Self.answers(runner) == Self.sound)
    }

    @Test("is found, and repaired where the source is whole", arguments: all)
    func found(damage: Damage) throws {
        let runner = try Self.copy()
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: runner.database, configuration: configuration)
        let changes = try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
            let before = db.totalChangesCount
            try db.execute(sql: damage.sql)
            return db.totalChangesCount - before
        }
        try queue.close()
        try #require(changes > 0 || damage.sql.contains("CREATE") || damage.sql.contains("DROP"), "nothing was damaged")
        let doctor = runner.ask(["doctor"])
        #expect(doctor.status == 74 && doctor.output.contains("failed"), "\(doctor)")
        let repaired = runner.ask(["doctor", "--repair"])
        guard damage.isWhole else {
            #expect([0, 74].contains(repaired.status), "\(repaired)")
            return
        }
        #expect(repaired.status == 0, "\(repaired)")
        let answers = Self.answers(runner)
        for (question, (answer, sound)) in zip(Self.questions, zip(answers, Self.sound)) {
            #expect(answer == sound, "\(question)")
        }
    }
}
