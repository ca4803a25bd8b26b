import Advice
import DMARC
import Questions
import Store

/// A finding in words.
struct AdviceText: Hashable, Sendable {
    /// What it is, in one line.
    var title: String
    /// What the reports show, with numbers.
    var seen: String
    /// What that probably means.
    var meaning: String
    /// One next step.
    var step: String
    /// How to see that it worked; empty where there is nothing to do.
    var check: String

    /// All of it in one paragraph, for data.
    var paragraph: String { [title + ".", seen, meaning, step, check].filter { !$0.isEmpty }.joined(separator: " ") }
}

/// The words of one language around findings. Keys and codes are never translated.
protocol AdviceTexts: Sendable {
    /// How numbers, days and lists are written.
    var writer: AdviceWriter { get }
    /// A finding in words.
    func text(_ finding: Finding) -> AdviceText
    /// A change of DNS as an instruction.
    func instruction(_ change: DNSChange) -> String
    /// How a name is to be filled in where a panel adds the domain itself.
    func panelNote(names: [String], zone: String) -> String
    /// Severity, in a word or two.
    func word(_ severity: Severity) -> String
    /// What stands before the parts of a finding.
    var labels: (seen: String, meaning: String, step: String, dns: String, check: String, more: String) { get }
    /// The line above a domain's findings.
    func heading(_ advice: DomainAdvice, _ period: Period?) -> String
    /// How many findings of which kind there are.
    func counts(_ advice: DomainAdvice) -> String
    /// That reports whose sender is not verified were left out, with their messages.
    func leftOut(_ messages: Int) -> String
    /// That reports of newcomers are not heard yet, with their messages.
    func newcomers(_ messages: Int, _ voices: Int) -> String
    /// That one report says more than all others.
    func outlier(_ report: OutlyingReport) -> String
    /// That nobody checks whom reports come from, and the line that is to be added below `[authenticity]`.
    func nobodyChecked(_ line: String) -> String
    /// Domains with nothing to do.
    func quiet(_ names: [String]) -> String
    /// Where the texts of what is fine can be read.
    var moreHint: String { get }
    /// Where the evidence can be read.
    var closing: String { get }
}

extension Context.Language {
    /// The texts of this language; `most`: so many names in a list before the rest is only counted.
    func adviceTexts(most: Int) -> any AdviceTexts {
        switch self {
        case .english: EnglishAdvice(most: most)
        case .dutch: DutchAdvice(most: most)
        }
    }
}

/// Numbers, days and lists as a language writes them.
struct AdviceWriter: Sendable {
    let thousands: String
    let decimalPoint: String
    let months: [String]
    let and: String
    let others: @Sendable (Int) -> String
    let most: Int

    /// Digits in groups of three.
    func number(_ count: Int) -> String {
        var digits = String(abs(count))
        var result = ""
        while digits.count > 3 {
            result = thousands + digits.suffix(3) + result
            digits.removeLast(3)
        }
        return (count < 0 ? "-" : "") + digits + result
    }

    /// A number with its unit.
    func count(_ count: Int, _ one: String, _ several: String) -> String { number(count) + " " + (count == 1 ? one : several) }

    /// `21 nov 2026`.
    func day(_ day: Day) -> String {
        let date = day.date
        return "\(date.day) \(months[date.month - 1]) \(date.year)"
    }

    /// `1–20 nov 2026`.
    func period(_ period: Period) -> String {
        let (first, last) = (period.since.date, period.until.date)
        guard period.since != period.until else { return day(period.until) }
        if first.year != last.year { return "\(day(period.since)) – \(day(period.until))" }
        if first.month != last.month { return "\(first.day) \(months[first.month - 1]) – \(day(period.until))" }
        return "\(first.day)–\(day(period.until))"
    }

    /// A share with one decimal; what is not nothing and not all never reads so.
    func percent(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "–" }
        let tenths = Int((Double(part) / Double(whole) * 1000).rounded())
        if part < whole, tenths >= 1000 { return ">99\(decimalPoint)9%" }
        if part > 0, tenths == 0 { return "<0\(decimalPoint)1%" }
        return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10)\(decimalPoint)\(tenths % 10)%"
    }

    /// The first names only: of forwarders and lists nobody knows how many there are.
    func some(_ names: [String]) -> String { list(Array(names.prefix(most))) }

    /// `a, b and c`, or `a, b, c and 4 others`. Names of domains in readable form.
    func list(_ names: [String]) -> String {
        let names = names.map { DomainName.readable($0) }
        let shown = names.count > most + 1 ? Array(names.prefix(most)) + [others(names.count - most)] : names
        guard let last = shown.last, shown.count > 1 else { return shown.first ?? "" }
        return shown.dropLast().joined(separator: ", ") + " \(and) " + last
    }
}

/// The name of a record as panels want it that add the domain themselves.
func relativeName(_ name: String, zone: String) -> String {
    if name == zone { return "@" }
    return name.hasSuffix("." + zone) ? String(name.dropLast(zone.count + 1)) : name
}

extension Finding {
    /// Failed messages that reached somebody: the key is the same in every finding about senders.
    var delivered: Int { count("delivered") }
    /// Those that did not.
    var stopped: Int { count("quarantined") + count("rejected") }

    /// What a stricter policy would hit, by verdict: together they are `messages`.
    var hit: [(verdict: Verdict, messages: Int)] {
        Verdict.allCases.compactMap { verdict in
            let messages = count("hit_" + verdict.rawValue.split(separator: "-").joined(separator: "_"))
            return messages > 0 ? (verdict, messages) : nil
        }.sorted { $0.messages > $1.messages }
    }

    /// Those of some codes that the domain has findings of, in brackets; empty where there are none.
    func see(_ codes: FindingCode...) -> String {
        let others = words("beside")
        let found = codes.map(\.rawValue).filter { others.contains($0) }
        return found.isEmpty ? "" : " (\(found.joined(separator: ", ")))"
    }
}
