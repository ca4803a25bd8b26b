import CLinux
import Glibc

/// Processes that read mail for the one that collects, and can do nothing else (`docs/decisions/0015-confinement.md`).
///
/// They are made by a keeper: a process that was forked off before there was a second thread, a secret or a byte of a mail, and that itself reads
/// none. So a reader that dies is replaced by another, whatever the process that collects has become by then. Each reader has a socket to its
/// client; the keeper is asked over one of its own.
public final class ConfinedReaders: Sendable {
    /// What one message may cost a reader.
    public struct Allowance: Sendable {
        /// Seconds of CPU.
        public var seconds: Int
        /// MiB of address space beyond what it begins with.
        public var mebibytes: Int

        /// The defaults, or others.
        public init(seconds: Int = 60, mebibytes: Int = 512) {
            self.seconds = seconds
            self.mebibytes = mebibytes
        }
    }

    /// What the keeper is asked for.
    enum Request: UInt8 {
        /// A reader for the socket that comes with it. The answer is its process, or less than 0.
        case start = 1
        /// The end of the process whose number follows. The answer is the status that it ended with.
        case end = 2
    }

    /// A reader as its client knows it.
    ///
    /// `@unchecked Sendable`: whoever takes one from `take` has it alone until `giveBack` or `discard`.
    struct Connection: @unchecked Sendable {
        let inbox: FrameReader
        let process: pid_t

        var socket: Int32 { inbox.socket }
    }

    let options: IngestOptions
    let allowance: Allowance
    private let keeper: pid_t
    private let state: Guarded<State>

    private struct State {
        /// The socket to the keeper; -1: closed.
        var channel: Int32
        /// Readers that nobody uses.
        var idle: [Connection] = []
    }

    /// Forks the keeper off. Nil: the system makes no process.
    ///
    /// To be called by the only thread of a process, before it opens what no reader is to have. `options` are those of all mailboxes;
    /// what is done with messages, and whether reports are kept, may differ from one to the other.
    public init?(options: IngestOptions, allowance: Allowance = Allowance()) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else { return nil }
        let process = dmarcstat_fork()
        if process == 0 { ReaderKeeper(channel: ends[1], options: options, allowance: allowance).run() }
        close(ends[1])
        guard process > 0 else {
            close(ends[0])
            return nil
        }
        keeper = process
        self.options = options
        self.allowance = allowance
        state = Guarded(State(channel: ends[0]))
    }

    /// With readers that are there already, and no others: for tests.
    init(options: IngestOptions, allowance: Allowance = Allowance(), _ idle: [Connection]) {
        keeper = 0
        self.options = options
        self.allowance = allowance
        state = Guarded(State(channel: -1, idle: idle))
    }

    deinit { end() }

    /// Ends all readers that are not in use, and the keeper.
    public func end() {
        let keeper = keeper
        state.withLock { state in
            for connection in state.idle { close(connection.socket) }
            state.idle = []
            guard state.channel >= 0 else { return }
            close(state.channel)
            state.channel = -1
            while waitpid(keeper, nil, 0) < 0, errno == EINTR {}
        }
    }

    /// A reader that waits for a message. Nil: there is none to be had.
    func take() -> Connection? {
        state.withLock { state -> Connection? in
            if let connection = state.idle.popLast() { return connection }
            var ends: [Int32] = [-1, -1]
            guard state.channel >= 0, socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
                return nil
            }
            let isAsked = dmarcstat_send_descriptor(state.channel, CChar(Request.start.rawValue), ends[1]) == 0
            close(ends[1])
            guard isAsked, let process = Self.answer(state.channel), process > 0 else {
                close(ends[0])
                return nil
            }
            // So that its client looks at the clock now and then.
            var second = timeval(tv_sec: 1, tv_usec: 0)
            setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &second, socklen_t(MemoryLayout<timeval>.size))
            return Connection(inbox: FrameReader(ends[0]), process: process)
        }
    }

    /// Takes back a reader that waits for a message.
    func giveBack(_ connection: Connection) { state.withLock { $0.idle.append(connection) } }

    /// Ends a reader. Returns the status that it ended with (`waitpid`), which is that of its own end if it had ended by itself; nil: nobody knows.
    func discard(_ connection: Connection) -> Int32? {
        close(connection.socket)
        return state.withLock { state -> Int32? in
            guard state.channel >= 0, dmarcstat_send_descriptor(state.channel, CChar(Request.end.rawValue), -1) == 0 else { return nil }
            var process = connection.process
            guard send(state.channel, &process, MemoryLayout<pid_t>.size, Int32(MSG_NOSIGNAL)) == MemoryLayout<pid_t>.size else {
                return nil
            }
            return Self.answer(state.channel)
        }
    }

    private static func answer(_ channel: Int32) -> Int32? {
        var answer: Int32 = 0
        while true {
            let count = recv(channel, &answer, MemoryLayout<Int32>.size, Int32(MSG_WAITALL))
            if count == MemoryLayout<Int32>.size { return answer }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}

/// What the keeper does, in its own process. It has one thread, and no part in what is read.
struct ReaderKeeper {
    let channel: Int32
    let options: IngestOptions
    let allowance: ConfinedReaders.Allowance

    /// The descriptor of the keeper's and of each reader's socket; those before it are the standard streams.
    static let socket: Int32 = 3

    func run() -> Never {
        Self.leave(everythingBut: channel)
        // What is loaded and made ready once is there for all readers: it is forked with them.
        var reader: MessageReader?
        while true {
            var passed: Int32 = -1
            switch ConfinedReaders.Request(rawValue: UInt8(truncatingIfNeeded: dmarcstat_receive_descriptor(Self.socket, &passed))) {
            case .start:
                let ready = reader ?? ReaderProcess.readyReader(options)
                reader = ready
                let process = dmarcstat_fork()
                if process == 0 {
                    Self.leave(everythingBut: passed)
                    ReaderProcess(reader: ready, allowance: allowance).run()
                }
                close(passed)
                answer(process)
            case .end:
                var process: pid_t = 0
                guard recv(Self.socket, &process, MemoryLayout<pid_t>.size, Int32(MSG_WAITALL)) == MemoryLayout<pid_t>.size, process > 0
                else { _exit(0) }
                // It is a child that nobody has waited for: its number is still its own.
                kill(process, SIGKILL)
                var status: Int32 = 0
                while waitpid(process, &status, 0) < 0 {
                    guard errno == EINTR else {
                        status = -1
                        break
                    }
                }
                answer(status)
            case nil:
                // The process that collects is done, or gone: so are its readers, whose sockets have ended. One that still computes ends with its
                // keeper.
                for _ in 0..<100 {
                    let ended = waitpid(-1, nil, WNOHANG)
                    if ended < 0, errno != EINTR { break }
                    if ended == 0 { usleep(1000) }
                }
                _exit(0)
            }
        }
    }

    private func answer(_ number: Int32) {
        var number = number
        _ = send(Self.socket, &number, MemoryLayout<Int32>.size, Int32(MSG_NOSIGNAL))
    }

    /// Makes a process of its own of what was just forked: nothing open but the socket, no output, no signals but those that end it, and its end
    /// with that of its parent.
    private static func leave(everythingBut channel: Int32) {
        dmarcstat_end_with_parent()
        // A trap ends it at once; what is typed on the terminal, and a service that is stopped, is its client's business.
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ] { signal(number, SIG_DFL) }
        for number in [SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
        if channel != socket {
            dup2(channel, socket)
            close(channel)
        }
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        for stream in 0..<socket where nothing >= 0 { dup2(nothing, stream) }
        if nothing > socket { close(nothing) }
        if dmarcstat_close_from(UInt32(socket + 1)) != 0 { for number in (socket + 1)..<1024 { close(number) } }
    }
}
