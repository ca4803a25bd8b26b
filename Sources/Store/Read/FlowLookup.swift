import DMARC
import GRDB

/// The messages of a period that belong to one flow of a source and a policy domain.
public struct PeriodFlow: Sendable {
    /// Key of the set of authentication results.
    public var authentication: Int
    /// 0 nothing, 1 SPF, 2 DKIM, 3 both.
    public var aligned: Int
    /// As stored.
    public var verdict: Int
    /// Messages of the period.
    public var messages: Int

    /// All parts.
    public init(authentication: Int, aligned: Int, verdict: Int, messages: Int) {
        self.authentication = authentication
        self.aligned = aligned
        self.verdict = verdict
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

    package init(_ facts: Facts) throws {
        rows = try SQLRows(facts, Self.flowSQL)
        authentications = AuthenticationLookup(facts)
    }

    /// What is concluded about `flows` of `source` and `domain`, all of them with the same verdict.
    package mutating func conclusion(_ source: IPAddress, _ domain: PolicyDomain, _ flows: [PeriodFlow]) throws -> Conclusion {
        var conclusion = Conclusion()
        // A count is at most 10⁹ a record; the product with a confidence could leave 64 bits.
        var weighted: Int128 = 0
        var messages: Int128 = 0
        var usual: PeriodFlow?
        for flow in flows {
            try rows.restart(address: source, domain.id, flow.authentication, flow.aligned)
            guard try rows.next() else { continue }
            weighted += Int128(rows.int(0)) * Int128(flow.messages)
            messages += Int128(flow.messages)
            if let usual, try !isBefore(flow, usual) { continue }
            usual = flow
            conclusion.notes = VerdictNotes(rawValue: rows.int(1))
            conclusion.evidence = EvidenceCodes(bits: rows.int(2)).consistent()
        }
        if messages > 0 { conclusion.confidence = Double(Int(weighted / (messages * 10))) / 100 }
        return conclusion
    }

    /// Most messages first; of equals by what their results say: keys depend on the order of arrival.
    private mutating func isBefore(_ a: PeriodFlow, _ b: PeriodFlow) throws -> Bool {
        if a.messages != b.messages { return a.messages > b.messages }
        guard a.authentication != b.authentication else { return a.aligned < b.aligned }
        return try authentications.first(of: [a.authentication, b.authentication]) == a.authentication
    }
}

/// Who sent a report.
package struct ReporterLookup {
    /// Question: who sent a report. Unit: one row. Index: rowid of `reports`.
    static let reporterSQL = "SELECT reporter_id FROM reports WHERE id = ?1"

    private let rows: SQLRows
    private var known: [Int: Int] = [:]

    package init(_ facts: Facts) throws { rows = try SQLRows(facts, Self.reporterSQL) }

    /// The key of the reporter of the report with the key `id`; 0 if there is no such report.
    package mutating func reporter(_ id: Int) throws -> Int {
        if let reporter = known[id] { return reporter }
        try rows.restart(id)
        let reporter = try rows.next() ? rows.int(0) : 0
        known[id] = reporter
        return reporter
    }
}
