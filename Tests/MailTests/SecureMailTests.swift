import Mail
import Testing

/// Structures of CMS, put together by hand.
private enum Made {
    static func der(_ tag: UInt8, _ content: [UInt8]...) -> [UInt8] {
        let body = content.flatMap { $0 }
        if body.count < 0x80 { return [tag, UInt8(body.count)] + body }
        return [tag, 0x82, UInt8(body.count >> 8), UInt8(body.count & 0xff)] + body
    }

    static func ber(_ tag: UInt8, _ content: [UInt8]...) -> [UInt8] { [tag, 0x80] + content.flatMap { $0 } + [0, 0] }

    static func type(_ last: UInt8) -> [UInt8] { der(6, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last]) }

    static let digests = der(0x31, der(0x30, der(6, [0x2b, 0x0e, 0x03, 0x02, 0x1a])))

    static func signed(_ content: [UInt8]) -> [UInt8] {
        der(0x30, type(2), der(0xa0, der(0x30, der(2, [1]), digests, der(0x30, type(1), der(0xa0, der(4, content))), der(0x31))))
    }

    static func streamed(_ pieces: [UInt8]...) -> [UInt8] {
        let octets = ber(0x24, pieces.flatMap { der(4, $0) })
        return ber(0x30, type(2), ber(0xa0, ber(0x30, der(2, [1]), digests, ber(0x30, type(1), ber(0xa0, octets)), der(0x31))))
    }
}

@Suite("S/MIME")
struct SecureMailTests {
    static let text = Array("Content-Type: text/plain\r\n\r\nhello\r\n".utf8)

    private func read(_ bytes: [UInt8]) -> SecureMail? { bytes.withUnsafeBytes { secureMail($0) } }

    @Test("signed content is taken out, in one piece, in many, and of any length")
    func signed() {
        #expect(read(Made.signed(Self.text)) == .signed(Self.text))
        #expect(read(Made.streamed(Array(Self.text[..<9]), Array(Self.text[9...]))) == .signed(Self.text))
        #expect(read(Made.streamed([])) == .signed([]))
        let long = [UInt8](repeating: 0x61, count: 60_000)
        #expect(read(Made.signed(long)) == .signed(long))
    }

    @Test("a signature alone, encryption and what is neither are told apart")
    func kinds() {
        let alone = Made.der(
            0x30, Made.type(2), Made.der(0xa0, Made.der(0x30, Made.der(2, [1]), Made.digests, Made.der(0x30, Made.type(1)))))
        #expect(read(alone) == .signature)
        for last: UInt8 in [3, 4, 6] { #expect(read(Made.der(0x30, Made.type(last), Made.der(0xa0, [0x30, 0]))) == .encrypted) }
        #expect(read(Made.der(0x30, Made.type(1), Made.der(0xa0, Made.der(4, [1])))) == .other)
        let smime: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01]
        #expect(read(Made.der(0x30, Made.der(6, smime + [23]))) == .encrypted)
        #expect(read(Made.der(0x30, Made.der(6, smime + [9]))) == .other)
        for stranger in [[], [0x30], [0x30, 2, 5, 0], Array("0123456789".utf8), Made.der(0x30, Made.der(2, [1]))] {
            #expect(read(stranger) == nil)
        }
    }

    @Test("cut anywhere, or with any byte changed, it is none, damaged or something, and never read beyond its end")
    func damaged() {
        for whole in [Made.signed(Self.text), Made.streamed(Array(Self.text[..<9]), Array(Self.text[9...]))] {
            for count in whole.indices {
                // A copy of its own, so that a byte too far is a fault that is seen.
                let found = read(Array(whole[..<count]))
                if case .signed(let content) = found { #expect(content == Self.text) }
            }
            for index in whole.indices {
                for value: UInt8 in [0, 0x7f, 0x80, 0x84, 0xff, 0x24, 0x04] {
                    var changed = whole
                    changed[index] = value
                    if case .signed(let content) = read(changed) { #expect(content.count <= whole.count) }
                }
            }
        }
        // Nested without end, and lengths that no number holds.
        let deep = (0..<5000).flatMap { _ in [0x24, 0x80] as [UInt8] }
        let outer = Made.der(0x30, Made.type(2)).dropFirst(2)
        #expect(
            read([0x30, 0x80] + outer + [0xa0, 0x80, 0x30, 0x80, 2, 1, 1, 0x31, 0, 0x30, 0x80] + Made.type(1) + [0xa0, 0x80] + deep)
                == .damaged)
        #expect(read([0x30, 0x84, 0xff, 0xff, 0xff, 0xff] + outer + [0xa0, 0x84, 0xff, 0xff, 0xff, 0xff]) == .damaged)
    }
}
