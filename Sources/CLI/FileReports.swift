import DMARC
import Ingest
import Questions
import Store

/// Reports straight from files, for `show`.
enum FileReports {
    /// All reports at `path`, and what was refused there. Needs no database and stores nothing.
    static func read(_ path: String, _ configuration: Configuration, _ context: Context) throws -> [ShownReport] {
        var options = configuration.ingestOptions(now: context.now)
        options.standardInput = context.standardInput
        let readers = configuration.readers(context)
        defer { readers?.end() }
        options.readers = readers
        do throws(IngestError) {
            return try readReports(path: path, options: options).map { read in
                let detail = read.report.map { ReportDetail($0, read.batches, read.sender) }
                return ShownReport(place: read.place, detail: detail, refusal: read.refusal)
            }
        } catch {
            if case .mailbox(let cause) = error { throw CommandError.input(cause) }
            throw error.underlying
        }
    }
}

extension ReportDetail {
    /// A parsed report with the batches that its records came in.
    init(_ report: ParsedReport, _ batches: [RecordBatch], _ sender: ReportSender) {
        let domain = report.header.policy.domain
        self.init(
            id: nil, isCounted: true, header: report.header, deviations: report.deviations,
            refusedRecords: report.refusedRecords.values.reduce(0, +),
            sender: sender, records: batches.flatMap { batch in batch.records.map { RecordDetail($0, in: batch, domain: domain) } })
    }
}

extension RecordDetail {
    /// A record with its texts taken from the tables of its batch.
    init(_ record: Record, in batch: RecordBatch, domain: String) {
        func name(_ index: Record.Index) -> String? { batch.names.indices.contains(Int(index)) ? batch.names[Int(index)] : nil }
        let authentications = batch.authentications
        let authentication = Int(record.authentication)
        let overrides = Int(record.overrides)
        self.init(
            sequence: Int(record.sequence), source: record.source, messages: Int(record.messages), disposition: record.disposition,
            dkim: record.dkim, spf: record.spf, headerFrom: name(record.headerFrom) ?? domain, envelopeFrom: name(record.envelopeFrom),
            envelopeTo: name(record.envelopeTo),
            authentication: authentications.indices.contains(authentication) ? authentications[authentication] : AuthenticationSet(),
            overrides: batch.overrides.indices.contains(overrides) ? batch.overrides[overrides] : [])
    }
}
