/// Canonical and readable forms of domain names.
///
/// Canonical: ASCII lower case, no final dot, internationalised labels as A-labels (`xn--…`, RFC 5890) of their composed form (NFC), so that two
/// spellings of one domain compare equal. Names in reports are data: nothing here refuses a name, an impossible one is kept as it is.
public enum DomainName {
    /// The canonical form of `text`, which must already be trimmed.
    public static func canonical(_ text: String) -> String {
        var name = text
        let isPlain = name.withUTF8 { bytes in
            bytes.last != UInt8(ascii: ".") && bytes.allSatisfy { $0 < 0x80 && !(0x41...0x5A).contains($0) }
        }
        if isPlain { return name }
        name = Composition.composed(name.lowercased())
        while name.hasSuffix(".") { name.removeLast() }
        guard name.utf8.contains(where: { $0 >= 0x80 }) else { return name }
        return name.split(separator: ".", omittingEmptySubsequences: false).map { label in
            guard label.utf8.contains(where: { $0 >= 0x80 }), let encoded = Punycode.encode(label.unicodeScalars) else {
                return String(label)
            }
            return "xn--" + encoded
        }.joined(separator: ".")
    }

    /// The form for people: A-labels decoded where that is unambiguous.
    ///
    /// A label that mixes scripts, is of another script than the one behind it, has only letters that look like Latin ones, or is not what its own
    /// decoding encodes to, could be read as somebody else's domain: it stays `xn--…`.
    public static func readable(_ name: String) -> String {
        // Nearly no name has two hyphens in a row, and to look for more takes long.
        guard zip(name.utf8, name.utf8.dropFirst()).contains(where: { $0 == 0x2D && $1 == 0x2D }) else { return name }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false).map(Label.init)
        return labels.indices.map { index in
            let label = labels[index]
            guard let decoded = label.decoded else { return String(label.text) }
            // Whoever has a domain in his own script may well have a `mail` before it; what is behind it decides whose it is.
            guard index + 1 < labels.count, let behind = labels[index + 1].script else { return decoded }
            return behind == label.script ? decoded : String(label.text)
        }.joined(separator: ".")
    }

    /// A label, and what it may be shown as.
    private struct Label {
        let text: Substring
        /// Nil: it has no letters, and goes with every script.
        let script: Int?
        /// Nil: only as it is.
        var decoded: String?

        init(_ text: Substring) {
            self.text = text
            guard text.hasPrefix("xn--"), let scalars = Punycode.decode(text.dropFirst(4)) else {
                script = text.utf8.contains { (0x61...0x7A).contains($0) } ? Script.latin : nil
                return
            }
            script = Script.of(scalars) ?? Script.mixed
            guard script != Script.mixed, !Script.looksLatin(scalars) else { return }
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            let shown = String(view)
            if canonical(shown) == text { decoded = shown }
        }
    }

    /// Which letters belong together.
    private enum Script {
        static let latin = 0
        static let mixed = -1

        /// That of letters of one script only, besides digits and hyphens. Latin with diacritics counts as one script.
        static func of(_ scalars: [Unicode.Scalar]) -> Int? {
            var script: Int?
            for scalar in scalars where scalar != "-" && !("0"..."9").contains(scalar) {
                guard scalar.properties.isAlphabetic else { return nil }
                let current: Int =
                    switch scalar.value {
                    case 0x00...0x24F, 0x1E00...0x1EFF: latin
                    case 0x370...0x3FF, 0x1F00...0x1FFF: 1  // Greek
                    case 0x400...0x52F: 2  // Cyrillic
                    case 0x590...0x5FF: 3  // Hebrew
                    case 0x600...0x6FF: 4  // Arabic
                    case 0x3040...0x30FF, 0x4E00...0x9FFF: 5  // Japanese and Chinese, which are written together
                    case 0xAC00...0xD7A3: 6  // Hangul
                    default: 1000 + Int(scalar.value >> 7)  // another block: only with itself
                    }
                if let script, script != current { return nil }
                script = current
            }
            return script
        }

        /// Small letters of Cyrillic, Greek, Armenian and Cherokee that most type draws as Latin ones (UTS #39, confusables).
        private static let lookalikes: Set<Unicode.Scalar> = Set(
            ("\u{430}\u{441}\u{435}\u{43E}\u{440}\u{445}\u{443}\u{456}\u{458}\u{455}\u{4BB}\u{501}\u{51B}\u{51D}\u{4CF}\u{475}\u{4AF}\u{433}\u{43F}"
                + "\u{457}\u{451}\u{454}\u{3BF}\u{3BD}\u{3B1}\u{3B9}\u{3BA}\u{3C1}\u{3C5}\u{3C7}\u{3B3}\u{3C9}\u{3F2}\u{3F3}\u{585}\u{57D}\u{570}\u{578}"
                + "\u{581}\u{566}\u{575}\u{13A0}\u{13A1}\u{13A2}\u{13A5}\u{13AA}\u{13AB}\u{13B3}\u{13B7}\u{13BB}\u{13C0}\u{13C2}\u{13C3}\u{13CE}\u{13CF}"
                + "\u{13D2}\u{13D4}\u{13DA}\u{13DE}\u{13DF}\u{13E2}\u{13E6}\u{13F4}").unicodeScalars)

        /// Whether each letter could be taken for a Latin one, though none is.
        static func looksLatin(_ scalars: [Unicode.Scalar]) -> Bool {
            scalars.allSatisfy { $0 == "-" || ("0"..."9").contains($0) || lookalikes.contains($0) }
        }
    }
}

/// Punycode, RFC 3492, with the parameters of IDNA.
enum Punycode {
    private static let base: UInt32 = 36
    private static let tMin: UInt32 = 1
    private static let tMax: UInt32 = 26

    /// RFC 3492 §6.3. Nil on overflow, which no label of a legal length reaches.
    static func encode(_ input: some Sequence<Unicode.Scalar>) -> String? {
        let points = input.map(\.value)
        var output = points.filter { $0 < 0x80 }.map { UInt8($0) }
        let basicCount = UInt32(output.count)
        var handled = basicCount
        if basicCount > 0 { output.append(UInt8(ascii: "-")) }
        var n: UInt32 = 128
        var delta: UInt32 = 0
        var bias: UInt32 = 72
        while handled < points.count {
            guard let next = points.filter({ $0 >= n }).min() else { return nil }
            let (product, overflow) = (next - n).multipliedReportingOverflow(by: handled + 1)
            guard !overflow, delta <= UInt32.max - product else { return nil }
            delta += product
            n = next
            for point in points {
                if point < n { delta += 1 }
                guard point == n else { continue }
                var q = delta
                var k = base
                while true {
                    let t = threshold(k, bias)
                    if q < t { break }
                    output.append(digit(t + (q - t) % (base - t)))
                    q = (q - t) / (base - t)
                    k += base
                }
                output.append(digit(q))
                bias = adapt(delta, handled + 1, first: handled == basicCount)
                delta = 0
                handled += 1
            }
            delta += 1
            n += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// RFC 3492 §6.2. Nil for anything that is not Punycode.
    static func decode(_ input: Substring) -> [Unicode.Scalar]? {
        let bytes = Array(input.utf8)
        guard bytes.count <= 63, bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
        var output: [Unicode.Scalar] = []
        var index = 0
        if let hyphen = bytes.lastIndex(of: UInt8(ascii: "-")) {
            output = bytes[..<hyphen].map { Unicode.Scalar($0) }
            index = hyphen + 1
        }
        var n: UInt32 = 128
        var i: UInt32 = 0
        var bias: UInt32 = 72
        while index < bytes.count {
            let old = i
            var weight: UInt32 = 1
            var k = base
            while true {
                guard index < bytes.count, let value = value(of: bytes[index]) else { return nil }
                index += 1
                let (product, overflow) = value.multipliedReportingOverflow(by: weight)
                guard !overflow, i <= UInt32.max - product else { return nil }
                i += product
                let t = threshold(k, bias)
                if value < t { break }
                let (grown, tooFar) = weight.multipliedReportingOverflow(by: base - t)
                guard !tooFar else { return nil }
                weight = grown
                k += base
            }
            let count = UInt32(output.count) + 1
            bias = adapt(i - old, count, first: old == 0)
            guard n <= UInt32.max - i / count else { return nil }
            n += i / count
            i %= count
            guard let scalar = Unicode.Scalar(n) else { return nil }
            output.insert(scalar, at: Int(i))
            i += 1
        }
        return output
    }

    private static func threshold(_ k: UInt32, _ bias: UInt32) -> UInt32 { k <= bias ? tMin : min(k - bias, tMax) }

    private static func adapt(_ delta: UInt32, _ count: UInt32, first: Bool) -> UInt32 {
        var delta = first ? delta / 700 : delta / 2
        delta += delta / count
        var k: UInt32 = 0
        while delta > (base - tMin) * tMax / 2 {
            delta /= base - tMin
            k += base
        }
        return k + (base - tMin + 1) * delta / (delta + 38)
    }

    private static func digit(_ value: UInt32) -> UInt8 { UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30) }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte) - 0x30 + 26
        case 0x41...0x5A: UInt32(byte) - 0x41
        case 0x61...0x7A: UInt32(byte) - 0x61
        default: nil
        }
    }
}
