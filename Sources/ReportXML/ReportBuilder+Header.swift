import DMARC

/// Metadata and published policy.
extension ReportBuilder {
    mutating func endHeaderElement(_ element: Element, _ value: UnsafeRawBufferPointer) {
        if textIsClipped { deviations.insert(.textClipped) }
        switch element {
        case .version: header.version = string(value)
        case .metadata: metadataIsClosed = true
        case .policy: policyIsClosed = true
        case .orgName: setMetadata(0, value) { $0.reporter = Composition.composed($1) }
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
    mutating func setMetadata(_ place: UInt8, _ value: UnsafeRawBufferPointer, _ assign: (inout ReportHeader, String) -> Void) {
        if metadataOrder.contains(place) { return }
        metadataOrder.append(place)
        assign(&header, string(value))
    }

    mutating func endPolicyElement(_ element: Element, _ value: String) {
        switch element {
        case .policyDomain: if header.policy.domain.isEmpty { header.policy.domain = canonicalDomain(value) }
        case .p: set(\.p, word(value, PublishedDisposition(rawValue: value) != nil))
        case .sp: set(\.sp, word(value, PublishedDisposition(rawValue: value) != nil))
        case .np:
            set(\.np, word(value, PublishedDisposition(rawValue: value) != nil))
            deviationsOfRFC7489.insert(.loosePolicyTags)
        case .adkim: set(\.adkim, word(value, value == "r" || value == "s"))
        case .aspf: set(\.aspf, word(value, value == "r" || value == "s"))
        case .pct: set(\.pct, word(value, UInt8(value).map { $0 <= 100 } ?? false))
        case .fo: set(\.fo, word(value, !value.isEmpty))
        case .testing:
            set(\.testing, word(value, value == "y" || value == "n"))
            header.standard = .rfc9990
        case .discoveryMethod:
            set(\.discoveryMethod, word(value, value == "psl" || value == "treewalk"))
            header.standard = .rfc9990
        case .otherTag: deviations.insert(.loosePolicyTags)
        default: break
        }
    }

    mutating func set(_ field: WritableKeyPath<PublishedPolicy, String?>, _ value: String) {
        if header.policy[keyPath: field] == nil { header.policy[keyPath: field] = value }
    }

    /// A word of the policy: lower case if that makes it one of the vocabulary, as written otherwise.
    mutating func word(_ value: String, _ isKnown: Bool) -> String {
        if isKnown { return value }
        let lower = value.lowercased()
        if lower != value, ["none", "quarantine", "reject", "r", "s", "y", "n", "psl", "treewalk"].contains(lower) {
            deviations.insert(.letterCase)
            return lower
        }
        deviations.insert(.loosePolicyTags)
        return value
    }

    func string(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    mutating func canonicalDomain(_ text: String) -> String {
        let canonical = DomainName.canonical(text)
        if canonical != text { deviations.insert(.oddDomainSpelling) }
        return canonical
    }

    /// Whether a batch is full and waits to be taken.
    var hasFullBatch: Bool { !fullBatches.isEmpty }

    /// Ends a batch between two records: indexes of a record must all lead into the tables of its own batch.
    mutating func closeBatch() {
        var closed = RecordBatch()
        closed.textBytes = 0
        swap(&closed, &batch)
        closed.textBytes = nameTable.byteCount + authTable.byteCount + reasonTable.byteCount
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
                header: header, recordCount: recordCount, messageCount: messageCount, deviations: deviations,
                refusedRecords: refusedRecords,
                refusedRecordExamples: refusedExamples, digest: whole))
    }

    mutating func noteHeaderDeviations() {
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
    static func complete(
        _ header: inout ReportHeader, begin: String?, end: String?, limits: XMLLimits, latestEnd: Int, deviations: inout Deviations
    ) -> ReportError? {
        func missing(_ what: String) -> ReportError { ReportError(code: .missingField, found: what) }
        guard let begin, let end, !begin.isEmpty, !end.isEmpty else { return missing("date_range: begin or end is missing") }
        guard let first = seconds(begin), let last = seconds(end) else {
            return ReportError(
                code: .dateOutOfRange, found: "date_range \(begin.prefix(40))…\(end.prefix(40)) is not in seconds since 1970")
        }
        guard last >= first else { return ReportError(code: .dateOutOfRange, found: "the end \(last) is before the begin \(first)") }
        guard first >= limits.earliestBegin else {
            return ReportError(
                code: .dateOutOfRange, found: "\(first) is before \(Day(containing: limits.earliestBegin)) (limits.earliest_begin)")
        }
        guard last - first <= limits.maxWindowDays * 86400 else {
            return ReportError(
                code: .dateOutOfRange,
                found: "the window is \((last - first) / 86400) days long, at most \(limits.maxWindowDays) (limits.window_days)")
        }
        // The last that is asked about dates: a clock that is right may find nothing wrong with them.
        guard last <= latestEnd else {
            return ReportError(
                code: .dateOutOfRange, found: "\(last) is after \(Day(containing: latestEnd)) (limits.future_days)", endAhead: last)
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
    static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
        return Int(parts[0])
    }
}
