import DMARC
import Testing

@Suite("Domain names")
struct DomainNameTests {
    @Test(
        "have one canonical form",
        arguments: [
            ("example.nl", "example.nl"), ("Example.NL", "example.nl"), ("example.nl.", "example.nl"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("bücher.example.", "xn--bcher-kva.example"), ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("президент.рф", "xn--d1abbgf6aiiy.xn--p1ai"),
            ("a..b", "a..b"), ("", ""), ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("münchen.de", "xn--mnchen-3ya.de"),
        ])
    func canonical(written: String, expected: String) {
        #expect(DomainName.canonical(written) == expected)
    }

    @Test(
        "are readable for people",
        arguments: [
            ("xn--bcher-kva.example", "bücher.example"), ("example.nl", "example.nl"), ("xn--r8jz45g.xn--zckzah", "例え.テスト"),
            ("mail.xn--d1abbgf6aiiy.xn--p1ai", "mail.президент.рф"),
        ])
    func readable(name: String, expected: String) {
        #expect(DomainName.readable(name) == expected)
    }

    @Test(
        "that could be mistaken stay as they are",
        arguments: [
            "xn--pple-43d.com",  // a Cyrillic а in Latin letters
            "xn--a.example", "xn--.example", "xn--99999999999.example", "xn--bcher-kva8445foa.example.", "xn--\u{FC}.example",
        ])
    func suspicious(name: String) {
        #expect(DomainName.readable(name) == name)
    }
}
