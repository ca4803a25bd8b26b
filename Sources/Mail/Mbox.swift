import Glibc
import Synchronization

/// A file of mails, each behind a line `From `. It is never written to.
final class Mbox: Mailbox {
    let identifier: String
    private let place: String
    private let file: Descriptor
    private let limits: MailLimits
    private let isKnown: @Sendable (String) -> Bool
    private let state: Mutex<State>

    private struct State {
        var splitter: MboxSplitter
        var number = 0
        var unknown = 0
        var known = 0
        var isComplete = false
        var oddities: [MailError] = []
    }

    /// Opens the file at `path` below `parent`; nil if that fails.
    ///
    /// - Parameters:
    ///   - identifier: the canonical path; may be left out for an mbox inside another mailbox.
    ///   - place: the path for people.
    init?(
        _ parent: Descriptor, _ path: String, identifier: String = "", place: String, limits: MailLimits,
        isKnown: @escaping @Sendable (String) -> Bool
    ) {
        let number = openat(parent.number, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard number >= 0 else { return nil }
        file = Descriptor(number)
        self.identifier = identifier
        self.place = place
        self.limits = limits
        self.isKnown = isKnown
        let start = mboxStart(number) ?? 0
        lseek(number, off_t(start), SEEK_SET)
        state = Mutex(
            State(
                splitter: MboxSplitter(number, offset: start, start: [], limit: limits.maxMessageBytes, maxSkippedBytes: .max)))
    }

    var expectedCount: Int? { state.withLock { $0.isComplete ? $0.unknown : nil } }
    var knownCount: Int { state.withLock { $0.known } }
    var oddities: [MailError] { state.withLock { $0.oddities } }

    func next(_ limit: Int) -> [Message] {
        state.withLock { state in
            var messages: [Message] = []
            while messages.count < limit, !state.isComplete {
                guard let piece = state.splitter.next() else {
                    state.isComplete = true
                    if state.splitter.problem != 0 { state.oddities.append(.system(state.splitter.problem, place: place)) }
                    break
                }
                state.number += 1
                let content = piece.bytes.map { $0.withUnsafeBytes(stableHashText) } ?? "too-large"
                let key = "\(piece.offset)+\(piece.length)+\(content)"
                if isKnown(key) {
                    state.known += 1
                    continue
                }
                state.unknown += 1
                messages.append(message(key, piece, "\(place)#\(state.number)"))
            }
            return messages
        }
    }

    private func message(_ key: String, _ piece: MboxSplitter.Piece, _ place: String) -> Message {
        let start = piece.offset + piece.mark
        let count = piece.length - piece.mark
        return Message(key: key, place: place, form: .mail) { [file, limits] (buffer: inout [UInt8]) throws(MailError) in
            guard count <= limits.maxMessageBytes else { throw tooLarge(count, limit: limits.maxMessageBytes, place: place) }
            try read(file.number, from: start, count: count, place: place, into: &buffer)
            guard buffer.count == count else {
                throw MailError(code: .vanished, place: place, found: "the file has become shorter")
            }
        }
    }

    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        let found = "an mbox is never written to"
        let isWanted = messages.contains { $0.action != .leave }
        return isWanted ? [MailError(code: .notSettled, place: place, found: found)] : []
    }
}
