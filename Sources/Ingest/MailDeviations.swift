import DMARC
import Mail
import Unpacking

/// Deviations of the mail and the container that a report came in (RFC 7489 §7.2.1.1, RFC 9990 §3.5).
enum MailDeviations {
    /// Media types that a report may have: those of the standards, and `application/zip` of the drafts before them.
    private static let usual: Set<String> = ["application/gzip", "application/zip", "text/xml"]

    /// Of the container, whatever brought it.
    static func of(_ facts: DocumentFacts, name: String, mediaType: String) -> Deviations {
        var found = Deviations()
        if facts.container == .xml { found.insert(.plainAttachment) }
        if !facts.notes.isEmpty || [.bzip2, .xz, .zstd, .lz4].contains(facts.container) { found.insert(.oddArchive) }
        let suffix = name.lowercased()
        let isZip = facts.container == .zip
        let isGzip = facts.container == .gzip
        let claimsGzip = suffix.hasSuffix(".gz") || mediaType == "application/gzip" || mediaType == "application/x-gzip"
        let claimsZip = suffix.hasSuffix(".zip") || mediaType == "application/zip" || mediaType == "application/x-zip-compressed"
        if (claimsGzip && !isGzip) || (claimsZip && !isZip) { found.insert(.mislabelledContainer) }
        return found
    }

    /// Of the attachment of a mail.
    static func of(_ attachment: Attachment, _ facts: DocumentFacts, _ header: ReportHeader) -> Deviations {
        var found = Deviations()
        if attachment.mediaType == "application/octet-stream" {
            found.insert(.genericMediaType)
        } else if attachment.mediaType.isEmpty || !attachment.hasContentType {
            found.insert(.noContentType)
        } else if !usual.contains(attachment.mediaType) {
            found.insert(.oddMediaType)
        }
        if attachment.isWholeBody, facts.container != .xml { found.insert(.oddMediaType) }
        if attachment.insideMessage { found.insert(.forwardedReport) }
        if !isReportName(attachment.name, of: header) { found.insert(.oddFileName) }
        return found
    }

    /// Of the mail as a whole.
    static func of(_ mail: MailFacts) -> Deviations {
        var found = Deviations()
        if mail.hasHTMLBody { found.insert(.bodyBesideReport) }
        if !isReportSubject(mail.subject) { found.insert(.oddSubject) }
        return found
    }

    /// `receiver "!" policy-domain "!" begin "!" end [ "!" unique-id ] "." extension`, and what it says is what the report says.
    static func isReportName(_ name: String, of header: ReportHeader) -> Bool {
        var stem = name.utf8[...]
        for suffix in [".gz", ".zip", ".xml"] where hasSuffix(stem, suffix) { stem = stem.dropLast(suffix.utf8.count) }
        guard stem.count < name.utf8.count else { return false }
        let fields = stem.split(separator: UInt8(ascii: "!"), maxSplits: 5, omittingEmptySubsequences: false)
        guard fields.count == 4 || fields.count == 5, !fields[0].isEmpty else { return false }
        return number(fields[2]) == header.window.begin && number(fields[3]) == header.window.end
            && (fields[1].elementsEqual(header.policy.domain.utf8)
                || DomainName.canonical(String(Substring(fields[1]))) == header.policy.domain)
    }

    private static func hasSuffix(_ text: Substring.UTF8View, _ suffix: String) -> Bool {
        text.count >= suffix.utf8.count && text.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) { $0 | 0x20 == $1 | 0x20 }
    }

    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty, digits.count <= 12 else { return nil }
        var value = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int(digit & 15)
        }
        return value
    }

    /// `Report Domain: d Submitter: s [Report-ID: <id>]`, RFC 7489 §7.2.1.1.
    static func isReportSubject(_ subject: String) -> Bool {
        let words = subject.utf8.split(maxSplits: 8) { $0 <= 0x20 }
        func word(_ index: Int, is text: StaticString) -> Bool {
            words[index].elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        guard words.count >= 5, word(0, is: "Report"), word(1, is: "Domain:"), words[2].last != UInt8(ascii: ";"), word(3, is: "Submitter:")
        else { return false }
        if words.count == 5 { return true }
        if word(5, is: "Report-ID:") { return words.count == 7 }
        return words.count == 6 && words[5].starts(with: "Report-ID:".utf8)
    }
}
