/// The raw results, or the reasons, of a record as bytes: a series of fields, each with its tag, its length in two bytes, and its bytes.
/// Equal keys are equal results.
struct ResultKey {
    let bytes: UnsafeMutablePointer<UInt8>
    let limit: Int
    var count = 0

    init(bytes: UnsafeMutablePointer<UInt8>, limit: Int) {
        self.bytes = bytes
        self.limit = limit
    }

    /// False: there was no room any more, the field is left out.
    @inline(__always)
    mutating func append(_ tag: UInt8, _ value: UnsafeRawBufferPointer) -> Bool {
        guard count <= limit else { return false }
        let length = value.count
        bytes[count] = tag
        bytes[count &+ 1] = UInt8(truncatingIfNeeded: length)
        bytes[count &+ 2] = UInt8(truncatingIfNeeded: length >> 8)
        if let base = value.baseAddress {
            UnsafeMutableRawPointer(bytes + (count &+ 3)).copyMemory(from: base, byteCount: length)
        }
        count &+= 3 &+ length
        return true
    }

    /// Calls `body` with each field.
    func forEach(_ body: (UInt8, UnsafeRawBufferPointer) -> Void) {
        var position = 0
        while position < count {
            let length = Int(bytes[position + 1]) | Int(bytes[position + 2]) << 8
            body(bytes[position], UnsafeRawBufferPointer(start: bytes + position + 3, count: length))
            position += 3 + length
        }
    }

    var all: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }
}
