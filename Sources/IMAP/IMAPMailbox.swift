import Glibc
import Mail

/// A folder on an IMAP server (RFC 3501, RFC 9051) as a mailbox.
///
/// What is known is never fetched: the keys are UIDs, and `identifier` holds the UIDVALIDITY that they belong to. Where the server gives
/// none, UIDs mean nothing the next time: the keys are then the SHA-256 of the messages, and all are fetched to be compared. Messages are
/// fetched by a thread of its own, ahead of those that read them, with BODY.PEEK[] in a folder that is opened for reading alone until
/// something is to be changed in it. A lost connection is made again; what was handed out is not handed out again.
///
/// Every message that the server lists comes to something: it is known, handed out, or no longer there when the server is asked again. One
/// that it does not give, or not as it says it is, is handed out as a message that cannot be read now; no other has to wait for it.
///
/// One connection serves for fetching and settling. `close`, or the end of this object, says goodbye to the server.
public final class IMAPMailbox: Mailbox {
    private let core: MailboxCore

    /// A mailbox that is not connected yet.
    ///
    /// - Parameter isKnown: whether the ledger knows the message of this key, a UID as text; called from another thread, from the first
    ///   `next` on.
    public convenience init(account: IMAPAccount, limits: IMAPLimits = IMAPLimits(), isKnown: @escaping @Sendable (_ key: String) -> Bool) {
        self.init(account: account, limits: limits, isKnown: isKnown) {
            (account, limits, deadline, isCancelled) throws(IMAPError) in
            try CurlTransport(account, limits, deadline: deadline, isCancelled: isCancelled)
        }
    }

    init(
        account: IMAPAccount, limits: IMAPLimits, isKnown: @escaping @Sendable (_ key: String) -> Bool, connect: @escaping Connect
    ) {
        core = MailboxCore(account, limits, isKnown, connect)
    }

    deinit { core.close() }

    /// `imap://user@host:port/folder;UIDVALIDITY=n` (RFC 5092), without the end where the server gives no UIDVALIDITY; complete once `open`
    /// has returned.
    public var identifier: String {
        core.shared.read { shared in core.account.address + (shared.uidValidity.map { ";UIDVALIDITY=\($0)" } ?? "") }
    }

    /// The number of messages that are not known yet; nil until the server has listed them.
    public var expectedCount: Int? { core.shared.read { $0.expected } }

    /// The number of messages passed over because the ledger knows them.
    public var knownCount: Int { core.shared.read { $0.known } }

    /// What the server has listed, and what of it was gone when it was asked again; nil before that.
    public var listing: MailboxListing? {
        core.shared.read { shared in
            shared.named.map { MailboxListing(named: $0, vanished: shared.vanished, family: core.account.address + ";UIDVALIDITY=") }
        }
    }

    /// Asks for these after all others, as far as keys are UIDs.
    public func tryLast(_ keys: Set<String>) { core.shared.update { $0.late = keys } }

    /// Without MOVE (RFC 6851) a message is copied, and a second time would be a second copy.
    public func isRepeatable(_ action: AfterAction) -> Bool {
        if case .move = action { return core.shared.read { $0.canMove } }
        return true
    }

    /// None: on a server all is a message.
    public var oddities: [MailError] { [] }

    /// What ended the fetching, if anything did: what `next` throws as a `MailError`.
    public var failure: IMAPError? { core.shared.read { $0.failure } }

    /// Connects, logs in and opens the folder, unless that is done.
    ///
    /// - Returns: the complete `identifier`.
    /// - Throws: every code but `imap-refused` and `imap-cancelled`.
    @discardableResult
    public func open() throws(IMAPError) -> String {
        try core.open()
        return identifier
    }

    /// The next messages in the order of their UIDs; waits until there is one. Their bytes are in memory until they are read, which can
    /// be done once.
    public func next(_ limit: Int) throws(MailError) -> [Message] {
        do throws(IMAPError) {
            return try core.next(limit)
        } catch {
            throw error.mailError
        }
    }

    /// As far as the server says so of the messages that it is asked for first, and of the last ones of a long list. It costs one command at
    /// most that is not needed anyway.
    public func newestDeliveries(_ count: Int) -> [Int] { core.newestDeliveries(count) }

    /// Marks, moves and deletes on the server. A message that is gone already counts as done.
    ///
    /// - Returns: one error for each command that failed, however many messages it was about.
    public func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] { core.settle(messages) }

    /// Ends the fetching and the connection. Messages handed out stay readable.
    public func close() { core.close() }
}

/// Makes a connection. The last argument says whether to give up.
typealias Connect = @Sendable (IMAPAccount, IMAPLimits, Deadline, @escaping @Sendable () -> Bool) throws(IMAPError) -> any Transport

/// What the mailbox, its fetching thread and those who settle have in common.
///
/// `@unchecked Sendable`: `session`, `reconnections`, `loss`, `isWritable`, `targets`, `copied` and `unclear` are used by whoever holds `turn` alone; all
/// other stored properties are immutable and Sendable.
final class MailboxCore: @unchecked Sendable {
    let account: IMAPAccount
    let limits: IMAPLimits
    let isKnown: @Sendable (String) -> Bool
    let shared = Monitor(Shared())
    private let connect: Connect
    private let turn = Monitor(Turn())

    private var session: Session?
    private var reconnections = 0
    /// What ended the connection while messages were asked for, and how often in a row that happened, until it is made anew.
    private var loss: (error: IMAPError, failures: Int)?
    /// Whether something is to be changed in the folder.
    private var isWritable = false
    /// Folders to move to that are known to be there: as the user writes them, and as the server does.
    private var targets: [String: String] = [:]
    /// Messages that were copied to the folder they are to be moved to, and those of which nobody knows whether they were.
    private var copied: Set<UInt32> = []
    private var unclear: Set<UInt32> = []

    /// What every thread may see.
    struct Shared {
        var uidValidity: String?
        /// Whether the folder was opened, and `uidValidity` is known or known to be missing.
        var isOpened = false
        /// Whether the server can move messages.
        var canMove = false
        /// Messages that the server has listed, and those of them that were gone when it was asked again.
        var named: Int?
        var vanished = 0
        /// Keys of messages that an earlier run could not read.
        var late: Set<String> = []
        /// Where the server gives no UIDVALIDITY: the messages of each key.
        var uids: [String: [UInt32]] = [:]
        /// No message is fetched after it.
        var runDeadline: Deadline?
        var queue: [Message] = []
        /// Messages of `queue` that are handed out.
        var handedOut = 0
        /// Bytes of each message in `queue`.
        var sizes: [Int] = []
        var queuedBytes = 0
        /// Bytes of messages in memory, in the queue or handed out.
        var heldBytes = 0
        var expected: Int?
        var known = 0
        /// How many wait for a message.
        var waiting = 0
        var isComplete = false
        var failure: IMAPError?
        var isFetching = false
        var hasBegun = false
        /// Somebody waits for a message, or has.
        var isWanted = false
        /// Somebody wants to know when the newest messages came in before any is wanted; and the answer, the latest first.
        var asksDeliveries = false
        var deliveries: [Int]?
        var isClosing = false
        /// The goodbye to the server may take its time although the mailbox is closing.
        var isLeaving = false
    }

    private struct Turn {
        var isTaken = false
        /// Those who settle go first, or they would wait for the end of the folder.
        var settlers = 0
    }

    init(_ account: IMAPAccount, _ limits: IMAPLimits, _ isKnown: @escaping @Sendable (String) -> Bool, _ connect: @escaping Connect) {
        self.account = account
        self.limits = limits.sane
        self.isKnown = isKnown
        self.connect = connect
    }

    // MARK: - The connection

    /// Calls `body` while no other thread uses the connection.
    func withTurn<Result>(isSettling: Bool = false, _ body: () throws(IMAPError) -> Result) throws(IMAPError) -> Result {
        if isSettling { turn.update { $0.settlers += 1 } }
        _ = turn.wait { turn -> Bool? in
            guard !turn.isTaken, isSettling || turn.settlers == 0 else { return nil }
            turn.isTaken = true
            if isSettling { turn.settlers -= 1 }
            return true
        }
        defer { turn.update { $0.isTaken = false } }
        return try body()
    }

    /// Calls `body` with a session in which the folder is open; makes the connection anew and calls it again when it is lost. To be called
    /// by whoever has the turn.
    func withSession<Result>(
        until deadline: Deadline, _ body: (Session) throws(IMAPError) -> Result
    ) throws(IMAPError) -> Result {
        var failures = 0
        while true {
            do throws(IMAPError) {
                let session = try connected(deadline)
                session.runDeadline = deadline
                return try body(session)
            } catch {
                if error.endsConnection { drop() }
                guard error.mayPass, failures < limits.retries else { throw error.at(account.place) }
                failures += 1
                try pause(failures, error, deadline)
            }
        }
    }

    /// Calls `body` with a session in which the folder is open, once: what it throws is returned, because it may be about the messages that
    /// were asked for. To be called by whoever has the turn.
    ///
    /// - Parameter failures: how many of these have failed in a row.
    /// - Throws: what is about the folder as a whole: the server is gone, the time was over before, the mailbox was closed.
    func attempt<Result>(
        until deadline: Deadline, after failures: Int, _ body: (Session) throws(IMAPError) -> Result
    ) throws(IMAPError) -> Swift.Result<Result, IMAPError> {
        if deadline.isPast {
            throw loss?.error.at(account.place)
                ?? IMAPError(code: .timeout, place: account.place, found: "the run has lasted too long; its limit was reached")
        }
        if let (error, failures) = loss {
            try pause(failures, error, deadline)
            loss = nil
        }
        let session = try withSession(until: deadline) { (session) throws(IMAPError) in session }
        do throws(IMAPError) {
            return .success(try body(session))
        } catch {
            if error.endsConnection { drop() }
            if error.code == .cancelled || shared.read({ $0.isClosing }) { throw error.at(account.place) }
            if error.endsConnection { loss = (error, failures + 1) }
            return .failure(error)
        }
    }

    /// Waits before the connection is made anew.
    private func pause(_ failures: Int, _ error: IMAPError, _ deadline: Deadline) throws(IMAPError) {
        guard reconnections < limits.maxReconnections else { throw error.at(account.place) }
        reconnections += 1
        let pause = Deadline.after(seconds: limits.retrySeconds * Double(1 << max(0, min(3, failures - 1))))
        guard pause < deadline else { throw error.at(account.place) }
        if shared.wait(until: pause, { $0.isClosing ? true : nil }) == true { throw error.at(account.place) }
    }

    private func drop() {
        session?.close()
        session = nil
    }

    private func connected(_ deadline: Deadline) throws(IMAPError) -> Session {
        if let session { return session }
        try account.check()
        if shared.read({ $0.isClosing }) { throw IMAPError(code: .cancelled, found: "the mailbox was closed") }
        let shared = shared
        let transport = try connect(account, limits, deadline) { shared.read { $0.isClosing && !$0.isLeaving } }
        let session = Session(transport, limits, runDeadline: deadline)
        do throws(IMAPError) {
            try session.askCapabilities()
            try session.logIn(account)
            try session.prepare(version: account.version)
            let folder = try session.open(session.candidates(account.folder), toChange: isWritable)
            let validity = shared.update { shared -> String? in
                if !shared.isOpened { (shared.isOpened, shared.uidValidity) = (true, folder.uidValidity) }
                shared.canMove = session.canMove
                return shared.uidValidity
            }
            try check(folder, validity)
        } catch {
            if error.endsConnection { session.close() } else { session.logOut() }
            throw error
        }
        self.session = session
        return session
    }

    private func check(_ folder: OpenFolder, _ validity: String?) throws(IMAPError) {
        guard folder.uidValidity != validity else { return }
        throw IMAPError(
            code: .folderChanged,
            found: "its UIDVALIDITY was \(validity ?? "none") and is \(folder.uidValidity ?? "none") now; the next run reads it anew")
    }

    func open() throws(IMAPError) {
        let deadline = runDeadline
        try withTurn { () throws(IMAPError) in try withSession(until: deadline) { (_) throws(IMAPError) in } }
    }

    /// When no message is fetched any more. It begins to count with the first use.
    var runDeadline: Deadline {
        shared.update { [limits] shared in
            let deadline = shared.runDeadline ?? .after(seconds: limits.runSeconds)
            shared.runDeadline = deadline
            return deadline
        }
    }

    func close() {
        // Messages in the queue refer to this object; without them it can go. They go after the lock, which their end takes too.
        let dropped = shared.update { shared -> [Message] in
            shared.isClosing = true
            let dropped = shared.queue
            shared.queue = []
            shared.sizes = []
            (shared.handedOut, shared.queuedBytes) = (0, 0)
            if shared.failure == nil, !shared.isComplete {
                shared.failure = IMAPError(code: .cancelled, place: account.place, found: "the mailbox was closed")
            }
            return dropped
        }
        withExtendedLifetime(dropped) {}
        _ = shared.wait { $0.isFetching ? nil : true }
        try? withTurn { () throws(IMAPError) in
            guard let session else { return }
            shared.update { $0.isLeaving = true }
            session.logOut()
            self.session = nil
        }
    }

    // MARK: - Handing out

    func next(_ limit: Int) throws(IMAPError) -> [Message] {
        guard limit > 0 else { return [] }
        try begin()
        // Said before the wait: whoever fetches must hear of it.
        shared.update { shared in
            shared.waiting += 1
            shared.isWanted = true
        }
        defer { shared.update { $0.waiting -= 1 } }
        let taken: (messages: [Message], failure: IMAPError?)? = shared.wait { [limits] shared in
            if shared.handedOut == shared.queue.count {
                if shared.isComplete { return ([], nil) }
                if let failure = shared.failure { return ([], failure) }
                if shared.isClosing { return ([], IMAPError(code: .cancelled, found: "the mailbox was closed")) }
                return nil
            }
            var bytes = 0
            var end = shared.handedOut
            while end < shared.queue.count, end - shared.handedOut < limit, end == shared.handedOut || bytes < limits.batchBytes {
                bytes += shared.sizes[end]
                end += 1
            }
            let messages = Array(shared.queue[shared.handedOut..<end])
            shared.handedOut = end
            shared.queuedBytes -= bytes
            if end == shared.queue.count {
                shared.queue.removeAll(keepingCapacity: true)
                shared.sizes.removeAll(keepingCapacity: true)
                shared.handedOut = 0
            }
            return (messages, nil)
        }
        if let failure = taken?.failure { throw failure }
        return taken?.messages ?? []
    }

    func newestDeliveries(_ count: Int) -> [Int] {
        shared.update { $0.asksDeliveries = !$0.hasBegun }
        // What went wrong is thrown by `next`.
        try? begin()
        let found = shared.wait { shared -> [Int]? in
            if let deliveries = shared.deliveries { return deliveries }
            return shared.asksDeliveries && shared.failure == nil && !shared.isClosing && !shared.isComplete ? nil : []
        }
        return Array((found ?? []).prefix(max(0, count)))
    }

    /// Starts the thread that fetches, once.
    private func begin() throws(IMAPError) {
        let isFirst = shared.update { shared -> Bool in
            guard !shared.hasBegun, !shared.isClosing else { return false }
            shared.hasBegun = true
            return true
        }
        guard isFirst else { return }
        do throws(IMAPError) {
            try open()
        } catch {
            shared.update { $0.failure = error }
            return
        }
        shared.update { $0.isFetching = true }
        let fetcher = Unmanaged.passRetained(Fetcher(self))
        var thread = pthread_t()
        let problem = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let fetcher = Unmanaged<Fetcher>.fromOpaque(context).takeRetainedValue()
                fetcher.run()
                return nil
            }, fetcher.toOpaque())
        guard problem == 0 else {
            fetcher.release()
            let error = IMAPError(code: .lost, place: account.place, found: "no thread: " + String(cString: strerror(problem)))
            shared.update { shared in
                shared.isFetching = false
                shared.failure = error
            }
            return
        }
        pthread_detach(thread)
    }

    // MARK: - Settling

    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        // In the order of the first message of each kind.
        var groups: [(action: AfterAction, uids: [UInt32])] = []
        var problems: [MailError] = []
        for (key, action) in messages where action != .leave {
            let uids = uids(key)
            if uids.isEmpty { problems.append(MailError(code: .notSettled, place: account.place, found: "no message \(key)")) }
            for uid in uids {
                if let index = groups.firstIndex(where: { $0.action == action }) {
                    groups[index].uids.append(uid)
                } else {
                    groups.append((action, [uid]))
                }
            }
        }
        for index in groups.indices {
            groups[index].uids.sort()
            var rest = groups[index].uids[...]
            while !rest.isEmpty {
                let some = rest.prefix(limits.listMessages)
                rest = rest.dropFirst(some.count)
                do throws(IMAPError) {
                    try withTurn(isSettling: true) { () throws(IMAPError) in try settle(some, groups[index].action) }
                } catch {
                    problems.append(
                        MailError(
                            code: error.code == .halfDone ? .leftInPlace : .notSettled,
                            place: account.place + "#" + uidSet(some.prefix(20)) + (some.count > 20 ? ",…" : ""),
                            found: "\(error.code.rawValue): \(error.found)", errno: error.systemNumber))
                    // A server that is gone is not waited for once more for each 500 messages.
                    if error.endsConnection { return problems }
                }
            }
        }
        return problems
    }

    /// The messages of a key that are in the folder: one, or, where the server gives no UIDVALIDITY, all that are the same.
    private func uids(_ key: String) -> [UInt32] {
        let (isByUID, same) = shared.read { ($0.uidValidity != nil, $0.uids[key] ?? []) }
        if isByUID, let uid = UInt32(key), uid > 0 { return [uid] }
        return same
    }

    private func settle(_ uids: ArraySlice<UInt32>, _ action: AfterAction) throws(IMAPError) {
        let deadline = Deadline.after(seconds: limits.readSeconds)
        do throws(IMAPError) {
            try settle(uids, action, until: deadline)
        } catch {
            guard uids.contains(where: copied.contains) else { throw error }
            throw IMAPError(code: .halfDone, found: "copied, but not removed from this folder: \(error.code.rawValue): \(error.found)")
        }
    }

    private func settle(_ uids: ArraySlice<UInt32>, _ action: AfterAction, until deadline: Deadline) throws(IMAPError) {
        try withSession(until: deadline) { (session) throws(IMAPError) in
            try makeWritable(session)
            switch action {
            case .leave:
                break
            case .markSeen:
                try session.add(flag: "\\Seen", to: uids)
            case .delete:
                try remove(uids, session)
            case .move(let name):
                guard let target = try target(name, session) else { break }
                if session.canMove {
                    try session.move(uids, to: target)
                } else {
                    try copy(uids.filter { !copied.contains($0) }, to: target, session)
                    try remove(uids, session)
                }
            }
        }
    }

    /// Copies, once: what may have been copied is not copied again.
    private func copy(_ uids: [UInt32], to target: String, _ session: Session) throws(IMAPError) {
        guard !uids.isEmpty else { return }
        guard !uids.contains(where: unclear.contains) else {
            throw IMAPError(
                code: .halfDone,
                found: "the connection was lost while it was copied to \(target): nobody knows whether it was, and it stays where it is")
        }
        unclear.formUnion(uids)
        do throws(IMAPError) {
            try session.copy(uids, to: target)
        } catch {
            // All or none (RFC 9051 section 6.4.7): a refusal is none.
            if error.code == .refused { unclear.subtract(uids) }
            throw error
        }
        unclear.subtract(uids)
        copied.formUnion(uids)
    }

    private func makeWritable(_ session: Session) throws(IMAPError) {
        isWritable = true
        if let folder = session.folder, !folder.isReadOnly { return }
        let folder = try session.open(session.candidates(account.folder), toChange: true)
        try check(folder, shared.read { $0.uidValidity })
        guard !folder.isReadOnly else {
            throw IMAPError(code: .refused, found: "the server lets nothing be changed in this folder: it is read-only")
        }
    }

    /// Deletes exactly these messages. Without UIDPLUS (RFC 4315) the server can only remove all that is marked as deleted, whoever marked
    /// it: there they are marked and stay until somebody removes what is marked, which `doctor` says.
    private func remove(_ uids: ArraySlice<UInt32>, _ session: Session) throws(IMAPError) {
        try session.add(flag: "\\Deleted", to: uids)
        if session.canExpungeOne { try session.expunge(uids) }
    }

    /// The folder to move to; made if it is not there. Nil: it is the folder that the messages are in.
    private func target(_ name: String, _ session: Session) throws(IMAPError) -> String? {
        let candidates = session.candidates(name)
        if let current = session.folder?.name, candidates.contains(where: { FolderName.isSame($0, current) }) { return nil }
        if let known = targets[name] { return known }
        for candidate in candidates where try session.find(candidate) != nil {
            targets[name] = candidate
            return candidate
        }
        guard let first = candidates.first else { throw IMAPError(code: .noFolder, found: "no folder was named") }
        try session.create(first)
        targets[name] = first
        return first
    }
}
