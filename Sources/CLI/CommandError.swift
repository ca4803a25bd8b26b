import Mail

/// What stops a command besides the errors of the store and of the analysis.
enum CommandError: Error, Equatable {
    /// The command line makes no sense: the whole sentence.
    case usage(String)
    /// There is no place for a database: no flag, no home directory.
    case noDatabasePlace
    /// There is no report with this number.
    case noSuchReport(Int, database: String)
    /// A file or mailbox that was named cannot be read.
    case input(MailError)
    /// Standard output (path nil) or a file cannot be written.
    case output(path: String?, OutputError)
}
