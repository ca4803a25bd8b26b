import DMARC
import GRDB

/// The one writer: reports, their records and rollups, and the ledger, many reports a transaction.
///
/// Used from `ReportStore.write` only. Not thread-safe and not meant to be: SQLite has one writer.
public final class ReportWriter {
    let db: Database
    let interning: Interning
    private let rollupStatements: RollupStatements
    /// What replaced reports left to be put right before the commit.
    var replaced = ReplacedReports()
    var rollups = Rollups()
    private let insertRecord: HotStatement
    private let insertReport: HotStatement
    let insertMessage: HotStatement
    private let insertRaw: HotStatement
    let findRival: HotStatement
    let findSame: HotStatement
    let setSettledStatement: HotStatement
    private var keptRaw: (message: Int64, attachment: Int, id: Int64)?
    private var nextReportID: Int64
    let firstNewMessageID: Int64
    /// Lines that were entered since the run began.
    var messagesEntered = 0
    private var open: OpenReport?
    var recordsInTransaction = 0
    /// Set by `adopt`.
    var ownDomains = OwnDomains()
    /// Who answers for a canonical name: whose word a report is that was stored before that was noted.
    public var giver: (String) -> String = { $0 }
    /// Of names that are no domains.
    var establishedVoices: [String: [EstablishedVoice]] = [:]

    /// Bounds on what one report adds to the tables that only grow.
    public var novelty = NoveltyLimits()

    /// A report whose records are arriving.
    struct OpenReport {
        var id: Int64
        var reporter: Int64
        var domain: Int64
        var header: ReportHeader
        /// Others of its identity are there.
        var hasRivals: Bool
        var countsNow: Bool
        /// It is about a domain of others, and in no figure.
        var isForeign: Bool
        /// The stored report whose place it takes, if any.
        var replacing: StoredReport?
        /// Its records may still be taken back, so its sums are kept apart until it is closed.
        var isStreamed: Bool
        var rollups = Rollups()
        /// What there was of names and sets when it began, and hashes of its sources: for `novelty`.
        var (newNames, newSets) = (0, 0)
        var sources: Set<Int> = []
        var passed = 0
        var extraRows = 0
        var oddWords: [OddWord] = []
    }

    /// Rows that the shares of one report's long window may need beyond one for each record; after that a record falls on one day.
    private static let maxExtraRows = 200_000

    /// Sums of a report that is still arriving which wait to be written.
    private static let maxStreamedSums = 20_000

    init(_ db: Database) throws {
        self.db = db
        interning = try Interning(db)
        rollupStatements = try RollupStatements(db)
        insertRecord = try HotStatement(
            db,
            """
            INSERT INTO records (domain_id, counted_as, day, report_id, sequence, source, messages, disposition, dkim, spf,
                header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        insertReport = try HotStatement(
            db,
            """
            INSERT INTO reports (id, reporter_id, domain_id, report_id, begin_utc, end_utc, day, is_spread, is_counted, digest, policy_id,
                standard, version, email, contact_info, generator, errors, records, messages, passed, deviations, refused_records,
                message_id, raw_id, member, authenticity, mail_from_domain, voice_id, arrived_utc, sender_rank)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        insertMessage = try HotStatement(
            db,
            """
            INSERT INTO messages (mailbox_id, key, run_id, seen_utc, outcome) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET run_id = excluded.run_id, seen_utc = excluded.seen_utc, outcome = excluded.outcome
            RETURNING id
            """)
        insertRaw = try HotStatement(db, "INSERT INTO raw_documents (bytes) VALUES (?)")
        setSettledStatement = try HotStatement(db, "UPDATE messages SET is_settled = ? WHERE id = ?")
        findRival = try HotStatement(
            db, "SELECT 1 FROM reports WHERE domain_id = ? AND begin_utc = ? AND reporter_id = ? AND report_id = ? AND end_utc = ? LIMIT 1")
        findSame = try HotStatement(
            db,
            """
            SELECT id FROM reports
            WHERE domain_id = ? AND begin_utc = ? AND reporter_id = ? AND report_id = ? AND end_utc = ? AND digest = ? ORDER BY id LIMIT 1
            """)
        firstNewMessageID = try Int64.fetchOne(db, sql: "SELECT coalesce(max(id), 0) + 1 FROM messages") ?? 1
        nextReportID = try Int64.fetchOne(db, sql: "SELECT coalesce(max(id), 0) + 1 FROM reports") ?? 1
    }

    // MARK: - Transactions

    /// Begins a transaction.
    public func begin() throws { try db.beginTransaction(.immediate) }

    /// Writes the rollups and commits. When this returns, everything before it is durable.
    public func commit() throws {
        try rollups.write(rollupStatements)
        try finishReplacing()
        try db.commit()
        recordsInTransaction = 0
    }

    /// Undoes everything since `begin`.
    public func rollback() throws {
        try db.rollback()
        interning.forget()
        establishedVoices = [:]
        rollups = Rollups()
        replaced = ReplacedReports()
        open = nil
        keptRaw = nil
        recordsInTransaction = 0
    }

    /// Leaves no transaction open: for the way out after an error.
    public func abandon() {
        if db.isInsideTransaction { try? rollback() }
    }

    /// How much waits for the commit: records, and keys of the rollups.
    public var pendingWork: Int { recordsInTransaction + rollups.count }

    /// Keeps an attachment as it came, once for all reports in it.
    private func keepRaw(_ origin: Origin) throws -> Int64? {
        guard let bytes = origin.bytes else { return nil }
        if keptRaw?.message == origin.message, keptRaw?.attachment == origin.attachment { return keptRaw?.id }
        insertRaw.bind(1, bytes: bytes)
        try insertRaw.run()
        let id = db.lastInsertedRowID
        keptRaw = (origin.message, origin.attachment, id)
        return id
    }

    // MARK: - Reports

    /// Where a report came from.
    public struct Origin: Sendable {
        /// Its message in the ledger.
        public var message: Int64
        /// Which attachment of the message.
        public var attachment: Int
        /// Member of the attachment that the report is; empty for the attachment itself.
        public var member: String
        /// The attachment in its container, if it is to be kept.
        public var bytes: [UInt8]?
        /// Where the message is, for the ledger.
        public var place: String
        /// What is known of the mail.
        public var sender: ReportSender

        /// All parts.
        public init(message: Int64, attachment: Int, member: String, bytes: [UInt8]?, place: String, sender: ReportSender = ReportSender())
        {
            self.message = message
            self.attachment = attachment
            self.member = member
            self.bytes = bytes
            self.place = place
            self.sender = sender
        }
    }

    /// Stores a whole report, records and all.
    public func store(_ report: ParsedReport, _ batches: [RecordBatch], origin: Origin) throws -> DocumentOutcome {
        var origin = origin
        origin.sender = try judged(origin.sender, report.header)
        let identity = try identity(report.header)
        let hasRivals = try hasRivals(identity)
        if hasRivals, let known = try same(identity, report.digest) {
            try improve(known, origin.sender, report.header)
            return .duplicate
        }
        // Without an id the content is part of the identity, so there is no conflict.
        let isContested = hasRivals && !report.header.reportID.isEmpty
        let mayBeUndone = isContested || novelty.mayBeExceeded(by: batches)
        if mayBeUndone { try db.execute(sql: "SAVEPOINT report") }
        try start(report.header, hasRivals: isContested, isStreamed: mayBeUndone)
        do {
            for batch in batches { try append(batch) }
        } catch let excess as NoveltyExcess {
            try abandonReport()
            return .excessive(excess)
        }
        let outcome = try finish(report, origin: origin)
        if case .surplus = outcome {
            try abandonReport()
        } else if mayBeUndone {
            try db.execute(sql: "RELEASE report")
        }
        return outcome
    }

    /// Whether a report is stored already, which needs its identity and content only.
    public func isDuplicate(_ report: ParsedReport) throws -> Bool { try same(identity(report.header), report.digest) != nil }

    /// Starts a report whose records arrive in batches. Until `close` or `abandon`, nothing else may be stored.
    public func openReport(_ header: ReportHeader) throws {
        try db.execute(sql: "SAVEPOINT report")
        try start(header, hasRivals: !header.reportID.isEmpty && hasRivals(identity(header)), isStreamed: true)
    }

    /// Ends it. What is not to be kept leaves nothing behind.
    public func closeReport(_ report: ParsedReport, origin: Origin) throws -> DocumentOutcome {
        var origin = origin
        origin.sender = try judged(origin.sender, report.header)
        if let known = try same(identity(report.header), report.digest) {
            try abandonReport()
            try improve(known, origin.sender, report.header)
            return .duplicate
        }
        let outcome = try finish(report, origin: origin)
        if case .surplus = outcome {
            try abandonReport()
        } else {
            try db.execute(sql: "RELEASE report")
        }
        return outcome
    }

    /// Undoes it: the document turned out not to be a report, or has to be read again.
    public func abandonReport() throws {
        open = nil
        keptRaw = nil
        try db.execute(sql: "ROLLBACK TO report; RELEASE report")
        interning.forget()
    }

    func start(_ header: ReportHeader, hasRivals: Bool, isStreamed: Bool, replacing: StoredReport? = nil) throws {
        let isForeign = ownDomains.isForeign(header.policy.domain)
        open = try OpenReport(
            id: replacing?.id ?? nextReportID, reporter: interning.reporter(header.reporter),
            domain: interning.domain(header.policy.domain), header: header, hasRivals: hasRivals, countsNow: !hasRivals && !isForeign,
            isForeign: isForeign, replacing: replacing, isStreamed: isStreamed, newNames: interning.newNames,
            newSets: interning.newSets)
    }

    /// Adds records to the report that was started. Throws `NoveltyExcess` when it brings too much that is new: then it is to be abandoned.
    public func append(_ batch: RecordBatch) throws {
        guard var report = open else { return }
        // Exclusive ownership while it changes; otherwise every change would copy its tables.
        open = nil
        defer { open = report }
        let names = try batch.names.map { try interning.name($0) }
        let authentications = try zip(batch.authentications, batch.authenticationDigests).map { try interning.authentication($0, $1) }
        let overrides = try batch.overrides.map { try interning.overrides($0) }
        try novelty.check(batch, &report, interning)
        let policyDomain = try interning.name(report.header.policy.domain)
        func name(_ index: ReportRecord.Index) -> Int64? { index == ReportRecord.absent ? nil : names[Int(index)] }
        // Passed and failed records lie apart in the clustered table: two passes keep each insert beside the last one.
        for passing in [true, false] {
            for record in batch.records where record.passed == passing {
                insertRecord.bind(1, report.domain)
                insertRecord.bind(2, report.countsNow ? (passing ? 0 : 1) : 2)
                insertRecord.bind(4, report.id)
                insertRecord.bind(5, Int(record.sequence))
                insertRecord.bind(6, record.source)
                insertRecord.bind(8, Int(record.disposition.rawValue))
                insertRecord.bind(9, Int(record.dkim.rawValue))
                insertRecord.bind(10, Int(record.spf.rawValue))
                insertRecord.bind(11, name(record.headerFrom) ?? policyDomain)
                insertRecord.bind(12, name(record.envelopeFrom))
                insertRecord.bind(13, name(record.envelopeTo))
                insertRecord.bind(14, authentications[Int(record.authentication)])
                insertRecord.bind(15, record.overrides == ReportRecord.absent ? nil : overrides[Int(record.overrides)])
                try insertShares(of: record, &report)
                if passing { report.passed += Int(record.messages) }
            }
        }
        // Inside the savepoint: taken back with the records if it comes to that.
        if report.rollups.count > Self.maxStreamedSums { try report.rollups.write(rollupStatements) }
        report.oddWords += batch.oddWords
        recordsInTransaction += batch.records.count
    }

    /// One row on the report's day, or one for each day of a long window that a share of the count falls on.
    @inline(__always)
    private func insertShares(of record: ReportRecord, _ report: inout OpenReport) throws {
        let window = report.header.window
        guard window.isSpread else {
            try insertShare(of: record, messages: Int(record.messages), day: window.day, isFirst: true, &report)
            return
        }
        let days = window.days
        if report.extraRows >= Self.maxExtraRows {
            let day = days.lowerBound.advanced(by: Int(record.sequence) % days.count)
            try insertShare(of: record, messages: Int(record.messages), day: day, isFirst: true, &report)
            return
        }
        var isFirst = true
        for (day, share) in zip(days, window.shares(of: Int(record.messages))) where share > 0 {
            try insertShare(of: record, messages: share, day: day, isFirst: isFirst, &report)
            if !isFirst { report.extraRows += 1 }
            isFirst = false
        }
        if isFirst { try insertShare(of: record, messages: 0, day: window.day, isFirst: true, &report) }
    }

    @inline(__always)
    private func insertShare(of record: ReportRecord, messages: Int, day: Day, isFirst: Bool, _ report: inout OpenReport) throws {
        insertRecord.bind(3, day.number)
        insertRecord.bind(7, messages)
        try insertRecord.run()
        guard report.countsNow else { return }
        if report.isStreamed {
            report.rollups.add(record, domain: report.domain, day: day.number, messages: messages, isFirstShare: isFirst)
        } else {
            rollups.add(record, domain: report.domain, day: day.number, messages: messages, isFirstShare: isFirst)
        }
    }

    func finish(_ parsed: ParsedReport, origin: Origin) throws -> DocumentOutcome {
        guard var report = open else { return .duplicate }
        open = nil
        if report.replacing == nil { nextReportID += 1 }
        try insertRow(parsed, report, origin)
        for odd in report.oddWords {
            try db.execute(
                sql: "INSERT OR IGNORE INTO odd_words (report_id, sequence, element, word) VALUES (?, ?, ?, ?)",
                arguments: [report.id, odd.sequence, odd.element, odd.word])
        }
        // The ledger says what happened when the message was read; that does not change.
        for (reason, count) in report.replacing == nil ? parsed.refusedRecords.sorted(by: { $0.key.rawValue < $1.key.rawValue }) : [] {
            try refuse(
                Refusal(
                    scope: .records, code: reason.rawValue, place: origin.place, member: origin.member,
                    detail: parsed.refusedRecordExamples[reason] ?? "", records: count), message: origin.message)
        }
        if report.countsNow {
            if report.isStreamed { try report.rollups.write(rollupStatements) }
            return .stored
        }
        if !report.hasRivals { return .stored }
        return try settleConflict(report, report.replacing.map(\.sender) ?? origin.sender)
    }

    private func insertRow(_ parsed: ParsedReport, _ report: OpenReport, _ origin: Origin) throws {
        let header = parsed.header
        let insert = insertReport
        let policy = try interning.policy(header.policy)
        let raw = try report.replacing.map(\.rawID) ?? keepRaw(origin)
        insert.bind(1, report.id)
        insert.bind(2, report.reporter)
        insert.bind(3, report.domain)
        insert.bind(4, header.reportID)
        insert.bind(5, header.window.begin)
        insert.bind(6, header.window.end)
        insert.bind(7, header.window.day.number)
        insert.bind(8, header.window.isSpread ? 1 : 0)
        insert.bind(9, report.countsNow ? 1 : 0)
        insert.bind(10, parsed.digest)
        insert.bind(11, policy)
        insert.bind(12, header.standard.rawValue)
        insert.bind(13, header.version)
        insert.bind(14, header.email)
        insert.bind(15, header.contactInfo)
        insert.bind(16, header.generator)
        insert.bind(17, header.errors.isEmpty ? nil : header.errors.joined(separator: "\n"))
        insert.bind(18, parsed.recordCount)
        insert.bind(19, parsed.messageCount)
        insert.bind(20, report.passed)
        insert.bind(21, Int64(bitPattern: (report.isForeign ? parsed.deviations.union(Self.foreign) : parsed.deviations).rawValue))
        insert.bind(22, parsed.refusedRecords.values.reduce(0, +))
        insert.bind(23, report.replacing.map(\.message) ?? origin.message)
        insert.bind(24, raw)
        insert.bind(25, origin.member)
        // What is read again has no mail any more: what was known of it stays.
        let sender = report.replacing.map(\.sender) ?? origin.sender
        insert.bind(26, sender.authenticity.map { Int64($0.rawValue) })
        insert.bind(27, sender.mailFromDomain)
        insert.bind(28, try sender.voice.map { try interning.name($0) })
        insert.bind(29, sender.arrivedAt.map { Int64($0) })
        insert.bind(30, (report.replacing == nil ? sender.standing : sender.rank).map { Int64($0.rawValue) })
        try insert.run()
    }
}
