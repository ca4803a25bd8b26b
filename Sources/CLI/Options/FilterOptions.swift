import ArgumentParser
import DMARC
import Store

/// Which days.
struct PeriodOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("First day: \(PeriodText.examples). A span counts back from the last day.", valueName: "when"),
        transform: { try PeriodOptions.read($0) })
    var since: PeriodText?

    @Option(
        name: .long, help: ArgumentHelp("Last day, included: a date or a word.", valueName: "when"),
        transform: { try PeriodOptions.read($0) })
    var until: PeriodText?

    private static func read(_ text: String) throws -> PeriodText {
        guard let period = PeriodText(text) else { throw ValidationError("expected a day or a span such as \(PeriodText.examples)") }
        return period
    }

    mutating func validate() throws {
        guard until?.isSpan != true else {
            throw ValidationError("--until takes a date or a word such as 2026-11-01 or last-month; a span goes with --since")
        }
    }

    /// What was asked for, on the day `today`.
    func request(today: Day) throws(CommandError) -> PeriodRequest {
        let request = PeriodRequest(since: since?.expression(today: today), until: until?.expression(today: today))
        if case .days(let first, _) = request.since, case .days(_, let last) = request.until, last < first {
            throw .usage("--since \(first) is after --until \(last). Expected the earlier day in --since.")
        }
        return request
    }
}

/// Which domains, reporters and days.
struct FilterOptions: ParsableArguments {
    @OptionGroup var period: PeriodOptions

    @Option(name: .long, help: ArgumentHelp("A policy domain, and all policy domains below it. Repeatable.", valueName: "name"))
    var domain: [String] = []

    @Option(name: .long, help: ArgumentHelp("Only reports of this reporter. Repeatable.", valueName: "name"))
    var reporter: [String] = []

    @Flag(name: .long, help: "Only reports whose mail is known to come from the reporter.")
    var onlyVerified = false

    /// The filter, at the instant of `context`.
    func filter(_ context: Context) throws(CommandError) -> Filter {
        let today = Day(containing: context.now)
        var names: [String] = []
        for text in domain {
            let name = DomainName.canonical(text)
            guard !name.isEmpty else { throw .usage("--domain is empty. Expected the name of a policy domain, such as example.org.") }
            names.append(name)
        }
        return Filter(
            domains: names, reporters: reporter, onlyVerified: onlyVerified, period: try period.request(today: today), today: today)
    }

    /// The flags for domains as they must be repeated in a suggested command.
    var words: String { domain.map { " --domain " + quoted($0) }.joined() }
}
