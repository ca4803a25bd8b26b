import CGMime

/// The seconds since 1970 of a date of RFC 5322 section 3.3, or of IMAP (RFC 9051 section 9, `date-time`), read with the leniency of GMime; nil
/// if there is none in `text`.
package func secondsSince1970(_ text: String) -> Int? {
    // Longer than any date with its comment: the parser looks at every word.
    guard !text.isEmpty, text.utf8.count <= 256 else { return nil }
    var seconds = 0
    guard cgmime_seconds(text, &seconds) != 0 else { return nil }
    return seconds
}

/// The time in a field Received: what stands behind its last semicolon (RFC 5322 section 3.6.7), in seconds since 1970; nil if none does.
///
/// What the sender of a mail has a say in (his name, the envelope's addresses) stands before it. Behind it only a comment that names the
/// time zone follows, which may hold a semicolon of its own: then nothing readable follows the last one, and that before it counts.
func receivedAt(_ field: UnsafeRawBufferPointer) -> Int? {
    var end = field.count
    for _ in 0..<2 {
        guard let semicolon = field[..<end].lastIndex(of: UInt8(ascii: ";")) else { break }
        let text = UnsafeRawBufferPointer(rebasing: field[(semicolon + 1)..<end])
        if let seconds = secondsSince1970(decodedHeader(text)) { return seconds }
        end = semicolon
    }
    return nil
}
