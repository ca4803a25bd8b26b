import Glibc
import Mail

/// Fetches the messages of a folder on a thread of its own, a little ahead of those who read them.
///
/// Messages are asked for in batches. Whatever a batch does not bring, for whatever reason, is set aside, and asked for alone when all others
/// have been had: so one message that a server cannot give, or that ends the connection each time, keeps back no other. What does not come
/// alone either is handed out as a message that cannot be read now.
final class Fetcher {
    private let core: MailboxCore
    private let limits: IMAPLimits
    /// The messages to be had, ascending; behind them, ascending, those that an earlier run could not read. Up to `done` they have been asked
    /// for.
    private var uids: [UInt32] = []
    private var done = 0
    /// Sizes in bytes of the messages from `done` up to `sized`.
    private var sizes: [UInt32: UInt64] = [:]
    /// When they came into the mailbox, in seconds since 1970, as far as the server says so.
    private var deliveries: [UInt32: Int] = [:]
    private var sized = 0
    /// To be asked for alone.
    private var aside: [Trouble] = []
    /// Asked for alone in vain.
    private var failed: [Trouble] = []
    /// Fetches in a row that have failed without a message gained.
    private var fruitless = 0
    /// Messages whose bytes were as many as the server says, and those that were not.
    private var matched = 0
    private var mismatched = 0
    private var isStopped = false
    /// How many messages of the end of a long list are asked when they came in.
    private static let newest = 16
    /// Messages that are to go into the queue together, and the bytes of each.
    private var ready: [(message: Message, bytes: Int)] = []
    /// Messages that were had, and what last went wrong with a connection or a command.
    private var gained = 0
    private var lastProblem: IMAPError?
    /// The first message that the last lost connection did not bring.
    private var suspect: Trouble?

    /// A message that was not had.
    private struct Trouble {
        var uid: UInt32
        var reason: String
        var code: MailError.Code
        var errno: Int32
        /// Whether it may be gone.
        var mayBeGone = false
        /// Whether its bytes were compared with its size.
        var isCounted = false

        init(_ uid: UInt32, _ reason: String, code: MailError.Code = .notDelivered, errno: Int32 = EPROTO, mayBeGone: Bool = false) {
            (self.uid, self.reason, self.code, self.errno, self.mayBeGone) = (uid, reason, code, errno, mayBeGone)
        }

        init(_ uid: UInt32, _ error: IMAPError) {
            self.init(uid, "\(error.code.rawValue): \(error.found)", errno: error.systemNumber, mayBeGone: error.code == .refused)
        }
    }

    /// What came of one fetch.
    private struct Answer {
        var bodies: [UInt32: [UInt8]] = [:]
        /// What is wrong with single messages.
        var notes: [UInt32: String] = [:]
        /// What went wrong altogether.
        var problem: IMAPError?
    }

    init(_ core: MailboxCore) {
        self.core = core
        limits = core.limits
    }

    /// Fetches all there is, then says so.
    func run() {
        var failure: IMAPError?
        do throws(IMAPError) {
            try list()
            try tellDeliveries()
            while !isStopped, done < uids.count || !aside.isEmpty {
                while done < uids.count, fruitless < limits.maxFruitlessBatches, waitForRoom() { try fetchSome() }
                if !isStopped { try fetchAside() }
            }
            if !isStopped { try reconsider() }
            // A server that has never given anything is not called one with odd messages.
            if gained == 0, failed.count > 1, core.shared.read({ $0.known == 0 }) { failure = lastProblem }
        } catch {
            failure = error
            if let suspect, !failed.contains(where: { $0.uid == suspect.uid }) { failed.append(suspect) }
        }
        // Said of each, whatever ended it: in the next run they come last.
        for trouble in failed { hand(out: trouble) }
        let last = ready
        core.shared.update { [isStopped] shared in
            Self.enqueue(last, &shared)
            if let failure {
                shared.failure = shared.failure ?? failure.at(core.account.place)
            } else if !isStopped {
                shared.isComplete = true
            }
            shared.isFetching = false
        }
    }

    /// One SEARCH; what the ledger knows costs nothing more.
    private func list() throws(IMAPError) {
        let deadline = core.runDeadline
        let found = try search(deadline)
        let (isByUID, late) = core.shared.read { ($0.uidValidity != nil, $0.late) }
        let unknown = isByUID ? found.uids.filter { !core.isKnown(String($0)) } : found.uids
        let odd = found.odd.filter { !core.isKnown("#" + $0) }
        uids = late.isEmpty ? unknown : unknown.filter { !late.contains(String($0)) } + unknown.filter { late.contains(String($0)) }
        core.shared.update { shared in
            shared.named = found.uids.count + found.odd.count
            shared.expected = unknown.count + odd.count
            shared.known = found.uids.count + found.odd.count - unknown.count - odd.count
        }
        for number in odd { hand(out: number) }
        enqueue()
    }

    /// Says when the newest of them came in, if somebody asks, and waits until messages are wanted.
    private func tellDeliveries() throws(IMAPError) {
        guard core.shared.read({ $0.asksDeliveries }) else { return }
        var times: [Int] = []
        if !uids.isEmpty {
            // The newest of a long list are far from those that come first.
            let last = uids.dropFirst(limits.listMessages).suffix(Self.newest)
            if !last.isEmpty {
                let deadline = core.runDeadline
                let failures = fruitless
                let result = try core.withTurn { () throws(IMAPError) in
                    try core.attempt(until: deadline, after: failures) { (session) throws(IMAPError) in try session.fetchSizes(last) }
                }
                if case .success(let (_, named, _)) = result { times = Array(named.values) }
            }
            try askSizes()
            times += deliveries.values
        }
        times.sort(by: >)
        core.shared.update { [times] shared in shared.deliveries = times }
        let isWanted = core.shared.wait { shared -> Bool? in shared.isWanted ? true : shared.isClosing ? false : nil }
        if isWanted != true { isStopped = true }
    }

    private func search(_ deadline: Deadline) throws(IMAPError) -> Session.Listing {
        try core.withTurn { () throws(IMAPError) in
            try core.withSession(until: deadline) { (session) throws(IMAPError) in try session.search(since: core.account.since) }
        }
    }

    /// False: the mailbox is closing.
    private func waitForRoom() -> Bool {
        let isOpen =
            core.shared.wait { [limits] shared -> Bool? in
                if shared.isClosing { return false }
                let isWanted = shared.handedOut == shared.queue.count && shared.waiting > 0
                if isWanted { return true }
                return shared.queuedBytes < limits.aheadBytes && shared.heldBytes < limits.heldBytes ? true : nil
            } ?? false
        if !isOpen { isStopped = true }
        return isOpen
    }

    // MARK: - Many at a time

    private func fetchSome() throws(IMAPError) {
        if done == sized { try askSizes() }
        // Those that are too large are not fetched.
        let first = done
        var batch: [UInt32] = []
        var bytes = 0
        while done < sized, batch.count < limits.batchMessages {
            let uid = uids[done]
            guard let size = sizes[uid] else {
                aside.append(Trouble(uid, "the server names no size for it (RFC822.SIZE)", code: .sizeMismatch, mayBeGone: true))
                done += 1
                continue
            }
            if size <= UInt64(limits.maxMessageBytes) {
                guard batch.isEmpty || bytes + Int(size) <= limits.batchBytes else { break }
                batch.append(uid)
                bytes += Int(size)
            }
            done += 1
        }
        defer { enqueue() }
        let asked = uids[first..<done]
        guard !batch.isEmpty else {
            for uid in asked { handOutIfTooLarge(uid) }
            return
        }
        // Some servers only guess RFC822.SIZE.
        let budget = 2 * bytes + (64 << 10) * batch.count
        let most = batch.count == 1 ? limits.maxMessageBytes : min(budget, 2 * limits.batchBytes + limits.maxMessageBytes)
        var answer = try fetch(batch, maxBytes: most)
        for uid in batch {
            guard let body = answer.bodies[uid] else { continue }
            count(fits(body, sizes[uid]))
        }
        let batched = Set(batch)
        for uid in asked {
            guard batched.contains(uid) else {
                handOutIfTooLarge(uid)
                continue
            }
            guard let body = answer.bodies.removeValue(forKey: uid) else {
                aside.append(trouble(uid, answer))
                continue
            }
            if let objection = try objection(to: body, uid, sizes[uid]) { aside.append(objection) } else { hand(out: body, uid) }
        }
    }

    private func count(_ fits: Bool) {
        if fits { matched += 1 } else { mismatched += 1 }
    }

    private func trouble(_ uid: UInt32, _ answer: Answer) -> Trouble {
        if let note = answer.notes[uid] { return Trouble(uid, note) }
        if let problem = answer.problem { return Trouble(uid, problem) }
        return Trouble(uid, "the server answers OK, and not with the message of this UID", mayBeGone: true)
    }

    private func askSizes() throws(IMAPError) {
        let some = uids[done..<min(uids.count, done + limits.listMessages)]
        let deadline = core.runDeadline
        let failures = fruitless
        let result = try core.withTurn { () throws(IMAPError) in
            try core.attempt(until: deadline, after: failures) { (session) throws(IMAPError) in try session.fetchSizes(some) }
        }
        switch result {
        case .success(let (named, times, refusal)):
            sizes = named
            deliveries = times
            sized = some.endIndex
            // NO is said also when some of them are gone (RFC 5530, EXPUNGEISSUED).
            guard let refusal else { return }
            for uid in some where named[uid] == nil { aside.append(Trouble(uid, refusal)) }
            uids.replaceSubrange(some.startIndex..<some.endIndex, with: some.filter { named[$0] != nil })
            sized = done + named.count
            if named.isEmpty { fruitless += 1 }
        case .failure(let error):
            noteFruitless(error)
            suspect = some.first.map { Trouble($0, error) }
            aside += some.map { Trouble($0, error) }
            done = some.endIndex
            sized = done
        }
    }

    private func noteFruitless(_ error: IMAPError) {
        fruitless += error.code == .timeout ? 3 : 1
        lastProblem = error
    }

    private func fetch(_ batch: [UInt32], maxBytes: Int) throws(IMAPError) -> Answer {
        let deadline = core.runDeadline
        let failures = fruitless
        var answer = Answer()
        let result = try core.withTurn { () throws(IMAPError) in
            try core.attempt(until: deadline, after: failures) { (session) throws(IMAPError) in
                try session.fetchBodies(batch, maxBytes: maxBytes) { uid, body, oddity in
                    switch oddity {
                    case nil: answer.bodies[uid] = body
                    case .nothing: answer.notes[uid] = "the server answers NIL in place of the message"
                    case .twice:
                        answer.bodies[uid] = nil
                        answer.notes[uid] = "the server gives it twice at a time"
                    }
                }
            }
        }
        switch result {
        case .success(let status) where status.word == .ok: break
        case .success(let status): answer.problem = Session.refusal("UID FETCH", status)
        case .failure(let error): answer.problem = error
        }
        gained += answer.bodies.count
        suspect = answer.problem.flatMap { problem in
            problem.endsConnection ? batch.first { answer.bodies[$0] == nil }.map { Trouble($0, problem) } : nil
        }
        if !answer.bodies.isEmpty {
            fruitless = 0
        } else if let problem = answer.problem {
            noteFruitless(problem)
        }
        return answer
    }

    // MARK: - One at a time

    /// Asks for what was set aside, each alone.
    private func fetchAside() throws(IMAPError) {
        let waiting = try withoutVanished(aside)
        aside = []
        fruitless = 0
        defer { fruitless = 0 }
        var refusals = 0
        for (index, trouble) in waiting.enumerated() {
            guard waitForRoom() else { return }
            defer { enqueue() }
            do throws(IMAPError) {
                if let problem = try fetchAlone(trouble) {
                    refusals = problem.code == .refused ? refusals + 1 : 0
                    if problem.code == .refused { fruitless = 0 }
                    // A server that gives nothing at all is no matter of single messages.
                    guard fruitless < limits.maxFruitlessMessages, refusals < limits.maxRefusedMessages else { throw problem }
                }
            } catch {
                // This one was being asked for when the folder was lost: in the next run it comes last.
                if failed.last?.uid != trouble.uid { failed.append(trouble) }
                aside = Array(waiting[(index + 1)...])
                throw error
            }
        }
    }

    /// What was kept back for its size alone, if it has turned out since that this server's sizes say nothing.
    private func reconsider() throws(IMAPError) {
        guard guessesSizes else { return }
        aside = failed.filter { $0.code == .sizeMismatch }
        guard !aside.isEmpty else { return }
        failed.removeAll { $0.code == .sizeMismatch }
        try fetchAside()
    }

    /// What was set aside without that which the server does not list any more.
    private func withoutVanished(_ troubles: [Trouble]) throws(IMAPError) -> [Trouble] {
        guard troubles.contains(where: \.mayBeGone) else { return troubles }
        let deadline = core.runDeadline
        let named: Set<UInt32>
        do throws(IMAPError) {
            named = Set(try search(deadline).uids)
        } catch {
            guard error.code == .refused else { throw error }
            return troubles
        }
        let left = troubles.filter { named.contains($0.uid) }
        let gone = troubles.count - left.count
        core.shared.update { shared in
            shared.vanished += gone
            shared.expected = shared.expected.map { $0 - gone }
        }
        return left
    }

    /// Hands the message out, or notes that it was not to be had.
    ///
    /// - Returns: what went wrong with the connection or the command.
    private func fetchAlone(_ trouble: Trouble) throws(IMAPError) -> IMAPError? {
        let uid = trouble.uid
        let deadline = core.runDeadline
        let failures = fruitless
        let asked = try core.withTurn { () throws(IMAPError) in
            try core.attempt(until: deadline, after: failures) { (session) throws(IMAPError) in try session.fetchSizes([uid]) }
        }
        var size: UInt64?
        switch asked {
        case .success(let (named, times, _)):
            size = named[uid]
            deliveries[uid] = times[uid]
        case .failure(let error):
            noteFruitless(error)
            failed.append(Trouble(uid, error))
            return error
        }
        if let size, size > UInt64(limits.maxMessageBytes) {
            hand(outTooLarge: uid, size)
            return nil
        }
        var answer = try fetch([uid], maxBytes: limits.maxMessageBytes)
        if let body = answer.bodies.removeValue(forKey: uid) {
            if !trouble.isCounted { count(fits(body, size)) }
            if let objection = try objection(to: body, uid, size) { failed.append(objection) } else { hand(out: body, uid) }
            return nil
        }
        if let problem = answer.problem, problem.isMessageTooLarge {
            fruitless = 0
            hand(outTooLarge: uid, nil)
            return nil
        }
        failed.append(self.trouble(uid, answer))
        return answer.problem
    }

    // MARK: - Whether it is whole

    /// Whether a message of `body` is `size` bytes long, whatever the server stores at the ends of lines: it may count CRLF for each LF of what
    /// it gives, or LF for each CRLF.
    private func fits(_ body: [UInt8], _ size: UInt64?) -> Bool {
        guard let size else { return false }
        if size == UInt64(body.count) { return true }
        var ends = 0
        var pairs = 0
        var last: UInt8 = 0
        for byte in body {
            if byte == 0x0a {
                ends += 1
                if last == 0x0d { pairs += 1 }
            }
            last = byte
        }
        return size == UInt64(body.count - pairs) || size == UInt64(body.count + ends - pairs)
    }

    /// Whether this server's sizes say nothing: hMailServer's and Exchange's are often guesses, and there no message would ever be read.
    private var guessesSizes: Bool { mismatched >= limits.guessedSizes && mismatched >= matched }

    /// Why these bytes are not to be taken for the message; nil if they are.
    private func objection(to body: [UInt8], _ uid: UInt32, _ size: UInt64?) throws(IMAPError) -> Trouble? {
        if body.isEmpty {
            var objection = Trouble(uid, "the server gives an empty message")
            objection.isCounted = true
            return objection
        }
        if fits(body, size) { return nil }
        let said = size.map { "RFC822.SIZE says \($0)" } ?? "RFC822.SIZE is not said"
        var objection = Trouble(uid, "the server gives \(body.count) bytes, and \(said)", code: .sizeMismatch)
        objection.isCounted = true
        guard guessesSizes else { return objection }
        // Then the server's word for it that nothing is missing at the end.
        let deadline = core.runDeadline
        let failures = fruitless
        let result = try core.withTurn { () throws(IMAPError) in
            try core.attempt(until: deadline, after: failures) { (session) throws(IMAPError) in try session.ends(uid, at: body.count) }
        }
        if case .success(true) = result { return nil }
        return objection
    }

    // MARK: - Handing out

    /// Puts a message into the queue, unless it is known by its content.
    private func hand(out body: [UInt8], _ uid: UInt32) {
        let place = "\(core.account.place)#\(uid)"
        var key = String(uid)
        if core.shared.read({ $0.uidValidity == nil }) {
            key = sha256Text(body)
            let isFirst = core.shared.update { shared -> Bool in
                shared.uids[key, default: []].append(uid)
                return shared.uids[key]?.count == 1
            }
            if !isFirst || core.isKnown(key) {
                core.shared.update { shared in
                    shared.known += 1
                    shared.expected = shared.expected.map { $0 - 1 }
                }
                return
            }
        }
        let held = HeldBytes(body, core)
        enqueue(
            Message(key: key, place: place, form: .mail, deliveredAt: deliveries[uid]) { (buffer: inout [UInt8]) throws(MailError) in
                guard let bytes = held.take() else {
                    throw MailError(code: .notDelivered, place: place, found: "it was read already, and fetched only once", errno: EAGAIN)
                }
                buffer = bytes
            }, body.count)
    }

    /// The key of a message whose bytes are not there.
    private func key(_ uid: UInt32, _ size: UInt64? = nil) -> String {
        guard core.shared.read({ $0.uidValidity == nil }) else { return String(uid) }
        return "uid-\(uid)" + (size.map { "-\($0)" } ?? "")
    }

    private func hand(out trouble: Trouble) {
        let place = "\(core.account.place)#\(trouble.uid)"
        hand(out: MailError(code: trouble.code, place: place, found: trouble.reason, errno: trouble.errno), key(trouble.uid))
    }

    private func handOutIfTooLarge(_ uid: UInt32) {
        if let size = sizes[uid], size > UInt64(limits.maxMessageBytes) { hand(outTooLarge: uid, size) }
    }

    private func hand(outTooLarge uid: UInt32, _ size: UInt64?) {
        let key = key(uid, size)
        let isNew = core.shared.update { shared -> Bool in
            if shared.uidValidity == nil, size != nil { shared.uids[key] = [uid] }
            return shared.uidValidity != nil || size == nil || !core.isKnown(key)
        }
        guard isNew else {
            core.shared.update { shared in
                shared.known += 1
                shared.expected = shared.expected.map { $0 - 1 }
            }
            return
        }
        hand(
            out: MailError(
                code: .messageTooLarge, place: "\(core.account.place)#\(uid)",
                found: "more than \(limits.maxMessageBytes) bytes, the limit (limits.message_bytes); it was not fetched"), key)
    }

    private func hand(out number: String) {
        hand(
            out: MailError(
                code: .notDelivered, place: "\(core.account.place)#\(number)",
                found: "the server lists a message of UID \(number); a UID is from 1 to 4294967295", errno: EPROTO), "#" + number)
    }

    private func hand(out error: MailError, _ key: String) {
        enqueue(Message(key: key, place: error.place, form: .mail) { (_: inout [UInt8]) throws(MailError) in throw error }, 0)
    }

    private func enqueue(_ message: Message, _ count: Int) { ready.append((message, count)) }

    /// Lets the readers have what is ready.
    private func enqueue() {
        guard !ready.isEmpty else { return }
        let some = ready
        ready = []
        core.shared.update { shared in Self.enqueue(some, &shared) }
    }

    private static func enqueue(_ some: [(message: Message, bytes: Int)], _ shared: inout MailboxCore.Shared) {
        guard !shared.isClosing else { return }
        shared.queue += some.map(\.message)
        shared.sizes += some.map(\.bytes)
        shared.queuedBytes += some.reduce(0) { $0 + $1.bytes }
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
