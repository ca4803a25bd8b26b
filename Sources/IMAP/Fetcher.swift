import Mail

/// Fetches the messages of a folder on a thread of its own, a little ahead of those who read them.
final class Fetcher {
    private let core: MailboxCore
    private let limits: IMAPLimits
    /// The messages that are not known, ascending, and how many of them are in the queue.
    private var uids: [UInt32] = []
    private var done = 0
    /// Sizes in bytes of the messages from `done` up to `sized`.
    private var sizes: [UInt32: UInt64] = [:]
    private var sized = 0
    /// Up to here each message is fetched alone, because a batch with one of them failed.
    private var aloneUntil = 0

    init(_ core: MailboxCore) {
        self.core = core
        limits = core.limits
    }

    /// Fetches all there is, then says so.
    func run() {
        var failure: IMAPError?
        do throws(IMAPError) {
            try list()
            while done < uids.count, waitForRoom() { try fetchSome() }
        } catch {
            failure = error
        }
        core.shared.update { [done, uids] shared in
            if let failure {
                shared.failure = shared.failure ?? failure.at(core.account.place)
            } else if done == uids.count {
                shared.isComplete = true
            }
            shared.isFetching = false
        }
    }

    /// One SEARCH; what the ledger knows costs nothing more.
    private func list() throws(IMAPError) {
        let deadline = core.runDeadline
        let found = try core.withTurn { () throws(IMAPError) in
            try core.withSession(until: deadline) { (session) throws(IMAPError) in try session.search(since: core.account.since) }
        }
        uids = found.filter { !core.isKnown(String($0)) }
        core.shared.update { [uids] shared in
            shared.expected = uids.count
            shared.known = found.count - uids.count
        }
    }

    /// False: the mailbox is closing.
    private func waitForRoom() -> Bool {
        core.shared.wait { [limits] shared -> Bool? in
            if shared.isClosing { return false }
            let isWanted = shared.handedOut == shared.queue.count && shared.waiting > 0
            if isWanted { return true }
            return shared.queuedBytes < limits.aheadBytes && shared.heldBytes < limits.heldBytes ? true : nil
        } ?? false
    }

    private func fetchSome() throws(IMAPError) {
        if done == sized { try askSizes() }
        // Those that are too large are not fetched; those without a size are gone.
        var batch: [UInt32] = []
        var bytes = 0
        var end = done
        let most = done < aloneUntil ? 1 : limits.batchMessages
        while end < sized, batch.count < most {
            let size = Int(clamping: sizes[uids[end]] ?? 0)
            if sizes[uids[end]] != nil, size <= limits.maxMessageBytes {
                guard batch.isEmpty || bytes + size <= limits.batchBytes else { break }
                batch.append(uids[end])
                bytes += size
            }
            end += 1
        }
        var received: [UInt32: [UInt8]] = [:]
        var refusal: IMAPError?
        if !batch.isEmpty {
            do throws(IMAPError) {
                refusal = try fetch(batch, bytes, &received)
            } catch {
                // What has arrived whole is handed out all the same, as far as it is without a gap.
                let whole = uids[done..<end].prefix { received[$0] != nil }.count
                hand(out: done + whole, &received, refusal: nil)
                guard error.isMessageTooLarge, end - done > 0 else { throw error }
                guard end - done == 1, batch.count == 1 else {
                    // One of them is larger than the server says: which one?
                    aloneUntil = max(aloneUntil, end)
                    return
                }
                sizes[batch[0]] = UInt64(limits.maxMessageBytes) + 1
                hand(out: end, &received, refusal: nil)
                return
            }
            if refusal != nil, batch.count > 1 {
                aloneUntil = max(aloneUntil, end)
                let whole = uids[done..<end].prefix { received[$0] != nil }.count
                hand(out: done + whole, &received, refusal: nil)
                return
            }
        }
        hand(out: end, &received, refusal: refusal)
    }

    private func askSizes() throws(IMAPError) {
        let some = uids[done..<min(uids.count, done + limits.listMessages)]
        let deadline = core.runDeadline
        sizes = try core.withTurn { () throws(IMAPError) in
            try core.withSession(until: deadline) { (session) throws(IMAPError) in try session.fetchSizes(some) }
        }
        sized = some.endIndex
    }

    /// Fetches `batch`; after a lost connection what is missing of it.
    ///
    /// - Returns: the server's refusal, if it refuses some of it.
    private func fetch(_ batch: [UInt32], _ bytes: Int, _ received: inout [UInt32: [UInt8]]) throws(IMAPError) -> IMAPError? {
        // Some servers only guess RFC822.SIZE.
        let budget = 2 * bytes + (64 << 10) * batch.count
        let most = batch.count == 1 ? limits.maxMessageBytes : min(budget, 2 * limits.batchBytes + limits.maxMessageBytes)
        let deadline = core.runDeadline
        var fetched: [UInt32: [UInt8]] = [:]
        defer { received = fetched }
        return try core.withTurn { () throws(IMAPError) in
            try core.withSession(until: deadline) { (session) throws(IMAPError) in
                let missing = batch.filter { fetched[$0] == nil }
                if missing.isEmpty { return nil }
                let status = try session.fetchBodies(missing, maxBytes: most) { uid, body in
                    fetched[uid] = body
                    core.noteProgress()
                }
                return status.word == .ok ? nil : Session.refusal("UID FETCH", status)
            }
        }
    }

    /// Puts the messages up to `end` into the queue, those that could not be had as messages that cannot be read.
    private func hand(out end: Int, _ received: inout [UInt32: [UInt8]], refusal: IMAPError?) {
        var messages: [Message] = []
        var counts: [Int] = []
        for uid in uids[done..<end] {
            let place = "\(core.account.place)#\(uid)"
            if let body = received.removeValue(forKey: uid) {
                let held = HeldBytes(body, core)
                messages.append(
                    Message(key: String(uid), place: place, form: .mail) { (buffer: inout [UInt8]) throws(MailError) in
                        guard let bytes = held.take() else {
                            throw MailError(code: .vanished, place: place, found: "it was read already, and fetched only once")
                        }
                        buffer = bytes
                    })
                counts.append(body.count)
            } else {
                let error = reason(uid, place, refusal)
                messages.append(
                    Message(key: String(uid), place: place, form: .mail) { (_: inout [UInt8]) throws(MailError) in throw error })
                counts.append(0)
            }
        }
        done = end
        let bytes = counts.reduce(0, +)
        core.shared.update { shared in
            guard !shared.isClosing else { return }
            shared.queue += messages
            shared.sizes += counts
            shared.queuedBytes += bytes
        }
    }

    private func reason(_ uid: UInt32, _ place: String, _ refusal: IMAPError?) -> MailError {
        if let size = sizes[uid], size > UInt64(limits.maxMessageBytes) {
            return MailError(
                code: .messageTooLarge, place: place,
                found: "more than \(limits.maxMessageBytes) bytes, the limit (limits.message_bytes); it was not fetched")
        }
        if let refusal { return MailError(code: .unreadableFile, place: place, found: refusal.found, errno: refusal.systemNumber) }
        return MailError(code: .vanished, place: place, found: "it is no longer in the folder, or the server does not give it")
    }
}

/// The bytes of a message until they are read, counted among those that are in memory.
private final class HeldBytes: Sendable {
    private let bytes: Monitor<[UInt8]?>
    private let count: Int
    private let core: MailboxCore

    init(_ bytes: [UInt8], _ core: MailboxCore) {
        self.bytes = Monitor(bytes)
        count = bytes.count
        self.core = core
        core.shared.update { $0.heldBytes += bytes.count }
    }

    deinit { release(bytes.update { $0 != nil }) }

    /// The bytes; nil after the first time.
    func take() -> [UInt8]? {
        let taken = bytes.update { bytes -> [UInt8]? in
            defer { bytes = nil }
            return bytes
        }
        release(taken != nil)
        return taken
    }

    private func release(_ isHeld: Bool) {
        guard isHeld else { return }
        core.shared.update { [count] in $0.heldBytes -= count }
    }
}
