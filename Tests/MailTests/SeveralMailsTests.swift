import Mail
import Testing

@Suite("Several mails in one piece of bytes")
struct SeveralMailsTests {
    private func pieces(_ text: String) -> [String] {
        Array(text.utf8).withUnsafeBytes { bytes in mails(in: bytes).map { String(decoding: $0, as: UTF8.self) } }
    }

    private let mark = "From a@b.example Thu Oct 29 01:00:00 2026\n"

    @Test("are divided at their lines `From `, in either line end")
    func divided() {
        for end in ["\n", "\r\n"] {
            let (one, two) = ("From: a\nSubject: b\n\nx\n\n", "From: c\nSubject: d\n\ny\n")
            func wire(_ text: String) -> String { text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: end) }
            #expect(pieces(wire(mark + one + mark + two)) == [wire(one), wire(two)])
            #expect(pieces(wire(mark + one)) == [wire(one)])
        }
    }

    @Test("a line of the text that begins so divides nothing, nor where no line `From ` comes first")
    func text() {
        let mail = "From: a\nSubject: b\n\nFrom here on\nFrom: a list of\n\nFrom there: too\n"
        #expect(pieces(mark + mail) == [mail])
        #expect(pieces(mail + mark + mail) == [mail + mark + mail])
        #expect(pieces("") == [""])
        for cut in [mark, String(mark.dropLast()), "From ", "From \nFrom \n"] { #expect(pieces(cut).count == 1) }
        #expect(pieces(mark).first?.isEmpty == true)
    }
}
