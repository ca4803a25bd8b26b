import DMARC
import GRDB
import GRDBSQLite

/// A prepared statement whose parameters are bound directly: about twice as fast as argument arrays, and inside GRDB's transactions.
///
/// Texts and long bytes are copied by SQLite (`SQLITE_TRANSIENT`). An address or a digest is kept in memory of the statement's own instead, for
/// SQLite allocates a copy for each: so a statement may have one such parameter.
package final class HotStatement {
    private let statement: Statement
    private let handle: SQLiteStatement
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 8)

    deinit { scratch.deallocate() }

    package init(_ db: Database, _ sql: String) throws {
        statement = try db.makeStatement(sql: sql)
        handle = statement.sqliteStatement
    }

    /// sqlite3.h defines it as a cast of -1, which Swift does not import (sqlite.org/c3ref/c_static.html).
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    @inline(__always)
    package func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }

    @inline(__always)
    package func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }

    @inline(__always)
    package func bind(_ index: Int32, _ value: Int64?) {
        if let value { sqlite3_bind_int64(handle, index, value) } else { sqlite3_bind_null(handle, index) }
    }

    func bind(_ index: Int32, _ value: String?) {
        guard var value else {
            sqlite3_bind_null(handle, index)
            return
        }
        value.withUTF8 { bytes in
            // An empty buffer has no address, which SQLite would take for NULL.
            let start = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            if let start {
                sqlite3_bind_text(handle, index, start, Int32(bytes.count), Self.transient)
            } else {
                sqlite3_bind_text(handle, index, "", 0, Self.transient)
            }
        }
    }

    @inline(__always)
    package func bind(_ index: Int32, _ address: IPAddress) {
        address.withBytes { scratch.copyMemory(from: $0) }
        sqlite3_bind_blob(handle, index, scratch.baseAddress, Int32(address.byteCount), nil)
    }

    func bind(_ index: Int32, _ digest: ContentDigest) {
        scratch.storeBytes(of: digest.first.bigEndian, as: UInt64.self)
        scratch.storeBytes(of: digest.second.bigEndian, toByteOffset: 8, as: UInt64.self)
        sqlite3_bind_blob(handle, index, scratch.baseAddress, 16, nil)
    }

    package func bind(_ index: Int32, bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            // An empty blob has no address, which SQLite would take for NULL.
            if bytes.isEmpty {
                _ = sqlite3_bind_zeroblob(handle, index, 0)
            } else {
                _ = sqlite3_bind_blob64(handle, index, bytes.baseAddress, UInt64(bytes.count), Self.transient)
            }
        }
    }

    /// Runs a statement and calls `body` with the bytes of the first `columns` columns of its first row; nil if there is no row. The bytes are
    /// SQLite's, and valid during the call only.
    func blobs<Result>(_ columns: Int32, _ body: ([UnsafeRawBufferPointer]) -> Result) throws -> Result? {
        let stepped = sqlite3_step(handle)
        var result: Result?
        if stepped == SQLITE_ROW {
            result = body(
                (0..<columns).map { column in
                    UnsafeRawBufferPointer(start: sqlite3_column_blob(handle, column), count: Int(sqlite3_column_bytes(handle, column)))
                })
        }
        let reset = sqlite3_reset(handle)
        guard stepped == SQLITE_ROW || stepped == SQLITE_DONE, reset == SQLITE_OK else {
            throw failure(reset == SQLITE_OK ? stepped : reset)
        }
        return result
    }

    /// Runs a statement that returns no row. Throws with the extended result code.
    @inline(__always)
    package func run() throws {
        let stepped = sqlite3_step(handle)
        let reset = sqlite3_reset(handle)
        guard stepped == SQLITE_DONE, reset == SQLITE_OK else { throw failure(reset == SQLITE_OK ? stepped : reset) }
    }

    /// Runs a statement and gives the first column of its first row; nil if there is no row.
    func integer() throws -> Int64? {
        let stepped = sqlite3_step(handle)
        let value = stepped == SQLITE_ROW ? sqlite3_column_int64(handle, 0) : nil
        let reset = sqlite3_reset(handle)
        guard stepped == SQLITE_ROW || stepped == SQLITE_DONE, reset == SQLITE_OK else {
            throw failure(reset == SQLITE_OK ? stepped : reset)
        }
        return value
    }

    private func failure(_ code: Int32) -> any Error {
        let connection = sqlite3_db_handle(handle)
        return DatabaseError(
            resultCode: ResultCode(rawValue: code), message: sqlite3_errmsg(connection).map { String(cString: $0) }, sql: statement.sql)
    }
}
