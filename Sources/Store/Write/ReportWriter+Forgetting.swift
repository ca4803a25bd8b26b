import GRDB

/// What the ledger knows of mails that are gone: it would only grow.
extension ReportWriter {
    /// Messages that are forgotten in one run at most: a bound on its transaction.
    private static let mostForgotten = 100_000

    /// Notes which messages of a mailbox are gone since, of which all that are there were met, and which came back.
    ///
    /// - Parameters:
    ///   - keys: what the ledger knew when the run began.
    ///   - run: its messages were there.
    ///   - family: how the identifiers of this mailbox begin that it had before it was made anew: nothing of those is there any more.
    public func noteGone(mailbox: Int64, _ keys: KnownKeys, except run: Int64, now: Int, family: String?) throws {
        let count = try Int.fetchOne(
            db, sql: "SELECT count(*) FROM messages WHERE mailbox_id = ? AND gone_utc IS NOT NULL", arguments: [mailbox])
        // As many as before are the same ones. Should another one be gone for each that came back, then what is forgotten is read again.
        if count != keys.missing {
            // Question: what is known of a mailbox, and not known to be gone. Unit: one row a message. Index: the unique index of `messages`.
            let rows = try Row.fetchCursor(
                db,
                sql: "SELECT id, key, gone_utc IS NOT NULL FROM messages WHERE mailbox_id = ? AND run_id <> ? AND outcome <> ?",
                arguments: [mailbox, run, MessageOutcome.deferred.rawValue])
            var changed: [(id: Int64, isGone: Bool)] = []
            while let row = try rows.next() {
                let isGone = !keys.wasMet(row[1])
                if isGone != row[2] { changed.append((row[0], isGone)) }
            }
            let update = try db.makeStatement(sql: "UPDATE messages SET gone_utc = ? WHERE id = ?")
            for (id, isGone) in changed { try update.execute(arguments: [isGone ? now : nil, id]) }
        }
        guard let family else { return }
        try db.execute(
            sql: """
                UPDATE messages SET gone_utc = ?3
                WHERE gone_utc IS NULL AND mailbox_id IN (SELECT id FROM mailboxes WHERE id <> ?1 AND substr(identifier, 1, length(?2)) = ?2)
                """, arguments: [mailbox, family, now])
    }

    /// Forgets messages that were gone before `time` and that nothing in the database came from, at most `mostForgotten`. Of a report that was deleted
    /// the figures may be kept: it must not come back (docs/decisions/0008-retention.md).
    public func forgetGone(mailbox: Int64, before time: Int, family: String?) throws {
        // Question: what is to be forgotten. Unit: one row a message. Index: messages_gone.
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT id, run_id FROM messages
                WHERE mailbox_id IN (SELECT id FROM mailboxes WHERE id = ?1 OR substr(identifier, 1, length(?2)) = ?2)
                    AND outcome IN (2, 3, 4) AND gone_utc < ?3 AND is_settled = 1
                    AND (outcome <> 2 OR NOT EXISTS (SELECT 1 FROM kept_daily))
                    AND NOT EXISTS (SELECT 1 FROM kept_messages WHERE message_id = messages.id)
                LIMIT ?4
                """, arguments: [mailbox, family, time, Self.mostForgotten])
        let delete = try db.makeStatement(sql: "DELETE FROM messages WHERE id = ?")
        var runs: [Int64: Int] = [:]
        for row in rows {
            try delete.execute(arguments: [row[0] as Int64])
            runs[row[1], default: 0] += 1
        }
        for (run, count) in runs {
            try db.execute(sql: "UPDATE runs SET forgotten = forgotten + ? WHERE id = ?", arguments: [count, run])
        }
    }

    /// Notes what a mailbox looked like when it had been looked through, and how many messages it had.
    public func noteLook(mailbox: Int64, imprint: String?, now: Int, messages: Int) throws {
        try db.execute(
            sql: "UPDATE mailboxes SET imprint = ?, looked_utc = ?, messages = ? WHERE id = ?",
            arguments: [imprint, now, messages, mailbox])
    }
}
