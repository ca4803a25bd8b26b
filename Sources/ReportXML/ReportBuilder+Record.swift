import DMARC

/// Records: one `row`, its identifiers, and whether it can be stored.
extension ReportBuilder {
    mutating func beginRecord() {
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
        resultCount = 0
        authKey.count = 0
        reasonKey.count = 0
    }

    mutating func endSource(_ value: UnsafeRawBufferPointer) {
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

    mutating func endCount(_ value: UnsafeRawBufferPointer) {
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
    func equals(_ value: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
        value.count == word.utf8CodeUnitCount
            && UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount).elementsEqual(value)
    }

    mutating func endDisposition(_ value: UnsafeRawBufferPointer) {
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
    mutating func evaluated(_ value: UnsafeRawBufferPointer) -> (AlignedResult?, odd: String?) {
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

    mutating func intern(_ value: UnsafeRawBufferPointer) -> UInt32 {
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

    /// Distinct texts of the batch: what the memory that it takes depends on.
    private var internedBytes: Int { nameTable.byteCount + authTable.byteCount + reasonTable.byteCount }

    /// A signature or SPF check begins; one too many is read over.
    mutating func beginResult(_ tag: UInt8) {
        resultCount += 1
        if resultCount > limits.maxResultsPerRecord {
            deviations.insert(.textClipped)
            stack[depth] = .unknown
        } else {
            result(tag)
        }
    }

    @inline(__always)
    mutating func result(_ tag: UInt8, _ value: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) {
        if !authKey.append(tag, value) { deviations.insert(.textClipped) }
    }

    @inline(__always)
    mutating func reason(_ tag: UInt8, _ value: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)) {
        if !reasonKey.append(tag, value) { deviations.insert(.textClipped) }
    }

    mutating func endRecord() {
        let sequence = recordIndex
        // A skeleton: nothing in it, or a count of nothing.
        if !sawSource, headerFrom == Record.absent, !sawCount || messages == 0 { return }
        recordIndex += 1
        guard recordIndex <= limits.maxRecords else {
            fail(.tooManyRecords, "more than \(limits.maxRecords) records (limits.records)")
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
        if batch.records.count >= limits.recordsPerBatch || internedBytes >= limits.textBytesPerBatch { closeBatch() }
    }

    mutating func keepOddWords(_ sequence: UInt32) {
        for (element, word) in [("disposition", oddDisposition), ("dkim", oddDKIM), ("spf", oddSPF)] {
            if let word { batch.oddWords.append(OddWord(sequence: sequence, element: element, word: String(word.prefix(256)))) }
        }
    }

    mutating func refuse(_ reason: RecordRefusal, _ sequence: Int, _ found: String) {
        refusedRecords[reason, default: 0] += 1
        guard refusedExamples[reason] == nil else { return }
        let what = found.isEmpty ? "empty" : "\"\(found.prefix(64))\""
        refusedExamples[reason] =
            switch reason {
            case .badSourceAddress: "record \(sequence + 1), line \(line): source_ip is \(what), not an address"
            case .countOutOfRange: "record \(sequence + 1), line \(line): count is \(what), not 0…\(limits.maxMessages)"
            }
    }

    mutating func addDigest(of record: Record) {
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
}
