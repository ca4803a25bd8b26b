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
