import DMARC
import GRDB
import Store

/// One report in full: from the database, or straight from a file.
public struct ReportDetail: Hashable, Sendable {
    /// Its number in the database; nil for one that comes from a file.
    public var id: Int?
    /// Whether it counts; false for one that lost a conflict.
    public var isCounted: Bool
    /// Everything but the records.
    public var header: ReportHeader
    /// Tolerated breaches of the format.
    public var deviations: Deviations
    /// Records that could not be stored.
    public var refusedRecords: Int
    /// What is known of the mail that it came in.
    public var sender: ReportSender
    /// The records in the order of the report.
    public var records: [RecordDetail]

    /// All parts.
    public init(
        id: Int?, isCounted: Bool, header: ReportHeader, deviations: Deviations, refusedRecords: Int, sender: ReportSender,
        records: [RecordDetail]
    ) {
        self.id = id
        self.isCounted = isCounted
        self.header = header
        self.deviations = deviations
        self.refusedRecords = refusedRecords
        self.sender = sender
        self.records = records
    }

    /// All messages, and those that passed.
    public var rate: Rate {
        records.reduce(into: Rate()) { rate, record in
            rate.messages += record.messages
            rate.passed += record.passed ? record.messages : 0
        }
    }

    /// Question: a report without its records. Unit: at most one row. Index: rowids.
    static let headerSQL = """
        SELECT o.name, d.name, r.domain_id, r.report_id, r.begin_utc, r.end_utc, r.is_counted, r.standard, r.version, r.email,
            r.contact_info, r.generator, r.errors, r.deviations, r.refused_records,
            p.p, p.sp, p.np, p.adkim, p.aspf, p.pct, p.fo, p.testing, p.discovery_method, r.authenticity,
            r.mail_from_domain, n.name, r.arrived_utc
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN domains d ON d.id = r.domain_id
            JOIN policies p ON p.id = r.policy_id
            LEFT JOIN names n ON n.id = r.voice_id
        WHERE r.id = ?1
        """

    /// Asks `store` for the report with the number `id`; nil if there is none.
    public static func ask(_ store: ReportStore, id: Int) throws(StoreError) -> ReportDetail? {
        try reading(store, "show") { db in
            let row = try SQLRows(db, headerSQL, [.integer(id)])
            guard try row.next() else { return nil }
            var header = ReportHeader()
            header.reporter = row.text(0)
            header.reportID = row.text(3)
            header.window = ReportWindow(begin: row.int(4), end: row.int(5))
            header.standard = ReportStandard(rawValue: row.text(7)) ?? .rfc7489
            header.version = row.optionalText(8)
            header.email = row.optionalText(9)
            header.contactInfo = row.optionalText(10)
            header.generator = row.optionalText(11)
            header.errors = row.optionalText(12).map { $0.split(separator: "\n").map(String.init) } ?? []
            header.policy = PublishedPolicy(row, from: 15, domain: row.text(1))
            return ReportDetail(
                id: id, isCounted: row.int(6) == 1, header: header,
                deviations: Deviations(rawValue: UInt64(bitPattern: Int64(row.int(13)))), refusedRecords: row.int(14),
                sender: ReportSender(
                    authenticity: row.optionalInt(24).flatMap(Authenticity.init), mailFromDomain: row.optionalText(25),
                    voice: row.optionalText(26), arrivedAt: row.optionalInt(27)),
                records: try records(db, of: id, domain: row.int(2), isCounted: row.int(6) == 1, on: header.window.days))
        }
    }

    private static func records(
        _ db: Database, of id: Int, domain: Int, isCounted: Bool, on days: ClosedRange<Day>
    ) throws -> [RecordDetail] {
        var reader = RecordReader(db)
        var found: [RecordDetail] = []
        var places: [Int: Int] = [:]
        let rows = try SQLRows(db, RecordReader.reportDaySQL)
        for countedAs in isCounted ? 0...1 : 2...2 {
            for day in days {
                try rows.restart(domain, countedAs, day.number, id)
                while try rows.next() {
                    if let place = places[rows.int(1)] {
                        found[place].messages += rows.int(3)
                    } else {
                        places[rows.int(1)] = found.count
                        found.append(try reader.detail(rows))
                    }
                }
            }
        }
        return found.sorted { $0.sequence < $1.sequence }
    }
}
