import DMARC
import GRDB

extension Authenticity: DatabaseValueConvertible {}
extension ReportSender.Rank: DatabaseValueConvertible {}

/// Whom a report came from (docs/decisions/0009-authenticity.md).
extension ReportWriter {
    /// A stored report came once more: the best of its mails counts. Whoever was checked cannot gain by a mail that was not.
    func improve(_ stored: Rival, _ sender: ReportSender, _ header: ReportHeader) throws {
        let old = stored.sender
        // It came in no mail: that says nothing of those that came in one.
        guard sender.arrivedAt != nil, sender.standing > old.standing, sender.authenticity != nil || old.authenticity != .unverified else {
            return
        }
        // Another copy never makes a report older.
        let arrived = old.arrivedAt.map { max($0, sender.arrivedAt ?? $0) } ?? sender.arrivedAt
        // What was learned from it, or not, is to be learned anew; so is how long its voice is known.
        func day(_ arrived: Int?) -> Int { (arrived ?? header.window.end) / 86400 }
        if old.voice != sender.voice || Self.isWitness(old) != Self.isWitness(sender) || day(old.arrivedAt) != day(arrived) {
            try noteForVerdicts(stored.id)
        }
        try db.execute(
            sql: "UPDATE reports SET authenticity = ?, mail_from_domain = ?, voice_id = ?, arrived_utc = ?, sender_rank = ? WHERE id = ?",
            arguments: [
                sender.authenticity, sender.mailFromDomain, sender.voice.map { try interning.name($0) }, arrived, sender.rank, stored.id,
            ])
        // It may have lost against a forgery, or have let one stand beside it.
        try settleAlone(stored.id, sender, header)
    }

    private static func isWitness(_ sender: ReportSender) -> Bool { sender.authenticity == nil || sender.authenticity == .verified }
}
