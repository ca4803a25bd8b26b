import DMARC

/// Bounds on what one report adds to the tables that only grow: names, sets of results, sources. What nobody else ever said is cheap to make up,
/// and costs twenty times its mail in the database.
public struct NoveltyLimits: Sendable {
    /// Names that the database does not know yet.
    public var names = Int.max
    /// Sets of results that it does not know yet.
    public var sets = Int.max
    /// Different sources.
    public var sources = Int.max

    /// No bounds.
    public init() {}

    /// Whether a report of these records could exceed any: most are far too small to.
    func mayBeExceeded(by batches: [RecordBatch]) -> Bool {
        var (nameCount, setCount, recordCount) = (0, 0, 0)
        for batch in batches {
            setCount += batch.authentications.count
            recordCount += batch.records.count
            nameCount += batch.names.count + batch.authentications.reduce(0) { $0 + 2 * $1.dkim.count + $1.spf.count }
        }
        return nameCount > names || setCount > sets || recordCount > sources
    }

    /// Throws `NoveltyExcess`.
    func check(_ batch: RecordBatch, _ report: inout ReportWriter.OpenReport, _ interning: Interning) throws {
        if interning.newNames - report.newNames > names {
            throw NoveltyExcess(limit: "new_names", value: names, unit: "names that are new")
        }
        if interning.newSets - report.newSets > sets {
            throw NoveltyExcess(limit: "new_sets", value: sets, unit: "sets of results that are new")
        }
        // One that cannot be taken back was found small enough before.
        guard report.isStreamed, sources != .max else { return }
        for record in batch.records { report.sources.insert(record.source.hashValue) }
        if report.sources.count > sources { throw NoveltyExcess(limit: "sources", value: sources, unit: "sources") }
    }
}

/// A report brings more that is new than one may.
public struct NoveltyExcess: Error, Sendable {
    /// The key of the limit in `[limits]`.
    public var limit: String
    /// What it is.
    public var value: Int
    /// What it counts.
    public var unit: String

    /// For the ledger.
    public var found: String { "more than \(value) \(unit) (limits.\(limit))" }
}
