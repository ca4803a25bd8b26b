import Glibc
import Mail
import Unpacking

/// What the bytes of an attachment are, told by their content alone.
enum AttachmentForm: Equatable {
    /// Something that the unpacker opens, or a document.
    case container(Container)
    /// A whole mail.
    case mail
    /// A structure of S/MIME.
    case secure(SecureMail)
    /// A report, or a container of one, in base64 once more.
    case base64([UInt8])
    /// The same in uuencode, in the midst of a text: all that lies in it.
    case uuencoded([[UInt8]])
    /// Encrypted with OpenPGP, by Microsoft's rights management, or by the mail server that keeps it.
    case encrypted
    /// Exchange's TNEF; whether attachments are in it.
    case tnef(hasAttachments: Bool)
    /// A compound file ([MS-CFB] §2.2), which is what Outlook saves messages as.
    case outlookMessage
    /// 7z.
    case sevenZip
    /// RAR, of either generation.
    case rar
    /// An archive of another kind, by its name.
    case otherArchive(String)
    /// A gzip stream whose first byte, or first two, are missing.
    case gzipWithoutStart
    /// A mail that Dovecot compressed with LZ4 in a format of its own.
    case dovecotLZ4
    /// JSON.
    case json
    /// Any other text.
    case text
    /// A picture, a PDF, sound: what is never a report, whatever it is called.
    case harmless
    /// None of these.
    case unknown

    /// What `bytes` are.
    init(_ bytes: UnsafeRawBufferPointer) {
        let container = sniff(bytes)
        if container != .none {
            self = .container(container)
            return
        }
        func starts(_ mark: [UInt8], at offset: Int = 0) -> Bool { bytes.count >= offset && bytes[offset...].starts(with: mark) }
        func starts(_ mark: String, at offset: Int = 0) -> Bool { starts(Array(mark.utf8), at: offset) }
        if starts([0x78, 0x9f, 0x3e, 0x22]) {
            // attAttachData ([MS-OXTNEF] §2.1.3.2) at the level of an attachment.
            self = .tnef(hasAttachments: Self.holds([0x02, 0x0f, 0x80, 0x06, 0x00], bytes))
        } else if starts([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
            self = .outlookMessage
        } else if starts([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) {
            self = .sevenZip
        } else if starts([0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]) {
            self = .rar
        } else if let name = Self.archives.first(where: { starts($0.mark, at: $0.offset) })?.name {
            self = .otherArchive(name)
        } else if starts("Dovecot-LZ4") {
            self = .dovecotLZ4
        } else if starts("CRYPTED\u{3}\u{7}") || starts("-----BEGIN PGP MESSAGE-----")
            || starts([0x76, 0xe8, 0x04, 0x60, 0xc4, 0x11, 0xe3, 0x86])
        {
            self = .encrypted
        } else if Self.harmlessMarks.contains(where: { starts($0) }) || (starts("RIFF") && (starts("WEBP", at: 8) || starts("WAVE", at: 8)))
        {
            self = .harmless
        } else if let secure = secureMail(bytes) {
            self = .secure(secure)
        } else if starts("-----BEGIN PKCS7-----") || starts("-----BEGIN CMS-----") {
            // The textual form of RFC 7468.
            let lines = bytes.split(separator: 0x0a).filter { $0.first != UInt8(ascii: "-") }
            let inner = Array(lines.joined(separator: [0x0a])).withUnsafeBytes { base64Content($0) }
            self = .secure(inner.flatMap { $0.withUnsafeBytes { secureMail($0) } } ?? .damaged)
        } else if Self.isGzipWithoutStart(bytes) {
            self = .gzipWithoutStart
        } else if let inner = Self.base64(bytes) {
            self = .base64(inner)
        } else if isMail(withoutLeadingBlanks(bytes)) {
            self = .mail
        } else if let files = Self.uuencoded(bytes) {
            self = .uuencoded(files)
        } else {
            self = Self.isText(bytes) ? (Self.firstWord(bytes) == UInt8(ascii: "{") ? .json : .text) : .unknown
        }
    }

    private static let archives: [(mark: [UInt8], offset: Int, name: String)] = [
        (Array("ustar".utf8), 257, "tar"), (Array("MSCF".utf8), 0, "CAB"), ([0x60, 0xea], 0, "ARJ"), (Array("-lh".utf8), 2, "LHA"),
        (Array("**ACE**".utf8), 7, "ACE"), ([0x1f, 0x9d], 0, "compress (.Z)"), ([0x1f, 0xa0], 0, "compress (.Z)"),
        ([0x02, 0x21, 0x4c, 0x18], 0, "LZ4 of its first generation"), (Array("LZIP".utf8), 0, "lzip"),
        (Array("(This file must be converted with BinHex".utf8), 0, "BinHex"), ([0, 5, 0x16, 0], 0, "AppleSingle"),
        ([0x5d, 0x00, 0x00], 0, "lzma"), ([0x89, 0x4c, 0x5a, 0x4f], 0, "lzop"), (Array("zPQ".utf8), 0, "zpaq"),
        (Array("xar!".utf8), 0, "xar"), ([0xce, 0xb2, 0xcf, 0x81], 0, "brotli"),
    ]

    private static let harmlessMarks: [[UInt8]] = [
        [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], [0xff, 0xd8, 0xff], Array("GIF87a".utf8), Array("GIF89a".utf8),
        Array("%PDF-".utf8),
        [0x49, 0x49, 0x2a, 0x00], [0x4d, 0x4d, 0x00, 0x2a], [0x00, 0x00, 0x01, 0x00], Array("ID3".utf8), Array("OggS".utf8),
        Array("wOFF".utf8), Array("wOF2".utf8), Array("-----BEGIN PGP SIGNATURE-----".utf8),
        Array("-----BEGIN PGP PUBLIC KEY BLOCK-----".utf8),
        Array("BEGIN:VC".utf8),
    ]

    private static func holds(_ wanted: [UInt8], _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= wanted.count else { return false }
        return (0...(bytes.count - wanted.count)).contains { start in
            bytes[start] == wanted[0] && bytes[start...].starts(with: wanted)
        }
    }

    /// `8b 08` and four bits of flags that mean something, a time, and the two values that a level and a system may have (RFC 1952 §2.3); with
    /// or without the `8b`, and `ef bf bd` where something took the bytes for text.
    private static func isGzipWithoutStart(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        if bytes.count > 3, bytes[0] == 0x8b { start = 1 }
        if bytes.count > 6, bytes[0] == 0x1f, bytes[1] == 0xef, bytes[2] == 0xbf, bytes[3] == 0xbd { start = 4 }
        guard bytes.count >= start + 8, bytes[start] == 8, bytes[start + 1] & 0xe0 == 0 else { return false }
        // As text the rest cannot be relied on.
        if start == 4 { return true }
        return [0, 2, 4].contains(bytes[start + 6]) && (bytes[start + 7] <= 13 || bytes[start + 7] == 255)
    }

    /// The content of a text that is base64 of a container, a document or a mail.
    private static func base64(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        // The head tells in most cases; only then is all of it looked at.
        guard bytes.count >= 40, bytes.prefix(512).allSatisfy({ isBase64Digit($0) || $0 == 0x0d || $0 == 0x0a }) else { return nil }
        let digits = bytes.prefix(1024).filter { $0 > 0x20 }
        guard let head = digits.prefix(digits.count / 4 * 4).withUnsafeBytes({ base64Content($0) }), isWorthOpening(head),
            let inner = base64Content(bytes), isWorthOpening(inner)
        else { return nil }
        return inner
    }

    /// What lies in a text between lines `begin MODE NAME` and `end` (POSIX, uuencode), if any of it is worth opening.
    private static func uuencoded(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]]? {
        let mark = Array("begin ".utf8)
        var files: [[UInt8]] = []
        var file: [UInt8]?
        var position = 0
        while position < bytes.count {
            let end = bytes[position...].firstIndex(of: 0x0a) ?? bytes.count
            var line = bytes[position..<end]
            if line.last == 0x0d { line = line.dropLast() }
            position = end + 1
            if var content = file {
                // A line says how many bytes it holds; one that holds none ends the file.
                let count = line.first.map { Int($0 &- 0x20) & 0x3f } ?? 0
                if count > 0, !line.starts(with: "end".utf8) {
                    append(line.dropFirst(), count, to: &content)
                    file = content
                    continue
                }
                files.append(content)
                file = nil
            } else if line.starts(with: mark) {
                let words = line.dropFirst(mark.count).split(separator: 0x20, maxSplits: 1)
                if words.count == 2, (3...4).contains(words[0].count), words[0].allSatisfy({ (0x30...0x37).contains($0) }) { file = [] }
            } else if files.isEmpty, position > 64 << 10 {
                return nil
            }
        }
        if let file { files.append(file) }
        let worthy = files.filter { isWorthOpening($0) }
        return worthy.isEmpty ? nil : worthy
    }

    /// Appends the `count` bytes of a line: four characters of six bits are three bytes. Blanks at the end may have been lost.
    private static func append(_ line: Slice<UnsafeRawBufferPointer>, _ count: Int, to content: inout [UInt8]) {
        var bits = 0
        var held = 0
        var left = count
        var position = line.startIndex
        while left > 0 {
            let byte = position < line.endIndex ? line[position] : 0x20
            position += 1
            bits = bits << 6 | Int(byte &- 0x20) & 0x3f
            held += 6
            guard held >= 8 else { continue }
            held -= 8
            content.append(UInt8(truncatingIfNeeded: bits >> held))
            bits &= (1 << held) - 1
            left -= 1
        }
    }

    private static func isWorthOpening(_ inner: [UInt8]) -> Bool {
        inner.withUnsafeBytes { content in
            if sniff(content) != .none || isMail(withoutLeadingBlanks(content)) { return true }
            // A container that is none that is opened says so itself.
            switch AttachmentForm(outer: content) {
            case .sevenZip, .rar, .tnef, .gzipWithoutStart: return true
            default: return false
            }
        }
    }

    /// Without looking for base64 once more.
    private init(outer bytes: UnsafeRawBufferPointer) {
        if bytes.starts(with: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) {
            self = .sevenZip
        } else if bytes.starts(with: [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]) {
            self = .rar
        } else if bytes.starts(with: [0x78, 0x9f, 0x3e, 0x22]) {
            self = .tnef(hasAttachments: true)
        } else {
            self = Self.isGzipWithoutStart(bytes) ? .gzipWithoutStart : .unknown
        }
    }

    private static func isBase64Digit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2f, 0x3d: true
        default: false
        }
    }

    private static func firstWord(_ bytes: UnsafeRawBufferPointer) -> UInt8? {
        bytes.dropFirst(bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0).first { $0 > 0x20 }
    }

    /// Text in any encoding of one byte or UTF-8: no control characters but those of text.
    private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let head = bytes.prefix(4096)
        let odd = head.count { $0 < 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 && $0 != 0x0c || $0 == 0x7f }
        let high = head.count { $0 >= 0x80 }
        return odd == 0 && high * 2 <= head.count
    }
}
