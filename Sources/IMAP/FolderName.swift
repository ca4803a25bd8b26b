/// Names of folders on the wire.
enum FolderName {
    /// Modified UTF-7 (RFC 3501 section 5.1.3).
    static func encode(_ name: String) -> [UInt8] {
        var result: [UInt8] = []
        var pending: [UInt16] = []
        func flush() {
            guard !pending.isEmpty else { return }
            result.append(UInt8(ascii: "&"))
            result += base64(pending.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }).filter { $0 != UInt8(ascii: "=") }
                .map { $0 == UInt8(ascii: "/") ? UInt8(ascii: ",") : $0 }
            result.append(UInt8(ascii: "-"))
            pending.removeAll()
        }
        for unit in name.utf16 {
            guard unit >= 0x20, unit < 0x7f else {
                pending.append(unit)
                continue
            }
            flush()
            result.append(UInt8(unit))
            if unit == UInt16(UInt8(ascii: "&")) { result.append(UInt8(ascii: "-")) }
        }
        flush()
        return result
    }

    /// The name in Unicode; nil if it is no modified UTF-7.
    static func decode(_ bytes: [UInt8]) -> String? {
        var units: [UInt16] = []
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "&") else {
                guard byte >= 0x20, byte < 0x7f else { return nil }
                units.append(UInt16(byte))
                continue
            }
            guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "-")) else { return nil }
            if end == position {
                units.append(UInt16(UInt8(ascii: "&")))
            } else {
                guard let coded = decodeUnits(bytes[position..<end]) else { return nil }
                units += coded
            }
            position = end + 1
        }
        return String(validating: units, as: UTF16.self)
    }

    private static func decodeUnits(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
        var units: [UInt16] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            let value: UInt32
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(byte) - 65
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(byte) - 71
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(byte) + 4
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: ","): value = 63
            default: return nil
            }
            bits = bits << 6 | value
            count += 6
            if count >= 16 {
                count -= 16
                units.append(UInt16(bits >> UInt32(count) & 0xffff))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        return count < 6 && bits == 0 ? units : nil
    }

    /// Whether two names are the same folder: INBOX is INBOX in any case (RFC 9051 section 5.1).
    ///
    /// So are the folders in it: a server that writes `Inbox.done` means what the user writes `INBOX.done`.
    static func isSame(_ left: String, _ right: String) -> Bool {
        guard left != right else { return true }
        guard isInInbox(left), isInInbox(right) else { return false }
        return left.dropFirst(5) == right.dropFirst(5)
    }

    /// Whether it is the INBOX, or begins with its name and something that may be a separator.
    private static func isInInbox(_ name: String) -> Bool {
        guard name.prefix(5).uppercased() == "INBOX" else { return false }
        guard let next = name.dropFirst(5).unicodeScalars.first else { return true }
        return next.isASCII && !next.properties.isAlphabetic && !("0"..."9").contains(next) && next != " "
    }

    /// The names that the folder people write as `name` may have on a server, the likeliest first.
    ///
    /// - Parameters:
    ///   - separator: the server's hierarchy separator, if it has one: it takes the place of `/`.
    ///   - prefix: of the personal namespace, such as `INBOX.`; it is put before the name if it is not there.
    static func candidates(_ name: String, separator: Character?, prefix: String) -> [String] {
        if name.uppercased() == "INBOX" { return ["INBOX"] }
        var pieces = name.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        if let first = pieces.first, pieces.count > 1, first.uppercased() == "INBOX" { pieces[0] = "INBOX" }
        var mapped = separator.map { pieces.joined(separator: String($0)) } ?? name
        // In whatever case it is written, the INBOX that a name begins with is the INBOX.
        if let separator, mapped.count > 6, mapped.prefix(6).uppercased() == "INBOX" + String(separator) {
            mapped = "INBOX" + mapped.dropFirst(5)
        }
        var prefix = prefix
        if let separator, !prefix.isEmpty, prefix.last != separator { prefix.append(separator) }
        var names = [mapped]
        if !prefix.isEmpty {
            if mapped.count > prefix.count, isSame(String(mapped.prefix(prefix.count)), prefix) {
                // As the server writes its prefix.
                names.insert(prefix + mapped.dropFirst(prefix.count), at: 0)
            } else if !mapped.hasPrefix(prefix) {
                names.insert(prefix + mapped, at: 0)
            }
        }
        // `INBOX.done` where the separator is another one.
        if let separator, separator != ".", name.count > 6, name.prefix(6).uppercased() == "INBOX." {
            names.append("INBOX" + String(separator) + name.dropFirst(6).map { $0 == "." ? String(separator) : String($0) }.joined())
        }
        names.append(name)
        var seen = Set<String>()
        return names.filter { seen.insert($0).inserted }
    }
}

/// RFC 4648 section 4, with padding.
func base64(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result: [UInt8] = []
    result.reserveCapacity((bytes.count + 2) / 3 * 4)
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
        bits = bits << 8 | UInt32(byte)
        count += 8
        while count >= 6 {
            count -= 6
            result.append(alphabet[Int(bits >> UInt32(count) & 63)])
        }
        bits &= 63
    }
    if count > 0 { result.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
    while result.count % 4 != 0 { result.append(UInt8(ascii: "=")) }
    return result
}
