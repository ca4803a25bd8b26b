import GRDB
import Glibc

/// What room there is, and what is taken.
extension ReportWriter {
    /// Bytes of the database, with all that is written and not committed yet.
    public func databaseBytes() throws -> Int {
        // The pragmas read the header of the database, which is in memory.
        let pages = try Int.fetchOne(db.cachedStatement(sql: "PRAGMA page_count")) ?? 0
        return try pages * (Int.fetchOne(db.cachedStatement(sql: "PRAGMA page_size")) ?? 0)
    }
}

extension ReportStore {
    /// Bytes of the database.
    public func databaseBytes() throws(StoreError) -> Int {
        try storing { try write { try $0.databaseBytes() } }
    }

    /// Bytes that are free on its disk for whoever runs this; nil: it is in memory, or nobody knows.
    public var freeBytes: Int? {
        guard path != ":memory:" else { return nil }
        var found = statvfs()
        guard statvfs(path, &found) == 0 else { return nil }
        return Int(clamping: UInt64(found.f_bavail).multipliedReportingOverflow(by: UInt64(found.f_frsize)).partialValue)
    }
}
