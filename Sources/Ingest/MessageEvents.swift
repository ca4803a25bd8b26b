import DMARC
import Mail
import Store

/// What a worker tells the writer. A message is one `message`; only a report too large to be held comes in pieces before it.
enum IngestEvent: Sendable {
    /// A message begins that has a large report in it.
    case messageBegins(key: String, place: String)
    /// The large report begins.
    case reportBegins(ReportHeader)
    /// More of its records.
    case records(RecordBatch)
    /// It is complete.
    case reportEnds(ReadDocument)
    /// It was none after all, or will be sent again.
    case reportAbandoned
    /// Everything else about a message.
    case message(ReadMessage)
}

/// A document that could be read, with its records unless those went before it.
struct ReadDocument: Sendable {
    var report: ParsedReport
    var batches: [RecordBatch]
    var attachment: Int
    var member: String
    var bytes: [UInt8]?
    /// Known when its message is complete.
    var sender = ReportSender()
}

/// A message that was read.
struct ReadMessage: Sendable {
    var key: String
    var place: String
    /// Documents whose records are held.
    var documents: [ReadDocument] = []
    /// What is not stored of it.
    var refusals: [Refusal] = []
    /// Documents that were refused: `refusals` also has attachments that held no document.
    var refusedDocuments = 0
    /// What it is if no report is in it: the code.
    var kind = "not-a-report-mail"
    /// The whole message, if something of it is not stored: a better parser may read it.
    var kept: KeptMessage?
    /// Our fault, or the system's: it stays where it is for the next run.
    var isDeferred = false
    /// It is deferred because a report of it ends in the future by the clock of this machine, and by nothing else.
    var isAheadOfClock = false
    /// It was gone when it was to be read.
    var isVanished = false

    /// Records held, for the bound on memory.
    var weight: Int {
        documents.reduce(1 + (kept?.bytes.count ?? 0) / 64) { sum, document in
            document.batches.reduce(sum + (document.bytes?.count ?? 0) / 64) { $0 + $1.weight }
        }
    }
}
