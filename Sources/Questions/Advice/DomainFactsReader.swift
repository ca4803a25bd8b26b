import Advice
import DMARC
import Organisations
import Store

/// Reads `DomainFacts`: one pass over the records of the period for each domain; everything older comes from small tables and rollups.
final class DomainFactsReader {
    /// How far before the period regular senders are looked for, in days: three months and some.
    static let rhythmDays = 128
    /// Sets of authentication results that are read for each verdict, those with most messages first: a bound on memory and time. Figures about
    /// SPF and selectors are exact below it.
    static let mostSets = 20_000
    /// Senders of each verdict that are kept where a finding names some of them only; those that it is about are kept all.
    static let mostSenders = 25
    /// Of those, from the first on, how many are asked for the confidence in their largest flows, and how many flows.
    static let mostJudged = 4
    static let judgedFlows = 2
    /// Numbers of verdicts lie below this.
    static let verdictNumbers = 10
    /// Candidates for a regular sender that are looked up in the flows.
    static let mostCandidates = 24

    let stored: Facts
    let records: RecordScan
    let scope: Scope
    let period: Period
    private let today: Day
    private var knownStandings: [String: [Int: Int]] = [:]
    let suffixes: PublicSuffixes
    var authentications: AuthenticationLookup
    var names: NameLookup
    /// Services by name, also those that are none.
    var knownServices: [String: Service?] = [:]
    private var policies: [Int: DomainFacts.PolicyRun] = [:]
    private var policyTags: [Int: String] = [:]
    private var reporterNames: [Int: String] = [:]
    private var lastDataDay: Day
    /// The place of each set of results among those of the domain being read; -1: none yet.
    var setPlaces: [Int32] = []

    init(_ stored: Facts, _ scope: Scope, _ period: Period, today: Day, _ suffixes: PublicSuffixes) throws {
        self.stored = stored
        records = try RecordScan(stored, scope)
        self.scope = scope
        self.period = period
        self.today = today
        self.suffixes = suffixes
        authentications = AuthenticationLookup(stored)
        names = NameLookup(stored)
        lastDataDay = period.since
    }

    /// The last day with data of any domain in scope, not after the period; also what is read once for all domains.
    func findLastDataDay() throws {
        for domain in scope.domains {
            if let last = try stored.extent(of: domain)?.until { lastDataDay = max(lastDataDay, min(last, period.until)) }
        }
        policies = try stored.policies().mapValues {
            DomainFacts.PolicyRun(
                reporter: "", since: period.since, until: period.since, p: $0.p, sp: $0.sp, np: $0.np, pct: $0.pct, testing: $0.testing)
        }
        policyTags = policies.mapValues(\.tags)
        reporterNames = try stored.reporterNames()
        setPlaces = [Int32](repeating: -1, count: try stored.lastSet() + 1)
    }

    /// The facts of a domain; nil if there is no day with data.
    func facts(of domain: PolicyDomain) throws -> DomainFacts? {
        guard let extent = try stored.extent(of: domain) else { return nil }
        // A period that ends before the data do is looked at as from its own last day.
        var facts = DomainFacts(
            domain: domain.name, organisation: suffixes.organisation(of: domain.name), period: period, lastDataDay: lastDataDay,
            today: extent.until > period.until ? period.until : today, firstDay: extent.since)
        // How long a domain is known may not rest on who is no witness.
        if !scope.leftOut.isEmpty {
            guard let witnessed = try stored.firstWitnessedDay(of: domain) else { return nil }
            facts.firstDay = witnessed
        }
        let reports = try addReports(of: domain, to: &facts)
        var seen = try SeenRecords(self, domain, reports, policySince: facts.policy?.since)
        facts.strangersNow = seen.strangersNow
        facts.hasOutliers = seen.hasOutliers
        facts.subdomains = try subdomains(of: domain, seen, reports)
        let sets = seen.sets()
        seen.looks = try looks(at: sets, seen.setKeys, facts)
        addSelectors(sets, seen, reports, to: &facts)
        addSPF(sets, seen, reports, to: &facts)
        try addSenders(of: domain, seen, reports, to: &facts)
        try addProofs(of: domain, reports, to: &facts)
        if facts.totals.allSatisfy({ $0.key == .spoofed || $0.key == .unknown }) {
            facts.everSent = try everSent(domain, facts.firstDay)
        }
        // It takes a walk through months: only for whom it would be the one thing that keeps a stricter policy off.
        if scope.reports == nil, facts.everSent, Readiness(facts, facts.policy)?.isReady == true {
            try addLateSenders(of: domain, seen, to: &facts)
        }
        return facts
    }

    /// Whether anything in the whole history shows a sender that is not a stranger. Rollups do not know whose word they are.
    private func everSent(_ domain: PolicyDomain, _ firstDay: Day) throws -> Bool {
        guard try stored.everSent(domain) else { return false }
        guard !scope.leftOut.isEmpty, firstDay <= period.until else { return true }
        var everSent = false
        try records.forEach(of: domain.id, in: Period(since: firstDay, until: period.until)) { record, _ in
            everSent = everSent || record.aligned > 0 || (3...8).contains(record.verdict)
        }
        return everSent
    }

    // MARK: - Reports

    /// Reporters, voices and policies.
    private func addReports(of domain: PolicyDomain, to facts: inout DomainFacts) throws -> HeardReports {
        struct Seen {
            let reporter: Int
            let voice: Int
            var days: [Int] = []
            var reports = 0
            /// One for each day, as these.
            var policies: [Int] = []
        }
        var places: [[Int]: Int] = [:]
        var seen: [Seen] = []
        var reports = HeardReports(try standings(of: facts.organisation))
        let history = Period(since: period.since.advanced(by: -DomainFacts.historyDays), until: period.until)
        try stored.forEachHeardReport(of: domain, in: history) { report in
            let (reporter, day, policy) = (report.reporter, report.day, report.policy)
            // `scope.reports` holds reports of the period only: with `--reporter` there is no look before it.
            guard scope.includes(report: report.id) else { return }
            // Nobody has the key 0.
            let voice = report.voice ?? 0
            let arrived = Day(containing: report.arrived)
            reports.add(
                report.id, voice: voice, day: day, arrived: arrived.number,
                isSettled: arrived.distance(to: today) >= Advisor.settlingDays)
            let place = places[[reporter, voice]] ?? seen.count
            if place == seen.count {
                places[[reporter, voice]] = place
                seen.append(Seen(reporter: reporter, voice: voice))
            }
            if day >= period.since.number { seen[place].reports += 1 }
            // They come in the order of days.
            if seen[place].days.last != day {
                seen[place].days.append(day)
                seen[place].policies.append(policy)
            } else if let other = seen[place].policies.last, other != policy, (policyTags[other] ?? "") < (policyTags[policy] ?? "") {
                // Several reports of a day: the last in the order of the alphabet, so that the order of arrival does not matter.
                seen[place].policies[seen[place].policies.count - 1] = policy
            }
        }
        reports.settle()
        for voice in reports.all {
            facts.voices.append(
                DomainFacts.Voice(
                    name: voice.id == 0 ? "" : try names.name(voice.id) ?? "", days: voice.days.map { Day($0) }, standing: voice.standing))
        }
        var reporters: [String: DomainFacts.Reporter] = [:]
        for seen in seen {
            let name = reporterNames[seen.reporter] ?? ""
            // Whoever writes in somebody's name is not that reporter, but in lists there is one of each name.
            var reporter = reporters[name] ?? DomainFacts.Reporter(name: name, days: [], reports: 0)
            reporter.days = reporter.days.isEmpty ? seen.days.map { Day($0) } : Set(reporter.days + seen.days.map { Day($0) }).sorted()
            reporter.reports += seen.reports
            reporters[name] = reporter
            var lastTags: String?
            for (day, policy) in zip(seen.days, seen.policies) {
                guard var run = policies[policy], let tags = policyTags[policy] else { continue }
                run.reporter = name
                run.voice = reports.place(of: seen.voice)
                run.since = Day(day)
                run.until = Day(day)
                if lastTags == tags {
                    facts.policies[facts.policies.count - 1].until = run.until
                } else {
                    facts.policies.append(run)
                    lastTags = tags
                }
            }
        }
        facts.reporters = reporters.values.sorted { $0.name < $1.name }
        facts.policies.sort { ($0.reporter, $0.since, $0.until, $0.voice ?? 0) < ($1.reporter, $1.since, $1.until, $1.voice ?? 0) }
        return reports
    }

    /// Of each voice that reports about the organisation's domains: 0 newcomer, 1 believed with others while the store is young, 2 witness.
    func standings(of organisation: String) throws -> [Int: Int] {
        if let known = knownStandings[organisation] { return known }
        let standings = try stored.standings(of: organisation)
        knownStandings[organisation] = standings
        return standings
    }

    // MARK: - Results

    private func looks(at sets: [[SetSum]], _ keys: [Int], _ facts: DomainFacts) throws -> [Look?] {
        var looks = [Look?](repeating: nil, count: keys.count)
        for sums in sets {
            let chosen = sums.indices.filter { sums[$0].messages > 0 }.leading(Self.mostSets) { sums[$0].messages }
                .sorted { (sums[$0].messages, keys[$1]) > (sums[$1].messages, keys[$0]) }
            for place in chosen.prefix(Self.mostSets) where looks[place] == nil {
                looks[place] = look(try authentications.set(keys[place]), facts.organisation)
            }
        }
        return looks
    }

    func look(_ set: AuthenticationSet, _ organisation: String) -> Look {
        var look = Look()
        for signature in set.dkim {
            guard let domain = signature.domain else { continue }
            if suffixes.organisation(of: domain) == organisation {
                look.signatures.append((domain, signature.selector ?? "", signature.result))
            } else if signature.result == .pass {
                look.foreignSignature = look.foreignSignature ?? domain
            }
        }
        look.isSigned = look.signatures.contains { $0.result == .pass }
        look.isBroken = !look.isSigned && look.signatures.contains { $0.result.isBroken }
        for check in set.senderChecks {
            guard let domain = check.domain else { continue }
            let isOwn = suffixes.organisation(of: domain) == organisation
            if isOwn, check.scope != .helo, look.ownSPF == nil { look.ownSPF = (domain, check.result) }
            let kind: DomainFacts.SPFKind =
                switch (isOwn, check.result) {
                case (true, .pass): .ownPass
                case (true, .permerror), (true, .temperror): .ownError
                case (true, .none): .ownNone
                case (true, _): .ownFail
                case (false, .pass): .foreignPass
                case (false, _): .foreignFail
                }
            if look.spf == .none || kind == .ownPass || (kind == .foreignPass && look.spf == .foreignFail) {
                (look.spf, look.spfDomain) = (kind, domain)
            }
        }
        return look
    }

    private func addSelectors(_ sets: [[SetSum]], _ seen: SeenRecords, _ reports: HeardReports, to facts: inout DomainFacts) {
        struct Sum {
            var passed = 0
            var failed = 0
            var passedVoices: UInt128 = 0
            var failedVoices: UInt128 = 0
            var firstFailedDay = Int.max
            var lastDay = Int.min
            var passedByVoice = ByVoice()
            var failedByVoice = ByVoice()
        }
        var numbers: [[String]: Int] = [:]
        var sums: [(key: [String], sum: Sum)] = []
        // Of each set: which selectors verified, and which did not. Of a selector that comes twice, one that verified is enough.
        var selectorsOf = [[(number: Int, isGood: Bool)]](repeating: [], count: seen.looks.count)
        for (set, look) in seen.looks.enumerated() {
            for signature in look?.signatures ?? [] {
                guard signature.result == .pass || signature.result.isBroken else { continue }
                let key = [signature.domain, signature.selector]
                let number = numbers[key] ?? sums.count
                if number == sums.count {
                    numbers[key] = number
                    sums.append((key, Sum()))
                }
                if let place = selectorsOf[set].firstIndex(where: { $0.number == number }) {
                    if signature.result == .pass { selectorsOf[set][place].isGood = true }
                } else {
                    selectorsOf[set].append((number, signature.result == .pass))
                }
            }
        }
        let direct = [Verdict.authorized, .misconfigured, .dkimOnly].map(\.stored)
        for verdict in direct {
            for (set, selectors) in zip(sets[verdict], selectorsOf) where set.messages > 0 {
                for (number, isGood) in selectors {
                    if isGood {
                        sums[number].sum.passed += set.messages
                        sums[number].sum.passedVoices |= set.voices
                    } else {
                        sums[number].sum.failed += set.messages
                        sums[number].sum.failedVoices |= set.voices
                        sums[number].sum.firstFailedDay = min(sums[number].sum.firstFailedDay, set.firstDay)
                    }
                    sums[number].sum.lastDay = max(sums[number].sum.lastDay, set.lastDay)
                }
            }
        }
        for flow in seen.flows where direct.contains(Int(flow.number)) {
            for (number, isGood) in selectorsOf[Int(flow.set)] {
                seen.forEachVoice(of: flow) { voice, messages in
                    if isGood {
                        sums[number].sum.passedByVoice.add(messages, of: voice)
                    } else {
                        sums[number].sum.failedByVoice.add(messages, of: voice)
                    }
                }
            }
        }
        let selectors = sums.map { key, sum in
            DomainFacts.Selector(
                domain: key[0], selector: key[1].isEmpty ? "?" : key[1], passed: sum.passed, failed: sum.failed,
                passedReporters: sum.passedVoices.nonzeroBitCount, failedReporters: sum.failedVoices.nonzeroBitCount,
                failedWitnesses: reports.witnesses(sum.failedVoices),
                firstFailedDay: Day(sum.failed > 0 ? sum.firstFailedDay : sum.lastDay), lastDay: Day(sum.lastDay),
                passedByVoice: sum.passedByVoice, failedByVoice: sum.failedByVoice)
        }
        facts.selectors = selectors.filter { $0.passed + $0.failed > 0 }
            .sorted { ($0.domain, $0.selector) < ($1.domain, $1.selector) }
        // A message with two broken signatures is one message.
        let isBroken = selectors.map(\.isBroken)
        guard isBroken.contains(true) else { return }
        var fault = DomainFacts.Fault()
        var voices: UInt128 = 0
        for flow in seen.flows where direct.contains(Int(flow.number)) {
            guard selectorsOf[Int(flow.set)].contains(where: { !$0.isGood && isBroken[$0.number] }) else { continue }
            fault.messages += flow.messages
            voices |= flow.voices
            seen.forEachVoice(of: flow) { fault.byVoice.add($1, of: $0) }
        }
        fault.witnesses = reports.witnesses(voices)
        facts.faults[.dkimBroken] = fault
    }

    private func addSPF(_ sets: [[SetSum]], _ seen: SeenRecords, _ reports: HeardReports, to facts: inout DomainFacts) {
        struct Voices {
            var permanent: UInt128 = 0
            var temporary: UInt128 = 0
            var none: UInt128 = 0
            var neutral: UInt128 = 0
        }
        var outcomes: [String: DomainFacts.SPFOutcome] = [:]
        var voices: [String: Voices] = [:]
        for (set, look) in sets.lazy.flatMap({ zip($0, seen.looks) }) where set.messages > 0 {
            guard let (domain, result) = look?.ownSPF else { continue }
            var outcome = outcomes[domain] ?? DomainFacts.SPFOutcome(domain: domain)
            let messages = set.messages
            switch result {
            case .pass: outcome.passed += messages
            case .permerror:
                outcome.permanentErrors += messages
                voices[domain, default: Voices()].permanent |= set.voices
            case .temperror:
                outcome.temporaryErrors += messages
                voices[domain, default: Voices()].temporary |= set.voices
            case .none:
                outcome.none += messages
                voices[domain, default: Voices()].none |= set.voices
            case .neutral:
                outcome.neutral += messages
                voices[domain, default: Voices()].neutral |= set.voices
            case .softfail: outcome.softFailed += messages
            case .fail, .policy, .unknown: outcome.failed += messages
            }
            outcomes[domain] = outcome
        }
        for (domain, masks) in voices {
            outcomes[domain]?.permanentErrorReporters = masks.permanent.nonzeroBitCount
            outcomes[domain]?.permanentErrorWitnesses = reports.witnesses(masks.permanent)
            outcomes[domain]?.temporaryErrorWitnesses = reports.witnesses(masks.temporary)
            outcomes[domain]?.noneReporters = masks.none.nonzeroBitCount
            outcomes[domain]?.noneWitnesses = reports.witnesses(masks.none)
            outcomes[domain]?.neutralReporters = masks.neutral.nonzeroBitCount
            outcomes[domain]?.neutralWitnesses = reports.witnesses(masks.neutral)
        }
        facts.spf = outcomes.values.sorted { $0.domain < $1.domain }
        let places = Dictionary(uniqueKeysWithValues: facts.spf.enumerated().map { ($1.domain, $0) })
        let outcomeOf = seen.looks.map { look in look?.ownSPF.flatMap { places[$0.domain] } }
        for flow in seen.flows {
            guard let place = outcomeOf[Int(flow.set)], let result = seen.looks[Int(flow.set)]?.ownSPF?.result else { continue }
            seen.forEachVoice(of: flow) { voice, messages in
                facts.spf[place].checksByVoice.add(messages, of: voice)
                if result == .permerror { facts.spf[place].permanentErrorsByVoice.add(messages, of: voice) }
                if result == .temperror { facts.spf[place].temporaryErrorsByVoice.add(messages, of: voice) }
            }
        }
    }
}

extension DomainFacts.PolicyRun {
    /// All tags in one text.
    fileprivate var tags: String { [p, sp, np, pct, testing].map { $0 ?? "-" }.joined(separator: ";") }
}

extension AuthenticationResult {
    /// A signature that is there and did not verify. An error that passes is neither good nor broken.
    fileprivate var isBroken: Bool {
        switch self {
        case .fail, .permerror, .policy, .neutral: true
        default: false
        }
    }
}
