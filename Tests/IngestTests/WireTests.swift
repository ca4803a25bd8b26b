import DMARC
import Foundation
import Mail
import ReportXML
import Testing

@testable import Ingest

/// What goes between the process that collects and those that read: whole there and back, and harmless whatever comes back.
@Suite("Wire")
struct WireTests {
    private static let limits = XMLLimits()

    /// One answer of a reader, as it is sent.
    private struct Frame {
        var kind: WireFrame
        var bytes: [UInt8]
    }

    /// Every answer about every sample.
    private static func frames() throws -> [Frame] {
        var options = Samples.options()
        options.limits.xml.maxRecords = XMLLimits().maxRecords
        let reader = MessageReader(options: options)
        var frames: [Frame] = []
        for sample in Samples.all {
            let bytes = try Data(contentsOf: Samples.folder.appending(path: sample))
            var shared = WireWriter.SharedBytes()
            func add(_ kind: WireFrame, _ body: (inout WireWriter) -> Void) {
                var writer = WireWriter()
                writer.begin()
                body(&writer)
                writer.end(kind.rawValue)
                frames.append(Frame(kind: kind, bytes: Array(writer.bytes.dropFirst(WireWriter.headerBytes))))
            }
            let content = [UInt8](bytes)
            let message = content.withUnsafeBytes { bytes in
                reader.read(
                    bytes, MessageHead(form: sample.hasSuffix(".eml") ? .mail : .file, name: sample, keepsRefused: true, keepsOther: true),
                    ReadMessage(key: "", place: "here"), keepsRaw: true
                ) { event in
                    switch event {
                    case .reportBegins(let header): add(.reportBegins) { $0.put(header) }
                    case .records(let batch): add(.records) { $0.put(batch) }
                    case .reportEnds(let document): add(.reportEnds) { $0.put(document, sharesBytes: shared.isShared(document)) }
                    default: break
                    }
                    return true
                }
            }
            add(.message) { $0.put(message, &shared) }
            for document in message.documents { for batch in document.batches { add(.records) { $0.put(batch) } } }
        }
        return frames
    }

    /// Reads an answer and writes it again.
    private static func again(_ frame: Frame) throws -> [UInt8] {
        var writer = WireWriter()
        writer.begin()
        var bytes: [UInt8]? = []
        let now = Samples.options().now
        try frame.bytes.withUnsafeBytes { content in
            var reader = WireReader(content)
            switch frame.kind {
            case .reportBegins: writer.put(try reader.header(limits, now: now))
            case .records: writer.put(try reader.batch(limits))
            case .reportEnds: writer.put(try reader.document(limits, now: now, shared: &bytes), sharesBytes: false)
            case .message:
                let message = try reader.message(ReadMessage(key: "", place: "here"), limits, now: now, shared: &bytes)
                var shared = WireWriter.SharedBytes()
                writer.put(message, &shared)
                #expect(message.refusals.allSatisfy { $0.place == "here" })
            default: break
            }
            try reader.requireEnd()
        }
        return Array(writer.bytes.dropFirst(WireWriter.headerBytes))
    }

    @Test("what is read again is what was sent, digests too")
    func roundTrip() throws {
        let frames = try Self.frames()
        #expect(frames.filter { $0.kind == .message }.count == Samples.all.count)
        #expect(frames.contains { $0.kind == .records })
        for frame in frames { #expect(try Self.again(frame) == frame.bytes) }
        let options = Samples.options()
        let reader = MessageReader(options: options)
        let report = try Data(contentsOf: Samples.folder.appending(path: try #require(Samples.all.first { $0.hasSuffix(".xml") })))
        let message = [UInt8](report).withUnsafeBytes {
            reader.read($0, MessageHead(form: .file, name: ""), ReadMessage(key: "", place: ""), keepsRaw: false) { _ in true }
        }
        for batch in message.documents.flatMap(\.batches) {
            var writer = WireWriter()
            writer.begin()
            writer.put(batch)
            let read = try writer.bytes.withUnsafeBytes { bytes in
                var reader = WireReader(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(WireWriter.headerBytes)))
                return try reader.batch(Self.limits)
            }
            #expect(read.authenticationDigests == batch.authenticationDigests && read.records == batch.records)
        }
    }

    @Test("an answer that ends early, goes on, or has any other byte in it is refused or is an answer; nothing else happens")
    func damaged() throws {
        var generator = SystemRandomNumberGenerator()
        let frames = try Self.frames()
        var refused = 0
        for _ in 0..<20_000 {
            var frame = frames[Int.random(in: frames.indices, using: &generator)]
            guard !frame.bytes.isEmpty, frame.bytes.count < 20_000 else { continue }
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: frame.bytes.removeLast(Int.random(in: 1...frame.bytes.count, using: &generator))
            case 1: frame.bytes.append(UInt8.random(in: 0...255, using: &generator))
            case 2:
                let place = Int.random(in: frame.bytes.indices, using: &generator)
                let value: UInt8 = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
                for index in place..<min(frame.bytes.count, place + 4) { frame.bytes[index] = value }
            default: frame.bytes[Int.random(in: frame.bytes.indices, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            }
            do {
                let again = try Self.again(frame)
                // What is an answer is one to the next reader, too.
                #expect(try Self.again(Frame(kind: frame.kind, bytes: again)) == again)
            } catch is WireError {
                refused += 1
            }
        }
        #expect(refused > 1000)
    }

    @Test("what no parser sends is refused: records beyond the tables, counts beyond the limit, windows of the future")
    func lies() throws {
        func refuses(_ body: (inout WireWriter) -> Void, _ read: (inout WireReader) throws -> Void) -> Bool {
            var writer = WireWriter()
            writer.begin()
            body(&writer)
            return writer.bytes.withUnsafeBytes { bytes in
                var reader = WireReader(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(WireWriter.headerBytes)))
                do {
                    try read(&reader)
                    return false
                } catch {
                    return error is WireError
                }
            }
        }
        func record(_ change: (inout Record) -> Void) -> RecordBatch {
            var batch = RecordBatch()
            batch.names = ["example.org"]
            batch.authentications = [AuthenticationSet()]
            batch.authenticationDigests = [ReportParser.digest(of: AuthenticationSet())]
            var record = Record(
                source: IPAddress(ipv4: 1), messages: 1, sequence: 0, disposition: .none, dkim: .pass, spf: .fail, headerFrom: 0,
                envelopeFrom: Record.absent, envelopeTo: Record.absent, authentication: 0, overrides: Record.absent)
            change(&record)
            batch.records = [record]
            return batch
        }
        let changes: [(inout Record) -> Void] = [
            { $0.headerFrom = 1 }, { $0.envelopeFrom = 7 }, { $0.envelopeTo = Record.absent - 1 }, { $0.authentication = Record.absent },
            { $0.authentication = 1 }, { $0.overrides = 0 }, { $0.messages = 1_000_000_001 }, { $0.sequence = 1_000_000 },
        ]
        #expect(!refuses({ $0.put(record { _ in }) }, { _ = try $0.batch(Self.limits) }))
        for change in changes { #expect(refuses({ $0.put(record(change)) }, { _ = try $0.batch(Self.limits) })) }
        let now = Samples.options().now
        var header = ReportHeader()
        for (begin, end) in [(0, 1), (now - 86400, now + 86400 * 3), (now - 86400 * 400, now), (.max, .max)] {
            header.window = ReportWindow(begin: begin, end: end)
            #expect(refuses({ $0.put(header) }, { _ = try $0.header(Self.limits, now: now) }), "\(begin) \(end)")
        }
    }
}
