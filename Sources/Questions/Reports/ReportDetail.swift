import DMARC
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

    /// Asks `store` for the report with the number `id`; nil if there is none.
    public static func ask(_ store: ReportStore, id: Int) throws(StoreError) -> ReportDetail? {
        try reading(store, "show") { facts in
            guard let report = try facts.report(id) else { return nil }
            return ReportDetail(
                id: id, isCounted: report.isCounted, header: report.header, deviations: report.deviations,
                refusedRecords: report.refusedRecords, sender: report.sender, records: try facts.records(of: id, report))
        }
    }
}
