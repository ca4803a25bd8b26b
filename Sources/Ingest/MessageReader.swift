import DMARC
import Mail
import ReportXML
import Store
import Unpacking

/// Reads messages: bytes → attachments → documents → reports. One for each worker thread. Has them read in another process where there are such.
final class MessageReader {
    private var options: IngestOptions
    private let confined: ConfinedReader?
    private var batch = MessageBatch()
    // What is read elsewhere needs none of these here.
    private lazy var unpacker = Unpacker(limits: options.limits.unpacking)
    private lazy var mailReader = MailReader(limits: options.limits.mail, trustedServers: options.trustedServers)
    private lazy var parser = ReportParser(limits: options.limits.xml)
    private lazy var senderCheck = SenderCheck(organisation: options.organisations(), giver: options.givers())
    private var buffer: [UInt8] = []
    /// Mails in other forms inside the message at hand: how many, and how deep in one another.
    private var nestedMails = 0
    private var nestedDepth = 0

    init(options: IngestOptions) {
        self.options = options
        confined = options.readers.map(ConfinedReader.init)
    }

    /// Reads `message` of `mailbox`. Pieces of a large report go to `emit` at once; the message itself is returned.
    func read(_ message: Message, of mailbox: String = "", emit: @escaping (IngestEvent) -> Bool) -> ReadMessage {
        let result: ReadMessage
        switch fetch(message) {
        case .failure(let refused): return refused.message
        case .success(let known): result = known
        }
        let head = head(of: message)
        if let objection = options.containment?.objection(to: message, mailbox: mailbox, buffer, name: head.name) {
            return refuse(result, objection, message.form, buffer)
        }
        if let confined { return read(buffer, head, result, confined, emit) }
        return buffer.withUnsafeBytes { read($0, head, result, keepsRaw: options.keepsRaw, emit: emit) }
    }

    /// Reads messages of which none is to be looked at before, together where they are read in another process. They go to `emit` like the pieces of
    /// their reports, each in its turn. False: the writer has given up.
    func read(together messages: ArraySlice<Message>, emit: @escaping (IngestEvent) -> Bool) -> Bool {
        guard let confined else { return messages.allSatisfy { emit(.message(read($0, emit: emit))) } }
        batch.removeAll()
        for message in messages {
            switch fetch(message) {
            case .failure(let refused):
                if !batch.hasRoom(for: 0), !finish(confined, emit) { return false }
                batch.add(settled: refused.message)
            case .success(let known):
                if !batch.hasRoom(for: buffer.count), !finish(confined, emit) { return false }
                batch.add(buffer, head(of: message), known, keepsRaw: options.keepsRaw)
                // It shares the buffer, which the next one would have to have anew.
                if batch.large != nil, !finish(confined, emit) { return false }
            }
        }
        return finish(confined, emit)
    }

    /// A message whose bytes are not to be had.
    private struct Unread: Error {
        var message: ReadMessage
    }

    /// Puts the bytes of a message into `buffer`.
    private func fetch(_ message: Message) -> Result<ReadMessage, Unread> {
        var result = ReadMessage(key: message.key, place: message.place)
        do throws(MailError) {
            try message.read(into: &buffer)
            return .success(result)
        } catch {
            result.isVanished = error.code == .vanished
            result.isDeferred = error.isOurFault
            result.refusals.append(Refusal(scope: .message, code: error.code.rawValue, place: message.place, detail: error.found))
            return .failure(Unread(message: result))
        }
    }

    private func head(of message: Message) -> MessageHead {
        MessageHead(
            form: message.form, name: lastComponent(message.place), deliveredAt: message.deliveredAt,
            keepsRefused: options.keeps(refused: true), keepsOther: options.keeps(refused: false))
    }

    /// Reads the bytes of a message; `message` is what is known of it already.
    func read(
        _ bytes: UnsafeRawBufferPointer, _ head: MessageHead, _ message: ReadMessage, keepsRaw: Bool,
        emit: @escaping (IngestEvent) -> Bool
    ) -> ReadMessage {
        options.keepsRaw = keepsRaw
        unpacker.beginMessage()
        let sink = DocumentSink(
            parser: parser, options: options, senderCheck: senderCheck, message: message, deliveredAt: head.deliveredAt, emit: emit)
        readMessage(bytes, head.form, name: head.name, sink)
        var read = sink.finishMessage()
        // A mail of which all was stored is in the database with its documents; one that is deferred stays where it is.
        if !read.isDeferred, !read.refusals.isEmpty || !sink.hasReport, read.refusals.isEmpty ? head.keepsOther : head.keepsRefused {
            read.kept = Self.kept(bytes, head.form)
        }
        return read
    }

    /// Has the messages of `batch` read in another process. Which of them ended it nobody knows but by reading each alone that has no answer.
    private func finish(_ confined: ConfinedReader, _ emit: @escaping (IngestEvent) -> Bool) -> Bool {
        defer { batch.removeAll() }
        var done = 0
        let outcome = confined.read(batch, emit: emit) { message in
            done += 1
            return emit(.message(message))
        }
        switch outcome {
        case .done: return true
        case .unwanted: return false
        case .lost(let loss):
            for (index, entry) in batch.entries.enumerated().dropFirst(done) {
                let isBlamed = index == done && (loss.isBegun || batch.entries.count == 1)
                let message =
                    entry.place == nil
                    ? entry.message
                    : read(batch.bytes(of: entry), entry.head, entry.message, confined, emit, after: isBlamed ? loss : nil)
                guard emit(.message(message)) else { return false }
            }
            return true
        }
    }

    /// Has a message read in another process, alone. If that ends the process it is looked at once more: it is to blame only if it does so again.
    /// With `loss` it was read once already.
    private func read(
        _ bytes: [UInt8], _ head: MessageHead, _ message: ReadMessage, _ confined: ConfinedReader,
        _ emit: @escaping (IngestEvent) -> Bool, after loss: ConfinedReader.Loss? = nil
    ) -> ReadMessage {
        var alone = MessageBatch()
        alone.add(bytes, head, message, keepsRaw: options.keepsRaw)
        var loss = loss
        var isSecond = false
        while true {
            if loss == nil {
                var result = message
                switch confined.read(
                    alone, emit: emit,
                    done: {
                        result = $0; return true
                    })
                {
                case .done, .unwanted: return result
                case .lost(let other): loss = other
                }
            }
            guard let lost = loss else { continue }
            let found = options.containment?.examine(bytes, head.form, head.name) ?? .notExamined(detail: lost.how)
            if found != .sound { return refuse(message, found, head.form, bytes) }
            // Somebody else's doing, or chance. What was passed on of it once is not passed on twice.
            if isSecond || lost.isBegun { return refuse(message, .notExamined(detail: lost.how), head.form, bytes) }
            isSecond = true
            loss = nil
        }
    }

    private static func kept(_ bytes: UnsafeRawBufferPointer, _ form: MessageForm) -> KeptMessage {
        KeptMessage(isMail: form == .mail, bytes: Unpacker.gzipCompressed(bytes))
    }

    /// What is not read in this process, because it took another one down.
    private func refuse(
        _ message: ReadMessage, _ objection: Containment.Examination, _ form: MessageForm, _ bytes: [UInt8]
    ) -> ReadMessage {
        var message = message
        switch objection {
        case .sound: break
        case .fatal(let reason, let detail):
            message.refusals.append(Refusal(scope: .message, code: reason.rawValue, place: message.place, detail: detail))
            message.kept = bytes.withUnsafeBytes { Self.kept($0, form) }
        case .notExamined(let detail):
            message.isDeferred = true
            message.refusals.append(Refusal(scope: .message, code: "not-examined", place: message.place, detail: detail))
        }
        return message
    }

    private func lastComponent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    // MARK: - Files and mails

    /// Content decides whether a file is a mail, and whether either is compressed as a whole.
    private func readMessage(_ bytes: UnsafeRawBufferPointer, _ form: MessageForm, name: String, _ sink: DocumentSink) {
        nestedMails = 0
        if !bytes.contains(0x0a), looksLikeMail(bytes), bytes.contains(0x0d) {
            // The line ends of old Macs.
            let lines = bytes.map { $0 == 0x0d ? 0x0a : $0 }
            return lines.withUnsafeBytes { readMessage($0, form, name: name, sink) }
        }
        let text = withoutLeadingBlanks(bytes)
        let container = sniff(bytes)
        if container.isStream {
            guard let head = try? Unpacker.content(of: bytes, container, maxBytes: 1024, isHeadOnly: true),
                head.withUnsafeBytes({ sniff($0) == .none && isMail(withoutLeadingBlanks($0)) })
            else { return form == .file ? readFile(bytes, name: name, sink) : readMail(bytes, sink) }
            return readCompressed(bytes, container, name: name, sink)
        }
        if form == .file, container != .none || !looksLikeMail(text) { return readFile(bytes, name: name, sink) }
        if form == .mail, !looksLikeMail(text) {
            // What a mail server keeps in a form of its own.
            let kept = AttachmentForm(bytes)
            if kept == .dovecotLZ4 || kept == .encrypted {
                sink.beginAttachment(nil, name: name, bytes: bytes)
                return judge(kept, PartClaims(name: name, size: bytes.count), bytes, sink)
            }
        }
        readMail(looksLikeMail(text) ? text : bytes, sink)
    }

    /// A mail that is compressed as a whole, as Dovecot keeps them (flag `Z`) and people archive them.
    private func readCompressed(_ bytes: UnsafeRawBufferPointer, _ container: Container, name: String, _ sink: DocumentSink) {
        do throws(UnpackError) {
            let content = try Unpacker.content(of: bytes, container, maxBytes: options.limits.mail.maxMessageBytes)
            content.withUnsafeBytes { content in
                let text = withoutLeadingBlanks(content)
                let several = mails(in: text)
                if several.count < 2 { return readMail(several[0], sink) }
                sink.beginAttachment(nil, name: name, bytes: bytes)
                readNested(text, Attachment(file: name), sink)
            }
        } catch {
            sink.beginAttachment(nil, name: name, bytes: bytes)
            let limit = error.code == .unpackedTooLarge ? " (limits.message_bytes)" : ""
            sink.refuse(attachment: UnpackError(code: error.code, place: name, found: "a compressed mail: " + error.found + limit))
        }
    }

    /// A file that is no mail: one attachment.
    private func readFile(_ bytes: UnsafeRawBufferPointer, name: String, _ sink: DocumentSink) {
        if bytes.isEmpty {
            sink.kind = "empty-file"
            return
        }
        sink.beginAttachment(nil, name: name, bytes: bytes)
        let form = AttachmentForm(bytes)
        switch form {
        case .container: unpack(bytes, name: name, sink)
        case .base64(let inner): inner.withUnsafeBytes { readNested($0, Attachment(file: name), sink) }
        case .secure(.signed(let inner)): inner.withUnsafeBytes { readNested($0, Attachment(file: name), sink) }
        case .uuencoded(let files): for file in files { file.withUnsafeBytes { readNested($0, Attachment(file: name), sink) } }
        default:
            if case .refuse(let code, let detail) = PartRule.verdict(form, PartClaims(name: name, size: bytes.count), bytes) {
                sink.refuse(part: nil, code: code, detail: detail)
            } else {
                sink.refuse(
                    attachment: UnpackError(
                        code: .unknownContainer, place: name, found: "neither gzip, zip, zlib, bzip2, xz, zstd, lz4 nor XML"))
            }
        }
    }

    private func readMail(_ bytes: UnsafeRawBufferPointer, _ sink: DocumentSink) {
        do throws(MailError) {
            var facts = try mailReader.read(bytes) { attachment, content in
                self.readPart(attachment, content, sink)
            }
            if let inner = sink.innerFacts { facts.note(inner: inner) }
            sink.mail = facts
        } catch {
            sink.refuse(message: error)
        }
    }

    // MARK: - Parts

    private func readPart(_ attachment: Attachment, _ content: UnsafeRawBufferPointer, _ sink: DocumentSink) {
        let facts = mailReader.current
        var claims = PartClaims(name: attachment.name, mediaType: attachment.mediaType, size: content.count)
        claims.subject = facts.subject
        claims.author = facts.from
        // Our own mail come back, whatever is in it.
        if attachment.isReturned || (facts.isFromMailSystem && !PartRule.isReportOfMailSystem(claims)) {
            sink.hasReturned = true
            return
        }
        if content.isEmpty {
            if !attachment.name.isEmpty { sink.kind = "empty-file" }
            return
        }
        var form = AttachmentForm(content)
        if form == .container(.xml), !mayBeReport(attachment, content) { form = .text }
        if form == .mail, facts.returnsMail {
            sink.hasReturned = true
            return
        }
        sink.beginAttachment(attachment, name: attachment.name, bytes: content)
        judge(form, claims, content, sink)
    }

    /// Opens, refuses or passes over a part, which the sink knows.
    private func judge(_ form: AttachmentForm, _ claims: PartClaims, _ content: UnsafeRawBufferPointer, _ sink: DocumentSink) {
        switch PartRule.verdict(form, claims, content) {
        case .refuse(let code, let detail): sink.refuse(part: claims.name, code: code, detail: detail)
        case .refuseIfAlone(let code, let detail): sink.refuseIfAlone(claims.name, code: code, detail: detail)
        case .pass(let kind):
            if let kind { sink.kind = kind }
            if form == .json, claims.mediaType.hasPrefix("application/tlsrpt") { sink.tlsReportName = claims.name }
        case .open:
            switch form {
            case .base64(let inner), .secure(.signed(let inner)):
                inner.withUnsafeBytes { readNested($0, sink.part ?? Attachment(file: claims.name), sink) }
            case .mail:
                // The bytes lie in a buffer that the mail inside will use.
                let copy = Array(content)
                copy.withUnsafeBytes { readNested($0, sink.part ?? Attachment(file: claims.name), sink) }
            case .uuencoded(let files):
                let part = sink.part ?? Attachment(file: claims.name)
                for file in files { file.withUnsafeBytes { readNested($0, part, sink) } }
            default: unpack(content, name: claims.name, sink)
            }
        }
    }

    /// What lies in a part in another form: a mail or a piece of one, several mails, a container, a document.
    private func readNested(_ bytes: UnsafeRawBufferPointer, _ attachment: Attachment, _ sink: DocumentSink) {
        let text = withoutLeadingBlanks(bytes)
        for piece in text.starts(with: "From ".utf8) ? mails(in: text) : [bytes] { readNested(one: piece, attachment, sink) }
    }

    private func readNested(one bytes: UnsafeRawBufferPointer, _ attachment: Attachment, _ sink: DocumentSink) {
        nestedMails += 1
        nestedDepth += 1
        defer { nestedDepth -= 1 }
        guard nestedDepth <= MailLimits.maxNestedDepth, nestedMails <= MailLimits.maxNestedMails else {
            sink.refuse(
                part: attachment.name, code: MailError.Code.mimeTooDeep.rawValue,
                detail: "mails in mails: more than \(MailLimits.maxNestedMails), or nested deeper than \(MailLimits.maxNestedDepth)")
            return
        }
        let container = sniff(bytes)
        if container != .none {
            sink.beginAttachment(attachment, name: attachment.name, bytes: bytes)
            unpack(bytes, name: attachment.name, sink)
            return
        }
        do throws(MailError) {
            let facts = try mailReader.read(withoutLeadingBlanks(bytes)) { attachment, content in
                var attachment = attachment
                attachment.insideMessage = true
                self.readPart(attachment, content, sink)
            }
            sink.note(inner: facts)
        } catch {
            sink.refuse(part: attachment.name, code: error.code.rawValue, detail: error.found)
        }
    }

    /// A text that begins with `<` is most often the body of the mail. As a body it counts only if it has the root of a report in it.
    private func mayBeReport(_ attachment: Attachment, _ content: UnsafeRawBufferPointer) -> Bool {
        guard attachment.mediaType.hasPrefix("text/") || attachment.mediaType.isEmpty, attachment.mediaType != "text/xml" else {
            return true
        }
        if attachment.mediaType != "text/html", !attachment.name.isEmpty { return true }
        let head = String(decoding: content.prefix(4096), as: UTF8.self)
        // With a namespace it may have a prefix.
        return head.contains("<feedback") || head.contains(":feedback")
    }

    private func unpack(_ bytes: UnsafeRawBufferPointer, name: String, _ sink: DocumentSink) {
        var receiver = DocumentSink.Receiver(sink: sink)
        do throws(UnpackError) {
            try unpacker.unpack(bytes, name: name, into: &receiver)
        } catch {
            sink.refuse(attachment: error)
        }
        guard !receiver.files.isEmpty else { return }
        // Only mails and what could hold one: if nothing comes of them the archive holds no report, as any other.
        let before = sink.findings
        let part = sink.part ?? Attachment(file: name)
        for file in receiver.files { readFile(file.content, file.member, of: part, sink) }
        if sink.findings == before, sink.findings == receiver.findingsBefore {
            sink.refuse(
                part: name, code: UnpackError.Code.noReportInArchive.rawValue, detail: "what could hold a report in it holds none")
        }
    }

    /// What lay in an archive, by its content, as if it were attached to the mail itself.
    private func readFile(_ content: [UInt8], _ member: String, of part: Attachment, _ sink: DocumentSink) {
        var inner = part
        let facts = mailReader.current
        if !member.isEmpty { (inner.name, inner.mediaType) = (part.name + "!" + member, "") }
        var claims = PartClaims(name: inner.name, mediaType: inner.mediaType, size: content.count)
        claims.subject = facts.subject
        claims.author = facts.from
        content.withUnsafeBytes { bytes in
            sink.beginAttachment(inner, name: inner.name, bytes: bytes)
            judge(AttachmentForm(bytes), claims, bytes, sink)
        }
    }
}

extension Attachment {
    /// A file that counts as an attachment.
    fileprivate init(file name: String) {
        self.init(name: name, mediaType: "", hasContentType: false, container: "", insideMessage: false, isWholeBody: true)
    }
}
