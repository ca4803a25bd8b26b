import CZlib

/// Owner of one zlib stream that is used again and again: setting one up costs more than unpacking a small report.
final class Inflater {
    enum Format: Int32 {
        /// RFC 1952; zlib then verifies CRC and length itself.
        case gzip = 31
        /// RFC 1950, with its Adler-32.
        case zlib = 15
    }

    enum Progress: Equatable {
        /// The output is full; there may be more.
        case more
        /// The stream has ended and its checksum holds.
        case ended
        case failed(Failure)
    }

    // zlib keeps the address of its stream and checks it, so the stream must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let isReady: Bool

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        isReady = inflateInit2_(stream, Format.gzip.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Input that has not been taken yet, in bytes.
    var unread: Int { Int(stream.pointee.avail_in) }

    /// Begins a stream at the first byte of `input`, which must stay where it is until the last call of `inflate`.
    func start(_ input: UnsafeRawBufferPointer, _ format: Format) {
        inflateReset2(stream, format.rawValue)
        // zlib never writes through next_in; its type merely lacks the const.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: input.count)
    }

    /// Unpacks until `output` is full or the stream ends. Returns how many bytes were written, and why it stopped.
    func inflate(into output: UnsafeMutableRawBufferPointer) -> (count: Int, progress: Progress) {
        guard isReady else { return (0, .failed(Failure(.archiveDamaged, "zlib could not be set up"))) }
        stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: output.count)
        // Z_FINISH saves copying the window when all of it fits, which is the usual case. Z_BUF_ERROR is no error then.
        let result = CZlib.inflate(stream, Z_FINISH)
        let count = output.count - Int(stream.pointee.avail_out)
        switch result {
        case Z_STREAM_END:
            return (count, .ended)
        case Z_OK, Z_BUF_ERROR:
            if stream.pointee.avail_out == 0 { return (count, .more) }
            return (count, .failed(Failure(.gzipTruncated, "the compressed data ends before its end mark")))
        case Z_MEM_ERROR:
            return (count, .failed(Failure(.archiveDamaged, "zlib had no memory")))
        default:
            return (count, .failed(dataFailure()))
        }
    }

    /// zlib has one code for all damage. Its messages for a checksum or length that does not hold have been the same
    /// since 1.1; any other is damage in the header or in the compressed data.
    private func dataFailure() -> Failure {
        guard let message = stream.pointee.msg else { return Failure(.archiveDamaged, "damaged compressed data") }
        let text = String(cString: message)
        if text == "incorrect data check" || text == "incorrect length check" {
            return Failure(.gzipChecksum, "the content does not match the checksum: \(text)")
        }
        return Failure(.archiveDamaged, "damaged compressed data: \(text)")
    }
}

/// Compresses all of `bytes` at once, level 6, as one gzip member without name or time.
func gzip(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    return withUnsafeMutablePointer(to: &stream) { stream in
        guard deflateInit2_(stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else { return [] }
        defer { deflateEnd(stream) }
        let bound = Int(deflateBound(stream, UInt(bytes.count)))
        return Array(unsafeUninitializedCapacity: bound) { output, count in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(clamping: bytes.count)
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(clamping: output.count)
            // deflateBound makes one call enough.
            let isDone = deflate(stream, Z_FINISH) == Z_STREAM_END
            count = isDone ? output.count - Int(stream.pointee.avail_out) : 0
        }
    }
}
