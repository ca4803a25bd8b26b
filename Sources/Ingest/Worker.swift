import Foundation
import Mail

/// A thread that reads, unpacks and parses chunks of messages until there are none.
///
/// `@unchecked Sendable`: all stored properties are immutable and Sendable but `thread`, which is set once, before the thread it holds is
/// started, and used by the thread that made it only, like `join`.
final class Worker: @unchecked Sendable {
    private let lanes: Lanes<IngestEvent>
    private let mailbox: any Mailbox
    private let options: IngestOptions
    private let failure: FirstFailure
    private let shouldStop: @Sendable () -> Bool
    /// Where it notes what it reads.
    private let slot: Int
    private let done = DispatchSemaphore(value: 0)
    private var thread: Thread?

    /// Records that a worker gathers before it hands them over: each hand-over wakes a thread.
    private static let handOver = 2000

    init(
        number: Int, lanes: Lanes<IngestEvent>, mailbox: any Mailbox, options: IngestOptions, failure: FirstFailure,
        shouldStop: @escaping @Sendable () -> Bool
    ) {
        slot = ReadingNotes.writerSlot + 1 + number
        self.lanes = lanes
        self.mailbox = mailbox
        self.options = options
        self.failure = failure
        self.shouldStop = shouldStop
    }

    func start() {
        let thread = Thread { [self] in
            work()
            done.signal()
        }
        thread.stackSize = 4 << 20
        self.thread = thread
        thread.start()
    }

    func join() {
        done.wait()
        // It holds us, as we hold it: the mailbox and its open files would never be let go.
        thread = nil
    }

    private func work() {
        let reader = MessageReader(options: options)
        while let (lane, messages) = lanes.open(next) {
            read(messages, reader, lane)
            lanes.close(lane)
        }
        options.containment?.notes.end(slot: slot)
    }

    /// The next messages; none after an error, which ends the mailbox.
    private func next() -> [Message] {
        if shouldStop() || options.containment?.notes.failure != nil { return [] }
        do throws(MailError) {
            return try mailbox.next(Ingest.chunk)
        } catch {
            failure.set(error)
            return []
        }
    }

    /// How many of these messages are read together: one where the next is to be looked at before, or where this process reads.
    private func together(_ messages: ArraySlice<Message>) -> Int {
        guard options.readers != nil else { return 1 }
        let first = messages.prefix(MessageBatch.maxMessages)
        guard let containment = options.containment else { return first.count }
        let count = first.prefix { !containment.isCareful($0, mailbox: mailbox.identifier) }.count
        return max(1, min(count, ReadingNotes.room(for: first.map(\.key), of: mailbox.identifier)))
    }

    private func note(_ messages: ArraySlice<Message>) -> Bool {
        guard let notes = options.containment?.notes else { return true }
        return notes.begin(messages.map(\.key), of: mailbox.identifier, slot: slot)
    }

    private func read(_ messages: [Message], _ reader: MessageReader, _ lane: Int) {
        var waiting: [IngestEvent] = []
        var weight = 0
        func handOver() -> Bool {
            guard !waiting.isEmpty else { return true }
            let events = waiting
            let total = weight
            waiting.removeAll(keepingCapacity: true)
            weight = 0
            return lanes.put(events, weight: total, into: lane)
        }
        func emit(_ event: IngestEvent) -> Bool {
            waiting.append(event)
            switch event {
            case .records(let batch): weight += batch.weight
            case .message(let message): weight += message.weight
            default: break
            }
            return weight < Self.handOver || handOver()
        }
        var rest = messages[...]
        while let first = rest.first {
            let group = rest.prefix(together(rest))
            rest = rest.dropFirst(group.count)
            guard note(group) else { break }
            let goesOn =
                group.count == 1
                ? emit(.message(reader.read(first, of: mailbox.identifier, emit: emit))) : reader.read(together: group, emit: emit)
            guard goesOn else { return }
        }
        _ = handOver()
    }
}
