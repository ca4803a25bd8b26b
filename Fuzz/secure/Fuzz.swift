import Mail

/// CMS → the content that is signed; base64 → bytes; what begins like a mail; the mails of an mbox.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if case .signed(let content) = secureMail(bytes) {
        require(content.count < count, "more was taken out than there was")
        for byte in content { sink &+= UInt64(byte) }
    }
    if let content = base64Content(bytes) { require(content.count <= count / 4 * 3 + 3) }
    let text = withoutLeadingBlanks(bytes)
    require(text.count <= count)
    sink &+= isMail(text) ? 1 : 0
    var pieces = 0
    for piece in mails(in: text) {
        pieces += piece.count
        for byte in piece { sink &+= UInt64(byte) }
    }
    require(pieces <= text.count, "more was cut out than there was")
    return 0
}

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink: UInt64 = 0
