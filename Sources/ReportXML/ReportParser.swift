import CLibXML2
import DMARC

/// XML bytes → report and named deviations. One for each thread; a parser is used for one document after another.
///
/// A document is given in pieces of any size (`begin`, `parse`…, `finish`), its records are taken in batches (`takeBatches`), so memory does not
/// grow with the document. libxml2's SAX2 push parser reads it without any entity handler, without DTD, schema or network.
///
/// The first pass is strict. If it ends with an error that `isRepairable`, the same bytes may be given once more in a repairing pass, whose
/// report carries the deviations that made it necessary.
public final class ReportParser {
    /// How a document is read.
    public enum Pass: Sendable {
        /// Well-formed XML only.
        case strict
        /// Mended on the way in, and with libxml2's recovery.
        case repairing
    }

    private let limits: XMLLimits
    private let tokenCount = Vocabulary.names.count
    private let table = Vocabulary.makeTable()
    private let scratch: Scratch
    private var context: Context?
    private var pass = Pass.strict
    private var state: UnsafeMutablePointer<DocumentState>?

    /// A parser with `limits`.
    public init(limits: XMLLimits = XMLLimits()) {
        self.limits = limits
        scratch = Scratch(limits: limits)
    }

    deinit {
        discardState()
        table.deallocate()
    }

    /// Starts a document. `now` (seconds since 1970) decides what is too far in the future.
    public func begin(_ pass: Pass, now: Int) {
        discardState()
        self.pass = pass
        let state = UnsafeMutablePointer<DocumentState>.allocate(capacity: 1)
        state.initialize(
            to: DocumentState(
                limits: limits, latestEnd: now + limits.maxFutureSeconds, table: table, scratch: scratch, tokenCount: tokenCount))
        self.state = state
        if context == nil || context?.isWornOut == true { context = Context() }
        context?.reset(state, recovering: pass == .repairing)
    }

    private func discardState() {
        state?.deinitialize(count: 1)
        state?.deallocate()
        state = nil
    }

    /// Takes the next piece of the document. False: no more is needed, because the document is refused or has to be read again.
    public func parse(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let state, let context else { return false }
        if state.pointee.hasBegun {
            feed(bytes, state, context)
        } else if bytes.count >= 1024, state.pointee.head.isEmpty {
            beginContent(bytes, state, context)
        } else {
            state.pointee.head.append(contentsOf: bytes)
            if state.pointee.head.count >= 1024 { beginHeld(state, context) }
        }
        return state.pointee.isReadable
    }

    /// Begins with what was held back until there was enough of it.
    private func beginHeld(_ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing Context) {
        var head: [UInt8] = []
        swap(&head, &state.pointee.head)
        head.withUnsafeBytes { beginContent($0, state, context) }
    }

    /// Looks at the head of the document, then feeds it.
    private func beginContent(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing Context) {
        // Nothing but blanks so far: they are dropped, and the head is still to come.
        if let first = bytes.first, first <= 0x20, bytes.allSatisfy({ $0 <= 0x20 }) {
            state.pointee.builder.note(.looseProlog)
            return
        }
        let prolog = Prolog(bytes)
        state.pointee.hasBegun = true
        if prolog.hasByteOrderMark { state.pointee.builder.note(.byteOrderMark) }
        if !prolog.hasDeclaration { state.pointee.builder.note(.looseProlog) }
        guard prolog.isKnown else {
            state.pointee.builder.fail(.unknownEncoding, "encoding \(prolog.encoding ?? "") is not one that reports are written in")
            return
        }
        if !prolog.isUTF8 { state.pointee.builder.note(.legacyEncoding) }
        if pass == .repairing, !prolog.isUTF16 {
            state.pointee.filter = RepairFilter(isUTF8: prolog.isUTF8)
            if let encoding = prolog.encoding, !prolog.isUTF8 {
                let declaration = Array("<?xml version=\"1.0\" encoding=\"\(encoding)\"?>".utf8)
                declaration.withUnsafeBytes { push($0, state, context) }
            }
        }
        feed(UnsafeRawBufferPointer(rebasing: bytes[prolog.skippedBytes...]), state, context)
    }

    private func feed(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing Context) {
        guard state.pointee.isReadable else { return }
        if state.pointee.filter == nil {
            push(bytes, state, context)
            return
        }
        filter(bytes, isLast: false, state, context)
    }

    private func filter(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing Context
    ) {
        var mended: [UInt8] = []
        mended.reserveCapacity(bytes.count + 128)
        state.pointee.filter?.process(bytes, isLast: isLast, into: &mended)
        if state.pointee.filter?.sawDoctype == true {
            state.pointee.builder.fail(.doctype, "a document type declaration")
            return
        }
        mended.withUnsafeBytes { push($0, state, context) }
    }

    /// Gives libxml2 1 KiB at a time and stops at the first sign that the document is no report.
    private func push(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing Context) {
        var offset = 0
        while offset < bytes.count {
            if state.pointee.builder.rootIsClosed {
                state.pointee.noteTrailing(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
                return
            }
            let count = min(1024, bytes.count - offset)
            state.pointee.builder.pushedBytes &+= count
            let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
            context.push(piece, state)
            offset += count
            guard state.pointee.isReadable else { return }
            if state.pointee.builder.pushedBytes &- state.pointee.builder.bytesAtLastEvent > limits.maxMarkupBytes,
                !state.pointee.builder.rootIsClosed
            {
                // A raw `&` makes libxml2 wait for a `;` that may be far away: no flood, but something to mend.
                if pass == .strict, context.isWaitingForSemicolon {
                    state.pointee.builder.fail(.malformed, "an & that begins no entity")
                    return
                }
                state.pointee.builder.fail(
                    .markupTooLong, "more than \(limits.maxMarkupBytes) bytes without a tag or text coming to an end")
                return
            }
            state.pointee.keepTail(of: piece)
        }
    }

    /// Whether full batches wait to be taken.
    public var hasFullBatch: Bool { state?.pointee.builder.hasFullBatch ?? false }

    /// Takes the full batches; after `finish` the last one, too. Each is self-contained.
    public func takeBatches() -> [RecordBatch] { state?.pointee.builder.takeBatches() ?? [] }

    /// The header, once metadata and policy were read; nil while they are missing.
    public var headerIfComplete: ReportHeader? { state?.pointee.builder.headerIfComplete }

    /// The end of the document. The last records are still to be taken.
    public func finish() throws(ReportError) -> ParsedReport {
        guard let state, let context else { throw ReportError(code: .malformed, found: "no document") }
        if !state.pointee.hasBegun { beginHeld(state, context) }
        if state.pointee.isReadable, state.pointee.filter != nil {
            filter(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true, state, context)
        }
        if let failure = state.pointee.builder.failure {
            context.wearOut()
            throw failure
        }
        if !state.pointee.builder.rootIsClosed {
            if state.pointee.isReadable { context.finish(state) }
            context.wearOut()
            try endWithoutRoot(state)
        }
        if let filter = state.pointee.filter {
            noteRepairs(filter, state)
        } else if state.pointee.xmlError != nil, state.pointee.builder.rootIsClosed {
            // An error after the root was closed: there is more behind the report.
            state.pointee.builder.note(.trailingContent)
            context.wearOut()
        }
        return try state.pointee.builder.finish().get()
    }

    /// The root was not closed. Only the end of its own closing tag may be missing: after any other cut nobody knows what is gone.
    private func endWithoutRoot(_ state: UnsafeMutablePointer<DocumentState>) throws(ReportError) {
        if let failure = state.pointee.builder.failure { throw failure }
        let isCut =
            state.pointee.xmlError == nil || (state.pointee.xmlErrorAtEnd && !state.pointee.xmlErrorIsReference) || pass == .repairing
        guard isCut else {
            throw ReportError(code: .malformed, line: state.pointee.xmlErrorLine, found: state.pointee.xmlError ?? "not well-formed")
        }
        guard state.pointee.builder.sawRoot else {
            throw ReportError(code: .malformed, line: state.pointee.xmlErrorLine, found: state.pointee.xmlError ?? "no element at all")
        }
        guard state.pointee.builder.depth == 1, state.pointee.endsInClosingTag else {
            throw ReportError(
                code: .truncated, line: state.pointee.builder.line,
                found: "the document ends inside \(state.pointee.builder.depth) open elements; what is missing cannot be counted")
        }
        state.pointee.builder.note(.closingTagCut)
    }

    private func noteRepairs(_ filter: RepairFilter, _ state: UnsafeMutablePointer<DocumentState>) {
        if filter.mendedMarkup { state.pointee.builder.note(.rawMarkupInText) }
        if filter.mendedCharacters { state.pointee.builder.note(.invalidUTF8) }
        if filter.droppedSchema { state.pointee.builder.note(.straySchemaBeforeRoot) }
        if filter.droppedJunk { state.pointee.builder.note(.junkInProlog) }
        if state.pointee.xmlError != nil { state.pointee.builder.note(.repaired) }
    }
}

/// Everything that belongs to the document being read.
private struct DocumentState: ~Copyable {
    var builder: ReportBuilder
    var filter: RepairFilter?
    var head: [UInt8] = []
    var hasBegun = false
    let tokenCount: Int
    /// The first error of libxml2: what, where, and whether it only came when the input had ended.
    var xmlError: String?
    var xmlErrorLine = 0
    var xmlErrorAtEnd = false
    /// It is about a raw `&`, which libxml2 may find out only at the end.
    var xmlErrorIsReference = false
    var isAtEnd = false
    var isRecovering = false
    private var tail: [UInt8] = []

    init(limits: XMLLimits, latestEnd: Int, table: UnsafeMutablePointer<Element>, scratch: Scratch, tokenCount: Int) {
        builder = ReportBuilder(limits: limits, latestEnd: latestEnd, table: table, scratch: scratch)
        self.tokenCount = tokenCount
    }

    /// Whether more input can make a report of it.
    var isReadable: Bool { builder.failure == nil && (xmlError == nil || isRecovering) }

    mutating func noteTrailing(_ bytes: UnsafeRawBufferPointer) {
        if bytes.contains(where: { $0 > 0x20 }) { builder.note(.trailingContent) }
    }

    /// Keeps the last bytes: whether a closing tag had begun decides if a cut can be tolerated.
    mutating func keepTail(of piece: UnsafeRawBufferPointer) {
        guard builder.depth <= 1 else { return }
        if piece.count < 64 { tail.append(contentsOf: piece) } else { tail = Array(piece.suffix(64)) }
        if tail.count > 128 { tail.removeFirst(tail.count - 64) }
    }

    /// `</` and a beginning of `feedback`, prefix aside, is all that follows the last complete tag.
    var endsInClosingTag: Bool {
        guard let open = tail.lastIndex(of: UInt8(ascii: "<")) else { return false }
        var rest = tail[(open + 1)...]
        guard rest.first == UInt8(ascii: "/") else { return false }
        rest = rest.dropFirst()
        while let last = rest.last, last <= 0x20 { rest = rest.dropLast() }
        if let colon = rest.lastIndex(of: UInt8(ascii: ":")) { rest = rest[(colon + 1)...] }
        return Array("feedback".utf8).starts(with: rest)
    }
}

/// The owner of a libxml2 parser context, used for many documents: making one costs more than parsing a small report.
private final class Context {
    private let pointer: xmlParserCtxtPtr?
    private let names = UnsafeMutablePointer<(address: UInt, token: UInt8, isAlias: UInt8)>.allocate(capacity: 256)
    private var documents = 0
    private var isBroken = false

    /// Contexts keep every name they ever met, so a stranger could make one grow.
    var isWornOut: Bool { isBroken || documents >= 1000 }

    init() {
        names.initialize(repeating: (0, 0, 0), count: 256)
        var handler = Self.handler
        pointer = xmlCreatePushParserCtxt(&handler, nil, nil, 0, nil)
    }

    deinit {
        if let pointer {
            if let document = pointer.pointee.myDoc { xmlFreeDoc(document) }
            xmlFreeParserCtxt(pointer)
        }
        names.deallocate()
    }

    func wearOut() { isBroken = true }

    /// Whether the input that waits begins with `&`.
    var isWaitingForSemicolon: Bool {
        guard let input = pointer?.pointee.input, let current = input.pointee.cur, current < input.pointee.end else { return false }
        return current.pointee == UInt8(ascii: "&")
    }

    func reset(_ state: UnsafeMutablePointer<DocumentState>, recovering: Bool) {
        guard let pointer else { return }
        documents += 1
        xmlCtxtResetPush(pointer, nil, 0, nil, nil)
        let recover = recovering ? Int32(XML_PARSE_RECOVER.rawValue) : 0
        xmlCtxtUseOptions(pointer, Int32(XML_PARSE_NONET.rawValue) | recover)
        pointer.pointee.recovery = recovering ? 1 : 0
        // As in a new context: the encoding is still to be detected. The reset leaves it at UTF-8.
        pointer.pointee.charset = 0
        state.pointee.isRecovering = recovering
    }

    func push(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>) {
        guard let pointer else { return }
        var session = Session(state: state, context: pointer, names: names)
        withUnsafeMutablePointer(to: &session) { session in
            pointer.pointee.userData = UnsafeMutableRawPointer(session)
            _ = xmlParseChunk(pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), 0)
            pointer.pointee.userData = nil
        }
    }

    func finish(_ state: UnsafeMutablePointer<DocumentState>) {
        guard let pointer else { return }
        state.pointee.isAtEnd = true
        var session = Session(state: state, context: pointer, names: names)
        withUnsafeMutablePointer(to: &session) { session in
            pointer.pointee.userData = UnsafeMutableRawPointer(session)
            _ = xmlParseChunk(pointer, nil, 0, 1)
            pointer.pointee.userData = nil
        }
    }

    /// What a callback needs; lives on the stack of the `push` that it is called from.
    struct Session {
        let state: UnsafeMutablePointer<DocumentState>
        let context: xmlParserCtxtPtr
        let names: UnsafeMutablePointer<(address: UInt, token: UInt8, isAlias: UInt8)>

        @inline(__always)
        func token(_ name: UnsafePointer<xmlChar>) -> (token: UInt8, isAlias: UInt8) {
            let address = UInt(bitPattern: name)
            let slot = names + Int((address >> 3 ^ address >> 11) & 255)
            if slot.pointee.address == address { return (slot.pointee.token, slot.pointee.isAlias) }
            var length = 0
            while name[length] != 0 { length += 1 }
            let bytes = UnsafeBufferPointer(start: name, count: length)
            let token = Vocabulary.token(bytes)
            let alias: UInt8 = bytes.elementsEqual("identities".utf8) ? 1 : bytes.elementsEqual("data_range".utf8) ? 2 : 0
            slot.pointee = (address, token, alias)
            return (token, alias)
        }

        func stopIfFailed() {
            if state.pointee.builder.failure != nil { xmlStopParser(context) }
        }
    }

    /// The events that are listened to. No entity, DTD or reference handler: there is nothing to expand.
    private static var handler: xmlSAXHandler {
        var sax = xmlSAXHandler()
        sax.initialized = UInt32(XML_SAX2_MAGIC)
        sax.startElementNs = { user, name, prefix, uri, namespaceCount, _, attributeCount, _, _ in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee, let name else { return }
            let (token, alias) = session.token(name)
            session.state.pointee.builder.startElement(
                token: token, hasPrefix: prefix != nil, attributes: Int(attributeCount), namespaces: Int(namespaceCount),
                tokenCount: session.state.pointee.tokenCount)
            if session.state.pointee.builder.depth == 1 { session.startRoot(uri) }
            if alias != 0 { session.state.pointee.builder.markAlias(alias == 1 ? .identitiesAlias : .repeatedOrMisnamedGroup) }
            session.stopIfFailed()
        }
        sax.endElementNs = { user, _, _, _ in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee else { return }
            session.state.pointee.builder.endElement()
            session.stopIfFailed()
        }
        let characters: charactersSAXFunc = { user, bytes, count in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee, let bytes else { return }
            session.state.pointee.builder.characters(bytes, Int(count))
        }
        sax.characters = characters
        sax.cdataBlock = characters
        sax.ignorableWhitespace = characters
        sax.comment = { user, _ in user?.assumingMemoryBound(to: Session.self).pointee.state.pointee.builder.otherEvent() }
        sax.processingInstruction = { user, _, _ in user?.assumingMemoryBound(to: Session.self).pointee.state.pointee.builder.otherEvent() }
        sax.internalSubset = { user, _, _, _ in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee else { return }
            session.state.pointee.builder.fail(.doctype, "a document type declaration")
            xmlStopParser(session.context)
        }
        sax.serror = { user, error in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee, let error = error?.pointee else { return }
            session.noteError(error)
        }
        return sax
    }
}

extension Context.Session {
    /// The namespace of RFC 9990 settles which standard is meant.
    func startRoot(_ uri: UnsafePointer<xmlChar>?) {
        guard let uri else { return }
        if String(cString: uri) == "urn:ietf:params:xml:ns:dmarc-2.0" { state.pointee.builder.markRFC9990() }
    }

    /// Keeps the first error that makes the document not well-formed; a namespace that is not declared is none.
    func noteError(_ error: xmlError) {
        guard error.level == XML_ERR_FATAL, state.pointee.xmlError == nil else { return }
        var message = error.message.map { String(cString: $0) } ?? "error \(error.code)"
        while message.last?.isNewline == true { message.removeLast() }
        state.pointee.xmlError = String(message.prefix(200))
        state.pointee.xmlErrorLine = Int(error.line)
        state.pointee.xmlErrorAtEnd = state.pointee.isAtEnd
        let aboutReferences = [
            XML_ERR_ENTITYREF_SEMICOL_MISSING, XML_ERR_ENTITYREF_NO_NAME, XML_ERR_NAME_REQUIRED, XML_ERR_UNDECLARED_ENTITY,
        ]
        state.pointee.xmlErrorIsReference = aboutReferences.contains { Int32($0.rawValue) == error.code }
        state.pointee.builder.line = Int(error.line)
    }
}
