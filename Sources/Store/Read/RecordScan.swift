import DMARC
import GRDB

/// Every counted record of a scope: the one reader of the records of a period.
///
/// They come packed, which is ten times quicker than row by row; or row by row, while there are reports that the verdicts, and so the packed records,
/// do not know yet.
public struct RecordScan {
    /// Question: does every counted record stand in `packed_records`. Unit: at most one row. Index: rowids.
    static let currentSQL = """
        SELECT 1 FROM verdict_state
        WHERE id = 1 AND is_stale = 0 AND report_id = (SELECT max(id) FROM reports)
            AND NOT EXISTS (SELECT 1 FROM recounted_reports WHERE report_id > 0)
        """

    /// Question: the records of some days. Unit: one row a piece. Index: primary key of `packed_records`, one contiguous range.
    package static let piecesSQL = """
        SELECT day, ipv4, ipv6
        FROM packed_records
        WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3 AND counted_as BETWEEN ?4 AND ?5
        """

    /// Which records, by what DMARC came to.
    public enum Outcomes: Sendable {
        /// DKIM or SPF aligned.
        case passed
        /// Neither.
        case failed
        case all

        /// As in `records.counted_as`.
        package var countedAs: ClosedRange<Int> {
            switch self {
            case .passed: 0...0
            case .failed: 1...1
            case .all: 0...1
            }
        }
    }

    @usableFromInline let facts: Facts
    @usableFromInline let scope: Scope
    @usableFromInline let isCurrent: Bool
    /// Whether not all reports are asked for.
    @usableFromInline let isFiltered: Bool

    package init(_ facts: Facts, _ scope: Scope) throws {
        self.facts = facts
        self.scope = scope
        isCurrent = try SQLRows(facts, Self.currentSQL).next()
        isFiltered = scope.reports != nil || !scope.leftOut.isEmpty
    }

    /// Calls `body` with each record of `domain` whose report is asked for, and its day, in no order but that what passed and what failed on a day
    /// stand together, and mostly what a report says.
    ///
    /// - Parameters:
    ///   - period: nil: that of the scope. Without any there are no records.
    ///   - withEmpty: whether records of no messages are wanted: nearly every question counts messages.
    @inlinable @inline(__always)
    public func forEach(
        of domain: Int, in period: Period? = nil, _ outcomes: Outcomes = .all, withEmpty: Bool = false,
        _ body: (PackedRecord, Int) throws -> Void
    ) throws {
        guard let period = period ?? scope.period else { return }
        guard isCurrent else { return try forEachRow(of: domain, in: period, outcomes, withEmpty: withEmpty, body) }
        var report = -1
        var isIncluded = true
        let rows = try pieces(of: domain, in: period, outcomes)
        while try rows.next() {
            let day = rows.int(0)
            for column in 1...2 as ClosedRange<Int32> {
                try rows.withBytes(column) {
                    try PackedRecord.forEach($0, isIPv4: column == 1) { record in
                        if isFiltered {
                            if record.report != report {
                                report = record.report
                                isIncluded = scope.includes(report: report)
                            }
                            guard isIncluded else { return }
                        }
                        guard withEmpty || record.messages > 0 else { return }
                        try body(record, day)
                    }
                }
            }
        }
    }

    @usableFromInline
    func pieces(of domain: Int, in period: Period, _ outcomes: Outcomes) throws -> SQLRows {
        try SQLRows(
            facts, Self.piecesSQL,
            [
                .integer(domain), .integer(period.since.number), .integer(period.until.number), .integer(outcomes.countedAs.lowerBound),
                .integer(outcomes.countedAs.upperBound),
            ])
    }

    @inline(never) @usableFromInline
    func forEachRow(
        of domain: Int, in period: Period, _ outcomes: Outcomes, withEmpty: Bool, _ body: (PackedRecord, Int) throws -> Void
    ) throws {
        var rows = try PackedRows(facts)
        var bytes: [UInt8] = []
        for countedAs in outcomes.countedAs {
            try rows.restart(domain: domain, countedAs: countedAs, days: period.since.number...period.until.number)
            while let fields = try rows.next() {
                guard scope.includes(report: fields.report), withEmpty || fields.messages > 0 else { continue }
                bytes.removeAll(keepingCapacity: true)
                PackedRecord.append(fields, to: &bytes)
                try bytes.withUnsafeBytes {
                    try PackedRecord.forEach($0, isIPv4: fields.source.isIPv4) { try body($0, rows.day) }
                }
            }
        }
    }
}

/// The rows of `records` as what packed records are to say of them. A verdict is that of the flow.
package struct PackedRows {
    /// Question: all that packed records say. Unit: one row a record and day. Index: primary key of `records`, one contiguous range; primary key of
    /// `flows`, one seek.
    package static let recordsSQL = """
        SELECT r.day, r.source, r.report_id, r.authentication_id, r.header_from_id, r.messages, r.dkim, r.spf, r.disposition, r.override_id,
            r.sequence, f.verdict
        FROM records r
            LEFT JOIN flows f ON f.source = r.source AND f.domain_id = r.domain_id AND f.authentication_id = r.authentication_id
                AND f.aligned = r.dkim * 2 + r.spf
        WHERE r.domain_id = ?1 AND r.counted_as = ?2 AND r.day BETWEEN ?3 AND ?4
        """

    /// Question: is there a share of a record on an earlier day. Unit: at most one row. Index: primary key of `records`, one seek.
    static let shareSQL = """
        SELECT 1 FROM records WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4 AND sequence = ?5
        """

    /// Question: is a report's window long. Unit: at most one row. Index: rowid of `reports`.
    static let windowSQL = "SELECT begin_utc, end_utc FROM reports WHERE id = ?1 AND is_spread = 1"

    private let rows: SQLRows
    private let share: SQLRows
    private let window: SQLRows
    private var overrides: OverrideLookup
    /// The latest report, and its first day where its window is long.
    private var report = -1
    private var firstDay: Int?
    private var domain = 0
    private var countedAs = 0

    package init(_ facts: Facts) throws {
        rows = try SQLRows(facts, Self.recordsSQL)
        share = try SQLRows(facts, Self.shareSQL)
        window = try SQLRows(facts, Self.windowSQL)
        overrides = OverrideLookup(facts)
    }

    package mutating func restart(domain: Int, countedAs: Int, days: ClosedRange<Int>) throws {
        self.domain = domain
        self.countedAs = countedAs
        try rows.restart(domain, countedAs, days.lowerBound, days.upperBound)
    }

    /// That of the row that `next` gave.
    package var day: Int { rows.int(0) }

    /// The next row; nil at the end.
    package mutating func next() throws -> PackedRecord.Fields? {
        guard try rows.next() else { return nil }
        return PackedRecord.Fields(
            source: try rows.address(1), report: rows.int(2), authentication: rows.int(3), headerFrom: rows.int(4), messages: rows.int(5),
            aligned: rows.int(6) << 1 | rows.int(7), disposition: rows.int(8), isFirstShare: try isFirstShare(),
            hasException: try overrides.hasException(rows.optionalInt(9)), verdict: rows.optionalInt(11) ?? Verdict.unknown.stored)
    }

    private mutating func isFirstShare() throws -> Bool {
        if rows.int(2) != report {
            report = rows.int(2)
            try window.restart(report)
            firstDay = try window.next() ? ReportWindow(begin: window.int(0), end: window.int(1)).days.lowerBound.number : nil
            window.stop()
        }
        guard let firstDay, firstDay < rows.int(0) else { return true }
        for earlier in firstDay..<rows.int(0) {
            try share.restart(domain, countedAs, earlier, report, rows.int(10))
            let isThere = try share.next()
            share.stop()
            if isThere { return false }
        }
        return true
    }
}
