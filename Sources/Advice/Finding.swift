import DMARC

/// What advice is about. docs/ADVICE.md tells each code's evidence, text and source.
public enum FindingCode: String, CaseIterable, Hashable, Sendable {
    /// A server of the domain's own that its SPF record does not name.
    case missingServer = "M1"
    /// As `missingServer`, but only over IPv6.
    case missingIPv6 = "G3"
    /// Signatures of the domain's own that do not verify.
    case brokenSignature = "B2"
    /// The domain's own mail, without a signature of its own.
    case noSignature = "B1"
    /// A service that authenticates as itself.
    case unalignedService = "C1"
    /// As `unalignedService`, from a shared web server.
    case webForm = "C3"
    /// An SPF record that cannot be evaluated.
    case spfError = "G1"
    /// An SPF record that is missing or says nothing.
    case spfWeak = "G2"
    /// A reporter that fell silent.
    case reporterSilent = "H1"
    /// Strangers use the name, and it is delivered.
    case spoofedDelivered = "D1"
    /// Strangers use names below the domain.
    case spoofedSubdomain = "F1"
    /// A domain that sends no mail.
    case parked = "F2"
    /// Reporters see different policies.
    case policyMismatch = "I1"
    /// A tag that is no longer part of DMARC.
    case outdatedTag = "E2"
    /// Ready for a stricter policy, or what is in the way.
    case readiness = "E1"
    /// Mailing lists change messages.
    case mailingList = "A2"
    /// Mail is passed on.
    case forwarded = "A1"
    /// A service that signs for the domain and has its own return path.
    case signedService = "C2"
    /// Strangers use the name, and it is stopped.
    case spoofedStopped = "D2"

    /// Place among findings of the same severity: that of the declaration.
    package var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// How much a finding asks for.
public enum Severity: String, CaseIterable, Hashable, Sendable, Comparable {
    /// Something is to be done.
    case act
    /// Worth knowing; not certain or not urgent.
    case watch
    /// All is as it should be.
    case fine

    /// What asks for most comes first.
    public static func < (lhs: Severity, rhs: Severity) -> Bool { lhs.rank < rhs.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// A value that belongs to a finding.
public enum FindingValue: Hashable, Sendable {
    /// A number of something.
    case count(Int)
    /// A fraction 0…1.
    case rate(Double)
    /// A UTC day.
    case day(Day)
    /// Whether something is so.
    case flag(Bool)
    /// A word of the reports or of the vocabulary.
    case word(String)
    /// Several of them.
    case words([String])
}

/// A value with its name.
public struct FindingNumber: Hashable, Sendable {
    /// The key, the same in every language.
    public var name: String
    /// The value.
    public var value: FindingValue
}

/// A change of the domain's DNS.
public struct DNSChange: Hashable, Sendable {
    /// What is done.
    public enum Action: String, Sendable {
        /// A record is published, in the place of one of the same kind.
        case publish
        /// The value is added to a record that is there: SPF before its `all`, DMARC at its end.
        case insert
        /// In a record that is there `replaces` becomes the value.
        case replace
        /// The value is taken out of a record that is there.
        case remove
    }

    /// What is done.
    public var action: Action
    /// The full name, canonical, checked to be a host name.
    public var name: String
    /// TXT or MX.
    public var type: String
    /// What is pasted, without quotation marks.
    public var value: String
    /// With `replace`: what was there.
    public var replaces: String?

    /// Nil where `name` could not be one of DNS: it came with a report, and is meant to be pasted.
    package init?(_ action: Action, _ name: String, _ type: String, _ value: String, replaces: String? = nil) {
        guard Self.isHostName(name), value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }) else { return nil }
        self.action = action
        self.name = name
        self.type = type
        self.value = value
        self.replaces = replaces
    }

    /// Labels of letters, digits, hyphens and underscores, 63 bytes each and 253 in all; the first one may be an asterisk.
    package static func isHostName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= 253 else { return false }
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.count >= 2
            && labels.enumerated().allSatisfy { index, label in
                if index == 0, label.elementsEqual("*".utf8) { return true }
                return (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                    && label.allSatisfy {
                        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                    }
            }
    }
}

/// One piece of advice about a policy domain, without words: those are chosen by language in `CLI`.
public struct Finding: Hashable, Sendable {
    /// The policy domain, canonical.
    public var domain: String
    /// What it is about.
    public var code: FindingCode
    /// How much it asks for.
    public var severity: Severity
    /// Messages it is about; 0 where it is about something else.
    public var messages: Int
    /// How sure the verdicts behind it are, 0…1; nil where it rests on no verdict.
    public var confidence: Double?
    /// Sources, services, selectors, reporters or names it is about, those with most messages first.
    public var subjects: [String]
    /// Further values, in a fixed order for each code.
    public var numbers: [FindingNumber]
    /// What to change in DNS, exactly.
    public var dns: [DNSChange]
    /// Where this is explained.
    public var link: String

    /// The value of a name.
    public func value(_ name: String) -> FindingValue? { numbers.first { $0.name == name }?.value }

    /// The count of a name, 0 if there is none.
    public func count(_ name: String) -> Int {
        if case .count(let count)? = value(name) { return count }
        return 0
    }

    /// The day of a name.
    public func day(_ name: String) -> Day? {
        if case .day(let day)? = value(name) { return day }
        return nil
    }

    /// The fraction of a name.
    public func rate(_ name: String) -> Double? {
        if case .rate(let rate)? = value(name) { return rate }
        return nil
    }

    /// Whether a name's flag is set.
    public func flag(_ name: String) -> Bool { value(name) == .flag(true) }

    /// The word of a name.
    public func word(_ name: String) -> String? {
        if case .word(let word)? = value(name) { return word }
        return nil
    }

    /// The words of a name.
    public func words(_ name: String) -> [String] {
        if case .words(let words)? = value(name) { return words }
        return []
    }
}
