import Testing

@testable import Unpacking

@Suite("Sniffing")
struct SniffTests {
    @Test(
        "tells containers by their first bytes alone",
        arguments: [
            ([0x1f, 0x8b, 8, 0], Container.gzip), ([0x1f, 0x8b], .gzip), ([0x1f], .none),
            ([0x50, 0x4b, 3, 4], .zip), ([0x50, 0x4b, 5, 6], .zip), ([0x50, 0x4b, 7, 8], .zip), ([0x50, 0x4b, 1, 2], .none),
            ([0x50, 0x4b], .none), ([0x78, 0x01], .zlib), ([0x78, 0x5e], .zlib), ([0x78, 0x9c], .zlib), ([0x78, 0xda], .zlib),
            ([0x78, 0x9d], .none), ([], .none), ([0x3c], .xml), ([0x42, 0x5a, 0x68, 0x39], .none), ([0x89, 0x50, 0x4e, 0x47], .none),
        ] as [([UInt8], Container)])
    func containers(bytes: [UInt8], container: Container) {
        #expect(bytes.withUnsafeBytes(sniff) == container)
    }

    @Test(
        "finds XML behind byte order marks and blanks",
        arguments: [
            [0x3c, 0x3f], [0xef, 0xbb, 0xbf, 0x3c], [0xfe, 0xff, 0, 0x3c], [0xff, 0xfe, 0x3c, 0], [0x0d, 0x0a, 0x20, 0x09, 0x3c],
            [0xef, 0xbb, 0xbf, 0x0a, 0x3c], [0xff, 0xfe, 0x20, 0, 0x3c, 0], [0, 0x3c],
        ] as [[UInt8]])
    func documents(bytes: [UInt8]) {
        #expect(bytes.withUnsafeBytes(sniff) == .xml)
    }

    @Test("passes over 256 KiB of blanks and no more")
    func blanks() {
        let blanks = [UInt8](repeating: 0x0a, count: 256 << 10)
        #expect((blanks + [0x3c]).withUnsafeBytes(sniff) == .xml)
        #expect((blanks + [0x0a, 0x3c]).withUnsafeBytes(sniff) == .none)
        #expect(blanks.withUnsafeBytes(sniff) == .none)
    }
}
