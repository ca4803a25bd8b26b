/// `bytes` without a byte order mark of UTF-8 and blank lines at their beginning, which programs add that pass files on.
public func withoutLeadingBlanks(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[leadingBlanks(bytes)...])
}

/// How many bytes `withoutLeadingBlanks` leaves out: at most 4 KiB.
func leadingBlanks(_ bytes: UnsafeRawBufferPointer) -> Int {
    var start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    var position = start
    while position < min(bytes.count, 4096) {
        switch bytes[position] {
        case 0x0a: start = position + 1
        case 0x0d, 0x20, 0x09: break
        default: return start
        }
        position += 1
    }
    return position == bytes.count ? position : start
}

/// Whether `bytes` are a mail for certain, wherever they stand: they begin with at least two fields, one of them a field that every mail has
/// or that describes its content.
public func isMail(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let known: Set<String> = [
        "from", "date", "received", "return-path", "message-id", "mime-version", "delivered-to", "content-type", "subject", "to",
    ]
    var fields = 0
    var isKnown = false
    var position = bytes.starts(with: "From ".utf8) ? (bytes.firstIndex(of: 0x0a) ?? bytes.count) + 1 : 0
    while position < min(bytes.count, 64 << 10), fields < 32 {
        let first = bytes[position]
        let end = bytes[position...].firstIndex(of: 0x0a) ?? bytes.count
        if first == 0x0a || first == 0x0d { break }
        if first != 0x20, first != 0x09 {
            let name = bytes[position..<end].prefix(80).prefix { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
            guard !name.isEmpty, name.endIndex < bytes.count, bytes[name.endIndex] == UInt8(ascii: ":") else { return false }
            fields += 1
            isKnown = isKnown || known.contains(String(decoding: name, as: UTF8.self).lowercased())
        } else if fields == 0 {
            return false
        }
        position = end + 1
    }
    return fields >= 2 && isKnown
}

/// The mails in `bytes`: each behind its line `From ` if they begin like an mbox, else all of them as one.
///
/// In the body of a mail such a line may stand as well; only one that a header follows divides.
public func mails(in bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    let mark = Array("From ".utf8)
    guard bytes.starts(with: mark) else { return [bytes] }
    var position = 0
    var mail: Int?
    var pieces: [UnsafeRawBufferPointer] = []
    while position < bytes.count {
        let end = bytes[position...].firstIndex(of: 0x0a) ?? bytes.count - 1
        if bytes[position...].starts(with: mark) {
            let next = end + 1
            if let start = mail {
                if isMail(UnsafeRawBufferPointer(rebasing: bytes[next...])) {
                    pieces.append(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
                    mail = next
                }
            } else {
                mail = next
            }
        }
        position = end + 1
    }
    return pieces + [UnsafeRawBufferPointer(rebasing: bytes[(mail ?? 0)...])]
}

/// Whether `bytes` begin like a mail: with a header field of RFC 5322 section 2.2, or with an mbox's line `From `.
///
/// A report in XML, gzip or zip never does.
public func looksLikeMail(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.starts(with: "From ".utf8) || bytes.starts(with: ">From ".utf8) { return true }
    // A name of printable characters, then a colon. Names are short; the longest in use have about 40 characters.
    for (position, byte) in bytes.prefix(128).enumerated() {
        if byte == UInt8(ascii: ":") { return position > 0 }
        guard byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "<"), byte != UInt8(ascii: "{") else { return false }
    }
    return false
}
