import DMARC

/// Which stored reports are meant.
public struct ReportSelection: Hashable, Sendable {
    /// Reports whose last day is before this one; nil: whatever their age.
    public var before: Day?
    /// Reports whose last day is this one or later; nil: whatever their age.
    public var since: Day?
    /// Policy domains, canonical; each stands for itself and all policy domains below it. Empty: all.
    public var domains: [String]

    /// All parts.
    public init(before: Day? = nil, since: Day? = nil, domains: [String] = []) {
        self.before = before
        self.since = since
        self.domains = domains
    }

    /// Whether the policy domain `name` is meant. Compared label by label from the right.
    public func includes(domain name: String) -> Bool {
        domains.isEmpty || domains.contains { name == $0 || (name.hasSuffix($0) && name.dropLast($0.count).hasSuffix(".")) }
    }

    /// Whether a report is meant whose last day is `lastDay`.
    func includes(lastDay: Day) -> Bool { (before.map { lastDay < $0 } ?? true) && (since.map { lastDay >= $0 } ?? true) }
}
