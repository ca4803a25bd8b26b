@testable import CLI

/// The configuration: a sentence or a configuration, never a crash.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    do throws(ConfigurationError) {
        let configuration = try ConfigurationReader.parse(text, place: "fuzz")
        sink &+= configuration.mailboxes.count
    } catch {
        require(!error.found.isEmpty)
        sink &+= (Diagnostics.sentence(for: error) ?? "").utf8.count
    }
    return 0
}

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink = 0
