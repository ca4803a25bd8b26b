import Unpacking

/// Bytes → documents: never more of them than the limits allow, and the same when a document is asked for once more.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let unpacker = Unpacker(limits: limits)
    unpacker.beginMessage()
    var counter = Counter()
    do throws(UnpackError) {
        try unpacker.unpack(UnsafeRawBufferPointer(start: start, count: count), name: "fuzz", into: &counter)
    } catch {
        require(!error.code.rawValue.isEmpty)
    }
    // A piece of at most 256 KiB may arrive before the limit is seen, each time that a document is delivered.
    require(
        counter.bytes <= 3 * (limits.maxUnpackedBytes + 256 << 10), "\(counter.bytes) bytes for a limit of \(limits.maxUnpackedBytes)")
    require(counter.documents <= 3 * (limits.maxMembers + 1))
    require(!counter.isInside, "a document without an end")
    require(counter.fileBytes <= limits.maxInnerArchiveBytes, "\(counter.fileBytes) bytes of files")
    return 0
}

private let limits: UnpackLimits = {
    var limits = UnpackLimits()
    limits.maxUnpackedBytes = 4 << 20
    limits.ratioCheckedAboveBytes = 1 << 20
    return limits
}()

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink: UInt64 = 0

private struct Counter: DocumentReceiver {
    var bytes = 0
    var documents = 0
    var isInside = false
    private var isRepeated = false
    var fileBytes = 0

    /// Every other thing that is no document.
    func wantsFile(beginning head: UnsafeRawBufferPointer, member: String) -> Bool {
        require(!isInside, "a file in a document")
        return (head.first ?? 0) & 1 == 0
    }

    mutating func receiveFile(_ content: [UInt8], _ facts: DocumentFacts) { fileBytes += content.count }

    mutating func documentBegins(_ facts: DocumentFacts) {
        require(!isInside, "a document in a document")
        isInside = true
        documents += 1
    }

    mutating func receive(_ chunk: UnsafeRawBufferPointer) -> Bool {
        bytes += chunk.count
        // Every byte is looked at, so that one that is not there is noticed.
        for byte in chunk { sink &+= UInt64(byte) }
        return true
    }

    mutating func documentEnds(_ facts: DocumentFacts, error: UnpackError?) -> NextStep {
        isInside = false
        defer { isRepeated.toggle() }
        return isRepeated ? .next : .again
    }
}
