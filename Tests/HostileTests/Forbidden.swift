import Glibc

/// Characters that no output may hold: C0, DEL, C1, bidi controls, invisible characters, tags. Line ends are not among them.
enum Forbidden {
    /// By what their UTF-8 begins with, and which last bytes may not follow. One look at a character by Swift code that is not optimised takes
    /// longer than all commands together, so the C library looks for the beginnings.
    private static let sequences: [(prefix: [UInt8], last: Set<UInt8>)] = [
        ([0xC2], Set(0x80...0x9F).union([0xAD])), ([0xD8], [0x9C]),
        ([0xE2, 0x80], Set(0x8B...0x8F).union(0xA8...0xAE)), ([0xE2, 0x81], Set(0xA6...0xA9).union([0xA0])),
        ([0xEF, 0xBB], [0xBF]), ([0xF3, 0xA0, 0x80], Set(0x80...0xBF)), ([0xF3, 0xA0, 0x81], Set(0x80...0xBF)),
    ]

    /// The scalars of `text` that are forbidden.
    static func found(in text: String, allowsCR: Bool = false) -> Set<UInt32> {
        var text = text
        return text.withUTF8 { bytes in
            guard let start = bytes.baseAddress else { return [] }
            var found: Set<UInt32> = []
            for byte in (0...0x1F) + [0x7F] where byte != 0x0A && !(allowsCR && byte == 0x0D) {
                if memchr(start, Int32(byte), bytes.count) != nil { found.insert(UInt32(byte)) }
            }
            let end = start + bytes.count
            for lead in Set(sequences.map { $0.prefix[0] }) {
                let ends = sequences.filter { $0.prefix[0] == lead }
                var place = start
                while let hit = memchr(place, Int32(lead), end - place) {
                    place = start + (UnsafeRawPointer(hit) - UnsafeRawPointer(start))
                    for (prefix, last) in ends where end - place > prefix.count && last.contains(place[prefix.count]) {
                        guard memcmp(place, prefix, prefix.count) == 0 else { continue }
                        let character = UnsafeBufferPointer(start: place, count: prefix.count + 1)
                        found.formUnion(String(decoding: character, as: UTF8.self).unicodeScalars.map(\.value))
                    }
                    place += 1
                }
            }
            return found
        }
    }
}
