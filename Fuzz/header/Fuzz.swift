@testable import Mail

/// The header block of a mail and the fields with parameters: every range that is found lies inside.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if let block = try? HeaderBlock(bytes, 0..<count, MailLimits(), isTop: true) {
        require(block.end <= count)
        let found = [
            block.contentType, block.encoding, block.disposition, block.subject, block.from, block.messageID, block.date,
        ]
        for range in found.compactMap(\.self) { require(range.lowerBound >= 0 && range.upperBound <= count) }
    }
    for isMediaType in [true, false] {
        if let value = ParameterisedField(bytes, 0..<count, isMediaType: isMediaType) {
            sink &+= value["name"]?.utf8.count ?? value["filename"]?.utf8.count ?? 0
        }
    }
    for encoding in [TransferEncoding.identity, .base64, .quotedPrintable] { sink &+= decoder.decode(bytes, encoding).count }
    return 0
}

private nonisolated(unsafe) let decoder = TransferDecoder()

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink = 0
