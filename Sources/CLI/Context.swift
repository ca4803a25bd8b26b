import Rendering

/// Everything that a command takes from the world: made once by the executable, by hand in tests.
public struct Context: Sendable {
    /// The environment's variables.
    public var environment: [String: String]
    /// Where data goes.
    public var standardOutput: any OutputChannel
    /// Where everything else goes.
    public var standardError: any OutputChannel
    /// The descriptor that `-` reads from.
    public var standardInput: Int32
    /// Columns of the terminal that data goes to; nil: it goes elsewhere.
    public var terminalWidth: Int?
    /// Whether messages go to a terminal.
    public var isErrorTerminal: Bool
    /// Seconds since 1970-01-01 UTC: one instant for a whole run.
    public var now: Int
    /// The effective user; 0 is root.
    public var userID: UInt32
    /// This program, to look at suspect messages in a process of their own; nil: they are read like all others.
    public var executable: String?
    /// What this process can be confined with; nil: it is not ours to confine, because others share it.
    public var kernel: Kernel?
    /// The language of texts for people.
    public var language: Language

    /// Languages of texts for people: those of advice. Keys and codes are the same in all.
    public enum Language: String, CaseIterable, Sendable {
        /// Everything else.
        case english = "en"
        /// Dutch.
        case dutch = "nl"

        /// What the locale asks for: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that says something (POSIX, section 8.2).
        public init(environment: [String: String]) {
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
            let language = locale.prefix { $0 != "_" && $0 != "." && $0 != "@" }.lowercased()
            self = Language(rawValue: language) ?? .english
        }
    }

    /// All parts; without a language, that of the environment.
    public init(
        environment: [String: String] = [:], standardOutput: any OutputChannel, standardError: any OutputChannel, standardInput: Int32 = 0,
        terminalWidth: Int? = nil, isErrorTerminal: Bool = false, now: Int, userID: UInt32 = 1000, executable: String? = nil,
        kernel: Kernel? = nil, language: Language? = nil
    ) {
        self.environment = environment
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.standardInput = standardInput
        self.terminalWidth = terminalWidth
        self.isErrorTerminal = isErrorTerminal
        self.now = now
        self.userID = userID
        self.executable = executable
        self.kernel = kernel
        self.language = language ?? Language(environment: environment)
    }

    /// A variable of the environment; an empty one counts as absent.
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// Writes a line for people to standard error, made safe. A closed standard error is nobody's problem.
    func say(_ line: String) {
        try? standardError.write(Array((safeText(line, maxScalars: 4096) + "\n").utf8))
    }

    /// Suggests the next command, on a terminal only.
    func suggest(_ command: String) {
        guard terminalWidth != nil else { return }
        say("")
        say("Next: \(command)")
    }
}
