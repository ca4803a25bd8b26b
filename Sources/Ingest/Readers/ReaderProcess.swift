import CLinux
import Glibc
import Mail

/// What a reader does, in its own process: messages in, events out, and nothing else.
struct ReaderProcess {
    let reader: MessageReader
    let allowance: ConfinedReaders.Allowance

    /// A reader that has loaded and made what it needs: when it is confined it can open nothing any more.
    static func readyReader(_ options: IngestOptions) -> MessageReader {
        dmarcstat_load_charsets()
        // libarchive turns the times of members, which nobody asks for, into those of a time zone: of one that is in no file.
        setenv("TZ", "UTC0", 1)
        tzset()
        let reader = MessageReader(options: options)
        // Takes the way through every library that sets itself up when it is first used.
        let mail = Array(
            """
            From: a@example.org
            Content-Type: multipart/digest; boundary=b

            --b

            From: b@example.org
            Subject: =?iso-8859-2?q?a?=
            Content-Type: text/xml

            <feedback/>
            --b--

            """.utf8)
        mail.withUnsafeBytes { mail in
            _ = reader.read(mail, MessageHead(form: .mail, name: ""), ReadMessage(key: "", place: ""), keepsRaw: true) { _ in true }
        }
        return reader
    }

    func run() -> Never {
        limit()
        _ = dmarcstat_only_compute(0)
        let inbox = FrameReader(ReaderKeeper.socket)
        let outbox = Outbox(ReaderKeeper.socket)
        // Its client is the process that collects, and sends no message beyond the limit on messages. It waits until all that it sent together is
        // answered, so answers can wait until nothing is left to be read.
        while let (_, content) = inbox.next(maxBytes: Int(UInt32.max)), read(content, outbox), inbox.hasNext || outbox.flush() {}
        // Not `exit`: what the process that collects had left to be done at its end is not done here.
        _exit(0)
    }

    /// Answers to messages that came together.
    final class Outbox {
        /// Bytes that are sent without waiting for more.
        private static let bytesPerSend = 64 << 10

        fileprivate var frame = WireWriter()
        fileprivate var shared = WireWriter.SharedBytes()
        /// Somebody listens.
        private var isHeard = true
        private let socket: Int32

        init(_ socket: Int32) { self.socket = socket }

        /// Ends a frame. False: nobody listens any more.
        fileprivate func send(_ kind: WireFrame) -> Bool {
            frame.end(kind.rawValue)
            return frame.bytes.count < Self.bytesPerSend ? isHeard : flush()
        }

        /// Sends what waits.
        func flush() -> Bool {
            isHeard = isHeard && Socket.send(socket, frame.bytes)
            frame.removeAll()
            return isHeard
        }
    }

    /// Reads one message. False: nobody listens any more.
    func read(_ content: UnsafeRawBufferPointer, _ outbox: Outbox) -> Bool {
        var wire = WireReader(content)
        guard let (head, keepsRaw) = try? wire.request() else { return false }
        outbox.shared = WireWriter.SharedBytes()
        var isBegun = false
        let message = reader.read(wire.all(), head, ReadMessage(key: "", place: ""), keepsRaw: keepsRaw) { event in
            outbox.frame.begin()
            switch event {
            case .messageBegins:
                isBegun = true
                return outbox.send(.messageBegins)
            case .reportBegins(let header):
                outbox.frame.put(header)
                return outbox.send(.reportBegins)
            case .records(let batch):
                outbox.frame.put(batch)
                return outbox.send(.records)
            case .reportEnds(let document):
                outbox.frame.put(document, sharesBytes: outbox.shared.isShared(document))
                return outbox.send(.reportEnds)
            case .reportAbandoned: return outbox.send(.reportAbandoned)
            case .message: return true
            }
        }
        outbox.frame.begin()
        outbox.frame.put(message, &outbox.shared)
        // Of what was passed on in pieces the end is known before another message can end this process: it cannot be read once more.
        return outbox.send(.message) && (!isBegun || outbox.flush())
    }

    /// Bounds on what it can take of the machine; how long it may compute its client watches.
    private func limit() {
        func limit(_ resource: __rlimit_resource_t, _ value: Int) {
            var limits = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value))
            setrlimit(resource, &limits)
        }
        limit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), 0)
        guard let file = fopen("/proc/self/statm", "re") else { return }
        defer { fclose(file) }
        // The first number of statm: pages of address space (proc(5)).
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, Int32(line.count), file) != nil else { return }
        let pages = strtol(line, nil, 10)
        guard pages > 0 else { return }
        limit(__rlimit_resource_t(RLIMIT_AS.rawValue), pages * Int(sysconf(Int32(_SC_PAGESIZE))) + (allowance.mebibytes << 20))
    }
}

/// What goes with the bytes of a message to whoever reads them.
struct MessageHead: Sendable {
    /// What it is known to be.
    var form: MessageForm
    /// The name of its file; says nothing about a mail. Foreign text.
    var name: String
    /// `Message.deliveredAt`.
    var deliveredAt: Int?
    /// Whether it is kept whole if something of it is refused, and if there is no report in it.
    var keepsRefused = false
    var keepsOther = false
}

extension WireWriter {
    /// What stands before the bytes of a message.
    mutating func put(_ head: MessageHead, keepsRaw: Bool) {
        put(head.form == .mail)
        put(head.name)
        put(head.deliveredAt)
        put(head.keepsRefused)
        put(head.keepsOther)
        put(keepsRaw)
    }
}

extension WireReader {
    fileprivate mutating func request() throws(WireError) -> (MessageHead, Bool) {
        var head = MessageHead(form: try bool() ? .mail : .file, name: try text(), deliveredAt: try integerIfAny(in: Int.min...Int.max))
        head.keepsRefused = try bool()
        head.keepsOther = try bool()
        return (head, try bool())
    }
}

/// Sends over a socket. Not with `write`: tests that fail that in turn mean files.
enum Socket {
    /// Sends all of `bytes`; false: the other end is gone.
    static func send(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
        var offset = 0
        return bytes.withUnsafeBytes { buffer in
            while offset < buffer.count {
                let sent = Glibc.send(socket, buffer.baseAddress.map { $0 + offset }, buffer.count - offset, Int32(MSG_NOSIGNAL))
                if sent < 0, errno == EINTR { continue }
                guard sent > 0 else { return false }
                offset += sent
            }
            return true
        }
    }
}

/// Takes frames from a socket.
final class FrameReader {
    /// Bytes that stay allocated between frames: more than is sent together.
    private static let usualBytes = 128 << 10

    let socket: Int32
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: usualBytes, alignment: 16)
    private var filled = 0
    /// Where what was handed out ends.
    private var used = 0

    init(_ socket: Int32) { self.socket = socket }

    deinit { buffer.deallocate() }

    /// Whether nothing has come that was not handed out.
    var isEmpty: Bool { filled == used }

    /// Whether the next frame has come, all of it.
    var hasNext: Bool { filled - used >= WireWriter.headerBytes && filled - used - WireWriter.headerBytes >= header.length }

    /// The header at `used`, which must have come.
    private var header: (kind: UInt32, length: Int) {
        (
            buffer.loadUnaligned(fromByteOffset: used, as: UInt32.self),
            Int(buffer.loadUnaligned(fromByteOffset: used + 4, as: UInt32.self))
        )
    }

    /// The next frame: its kind, and what is in it until the next call. Nil: the other end is gone, `isPatient` gave up where the socket has a limit
    /// on its time (SO_RCVTIMEO), or the frame is larger than `maxBytes`.
    func next(maxBytes: Int, isPatient: () -> Bool = { true }) -> (kind: UInt32, content: UnsafeRawBufferPointer)? {
        guard fill(WireWriter.headerBytes, isPatient) else { return nil }
        let (kind, length) = header
        guard length <= maxBytes, fill(WireWriter.headerBytes + length, isPatient) else { return nil }
        let start = used + WireWriter.headerBytes
        used = start + length
        return (kind, UnsafeRawBufferPointer(rebasing: buffer[start..<used]))
    }

    /// Has at least `count` bytes in the buffer that were not handed out.
    private func fill(_ count: Int, _ isPatient: () -> Bool) -> Bool {
        guard filled - used < count else { return true }
        makeRoom(for: count)
        while filled < count {
            let got = recv(socket, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, 0)
            if got < 0, errno == EINTR || (errno == EAGAIN && isPatient()) { continue }
            guard got > 0 else { return false }
            filled += got
        }
        return true
    }

    /// Moves what was not handed out to the beginning of a buffer for `count` bytes. What one large frame took is not kept for the next.
    private func makeRoom(for count: Int) {
        let rest = UnsafeRawBufferPointer(rebasing: buffer[used..<filled])
        let wanted = max(count, rest.count, Self.usualBytes)
        if buffer.count < wanted || (buffer.count > 1 << 20 && buffer.count > 2 * wanted) {
            let other = UnsafeMutableRawBufferPointer.allocate(byteCount: wanted, alignment: 16)
            other.copyMemory(from: rest)
            buffer.deallocate()
            buffer = other
        } else if used > 0 {
            buffer.copyMemory(from: rest)
        }
        (used, filled) = (0, rest.count)
    }
}
