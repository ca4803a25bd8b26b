import DMARC
import Mail
import ReportXML
import Store
import Unpacking

/// Takes the documents of one message and makes reports of them.
///
/// A report of up to `heldWeight` is held until its message is complete. A larger one passes its records on while it is being read;
/// for that its header must be known, so where the metadata come last the document is read twice.
final class DocumentSink {
    /// Weight of the records that are held before a report counts as large.
    private static let heldWeight = 40_000

    var kind: String {
        get { message.kind }
        set { message.kind = newValue }
    }
    var mail: MailFacts?
    /// What the mails inside it say of themselves that were found by their content.
    private(set) var innerFacts: MailFacts?
    /// Mail of our own that came back lay in it.
    var hasReturned = false
    /// The name of a TLS report that is not packed; nil: there is none.
    var tlsReportName: String?
    /// What is refused only if nothing else was found.
    private var refusedIfAlone: Refusal?

    /// Why reports of a mail are refused that holds more than one may.
    package static let tooManyDocuments = "too-many-documents"

    private let parser: ReportParser
    private let options: IngestOptions
    private let senderCheck: SenderCheck
    private let deliveredAt: Int?
    private let emit: (IngestEvent) -> Bool
    private var message: ReadMessage

    // The attachment.
    private var attachment: Attachment?
    private var attachmentName = ""
    private var attachmentIndex = -1
    private var attachmentBytes = UnsafeRawBufferPointer(start: nil, count: 0)
    private var kept: [UInt8]?
    private var refusedInAttachment: UnpackError.Code?

    // The document.
    private var pass = ReportParser.Pass.strict
    private var isSame = false
    private var firstError: ReportError?
    private var knownHeader: ReportHeader?
    private var batches: [RecordBatch] = []
    private var xmlBytes = 0
    private var isStreaming = false
    private var needsHeader = false

    // The message.
    /// Refusals of documents that lie in the future by our clock, and are otherwise in order: which, and when they end.
    private var ahead: [(refusal: Int, end: Int)] = []
    private var hasBegun = false
    private var streamed: ReadDocument?
    private var streamedPart: (Attachment?, DocumentFacts)?
    private var held: [(ReadDocument, Attachment?, DocumentFacts)] = []
    /// Reports found so far.
    private var reports = 0

    init(
        parser: ReportParser, options: IngestOptions, senderCheck: SenderCheck, message: ReadMessage, deliveredAt: Int?,
        emit: @escaping (IngestEvent) -> Bool
    ) {
        self.parser = parser
        self.options = options
        self.senderCheck = senderCheck
        self.deliveredAt = deliveredAt
        self.message = message
        self.emit = emit
    }

    // MARK: - Attachments

    func beginAttachment(_ attachment: Attachment?, name: String, bytes: UnsafeRawBufferPointer) {
        self.attachment = attachment
        attachmentName = name
        attachmentIndex += 1
        attachmentBytes = bytes
        kept = nil
        refusedInAttachment = nil
    }

    private func place(_ member: String) -> String {
        guard attachment != nil else { return member }
        return member.isEmpty || attachmentName.isEmpty ? attachmentName + member : attachmentName + "!" + member
    }

    /// How much was found so far: reports, and what is refused.
    private(set) var findings = 0

    /// No document of the attachment could be reached.
    func refuse(attachment error: UnpackError) {
        // A document of it that was refused for the same reason has said so already.
        if refusedInAttachment == error.code { return }
        findings += 1
        message.refusals.append(
            Refusal(
                scope: .document, code: error.code.rawValue, place: message.place, member: attachment == nil ? "" : attachmentName,
                detail: error.found))
        message.refusedDocuments += 1
    }

    /// An attachment that is not opened; `name` is nil for a file.
    func refuse(part name: String?, code: String, detail: String) {
        findings += 1
        message.refusals.append(Refusal(scope: .document, code: code, place: message.place, member: name ?? "", detail: detail))
        message.refusedDocuments += 1
    }

    /// The same, should nothing else be found in the message.
    func refuseIfAlone(_ name: String, code: String, detail: String) {
        refusedIfAlone = refusedIfAlone ?? Refusal(scope: .document, code: code, place: message.place, member: name, detail: detail)
    }

    func note(inner facts: MailFacts) {
        var sum = innerFacts ?? MailFacts()
        sum.note(inner: facts)
        innerFacts = sum
    }

    /// The attachment at hand; nil: a file.
    var part: Attachment? { attachment }

    func refuse(message error: MailError) {
        message.refusals.append(Refusal(scope: .message, code: error.code.rawValue, place: message.place, detail: error.found))
    }

    private func refuse(document error: (code: String, detail: String), endAhead: Int? = nil, _ facts: DocumentFacts) {
        findings += 1
        if let endAhead { ahead.append((message.refusals.count, endAhead)) }
        message.refusals.append(
            Refusal(scope: .document, code: error.code, place: message.place, member: place(facts.member), detail: error.detail))
        message.refusedDocuments += 1
    }

    // MARK: - Documents

    /// What the unpacker sees of the sink.
    struct Receiver: DocumentReceiver {
        let sink: DocumentSink
        /// `DocumentSink.findings` when the attachment began.
        let findingsBefore: Int

        init(sink: DocumentSink) {
            self.sink = sink
            findingsBefore = sink.findings
        }

        mutating func documentBegins(_ facts: DocumentFacts) { sink.documentBegins() }

        mutating func receive(_ chunk: UnsafeRawBufferPointer) -> Bool { sink.receive(chunk) }

        mutating func documentEnds(_ facts: DocumentFacts, error: UnpackError?) -> NextStep {
            let step = sink.documentEnds(facts, error)
            if step == .next { sink.forgetDocument() }
            return step
        }

        /// What lay in the attachment and may hold a report, or could if it were opened. Not read at once: the unpacker is busy.
        private(set) var files: [(content: [UInt8], member: String)] = []

        func wantsFile(beginning head: UnsafeRawBufferPointer, member: String) -> Bool {
            // The last line may be cut.
            let lines = UnsafeRawBufferPointer(rebasing: head[..<(head.lastIndex(of: 0x0a) ?? head.endIndex)])
            if isMail(withoutLeadingBlanks(lines)) { return true }
            switch AttachmentForm(head) {
            case .mail, .secure, .sevenZip, .rar, .otherArchive, .tnef, .encrypted: return true
            // Office documents are compound files, too.
            case .outlookMessage: return member.lowercased().hasSuffix(".msg")
            default: return false
            }
        }

        mutating func receiveFile(_ content: [UInt8], _ facts: DocumentFacts) { files.append((content, facts.member)) }
    }

    private func documentBegins() {
        parser.begin(pass, now: options.now, isSame: isSame)
        isSame = true
        batches = []
        xmlBytes = 0
        isStreaming = false
        needsHeader = false
    }

    private func forgetDocument() {
        isSame = false
        pass = .strict
        firstError = nil
        knownHeader = nil
    }

    private func receive(_ chunk: UnsafeRawBufferPointer) -> Bool {
        #if DEBUG
            if xmlBytes == 0 { SeededFault.occur(in: chunk) }
        #endif
        xmlBytes += chunk.count
        // In small steps, so that a piece that unpacks to many records does not hold them all.
        var offset = 0
        while offset < chunk.count {
            let end = min(chunk.count, offset + 16384)
            guard parser.parse(UnsafeRawBufferPointer(rebasing: chunk[offset..<end])) else { return false }
            offset = end
            if parser.hasFullBatch, !takeBatches() { return false }
        }
        return true
    }

    /// Takes the records read so far: to hold them, to pass them on, or to drop them in a pass that only looks for the header.
    private func takeBatches() -> Bool {
        let full = parser.takeBatches()
        if needsHeader { return true }
        if isStreaming { return full.allSatisfy { emit(.records($0)) } }
        batches += full
        guard batches.reduce(0, { $0 + $1.weight }) > Self.heldWeight else { return true }
        guard let header = knownHeader ?? parser.headerIfComplete else {
            needsHeader = true
            batches = []
            return true
        }
        return beginStreaming(header)
    }

    private func beginStreaming(_ header: ReportHeader) -> Bool {
        endStreamed()
        if !hasBegun {
            hasBegun = true
            guard emit(.messageBegins(key: message.key, place: message.place)) else { return false }
        }
        isStreaming = true
        guard emit(.reportBegins(header)) else { return false }
        let waiting = batches
        batches = []
        return waiting.allSatisfy { emit(.records($0)) }
    }

    private func documentEnds(_ facts: DocumentFacts, _ error: UnpackError?) -> NextStep {
        if let error {
            abandon()
            refusedInAttachment = error.code
            // What the parser had stopped at says more than that the rest was too much to look at.
            if error.code == .unpackedTooLarge, let own = parser.failure {
                refuse(document: (own.code.rawValue, own.found), facts)
            } else {
                refuse(document: (error.code.rawValue, error.found), facts)
            }
            return .next
        }
        let report: ParsedReport
        do throws(ReportError) {
            report = try parser.finish()
        } catch {
            abandon()
            if error.isRepairable, pass == .strict {
                pass = .repairing
                firstError = error
                return .again
            }
            // What stopped the strict pass says more than what stopped the attempt to mend it, unless that found a cut or a limit.
            let shown = error.code == .malformed ? firstError ?? error : error
            let line = shown.line > 0 ? "line \(shown.line): " : ""
            refuse(document: (shown.code.rawValue, line + shown.found), endAhead: shown.endAhead, facts)
            return .next
        }
        if needsHeader {
            knownHeader = report.header
            return .again
        }
        keep(report, facts)
        return .next
    }

    private func abandon() {
        batches = []
        if isStreaming {
            isStreaming = false
            _ = emit(.reportAbandoned)
        }
    }

    private func keep(_ report: ParsedReport, _ facts: DocumentFacts) {
        findings += 1
        reports += 1
        guard reports <= options.limits.maxDocuments else {
            _ = parser.takeBatches()
            abandon()
            // One line for all of them.
            guard reports == options.limits.maxDocuments + 1 else {
                message.refusedDocuments += 1
                return
            }
            let found = "more than \(options.limits.maxDocuments) reports in one mail (limits.documents)"
            return refuse(document: (Self.tooManyDocuments, found), facts)
        }
        var report = report
        if xmlBytes > 1 << 20 || report.recordCount > 2000 { report.deviations.insert(.largeReport) }
        let last = parser.takeBatches()
        let document = ReadDocument(
            report: report, batches: [], attachment: attachmentIndex, member: facts.member, bytes: options.keepsRaw ? raw(facts) : nil)
        if isStreaming {
            for batch in last { _ = emit(.records(batch)) }
            streamed = document
            streamedPart = (attachment, facts)
            isStreaming = false
        } else {
            var document = document
            document.batches = batches + last
            batches = []
            held.append((document, attachment, facts))
        }
    }

    /// The attachment to keep: its container as it came, or gzip around plain XML.
    private func raw(_ facts: DocumentFacts) -> [UInt8] {
        if let kept { return kept }
        let bytes = facts.container == .xml ? Unpacker.gzipCompressed(attachmentBytes) : [UInt8](attachmentBytes)
        kept = bytes
        return bytes
    }

    // MARK: - The message

    private func deviations(_ report: ParsedReport, _ part: Attachment?, _ facts: DocumentFacts, name: String) -> Deviations {
        var found = report.deviations.union(MailDeviations.of(facts, name: name, mediaType: part?.mediaType ?? ""))
        if let part { found.formUnion(MailDeviations.of(part, facts, report.header)) }
        if let mail { found.formUnion(MailDeviations.of(mail)) }
        return found
    }

    private func sender(_ report: ParsedReport, _ part: Attachment?) -> ReportSender {
        // Where servers are trusted a report without a mail was checked, too: nobody vouches for it.
        let results = mail?.authentication ?? (options.trustedServers == nil ? nil : [])
        var sender = senderCheck.sender(
            report.header, isMail: mail != nil, author: mail?.authorDomain, results: results, objections: mail?.objections ?? [],
            isForwarded: part?.insideMessage ?? false, fileName: part?.name ?? attachmentName)
        sender.arrivedAt = arrival(report.header.window)
        return sender
    }

    /// When the mail arrived, by whoever can be believed most (docs/decisions/0013-voices.md); nil: there is none.
    private func arrival(_ window: ReportWindow) -> Int? {
        guard let mail else { return nil }
        // A trusted server writes its field on top of all that came with the mail.
        let times = options.trustedServers == nil ? [deliveredAt, mail.receivedAt] : [mail.receivedAt, deliveredAt]
        for time in times + [mail.dateAt] {
            // Nothing arrives before what it speaks of.
            if let time, time >= window.begin { return min(time, options.now) }
        }
        return options.now
    }

    /// Ends the large report before: only now is it known what else its mail held, unless another one follows.
    private func endStreamed() {
        guard var document = streamed, let (part, facts) = streamedPart else { return }
        document.report.deviations = deviations(document.report, part, facts, name: part?.name ?? attachmentName)
        document.sender = sender(document.report, part)
        streamed = nil
        _ = emit(.reportEnds(document))
    }

    /// Whether a report was found in the message. To be asked when the message is finished.
    var hasReport: Bool { hasBegun || !message.documents.isEmpty }

    func finishMessage() -> ReadMessage {
        endStreamed()
        message.documents = held.map { document, part, facts in
            var document = document
            document.report.deviations = deviations(document.report, part, facts, name: part?.name ?? attachmentName)
            document.sender = sender(document.report, part)
            return document
        }
        deferWhatIsAhead()
        classify()
        if let tlsReportName, hasReport {
            refuse(
                part: tlsReportName, code: PartRule.Code.tlsReport.rawValue, detail: "an SMTP TLS report (RFC 8460) beside a DMARC report")
        }
        return message
    }

    /// What lies in the future only by our clock is not refused: the clock may be wrong, and is right by the next run.
    private func deferWhatIsAhead() {
        let witness = TimeWitness(now: options.now, futureDays: options.limits.xml.maxFutureDays)
        let claimed = [mail?.dateAt, mail?.receivedAt, deliveredAt].compactMap(\.self).max()
        for (index, end) in ahead where witness.blamesClock(end: end, claimed: claimed) {
            message.refusals[index].detail += ", by the clock of this machine"
            message.isDeferred = true
            message.isAheadOfClock = true
        }
    }

    /// Other reports and notices share the mailbox: an archive without a DMARC report in it is none of their faults.
    private func classify() {
        guard let mail, message.documents.isEmpty, !hasBegun else { return }
        // What came back may be of any kind itself.
        let kind =
            mail.isFailureReport
            ? "failure-report" : mail.isDeliveryStatus || hasReturned ? "bounce" : mail.isTLSReport ? "tls-report" : nil
        guard let kind else {
            guard let refusedIfAlone, message.refusals.isEmpty else { return }
            message.refusals.append(refusedIfAlone)
            message.refusedDocuments += 1
            return
        }
        message.kind = kind
        if message.refusals.allSatisfy({ $0.code == UnpackError.Code.noReportInArchive.rawValue }) {
            message.refusals = []
            message.refusedDocuments = 0
        }
    }
}
