import DMARC
import GRDB

/// Makes the rollups of a policy domain anew from its records and from what was kept of deleted ones. Memory is bounded whatever its size.
struct RollupRebuild {
    /// Rows after which the sums are written.
    private static let rowsInMemory = 100_000

    private let db: Database
    private let statements: RollupStatements

    init(_ db: Database) throws {
        self.db = db
        statements = try RollupStatements(db)
    }

    /// All rollups of a domain.
    func all(of domain: Int64) throws {
        for table in ["daily", "daily_sources", "sources"] {
            try db.execute(sql: "DELETE FROM \(table) WHERE domain_id = ?", arguments: [domain])
        }
        let spread = Set(
            try Int64.fetchAll(db, sql: "SELECT id FROM reports WHERE domain_id = ? AND is_spread = 1", arguments: [domain]))
        var rollups = Rollups()
        for countedAs in 0...1 {
            try addRecords(of: domain, countedAs: countedAs, spread, to: &rollups)
        }
        let daily = try Row.fetchCursor(
            db,
            sql: """
                SELECT day, disposition, dkim, spf, sum(messages), sum(records) FROM kept_daily WHERE domain_id = ?
                GROUP BY day, disposition, dkim, spf
                """, arguments: [domain])
        while let row = try daily.next() {
            rollups.add(
                keptDaily: Rollups.result(disposition: row[1], dkim: row[2], spf: row[3]), domain: domain, day: row[0], messages: row[4],
                records: row[5])
        }
        let sources = try Row.fetchCursor(
            db, sql: "SELECT day, source, messages, passed FROM kept_sources WHERE domain_id = ?", arguments: [domain])
        var rows = 0
        while let row = try sources.next() {
            guard let source = try row.address(1) else { continue }
            rollups.add(keptSource: source, domain: domain, day: row[0], messages: row[2], passed: row[3])
            rows += 1
            if rows % Self.rowsInMemory == 0 { try rollups.write(statements) }
        }
        try rollups.write(statements)
    }

    /// In the order of the key: of the shares of a record the one of the earliest day comes first.
    private func addRecords(of domain: Int64, countedAs: Int, _ spread: Set<Int64>, to rollups: inout Rollups) throws {
        struct Share: Hashable {
            let report: Int64
            let sequence: Int
        }
        var seen: Set<Share> = []
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT day, source, messages, disposition, dkim, spf, report_id, sequence FROM records
                WHERE domain_id = ? AND counted_as = ? ORDER BY day, report_id, sequence
                """, arguments: [domain, countedAs])
        var count = 0
        while let row = try rows.next() {
            guard let source = try row.address(1), let disposition = AppliedDisposition(rawValue: row[3]) else { continue }
            let report: Int64 = row[6]
            let isFirst = !spread.contains(report) || seen.insert(Share(report: report, sequence: row[7])).inserted
            rollups.add(
                domain: domain, day: row[0], source: source, messages: row[2], disposition: disposition, dkim: row[4] == 1 ? .pass : .fail,
                spf: row[5] == 1 ? .pass : .fail, isFirstShare: isFirst)
            count += 1
            if count % Self.rowsInMemory == 0 { try rollups.write(statements) }
        }
    }

    /// The sources of one day.
    func sources(of domain: Int64, day: Int) throws {
        try db.execute(sql: "DELETE FROM daily_sources WHERE domain_id = ? AND day = ?", arguments: [domain, day])
        let found = try Row.fetchCursor(
            db,
            sql: """
                SELECT source FROM records WHERE domain_id = :domain AND counted_as IN (0, 1) AND day = :day AND messages > 0
                UNION
                SELECT source FROM kept_sources WHERE domain_id = :domain AND day = :day AND messages > 0
                """, arguments: ["domain": domain, "day": day])
        var addresses: [IPAddress] = []
        while let row = try found.next() {
            if let address = try row.address(0) { addresses.append(address) }
        }
        guard !addresses.isEmpty else { return }
        addresses.sort()
        let ipv4 = addresses.filter(\.isIPv4)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let insert = statements.daySources
        insert.bind(1, domain)
        insert.bind(2, day)
        insert.bind(3, bytes: DailySources.merged(nothing, ipv4, width: 4) ?? [])
        insert.bind(4, bytes: DailySources.merged(nothing, addresses.filter { !$0.isIPv4 }, width: 16) ?? [])
        try insert.run()
    }
}
