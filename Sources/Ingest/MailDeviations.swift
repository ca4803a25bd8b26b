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
        if !facts.notes.isEmpty { found.insert(.oddArchive) }
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
        var stem = name[...]
        for suffix in [".gz", ".zip", ".xml"] where stem.lowercased().hasSuffix(suffix) { stem = stem.dropLast(suffix.count) }
        guard stem.count < name.count else { return false }
        let fields = stem.split(separator: "!", omittingEmptySubsequences: false)
        guard fields.count == 4 || fields.count == 5, !fields[0].isEmpty else { return false }
        return DomainName.canonical(String(fields[1])) == header.policy.domain && Int(fields[2]) == header.window.begin
            && Int(fields[3]) == header.window.end
    }

    /// `Report Domain: d Submitter: s [Report-ID: <id>]`, RFC 7489 §7.2.1.1; the words in any case.
    static func isReportSubject(_ subject: String) -> Bool {
        let words = subject.split(whereSeparator: { $0.isWhitespace })
        guard words.count >= 4, words[0] == "Report", words[1] == "Domain:", !words[2].hasSuffix(";") else { return false }
        guard let submitter = words.firstIndex(of: "Submitter:"), submitter == 3, words.count >= 5 else { return false }
        if words.count == 5 { return true }
        guard words[5].hasPrefix("Report-ID:") else { return false }
        let rest = words[5].dropFirst("Report-ID:".count)
        return rest.isEmpty ? words.count == 7 : words.count == 6
    }
}
