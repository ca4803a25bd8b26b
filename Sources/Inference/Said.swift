/// What a voice said of an organisation's domains, as far as anybody asks: the column `networks` of `voice_organisations`.
package struct Said: Equatable {
    /// The first days on which reports on them arrived.
    package var days = VoiceDays()
    /// Whose mail it says is aligned.
    package var networks = NetworkSketch()

    package init() {}

    package init(_ bytes: UnsafeRawBufferPointer) {
        let numbers = Packed.numbers(bytes)
        let count = min(numbers.first.map { Int($0) } ?? 0, numbers.count - 1)
        guard count >= 0 else { return }
        let first = numbers.dropFirst().prefix(count).map { Int(Int32(bitPattern: $0)) }
        days = VoiceDays(first: first, last: first.last ?? Int.min)
        networks = NetworkSketch(hashes: Array(numbers.dropFirst(1 + count)))
    }

    /// The number of days, the days, the hashes: 4 bytes each.
    package var bytes: [UInt8] {
        let first = days.first.map { UInt32(bitPattern: Int32(clamping: $0)) }
        return Packed.bytes([UInt32(first.count)] + first + networks.hashes)
    }
}

/// Numbers in blobs, the most significant byte of each first.
package enum Packed {
    package static func numbers(_ bytes: UnsafeRawBufferPointer) -> [UInt32] {
        stride(from: 0, to: bytes.count - bytes.count % 4, by: 4).map {
            UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
        }
    }

    package static func bytes(_ numbers: [UInt32]) -> [UInt8] {
        numbers.flatMap {
            [
                UInt8(truncatingIfNeeded: $0 >> 24), UInt8(truncatingIfNeeded: $0 >> 16), UInt8(truncatingIfNeeded: $0 >> 8),
                UInt8(truncatingIfNeeded: $0),
            ]
        }
    }
}
