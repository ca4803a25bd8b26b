import ArgumentParser
import Glibc

/// Write a commented configuration.
struct InitCommand: ContextCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a commented configuration file to start from.",
        discussion: """
            EXAMPLES:
              dmarcstat init
              dmarcstat init /etc/dmarcstat.toml
              dmarcstat init -                    to standard output
            """)

    @Argument(help: ArgumentHelp("Where to; - is standard output.", valueName: "file"))
    var file: String?

    func run(_ context: Context) throws {
        if file == "-" { return try context.standardOutput.write(Array(ConfigurationTemplate.text.utf8)) }
        let path = try file ?? usualPath(context)
        if file == nil { makeDirectories(above: path) }
        // O_EXCL: a configuration that is there is never written over. 0600: it names hosts and users.
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST {
                throw CommandError.usage("\(path) is there already and is left as it is. Next: edit it, or name another file.")
            }
            throw CommandError.output(path: path, .failed(errno))
        }
        defer { close(descriptor) }
        do throws(OutputError) {
            try DescriptorChannel(descriptor).write(Array(ConfigurationTemplate.text.utf8))
        } catch {
            // An empty file would be a configuration, and in the way of the next try.
            unlink(path)
            throw CommandError.output(path: path, error)
        }
        context.say("wrote \(path)")
        context.suggest("dmarcstat doctor" + (file == nil ? "" : " --config " + quoted(path)))
    }

    /// Where it is looked for: the user's own, for root the machine's.
    private func usualPath(_ context: Context) throws(CommandError) -> String {
        if context.userID == 0, context.variable("XDG_CONFIG_HOME") == nil { return "/etc/dmarcstat.toml" }
        if let folder = context.variable("XDG_CONFIG_HOME"), folder.hasPrefix("/") { return folder + "/dmarcstat/config.toml" }
        guard let home = context.variable("HOME") else {
            throw .usage("no place for a configuration: there is neither XDG_CONFIG_HOME nor HOME. Next: dmarcstat init FILE.")
        }
        return home + "/.config/dmarcstat/config.toml"
    }

    private func makeDirectories(above path: String) {
        var index = path.index(after: path.startIndex)
        while let slash = path[index...].firstIndex(of: "/") {
            mkdir(String(path[..<slash]), 0o700)
            index = path.index(after: slash)
        }
    }
}
