import CGMime

/// The transfer encodings of RFC 2045 section 6 that are undone without GMime's tree.
enum TransferEncoding {
    /// 7bit, 8bit and binary change nothing.
    case identity
    case base64
    case quotedPrintable

    /// The encoding of this name, which is in lower case. Nil for any other, such as the old uuencode.
    init?(_ name: String) {
        switch name {
        case "7bit", "8bit", "binary": self = .identity
        case "base64": self = .base64
        case "quoted-printable": self = .quotedPrintable
        default: return nil
        }
    }
}

/// Undoes transfer encodings into a buffer that is used again and again.
final class TransferDecoder {
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private static let keptBytes = 1 << 20

    deinit {
        buffer.deallocate()
    }

    /// The decoded bytes, valid until the next call.
    func decode(_ bytes: UnsafeRawBufferPointer, _ encoding: TransferEncoding) -> UnsafeRawBufferPointer {
        switch encoding {
        case .identity:
            return bytes
        case .base64:
            // Four digits make three bytes.
            reserve(bytes.count / 4 * 3 + 3)
            if let count = decodeBase64(bytes, into: buffer) { return UnsafeRawBufferPointer(rebasing: buffer[..<count]) }
            return decodeLeniently(bytes, GMIME_CONTENT_ENCODING_BASE64)
        case .quotedPrintable:
            return decodeLeniently(bytes, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
        }
    }

    /// By GMime, which passes over what does not belong there.
    private func decodeLeniently(_ bytes: UnsafeRawBufferPointer, _ encoding: GMimeContentEncoding) -> UnsafeRawBufferPointer {
        var state = GMimeEncoding()
        g_mime_encoding_init_decode(&state, encoding)
        reserve(g_mime_encoding_outlen(&state, bytes.count) + 16)
        let input = bytes.bindMemory(to: CChar.self).baseAddress
        let output = buffer.bindMemory(to: CChar.self).baseAddress
        let count = g_mime_encoding_flush(&state, input, bytes.count, output)
        return UnsafeRawBufferPointer(rebasing: buffer[..<min(count, buffer.count)])
    }

    private func reserve(_ count: Int) {
        // What one large mail needed is given back with the next small one.
        let isWasteful = buffer.count > Self.keptBytes && count <= Self.keptBytes
        guard count > buffer.count || isWasteful else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: max(count, 64 << 10), alignment: 16)
    }
}

/// The bytes that a text stands for which is base64 from its beginning to its end, line ends apart; nil if it is not.
public func base64Content(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    var isWhole = false
    let content = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { output, count in
        let found = decodeBase64(text, into: UnsafeMutableRawBufferPointer(output))
        isWhole = found != nil
        count = found ?? 0
    }
    return isWhole && !content.isEmpty ? content : nil
}

/// Value of each base64 digit; 64 for white space, 65 for `=`, 255 for what does not belong there.
private let base64Values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, digit) in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated() {
        values[Int(digit)] = UInt8(value)
    }
    for blank in [0x0d, 0x0a] { values[blank] = 64 }
    values[0x3d] = 65
    return values
}()

/// Decodes base64 that is well-formed: digits and line ends, padded at the end or not at all.
///
/// - Parameter output: three bytes for each four of the input, and three more.
/// - Returns: the number of bytes, or nil if anything else is in it.
func decodeBase64(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
    base64Values.withUnsafeBufferPointer { values in
        var position = 0
        var written = 0
        var digits: UInt32 = 0
        var count = 0
        let end = bytes.count
        while position < end {
            if count == 0 {
                // Four digits at a time as long as there are.
                while position + 4 <= end {
                    let a = values[Int(bytes[position])]
                    let b = values[Int(bytes[position + 1])]
                    let c = values[Int(bytes[position + 2])]
                    let d = values[Int(bytes[position + 3])]
                    if (a | b | c | d) >= 64 { break }
                    let word = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
                    output[written] = UInt8(truncatingIfNeeded: word >> 16)
                    output[written + 1] = UInt8(truncatingIfNeeded: word >> 8)
                    output[written + 2] = UInt8(truncatingIfNeeded: word)
                    written += 3
                    position += 4
                }
                if position == end { break }
            }
            let value = values[Int(bytes[position])]
            position += 1
            if value < 64 {
                digits = digits << 6 | UInt32(value)
                count += 1
                if count == 4 {
                    output[written] = UInt8(truncatingIfNeeded: digits >> 16)
                    output[written + 1] = UInt8(truncatingIfNeeded: digits >> 8)
                    output[written + 2] = UInt8(truncatingIfNeeded: digits)
                    written += 3
                    count = 0
                    digits = 0
                }
            } else if value == 65 {
                guard count >= 2 else { return nil }
                var padding = 1
                while position < end {
                    let value = values[Int(bytes[position])]
                    if value == 65 { padding += 1 } else if value != 64 { return nil }
                    position += 1
                }
                guard count + padding == 4 else { return nil }
                if count == 2 {
                    output[written] = UInt8(truncatingIfNeeded: digits >> 4)
                } else {
                    output[written] = UInt8(truncatingIfNeeded: digits >> 10)
                    output[written + 1] = UInt8(truncatingIfNeeded: digits >> 2)
                }
                return written + count - 1
            } else if value != 64 {
                return nil
            }
        }
        // The padding is missing: some senders leave it out, and without the last bytes no archive would be whole.
        guard count != 1 else { return nil }
        if count >= 2 { output[written] = UInt8(truncatingIfNeeded: digits >> (count == 2 ? 4 : 10)) }
        if count == 3 { output[written + 1] = UInt8(truncatingIfNeeded: digits >> 2) }
        return written + max(0, count - 1)
    }
}
