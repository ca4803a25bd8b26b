import Glibc
import Mail
import Store
import Unpacking

/// Reads the messages again of which something was not stored. Those that had ended the process which read them are looked at in a process
/// of their own first.
public struct RetryKept: Sendable {
    /// Bytes of messages, compressed, that are held at a time.
    private static let batchBytes = 4 << 20
    /// Bytes that a message may have, whatever the limits say today: it was within them when it was kept.
    private static let maxMessageBytes = 1 << 30

    private let store: ReportStore
    private let options: IngestOptions
    private let shouldStop: @Sendable () -> Bool

    /// - Parameters:
    ///   - options: the limits and the present; `containment` is what looks at the messages.
    ///   - shouldStop: when true, what was begun is committed and nothing more is read.
    public init(store: ReportStore, options: IngestOptions, shouldStop: @escaping @Sendable () -> Bool = { false }) {
        self.store = store
        var options = options
        options.isRetry = true
        options.after = .leave
        options.afterRefused = .leave
        options.afterOther = .leave
        self.options = options
        self.shouldStop = shouldStop
    }

    /// How many messages are kept.
    public func count() throws(StoreError) -> Int { try store.storing { try store.keptMessageCount() } }

    /// Reads them. What they came to is in the tally: those that still end the process are refused as before.
    public func run() throws(IngestError) -> Tally {
        var tally = Tally()
        var last: Int64 = 0
        while !shouldStop(), let batch = try next(after: last) {
            last = batch.last
            var options = options
            options.containment = options.containment?.looking(at: Set(batch.messages.filter(\.endedReader).map(\.key)))
            let ingest = Ingest(store: store, options: options, shouldStop: shouldStop)
            tally.add(try ingest.run { _ throws(MailError) in KeptMailbox(batch) })
        }
        return tally
    }

    private func next(after last: Int64) throws(IngestError) -> KeptMessages? {
        do throws(StoreError) {
            return try store.storing { try store.keptMessages(after: last, maxBytes: Self.batchBytes) }
        } catch {
            throw .store(error)
        }
    }

    /// The kept messages as a mailbox of the name they came from. Nothing is done there: that was decided when they were refused.
    private final class KeptMailbox: Mailbox {
        let identifier: String
        let expectedCount: Int?
        let knownCount = 0
        let oddities: [MailError] = []
        private let waiting: Guarded<ArraySlice<Message>>

        init(_ batch: KeptMessages) {
            identifier = batch.mailbox
            expectedCount = batch.messages.count
            waiting = Guarded(
                batch.messages.map { key, place, _, seenAt, kept in
                    // It was there when it was read last; what its mailbox said of it is not kept.
                    Message(key: key, place: place, form: kept.isMail ? .mail : .file, deliveredAt: kept.isMail ? seenAt : nil) {
                        buffer throws(MailError) in
                        guard let bytes = kept.bytes.withUnsafeBytes({ Unpacker.gzipInflated($0, maxBytes: maxMessageBytes) }) else {
                            throw MailError(code: .unreadableFile, place: place, found: "what was kept of it is damaged", errno: EIO)
                        }
                        buffer = bytes
                    }
                }[...])
        }

        func next(_ limit: Int) -> [Message] {
            waiting.withLock { waiting in
                let messages = Array(waiting.prefix(limit))
                waiting = waiting.dropFirst(limit)
                return messages
            }
        }

        func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] { [] }
    }
}
