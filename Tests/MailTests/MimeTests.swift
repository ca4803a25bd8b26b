import Testing

@testable import Mail

/// A part as a test sees it.
struct Part: Equatable, CustomStringConvertible {
    var attachment: Mail.Attachment
    var bytes: [UInt8]

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var description: String { "\(attachment): \(bytes.count) bytes \(text.prefix(60))" }
}

struct ReadMail {
    var parts: [Part] = []
    var facts = MailFacts()
    var error: MailError?

    var names: [String] { parts.map(\.attachment.name) }
    var types: [String] { parts.map(\.attachment.mediaType) }
    var texts: [String] { parts.map(\.text) }
}

func readMail(_ bytes: [UInt8], _ reader: MailReader.Reader = .best, limits: MailLimits = MailLimits()) -> ReadMail {
    var mail = ReadMail()
    bytes.withUnsafeBytes { bytes in
        do throws(MailError) {
            mail.facts = try MailReader(limits: limits).read(bytes, reader: reader) {
                mail.parts.append(Part(attachment: $0, bytes: Array($1)))
            }
        } catch {
            mail.error = error
        }
    }
    return mail
}

/// A mail with LF line ends, read by each reader that can, and as its twin with CRLF.
func readEachWay(_ text: String) -> [ReadMail] {
    let twin = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    return [text, twin].flatMap { text in
        let bytes = Array(text.utf8)
        let scan = readMail(bytes, .scan)
        return [readMail(bytes), readMail(bytes, .tree)] + (scan.error == nil ? [scan] : [])
    }
}

@Suite("MIME")
struct MimeTests {
    static let xml = "<?xml version=\"1.0\"?><feedback>ü</feedback>"
    static let base64 = "PD94bWwgdmVyc2lvbj0iMS4wIj8+PGZlZWRiYWNrPsO8PC9mZWVkYmFjaz4="

    static func multipart(_ parts: String..., head: String = "") -> String {
        "From: a@b.example\nSubject: s\nMIME-Version: 1.0\n\(head)Content-Type: multipart/mixed; boundary=\"XX\"\n\npreamble\n"
            + parts.map { "--XX\n\($0)\n" }.joined() + "--XX--\nepilogue\n"
    }

    @Test(
        "the topmost field Received and the date say when a mail came",
        arguments: [
            ("Received: from a by b; Mon, 1 Jun 2026 00:00:10 +0000 (UTC)", 1_780_272_010),
            ("Received: from a (helo; x)\n by b for <c@d.example>;\n\tMon, 01 Jun 2026 02:00:10 +0200", 1_780_272_010),
            ("Received: by b; Mon, 1 Jun 2026 00:00:10 GMT (UTC; summer)", 1_780_272_010),
            ("Received: from Mon, 1 Jan 2001 00:00:00 +0000; by b; Mon, 1 Jun 2026 00:00:10 -0000", 1_780_272_010),
            ("RECEIVED: by b; 1 Jun 26 00:00:10 Z\nReceived: by a; Mon, 1 Jan 2001 00:00:00 +0000", 1_780_272_010),
            ("Received: by b; Mon, 31 Feb 2026 25:00:00 +0000", nil), ("Received: by b; soon", nil), ("Received: by b", nil),
            ("Received: by b\nReceived: by a; Mon, 1 Jun 2026 00:00:00 +0000", nil), ("Received:", nil),
            ("X-Received: x; 1 Jun 26 00:00:10 Z", nil),
            ("Received: by b; \(String(repeating: "x", count: 300)) 1 Jun 26 00:00:10 Z", nil),
        ] as [(String, Int?)])
    func times(_ fields: String, _ received: Int?) {
        for mail in readEachWay(
            "\(fields)\nDate: Sun, 31 May 2026 23:00:00 +0000\nFrom: a@b.example\n\nReceived: by x; 1 Jun 26 00:00:10 Z\n")
        {
            #expect(mail.facts.receivedAt == received)
            #expect(mail.facts.dateAt == 1_780_268_400)
        }
        for mail in readEachWay("From: a@b.example\nDate: when I like\n\nDate: Sun, 31 May 2026 23:00:00 +0000\n") {
            #expect(mail.facts.receivedAt == nil && mail.facts.dateAt == nil)
        }
    }

    @Test(
        "undoes transfer encodings",
        arguments: [
            ("base64", base64), ("BASE64", String(base64.prefix(30)) + "\n" + base64.dropFirst(30) + "\n"),
            ("quoted-printable", "<?xml version=3D\"1.0\"?><feed=\nback>=C3=BC</feedback>"), ("8bit", xml), ("binary", xml),
            ("7bit", xml),
        ])
    func encodings(encoding: String, body: String) {
        let part = "Content-Type: application/xml; name=\"a.xml\"\nContent-Transfer-Encoding: \(encoding)\n\n\(body)"
        for mail in readEachWay(Self.multipart(part)) {
            #expect(mail.texts == [Self.xml])
            #expect(mail.names == ["a.xml"])
            #expect(mail.types == ["application/xml"])
            #expect(mail.parts.first?.attachment.container == "multipart/mixed")
            #expect(mail.parts.first?.attachment.isWholeBody == false)
        }
        for mail in readEachWay("From: a@b.example\n" + part) {
            #expect(mail.texts.map { $0.trimmingBlanks } == [Self.xml])
            #expect(mail.parts.first?.attachment.isWholeBody == true)
            #expect(mail.facts.topMediaType == "application/xml")
        }
    }

    @Test("decodes uuencode")
    func uuencode() {
        let head = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: x-uuencode\n\n"
        let part = head + "begin 644 a.xml\n*/&9E961B86-K+SX \n`\nend\n"
        for mail in readEachWay(Self.multipart(part)) {
            #expect(mail.texts.map { $0.prefix(8) } == ["<feedbac"])
        }
    }

    @Test(
        "decodes file names",
        arguments: [
            ("Content-Type: application/gzip;\n name=\"a!b!1!2.xml.gz\"", "a!b!1!2.xml.gz"),
            ("Content-Type: application/gzip; name=n.gz\nContent-Disposition: attachment; filename=\"f.gz\"", "f.gz"),
            (
                "Content-Type: application/gzip\nContent-Disposition: attachment;\n\tfilename*0=\"a!b!1\";\n\tfilename*1=\"!2.xml.gz\"",
                "a!b!1!2.xml.gz"
            ),
            ("Content-Type: application/gzip\nContent-Disposition: attachment; filename*=utf-8''caf%C3%A9.gz", "café.gz"),
            ("Content-Type: application/gzip; name=\"=?utf-8?B?Y2Fmw6kuZ3o=?=\"", "café.gz"),
            ("Content-Type: application/gzip; name=\"a;b.gz\"", "a;b.gz"),
            ("ContentType: application/gzip; name=\"t.gz\"", "t.gz"), ("Content-Type: application/gzip", ""),
        ])
    func names(header: String, name: String) {
        for mail in readEachWay(Self.multipart("\(header)\n\nx")) {
            #expect(mail.names == [name])
            #expect(mail.texts == ["x"])
        }
    }

    @Test("hands over every part in order, text too")
    func several() {
        let parts = [
            "Content-Type: text/html\n\n<p>hello</p>", "Content-Type: text/xml\n\none", "\nwithout any header",
            "Content-Type: application/zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==",
        ]
        for mail in readEachWay(Self.multipart(parts[0], parts[1], parts[2], parts[3])) {
            #expect(mail.texts == ["<p>hello</p>", "one", "without any header", "PK\u{3}\u{4}"])
            #expect(mail.types == ["text/html", "text/xml", "", "application/zip"])
            #expect(mail.parts.map(\.attachment.hasContentType) == [true, true, false, true])
            #expect(mail.facts.hasHTMLBody)
            #expect(mail.facts.subject == "s")
            #expect(mail.facts.from == "a@b.example")
            #expect(mail.facts.topMediaType == "multipart/mixed")
        }
    }

    @Test("descends into multiparts whose boundaries begin alike")
    func nested() {
        let inner =
            "Content-Type: multipart/alternative; boundary=\"XX.alt\"\n\n--XX.alt\nContent-Type: text/plain\n\na\n--XX.alt\n"
            + "Content-Type: text/html\n\nb\n--XX.alt--\n"
        for mail in readEachWay(Self.multipart(inner, "Content-Type: text/xml\n\nc")) {
            #expect(mail.texts == ["a", "b", "c"])
            #expect(mail.parts.map(\.attachment.container) == ["multipart/alternative", "multipart/alternative", "multipart/mixed"])
        }
    }

    @Test("descends into forwarded messages")
    func forwarded() {
        let inner = Self.multipart("Content-Type: text/xml\n\nreport").replacingOccurrences("XX", "YY")
        let text = Self.multipart("Content-Type: text/plain\n\nsee below", "Content-Type: message/rfc822\n\n" + inner)
        for mail in readEachWay(text) {
            #expect(mail.texts == ["see below", "report"])
            #expect(mail.parts.map(\.attachment.insideMessage) == [false, true])
            #expect(mail.facts.subject == "s")
        }
        for mail in readEachWay("Subject: Fwd\nContent-Type: message/rfc822\n\n" + inner) {
            #expect(mail.texts == ["report"])
            #expect(mail.parts.map(\.attachment.insideMessage) == [true])
            #expect(mail.parts.map(\.attachment.isWholeBody) == [false])
        }
    }

    @Test("reads a mail whose body is the archive, and one without Content-Type")
    func wholeBody() {
        let zip = "Content-Type: application/zip; name=z.zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n"
        for mail in readEachWay("Subject: s\n" + zip) {
            #expect(mail.texts == ["PK\u{3}\u{4}"])
            #expect(mail.names == ["z.zip"])
        }
        for mail in readEachWay("Subject: s\n\n<feedback/>") {
            #expect(mail.texts == ["<feedback/>"])
            #expect(mail.parts.map(\.attachment.hasContentType) == [false])
            #expect(mail.facts.topMediaType == "")
        }
        for mail in readEachWay("ContentType: application/zip\n\nPK") { #expect(mail.texts == ["PK"]) }
    }

    @Test("reads an archive that is called a multipart")
    func falseMultipart() {
        let part = "Content-Type: multipart/alternative; name=\"a.zip\"\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n"
        for mail in readEachWay(Self.multipart(part)) {
            #expect(mail.texts == ["PK\u{3}\u{4}"])
            #expect(mail.types == ["multipart/alternative"])
        }
    }

    @Test("a missing end boundary costs nothing")
    func noEnd() {
        let text = Self.multipart("Content-Type: text/plain\n\na", "Content-Type: text/xml\nContent-Transfer-Encoding: base64\n\nPGE+")
        let cut = String(text.prefix(text.count - "--XX--\nepilogue\n".count))
        for mail in readEachWay(cut) { #expect(mail.texts == ["a", "<a>"]) }
    }

    @Test("broken base64 is decoded as far as it goes", arguments: ["PGE+\n-- \nlist footer", "PG!!E+", "PGE", "PGE+PGE+=", "=", ""])
    func brokenBase64(body: String) {
        let part = "Content-Type: text/xml\nContent-Transfer-Encoding: base64\n\n\(body)"
        let mails = readEachWay(Self.multipart(part))
        for mail in mails {
            #expect(mail.parts.count == 1)
            if body.hasPrefix("PG"), body != "PGE" { #expect(mail.texts[0].hasPrefix("<a>") || body.contains("!")) }
        }
        #expect(mails[0].parts == mails[1].parts)
    }

    @Test(
        "decodes the Subject and From, whatever they hold",
        arguments: [
            ("Report Domain: a Submitter: b\n Report-ID: <c>", "Report Domain: a Submitter: b Report-ID: <c>"),
            ("=?utf-8?B?Y2Fmw6k=?=", "café"), ("=?utf-8?Q?caf=C3=A9?=\n =?utf-8?Q?_x?=", "café x"), ("", ""), ("a=b", "a=b"),
            ("=?utf-8?B?????=", nil), ("=?", nil), ("\u{1b}[2J", nil), ("=?x-unknown?Q?a?=", nil), ("a\n\tb", "a b"),
        ])
    func subject(written: String, decoded: String?) {
        for mail in readEachWay("Subject: \(written)\nFrom: \(written)\nDate: d\nMessage-ID: <m@x>\n\nx") {
            if let decoded {
                #expect(mail.facts.subject.replacingOccurrences("\t", " ") == decoded)
                #expect(mail.facts.from.replacingOccurrences("\t", " ") == decoded)
            }
            #expect(mail.facts.date == "d")
            #expect(mail.facts.messageID == "<m@x>")
        }
    }

    @Test("tells bounces, failure reports and TLS reports")
    func kinds() {
        func report(_ type: String, _ part: String) -> String {
            "Content-Type: multipart/report; report-type=\(type); boundary=XX\n\n--XX\nContent-Type: text/plain\n\na\n--XX\n"
                + "Content-Type: \(part)\n\nb: c\n\n--XX--\n"
        }
        for mail in readEachWay(report("delivery-status", "message/delivery-status")) {
            #expect(mail.facts.isDeliveryStatus && !mail.facts.isFailureReport && !mail.facts.isTLSReport)
        }
        for mail in readEachWay(report("\"feedback-report\"", "message/feedback-report")) {
            #expect(mail.facts.isFailureReport && !mail.facts.isDeliveryStatus)
        }
        for mail in readEachWay(report("tlsrpt", "application/tlsrpt+gzip")) { #expect(mail.facts.isTLSReport) }
        for mail in readEachWay(report("x", "application/tlsrpt+gzip")) { #expect(mail.facts.isTLSReport) }
        for mail in readEachWay(report("x", "text/plain")) {
            #expect(!mail.facts.isTLSReport && !mail.facts.isFailureReport && !mail.facts.isDeliveryStatus)
        }
    }

    @Test(
        "reads anything without failing", arguments: ["", "\n", "\n\n", "x", ":", "From: \n", "From:", "\0", "Content-Type", " \n", "--"])
    func odd(text: String) {
        for mail in readEachWay(text) {
            #expect(mail.error == nil)
            #expect(mail.parts.count <= 1)
        }
    }

    @Test("what has no header is one part", arguments: ["<?xml version=\"1.0\"?>\n<feedback>\n</feedback>\n", "PK\u{3}\u{4}\u{0}\u{1}"])
    func noHeader(text: String) {
        #expect(readMail(Array(text.utf8)).texts == [text])
    }

    @Test("the usual mails are read without a tree")
    func isFast() {
        let part =
            "Content-Type: application/gzip;\n\tname=\"a!b.xml.gz\"\nContent-Disposition: attachment;\n\tfilename=\"a!b.xml.gz\"\n"
            + "Content-Transfer-Encoding: base64\n\nPGE+\n"
        let text = Self.multipart("Content-Type: text/plain; charset=us-ascii\n\nhello\n-- \nsignature", part)
        #expect(readMail(Array(text.utf8), .scan).error == nil)
        #expect(readMail(Array(("X: y\n" + part).utf8), .scan).error == nil)
    }
}

extension String {
    func replacingOccurrences(_ old: String, _ new: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }

    var trimmingBlanks: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
