import GRDB

/// What is stored, in one state of the database: all that questions read.
///
/// What it gives are typed values; SQL, and GRDB, end here. It is valid inside the block only that it is given to.
public struct Facts {
    package let db: Database

    package init(_ db: Database) { self.db = db }

    /// For what no sound database holds.
    package static func damage(_ found: String) -> any Error { DatabaseError(resultCode: .SQLITE_CORRUPT, message: found) }
}

/// Runs `body` in one read transaction, so that all figures of an answer come from the same state of the database.
package func reading<Result>(_ store: ReportStore, _ question: String, _ body: (Facts) throws -> Result) throws(StoreError) -> Result {
    do {
        return try store.reader.read { try body(Facts($0)) }
    } catch {
        throw StoreError(error, question: question, store)
    }
}
