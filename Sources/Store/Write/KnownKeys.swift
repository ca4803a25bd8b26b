import GRDB
import GRDBSQLite

/// The keys of messages that the ledger knows, 16 bytes for each at most: half a million mails are known where nothing is new.
///
/// Of each key it keeps a hash of 64 bits, with another seed in every process. A new message whose hash is that of another one, which happens
/// once in 10^13 mails beside a million, is read by the next run.
public struct KnownKeys: Sendable {
    private var hashes: [UInt64]
    /// One bit for each place of `hashes`: whether the mailbox has the message.
    private var met: [UInt64] = []
    /// Messages that the ledger knows, and of them those that the mailbox has.
    private var (count, metCount) = (0, 0)

    /// None.
    public init() { hashes = [] }

    /// Question: the keys of a mailbox. Unit: one row a message. Index: the unique index of `messages`, which has all that is asked for.
    static let keysSQL = "SELECT key FROM messages WHERE mailbox_id = ?"
    /// Question: those that are to be tried again. Unit: one row a message. Index: `messages_deferred`.
    static let deferredSQL = "SELECT key FROM messages WHERE mailbox_id = ? AND outcome = \(MessageOutcome.deferred.rawValue)"

    init(_ db: Database, mailbox: Int64) throws {
        let deferred = try Set(String.fetchAll(db, sql: Self.deferredSQL, arguments: [mailbox]))
        let size = try Int.fetchOne(db, sql: "SELECT count(*) FROM messages WHERE mailbox_id = ?", arguments: [mailbox]) ?? 0
        hashes = []
        guard size > deferred.count else { return }
        // At most three quarters of it are filled.
        var slots = 1024
        while slots * 3 < size * 4 { slots *= 2 }
        hashes = [UInt64](repeating: 0, count: slots)
        met = [UInt64](repeating: 0, count: slots / 64)
        let statement = try db.cachedStatement(sql: Self.keysSQL)
        let handle = statement.sqliteStatement
        sqlite3_reset(handle)
        defer { sqlite3_reset(handle) }
        sqlite3_bind_int64(handle, 1, mailbox)
        while true {
            let code = sqlite3_step(handle)
            guard code == SQLITE_ROW else {
                guard code == SQLITE_DONE else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
                return
            }
            let start = sqlite3_column_text(handle, 0)
            let bytes = UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, 0)))
            if !deferred.isEmpty, deferred.contains(String(decoding: bytes, as: UTF8.self)) { continue }
            insert(Self.hash(bytes))
        }
    }

    /// Known messages that the mailbox does not have, once all that it has were met.
    public var missing: Int { count - metCount }

    /// Whether the ledger knows the message of a key.
    public func contains(_ key: String) -> Bool { place(of: key) != nil }

    /// The same, of a message that the mailbox has.
    public mutating func meet(_ key: String) -> Bool {
        guard let place = place(of: key) else { return false }
        let bit = UInt64(1) << UInt64(place & 63)
        if met[place >> 6] & bit == 0 {
            met[place >> 6] |= bit
            metCount += 1
        }
        return true
    }

    /// Whether the mailbox has the message of a key that was known when this was made.
    func wasMet(_ key: String) -> Bool { place(of: key).map { met[$0 >> 6] & (UInt64(1) << UInt64($0 & 63)) != 0 } ?? false }

    private func place(of key: String) -> Int? {
        guard !hashes.isEmpty else { return nil }
        var key = key
        let hash = key.withUTF8 { Self.hash(UnsafeRawBufferPointer($0)) }
        var place = Int(truncatingIfNeeded: hash >> 1) & (hashes.count - 1)
        while hashes[place] != 0 {
            if hashes[place] == hash { return place }
            place = (place + 1) & (hashes.count - 1)
        }
        return nil
    }

    private mutating func insert(_ hash: UInt64) {
        var place = Int(truncatingIfNeeded: hash >> 1) & (hashes.count - 1)
        while hashes[place] != 0, hashes[place] != hash { place = (place + 1) & (hashes.count - 1) }
        if hashes[place] == 0 { count += 1 }
        hashes[place] = hash
    }

    /// Never 0, which stands for nothing.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        return UInt64(bitPattern: Int64(hasher.finalize())) | 1
    }
}
