import DMARC
import GRDB

/// Sums that are kept beside the records: by day, by source, and the sources of each day. Collected in memory and written, in key order, before each commit, so that
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

    private struct Sum {
        var messages = 0
        var records = 0
    }

    /// Sums of one domain and day, by result: records come in runs of the same, and this is no look-up.
    private struct Run {
        var domain: Int64 = -1
        var day = 0
        var sums = [Sum](repeating: Sum(), count: 16)
        var sources: [IPAddress] = []
    }

    private struct DayKey: Hashable {
        var domain: Int64
        var day: Int
    }

    private var daily: [DailyKey: Sum] = [:]
    private var daySources: [DayKey: [IPAddress]] = [:]
    private var run = Run()
    private var sources: [SourceKey: SourceSum] = [:]

    /// Distinct keys that wait to be written: what the memory in use depends on.
    var count: Int { daily.count + sources.count }

    /// Adds (or with `sign` -1 takes away) a share of a record.
    @inline(__always)
    mutating func add(
        domain: Int64, day: Int, source: IPAddress, messages: Int, disposition: AppliedDisposition, dkim: AlignedResult, spf: AlignedResult,
        isFirstShare: Bool, sign: Int = 1
    ) {
        if run.domain != domain || run.day != day { endRun(next: domain, day) }
        let messages = messages * sign
        let result = Int(disposition.rawValue << 2 | dkim.rawValue << 1 | spf.rawValue)
        run.sums[result].messages += messages
        if isFirstShare { run.sums[result].records += sign }
        // Taking away never empties a day of a source: whatever replaces a report has all of its sources.
        if messages > 0 { run.sources.append(source) }
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

    /// Adds a figure by day that was kept when its records were deleted.
    mutating func add(keptDaily result: UInt8, domain: Int64, day: Int, messages: Int, records: Int) {
        let key = DailyKey(domain: domain, day: day, result: result)
        daily[key, default: Sum()].messages += messages
        daily[key, default: Sum()].records += records
    }

    /// Adds a source of a day that was kept when its records were deleted.
    mutating func add(keptSource source: IPAddress, domain: Int64, day: Int, messages: Int, passed: Int) {
        if messages > 0 { daySources[DayKey(domain: domain, day: day), default: []].append(source) }
        var sum = sources[SourceKey(domain: domain, source: source)] ?? SourceSum(first: day, last: day, messages: 0, passed: 0)
        sum.first = min(sum.first, day)
        sum.last = max(sum.last, day)
        sum.messages += messages
        sum.passed += passed
        sources[SourceKey(domain: domain, source: source)] = sum
    }

    /// The number that a treatment has in these sums.
    static func result(disposition: Int, dkim: Int, spf: Int) -> UInt8 { UInt8(truncatingIfNeeded: disposition << 2 | dkim << 1 | spf) }

    /// Adds the sums of the present run to the others and begins another.
    private mutating func endRun(next domain: Int64, _ day: Int) {
        for result in 0..<16 where run.sums[result].messages != 0 || run.sums[result].records != 0 {
            let key = DailyKey(domain: run.domain, day: run.day, result: UInt8(result))
            daily[key, default: Sum()].messages += run.sums[result].messages
            daily[key, default: Sum()].records += run.sums[result].records
            run.sums[result] = Sum()
        }
        if !run.sources.isEmpty {
            daySources[DayKey(domain: run.domain, day: run.day), default: []].append(contentsOf: run.sources)
            run.sources.removeAll(keepingCapacity: true)
        }
        run.domain = domain
        run.day = day
    }

    private mutating func writeDaySources(_ statements: RollupStatements) throws {
        for (key, addresses) in daySources.sorted(by: { ($0.key.domain, $0.key.day) < ($1.key.domain, $1.key.day) }) {
            var sorted = addresses.sorted()
            // Sorted, equal ones stand together.
            var last: IPAddress?
            sorted.removeAll { address in
                defer { last = address }
                return address == last
            }
            let ipv4 = Array(sorted.prefix { $0.isIPv4 })
            let ipv6 = Array(sorted[ipv4.count...])
            let find = statements.findDaySources
            find.bind(1, key.domain)
            find.bind(2, key.day)
            let merged = try find.blobs(2) { stored in
                (
                    ipv4: DailySources.merged(stored[0], ipv4, width: 4), ipv6: DailySources.merged(stored[1], ipv6, width: 16),
                    stored: (Array(stored[0]), Array(stored[1]))
                )
            }
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            if let merged, merged.ipv4 == nil, merged.ipv6 == nil { continue }
            let insert = statements.daySources
            insert.bind(1, key.domain)
            insert.bind(2, key.day)
            insert.bind(3, bytes: merged.map { $0.ipv4 ?? $0.stored.0 } ?? DailySources.merged(nothing, ipv4, width: 4) ?? [])
            insert.bind(4, bytes: merged.map { $0.ipv6 ?? $0.stored.1 } ?? DailySources.merged(nothing, ipv6, width: 16) ?? [])
            try insert.run()
        }
        daySources.removeAll(keepingCapacity: true)
    }

    /// Writes the sums and forgets them.
    mutating func write(_ statements: RollupStatements) throws {
        endRun(next: -1, 0)
        try writeDaySources(statements)
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

/// The statements of `Rollups`.
struct RollupStatements {
    let daily: HotStatement
    let sources: HotStatement
    let findDaySources: HotStatement
    let daySources: HotStatement

    init(_ db: Database) throws {
        daily = try HotStatement(
            db,
            """
            INSERT INTO daily (domain_id, day, disposition, dkim, spf, messages, records) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records
            """)
        findDaySources = try HotStatement(db, "SELECT ipv4, ipv6 FROM daily_sources WHERE domain_id = ? AND day = ?")
        daySources = try HotStatement(
            db,
            """
            INSERT INTO daily_sources (domain_id, day, ipv4, ipv6) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET ipv4 = excluded.ipv4, ipv6 = excluded.ipv6
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
