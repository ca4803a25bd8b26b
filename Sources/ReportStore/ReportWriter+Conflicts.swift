import DMARC
import GRDB

/// Two reports with one identity and different content (docs/decisions/0005-conflicts.md).
extension ReportWriter {
    /// Decides which of two reports with one identity is counted: a superset replaces its subset, otherwise the first stays.
    /// The new report's records are in, not counted. Returns whether it is counted now.
    func settleConflict(_ report: inout OpenReport) throws -> Bool {
        guard let counted = report.rivals.first(where: \.isCounted) else { return false }
        let days = report.header.window.days
        let missing = try Bool.fetchOne(
            db,
            sql: """
                WITH
                old AS (
                    SELECT source, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id,
                           sum(messages) AS messages, count(DISTINCT sequence) AS records
                    FROM records
                    WHERE domain_id = :domain AND counted_as IN (0, 1) AND day BETWEEN :first AND :last AND report_id = :old
                    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
                new AS (
                    SELECT source, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id,
                           sum(messages) AS messages, count(DISTINCT sequence) AS records
                    FROM records
                    WHERE domain_id = :domain AND counted_as = 2 AND day BETWEEN :first AND :last AND report_id = :new
                    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9)
                SELECT EXISTS (
                    SELECT 1 FROM old LEFT JOIN new
                        ON new.source = old.source AND new.disposition = old.disposition AND new.dkim = old.dkim AND new.spf = old.spf
                        AND new.header_from_id = old.header_from_id AND new.envelope_from_id IS old.envelope_from_id
                        AND new.envelope_to_id IS old.envelope_to_id AND new.authentication_id = old.authentication_id
                        AND new.override_id IS old.override_id
                    WHERE new.messages IS NULL OR new.messages < old.messages OR new.records < old.records)
                """,
            arguments: [
                "domain": report.domain, "first": days.lowerBound.number, "last": days.upperBound.number, "old": counted.id,
                "new": report.id,
            ])
        guard missing == false, try isLarger(report.id, than: counted.id, report) else { return false }
        try addRollups(of: counted.id, report, countedAs: "IN (0, 1)", sign: -1)
        try addRollups(of: report.id, report, countedAs: "= 2", sign: 1)
        try recount(counted.id, report, as: "2", from: "IN (0, 1)", isCounted: false)
        try recount(report.id, report, as: "(dkim = 0 AND spf = 0)", from: "= 2", isCounted: true)
        return true
    }

    /// Whether the new report says more than the counted one, and on each day of a long window has all of its sources: rounding may leave a
    /// source without a share on a day. Two reports of the same records differ in their policy only; the first stays.
    private func isLarger(_ new: Int64, than old: Int64, _ report: OpenReport) throws -> Bool {
        let days = report.header.window.days
        let sums = """
            SELECT coalesce(sum(messages), 0), count(DISTINCT sequence) FROM records
            WHERE domain_id = ? AND counted_as IN (0, 1, 2) AND day BETWEEN ? AND ? AND report_id = ?
            """
        func sum(_ id: Int64) throws -> (Int, Int) {
            let arguments: StatementArguments = [report.domain, days.lowerBound.number, days.upperBound.number, id]
            guard let row = try Row.fetchOne(db, sql: sums, arguments: arguments) else { return (0, 0) }
            return (row[0], row[1])
        }
        guard try sum(new) > sum(old) else { return false }
        guard report.header.window.isSpread else { return true }
        let lost = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (
                    SELECT day, source FROM records
                    WHERE domain_id = :domain AND counted_as IN (0, 1) AND day BETWEEN :first AND :last AND report_id = :old AND messages > 0
                    EXCEPT
                    SELECT day, source FROM records
                    WHERE domain_id = :domain AND counted_as = 2 AND day BETWEEN :first AND :last AND report_id = :new AND messages > 0)
                """,
            arguments: [
                "domain": report.domain, "first": days.lowerBound.number, "last": days.upperBound.number, "old": old, "new": new,
            ])
        return lost == false
    }

    /// Adds the rows of a stored report to the rollups, or takes them away. What replaces a report has all of its sources
    /// on all of its days, so the first and last day of a source stay right.
    private func addRollups(of id: Int64, _ report: OpenReport, countedAs: String, sign: Int) throws {
        let days = report.header.window.days
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT day, source, messages, disposition, dkim, spf, sequence FROM records
                WHERE domain_id = ? AND counted_as \(countedAs) AND day BETWEEN ? AND ? AND report_id = ? ORDER BY sequence, day
                """, arguments: [report.domain, days.lowerBound.number, days.upperBound.number, id])
        var lastSequence: Int?
        while let row = try rows.next() {
            let source = try row.withUnsafeData(atIndex: 1) { data in data.flatMap { $0.withUnsafeBytes { IPAddress(bytes: $0) } } }
            guard let source, let disposition = AppliedDisposition(rawValue: row[3]) else { continue }
            let sequence: Int = row[6]
            rollups.add(
                domain: report.domain, day: row[0], source: source, messages: row[2], disposition: disposition,
                dkim: row[4] == 1 ? .pass : .fail, spf: row[5] == 1 ? .pass : .fail, isFirstShare: sequence != lastSequence, sign: sign)
            lastSequence = sequence
        }
    }

    private func recount(_ id: Int64, _ report: OpenReport, as value: String, from: String, isCounted: Bool) throws {
        let days = report.header.window.days
        try db.execute(
            sql: """
                UPDATE records SET counted_as = \(value)
                WHERE domain_id = ? AND counted_as \(from) AND day BETWEEN ? AND ? AND report_id = ?
                """, arguments: [report.domain, days.lowerBound.number, days.upperBound.number, id])
        try db.execute(sql: "UPDATE reports SET is_counted = ? WHERE id = ?", arguments: [isCounted, id])
        // Verdicts are made of sums, and what made a flow broad or old cannot be taken out of them.
        if !isCounted { try db.execute(sql: "UPDATE verdict_state SET is_stale = 1 WHERE report_id >= ?", arguments: [id]) }
    }
}
