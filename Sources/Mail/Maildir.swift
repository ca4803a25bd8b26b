import Glibc
import Synchronization

/// A maildir with its Maildir++ subfolders.
///
/// It is listed by names alone: a message that the ledger knows costs neither an open nor a stat, and its name is not kept. `tmp` is left alone.
final class Maildir: Mailbox {
    let identifier: String
    private let place: String
    private let root: Descriptor
    private let limits: MailLimits
    private let excluding: [String]
    private let isKnown: @Sendable (String) -> Bool
    private let state = Mutex(State())

    private struct State {
        var listing: MaildirListing?
        /// All names, also of messages that are known, once those were asked for.
        var whole: MaildirListing?
        /// Entries to be handed out, and how many of them have been.
        var unknown: [UInt32] = []
        var handedOut = 0
        var known = 0
        var oddities: [MailError] = []
        /// Subfolders that are there, or were made.
        var folders: Set<String> = []
    }

    /// - Parameters:
    ///   - identifier: the canonical path.
    ///   - place: the path as given by the user.
    ///   - root: the directory itself.
    init(
        identifier: String, place: String, root: Descriptor, limits: MailLimits, excluding: [String] = [],
        isKnown: @escaping @Sendable (String) -> Bool
    ) {
        self.excluding = excluding
        self.identifier = identifier
        self.place = place
        self.root = root
        self.limits = limits
        self.isKnown = isKnown
    }

    var expectedCount: Int? { state.withLock { $0.listing == nil ? nil : $0.unknown.count } }
    var knownCount: Int { state.withLock { $0.known } }
    var oddities: [MailError] { state.withLock { $0.oddities } }
    var isLookedThrough: Bool { oddities.allSatisfy { !$0.isOurFault } }

    func next(_ limit: Int) -> [Message] {
        state.withLock { state in
            let listing = list(&state)
            let end = min(state.handedOut + max(0, limit), state.unknown.count)
            defer { state.handedOut = end }
            return state.unknown[state.handedOut..<end].map { message(listing, Int($0)) }
        }
    }

    func newestDeliveries(_ count: Int) -> [Int] {
        state.withLock { state in
            let listing = list(&state)
            var newest: [Int] = []
            for index in state.unknown {
                guard let time = listing.deliveredAt(Int(index)), newest.count < count || time > newest[count - 1] else { continue }
                newest.insert(time, at: newest.firstIndex { $0 < time } ?? newest.count)
                if newest.count > count { newest.removeLast() }
            }
            return newest
        }
    }

    private func list(_ state: inout State) -> MaildirListing {
        if let listing = state.listing { return listing }
        if let (listing, oddities, known) = MaildirListing.readUnknown(root.number, place: place, excluding: excludedNames, isKnown) {
            state.oddities = oddities
            state.known = known
            state.unknown = listing.entries.indices.map { UInt32($0) }
            state.listing = listing
            return listing
        }
        let (listing, oddities) = MaildirListing.read(root.number, place: place, excluding: excludedNames)
        state.oddities = oddities
        for index in listing.entries.indices {
            if isKnown(listing.key(index)) {
                state.known += 1
            } else {
                state.unknown.append(UInt32(index))
            }
        }
        state.listing = listing
        state.whole = listing
        return listing
    }

    private var excludedNames: Set<String> { Set(excluding.compactMap(subfolderName)) }

    var imprint: String? { MaildirListing.imprint(root.number, excluding: excludedNames) }

    func rest(_ count: Int) -> Bool {
        state.withLock { state in
            state.listing = MaildirListing.empty
            state.known = count
        }
        return true
    }

    /// With the messages that are known: what an earlier run left undone is among these.
    private func whole(_ state: inout State) -> MaildirListing {
        if let whole = state.whole { return whole }
        let whole = MaildirListing.read(root.number, place: place, excluding: excludedNames).0
        state.whole = whole
        return whole
    }

    private func message(_ listing: MaildirListing, _ index: Int) -> Message {
        let place = listing.place(index, below: place)
        return Message(key: listing.key(index), place: place, form: .mail, deliveredAt: listing.deliveredAt(index)) {
            [root, limits] (buffer: inout [UInt8]) throws(MailError) in
            let path = listing.path(index)
            let limit = limits.maxMessageBytes
            if try readRegularFile(root.number, path, limit: limit, place: place, into: &buffer) == 0 { return }
            // Another program may have moved it from new to cur, or changed its flags.
            if let moved = listing.currentPath(index, root.number),
                try readRegularFile(root.number, moved, limit: limit, place: place, into: &buffer) == 0
            {
                return
            }
            throw MailError(code: .vanished, place: place, found: "it is no longer in new or cur")
        }
    }

    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        var listing = state.withLock { list(&$0) }
        if messages.contains(where: { $0.action != .leave && listing.index(of: $0.key) == nil }) {
            listing = state.withLock { whole(&$0) }
        }
        var problems: [MailError] = []
        for (key, action) in messages where action != .leave {
            guard let index = listing.index(of: key) else {
                problems.append(MailError(code: .notSettled, place: place, found: "no message \(key)"))
                continue
            }
            let problem = settle(listing, index, action)
            if problem != 0 {
                problems.append(.system(problem, .notSettled, place: listing.place(index, below: place)))
            }
        }
        return problems
    }

    /// Tries with the path as listed, then with the path the message has by now.
    private func settle(_ listing: MaildirListing, _ index: Int, _ action: AfterAction) -> Int32 {
        let problem = settle(listing, index, at: listing.path(index), action)
        guard problem == ENOENT else { return problem }
        guard let moved = listing.currentPath(index, root.number) else {
            // Gone: if it was to be deleted, that is what was wanted.
            return action == .delete ? 0 : ENOENT
        }
        return settle(listing, index, at: moved, action)
    }

    private func settle(_ listing: MaildirListing, _ index: Int, at path: [CChar], _ action: AfterAction) -> Int32 {
        let folder = listing.folders[Int(listing.entries[index].folder)]
        let target = listing.seenName(of: path)
        switch action {
        case .leave:
            return 0
        case .delete:
            return unlinkat(root.number, path, 0) == 0 ? 0 : errno
        case .markSeen:
            return rename(path, to: folder.path + "cur/", target, below: root.number)
        case .move(let name):
            if name.hasPrefix("/") {
                let number = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                guard number >= 0 else { return errno }
                let other = Descriptor(number)
                // Only its number is used, which must stay open until the call is over.
                return withExtendedLifetime(other) { rename(path, to: "cur/", target, below: other.number) }
            }
            guard let subfolder = subfolderName(name) else { return EINVAL }
            if folder.path == subfolder + "/" { return rename(path, to: folder.path + "cur/", target, below: root.number) }
            let isThere = state.withLock { !$0.folders.insert(subfolder).inserted }
            let problem = isThere ? 0 : makeFolder(subfolder)
            if problem != 0 { state.withLock { _ = $0.folders.remove(subfolder) } }
            return problem != 0 ? problem : rename(path, to: subfolder + "/cur/", target, below: root.number)
        }
    }

    private func rename(_ path: [CChar], to folder: String, _ name: [CChar], below parent: Int32) -> Int32 {
        let target = Array(folder.utf8CString.dropLast()) + name
        if parent == root.number, path == target { return 0 }
        var status = stat()
        // renameat would silently replace a mail. Unique names are unique, so nothing can come between these two calls
        // but a broken program.
        if fstatat(parent, target, &status, AT_SYMLINK_NOFOLLOW) == 0 {
            return fstatat(root.number, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ? EEXIST : errno
        }
        return renameat(root.number, path, parent, target) == 0 ? 0 : errno
    }

    /// The Maildir++ name of a folder: `DMARC/done` is `.DMARC.done`. Nil if no folder can have that name.
    private func subfolderName(_ name: String) -> String? {
        let pieces = name.split(separator: "/", omittingEmptySubsequences: true)
        guard !pieces.isEmpty, !name.utf8.contains(0) else { return nil }
        let isPlain = pieces.allSatisfy { !$0.hasPrefix(".") && !$0.hasSuffix(".") }
        return isPlain ? "." + pieces.joined(separator: ".") : nil
    }

    private func makeFolder(_ folder: String) -> Int32 {
        for path in [folder, folder + "/tmp", folder + "/new", folder + "/cur"] {
            if mkdirat(root.number, path, 0o700) != 0, errno != EEXIST { return errno }
        }
        // Maildir++ asks for this empty file in each subfolder.
        let mark = openat(root.number, folder + "/maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if mark >= 0 { close(mark) }
        return 0
    }
}
