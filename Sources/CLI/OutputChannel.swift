import Glibc
import Rendering
import Synchronization

/// Why bytes could not be written.
public enum OutputError: Error, Equatable, Sendable {
    /// The reader is gone (EPIPE): it has read enough.
    case closed
    /// The system's error number.
    case failed(Int32)
}

/// A stream of bytes out of the process.
public protocol OutputChannel: AnyObject, Sendable {
    /// Writes all of `bytes`.
    func write(_ bytes: [UInt8]) throws(OutputError)
}

/// A file descriptor that somebody else opened and closes. SIGPIPE must be ignored by the process.
public final class DescriptorChannel: OutputChannel {
    private let descriptor: Int32

    /// Takes an open descriptor.
    public init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Writes all of `bytes`, in as many calls as it takes.
    public func write(_ bytes: [UInt8]) throws(OutputError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written) }
            if count >= 0 {
                written += count
            } else if errno == EPIPE {
                throw .closed
            } else if errno != EINTR {
                throw .failed(errno)
            }
        }
    }
}

/// Memory, for tests.
public final class MemoryChannel: OutputChannel {
    private let bytes = Mutex<[UInt8]>([])

    /// An empty one.
    public init() {}

    /// Appends.
    public func write(_ bytes: [UInt8]) throws(OutputError) { self.bytes.withLock { $0 += bytes } }

    /// What was written, as text.
    public var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}

/// A channel as the renderers see it.
struct ChannelSink: ByteSink {
    let channel: any OutputChannel

    mutating func write(_ bytes: [UInt8]) throws(OutputError) { try channel.write(bytes) }
}
