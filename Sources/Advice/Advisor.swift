import DMARC
import Inference

/// From facts to findings. Pure: the same facts give the same findings, and nothing else is looked at.
///
/// A finding needs evidence that is named with it. What asks somebody to act rests on two witnesses at least, because a stranger can send
/// forged reports (docs/decisions/0013-voices.md); a stricter policy needs more (`Readiness`).
package struct Advisor {
    /// Witnesses that must agree before something is to be done.
    static let independentReporters = 2
    /// Days on which witnesses must have seen an address pass before it is printed as something to put into SPF.
    static let provenDays = 7
    /// What arrived less than so many days ago is no ground for trusting a source.
    package static let settlingDays = 3
    /// Below this confidence a verdict is worth watching, no more.
    static let leastConfidence = 0.5
    /// From this share of a selector's messages on, signatures that do not verify are worth a finding.
    package static let brokenShare = 0.05
    /// From this share on they are to be mended.
    static let badlyBrokenShare = 0.2
    /// A source of which less than this share is signed does not sign.
    static let unsignedShare = 0.1
    /// From this share of checks on, temporary errors of SPF are the domain's trouble and not the receiver's.
    static let temporaryErrorShare = 0.05
    /// Services that authenticate as themselves and get a finding each; the rest share one.
    static let servicesApart = 5
    /// Sources that a web form comes from, at most.
    static let webFormSources = 3
    /// Days with reports before a reporter's silence means something.
    static let regularDays = 8
    /// The latest that a whole collection may be behind, in days: reports arrive a day or two late.
    static let latestDays = 3
    /// Reporters may see an old policy for so many days after others saw the new one: caches and their own day.
    static let policyDelayDays = 3
    /// Days without any mail before a domain is taken for one that sends none, and before reject is asked of it.
    static let parkedDays = 60

    package let facts: DomainFacts
    package let policy: CurrentPolicy?

    /// What there is to say about a domain, in the order in which people should read it.
    package static func findings(_ facts: DomainFacts) -> [Finding] {
        let advisor = Advisor(facts: facts, policy: facts.policy)
        var findings = advisor.senderFindings() + advisor.recordFindings() + advisor.reporterFindings()
        findings += advisor.strangerFindings(beside: findings)
        findings.sort { a, b in
            if a.severity != b.severity { return a.severity < b.severity }
            if a.code != b.code { return a.code.rank < b.code.rank }
            if a.messages != b.messages { return a.messages > b.messages }
            return a.subjects.lexicographicallyPrecedes(b.subjects)
        }
        return findings
    }

    /// Nobody but strangers ever used this name.
    var isParked: Bool { !facts.everSent && !facts.voices.isEmpty }

    package func finding(
        _ code: FindingCode, _ severity: Severity, messages: Int = 0, confidence: Double? = nil, subjects: [String] = [],
        numbers: [(String, FindingValue)] = [], dns: [DNSChange?] = [], link: String
    ) -> Finding {
        Finding(
            domain: facts.domain, code: code, severity: severity, messages: messages,
            confidence: confidence.map { ($0 * 100).rounded(.down) / 100 }, subjects: subjects,
            numbers: numbers.map { FindingNumber(name: $0.0, value: $0.1) }, dns: dns.compactMap(\.self), link: link)
    }

    /// To be done, or only to be watched: by what the evidence bears.
    private func severity(witnesses: Int, confidence: Double) -> Severity {
        witnesses >= Self.independentReporters && confidence >= Self.leastConfidence ? .act : .watch
    }

    private func confidence(_ senders: [DomainFacts.Sender]) -> Double {
        var (sum, messages) = (0.0, 0.0)
        for sender in senders {
            guard let confidence = sender.confidence else { continue }
            sum += confidence * Double(sender.treatment.messages)
            messages += Double(sender.treatment.messages)
        }
        return messages > 0 ? sum / messages : 0
    }

    private func sum(_ senders: [DomainFacts.Sender]) -> DomainFacts.Treatment {
        var sum = DomainFacts.Treatment()
        for sender in senders {
            sum.add(sender.treatment)
            sum.sources += sender.treatment.sources
        }
        // An address that two of them share is one.
        let sources = Set(senders.lazy.flatMap(\.sources))
        if senders.count > 1, !sources.isEmpty { sum.sources = sources.count }
        return sum
    }

    /// Voices that saw any of them.
    private func reporters(_ senders: [DomainFacts.Sender]) -> Int {
        let voices = senders.reduce(UInt128(0)) { $0 | $1.voices }.nonzeroBitCount
        return max(voices, senders.map(\.reporters).max() ?? 0)
    }

    private func share(_ count: Int, of whole: Int) -> Double { whole == 0 ? 0 : Double(count) / Double(whole) }

    // MARK: - Senders

    private func senderFindings() -> [Finding] {
        missingServers() + brokenSignatures() + unsigned() + unaligned() + signedServices() + indirect()
    }

    /// M1, G3: servers of the domain's own that SPF does not name. One finding each, with the mechanisms to add.
    private func missingServers() -> [Finding] {
        let servers = facts.senders(.misconfigured).filter { $0.spf == .ownFail || $0.spf == .none || $0.spf == .foreignFail }
        // A server that passes over IPv4 and not over IPv6 lacks one line; a domain all of whose IPv4 fails lacks more.
        let hasIPv4 = facts.selectors.contains { $0.passed > 0 } || facts.total(.authorized).messages > 0
        let isIPv6 = { (sender: DomainFacts.Sender) in hasIPv4 && sender.addresses.first?.isIPv4 == false }
        return [(FindingCode.missingServer, servers.filter { !isIPv6($0) }), (.missingIPv6, servers.filter(isIPv6))].flatMap {
            code, servers in
            // What is proven is said apart from what is a question.
            [servers.filter(isProven), servers.filter { !isProven($0) }].compactMap { missing(code, $0) }
        }
    }

    /// Whether the addresses of a server may be printed as something to put into SPF: two witnesses saw it pass there on a week of days, it passes
    /// nothing on, and its mail fails now because SPF no longer names it.
    private func isProven(_ server: DomainFacts.Sender) -> Bool {
        !server.isRelayOrScattered && server.service?.kind != .forwarder && fails(server)
            && server.settledWitnesses >= Self.independentReporters && server.isSeenByMost
            && (server.confidence ?? 0) >= Self.leastConfidence && !server.addresses.isEmpty
            && server.addresses.allSatisfy { address in
                server.proofs[address].map { $0.isEnough && $0.lastDay <= server.lastDay } ?? false
            }
    }

    /// Whether its mail fails DMARC for want of SPF.
    private func fails(_ server: DomainFacts.Sender) -> Bool { server.treatment.failed > 0 }

    private func missing(_ code: FindingCode, _ servers: [DomainFacts.Sender]) -> Finding? {
        guard !servers.isEmpty else { return nil }
        let sum = sum(servers)
        let confidence = confidence(servers)
        let reporters = reporters(servers)
        let isProven = servers.allSatisfy(isProven)
        var mechanisms: [String: [String]] = [:]
        for server in servers where isProven {
            let domain = server.spf == .ownFail ? server.spfDomain ?? facts.domain : facts.domain
            mechanisms[domain, default: []] += server.addresses.map { ($0.isIPv4 ? "ip4:" : "ip6:") + $0.description }
        }
        return finding(
            code, severity(witnesses: servers.map(\.settledWitnesses).max() ?? 0, confidence: confidence), messages: sum.messages,
            confidence: confidence, subjects: servers.flatMap { $0.addresses.map(\.description) },
            numbers: [
                ("failed", .count(sum.failed)), ("delivered", .count(sum.delivered)), ("sources", .count(servers.count)),
                ("reporters", .count(reporters)), ("signed", .count(servers.reduce(0) { $0 + $1.signed })),
                ("proven", .flag(isProven)), ("passed_before", .count(servers.count(where: \.passedBefore))),
                ("first_day", .day(servers.map(\.firstDay).min() ?? facts.period.since)),
                ("last_day", .day(servers.map(\.lastDay).max() ?? facts.period.until)),
            ],
            dns: mechanisms.sorted { $0.key < $1.key }.map { DNSChange(.insert, $0.key, "TXT", $0.value.joined(separator: " ")) },
            link: code == .missingIPv6 ? AdviceSources.spfMechanisms : AdviceSources.spf)
    }

    /// B2: one finding for each selector.
    private func brokenSignatures() -> [Finding] {
        facts.selectors.compactMap { selector in
            guard selector.isBroken else { return nil }
            let isCertain = selector.failedWitnesses >= Self.independentReporters && selector.isAtLeast(Self.badlyBrokenShare)
            return finding(
                .brokenSignature, isCertain ? .act : .watch, messages: selector.failed,
                subjects: [selector.place],
                numbers: [
                    ("passed", .count(selector.passed)), ("reporters", .count(selector.failedReporters)),
                    ("passed_reporters", .count(selector.passedReporters)),
                    ("everywhere", .flag(selector.passed == 0 && !selector.isUnnamed)),
                    ("first_day", .day(selector.firstFailedDay)), ("selector", .word(selector.isUnnamed ? "" : selector.selector)),
                    ("signing_domain", .word(selector.domain)),
                ], link: AdviceSources.dkim)
        }
    }

    /// B1: what passes by SPF only fails as soon as somebody passes it on.
    private func unsigned() -> [Finding] {
        let senders = facts.senders(.authorized).filter(\.isUnsigned)
        guard !senders.isEmpty else { return [] }
        let messages = senders.reduce(0) { $0 + $1.unsigned }
        let confidence = confidence(senders)
        let reporters = reporters(senders)
        let fault = facts.faults[.dkimMissing] ?? DomainFacts.Fault()
        let isMuch = BoundedShare.exceeds(Readiness.quietShare, fault.byVoice, of: facts.known, witnesses: fault.witnesses)
        let witnesses = senders.map(\.settledWitnesses).max() ?? 0
        return [
            finding(
                .noSignature, isMuch ? severity(witnesses: witnesses, confidence: confidence) : .watch, messages: messages,
                confidence: confidence, subjects: senders.flatMap { $0.addresses.prefix(1).map(\.description) },
                numbers: [
                    ("share", .rate(share(messages, of: facts.knownMessages))), ("sources", .count(senders.count)),
                    ("reporters", .count(reporters)), ("signs_elsewhere", .flag(facts.selectors.contains { $0.passed > 0 })),
                ], link: AdviceSources.dkim)
        ]
    }

    /// C1, C3: one finding for each service; those with few messages share one.
    private func unaligned() -> [Finding] {
        let senders = facts.senders(.unaligned).sorted {
            ($0.treatment.messages, $1.name) > ($1.treatment.messages, $0.name)
        }
        var findings: [Finding] = []
        for kind in [FindingCode.unalignedService, .webForm] {
            let all = senders.filter { isWebForm($0) == (kind == .webForm) }
            // Those that nobody knows are one question, not many.
            let strangers = all.filter(\.isQuestion)
            // What was set up since is said of each, not among those that are to be mended.
            let settled = all.filter { !$0.isQuestion && $0.signsSince != nil }
            for sender in settled { findings.append(unaligned(kind, [sender])) }
            let services = all.filter { !$0.isQuestion && $0.signsSince == nil }
            for sender in services.prefix(Self.servicesApart) { findings.append(unaligned(kind, [sender])) }
            let rest = Array(services.dropFirst(Self.servicesApart))
            if !rest.isEmpty { findings.append(unaligned(kind, rest)) }
            if !strangers.isEmpty { findings.append(unaligned(kind, strangers)) }
        }
        return findings
    }

    private func isWebForm(_ sender: DomainFacts.Sender) -> Bool {
        if let kind = sender.service?.kind { return kind == .hosting && !sender.hasForeignSignature }
        return sender.isHostName && !sender.hasForeignSignature && sender.treatment.sources <= Self.webFormSources
    }

    private func unaligned(_ code: FindingCode, _ senders: [DomainFacts.Sender]) -> Finding {
        let sum = sum(senders)
        let confidence = confidence(senders)
        let reporters = reporters(senders)
        let isStranger = senders.allSatisfy(\.isQuestion)
        // Of several small ones together nobody can say which is to be mended.
        let isOne = senders.count == 1 && !isStranger
        let signsSince = senders.count == 1 ? senders[0].signsSince : nil
        let severity: Severity =
            signsSince != nil ? .fine : isOne ? severity(witnesses: senders[0].settledWitnesses, confidence: confidence) : .watch
        let (passed, signed) = senders.reduce((0, 0)) { ($0.0 + $1.foreignPassed, $0.1 + $1.foreignSigned) }
        let by = signed == 0 ? "spf" : passed == 0 ? "dkim" : passed == sum.messages && signed == sum.messages ? "both" : "either"
        return finding(
            code, severity, messages: sum.messages,
            confidence: confidence,
            subjects: senders.map(\.name),
            numbers: [
                ("failed", .count(sum.failed)), ("delivered", .count(sum.delivered)), ("quarantined", .count(sum.quarantined)),
                ("rejected", .count(sum.rejected)), ("sources", .count(sum.sources)), ("reporters", .count(reporters)),
                ("by", .word(by)), ("known_service", .flag(senders.count == 1 && senders[0].service != nil)),
                ("kind", .word(senders.count == 1 ? senders[0].service?.kind.rawValue ?? "" : "")), ("unrelated", .flag(isStranger)),
                ("sister", .flag(senders.count == 1 && senders[0].isSister)),
                ("first_day", .day(senders.map(\.firstDay).min() ?? facts.period.since)),
                ("last_day", .day(senders.map(\.lastDay).max() ?? facts.period.until)),
            ] + (signsSince.map { [("signs_since", .day($0))] } ?? []),
            link: senders.count == 1 ? senders[0].service?.page ?? AdviceSources.alignment : AdviceSources.alignment)
    }

    /// C2: all is well.
    private func signedServices() -> [Finding] {
        let senders = facts.senders(.dkimOnly).sorted { ($0.treatment.messages, $1.name) > ($1.treatment.messages, $0.name) }
        let total = facts.total(.dkimOnly)
        guard total.messages > 0 else { return [] }
        let unnamed = senders.reduce(0) { $0 + ($1.name.isEmpty ? $1.treatment.messages : 0) }
        return [
            finding(
                .signedService, .fine, messages: total.messages, confidence: confidence(senders),
                subjects: senders.map(\.name).filter { !$0.isEmpty },
                numbers: [("failed", .count(total.failed)), ("sources", .count(total.sources)), ("unnamed", .count(unnamed))],
                link: AdviceSources.alignment)
        ]
    }

    /// A1, A2.
    private func indirect() -> [Finding] {
        [(FindingCode.forwarded, Verdict.forwarded), (.mailingList, .mailingList)].compactMap { code, verdict in
            let total = facts.total(verdict)
            guard total.messages > 0 else { return nil }
            let senders = facts.senders(verdict).sorted { ($0.treatment.messages, $1.name) > ($1.treatment.messages, $0.name) }
            // Members of lists do not get what a policy stops; forwarding that survives is nobody's trouble.
            let isStopped = code == .mailingList && total.quarantined + total.rejected > 0
            return finding(
                code, isStopped ? .watch : .fine, messages: total.messages, confidence: confidence(senders),
                subjects: senders.map(\.name).filter { !$0.isEmpty },
                numbers: [
                    ("passed", .count(total.passed)), ("failed", .count(total.failed)), ("delivered", .count(total.delivered)),
                    ("quarantined", .count(total.quarantined)), ("rejected", .count(total.rejected)), ("sources", .count(total.sources)),
                    ("policy", .word(policy?.p ?? "")),
                ], link: code == .forwarded ? AdviceSources.indirectMail : AdviceSources.interoperability)
        }
    }

    // MARK: - DNS

    private func recordFindings() -> [Finding] { spfErrors() + weakSPF() + outdatedTags() + policyMismatch() }

    /// G1: SPF of a name of the domain's own ends in an error.
    private func spfErrors() -> [Finding] {
        facts.spf.compactMap { spf in
            let isTemporary =
                spf.temporaryErrors > 1
                && BoundedShare.exceeds(
                    Self.temporaryErrorShare.nextDown, spf.temporaryErrorsByVoice, of: spf.checksByVoice,
                    witnesses: spf.temporaryErrorWitnesses)
            // Receivers err now and then; what is broken is broken for all of them.
            let isPermanent =
                spf.permanentErrors > 1
                && BoundedShare.exceeds(
                    Readiness.quietShare, spf.permanentErrorsByVoice, of: spf.checksByVoice, witnesses: spf.permanentErrorWitnesses)
            guard isPermanent || isTemporary else { return nil }
            let isCertain = isPermanent && spf.permanentErrorWitnesses >= Self.independentReporters
            return finding(
                .spfError, isCertain ? .act : .watch, messages: isPermanent ? spf.permanentErrors : spf.temporaryErrors,
                subjects: [spf.domain],
                numbers: [
                    ("permanent", .flag(isPermanent)), ("permanent_errors", .count(spf.permanentErrors)),
                    ("temporary_errors", .count(spf.temporaryErrors)),
                    ("checks", .count(spf.messages)), ("reporters", .count(spf.permanentErrorReporters)),
                    ("passed", .count(spf.passed)),
                ], link: AdviceSources.spfLimits)
        }
    }

    /// G2: the policy domain itself has no SPF record, or one that says nothing. `~all` is enough and no finding.
    private func weakSPF() -> [Finding] {
        guard !isParked, let spf = facts.spf.first(where: { $0.domain == facts.domain }), spf.permanentErrors == 0 else { return [] }
        let isMissing = spf.none > 0 && spf.passed + spf.failed + spf.softFailed + spf.neutral == 0
        let isNeutral = spf.neutral > 0 && spf.failed + spf.softFailed == 0
        guard isMissing || isNeutral else { return [] }
        let own = facts.senders(.misconfigured).filter { $0.spf == .ownNone && $0.spfDomain == facts.domain && isProven($0) }
            .flatMap(\.addresses)
        let mechanisms = own.map { ($0.isIPv4 ? "ip4:" : "ip6:") + $0.description + " " }.joined()
        let dns: DNSChange? =
            isMissing
            ? (own.isEmpty ? nil : DNSChange(.publish, facts.domain, "TXT", "v=spf1 \(mechanisms)~all"))
            // What one receiver alone makes of a record is no ground for changing it.
            : spf.neutral > 1 && spf.neutralWitnesses >= Self.independentReporters
                ? DNSChange(.replace, facts.domain, "TXT", "~all", replaces: "?all") : nil
        let isCertain = isMissing && spf.noneWitnesses >= Self.independentReporters
        return [
            finding(
                .spfWeak, isCertain ? .act : .watch, messages: isMissing ? spf.none : spf.neutral, subjects: [spf.domain],
                numbers: [
                    ("missing", .flag(isMissing)), ("reporters", .count(isMissing ? spf.noneReporters : spf.neutralReporters)),
                    ("passed", .count(spf.passed)),
                ], dns: [dns],
                link: AdviceSources.spf)
        ]
    }

    /// E2. Many reporters fill in 100 themselves, so 100 says nothing.
    private func outdatedTags() -> [Finding] {
        guard let policy, let pct = policy.pct, policy.p != "none" else { return [] }
        return [
            finding(
                .outdatedTag, .watch, subjects: ["pct=\(pct)"],
                numbers: [("pct", .count(Int(pct) ?? 0)), ("policy", .word(policy.p))],
                dns: [DNSChange(.remove, "_dmarc.\(facts.domain)", "TXT", "pct=\(pct)")], link: AdviceSources.changes)
        ]
    }

    /// I1: days after most reporters saw a policy, others still see another one.
    private func policyMismatch() -> [Finding] {
        guard let policy else { return [] }
        var lagging: [(reporter: String, p: String, until: Day)] = []
        var latest: [String: DomainFacts.PolicyRun] = [:]
        for run in facts.policies where run.p != nil {
            if latest[run.reporter].map({ $0.until <= run.until }) ?? true { latest[run.reporter] = run }
        }
        let firstSeen = latest.values.filter { $0.p?.lowercased() == policy.p }.map(\.since).min() ?? policy.since
        for run in latest.values {
            guard let p = run.p?.lowercased(), p != policy.p, !p.isEmpty else { continue }
            guard run.until >= facts.period.since, firstSeen.distance(to: run.until) > Self.policyDelayDays else { continue }
            lagging.append((run.reporter, p, run.until))
        }
        guard let last = lagging.map(\.until).max() else { return [] }
        lagging.sort { $0.reporter < $1.reporter }
        return [
            finding(
                .policyMismatch, .watch, subjects: lagging.map(\.reporter),
                numbers: [
                    ("policy", .word(policy.p)), ("seen", .words(Array(Set(lagging.map(\.p))).sorted())), ("since", .day(firstSeen)),
                    ("until", .day(last)), ("reporters", .count(lagging.count)),
                ], link: AdviceSources.dmarcHowTo)
        ]
    }

    // MARK: - Reporters

    /// H1: nobody reports any more, or somebody who used to.
    private func reporterFindings() -> [Finding] {
        guard let last = facts.reporters.compactMap(\.days.last).max() else { return [] }
        let regular = facts.reporters.filter { $0.days.count >= Self.regularDays }
        let allSilent = last.distance(to: facts.today)
        let usual = regular.compactMap(\.usualGap).min() ?? facts.reporters.compactMap(\.usualGap).min() ?? 1
        if allSilent > max(Self.latestDays, 3 * usual) + 1, !regular.isEmpty {
            return [
                finding(
                    .reporterSilent, .act, subjects: regular.map(\.name).sorted(),
                    numbers: [
                        ("everybody", .flag(true)), ("last_day", .day(last)), ("silent_days", .count(allSilent)),
                        ("usual_days", .count(usual)),
                    ], link: AdviceSources.external)
            ]
        }
        let silent = regular.filter { reporter in
            guard let end = reporter.days.last, let usual = reporter.usualGap else { return false }
            let gap = end.distance(to: facts.lastDataDay)
            return gap > max(Self.latestDays, 3 * usual) && gap > reporter.longestGap
        }.sorted { ($0.days.count, $1.name) > ($1.days.count, $0.name) }
        guard let end = silent.compactMap(\.days.last).max() else { return [] }
        return [
            finding(
                .reporterSilent, .watch, subjects: silent.map(\.name),
                numbers: [
                    ("everybody", .flag(false)), ("last_day", .day(end)), ("silent_days", .count(end.distance(to: facts.lastDataDay))),
                    ("usual_days", .count(silent.compactMap(\.usualGap).max() ?? 1)),
                ], link: AdviceSources.external)
        ]
    }

    // MARK: - Strangers and policy

    private func strangerFindings(beside others: [Finding]) -> [Finding] {
        let readiness = isParked ? nil : Readiness(facts, policy)
        let (parked, below) = (parked(), spoofedSubdomains())
        var findings = parked + below
        let total = facts.total(.spoofed)
        if total.messages > 0 {
            // What was delivered before the policy was there was not let through against it.
            let now = facts.strangersNow ?? total
            let isEnforced = policy?.isEnforced == true
            let isStopped = total.delivered == 0 || (isEnforced && now.delivered * 10 <= now.messages)
            let isNext = readiness?.isReady == true || (isParked && policy?.p != "reject")
            let senders = facts.senders(.spoofed)
            // Most of it in the name of subdomains that the policy leaves open: then it is not the receivers who let it through.
            let namedBelow = facts.subdomains.reduce(0) { $0 + $1.spoofed }
            let isOpenBelow = !below.isEmpty && policy?.p != "none" && namedBelow * 2 > total.messages
            findings.append(
                finding(
                    isStopped ? .spoofedStopped : .spoofedDelivered, isStopped ? .fine : isNext ? .act : .watch, messages: total.messages,
                    confidence: confidence(senders), subjects: senders.flatMap { $0.addresses.map(\.description) },
                    numbers: [
                        ("delivered", .count(total.delivered)), ("quarantined", .count(total.quarantined)),
                        ("rejected", .count(total.rejected)), ("sources", .count(total.sources)), ("networks", .count(total.networks)),
                        ("policy", .word(policy?.p ?? "")), ("enforced", .flag(isEnforced)),
                        ("ready", .flag(readiness?.isReady == true)), ("parked", .flag(!parked.isEmpty)),
                        ("open_below", .flag(isOpenBelow)), ("next", .word(readiness?.next ?? "")),
                        ("policy_since", .day(max(policy?.since ?? facts.period.since, facts.period.since))),
                        ("since_messages", .count(now.messages)), ("since_delivered", .count(now.delivered)),
                    ], link: AdviceSources.dmarcHowTo))
        }
        if let readiness {
            findings.append(readinessFinding(readiness, beside: Set((others + findings).map(\.code.rawValue))))
        }
        return findings
    }

    /// E1. What is in the way names findings that are there.
    private func readinessFinding(_ readiness: Readiness, beside codes: Set<String>) -> Finding {
        let lists = facts.total(.mailingList).messages
        let questions = facts.questions
        let lookedBack = facts.period.since.advanced(by: -DomainFacts.historyDays).distance(to: facts.period.until) + 1
        var numbers: [(String, FindingValue)] = [
            ("ready", .flag(readiness.isReady)), ("policy", .word(readiness.policy)), ("next", .word(readiness.next)),
            ("blockers", .words(readiness.blockers.map(\.kind.rawValue))), ("days", .count(readiness.days)),
            ("reporters", .count(readiness.reporters)), ("known_messages", .count(facts.knownMessages)),
            ("known_passed", .count(readiness.knownPassed)), ("mailing_list_messages", .count(lists)),
            ("since", .day(readiness.since)), ("late_senders", .words(facts.lateSenders.map(\.name))),
            ("lonely_senders", .words(facts.lonelySenders)), ("bounded", .flag(readiness.isBounded || facts.hasOutliers)),
            ("of_days", .count(min(lookedBack, max(1, facts.firstDay.distance(to: facts.period.until) + 1)))),
            ("question_messages", .count(questions.messages)), ("question_failed", .count(questions.failed)),
            ("beside", .words(codes.sorted())),
        ]
        func key(_ word: String) -> String { word.split(separator: "-").joined(separator: "_") }
        for hit in readiness.hit { numbers.append(("hit_" + key(hit.verdict.rawValue), .count(hit.messages))) }
        for blocker in readiness.blockers { numbers.append((key(blocker.kind.rawValue), .count(blocker.count))) }
        return finding(
            .readiness, readiness.isReady ? .act : .watch, messages: readiness.wouldFail,
            subjects: readiness.blockers.flatMap(\.subjects), numbers: numbers,
            dns: readiness.isReady
                ? [DNSChange(.replace, "_dmarc.\(facts.domain)", "TXT", "p=\(readiness.next)", replaces: "p=\(readiness.policy)")] : [],
            link: AdviceSources.interoperability)
    }

    /// F2. Where nobody sends nobody can be hurt: the step by step of E1 is not needed, only the certainty that nobody sends.
    private func parked() -> [Finding] {
        guard isParked, policy?.p != "reject" || policy?.isEnforced == false else { return [] }
        let days = facts.firstDay.distance(to: facts.period.until) + 1
        let reporters = Readiness.independent(facts.voices)
        guard days >= Readiness.daysNeeded, reporters >= Readiness.reportersNeeded else {
            return [
                finding(
                    .parked, .watch, subjects: [],
                    numbers: [
                        ("certain", .flag(false)), ("days", .count(days)), ("reporters", .count(reporters)),
                        ("since", .day(facts.firstDay)), ("until", .day(facts.period.until)),
                    ],
                    link: AdviceSources.parked)
            ]
        }
        let next = days >= Self.parkedDays ? "reject" : "quarantine"
        let isThere = policy?.p == next
        return [
            finding(
                .parked, .act, subjects: [],
                numbers: [
                    ("certain", .flag(true)), ("days", .count(days)), ("reporters", .count(reporters)), ("next", .word(next)),
                    ("policy", .word(policy?.p ?? "")), ("since", .day(facts.firstDay)), ("until", .day(facts.period.until)),
                ],
                dns: [
                    DNSChange(.publish, facts.domain, "TXT", "v=spf1 -all"),
                    policy.flatMap { policy in
                        isThere ? nil : DNSChange(.replace, "_dmarc.\(facts.domain)", "TXT", "p=\(next)", replaces: "p=\(policy.p)")
                    },
                    DNSChange(.publish, facts.domain, "MX", "0 ."),
                    DNSChange(.publish, "*._domainkey.\(facts.domain)", "TXT", "v=DKIM1; p="),
                ], link: AdviceSources.parked)
        ]
    }

    /// F1: strangers use names below the domain, and those are less protected than they could be.
    private func spoofedSubdomains() -> [Finding] {
        let names = facts.subdomains.filter { $0.spoofed > 0 && $0.others == 0 }.sorted {
            ($0.spoofed, $1.name) > ($1.spoofed, $0.name)
        }
        guard !names.isEmpty, !isParked, let policy, policy.effectiveSubdomainPolicy == "none" else { return [] }
        // A subdomain that really sends would be hit by sp; one that does not exist sends nothing.
        let hasSenders = facts.subdomains.contains { $0.others > 0 }
        // What one witness alone says of such names, or a few of many, is nobody's evidence: they may have been made up.
        let seenBy = names.reduce(into: Set<Int>()) { $0.formUnion($1.witnesses) }.count
        let isSeen = seenBy >= Quorum.needed(of: facts.voices.count { $0.isWitness })
        let isCertain =
            isSeen && facts.reportDays >= Readiness.daysNeeded && Readiness.independent(facts.voices) >= Readiness.reportersNeeded
        let isReplaced = policy.sp != nil
        let sp =
            isReplaced
            ? DNSChange(.replace, "_dmarc.\(facts.domain)", "TXT", "sp=reject; np=reject", replaces: "sp=none")
            : DNSChange(.insert, "_dmarc.\(facts.domain)", "TXT", "sp=reject; np=reject")
        let np = policy.np == nil ? DNSChange(.insert, "_dmarc.\(facts.domain)", "TXT", "np=reject") : nil
        return [
            finding(
                .spoofedSubdomain, isCertain ? .act : .watch, messages: names.reduce(0) { $0 + $1.spoofed }, subjects: names.map(\.name),
                numbers: [
                    ("names", .count(names.count)), ("delivered", .count(names.reduce(0) { $0 + $1.delivered })),
                    ("subdomains_send", .flag(hasSenders)), ("certain", .flag(isCertain)), ("seen_by_two", .flag(isSeen)),
                    ("sp", .word(policy.sp ?? "")),
                    ("policy", .word(policy.p)),
                ], dns: isCertain ? [hasSenders ? np : sp] : [], link: AdviceSources.dmarc)
        ]
    }
}
