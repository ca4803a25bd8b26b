import Foundation
import GRDB

/// A message of which something was not stored, as it came.
public struct KeptMessage: Sendable {
    /// A mail; else a file that counts as one.
    public var isMail: Bool
    /// The whole message, as gzip.
    public var bytes: [UInt8]

    /// Both parts.
    public init(isMail: Bool, bytes: [UInt8]) {
        self.isMail = isMail
        self.bytes = bytes
    }
}

/// Kept messages of one mailbox, with what the ledger knows them by.
public struct KeptMessages: Sendable {
    /// `Mailbox.identifier`.
    public var mailbox: String
    /// The messages, at least one; whether one ended the process that read it; and when it was read last, in seconds since 1970.
    public var messages: [(key: String, place: String, endedReader: Bool, seenAt: Int, kept: KeptMessage)]
    /// Where the next begin.
    public var last: Int64
}

extension ReportWriter {
    /// Keeps a message whole.
    public func keep(_ kept: KeptMessage, message: Int64) throws {
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO kept_messages (message_id, run_id, is_mail, bytes)
                SELECT id, run_id, ?, ? FROM messages WHERE id = ?
                """,
            arguments: [kept.isMail, kept.bytes.withUnsafeBytes { Data($0) }, message])
    }

    /// A message that was kept is read again, and belongs to the run that does so. The run before it still counts it if it had refused it,
    /// and says that it went over; any other outcome goes with the message.
    func takeOver(message: Int64, from outcome: MessageOutcome) throws {
        let column: String
        switch outcome {
        case .refused: column = "taken_over = taken_over + 1"
        case .stored: column = "seen = seen - 1, stored = stored - 1"
        case .duplicate: column = "seen = seen - 1, duplicate = duplicate - 1"
        case .notAReport: column = "seen = seen - 1, not_a_report = not_a_report - 1"
        case .deferred: column = "deferred = deferred"
        }
        try db.execute(
            sql: """
                UPDATE runs SET \(column)
                WHERE finished_utc IS NOT NULL AND id = (SELECT run_id FROM kept_messages WHERE message_id = ?)
                """, arguments: [message])
        try db.execute(sql: "DELETE FROM kept_messages WHERE message_id = ?", arguments: [message])
    }

    /// Bytes of all kept messages together, compressed.
    public func keptBytes() throws -> Int {
        // Question: how much room is taken. Unit: bytes. Index: none; lengths are read, and no content.
        try Int.fetchOne(db, sql: "SELECT coalesce(sum(length(bytes)), 0) FROM kept_messages") ?? 0
    }
}

extension ReportStore {
    /// How many messages are kept.
    public func keptMessageCount() throws -> Int {
        try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM kept_messages") ?? 0 }
    }

    /// The kept messages after that of number `last`, of one mailbox and of about `maxBytes` together; nil: there are no more.
    public func keptMessages(after last: Int64, maxBytes: Int) throws -> KeptMessages? {
        try queue.read { db in
            let sql = """
                SELECT m.id, b.identifier, m.key, coalesce((SELECT place FROM refusals r WHERE r.message_id = m.id LIMIT 1), m.key),
                    k.is_mail, k.bytes,
                    EXISTS (SELECT 1 FROM refusals r WHERE r.message_id = m.id AND r.scope = 'message' AND r.code GLOB 'parser-*'),
                    m.seen_utc
                FROM kept_messages k JOIN messages m ON m.id = k.message_id JOIN mailboxes b ON b.id = m.mailbox_id
                WHERE k.message_id > ? ORDER BY k.message_id
                """
            var found: KeptMessages?
            var bytes = 0
            let rows = try Row.fetchCursor(db, sql: sql, arguments: [last])
            while bytes < maxBytes, let row = try rows.next() {
                let mailbox: String = row[1]
                if let found, found.mailbox != mailbox { break }
                let content: [UInt8] = try row.withUnsafeData(atIndex: 5) { data in data.map { [UInt8]($0) } ?? [] }
                bytes += content.count
                found = found ?? KeptMessages(mailbox: mailbox, messages: [], last: last)
                found?.messages.append((row[2], row[3], row[6], row[7], KeptMessage(isMail: row[4], bytes: content)))
                found?.last = row[0]
            }
            return found
        }
    }
}
