import Synchronization

/// A stream that is read a round at a time, so that nothing need be locked while somebody writes to it: `read`, then what `round` hands out.
///
/// A pipe may be silent for hours, or never end.
public final class StreamRounds {
    private let stream: any Mailbox
    private var messages: [Message] = []
    /// Whether all of it has been read.
    public private(set) var isComplete = false

    /// Opens standard input (`-`) or the pipe at `path`; parameters as for `openMailbox`.
    public init(path: String, standardInput: Int32, limits: MailLimits, shouldStop: @escaping @Sendable () -> Bool) throws(MailError) {
        // Which of them are known is asked when they are handed out.
        stream = try openMailbox(path: path, standardInput: standardInput, limits: limits, shouldStop: shouldStop, isKnown: { _ in false })
    }

    /// Waits for the next messages: at most a thousand, 16 MiB and one message, or what came within five seconds of the first.
    public func read() throws(MailError) {
        messages = try stream.next(MailLimits.maxRoundMessages)
        // A stream knows how many there are once it has come to its end.
        isComplete = messages.isEmpty || stream.expectedCount != nil
    }

    /// Whether the round that was read holds a message.
    public var hasMessages: Bool { !messages.isEmpty }

    /// The messages that were read last, as a mailbox; what else was found in the stream comes with the last of them.
    public func round(isKnown: @escaping @Sendable (String) -> Bool) -> any Mailbox {
        defer { messages = [] }
        return Round(identifier: stream.identifier, messages: messages, oddities: isComplete ? stream.oddities : [], isKnown: isKnown)
    }

    private final class Round: Mailbox {
        let identifier: String
        let oddities: [MailError]
        private let isKnown: @Sendable (String) -> Bool
        private let state: Mutex<(waiting: ArraySlice<Message>, known: Int)>

        init(identifier: String, messages: [Message], oddities: [MailError], isKnown: @escaping @Sendable (String) -> Bool) {
            self.identifier = identifier
            self.oddities = oddities
            self.isKnown = isKnown
            state = Mutex((messages[...], 0))
        }

        var expectedCount: Int? { nil }
        var knownCount: Int { state.withLock { $0.known } }

        func next(_ limit: Int) -> [Message] {
            state.withLock { state in
                var messages: [Message] = []
                while messages.count < limit, let message = state.waiting.popFirst() {
                    if isKnown(message.key) { state.known += 1 } else { messages.append(message) }
                }
                return messages
            }
        }

        /// It has been consumed; there is nothing left to mark, move or delete.
        func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] { [] }
    }
}
