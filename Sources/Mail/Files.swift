import Glibc

/// Owner of a file descriptor.
final class Descriptor: Sendable {
    let number: Int32

    init(_ number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }
}

/// Opens a directory below `parent` without following a link at its end.
func openDirectory(_ parent: Int32, _ path: String) -> Descriptor? {
    let number = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    return number < 0 ? nil : Descriptor(number)
}

/// Calls `body` with each name in a directory but `.` and `..`: its bytes, without the NUL behind them.
///
/// - Returns: the system's error number, 0 if all names were seen.
func forEachName(in parent: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) -> Void) -> Int32 {
    let number = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard number >= 0 else { return errno }
    guard let stream = fdopendir(number) else {
        let problem = errno
        close(number)
        return problem
    }
    defer { closedir(stream) }
    // The imported tuple is 256 bytes, but the record is only as long as its name: the name is reached by its offset.
    let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19
    while true {
        errno = 0
        guard let entry = readdir(stream) else { return errno }
        let name = UnsafeRawPointer(entry) + offset
        let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name.assumingMemoryBound(to: CChar.self)))
        let isDot = bytes.count == 1 && bytes[0] == 0x2e
        let isDotDot = bytes.count == 2 && bytes[0] == 0x2e && bytes[1] == 0x2e
        if !isDot && !isDotDot { body(bytes) }
    }
}

/// Reads the regular file at `path` below `parent`.
///
/// Nothing but a regular file is ever read: a link is not followed, a pipe does not block, a device is only opened.
///
/// - Returns: ENOENT if there is no such file, 0 if the file was read.
func readRegularFile(
    _ parent: Int32, _ path: UnsafePointer<CChar>, limit: Int, place: @autoclosure () -> String, into buffer: inout [UInt8]
) throws(MailError) -> Int32 {
    let number = openat(parent, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    if number < 0 {
        let problem = errno
        switch problem {
        case ENOENT:
            return ENOENT
        case ELOOP:
            throw MailError(code: .notARegularFile, place: place(), found: "a symbolic link", errno: 0)
        case ENXIO, ENODEV:
            throw MailError(code: .notARegularFile, place: place(), found: "a socket or device", errno: 0)
        default:
            throw .system(problem, place: place())
        }
    }
    defer { close(number) }
    var status = stat()
    guard fstat(number, &status) == 0 else { throw .system(errno, place: place()) }
    if let kind = irregularKind(status.st_mode) { throw MailError(code: .notARegularFile, place: place(), found: kind) }
    guard status.st_size <= limit else { throw tooLarge(Int(status.st_size), limit: limit, place: place()) }
    try read(number, from: 0, count: Int(status.st_size), place: place(), into: &buffer)
    return 0
}

/// Reads up to `count` bytes from the file's position `start`. Fewer are there if the file was cut meanwhile.
func read(
    _ number: Int32, from start: Int, count: Int, place: @autoclosure () -> String, into buffer: inout [UInt8]
) throws(MailError) {
    // The buffer keeps what it has, so that only growth costs.
    if buffer.count > count {
        buffer.removeLast(buffer.count - count)
    } else if buffer.count < count {
        buffer = []
        buffer = [UInt8](repeating: 0, count: count)
    }
    var filled = 0
    var problem: Int32 = 0
    buffer.withUnsafeMutableBytes { bytes in
        while filled < count, let base = bytes.baseAddress {
            let got = pread(number, base + filled, count - filled, start + filled)
            if got > 0 {
                filled += got
            } else if got == 0 {
                return
            } else if errno != EINTR {
                problem = errno
                return
            }
        }
    }
    guard problem == 0 else { throw .system(problem, place: place()) }
    if filled < count { buffer.removeLast(count - filled) }
}

/// Appends the next bytes of a stream, at most `count`.
///
/// - Returns: how many there were, 0 at the end; and the system's error number, 0 if it did not fail.
func appendBytes(from descriptor: Int32, _ count: Int, to bytes: inout [UInt8]) -> (count: Int, problem: Int32) {
    var got = 0
    var problem: Int32 = 0
    bytes += [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        repeat { got = Glibc.read(descriptor, buffer.baseAddress, count) } while got < 0 && errno == EINTR
        if got < 0 { problem = errno }
        filled = max(0, got)
    }
    return (max(0, got), problem)
}

func tooLarge(_ size: Int, limit: Int, place: String) -> MailError {
    MailError(code: .messageTooLarge, place: place, found: "\(size) bytes; the limit is \(limit) (limits.message_bytes)")
}

/// Waits until something can be read from `descriptor`, its end and an error included.
///
/// - Returns: false if `shouldStop` came first. It is asked several times a second: a signal reaches whichever thread the kernel chooses, so it
///   need not interrupt the thread that waits.
func waitForInput(_ descriptor: Int32, unless shouldStop: () -> Bool) -> Bool {
    while !shouldStop() {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let ready = poll(&entry, 1, 200)
        if ready > 0 || (ready < 0 && errno != EINTR) { return true }
    }
    return false
}

/// What a file is, if it is no regular one.
func irregularKind(_ mode: mode_t) -> String? {
    switch mode & S_IFMT {
    case S_IFREG: nil
    case S_IFDIR: "a directory"
    case S_IFLNK: "a symbolic link"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    case S_IFCHR, S_IFBLK: "a device"
    default: "no regular file"
    }
}

/// Whether a directory below `parent` holds `cur` and `new`.
///
/// - Throws: `unreadable-file` where that cannot be seen now, as on NFS: taken for a plain folder, its mail would be moved as files are.
func isMaildir(_ parent: Int32, _ path: String, place: String, isLinkFollowed: Bool = true) throws(MailError) -> Bool {
    for folder in ["/cur", "/new"] {
        var status = stat()
        if fstatat(parent, path + folder, &status, isLinkFollowed ? 0 : AT_SYMLINK_NOFOLLOW) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else { return false }
        } else {
            guard errno == ENOENT || errno == ENOTDIR || errno == ELOOP else { throw .system(errno, place: place + folder) }
            return false
        }
    }
    return true
}

/// Text for a name from a file system, unique for each name: what is no UTF-8 is written as `\xNN`.
func text(of name: UnsafeRawBufferPointer) -> String {
    if let text = String(validating: name, as: UTF8.self) { return text }
    var text = ""
    for byte in name {
        if byte >= 0x20, byte < 0x7f, byte != UInt8(ascii: "\\") {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let digits = String(byte, radix: 16)
            text += digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
        }
    }
    return text
}

/// Renames without ever replacing a file.
///
/// - Returns: the system's error number, 0 if it was done.
func renameWithoutReplacing(_ from: String, below parent: Int32, to target: String, below targetParent: Int32) -> Int32 {
    var status = stat()
    // renameat2 would do this in one step, but not on every file system; names in a maildir are unique in any case.
    if fstatat(targetParent, target, &status, AT_SYMLINK_NOFOLLOW) == 0 { return EEXIST }
    return renameat(parent, from, targetParent, target) == 0 ? 0 : errno
}
