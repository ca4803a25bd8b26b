import ArgumentParser
import CLinux
import DMARC
import Glibc
import Ingest
import Mail
import Refresh
import Rendering
import ReportXML
import Store

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
              dmarcstat ingest                          the mailboxes of the configuration
              dmarcstat ingest --mailbox rua --dry-run

            Run it as often as you like: a report is counted once. Under cron a good run prints nothing, and one with refused or deferred mail or
            conflicts one line.
            """)

    @Argument(help: ArgumentHelp("A maildir, an mbox, a folder, a mail, a report file, or - for standard input.", valueName: "path"))
    var paths: [String] = []

    @OptionGroup var database: DatabaseOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What is done with mail whose reports are all stored: leave, mark-seen, move:FOLDER or delete.", valueName: "action"))
    var after: SettleAction?

    @Option(name: .long, help: ArgumentHelp("The same for mail of which anything was refused.", valueName: "action"))
    var afterRefused: SettleAction?

    @Option(name: .long, help: ArgumentHelp("The same for mail without a report: notes, bounces, other reports.", valueName: "action"))
    var afterOther: SettleAction?

    @Option(name: .long, help: ArgumentHelp("Only this mailbox of the configuration; may be given several times.", valueName: "name"))
    var mailbox: [String] = []

    @Flag(name: .long, help: "Only say what would be read; nothing is stored or changed.")
    var dryRun = false

    @Flag(name: .long, help: "Do not keep the reports as they came in the database.")
    var noRaw = false

    @Flag(name: .long, help: "The clock is right, whatever the database and the mail say.")
    var trustClock = false

    @Flag(name: .long, help: "Exit with 65 if something was refused.")
    var strict = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Exit with 1 if this run had any: \(IngestCondition.allCases.map(\.rawValue).joined(separator: ", ")). Repeatable.",
            valueName: "condition"))
    var failOn: [IngestCondition] = []

    @Flag(name: .shortAndLong, help: "Say what was done, also when standard error is no terminal.")
    var verbose = false

    @Option(name: .long, help: ArgumentHelp("Threads that unpack and parse.", visibility: .hidden))
    var workers: Int?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if !paths.isEmpty, !mailbox.isEmpty { throw ValidationError("either paths or --mailbox, not both") }
        if let workers, !(1...64).contains(workers) { throw ValidationError("--workers \(workers): expected 1…64") }
    }

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        try requireClock(context)
        let configuration = try database.configuration(context)
        let path = try database.path(context)
        if !dryRun { StopRequest.listen() }
        // Before there are secrets here that a reader could come by.
        let readers = dryRun ? nil : configuration.readers(context)
        defer { readers?.end() }
        // Secrets are fetched here, before anything is locked.
        let targets = try targets(configuration, context)
        if dryRun { return try survey(targets, path, configuration, presentation, context) }
        try requireSomething(targets, context)
        try confine(targets, path, configuration, context)
        let meter = ProgressMeter(context)
        var tally = Tally()
        var failure: ExitStatus?
        // The database is locked only while something is stored: not while secrets are fetched, nor while somebody writes to a pipe.
        var session: IngestSession?
        func collect(_ target: MailboxTarget, opening open: MailboxOpening) throws {
            let current = try session ?? IngestSession(path, configuration, context, trustsClock: trustClock)
            session = current
            let isStream = target.isStream
            // What was read of a stream before it was to stop is stored: it is nowhere else.
            var options = options(target, configuration, current.containment, current.bytesBefore, context)
            options.readers = readers
            let ingest = Ingest(
                store: current.store, options: options, progress: { meter.show($0) },
                shouldStop: { !isStream && StopRequest.wasMade })
            do throws(IngestError) {
                let part = try ingest.run(opening: open)
                meter.clear()
                for error in part.failures { failure = failure ?? explain(error, context) }
                tally.add(part)
            } catch {
                meter.clear()
                // One mailbox that cannot be read does not stop the others; trouble with the database or the clock does.
                guard case .mailbox(let cause) = error else { throw error.underlying }
                failure = failure ?? explain(cause, context)
            }
        }
        for target in targets where !StopRequest.wasMade && tally.shortage == nil {
            guard target.isStream, case .path(let place) = target.place else {
                try collect(target) { isKnown throws(MailError) in try target.open(context, configuration.limits.mail, isKnown) }
                continue
            }
            do {
                let stream = try StreamRounds(
                    path: place, standardInput: context.standardInput, limits: configuration.limits.mail,
                    shouldStop: { StopRequest.wasMade })
                repeat {
                    session?.end()
                    session = nil
                    try stream.read()
                    if StopRequest.wasMade, !stream.hasMessages { break }
                    try collect(target) { isKnown in stream.round(isKnown: isKnown) }
                } while !stream.isComplete && tally.shortage == nil
            } catch let error as MailError {
                failure = failure ?? explain(error, context)
            }
        }
        meter.clear()
        session?.end()
        // Whatever comes of the verdicts: what was stored is stored, and is said.
        defer { withExtendedLifetime(session) {} }
        let told = Result { try report(tally, presentation, context) }
        if let session { try refreshVerdicts(session.store, configuration, context) }
        try told.get()
        if StopRequest.wasMade {
            context.say(
                "dmarcstat: ended early by a signal: \(tally.seen) messages were handled. Next: run the same command again for the rest.")
            throw AlreadySaid(status: .tryAgain)
        }
        try requireRoom(tally, path, context)
        if let failure { throw AlreadySaid(status: failure) }
        if failOn.contains(where: { $0.count(tally) > 0 }) { throw AlreadySaid(status: .condition) }
        if tally.messages[.deferred, default: 0] > tally.aheadOfClock { throw AlreadySaid(status: .inputOutput) }
        try requireBelievedClock(tally, context)
        if let error = tally.unsettled.first { throw AlreadySaid(status: status(error)) }
        if strict, !tally.refusals.isEmpty { throw AlreadySaid(status: .refused) }
    }

    /// What the new reports say about who is who. Left to the next run when this one is to stop.
    private func refreshVerdicts(_ store: ReportStore, _ configuration: Configuration, _ context: Context) throws {
        guard !StopRequest.wasMade else { return }
        // Mails and documents are done with: what they took is not to stand beside what the verdicts need. The pages that SQLite keeps lie
        // between what was freed, and hold it.
        store.releaseMemory()
        dmarcstat_give_memory_back()
        let refresh = VerdictRefresh(suffixFile: configuration.publicSuffixList)
        guard try refresh.isNeeded(store) else { return }
        LastWords.verdicts(store.path, context)
        _ = try refresh.run(store)
        LastWords.none(context)
    }

    /// A machine that lost its time, as many without a battery do when they start, would refuse every report for good as one of the future.
    private func requireClock(_ context: Context) throws {
        guard context.now < XMLLimits().earliestBegin else { return }
        context.say(
            "dmarcstat: the clock of this machine says \(isoDay(Day(containing: context.now).number) ?? "nothing that is a date"), when there was"
                + " no DMARC: every report would be refused as one of the future. Nothing was read. Next: set the clock, and run the same"
                + " command again.")
        throw AlreadySaid(status: .tryAgain)
    }

    /// What would not fit is left where it is, before the disk is full for everybody else.
    private func requireRoom(_ tally: Tally, _ path: String, _ context: Context) throws {
        switch tally.shortage {
        case nil: return
        case .disk(let free):
            context.say(
                "dmarcstat: \(path): disk-full: \(free >> 20) MiB are free on its disk, fewer than limits.free_bytes; \(tally.seen) messages were"
                    + " handled before. Next: make room, and run the same command again for the rest.")
        case .run(let grown):
            context.say(
                "dmarcstat: \(path): run-full: it has grown by \(grown >> 20) MiB in this run, as much as limits.run_bytes; \(tally.seen) messages"
                    + " were handled. Next: look at what came (dmarcstat status), and run the same command again for the rest.")
        }
        throw AlreadySaid(status: .tryAgain)
    }

    /// One report of the future among others is its sender's doing. Several, or nothing else, may be the clock's.
    private func requireBelievedClock(_ tally: Tally, _ context: Context) throws {
        let ahead = tally.aheadOfClock
        guard ahead >= 3 || (ahead > 0 && tally.seen == ahead && tally.known == 0) else { return }
        context.say(
            "dmarcstat: \(ahead) of \(tally.seen) messages hold reports that end in the future by the clock of this machine, which says"
                + " \(isoInstant(context.now) ?? "nothing that is a date"). They are left where they are. Next: set the clock if it is wrong, and run the"
                + " same command again.")
        throw AlreadySaid(status: .tryAgain)
    }

    /// From here on the process is kept to what the run needs: all that is configured and secret is read.
    private func confine(_ targets: [MailboxTarget], _ path: String, _ configuration: Configuration, _ context: Context) throws {
        guard let kernel = context.kernel else { return }
        // The database may be made below, but no folder for it.
        try ReportStore.makeFolder(for: path)
        Confinement(targets, database: path, configuration, output: output.output, context).begin(kernel)
    }

    /// A mistyped path makes no database.
    private func requireSomething(_ targets: [MailboxTarget], _ context: Context) throws {
        var failure: ExitStatus?
        for target in targets {
            guard case .path(let path) = target.place else { return }
            do throws(MailError) {
                _ = try mailboxKind(path: path)
                return
            } catch {
                failure = failure ?? ExitStatus(systemError: error.errno)
            }
        }
        for target in targets {
            guard case .path(let path) = target.place else { continue }
            do throws(MailError) { _ = try mailboxKind(path: path) } catch { _ = explain(error, context) }
        }
        if let failure { throw AlreadySaid(status: failure) }
    }

    /// What is to be collected from: the paths, else the mailboxes of the configuration.
    private func targets(_ configuration: Configuration, _ context: Context) throws -> [MailboxTarget] {
        if !paths.isEmpty {
            return paths.map { path in
                MailboxTarget(name: path, place: .path(path), actions: actions(MailActions()))
            }
        }
        let names = configuration.mailboxes.map(\.name)
        for name in mailbox where !names.contains(name) {
            let hint = suggestion(for: name, among: names).map { "Did you mean '\($0)'?" } ?? "There are: \(names.joined(separator: ", "))."
            throw CommandError.usage("--mailbox \(name): the configuration has no such mailbox. \(hint)")
        }
        let chosen = configuration.mailboxes.filter { mailbox.isEmpty || mailbox.contains($0.name) }
        guard !chosen.isEmpty else {
            throw CommandError.usage(
                "no path, and no mailbox in the configuration. Next: name a maildir, an mbox, a folder or a file, or - for standard input;"
                    + " or write a configuration with dmarcstat init.")
        }
        let supply = SecretSupply(context)
        for (index, mailbox) in chosen.enumerated() {
            guard case .imap(let imap) = mailbox.place else { continue }
            try supply.check(imap.secret, place: configuration.path ?? "", key: "mailbox[\(index + 1)].password_file")
        }
        return chosen.flatMap { MailboxTarget.all(of: $0, configuration.limits.mail, secret: supply.fetched) }.map { target in
            var target = target
            target.actions = actions(target.actions)
            return target
        }
    }

    /// The flags over what is configured.
    private func actions(_ configured: MailActions) -> MailActions {
        MailActions(
            after: after?.action ?? configured.after, afterRefused: afterRefused?.action ?? configured.afterRefused,
            afterOther: afterOther?.action ?? configured.afterOther)
    }

    private func options(
        _ target: MailboxTarget, _ configuration: Configuration, _ containment: Containment?, _ bytesBefore: Int, _ context: Context
    )
        -> IngestOptions
    {
        var options = configuration.ingestOptions(now: context.now)
        options.workers = workers ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        options.keepsRaw = configuration.keepsRaw && !noRaw
        options.after = target.actions.after
        options.afterRefused = target.actions.afterRefused
        options.afterOther = target.actions.afterOther
        options.standardInput = context.standardInput
        options.doubtsClock = !trustClock
        options.containment = containment
        options.databaseBytesBefore = bytesBefore
        return options
    }

    /// Says what is wrong with a mailbox.
    private func explain(_ error: MailError, _ context: Context) -> ExitStatus {
        let next =
            error.found.hasPrefix("imap-")
            ? "dmarcstat doctor tries each step" : "name a maildir, an mbox, a folder or a file that can be read"
        context.say("dmarcstat: \(error.place): \(error.found). Next: \(next).")
        return status(error)
    }

    private func status(_ error: MailError) -> ExitStatus { error.errno == 0 ? .inputOutput : ExitStatus(systemError: error.errno) }

    private func survey(
        _ targets: [MailboxTarget], _ path: String, _ configuration: Configuration, _ presentation: Presentation, _ context: Context
    ) throws {
        let store: ReportStore?
        do throws(StoreError) {
            store = try ReportStore(path: path, access: .readOnly)
        } catch {
            guard error.code == .missing else { throw error }
            store = nil
        }
        var rows: [[Cell]] = []
        var failure: ExitStatus?
        for target in targets {
            do throws(IngestError) {
                let (new, known) = try Ingest.survey(store: store) { isKnown throws(MailError) in
                    try target.open(context, configuration.limits.mail, isKnown)
                }
                rows.append([.text(target.name), .integer(new), .integer(known)])
            } catch {
                guard case .mailbox(let cause) = error else { throw error.underlying }
                failure = failure ?? explain(cause, context)
            }
        }
        let columns = [
            Column(key: "mailbox", title: "Mailbox", isIdentifier: true), Column(key: "new", title: "To be read", alignment: .right),
            Column(key: "known", title: "Known", alignment: .right),
        ]
        try presentation.present(Table(name: "ingest-dry-run", columns: columns, rows: rows))
        if let failure { throw AlreadySaid(status: failure) }
    }

    private func report(_ tally: Tally, _ presentation: Presentation, _ context: Context) throws {
        let isTold = verbose || context.isErrorTerminal
        if presentation.isText, isTold {
            for refusal in tally.deferrals.prefix(20) {
                context.say("dmarcstat: \(refusal.place): \(refusal.code): \(refusal.detail). It is left for the next run.")
            }
            if tally.deferrals.count > 20 { context.say("dmarcstat: and \(tally.deferrals.count - 20) more") }
        }
        for error in tally.unsettled.prefix(20) {
            context.say("dmarcstat: \(error.place): stored, but not moved or marked: \(error.found). The next run tries again.")
        }
        if let first = tally.withheld.first {
            let others = tally.withheld.count > 1 ? " and \(tally.withheld.count - 1) more" : ""
            context.say(
                "dmarcstat: \(first)\(others): not deleted, because what was not stored could not be kept in the database (keep_raw,"
                    + " limits.kept_bytes, limits.message_bytes). Next: look at it, and delete it by hand.")
        }
        guard presentation.isText else {
            try presentation.present(IngestTable.make(tally))
            for condition in IngestCondition.allCases where failOn.contains(condition) && condition.count(tally) > 0 {
                context.say("dmarcstat: \(condition.rawValue): \(condition.count(tally)) in this run.")
            }
            return
        }
        guard isTold else {
            if let line = IngestTable.noteworthy(tally, presentation) {
                let next = tally.refusals.isEmpty && tally.deferrals.isEmpty ? "reports" : "refused"
                context.say("dmarcstat: \(line). Next: dmarcstat \(next)\(database.words)")
            }
            return
        }
        context.say(IngestTable.sentence(tally, presentation))
        if tally.messages[.refused, default: 0] > 0 {
            presentation.suggest("dmarcstat refused" + database.words)
        } else {
            presentation.suggest("dmarcstat summary" + database.words)
        }
    }
}

/// What `--fail-on` of `ingest` takes.
enum IngestCondition: String, CaseIterable, ExpressibleByArgument {
    /// A report contradicts one that is stored.
    case conflict
    /// Something was refused: a mail, a document, records of a report.
    case refused
    /// A mail was left for the next run.
    case deferred

    /// How many the run had.
    func count(_ tally: Tally) -> Int {
        switch self {
        case .conflict: tally.documents.conflict
        case .refused: tally.refusals.count
        case .deferred: tally.messages[.deferred, default: 0]
        }
    }
}

/// `leave`, `mark-seen`, `move:FOLDER`, `delete`.
struct SettleAction: ExpressibleByArgument {
    let action: AfterAction

    /// What an error of the command line names.
    static let allValueStrings = ["leave", "mark-seen", "move:FOLDER", "delete"]

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
