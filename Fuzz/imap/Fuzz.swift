@testable import IMAP

/// What a server says → responses: whole and in small pieces they must be the same, and limits hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 1, let start else { return 0 }
    let bytes = UnsafeBufferPointer(start: start + 1, count: count - 1)
    let whole = responses(bytes, step: 1 << 16)
    let pieces = responses(bytes, step: Int(start[0]) % 17 + 1)
    require(whole == pieces, "in pieces they are other responses")
    for text in whole { sink &+= text.utf8.count }
    return 0
}

private func responses(_ bytes: UnsafeBufferPointer<UInt8>, step: Int) -> [String] {
    var reader = ResponseReader(limits)
    var found: [String] = []
    var offset = 0
    while true {
        switch reader.next() {
        case .value(let raw):
            do throws(Malformed) {
                found.append("\(try ResponseParser.parse(raw))")
            } catch {
                found.append("malformed: \(error.reason)")
            }
        case .malformed(let malformed):
            return found + ["malformed: \(malformed.reason)"]
        case .needMore:
            guard offset < bytes.count else { return found }
            do throws(IMAPError) {
                _ = try reader.fill { (room: UnsafeMutableRawBufferPointer) throws(IMAPError) -> Int in
                    let piece = min(step, bytes.count - offset, room.count)
                    room.copyBytes(from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[offset..<(offset + piece)]))
                    offset += piece
                    return piece
                }
            } catch {
                return found
            }
        }
    }
}

private let limits: IMAPLimits = {
    var limits = IMAPLimits()
    limits.maxLineBytes = 4096
    limits.maxMessageBytes = 64 << 10
    return limits
}()

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink = 0
