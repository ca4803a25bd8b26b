@testable import Mail

/// Mail → parts, by the quick reader and by GMime; every byte of every part is looked at.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let message = UnsafeRawBufferPointer(start: start, count: count)
    let limits = MailLimits()
    for reader in [MailReader.Reader.best, .tree] {
        var parts = 0
        var sum: UInt64 = 0
        do throws(MailError) {
            _ = try MailReader(limits: limits).read(message, reader: reader) { attachment, content in
                parts += 1
                sum &+= UInt64(attachment.name.utf8.count)
                for byte in content { sum &+= UInt64(byte) }
            }
        } catch {
            require(parts == 0, "parts were handed over before an error")
        }
        require(parts <= limits.maxMimeParts + 1)
        sink &+= sum
    }
    sink &+= looksLikeMail(message) ? 1 : 0
    return 0
}

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink: UInt64 = 0
