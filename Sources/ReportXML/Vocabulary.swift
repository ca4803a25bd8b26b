/// The elements of a report, each by what it means where it stands: `dkim` below `policy_evaluated` is another element than `dkim` below
/// `auth_results`. The union of RFC 7489 Appendix C and RFC 9990.
enum Element: UInt8, CaseIterable {
    case document, unknown
    case feedback, version, xmlExtension
    case metadata, orgName, email, contactInfo, reportID, dateRange, begin, end, error, generator
    case policy, policyDomain, p, sp, np, adkim, aspf, pct, fo, testing, discoveryMethod, otherTag
    case record, row, sourceIP, count
    case evaluated, disposition, evaluatedDKIM, evaluatedSPF, reason, reasonType, reasonComment
    case identifiers, headerFrom, envelopeFrom, envelopeTo
    case authResults, dkim, dkimDomain, dkimSelector, dkimResult, dkimHuman
    case spf, spfDomain, spfScope, spfResult, spfHuman

    /// Longer text here means that the document is refused: a clipped name would be another name.
    var isIdentity: Bool {
        switch self {
        case .orgName, .reportID, .policyDomain, .headerFrom, .envelopeFrom, .envelopeTo, .dkimDomain, .dkimSelector, .spfDomain: true
        default: false
        }
    }
}

/// Finds elements by their local names, compared as bytes.
enum Vocabulary {
    /// Parent, local name, element. Order of siblings and namespaces do not matter.
    private static let children: [(Element, String, Element)] = [
        (.document, "feedback", .feedback),
        (.feedback, "version", .version), (.feedback, "report_metadata", .metadata), (.feedback, "policy_published", .policy),
        (.feedback, "record", .record), (.feedback, "extension", .xmlExtension), (.feedback, "extensions", .xmlExtension),
        (.metadata, "org_name", .orgName), (.metadata, "email", .email), (.metadata, "extra_contact_info", .contactInfo),
        (.metadata, "report_id", .reportID), (.metadata, "date_range", .dateRange), (.metadata, "data_range", .dateRange),
        (.metadata, "error", .error), (.metadata, "generator", .generator),
        (.dateRange, "begin", .begin), (.dateRange, "end", .end),
        (.policy, "domain", .policyDomain), (.policy, "p", .p), (.policy, "sp", .sp), (.policy, "np", .np), (.policy, "adkim", .adkim),
        (.policy, "aspf", .aspf), (.policy, "pct", .pct), (.policy, "fo", .fo), (.policy, "testing", .testing),
        (.policy, "discovery_method", .discoveryMethod), (.policy, "t", .otherTag), (.policy, "psd", .otherTag), (.policy, "ri", .otherTag),
        (.policy, "rf", .otherTag), (.policy, "version_published", .otherTag),
        (.record, "row", .row), (.record, "identifiers", .identifiers), (.record, "identities", .identifiers),
        (.record, "auth_results", .authResults),
        (.row, "source_ip", .sourceIP), (.row, "count", .count), (.row, "policy_evaluated", .evaluated),
        (.evaluated, "disposition", .disposition), (.evaluated, "dkim", .evaluatedDKIM), (.evaluated, "spf", .evaluatedSPF),
        (.evaluated, "reason", .reason), (.reason, "type", .reasonType), (.reason, "comment", .reasonComment),
        (.identifiers, "header_from", .headerFrom), (.identifiers, "envelope_from", .envelopeFrom),
        (.identifiers, "envelope_to", .envelopeTo),
        (.authResults, "dkim", .dkim), (.authResults, "spf", .spf),
        (.dkim, "domain", .dkimDomain), (.dkim, "selector", .dkimSelector), (.dkim, "result", .dkimResult),
        (.dkim, "human_result", .dkimHuman),
        (.spf, "domain", .spfDomain), (.spf, "scope", .spfScope), (.spf, "result", .spfResult), (.spf, "human_result", .spfHuman),
    ]

    /// All local names; a name's place here is its token. Token 0 is "no such name".
    static let names: [String] = [""] + Array(Set(children.map(\.1))).sorted()

    /// `names` by length and first byte, for the look-up of a name not met before in a context.
    private static let tokens: [String: UInt8] = Dictionary(
        uniqueKeysWithValues: names.enumerated().map { ($0.element, UInt8($0.offset)) })

    /// Row: parent; column: token.
    private static let table: [UInt8] = {
        var table = [UInt8](repeating: Element.unknown.rawValue, count: Element.allCases.count * names.count)
        for (parent, name, child) in children {
            table[Int(parent.rawValue) * names.count + Int(tokens[name] ?? 0)] = child.rawValue
        }
        return table
    }()

    /// The table, for a parser to hold: reading a lazy global costs a check at every element.
    static func makeTable() -> UnsafeMutablePointer<Element> {
        let pointer = UnsafeMutablePointer<Element>.allocate(capacity: table.count)
        for (index, raw) in table.enumerated() { (pointer + index).initialize(to: Element(rawValue: raw) ?? .unknown) }
        return pointer
    }

    /// The token of a local name, 0 for a name outside the vocabulary.
    static func token(_ name: UnsafeBufferPointer<UInt8>) -> UInt8 {
        guard name.count <= 32 else { return 0 }
        return tokens[String(decoding: name, as: UTF8.self)] ?? 0
    }
}
