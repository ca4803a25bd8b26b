import DMARC
import GRDB

/// Sums that are kept beside the records: by day, and by source. Collected in memory and written, in key order, before each commit, so that
/// they are true in every state of the database that anybody can see.
struct Rollups {
    private struct DailyKey: Hashable {
        var domain: Int64
        var day: Int
        var result: UInt8  // disposition, dkim, spf in 2 + 1 + 1 bits
    }

    private struct SourceKey: Hashable {
        var domain: Int64
        var source: IPAddress
    }

    private struct SourceSum {
        var first: Int
        var last: Int
        var messages: Int
        var passed: Int
    }

    private var daily: [DailyKey: (messages: Int, records: Int)] = [:]
    private var sources: [SourceKey: SourceSum] = [:]

    /// Distinct keys that wait to be written: what the memory in use depends on.
    var count: Int { daily.count + sources.count }

    /// Adds (or with `sign` -1 takes away) a share of a record.
    @inline(__always)
    mutating func add(
        domain: Int64, day: Int, source: IPAddress, messages: Int, disposition: AppliedDisposition, dkim: AlignedResult, spf: AlignedResult,
        isFirstShare: Bool, sign: Int = 1
    ) {
        let key = DailyKey(domain: domain, day: day, result: disposition.rawValue << 2 | dkim.rawValue << 1 | spf.rawValue)
        let messages = messages * sign
        daily[key, default: (0, 0)].messages += messages
        if isFirstShare { daily[key, default: (0, 0)].records += sign }
        let passed = dkim == .pass || spf == .pass ? messages : 0
        let fresh = SourceSum(first: day, last: day, messages: 0, passed: 0)
        withUnsafeMutablePointer(to: &sources[SourceKey(domain: domain, source: source), default: fresh]) { sum in
            if day < sum.pointee.first { sum.pointee.first = day }
            if day > sum.pointee.last { sum.pointee.last = day }
            sum.pointee.messages += messages
            sum.pointee.passed += passed
        }
    }

    /// Adds a share of a record.
    @inline(__always)
    mutating func add(_ record: ReportRecord, domain: Int64, day: Int, messages: Int, isFirstShare: Bool) {
        add(
            domain: domain, day: day, source: record.source, messages: messages, disposition: record.disposition, dkim: record.dkim,
            spf: record.spf, isFirstShare: isFirstShare)
    }

    /// Writes the sums and forgets them.
    mutating func write(_ statements: RollupStatements) throws {
        let days = daily.sorted { ($0.key.domain, $0.key.day, $0.key.result) < ($1.key.domain, $1.key.day, $1.key.result) }
        for (key, sum) in days {
            let insert = statements.daily
            insert.bind(1, key.domain)
            insert.bind(2, key.day)
            insert.bind(3, Int(key.result >> 2))
            insert.bind(4, Int(key.result >> 1 & 1))
            insert.bind(5, Int(key.result & 1))
            insert.bind(6, sum.messages)
            insert.bind(7, sum.records)
            try insert.run()
        }
        let ordered = sources.sorted { ($0.key.domain, $0.key.source) < ($1.key.domain, $1.key.source) }
        for (key, sum) in ordered {
            let insert = statements.sources
            insert.bind(1, key.domain)
            insert.bind(2, key.source)
            insert.bind(3, sum.first)
            insert.bind(4, sum.last)
            insert.bind(5, sum.messages)
            insert.bind(6, sum.passed)
            try insert.run()
        }
        daily.removeAll(keepingCapacity: true)
        sources.removeAll(keepingCapacity: true)
    }
}

/// The two statements of `Rollups`.
struct RollupStatements {
    let daily: HotStatement
    let sources: HotStatement

    init(_ db: Database) throws {
        daily = try HotStatement(
            db,
            """
            INSERT INTO daily (domain_id, day, disposition, dkim, spf, messages, records) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records
            """)
        sources = try HotStatement(
            db,
            """
            INSERT INTO sources (domain_id, source, first_day, last_day, messages, passed) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET first_day = min(first_day, excluded.first_day), last_day = max(last_day, excluded.last_day),
                messages = messages + excluded.messages, passed = passed + excluded.passed
            """)
    }
}
