import Glibc
import Store

/// What is being read at the moment, noted in a file before it is read.
///
/// The notes outlive the process: after a crash, a trap or a kill they name the few messages that may have been the cause, and the next run
/// looks at these in a process of their own before it reads them (`Containment`). A run that ends well removes the file. The notes are
/// written without waiting for the disk: what they are for is the end of a process, and not that of the machine.
public final class ReadingNotes: Sendable {
    /// A message, as the ledger knows it.
    public struct Suspect: Hashable, Sendable {
        /// `Mailbox.identifier`.
        public var mailbox: String
        /// `Message.key`.
        public var key: String

        /// The message `key` of `mailbox`.
        public init(mailbox: String, key: String) {
            self.mailbox = mailbox
            self.key = key
        }
    }

    /// The writer's slot; those of the workers follow.
    static let writerSlot = 0

    /// Bytes for one note: two paths of the system's greatest length and more.
    private static let slotSize = 16_384
    /// Slots for what is being read: more than there may be workers.
    private static let liveSlots = 66
    /// Slots for suspects beside them.
    private static let suspectSlots = 64
    /// Suspects that are remembered: as many as all workers may read at a time.
    private static let maxSuspects = liveSlots * MessageBatch.maxMessages

    /// The messages that were being read when an earlier run was ended.
    public let suspects: Set<Suspect>

    private let path: String
    private let file: Int32
    private let firstFailure = Guarded<StoreError?>(nil)

    /// Takes over what an earlier run left beside the database at `path`. The caller holds the lock of the database.
    public init(database path: String) throws(StoreError) {
        let notes = path + ".reading"
        self.path = notes
        file = try OwnFile.open(notes)
        suspects = Self.left(in: file)
        // The suspects stay noted until this run ends well: it may be ended before it comes to them.
        var isNoted = ftruncate(file, 0) == 0
        var slot = Self.liveSlots
        for (mailbox, ofMailbox) in Dictionary(grouping: suspects, by: \.mailbox) {
            var keys = ofMailbox.map(\.key)[...]
            while isNoted, !keys.isEmpty, slot < Self.liveSlots + Self.suspectSlots {
                let some = keys.prefix(Self.room(for: keys, of: mailbox))
                isNoted = Self.write(some, of: mailbox, to: file, slot: slot)
                keys = keys.dropFirst(some.count)
                slot += 1
            }
        }
        guard isNoted else {
            let number = errno
            close(file)
            throw Self.error(number, notes)
        }
    }

    deinit { close(file) }

    /// The first note that could not be written: no message may be read without one.
    var failure: StoreError? { firstFailure.withLock { $0 } }

    /// Notes that the message is being read, in place of what was noted in the slot before. False: it could not be noted.
    package func begin(_ message: Suspect, slot: Int) -> Bool { begin([message.key], of: message.mailbox, slot: slot) }

    /// The same of messages that are read together, as many as `room` says.
    package func begin(_ keys: some Collection<String>, of mailbox: String, slot: Int) -> Bool {
        done(Self.write(keys, of: mailbox, to: file, slot: slot))
    }

    /// How many of the messages of these keys can be noted together: at least one.
    package static func room(for keys: some Collection<String>, of mailbox: String) -> Int {
        var bytes = 4 + mailbox.utf8.count
        return max(
            1,
            keys.prefix { key in
                bytes += 1 + key.utf8.count
                return bytes <= slotSize
            }.count)
    }

    /// Nothing is being read in the slot any more.
    func end(slot: Int) { _ = done(Self.clear(file, slot: slot)) }

    /// The run ended well: nothing is suspect any more. Does no harm when it cannot be removed.
    public func finish() { unlink(path) }

    private func done(_ isWritten: Bool) -> Bool {
        guard !isWritten else { return true }
        let error = Self.error(errno, path)
        firstFailure.withLock { $0 = $0 ?? error }
        return false
    }

    // MARK: - The file

    // A slot: the length of what follows as four bytes, the mailbox, and each key with a NUL before it. Length 0: nothing.

    private static func write(_ keys: some Collection<String>, of mailbox: String, to file: Int32, slot: Int) -> Bool {
        var text = Array(mailbox.utf8)
        for key in keys {
            text.append(0)
            text.append(contentsOf: key.utf8)
        }
        // Longer names than a slot holds do not occur on disk; such a message goes without a note.
        guard text.count + 4 <= slotSize else { return clear(file, slot: slot) }
        let length = UInt32(text.count)
        return write([UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8), 0, 0] + text, to: file, slot: slot)
    }

    private static func clear(_ file: Int32, slot: Int) -> Bool { write([0, 0, 0, 0], to: file, slot: slot) }

    /// By `pwritev`, which nothing else here uses: a test that fails the calls of one kind in turn can tell these, of several threads, from
    /// those of the writer.
    private static func write(_ bytes: [UInt8], to file: Int32, slot: Int) -> Bool {
        var bytes = bytes
        while true {
            let written = bytes.withUnsafeMutableBytes { content in
                var piece = iovec(iov_base: content.baseAddress, iov_len: content.count)
                return pwritev(file, &piece, 1, off_t(slot * slotSize))
            }
            if written == bytes.count { return true }
            if written >= 0 { errno = ENOSPC }
            if errno != EINTR { return false }
        }
    }

    /// All notes; what is no note is passed over.
    private static func left(in file: Int32) -> Set<Suspect> {
        var found: Set<Suspect> = []
        var slot = [UInt8](repeating: 0, count: slotSize)
        for number in 0..<(liveSlots + suspectSlots) {
            let count = slot.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(number * slotSize)) }
            if count <= 0 { break }
            let length = Int(slot[0]) | Int(slot[1]) << 8
            guard count > 4, length > 0, length <= count - 4 else { continue }
            let parts = slot[4..<(4 + length)].split(separator: 0, omittingEmptySubsequences: false)
            let mailbox = String(decoding: parts[0], as: UTF8.self)
            for key in parts.dropFirst() where found.count < maxSuspects {
                found.insert(Suspect(mailbox: mailbox, key: String(decoding: key, as: UTF8.self)))
            }
        }
        return found
    }

    private static func error(_ number: Int32, _ path: String) -> StoreError {
        let code: StoreError.Code =
            switch number {
            case EACCES, EPERM, EROFS: .databasePermission
            case ENOSPC, EDQUOT, EFBIG: .diskFull
            default: .ioError
            }
        return StoreError(code: code, place: path, found: String(cString: strerror(number)))
    }
}
