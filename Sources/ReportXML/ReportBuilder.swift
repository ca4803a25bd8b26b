import DMARC

/// Builds a report from the events of the parser.
///
/// Lives behind a pointer that the C callbacks get, so a callback costs no reference count and no exclusivity check. Values stay bytes until
/// they are known to be new in the batch.
struct ReportBuilder: ~Copyable {
    let limits: XMLLimits
    let latestEnd: Int

    // MARK: progress
    /// Since the last event of another kind: bytes of CDATA sections, and errors that were read over.
    private var cdataBytes = 0
    private var errors = 0
    /// How many `]` the text before ended with, if text is what came last.
    var closingBrackets = 0
    var line = 1
    /// The refusal that ends the document; the parser stops as soon as it is set.
    var failure: ReportError?
    var rootIsClosed = false
    var sawRoot = false
    /// A record has begun.
    var sawRecord = false
    var deviations = Deviations()
    /// Breaches of RFC 7489 that RFC 9990 allows.
    var deviationsOfRFC7489 = Deviations()

    // MARK: elements
    let table: UnsafeMutablePointer<Element>
    let stack: UnsafeMutablePointer<Element>
    var depth = 0
    let text: UnsafeMutablePointer<UInt8>
    var textCount = 0
    var textTotal = 0
    var textIsClipped = false

    // MARK: header
    var header = ReportHeader()
    var begin: String?
    var end: String?
    var metadataGroups = 0
    var policyGroups = 0
    var metadataIsClosed = false
    var policyIsClosed = false
    var metadataOrder: [UInt8] = []
    var contactInfoIsEmpty = false
    var policyTagsAreLoose = false

    // MARK: the record being read
    var source: IPAddress?
    var sawSource = false
    var sourceText = ""
    var messages: Int?
    var sawCount = false
    var countText = ""
    var disposition = AppliedDisposition.none
    var evaluatedDKIM: AlignedResult?
    var evaluatedSPF: AlignedResult?
    var oddDisposition: String?
    var oddDKIM: String?
    var oddSPF: String?
    var sawDisposition = false
    var headerFrom = Record.absent
    var envelopeFrom = Record.absent
    var envelopeTo = Record.absent
    var sawAuthResults = false
    var spfCount = 0
    var resultCount = 0
    var authKey: ResultKey
    var reasonKey: ResultKey
    var recordIndex = 0

    // MARK: the batch
    var batch = RecordBatch()
    var fullBatches: [RecordBatch] = []
    var nameTable = ByteInterner()
    var nameDigests: [ContentDigest] = []
    var authTable = ByteInterner()
    var authFlags: [UInt8] = []
    var reasonTable = ByteInterner()
    var reasonIndexes: [UInt32] = []
    var reasonDigests: [ContentDigest] = []
    var lastDigest: ContentDigest?

    // MARK: sums
    var recordCount = 0
    var messageCount = 0
    var digest = ContentDigest()
    var refusedRecords: [RecordRefusal: Int] = [:]
    var refusedExamples: [RecordRefusal: String] = [:]

    init(limits: XMLLimits, latestEnd: Int, table: UnsafeMutablePointer<Element>, scratch: Scratch) {
        self.limits = limits
        self.latestEnd = latestEnd
        self.table = table
        stack = scratch.stack
        stack[0] = .document
        text = scratch.text
        authKey = ResultKey(bytes: scratch.authKey, limit: limits.maxResultsBytes)
        reasonKey = ResultKey(bytes: scratch.reasonKey, limit: limits.maxResultsBytes)
    }

    /// What is open now is no element of a report, or not in its place.
    var isInUnknown: Bool { stack[depth] == .unknown }

    mutating func note(_ deviation: Deviation) { deviations.insert(deviation) }

    mutating func fail(_ code: ReportError.Code, _ found: String) {
        if failure == nil { failure = ReportError(code: code, line: line, found: found) }
    }

    // MARK: - Events

    @inline(__always)
    mutating func startElement(token: UInt8, hasPrefix: Bool, attributes: Int, namespaces: Int, tokenCount: Int) {
        otherEvent()
        let parent = stack[depth]
        let element = parent == .unknown ? .unknown : table[Int(parent.rawValue) * tokenCount + Int(token)]
        guard depth < limits.maxDepth else {
            fail(.tooDeep, "more than \(limits.maxDepth) elements inside one another (limits.element_depth)")
            return
        }
        depth += 1
        stack[depth] = element
        textCount = 0
        textTotal = 0
        textIsClipped = false
        if attributes + namespaces > 0 || hasPrefix || element.rawValue <= Element.xmlExtension.rawValue {
            startOther(element, hasPrefix: hasPrefix, attributes: attributes, namespaces: namespaces)
        }
        switch element {
        case .record:
            sawRecord = true
            beginRecord()
        case .authResults: sawAuthResults = true
        case .dkim:
            if spfCount > 0 { deviations.insert(.looseAuthResults) }
            beginResult(1)
        case .spf:
            spfCount += 1
            beginResult(2)
        case .reason: reason(1)
        case .metadata:
            metadataGroups += 1
        case .policy:
            policyGroups += 1
            if policyGroups > 1 { deviations.insert(.repeatedOrMisnamedGroup) }
        default: break
        }
    }

    /// The rare parts of a start tag: attributes, prefixes, the root, unknown elements.
    mutating func startOther(_ element: Element, hasPrefix: Bool, attributes: Int, namespaces: Int) {
        if attributes + namespaces > limits.maxAttributes {
            fail(
                .tooManyAttributes,
                "\(attributes + namespaces) attributes on one element, at most \(limits.maxAttributes) (limits.attributes)")
            return
        }
        if depth == 1 {
            sawRoot = true
            if element != .feedback { fail(.wrongRoot, "the root element is not feedback") }
            if attributes + namespaces > 0 || hasPrefix { deviations.insert(.namespace) }
        } else {
            if hasPrefix { deviations.insert(.namespace) }
            if attributes + namespaces > 0 { deviations.insert(.extraAttribute) }
            // An element inside an unknown one is part of it.
            if element == .unknown, stack[depth - 1] != .unknown { deviations.insert(.unknownElement) }
            if element == .xmlExtension, stack[depth - 1] == .feedback { stack[depth] = .unknown }
        }
    }

    /// The root's namespace is the one of RFC 9990.
    mutating func markRFC9990() { header.standard = .rfc9990 }

    /// The element was written as one of its aliases.
    mutating func markAlias(_ deviation: Deviation) { deviations.insert(deviation) }

    @inline(__always)
    mutating func characters(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        otherEvent()
        let element = stack[depth]
        textTotal &+= count
        let room = limits.maxOtherTextBytes &- textCount
        if count <= room {
            (text + textCount).update(from: bytes, count: count)
            textCount &+= count
        } else {
            // Blanks between elements and text that nobody asked for are only counted.
            (text + textCount).update(from: bytes, count: room)
            textCount &+= room
            textIsClipped = true
            if textTotal > limits.maxElementTextBytes {
                fail(.textTooLong, "more than \(limits.maxElementTextBytes) bytes of text in one element (limits.element_bytes)")
            }
        }
        if element.isIdentity, textTotal > limits.maxIdentityTextBytes {
            if trimmed.count > limits.maxIdentityTextBytes {
                fail(
                    .textTooLong,
                    "more than \(limits.maxIdentityTextBytes) bytes in a field that identifies something (limits.identity_bytes)")
            }
        }
    }

    /// One without a meaning for a report, or any other.
    @inline(__always)
    mutating func otherEvent() {
        cdataBytes = 0
        errors = 0
        closingBrackets = 0
    }

    /// A piece of a CDATA section. Sections without anything between them count as one: pieces do not say where one ends.
    mutating func cdata(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        let before = cdataBytes
        characters(bytes, count)
        cdataBytes = before &+ count
        checkCDATA(waiting: 0)
    }

    /// Of `waiting` bytes two may belong to its end.
    mutating func checkCDATA(waiting: Int) {
        guard cdataBytes + max(0, waiting - 2) > limits.maxMarkupBytes else { return }
        fail(.markupTooLong, "a CDATA section of more than \(limits.maxMarkupBytes) bytes (limits.markup_bytes)")
    }

    /// An error that is read over. They cost more than anything else does, and there may be one for each byte.
    mutating func countError() {
        errors &+= 1
        if errors > limits.maxMarkupBytes {
            fail(.malformed, "more than \(limits.maxMarkupBytes) errors without a tag or text between them")
        }
    }

    /// The text of the element without the blanks around it.
    @inline(__always)
    var trimmed: UnsafeRawBufferPointer {
        var start = 0
        var end = textCount
        while start < end, text[start] <= 0x20 { start &+= 1 }
        while end > start, text[end &- 1] <= 0x20 || text[end &- 1] == 0x7F { end &-= 1 }
        return UnsafeRawBufferPointer(start: text + start, count: end &- start)
    }

    mutating func endElement() {
        otherEvent()
        guard depth > 0 else { return }
        let element = stack[depth]
        depth -= 1
        if element != .unknown, element != .document {
            let value = trimmed
            if value.count != textCount, !value.isEmpty { deviations.insert(.paddedValue) }
            end(element, value)
        }
        textCount = 0
        textTotal = 0
        textIsClipped = false
    }

    @inline(__always)
    mutating func end(_ element: Element, _ value: UnsafeRawBufferPointer) {
        switch element {
        case .sourceIP: endSource(value)
        case .count: endCount(value)
        case .disposition: endDisposition(value)
        case .evaluatedDKIM:
            guard evaluatedDKIM == nil else { return }
            (evaluatedDKIM, oddDKIM) = evaluated(value)
        case .evaluatedSPF:
            guard evaluatedSPF == nil else { return }
            (evaluatedSPF, oddSPF) = evaluated(value)
        case .headerFrom: if headerFrom == Record.absent, !value.isEmpty { headerFrom = intern(value) }
        case .envelopeFrom: if envelopeFrom == Record.absent { envelopeFrom = intern(value) }
        case .envelopeTo: if envelopeTo == Record.absent { envelopeTo = intern(value) }
        case .dkimDomain, .spfDomain: result(3, value)
        case .dkimSelector: result(4, value)
        case .spfScope: result(5, value)
        case .dkimResult, .spfResult: result(6, value)
        case .dkimHuman, .spfHuman:
            noteClipping()
            result(7, value)
        case .reasonType: reason(2, value)
        case .reasonComment:
            noteClipping()
            reason(3, value)
        case .reason: if !value.isEmpty { reason(4, value) }
        case .record: endRecord()
        case .feedback: rootIsClosed = true
        default: endHeaderElement(element, value)
        }
    }

    mutating func noteClipping() { if textIsClipped { deviations.insert(.textClipped) } }
}

/// Memory that every document of a parser uses in turn.
final class Scratch {
    let stack: UnsafeMutablePointer<Element>
    let text: UnsafeMutablePointer<UInt8>
    let authKey: UnsafeMutablePointer<UInt8>
    let reasonKey: UnsafeMutablePointer<UInt8>

    init(limits: XMLLimits) {
        stack = .allocate(capacity: limits.maxDepth + 2)
        stack.initialize(repeating: .unknown, count: limits.maxDepth + 2)
        text = .allocate(capacity: limits.maxOtherTextBytes)
        // A field may begin just below the limit.
        authKey = .allocate(capacity: limits.maxResultsBytes + limits.maxOtherTextBytes + 16)
        reasonKey = .allocate(capacity: limits.maxResultsBytes + limits.maxOtherTextBytes + 16)
    }

    deinit {
        stack.deallocate()
        text.deallocate()
        authKey.deallocate()
        reasonKey.deallocate()
    }
}
