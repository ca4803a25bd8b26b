import Testing

@testable import Unpacking

/// Streams that libarchive opens: made by the tools of their makers, from `<feedback>` and the like.
@Suite("bzip2, xz, zstd, lz4")
struct StreamTests {
    /// `xz -9` of a stream with a dictionary of 64 MiB, and the byte that says so changed.
    static func xz(dictionary: UInt8) -> [UInt8] {
        [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0x21, 1, dictionary, 0, 0, 0, 0, 0, 0, 0]
    }

    private func window(_ bytes: [UInt8], _ container: Container) -> Int { bytes.withUnsafeBytes { windowBytes($0, container) } }

    @Test("windows are read from the headers")
    func windows() {
        #expect(window(Self.xz(dictionary: 0), .xz) == 4096)
        #expect(window(Self.xz(dictionary: 22), .xz) == 8 << 20)
        #expect(window(Self.xz(dictionary: 28), .xz) == 64 << 20)
        #expect(window(Self.xz(dictionary: 40), .xz) == 0xffff_ffff)
        #expect(window(Self.xz(dictionary: 255), .xz) == .max)
        // The second of two streams counts as well.
        #expect(window(Self.xz(dictionary: 0) + Self.xz(dictionary: 30), .xz) == 128 << 20)
        #expect(window([0x28, 0xb5, 0x2f, 0xfd, 0, 0x50], .zstd) == 1 << 20)
        #expect(window([0x28, 0xb5, 0x2f, 0xfd, 0, 0xff], .zstd) > 1 << 40)
        #expect(window([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x10], .zstd) == 0x1000_0000)
        #expect(window([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 1], .zstd) == 512)
        for count in 0..<12 { _ = window(Array(Self.xz(dictionary: 40).prefix(count + 12)), .xz) }
    }

    /// A member of a zip with a method of compression and its first bytes.
    private func member(_ method: UInt8, _ content: [UInt8]) -> [UInt8] {
        [0x50, 0x4b, 3, 4, 63, 0, 0, 0, method, 0] + [UInt8](repeating: 0, count: 16) + [1, 0, 2, 0, 0x61, 0, 0] + content
    }

    @Test("windows of a zip's members are read from their headers")
    func zipWindows() {
        func window(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { zipWindowBytes($0) } }
        #expect(window(member(8, Self.xz(dictionary: 40))) == 0)
        #expect(window(member(14, [9, 20, 5, 0, 0x5d, 0xff, 0xff, 0xff, 0xff])) == 0xffff_ffff)
        #expect(window(member(14, [9, 20, 5, 0, 0x5d, 0, 0, 0x80, 0])) == 8 << 20)
        #expect(window(member(95, Self.xz(dictionary: 37))) == 3 << 29)
        #expect(window(member(93, [0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 0])) == 2 << 30)
        #expect(window(member(98, [0xf7, 0x0f])) == 256 << 20)
        #expect(window(member(98, [0xf7, 0x00])) == 16 << 20)
        // The largest of several, wherever it stands.
        #expect(window(member(8, [1]) + member(98, [0xf7, 0]) + member(14, [9, 20, 5, 0, 0x5d, 0, 0, 0, 0x60])) == 0x6000_0000)
        let whole = member(14, [9, 20, 5, 0, 0x5d, 0, 0, 0, 0x60])
        for count in 0..<whole.count { #expect(window(Array(whole.prefix(count))) == 0) }
        for bytes in [member(14, [9, 20, 5, 0, 0x5d, 0xff, 0xff, 0xff, 0xff]), member(98, [0xf7, 0x0f])] {
            #expect(unpack(bytes + [UInt8](repeating: 0, count: 40)).code == .unpackedTooLarge)
        }
    }

    @Test("what only begins like one is damaged, what asks for too much is refused")
    func refused() {
        let limits = UnpackLimits()
        func code(_ bytes: [UInt8]) -> UnpackError.Code? {
            var receiver = Recorder()
            do throws(UnpackError) {
                try bytes.withUnsafeBufferPointer { (buffer) throws(UnpackError) in
                    try Unpacker(limits: limits).unpack(UnsafeRawBufferPointer(buffer), name: "r", into: &receiver)
                }
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(Self.xz(dictionary: 30)) == .unpackedTooLarge)
        #expect(code(Self.xz(dictionary: 10)) == .archiveDamaged)
        #expect(code([0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 0]) == .unpackedTooLarge)
        #expect(code([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0, 0, 0]) == .archiveDamaged)
        #expect(code([0x04, 0x22, 0x4d, 0x18] + [UInt8](repeating: 0x90, count: 40)) == .archiveDamaged)
        #expect(code(Array("BZh91AY&SY".utf8) + [UInt8](repeating: 0x90, count: 40)) == .archiveDamaged)
    }

    @Test("a few bytes tell what it is, and as many more as that takes are waited for")
    func sniffing() {
        func prefix(_ bytes: [UInt8], isComplete: Bool = false) -> Container? {
            bytes.withUnsafeBytes { sniffPrefix($0, isComplete: isComplete) }
        }
        #expect(prefix(Array("BZh9".utf8)) == nil)
        #expect(prefix(Array("BZh91AY&SY".utf8)) == .bzip2)
        #expect(prefix(Array("BZh9 is a name".utf8)) == Container.none)
        #expect(prefix([0xfd, 0x37, 0x7a, 0x58]) == nil)
        #expect(prefix([0xfd, 0x37, 0x7a, 0x58], isComplete: true) == Container.none)
        #expect(prefix([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) == .xz)
        #expect(prefix([0x28, 0xb5, 0x2f, 0xfd]) == .zstd)
        #expect(prefix([0x04, 0x22, 0x4d, 0x18]) == .lz4)
    }
}
