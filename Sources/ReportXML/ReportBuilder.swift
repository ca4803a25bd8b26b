import DMARC

/// Builds a report from the events of the parser.
///
/// Lives behind a pointer that the C callbacks get, so a callback costs no reference count and no exclusivity check. Values stay bytes until
/// they are known to be new in the batch.
struct ReportBuilder: ~Copyable {
    let limits: XMLLimits
    let latestEnd: Int

    // MARK: progress
    /// Bytes given to libxml2, and how many of them when the last event came.
    var pushedBytes = 0
    var bytesAtLastEvent = 0
    var line = 1
    /// The refusal that ends the document; the parser stops as soon as it is set.
    private(set) var failure: ReportError?
    private(set) var rootIsClosed = false
    private(set) var sawRoot = false
    private(set) var deviations = Deviations()
    /// Breaches of RFC 7489 that RFC 9990 allows.
    private var deviationsOfRFC7489 = Deviations()

    // MARK: elements
    private let table: UnsafeMutablePointer<Element>
    private let stack: UnsafeMutablePointer<Element>
    private(set) var depth = 0
    private let text: UnsafeMutablePointer<UInt8>
    private var textCount = 0
    private var textTotal = 0
    private var textIsClipped = false

    // MARK: header
    private var header = ReportHeader()
    private var begin: String?
    private var end: String?
    private var metadataGroups = 0
    private var policyGroups = 0
    private var metadataIsClosed = false
    private var policyIsClosed = false
    private var metadataOrder: [UInt8] = []
    private var contactInfoIsEmpty = false
    private var policyTagsAreLoose = false

    // MARK: the record being read
    private var source: IPAddress?
    private var sawSource = false
    private var sourceText = ""
    private var messages: Int?
    private var sawCount = false
    private var countText = ""
    private var disposition = AppliedDisposition.none
    private var evaluatedDKIM: AlignedResult?
    private var evaluatedSPF: AlignedResult?
    private var oddDisposition: String?
    private var oddDKIM: String?
    private var oddSPF: String?
    private var sawDisposition = false
    private var headerFrom = Record.absent
    private var envelopeFrom = Record.absent
    private var envelopeTo = Record.absent
    private var sawAuthResults = false
    private var spfCount = 0
    private var authKey: Key
    private var reasonKey: Key
    private var recordIndex = 0

    // MARK: the batch
    private var batch = RecordBatch()
    private var fullBatches: [RecordBatch] = []
    private var nameTable = ByteInterner()
    private var nameDigests: [ContentDigest] = []
    private var authTable = ByteInterner()
    private var authFlags: [UInt8] = []
    private var reasonTable = ByteInterner()
    private var reasonIndexes: [UInt32] = []
    private var reasonDigests: [ContentDigest] = []
    private var lastDigest: ContentDigest?

    // MARK: sums
    private var recordCount = 0
    private var messageCount = 0
    private var digest = ContentDigest()
    private var refusedRecords: [RecordRefusal: Int] = [:]
    private var refusedExamples: [RecordRefusal: String] = [:]

    init(limits: XMLLimits, latestEnd: Int, table: UnsafeMutablePointer<Element>, scratch: Scratch) {
        self.limits = limits
        self.latestEnd = latestEnd
        self.table = table
        stack = scratch.stack
        stack[0] = .document
        text = scratch.text
        authKey = Key(bytes: scratch.authKey, limit: limits.maxResultsBytes)
        reasonKey = Key(bytes: scratch.reasonKey, limit: limits.maxResultsBytes)
    }

    mutating func note(_ deviation: Deviation) { deviations.insert(deviation) }

    mutating func fail(_ code: ReportError.Code, _ found: String) {
        if failure == nil { failure = ReportError(code: code, line: line, found: found) }
    }

    // MARK: - Events

    @inline(__always)
    mutating func startElement(token: UInt8, hasPrefix: Bool, attributes: Int, namespaces: Int, tokenCount: Int) {
        bytesAtLastEvent = pushedBytes
        let parent = stack[depth]
        let element = parent == .unknown ? .unknown : table[Int(parent.rawValue) * tokenCount + Int(token)]
        guard depth < limits.maxDepth else {
            fail(.tooDeep, "more than \(limits.maxDepth) elements inside one another")
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
        case .record: beginRecord()
        case .authResults: sawAuthResults = true
        case .dkim:
            if spfCount > 0 { deviations.insert(.looseAuthResults) }
            result(1)
        case .spf:
            spfCount += 1
            result(2)
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
    private mutating func startOther(_ element: Element, hasPrefix: Bool, attributes: Int, namespaces: Int) {
        if attributes + namespaces > limits.maxAttributes {
            fail(.tooManyAttributes, "\(attributes + namespaces) attributes on one element, at most \(limits.maxAttributes)")
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
        bytesAtLastEvent = pushedBytes
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
                fail(.textTooLong, "more than \(limits.maxElementTextBytes) bytes of text in one element")
            }
        }
        if element.isIdentity, textTotal > limits.maxIdentityTextBytes {
            if trimmed.count > limits.maxIdentityTextBytes {
                fail(.textTooLong, "more than \(limits.maxIdentityTextBytes) bytes in a field that identifies something")
            }
        }
    }

    mutating func otherEvent() { bytesAtLastEvent = pushedBytes }

    /// The text of the element without the blanks around it.
    @inline(__always)
    private var trimmed: UnsafeRawBufferPointer {
        var start = 0
        var end = textCount
        while start < end, text[start] <= 0x20 { start &+= 1 }
        while end > start, text[end &- 1] <= 0x20 || text[end &- 1] == 0x7F { end &-= 1 }
        return UnsafeRawBufferPointer(start: text + start, count: end &- start)
    }

    mutating func endElement() {
        bytesAtLastEvent = pushedBytes
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
    private mutating func end(_ element: Element, _ value: UnsafeRawBufferPointer) {
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

    private mutating func noteClipping() { if textIsClipped { deviations.insert(.textClipped) } }

    // MARK: - Header

    private mutating func endHeaderElement(_ element: Element, _ value: UnsafeRawBufferPointer) {
        if textIsClipped { deviations.insert(.textClipped) }
        switch element {
        case .version: header.version = string(value)
        case .metadata: metadataIsClosed = true
        case .policy: policyIsClosed = true
        case .orgName: setMetadata(0, value) { $0.reporter = $1 }
        case .email: setMetadata(1, value) { $0.email = $1 }
        case .contactInfo:
            if value.isEmpty { contactInfoIsEmpty = true }
            setMetadata(2, value) { $0.contactInfo = $1 }
        case .reportID:
            if value.count != textCount { deviations.insert(.oddReportID) }
            setMetadata(3, value) { $0.reportID = $1 }
        case .dateRange: if metadataGroups == 1 { metadataOrder.append(4) }
        case .begin: begin = begin ?? string(value)
        case .end: end = end ?? string(value)
        case .error: if header.errors.count < 100, !value.isEmpty { header.errors.append(string(value)) }
        case .generator:
            header.generator = string(value)
            header.standard = .rfc9990
        default: if policyGroups == 1 { endPolicyElement(element, string(value)) }
        }
    }

    /// The first of a repeated element counts.
    private mutating func setMetadata(_ place: UInt8, _ value: UnsafeRawBufferPointer, _ assign: (inout ReportHeader, String) -> Void) {
        if metadataOrder.contains(place) { return }
        metadataOrder.append(place)
        assign(&header, string(value))
    }

    private mutating func endPolicyElement(_ element: Element, _ value: String) {
        func isOneOf(_ words: [String]) -> Bool { words.contains(value) }
        let dispositions = PublishedDisposition.allCases.map(\.rawValue)
        switch element {
        case .policyDomain: if header.policy.domain.isEmpty { header.policy.domain = canonicalDomain(value) }
        case .p: set(\.p, word(value, isOneOf(dispositions)))
        case .sp: set(\.sp, word(value, isOneOf(dispositions)))
        case .np:
            set(\.np, word(value, isOneOf(dispositions)))
            deviationsOfRFC7489.insert(.loosePolicyTags)
        case .adkim: set(\.adkim, word(value, isOneOf(["r", "s"])))
        case .aspf: set(\.aspf, word(value, isOneOf(["r", "s"])))
        case .pct: set(\.pct, word(value, UInt8(value).map { $0 <= 100 } ?? false))
        case .fo: set(\.fo, word(value, !value.isEmpty))
        case .testing:
            set(\.testing, word(value, isOneOf(["y", "n"])))
            header.standard = .rfc9990
        case .discoveryMethod:
            set(\.discoveryMethod, word(value, isOneOf(["psl", "treewalk"])))
            header.standard = .rfc9990
        case .otherTag: deviations.insert(.loosePolicyTags)
        default: break
        }
    }

    private mutating func set(_ field: WritableKeyPath<PublishedPolicy, String?>, _ value: String) {
        if header.policy[keyPath: field] == nil { header.policy[keyPath: field] = value }
    }

    /// A word of the policy: lower case if that makes it one of the vocabulary, as written otherwise.
    private mutating func word(_ value: String, _ isKnown: Bool) -> String {
        if isKnown { return value }
        let lower = value.lowercased()
        if lower != value, ["none", "quarantine", "reject", "r", "s", "y", "n", "psl", "treewalk"].contains(lower) {
            deviations.insert(.letterCase)
            return lower
        }
        deviations.insert(.loosePolicyTags)
        return value
    }

    private func string(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    private mutating func canonicalDomain(_ text: String) -> String {
        let canonical = DomainName.canonical(text)
        if canonical != text { deviations.insert(.oddDomainSpelling) }
        return canonical
    }

    // MARK: - Records

    private mutating func beginRecord() {
        source = nil
        sawSource = false
        messages = nil
        sawCount = false
        disposition = .none
        sawDisposition = false
        evaluatedDKIM = nil
        evaluatedSPF = nil
        oddDisposition = nil
        oddDKIM = nil
        oddSPF = nil
        headerFrom = Record.absent
        envelopeFrom = Record.absent
        envelopeTo = Record.absent
        sawAuthResults = false
        spfCount = 0
        authKey.count = 0
        reasonKey.count = 0
    }

    private mutating func endSource(_ value: UnsafeRawBufferPointer) {
        guard !sawSource || source == nil else { return }
        sawSource = sawSource || !value.isEmpty
        if value.count != textCount, !value.isEmpty { deviations.insert(.oddSourceAddress) }
        source = IPAddress(text: value)
        guard source == nil, !value.isEmpty else { return }
        sourceText = string(value)
        // A full-length prefix says no more than the address.
        for (suffix, isIPv4) in [("/32", true), ("/128", false)] where sourceText.hasSuffix(suffix) {
            if let address = IPAddress(String(sourceText.dropLast(suffix.count))), address.isIPv4 == isIPv4 {
                source = address
                deviations.insert(.oddSourceAddress)
            }
        }
    }

    private mutating func endCount(_ value: UnsafeRawBufferPointer) {
        guard !sawCount else { return }
        sawCount = !value.isEmpty
        var number = 0
        for byte in value {
            guard byte >= 0x30, byte <= 0x39 else {
                countText = string(value)
                return
            }
            // Stays above the limit once it is there.
            if number <= limits.maxMessages { number = number &* 10 &+ Int(byte & 15) }
        }
        guard !value.isEmpty, number <= limits.maxMessages else {
            countText = string(value)
            if !value.isEmpty { deviations.insert(.oddCount) }
            return
        }
        messages = number
    }

    @inline(__always)
    private func equals(_ value: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        value.count == word.utf8CodeUnitCount
            && UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount).elementsEqual(value)
    }

    private mutating func endDisposition(_ value: UnsafeRawBufferPointer) {
        guard !sawDisposition, !value.isEmpty else { return }
        sawDisposition = true
        if equals(value, "none") { return disposition = .none }
        if equals(value, "reject") { return disposition = .reject }
        if equals(value, "quarantine") { return disposition = .quarantine }
        if equals(value, "pass") { return disposition = .pass }
        let word = string(value)
        if let known = AppliedDisposition.allCases.first(where: { $0.word == word.lowercased() }) {
            deviations.insert(.letterCase)
            disposition = known
        } else {
            deviations.insert(.oddDisposition)
            oddDisposition = word
        }
    }

    /// Anything but a pass is a failure; nothing at all stays nothing, which is a failure too, and noted.
    private mutating func evaluated(_ value: UnsafeRawBufferPointer) -> (AlignedResult?, odd: String?) {
        if equals(value, "pass") { return (.pass, nil) }
        if equals(value, "fail") { return (.fail, nil) }
        if value.isEmpty { return (nil, nil) }
        let word = string(value)
        switch word.lowercased() {
        case "pass":
            deviations.insert(.letterCase)
            return (.pass, nil)
        case "fail":
            deviations.insert(.letterCase)
            return (.fail, nil)
        default:
            deviations.insert(.oddEvaluatedResult)
            return (.fail, word)
        }
    }

    private mutating func intern(_ value: UnsafeRawBufferPointer) -> UInt32 {
        let (index, isNew) = nameTable.intern(value)
        if isNew {
            let text = string(value)
            let name = canonicalDomain(text)
            if !name.isEmpty, !name.utf8.contains(UInt8(ascii: ".")) { deviations.insert(.oddDomainSpelling) }
            batch.names.append(name)
            nameDigests.append(ContentDigest(of: name))
        }
        return index
    }

    // A key is a series of fields: tag, length in two bytes, bytes. Equal keys are equal results; they are decoded once a batch.

    private struct Key {
        let bytes: UnsafeMutablePointer<UInt8>
        let limit: Int
        var count = 0

        init(bytes: UnsafeMutablePointer<UInt8>, limit: Int) {
            self.bytes = bytes
            self.limit = limit
        }

        /// False: there was no room any more, the field is left out.
        @inline(__always)
        mutating func append(_ tag: UInt8, _ value: UnsafeRawBufferPointer) -> Bool {
            guard count <= limit else { return false }
            let length = value.count
            bytes[count] = tag
            bytes[count &+ 1] = UInt8(truncatingIfNeeded: length)
            bytes[count &+ 2] = UInt8(truncatingIfNeeded: length >> 8)
            if let base = value.baseAddress {
                UnsafeMutableRawPointer(bytes + (count &+ 3)).copyMemory(from: base, byteCount: length)
            }
            count &+= 3 &+ length
            return true
        }

        /// Calls `body` with each field.
        func forEach(_ body: (UInt8, UnsafeRawBufferPointer) -> Void) {
            var position = 0
            while position < count {
                let length = Int(bytes[position + 1]) | Int(bytes[position + 2]) << 8
                body(bytes[position], UnsafeRawBufferPointer(start: bytes + position + 3, count: length))
                position += 3 + length
            }
        }

        var all: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }
    }

    @inline(__always)
    private mutating func result(_ tag: UInt8, _ value: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) {
        if !authKey.append(tag, value) { deviations.insert(.textClipped) }
    }

    @inline(__always)
    private mutating func reason(_ tag: UInt8, _ value: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) {
        if !reasonKey.append(tag, value) { deviations.insert(.textClipped) }
    }

    private mutating func endRecord() {
        let sequence = recordIndex
        // A skeleton: nothing in it, or a count of nothing.
        if !sawSource, headerFrom == Record.absent, !sawCount || messages == 0 { return }
        recordIndex += 1
        guard recordIndex <= limits.maxRecords else {
            fail(.tooManyRecords, "more than \(limits.maxRecords) records")
            return
        }
        guard let source else {
            refuse(.badSourceAddress, sequence, sawSource ? sourceText : "")
            return
        }
        guard let messages else {
            refuse(.countOutOfRange, sequence, sawCount ? countText : "")
            return
        }
        if messages == 0 { deviations.insert(.oddCount) }
        if evaluatedDKIM == nil || evaluatedSPF == nil { deviations.insert(.noEvaluatedResult) }
        if !sawDisposition { deviations.insert(.oddDisposition) }
        if headerFrom == Record.absent { deviations.insert(.missingIdentifier) }
        if envelopeFrom == Record.absent || batch.names[Int(envelopeFrom)].isEmpty { deviationsOfRFC7489.insert(.missingIdentifier) }
        if !sawAuthResults || authKey.count == 0 { deviations.insert(.looseAuthResults) }
        if spfCount == 0 { deviationsOfRFC7489.insert(.looseAuthResults) }
        if spfCount > 1 { deviations.insert(.looseAuthResults) }

        let dkim = evaluatedDKIM ?? .fail
        let spf = evaluatedSPF ?? .fail
        let authentication = internAuthentication()
        let overrides = reasonKey.count == 0 ? Record.absent : internOverrides()
        let flags = authFlags[Int(authentication)]
        if (dkim == .pass && flags & 1 == 0) || (spf == .pass && flags & 2 == 0) { deviations.insert(.passWithoutEvidence) }
        if dkim == .pass || spf == .pass, disposition == .quarantine || disposition == .reject { deviations.insert(.dispositionOnPass) }
        let record = Record(
            source: source, messages: UInt32(messages), sequence: UInt32(sequence), disposition: disposition, dkim: dkim, spf: spf,
            headerFrom: headerFrom, envelopeFrom: envelopeFrom, envelopeTo: envelopeTo, authentication: authentication,
            overrides: overrides)
        addDigest(of: record)
        batch.records.append(record)
        recordCount += 1
        messageCount += messages
        if oddDisposition != nil || oddDKIM != nil || oddSPF != nil { keepOddWords(UInt32(sequence)) }
        if batch.records.count >= limits.recordsPerBatch { closeBatch() }
    }

    private mutating func keepOddWords(_ sequence: UInt32) {
        for (element, word) in [("disposition", oddDisposition), ("dkim", oddDKIM), ("spf", oddSPF)] {
            if let word { batch.oddWords.append(OddWord(sequence: sequence, element: element, word: String(word.prefix(256)))) }
        }
    }

    private mutating func refuse(_ reason: RecordRefusal, _ sequence: Int, _ found: String) {
        refusedRecords[reason, default: 0] += 1
        guard refusedExamples[reason] == nil else { return }
        let what = found.isEmpty ? "empty" : "\"\(found.prefix(64))\""
        refusedExamples[reason] =
            switch reason {
            case .badSourceAddress: "record \(sequence + 1), line \(line): source_ip is \(what), not an address"
            case .countOutOfRange: "record \(sequence + 1), line \(line): count is \(what), not 0…\(limits.maxMessages)"
            }
    }

    private mutating func addDigest(of record: Record) {
        var own = batch.authenticationDigests[Int(record.authentication)]
        own.append(record.source.high)
        own.append(record.source.low)
        own.append(
            UInt64(record.messages) << 8 | UInt64(record.disposition.rawValue) << 4 | UInt64(record.dkim.rawValue) << 3
                | UInt64(record.spf.rawValue) << 2 | (record.source.isIPv4 ? 1 : 0))
        for name in [record.headerFrom, record.envelopeFrom, record.envelopeTo] {
            if name == Record.absent { own.append(1) } else { own.append(nameDigests[Int(name)]) }
        }
        if record.overrides != Record.absent { own.append(reasonDigests[Int(record.overrides)]) }
        if own == lastDigest { deviations.insert(.equalRecords) }
        lastDigest = own
        digest.add(own)
    }

    // MARK: - Raw results and reasons

    private mutating func internAuthentication() -> UInt32 {
        let (index, isNew) = authTable.intern(authKey.all)
        if isNew {
            let set = decodeAuthentication()
            batch.authentications.append(set)
            batch.authenticationDigests.append(Self.digest(of: set))
            var flags: UInt8 = 0
            if set.dkim.contains(where: { $0.result == .pass }) { flags |= 1 }
            if set.spf.contains(where: { $0.result == .pass }) { flags |= 2 }
            authFlags.append(flags)
        }
        return index
    }

    private mutating func decodeAuthentication() -> AuthenticationSet {
        var raw: [RawResult] = []
        authKey.forEach { tag, bytes in
            let value = String(decoding: bytes, as: UTF8.self)
            switch tag {
            case 1, 2: raw.append(RawResult(isDKIM: tag == 1))
            default:
                guard !raw.isEmpty else { return }
                raw[raw.count - 1].set(tag, value)
            }
        }
        var set = AuthenticationSet()
        for result in raw {
            if result.isDKIM { append(dkim: result, to: &set) } else { append(spf: result, to: &set) }
        }
        return set
    }

    private mutating func append(dkim raw: RawResult, to set: inout AuthenticationSet) {
        let domain = domain(raw.domain, missing: .emptySignature)
        // A shell says nothing; a result without a domain is kept, and matches nothing.
        if domain == nil, raw.result?.isEmpty ?? true { return }
        let selector = raw.selector.flatMap { $0.isEmpty ? nil : $0 }
        if selector == nil { deviations.insert(.noSelector) }
        let (result, word) = authenticationResult(raw.result, isSPF: false)
        let dkim = DKIMResult(domain: domain, selector: selector, result: result, rawResult: word, humanResult: nonEmpty(raw.human))
        if set.dkim.contains(dkim) { deviations.insert(.repeatedSignature) } else { set.dkim.append(dkim) }
    }

    private mutating func append(spf raw: RawResult, to set: inout AuthenticationSet) {
        let domain = domain(raw.domain, missing: .noSPFDomain)
        var scope: SPFScope?
        if let word = raw.scope?.lowercased(), let known = SPFScope(rawValue: word) {
            scope = known
            if word != raw.scope { deviations.insert(.letterCase) }
            if known == .helo { deviations.insert(.oddScope) }
        } else if raw.scope?.isEmpty ?? true {
            deviationsOfRFC7489.insert(.oddScope)
        } else {
            deviations.insert(.oddScope)
        }
        let (result, word) = authenticationResult(raw.result, isSPF: true)
        set.spf.append(SPFResult(domain: domain, scope: scope, result: result, rawResult: word, humanResult: nonEmpty(raw.human)))
    }

    private func nonEmpty(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    private mutating func domain(_ text: String?, missing: Deviation) -> String? {
        guard let text, !text.isEmpty, text != "NULL" else {
            deviations.insert(missing)
            return nil
        }
        return canonicalDomain(text)
    }

    /// The words of the standards, and those that are in use for them (STANDARDS: RFC 7489 notes `unknown` and `error` itself).
    private mutating func authenticationResult(_ text: String?, isSPF: Bool) -> (AuthenticationResult, raw: String?) {
        let written = text ?? ""
        if let known = AuthenticationResult(rawValue: written), known != .unknown, isSPF || known != .softfail { return (known, nil) }
        let lower = written.lowercased()
        if let known = AuthenticationResult(rawValue: lower), known != .unknown, isSPF || known != .softfail {
            deviations.insert(.letterCase)
            return (known, nil)
        }
        deviations.insert(.oddAuthResult)
        let meant: AuthenticationResult =
            switch (lower, isSPF) {
            case ("hardfail", true): .fail
            case ("unknown", true): .temperror
            case ("error", true): .permerror
            case ("invalid", false): .temperror
            default: .unknown
            }
        return (meant, String(written.prefix(256)))
    }

    private static func digest(of set: AuthenticationSet) -> ContentDigest {
        var digest = ContentDigest()
        func append(_ text: String?) {
            if let text { digest.append(ContentDigest(of: text)) } else { digest.append(2) }
        }
        for dkim in set.dkim {
            digest.append(3)
            for text in [dkim.domain, dkim.selector, dkim.result.rawValue, dkim.rawResult, dkim.humanResult] { append(text) }
        }
        for spf in set.spf {
            digest.append(4)
            for text in [spf.domain, spf.scope?.rawValue, spf.result.rawValue, spf.rawResult, spf.humanResult] { append(text) }
        }
        return digest
    }

    /// Reasons without a type are none; a bare text in `reason` is the type.
    private mutating func internOverrides() -> UInt32 {
        let (index, isNew) = reasonTable.intern(reasonKey.all)
        if isNew {
            var raw: [(type: String?, comment: String?, bare: String?)] = []
            reasonKey.forEach { tag, bytes in
                let value = String(decoding: bytes, as: UTF8.self)
                if tag == 1 { raw.append((nil, nil, nil)) }
                guard !raw.isEmpty else { return }
                switch tag {
                case 2: raw[raw.count - 1].type = raw[raw.count - 1].type ?? value
                case 3: raw[raw.count - 1].comment = raw[raw.count - 1].comment ?? value
                case 4: raw[raw.count - 1].bare = value
                default: break
                }
            }
            var list: [PolicyOverride] = []
            for reason in raw {
                if nonEmpty(reason.type) == nil || reason.comment == "" { deviations.insert(.looseReason) }
                guard let type = nonEmpty(reason.type) ?? reason.bare else {
                    if let comment = nonEmpty(reason.comment) { list.append(PolicyOverride(type: "other", comment: comment)) }
                    continue
                }
                let lower = type.lowercased()
                if lower != type { deviations.insert(.letterCase) }
                list.append(PolicyOverride(type: lower, comment: nonEmpty(reason.comment)))
            }
            reasonIndexes.append(list.isEmpty ? Record.absent : UInt32(batch.overrides.count))
            if !list.isEmpty {
                var digest = ContentDigest()
                for reason in list {
                    digest.append(ContentDigest(of: reason.type))
                    digest.append(reason.comment.map { ContentDigest(of: $0) } ?? ContentDigest())
                }
                batch.overrides.append(list)
                reasonDigests.append(digest)
            }
        }
        return reasonIndexes[Int(index)]
    }

    // MARK: - Results

    /// Whether a batch is full and waits to be taken.
    var hasFullBatch: Bool { !fullBatches.isEmpty }

    /// Ends a batch between two records: indexes of a record must all lead into the tables of its own batch.
    private mutating func closeBatch() {
        var closed = RecordBatch()
        swap(&closed, &batch)
        fullBatches.append(closed)
        nameTable.reset()
        nameDigests.removeAll(keepingCapacity: true)
        authTable.reset()
        authFlags.removeAll(keepingCapacity: true)
        reasonTable.reset()
        reasonIndexes.removeAll(keepingCapacity: true)
        reasonDigests.removeAll(keepingCapacity: true)
    }

    /// The batches that are full; after the end of the document also the last one.
    mutating func takeBatches() -> [RecordBatch] {
        if rootIsClosed || deviations.contains(.closingTagCut), !batch.records.isEmpty { closeBatch() }
        var taken: [RecordBatch] = []
        swap(&taken, &fullBatches)
        return taken
    }

    /// The header while records are still arriving; nil until metadata and policy are both closed.
    var headerIfComplete: ReportHeader? {
        guard metadataIsClosed, policyIsClosed else { return nil }
        var copy = header
        var ignored = Deviations()
        return Self.complete(&copy, begin: begin, end: end, limits: limits, latestEnd: latestEnd, deviations: &ignored) == nil ? copy : nil
    }

    /// The report as a whole, or why it is none. Called once, after the root was closed.
    mutating func finish() -> Result<ParsedReport, ReportError> {
        if let error = Self.complete(&header, begin: begin, end: end, limits: limits, latestEnd: latestEnd, deviations: &deviations) {
            return .failure(error)
        }
        noteHeaderDeviations()
        var whole = digest
        var policy = ContentDigest()
        for text in [header.policy.p, header.policy.sp, header.policy.np, header.policy.adkim, header.policy.aspf, header.policy.pct] {
            if let text { policy.append(ContentDigest(of: text)) } else { policy.append(1) }
        }
        whole.add(policy)
        return .success(
            ParsedReport(
                header: header, recordCount: recordCount, messageCount: messageCount, deviations: deviations, refusedRecords: refusedRecords,
                refusedRecordExamples: refusedExamples, digest: whole))
    }

    private mutating func noteHeaderDeviations() {
        if header.version != "1.0" { deviations.insert(.oddVersion) }
        if recordCount == 0, refusedRecords.isEmpty { deviations.insert(.noRecords) }
        if header.standard == .rfc7489 {
            deviations.formUnion(deviationsOfRFC7489)
            if metadataOrder != metadataOrder.sorted() { deviations.insert(.looseMetadata) }
            let policy = header.policy
            if [policy.p, policy.sp, policy.adkim, policy.aspf, policy.pct].contains(nil) { deviations.insert(.loosePolicyTags) }
        }
        if header.email?.isEmpty ?? true || contactInfoIsEmpty { deviations.insert(.looseMetadata) }
    }

    /// Fills in what is derived and checks what a report cannot do without (STANDARDS section 7).
    private static func complete(
        _ header: inout ReportHeader, begin: String?, end: String?, limits: XMLLimits, latestEnd: Int, deviations: inout Deviations
    ) -> ReportError? {
        func missing(_ what: String) -> ReportError { ReportError(code: .missingField, found: what) }
        guard let begin, let end, !begin.isEmpty, !end.isEmpty else { return missing("date_range: begin or end is missing") }
        guard let first = seconds(begin), let last = seconds(end) else {
            return ReportError(code: .dateOutOfRange, found: "date_range \(begin.prefix(40))…\(end.prefix(40)) is not in seconds since 1970")
        }
        guard last >= first else { return ReportError(code: .dateOutOfRange, found: "the end \(last) is before the begin \(first)") }
        guard first >= limits.earliestBegin, last <= latestEnd else {
            return ReportError(
                code: .dateOutOfRange,
                found: "\(first)…\(last) lies before \(Day(containing: limits.earliestBegin)) or after \(Day(containing: latestEnd))")
        }
        guard last - first <= limits.maxWindowSeconds else {
            return ReportError(
                code: .dateOutOfRange, found: "the window is \((last - first) / 86400) days long, at most \(limits.maxWindowSeconds / 86400)")
        }
        header.window = ReportWindow(begin: first, end: last)
        let length = last - first
        if first % 86400 != 0 || (length != 86400 && length != 86399) || begin.contains(".") || end.contains(".") {
            deviations.insert(.oddWindow)
        }
        guard !header.policy.domain.isEmpty else { return missing("policy_published: domain is missing") }
        if header.reporter.isEmpty {
            deviations.insert(.looseMetadata)
            var address = (header.email ?? "")[...]
            if address.hasSuffix(">") { address = address.dropLast() }
            if let at = address.lastIndex(of: "@") { header.reporter = DomainName.canonical(String(address[address.index(after: at)...])) }
        }
        guard !header.reporter.isEmpty else { return missing("report_metadata: org_name is missing, and email has no domain") }
        if header.reportID.hasPrefix("<"), header.reportID.hasSuffix(">"), header.reportID.count > 2 {
            header.reportID = String(header.reportID.dropFirst().dropLast())
            deviations.insert(.oddReportID)
        }
        if header.reportID.isEmpty { deviations.insert(.oddReportID) }
        return nil
    }

    /// Whole seconds; a fraction is cut off. Nil for anything that is not a number.
    private static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
        return Int(parts[0])
    }
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

/// One element of `auth_results` before its words are understood.
private struct RawResult {
    let isDKIM: Bool
    var domain: String?
    var selector: String?
    var scope: String?
    var result: String?
    var human: String?

    init(isDKIM: Bool) { self.isDKIM = isDKIM }

    /// The first of a repeated element counts.
    mutating func set(_ tag: UInt8, _ value: String) {
        switch tag {
        case 3: domain = domain ?? value
        case 4: selector = selector ?? value
        case 5: scope = scope ?? value
        case 6: result = result ?? value
        case 7: human = human ?? value
        default: break
        }
    }
}
