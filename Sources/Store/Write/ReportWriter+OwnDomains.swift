import DMARC
import GRDB

/// Reports about domains of others (docs/decisions/0011-foreign-domains.md).
extension ReportWriter {
    /// What a report about a domain of others carries.
    static let foreign = Deviations(.foreignDomain)

    /// From now on these are the own domains. Reports that are stored already follow, in a transaction of their own: either all reports of a
    /// policy domain are foreign or none. Nothing may be in a transaction.
    public func adopt(_ domains: OwnDomains) throws {
        ownDomains = domains
        let changed = try Row.fetchAll(db, sql: Self.markedSQL, arguments: [Self.bit]).compactMap { row -> (id: Int64, isForeign: Bool)? in
            let (id, name, wasForeign): (Int64, String, Bool) = (row[0], row[1], row[2])
            let isForeign = domains.isForeign(name)
            return isForeign == wasForeign ? nil : (id, isForeign)
        }
        guard !changed.isEmpty else { return }
        do {
            try begin()
            for domain in changed {
                if domain.isForeign { try leaveOut(domain.id) } else { try takeIn(domain.id) }
            }
            // What was learned from these, or not, is to be learned anew.
            try db.execute(sql: "UPDATE verdict_state SET is_stale = 1")
            try commit()
        } catch {
            abandon()
            throw error
        }
    }

    private static let bit = Int64(bitPattern: foreign.rawValue)

    /// Question: which policy domains count as foreign. Unit: one row a domain with reports. Index: `reports_domain_day`, one seek each, for all
    /// reports of a domain agree.
    static let markedSQL = """
        SELECT id, name, marked & ? <> 0 FROM (
            SELECT id, name, (SELECT deviations FROM reports WHERE domain_id = d.id LIMIT 1) AS marked FROM domains d)
        WHERE marked IS NOT NULL
        """

    private func leaveOut(_ domain: Int64) throws {
        try db.execute(sql: "UPDATE records SET counted_as = 2 WHERE domain_id = ? AND counted_as IN (0, 1)", arguments: [domain])
        try db.execute(
            sql: "UPDATE reports SET is_counted = 0, deviations = deviations | ? WHERE domain_id = ?", arguments: [Self.bit, domain])
        try RollupRebuild(db).all(of: domain)
    }

    /// As if they had just come: the first of each identity counts, unless a later one takes its place.
    private func takeIn(_ domain: Int64) throws {
        try db.execute(
            sql: """
                UPDATE reports SET deviations = deviations & ~?1, is_counted = report_id = '' OR NOT EXISTS (
                    SELECT 1 FROM reports o
                    WHERE o.domain_id = reports.domain_id AND o.begin_utc = reports.begin_utc AND o.reporter_id = reports.reporter_id
                        AND o.report_id = reports.report_id AND o.end_utc = reports.end_utc AND o.id < reports.id)
                WHERE domain_id = ?2
                """, arguments: [Self.bit, domain])
        try db.execute(
            sql: """
                UPDATE records SET counted_as = (dkim = 0 AND spf = 0)
                WHERE domain_id = ?1 AND counted_as = 2
                    AND report_id IN (SELECT id FROM reports WHERE domain_id = ?1 AND is_counted = 1)
                """, arguments: [domain])
        try RollupRebuild(db).all(of: domain)
        let identities = try Row.fetchAll(
            db,
            sql: """
                SELECT p.reporter_id, o.name, p.report_id, p.begin_utc, p.end_utc
                FROM reports p JOIN reporters o ON o.id = p.reporter_id
                WHERE p.domain_id = ? AND p.report_id <> '' GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1
                """, arguments: [domain])
        for row in identities {
            var header = ReportHeader()
            header.reporter = row[1]
            header.reportID = row[2]
            header.window = ReportWindow(begin: row[3], end: row[4])
            try settleIdentity(domain, row[0], header)
        }
    }

    /// Whether the reports of a policy domain are in no figure, whatever their rank among those of their identity.
    func isForeign(_ domain: Int64) throws -> Bool {
        guard ownDomains != OwnDomains() else { return false }
        return try String.fetchOne(db, sql: "SELECT name FROM domains WHERE id = ?", arguments: [domain]).map(ownDomains.isForeign) ?? false
    }
}
