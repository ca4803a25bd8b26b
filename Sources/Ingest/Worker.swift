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

    private func note(_ message: Message) -> Bool {
        guard let notes = options.containment?.notes else { return true }
        return notes.begin(ReadingNotes.Suspect(mailbox: mailbox.identifier, key: message.key), slot: slot)
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
        for message in messages {
            guard note(message) else { break }
            let result = reader.read(message, of: mailbox.identifier) { event in
                waiting.append(event)
                if case .records(let batch) = event { weight += batch.weight }
                return weight < Self.handOver || handOver()
            }
            waiting.append(.message(result))
            weight += result.weight
            if weight >= Self.handOver, !handOver() { return }
        }
        _ = handOver()
    }
}
