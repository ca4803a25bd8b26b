import Glibc
import Synchronization

/// Standard input or a pipe: one mail, one report file, or an mbox. What it holds is gone once it is read.
final class StreamMailbox: Mailbox {
    let identifier: String
    private let place: String
    private let descriptor: Int32
    /// Keeps a pipe open that was opened here; nil for standard input.
    private let owner: Descriptor?
    private let limits: MailLimits
    private let isKnown: @Sendable (String) -> Bool
    private let shouldStop: @Sendable () -> Bool
    private let state = Mutex(State())

    private struct State {
        var splitter: MboxSplitter?
        var number = 0
        var unknown = 0
        var known = 0
        var isComplete = false
        var isStopped = false
        var oddities: [MailError] = []
        /// How often each key has been met.
        var occurrences: [String: Int] = [:]
    }

    init(
        identifier: String, place: String, descriptor: Int32, owner: Descriptor?, limits: MailLimits,
        shouldStop: @escaping @Sendable () -> Bool = { false }, isKnown: @escaping @Sendable (String) -> Bool
    ) {
        self.shouldStop = shouldStop
        self.identifier = identifier
        self.place = place
        self.descriptor = descriptor
        self.owner = owner
        self.limits = limits
        self.isKnown = isKnown
    }

    var expectedCount: Int? { state.withLock { $0.isComplete ? $0.unknown : nil } }
    var knownCount: Int { state.withLock { $0.known } }
    var oddities: [MailError] { state.withLock { $0.oddities } }

    func next(_ limit: Int) -> [Message] {
        state.withLock { state in
            var messages: [Message] = []
            var held = 0
            let clock = ContinuousClock()
            // From the first message on: one who writes a mail now and then does not keep those before it from being stored.
            var patience: ContinuousClock.Instant?
            if state.splitter == nil, !state.isComplete, limit > 0 {
                let start = readStart(&state)
                let blanks = start.withUnsafeBytes { leadingBlanks($0) }
                if start[blanks...].starts(with: "From ".utf8) {
                    state.splitter = MboxSplitter(
                        descriptor, start: Array(start[blanks...]), limit: limits.maxMessageBytes,
                        maxSkippedBytes: MailLimits.maxSkippedBytes,
                        shouldStop: shouldStop)
                } else {
                    state.isComplete = true
                    if let message = whole(start, &state) { messages.append(message) }
                }
            }
            while messages.count < limit, held < MailLimits.maxBatchBytes, !state.isComplete, patience.map({ clock.now < $0 }) ?? true {
                guard let piece = state.splitter?.next() else {
                    state.isComplete = true
                    if let problem = state.splitter?.problem, problem != 0 {
                        state.oddities.append(.system(problem, place: place))
                    }
                    break
                }
                state.number += 1
                held += piece.bytes?.count ?? 0
                if let message = message(piece.bytes, piece.length, "\(place)#\(state.number)", .mail, &state) {
                    messages.append(message)
                    patience = patience ?? clock.now + .seconds(MailLimits.maxRoundSeconds)
                }
            }
            return messages
        }
    }

    /// Enough to tell an mbox.
    private func readStart(_ state: inout State) -> [UInt8] {
        var start: [UInt8] = []
        while start.count < 4096, start.withUnsafeBytes({ $0.count - leadingBlanks($0) }) < 5, append(64 << 10, to: &start, &state) {}
        return start
    }

    /// All of the stream as one message.
    private func whole(_ start: [UInt8], _ state: inout State) -> Message? {
        var bytes = start
        while bytes.count <= limits.maxMessageBytes, append(256 << 10, to: &bytes, &state) {}
        // Half a message is none.
        if !state.oddities.isEmpty || state.isStopped { return nil }
        let isTooLarge = bytes.count > limits.maxMessageBytes
        return message(isTooLarge ? nil : bytes, bytes.count, place, .file, &state)
    }

    /// Returns false at the end, after an error, which is noted, or when nothing more is wanted.
    private func append(_ count: Int, to bytes: inout [UInt8], _ state: inout State) -> Bool {
        guard waitForInput(descriptor, unless: shouldStop) else {
            state.isStopped = true
            return false
        }
        let (got, problem) = appendBytes(from: descriptor, count, to: &bytes)
        if problem != 0 { state.oddities.append(.system(problem, place: place)) }
        return got > 0
    }

    private func message(
        _ bytes: [UInt8]?, _ length: Int, _ place: String, _ form: MessageForm, _ state: inout State
    ) -> Message? {
        var key = bytes.map { $0.withUnsafeBytes(stableHashText) } ?? "too-large+\(length)+\(state.number)"
        // The same mail once more in one stream is another message.
        let occurrence = state.occurrences[key, default: 0] + 1
        state.occurrences[key] = occurrence
        if occurrence > 1 { key += "+\(occurrence)" }
        if isKnown(key) {
            state.known += 1
            return nil
        }
        state.unknown += 1
        return Message(key: key, place: place, form: form) { [limits] (buffer: inout [UInt8]) throws(MailError) in
            guard let bytes else { throw tooLarge(length, limit: limits.maxMessageBytes, place: place) }
            buffer = bytes
        }
    }

    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        // It has been consumed; there is nothing left to mark, move or delete.
        []
    }
}
