import CLinux
import Dispatch
import GRDB
import Synchronization

/// Two connections that go through the records of many domains at once, each on a thread of its own, in the same state of the database.
///
/// The second connection first looks which state it sees (`PRAGMA data_version`); then the first begins its read transaction; then the second
/// begins its own and looks again. SQLite answers otherwise if anything was committed in between. Then the second one leaves all work to
/// the first.
package struct SharedReading: Sendable {
    /// Below this size of the file, in bytes, a second connection costs more than it saves.
    @TaskLocal package static var leastBytes = 64 << 20

    private let second: (any DatabaseReader)?
    private let version: Int?

    /// To be made before the first connection's read transaction begins.
    package init(_ store: ReportStore) {
        // Whatever the second connection cannot do, the first does alone.
        let isLarge = store.fileBytes >= Self.leastBytes
        if isLarge { dmarcstat_expect_large_heap() }
        second = isLarge ? try? store.secondReader() : nil
        version = try? second?.read(Self.dataVersion)
    }

    private static func dataVersion(_ db: Database) throws -> Int? { try Int.fetchOne(db, sql: "PRAGMA data_version") }

    /// Calls `body` once, or once on each of two threads at the same time. Each call asks for items, one at a time, until there is none left, and
    /// returns what it found about those that it was given: which they are, and in which order, is left to chance.
    package func split<Item: Sendable, Part: Sendable>(
        _ items: [Item], _ facts: Facts, _ body: @Sendable (Facts, _ next: () -> Item?) throws -> Part
    ) throws -> [Part] {
        let taken = Mutex(0)
        let others = Mutex<Result<Part, any Error>?>(nil)
        @Sendable func next() -> Item? {
            taken.withLock { taken in
                guard taken < items.count else { return nil }
                taken += 1
                return items[taken - 1]
            }
        }
        guard let second, let version, items.count > 1 else { return [try body(facts, next)] }
        return try withoutActuallyEscaping(body) { body in
            let group = DispatchGroup()
            // It is waited for before anything that it uses goes away.
            defer { group.wait() }
            DispatchQueue.global().async(group: group) {
                dmarcstat_expect_large_heap()
                let result = Result { () throws -> Part? in
                    try second.read { db in
                        let hasWork = taken.withLock { $0 < items.count }
                        return try hasWork && Self.dataVersion(db) == version ? body(Facts(db), next) : nil
                    }
                }
                switch result {
                case .success(let part): if let part { others.withLock { $0 = .success(part) } }
                case .failure(let error): others.withLock { $0 = .failure(error) }
                }
            }
            let part = try body(facts, next)
            group.wait()
            return try [part] + (others.withLock { $0 }.map { [try $0.get()] } ?? [])
        }
    }
}

/// As `reading`, with a second connection to share the work with.
package func readingShared<Result>(
    _ store: ReportStore, _ question: String, _ body: (Facts, SharedReading) throws -> Result
) throws(StoreError) -> Result {
    let shared = SharedReading(store)
    return try reading(store, question) { facts in
        // From here on this connection sees one state.
        _ = try Int.fetchOne(facts.db, sql: "PRAGMA data_version")
        return try body(facts, shared)
    }
}
