import Glibc
import Synchronization

/// A directory of files, at any depth, or one file. Maildirs and mboxes among them are read as such.
final class FileTree: Mailbox {
    let identifier: String
    private let place: String
    private let root: Descriptor
    private let limits: MailLimits
    private let excluding: Set<String>
    private let isKnown: @Sendable (String) -> Bool
    /// The name of the only file, or nil for all that is below `root`.
    private let onlyFile: String?
    private let state = Mutex(State())

    private struct State {
        var isListed = false
        var items: [Item] = []
        var handedOut = 0
        var known = 0
        var oddities: [MailError] = []
        /// Where the files handed out are, by key.
        var paths: [String: String] = [:]
    }

    /// Something to be read, in the order of paths.
    private struct Item {
        var path: String
        var kind: Kind

        var isMailbox: Bool { if case .mailbox = kind { true } else { false } }
    }

    private enum Kind {
        case file(key: String)
        case mailbox(any Mailbox)
    }

    /// - Parameters:
    ///   - identifier: the canonical path.
    ///   - place: the path as given by the user.
    ///   - root: the directory.
    init(
        identifier: String, place: String, root: Descriptor, onlyFile: String?, limits: MailLimits, excluding: [String] = [],
        isKnown: @escaping @Sendable (String) -> Bool
    ) {
        self.identifier = identifier
        self.place = place
        self.root = root
        self.onlyFile = onlyFile
        self.limits = limits
        self.excluding = Set(excluding)
        self.isKnown = isKnown
    }

    var expectedCount: Int? {
        state.withLock { state in
            guard state.isListed else { return nil }
            var sum = 0
            for item in state.items {
                switch item.kind {
                case .file: sum += 1
                case .mailbox(let inner):
                    guard let count = inner.expectedCount else { return nil }
                    sum += count
                }
            }
            return sum
        }
    }

    var knownCount: Int { state.withLock { state in state.known + inner(state).reduce(0) { $0 + $1.knownCount } } }
    var oddities: [MailError] { state.withLock { state in state.oddities + inner(state).flatMap(\.oddities) } }
    var isLookedThrough: Bool { oddities.allSatisfy { !$0.isOurFault } }

    func newestDeliveries(_ count: Int) -> [Int] {
        state.withLock { state in
            if !state.isListed { list(&state) }
            return Array(inner(state).flatMap { $0.newestDeliveries(count) }.sorted(by: >).prefix(count))
        }
    }

    private func inner(_ state: borrowing State) -> [any Mailbox] {
        state.items.compactMap { if case .mailbox(let inner) = $0.kind { inner } else { nil } }
    }

    func next(_ limit: Int) throws(MailError) -> [Message] {
        // Held while listing as well, so that figures asked for meanwhile are whole.
        let result = state.withLock { state -> Result<[Message], MailError> in
            if !state.isListed { list(&state) }
            var messages: [Message] = []
            while messages.count < limit, state.handedOut < state.items.count {
                let item = state.items[state.handedOut]
                switch item.kind {
                case .file(let key):
                    messages.append(message(key, item.path))
                    state.handedOut += 1
                case .mailbox(let inner):
                    do throws(MailError) {
                        let more = try inner.next(limit - messages.count)
                        if more.isEmpty { state.handedOut += 1 }
                        messages += more.map { prefixed($0, item.path) }
                    } catch {
                        state.handedOut += 1
                        state.oddities.append(error)
                    }
                }
            }
            return .success(messages)
        }
        return try result.get()
    }

    private func prefixed(_ message: Message, _ path: String) -> Message {
        Message(key: path + "/" + message.key, place: message.place, form: message.form, deliveredAt: message.deliveredAt) {
            (buffer: inout [UInt8]) throws(MailError) in try message.read(into: &buffer)
        }
    }

    private func message(_ key: String, _ path: String) -> Message {
        let place = below(path)
        return Message(key: key, place: place, form: .file) {
            [root, limits] (buffer: inout [UInt8]) throws(MailError) in
            let problem = try readRegularFile(
                root.number, path, limit: limits.maxMessageBytes, place: place, into: &buffer)
            if problem != 0 { throw MailError(code: .vanished, place: place, found: "it is no longer there") }
        }
    }

    private func below(_ path: String) -> String {
        if onlyFile != nil { return place }
        return place.hasSuffix("/") ? place + path : place + "/" + path
    }

    // MARK: Listing

    private func list(_ state: inout State) {
        state.isListed = true
        if let onlyFile {
            var status = stat()
            let isThere = fstatat(root.number, onlyFile, &status, AT_SYMLINK_NOFOLLOW) == 0
            add(onlyFile, isThere ? status : nil, &state)
        } else {
            list("", depth: 0, &state)
            state.items.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        }
    }

    private func list(_ folder: String, depth: Int, _ state: inout State) {
        var names: [String] = []
        let path = folder.isEmpty ? "." : folder
        let problem = forEachName(in: root.number, path) { name in
            guard name[0] != UInt8(ascii: ".") else { return }
            guard let text = String(validating: name, as: UTF8.self) else {
                // It could not be opened again by its text. In a maildir names are kept as bytes; here they are for people.
                let place = below(folder.isEmpty ? Mail.text(of: name) : folder + "/" + Mail.text(of: name))
                state.oddities.append(MailError(code: .malformedName, place: place, found: "a name that is no UTF-8"))
                return
            }
            let path = folder.isEmpty ? text : folder + "/" + text
            if !excluding.contains(path) { names.append(path) }
        }
        if problem != 0 { state.oddities.append(.system(problem, place: below(path))) }
        for name in names {
            var status = stat()
            let isThere = fstatat(root.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0
            guard isThere, status.st_mode & S_IFMT == S_IFDIR else {
                add(name, isThere ? status : nil, &state)
                continue
            }
            do throws(MailError) {
                if try isMaildir(root.number, name, place: below(name)) {
                    try addMaildir(name, &state)
                } else {
                    try listPlain(name, depth, &state)
                }
            } catch {
                state.oddities.append(error)
            }
        }
    }

    private func addMaildir(_ name: String, _ state: inout State) throws(MailError) {
        guard let directory = openDirectory(root.number, name) else { throw .system(errno, place: below(name)) }
        let inner = Maildir(identifier: identifier + "/" + name, place: below(name), root: directory, limits: limits) {
            [isKnown] in isKnown(name + "/" + $0)
        }
        state.items.append(Item(path: name, kind: .mailbox(inner)))
    }

    private func listPlain(_ name: String, _ depth: Int, _ state: inout State) throws(MailError) {
        guard depth < MailLimits.maxDirectoryDepth else {
            let found = "directories nested deeper than \(MailLimits.maxDirectoryDepth)"
            throw MailError(code: .unreadableFile, place: below(name), found: found)
        }
        list(name, depth: depth + 1, &state)
    }

    private func add(_ path: String, _ status: stat?, _ state: inout State) {
        guard let status else {
            let found = "it is no longer there"
            state.oddities.append(MailError(code: .vanished, place: below(path), found: found))
            return
        }
        if let kind = irregularKind(status.st_mode) {
            state.oddities.append(MailError(code: .notARegularFile, place: below(path), found: kind))
            return
        }
        let nanoseconds = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
        let key = "\(path) \(status.st_size) \(nanoseconds)"
        if isKnown(key) {
            state.known += 1
            return
        }
        if onlyFile == nil, mayBeMbox(path), beginsLikeMbox(path) {
            let isKnownInside: @Sendable (String) -> Bool = { [isKnown] in isKnown(path + "/" + $0) }
            if let mbox = Mbox(root, path, place: below(path), limits: limits, isKnown: isKnownInside) {
                state.items.append(Item(path: path, kind: .mailbox(mbox)))
                return
            }
        }
        state.items.append(Item(path: path, kind: .file(key: key)))
        state.paths[key] = path
    }

    /// Saves opening files whose name tells that they are reports. A mail or an mbox may have any other name.
    private func mayBeMbox(_ path: String) -> Bool {
        ![".gz", ".zip", ".xml"].contains { path.hasSuffix($0) }
    }

    private func beginsLikeMbox(_ path: String) -> Bool {
        let number = openat(root.number, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard number >= 0 else { return false }
        defer { close(number) }
        return isMbox(number)
    }

    // MARK: Afterwards

    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        var problems: [MailError] = []
        let (paths, items) = state.withLock { ($0.paths, $0.items) }
        for (key, action) in messages where action != .leave {
            if let path = paths[key] {
                let problem = settle(path, action)
                if problem != 0 { problems.append(.system(problem, .notSettled, place: below(path))) }
            } else if let item = items.first(where: { $0.isMailbox && key.hasPrefix($0.path + "/") }),
                case .mailbox(let inner) = item.kind
            {
                problems += inner.settle([(String(key.dropFirst(item.path.count + 1)), action)])
            } else {
                problems.append(MailError(code: .notSettled, place: place, found: "no file \(key)"))
            }
        }
        return problems
    }

    private func settle(_ path: String, _ action: AfterAction) -> Int32 {
        switch action {
        case .leave, .markSeen:
            // Files have no mark.
            return 0
        case .delete:
            return unlinkat(root.number, path, 0) == 0 || errno == ENOENT ? 0 : errno
        case .move(let folder):
            if mkdirat(root.number, folder, 0o700) != 0, errno != EEXIST { return errno }
            let number = openat(root.number, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard number >= 0 else { return errno }
            let target = Descriptor(number)
            let name = path.split(separator: "/").last.map(String.init) ?? path
            // Only its number is used, which must stay open until the call is over.
            return withExtendedLifetime(target) {
                renameWithoutReplacing(path, below: root.number, to: name, below: target.number)
            }
        }
    }
}
