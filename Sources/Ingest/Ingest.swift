import Foundation
import Mail
import Store

/// The pipeline: messages of a mailbox → reports in the store, with the ledger to prove that nothing was lost.
///
/// Workers read, unpack and parse on all cores; one writer stores, many reports a transaction. The mailbox is touched only after the commit.
public struct Ingest: Sendable {
    private let store: ReportStore
    private let options: IngestOptions
    private let progress: @Sendable (IngestProgress) -> Void
    private let shouldStop: @Sendable () -> Bool

    /// Messages that a worker takes at a time.
    static let chunk = 32
    /// Seconds after which a transaction is committed, however little is in it.
    private static let secondsPerCommit = 5.0

    /// An ingest into `store`. `progress` is called from the writer, a few times a second; when `shouldStop` is true, what was begun is
    /// finished and committed and nothing more is read.
    public init(
        store: ReportStore, options: IngestOptions, progress: @escaping @Sendable (IngestProgress) -> Void = { _ in },
        shouldStop: @escaping @Sendable () -> Bool = { false }
    ) {
        self.store = store
        self.options = options
        self.progress = progress
        self.shouldStop = shouldStop
    }

    /// Ingests one mailbox, named by its path (`-`: standard input).
    public func run(path: String) throws(IngestError) -> Tally {
        try run { isKnown throws(MailError) in
            try openMailbox(
                path: path, standardInput: options.standardInput, limits: options.limits.mail, shouldStop: shouldStop, isKnown: isKnown)
        }
    }

    /// Ingests the mailbox that `open` opens; what it is given tells whether the ledger knows the message of a key.
    ///
    /// Throws if the mailbox cannot be opened, and for trouble with the database. A mailbox that fails later on gives what was stored until
    /// then, and the failure in `Tally.failures`.
    public func run(
        opening open: (_ isKnown: @escaping @Sendable (String) -> Bool) throws(MailError) -> any Mailbox
    ) throws(IngestError) -> Tally {
        let known = KnownMessages()
        let mailbox: any Mailbox
        do throws(MailError) {
            mailbox = try open { known.contains($0) }
        } catch {
            throw .mailbox(error)
        }
        return try run(mailbox, known)
    }

    /// What an ingest would read: messages that the ledger does not know, and those that it does. Changes nothing.
    public static func survey(
        store: ReportStore?, opening open: (_ isKnown: @escaping @Sendable (String) -> Bool) throws(MailError) -> any Mailbox
    ) throws(IngestError) -> (new: Int, known: Int) {
        let known = KnownMessages()
        do {
            let mailbox = try open { known.contains($0) }
            do throws(StoreError) {
                if let store { known.set(try store.knownMessages(mailbox: mailbox.identifier)) }
            } catch {
                throw IngestError.store(error)
            }
            var listed = 0
            while true {
                let messages = try mailbox.next(1000)
                // A server has listed everything before it hands out the first message.
                if let expected = mailbox.expectedCount { return (expected, mailbox.knownCount) }
                if messages.isEmpty { return (listed, mailbox.knownCount) }
                listed += messages.count
            }
        } catch let error as IngestError {
            throw error
        } catch let error as MailError {
            throw .mailbox(error)
        } catch {
            throw .accounting("\(error)")
        }
    }

    private func run(_ mailbox: any Mailbox, _ known: KnownMessages) throws(IngestError) -> Tally {
        let look: MailboxLook
        do throws(StoreError) {
            look = try self.look(mailbox)
            if !look.isAtRest {
                known.set(try store.knownMessages(mailbox: mailbox.identifier))
                mailbox.tryLast(try store.deferredMessages(mailbox: mailbox.identifier))
            }
        } catch {
            throw .store(error)
        }
        options.containment?.clear(mailbox.identifier) { known.keys.contains($0) }
        if options.doubtsClock, let delivered = TimeWitness.contradiction(of: mailbox, now: options.now) {
            throw .clock(place: mailbox.identifier, delivered: delivered, now: options.now)
        }
        do {
            return try store.write { writer in
                do {
                    writer.giver = options.givers()
                    writer.novelty = options.limits.novelty
                    try writer.adopt(options.ownDomains)
                    let session = try WritingSession(writer, mailbox, options)
                    try pump(mailbox, into: session)
                    return try session.finish(known: mailbox.knownCount, known.keys, look)
                } catch {
                    // SQLite undoes a transaction by itself after some of its own errors only.
                    writer.abandon()
                    throw error
                }
            }
        } catch let error as IngestError {
            throw error
        } catch {
            do throws(StoreError) {
                try store.storing { throw error }
            } catch {
                throw .store(error)
            }
            throw .accounting("\(error)")
        }
    }

    /// Whether there can be anything to read. Where there cannot, neither the mailbox nor the ledger is looked through.
    private func look(_ mailbox: any Mailbox) throws(StoreError) -> MailboxLook {
        guard !options.isRetry, let imprint = mailbox.imprint else { return MailboxLook() }
        var look = MailboxLook(imprint: imprint)
        guard options.containment?.hasSuspects(mailbox.identifier) != true,
            let count = try store.unchanged(mailbox: mailbox.identifier, imprint: imprint, now: options.now)
        else { return look }
        look.isAtRest = mailbox.rest(count)
        return look
    }

    /// Whether there is too little room to begin another message.
    private func shortage(_ session: WritingSession, _ before: Int) throws -> Tally.Shortage? {
        if let free = store.freeBytes, free < options.limits.minFreeBytes { return .disk(free: free) }
        let grown = try session.databaseBytes() - before
        return grown >= options.limits.maxRunBytes ? .run(grown: grown) : nil
    }

    /// Runs the workers and writes what they make, until the mailbox is empty.
    private func pump(_ mailbox: any Mailbox, into session: WritingSession) throws {
        let lanes = Lanes<IngestEvent>(ahead: options.workers * 3, capacity: 40_000)
        let failure = FirstFailure()
        let workers = (0..<max(1, options.workers)).map { number in
            Worker(
                number: number, lanes: lanes, mailbox: mailbox, options: options, failure: failure, shouldStop: shouldStop)
        }
        for worker in workers { worker.start() }
        defer {
            lanes.cancel()
            for worker in workers { worker.join() }
        }
        try session.begin()
        var lastCommit = DispatchTime.now()
        let start = lastCommit
        var lastProgress = lastCommit
        let before = try options.databaseBytesBefore ?? session.databaseBytes()
        reading: while let events = lanes.take() {
            for event in events {
                if session.isBetweenMessages, let shortage = try shortage(session, before) {
                    session.note(shortage)
                    break reading
                }
                try session.handle(event)
                // One at a time, while it is not known which of them ends the process.
                if session.isBetweenMessages, options.containment?.isCautious(mailbox.identifier) == true {
                    try session.commit()
                    try session.begin()
                }
            }
            let now = DispatchTime.now()
            if session.isBetweenMessages {
                let seconds = Double(now.uptimeNanoseconds - lastCommit.uptimeNanoseconds) / 1e9
                if session.pendingWork >= options.workPerCommit || seconds >= Self.secondsPerCommit {
                    try session.commit()
                    try session.begin()
                    lastCommit = now
                }
            }
            if now.uptimeNanoseconds - lastProgress.uptimeNanoseconds > 200_000_000 {
                lastProgress = now
                let seconds = Double(now.uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
                progress(
                    IngestProgress(done: session.seen, total: mailbox.expectedCount, messagesPerSecond: Double(session.seen) / seconds))
            }
        }
        if let error = options.containment?.notes.failure { throw error }
        for oddity in mailbox.oddities { try session.handle(oddity: oddity) }
        let isToTheEnd = failure.error == nil && !session.hasShortage && !shouldStop()
        if isToTheEnd { try session.settlePlaces() }
        session.isComplete = isToTheEnd
        try session.commit()
        try session.settleLeftOver()
        if let error = failure.error { session.note(failure: error) }
    }
}

/// The keys that the ledger has for a mailbox. Filled before the mailbox is listed; read by whichever worker lists.
final class KnownMessages: Sendable {
    private let known = Guarded(KnownKeys())

    func set(_ keys: KnownKeys) { known.withLock { $0 = keys } }

    /// Whether the ledger knows a message that the mailbox has.
    func contains(_ key: String) -> Bool { known.withLock { $0.meet(key) } }

    /// They, and which of them the mailbox has.
    var keys: KnownKeys { known.withLock { $0 } }
}

/// What a mailbox looked like before it was listed.
struct MailboxLook {
    /// As it says; nil: it cannot be told.
    var imprint: String?
    /// Whether it is as it was, and so not listed at all.
    var isAtRest = false
}

/// The first error of a mailbox's listing.
final class FirstFailure: Sendable {
    private let first = Guarded<MailError?>(nil)

    var error: MailError? { first.withLock { $0 } }

    func set(_ error: MailError) { first.withLock { $0 = $0 ?? error } }
}
