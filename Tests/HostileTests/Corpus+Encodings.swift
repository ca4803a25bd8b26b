import ArchiveMaking

/// X7: encodings, byte order marks, NULs.
extension Corpus {
    private static func text(_ id: String, _ encoding: String, org: String = "Reporter") -> String {
        Written(id: id).with {
            $0.declaration = "<?xml version=\"1.0\" encoding=\"\(encoding)\"?>\n"
            $0.org = org
        }.text
    }

    private static func bytes(_ name: String, _ expected: Expected, _ make: @escaping @Sendable () -> [UInt8]) -> HostileInput {
        attachment("X7", name, expected, file: "report.xml", make)
    }

    private static func utf16(_ text: String, bigEndian: Bool) -> [UInt8] {
        (bigEndian ? [0xFE, 0xFF] : [0xFF, 0xFE])
            + text.utf16.flatMap { unit in
                let (high, low) = (UInt8(unit >> 8), UInt8(unit & 255))
                return bigEndian ? [high, low] : [low, high]
            }
    }

    /// A report whose organisation is these bytes.
    private static func raw(_ id: String, _ bytes: [UInt8], encoding: String = "UTF-8") -> [UInt8] {
        let parts = text(id, encoding, org: "@@").split(separator: "@@", maxSplits: 1)
        return Array(parts[0].utf8) + [0x61] + bytes + [0x62] + Array(parts[1].utf8)
    }

    private static let invalid: [(String, [UInt8])] = [
        ("a lone continuation byte", [0x80]), ("0xFF", [0xFF]), ("an overlong slash", [0xC0, 0xAF]), ("an overlong NUL", [0xC0, 0x80]),
        ("half a surrogate", [0xED, 0xA0, 0x80]), ("a scalar beyond the last", [0xF4, 0x90, 0x80, 0x80]), ("a cut sequence", [0xE2, 0x82]),
        ("a non-character", [0xEF, 0xBF, 0xBF]), ("a NUL", [0]), ("Latin-1", [0xE9]),
    ]

    static let encodings: [HostileInput] = joined(
        [
            "UTF-7", "UTF-32", "ISO-10646-UCS-4", "EBCDIC-CP-US", "IBM037", "Shift_JIS", "EUC-JP", "ISO-2022-JP", "GB18030", "Big5",
            "KOI8-R", "HZ", "x", "",
            "UTF-8\\u0000", "'><!DOCTYPE x>", String(repeating: "U", count: 300),
        ].enumerated().map { index, encoding in
            document("X7", "the encoding \(index): \(encoding.prefix(20))", .refused("unknown-encoding")) { text("x7-\(index)", encoding) }
        },
        invalid.map { what, wrong in bytes("\(what) in a name", .stored(.invalidUTF8)) { raw("x7-\(what)", wrong) } } + [
            bytes("UTF-16, little end first", .stored(.legacyEncoding, .byteOrderMark)) {
                utf16(text("x7-16le", "UTF-16"), bigEndian: false)
            },
            bytes("UTF-16, big end first", .stored(.legacyEncoding, .byteOrderMark)) { utf16(text("x7-16be", "UTF-16"), bigEndian: true) },
            bytes("UTF-16 that is cut", .refused("xml-truncated")) {
                Array(utf16(text("x7-16cut", "UTF-16"), bigEndian: false).dropLast(101))
            },
            bytes("UTF-16 with half surrogates", .refused("xml-truncated")) {
                utf16("<feedback><version>", bigEndian: false) + [0x00, 0xD8, 0x41, 0x00]
                    + utf16("</version></feedback>", bigEndian: false).dropFirst(2)
            },
            bytes("UTF-16 that declares UTF-8", .stored(.byteOrderMark)) { utf16(text("x7-16as8", "UTF-8"), bigEndian: false) },
            bytes("windows-1252", .stored(.legacyEncoding)) { raw("x7-1252", [0x93, 0xE9, 0x94], encoding: "windows-1252") },
            bytes("ISO-8859-1 with C1 controls", .stored(.legacyEncoding)) { raw("x7-8859", [0x9B, 0x85], encoding: "ISO-8859-1") },
            bytes("a byte order mark", .stored(.byteOrderMark)) { [0xEF, 0xBB, 0xBF] + Written(id: "x7-bom").bytes },
            attachment(
                "X7", "two byte order marks", .refused("unknown-container"), file: "report.xml"
            ) { [0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF] + Written(id: "x7-bom2").bytes },
            bytes("100,000 line ends before the root", .stored(.looseProlog)) {
                [UInt8](repeating: 10, count: 100_000) + Written(id: "x7-lines").bytes
            },
            bytes("NULs around", .stored(.looseProlog)) {
                [UInt8](repeating: 0, count: 2000) + Written(id: "x7-nuls").bytes + [UInt8](repeating: 0, count: 2000)
            },
            bytes("a NUL behind each byte", .stored(.looseProlog)) { Written(id: "x7-each").bytes.flatMap { [$0, 0] } },
            bytes("10,000 invalid bytes", .stored(.invalidUTF8)) {
                Written(id: "x7-many").with { $0.closing = "" }.bytes + [UInt8](repeating: 0xFE, count: 10_000) + Array("</feedback>".utf8)
            },
        ])
}
