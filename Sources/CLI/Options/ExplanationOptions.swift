import ArgumentParser
import Questions

/// What `trend` explains, and against what.
struct ExplanationOptions: ParsableArguments {
    @Flag(name: .long, help: "Which sources moved the pass rate since the period before.")
    var explain = false

    @Option(
        name: .long, help: ArgumentHelp("With --explain: the earlier days, in the words of --since.", valueName: "when"),
        transform: { text in
            guard let period = PeriodText(text) else { throw ValidationError("expected days or a span such as \(PeriodText.examples)") }
            return period
        })
    var against: PeriodText?

    @Option(name: .long, help: ArgumentHelp("With --explain: a row for each source, or for each service.", valueName: "what"))
    var group: ChangeGrouping?

    mutating func validate() throws {
        guard explain || (against == nil && group == nil) else {
            throw ValidationError("\(against == nil ? "--group" : "--against") goes with --explain")
        }
    }
}
