import Analysis
import ArgumentParser
import DMARC
import ReportStore

/// Which database.
struct DatabaseOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The database.", valueName: "file"))
    var database: String?

    @Option(name: .long, help: ArgumentHelp("The configuration.", valueName: "file"))
    var config: String?

    /// The configuration: that of the flag, of `$DMARCSTAT_CONFIG`, the user's own, the machine's, or an empty one.
    func configuration(_ context: Context) throws(ConfigurationError) -> Configuration {
        guard let path = ConfigurationReader.find(flag: config, context) else { return Configuration() }
        return try ConfigurationReader.read(path: path)
    }

    /// The path: the flag, else what the configuration says, else `$XDG_DATA_HOME/dmarcstat/dmarc.sqlite`, for root
    /// `/var/lib/dmarcstat/dmarc.sqlite`.
    func path(_ context: Context) throws -> String {
        if let database { return database }
        if let configured = try configuration(context).database { return configured }
        if context.userID == 0, context.variable("XDG_DATA_HOME") == nil { return "/var/lib/dmarcstat/dmarc.sqlite" }
        // The XDG specification: a relative path is to be ignored.
        if let data = context.variable("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/dmarcstat/dmarc.sqlite" }
        guard let home = context.variable("HOME") else { throw CommandError.noDatabasePlace }
        return home + "/.local/share/dmarcstat/dmarc.sqlite"
    }

    /// Opens the database for questions.
    func open(_ context: Context) throws -> ReportStore { try ReportStore(path: path(context), access: .readOnly) }

    /// The same, and says which domains of `filter` no report is about: a slip must not look like silence.
    func open(_ context: Context, _ filter: Filter) throws -> ReportStore {
        let store = try open(context)
        let unknown = try UnknownDomains.ask(store, filter)
        // An empty database has nothing to say about any domain, and says so itself.
        guard !unknown.known.isEmpty else { return store }
        for name in unknown.names {
            let hint = suggestion(for: name, among: unknown.known).map { "Did you mean '\(DomainName.readable($0))'?" }
            context.say(
                "dmarcstat: no reports about \(DomainName.readable(name)) or anything below. "
                    + (hint ?? "dmarcstat summary lists the domains."))
        }
        return store
    }

    /// The flag as it must be repeated in a suggested command.
    var words: String { (config.map { " --config " + quoted($0) } ?? "") + (database.map { " --database " + quoted($0) } ?? "") }
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
