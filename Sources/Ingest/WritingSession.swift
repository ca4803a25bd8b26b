import Glibc
import Mail
import Store

/// The writer's side of an ingest: stores reports, keeps the ledger, and settles messages after each commit.
final class WritingSession {
    let mailboxID: Int64
    private let writer: ReportWriter
    private let mailbox: any Mailbox
    private let options: IngestOptions
    private let run: Int64
    private var tally = Tally()
    private var unsettled: [Unsettled] = []
    /// What an earlier run, which was ended before its time, left to do.
    private var leftOver: [Unsettled] = []
    /// Messages whose action is done, which the ledger does not know yet.
    private var settled: [Int64] = []
    /// Messages that the ledger takes for done, and that are not.
    private var undone: [Int64] = []
    /// Whether the mailbox was read to its end.
    var isComplete = false

    /// A message that is still to be marked, moved or deleted.
    private struct Unsettled {
        var id: Int64
        var key: String
        var action: AfterAction
    }

    /// The message whose large report is arriving.
    private var current: (key: String, place: String, id: Int64)?
    private var outcomes: [DocumentOutcome] = []
    /// Of the message at hand: documents that the store did not take.
    private var notTaken: [Refusal] = []
    /// Why the large report that is arriving is not stored.
    private var excess: NoveltyExcess?
    /// Of the message at hand: records were refused in a report that was stored, and whether such a report came without its document.
    private var lostRecords: (any: Bool, unkept: Bool) = (false, false)
    /// What had become of it, where it is read again.
    private var earlier: MessageOutcome?
    /// Bytes of all kept messages, once that had to be known.
    private var keptBytes: Int?
    /// Messages that were gone when they were to be read.
    private var vanished = 0

    init(_ writer: ReportWriter, _ mailbox: any Mailbox, _ options: IngestOptions) throws {
        self.writer = writer
        self.mailbox = mailbox
        self.options = options
        try writer.begin()
        mailboxID = try writer.mailbox(mailbox.identifier)
        run = try writer.beginRun(now: options.now)
        for (id, key, place, fate) in options.isRetry ? [] : try writer.unsettled(mailbox: mailboxID) {
            switch options.settlement(of: fate) {
            case .act(let action): leftOver.append(Unsettled(id: id, key: key, action: action))
            case .withheld:
                withhold(place)
                settled.append(id)
            case .leave: settled.append(id)
            }
        }
        try writer.commit()
    }

    var seen: Int { tally.seen }
    var isBetweenMessages: Bool { current == nil }
    var pendingWork: Int { writer.pendingWork + unsettled.count * 4 }

    func begin() throws { try writer.begin() }

    /// Bytes of the database, with what is not committed yet.
    func databaseBytes() throws -> Int { try writer.databaseBytes() }

    var hasShortage: Bool { tally.shortage != nil }

    /// There is too little room to go on.
    func note(_ shortage: Tally.Shortage) { tally.shortage = shortage }

    /// The mailbox could not be read to its end.
    func note(failure: MailError) { tally.failures.append(failure) }

    /// Commits; only now may the mailbox be touched. That it was done is committed with what comes next; until then the ledger says that it is
    /// still to be done, and doing it again does no harm.
    func commit() throws {
        try noteSettled()
        try writer.commit()
        try settle(unsettled)
        unsettled.removeAll(keepingCapacity: true)
    }

    private func noteSettled() throws {
        for id in settled { try writer.setSettled(true, message: id) }
        settled.removeAll(keepingCapacity: true)
        for id in undone { try writer.setSettled(false, message: id) }
        undone.removeAll(keepingCapacity: true)
    }

    /// Finishes what an earlier run did not come to. The mailbox must have been listed.
    func settleLeftOver() throws {
        try settle(leftOver)
        leftOver = []
    }

    /// Attempts one by one that may fail in a row before a mailbox counts as beyond reach for this run.
    private static let maxFailures = 10

    private func settle(_ messages: [Unsettled]) throws {
        guard !messages.isEmpty else { return }
        // What would do harm a second time counts as done before it is begun: killed in between, a mail stays where it is, and is not copied
        // again in every run.
        let once = Set(messages.filter { !mailbox.isRepeatable($0.action) }.map(\.id))
        if !once.isEmpty {
            try writer.begin()
            for id in once { try writer.setSettled(true, message: id) }
            try writer.commit()
        }
        var begun = Set<Int64>()
        defer { undone += once.subtracting(begun) }
        if mailbox.settle(messages.map { ($0.key, $0.action) }).isEmpty {
            settled += messages.map(\.id)
            begun = once
            return
        }
        // Which of them failed is found out one by one; what is done already is done again without harm.
        var failures = 0
        for message in messages where failures < Self.maxFailures {
            let errors = mailbox.settle([(message.key, message.action)]).filter { !$0.meansGone }
            guard let error = errors.first else {
                settled.append(message.id)
                begun.insert(message.id)
                failures = 0
                continue
            }
            if error.code == .leftInPlace {
                settled.append(message.id)
                begun.insert(message.id)
            }
            failures += 1
            guard tally.unsettled.count < Tally.maxRefusals else { continue }
            tally.unsettled.append(error)
        }
    }

    // MARK: - Events

    func handle(_ event: IngestEvent) throws {
        switch event {
        case .messageBegins(let key, let place):
            try noteWriting(key)
            current = (key, place, try enter(key, .stored))
        case .reportBegins(let header):
            excess = nil
            try writer.openReport(header)
        case .records(let batch):
            guard excess == nil else { return }
            do {
                try writer.append(batch)
            } catch let found as NoveltyExcess {
                try writer.abandonReport()
                excess = found
            }
        case .reportAbandoned:
            if excess == nil { try writer.abandonReport() }
            excess = nil
        case .reportEnds(let document):
            guard let current else { return }
            if let excess {
                self.excess = nil
                return note(.excessive(excess), document, current.place)
            }
            note(try writer.closeReport(document.report, origin: origin(document, current.id, current.place)), document, current.place)
        case .message(let message):
            try handle(message)
        }
    }

    /// What is being stored may be as fatal as what is being read.
    private func noteWriting(_ key: String) throws {
        guard let notes = options.containment?.notes else { return }
        if !notes.begin(ReadingNotes.Suspect(mailbox: mailbox.identifier, key: key), slot: ReadingNotes.writerSlot),
            let error = notes.failure
        {
            throw error
        }
    }

    private func enter(_ key: String, _ outcome: MessageOutcome) throws -> Int64 {
        let earlier = options.isRetry ? try writer.outcome(key, mailbox: mailboxID) : nil
        self.earlier = earlier
        return try writer.message(mailbox: mailboxID, key: key, run: run, now: options.now, outcome: outcome, earlier: earlier)
    }

    private func origin(_ document: ReadDocument, _ message: Int64, _ place: String) -> ReportWriter.Origin {
        ReportWriter.Origin(
            message: message, attachment: document.attachment, member: document.member, bytes: document.bytes, place: place,
            sender: document.sender)
    }

    private func handle(_ message: ReadMessage) throws {
        var message = message
        // Gone between listing and reading: another program's doing, and none of ours.
        if message.isVanished {
            vanished += 1
            return
        }
        // What was kept stays as it is for the next time.
        if options.isRetry, message.isDeferred { return }
        if current == nil { try noteWriting(message.key) }
        let expected: MessageOutcome =
            message.isDeferred ? .deferred : !message.documents.isEmpty ? .stored : message.refusals.isEmpty ? .notAReport : .refused
        let id: Int64
        if let current { id = current.id } else { id = try enter(message.key, expected) }
        for document in message.documents {
            #if DEBUG
                SeededFault.occur(storing: document.report.header.reporter)
            #endif
            note(try writer.store(document.report, document.batches, origin: origin(document, id, message.place)), document, message.place)
        }
        message.refusals += notTaken
        let outcome = outcome(of: message)
        if outcome != expected || current != nil { try writer.setOutcome(outcome, message: id) }
        let isKept = try record(message, outcome, id)
        tally.messages[outcome, default: 0] += 1
        let fate = MessageFate(
            outcome: outcome, hasRefusal: !message.refusals.isEmpty || lostRecords.any,
            isKept: isKept || (message.refusals.isEmpty && lostRecords.any && !lostRecords.unkept))
        if message.isAheadOfClock { tally.aheadOfClock += 1 }
        current = nil
        outcomes.removeAll(keepingCapacity: true)
        notTaken.removeAll(keepingCapacity: true)
        lostRecords = (false, false)
        try noteUnsettled(message, id, fate)
    }

    /// Counts a document that was read.
    private func note(_ outcome: DocumentOutcome, _ document: ReadDocument, _ place: String) {
        tally.documents.seen += 1
        switch outcome {
        case .stored, .duplicate, .conflict: outcomes.append(outcome)
        case .surplus:
            let header = document.report.header
            return refuse(
                document, Self.duplicateIdentity, place,
                "report \(header.reportID) of \(header.reporter): \(ReportWriter.maxUncounted) others of that id and period are kept that do not count"
            )
        case .excessive(let excess): return refuse(document, Self.tooMuchNew, place, excess.found)
        }
        switch outcome {
        case .stored: tally.documents.stored += 1
        case .duplicate: tally.documents.duplicate += 1
        case .conflict: tally.documents.conflict += 1
        case .surplus, .excessive: break
        }
        if case .duplicate = outcome { return }
        tally.stored.reports += 1
        tally.stored.records += document.report.recordCount
        tally.stored.messages += document.report.messageCount
        if !document.report.refusedRecords.isEmpty {
            lostRecords.any = true
            if document.bytes == nil { lostRecords.unkept = true }
        }
        if options.ownDomains.isForeign(document.report.header.policy.domain) { tally.stored.foreign += 1 }
        for (reason, count) in document.report.refusedRecords where tally.refusals.count < Tally.maxRefusals {
            tally.refusals.append(
                Refusal(
                    scope: .records, code: reason.rawValue, place: place, member: document.member,
                    detail: document.report.refusedRecordExamples[reason] ?? "", records: count))
        }
    }

    private func refuse(_ document: ReadDocument, _ code: String, _ place: String, _ detail: String) {
        tally.documents.refused += 1
        notTaken.append(Refusal(scope: .document, code: code, place: place, member: document.member, detail: detail))
    }

    /// One outcome for each message: the best that any of its documents came to, but what was refused is not hidden by duplicates.
    private func outcome(of message: ReadMessage) -> MessageOutcome {
        if message.isDeferred { return .deferred }
        var hasDuplicate = false
        for outcome in outcomes {
            if case .duplicate = outcome { hasDuplicate = true } else { return .stored }
        }
        // Read again: the report that it brought the first time is a duplicate of itself.
        if hasDuplicate, earlier == .stored { return .stored }
        if !message.refusals.isEmpty { return .refused }
        return hasDuplicate ? .duplicate : .notAReport
    }

    /// Enters what was not stored, and why. Returns whether the message is kept whole.
    private func record(_ message: ReadMessage, _ outcome: MessageOutcome, _ id: Int64) throws -> Bool {
        var refusals = message.refusals
        if outcome == .notAReport {
            refusals = [Refusal(scope: .message, code: message.kind, place: message.place, detail: Self.explanations[message.kind] ?? "")]
        }
        for refusal in refusals { try writer.refuse(refusal, message: id) }
        let isKept = try message.kept.map { try keep($0, id) } ?? false
        tally.documents.seen += message.refusedDocuments
        tally.documents.refused += message.refusedDocuments
        guard outcome != .notAReport else { return isKept }
        if outcome == .deferred {
            tally.deferrals += refusals.prefix(max(0, Tally.maxRefusals - tally.deferrals.count))
            return isKept
        }
        tally.refusals += refusals.prefix(max(0, Tally.maxRefusals - tally.refusals.count))
        return isKept
    }

    /// Keeps a message whole, if there is room. What is read again had its room.
    private func keep(_ kept: KeptMessage, _ id: Int64) throws -> Bool {
        if !options.isRetry {
            let used = try keptBytes ?? writer.keptBytes()
            keptBytes = used
            guard used + kept.bytes.count <= options.limits.maxKeptBytes else { return false }
            keptBytes = used + kept.bytes.count
        }
        try writer.keep(kept, message: id)
        return true
    }

    /// Why a report is refused of whose identity enough are kept that do not count.
    package static let duplicateIdentity = "duplicate-identity"
    /// Why a report is refused that brings more names, sets of results or sources than one may.
    package static let tooMuchNew = "too-much-new"

    private func withhold(_ place: String) {
        if tally.withheld.count < Tally.maxRefusals { tally.withheld.append(place) }
    }

    private static let explanations = [
        "not-a-report-mail": "a mail without a report",
        "empty-file": "an attachment or file of 0 bytes",
        "other-attachment": "an attachment that is neither XML nor an archive",
        "tls-report": "an SMTP TLS report (RFC 8460)",
        "failure-report": "a failure report or complaint about a single message (RFC 5965)",
        "bounce": "a notice of delivery",
    ]

    /// Something in the mailbox that is no message: in the ledger it is one, refused, and known from then on.
    func handle(oddity: MailError) throws {
        let key = "!" + oddity.place
        guard try !writer.isKnown(key, mailbox: mailboxID) else { return }
        let outcome: MessageOutcome = oddity.isOurFault ? .deferred : .refused
        let id = try enter(key, outcome)
        let refusal = Refusal(scope: .message, code: oddity.code.rawValue, place: oddity.place, detail: oddity.found)
        try writer.clearRefusals(message: id)
        try writer.refuse(refusal, message: id)
        tally.messages[outcome, default: 0] += 1
        if outcome == .deferred {
            tally.deferrals.append(refusal)
        } else if tally.refusals.count < Tally.maxRefusals {
            tally.refusals.append(refusal)
        }
    }

    /// After the last oddity of a mailbox that was looked through to its end.
    func settlePlaces() throws { try writer.clearDeferredPlaces(mailbox: mailboxID, except: run) }

    private func noteUnsettled(_ message: ReadMessage, _ id: Int64, _ fate: MessageFate) throws {
        switch options.settlement(of: fate) {
        case .leave: return
        case .withheld: withhold(message.place)
        case .act(let action):
            try writer.setSettled(false, message: id)
            unsettled.append(Unsettled(id: id, key: message.key, action: action))
        }
    }

    // MARK: - The end

    /// Ends the run and proves the accounting: what was counted here is what the ledger has.
    ///
    /// - Parameters:
    ///   - known: messages of the mailbox that the ledger knew.
    ///   - keys: those of the ledger, and which of them the mailbox has.
    ///   - look: what the mailbox was like before it was listed.
    func finish(known: Int, _ keys: KnownKeys, _ look: MailboxLook) throws -> Tally {
        tally.known = known
        tally.vanished = vanished
        try checkListing()
        let ledger = try writer.ledgerCounts(run: run)
        guard ledger == tally.messages.filter({ $0.value > 0 }) else {
            throw IngestError.accounting("messages counted \(tally.messages), in the ledger \(ledger)")
        }
        let documents = tally.documents
        guard documents.seen == documents.stored + documents.duplicate + documents.conflict + documents.refused else {
            throw IngestError.accounting("documents do not add up: \(documents)")
        }
        try writer.begin()
        try noteSettled()
        let listing = mailbox.listing
        if isComplete, listing != nil || mailbox.isLookedThrough {
            let family = listing?.family
            try writer.clearDeferred(mailbox: mailboxID, except: run, family: family)
            if !look.isAtRest, !options.isRetry {
                try writer.noteGone(mailbox: mailboxID, keys, except: run, now: options.now, family: family)
                // What is to be named in every run is to be looked for in every run.
                let imprint = mailbox.oddities.isEmpty ? look.imprint : nil
                try writer.noteLook(mailbox: mailboxID, imprint: imprint, now: options.now, messages: tally.known + tally.seen)
            }
            if options.forgetDays > 0, !options.isRetry {
                try writer.forgetGone(mailbox: mailboxID, before: options.now - options.forgetDays * 86400, family: family)
            }
        }
        try writer.finishRun(run, now: options.now, counts: tally.messages)
        try writer.commit()
        return tally
    }
}

extension WritingSession {
    /// Proves that each message which the mailbox named came to something.
    private func checkListing() throws {
        guard isComplete, let listing = mailbox.listing else { return }
        let sum = tally.known + tally.seen + listing.vanished + vanished
        guard listing.named == sum else {
            throw IngestError.accounting(
                "the mailbox names \(listing.named) messages: \(tally.known) known, \(tally.seen) handled, \(listing.vanished + vanished) gone"
            )
        }
        tally.vanished = listing.vanished + vanished
    }
}

extension MailError {
    /// The message is not there any more: there is nothing left to do with it.
    fileprivate var meansGone: Bool { code == .notSettled && (errno == 0 || errno == ENOENT) }
}
