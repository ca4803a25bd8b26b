import DMARC
import Mail
import Store

/// A report as it stands in a file, or why there is none.
public struct ReadReport: Sendable {
    /// The file or message, and the member in it.
    public var place: String
    /// The report, if it could be read.
    public var report: ParsedReport?
    /// Its records.
    public var batches: [RecordBatch]
    /// What is known of the mail that it came in.
    public var sender = ReportSender()
    /// Why it could not be read.
    public var refusal: (code: String, detail: String)?
}

/// Reads the reports of a file, a mail or a whole mailbox without any database. Reports are held in memory: this is for looking at them.
public func readReports(path: String, options: IngestOptions) throws(IngestError) -> [ReadReport] {
    var found: [ReadReport] = []
    do throws(MailError) {
        let mailbox = try openMailbox(
            path: path, standardInput: options.standardInput, limits: options.limits.mail, isKnown: { _ in false })
        var options = options
        options.keepsRaw = false
        let reader = MessageReader(options: options)
        while true {
            let messages = try mailbox.next(32)
            if messages.isEmpty { break }
            for message in messages { found += read(message, reader) }
        }
    } catch {
        throw .mailbox(error)
    }
    return found
}

private func read(_ message: Message, _ reader: MessageReader) -> [ReadReport] {
    var found: [ReadReport] = []
    var batches: [RecordBatch] = []
    func name(_ member: String) -> String { member.isEmpty ? message.place : message.place + "!" + member }
    let result = reader.read(message) { event in
        switch event {
        case .reportBegins, .reportAbandoned: batches = []
        case .records(let batch): batches.append(batch)
        case .reportEnds(let document):
            found.append(ReadReport(place: name(document.member), report: document.report, batches: batches, sender: document.sender))
            batches = []
        case .messageBegins, .message: break
        }
        return true
    }
    for document in result.documents {
        found.append(ReadReport(place: name(document.member), report: document.report, batches: document.batches, sender: document.sender))
    }
    for refusal in result.refusals {
        found.append(ReadReport(place: name(refusal.member), report: nil, batches: [], refusal: (refusal.code, refusal.detail)))
    }
    if found.isEmpty {
        found.append(ReadReport(place: message.place, report: nil, batches: [], refusal: (result.kind, "there is no report in it")))
    }
    return found
}
