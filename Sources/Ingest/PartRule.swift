import Glibc
import Mail
import Unpacking

/// What is done with an attachment.
enum PartVerdict: Equatable {
    /// It is opened or read.
    case open
    /// It is refused: a code of `PartRule.Code` or of `UnpackError`, and what was found.
    case refuse(code: String, detail: String)
    /// The same, unless the mail holds something that was read or refused: on its own account it may be anything.
    case refuseIfAlone(code: String, detail: String)
    /// It is nothing that could hold a report; `kind` is the word for a mail of nothing else, nil if it says nothing of the mail.
    case pass(kind: String?)
}

/// What a mail and an attachment claim to be: foreign text throughout.
struct PartClaims {
    /// The file name, "" if none.
    var name = ""
    /// The media type in lower case, "" if none.
    var mediaType = ""
    /// Whether the part is the text of the mail, and no attachment: it has no name.
    var isBody: Bool { name.isEmpty && (mediaType.isEmpty || mediaType.hasPrefix("text/")) && mediaType != "text/xml" }
    /// The mail's Subject and author.
    var subject = ""
    var author = ""
    /// Bytes of it.
    var size = 0
}

/// The one rule for what cannot be opened: "it cannot be read" is not "it is no report".
///
/// What is an archive, or encrypted, is refused wherever it stands, as a ZIP without a report is. Whatever else cannot be opened is refused if
/// its name or type says that it is a report's; and if only the mail says so, then where nothing in the mail was read or refused.
enum PartRule {
    /// Why an attachment is refused that could hold a report and is in a form that is not opened.
    enum Code: String, CaseIterable {
        case sevenZip = "archive-seven-zip"
        case rar = "archive-rar"
        case otherArchive = "archive-other"
        case tnef = "tnef"
        case encrypted = "encrypted-mail"
        case secureMail = "smime-damaged"
        case outlookMessage = "outlook-message"
        case gzipWithoutStart = "gzip-without-start"
        case removed = "attachment-removed"
        case compressedMail = "compressed-mail"
        case tlsReport = "tls-report"
        case partial = "partial-mail"
    }

    static func verdict(_ form: AttachmentForm, _ part: PartClaims, _ content: UnsafeRawBufferPointer) -> PartVerdict {
        func refuse(_ code: Code, _ detail: String) -> PartVerdict { .refuse(code: code.rawValue, detail: detail) }
        // What such a part holds is no content (RFC 2046 section 5.2).
        if part.mediaType == "message/partial" {
            return refuse(.partial, "a piece of a mail that was cut up (message/partial); have it sent in one piece")
        }
        if part.mediaType == "message/external-body" {
            guard isReportMail(part) else { return .pass(kind: "other-attachment") }
            return refuse(.removed, "only where the attachment lies (message/external-body); have it sent along")
        }
        switch form {
        case .container, .base64, .uuencoded, .mail, .secure(.signed): return .open
        case .sevenZip: return refuse(.sevenZip, "a 7z archive; ask the reporter for gzip, or unpack it and hand over the report")
        case .rar: return refuse(.rar, "a RAR archive; ask the reporter for gzip, or unpack it and hand over the report")
        case .otherArchive(let name):
            guard hasReportName(part) || claimsPacked(part) else { return unclaimed(part) }
            return refuse(.otherArchive, "packed with \(name); ask the reporter for gzip, or unpack it and hand over the report")
        case .tnef(let hasAttachments):
            guard hasAttachments || isReportMail(part) else { return .pass(kind: "other-attachment") }
            return refuse(
                .tnef, "Exchange's TNEF (winmail.dat); have it sent as an ordinary attachment, or save what is in it and hand it over")
        case .outlookMessage:
            return refuse(
                .outlookMessage, "a message in Outlook's own format; forward it as an ordinary mail, or save the attachment in it")
        case .encrypted, .secure(.encrypted):
            return refuse(.encrypted, "encrypted; reports need no secrecy: have it sent in the clear, or decrypt it and hand it over")
        case .secure(.damaged): return refuse(.secureMail, "S/MIME whose content cannot be reached: cut off or damaged")
        case .secure(.other):
            return hasReportName(part) || isReportMail(part)
                ? refuse(.secureMail, "S/MIME of a kind that is not read") : .pass(kind: "other-attachment")
        case .secure(.signature), .harmless:
            guard hasReportName(part) || claimsPacked(part) else { return .pass(kind: part.name.isEmpty ? nil : "other-attachment") }
            return .refuse(code: UnpackError.Code.unknownContainer.rawValue, detail: "named as a report, and is something else")
        case .gzipWithoutStart:
            guard hasReportName(part) || claimsPacked(part) || isReportMail(part) else { return unclaimed(part) }
            return refuse(.gzipWithoutStart, "a gzip without its first bytes: something on the way took it for text; ask for it again")
        case .dovecotLZ4:
            return refuse(.compressedMail, "a mail that Dovecot compressed with LZ4; have Dovecot use gzip or zstd, or collect over IMAP")
        case .json:
            if part.mediaType.hasPrefix("application/tlsrpt") { return .pass(kind: nil) }
            return .pass(kind: part.name.isEmpty ? nil : "other-attachment")
        case .text: return text(part, content)
        case .unknown:
            if hasReportName(part) || claimsPacked(part) { return unreadable(part) }
            return claimsSecure(part) ? refuse(.secureMail, "named as S/MIME, and is something else") : unclaimed(part)
        }
    }

    /// Bytes below which nothing can be a report, whatever the mail says: a gzip of the least one has about 250.
    private static let leastBytes = 128

    private static func unreadable(_ part: PartClaims) -> PartVerdict {
        .refuse(
            code: UnpackError.Code.unknownContainer.rawValue,
            detail: "\(part.size) bytes that are neither gzip, zip, zlib, bzip2, xz, zstd, lz4 nor XML")
    }

    /// Only the mail can say that it is a report's.
    private static func unclaimed(_ part: PartClaims) -> PartVerdict {
        guard isReportMail(part), part.size >= leastBytes, !isOfHarmlessType(part) else {
            return .pass(kind: part.name.isEmpty ? nil : "other-attachment")
        }
        guard case .refuse(let code, let detail) = unreadable(part) else { return .pass(kind: nil) }
        return .refuseIfAlone(code: code, detail: detail)
    }

    private static func text(_ part: PartClaims, _ content: UnsafeRawBufferPointer) -> PartVerdict {
        let saysRemoved = saysRemoved(content)
        let detail = "a text in place of the attachment, which a mail gateway removed; let reports through, and ask for it again"
        if hasReportName(part) || (claimsPacked(part) && !part.isBody) {
            if content.allSatisfy({ $0 <= 0x20 }) { return .pass(kind: "empty-file") }
            if saysRemoved { return .refuse(code: Code.removed.rawValue, detail: detail) }
            return unreadable(part)
        }
        if claimsSecure(part) { return .refuse(code: Code.secureMail.rawValue, detail: "named as S/MIME, and is something else") }
        if part.name.lowercased().hasPrefix("securedoc"), isReportMail(part) {
            return .refuse(
                code: Code.encrypted.rawValue, detail: "a page that fetches an encrypted mail; have reports sent in the clear")
        }
        if isReportMail(part), part.isBody, holdsReport(content) {
            return .refuseIfAlone(
                code: UnpackError.Code.unknownContainer.rawValue,
                detail: "a report in the midst of a text; save it as a file, from <feedback> to </feedback>, and hand that over")
        }
        if saysRemoved, isReportMail(part) { return .refuseIfAlone(code: Code.removed.rawValue, detail: detail) }
        return .pass(kind: part.name.isEmpty ? nil : "other-attachment")
    }

    /// Whether a report stands in a text, from a line's beginning on: what is quoted in an answer does not.
    private static func holdsReport(_ content: UnsafeRawBufferPointer) -> Bool {
        let text = String(decoding: content.prefix(1 << 20), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).contains { $0.hasPrefix("<feedback") } && text.contains("</feedback>")
    }

    // MARK: - Claims

    private static func claimsSecure(_ part: PartClaims) -> Bool {
        ["application/pkcs7-mime", "application/x-pkcs7-mime"].contains(part.mediaType) || part.name.lowercased().hasSuffix(".p7m")
    }

    /// `receiver!domain!begin!end` somewhere in the name (RFC 7489 §7.2.1.1).
    private static func hasReportName(_ part: PartClaims) -> Bool {
        let fields = part.name.split(separator: "!", omittingEmptySubsequences: false)
        guard fields.count >= 4 else { return false }
        return fields[2].allSatisfy(\.isNumber) && !fields[2].isEmpty && fields[3].first?.isNumber == true
    }

    private static let packedEndings = [
        ".xml", ".gz", ".gzip", ".zip", ".zlib", ".z", ".bz2", ".xz", ".zst", ".zstd", ".lz4", ".lzma", ".7z", ".rar", ".tar", ".tgz",
        ".cab",
        ".arj", ".lzh",
    ]
    private static let packedTypes = [
        "gzip", "x-gzip", "gzip-compressed", "x-gzip-compressed", "gunzip", "x-gunzip", "zip", "x-zip", "x-zip-compressed",
        "zip-compressed",
        "xml", "zlib", "x-bzip2", "x-bzip", "x-xz", "zstd", "x-lz4", "x-7z-compressed", "vnd.rar", "x-rar", "x-rar-compressed", "x-tar",
        "x-compress", "x-compressed", "dmarc+xml", "vnd.dmarc+xml",
    ]

    /// The name or the type is that of a document or of something packed.
    private static func claimsPacked(_ part: PartClaims) -> Bool {
        let name = part.name.lowercased()
        if packedEndings.contains(where: { name.hasSuffix($0) }) { return true }
        if part.mediaType == "text/xml" { return true }
        return part.mediaType.hasPrefix("application/") && packedTypes.contains(String(part.mediaType.dropFirst(12)))
    }

    private static func isOfHarmlessType(_ part: PartClaims) -> Bool {
        ["image/", "audio/", "video/", "font/", "text/", "message/"].contains { part.mediaType.hasPrefix($0) }
            || [
                "application/pdf", "application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature",
                "application/pgp-keys", "application/pgp-encrypted", "application/ics",
            ].contains(part.mediaType)
    }

    /// The Subject is that of a report in any of its spellings, or the author's address is one that sends nothing else.
    static func isReportMail(_ part: PartClaims) -> Bool {
        let subject = part.subject.lowercased()
        if subject.contains("report domain:") && (subject.contains("submitter:") || subject.contains("report-id:")) { return true }
        if subject.contains("dmarc"), subject.contains("report") || subject.contains("rapport") || subject.contains("bericht") {
            return true
        }
        let author = part.author.lowercased()
        return author.contains("dmarc") && author.contains("@")
            && (author.contains("report") || author.contains("reply") || author.contains("rua"))
    }

    /// The same of a mail that a mail system sends: it quotes the Subject of what it returns behind words of its own.
    static func isReportOfMailSystem(_ part: PartClaims) -> Bool {
        var subject = part.subject.lowercased()[...]
        // `[Preview]` and the like.
        if subject.hasPrefix("["), let end = subject.firstIndex(of: "]") { subject = subject[subject.index(after: end)...] }
        subject = subject.drop { $0 == " " }
        return isReportMail(part) && ["report domain", "dmarc", "aggregate"].contains { subject.hasPrefix($0) }
    }

    private static let removedVerbs = [
        "removed", "deleted", "blocked", "stripped", "quarantined", "replaced", "verwijderd", "geblokkeerd", "entfernt", "gelöscht",
        "blockiert",
        "supprim", "bloqu", "retir", "eliminad", "rimoss", "usuni", "fjernet", "borttag",
    ]
    private static let removedNouns = [
        "attachment", "file", "content", "bijlage", "bestand", "anhang", "anlage", "datei", "pièce jointe", "fichier", "adjunto", "archivo",
        "allegato", "załącznik", "vedhæft", "vedlegg", "bilaga",
    ]

    /// Whether a text says that an attachment was taken out.
    private static func saysRemoved(_ content: UnsafeRawBufferPointer) -> Bool {
        let text = String(decoding: content.prefix(8192), as: UTF8.self).lowercased()
        return removedVerbs.contains { text.contains($0) } && removedNouns.contains { text.contains($0) }
    }
}
