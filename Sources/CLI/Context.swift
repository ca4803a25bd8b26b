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
    /// The language of texts for people.
    public var language: Language

    /// Languages of texts for people.
    public enum Language: Sendable {
        case english
    }

    /// All parts.
    public init(
        environment: [String: String] = [:], standardOutput: any OutputChannel, standardError: any OutputChannel, standardInput: Int32 = 0,
        terminalWidth: Int? = nil, isErrorTerminal: Bool = false, now: Int, userID: UInt32 = 1000, language: Language = .english
    ) {
        self.environment = environment
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.standardInput = standardInput
        self.terminalWidth = terminalWidth
        self.isErrorTerminal = isErrorTerminal
        self.now = now
        self.userID = userID
        self.language = language
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
