/// Texts that are keys, in one spelling: `ü` as one scalar, and not as `u` with a mark behind it.
///
/// The composed form (NFC, UAX #15) of what letters of Latin, Greek, Cyrillic, kana and Hangul can be written as; the standard library compares
/// texts by canonical equivalence, so a table of characters finds it. What else there is stays as it is.
public enum Composition {
    /// Blocks with composed letters. Where two scalars are equivalent the first is the composed form (UAX #15, "singletons").
    private static let blocks: [ClosedRange<UInt32>] = [
        0xC0...0x24F, 0x370...0x3FF, 0x400...0x52F, 0x1E00...0x1FFF, 0x3040...0x30FF, 0xAC00...0xD7A3,
    ]

    private static let composed: [Character: Unicode.Scalar] = {
        var table: [Character: Unicode.Scalar] = [:]
        for block in blocks {
            for value in block {
                // A semicolon and a middle dot of Greek are those of everybody.
                guard let scalar = Unicode.Scalar(value), scalar.properties.isAlphabetic else { continue }
                let character = Character(scalar)
                if table[character] == nil { table[character] = scalar }
            }
        }
        return table
    }()

    /// The composed form of `text`.
    public static func composed(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        var output = String.UnicodeScalarView()
        for character in text {
            let scalars = Array(character.unicodeScalars)
            if scalars.count == 1, scalars[0].value < 0x300 {
                output.append(scalars[0])
            } else if let scalar = composed[character] {
                output.append(scalar)
            } else {
                output.append(contentsOf: partly(scalars))
            }
        }
        return String(output)
    }

    /// A letter with more marks than any composed one has: as many of the first as there is one for.
    private static func partly(_ scalars: [Unicode.Scalar]) -> [Unicode.Scalar] {
        for count in stride(from: scalars.count - 1, to: 1, by: -1) {
            var head = String.UnicodeScalarView()
            head.append(contentsOf: scalars.prefix(count))
            let text = String(head)
            if text.count == 1, let first = text.first, let scalar = composed[first] { return [scalar] + scalars.dropFirst(count) }
        }
        return scalars
    }
}
