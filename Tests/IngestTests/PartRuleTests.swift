import Mail
import Testing
import Unpacking

@testable import Ingest

/// The rule for what cannot be opened, as a table.
@Suite("What could hold a report")
struct PartRuleTests {
    enum Want: Equatable {
        case open, pass
        case refuse(String), alone(String)
    }

    struct Row {
        var what: String
        var bytes: [UInt8]
        var name = ""
        var type = "application/octet-stream"
        var subject = ""
        var want: Want
    }

    static let noise = (0..<600).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 17 &+ 91 &* $0 &+ 5) | 1 }
    static let report = "Report Domain: example.nl Submitter: ontvanger.example Report-ID: <1>"
    static let file = "ontvanger.example!example.nl!1793491200!1793577599"
    static let png: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + [UInt8](repeating: 0, count: 300)
    static let pdf = Array("%PDF-1.4\n%%EOF\n".utf8)
    static let gone = Array("Your attachment was removed by our gateway.".utf8)
    static let seven: [UInt8] = [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4]
    static let tnef: [UInt8] = [0x78, 0x9f, 0x3e, 0x22, 1, 0, 1, 6, 0x90, 8, 0, 4, 0, 0, 0, 0, 0, 1, 0, 1, 0]
    static let tnefFile: [UInt8] = tnef + [2, 0x0f, 0x80, 6, 0, 1, 0, 0, 0, 0x50, 0x50, 0]
    static let cutGzip: [UInt8] = [0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x4b, 0x4c]

    static let rows: [Row] = [
        // Archives are refused wherever they hang, as a zip without a report is.
        Row(what: "7z as a report", bytes: seven, name: file + ".7z", subject: report, want: .refuse("archive-seven-zip")),
        Row(what: "7z with a note", bytes: seven, name: "photos.7z", subject: "hello", want: .refuse("archive-seven-zip")),
        Row(what: "RAR under no name", bytes: Array("Rar!\u{1a}\u{7}\u{0}".utf8), want: .refuse("archive-rar")),
        Row(what: "CAB as a report", bytes: Array("MSCF".utf8) + noise, name: file + ".cab", want: .refuse("archive-other")),
        Row(what: "bytes like ARJ", bytes: [0x60, 0xea] + noise, name: "a.bin", subject: "hello", want: .pass),
        // TNEF with something in it, or in a report's mail.
        Row(what: "winmail.dat with a file", bytes: tnefFile, name: "winmail.dat", subject: "FW: x", want: .refuse("tnef")),
        Row(what: "winmail.dat of a note", bytes: tnef, name: "winmail.dat", subject: "hello", want: .pass),
        Row(what: "winmail.dat in a report mail", bytes: tnef, name: "winmail.dat", subject: report, want: .refuse("tnef")),
        Row(what: "an Outlook message", bytes: [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], want: .refuse("outlook-message")),
        Row(what: "PGP", bytes: Array("-----BEGIN PGP MESSAGE-----\n\nxx".utf8), want: .refuse("encrypted-mail")),
        // Damage at the beginning.
        Row(what: "gzip less a byte", bytes: cutGzip, name: file + ".xml.gz", want: .refuse("gzip-without-start")),
        Row(what: "gzip less two bytes", bytes: Array(cutGzip.dropFirst()), name: "x.gz", want: .refuse("gzip-without-start")),
        Row(what: "gzip less a byte, by its type", bytes: cutGzip, type: "application/gzip", want: .refuse("gzip-without-start")),
        Row(what: "gzip less a byte, by the mail", bytes: cutGzip, name: "ATT1", subject: report, want: .refuse("gzip-without-start")),
        Row(what: "bytes like half a gzip", bytes: cutGzip, name: "a.bin", subject: "hello", want: .pass),
        // Noise: the name, the type or the mail says what it is.
        Row(what: "noise as .gz", bytes: noise, name: "r.gz", want: .refuse("unknown-container")),
        Row(what: "noise as application/zip", bytes: noise, type: "application/zip", want: .refuse("unknown-container")),
        Row(what: "noise in a report mail", bytes: noise, name: "ATT1", subject: report, want: .alone("unknown-container")),
        Row(what: "noise in a Dutch report mail", bytes: noise, name: "ATT1", subject: "DMARC-rapport", want: .alone("unknown-container")),
        Row(what: "a little noise in a report mail", bytes: Array(noise.prefix(40)), name: "ATT1", subject: report, want: .pass),
        Row(what: "noise with a note", bytes: noise, name: "a.bin", subject: "hello", want: .pass),
        Row(what: "sound in a report mail", bytes: noise, name: "a.amr", type: "audio/amr", subject: report, want: .pass),
        // Pictures and PDFs are none, unless they pose as one.
        Row(what: "a logo beside a report", bytes: png, name: "logo.png", type: "image/png", subject: report, want: .pass),
        Row(what: "a logo under a wrong type", bytes: png, name: "logo", subject: report, want: .pass),
        Row(what: "a PDF with a note", bytes: pdf, name: "letter.pdf", type: "application/pdf", subject: "hello", want: .pass),
        Row(what: "a picture as .zip", bytes: png, name: file + ".zip", want: .refuse("unknown-container")),
        // Texts.
        Row(
            what: "removed, under the report's name", bytes: gone, name: file + ".zip", type: "text/plain",
            want: .refuse("attachment-removed")),
        Row(
            what: "removed, under the report's name and .txt", bytes: gone, name: file + ".zip.txt", type: "text/plain",
            want: .refuse("attachment-removed")),
        Row(
            what: "removed, in a report mail", bytes: gone, name: "DELETED0.TXT", type: "text/plain", subject: report,
            want: .alone("attachment-removed")),
        Row(
            what: "removed, in the body of a report mail", bytes: gone, type: "text/plain", subject: report,
            want: .alone("attachment-removed")),
        Row(what: "removed, in a note", bytes: gone, name: "a.txt", type: "text/plain", subject: "hello", want: .pass),
        Row(what: "a text as .gz", bytes: Array("no report today".utf8), name: "r.xml.gz", want: .refuse("unknown-container")),
        Row(
            what: "the body of a report mail", bytes: Array("This is an aggregate report.".utf8), type: "text/plain", subject: report,
            want: .pass),
        Row(
            what: "JSON", bytes: Array("{\"a\": 1}".utf8), name: file + ".json", type: "application/tlsrpt+json", subject: report,
            want: .pass),
        // Encrypted by others, and where something else stands in place of the attachment.
        Row(
            what: "Microsoft's rights management", bytes: [0x76, 0xe8, 0x04, 0x60, 0xc4, 0x11, 0xe3, 0x86] + noise, name: "message.rpmsg",
            want: .refuse("encrypted-mail")),
        Row(
            what: "an encrypted page", bytes: Array("Open this page".utf8), name: "securedoc_20261102.html", type: "text/html",
            subject: report, want: .refuse("encrypted-mail")),
        Row(
            what: "a page under that name with a note", bytes: Array("Open this page".utf8), name: "securedoc.html",
            type: "text/html", subject: "hello", want: .pass),
        Row(what: "a piece of a mail", bytes: noise, type: "message/partial", subject: "hello", want: .refuse("partial-mail")),
        Row(
            what: "where the attachment lies", bytes: Array("Content-Type: application/gzip\n".utf8), type: "message/external-body",
            subject: report, want: .refuse("attachment-removed")),
        Row(
            what: "where the attachment of a note lies", bytes: Array("Content-Type: image/png\n".utf8), type: "message/external-body",
            subject: "hello", want: .pass),
        Row(
            what: "a text called S/MIME", bytes: gone, name: "smime.p7m", type: "application/pkcs7-mime",
            want: .refuse("smime-damaged")),
        Row(what: "noise called S/MIME", bytes: noise, name: "smime.p7m", want: .refuse("smime-damaged")),
        Row(
            what: "BinHex as a report", bytes: Array("(This file must be converted with BinHex 4.0)\n".utf8), name: file + ".hqx",
            want: .refuse("archive-other")),
        // A report in a text.
        Row(
            what: "XML behind words, in a report mail", bytes: Array("Here it is:\n<feedback>\n</feedback>\n".utf8), type: "text/plain",
            subject: report, want: .alone("unknown-container")),
        Row(
            what: "XML behind words, in a note", bytes: Array("Here it is:\n<feedback>\n</feedback>\n".utf8), type: "text/plain",
            subject: "hello", want: .pass),
        Row(
            what: "XML that is quoted in an answer", bytes: Array("> <feedback>\n> </feedback>\nWhat is this?\n".utf8), type: "text/plain",
            subject: "Re: " + report, want: .pass),
        // What is opened.
        Row(what: "uuencode of a gzip", bytes: Array("Hello\n\nbegin 644 r.gz\n$'XL(\n`\nend\n".utf8), type: "text/plain", want: .open),
        Row(what: "uuencode of a text", bytes: Array("begin 644 a.txt\n%:&5L;&\\\n`\nend\n".utf8), type: "text/plain", want: .pass),
        Row(what: "gzip under any name", bytes: [0x1f, 0x8b, 8, 0], name: "ATT1", want: .open),
        Row(what: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], want: .open),
        Row(what: "base64 of a gzip", bytes: Array(("H4sI" + String(repeating: "A", count: 60) + "\n").utf8), name: "r.gz", want: .open),
        Row(what: "a mail", bytes: Array("From: a@b.example\nSubject: x\n\nx\n".utf8), want: .open),
    ]

    @Test("the table", arguments: rows.map(\.what))
    func table(_ what: String) throws {
        let row = try #require(Self.rows.first { $0.what == what })
        let verdict = row.bytes.withUnsafeBytes { bytes in
            PartRule.verdict(
                AttachmentForm(bytes),
                PartClaims(name: row.name, mediaType: row.type, subject: row.subject, author: "", size: bytes.count), bytes)
        }
        switch (verdict, row.want) {
        case (.open, .open), (.pass, .pass): break
        case (.refuse(let code, let detail), .refuse(let wanted)): #expect(code == wanted && !detail.isEmpty)
        case (.refuseIfAlone(let code, let detail), .alone(let wanted)): #expect(code == wanted && !detail.isEmpty)
        default: Issue.record("\(verdict)")
        }
    }

    @Test("uuencode is undone, whole, cut off, or without blanks at the ends of lines, as often as it stands there")
    func uuencode() {
        func form(_ text: String) -> AttachmentForm { Array(text.utf8).withUnsafeBytes { AttachmentForm($0) } }
        let bytes: [UInt8] = [0x1f, 0x8b, 8, 0]
        for text in ["begin 644 r.gz\n$'XL(``\n`\nend\n", "begin 0600 a b\r\n$'XL(\r\n \r\nend\r\n", "x\n\nbegin 644 r.gz\n$'XL("] {
            #expect(form(text) == .uuencoded([bytes]), "\(text)")
        }
        let twice = "begin 644 r.gz\n$'XL(``\n`\nend\nand\nbegin 644 s.gz\n$'XL(``\n`\nend\n"
        #expect(form(twice) == .uuencoded([bytes, bytes]))
        for text in ["begin 644\n$'XL(``\n", "begin at 8 o'clock\n", "begin 999 x\n$'XL(``\n", "begin 644 x\n"] {
            #expect(form(text) == .text)
        }
    }

    @Test("a mail system's mail is a report only if its Subject begins as one")
    func mailSystem() {
        func isReport(_ subject: String) -> Bool {
            PartRule.isReportOfMailSystem(PartClaims(subject: subject, author: "MAILER-DAEMON@mx.example"))
        }
        for subject in [Self.report, "[Preview] " + Self.report, "  report domain: a submitter: b", "DMARC aggregate report"] {
            #expect(isReport(subject), "\(subject)")
        }
        for subject in ["Undeliverable: " + Self.report, "Returned mail: " + Self.report, "Re: DMARC report", "failure notice", ""] {
            #expect(!isReport(subject), "\(subject)")
        }
    }

    @Test("words that people write are no base64")
    func words() {
        for text in ["Hello\n", "Groet\n", "abcd", "SGVsbG8gd29ybGQ=\n"] {
            let form = Array(text.utf8).withUnsafeBytes { AttachmentForm($0) }
            #expect(form == .text, "\(text)")
        }
    }
}
