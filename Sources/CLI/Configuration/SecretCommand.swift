import Glibc
import IMAP

/// A command that prints a secret: started without a shell, in a session of its own, with bounds on its time and on what it says.
///
/// However it behaves, it is over after `seconds` and a moment: what does not end then is ended, with all that it started and that stayed in its
/// process group. A process that it leaves behind holds nobody up, for the end of the command counts and not that of its pipe.
struct SecretCommand: Sendable {
    /// Seconds that the command may take.
    var seconds = 30.0
    /// Seconds between SIGTERM and SIGKILL.
    var graceSeconds = 1.0

    /// Bytes that it may print; access tokens run to a few KiB.
    static let maxBytes = 16 << 10
    /// Bytes of its standard error that are passed on; what follows is read and dropped.
    private static let maxErrorBytes = 4 << 10

    /// What a command printed.
    struct Answer: Equatable {
        var output: [UInt8] = []
        /// The beginning of what it said on standard error. Foreign text.
        var errors: [UInt8] = []
        /// Why the output is no answer; nil: the command ended with status 0.
        var failure: String?
    }

    /// Runs the command to its end.
    ///
    /// - Parameters:
    ///   - words: the program, looked for in `PATH`, and its arguments; not empty.
    ///   - shouldStop: when true, the command is ended at once.
    func run(_ words: [String], shouldStop: () -> Bool = { false }) -> Answer {
        var answer = Answer()
        guard let output = Pipe(), let errors = Pipe() else {
            answer.failure = "cannot be started: \(systemWords(errno))"
            return answer
        }
        var process: pid_t = 0
        let number = Self.start(words, output, errors, &process)
        output.closeWritingEnd()
        errors.closeWritingEnd()
        guard number == 0 else {
            answer.failure = "cannot be started: \(systemWords(number))"
            return answer
        }
        answer.failure = listen(process, output, errors, &answer, shouldStop)
        let status = end(process)
        answer.failure = answer.failure ?? Self.words(status)
        return answer
    }

    // MARK: - While it runs

    /// Reads until the process has ended. Returns why it is to be ended before; nil if it ended by itself.
    private func listen(_ process: pid_t, _ output: Pipe, _ errors: Pipe, _ answer: inout Answer, _ shouldStop: () -> Bool) -> String? {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(seconds)
        while true {
            // Asked before the pipes are read: what it printed in its last moment is in them by then.
            let hasEnded = Self.hasEnded(process)
            let hadOutput = output.read(into: &answer.output, upTo: Self.maxBytes + 1)
            if answer.output.count > Self.maxBytes { return "prints more than \(Self.maxBytes) bytes, which is no password or token" }
            let hadErrors = errors.read(into: &answer.errors, upTo: Self.maxErrorBytes)
            if hasEnded { return nil }
            if clock.now >= deadline { return "did not end within \(Int(seconds)) s" }
            if shouldStop() { return "was ended, because this run is to end" }
            if !hadOutput, !hadErrors { Self.wait(output, errors) }
        }
    }

    /// Waits a moment, or until something can be read.
    private static func wait(_ output: Pipe, _ errors: Pipe) {
        var entries = [output, errors].compactMap { $0.isAtEnd ? nil : pollfd(fd: $0.reading, events: Int16(POLLIN), revents: 0) }
        _ = poll(&entries, nfds_t(entries.count), 10)
    }

    // MARK: - The process

    /// POSIX_SPAWN_SETSID of spawn.h, for which Swift asks with too few features.
    private static let newSession: Int16 = 0x80

    /// In a session of its own: its process group can be ended as a whole, and it does not wait for a terminal that nobody looks at.
    private static func start(_ words: [String], _ output: Pipe, _ errors: Pipe, _ process: inout pid_t) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.writing, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.writing, 2)
        // No signal is held back or ignored there, whatever is here.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        return posix_spawnp(&process, arguments[0] ?? strdup(""), &actions, &attributes, &arguments, environ)
    }

    /// Whether the process has ended. It is not waited for yet, so that its number stays its own, and that of its group.
    private static func hasEnded(_ process: pid_t) -> Bool {
        var information = siginfo_t()
        while waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT) != 0 {
            guard errno == EINTR else { return true }
        }
        return information.si_signo != 0
    }

    /// Ends the process if it has not ended, and whatever is left of its group in any case. Returns how the process ended.
    private func end(_ process: pid_t) -> Int32 {
        if !Self.hasEnded(process) {
            kill(-process, SIGTERM)
            let clock = ContinuousClock()
            let deadline = clock.now + .seconds(graceSeconds)
            while !Self.hasEnded(process), clock.now < deadline { usleep(10_000) }
        }
        kill(-process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status
    }

    private static func words(_ status: Int32) -> String? {
        let signal = status & 0x7F
        if signal != 0 { return "was ended by signal \(signal)" }
        let code = (status >> 8) & 0xFF
        return code == 0 ? nil : "ended with status \(code)"
    }

    /// A pipe whose reading end does not wait; closed with it.
    private final class Pipe {
        let reading: Int32
        private(set) var writing: Int32
        private(set) var isAtEnd = false

        init?() {
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { return nil }
            (reading, writing) = (ends[0], ends[1])
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            _ = fcntl(reading, F_SETFL, O_NONBLOCK)
        }

        deinit {
            closeWritingEnd()
            close(reading)
        }

        func closeWritingEnd() {
            if writing >= 0 { close(writing) }
            writing = -1
        }

        /// Appends what is there, and drops what is beyond `limit`. At most 64 KiB a call, so that one who writes without end is not listened to
        /// for ever. Returns whether there was anything.
        func read(into bytes: inout [UInt8], upTo limit: Int) -> Bool {
            guard !isAtEnd else { return false }
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            defer { piece.withUnsafeMutableBytes { if let base = $0.baseAddress { explicit_bzero(base, $0.count) } } }
            let count = Glibc.read(reading, &piece, piece.count)
            if count == 0 { isAtEnd = true }
            guard count > 0 else { return false }
            bytes.append(contentsOf: piece[..<min(count, max(0, limit - bytes.count))])
            return true
        }
    }
}
