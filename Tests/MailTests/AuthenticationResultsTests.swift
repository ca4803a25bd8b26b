import Testing

@testable import Mail

private func parse(_ text: String) -> AuthenticationResults? { AuthenticationResults.parse(Array(text.utf8)) }

/// `mx.example.nl: dkim=pass header.d=a.example | spf=…`, for comparison.
private func shown(_ text: String) -> String? {
    parse(text).map { field in
        field.server + ":"
            + field.results.map { result in
                " \(result.method)=\(result.result)" + result.properties.map { " \($0.name)=\($0.value)" }.joined()
            }.joined(separator: " |")
    }
}

@Suite("Authentication-Results")
struct AuthenticationResultsTests {
    @Test(
        "reads what servers write",
        arguments: [
            // RFC 8601, appendix B, in forms of our own.
            ("example.org 1; none", "example.org:"),
            ("Example.ORG", "example.org:"),
            ("example.nl; spf=pass smtp.mailfrom=example.net", "example.nl: spf=pass smtp.mailfrom=example.net"),
            (
                "example.nl 1; dkim/1 = PASS reason=\"good (really; good)\" header.d=a.example (x (y)) ; auth=pass (cram-md5) smtp.auth=j@a.example",
                "example.nl: dkim=pass reason=good (really; good) header.d=a.example | auth=pass smtp.auth=j@a.example"
            ),
            // OpenDKIM: a semicolon in a comment.
            (
                " mx.example.nl;\r\n\tdkim=pass (2048-bit key; unprotected) header.d=google.com header.i=@google.com header.b=RNB1;\r\n\tdkim-atps=neutral",
                "mx.example.nl: dkim=pass header.d=google.com header.i=@google.com header.b=RNB1 | dkim-atps=neutral"
            ),
            (
                " mx.example.nl; dmarc=pass (p=reject dis=none) header.from=google.com",
                "mx.example.nl: dmarc=pass header.from=google.com"
            ),
            // Exim.
            (
                " mx.example.nl;\n iprev=pass (mail.a.example) smtp.remote-ip=192.0.2.1;\n spf=pass smtp.mailfrom=a.example;\n dkim=pass header.d=a.example header.s=s1 header.a=rsa-sha256;\n dmarc=pass header.from=a.example",
                "mx.example.nl: iprev=pass smtp.remote-ip=192.0.2.1 | spf=pass smtp.mailfrom=a.example | dkim=pass header.d=a.example header.s=s1 header.a=rsa-sha256 | dmarc=pass header.from=a.example"
            ),
            // rspamd.
            (
                "mail.example.nl;\n\tdkim=pass header.d=a.example header.s=s header.b=\"ab/c=\";\n\tdmarc=pass (policy=none) header.from=a.example;\n\tspf=pass (mail.example.nl: domain of b@a.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=b@a.example",
                "mail.example.nl: dkim=pass header.d=a.example header.s=s header.b=ab/c= | dmarc=pass header.from=a.example | spf=pass smtp.mailfrom=b@a.example"
            ),
            // Microsoft 365: no server, properties without a type.
            (
                "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=a.example; dkim=pass (signature was verified)\r\n header.d=a.example;dmarc=pass action=none\r\n header.from=a.example;compauth=pass reason=100",
                ": spf=pass smtp.mailfrom=a.example | dkim=pass header.d=a.example | dmarc=pass action=none header.from=a.example | compauth=pass reason=100"
            ),
            // Google, Yahoo: no d=; no blank before a comment.
            (
                "mx.google.com; dkim=pass header.i=@a.example header.s=s header.b=x/y+z; dmarc=pass(p=REJECT sp=REJECT dis=NONE) header.from=a.example",
                "mx.google.com: dkim=pass header.i=@a.example header.s=s header.b=x/y+z | dmarc=pass header.from=a.example"
            ),
            // Blanks and comments where the grammar allows them; a tagged sender; a quoted local part.
            (
                "a.nl ; spf (c) = (c) pass smtp (c) . mailfrom (c) = (c) prvs=1a=b@c.example",
                "a.nl: spf=pass smtp.mailfrom=prvs=1a=b@c.example"
            ),
            (
                "a.nl; spf=fail smtp.mailfrom=\"x; dmarc=pass header.from=g.example\"@c.example",
                "a.nl: spf=fail smtp.mailfrom=x; dmarc=pass header.from=g.example@c.example"
            ),
            ("a.nl; spf=fail (domain of x\\); dmarc=pass (y) z)", "a.nl: spf=fail"),
            // Odd, and harmless.
            ("a.nl;;; dkim=; =pass; word; spf=pass lonely x=", "a.nl: spf=pass x="),
        ])
    func readsServers(_ text: String, _ expected: String) { #expect(shown(text) == expected) }

    @Test(
        "believes nothing of what can be read in two ways",
        arguments: ["", " ", "; spf=pass", "a.nl; spf=fail (; dmarc=pass", "a.nl; x=\"; dmarc=pass", "a.nl; x=y) (", "(a.nl"])
    func unreadable(_ text: String) { #expect(parse(text) == nil) }

    @Test("ends in linear time on any bytes, and always with the same result")
    func anyBytes() {
        var random: UInt64 = 7
        func next(_ bound: UInt64) -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (random >> 33) % bound
        }
        let pieces = [
            "(", ")", "\"", "\\", ";", "=", ".", "/", " ", "\r\n\t", "dkim", "pass", "header.d", "a.example", "@", "\u{e9}", "\0",
        ]
        for _ in 0..<4000 {
            let text = (0..<next(24)).map { _ in pieces[Int(next(UInt64(pieces.count)))] }.joined()
            #expect(parse(text) == parse(text))
        }
        for unit in ["(", "a=b;", "a/", ";", "\"\"", "a=b ", "\\"] {
            let text = "a.nl;" + String(repeating: unit, count: (64 << 10) / unit.utf8.count - 8)
            if let results = parse(text)?.results { #expect(results.count <= AuthenticationResults.maxParts) }
        }
        #expect(parse("a.nl; " + String(repeating: " ", count: 70_000)) == nil)
    }

    @Test(
        "finds the domain of the one author",
        arguments: [
            ("a@b.example", "b.example"), ("Q <a@b.example>\r\n", "b.example"), ("\"x@y.example\" <a@b.example>", "b.example"),
            ("x@y.example <a@b.example>", "b.example"), ("=?utf-8?q?x=40y=2Eexample=3C?= <a@B.Example>", "B.Example"),
            ("(c <x@y.example>) a@b.example (d)", "b.example"), ("\"a, b; <c@d.example\" <a@b.example>", "b.example"),
            ("\"q\\\"@y.example\"@b.example", "b.example"), ("a @ b . example", "b.example"), ("a@[192.0.2.1]", "[192.0.2.1]"),
            ("a@b.example, c@d.example", nil), ("<a@b.example> <c@d.example>", nil), ("g: a@b.example;", nil), ("nobody", nil), ("", nil),
            ("<a@b.example", nil), ("\"a@b.example", nil), ("<>", nil), ("a@", nil), ("<@x.example:a@b.example>", nil),
        ] as [(String, String?)])
    func author(_ field: String, _ expected: String?) { #expect(authorDomain(field.utf8) == expected) }

    // MARK: - Which fields count

    private static let genuine = "Authentication-Results: mx.example.nl; dmarc=fail header.from=google.com\n"
    private static let forged = "Authentication-Results: MX.example.nl; dmarc=pass header.from=google.com\n"
    private static let received = "Received: from a by mx.example.nl; Mon, 1 Jan 2024 00:00:00 +0000\n"

    private func counted(_ head: String, body: String = "x\n") -> [String]? {
        let results = [MailReader.Reader.best, .tree].map { reader -> [String]? in
            var facts = MailFacts()
            Array((head + "From: a@google.com\n\n" + body).utf8).withUnsafeBytes { bytes in
                do throws(MailError) {
                    let mail = MailReader(limits: MailLimits(), trustedServers: ["mx.example.nl", "other.example.nl"])
                    facts = try mail.read(bytes, reader: reader) { _, _ in }
                } catch { Issue.record("\(error)") }
            }
            #expect(facts.authorDomain == "google.com")
            return facts.authentication.map { $0.flatMap { $0.results.map { "\($0.method)=\($0.result)" } } }
        }
        #expect(results[0] == results[1])
        return results[0]
    }

    @Test("believes what stands above everything that came with the mail")
    func topmost() {
        let spf = "authentication-results:\n other.example.nl;\n spf=pass smtp.mailfrom=a@b.example\n"
        let foreign = "Authentication-Results: evil.example; dmarc=pass\n"
        #expect(counted(Self.genuine + Self.received + Self.forged) == ["dmarc=fail"])
        #expect(counted(spf + foreign + Self.genuine + Self.received + Self.forged) == ["spf=pass", "dmarc=fail"])
        // Servers that write below their own Received: the topmost alone.
        #expect(counted(Self.received + Self.genuine + Self.forged) == ["dmarc=fail"])
        #expect(counted(Self.received + foreign + Self.genuine + spf) == ["dmarc=fail"])
        #expect(counted(Self.genuine + Self.forged) == ["dmarc=fail"])
        #expect(counted(foreign + Self.received + foreign) == [])
        #expect(counted("") == [])
    }

    @Test("believes nothing below a field of its own that cannot be read")
    func spoilt() {
        let spoilt = "Authentication-Results: mx.example.nl; spf=fail (domain of ( designates)\n"
        #expect(counted(spoilt + Self.received + Self.forged) == [])
    }

    @Test("looks at the header of the mail only")
    func outermost() {
        let part = "--X\n\(Self.forged)Content-Type: message/rfc822\n\n\(Self.forged)From: a@google.com\n\ny\n--X--\n"
        #expect(counted("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n", body: part) == [])
        #expect(counted("", body: Self.forged) == [])
        #expect(counted("X-Authentication-Results: mx.example.nl; dmarc=pass\nAuthentication-Results : mx.example.nl; dmarc=pass\n") == [])
    }

    @Test("knows no author where From stands twice, and no results where nobody is trusted")
    func unknown() {
        let mail = readMail(Array((Self.genuine + "From: a@b.example\nFROM: c@d.example\n\nx\n").utf8))
        #expect(mail.facts.authorDomain == nil && mail.facts.authentication == nil)
    }

    @Test("where nobody is trusted, notes what the topmost fields say")
    func objections() {
        func noted(_ fields: String) -> [String] {
            let mail = readMail(Array((fields + "From: a@google.com\n\nx\n").utf8))
            return mail.facts.objections?.flatMap { $0.results.map { "\($0.method)=\($0.result)" } } ?? ["nothing"]
        }
        let foreign = "Authentication-Results: evil.example; dmarc=pass\n"
        #expect(noted("") == [])
        #expect(noted(Self.genuine + Self.received + Self.forged) == ["dmarc=fail"])
        #expect(noted(Self.received + Self.genuine + foreign) == ["dmarc=fail"])
        #expect(noted(foreign + Self.genuine + Self.received + Self.forged) == ["dmarc=pass", "dmarc=fail"], "all of them on top")
    }
}
