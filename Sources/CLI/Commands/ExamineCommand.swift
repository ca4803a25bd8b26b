import ArgumentParser
import CLinux
import Glibc
import Ingest
import Mail
import Store
import Synchronization

/// What `IsolatedReader` starts: one message from standard input, read and stored in memory, in a process that may do nothing else.
struct ExamineCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "examine", abstract: "Read one message from standard input in a confined process.", shouldDisplay: false)

    @Option(name: .long) var form = "mail"
    @Option(name: .long) var name = ""
    @Option(name: .long) var bytes = 0
    @Option(name: .long) var seconds = 60
    @Option(name: .long) var mebibytes = 512
    @Option(name: .long) var limit: [String] = []

    func run(_ context: Context) throws {
        confine()
        let bytes = try read(context.standardInput)
        let message = Message(key: "examined", place: name, form: form == "mail" ? .mail : .file) { buffer throws(MailError) in
            buffer = bytes
        }
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        // Nobody is believed here, but what would be read then is read.
        var options = IngestOptions(now: context.now, organisations: { { $0 } })
        options.trustedServers = []
        options.workers = 1
        options.keepsRaw = false
        for text in limit {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let known = Limits.all.first(where: { $0.key == parts[0] }), let value = Int(parts[1]) else {
                throw CommandError.usage("--limit \(text): expected a key of [limits] and its value")
            }
            options.limits[keyPath: known.field] = value
        }
        _ = try Ingest(store: store, options: options).run { _ throws(MailError) in OneMessage(message) }
    }

    /// Little time, little memory, and nothing but to compute: no file, no network, no other program. What the system does not grant is gone without:
    /// the limits alone keep the promise that one message costs one process.
    private func confine() {
        func limit(_ resource: __rlimit_resource_t, _ soft: Int, _ hard: Int) {
            var limits = rlimit(rlim_cur: rlim_t(max(0, soft)), rlim_max: rlim_t(max(0, hard)))
            setrlimit(resource, &limits)
        }
        dmarcstat_one_heap()
        limit(__rlimit_resource_t(RLIMIT_CPU.rawValue), seconds, seconds + 2)
        limit(__rlimit_resource_t(RLIMIT_AS.rawValue), mebibytes << 20, mebibytes << 20)
        limit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), 0, 0)
        // Charsets are loaded from files when they are met, and by then nothing can be opened.
        dmarcstat_load_charsets()
        _ = dmarcstat_only_compute(1)
    }

    private func read(_ file: Int32) throws -> [UInt8] {
        var content = [UInt8](repeating: 0, count: max(0, bytes))
        var offset = 0
        while offset < content.count {
            let count = content.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress.map { $0 + offset }, $0.count - offset) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let found = count == 0 ? "ends after \(offset) of \(bytes) bytes" : String(cString: strerror(errno))
                throw StoreError(code: .ioError, place: "standard input", found: found)
            }
            offset += count
        }
        return content
    }

    /// A mailbox of one message.
    private final class OneMessage: Mailbox {
        let identifier = "examined"
        let expectedCount: Int? = 1
        let knownCount = 0
        let oddities: [MailError] = []
        private let waiting: Mutex<[Message]>

        init(_ message: Message) { waiting = Mutex([message]) }

        func next(_ limit: Int) -> [Message] {
            waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
        }

        func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] { [] }
    }
}
