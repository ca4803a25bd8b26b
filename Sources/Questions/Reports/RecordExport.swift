import DMARC
import GRDB
import Organisations
import Store

/// A record with all that its report says about it: a row of `export records`.
public struct ExportedRecord: Hashable, Sendable {
    /// The first day of the period that its messages, or a share of them, fall on.
    public var day: Day
    /// The policy domain, canonical.
    public var domain: String
    /// Who sent the report.
    public var reporter: String
    /// The reporter's id for it; empty if it gave none.
    public var reportID: String
    /// The time it covers.
    public var window: ReportWindow
    /// The policy as published.
    public var policy: PublishedPolicy
    /// The record.
    public var record: RecordDetail
    /// The check and the signature that made it pass; where none did, the first check, and the first signature that verified or else the first.
    public var check: SPFResult?
    /// See `check`.
    public var signature: DKIMResult?
}

/// The answer to "give me the records".
public enum RecordExport {
    /// Question: what a report says besides its records. Unit: one row. Index: rowids.
    package static let reportSQL = """
        SELECT o.name, r.report_id, r.begin_utc, r.end_utc, r.is_spread, p.p, p.sp, p.np, p.adkim, p.aspf, p.pct, p.fo, p.testing,
            p.discovery_method
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN policies p ON p.id = r.policy_id
        WHERE r.id = ?1
        """

    /// Hands out the records one at a time, ordered by domain, day, report and place in the report, and holds none of them.
    ///
    /// A record of a long window comes once, on the first of its days in the period, with the sum of its shares in the period.
    ///
    /// - Parameters:
    ///   - begin: called once, before the first record, with what the answer is about.
    ///   - row: returns false to stop.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, begin: (Coverage) -> Bool, row: (ExportedRecord) -> Bool
    ) throws(StoreError) {
        try reading(store, "export") { db in
            let scope = try Scope(db, filter, usual: .everything)
            guard begin(try scope.totals(db)), let period = scope.period else { return }
            for domain in scope.domains {
                var reader = DomainReader(db, scope, domain, period)
                guard try reader.read(row) else { return }
            }
        }
    }

    /// A report as it stands beside each of its records.
    private struct Head {
        var id: Int
        var exported: ExportedRecord
        /// Of a long window: for each record its first day in the period and the sum of its shares in the period.
        var shares: [Int: (day: Int, messages: Int)]?
    }

    private struct DomainReader {
        let db: Database
        let scope: Scope
        let domain: PolicyDomain
        let period: Period
        var records: RecordReader
        let book: NameBook
        var current: Head?
        /// Reports with long windows, which come back on other days.
        var spread: [Int: Head] = [:]

        init(_ db: Database, _ scope: Scope, _ domain: PolicyDomain, _ period: Period) {
            self.db = db
            self.scope = scope
            self.domain = domain
            self.period = period
            records = RecordReader(db)
            book = NameBook(db)
        }

        /// Merges the passed and the failed records.
        /// - Returns: false if `row` wants no more.
        mutating func read(_ row: (ExportedRecord) -> Bool) throws -> Bool {
            let arguments = [SQLValue.integer(period.since.number), .integer(period.until.number)]
            let ranges = try (0...1).map { countedAs in
                try SQLRows(db, RecordReader.periodSQL, [.integer(domain.id), .integer(countedAs)] + arguments, cached: false)
            }
            var positions = try ranges.map { try Position($0) }
            while true {
                let index = positions[1].isBefore(positions[0]) ? 1 : 0
                guard !positions[index].isAtEnd else { return true }
                if let exported = try exported(ranges[index]), !row(exported) { return false }
                positions[index] = try Position(ranges[index])
            }
        }

        /// The current row in full; nil if it is not asked for, or was handed out on an earlier day.
        private mutating func exported(_ row: SQLRows) throws -> ExportedRecord? {
            let id = row.int(0)
            guard scope.includes(report: id) else { return nil }
            if current?.id != id { current = try spread[id] ?? head(id) }
            guard let current else { return nil }
            var exported = current.exported
            exported.day = Day(row.int(12))
            if let shares = current.shares {
                guard let share = shares[row.int(1)], share.day == row.int(12) else { return nil }
                exported.record = try records.detail(row, messages: share.messages)
            } else {
                exported.record = try records.detail(row)
            }
            let view = ResultView(exported.record.authentication, for: exported.record.headerFrom, book)
            (exported.check, exported.signature) = (view.check, view.signature)
            return exported
        }

        private mutating func head(_ id: Int) throws -> Head? {
            let row = try SQLRows(db, reportSQL, [.integer(id)])
            guard try row.next() else { return nil }
            let window = ReportWindow(begin: row.int(2), end: row.int(3))
            let none = RecordDetail(
                sequence: 0, source: IPAddress(ipv4: 0), messages: 0, disposition: .none, dkim: .fail, spf: .fail, headerFrom: "",
                envelopeFrom: nil, envelopeTo: nil, authentication: AuthenticationSet(), overrides: [])
            let exported = ExportedRecord(
                day: window.day, domain: domain.name, reporter: row.text(0), reportID: row.text(1), window: window,
                policy: PublishedPolicy(row, from: 5, domain: domain.name), record: none)
            guard row.int(4) == 1 else { return Head(id: id, exported: exported, shares: nil) }
            let head = Head(id: id, exported: exported, shares: try shares(of: id, window))
            // Those whose last day has gone by do not come back.
            let today = max(window.days.lowerBound, period.since)
            spread = spread.filter { $0.value.exported.window.days.upperBound >= today }
            spread[id] = head
            return head
        }

        private func shares(of id: Int, _ window: ReportWindow) throws -> [Int: (day: Int, messages: Int)] {
            var shares: [Int: (day: Int, messages: Int)] = [:]
            let rows = try SQLRows(db, RecordReader.reportDaySQL)
            for countedAs in 0...1 {
                var day = max(window.days.lowerBound, period.since)
                while day <= min(window.days.upperBound, period.until) {
                    try rows.restart(domain.id, countedAs, day.number, id)
                    while try rows.next() { shares[rows.int(1), default: (day.number, 0)].messages += rows.int(3) }
                    day = day.advanced(by: 1)
                }
            }
            return shares
        }
    }

    /// Where a range stands, to compare it with the other one.
    private struct Position {
        var day = Int.max
        var report = Int.max
        var sequence = Int.max

        /// Moves `rows` on.
        init(_ rows: SQLRows) throws {
            guard try rows.next() else { return }
            day = rows.int(12)
            report = rows.int(0)
            sequence = rows.int(1)
        }

        var isAtEnd: Bool { day == .max }

        func isBefore(_ other: Position) -> Bool { (day, report, sequence) < (other.day, other.report, other.sequence) }
    }
}

extension PublishedPolicy {
    /// From nine columns in the order of the table `policies`.
    package init(_ row: SQLRows, from column: Int32, domain: String) {
        self.init()
        self.domain = domain
        p = row.optionalText(column)
        sp = row.optionalText(column + 1)
        np = row.optionalText(column + 2)
        adkim = row.optionalText(column + 3)
        aspf = row.optionalText(column + 4)
        pct = row.optionalText(column + 5)
        fo = row.optionalText(column + 6)
        testing = row.optionalText(column + 7)
        discoveryMethod = row.optionalText(column + 8)
    }
}

extension Scope {
    /// The coverage with its figures, from the rollup and the list of reports.
    package func totals(_ db: Database) throws -> Coverage {
        var messages = 0
        var reports = 0
        for domain in domains {
            try forEachDailyFigure(db, of: domain) { messages += $0.messages }
            try forEachCountedReport(db, of: domain) { _, _ in reports += 1 }
        }
        return coverage(messages: messages, reports: reports)
    }
}
