import ArgumentParser
import DMARC
import Questions
import Store

/// What `--fail-on` takes: a condition as it was written, and what it means.
struct ConditionText: Hashable, Sendable {
    let text: String
    let condition: Condition

    /// What may be written, for help and errors.
    static let examples =
        "new-source, pass-rate<0.98, pass-rate-without-forwarding<0.98, failed>100, unaligned>100, spoofed-delivered, reporter-silent"

    /// Reads `name`, or `name`, a comparison (`<`, `<=`, `>`, `>=`) and a bound. A count without a bound means: more than 0.
    init?(_ text: String) {
        let text = text.filter { $0 != " " }
        self.text = text
        let name = text.prefix { $0 != "<" && $0 != ">" }
        var rest = text.dropFirst(name.count)
        var comparison: Comparison?
        if !rest.isEmpty {
            let sign = rest.prefix { "<>=".contains($0) }
            guard let found = Comparison(rawValue: String(sign)) else { return nil }
            comparison = found
            rest = rest.dropFirst(sign.count)
            guard !rest.isEmpty, rest.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }) else { return nil }
        }
        func count() -> (Comparison, Int)? {
            guard let comparison else { return (.more, 0) }
            return Int(rest).map { (comparison, $0) }
        }
        func rate() -> (Comparison, Double)? {
            guard let comparison, let bound = Double(rest), (0...1).contains(bound) else { return nil }
            return (comparison, bound)
        }
        let found: Condition? =
            switch name {
            case "new-source": comparison == nil ? .newSource : nil
            case "reporter-silent": comparison == nil ? .reporterSilent : nil
            case "pass-rate": rate().map { .passRate($0.0, $0.1) }
            case "pass-rate-without-forwarding": rate().map { .passRateWithoutForwarding($0.0, $0.1) }
            case "failed": count().map { .failed($0.0, $0.1) }
            case "unaligned": count().map { .unaligned($0.0, $0.1) }
            case "spoofed-delivered": count().map { .spoofedDelivered($0.0, $0.1) }
            default: nil
            }
        guard let found else { return nil }
        condition = found
    }
}

/// When the exit status is to say that something is wrong.
struct FailOnOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Exit with 1 if this holds: \(ConditionText.examples). A rate is a fraction; put quotes around < and >. Repeatable.",
            valueName: "condition"),
        transform: { text in
            guard let condition = ConditionText(text) else {
                throw ValidationError("expected one of \(ConditionText.examples); a rate is a fraction from 0 to 1")
            }
            return condition
        })
    var failOn: [ConditionText] = []

    /// Says which conditions hold, one a line, and ends the command with 1 if any does; with 64 if none does and no report is
    /// about one of the domains asked for. To be called when the answer is written.
    func check(_ store: ReportStore, _ filter: Filter, _ context: Context) throws {
        guard !failOn.isEmpty else { return }
        let held = try HeldCondition.ask(store, filter, failOn.map(\.condition))
        guard !held.isEmpty else {
            // Of a domain that nobody reports about nothing can be said: that it is well least of all.
            if try !UnknownDomains.ask(store, filter).names.isEmpty { throw AlreadySaid(status: .usage) }
            return
        }
        for held in held {
            let text = failOn.first { $0.condition == held.condition }?.text ?? ""
            context.say("dmarcstat: \(text): \(Self.words(held.finding))")
        }
        throw AlreadySaid(status: .condition)
    }

    private static func words(_ finding: HeldCondition.Finding) -> String {
        switch finding {
        case .source(let source, let domain, let firstDay):
            return "\(source) sends for \(DomainName.readable(domain)) since \(firstDay). dmarcstat sources --new lists the new ones."
        case .rate(let passed, let messages):
            let tenThousandths = Int((Double(passed) / Double(messages) * 10_000).rounded())
            let digits = String(10_000 + tenThousandths % 10_000).dropFirst()
            return "it is \(tenThousandths / 10_000).\(digits), \(passed) of \(messages) \(messages == 1 ? "message" : "messages")."
        case .messages(let count): return "\(count) \(count == 1 ? "message" : "messages")."
        case .reporters(let reporters):
            let named = reporters.prefix(5).map {
                "\($0.name) (last on \($0.lastDay), \($0.silentDays) days ago, usually every \($0.usualGap == 1 ? "day" : "\($0.usualGap) days"))"
            }
            let others = reporters.count > named.count ? ", and \(reporters.count - named.count) more" : ""
            return named.joined(separator: ", ") + others + "."
        }
    }
}
