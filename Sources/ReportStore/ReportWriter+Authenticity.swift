import DMARC
import GRDB

extension Authenticity: DatabaseValueConvertible {}

/// Whom a report came from (docs/decisions/0009-authenticity.md).
extension ReportWriter {
    /// A stored report came once more: the best of its mails counts. What was stored before anything was checked can only gain.
    func improve(_ stored: Rival, _ sender: ReportSender, _ header: ReportHeader) throws {
        guard let new = sender.authenticity else { return }
        let old = stored.sender.authenticity
        guard old.map({ new.isBetter(than: $0) }) ?? (new == .verified) else { return }
        try db.execute(
            sql: "UPDATE reports SET authenticity = ?, mail_from_domain = ? WHERE id = ?",
            arguments: [new, sender.mailFromDomain, stored.id])
        guard old != nil, new == .verified else { return }
        // It was no witness, and is one now: verdicts that know it are to be made anew; and it may have lost against a forgery.
        try db.execute(sql: "UPDATE verdict_state SET is_stale = 1 WHERE report_id >= ?", arguments: [stored.id])
        if !stored.isCounted {
            try settleIdentity(interning.domain(header.policy.domain), interning.reporter(header.reporter), header)
        }
    }

    /// Whether what a stored report says can be evidence: it is verified, or was never checked.
    func isWitness(_ id: Int64) throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT authenticity IS NULL OR authenticity = 1 FROM reports WHERE id = ?", arguments: [id]) ?? false
    }
}
