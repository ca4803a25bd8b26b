import Glibc

/// Recognises what `path` is.
///
/// - Throws: `unreadable-file` if there is nothing at `path` or it cannot be looked at, `not-a-regular-file` for a device or socket.
public func mailboxKind(path: String) throws(MailError) -> MailboxKind {
    if path == "-" { return .standardInput }
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system(errno, place: path) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
        return try isMaildir(AT_FDCWD, path, place: path) ? .maildir : .directory
    case S_IFIFO:
        return .standardInput
    case S_IFREG:
        let number = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard number >= 0 else { throw .system(errno, place: path) }
        defer { close(number) }
        return isMbox(number) ? .mbox : .file
    default:
        throw MailError(code: .notARegularFile, place: path, found: irregularKind(status.st_mode) ?? "no regular file")
    }
}

/// Opens what is at `path`: a maildir, an mbox, a directory of files, one file, or `-` for standard input.
///
/// A link at `path` itself is followed, for the user named it; links below are not.
///
/// - Parameters:
///   - standardInput: the descriptor that `-` stands for; it stays open.
///   - excluding: folders below it that are not read, because handled messages are moved there: `DMARC/done`.
///   - shouldStop: whether to give up waiting for a pipe; what has come of a message by then is dropped.
///   - isKnown: whether the ledger knows the message of this key; called from whatever thread calls `next`.
/// - Throws: as `mailboxKind`.
public func openMailbox(
    path: String, standardInput: Int32, limits: MailLimits, excluding: [String] = [],
    shouldStop: @escaping @Sendable () -> Bool = { false },
    isKnown: @escaping @Sendable (_ key: String) -> Bool
) throws(MailError) -> any Mailbox {
    let kind = try mailboxKind(path: path)
    if path == "-" {
        return StreamMailbox(
            identifier: "-", place: "-", descriptor: standardInput, owner: nil, limits: limits, shouldStop: shouldStop, isKnown: isKnown)
    }
    let canonical = try canonicalPath(path)
    switch kind {
    case .standardInput:
        // Opened without O_NONBLOCK, a pipe would hold us until somebody writes to it, whatever signal comes.
        let number = open(canonical, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard number >= 0 else { throw .system(errno, place: path) }
        return StreamMailbox(
            identifier: canonical, place: path, descriptor: number, owner: Descriptor(number), limits: limits, shouldStop: shouldStop,
            isKnown: isKnown)
    case .maildir, .directory:
        let root = try directory(canonical, place: path)
        let place = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        if kind == .maildir {
            return Maildir(
                identifier: canonical, place: place, root: root, limits: limits, excluding: excluding, isKnown: isKnown)
        }
        return FileTree(
            identifier: canonical, place: place, root: root, onlyFile: nil, limits: limits, excluding: excluding, isKnown: isKnown)
    case .mbox, .file:
        let slash = canonical.lastIndex(of: "/") ?? canonical.startIndex
        let name = String(canonical[slash...].dropFirst())
        // The directory is only a place to begin from; whoever names a file need not let its neighbours be listed.
        let root = try directory(
            slash == canonical.startIndex ? "/" : String(canonical[..<slash]), place: path, flags: onlyNamed | O_DIRECTORY | O_CLOEXEC)
        if kind == .mbox {
            let mbox = Mbox(root, name, identifier: canonical, place: path, limits: limits, isKnown: isKnown)
            guard let mbox else { throw .system(errno, place: path) }
            return mbox
        }
        return FileTree(
            identifier: canonical, place: path, root: root, onlyFile: name, limits: limits, isKnown: isKnown)
    }
}

/// `O_PATH` of open(2), for which Swift asks the C library with too few features.
private let onlyNamed: Int32 = 0o10000000

private func directory(_ path: String, place: String, flags: Int32 = O_RDONLY | O_DIRECTORY | O_CLOEXEC) throws(MailError) -> Descriptor {
    let number = open(path, flags)
    guard number >= 0 else { throw .system(errno, place: place) }
    return Descriptor(number)
}

private func canonicalPath(_ path: String) throws(MailError) -> String {
    guard let resolved = realpath(path, nil) else { throw .system(errno, place: path) }
    defer { free(resolved) }
    return String(cString: resolved)
}
