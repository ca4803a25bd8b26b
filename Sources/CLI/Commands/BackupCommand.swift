import ArgumentParser
import Rendering
import Store

/// A copy of the database while it is in use.
struct BackupCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the database into one file, while it may be in use.",
        discussion: """
            EXAMPLES:
              dmarcstat backup /var/backups/dmarc.sqlite
              dmarcstat backup --force /var/backups/dmarc-$(date +%u).sqlite

            The copy is checked before it appears under its name. It is a database: name it with --database, or put it in the place of the other.
            """)

    @Argument(help: ArgumentHelp("The file to write.", valueName: "file"))
    var file: String

    @Flag(name: .long, help: "Replace a file of that name.")
    var force = false

    @OptionGroup var database: DatabaseOptions

    func run(_ context: Context) throws {
        if let objection = DatabaseOptions.objection(to: file) { throw CommandError.usage(objection) }
        let path = try database.path(context)
        let store = try ReportStore(path: path, access: .readOnly)
        let outcome = try store.backup(to: file, replaces: force)
        let line = "\(file): \(outcome.bytes) bytes, \(outcome.reports) reports, \(outcome.messages) messages of the ledger; checked"
        try context.standardOutput.write(Array((safeText(line, maxScalars: 4096) + "\n").utf8))
    }
}
