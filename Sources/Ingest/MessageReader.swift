import DMARC
import Mail
import ReportStore
import ReportXML
import Unpacking

/// Reads messages: bytes → attachments → documents → reports. One for each worker thread.
final class MessageReader {
    private let options: IngestOptions
    private let unpacker: Unpacker
    private let mailReader: MailReader
    private let parser: ReportParser
    private let senderCheck: SenderCheck
    private var buffer: [UInt8] = []

    init(options: IngestOptions) {
        self.options = options
        unpacker = Unpacker(limits: options.limits.unpacking)
        mailReader = MailReader(limits: options.limits.mail, trustedServers: options.trustedServers)
        senderCheck = SenderCheck(organisation: options.organisations())
        parser = ReportParser(limits: options.limits.xml)
    }

    /// Reads `message` of `mailbox`. Pieces of a large report go to `emit` at once; the message itself is returned.
    func read(_ message: Message, of mailbox: String = "", emit: @escaping (IngestEvent) -> Bool) -> ReadMessage {
        var result = ReadMessage(key: message.key, place: message.place)
        do throws(MailError) {
            try message.read(into: &buffer)
        } catch {
            result.isVanished = error.code == .vanished
            result.isDeferred = error.isOurFault
            result.refusals.append(Refusal(scope: .message, code: error.code.rawValue, place: message.place, detail: error.found))
            return result
        }
        let name = lastComponent(message.place)
        if let objection = options.containment?.objection(to: message, mailbox: mailbox, buffer, name: name) {
            return refuse(result, objection, message.form)
        }
        unpacker.beginMessage()
        let sink = DocumentSink(
            parser: parser, options: options, senderCheck: senderCheck, message: result, deliveredAt: message.deliveredAt, emit: emit)
        buffer.withUnsafeBytes { bytes in
            if message.form == .file, sniff(bytes) != .none || !looksLikeMail(bytes) {
                readFile(bytes, name: name, sink)
            } else {
                readMail(bytes, sink)
            }
        }
        var read = sink.finishMessage()
        // A mail of which all was stored is in the database with its documents.
        if !read.refusals.isEmpty || !sink.hasReport, options.keeps(refused: !read.refusals.isEmpty) { read.kept = kept(message.form) }
        return read
    }

    private func kept(_ form: MessageForm) -> KeptMessage {
        KeptMessage(isMail: form == .mail, bytes: buffer.withUnsafeBytes { Unpacker.gzipCompressed($0) })
    }

    /// What is not read in this process, because it took another one down.
    private func refuse(_ message: ReadMessage, _ objection: Containment.Examination, _ form: MessageForm) -> ReadMessage {
        var message = message
        switch objection {
        case .sound: break
        case .fatal(let reason, let detail):
            message.refusals.append(Refusal(scope: .message, code: reason.rawValue, place: message.place, detail: detail))
            message.kept = kept(form)
        case .notExamined(let detail):
            message.isDeferred = true
            message.refusals.append(Refusal(scope: .message, code: "not-examined", place: message.place, detail: detail))
        }
        return message
    }

    private func lastComponent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// A file that is no mail: one attachment.
    private func readFile(_ bytes: UnsafeRawBufferPointer, name: String, _ sink: DocumentSink) {
        if bytes.isEmpty {
            sink.kind = "empty-file"
            return
        }
        sink.beginAttachment(nil, name: name, bytes: bytes)
        if isOutlookMessage(bytes) {
            sink.refuse(outlook: "")
            return
        }
        if sniff(bytes) == .none {
            sink.refuse(attachment: UnpackError(code: .unknownContainer, place: name, found: "neither gzip, zip, zlib nor XML"))
            return
        }
        unpack(bytes, name: name, sink)
    }

    /// A compound file ([MS-CFB] §2.2), which is what Outlook saves messages as.
    private func isOutlookMessage(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1])
    }

    private func readMail(_ bytes: UnsafeRawBufferPointer, _ sink: DocumentSink) {
        do throws(MailError) {
            let facts = try mailReader.read(bytes) { attachment, content in
                self.readPart(attachment, content, sink)
            }
            sink.mail = facts
        } catch {
            sink.refuse(message: error)
        }
    }

    private func readPart(_ attachment: Attachment, _ content: UnsafeRawBufferPointer, _ sink: DocumentSink) {
        if content.isEmpty {
            if !attachment.name.isEmpty { sink.kind = "empty-file" }
            return
        }
        let container = sniff(content)
        guard container != .none else {
            if isOutlookMessage(content) {
                sink.beginAttachment(attachment, name: attachment.name, bytes: content)
                sink.refuse(outlook: attachment.name)
            } else if !attachment.name.isEmpty {
                sink.kind = "other-attachment"
            }
            return
        }
        if container == .xml, !mayBeReport(attachment, content) { return }
        sink.beginAttachment(attachment, name: attachment.name, bytes: content)
        unpack(content, name: attachment.name, sink)
    }

    /// A text that begins with `<` is most often the body of the mail. As a body it counts only if it has the root of a report in it.
    private func mayBeReport(_ attachment: Attachment, _ content: UnsafeRawBufferPointer) -> Bool {
        guard attachment.mediaType.hasPrefix("text/") || attachment.mediaType.isEmpty, attachment.mediaType != "text/xml" else {
            return true
        }
        if attachment.mediaType != "text/html", !attachment.name.isEmpty { return true }
        let head = String(decoding: content.prefix(4096), as: UTF8.self)
        return head.contains("feedback")
    }

    private func unpack(_ bytes: UnsafeRawBufferPointer, name: String, _ sink: DocumentSink) {
        var receiver = DocumentSink.Receiver(sink: sink)
        do throws(UnpackError) {
            try unpacker.unpack(bytes, name: name, into: &receiver)
        } catch {
            sink.refuse(attachment: error)
        }
    }
}
