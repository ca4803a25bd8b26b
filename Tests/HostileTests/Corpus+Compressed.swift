import ArchiveMaking

/// Z7: gzip and zlib streams, broken in every field.
extension Corpus {
    private static func gzip(_ id: String) -> [UInt8] { Written(id: id).gzip }

    /// The ten bytes of a header with these flags, the fields that they announce, and a sound stream behind it.
    private static func gzip(_ id: String, flags: UInt8, _ fields: [UInt8], method: UInt8 = 8) -> [UInt8] {
        [0x1F, 0x8B, method, flags, 0, 0, 0, 0, 0, 3] + fields + gzip(id).dropFirst(10)
    }

    /// A gzip of these bare deflate data.
    private static func deflate(_ data: [UInt8]) -> [UInt8] {
        [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + data + [UInt8](repeating: 0, count: 8)
    }

    static let compressed: [HostileInput] = joined(
        [1, 2, 4, 7, 8, 9, 20, 100, 200].map { cut in
            attachment("Z7", "gzip without its last \(cut) bytes", .refused("gzip-truncated")) { Array(gzip("z7-cut").dropLast(cut)) }
        },
        ([3, 10, 12, 20] as [Int]).map { count in
            attachment("Z7", "the first \(count) bytes of a gzip", .refused("gzip-truncated")) { Array(gzip("z7-head").prefix(count)) }
        },
        [
            attachment("Z7", "gzip with a wrong checksum", .refused("gzip-checksum")) { patched("z7-crc", fromEnd: 8, 0) },
            attachment("Z7", "gzip with a wrong length", .refused("gzip-checksum")) { patched("z7-len", fromEnd: 4, 0xFF) },
            attachment("Z7", "gzip with a flipped bit in the middle", .refused("gzip-checksum")) {
                var bytes = Archives.gzip(Written(id: "z7-flip").bytes, repeating: [], count: 0, level: 0)
                bytes[bytes.count / 2] ^= 0x10
                return bytes
            },
            attachment("Z7", "gzip and a line end", .stored(.oddArchive)) { gzip("z7-crlf") + [13, 10] },
            attachment("Z7", "gzip and NULs", .stored(.oddArchive)) { gzip("z7-nul") + [UInt8](repeating: 0, count: 512) },
            attachment("Z7", "gzip and 21 bytes of junk", .stored(.oddArchive)) { gzip("z7-junk") + (0..<21).map { UInt8($0 * 11 + 5) } },
            attachment("Z7", "gzip and a truncated second member", .refused("gzip-truncated")) { gzip("z7-two") + [0x1F, 0x8B, 8, 0, 0] },
            attachment("Z7", "gzip and an empty second member", .stored(.oddArchive)) { gzip("z7-empty") + Archives.gzip([]) },
            attachment("Z7", "gzip and 10,000 empty members", .stored(.oddArchive)) {
                gzip("z7-empties") + Archives.repeated(Archives.gzip([]), 10_000)
            },
            attachment("Z7", "one document in 300 members of a few bytes", .stored(.oddArchive)) {
                let bytes = Written(id: "z7-pieces").bytes
                return Array(
                    stride(from: 0, to: bytes.count, by: 4).map { Archives.gzip(Array(bytes[$0..<min($0 + 4, bytes.count)])) }.joined())
            },
            attachment("Z7", "gzip with a name of 100,000 bytes", .stored()) {
                gzip("z7-name", flags: 8, [UInt8](repeating: 0x61, count: 100_000) + [0])
            },
            attachment("Z7", "gzip with a comment of 1 MB", .stored()) {
                gzip("z7-com", flags: 16, [UInt8](repeating: 0x1B, count: 1_000_000) + [0])
            },
            attachment("Z7", "gzip with an extra field of 65,535 bytes", .stored()) {
                gzip("z7-extra", flags: 4, [0xFF, 0xFF] + [UInt8](repeating: 0, count: 65_535))
            },
            attachment("Z7", "gzip whose header has a wrong checksum", .refused("archive-damaged")) { gzip("z7-hcrc", flags: 2, [1, 2]) },
            attachment("Z7", "gzip with reserved flags", .refused("archive-damaged")) { gzip("z7-res", flags: 0xE0, []) },
            attachment("Z7", "gzip of another method", .refused("archive-damaged")) { gzip("z7-m", flags: 0, [], method: 7) },
            attachment("Z7", "gzip with a name without end", .refused("gzip-truncated")) {
                [0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 3] + [UInt8](repeating: 0x61, count: 500)
            },
            attachment("Z7", "deflate block of a type that there is not", .refused("archive-damaged")) { deflate([0x07]) },
            attachment("Z7", "deflate codes that cannot be", .refused("archive-damaged")) {
                deflate([0x05, 0xE0, 0x81, 0xFF, 0xFF, 0xFF, 0xFF])
            },
            attachment("Z7", "deflate that points before its beginning", .refused("archive-damaged")) { deflate([0x03, 0x02, 0x00]) },
            attachment("Z7", "stored block with a wrong complement", .refused("archive-damaged")) { deflate([0x01, 5, 0, 0, 0]) },
            attachment("Z7", "200,000 empty stored blocks", .refused("no-report-in-archive")) {
                deflate(Archives.repeated([0, 0, 0, 0xFF, 0xFF] as [UInt8], 200_000) + [1, 0, 0, 0xFF, 0xFF])
            },
            attachment("Z7", "zlib stream with a preset dictionary", .refused("unknown-container")) {
                [0x78, 0xBB, 0, 0, 0, 1, 0x03, 0x00]
            },
            attachment("Z7", "zlib stream with a wrong checksum", .refused("gzip-checksum")) {
                var bytes = Archives.zlib(Written(id: "z7-adler").bytes)
                bytes[bytes.count - 1] ^= 1
                return bytes
            },
            attachment("Z7", "zlib stream that is cut", .refused("gzip-truncated")) {
                Array(Archives.zlib(Written(id: "z7-zcut").bytes).dropLast(30))
            },
            attachment("Z7", "gzip of nothing", .refused("no-report-in-archive")) { Archives.gzip([]) },
            attachment("Z7", "gzip of a word", .refused("no-report-in-archive")) { Archives.gzip(Array("unused".utf8)) },
            attachment("Z7", "two reports in one stream", .stored(.oddArchive)) { gzip("z7-a") + gzip("z7-b") },
        ])

    private static func patched(_ id: String, fromEnd: Int, _ byte: UInt8) -> [UInt8] {
        var bytes = gzip(id)
        for index in 0..<4 { bytes[bytes.count - fromEnd + index] = byte }
        return bytes
    }
}
