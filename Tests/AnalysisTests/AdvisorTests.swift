import DMARC
import Testing

@testable import Advice
@testable import Organisations
@testable import Questions

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
            facts.voices.append(DomainFacts.Voice(name: name.lowercased(), days: days, standing: 2))
        }
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 10_000, passed: 10_000, sources: 1)
        facts.known = both(10_000)
        facts.selectors = [
            DomainFacts.Selector(
                domain: "example.org", selector: "mail", passed: 10_000, failed: 0, passedReporters: 2, failedReporters: 0,
                failedWitnesses: 0, firstFailedDay: until, lastDay: until, passedByVoice: both(10_000))
        ]
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 10_000, checksByVoice: both(10_000))]
        return facts
    }

    /// Messages that two voices report, half of them each.
    static func both(_ messages: Int) -> ByVoice { counts([messages - messages / 2, messages / 2]) }

    /// Messages by voice.
    static func counts(_ messages: [Int]) -> ByVoice {
        var counts = ByVoice()
        for (voice, messages) in messages.enumerated() { counts.add(messages, of: voice) }
        return counts
    }

    /// Adds a sender of `count` failed messages.
    static func add(
        _ verdict: Verdict, _ count: Int, to facts: inout DomainFacts, _ change: (inout DomainFacts.Sender) -> Void = { _ in }
    ) {
        var sender = DomainFacts.Sender(verdict: verdict, name: "\(verdict.rawValue).example", firstDay: since, lastDay: until)
        sender.treatment = DomainFacts.Treatment(messages: count, delivered: count, sources: 1, networks: 1)
        sender.addresses = [IPAddress(ipv4: 0xC000_0205)]
        sender.reporters = 2
        sender.witnesses = 2
        sender.settledWitnesses = 2
        sender.decisive = count
        sender.confidence = 0.95
        change(&sender)
        if verdict != .spoofed, !sender.isQuestion { facts.known.add(both(count)) }
        let faults: [Verdict: Readiness.Kind] = [
            .misconfigured: .misconfigured, .unaligned: .unaligned, .unknown: .unknown, .mailingList: .mailingList,
        ]
        if let kind = sender.isUnsigned ? .dkimMissing : sender.isQuestion ? nil : faults[verdict] {
            facts.faults[kind, default: DomainFacts.Fault()].messages += count
            facts.faults[kind]?.byVoice.add(both(count))
            facts.faults[kind]?.witnesses = 2
        }
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

    @Test("29 days of reports, one witness, a young store, or a witness that wrote twice: not enough")
    func thin() throws {
        var facts = Self.healthy()
        for index in facts.voices.indices { facts.voices[index].days = Array(facts.voices[index].days.suffix(29)) }
        #expect(try readiness(facts).words("blockers") == ["thin"])
        for index in facts.voices.indices { facts.voices[index].days = Array(Self.healthy().voices[index].days.suffix(30)) }
        #expect(try readiness(facts).flag("ready"))
        facts = Self.healthy()
        facts.voices.removeLast()
        #expect(try readiness(facts).words("blockers") == ["one-reporter"])
        facts = Self.healthy()
        facts.voices[0].standing = 1
        #expect(try readiness(facts).words("blockers") == ["one-reporter"])
        facts.voices[1].standing = 1
        #expect(try readiness(facts).words("blockers") == ["thin", "one-reporter"])
        facts = Self.healthy()
        facts.voices[1].days = Array(facts.voices[1].days.suffix(2))
        #expect(try readiness(facts).words("blockers") == ["one-reporter"])
    }

    @Test("any number of names and newcomers are no second witness")
    func names() throws {
        var facts = Self.healthy()
        facts.voices.removeLast()
        let days = facts.voices[0].days
        for number in 0..<9 {
            facts.reporters.append(DomainFacts.Reporter(name: "receiver\(number).example", days: days, reports: 30))
            facts.voices.append(DomainFacts.Voice(name: "newcomer\(number).example", days: days, standing: number % 2))
        }
        #expect(try readiness(facts).words("blockers") == ["one-reporter"] && readiness(facts).count("reporters") == 1)
    }

    @Test(
        "a share above one in two hundred is in the way, that share itself is not",
        arguments: [
            (Verdict.misconfigured, "misconfigured"), (.unaligned, "unaligned"), (.unknown, "unknown"),
        ])
    func share(verdict: Verdict, blocker: String) throws {
        var facts = Self.healthy()
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 9_950, passed: 9_950, sources: 1)
        facts.known = Self.both(9_950)
        Self.add(verdict, 50, to: &facts)
        #expect(try readiness(facts).flag("ready"))
        Self.add(verdict, 2, to: &facts)
        let finding = try readiness(facts)
        #expect(finding.words("blockers") == [blocker] && finding.dns.isEmpty && finding.severity == .watch)
    }

    @Test("what does not sign, a broken selector and an SPF error are in the way")
    func faults() throws {
        var facts = Self.healthy()
        Self.add(.authorized, 100, to: &facts) { $0.unsigned = 100 }
        #expect(try readiness(facts).words("blockers") == ["dkim-missing"])
        facts = Self.healthy()
        Self.breakSignatures(600, of: &facts)
        #expect(try readiness(facts).words("blockers") == ["dkim-broken"])
        Self.breakSignatures(60, of: &facts)
        #expect(try readiness(facts).flag("ready"))
        facts = Self.healthy()
        facts.spf[0].permanentErrors = 600
        facts.spf[0].permanentErrorsByVoice = Self.both(600)
        facts.spf[0].permanentErrorWitnesses = 2
        #expect(try readiness(facts).words("blockers") == ["spf-error"])
    }

    static func breakSignatures(_ count: Int, of facts: inout DomainFacts) {
        facts.selectors[0].failed = count
        facts.selectors[0].failedReporters = 2
        facts.selectors[0].failedWitnesses = 2
        facts.selectors[0].failedByVoice = both(count)
        facts.faults[.dkimBroken] =
            facts.selectors[0].isBroken ? DomainFacts.Fault(messages: count, byVoice: both(count), witnesses: 2) : nil
    }

    @Test("a name that nobody knows is a question: it is asked for thirty days, is no part of a share, and then holds nothing up")
    func question() throws {
        var facts = Self.healthy()
        Self.add(.unaligned, 400, to: &facts) {
            $0.notes = .unrelated
            $0.foreignSigned = 400
            $0.knownSince = Self.until.advanced(by: -29)
        }
        var finding = try readiness(facts)
        #expect(finding.words("blockers") == ["question"] && finding.count("question") == 400 && finding.subjects == ["unaligned.example"])
        #expect(finding.messages == 0 && finding.count("known_messages") == 10_000 && finding.count("question_failed") == 400)
        facts.senders[0].knownSince = Self.until.advanced(by: -30)
        finding = try readiness(facts)
        #expect(finding.flag("ready") && finding.count("question_failed") == 400, "named, and in nobody's way")
        #expect(Advisor.findings(facts).contains { $0.code == .unalignedService && $0.flag("unrelated") && $0.severity == .watch })
        facts.senders[0].knownSince = Self.until
        facts.senders[0].decisive = 9
        #expect(try readiness(facts).flag("ready"), "a handful is not worth waiting for")
        facts.senders[0].decisive = 400
        facts.senders[0].witnesses = 1
        #expect(try readiness(facts).flag("ready"), "one witness alone may have made the name up")
        // A stranger who sends a lot hides nothing: the share is that of what is known.
        Self.add(.unaligned, 60, to: &facts) { $0.name = "dienst.example" }
        facts.senders[0].treatment.messages = 1_000_000
        #expect(try readiness(facts).words("blockers") == ["unaligned"])
    }

    @Test("what would be hit is itemised to the last message")
    func hit() throws {
        var facts = Self.healthy()
        for (count, verdict) in [Verdict.misconfigured, .unaligned, .forwarded, .mailingList, .unknown, .dkimOnly, .authorized].enumerated()
        {
            Self.add(verdict, count + 1, to: &facts)
        }
        Self.add(.spoofed, 500, to: &facts)
        let finding = try readiness(facts)
        let parts = finding.numbers.filter { $0.name.hasPrefix("hit_") }
        #expect(parts.count == 7 && parts.reduce(0) { $0 + finding.count($1.name) } == finding.messages && finding.messages == 28)
    }

    @Test("what strangers had delivered before the policy was there is not laid at its door")
    func policyOfThePeriod() throws {
        var facts = Self.healthy(p: "reject", policySince: Self.until.advanced(by: -4))
        Self.add(.spoofed, 300, to: &facts)
        facts.strangersNow = DomainFacts.Treatment(messages: 40, delivered: 1, rejected: 39)
        var finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedStopped })
        #expect(finding.severity == .fine && finding.count("delivered") == 300 && finding.count("since_delivered") == 1)
        #expect(finding.day("policy_since") == Self.until.advanced(by: -4))
        facts.strangersNow = DomainFacts.Treatment(messages: 40, delivered: 20, rejected: 20)
        finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedDelivered })
        #expect(finding.word("policy") == "reject" && finding.word("next") == "" && !finding.flag("parked"))
        // Nobody shows a policy: none is named.
        facts.policies = []
        finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedDelivered })
        #expect(finding.word("policy") == "" && !finding.flag("enforced"))
    }

    @Test("services that share an address share it, and receivers that see several are counted once")
    func together() throws {
        var facts = Self.healthy()
        for number in 0..<8 {
            Self.add(.unaligned, 10, to: &facts) {
                $0.name = "junk\(number).example"
                $0.notes = .unrelated
                $0.foreignSigned = 5
                $0.foreignPassed = 10
                $0.sources = [0, Int32(number)]
                $0.treatment.sources = 2
                $0.voices = 1 << UInt128(number % 3)
                $0.reporters = 1
            }
        }
        let finding = try #require(Advisor.findings(facts).first { $0.code == .unalignedService })
        #expect(finding.subjects.count == 8 && finding.messages == 80 && finding.count("sources") == 8 && finding.count("reporters") == 3)
        #expect(finding.word("by") == "either")
    }

    @Test("a record that says nothing is changed when two witnesses say so, and only that of the domain itself is quoted")
    func neutral() throws {
        var facts = Self.healthy()
        facts.spf[0].neutral = 20
        facts.spf[0].neutralReporters = 1
        func weak() -> Finding? { Advisor.findings(facts).first { $0.code == .spfWeak } }
        #expect(weak()?.dns == [] && weak()?.count("reporters") == 1)
        facts.spf[0].neutralWitnesses = 2
        #expect(weak()?.dns.map(\.value) == ["~all"])
        facts.spf[0].domain = "bounce.example.org"
        #expect(weak() == nil)
        // The servers of another name's record are not put into this one.
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", none: 10, noneReporters: 2, noneWitnesses: 2)]
        Self.add(.misconfigured, 20, to: &facts) {
            $0.spf = .ownNone
            $0.spfDomain = "bounce.example.org"
            $0.proofs = [$0.addresses[0]: DomainFacts.Proof(witnesses: 2, days: 9, lastDay: Self.since)]
        }
        #expect(weak()?.dns == [])
        facts.senders[0].spfDomain = "example.org"
        #expect(weak()?.dns.map(\.value) == ["v=spf1 ip4:192.0.2.5 ~all"])
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

    @Test("where half of the regular witnesses fell silent nobody is left to contradict the others")
    func stopped() throws {
        var facts = Self.healthy()
        let last = facts.voices[0].days
        facts.voices[1].days = Array(last.dropLast(10))
        var finding = try readiness(facts)
        #expect(finding.words("blockers") == ["reporters-stopped"] && finding.count("reporters_stopped") == 1 && finding.dns.isEmpty)
        // One of three is missed (H1), and keeps nobody from anything.
        facts.voices.append(DomainFacts.Voice(name: "third.example", days: last, standing: 2))
        finding = try readiness(facts)
        #expect(finding.flag("ready"))
        // Newcomers make nobody less silent.
        facts.voices[2].standing = 0
        #expect(try !readiness(facts).flag("ready"))
        // Three days of silence are nothing, nor are as many as there were before.
        facts.voices[1].days = Array(last.dropLast(3))
        #expect(try readiness(facts).flag("ready"))
        facts.voices[1].days = last.filter { !(20..<31).contains($0.distance(to: Self.until)) && $0.distance(to: Self.until) >= 10 }
        #expect(try readiness(facts).flag("ready"))
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

    /// A server that fell out of SPF: two witnesses saw it pass on three weeks of days.
    private static func fallen(_ change: (inout DomainFacts.Sender) -> Void = { _ in }) -> DomainFacts {
        var facts = healthy()
        add(.misconfigured, 500, to: &facts) { sender in
            sender.spf = .ownFail
            sender.spfDomain = "bounce.example.org"
            sender.proofs[sender.addresses[0]] = DomainFacts.Proof(witnesses: 2, days: 21, lastDay: since.advanced(by: 3))
            change(&sender)
        }
        return facts
    }

    private func missing(_ facts: DomainFacts) throws -> Finding {
        try #require(Advisor.findings(facts).first { $0.code == .missingServer || $0.code == .missingIPv6 })
    }

    @Test("a server that fell out of SPF: the mechanism to add, where SPF was checked")
    func missing() throws {
        let finding = try missing(Self.fallen())
        #expect(finding.severity == .act && finding.subjects == ["192.0.2.5"] && finding.flag("proven"))
        #expect(finding.dns == [DNSChange(.insert, "bounce.example.org", "TXT", "ip4:192.0.2.5")])
        let facts = Self.fallen {
            $0.addresses = [IPAddress(high: 0x2001_0DB8_0000_0000, low: 5)]
            $0.proofs = [$0.addresses[0]: DomainFacts.Proof(witnesses: 3, days: 7, lastDay: Self.since)]
        }
        #expect(try missing(facts).code == .missingIPv6 && missing(facts).dns.first?.value == "ip6:2001:db8::5")
        #expect(!codes(facts).contains("M1"))
    }

    @Test("whatever is not proven is asked, and no line is printed")
    func unproven() throws {
        let changes: [(String, (inout DomainFacts.Sender) -> Void)] = [
            ("it never passed", { $0.proofs = [:] }),
            ("one witness saw it pass", { $0.proofs[$0.addresses[0]]?.witnesses = 1 }),
            ("on six days", { $0.proofs[$0.addresses[0]]?.days = 6 }),
            ("its mail passes by its signature", { $0.treatment.passed = $0.treatment.messages }),
            ("it passes mail on, or is scattered", { $0.isRelayOrScattered = true }),
            ("it passes again", { $0.lastDay = Self.since.advanced(by: 2) }),
            ("what shows that it fails came in the last days", { $0.settledWitnesses = 1 }),
            ("the verdict is not sure enough", { $0.confidence = 0.4 }),
            ("one of two addresses", { $0.addresses.append(IPAddress(ipv4: 0xC633_6407)) }),
        ]
        for (why, change) in changes {
            let finding = try missing(Self.fallen(change))
            #expect(finding.dns.isEmpty && !finding.flag("proven"), "\(why)")
        }
    }

    @Test("a proven server and a question are two findings, and the line names the proven one only")
    func provenAndNot() throws {
        var facts = Self.fallen()
        Self.add(.misconfigured, 300, to: &facts) {
            $0.spf = .ownFail
            $0.addresses = [IPAddress(ipv4: 0xC633_6407)]
        }
        let findings = Advisor.findings(facts).filter { $0.code == .missingServer }
        #expect(findings.map(\.messages) == [500, 300] && findings.map(\.dns.count) == [1, 0])
        #expect(findings[0].dns[0].value == "ip4:192.0.2.5")
    }

    @Test("what one witness says, or what came in the last days alone, is only to be watched")
    func lastDays() throws {
        for verdict in [Verdict.misconfigured, .unaligned] {
            var facts = Self.healthy()
            Self.add(verdict, 500, to: &facts) {
                $0.spf = verdict == .unaligned ? .foreignPass : .ownFail
                $0.foreignSigned = verdict == .unaligned ? 1 : 0
            }
            #expect(Advisor.findings(facts).first?.severity == .act)
            facts.senders[0].settledWitnesses = 1
            #expect(Advisor.findings(facts).filter { $0.code != .readiness }.map(\.severity) == [.watch])
        }
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
        let facts = Self.fallen { $0.spfDomain = "\u{1b}[31m.example.org" }
        #expect(Advisor.findings(facts).first { $0.code == .missingServer }?.flag("proven") == true)
        #expect(Advisor.findings(facts).first { $0.code == .missingServer }?.dns == [])
    }

    @Test("a service, a web form, and a stranger with servers in good order")
    func unaligned() {
        var facts = Self.healthy()
        Self.add(.unaligned, 500, to: &facts) {
            $0.foreignSigned = $0.treatment.messages
            $0.spf = .foreignPass
        }
        #expect(codes(facts).first == "C1")
        facts.senders[0].foreignSigned = 0
        facts.senders[0].foreignPassed = 500
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
                $0.foreignSigned = $0.treatment.messages
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
        Self.breakSignatures(900, of: &facts)
        #expect(Advisor.findings(facts).first { $0.code == .brokenSignature }?.severity == .watch)
        facts.selectors[0].passed = 0
        facts.selectors[0].passedByVoice = ByVoice()
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
        facts.subdomains = [DomainFacts.Subdomain(name: "shop.example.org", spoofed: 100, delivered: 100, others: 0, witnesses: [0, 1])]
        var finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedSubdomain })
        #expect(finding.dns == [DNSChange(.insert, "_dmarc.example.org", "TXT", "sp=reject; np=reject")])
        facts.subdomains.append(DomainFacts.Subdomain(name: "news.example.org", spoofed: 0, delivered: 0, others: 5, witnesses: [0, 1]))
        finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedSubdomain })
        #expect(finding.dns == [DNSChange(.insert, "_dmarc.example.org", "TXT", "np=reject")])
        facts.subdomains[0].others = 1
        #expect(!codes(facts).contains("F1"))
        facts.subdomains[0].others = 0
        for index in facts.policies.indices { facts.policies[index].sp = "quarantine" }
        #expect(!codes(facts).contains("F1"))
        facts = Self.healthy(p: "reject")
        facts.subdomains = [DomainFacts.Subdomain(name: "shop.example.org", spoofed: 100, delivered: 0, others: 0, witnesses: [0, 1])]
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
        func outcome(passed: Int, permanent: Int = 0, temporary: Int = 0) -> [DomainFacts.SPFOutcome] {
            [
                DomainFacts.SPFOutcome(
                    domain: "example.org", passed: passed, permanentErrors: permanent, temporaryErrors: temporary,
                    permanentErrorReporters: 2, permanentErrorWitnesses: 2, temporaryErrorWitnesses: 2,
                    checksByVoice: Self.both(passed + permanent + temporary), permanentErrorsByVoice: Self.both(permanent),
                    temporaryErrorsByVoice: Self.both(temporary))
            ]
        }
        facts.spf = outcome(passed: 900, permanent: 100)
        #expect(Advisor.findings(facts).first?.code == .spfError && Advisor.findings(facts).first?.severity == .act)
        facts.spf[0].permanentErrorWitnesses = 1
        #expect(Advisor.findings(facts).first { $0.code == .spfError }?.severity == .watch)
        facts.spf = outcome(passed: 960, temporary: 40)
        #expect(codes(facts) == ["E1"])
        facts.spf = outcome(passed: 9_995, permanent: 5)
        #expect(codes(facts) == ["E1"])
        facts.spf = outcome(passed: 900, temporary: 100)
        #expect(codes(facts).contains("G1"))
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", none: 100, noneReporters: 2, noneWitnesses: 2)]
        #expect(Advisor.findings(facts).first?.code == .spfWeak)
        facts.spf = [DomainFacts.SPFOutcome(domain: "example.org", passed: 10, neutral: 5, neutralReporters: 2, neutralWitnesses: 2)]
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
        Self.add(.unaligned, 600, to: &facts) { $0.foreignSigned = $0.treatment.messages }
        Self.add(.misconfigured, 600, to: &facts) { $0.spf = .ownFail }
        #expect(codes(facts) == ["M1", "C1", "D1", "E1", "A1", "C2"])
    }

    // MARK: - Whose word counts

    @Test("no voice carries more than a third of a share, or more than a half beside one other")
    func bounds() {
        // One voice in ten thousand of the others' messages has nothing at fault.
        let whole = Self.counts([1_000_000_000, 6_000, 4_000])
        let part = Self.counts([0, 60, 40])
        #expect(BoundedShare.plain(part, of: whole) < 0.000_001)
        #expect(BoundedShare.cap(whole) == 4_000)
        #expect(abs(BoundedShare.share(part, of: whole) - 0.02 / 3) < 0.000_1)
        #expect(BoundedShare.cap(Self.counts([1_000_000_000, 6_000])) == 6_000)
        #expect(BoundedShare.cap(Self.counts([3_000, 3_000, 4_000])) == 3_000 + 0)
        #expect(BoundedShare.cap(Self.counts([3_000, 3_000, 3_000, 4_000])) == .max, "nobody has more than a third")
        #expect(BoundedShare.cap(Self.counts([9_000])) == .max, "there is nobody else")
        #expect(BoundedShare.cap(Self.counts([150, 30, 20])) == .max, "small numbers are taken together")
        #expect(BoundedShare.cap(Self.counts([1_000_000_000, 30, 20])) == BoundedShare.fewest)
        var generator = SeededGenerator(state: 11)
        for _ in 0..<2000 {
            let counts = (0..<Int.random(in: 1...9, using: &generator)).map { _ in
                Int.random(in: 1...1_000_000, using: &generator) >> Int.random(in: 0...16, using: &generator)
            }
            let cap = BoundedShare.cap(Self.counts(counts))
            let kept = counts.map { min($0, cap) }
            let sum = kept.reduce(0, +)
            let speaking = counts.count { $0 >= BoundedShare.fewest }
            let rest = counts.reduce(0) { $0 + ($1 < BoundedShare.fewest ? $1 : 0) }
            let parts = speaking + (rest >= BoundedShare.fewest ? 1 : 0) >= 3 ? 3 : 2
            for count in kept where count > BoundedShare.fewest && counts.count > 1 { #expect(count * parts <= sum + parts, "\(counts)") }
            #expect(kept.allSatisfy { $0 >= 0 })
        }
    }

    @Test("dilution: a voice that counts a thousand million makes nobody ready")
    func dilution() throws {
        var facts = Self.healthy()
        Self.add(.misconfigured, 300, to: &facts)
        #expect(try readiness(facts).words("blockers") == ["misconfigured"])
        facts.voices.append(DomainFacts.Voice(name: "liar.example", days: facts.voices[0].days, standing: 2))
        facts.known.add(1_000_000_000, of: 2)
        facts.totals[.authorized]?.messages += 1_000_000_000
        facts.totals[.authorized]?.passed += 1_000_000_000
        let finding = try readiness(facts)
        #expect(finding.words("blockers") == ["misconfigured"] && finding.flag("bounded"))
        #expect(finding.count("known_messages") == 1_000_010_300, "what is shown stays exact")
    }

    @Test("blocking: what one voice alone counts weighs at most a third, however much it is")
    func blocking() throws {
        var facts = Self.healthy()
        facts.known = Self.counts([10_000, 10_000, 10_000])
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 30_000, passed: 30_000, sources: 1)
        facts.totals[.unaligned] = DomainFacts.Treatment(messages: 400, passed: 0, sources: 1)
        var fault = DomainFacts.Fault(messages: 400, byVoice: Self.counts([0, 0, 400]), witnesses: 1)
        facts.faults[.unaligned] = fault
        facts.known.add(400, of: 2)
        #expect(try readiness(facts).words("blockers") == ["unaligned"], "one in seventy-five")
        // As much as ever: one voice reports ten times as much as the others, and a hundredth of it is at fault.
        facts.known = Self.counts([10_000, 10_000, 100_000])
        fault.messages = 1_000
        fault.byVoice = Self.counts([0, 0, 1_000])
        facts.faults[.unaligned] = fault
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 119_000, passed: 119_000, sources: 1)
        facts.totals[.unaligned] = DomainFacts.Treatment(messages: 1_000, passed: 0, sources: 1)
        let finding = try readiness(facts)
        #expect(finding.flag("ready") && finding.flag("bounded"), "a third of a hundredth is below one in two hundred")
        // A second witness confirms it.
        fault.witnesses = 2
        facts.faults[.unaligned] = fault
        #expect(try readiness(facts).words("blockers") == ["unaligned"])
    }

    @Test("a sender at fault with a thousand messages that two witnesses saw is in the way, whatever the share")
    func loud() throws {
        var facts = Self.healthy()
        facts.totals[.authorized] = DomainFacts.Treatment(messages: 10_000_000, passed: 10_000_000, sources: 1)
        facts.known = Self.both(10_000_000)
        Self.add(.misconfigured, 999, to: &facts)
        #expect(try readiness(facts).flag("ready"))
        Self.add(.misconfigured, 1_000, to: &facts)
        #expect(try readiness(facts).words("blockers") == ["misconfigured"])
        facts.senders[1].witnesses = 1
        #expect(try readiness(facts).flag("ready"))
        facts.senders[1].witnesses = 2
        facts.senders[1].decisive = 10
        #expect(try readiness(facts).flag("ready"), "most of it was an outlier")
    }

    @Test("ready needs two witnesses' view of every sender above the share")
    func lonely() throws {
        var facts = Self.healthy()
        facts.lonelySenders = ["192.0.2.77"]
        let finding = try readiness(facts)
        #expect(finding.words("blockers") == ["one-witness"] && finding.subjects == ["192.0.2.77"] && finding.dns.isEmpty)
    }

    @Test("names below the domain that one witness alone mentions close nothing")
    func inventedSubdomains() throws {
        var facts = Self.healthy()
        Self.add(.spoofed, 100, to: &facts)
        facts.subdomains = [
            DomainFacts.Subdomain(name: "invented.example.org", spoofed: 100, delivered: 100, others: 0, witnesses: [0])
        ]
        let finding = try #require(Advisor.findings(facts).first { $0.code == .spoofedSubdomain })
        #expect(finding.severity == .watch && finding.dns.isEmpty && !finding.flag("certain"))
    }

    @Test("policies: several names of one voice have one vote, and what one voice of three sees holds nobody up")
    func votes() throws {
        var facts = Self.healthy(p: "quarantine", policySince: Self.until.advanced(by: -40))
        for index in facts.policies.indices { facts.policies[index].voice = facts.policies[index].reporter == "google.com" ? 0 : 1 }
        facts.voices.append(DomainFacts.Voice(name: "third.example", days: facts.voices[0].days, standing: 2))
        for name in ["One", "Two", "Three"] {
            facts.policies.append(
                DomainFacts.PolicyRun(
                    reporter: name, since: Self.until.advanced(by: -59), until: Self.until, p: "none", voice: 2))
        }
        #expect(facts.policy?.p == "quarantine" && facts.policy?.since == Self.until.advanced(by: -40))
        #expect(facts.currentPolicies == ["quarantine"])
        #expect(try readiness(facts).flag("ready") && codes(facts).contains("I1"))
        // Who is some days behind the others counts: the step may not be taken a day early.
        for index in facts.policies.indices where facts.policies[index].voice == 2 {
            facts.policies[index].until = Self.until.advanced(by: -38)
        }
        #expect(facts.policy?.since == Self.until.advanced(by: -37))
        for index in facts.policies.indices where facts.policies[index].voice == 2 { facts.policies[index].until = Self.until }
        // Two voices that differ are a reason to wait.
        facts.policies.removeAll { $0.voice == 1 }
        #expect(facts.currentPolicies == ["none", "quarantine"])
    }

    @Test("a count out of all proportion counts as much as the most that anybody else says")
    func outliers() throws {
        let period = Period(since: Self.since, until: Self.until)
        func found(_ counts: [(voice: Int, day: Int, verdict: Verdict, messages: Int)]) -> [(voice: Int, kept: Double)] {
            var outliers = Outliers(period, voices: 4)
            for voice in 0..<3 {
                for day in 0..<30 {
                    outliers.note(
                        voice == 0 ? 1000 : 100, voice: voice, day: Self.since.number + day, verdict: Verdict.authorized.stored)
                }
            }
            for count in counts {
                outliers.note(count.messages, voice: count.voice, day: Self.since.number + count.day, verdict: count.verdict.stored)
            }
            return outliers.find().map { ($0.voice, $0.kept) }
        }
        #expect(found([]).isEmpty)
        #expect(found([(0, 3, .unaligned, 10_000)]).isEmpty, "ten times its usual day")
        #expect(found([(1, 3, .unaligned, 1_000)]).isEmpty, "a newsletter of a small domain")
        #expect(found([(1, 3, .unaligned, 1_000_000_000)]).map(\.kept) == [0], "nobody else saw any of it")
        let good = found([(1, 3, .authorized, 1_000_000_000 - 100)])
        #expect(good.map(\.voice) == [1] && abs(good[0].kept * 1_000_000_000 - 1000) < 1, "as much as the largest other voice says")
        let newcomer = found([(3, 29, .authorized, 1_000_000_000)])
        #expect(newcomer.map(\.voice) == [3] && newcomer[0].kept <= 0.000_001, "without a usual day of its own")
        #expect(found([(0, 3, .spoofed, 1_000_000_000)]).isEmpty, "strangers are in no share")
        // A mailing that everybody saw.
        let mailing = found([(0, 5, .dkimOnly, 50_000), (1, 5, .dkimOnly, 20_000)])
        #expect(mailing.map(\.kept) == [1000.0 / 50_000, 1000.0 / 20_000])
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
