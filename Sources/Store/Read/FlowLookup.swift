import DMARC
import GRDB

/// How many messages of a row belong to a flow.
package struct FlowShare {
    /// Key of the set of authentication results.
    package var authentication: Int
    /// 0 nothing, 1 SPF, 2 DKIM, 3 both.
    package var aligned: Int
    package var messages: Int

    package init(authentication: Int, aligned: Int, messages: Int) {
        self.authentication = authentication
        self.aligned = aligned
        self.messages = messages
    }
}

/// What is concluded about the flows of a row.
public struct Conclusion: Hashable, Sendable {
    /// How sure the verdict is, 0…1 in hundredths, rounded down: the mean of the flows, each with the weight of its messages in the row. Nil:
    /// there is no verdict yet.
    public var confidence: Double?
    /// What it rests on: of the flow with most messages in the row, of equals that whose results come first in the order of the alphabet.
    public var evidence = EvidenceCodes()
    /// Remarks, of the same flow.
    public var notes = VerdictNotes()

    /// Nothing is concluded yet.
    public init() {}
}

/// Conclusions by flow.
package struct FlowLookup {
    /// Question: what is concluded about a flow. Unit: one row. Index: primary key of `flows`, one seek.
    package static let flowSQL = """
        SELECT confidence, notes, evidence
        FROM flows
        WHERE source = ?1 AND domain_id = ?2 AND authentication_id = ?3 AND aligned = ?4
        """

    private let rows: SQLRows
    private var authentications: AuthenticationLookup

    package init(_ db: Database) throws {
        rows = try SQLRows(db, Self.flowSQL)
        authentications = AuthenticationLookup(db)
    }

    /// What is concluded about `shares`, all of them flows of `source` and `domain` with the same verdict.
    package mutating func conclusion(_ source: IPAddress, _ domain: PolicyDomain, _ shares: [FlowShare]) throws -> Conclusion {
        var conclusion = Conclusion()
        // A count is at most 10⁹ a record; the product with a confidence could leave 64 bits.
        var weighted: Int128 = 0
        var messages: Int128 = 0
        var usual: FlowShare?
        for share in shares {
            try rows.restart(address: source, domain.id, share.authentication, share.aligned)
            guard try rows.next() else { continue }
            weighted += Int128(rows.int(0)) * Int128(share.messages)
            messages += Int128(share.messages)
            if let usual, try !isBefore(share, usual) { continue }
            usual = share
            conclusion.notes = VerdictNotes(rawValue: rows.int(1))
            conclusion.evidence = EvidenceCodes(bits: rows.int(2)).consistent()
        }
        if messages > 0 { conclusion.confidence = Double(Int(weighted / (messages * 10))) / 100 }
        return conclusion
    }

    /// Most messages first; of equals by what their results say: keys depend on the order of arrival.
    private mutating func isBefore(_ a: FlowShare, _ b: FlowShare) throws -> Bool {
        if a.messages != b.messages { return a.messages > b.messages }
        guard a.authentication != b.authentication else { return a.aligned < b.aligned }
        return try authentications.first(of: [a.authentication, b.authentication]) == a.authentication
    }
}

extension FlowShare {
    /// Of failed messages by the key of their results, times 16, and the number of their verdict: the verdict of most messages, of equals the
    /// one with the lower number, and its flows.
    package static func ofUsualVerdict(_ messages: [Int: Int]) -> (Verdict, [FlowShare]) {
        var totals: [Int: Int] = [:]
        for (key, messages) in messages { totals[key & 15, default: 0] += messages }
        let usual = totals.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? Verdict.unknown.stored
        let shares = messages.filter { $0.key & 15 == usual }.map {
            FlowShare(authentication: $0.key >> 4, aligned: 0, messages: $0.value)
        }
        return (Verdict(stored: usual), shares)
    }
}

/// What the records of a row have in common, added up one at a time.
package struct RowSums {
    package var messages = 0
    package var failed = 0
    package var spfPassed = 0
    package var dkimPassed = 0
    /// Failed messages by what was done with them.
    package var delivered = 0
    package var quarantined = 0
    package var rejected = 0
    package var firstDay = Int.max
    package var lastDay = Int.min
    package private(set) var reporters: Set<Int> = []
    private var lastReport = -1
    /// Messages by flow: the key of the results, times four, and what is aligned.
    private var flows: [Int: Int] = [:]

    package init() {}

    /// Adds a record.
    @inline(__always)
    package mutating func add(_ record: RecordSums, _ reporterOf: inout ReporterLookup) throws {
        messages += record.messages
        spfPassed += record.spf ? record.messages : 0
        dkimPassed += record.dkim ? record.messages : 0
        if !record.dkim, !record.spf {
            failed += record.messages
            switch record.disposition {
            case .none, .pass: delivered += record.messages
            case .quarantine: quarantined += record.messages
            case .reject: rejected += record.messages
            }
        }
        firstDay = min(firstDay, record.day)
        lastDay = max(lastDay, record.day)
        // Records of a report stand together.
        if record.report != lastReport {
            lastReport = record.report
            reporters.insert(try reporterOf.reporter(record.report))
        }
        flows[record.authentication << 2 | (record.dkim ? 2 : 0) | (record.spf ? 1 : 0), default: 0] += record.messages
    }

    /// The flows, in no order.
    package var shares: [FlowShare] { flows.map { FlowShare(authentication: $0.key >> 2, aligned: $0.key & 3, messages: $0.value) } }

    /// The set of results that most messages share.
    package func usualResults(_ authentications: inout AuthenticationLookup) throws -> Int? {
        var sets: [Int: Int] = [:]
        for (key, messages) in flows { sets[key >> 2, default: 0] += messages }
        return try authentications.usual(of: sets)
    }
}

/// A record as `RowSums` adds it.
package struct RecordSums {
    package var messages: Int
    package var report: Int
    package var day: Int
    package var disposition: AppliedDisposition
    package var dkim: Bool
    package var spf: Bool
    package var authentication: Int

    package init(messages: Int, report: Int, day: Int, disposition: AppliedDisposition, dkim: Bool, spf: Bool, authentication: Int) {
        self.messages = messages
        self.report = report
        self.day = day
        self.disposition = disposition
        self.dkim = dkim
        self.spf = spf
        self.authentication = authentication
    }
}

/// Records by row, until it is known which rows will be shown: to add one up costs far more than to keep it.
package struct KeptRecords: Sendable {
    private struct Kept: Sendable {
        var record: RecordSums
        var verdict: UInt8
        var previous: Int32
    }

    private var kept: [Kept] = []

    package init() {}

    /// Keeps a record behind the one in place `last` of the same row; -1: there is none.
    @inline(__always)
    package mutating func add(_ record: RecordSums, verdict: Int, after last: inout Int32) {
        kept.append(Kept(record: record, verdict: UInt8(truncatingIfNeeded: verdict), previous: last))
        last = Int32(kept.count - 1)
    }

    /// Calls `body` with each record of a row, the last one first, and its verdict.
    package func forEach(from last: Int32, _ body: (RecordSums, Int) throws -> Void) rethrows {
        var place = last
        while place >= 0 {
            try body(kept[Int(place)].record, Int(kept[Int(place)].verdict))
            place = kept[Int(place)].previous
        }
    }
}

/// Who sent a report.
package struct ReporterLookup {
    /// Question: who sent a report. Unit: one row. Index: rowid of `reports`.
    static let reporterSQL = "SELECT reporter_id FROM reports WHERE id = ?1"

    private let rows: SQLRows
    private var known: [Int: Int] = [:]

    package init(_ db: Database) throws { rows = try SQLRows(db, Self.reporterSQL) }

    /// The key of the reporter of the report with the key `id`; 0 if there is no such report.
    package mutating func reporter(_ id: Int) throws -> Int {
        if let reporter = known[id] { return reporter }
        try rows.restart(id)
        let reporter = try rows.next() ? rows.int(0) : 0
        known[id] = reporter
        return reporter
    }
}
