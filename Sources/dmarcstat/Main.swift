import CLI
import Glibc

/// The process around the program: the only place that looks at the clock, the environment and the terminal.
@main
struct Main {
    static func main() {
        // A reader that goes away and a file that grows too large are errors of `write`, not reasons to die.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        let status = DmarcstatMain.run(arguments: Array(CommandLine.arguments.dropFirst()), context: context())
        exit(status)
    }

    private static func context() -> Context {
        Context(
            environment: environment(), standardOutput: DescriptorChannel(STDOUT_FILENO), standardError: DescriptorChannel(STDERR_FILENO),
            standardInput: STDIN_FILENO, terminalWidth: terminalWidth(), isErrorTerminal: isatty(STDERR_FILENO) == 1, now: time(nil),
            userID: geteuid(), executable: "/proc/self/exe", kernel: .running())
    }

    /// The variables of the environment; the first of a name counts.
    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "="), variables[String(line[..<equals])] == nil {
                variables[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }

    private static func terminalWidth() -> Int? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
