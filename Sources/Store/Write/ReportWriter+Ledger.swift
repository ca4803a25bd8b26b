import GRDB

/// The ledger: every message and what became of it.
extension ReportWriter {
    /// The number of a mailbox, by its canonical identifier.
    public func mailbox(_ identifier: String) throws -> Int64 {
        try db.execute(sql: "INSERT OR IGNORE INTO mailboxes (identifier) VALUES (?)", arguments: [identifier])
        return try Int64.fetchOne(db, sql: "SELECT id FROM mailboxes WHERE identifier = ?", arguments: [identifier]) ?? 0
    }

    /// Removes the deferred messages of a mailbox that `run`, which has tried all that are there, has not met: they are gone.
    ///
    /// - Parameter family: how the identifiers of this mailbox begin that it had before it was made anew: nothing of those is there any more.
    public func clearDeferred(mailbox: Int64, except run: Int64, family: String?) throws {
        try db.execute(
            sql: """
                DELETE FROM messages WHERE outcome = \(MessageOutcome.deferred.rawValue) AND run_id <> ?2
                    AND mailbox_id IN (SELECT id FROM mailboxes WHERE id = ?1 OR substr(identifier, 1, length(?3)) = ?3)
                """, arguments: [mailbox, run, family])
    }

    /// Starts a run; its times are seconds since 1970.
    public func beginRun(now: Int) throws -> Int64 {
        try db.execute(sql: "INSERT INTO runs (started_utc) VALUES (?)", arguments: [now])
        messagesEntered = 0
        return db.lastInsertedRowID
    }

    /// Ends a run with its outcomes; `counts[outcome]` is 0 where missing.
    public func finishRun(_ run: Int64, now: Int, counts: [MessageOutcome: Int]) throws {
        func count(_ outcome: MessageOutcome) -> Int { counts[outcome] ?? 0 }
        try db.execute(
            sql: """
                UPDATE runs SET finished_utc = ?, seen = ?, stored = ?, duplicate = ?, not_a_report = ?, refused = ?, deferred = ? WHERE id = ?
                """,
            arguments: [
                now, counts.values.reduce(0, +), count(.stored), count(.duplicate), count(.notAReport), count(.refused), count(.deferred),
                run,
            ])
    }

    /// The messages that the ledger has for a run, by outcome: what `finishRun` is checked against.
    public func ledgerCounts(run: Int64) throws -> [MessageOutcome: Int] {
        // All of the ledger is read for it, which may have half a million lines.
        guard messagesEntered > 0 else { return [:] }
        var counts: [MessageOutcome: Int] = [:]
        let sql = "SELECT outcome, count(*) FROM messages WHERE run_id = ? GROUP BY outcome"
        for row in try Row.fetchAll(db, sql: sql, arguments: [run]) {
            if let outcome = MessageOutcome(rawValue: row[0]) { counts[outcome] = row[1] }
        }
        return counts
    }

    /// Enters a message, with the outcome expected; `setOutcome` corrects it. A message that was deferred before is entered anew, and so is
    /// one that was kept and is read again: `earlier` is its outcome until now.
    public func message(
        mailbox: Int64, key: String, run: Int64, now: Int, outcome: MessageOutcome, earlier: MessageOutcome? = nil
    ) throws -> Int64 {
        messagesEntered += 1
        insertMessage.bind(1, mailbox)
        insertMessage.bind(2, key)
        insertMessage.bind(3, run)
        insertMessage.bind(4, now)
        insertMessage.bind(5, outcome.rawValue)
        let id = try insertMessage.integer() ?? 0
        // It was deferred before, or kept: what was said of it then is settled now.
        if id < firstNewMessageID {
            try clearRefusals(message: id)
            if let earlier { try takeOver(message: id, from: earlier) }
        }
        return id
    }

    /// Removes the deferred entries of a mailbox that are no messages, but places that an earlier run could not look at and `run` could.
    /// Such an entry has the place of its refusal, with a `!` before it, as its key: few messages are looked at.
    public func clearDeferredPlaces(mailbox: Int64, except run: Int64) throws {
        try db.execute(
            sql: """
                DELETE FROM messages WHERE mailbox_id = ? AND key >= '!' AND key < '"'
                    AND outcome = \(MessageOutcome.deferred.rawValue) AND run_id <> ?
                    AND key IN (SELECT '!' || place FROM refusals WHERE message_id = messages.id)
                """, arguments: [mailbox, run])
    }

    /// Whether the ledger has a final outcome for a message.
    public func isKnown(_ key: String, mailbox: Int64) throws -> Bool {
        let sql = "SELECT outcome <> \(MessageOutcome.deferred.rawValue) FROM messages WHERE mailbox_id = ? AND key = ?"
        return try Bool.fetchOne(db, sql: sql, arguments: [mailbox, key]) ?? false
    }

    /// Notes that a message is still to be marked, moved or deleted, or that this is done.
    public func setSettled(_ isSettled: Bool, message: Int64) throws {
        setSettledStatement.bind(1, isSettled ? 1 : 0)
        setSettledStatement.bind(2, message)
        try setSettledStatement.run()
    }

    /// Messages of a mailbox that an earlier run entered but did not come to mark, move or delete; and where each was then.
    public func unsettled(mailbox: Int64) throws -> [(id: Int64, key: String, place: String, fate: MessageFate)] {
        // Question: what is still to be done, and what became of each. Unit: messages. Index: messages_unsettled, refusals_message.
        let sql = """
            SELECT m.id, m.key, m.outcome, min(r.scope), k.message_id IS NOT NULL, coalesce(min(r.place), m.key)
            FROM messages m LEFT JOIN refusals r ON r.message_id = m.id LEFT JOIN kept_messages k ON k.message_id = m.id
            WHERE m.mailbox_id = ? AND m.is_settled = 0 GROUP BY m.id ORDER BY m.id
            """
        var withoutRaw: Set<Int64>?
        return try Row.fetchAll(db, sql: sql, arguments: [mailbox]).compactMap { row in
            guard let outcome = MessageOutcome(rawValue: row[2]) else { return nil }
            // `records` comes last in the alphabet: where it is the least there is nothing else.
            let scope: String? = row[3]
            var isKept: Bool = row[4]
            if !isKept, scope == Refusal.Scope.records.rawValue {
                // Only records of stored reports were refused: they are in the documents of these.
                let missing = try withoutRaw ?? messagesWithoutRaw(mailbox: mailbox)
                withoutRaw = missing
                isKept = !missing.contains(row[0])
            }
            // What is no report has a line that says so, which is no refusal.
            let hasRefusal = outcome != .notAReport && scope != nil
            return (row[0], row[1], row[5], MessageFate(outcome: outcome, hasRefusal: hasRefusal, isKept: isKept))
        }
    }

    /// Unsettled messages with a report that lacks records and whose document was not kept. Reads all reports: asked for only where
    /// records were refused.
    private func messagesWithoutRaw(mailbox: Int64) throws -> Set<Int64> {
        try Set(
            Int64.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT message_id FROM reports WHERE raw_id IS NULL AND refused_records > 0 AND message_id IN
                        (SELECT id FROM messages WHERE mailbox_id = ? AND is_settled = 0)
                    """, arguments: [mailbox]))
    }

    /// What became of a message so far; nil: it is not known.
    public func outcome(_ key: String, mailbox: Int64) throws -> MessageOutcome? {
        let sql = "SELECT outcome FROM messages WHERE mailbox_id = ? AND key = ?"
        return try Int.fetchOne(db, sql: sql, arguments: [mailbox, key]).flatMap(MessageOutcome.init)
    }

    /// Corrects the outcome of a message.
    public func setOutcome(_ outcome: MessageOutcome, message: Int64) throws {
        try db.execute(sql: "UPDATE messages SET outcome = ? WHERE id = ?", arguments: [outcome.rawValue, message])
    }

    /// Enters what was not stored of a message.
    public func refuse(_ refusal: Refusal, message: Int64) throws {
        try db.execute(
            sql: "INSERT INTO refusals (message_id, scope, code, place, member, detail, records) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                message, refusal.scope.rawValue, refusal.code, refusal.place, refusal.member, refusal.detail, refusal.records,
            ])
    }

    /// Forgets what was not stored of a message, before it is tried again.
    public func clearRefusals(message: Int64) throws {
        try db.execute(sql: "DELETE FROM refusals WHERE message_id = ?", arguments: [message])
    }
}
