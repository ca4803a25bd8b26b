import CLibXML2
import DMARC
import Glibc

/// The owner of a libxml2 parser context, used for many documents: making one costs more than parsing a small report.
final class XMLContext {
    private let pointer: xmlParserCtxtPtr?
    private let names = UnsafeMutablePointer<(address: UInt, token: UInt8, isAlias: UInt8)>.allocate(capacity: 256)
    private var documents = 0
    private var isBroken = false

    /// Contexts keep every name they ever met, so a stranger could make one grow.
    var isWornOut: Bool { isBroken || documents >= 1000 || nameCount > 4000 }
    private var nameCount: Int32 { pointer.map { xmlDictSize($0.pointee.dict) } ?? 0 }

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

    /// Whether the input that waits, because its end has not come yet, begins with `text`.
    func isWaiting(at text: StaticString) -> Bool {
        guard let input = pointer?.pointee.input, let current = input.pointee.cur else { return false }
        guard input.pointee.end - current >= text.utf8CodeUnitCount else { return false }
        return memcmp(current, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    /// Bytes, in UTF-8, that libxml2 was given and has not read, because the end of what they begin has not come yet.
    var waitingBytes: Int {
        guard let input = pointer?.pointee.input, let current = input.pointee.cur, let end = input.pointee.end else { return 0 }
        return end - current
    }

    /// Whether what waits is the content of a CDATA section.
    var isInCDATA: Bool { pointer?.pointee.instate == XML_PARSER_CDATA_SECTION }

    /// libxml2 gave up and drops whatever follows. Not every cause is an error that it tells: bytes that it cannot convert are none.
    var hasStopped: Bool { pointer?.pointee.disableSAX != 0 }

    func reset(_ state: UnsafeMutablePointer<DocumentState>, recovering: Bool) {
        guard let pointer else { return }
        documents += 1
        // What libxml2 cannot tell a parser's own handler, such as an error of iconv, it writes to standard error. The setting is the thread's.
        xmlSetStructuredErrorFunc(nil) { _, _ in }
        xmlCtxtResetPush(pointer, nil, 0, nil, nil)
        let recover = recovering ? Int32(XML_PARSE_RECOVER.rawValue) : 0
        xmlCtxtUseOptions(pointer, Int32(XML_PARSE_NONET.rawValue) | recover)
        pointer.pointee.recovery = recovering ? 1 : 0
        // As in a new context: the encoding is still to be detected. The reset leaves it at UTF-8.
        pointer.pointee.charset = 0
        state.pointee.isRecovering = recovering
        state.pointee.knownNames = nameCount
    }

    func push(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>) {
        guard let pointer else { return }
        var session = Session(state: state, context: pointer, names: names, endsInCR: bytes.last == 0x0D)
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
        /// libxml2 looks at a carriage return at the end of a piece only with the next.
        var endsInCR = false

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

        /// libxml2 keeps each name of an element, attribute, prefix, namespace or instruction in a table that does not grow beyond 16,384 chains:
        /// millions of them cost minutes, and memory that is never given back.
        func countNames() {
            let limit = state.pointee.builder.limits.maxNames
            guard Int(xmlDictSize(context.pointee.dict) - state.pointee.knownNames) > limit else { return }
            state.pointee.builder.fail(.tooManyNames, "more than \(limit) different names of elements and attributes (limits.names)")
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
            if let torn = session.state.pointee.torn { session.state.pointee.builder.fail(.malformed, torn) }
            session.state.pointee.builder.startElement(
                token: token, hasPrefix: prefix != nil, attributes: Int(attributeCount), namespaces: Int(namespaceCount),
                tokenCount: session.state.pointee.tokenCount)
            if session.state.pointee.builder.depth == 1 { session.startRoot(uri) }
            if alias != 0 { session.state.pointee.builder.markAlias(alias == 1 ? .identitiesAlias : .repeatedOrMisnamedGroup) }
            if session.state.pointee.isRecovering, token != 0, session.state.pointee.builder.isInUnknown { session.noteMisplaced() }
            session.countNames()
            session.stopIfFailed()
        }
        sax.endElementNs = { user, _, _, _ in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee else { return }
            session.state.pointee.builder.endElement()
            if session.state.pointee.builder.rootIsClosed { session.noteRest() }
            session.stopIfFailed()
        }
        let characters: charactersSAXFunc = { user, bytes, count in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee, let bytes, count > 0 else { return }
            let brackets = session.state.pointee.builder.closingBrackets
            session.state.pointee.builder.characters(bytes, Int(count))
            if brackets > 0 || bytes[Int(count) - 1] == UInt8(ascii: "]") { session.noteBrackets(bytes, Int(count), behind: brackets) }
        }
        sax.characters = characters
        sax.cdataBlock = { user, bytes, count in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee, let bytes else { return }
            session.state.pointee.builder.cdata(bytes, Int(count))
            session.stopIfFailed()
        }
        sax.ignorableWhitespace = characters
        sax.comment = { user, _ in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee else { return }
            session.state.pointee.builder.otherEvent()
        }
        sax.processingInstruction = { user, _, _ in
            guard let session = user?.assumingMemoryBound(to: Session.self).pointee else { return }
            session.state.pointee.builder.otherEvent()
            session.countNames()
            session.stopIfFailed()
        }
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

extension XMLContext.Session {
    /// The namespace of RFC 9990 settles which standard is meant.
    func startRoot(_ uri: UnsafePointer<xmlChar>?) {
        guard let uri else { return }
        if String(cString: uri) == "urn:ietf:params:xml:ns:dmarc-2.0" { state.pointee.builder.markRFC9990() }
    }

    /// A text with `]]` at its end, and `>` at the beginning of what follows: libxml2 misses that, so whether the text is well-formed would depend
    /// on where a piece ends. What a reference stands for is not meant.
    func noteBrackets(_ bytes: UnsafePointer<UInt8>, _ count: Int, behind brackets: Int) {
        guard let input = context.pointee.input, let start = input.pointee.base, let current = input.pointee.cur else { return }
        let isInInput = bytes >= start && bytes < input.pointee.end
        guard isInInput || (current > start && current[-1] == bytes[count - 1]) else { return }
        let text = UnsafeBufferPointer(start: bytes, count: count)
        let leading = text.prefix { $0 == UInt8(ascii: "]") }.count
        if brackets > 0, brackets + leading > 1, leading < count, text[leading] == UInt8(ascii: ">") {
            state.pointee.builder.fail(.malformed, "]]> in a text")
        }
        state.pointee.builder.closingBrackets =
            leading == count ? brackets + count : text.reversed().prefix { $0 == UInt8(ascii: "]") }.count
    }

    /// What waits behind the end of the root, in the piece that it came in. Pieces that follow are looked at before they come here, and what is
    /// found must not depend on where they begin.
    func noteRest() {
        guard let input = context.pointee.input, let current = input.pointee.cur, let end = input.pointee.end else { return }
        let rest = UnsafeRawBufferPointer(start: current, count: end - current)
        state.pointee.noteBehindTorn(rest)
        if rest.contains(where: { $0 > 0x20 }) { state.pointee.builder.note(.trailingContent) }
        noteUnconverted(input.pointee.buf?.pointee.raw)
    }

    /// What is not converted to UTF-8 yet, because it cannot be or because only a part of it is here.
    private func noteUnconverted(_ raw: xmlBufPtr?) {
        guard let raw, let content = xmlBufContent(raw) else { return }
        state.pointee.noteTrailing(UnsafeRawBufferPointer(start: content, count: Int(xmlBufUse(raw))))
        if endsInCR { withUnsafeBytes(of: UInt8(0x0D)) { state.pointee.noteTrailing($0) } }
    }

    /// An element of reports stands where it has no meaning.
    func noteMisplaced() {
        state.pointee.hasMisplaced = true
        failIfTorn()
    }

    /// Tags that do not fit and elements in the wrong place: nobody knows what belongs to what.
    private func failIfTorn() {
        guard state.pointee.hasMismatch, state.pointee.hasMisplaced else { return }
        tear("opening and closing tags do not fit, and elements stand where they do not belong")
    }

    /// With a record, or where what follows cannot be looked at (UTF-16), the document is refused. A report whose middle is gone, and with it all
    /// that its records began with, has none to lose as long as nothing else begins.
    private func tear(_ found: String) {
        if state.pointee.builder.sawRecord || state.pointee.filter == nil {
            state.pointee.builder.fail(.malformed, found)
        } else if state.pointee.torn == nil {
            state.pointee.torn = found
        }
    }

    /// Keeps the first error that makes the document not well-formed; a namespace that is not declared is none.
    ///
    /// libxml2 recovers from a closing tag of another name by closing the innermost element. Where tags are only exchanged that is right. One too
    /// many would end the report before its time, and what follows would be lost; so would what then stands where it does not belong.
    func noteError(_ error: xmlError) {
        guard error.level == XML_ERR_FATAL else { return }
        if state.pointee.builder.rootIsClosed {
            state.pointee.hasErrorBehindRoot = true
            return
        }
        // Mended before, but in UTF-16; libxml2 drops some of it, and how much depends on the pieces.
        if state.pointee.isRecovering, error.code == Int32(XML_ERR_MISPLACED_CDATA_END.rawValue) {
            state.pointee.builder.fail(.malformed, "]]> in a text")
        }
        if state.pointee.isRecovering { state.pointee.builder.countError() }
        let isMismatch = error.code == Int32(XML_ERR_TAG_NAME_MISMATCH.rawValue)
        guard state.pointee.xmlError == nil || isMismatch else { return }
        var message = error.message.map { String(cString: $0) } ?? "error \(error.code)"
        while message.last?.isNewline == true { message.removeLast() }
        message = String(message.prefix(200))
        if isMismatch, state.pointee.isRecovering {
            state.pointee.builder.line = Int(error.line)
            state.pointee.hasMismatch = true
            let isCut = state.pointee.isAtEnd && state.pointee.endsInClosingTag
            if state.pointee.builder.depth <= 1, !isCut { tear(message) }
            failIfTorn()
        }
        guard state.pointee.xmlError == nil else { return }
        state.pointee.xmlError = message
        state.pointee.xmlErrorLine = Int(error.line)
        state.pointee.xmlErrorAtEnd = state.pointee.isAtEnd
        let aboutReferences = [
            XML_ERR_ENTITYREF_SEMICOL_MISSING, XML_ERR_ENTITYREF_NO_NAME, XML_ERR_NAME_REQUIRED, XML_ERR_UNDECLARED_ENTITY,
        ]
        state.pointee.xmlErrorIsReference = aboutReferences.contains { Int32($0.rawValue) == error.code }
        state.pointee.builder.line = Int(error.line)
    }
}
