import Glibc
import Ingest
import Mail
import Store

extension Configuration {
    /// Processes that read mail; nil where this one is not ours to fork. To be asked for before anything secret is known, and before there is a
    /// second thread.
    func readers(_ context: Context) -> ConfinedReaders? {
        guard context.kernel != nil else { return nil }
        return ConfinedReaders(options: ingestOptions(now: context.now), allowance: IsolatedReader.allowance(limits))
    }
}

/// Starts this program anew to look at one message, in a process that may do little and not for long: `dmarcstat examine`.
struct IsolatedReader: Sendable {
    /// What such a process may use: seconds of CPU, twice what the XML of one document may take, because what is read is also stored; and MiB of
    /// address space, of which about 130 are taken before anything is read.
    typealias Allowance = ConfinedReaders.Allowance

    /// The allowance under these limits.
    static func allowance(_ limits: Limits) -> Allowance {
        var allowance = Allowance()
        allowance.seconds = max(allowance.seconds, limits.xml.maxMilliseconds / 500)
        return allowance
    }

    /// The program: a path, or `/proc/self/exe`.
    let executable: String
    var allowance = Allowance()
    /// The limits on the message, which are those of the run.
    var limits = Limits()

    /// What keeps one message from ending every run; nil where no process can be started. The caller holds the lock of the database.
    static func containment(database path: String, areAllSuspect: Bool = false, _ limits: Limits, _ context: Context) throws(StoreError)
        -> Containment?
    {
        guard let executable = context.executable else { return nil }
        var reader = IsolatedReader(executable: executable, limits: limits)
        reader.allowance = allowance(limits)
        return Containment(notes: try ReadingNotes(database: path), areAllSuspect: areAllSuspect, examine: reader.examine)
    }

    /// Looks at a message: reads it and stores it in a database in memory. Safe from any thread.
    func examine(_ bytes: [UInt8], _ form: MessageForm, _ name: String) -> Containment.Examination {
        let arguments =
            [
                "dmarcstat", "examine", "--form", form == .mail ? "mail" : "file", "--name", name, "--bytes", "\(bytes.count)", "--seconds",
                "\(allowance.seconds)", "--mebibytes",
                "\(allowance.mebibytes)",
            ]
            + Limits.all.filter { limits[keyPath: $0.field] != $0.standard }.flatMap {
                ["--limit", "\($0.key)=\(limits[keyPath: $0.field])"]
            }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return .notExamined(detail: "no pipe for it: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let started = start(arguments, ends[0])
        close(ends[0])
        defer { close(ends[1]) }
        switch started {
        case .failure(let failure): return .notExamined(detail: "no process for it: \(String(cString: strerror(failure.number)))")
        case .success(let process):
            Self.feed(bytes, into: ends[1])
            return wait(for: process)
        }
    }

    private struct StartFailure: Error {
        var number: Int32
    }

    /// Writes all that the process takes. It knows how much there is and does not wait for the end of the pipe.
    private static func feed(_ bytes: [UInt8], into end: Int32) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { write(end, $0.baseAddress.map { $0 + offset }, $0.count - offset) }
            if count < 0, errno == EINTR { continue }
            // It is gone already; how it went is what `wait` finds out.
            guard count > 0 else { return }
            offset += count
        }
    }

    /// Without the environment, and with no file but its input.
    private func start(_ arguments: [String], _ input: Int32) -> Result<pid_t, StartFailure> {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // A group of its own: what is typed on the terminal is not meant for it.
        // And no signal is held back or ignored there, whatever is here: the limits end it by signals.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        defer { for word in words { free(word) } }
        var process: pid_t = 0
        let result = posix_spawn(&process, executable, &actions, &attributes, &words, &environment)
        return result == 0 ? .success(process) : .failure(StartFailure(number: result))
    }

    private func wait(for process: pid_t) -> Containment.Examination {
        // The limit on CPU ends what works; one that only waits is ended here.
        let patience = Double(allowance.seconds) * 4 + 30
        var waited = 0.0
        var pause = 0.001
        var status: Int32 = 0
        // Looked up on the way: what `wait4` says includes what this process held when it made the other.
        var peak = 0
        while true {
            let found = waitpid(process, &status, WNOHANG)
            if found == process { return judge(status, peakMebibytes: peak) }
            if found < 0, errno != EINTR { return .notExamined(detail: "its process was lost") }
            if waited > patience {
                kill(process, SIGKILL)
                while waitpid(process, &status, 0) < 0, errno == EINTR {}
                return .fatal(.time, detail: "the process that read it did nothing for \(Int(patience)) s")
            }
            peak = max(peak, Self.mebibytes(of: process))
            usleep(useconds_t(pause * 1e6))
            waited += pause
            pause = min(0.005, pause * 1.5)
        }
    }

    /// The most memory that a process has had at one time (`VmHWM`, proc(5)); 0 when it has ended.
    private static func mebibytes(of process: pid_t) -> Int {
        guard let file = fopen("/proc/\(process)/status", "re") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("VmHWM:") else { continue }
            return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) / 1024
        }
        return 0
    }

    /// What the end of the process says of the message.
    private func judge(_ status: Int32, peakMebibytes: Int) -> Containment.Examination {
        let signal = status & 0x7F
        let code = (status >> 8) & 0xFF
        // Most of what is taken is also used; so near the limit it was the memory that ended it.
        let isFull = peakMebibytes > allowance.mebibytes / 2
        let memory = Containment.Examination.fatal(
            .memory, detail: "the process that read it needed more than the \(allowance.mebibytes) MiB of address space that it may have")
        if signal == 0 {
            if code == 0 { return .sound }
            if isFull { return memory }
            return code == ExitStatus.defect.rawValue
                ? .fatal(.crash, detail: "the process that read it ended with exit code \(code)")
                : .notExamined(detail: "the process that was to read it ended with exit code \(code)")
        }
        switch signal {
        case SIGXCPU:
            return .fatal(.time, detail: "the process that read it used the \(allowance.seconds) s of CPU that it may have")
        case SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSYS:
            return isFull ? memory : .fatal(.crash, detail: "the process that read it was ended by signal \(signal)")
        default:
            return .notExamined(detail: "the process that was to read it was ended by signal \(signal)")
        }
    }
}
