import Glibc

/// Cuts a stream of mails at its lines that begin with `From `, holding one mail and a piece of the next in memory.
///
/// Such a line in the body of a mail cuts it as well: there is no telling the difference, and what is cut off is judged
/// like any other mail.
struct MboxSplitter {
    struct Piece {
        /// Where its `From ` line begins, and its length with that line, in bytes.
        var offset: Int
        var length: Int
        /// The length of its `From ` line.
        var mark: Int
        /// The mail without its `From ` line; nil if it is too large.
        var bytes: [UInt8]?
    }

    private let descriptor: Int32
    private let limit: Int
    private let maxSkippedBytes: Int
    private let shouldStop: @Sendable () -> Bool
    /// Holds what is not handed out yet from `head` on.
    private var buffer: [UInt8]
    private var head = 0
    /// The offset in the stream of the byte at `head`, less what was dropped.
    private var offset = 0
    /// Between `head` and here no further `From ` line begins.
    private var searched = 0
    private var isAtEnd = false
    /// Bytes of a mail that is too large which have been dropped.
    private var dropped = 0
    /// The system's error that ended the stream, if any.
    private(set) var problem: Int32 = 0
    /// Whether nothing more is wanted: what has come of the last mail is no mail.
    private var isStopped = false

    /// - Parameters:
    ///   - descriptor: read from its present position.
    ///   - offset: where that is.
    ///   - start: bytes already read from it.
    ///   - limit: the size of a mail that is kept.
    ///   - maxSkippedBytes: how much of a mail that is too large is passed over.
    ///   - shouldStop: whether to give up waiting for more.
    init(
        _ descriptor: Int32, offset: Int = 0, start: [UInt8], limit: Int, maxSkippedBytes: Int,
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.offset = offset
        self.shouldStop = shouldStop
        self.descriptor = descriptor
        self.limit = limit
        self.maxSkippedBytes = maxSkippedBytes
        buffer = start
    }

    /// The next mail; nil at the end.
    mutating func next() -> Piece? {
        while true {
            if let end = endOfPiece() { return take(end) }
            if isStopped || problem != 0 { return nil }
            if isAtEnd { return buffer.count == head && dropped == 0 ? nil : take(buffer.count) }
            // The line `From ` is small beside what a mail may be.
            if buffer.count - head > limit + 4096 {
                // Its last bytes may be the beginning of a line `From `.
                let last = Array(buffer.suffix(6))
                dropped += buffer.count - head - last.count
                buffer = last
                head = 0
                searched = 0
                if dropped > maxSkippedBytes {
                    isAtEnd = true
                    continue
                }
            }
            fill()
        }
    }

    /// Where the next `From ` line begins, if it is in the buffer.
    private mutating func endOfPiece() -> Int? {
        let mark = Array("\nFrom ".utf8)
        let from = searched
        let found: Int? = buffer.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var position = from
            while position + mark.count <= bytes.count, let hit = memchr(base + position, 0x0a, bytes.count - position) {
                let start = base.distance(to: UnsafeRawPointer(hit))
                guard start + mark.count <= bytes.count else { return nil }
                if memcmp(base + start, mark, mark.count) == 0 { return start + 1 }
                position = start + 1
            }
            return nil
        }
        if found == nil { searched = max(head, buffer.count - mark.count + 1) }
        return found
    }

    private mutating func take(_ end: Int) -> Piece {
        let length = dropped + end - head
        var piece = Piece(offset: offset, length: length, mark: 0, bytes: nil)
        if dropped == 0 {
            let line = buffer[head..<end].firstIndex(of: 0x0a) ?? end - 1
            piece.mark = line + 1 - head
            if end - line - 1 <= limit { piece.bytes = Array(buffer[(line + 1)..<end]) }
        }
        head = end
        offset += length
        searched = end
        dropped = 0
        return piece
    }

    private mutating func fill() {
        guard waitForInput(descriptor, unless: shouldStop) else {
            isStopped = true
            return
        }
        let chunk = 256 << 10
        buffer.removeFirst(head)
        searched -= head
        head = 0
        let (got, failure) = appendBytes(from: descriptor, chunk, to: &buffer)
        if failure != 0 { problem = failure }
        if got == 0 { isAtEnd = true }
    }
}

/// Where the first line `From ` of an mbox begins: at 0, or behind a byte order mark and blank lines; nil if the file is no mbox. Its position
/// is left alone.
func mboxStart(_ descriptor: Int32) -> Int? {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { head in
        let count = pread(descriptor, head.baseAddress, head.count, 0)
        guard count >= 5 else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: head[..<count])
        let start = leadingBlanks(bytes)
        return bytes[start...].starts(with: "From ".utf8) ? start : nil
    }
}

/// Whether the file is an mbox. Its position is left alone.
func isMbox(_ descriptor: Int32) -> Bool { mboxStart(descriptor) != nil }
