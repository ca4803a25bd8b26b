import Advice
import Organisations
import Store

/// The findings about one policy domain.
public struct DomainAdvice: Hashable, Sendable {
    /// The policy domain, canonical.
    public var domain: String
    /// Its organisational domain, where its zone of DNS is likely to begin.
    public var organisation: String
    /// Messages in the period.
    public var messages: Int
    /// Reports whose day lies in the period.
    public var reports: Int
    /// Messages of reports that are not heard: they were checked, and are not verified.
    public var unverifiedMessages: Int
    /// Messages of reports that are not heard yet, because whoever sends them is new.
    public var newcomerMessages: Int
    /// How many newcomers those are.
    public var newcomers: Int
    /// Reports whose counts are out of all proportion, heard or not.
    public var outliers: [OutlyingReport]
    /// What there is to say, most important first.
    public var findings: [Finding]
}

/// The answer to "what should I do".
public struct Advisory: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// The domains with reports: those that ask for most first, then by messages, then by name.
    public var domains: [DomainAdvice]

    /// Asks `store`. Figures in messages are those of the period (30 days unless asked otherwise); how regular reporters are, which policies were
    /// seen and who sends once a month is looked up in what lies before it, too.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> Advisory {
        try readingShared(store, "advise") { stored, shared in
            let scope = try Scope(stored, filter, onlyHeard: true)
            guard let period = scope.period else {
                return Advisory(coverage: scope.coverage(messages: 0, reports: 0), domains: [])
            }
            var domains = try shared.split(scope.domains, stored) { stored, next -> [DomainAdvice] in
                guard let suffixes = PublicSuffixes() else { return [] }
                let reader = try DomainFactsReader(stored, scope, period, today: filter.today, suffixes)
                try reader.findLastDataDay()
                var found: [DomainAdvice] = []
                while let domain = next() {
                    let facts = try reader.facts(of: domain)
                    let newcomers = try scope.newcomers(stored, of: domain)
                    var advice = DomainAdvice(
                        domain: domain.name, organisation: suffixes.organisation(of: domain.name), messages: facts?.messages ?? 0,
                        reports: facts?.reporters.reduce(0) { $0 + $1.reports } ?? 0,
                        unverifiedMessages: try scope.distrustedMessages(stored, of: domain), newcomerMessages: newcomers.messages,
                        newcomers: newcomers.voices, outliers: try OutlyingReport.find(stored, of: domain, scope), findings: [])
                    guard advice.messages + advice.reports + advice.newcomers > 0 || facts?.reporters.isEmpty == false else { continue }
                    if let facts { advice.findings = Advisor.findings(facts) }
                    found.append(advice)
                }
                return found
            }.flatMap(\.self)
            domains.sort { a, b in
                let (urgent, other) = (a.findings.first?.severity ?? .fine, b.findings.first?.severity ?? .fine)
                if urgent != other { return urgent < other }
                return a.messages != b.messages ? a.messages > b.messages : a.domain < b.domain
            }
            let coverage = scope.coverage(
                messages: domains.reduce(0) { $0 + $1.messages }, reports: domains.reduce(0) { $0 + $1.reports })
            return Advisory(coverage: coverage, domains: domains)
        }
    }
}
