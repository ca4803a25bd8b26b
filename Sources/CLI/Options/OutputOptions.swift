import ArgumentParser
import Rendering

extension Format: ExpressibleByArgument {}

/// In which form, and where to.
struct OutputOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("How the answer is written.", valueName: "format"))
    var format: Format?

    @Option(
        name: .shortAndLong, help: ArgumentHelp("Write to a file; .csv, .json, .ndjson or .txt chooses the format.", valueName: "file"))
    var output: String?

    @Flag(name: .long, help: "No colour on the terminal.")
    var noColor = false

    @Flag(name: .long, help: "ASCII only in text.")
    var ascii = false

    /// The format: that of the flag, else that of the file's name, else `usual`.
    func format(usually usual: Format) throws(CommandError) -> Format {
        if let format { return format }
        guard let output, output != "-" else { return usual }
        let name = output.split(separator: "/").last ?? ""
        let fileExtension = name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? ""
        guard let format = Format(fileExtension: fileExtension) else {
            throw .usage("--output \(output): the name does not say which format. Expected .csv, .json, .ndjson or .txt, or add --format.")
        }
        return format
    }

    /// Whether data goes to the terminal.
    func isTerminal(_ context: Context) -> Bool { context.terminalWidth != nil && (output == nil || output == "-") }

    /// How text is laid out there.
    func style(_ context: Context) -> TextStyle {
        let isTerminal = isTerminal(context)
        let wantsColor = !noColor && context.variable("NO_COLOR") == nil && context.variable("TERM") != "dumb"
        return TextStyle(width: isTerminal ? context.terminalWidth : nil, color: isTerminal && wantsColor, ascii: ascii)
    }
}

/// How many rows, in which order.
struct ListOptions: ParsableArguments {
    @Option(
        name: .long, help: ArgumentHelp("The most rows, or all.", valueName: "n"),
        transform: { text in
            guard let limit = Limit(text) else { throw ValidationError("expected a number from 1, or all") }
            return limit
        })
    var limit: Limit?

    @Option(
        name: .long, help: ArgumentHelp("Order by a key of the table; :asc or :desc behind it turns it round.", valueName: "key"),
        transform: { SortOrder($0) })
    var sort: SortOrder?
}
