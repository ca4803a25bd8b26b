import ArgumentParser
import DMARC
import Questions
import Store

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
    ///
    /// What SQLite would take for something else than a file on disk is refused, wherever it comes from.
    func path(_ context: Context) throws -> String {
        if let database {
            if let objection = Self.objection(to: database) { throw CommandError.usage("--database \(objection)") }
            return database
        }
        let configuration = try configuration(context)
        if let configured = configuration.database { return configured }
        let usual = try usualPath(context)
        if let objection = Self.objection(to: usual) {
            throw ConfigurationError(code: .wrongValue, place: "the environment", key: "", found: "HOME: \(objection)")
        }
        return usual
    }

    /// Why a file of this name cannot be a database: SQLite keeps `:memory:` nowhere, reads `file:` as an address with options (sqlite.org/uri.html),
    /// and deletes what has no name when it is closed. Nil: it can.
    static func objection(to path: String) -> String? {
        let next = "Expected the path of a file on disk, such as \(path.isEmpty ? "" : "./")dmarc.sqlite."
        if path.isEmpty { return "is empty. \(next)" }
        if path.hasPrefix(":") {
            return "\(path): SQLite keeps what begins with a colon in memory, and it would be gone with this command. \(next)"
        }
        if path.lowercased().hasPrefix("file:") { return "\(path): SQLite takes a name that begins with file: for an address. \(next)" }
        if path.utf8.contains(0) { return "holds a NUL. \(next)" }
        return nil
    }

    private func usualPath(_ context: Context) throws -> String {
        if context.userID == 0, context.variable("XDG_DATA_HOME") == nil { return "/var/lib/dmarcstat/dmarc.sqlite" }
        // The XDG specification: a relative path is to be ignored.
        if let data = context.variable("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/dmarcstat/dmarc.sqlite" }
        guard let home = context.variable("HOME") else { throw CommandError.noDatabasePlace }
        return home + "/.local/share/dmarcstat/dmarc.sqlite"
    }

    /// Opens the database for questions.
    func open(_ context: Context) throws -> ReportStore {
        let path = try path(context)
        let store = try ReportStore(path: path, access: .readOnly)
        LastWords.question(path, context)
        return store
    }

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
