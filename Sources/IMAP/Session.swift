/// A folder that is open.
struct OpenFolder: Equatable {
    /// Its name as the server has it, in Unicode.
    var name: String
    /// Nil: the server gives none that could be used, and UIDs may stand for other messages the next time.
    var uidValidity: String?
    /// Nil: the server does not say.
    var messageCount: UInt32?
    var isReadOnly: Bool
    /// In lower case; empty if the server does not say.
    var permanentFlags: [String]
}

/// A connection with what is known of its state: commands out, answers in. Used by one thread at a time.
///
/// Whatever it throws that `endsConnection` leaves it useless; the caller drops it and makes another.
final class Session {
    private let transport: any Transport
    private let limits: IMAPLimits
    private var reader: ResponseReader
    /// Letters that nobody can guess: a mail cannot hold the end of a command.
    private let tagPrefix: String
    private var tagNumber = 0
    /// The command under way, for errors.
    private var command = ""
    /// No command lasts longer than until then.
    var runDeadline: Deadline

    private(set) var capabilities: Set<String> = []
    /// Whether names of folders are UTF-8 on this connection (RFC 6855).
    private(set) var isUTF8 = false
    /// The hierarchy separator, and the prefix of the personal namespace.
    private(set) var separator: Character?
    private(set) var prefix = ""
    private(set) var folder: OpenFolder?

    init(_ transport: any Transport, _ limits: IMAPLimits, runDeadline: Deadline) {
        self.transport = transport
        self.limits = limits
        self.runDeadline = runDeadline
        reader = ResponseReader(limits)
        var random = SystemRandomNumberGenerator()
        let letters = Array("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        tagPrefix = String((0..<12).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] }) + "x"
    }

    var certificate: CertificateFacts? { transport.certificate }

    func close() { transport.close() }

    /// RFC 6851; part of IMAP4rev2.
    var canMove: Bool { capabilities.contains("MOVE") || capabilities.contains("IMAP4REV2") }

    /// Whether messages can be removed that are named, and no others: RFC 4315; part of IMAP4rev2.
    var canExpungeOne: Bool { capabilities.contains("UIDPLUS") || capabilities.contains("IMAP4REV2") }

    // MARK: - Commands and answers

    /// When to give up, and whether progress puts it off.
    private struct Patience {
        var deadline: Deadline
        var renews: Bool
        var literalMark: Int
        var textMark: Int
    }

    private func patience(renews: Bool = false, seconds: Double? = nil) -> Patience {
        Patience(
            deadline: min(.after(seconds: seconds ?? limits.readSeconds), runDeadline), renews: renews, literalMark: reader.literalBytes,
            textMark: reader.textBytes)
    }

    private func renew(_ patience: inout Patience) {
        guard patience.renews else { return }
        patience.deadline = min(.after(seconds: limits.readSeconds), runDeadline)
        patience.literalMark = reader.literalBytes
    }

    private func nextResponse(_ patience: inout Patience) throws(IMAPError) -> Response {
        while true {
            switch reader.next() {
            case .value(let raw):
                guard reader.textBytes - patience.textMark <= limits.maxCommandBytes else {
                    throw IMAPError(code: .responseTooLarge, found: "more than \(limits.maxCommandBytes) bytes in answer to one command")
                }
                do throws(Malformed) {
                    return try ResponseParser.parse(raw)
                } catch {
                    throw error.error
                }
            case .malformed(let problem):
                throw problem.error
            case .needMore:
                if reader.literalBytes - patience.literalMark >= IMAPLimits.progressBytes { renew(&patience) }
                // A server that sends without end must not keep us from looking at the clock.
                let deadline = patience.deadline
                guard !deadline.isPast else { throw timeout(deadline) }
                let count: Int
                do throws(IMAPError) {
                    count = try reader.fill { [transport] (bytes) throws(IMAPError) in
                        try transport.receive(into: bytes, deadline: deadline)
                    }
                } catch {
                    throw error.code == .timeout ? timeout(deadline) : error
                }
                if count == 0 { throw IMAPError(code: .lost, found: command + ": the server closed the connection") }
            }
        }
    }

    private func timeout(_ deadline: Deadline) -> IMAPError {
        let found =
            deadline == runDeadline
            ? "the run has lasted too long; its limit was reached" : "the server did not answer within \(limits.readSeconds) s"
        return IMAPError(code: .timeout, found: command + ": " + found)
    }

    private func send(_ bytes: [UInt8], _ patience: Patience) throws(IMAPError) {
        var failure: IMAPError?
        bytes.withUnsafeBytes { bytes in
            do throws(IMAPError) {
                try transport.send(bytes, deadline: patience.deadline)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Sends a command and hands each answer to `handle`, until its end, which is returned whatever it is.
    ///
    /// - Parameters:
    ///   - renews: whether time-outs count from the last message or 64 KiB that arrived.
    ///   - onContinuation: what is sent, with CRLF behind it, when the server asks for more. Without it that is a breach.
    @discardableResult
    func run(
        _ command: consuming Command, renews: Bool = false, seconds: Double? = nil,
        _ handle: (Response) throws(IMAPError) -> Void = { _ in },
        onContinuation: ((String) throws(IMAPError) -> [UInt8])? = nil
    ) throws(IMAPError) -> Status {
        defer { command.wipeAll() }
        tagNumber += 1
        self.command = command.name
        let tag = Array((tagPrefix + String(tagNumber)).utf8)
        var patience = patience(renews: renews, seconds: seconds)
        if let status = try send(command, tag, &patience, handle) { return status }
        while true {
            let response = try nextResponse(&patience)
            if let status = try end(response, tag, command.name, handle) { return status }
            if case .continuation(let text) = response {
                guard let onContinuation else {
                    throw IMAPError(code: .malformed, found: "\(command.name): the server asks for more of a command that is complete")
                }
                var answer = try onContinuation(text)
                answer += [0x0d, 0x0a]
                defer { wipe(&answer) }
                try send(answer, patience)
            }
            if case .fetch = response { renew(&patience) }
        }
    }

    /// Sends all parts. A status: the server has ended the command before it was complete.
    private func send(
        _ command: borrowing Command, _ tag: [UInt8], _ patience: inout Patience, _ handle: (Response) throws(IMAPError) -> Void
    ) throws(IMAPError) -> Status? {
        var line = tag + [0x20]
        defer { wipe(&line) }
        for part in command.parts {
            switch part {
            case .text(let text):
                line.append(contentsOf: text)
            case .literal(let bytes):
                // LITERAL+ and LITERAL- (RFC 7888) would save a round trip; this is rare enough to do without.
                line.append(contentsOf: Array("{\(bytes.count)}\r\n".utf8))
                try send(line, patience)
                wipe(&line)
                waiting: while true {
                    let response = try nextResponse(&patience)
                    if case .continuation = response { break waiting }
                    if let status = try end(response, tag, command.name, handle) { return status }
                }
                line.append(contentsOf: bytes)
            }
        }
        line += [0x0d, 0x0a]
        try send(line, patience)
        return nil
    }

    /// What any response means for a command under way; a status ends it.
    private func end(
        _ response: Response, _ tag: [UInt8], _ name: String, _ handle: (Response) throws(IMAPError) -> Void
    ) throws(IMAPError) -> Status? {
        switch response {
        case .tagged(let answered, let status):
            guard answered == tag else {
                throw IMAPError(code: .malformed, found: "\(name): the end of a command that was not sent: \(clipped(answered))")
            }
            return status
        case .status(let status) where status.word == .bye && name != "LOGOUT":
            throw IMAPError(code: .lost, found: "the server ends the session: \(status.text)")
        case .status(let status) where status.word == .preauth:
            throw IMAPError(code: .malformed, found: "a greeting amid the session: \(status.text)")
        case .continuation:
            break
        default:
            try handle(response)
        }
        return nil
    }

    /// As `run`, but NO and BAD are thrown.
    ///
    /// - Throws: also `imap-refused`.
    @discardableResult
    func require(
        _ command: consuming Command, renews: Bool = false, _ handle: (Response) throws(IMAPError) -> Void = { _ in }
    ) throws(IMAPError) -> Status {
        let name = command.name
        let status = try run(command, renews: renews, handle)
        guard status.word == .ok else { throw Self.refusal(name, status) }
        return status
    }

    static func refusal(_ name: String, _ status: Status, code: IMAPError.Code = .refused) -> IMAPError {
        IMAPError(code: code, found: "\(name): \(status.word.rawValue) \(status.text)")
    }

    // MARK: - Beginning and end

    func askCapabilities() throws(IMAPError) {
        var found: Set<String> = []
        let status = try require(Command("CAPABILITY")) { (response) throws(IMAPError) in
            if case .capability(let words) = response { found = Set(words) }
            if case .status(let status) = response, case .capability(let words)? = status.code { found = Set(words) }
        }
        if case .capability(let words)? = status.code { found.formUnion(words) }
        // An OK without the answer: what was named before the login, over TLS as well, has to do.
        if found.isEmpty { found = capabilities }
        guard found.contains("IMAP4REV1") || found.contains("IMAP4REV2") else {
            throw IMAPError(code: .malformed, found: "the server names neither IMAP4rev1 nor IMAP4rev2 among its capabilities")
        }
        capabilities = found
    }

    /// What there is to know before a folder can be named. To be called after the login.
    ///
    /// - Parameter version: of this program, for servers that refuse everything else until they know who asks.
    func prepare(version: String = "") throws(IMAPError) {
        // What was said before the login does not count.
        try askCapabilities()
        // RFC 2971. The name and the version, nothing about the machine. Whatever comes of it is of no concern.
        if capabilities.contains("ID") {
            var command = Command("ID (\"name\" \"dmarcstat\"")
            if !version.isEmpty {
                command.append(Array(" \"version\"".utf8))
                command.add(Array(version.utf8))
            }
            command.append(Array(")".utf8))
            _ = try run(command)
        }
        if capabilities.contains("ENABLE"), capabilities.contains("UTF8=ACCEPT") {
            var isEnabled = false
            let status = try run(Command("ENABLE UTF8=ACCEPT")) { (response) throws(IMAPError) in
                if case .enabled(let words) = response, words.contains("UTF8=ACCEPT") { isEnabled = true }
            }
            isUTF8 = isEnabled && status.word == .ok
        }
        if capabilities.contains("NAMESPACE") {
            var personal: ListedFolder?
            _ = try run(Command("NAMESPACE")) { (response) throws(IMAPError) in
                if case .namespace(let namespace) = response { personal = namespace }
            }
            if let personal {
                separator = personal.separator.map { Character(Unicode.Scalar($0)) }
                prefix = name(personal.name) ?? ""
            }
        }
        if separator == nil {
            _ = try run(Command("LIST \"\" \"\"")) { (response) throws(IMAPError) in
                if case .list(let root) = response { self.separator = root.separator.map { Character(Unicode.Scalar($0)) } }
            }
        }
    }

    /// Says goodbye and closes.
    func logOut() {
        runDeadline = .after(seconds: limits.goodbyeSeconds)
        _ = try? run(Command("LOGOUT"), seconds: limits.goodbyeSeconds)
        close()
    }

    // MARK: - Folders

    private func bytes(_ name: String) -> [UInt8] { isUTF8 ? Array(name.utf8) : FolderName.encode(name) }

    private func name(_ bytes: [UInt8]) -> String? {
        isUTF8 ? String(validating: bytes, as: UTF8.self) : FolderName.decode(bytes)
    }

    private func command(_ text: String, folder: String) -> Command {
        var command = Command(text)
        command.add(bytes(folder), isUTF8: isUTF8)
        return command
    }

    /// The names that a folder may have here.
    func candidates(_ folder: String) -> [String] { FolderName.candidates(folder, separator: separator, prefix: prefix) }

    /// Opens the first of the folders that there is: for reading alone (EXAMINE), so that nothing can be changed, or for both (SELECT).
    ///
    /// - Throws: `imap-no-folder`.
    @discardableResult
    func open(_ names: [String], toChange: Bool) throws(IMAPError) -> OpenFolder {
        folder = nil
        var refusals: [IMAPError] = []
        for name in names {
            var validity: String?
            var count: UInt32?
            var flags: [String] = []
            let command = command(toChange ? "SELECT" : "EXAMINE", folder: name)
            let status = try run(command) { (response) throws(IMAPError) in
                switch response {
                case .exists(let number): count = number
                case .status(let status):
                    if case .uidValidity(let text)? = status.code { validity = text }
                    if case .permanentFlags(let words)? = status.code { flags = words }
                default: break
                }
            }
            guard status.word == .ok else {
                refusals.append(Self.refusal(toChange ? "SELECT \(name)" : "EXAMINE \(name)", status, code: .noFolder))
                continue
            }
            if case .uidValidity(let text)? = status.code { validity = text }
            let opened = OpenFolder(
                name: name, uidValidity: validity, messageCount: count, isReadOnly: !toChange || status.code == .readOnly,
                permanentFlags: flags)
            folder = opened
            return opened
        }
        throw refusals.first ?? IMAPError(code: .noFolder, found: "no folder was named")
    }

    /// The folder that is named exactly so; nil if there is none.
    func find(_ name: String) throws(IMAPError) -> ListedFolder? {
        var command = Command("LIST \"\"")
        command.add(bytes(name), isUTF8: isUTF8)
        var found: ListedFolder?
        try require(command) { (response) throws(IMAPError) in
            // A name may hold `*` or `%`, which LIST takes for wildcards.
            guard case .list(let folder) = response, let listed = self.name(folder.name), FolderName.isSame(listed, name) else { return }
            let isThere = !folder.attributes.contains("\\nonexistent") && !folder.attributes.contains("\\noselect")
            if isThere { found = folder }
        }
        return found
    }

    /// Makes a folder. That it is there already is success.
    func create(_ name: String) throws(IMAPError) {
        let status = try run(command("CREATE", folder: name))
        guard status.word == .ok || status.code == .alreadyExists else { throw Self.refusal("CREATE \(name)", status) }
    }

    // MARK: - Messages

    /// What a listing names: UIDs, ascending, and numbers that no message can have.
    struct Listing: Equatable {
        var uids: [UInt32] = []
        var odd: [String] = []
    }

    /// The messages of the folder.
    ///
    /// - Parameter since: days since 1970-01-01.
    func search(since: Int?) throws(IMAPError) -> Listing {
        // Some servers answer BAD to a SEARCH in an empty folder.
        guard folder?.messageCount != 0 else { return Listing() }
        var listing = Listing()
        var isAnswered = false
        let criterion = since.map { "SINCE " + searchDate(daysSince1970: max($0, -700_000) - 1) } ?? "ALL"
        try require(Command("UID SEARCH " + criterion)) { [limits] (response) throws(IMAPError) in
            guard case .search(let found, let odd) = response else { return }
            isAnswered = true
            try Self.add(found, odd, to: &listing, limits)
        }
        // An OK without the answer, or an empty one for a folder that is not empty, is no reason to believe that there is nothing.
        let isEmpty = listing.uids.isEmpty && listing.odd.isEmpty
        if isEmpty, since == nil, folder?.messageCount != nil || !isAnswered {
            try require(Command("UID FETCH 1:* (UID)"), renews: true) { [limits] (response) throws(IMAPError) in
                guard case .fetch(let message) = response, let uid = message.uid else { return }
                try Self.add([uid], [], to: &listing, limits)
            }
        }
        listing.uids = Array(Set(listing.uids)).sorted()
        listing.odd = Array(Set(listing.odd)).sorted()
        return listing
    }

    private static func add(_ found: [UInt32], _ odd: [String], to listing: inout Listing, _ limits: IMAPLimits) throws(IMAPError) {
        guard listing.uids.count + found.count <= limits.maxListedMessages, listing.odd.count + odd.count <= IMAPLimits.maxOddNumbers
        else {
            throw IMAPError(
                code: .responseTooLarge, found: "more than \(limits.maxListedMessages) messages in the folder; `since` limits them")
        }
        listing.uids += found
        listing.odd += odd
    }

    /// The sizes of messages in bytes and when they came into the mailbox, as far as the server says so, and its refusal if it refuses some.
    ///
    /// What is said of messages that were not asked for is news about them, and passed over.
    func fetchSizes(_ uids: some Collection<UInt32>) throws(IMAPError) -> (
        sizes: [UInt32: UInt64], deliveries: [UInt32: Int], refusal: IMAPError?
    ) {
        var sizes: [UInt32: UInt64] = [:]
        var deliveries: [UInt32: Int] = [:]
        let wanted = Set(uids)
        let status = try run(Command("UID FETCH \(uidSet(uids)) (UID RFC822.SIZE INTERNALDATE)"), renews: true) {
            (response) throws(IMAPError) in
            guard case .fetch(let message) = response, let uid = message.uid, wanted.contains(uid) else { return }
            if let size = message.size { sizes[uid] = size }
            if let time = message.deliveredAt { deliveries[uid] = time }
        }
        return (sizes, deliveries, status.word == .ok ? nil : Self.refusal("UID FETCH", status))
    }

    /// What came in place of a message.
    enum Oddity {
        /// `NIL`.
        case nothing
        /// Two that are not the same.
        case twice
    }

    /// Hands each message that is there to `handle`, whole, as it arrives, or what came in its place; nothing is marked read.
    ///
    /// A body that names no UID, or one that was not asked for, is passed over: nobody can tell whose it is.
    ///
    /// - Parameter maxBytes: of all of them together.
    /// - Returns: how the command ended.
    func fetchBodies(
        _ uids: some Collection<UInt32>, maxBytes: Int, _ handle: (UInt32, [UInt8]?, Oddity?) -> Void
    ) throws(IMAPError) -> Status {
        let wanted = Set(uids)
        var given: Set<UInt32> = []
        var bytes = 0
        return try run(Command("UID FETCH \(uidSet(uids)) (UID BODY.PEEK[])"), renews: true) { (response) throws(IMAPError) in
            // Without a body it is news of flags that somebody else has changed.
            guard case .fetch(let message) = response, message.hasBody else { return }
            bytes += message.body?.count ?? 0
            guard bytes <= maxBytes else {
                throw IMAPError(
                    code: .responseTooLarge, found: "messages of \(bytes) bytes where \(maxBytes) are the limit", mayPass: false,
                    isMessageTooLarge: true)
            }
            guard let uid = message.uid, wanted.contains(uid) else { return }
            guard given.insert(uid).inserted else { return handle(uid, nil, .twice) }
            if let body = message.body { handle(uid, body, nil) } else { handle(uid, nil, .nothing) }
        }
    }

    /// Whether the server says that the message has no byte after the first `count`.
    func ends(_ uid: UInt32, at count: Int) throws(IMAPError) -> Bool {
        var ends = false
        let status = try run(Command("UID FETCH \(uid) (UID BODY.PEEK[]<\(count).64>)"), renews: true) { (response) throws(IMAPError) in
            guard case .fetch(let message) = response, message.uid == uid, let rest = message.rest else { return }
            ends = rest.origin == count && rest.count == 0
        }
        return status.word == .ok && ends
    }

    /// Adds a flag to messages; those that are gone are passed over.
    func add(flag: String, to uids: some Collection<UInt32>) throws(IMAPError) {
        try require(Command("UID STORE \(uidSet(uids)) +FLAGS.SILENT (\(flag))"))
    }

    /// Moves messages (RFC 6851).
    func move(_ uids: some Collection<UInt32>, to name: String) throws(IMAPError) {
        try require(command("UID MOVE \(uidSet(uids))", folder: name))
    }

    /// Copies messages: all or none (RFC 9051 section 6.4.7).
    func copy(_ uids: some Collection<UInt32>, to name: String) throws(IMAPError) {
        try require(command("UID COPY \(uidSet(uids))", folder: name))
    }

    /// Removes messages that bear the flag \Deleted: these alone (RFC 4315), never all that bear it.
    func expunge(_ uids: some Collection<UInt32>) throws(IMAPError) {
        try require(Command("UID EXPUNGE \(uidSet(uids))"))
    }
}
