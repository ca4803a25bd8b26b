import ArgumentParser
import ReportStore

/// Which database.
struct DatabaseOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The database.", valueName: "file"))
    var database: String?

    /// The path: the flag, else `$XDG_DATA_HOME/dmarcstat/dmarc.sqlite`, for root `/var/lib/dmarcstat/dmarc.sqlite`.
    func path(_ context: Context) throws(CommandError) -> String {
        if let database { return database }
        if context.userID == 0, context.variable("XDG_DATA_HOME") == nil { return "/var/lib/dmarcstat/dmarc.sqlite" }
        // The XDG specification: a relative path is to be ignored.
        if let data = context.variable("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/dmarcstat/dmarc.sqlite" }
        guard let home = context.variable("HOME") else { throw .noDatabasePlace }
        return home + "/.local/share/dmarcstat/dmarc.sqlite"
    }

    /// Opens the database for questions.
    func open(_ context: Context) throws -> ReportStore { try ReportStore(path: path(context), access: .readOnly) }

    /// The flag as it must be repeated in a suggested command.
    var words: String { database.map { " --database " + quoted($0) } ?? "" }
}

/// `text` as one word of a shell.
func quoted(_ text: String) -> String {
    let isPlain =
        !text.isEmpty
        && text.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || ("0"..."9").contains($0) || "-._/:@%+,".unicodeScalars.contains($0)
        }
    return isPlain ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
