import DMARC
import Mail
import Store

/// What reading the kept documents again came to. `reports` is the sum of `same`, `changed`, `refused`, `duplicate` and `withoutRaw`.
public struct ReprocessOutcome: Hashable, Sendable {
    /// A report that is not what it was.
    public struct Change: Hashable, Sendable {
        /// Its number.
        public var report: Int64
        /// What differs: `records`, `header`, `deviations`, `words`; or why it cannot be read any more.
        public var what: [String]
        /// The reason for refusal; nil: it was replaced.
        public var code: String?
    }

    /// Reports that were meant.
    public var reports = 0
    /// Those that read as before.
    public var same = 0
    /// Those that were replaced.
    public var changed = 0
    /// Those that today's parser refuses; they stay as they were.
    public var refused = 0
    /// Those that turned out to be the same as another report, and are gone.
    public var duplicate = 0
    /// Those whose document was not kept.
    public var withoutRaw = 0
    /// Records of the changed and duplicate reports, before.
    public var recordsBefore = 0
    /// Records of the changed reports, now.
    public var recordsAfter = 0
    /// Messages that the changed and duplicate reports spoke of.
    public var messagesBefore = 0
    /// Messages that the changed reports speak of now.
    public var messagesAfter = 0
    /// What changed, in the order of the reports; at most `maxChanges`.
    public var changes: [Change] = []

    /// Changes that are kept to be shown.
    public static let maxChanges = 1000
}

/// Runs stored reports through the present parser: reads each kept document as an ingest would, and replaces the report where the result differs.
///
/// Many reports a transaction; the rollups are exact in each state that is committed. Verdicts are left to the caller.
public struct Reprocess: Sendable {
    /// Reports that are looked at between two looks at whether to stop.
    private static let chunk = 500
    /// Deviations of the mail and of the container as it came, which the kept document does not show (`MailDeviations`); and what the store adds.
    private static let mailDeviations = Deviations(
        [
            Deviation.genericMediaType, .oddMediaType, .mislabelledContainer, .oddArchive, .noContentType, .forwardedReport,
            .bodyBesideReport, .plainAttachment, .oddSubject, .oddFileName, .foreignDomain,
        ].map(Deviations.init))

    private let store: ReportStore
    private let options: IngestOptions
    private let repair: Repair?
    private let shouldStop: @Sendable () -> Bool

    /// What is known to be damaged.
    public struct Repair: Sendable {
        /// Reports that are replaced by what their documents say, whatever their digests say.
        public var reports: Set<Int64>
        /// Whether records lie where no window has them.
        public var hasStrayRows: Bool

        /// Both.
        public init(reports: Set<Int64>, hasStrayRows: Bool) {
            self.reports = reports
            self.hasStrayRows = hasStrayRows
        }
    }

    /// - Parameters:
    ///   - options: the limits, the present, and how much waits for a commit.
    ///   - repair: what is damaged; then no report takes the place of another.
    ///   - shouldStop: when true, what was begun is committed and nothing more is read.
    public init(store: ReportStore, options: IngestOptions, repair: Repair? = nil, shouldStop: @escaping @Sendable () -> Bool = { false }) {
        self.store = store
        var options = options
        options.keepsRaw = false
        self.options = options
        self.repair = repair
        self.shouldStop = shouldStop
    }

    /// Reads what `selection` means. With `isDryRun` nothing is changed. The caller holds the lock of the database.
    public func run(_ selection: ReportSelection, isDryRun: Bool) throws(StoreError) -> ReprocessOutcome {
        try run(selection, isDryRun: isDryRun, afterReport: { _ in })
    }

    /// The same, calling `afterReport` with the number of each report that was replaced, inside its transaction.
    package func run(
        _ selection: ReportSelection, isDryRun: Bool, afterReport: (Int64) throws -> Void
    ) throws(StoreError) -> ReprocessOutcome {
        try store.storing {
            try store.write { writer in
                writer.giver = options.givers()
                if !isDryRun { try writer.adopt(options.ownDomains) }
                let pass = ReprocessPass(writer, options, Self.mailDeviations, repair, isDryRun: isDryRun)
                do {
                    var last: Int64? = 0
                    while let after = last, !shouldStop() {
                        let (reports, next) = try writer.storedReports(after: after, limit: Self.chunk, selection)
                        try pass.read(reports, afterReport)
                        last = next
                    }
                    try pass.finish()
                } catch {
                    try? pass.undo()
                    throw error
                }
                return pass.outcome
            }
        }
    }
}

/// One run over the reports.
private final class ReprocessPass {
    private(set) var outcome = ReprocessOutcome()
    private let writer: ReportWriter
    private let options: IngestOptions
    private let mailDeviations: Deviations
    private let repair: Reprocess.Repair?
    private let isDryRun: Bool
    private let reader: MessageReader
    private var isInTransaction = false

    init(_ writer: ReportWriter, _ options: IngestOptions, _ mailDeviations: Deviations, _ repair: Reprocess.Repair?, isDryRun: Bool) {
        self.writer = writer
        self.options = options
        self.mailDeviations = mailDeviations
        self.repair = repair
        self.isDryRun = isDryRun
        reader = MessageReader(options: options)
    }

    /// A report as today's parser reads it.
    private struct Reading {
        var document: ReadDocument
        var words: Set<String>
        /// Which of the document's large reports it is, if it was too large to be held.
        var streamed: Int?
    }

    func finish() throws {
        if isInTransaction { try writer.commit() }
        isInTransaction = false
    }

    func undo() throws {
        if isInTransaction { try writer.rollback() }
        isInTransaction = false
    }

    func read(_ reports: [StoredReport], _ afterReport: (Int64) throws -> Void) throws {
        outcome.reports += reports.count
        var start = 0
        while start < reports.count {
            guard let raw = reports[start].rawID else {
                outcome.withoutRaw += 1
                start += 1
                continue
            }
            // The reports of one attachment stand together: they were stored one behind the other.
            let end = reports[start...].firstIndex { $0.rawID != raw } ?? reports.count
            try read(Array(reports[start..<end]), raw: raw, afterReport)
            start = end
        }
        if isInTransaction, writer.pendingWork >= options.workPerCommit / 2 { try finish() }
    }

    private func read(_ reports: [StoredReport], raw: Int64, _ afterReport: (Int64) throws -> Void) throws {
        guard let bytes = try writer.rawDocument(raw) else {
            outcome.withoutRaw += reports.count
            return
        }
        let (readings, refusals) = readings(of: bytes)
        for (report, reading) in Self.pair(reports, readings) {
            guard let reading else {
                outcome.refused += 1
                let refusal = refusals.first { $0.member == report.member } ?? refusals.first
                note(report, refusal.map { [$0.detail] } ?? ["there is no report in it"], code: refusal?.code ?? "no-report")
                continue
            }
            var new = reading.document.report
            new.deviations = new.deviations.subtracting(mailDeviations).union(report.deviations.intersection(mailDeviations))
            // Another report's document may have got into the place of its own.
            if repair != nil, report.digest != new.digest, !Self.isSameIdentity(report.header, new.header) {
                outcome.refused += 1
                note(report, ["its document holds another report"], code: "other-report")
                continue
            }
            var differences = try differences(report, new, reading.words)
            if repair?.reports.contains(report.id) == true { differences.append("damage") }
            guard !differences.isEmpty else {
                outcome.same += 1
                continue
            }
            let replacement = try isDryRun ? .replaced : replace(report, with: new, reading, bytes)
            outcome.recordsBefore += report.records
            outcome.messagesBefore += report.messages
            switch replacement {
            case .duplicate: outcome.duplicate += 1
            case .replaced:
                outcome.changed += 1
                outcome.recordsAfter += new.recordCount
                outcome.messagesAfter += new.messageCount
            }
            note(report, differences, code: nil)
            try afterReport(report.id)
        }
    }

    private func note(_ report: StoredReport, _ what: [String], code: String?) {
        guard outcome.changes.count < ReprocessOutcome.maxChanges else { return }
        outcome.changes.append(ReprocessOutcome.Change(report: report.id, what: what, code: code))
    }

    // MARK: - Reading

    private func message(_ bytes: [UInt8]) -> Message {
        Message(key: "", place: "", form: .file) { buffer throws(MailError) in buffer = bytes }
    }

    /// All reports of a document, without the records of large ones; and why others are none.
    private func readings(of bytes: [UInt8]) -> ([Reading], [Refusal]) {
        var readings: [Reading] = []
        var words: Set<String> = []
        let result = reader.read(message(bytes)) { event in
            switch event {
            case .reportBegins, .reportAbandoned: words = []
            case .records(let batch): words.formUnion(Self.words(batch))
            case .reportEnds(let document):
                readings.append(Reading(document: document, words: words, streamed: readings.count))
                words = []
            case .messageBegins, .message: break
            }
            return true
        }
        readings += result.documents.map { document in
            Reading(document: document, words: document.batches.reduce(into: []) { $0.formUnion(Self.words($1)) }, streamed: nil)
        }
        return (readings, result.refusals)
    }

    private static func words(_ batch: RecordBatch) -> [String] { batch.oddWords.map { "\($0.sequence) \($0.element) \($0.word)" } }

    /// Which reading belongs to which stored report: that of the same content, else of the same identity, else of the same place in the
    /// container.
    private static func pair(_ reports: [StoredReport], _ readings: [Reading]) -> [(StoredReport, Reading?)] {
        var left = readings
        var found = [Reading?](repeating: nil, count: reports.count)
        let tests: [(StoredReport, ReadDocument) -> Bool] = [
            { $0.member == $1.member && $0.digest == $1.report.digest },
            { isSameIdentity($0.header, $1.report.header) },
            { report, document in report.member == document.member || (reports.count == 1 && readings.count == 1) },
        ]
        for test in tests {
            for index in reports.indices where found[index] == nil {
                guard let place = left.firstIndex(where: { test(reports[index], $0.document) }) else { continue }
                found[index] = left.remove(at: place)
            }
        }
        return Array(zip(reports, found))
    }

    private static func isSameIdentity(_ a: ReportHeader, _ b: ReportHeader) -> Bool {
        a.reporter == b.reporter && a.policy.domain == b.policy.domain && a.reportID == b.reportID && a.window == b.window
    }

    /// What is read otherwise today.
    private func differences(_ old: StoredReport, _ new: ParsedReport, _ words: Set<String>) throws -> [String] {
        var found: [String] = []
        let refused = new.refusedRecords.values.reduce(0, +)
        if old.digest != new.digest || old.records != new.recordCount || old.messages != new.messageCount || old.refusedRecords != refused {
            found.append("records")
        }
        var header = new.header
        header.errors = header.errors.isEmpty ? [] : [header.errors.joined(separator: "\n")]
        if old.header != header { found.append("header") }
        if old.deviations != new.deviations { found.append("deviations") }
        if try writer.oddWords(of: old.id) != words { found.append("words") }
        return found
    }

    // MARK: - Writing

    private func replace(_ old: StoredReport, with new: ParsedReport, _ reading: Reading, _ bytes: [UInt8]) throws -> Replacement {
        if !isInTransaction {
            try writer.begin()
            isInTransaction = true
        }
        if repair?.hasStrayRows == true { try writer.clearRecords(of: old.id) }
        guard let number = reading.streamed else { return try writer.replace(old, with: new, reading.document.batches) }
        guard try writer.makeRoom(old, for: new) else { return .duplicate }
        return try writeLarge(old, new, number, bytes)
    }

    /// Reads the document once more, for its records pass by only once.
    private func writeLarge(_ old: StoredReport, _ new: ParsedReport, _ number: Int, _ bytes: [UInt8]) throws -> Replacement {
        let writer = writer
        var current = 0
        var result: Replacement?
        var failure: (any Error)?
        _ = reader.read(message(bytes)) { event in
            guard failure == nil else { return false }
            do {
                switch event {
                case .reportBegins(let header) where current == number: try writer.openReplacement(old, header)
                case .records(let batch) where current == number: try writer.append(batch)
                case .reportAbandoned where current == number: try writer.abandonReport()
                case .reportEnds:
                    if current == number { result = try writer.closeReplacement(old, new) }
                    current += 1
                default: break
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        guard let result else {
            throw StoreError(code: .defect, place: "report \(old.id)", found: "its document reads otherwise the second time")
        }
        return result
    }
}
