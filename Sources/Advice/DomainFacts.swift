import DMARC
import Organisations

/// What `Advisor` knows of a policy domain: everything that advice rests on, and no database.
package struct DomainFacts: Hashable, Sendable {
    /// How far before the period reporters, policies and rhythms are looked up, in days.
    package static let historyDays = 90

    /// The policy domain, canonical.
    package var domain: String
    /// Its organisational domain: where the zone of DNS is likely to begin.
    package var organisation: String
    /// The days that messages are counted in.
    package var period: Period
    /// The last day with data of any domain in scope.
    package var lastDataDay: Day
    /// The day on which the question is asked.
    package var today: Day
    /// Messages of all verdicts in the period.
    package var totals: [Verdict: Treatment] = [:]
    /// Who sends, by verdict; of verdicts with many senders those with most messages, further ones in `totals` only.
    package var senders: [Sender] = []
    /// Signatures of the domain's own on mail that came straight from its senders.
    package var selectors: [Selector] = []
    /// What SPF said of the domain's own names.
    package var spf: [SPFOutcome] = []
    /// Names below the policy domain in From.
    package var subdomains: [Subdomain] = []
    /// Reporters with a report in the period or the 90 days before it.
    package var reporters: [Reporter] = []
    /// Published policies as reporters saw them, each run of equal ones once; by reporter, then day.
    package var policies: [PolicyRun] = []
    /// The first day with data of this domain, ever.
    package var firstDay: Day
    /// Whether anything in the whole history shows a sender that is not a stranger.
    package var everSent = true
    /// Senders with a regular rhythm that were not seen in the period.
    package var lateSenders: [LateSender] = []
    /// Who speaks about the domain, in the period and the 90 days before it: witnesses first.
    package var voices: [Voice] = []
    /// Messages of the period by voice, but those of strangers.
    package var known = ByVoice()
    /// What is at fault.
    package var faults: [Readiness.Kind: Fault] = [:]
    /// Own senders and services above the stated share that fewer than two witnesses saw.
    package var lonelySenders: [String] = []
    /// Whether a count of the period was out of all proportion, so that not all of it decides.
    package var hasOutliers = false
    /// Messages of strangers on the days of the period on which the present policy stood; nil: nobody looked.
    package var strangersNow: Treatment?

    package init(
        domain: String, organisation: String, period: Period, lastDataDay: Day, today: Day, totals: [Verdict: Treatment] = [:],
        senders: [Sender] = [], selectors: [Selector] = [], spf: [SPFOutcome] = [], subdomains: [Subdomain] = [],
        reporters: [Reporter] = [], policies: [PolicyRun] = [], firstDay: Day, everSent: Bool = true, lateSenders: [LateSender] = [],
        voices: [Voice] = [], known: ByVoice = ByVoice(), faults: [Readiness.Kind: Fault] = [:], lonelySenders: [String] = [],
        hasOutliers: Bool = false, strangersNow: Treatment? = nil
    ) {
        self.domain = domain
        self.organisation = organisation
        self.period = period
        self.lastDataDay = lastDataDay
        self.today = today
        self.totals = totals
        self.senders = senders
        self.selectors = selectors
        self.spf = spf
        self.subdomains = subdomains
        self.reporters = reporters
        self.policies = policies
        self.firstDay = firstDay
        self.everSent = everSent
        self.lateSenders = lateSenders
        self.voices = voices
        self.known = known
        self.faults = faults
        self.lonelySenders = lonelySenders
        self.hasOutliers = hasOutliers
        self.strangersNow = strangersNow
    }

    /// Whose word reports are.
    package struct Voice: Hashable, Sendable {
        /// A domain; empty: nobody is named.
        package var name: String
        /// Days with a report, ascending, none twice.
        package var days: [Day]
        /// 0 newcomer, 1 believed with others while the store is young, 2 witness.
        package var standing: Int

        package init(name: String, days: [Day], standing: Int) {
            self.name = name
            self.days = days
            self.standing = standing
        }

        /// Whether it counts when it is asked how many witnesses there are.
        package var isWitness: Bool { standing == 2 }

        /// Whether it reported regularly, and no longer does: silent for longer than it ever was.
        package func hasStopped(by lastDataDay: Day) -> Bool {
            let rhythm = ReportRhythm(days: days, dataUntil: lastDataDay)
            guard days.count >= Advisor.regularDays, let gap = rhythm.lastGap, let longest = rhythm.longestGap else { return false }
            return rhythm.isSilent && gap > longest
        }
    }

    /// What is in the way of a stricter policy, as far as it is counted in messages.
    package struct Fault: Hashable, Sendable {
        /// As reported: the figure that is shown.
        package var messages = 0
        /// As it decides.
        package var byVoice = ByVoice()
        /// Witnesses that saw it.
        package var witnesses = 0

        package init(messages: Int = 0, byVoice: ByVoice = ByVoice(), witnesses: Int = 0) {
            self.messages = messages
            self.byVoice = byVoice
            self.witnesses = witnesses
        }
    }

    /// What was done to messages.
    package struct Treatment: Hashable, Sendable {
        package var messages = 0
        package var passed = 0
        /// Failed with disposition none or pass.
        package var delivered = 0
        package var quarantined = 0
        package var rejected = 0
        /// Distinct sources.
        package var sources = 0
        /// Distinct /24 and /48.
        package var networks = 0

        package init(
            messages: Int = 0, passed: Int = 0, delivered: Int = 0, quarantined: Int = 0, rejected: Int = 0, sources: Int = 0,
            networks: Int = 0
        ) {
            self.messages = messages
            self.passed = passed
            self.delivered = delivered
            self.quarantined = quarantined
            self.rejected = rejected
            self.sources = sources
            self.networks = networks
        }

        package var failed: Int { messages - passed }

        package mutating func add(_ other: Treatment) {
            messages += other.messages
            passed += other.passed
            delivered += other.delivered
            quarantined += other.quarantined
            rejected += other.rejected
        }
    }

    /// How SPF came out for a sender, as far as the domain's own names and others are concerned.
    package enum SPFKind: String, Hashable, Sendable {
        case none
        case ownPass
        case ownFail
        case ownNone
        case ownError
        case foreignPass
        case foreignFail
    }

    /// Somebody who sends: a source where each counts by itself, otherwise all sources of one service or organisation.
    package struct Sender: Hashable, Sendable {
        package var verdict: Verdict
        /// A name for people: the service, the foreign organisation; empty where nobody is named.
        package var name = ""
        package var service: Service?
        package var treatment = Treatment()
        /// Its messages as they decide: outliers set aside.
        package var decisive = 0
        /// Those with most messages, at most five.
        package var addresses: [IPAddress] = []
        /// Distinct voices.
        package var reporters = 0
        /// Which those are: a bit for each place in `DomainFacts.voices`, the last one for all beyond it.
        package var voices: UInt128 = 0
        /// Its sources, by their numbers in the domain: senders can share some. Only of those that are unaligned.
        package var sources: [Int32] = []
        /// Those of them with standing.
        package var witnesses = 0
        /// Witnesses whose reports of it did not arrive in the last days only.
        package var settledWitnesses = 0
        /// Whether these have more than half of what all witnesses of the domain said.
        package var isSeenByMost = true
        package var firstDay: Day
        package var lastDay: Day
        /// Mean of its flows with most messages, weighted; nil: not looked up, the larger senders of the verdict speak for it.
        package var confidence: Double?
        package var notes: VerdictNotes = []
        package var spf = SPFKind.none
        /// The name that SPF was checked for.
        package var spfDomain: String?
        /// Messages by what became of a signature of the domain's own.
        package var signed = 0
        package var unsigned = 0
        package var broken = 0
        /// Messages that passed SPF for a name of somebody else's.
        package var foreignPassed = 0
        /// Messages with a signature of another domain that verified.
        package var foreignSigned = 0
        /// Whether there are any.
        var hasForeignSignature: Bool { foreignSigned > 0 }
        /// The first day, ever, on which one of its `addresses` was seen; only of a name that nobody knows.
        package var knownSince: Day?
        /// SPF was checked for the name of a host, not for a domain that receives mail.
        package var isHostName = false
        /// What two witnesses saw it pass, by address; only of misconfigured ones.
        package var proofs: [IPAddress: Proof] = [:]
        /// It passes mail on, or is one of many addresses that come and go: evidence of its largest flow.
        package var isRelayOrScattered = false

        /// It authenticates as another domain whose reports are collected here, and which two witnesses know: one owner, or one administrator.
        package var isSister = false
        /// The first day from which on the same name signs for the domain, and no longer only for itself; nil: it does not.
        package var signsSince: Day?
        /// It passed SPF in the period or before it, whoever said so; only of misconfigured ones.
        package var passedBefore = false

        package init(
            verdict: Verdict, name: String = "", service: Service? = nil, treatment: Treatment = Treatment(), decisive: Int = 0,
            addresses: [IPAddress] = [], reporters: Int = 0, voices: UInt128 = 0, sources: [Int32] = [], witnesses: Int = 0,
            settledWitnesses: Int = 0, isSeenByMost: Bool = true, firstDay: Day, lastDay: Day, confidence: Double? = nil,
            notes: VerdictNotes = [], spf: SPFKind = SPFKind.none, spfDomain: String? = nil, signed: Int = 0, unsigned: Int = 0,
            broken: Int = 0, foreignPassed: Int = 0, foreignSigned: Int = 0, knownSince: Day? = nil, isHostName: Bool = false,
            proofs: [IPAddress: Proof] = [:], isRelayOrScattered: Bool = false, isSister: Bool = false, signsSince: Day? = nil,
            passedBefore: Bool = false
        ) {
            self.verdict = verdict
            self.name = name
            self.service = service
            self.treatment = treatment
            self.decisive = decisive
            self.addresses = addresses
            self.reporters = reporters
            self.voices = voices
            self.sources = sources
            self.witnesses = witnesses
            self.settledWitnesses = settledWitnesses
            self.isSeenByMost = isSeenByMost
            self.firstDay = firstDay
            self.lastDay = lastDay
            self.confidence = confidence
            self.notes = notes
            self.spf = spf
            self.spfDomain = spfDomain
            self.signed = signed
            self.unsigned = unsigned
            self.broken = broken
            self.foreignPassed = foreignPassed
            self.foreignSigned = foreignSigned
            self.knownSince = knownSince
            self.isHostName = isHostName
            self.proofs = proofs
            self.isRelayOrScattered = isRelayOrScattered
            self.isSister = isSister
            self.signsSince = signsSince
            self.passedBefore = passedBefore
        }
        /// Whether it authenticates as itself and nobody knows it: a supplier of the owner's, or a stranger.
        package var isQuestion: Bool { verdict == .unaligned && notes.contains(.unrelated) && service == nil && !isSister }

        /// Whether it does not sign. Some reporters leave signatures out: who is seen to sign by anybody else does sign.
        package var isUnsigned: Bool { unsigned > 0 && Double(signed + broken) < Advisor.unsignedShare * Double(unsigned) }
    }

    /// What shows that an address belongs to the domain: it passed with aligned SPF.
    package struct Proof: Hashable, Sendable {
        /// Witnesses that saw it, in reports that did not arrive in the last days.
        package var witnesses = 0
        /// Whether they have more than half of what all witnesses of the domain said.
        package var isMajority = true
        /// Days on which any of them did.
        package var days = 0
        /// The last day on which two of them did.
        package var lastDay: Day

        package init(witnesses: Int = 0, isMajority: Bool = true, days: Int = 0, lastDay: Day) {
            self.witnesses = witnesses
            self.isMajority = isMajority
            self.days = days
            self.lastDay = lastDay
        }

        /// Enough to print the address as something to put into SPF.
        package var isEnough: Bool { witnesses >= Readiness.reportersNeeded && isMajority && days >= Advisor.provenDays }
    }

    /// A signature's domain and selector.
    package struct Selector: Hashable, Sendable {
        package var domain: String
        package var selector: String
        /// Messages on which it verified.
        package var passed: Int
        /// Messages on which it did not; errors that pass are neither.
        package var failed: Int
        package var passedReporters: Int
        /// Voices that saw it fail.
        package var failedReporters: Int
        /// Those of them with standing.
        package var failedWitnesses: Int
        package var firstFailedDay: Day
        package var lastDay: Day
        package var passedByVoice = ByVoice()
        package var failedByVoice = ByVoice()

        package init(
            domain: String, selector: String, passed: Int, failed: Int, passedReporters: Int, failedReporters: Int, failedWitnesses: Int,
            firstFailedDay: Day, lastDay: Day, passedByVoice: ByVoice = ByVoice(), failedByVoice: ByVoice = ByVoice()
        ) {
            self.domain = domain
            self.selector = selector
            self.passed = passed
            self.failed = failed
            self.passedReporters = passedReporters
            self.failedReporters = failedReporters
            self.failedWitnesses = failedWitnesses
            self.firstFailedDay = firstFailedDay
            self.lastDay = lastDay
            self.passedByVoice = passedByVoice
            self.failedByVoice = failedByVoice
        }

        /// The reports leave out which one it is.
        package var isUnnamed: Bool { selector == "?" }
        /// Where its key stands in DNS; without a selector only the domain is known.
        package var place: String { isUnnamed ? domain : "\(selector)._domainkey.\(domain)" }

        /// Whether so much of it fails that it is more than mail changed on its way.
        package var isBroken: Bool { failed > 1 && isAtLeast(Advisor.brokenShare) }

        /// Whether `share` of it fails.
        func isAtLeast(_ share: Double) -> Bool {
            var whole = passedByVoice
            whole.add(failedByVoice)
            return BoundedShare.exceeds(share.nextDown, failedByVoice, of: whole, witnesses: failedWitnesses)
        }
    }

    /// What SPF said of one of the domain's own names, in messages.
    package struct SPFOutcome: Hashable, Sendable {
        package var domain: String
        package var passed = 0
        package var permanentErrors = 0
        package var temporaryErrors = 0
        package var none = 0
        package var neutral = 0
        package var failed = 0
        package var softFailed = 0
        /// Voices that met permanent errors.
        package var permanentErrorReporters = 0
        /// Those of them with standing.
        package var permanentErrorWitnesses = 0
        /// Witnesses of temporary errors.
        package var temporaryErrorWitnesses = 0
        /// Voices that found no record.
        package var noneReporters = 0
        /// Those of them with standing.
        package var noneWitnesses = 0
        /// Voices that were told neither yes nor no.
        package var neutralReporters = 0
        /// Those of them with standing.
        package var neutralWitnesses = 0
        package var checksByVoice = ByVoice()
        package var permanentErrorsByVoice = ByVoice()
        package var temporaryErrorsByVoice = ByVoice()

        package init(
            domain: String, passed: Int = 0, permanentErrors: Int = 0, temporaryErrors: Int = 0, none: Int = 0, neutral: Int = 0,
            failed: Int = 0, softFailed: Int = 0, permanentErrorReporters: Int = 0, permanentErrorWitnesses: Int = 0,
            temporaryErrorWitnesses: Int = 0, noneReporters: Int = 0, noneWitnesses: Int = 0, neutralReporters: Int = 0,
            neutralWitnesses: Int = 0, checksByVoice: ByVoice = ByVoice(), permanentErrorsByVoice: ByVoice = ByVoice(),
            temporaryErrorsByVoice: ByVoice = ByVoice()
        ) {
            self.domain = domain
            self.passed = passed
            self.permanentErrors = permanentErrors
            self.temporaryErrors = temporaryErrors
            self.none = none
            self.neutral = neutral
            self.failed = failed
            self.softFailed = softFailed
            self.permanentErrorReporters = permanentErrorReporters
            self.permanentErrorWitnesses = permanentErrorWitnesses
            self.temporaryErrorWitnesses = temporaryErrorWitnesses
            self.noneReporters = noneReporters
            self.noneWitnesses = noneWitnesses
            self.neutralReporters = neutralReporters
            self.neutralWitnesses = neutralWitnesses
            self.checksByVoice = checksByVoice
            self.permanentErrorsByVoice = permanentErrorsByVoice
            self.temporaryErrorsByVoice = temporaryErrorsByVoice
        }

        package var messages: Int { passed + permanentErrors + temporaryErrors + none + neutral + failed + softFailed }
    }

    /// A name below the policy domain.
    package struct Subdomain: Hashable, Sendable {
        package var name: String
        /// Messages whose verdict is spoofed.
        package var spoofed: Int
        /// Of them, delivered.
        package var delivered: Int
        /// All others.
        package var others: Int
        /// Witnesses that saw strangers use it, by place in `voices`.
        package var witnesses: Set<Int>

        package init(name: String, spoofed: Int, delivered: Int, others: Int, witnesses: Set<Int>) {
            self.name = name
            self.spoofed = spoofed
            self.delivered = delivered
            self.others = others
            self.witnesses = witnesses
        }
    }

    /// Somebody who sends reports.
    package struct Reporter: Hashable, Sendable {
        package var name: String
        /// Days with a report, ascending, none twice.
        package var days: [Day]
        /// Reports whose day lies in the period.
        package var reports: Int

        package init(name: String, days: [Day], reports: Int) {
            self.name = name
            self.days = days
            self.reports = reports
        }

        /// Median distance of days with reports; nil below two.
        package var usualGap: Int? {
            let gaps = zip(days.dropFirst(), days).map { $1.distance(to: $0) }.sorted()
            return gaps.isEmpty ? nil : gaps[gaps.count / 2]
        }

        /// The longest distance of two days with reports next to each other.
        package var longestGap: Int { zip(days.dropFirst(), days).map { $1.distance(to: $0) }.max() ?? 0 }
    }

    /// A published policy that a reporter saw on all of its reports from one day to another.
    package struct PolicyRun: Hashable, Sendable {
        package var reporter: String
        package var since: Day
        package var until: Day
        package var p: String?
        package var sp: String?
        package var np: String?
        package var pct: String?
        package var testing: String?
        /// Whose word it is: several names of one voice saw one policy. Nil: the reporter's own.
        package var voice: Int?

        package init(
            reporter: String, since: Day, until: Day, p: String? = nil, sp: String? = nil, np: String? = nil, pct: String? = nil,
            testing: String? = nil, voice: Int? = nil
        ) {
            self.reporter = reporter
            self.since = since
            self.until = until
            self.p = p
            self.sp = sp
            self.np = np
            self.pct = pct
            self.testing = testing
            self.voice = voice
        }

        /// Who votes with it.
        fileprivate var voter: String { voice.map { "\($0)" } ?? reporter }
    }

    /// Somebody who sends now and then, at even distances, and did not do so in the period.
    package struct LateSender: Hashable, Sendable {
        package var name: String
        package var lastDay: Day
        /// Usual distance in days.
        package var every: Int
        package var addresses: [IPAddress]

        package init(name: String, lastDay: Day, every: Int, addresses: [IPAddress]) {
            self.name = name
            self.lastDay = lastDay
            self.every = every
            self.addresses = addresses
        }
    }
}

extension DomainFacts {
    /// All messages of the period.
    package var messages: Int { totals.values.reduce(0) { $0 + $1.messages } }

    /// Messages of senders that are neither strangers nor a question.
    package var knownMessages: Int { messages - (totals[.spoofed]?.messages ?? 0) - questions.messages }

    /// Messages of names that authenticate as themselves and that nobody knows.
    package var questions: Treatment {
        senders.reduce(into: Treatment()) { sum, sender in if sender.isQuestion { sum.add(sender.treatment) } }
    }

    package func total(_ verdict: Verdict) -> Treatment { totals[verdict] ?? Treatment() }

    package func senders(_ verdict: Verdict) -> [Sender] { senders.filter { $0.verdict == verdict } }

    /// Days with a report of a witness, in the period and the 90 days before it.
    var reportDays: Int { Set(voices.lazy.filter(\.isWitness).flatMap(\.days)).count }

    /// The policies that reports of the last week show; where three voices or more speak, without those that one alone saw.
    var currentPolicies: [String] {
        var voters: [String: Set<String>] = [:]
        for run in policies where run.until >= period.until.advanced(by: -7) {
            if let p = run.p?.lowercased() { voters[p, default: []].insert(run.voter) }
        }
        let all = voters.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        return voters.filter { all.count < 3 || $0.value.count > 1 }.keys.sorted()
    }
}

/// The policy that most reporters see in their latest report.
package struct CurrentPolicy: Hashable, Sendable {
    var p: String
    var sp: String?
    var np: String?
    var pct: String?
    var isTesting: Bool
    /// The first day from which on every report shows this `p`.
    package var since: Day

    package init(p: String, sp: String? = nil, np: String? = nil, pct: String? = nil, isTesting: Bool, since: Day) {
        self.p = p
        self.sp = sp
        self.np = np
        self.pct = pct
        self.isTesting = isTesting
        self.since = since
    }

    /// What a stranger's mail in the name of a subdomain meets.
    var effectiveSubdomainPolicy: String { sp ?? p }

    /// Whether mail that fails is asked to be stopped, all of it.
    var isEnforced: Bool { p != "none" && !isTesting && pct == nil }
}

extension DomainFacts {
    private static func word(_ text: String?) -> String? {
        guard let word = text?.lowercased(), ["none", "quarantine", "reject"].contains(word) else { return nil }
        return word
    }

    /// Nil where no report shows a policy. Of equally many reporters the weaker policy counts: advice must not build on the stronger.
    package var policy: CurrentPolicy? {
        let order = ["none", "quarantine", "reject"]
        var latest: [String: PolicyRun] = [:]
        for run in policies where Self.word(run.p) != nil {
            if latest[run.voter].map({ $0.until <= run.until }) ?? true { latest[run.voter] = run }
        }
        // Who fell silent long ago saw a policy of that time.
        guard let newest = latest.values.map(\.until).max() else { return nil }
        let current = latest.values.filter { $0.until.distance(to: newest) <= 7 }
        var votes: [String: Int] = [:]
        for run in current { votes[Self.word(run.p) ?? "none", default: 0] += 1 }
        guard
            let p = votes.max(by: { a, b in
                a.value != b.value
                    ? a.value < b.value : (order.firstIndex(of: a.key) ?? 0) > (order.firstIndex(of: b.key) ?? 0)
            })?.key
        else { return nil }
        let agreeing = current.filter { Self.word($0.p) == p }.sorted { ($0.until, $0.reporter) > ($1.until, $1.reporter) }
        // Where three or more speak, what one alone still saw a week after all others does not count.
        var others: [String: Day] = [:]
        for run in policies where Self.word(run.p) != nil && Self.word(run.p) != p {
            others[run.voter] = max(others[run.voter] ?? run.until, run.until)
        }
        var lastOthers = others.values.sorted(by: >)[...]
        if latest.count > 2, let one = lastOthers.first, lastOthers.count < 2 || lastOthers[1].distance(to: one) > 7 {
            lastOthers = lastOthers.dropFirst()
        }
        let other = lastOthers.first
        let first = policies.filter { Self.word($0.p) == p && $0.until > (other ?? Day(.min)) }
            .map { max($0.since, other.map { $0.advanced(by: 1) } ?? $0.since) }.min()
        func most(_ value: (PolicyRun) -> String?) -> String? {
            var counts: [String?: Int] = [:]
            for run in agreeing { counts[value(run), default: 0] += 1 }
            return counts.max { ($0.value, $1.key ?? "") < ($1.value, $0.key ?? "") }?.key ?? nil
        }
        let pct = most { run in run.pct.flatMap { text in Int(text).flatMap { (0..<100).contains($0) ? String($0) : nil } } }
        return CurrentPolicy(
            p: p, sp: most { Self.word($0.sp) }, np: most { Self.word($0.np) }, pct: pct,
            isTesting: most { $0.testing?.lowercased() == "y" ? "y" : nil } == "y", since: first ?? newest)
    }
}
