import DMARC

/// The distinct sources of a day, as the database keeps them: sorted addresses one behind the other, IPv4 and IPv6 apart.
enum DailySources {
    /// `stored` and `new` together: sorted, each address once. Nil if `stored` has them all.
    ///
    /// - Parameters:
    ///   - stored: whole addresses of `width` bytes, sorted, each once.
    ///   - new: the same, of one kind.
    static func merged(_ stored: UnsafeRawBufferPointer, _ new: [IPAddress], width: Int) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(stored.count + new.count * width)
        var offset = 0
        var isChanged = false
        for address in new {
            address.withBytes { bytes in
                var order: Int32 = 1
                while offset < stored.count {
                    order = compare(stored, offset, bytes, width)
                    if order >= 0 { break }
                    result.append(contentsOf: stored[offset..<offset + width])
                    offset += width
                }
                if offset < stored.count, order == 0 { return }
                result.append(contentsOf: bytes)
                isChanged = true
            }
        }
        guard isChanged else { return nil }
        result.append(contentsOf: stored[offset...])
        return result
    }

    /// Negative, 0 or positive, as the stored address is before, equal to or behind the other.
    private static func compare(_ stored: UnsafeRawBufferPointer, _ offset: Int, _ other: UnsafeRawBufferPointer, _ width: Int) -> Int32 {
        for index in 0..<width {
            let difference = Int32(stored[offset + index]) - Int32(other[index])
            if difference != 0 { return difference }
        }
        return 0
    }
}
