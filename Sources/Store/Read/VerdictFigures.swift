import DMARC
import GRDB

extension Scope {
    /// Question: has any verdict been given. Unit: at most one row. Index: rowid of `verdict_state`.
    static let verdictStateSQL = "SELECT 1 FROM verdict_state WHERE id = 1 AND rules <> ''"

    /// Question: messages with a verdict by day. Unit: one row a day. Index: primary key of `daily_verdicts`, one contiguous range.
    package static let dailyVerdictsSQL = """
        SELECT day, messages, passed
        FROM daily_verdicts
        WHERE domain_id = ?1 AND verdict = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Whether there are verdicts at all: before the first of them nothing can be said about forwarding.
    package func hasVerdicts(_ facts: Facts) throws -> Bool { try SQLRows(facts, Self.verdictStateSQL).next() }

    /// Calls `body` with the messages of `domain` in the period that have `verdict`, in pieces of at most a day.
    func forEachFigure(
        _ facts: Facts, of domain: PolicyDomain, with verdict: Verdict, _ body: (Day, Rate) throws -> Void
    ) throws {
        guard let period else { return }
        let days = [SQLValue.integer(period.since.number), .integer(period.until.number)]
        guard reports != nil else {
            let rows = try SQLRows(facts, Self.dailyVerdictsSQL, [.integer(domain.id), .integer(verdict.stored)] + days)
            while try rows.next() { try body(Day(rows.int(0)), Rate(messages: rows.int(1), passed: rows.int(2))) }
            return
        }
        try RecordScan(facts, self).forEach(of: domain.id) { record, day in
            guard record.verdict == verdict.stored else { return }
            try body(Day(day), Rate(messages: record.messages, passed: record.aligned != 0 ? record.messages : 0))
        }
    }

    /// As `forEachFigure`, of what somebody passed on.
    package func forEachForwarded(_ facts: Facts, of domain: PolicyDomain, _ body: (Day, Rate) throws -> Void) throws {
        for verdict in Verdict.allCases where verdict.isIndirect { try forEachFigure(facts, of: domain, with: verdict, body) }
    }

    /// The sum of what somebody passed on.
    package func forwarded(_ facts: Facts, of domain: PolicyDomain) throws -> Rate {
        var sum = Rate()
        try forEachForwarded(facts, of: domain) { sum = sum + $1 }
        return sum
    }
}
