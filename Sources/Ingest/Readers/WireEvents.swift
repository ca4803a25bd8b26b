import DMARC
import ReportXML
import Store

/// What goes over the wire to a process that reads mail, and comes back.
enum WireFrame: UInt32 {
    /// A message to be read. The only one that goes there.
    case read = 1
    /// `IngestEvent`s.
    case messageBegins, reportBegins, records, reportEnds, reportAbandoned, message
}

// MARK: - Records

/// A record as it is sent: integers only, so that whatever arrives is one.
private struct WireRecord: BitwiseCopyable {
    var high: UInt64
    var low: UInt64
    var messages: UInt32
    var sequence: UInt32
    var headerFrom: UInt32
    var envelopeFrom: UInt32
    var envelopeTo: UInt32
    var authentication: UInt32
    var overrides: UInt32
    var isIPv4: UInt8
    var disposition: UInt8
    var dkim: UInt8
    var spf: UInt8

    init(_ record: Record) {
        (high, low) = (record.source.high, record.source.low)
        (messages, sequence) = (record.messages, record.sequence)
        (headerFrom, envelopeFrom, envelopeTo) = (record.headerFrom, record.envelopeFrom, record.envelopeTo)
        (authentication, overrides) = (record.authentication, record.overrides)
        isIPv4 = record.source.isIPv4 ? 1 : 0
        (disposition, dkim, spf) = (record.disposition.rawValue, record.dkim.rawValue, record.spf.rawValue)
    }

    /// The record, if its indexes are within the tables of `batch` and its count within the limit.
    func record(in batch: RecordBatch, _ limits: XMLLimits) -> Record? {
        func isName(_ index: UInt32) -> Bool { index == Record.absent || Int(index) < batch.names.count }
        guard let disposition = AppliedDisposition(rawValue: disposition), let dkim = AlignedResult(rawValue: dkim),
            let spf = AlignedResult(rawValue: spf), Int(messages) <= limits.maxMessages, Int(sequence) < limits.maxRecords,
            isName(headerFrom), isName(envelopeFrom), isName(envelopeTo), Int(authentication) < batch.authentications.count,
            overrides == Record.absent || Int(overrides) < batch.overrides.count
        else { return nil }
        return Record(
            source: isIPv4 != 0 ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low)) : IPAddress(high: high, low: low), messages: messages,
            sequence: sequence, disposition: disposition, dkim: dkim, spf: spf, headerFrom: headerFrom, envelopeFrom: envelopeFrom,
            envelopeTo: envelopeTo, authentication: authentication, overrides: overrides)
    }
}

extension WireWriter {
    mutating func put(_ batch: RecordBatch) {
        put(list: batch.names) { $0.put($1) }
        put(list: batch.authentications) { $0.put($1) }
        put(list: batch.overrides) { writer, list in
            writer.put(list: list) { writer, override in
                writer.put(override.type)
                writer.put(override.comment)
            }
        }
        put(list: batch.oddWords) { writer, word in
            writer.put(word.sequence)
            writer.put(word.element)
            writer.put(word.word)
        }
        put(batch.textBytes)
        put(all: batch.records.map(WireRecord.init))
    }

    private mutating func put(_ set: AuthenticationSet) {
        put(list: set.dkim) { writer, result in
            writer.put(result.domain)
            writer.put(result.selector)
            writer.put(UInt8(AuthenticationResult.allCases.firstIndex(of: result.result) ?? 0))
            writer.put(result.rawResult)
            writer.put(result.humanResult)
        }
        put(list: set.spf) { writer, result in
            writer.put(result.domain)
            writer.put(UInt8(result.scope.map { $0 == .helo ? 1 : 2 } ?? 0))
            writer.put(UInt8(AuthenticationResult.allCases.firstIndex(of: result.result) ?? 0))
            writer.put(result.rawResult)
            writer.put(result.humanResult)
        }
    }
}

extension WireReader {
    mutating func batch(_ limits: XMLLimits) throws(WireError) -> RecordBatch {
        var batch = RecordBatch()
        batch.names = try list { reader throws(WireError) in try reader.text() }
        batch.authentications = try list { reader throws(WireError) in try reader.authenticationSet() }
        // Made here: sets of equal digests are one set in the database.
        batch.authenticationDigests = batch.authentications.map(ReportParser.digest)
        batch.overrides = try list { reader throws(WireError) in
            try reader.list { reader throws(WireError) in PolicyOverride(type: try reader.text(), comment: try reader.textIfAny()) }
        }
        guard batch.overrides.allSatisfy({ !$0.isEmpty }) else { throw WireError(found: "a list of reasons without any") }
        batch.oddWords = try list { reader throws(WireError) in
            OddWord(sequence: try reader.number(), element: try reader.text(), word: try reader.text())
        }
        batch.textBytes = try integer(in: 0...(1 << 40))
        let records = try plain(WireRecord.self)
        let stride = MemoryLayout<WireRecord>.stride
        batch.records.reserveCapacity(records.count / stride)
        for offset in Swift.stride(from: 0, to: records.count, by: stride) {
            guard let record = records.loadUnaligned(fromByteOffset: offset, as: WireRecord.self).record(in: batch, limits) else {
                throw WireError(found: "a record that cannot be")
            }
            batch.records.append(record)
        }
        return batch
    }

    private mutating func authenticationSet() throws(WireError) -> AuthenticationSet {
        let dkim = try list { reader throws(WireError) in
            DKIMResult(
                domain: try reader.textIfAny(), selector: try reader.textIfAny(), result: try reader.oneOf(AuthenticationResult.self),
                rawResult: try reader.textIfAny(), humanResult: try reader.textIfAny())
        }
        let spf = try list { reader throws(WireError) in
            let domain = try reader.textIfAny()
            let scope = try reader.byte()
            guard scope < 3 else { throw WireError(found: "no scope \(scope)") }
            return SPFResult(
                domain: domain, scope: scope == 0 ? nil : scope == 1 ? .helo : .mfrom, result: try reader.oneOf(AuthenticationResult.self),
                rawResult: try reader.textIfAny(), humanResult: try reader.textIfAny())
        }
        return AuthenticationSet(dkim: dkim, spf: spf)
    }
}

// MARK: - Reports

extension WireWriter {
    mutating func put(_ header: ReportHeader) {
        put(header.reporter)
        put(header.email)
        put(header.contactInfo)
        put(header.reportID)
        put(header.window.begin)
        put(header.window.end)
        put(header.version)
        put(header.generator)
        put(list: header.errors) { $0.put($1) }
        let policy = header.policy
        put(policy.domain)
        for text in [
            policy.p, policy.sp, policy.np, policy.adkim, policy.aspf, policy.pct, policy.fo, policy.testing, policy.discoveryMethod,
        ] { put(text) }
        put(header.standard == .rfc9990)
    }

    mutating func put(_ report: ParsedReport) {
        put(report.header)
        put(report.recordCount)
        put(report.messageCount)
        put(report.deviations.rawValue)
        for reason in RecordRefusal.allCases {
            put(report.refusedRecords[reason])
            put(report.refusedRecordExamples[reason])
        }
        put(report.digest.first)
        put(report.digest.second)
    }

    /// With `sharesBytes` it has those of the document before, which lay in the same attachment.
    mutating func put(_ document: ReadDocument, sharesBytes: Bool) {
        put(document.report)
        put(list: document.batches) { $0.put($1) }
        put(document.attachment)
        put(document.member)
        put(UInt8(document.bytes == nil ? 0 : sharesBytes ? 1 : 2))
        if !sharesBytes, let bytes = document.bytes { put(bytes) }
        put(document.sender.authenticity?.rawValue)
        put(document.sender.mailFromDomain)
        put(document.sender.voice)
        put(document.sender.arrivedAt)
        put(document.sender.rank?.rawValue)
    }
}

extension WireReader {
    mutating func header(_ limits: XMLLimits, now: Int) throws(WireError) -> ReportHeader {
        var header = ReportHeader()
        header.reporter = try text()
        header.email = try textIfAny()
        header.contactInfo = try textIfAny()
        header.reportID = try text()
        let latest = now + limits.maxFutureDays * 86400
        let begin = try integer(in: limits.earliestBegin...max(latest, limits.earliestBegin))
        let end = try integer(in: begin...max(latest, begin))
        guard end - begin <= limits.maxWindowDays * 86400 else { throw WireError(found: "a window of \(end - begin) s") }
        header.window = ReportWindow(begin: begin, end: end)
        header.version = try textIfAny()
        header.generator = try textIfAny()
        header.errors = try list { reader throws(WireError) in try reader.text() }
        header.policy.domain = try text()
        header.policy.p = try textIfAny()
        header.policy.sp = try textIfAny()
        header.policy.np = try textIfAny()
        header.policy.adkim = try textIfAny()
        header.policy.aspf = try textIfAny()
        header.policy.pct = try textIfAny()
        header.policy.fo = try textIfAny()
        header.policy.testing = try textIfAny()
        header.policy.discoveryMethod = try textIfAny()
        header.standard = try bool() ? .rfc9990 : .rfc7489
        return header
    }

    mutating func report(_ limits: XMLLimits, now: Int) throws(WireError) -> ParsedReport {
        let header = try header(limits, now: now)
        let records = try integer(in: 0...limits.maxRecords)
        let messages = try integer(in: 0...(limits.maxRecords * limits.maxMessages))
        let deviations = Deviations(rawValue: try long())
        var refused: [RecordRefusal: Int] = [:]
        var examples: [RecordRefusal: String] = [:]
        for reason in RecordRefusal.allCases {
            refused[reason] = try integerIfAny(in: 0...limits.maxRecords)
            examples[reason] = try textIfAny()
        }
        return ParsedReport(
            header: header, recordCount: records, messageCount: messages, deviations: deviations, refusedRecords: refused,
            refusedRecordExamples: examples, digest: ContentDigest(first: try long(), second: try long()))
    }

    /// `shared`: the bytes of the document before, and then of this one.
    mutating func document(_ limits: XMLLimits, now: Int, shared: inout [UInt8]?) throws(WireError) -> ReadDocument {
        let report = try report(limits, now: now)
        let batches = try list { reader throws(WireError) in try reader.batch(limits) }
        let attachment = try integer(in: -1...(1 << 20))
        let member = try text()
        switch try byte() {
        case 0: shared = nil
        case 1: break
        case 2: shared = try bytes()
        default: throw WireError(found: "bytes of no kind")
        }
        var document = ReadDocument(report: report, batches: batches, attachment: attachment, member: member, bytes: shared)
        if let value = try integerIfAny(in: 0...9) { document.sender.authenticity = try Self.known(Authenticity(rawValue: value)) }
        document.sender.mailFromDomain = try textIfAny()
        document.sender.voice = try textIfAny()
        document.sender.arrivedAt = try integerIfAny(in: 0...(now + limits.maxFutureDays * 86400))
        if let value = try integerIfAny(in: 0...9) { document.sender.rank = try Self.known(ReportSender.Rank(rawValue: value)) }
        return document
    }

    private static func known<Value>(_ value: Value?) throws(WireError) -> Value {
        guard let value else { throw WireError(found: "a number that stands for nothing") }
        return value
    }
}

// MARK: - Messages

extension WireWriter {
    mutating func put(_ message: ReadMessage, _ shared: inout SharedBytes) {
        // The closure of a list may not change what is passed in and out.
        put(UInt32(message.documents.count))
        for document in message.documents { put(document, sharesBytes: shared.isShared(document)) }
        put(list: message.refusals) { writer, refusal in
            writer.put(UInt8(refusal.scope == .message ? 0 : refusal.scope == .document ? 1 : 2))
            writer.put(refusal.code)
            writer.put(refusal.member)
            writer.put(refusal.detail)
            writer.put(refusal.records)
        }
        put(message.refusedDocuments)
        put(message.kind)
        put(message.kept != nil)
        if let kept = message.kept {
            put(kept.isMail)
            put(kept.bytes)
        }
        put(message.isDeferred)
        put(message.isAheadOfClock)
    }

    /// Which attachment's bytes were sent last: those of one are sent once.
    struct SharedBytes {
        private var attachment: Int?

        /// Whether the document has the bytes of the one before.
        mutating func isShared(_ document: ReadDocument) -> Bool {
            defer { attachment = document.bytes == nil ? nil : document.attachment }
            return document.bytes != nil && attachment == document.attachment
        }
    }
}

extension WireReader {
    /// The rest of a message; its key and its place were never sent.
    mutating func message(_ message: ReadMessage, _ limits: XMLLimits, now: Int, shared: inout [UInt8]?) throws(WireError) -> ReadMessage {
        var message = message
        let count = Int(try number())
        for _ in 0..<count { message.documents.append(try document(limits, now: now, shared: &shared)) }
        let place = message.place
        message.refusals = try list { reader throws(WireError) in
            let scope = try reader.byte()
            guard scope < 3 else { throw WireError(found: "no scope \(scope)") }
            return Refusal(
                scope: scope == 0 ? .message : scope == 1 ? .document : .records, code: try reader.word(), place: place,
                member: try reader.text(), detail: try reader.text(), records: try reader.integer(in: 0...limits.maxRecords))
        }
        message.refusedDocuments = try integer(in: 0...(1 << 30))
        message.kind = try word()
        if try bool() { message.kept = KeptMessage(isMail: try bool(), bytes: try bytes()) }
        message.isDeferred = try bool()
        message.isAheadOfClock = try bool()
        return message
    }
}
