import Testing

@testable import Mail

@Suite("Mail limits")
struct MimeLimitTests {
    func code(_ text: String) -> MailError.Code? { readMail(Array(text.utf8)).error?.code }

    func nested(_ depth: Int, isClosed: Bool = true, type: (Int) -> String = { "multipart/mixed; boundary=b\($0).x" }) -> String {
        var text = "Subject: s\n"
        for level in 0..<depth { text += "Content-Type: \(type(level))\n\n--b\(level).x\n" }
        text += "Content-Type: text/xml\n\n<a/>\n"
        if isClosed { for level in (0..<depth).reversed() { text += "--b\(level).x--\n" } }
        return text
    }

    @Test("16 multiparts around each other pass, more do not", arguments: [true, false])
    func depth(isClosed: Bool) {
        #expect(readMail(Array(nested(16, isClosed: isClosed).utf8)).texts == ["<a/>"] || !isClosed)
        #expect(code(nested(16, isClosed: isClosed)) == nil)
        for depth in [17, 300, 3_000, 10_000] { #expect(code(nested(depth, isClosed: isClosed)) == .mimeTooDeep) }
    }

    @Test("depth is seen through fields that need judgement")
    func obscuredDepth() {
        let types: [(Int) -> String] = [
            { "multipart/mixed; x*=a; boundary=b\($0).x" }, { "multipart/mixed; boundary=\"b\($0).\\x\"" },
            { "(comment) multipart/mixed; boundary=b\($0).x" }, { "multipart/mixed; boundary*0=b\($0); boundary*1=.x" },
        ]
        for type in types {
            let code = code(nested(3_000, type: type))
            #expect(code == .mimeTooDeep || code == .mimeTooManyParts)
        }
    }

    @Test("messages in messages count as depth")
    func messages() {
        let inner = String(repeating: "Content-Type: message/rfc822\n\n", count: 3_000)
        #expect(code("Subject: s\n" + inner + "<a/>") == .mimeTooDeep)
        let few = String(repeating: "Content-Type: message/rfc822\n\n", count: 10)
        #expect(readMail(Array(("Subject: s\n" + few + "Subject: x\n\n<a/>").utf8)).texts == ["<a/>"])
    }

    @Test("256 parts pass, more do not")
    func parts() {
        func mail(_ count: Int) -> String {
            "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: count) + "--b--\n"
        }
        #expect(readMail(Array(mail(256).utf8)).parts.count == 256)
        for count in [257, 10_000, 100_000] { #expect(code(mail(count)) == .mimeTooManyParts) }
    }

    @Test("header lines and blocks have a limit, at the top and in parts")
    func headers() {
        let line = "X: " + String(repeating: "a", count: 10 << 20) + "\n"
        let block = String(repeating: "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", count: 5_000)
        let folded = "X: a\n" + String(repeating: " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", count: 5_000)
        for header in [line, block, folded] {
            #expect(code(header + "\nx") == .headerTooLarge)
            #expect(code("Content-Type: multipart/mixed; boundary=b\n\n--b\n\(header)\nx\n--b--\n") == .headerTooLarge)
        }
        #expect(code("X: " + String(repeating: "a", count: 65_000) + "\n\nx") == nil)
        // A body may have lines of any length.
        let long = String(repeating: "<a/>", count: 1 << 18)
        #expect(readMail(Array("Subject: s\n\n\(long)".utf8)).texts == [long])
    }

    @Test("a message above the limit is not looked at")
    func size() {
        var limits = MailLimits()
        limits.maxMessageBytes = 10
        #expect(readMail(Array("X: y\n\n12345".utf8), limits: limits).error?.code == .messageTooLarge)
    }

    @Test("lines that might be delimiters cannot keep it busy")
    func delimiters() {
        var text = "Content-Type: multipart/mixed; boundary=\"b0\\x\"\n\n"
        for level in 1..<200 { text += "--b\(level - 1)x\nContent-Type: multipart/mixed; boundary=\"b\(level)\\x\"\n\n" }
        text += String(repeating: "--\n", count: 1 << 19)
        let start = ContinuousClock.now
        #expect(code(text) != nil)
        #expect(ContinuousClock.now - start < .seconds(20))
    }
}
