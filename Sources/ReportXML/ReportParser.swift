import DMARC
import Glibc

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
    private var context: XMLContext?
    private var pass = Pass.strict
    private var state: UnsafeMutablePointer<DocumentState>?
    // What the document has cost, over all its passes.
    private var bytesRead = 0
    private var watchedNanoseconds: UInt64 = 0

    /// A document is read in pieces of this size at most, and the clock is looked at around each but the first: it costs a quarter of a
    /// microsecond, which is much for a small report, and nothing within one piece takes long.
    private static let watchedBytes = 64 << 10

    /// A parser with `limits`.
    public init(limits: XMLLimits = XMLLimits()) {
        self.limits = limits
        scratch = Scratch(limits: limits)
    }

    deinit {
        discardState()
        table.deallocate()
    }

    /// The digest of a set of results that a batch has beside it (`RecordBatch.authenticationDigests`).
    package static func digest(of set: AuthenticationSet) -> ContentDigest { ReportBuilder.digest(of: set) }

    /// Starts a document. `now` (seconds since 1970) decides what is too far in the future.
    ///
    /// - Parameter isSame: it is the document before, read once more. Its time goes on.
    public func begin(_ pass: Pass, now: Int, isSame: Bool = false) {
        discardState()
        if !isSame { (bytesRead, watchedNanoseconds) = (0, 0) }
        self.pass = pass
        let state = UnsafeMutablePointer<DocumentState>.allocate(capacity: 1)
        state.initialize(
            to: DocumentState(
                limits: limits, latestEnd: now + limits.maxFutureDays * 86400, table: table, scratch: scratch, tokenCount: tokenCount))
        self.state = state
        if context == nil || context?.isWornOut == true { context = XMLContext() }
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
        var offset = 0
        repeat {
            let end = min(bytes.count, offset + Self.watchedBytes)
            let isWatched = bytesRead >= Self.watchedBytes
            let start = isWatched ? Self.threadNanoseconds : 0
            take(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]), state, context)
            bytesRead += end - offset
            offset = end
            if isWatched {
                watchedNanoseconds &+= Self.threadNanoseconds &- start
                if watchedNanoseconds > UInt64(max(0, limits.maxMilliseconds)) * 1_000_000 {
                    state.pointee.builder.fail(
                        .parserTime, "reading it took more than \(limits.maxMilliseconds) ms of CPU (limits.parser_milliseconds)")
                }
            }
        } while offset < bytes.count && state.pointee.isReadable
        return state.pointee.isReadable
    }

    /// The time that this thread has used: others do not count, nor does waiting (clock_gettime(2)).
    private static var threadNanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext) {
        if state.pointee.hasBegun {
            feed(bytes, state, context)
        } else if bytes.count >= Prolog.headBytes, state.pointee.head.isEmpty, bytes[0] == UInt8(ascii: "<") {
            beginContent(bytes, state, context)
        } else {
            state.pointee.head.append(contentsOf: bytes)
            if Prolog.dropBlanks(&state.pointee.head) { state.pointee.builder.note(.looseProlog) }
            if state.pointee.head.count >= Prolog.headBytes { beginHeld(state, context) }
        }
    }

    /// Begins with what was held back until there was enough of it.
    private func beginHeld(_ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext) {
        var head: [UInt8] = []
        swap(&head, &state.pointee.head)
        head.withUnsafeBytes { beginContent($0, state, context) }
    }

    /// Looks at the head of the document, then feeds it.
    private func beginContent(
        _ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext
    ) {
        let prolog = Prolog(bytes)
        state.pointee.hasBegun = true
        state.pointee.isUTF16 = prolog.isUTF16
        state.pointee.isLittleEndian = bytes.first == 0xFF
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
        // libxml2 converts one line of the piece in which it learns of another encoding, and leaves the rest for the next: that must not be late,
        // least of all where no piece follows.
        let first = state.pointee.filter == nil ? prolog.isUTF16 ? min(bytes.count, 4) : prolog.declarationBytes : 0
        if first > 0 { push(UnsafeRawBufferPointer(rebasing: bytes[..<first]), state, context) }
        feed(UnsafeRawBufferPointer(rebasing: bytes[first...]), state, context)
    }

    private func feed(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext) {
        guard state.pointee.isReadable else { return }
        if state.pointee.filter == nil {
            push(bytes, state, context)
            return
        }
        filter(bytes, isLast: false, state, context)
    }

    private func filter(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext
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
    ///
    /// A tag waits in libxml2 until it has come to its end. How long it may be must not depend on the pieces of the document: so near to the limit
    /// that one more piece could pass it, pieces are smaller, down to a byte (of which conversion to UTF-8 makes three at most).
    private func push(_ bytes: UnsafeRawBufferPointer, _ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext) {
        var offset = 0
        while offset < bytes.count {
            if state.pointee.builder.rootIsClosed {
                state.pointee.noteTrailing(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
                return
            }
            let room = max(1, (limits.maxMarkupBytes - context.waitingBytes) / 3)
            let count = min(1024, bytes.count - offset, room)
            let piece = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
            context.push(piece, state)
            offset += count
            guard state.pointee.isReadable else { return }
            if context.hasStopped, !state.pointee.builder.rootIsClosed {
                let found = state.pointee.xmlError ?? "bytes that are not of the declared encoding"
                state.pointee.builder.fail(.malformed, found)
                return
            }
            if context.waitingBytes >= limits.maxMarkupBytes, !state.pointee.builder.rootIsClosed, !context.isInCDATA {
                // A raw `&` makes libxml2 wait for a `;` that may be far away: no flood, but something to mend.
                if pass == .strict, context.isWaiting(at: "&") {
                    state.pointee.builder.fail(.malformed, "an & that begins no entity")
                    return
                }
                if context.isWaiting(at: "<!DOCTYPE") {
                    state.pointee.builder.fail(.doctype, "a document type declaration")
                    return
                }
                state.pointee.builder.fail(
                    .markupTooLong, "more than \(limits.maxMarkupBytes) bytes without a tag or text coming to an end (limits.markup_bytes)")
                return
            }
            if context.isInCDATA { state.pointee.builder.checkCDATA(waiting: context.waitingBytes) }
            state.pointee.keepTail(of: piece)
        }
    }

    /// Whether full batches wait to be taken.
    public var hasFullBatch: Bool { state?.pointee.builder.hasFullBatch ?? false }

    /// Takes the full batches; after `finish` the last one, too. Each is self-contained.
    public func takeBatches() -> [RecordBatch] { state?.pointee.builder.takeBatches() ?? [] }

    /// What stopped the document before its end, if it was stopped.
    public var failure: ReportError? { state?.pointee.builder.failure }

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
            // What libxml2 had not converted yet may have held its end.
            if !state.pointee.builder.rootIsClosed || !state.pointee.isReadable { try endWithoutRoot(state, context) }
        }
        if let filter = state.pointee.filter { noteRepairs(filter, state) }
        if state.pointee.hasErrorBehindRoot { context.wearOut() }
        return try state.pointee.builder.finish().get()
    }

    /// The root was not closed. Only the end of its own closing tag may be missing: after any other cut nobody knows what is gone.
    private func endWithoutRoot(_ state: UnsafeMutablePointer<DocumentState>, _ context: borrowing XMLContext) throws(ReportError) {
        if let failure = state.pointee.builder.failure { throw failure }
        let isCut =
            state.pointee.xmlError == nil || (state.pointee.xmlErrorAtEnd && !state.pointee.xmlErrorIsReference) || pass == .repairing
        guard isCut else {
            throw ReportError(code: .malformed, line: state.pointee.xmlErrorLine, found: state.pointee.xmlError ?? "not well-formed")
        }
        guard state.pointee.builder.sawRoot else {
            throw ReportError(code: .malformed, line: state.pointee.xmlErrorLine, found: state.pointee.xmlError ?? "no element at all")
        }
        // An error is what stops the strict pass, where the document ends too early.
        let isStopped = context.hasStopped && (state.pointee.xmlError == nil || pass == .repairing)
        guard state.pointee.builder.depth == 1, state.pointee.endsInClosingTag, !isStopped else {
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
