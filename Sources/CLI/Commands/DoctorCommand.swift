import ArgumentParser
import DMARC
import Glibc
import IMAP
import Ingest
import Mail
import Questions
import Rendering
import Store

/// Check configuration, database and mailboxes, and say what to do about each failure.
struct DoctorCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check configuration, database and each mailbox; nothing is changed without --repair.",
        discussion: """
            EXAMPLES:
              dmarcstat doctor
              dmarcstat doctor --database                  the usual database in depth
              dmarcstat doctor --database dmarc.sqlite     this one in depth
              dmarcstat doctor --config /etc/dmarcstat.toml --format json
              dmarcstat doctor --repair --database dmarc.sqlite

            With --database every report is compared with its digest and its document, and every figure with what it is computed from; it reads
            the whole file, and derives verdicts anew in a copy.
            The exit code is that of the first check that failed.
            """)

    @OptionGroup var database: DatabaseOptions

    @Flag(name: .long, help: "Check the database in depth; so does --database, with or without a file.")
    var inDepth = false

    @Flag(
        name: .long,
        help: "Make the database right first: reports from the documents that were kept, all figures from them; a backup is made before.")
    var repair = false

    @OptionGroup var output: OutputOptions

    /// `--database` without a file means the usual one, in depth; to the parser a file is missing there.
    static func readable(_ arguments: [String]) -> [String] {
        guard arguments.first == configuration.commandName else { return arguments }
        return arguments.indices.map { index in
            let isBare = arguments[index] == "--database" && (index + 1 == arguments.count || arguments[index + 1].hasPrefix("-"))
            return isBare ? "--in-depth" : arguments[index]
        }
    }

    static let fields: [Field<DoctorFinding>] = [
        .text(
            "subject", "What", .text, "What was looked at: `configuration`, `system`, `database`, or the mailbox.", priority: 90,
            isIdentifier: true
        ) { row, _ in .text(row.subject) },
        .text("check", "Check", .word, "What was tried.", priority: 80) { row, _ in .text(row.check) },
        Field(
            Column(
                key: "result", title: "Result", priority: 100, isIdentifier: true, emphasis: .words(["ok": .good, "failed": .bad])),
            .word, "`ok` or `failed`.",
            { row, _ in .text(row.isFine ? "ok" : "failed") }),
        .text("found", "Found", .text, "What was found.", priority: 70) { row, _ in .text(row.found) },
        .text("next", "Next", .text, "What to do about it; empty if all is well.", priority: 60) { row, _ in .text(row.next) },
    ]

    func run(_ context: Context) throws {
        let presentation = try Presentation(output, context)
        let configuration = try database.configuration(context)
        var findings = [
            DoctorFinding(
                subject: "configuration", check: "read", found: configuration.path ?? "none; not needed for paths on the command line",
                status: .done)
        ]
        let servers = configuration.trustedServers.map { $0.map { $0.isEmpty ? "without a name" : $0 }.joined(separator: ", ") }
        findings.append(
            DoctorFinding(
                subject: "configuration", check: "senders",
                found: servers ?? "nobody checks whom a report comes from",
                next: servers == nil
                    ? "add to the configuration, below [authenticity], with the name of your mail server: \(TrustHint.line)" : "",
                status: .done))
        if let kernel = context.kernel {
            findings.append(DoctorFinding(subject: "system", check: "confinement", found: kernel.found, next: kernel.next, status: .done))
        }
        let path = try database.path(context)
        if repair { findings += try repairFindings(path, configuration, context) }
        findings += try databaseFindings(path, configuration, context)
        let supply = SecretSupply(context)
        for mailbox in configuration.mailboxes {
            for target in MailboxTarget.all(of: mailbox, configuration.limits.mail, secret: supply.secret) {
                findings += check(target, context)
            }
        }
        let rows = findings.map { finding in Self.fields.map { $0.cell(finding, presentation) } }
        try presentation.present(Table(name: "doctor", columns: Self.fields.map(\.column), rows: rows))
        if let failed = findings.first(where: { !$0.isFine }) { throw AlreadySaid(status: failed.status) }
        if configuration.mailboxes.isEmpty {
            presentation.suggest("dmarcstat init")
        } else {
            presentation.suggest("dmarcstat ingest --dry-run")
        }
    }

    /// Repairs the database, and says what was done, or why nothing was.
    private func repairFindings(_ path: String, _ configuration: Configuration, _ context: Context) throws -> [DoctorFinding] {
        // A mistyped path makes no database.
        _ = try ReportStore(path: path, access: .readOnly)
        let lock = try StoreLock(database: path, waitSeconds: 10)
        defer { extendLifetime(lock) }
        let store = try ReportStore(path: path, access: .readWrite)
        let outcome = try DatabaseRepair.run(store, configuration, now: context.now)
        return [DoctorFinding(subject: "database", check: "repair", found: outcome.words, status: .done)]
    }

    /// Keeps the lock until here.
    private func extendLifetime(_ lock: borrowing StoreLock) {}

    private func databaseFindings(_ path: String, _ configuration: Configuration, _ context: Context) throws -> [DoctorFinding] {
        do {
            let store = try ReportStore(path: path, access: .readOnly)
            let isInDepth = inDepth || repair || database.database != nil
            let hint = isInDepth ? "" : "; doctor --database checks it in depth"
            return [DoctorFinding(subject: "database", check: "open", found: path + hint, status: .done)] + deferredFindings(store)
                + (isInDepth ? try DatabaseDoctor.findings(store, configuration, now: context.now) : [])
        } catch let error as StoreError {
            // Whoever asks for the check of a database, and of nothing else, means one that is there. Beside mailboxes it may be
            // the setup that is tried, before the first ingest.
            let isMeantToBeThere = inDepth || (database.database != nil && configuration.mailboxes.isEmpty)
            if error.code == .missing, isMeantToBeThere {
                return [
                    DoctorFinding(
                        subject: "database", check: "open", found: "\(path): not there yet, so nothing was checked",
                        next: "name the database that is meant, or make it with dmarcstat ingest PATH", status: ExitStatus(error))
                ]
            }
            if error.code == .missing {
                return [DoctorFinding(subject: "database", check: "open", found: "\(path): not there yet; ingest makes it", status: .done)]
            }
            let next = Diagnostics.sentence(for: error) ?? ""
            return [DoctorFinding(subject: "database", check: "open", found: error.code.rawValue, next: next, status: ExitStatus(error))]
        }
    }

    /// What could not be read yet: nothing that is broken here, and nothing that goes away by itself.
    private func deferredFindings(_ store: ReportStore) -> [DoctorFinding] {
        guard let status = try? Status.ask(store, today: Day(0)), let count = status.messages[.deferred], count > 0 else { return [] }
        let more = count > status.deferredPlaces.count ? "; and \(count - status.deferredPlaces.count) more" : ""
        return [
            DoctorFinding(
                subject: "database", check: "deferred", found: status.deferredPlaces.joined(separator: "; ") + more,
                next: "ingest tries them last in each run; what never comes can be looked at, and deleted, in a mail program", status: .done
            )
        ]
    }

    private func check(_ target: MailboxTarget, _ context: Context) -> [DoctorFinding] {
        switch target.place {
        case .path(let path): return checkPath(path, target, context)
        case .imap(let account, let limits): return checkServer(account, limits, target, now: context.now)
        }
    }

    private func checkPath(_ path: String, _ target: MailboxTarget, _ context: Context) -> [DoctorFinding] {
        do throws(IngestError) {
            let (new, _) = try Ingest.survey(store: nil) { isKnown throws(MailError) in try target.open(context, MailLimits(), isKnown) }
            var findings = [DoctorFinding(subject: target.name, check: "list", found: "\(new) messages in \(path)", status: .done)]
            if target.actions.change, access(path, W_OK) != 0 {
                findings.append(
                    DoctorFinding(
                        subject: target.name, check: "permission to change", found: systemWords(errno),
                        next: "give write permission on \(path), or set after = \"leave\"", status: .permission))
            }
            return findings
        } catch {
            guard case .mailbox(let cause) = error else {
                return [DoctorFinding(subject: target.name, check: "list", found: "\(error)", status: .defect)]
            }
            return [
                DoctorFinding(
                    subject: target.name, check: "list", found: cause.found, next: "see that \(path) is there and can be read",
                    status: cause.errno == 0 ? .inputOutput : ExitStatus(systemError: cause.errno))
            ]
        }
    }
}

extension DoctorCommand {
    /// Tries each step that an ingest would take on a server.
    private func checkServer(
        _ account: IMAPAccount, _ limits: IMAPLimits, _ target: MailboxTarget, now: Int
    ) -> [DoctorFinding] {
        let changes = target.actions.change
        return probe(account, limits: limits, targets: target.actions.folders).map { step in
            var finding = DoctorFinding(subject: target.name, check: step.name.rawValue, found: step.found, status: .done)
            switch step.outcome {
            case .passed: break
            case .doubtful:
                // A folder that cannot be changed matters only to those who want it changed.
                if changes || step.name != .change { finding.next = ServerDoctor.next(doubtful: step.name) }
            case .failed(let error):
                finding.found = "\(error.code.rawValue): \(error.found)"
                finding.next = ServerDoctor.next(error)
                finding.status = ServerDoctor.status(error)
            }
            if let expires = step.expires, finding.isFine, expires - now < ServerDoctor.expiryWarningSeconds {
                finding.next = "have the certificate renewed: it ends on \(Day(containing: expires))"
            }
            return finding
        }
    }
}

/// The outcome of one check.
struct DoctorFinding {
    var subject: String
    var check: String
    var found: String
    var next = ""
    /// `done` if all is well, else the exit status that the failure would lead to.
    var status: ExitStatus

    var isFine: Bool { status == .done }
}
