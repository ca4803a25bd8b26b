import ArchiveMaking

/// E1, E2, E4, E5: the structure of mails, transfer encodings, other mail, senders.
extension Corpus {
    private static let top =
        "From: a@reporter.example\nSubject: Report Domain: example.nl Submitter: reporter.example Report-ID: <1>\nMIME-Version: 1.0\n"

    private static func nested(_ depth: Int, _ inner: String) -> String {
        (0..<depth).map { "Content-Type: multipart/mixed; boundary=\"b\($0)x\"\n\n--b\($0)x\n" }.joined() + inner
            + (0..<depth).reversed().map { "\n--b\($0)x--\n" }.joined()
    }

    private static func part(_ id: String, encoding: String = "base64", body: String? = nil) -> String {
        "Content-Type: application/gzip; name=r.gz\nContent-Transfer-Encoding: \(encoding)\n\n" + (body ?? Mails.base64(id))
    }

    private static func parts(_ parts: [String], boundary: String = "b") -> String {
        top + "Content-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n" + parts.map { "--\(boundary)\n\($0)\n" }.joined()
            + "--\(boundary)--\n"
    }

    static let mails: [HostileInput] = structure + codings + others + senders

    private static let structure: [HostileInput] = joined(
        [17, 300, 3000, 10_000].flatMap { depth in
            [
                mail("E1", "\(depth) multiparts inside one another", .refused("mime-too-deep")) { top + nested(depth, part("e1")) },
                mail("E1", "\(depth) messages inside one another", .refused("mime-too-deep")) {
                    top + String(repeating: "Content-Type: message/rfc822\n\n", count: depth) + part("e1")
                },
            ]
        },
        [257, 10_000, 100_000].map { count in
            mail("E1", "\(count) parts", .refused("mime-too-many-parts")) { parts(Array(repeating: "\nx", count: count)) }
        },
        [
            mail("E1", "16 multiparts inside one another", .stored()) { top + nested(16, part("e1-16")) },
            mail("E1", "256 parts", .stored()) { parts(Array(repeating: "\nx", count: 255) + [part("e1-256")]) },
            mail("E1", "a header line of 10 MB", .refused("header-too-large")) {
                "X: " + String(repeating: "a", count: 10 << 20) + "\n" + top + "\nx"
            },
            mail("E1", "a folded header of 10 MB", .refused("header-too-large")) {
                "X: a\n" + String(repeating: " aaaaaaaaaaaaaaa\n", count: 600_000) + top + "\nx"
            },
            mail("E1", "100,000 header fields", .refused("header-too-large")) {
                String(repeating: "X: aaaaaaaa\n", count: 100_000) + top + "\nx"
            },
            mail("E1", "a header of 10 MB in a part", .refused("header-too-large")) {
                parts(["X: " + String(repeating: "a", count: 10 << 20) + "\n\nx"])
            },
            mail("E1", "a header and no body of 300 KiB", .refused("header-too-large")) {
                top + String(repeating: "Y: aaaaaaaa\n", count: 30_000)
            },
            mail("E1", "a mail of 33 MiB", .refused("message-too-large")) {
                top + "\n" + String(repeating: "aaaaaaaaaaaaaaa\n", count: 33 << 16)
            },
            mail("E1", "a mail of 31 MiB without a report", .notAReport("not-a-report-mail")) {
                top + "\n" + String(repeating: "aaaaaaaaaaaaaaa\n", count: 31 << 16)
            },
            mail("E1", "a boundary that begins another", .stored()) {
                top + "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n"
                    + part("e1-prefix") + "\n--ab--\n--a--\n"
            },
            mail("E1", "an inner boundary that is the outer one", .stored()) {
                top + "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n"
                    + part("e1-same") + "\n--a--\n"
            },
            mail("E1", "a boundary of 60,000 bytes", .stored()) {
                parts([part("e1-long")], boundary: String(repeating: "b", count: 30_000))
            },
            mail("E1", "an empty boundary", .stored()) {
                top + "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n" + part("e1-none") + "\n----\n"
            },
            mail("E1", "a multipart without a boundary", .notAReport("not-a-report-mail")) {
                top + "Content-Type: multipart/mixed\n\n--b\n" + part("e1-no")
            },
            mail("E1", "no closing delimiter", .stored()) { top + "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + part("e1-open") },
            mail("E1", "1,000,000 lines that could be delimiters", .stored()) {
                top + "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--c\n", count: 1_000_000) + "--b\n"
                    + part("e1-lines") + "\n--b--\n"
            },
            mail("E1", "200 multiparts and half a million lines", .refused("mime-too-deep")) {
                top + nested(200, String(repeating: "--\n", count: 500_000))
            },
            mail("E1", "40 reports in one mail", .stored()) { parts((0..<40).map { part("e1-40-\($0)") }) },
            mail("E1", "12 bombs in one mail", .refused("ratio-too-high")) {
                let bomb = String(decoding: bombBase64, as: UTF8.self)
                return parts(Array(repeating: part("", body: bomb), count: 12))
            },
            mail("E1", "only line ends", .notAReport("not-a-report-mail")) { String(repeating: "\n", count: 100_000) },
            mail("E1", "only colons", .notAReport("not-a-report-mail")) { String(repeating: ":\n", count: 10_000) },
            mail("E1", "only CR for line ends", .stored()) {
                (top + part("e1-cr")).split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r")
            },
            mail("E1", "no header", .notAReport("not-a-report-mail")) { "\nhello\n" },
        ])

    private static let bombBase64: [UInt8] = {
        let bomb = Archives.gzip(Written(id: "e1-bomb").bytes, repeating: [UInt8](repeating: 0x20, count: 1 << 20), count: 20)
        return Array(
            Mails.around(bomb, name: "x").split(separator: 0x0A).filter { $0.count == 76 && !$0.contains(0x20) }.joined(separator: [0x0A]))
    }()

    private static let codings: [HostileInput] = codingList.enumerated().map { index, entry in coding(index, entry) }

    private typealias Coding = (what: String, encoding: String, change: @Sendable (String) -> String, expected: Expected)

    private static let codingList: [Coding] = [
        ("a footer behind base64", "base64", { $0 + "\n--\nThis list is run by nobody! Unsubscribe: <http://x.example/>\n" }, .stored()),
        (
            "base64 with blanks in every line", "base64",
            { $0.split(separator: "\n").map { $0.map(String.init).joined(separator: " ") }.joined(separator: "\n") }, .stored()
        ),
        ("base64 with junk between", "base64", { $0.split(separator: "\n").joined(separator: "!!\n#\u{0}\n") }, .stored()),
        ("base64 without padding", "base64", { $0.replacing("=", with: "") }, .stored()),
        ("base64 in one line", "base64", { $0.replacing("\n", with: "") }, .stored()),
        ("base64 in another case", "BASE64", { $0 }, .stored()),
        ("base64 without a name for it", "7bit", { $0 }, .stored()),
        ("base64 that is called quoted-printable", "quoted-printable", { $0 }, .stored()),
        ("base64 with 1 MB of blanks", "base64", { String(repeating: " ", count: 1_000_000) + $0 }, .stored()),
        ("base64 in other letters", "base64", { text in text.replacing("H", with: "h") }, .refused("unknown-container")),
        ("base64 that is cut", "base64", { String($0.prefix(100)) }, .refused("gzip-truncated")),
        ("an encoding that nobody knows", "x-rot13", { $0 }, .stored()),
        ("an encoding with a comment", "base64 (comment)", { $0 }, .stored()),
        ("an encoding of 10,000 bytes", String(repeating: "b", count: 10_000), { $0 }, .stored()),
        ("uuencode that is broken", "x-uuencode", { _ in "begin 644 r.gz\nM\u{1}\u{2}###\nend\n" }, .refused("unknown-container")),
        (
            "quoted-printable of nothing but =", "quoted-printable", { _ in String(repeating: "=", count: 100_000) },
            .refused("unknown-container")
        ),
        ("only =", "base64", { _ in String(repeating: "=", count: 100_000) }, .notAReport("empty-file")),
    ]

    private static func coding(
        _ index: Int, _ entry: Coding
    ) -> HostileInput {
        mail("E2", entry.what, entry.expected) {
            parts([part("", encoding: entry.encoding, body: entry.change(Mails.base64("e2-\(index)")))])
        }
    }

    private static let others: [HostileInput] = [
        mail("E4", "a report in a forwarded message", .stored(.forwardedReport)) {
            parts(["Content-Type: message/rfc822\n\n" + top + part("e4-fwd")])
        },
        mail("E4", "winmail.dat", .refused("tnef")) {
            parts(["Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\neJ8+Ip8AAQaQCAAE"])
        },
        mail("E4", "S/MIME", .refused("encrypted-mail")) {
            top
                + "Content-Type: application/pkcs7-mime; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nMIAGCSqGSIb3DQEHA6CAMIACAQA=\n"
        },
        mail("E4", "a bounce", .notAReport("bounce")) {
            top
                + "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nfailed\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n--b--\n"
        },
        mail("E4", "a failure report", .notAReport("failure-report")) {
            top
                + "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: auth-failure\n--b--\n"
        },
        mail("E4", "a TLS report", .notAReport("tls-report")) {
            top
                + "Content-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n--b\n\nx\n--b\nContent-Type: application/tlsrpt+json; name=x.json\n\n{\"a\":1}\n--b--\n"
        },
        mail("E4", "a TLS report that is a bomb", .notAReport("tls-report")) {
            let bomb = Mails.around(Archives.gzip([], repeating: [UInt8](repeating: 0x7B, count: 1 << 20), count: 20), name: "x")
            let body = bomb.split(separator: 0x0A).filter { $0.count == 76 && !$0.contains(0x20) }.joined(separator: [0x0A])
            return top
                + "Content-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n--b\nContent-Type: application/tlsrpt+gzip; name=x.gz\n"
                + "Content-Transfer-Encoding: base64\n\n" + String(decoding: Array(body), as: UTF8.self) + "\n--b--\n"
        },
        mail("E4", "an answer of a machine", .notAReport("not-a-report-mail")) {
            "Auto-Submitted: auto-replied\n" + top + "\nI am away.\n"
        },
        mail("E4", "a page with a script", .notAReport("not-a-report-mail")) {
            top + "Content-Type: text/html\n\n<html><script>alert(1)</script></html>\n"
        },
        mail("E4", "a picture", .notAReport("other-attachment")) {
            parts(["Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo="])
        },
        mail("E4", "a program", .notAReport("other-attachment")) {
            parts(["Content-Type: application/octet-stream; name=r.zip.exe\nContent-Transfer-Encoding: base64\n\nTVqQAAMAAAA="])
        },
    ]

    private static let fromFields: [(String, String)] = [
        ("an empty From", "From:\n"), ("no From", ""), ("two Froms", "From: a@a.example\nFrom: b@b.example\n"),
        ("a From of commas", "From: ,,,,;;;<>@@\n"),
        ("a From of 60,000 bytes", "From: " + String(repeating: "<", count: 60_000) + "\n"),
        ("a group", "From: a: b@c.example, d@e.example;\n"),
        ("a From with comments", "From: " + String(repeating: "(", count: 5000) + "a@b.example\n"),
        ("a From with NUL and escapes", "From: a\0\u{1B}[2J@b.example\n"),
        ("a From that is folded away", "From:\n \n \n a@b.example\n"), ("quotes without end", "From: \"a@b.example\n"),
    ]

    private static let senders: [HostileInput] = fromFields.enumerated().map { index, entry in
        mail("E5", entry.0, .stored()) { Mails.headed(entry.1 + "Subject: x", id: "e5-\(index)") }
    }
}
