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
            ("bu\u{308}cher.example", "xn--bcher-kva.example"), ("BU\u{308}CHER.example", "xn--bcher-kva.example"),
            ("vie\u{323}\u{302}t.example", "xn--vit-5kz.example"), ("か\u{3099}.example", DomainName.canonical("が.example")),
            ("\u{1112}\u{1161}\u{11AB}.kr", DomainName.canonical("한.kr")), ("a..b", "a..b"), ("", ""),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("münchen.de", "xn--mnchen-3ya.de"),
        ])
    func canonical(written: String, expected: String) {
        #expect(DomainName.canonical(written) == expected)
    }

    @Test(
        "are readable for people",
        arguments: [
            ("xn--bcher-kva.example", "bücher.example"), ("example.nl", "example.nl"), ("xn--r8jz45g.xn--zckzah", "例え.テスト"),
            ("mail.xn--d1abbgf6aiiy.xn--p1ai", "mail.президент.рф"),
            // All of it looks Latin, whatever is behind it.
            ("xn--80ak6aa92e.xn--p1ai", "xn--80ak6aa92e.рф"),
        ])
    func readable(name: String, expected: String) {
        #expect(DomainName.readable(name) == expected)
    }

    @Test(
        "that could be mistaken stay as they are",
        arguments: [
            "xn--pple-43d.com",  // a Cyrillic а in Latin letters
            "xn--80ak6aa92e.com",  // all of it Cyrillic letters that look Latin
            DomainName.canonical("президент.com"), DomainName.canonical("例え.nl"),  // another script than what is behind it
            DomainName.canonical("\u{3BF}\u{3BD}.gr"), DomainName.canonical("\u{13E2}\u{13AA}.us"),  // Greek, and Cherokee
            "xn--a.example", "xn--.example", "xn--99999999999.example", "xn--bcher-kva8445foa.example.", "xn--\u{FC}.example",
        ])
    func suspicious(name: String) {
        #expect(DomainName.readable(name) == name)
    }
}
