import ArgumentParser
import Rendering

/// The program: everything but the process around it.
public enum DmarcstatMain {
    /// Runs one command.
    ///
    /// - Parameters:
    ///   - arguments: those of the command line, without the program's name.
    ///   - context: the world.
    /// - Returns: the exit status.
    public static func run(arguments: [String], context: Context) -> Int32 {
        context.kernel?.protectMemory()
        do {
            try requireKnownCommand(arguments)
            let command = try Dmarcstat.parseAsRoot(DoctorCommand.readable(arguments))
            if let command = command as? any ContextCommand {
                try command.run(context)
            } else {
                // `help` and its like have nothing to do with the world: their answer is what they throw.
                var command = command
                try command.run()
            }
            return ExitStatus.done.rawValue
        } catch {
            return finish(error, arguments, context).rawValue
        }
    }

    /// The names of all commands that people type.
    static var commandNames: [String] {
        Dmarcstat.configuration.subcommands.filter { $0.configuration.shouldDisplay }.compactMap { $0.configuration.commandName } + ["help"]
    }

    /// The parser takes an unknown command for a superfluous argument; we can say what was meant.
    private static func requireKnownCommand(_ arguments: [String]) throws(CommandError) {
        // What stands behind `help` is a command, too.
        let word = arguments.first == "help" ? arguments.dropFirst().first : arguments.first
        guard let word, !word.hasPrefix("-"), !commandNames.contains(word), word != ExamineCommand.configuration.commandName else { return }
        let hint = suggestion(for: word, among: commandNames).map { "Did you mean '\($0)'?" } ?? "dmarcstat --help lists the commands."
        throw .usage("there is no command '\(word)'. \(hint)")
    }

    private static func finish(_ error: any Error, _ arguments: [String], _ context: Context) -> ExitStatus {
        if Diagnostics.isOurs(error) { return explain(error, context) }
        let code = Dmarcstat.exitCode(for: error)
        guard code != .success else {
            // Help and version: asked for, so they are data.
            let text = Dmarcstat.fullMessage(for: error, columns: context.terminalWidth.map { min($0, 100) } ?? 80)
            do {
                try context.standardOutput.write(Array((text + "\n").utf8))
                return .done
            } catch {
                return explain(error, context)
            }
        }
        guard code == .validationFailure else { return explain(error, context) }
        for line in Dmarcstat.message(for: error).split(separator: "\n") where !line.isEmpty { context.say("dmarcstat: \(line)") }
        let command = arguments.first.flatMap { commandNames.contains($0) && $0 != "help" ? " \($0)" : nil } ?? ""
        context.say("See: dmarcstat\(command) --help")
        return .usage
    }

    private static func explain(_ error: any Error, _ context: Context) -> ExitStatus {
        if let sentence = Diagnostics.sentence(for: error) { context.say("dmarcstat: \(sentence)") }
        return ExitStatus(error)
    }
}
