import ArgumentParser
import Glibc
import Ingest
import Mail
import Rendering
import ReportStore

/// Collect: mailboxes and files into the database.
struct IngestCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest",
        abstract: "Collect reports from maildirs, mboxes, folders and files.",
        discussion: """
            EXAMPLES:
              dmarcstat ingest ~/Maildir
              dmarcstat ingest --after mark-seen /var/mail/dmarc
              dmarcstat ingest google.com!example.nl!1793491200!1793577599.zip
              dmarcstat ingest - < report.xml.gz

            Run it as often as you like: a report is counted once. Under cron a good run prints nothing.
            """)

    @Argument(help: ArgumentHelp("A maildir, an mbox, a folder, a mail, a report file, or - for standard input.", valueName: "path"))
    var paths: [String] = []

    @OptionGroup var database: DatabaseOptions

    @Option(
        name: .long, help: ArgumentHelp("What is done with handled mail: leave, mark-seen, move:FOLDER or delete.", valueName: "action"))
    var after: SettleAction = SettleAction(action: .leave)

    @Option(name: .long, help: ArgumentHelp("The same for refused mail.", valueName: "action"))
    var afterRefused: SettleAction = SettleAction(action: .leave)

    @Flag(name: .long, help: "Do not keep the reports as they came in the database.")
    var noRaw = false

    @Flag(name: .long, help: "Exit with 65 if something was refused.")
    var strict = false

    @Flag(name: .shortAndLong, help: "Say what was done, also when standard error is no terminal.")
    var verbose = false

    @Option(name: .long, help: ArgumentHelp("Threads that unpack and parse.", visibility: .hidden))
    var workers: Int?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !paths.isEmpty else {
            throw ValidationError("no path: name a maildir, an mbox, a folder or a file, or - for standard input")
        }
        if let workers, !(1...64).contains(workers) { throw ValidationError("--workers \(workers): expected 1…64") }
    }

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let path = try database.path(context)
        let store = try ReportStore(path: path, access: .readWrite)
        let lock = try StoreLock(database: path, waitSeconds: 10)
        var options = IngestOptions(now: context.now)
        options.workers = workers ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        options.keepsRaw = !noRaw
        options.after = after.action
        options.afterRefused = afterRefused.action
        options.standardInput = context.standardInput
        let meter = ProgressMeter(context)
        StopRequest.listen()
        let ingest = Ingest(store: store, options: options, progress: { meter.show($0) }, shouldStop: { StopRequest.wasMade })
        var tally = Tally()
        var failure: ExitStatus?
        for path in paths {
            do throws(IngestError) {
                tally.add(try ingest.run(path: path))
            } catch {
                meter.clear()
                // One mailbox that cannot be read does not stop the others; trouble with the database does.
                guard let status = explainMailbox(error, context) else { throw error.underlying }
                failure = failure ?? status
            }
        }
        meter.clear()
        extendLifetime(lock)
        try report(tally, presentation, context)
        if let failure { throw AlreadySaid(status: failure) }
        if tally.messages[.deferred, default: 0] > 0 { throw AlreadySaid(status: .inputOutput) }
        if strict, tally.messages[.refused, default: 0] > 0 { throw AlreadySaid(status: .refused) }
    }

    /// Says what is wrong with a mailbox; nil if the trouble is not the mailbox's.
    private func explainMailbox(_ error: IngestError, _ context: Context) -> ExitStatus? {
        guard case .mailbox(let error) = error else { return nil }
        context.say("dmarcstat: \(error.place): \(error.found). Next: name a maildir, an mbox, a folder or a file that can be read.")
        return error.errno == 0 ? .inputOutput : ExitStatus(systemError: error.errno)
    }

    /// Keeps the lock until here.
    private func extendLifetime(_ lock: borrowing StoreLock) {}

    private func report(_ tally: Tally, _ presentation: Presentation, _ context: Context) throws {
        let deferred = tally.refusals.filter { _ in tally.messages[.deferred, default: 0] > 0 && presentation.isText }
        if !deferred.isEmpty {
            for refusal in deferred.prefix(20) where refusal.scope == .message {
                context.say("dmarcstat: \(refusal.place): \(refusal.code): \(refusal.detail)")
            }
        }
        for refusal in tally.unsettled.prefix(20) {
            context.say("dmarcstat: \(refusal.place): stored, but not moved or marked: \(refusal.detail). The next run tries again.")
        }
        guard presentation.isText else {
            try presentation.present(IngestTable.make(tally))
            return
        }
        guard verbose || context.isErrorTerminal else { return }
        context.say(IngestTable.sentence(tally, presentation))
        if tally.messages[.refused, default: 0] > 0 {
            presentation.suggest("dmarcstat refused" + database.words)
        } else {
            presentation.suggest("dmarcstat summary" + database.words)
        }
    }
}

/// `leave`, `mark-seen`, `move:FOLDER`, `delete`.
struct SettleAction: ExpressibleByArgument {
    let action: AfterAction

    init(action: AfterAction) { self.action = action }

    init?(argument: String) {
        switch argument {
        case "leave": action = .leave
        case "mark-seen": action = .markSeen
        case "delete": action = .delete
        default:
            guard argument.hasPrefix("move:"), argument.count > 5 else { return nil }
            action = .move(String(argument.dropFirst(5)))
        }
    }

    var defaultValueDescription: String { "leave" }
}

/// How far it has come, on a terminal: one line that is written over.
private final class ProgressMeter: Sendable {
    private let context: Context

    init(_ context: Context) { self.context = context }

    func show(_ progress: IngestProgress) {
        guard context.isErrorTerminal else { return }
        let total = progress.total.map { " of \($0)" } ?? ""
        let share = progress.total.flatMap { $0 > 0 ? " (\(progress.done * 100 / $0) %)" : nil } ?? ""
        let rate = progress.messagesPerSecond > 0 ? ", \(Int(progress.messagesPerSecond))/s" : ""
        let left = progress.secondsLeft.map { ", \(Int($0.rounded(.up))) s left" } ?? ""
        write("\r\u{1B}[K\(progress.done)\(total) messages\(share)\(rate)\(left)")
    }

    func clear() {
        guard context.isErrorTerminal else { return }
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) { try? context.standardError.write(Array(text.utf8)) }
}
