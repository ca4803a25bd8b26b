import DMARC
import GRDB

/// What puts a damaged database right, as far as its documents and records go. In a transaction of its own each; the caller has made a backup.
extension ReportWriter {
    /// What `prepareRepair` did.
    public struct Preparation: Sendable {
        /// Triggers of others that are gone.
        public var triggers = 0
        /// Reports that are to be read from their documents again, and replaced.
        public var reports: Set<Int64> = []
    }

    /// Makes room for what is read again: takes away triggers of others, puts a place holder where a row that others name is missing, and sees
    /// to it that no result is looked up in a damaged set.
    ///
    /// - Parameters:
    ///   - reports: reports that are not what they were.
    ///   - sets: sets of results that are not what they were.
    public func prepareRepair(reports: Set<Int64>, sets: Set<Int64>) throws -> Preparation {
        var preparation = Preparation(reports: reports)
        // Rows that break a rule of their table are among those that are replaced, and must be touched for that.
        try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
        // Entries of indexes are derived from their rows.
        try db.execute(sql: "REINDEX")
        try begin()
        do {
            // This schema has none.
            for trigger in try String.fetchAll(db, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger'") {
                try db.execute(sql: "DROP TRIGGER \"\(trigger.replacing("\"", with: "\"\""))\"")
                preparation.triggers += 1
            }
            preparation.reports.formUnion(try Int64.fetchAll(db, sql: Self.strayReportsSQL))
            preparation.reports.formUnion(try Int64.fetchAll(db, sql: Self.inconsistentReportsSQL))
            try fillGaps()
            for set in sets {
                preparation.reports.formUnion(
                    try Int64.fetchAll(db, sql: "SELECT DISTINCT report_id FROM records WHERE authentication_id = ?", arguments: [set]))
                try db.execute(sql: "UPDATE authentication_sets SET digest = randomblob(16) WHERE id = ?", arguments: [set])
            }
            try commit()
        } catch {
            abandon()
            throw error
        }
        interning.forget()
        return preparation
    }

    /// Question: reports with a record that names something that is not there. Unit: reports. Index: none.
    private static let strayReportsSQL = """
        SELECT DISTINCT report_id FROM records r
        WHERE NOT EXISTS (SELECT 1 FROM names WHERE id = r.header_from_id)
            OR (r.envelope_from_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM names WHERE id = r.envelope_from_id))
            OR (r.envelope_to_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM names WHERE id = r.envelope_to_id))
            OR NOT EXISTS (SELECT 1 FROM authentication_sets WHERE id = r.authentication_id)
            OR (r.override_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM override_sets WHERE id = r.override_id))
            OR NOT EXISTS (SELECT 1 FROM domains WHERE id = r.domain_id)
        """

    /// Question: reports that say other sums, or another place among those that count, than their records. Unit: reports. Index: none.
    private static let inconsistentReportsSQL = """
        WITH found AS MATERIALIZED (
            SELECT report_id, count(DISTINCT sequence) AS records, sum(messages) AS messages,
                sum(iif(dkim = 1 OR spf = 1, messages, 0)) AS passed,
                sum(counted_as = 2) AS uncounted, sum(counted_as < 2 AND counted_as <> (dkim = 0 AND spf = 0)) AS misplaced, count(*) AS n
            FROM records GROUP BY report_id)
        SELECT p.id FROM reports p LEFT JOIN found f ON f.report_id = p.id
        WHERE p.records <> coalesce(f.records, 0) OR p.messages <> coalesce(f.messages, 0) OR p.passed <> coalesce(f.passed, 0)
            OR coalesce(f.misplaced, 0) > 0 OR coalesce(f.uncounted, 0) <> iif(p.is_counted, 0, coalesce(f.n, 0))
        """

    /// Rows that are gone and that reports, results or messages still name.
    private func fillGaps() throws {
        try db.execute(
            sql: """
                INSERT INTO domains (id, name) SELECT DISTINCT domain_id, 'missing-' || domain_id || '.invalid' FROM reports
                WHERE domain_id NOT IN (SELECT id FROM domains)
                """)
        try db.execute(
            sql: """
                INSERT INTO reporters (id, name) SELECT DISTINCT reporter_id, 'missing-' || reporter_id || '.invalid' FROM reports
                WHERE reporter_id NOT IN (SELECT id FROM reporters)
                """)
        try db.execute(
            sql: "INSERT INTO policies (id) SELECT DISTINCT policy_id FROM reports WHERE policy_id NOT IN (SELECT id FROM policies)")
        try db.execute(
            sql: """
                INSERT INTO names (id, name)
                SELECT DISTINCT id, 'missing-' || id || '.invalid' FROM (
                    SELECT domain_id AS id FROM authentication_results UNION SELECT selector_id FROM authentication_results
                    UNION SELECT header_from_id FROM records UNION SELECT envelope_from_id FROM records
                    UNION SELECT envelope_to_id FROM records UNION SELECT voice_id FROM reports)
                WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM names)
                """)
        try db.execute(
            sql: """
                INSERT INTO authentication_sets (id, digest) SELECT id, randomblob(16) FROM (
                    SELECT set_id AS id FROM authentication_results UNION SELECT authentication_id FROM records)
                WHERE id NOT IN (SELECT id FROM authentication_sets)
                """)
        try db.execute(
            sql: """
                INSERT INTO override_sets (id, reasons) SELECT DISTINCT override_id, '[["missing-' || override_id || '",null]]' FROM records
                WHERE override_id IS NOT NULL AND override_id NOT IN (SELECT id FROM override_sets)
                """)
        try db.execute(sql: "UPDATE reports SET raw_id = NULL WHERE raw_id NOT IN (SELECT id FROM raw_documents)")
        try db.execute(sql: "UPDATE reports SET message_id = NULL WHERE message_id NOT IN (SELECT id FROM messages)")
        try db.execute(sql: "DELETE FROM refusals WHERE message_id NOT IN (SELECT id FROM messages)")
        try db.execute(sql: "DELETE FROM kept_messages WHERE message_id NOT IN (SELECT id FROM messages)")
    }

    /// Makes anew what is kept beside the records and the ledger: sums of reports, rollups, the counts of runs. Nothing may be in a transaction.
    ///
    /// Verdicts are stale afterwards.
    public func rebuildSums() throws {
        try begin()
        do {
            // Which count was settled with their documents; of those without one the records are put where their report says.
            try db.execute(
                sql: """
                    UPDATE OR REPLACE records SET counted_as =
                        iif((SELECT is_counted FROM reports p WHERE p.id = records.report_id), dkim = 0 AND spf = 0, 2)
                    WHERE counted_as <> iif((SELECT is_counted FROM reports p WHERE p.id = records.report_id), dkim = 0 AND spf = 0, 2)
                    """)
            try db.execute(
                sql: """
                    WITH found AS MATERIALIZED (
                        SELECT report_id, count(DISTINCT sequence) AS records, sum(messages) AS messages,
                            sum(iif(dkim = 1 OR spf = 1, messages, 0)) AS passed
                        FROM records GROUP BY report_id)
                    UPDATE reports SET records = f.records, messages = f.messages, passed = f.passed
                    FROM found f WHERE f.report_id = reports.id
                        AND (reports.records <> f.records OR reports.messages <> f.messages OR reports.passed <> f.passed)
                    """)
            try clearPlaceHolders()
            for table in ["daily", "daily_sources", "sources"] { try db.execute(sql: "DELETE FROM \(table)") }
            let rebuild = try RollupRebuild(db)
            for domain in try Int64.fetchAll(db, sql: "SELECT id FROM domains") { try rebuild.all(of: domain) }
            try rebuildLedger()
            try nameVoices()
            try db.execute(sql: "UPDATE verdict_state SET is_stale = 1")
            try commit()
        } catch {
            abandon()
            throw error
        }
        try db.execute(sql: "PRAGMA ignore_check_constraints = OFF")
    }

    /// Whose word a report is follows from its mail and its address (`SenderCheck`): the name that it had may be gone.
    private func nameVoices() throws {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT p.id, p.mail_from_domain, p.email, n.name FROM reports p LEFT JOIN names n ON n.id = p.voice_id
                WHERE p.authenticity IS NOT ?
                """, arguments: [Authenticity.mismatch.rawValue])
        var found: [(report: Int64, voice: String)] = []
        while let row = try rows.next() {
            let voice = Voice.name(author: row[1], email: row[2], giver: giver)
            if voice != row[3] as String? { found.append((row[0], voice)) }
        }
        for (report, voice) in found {
            try db.execute(sql: "UPDATE reports SET voice_id = ? WHERE id = ?", arguments: [try interning.name(voice), report])
        }
    }

    /// What nothing names any more: place holders, and sets that were damaged.
    private func clearPlaceHolders() throws {
        try db.execute(
            sql: "DELETE FROM reporters WHERE name GLOB 'missing-*.invalid' AND id NOT IN (SELECT reporter_id FROM reports)")
        try db.execute(
            sql: """
                DELETE FROM domains WHERE name GLOB 'missing-*.invalid' AND id NOT IN (SELECT domain_id FROM reports)
                    AND id NOT IN (SELECT domain_id FROM records)
                """)
        try db.execute(
            sql: "DELETE FROM authentication_results WHERE set_id NOT IN (SELECT authentication_id FROM records)")
        try db.execute(sql: "DELETE FROM authentication_sets WHERE id NOT IN (SELECT authentication_id FROM records)")
    }

    /// A message whose report is stored was stored, and what a run counted is what the ledger has of it.
    private func rebuildLedger() throws {
        try db.execute(sql: "UPDATE messages SET outcome = 1 WHERE outcome <> 1 AND id IN (SELECT message_id FROM reports)")
        try db.execute(
            sql: """
                WITH found AS MATERIALIZED (
                    SELECT r.id, coalesce(sum(outcome = 1), 0) AS stored, coalesce(sum(outcome = 2), 0) AS duplicate,
                        coalesce(sum(outcome = 3), 0) AS not_a_report, coalesce(sum(outcome = 4), 0) AS refused,
                        coalesce(sum(outcome = 5), 0) AS deferred
                    FROM runs r LEFT JOIN messages m ON m.run_id = r.id
                    WHERE r.finished_utc IS NOT NULL AND r.forgotten = 0 GROUP BY r.id)
                UPDATE runs SET stored = f.stored, duplicate = f.duplicate, not_a_report = f.not_a_report,
                    refused = f.refused + runs.taken_over, deferred = max(runs.deferred, f.deferred),
                    seen = f.stored + f.duplicate + f.not_a_report + f.refused + runs.taken_over + max(runs.deferred, f.deferred)
                FROM found f
                WHERE f.id = runs.id AND (runs.stored <> f.stored OR runs.duplicate <> f.duplicate OR runs.not_a_report <> f.not_a_report
                    OR runs.refused <> f.refused + runs.taken_over OR runs.deferred < f.deferred
                    OR runs.seen <> runs.stored + runs.duplicate + runs.not_a_report + runs.refused + runs.deferred)
                """)
    }

    /// Takes away the rows of a report that lie where its window does not have them. Reads all records.
    public func clearRecords(of report: Int64) throws {
        try db.execute(sql: "DELETE FROM records WHERE report_id = ?", arguments: [report])
    }
}
