import DMARC
import Testing

@testable import Analysis

/// From facts to findings, without a database.
@Suite("Advisor")
struct AdvisorTests {
    static let until = Day(20777)
    static let since = until.advanced(by: -29)

    /// A domain in good order: two months of reports from two providers, p=none, one server that signs.
    static func healthy(p: String = "none", policySince: Day = until.advanced(by: -59)) -> DomainFacts {
        var facts = DomainFacts(
            domain: "example.org", organisation: "example.org", period: Period(since: since, until: until), lastDataDay: until,
            today: until.advanced(by: 1), firstDay: until.advanced(by: -59))
        let days = (-59...0).map { until.advanced(by: $0) }
        for name in ["google.com", "Outlook.com"] {
            facts.reporters.append(DomainFacts.Reporter(name: name, days: days, reports: 30))
            if policySince > days[0] {
                facts.policies.append(
                    DomainFacts.PolicyRun(reporter: name, since: days[0], until: policySince.advanced(by: -1), p: "none"))
            }
            facts.policies.append(DomainFacts.PolicyRun(reporter: name, since: policySince, until: until, p: p))
        }
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 10_000, passed: 10_000, sources: 1)
        facts.selectors = [
            DomainFacts.Selector(
                domain: "example.org", selector: "mail", passed: 10_000, failed: 0, passedReporters: 2, failedReporters: 0,
                firstFailedDay: until, lastDay: until)
        ]
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 10_000)]
        return facts
    }

    /// Adds a sender of `count` failed messages.
    static func add(
        _ verdict: Verdict, _ count: Int, to facts: inout DomainFacts, _ change: (inout DomainFacts.Sender) -> Void = { _ in }
    ) {
        var sender = DomainFacts.Sender(verdict: verdict, name: "\(verdict.rawValue).example", firstDay: since, lastDay: until)
        sender.treatment = DomainFacts.Treatment(messages: count, delivered: count, sources: 1, networks: 1)
        sender.addresses = [IPAddress(ipv4: 0xC000_0205)]
        sender.reporters = 2
        sender.confidence = 0.95
        change(&sender)
        facts.senders.append(sender)
        facts.totals[verdict, default: DomainFacts.Treatment()].add(sender.treatment)
        facts.totals[verdict]?.sources += 1
        facts.totals[verdict]?.networks += 1
    }

    private func codes(_ facts: DomainFacts) -> [String] { Advisor.findings(facts).map(\.code.rawValue) }

    private func readiness(_ facts: DomainFacts) throws -> Finding {
        try #require(Advisor.findings(facts).first { $0.code == .readiness })
    }

    // MARK: - Readiness

    @Test("a domain in good order is ready for the next step, and for no more")
    func ready() throws {
        let none = try readiness(Self.healthy())
        #expect(none.flag("ready") && none.severity == .act && none.word("next") == "quarantine")
        #expect(none.dns == [DNSChange(.replace, "_dmarc.example.org", "TXT", "p=quarantine", replaces: "p=none")])
        let quarantine = try readiness(Self.healthy(p: "quarantine", policySince: Self.until.advanced(by: -29)))
        #expect(quarantine.flag("ready") && quarantine.word("next") == "reject")
        #expect(codes(Self.healthy(p: "reject")) == [])
    }

    @Test("reject waits for thirty days of quarantine")
    func quarantine() throws {
        let finding = try readiness(Self.healthy(p: "quarantine", policySince: Self.until.advanced(by: -28)))
        #expect(finding.words("blockers") == ["quarantine-short"] && finding.count("quarantine_short") == 29 && finding.dns.isEmpty)
    }

    @Test("29 days of reports, one reporter, two names of one provider, or a reporter that wrote twice: not enough")
    func thin() throws {
        var facts = Self.healthy()
        for index in facts.reporters.indices { facts.reporters[index].days = Array(facts.reporters[index].days.suffix(29)) }
        #expect(try readiness(facts).words("blockers") == ["thin"])
        for index in facts.reporters.indices { facts.reporters[index].days = Array(Self.healthy().reporters[index].days.suffix(30)) }
        #expect(try readiness(facts).flag("ready"))
        facts = Self.healthy()
        facts.reporters.removeLast()
        #expect(try readiness(facts).words("blockers") == ["one-reporter"])
        facts = Self.healthy()
        facts.reporters[0].name = "Enterprise Outlook"
        #expect(try readiness(facts).words("blockers") == ["one-reporter"])
        facts = Self.healthy()
        facts.reporters[1].days = Array(facts.reporters[1].days.suffix(2))
        #expect(try readiness(facts).words("blockers") == ["one-reporter"])
    }

    @Test(
        "a share above one in two hundred is in the way, that share itself is not",
        arguments: [
            (Verdict.misconfigured, "misconfigured"), (.unaligned, "unaligned"), (.unknown, "unknown"),
        ])
    func share(verdict: Verdict, blocker: String) throws {
        var facts = Self.healthy()
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 9_950, passed: 9_950, sources: 1)
        Self.add(verdict, 50, to: &facts)
        #expect(try readiness(facts).flag("ready"))
        Self.add(verdict, 1, to: &facts)
        let finding = try readiness(facts)
        #expect(finding.words("blockers") == [blocker] && finding.dns.isEmpty && finding.severity == .watch)
    }

    @Test("what does not sign, a broken selector and an SPF error are in the way")
    func faults() throws {
        var facts = Self.healthy()
        Self.add(.authorized, 100, to: &facts) { $0.unsigned = 100 }
        #expect(try readiness(facts).words("blockers") == ["dkim-missing"])
        facts = Self.healthy()
        facts.selectors[0].failed = 600
        #expect(try readiness(facts).words("blockers") == ["dkim-broken"])
        facts.selectors[0].failed = 60
        #expect(try readiness(facts).flag("ready"))
        facts = Self.healthy()
        facts.spf[0].permanentErrors = 600
        #expect(try readiness(facts).words("blockers") == ["spf-error"])
    }

    @Test("strangers do not count among those who would be hit")
    func strangers() throws {
        var facts = Self.healthy()
        Self.add(.spoofed, 90_000, to: &facts)
        let finding = try readiness(facts)
        #expect(finding.flag("ready") && finding.messages == 0 && finding.count("known_messages") == 10_000)
    }

    @Test("a monthly sender that was not seen keeps the policy as it is")
    func late() throws {
        var facts = Self.healthy()
        facts.lateSenders = [
            DomainFacts.LateSender(name: "facturen.example", lastDay: Self.since.advanced(by: -2), every: 30, addresses: [])
        ]
        let finding = try readiness(facts)
        #expect(finding.words("blockers") == ["late-sender"] && finding.words("late_senders") == ["facturen.example"])
    }

    @Test("mailing lists keep a domain from reject, not from quarantine")
    func lists() throws {
        var facts = Self.healthy()
        Self.add(.mailingList, 100, to: &facts)
        #expect(try readiness(facts).flag("ready"))
        facts = Self.healthy(p: "quarantine")
        Self.add(.mailingList, 100, to: &facts)
        #expect(try readiness(facts).words("blockers") == ["mailing-list"])
    }

    @Test("a policy on trial or for a part of the mail is not followed by a stricter one")
    func trial() throws {
        var facts = Self.healthy(p: "quarantine")
        for index in facts.policies.indices { facts.policies[index].testing = "y" }
        #expect(try readiness(facts).words("blockers") == ["not-in-force"])
        facts = Self.healthy(p: "quarantine")
        for index in facts.policies.indices { facts.policies[index].pct = "50" }
        #expect(try readiness(facts).words("blockers") == ["not-in-force"])
        #expect(codes(facts) == ["E2", "E1"])
        for index in facts.policies.indices { facts.policies[index].pct = "100" }
        #expect(try readiness(facts).flag("ready") && codes(facts) == ["E1"])
    }

    @Test("reporters that see different policies: the weaker one of two counts, and nothing stricter is advised")
    func mixed() throws {
        var facts = Self.healthy(p: "quarantine", policySince: Self.until.advanced(by: -40))
        facts.policies[facts.policies.count - 1].p = "none"
        #expect(facts.policy?.p == "none")
        #expect(try readiness(facts).words("blockers") == ["mixed-policy"])
        #expect(codes(facts).contains("I1"))
    }

    @Test("no report shows a policy: nothing is said about one")
    func noPolicy() {
        var facts = Self.healthy()
        for index in facts.policies.indices { facts.policies[index].p = nil }
        #expect(facts.policy == nil && codes(facts).isEmpty)
    }

    // MARK: - Senders

    @Test("a server that is missing from SPF: the mechanism to add, where SPF was checked")
    func missing() throws {
        var facts = Self.healthy()
        Self.add(.misconfigured, 500, to: &facts) {
            $0.spf = .ownFail
            $0.spfDomain = "bounce.example.org"
        }
        let finding = try #require(Advisor.findings(facts).first)
        #expect(finding.code == .missingServer && finding.severity == .act && finding.subjects == ["192.0.2.5"])
        #expect(finding.dns == [DNSChange(.insert, "bounce.example.org", "TXT", "ip4:192.0.2.5")])
        facts.senders[0].reporters = 1
        #expect(Advisor.findings(facts).first { $0.code == .missingServer }?.severity == .watch)
        facts.senders[0].addresses = [IPAddress(high: 0x2001_0DB8_0000_0000, low: 5)]
        #expect(codes(facts).contains("G3") && !codes(facts).contains("M1"))
    }

    @Test("a name that could be no name of DNS is not offered for pasting")
    func hostile() throws {
        for name in [
            "exa mple.org", "example.org\n", "example.org\";", "-a.example", "a..example", "", "org",
            String(repeating: "a", count: 64) + ".org",
            "exämple.org", "*.*.example.org",
        ] {
            #expect(DNSChange(.insert, name, "TXT", "ip4:192.0.2.5") == nil, "\(name)")
        }
        #expect(DNSChange(.publish, "*._domainkey.example.org", "TXT", "v=DKIM1; p=") != nil)
        #expect(DNSChange(.publish, "example.org", "TXT", "a\"b") == nil && DNSChange(.publish, "example.org", "TXT", "a\u{1b}") == nil)
        var facts = Self.healthy()
        Self.add(.misconfigured, 500, to: &facts) {
            $0.spf = .ownFail
            $0.spfDomain = "\u{1b}[31m.example.org"
        }
        #expect(Advisor.findings(facts).first { $0.code == .missingServer }?.dns == [])
    }

    @Test("a service, a web form, and a stranger with servers in good order")
    func unaligned() {
        var facts = Self.healthy()
        Self.add(.unaligned, 500, to: &facts) {
            $0.hasForeignSignature = true
            $0.spf = .foreignPass
        }
        #expect(codes(facts).first == "C1")
        facts.senders[0].hasForeignSignature = false
        facts.senders[0].isHostName = true
        #expect(codes(facts).first == "C3")
        facts.senders[0].service = Service(name: "Sender", kind: .bulkSender, domains: [], page: "https://sender.example")
        #expect(codes(facts).first == "C1" && Advisor.findings(facts).first?.link == "https://sender.example")
        facts.senders[0].service = nil
        facts.senders[0].isHostName = false
        facts.senders[0].notes = .unrelated
        let finding = Advisor.findings(facts).first { $0.code == .unalignedService }
        #expect(finding?.severity == .watch && finding?.flag("unrelated") == true)
    }

    @Test("beyond five services the rest share a finding")
    func many() {
        var facts = Self.healthy()
        for number in 0..<9 {
            Self.add(.unaligned, 100 + number, to: &facts) {
                $0.name = "service\(number).example"
                $0.hasForeignSignature = true
            }
        }
        let findings = Advisor.findings(facts).filter { $0.code == .unalignedService }
        #expect(findings.count == 6 && findings.reduce(0) { $0 + $1.messages } == 936)
        #expect(findings.last?.subjects.count == 4 && findings.last?.severity == .watch)
        for index in facts.senders.indices { facts.senders[index].notes = .unrelated }
        let strangers = Advisor.findings(facts).filter { $0.code == .unalignedService }
        #expect(strangers.count == 1 && strangers[0].messages == 936 && strangers[0].severity == .watch)
    }

    @Test("who signs for anybody does sign")
    func reportersWithoutSignatures() {
        var facts = Self.healthy()
        Self.add(.authorized, 100, to: &facts) {
            $0.unsigned = 100
            $0.signed = 20
        }
        #expect(codes(facts) == ["E1"])
    }

    @Test("a selector that fails everywhere is to be mended, one that fails sometimes to be watched")
    func selectors() throws {
        var facts = Self.healthy()
        facts.selectors[0].failed = 900
        facts.selectors[0].failedReporters = 2
        #expect(Advisor.findings(facts).first { $0.code == .brokenSignature }?.severity == .watch)
        facts.selectors[0].passed = 0
        let finding = try #require(Advisor.findings(facts).first { $0.code == .brokenSignature })
        #expect(finding.severity == .act && finding.flag("everywhere") && finding.subjects == ["mail._domainkey.example.org"])
    }

    @Test("forwarding and lists are fine, unless a policy stops the lists")
    func indirect() {
        var facts = Self.healthy()
        Self.add(.forwarded, 100, to: &facts) {
            $0.treatment = DomainFacts.Treatment(messages: 100, passed: 90, delivered: 10, sources: 1)
        }
        Self.add(.mailingList, 10, to: &facts)
        #expect(Advisor.findings(facts).suffix(2).map(\.severity) == [.fine, .fine])
        #expect(codes(facts).suffix(2) == ["A2", "A1"])
        Self.add(.mailingList, 10, to: &facts) {
            $0.treatment = DomainFacts.Treatment(messages: 10, rejected: 10, sources: 1)
        }
        #expect(Advisor.findings(facts).first { $0.code == .mailingList }?.severity == .watch)
    }

    // MARK: - Strangers

    @Test("strangers: delivered at p=none, stopped at reject, and a few that slip through do not change that")
    func spoofing() {
        var facts = Self.healthy()
        Self.add(.spoofed, 100, to: &facts)
        #expect(codes(facts) == ["D1", "E1"] && Advisor.findings(facts).first?.severity == .act)
        Self.add(.unaligned, 500, to: &facts)
        #expect(Advisor.findings(facts).first { $0.code == .spoofedDelivered }?.severity == .watch)
        facts = Self.healthy(p: "reject")
        Self.add(.spoofed, 100, to: &facts) {
            $0.treatment = DomainFacts.Treatment(messages: 100, delivered: 5, rejected: 95, sources: 1)
        }
        #expect(codes(facts) == ["D2"])
        facts = Self.healthy(p: "reject")
        Self.add(.spoofed, 100, to: &facts)
        #expect(codes(facts) == ["D1"] && Advisor.findings(facts).first?.flag("enforced") == true)
    }

    @Test("names below the domain: closed only where nobody sends from there")
    func subdomains() throws {
        var facts = Self.healthy()
        Self.add(.spoofed, 100, to: &facts)
        facts.subdomains = [DomainFacts.Subdomain(name: "shop.example.org", spoofed: 100, delivered: 100, others: 0)]
        var finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedSubdomain })
        #expect(finding.dns == [DNSChange(.insert, "_dmarc.example.org", "TXT", "sp=reject; np=reject")])
        facts.subdomains.append(DomainFacts.Subdomain(name: "news.example.org", spoofed: 0, delivered: 0, others: 5))
        finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedSubdomain })
        #expect(finding.dns == [DNSChange(.insert, "_dmarc.example.org", "TXT", "np=reject")])
        facts.subdomains[0].others = 1
        #expect(!codes(facts).contains("F1"))
        facts.subdomains[0].others = 0
        for index in facts.policies.indices { facts.policies[index].sp = "quarantine" }
        #expect(!codes(facts).contains("F1"))
        facts = Self.healthy(p: "reject")
        facts.subdomains = [DomainFacts.Subdomain(name: "shop.example.org", spoofed: 100, delivered: 0, others: 0)]
        #expect(!codes(facts).contains("F1"))
    }

    @Test("a domain that never sent: reject after sixty days, quarantine after thirty, before that only a word")
    func parked() throws {
        var facts = Self.healthy()
        facts.totals = [:]
        facts.senders = []
        facts.selectors = []
        facts.spf = []
        facts.everSent = false
        Self.add(.spoofed, 10, to: &facts)
        #expect(codes(facts) == ["D1", "F2"])
        var finding = try #require(Advisor.findings(facts).first { $0.code == .parked })
        #expect(finding.word("next") == "reject" && finding.dns.map(\.value) == ["v=spf1 -all", "p=reject", "0 .", "v=DKIM1; p="])
        facts.firstDay = Self.until.advanced(by: -58)
        finding = try #require(Advisor.findings(facts).first { $0.code == .parked })
        #expect(finding.word("next") == "quarantine" && finding.dns.count == 4)
        facts.firstDay = Self.until.advanced(by: -28)
        finding = try #require(Advisor.findings(facts).first { $0.code == .parked })
        #expect(finding.severity == .watch && finding.dns.isEmpty)
    }

    // MARK: - DNS and reporters

    @Test("SPF: an error, a record that is missing, one that says nothing; ~all is no finding")
    func spf() throws {
        var facts = Self.healthy()
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 900, permanentErrors: 100, permanentErrorReporters: 2)]
        #expect(Advisor.findings(facts).first?.code == .spfError && Advisor.findings(facts).first?.severity == .act)
        facts.spf[0].permanentErrorReporters = 1
        #expect(Advisor.findings(facts).first { $0.code == .spfError }?.severity == .watch)
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 960, temporaryErrors: 40)]
        #expect(codes(facts) == ["E1"])
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 9_995, permanentErrors: 5, permanentErrorReporters: 5)]
        #expect(codes(facts) == ["E1"])
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 900, temporaryErrors: 100)]
        #expect(codes(facts).contains("G1"))
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", none: 100, noneReporters: 2)]
        #expect(Advisor.findings(facts).first?.code == .spfWeak)
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 10, neutral: 5)]
        #expect(Advisor.findings(facts).first { $0.code == .spfWeak }?.dns.first?.replaces == "?all")
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 10, softFailed: 500)]
        #expect(codes(facts) == ["E1"])
    }

    @Test("a reporter is silent when it waits longer than ever before and three times as long as usual")
    func silence() throws {
        var facts = Self.healthy()
        facts.reporters[1].days = facts.reporters[1].days.dropLast(3)
        #expect(codes(facts) == ["E1"])
        facts.reporters[1].days = facts.reporters[1].days.dropLast(1)
        let finding = try #require(Advisor.findings(facts).first { $0.code == .reporterSilent })
        #expect(finding.subjects == ["Outlook.com"] && finding.count("silent_days") == 4 && finding.severity == .watch)
        facts.reporters[1].days.removeAll { (-30 ... -26).contains(Self.until.distance(to: $0)) }
        #expect(codes(facts) == ["E1"])
        facts = Self.healthy()
        facts.today = Self.until.advanced(by: 5)
        #expect(Advisor.findings(facts).first?.flag("everybody") == true && Advisor.findings(facts).first?.severity == .act)
        facts.today = Self.until.advanced(by: 4)
        #expect(codes(facts) == ["E1"])
    }

    @Test("what is to be done comes first, then what is to be watched, then what is fine")
    func order() {
        var facts = Self.healthy()
        Self.add(.spoofed, 10, to: &facts)
        Self.add(.dkimOnly, 10, to: &facts)
        Self.add(.forwarded, 10, to: &facts)
        Self.add(.unaligned, 600, to: &facts) { $0.hasForeignSignature = true }
        Self.add(.misconfigured, 600, to: &facts) { $0.spf = .ownFail }
        #expect(codes(facts) == ["M1", "C1", "D1", "E1", "A1", "C2"])
    }

    // MARK: - Rhythm

    @Test("a rhythm: monthly or quarterly, still alive; batches of some days are one time")
    func rhythm() throws {
        func days(_ days: [Int]) -> UInt128 { days.reduce(0) { $0 | UInt128(1) << UInt128($1) } }
        let monthly = try #require(Rhythm(days([3, 4, 33, 64, 65, 94]), first: 1000, until: 1127))
        #expect(monthly.times == 4 && monthly.every == 30 && monthly.lastDay == 1094)
        let quarterly = try #require(Rhythm(days([5, 96]), first: 1000, until: 1127))
        #expect(quarterly.times == 2 && quarterly.every == 91)
        #expect(Rhythm(days([3, 33]), first: 1000, until: 1127) == nil, "it stopped")
        #expect(Rhythm(days([90]), first: 1000, until: 1127) == nil, "once")
        #expect(Rhythm(days([60, 75, 105]), first: 1000, until: 1127) == nil, "uneven")
        #expect(Rhythm(days([100, 107, 114, 121]), first: 1000, until: 1127) == nil, "weekly: would have been seen in the period")
    }
}
