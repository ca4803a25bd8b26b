import DMARC

/// Which reports a question is about.
public struct Filter: Hashable, Sendable {
    /// Policy domains, canonical (`DomainName.canonical`); each stands for itself and all policy domains below it. Empty: all.
    public var domains: [String]
    /// Reporters by name, letter case aside. Empty: all.
    public var reporters: [String]
    /// Only reports that came from whom they say (`Authenticity.verified`).
    public var onlyVerified: Bool
    /// The days, as they were asked for.
    public var period: PeriodRequest
    /// The day on which the question is asked, UTC.
    public var today: Day

    /// All parts.
    public init(
        domains: [String] = [], reporters: [String] = [], onlyVerified: Bool = false, period: PeriodRequest = PeriodRequest(), today: Day
    ) {
        self.domains = domains
        self.reporters = reporters
        self.onlyVerified = onlyVerified
        self.period = period
        self.today = today
    }

    /// Whether the policy domain `name` is asked for. Compared label by label from the right, in Swift: no pattern of SQL is involved, so
    /// `%` and `_` mean nothing.
    package func includes(domain name: String) -> Bool {
        domains.isEmpty || domains.contains { name == $0 || (name.hasSuffix($0) && name.dropLast($0.count).hasSuffix(".")) }
    }

    /// Whether reports of the reporter `name` are asked for.
    package func includes(reporter name: String) -> Bool {
        reporters.isEmpty || reporters.contains { $0.lowercased() == name.lowercased() }
    }
}

/// What an answer is about, for its header: the resolved period and how many domains it speaks of.
public struct Coverage: Hashable, Sendable {
    /// The days; nil where there is no data and no period was asked for.
    public var period: Period?
    /// The policy domains that the filter chose, canonical, in order of the alphabet.
    public var domains: [String]
    /// Messages of the counted records in the period.
    public var messages: Int
    /// Counted reports with a day in the period.
    public var reports: Int
    /// Whether the database holds any domain at all: an answer without rows means something else then.
    public var isDatabaseEmpty: Bool
    /// Reporters that were asked for and are not in the database.
    public var unknownReporters: [String]
}
