import DMARC

/// What `Advisor` knows of a policy domain: everything that advice rests on, and no database.
struct DomainFacts: Hashable, Sendable {
    /// How far before the period reporters, policies and rhythms are looked up, in days.
    static let historyDays = 90

    /// The policy domain, canonical.
    var domain: String
    /// Its organisational domain: where the zone of DNS is likely to begin.
    var organisation: String
    /// The days that messages are counted in.
    var period: Period
    /// The last day with data of any domain in scope.
    var lastDataDay: Day
    /// The day on which the question is asked.
    var today: Day
    /// Messages of all verdicts in the period.
    var totals: [Verdict: Treatment] = [:]
    /// Who sends, by verdict; of verdicts with many senders those with most messages, further ones in `totals` only.
    var senders: [Sender] = []
    /// Signatures of the domain's own on mail that came straight from its senders.
    var selectors: [Selector] = []
    /// What SPF said of the domain's own names.
    var spf: [SPFOutcome] = []
    /// Names below the policy domain in From.
    var subdomains: [Subdomain] = []
    /// Reporters with a report in the period or the 90 days before it.
    var reporters: [Reporter] = []
    /// Published policies as reporters saw them, each run of equal ones once; by reporter, then day.
    var policies: [PolicyRun] = []
    /// The first day with data of this domain, ever.
    var firstDay: Day
    /// Whether anything in the whole history shows a sender that is not a stranger.
    var everSent = true
    /// Senders with a regular rhythm that were not seen in the period.
    var lateSenders: [LateSender] = []
    /// Who speaks about the domain, in the period and the 90 days before it: witnesses first.
    var voices: [Voice] = []
    /// Messages of the period by voice, but those of strangers.
    var known = ByVoice()
    /// What is at fault.
    var faults: [Readiness.Kind: Fault] = [:]
    /// Own senders and services above the stated share that fewer than two witnesses saw.
    var lonelySenders: [String] = []
    /// Whether a count of the period was out of all proportion, so that not all of it decides.
    var hasOutliers = false
    /// Messages of strangers on the days of the period on which the present policy stood; nil: nobody looked.
    var strangersNow: Treatment?

    /// Whose word reports are.
    struct Voice: Hashable, Sendable {
        /// A domain; empty: nobody is named.
        var name: String
        /// Days with a report, ascending, none twice.
        var days: [Day]
        /// 0 newcomer, 1 believed with others while the store is young, 2 witness.
        var standing: Int

        /// Whether it counts when it is asked how many witnesses there are.
        var isWitness: Bool { standing == 2 }

        /// Whether it reported regularly, and no longer does: silent for longer than it ever was.
        func hasStopped(by lastDataDay: Day) -> Bool {
            let rhythm = ReportRhythm(days: days, dataUntil: lastDataDay)
            guard days.count >= Advisor.regularDays, let gap = rhythm.lastGap, let longest = rhythm.longestGap else { return false }
            return rhythm.isSilent && gap > longest
        }
    }

    /// What is in the way of a stricter policy, as far as it is counted in messages.
    struct Fault: Hashable, Sendable {
        /// As reported: the figure that is shown.
        var messages = 0
        /// As it decides.
        var byVoice = ByVoice()
        /// Witnesses that saw it.
        var witnesses = 0
    }

    /// What was done to messages.
    struct Treatment: Hashable, Sendable {
        var messages = 0
        var passed = 0
        /// Failed with disposition none or pass.
        var delivered = 0
        var quarantined = 0
        var rejected = 0
        /// Distinct sources.
        var sources = 0
        /// Distinct /24 and /48.
        var networks = 0

        var failed: Int { messages - passed }

        mutating func add(_ other: Treatment) {
            messages += other.messages
            passed += other.passed
            delivered += other.delivered
            quarantined += other.quarantined
            rejected += other.rejected
        }
    }

    /// How SPF came out for a sender, as far as the domain's own names and others are concerned.
    enum SPFKind: String, Hashable, Sendable {
        case none
        case ownPass
        case ownFail
        case ownNone
        case ownError
        case foreignPass
        case foreignFail
    }

    /// Somebody who sends: a source where each counts by itself, otherwise all sources of one service or organisation.
    struct Sender: Hashable, Sendable {
        var verdict: Verdict
        /// A name for people: the service, the foreign organisation; empty where nobody is named.
        var name = ""
        var service: Service?
        var treatment = Treatment()
        /// Its messages as they decide: outliers set aside.
        var decisive = 0
        /// Those with most messages, at most five.
        var addresses: [IPAddress] = []
        /// Distinct voices.
        var reporters = 0
        /// Which those are: a bit for each place in `DomainFacts.voices`, the last one for all beyond it.
        var voices: UInt128 = 0
        /// Its sources, by their numbers in the domain: senders can share some. Only of those that are unaligned.
        var sources: [Int32] = []
        /// Those of them with standing.
        var witnesses = 0
        /// Witnesses whose reports of it did not arrive in the last days only.
        var settledWitnesses = 0
        /// Whether these have more than half of what all witnesses of the domain said.
        var isSeenByMost = true
        var firstDay: Day
        var lastDay: Day
        /// Mean of its flows with most messages, weighted; nil: not looked up, the larger senders of the verdict speak for it.
        var confidence: Double?
        var notes: VerdictNotes = []
        var spf = SPFKind.none
        /// The name that SPF was checked for.
        var spfDomain: String?
        /// Messages by what became of a signature of the domain's own.
        var signed = 0
        var unsigned = 0
        var broken = 0
        /// Messages that passed SPF for a name of somebody else's.
        var foreignPassed = 0
        /// Messages with a signature of another domain that verified.
        var foreignSigned = 0
        /// Whether there are any.
        var hasForeignSignature: Bool { foreignSigned > 0 }
        /// The first day, ever, on which one of its `addresses` was seen; only of a name that nobody knows.
        var knownSince: Day?
        /// SPF was checked for the name of a host, not for a domain that receives mail.
        var isHostName = false
        /// What two witnesses saw it pass, by address; only of misconfigured ones.
        var proofs: [IPAddress: Proof] = [:]
        /// It passes mail on, or is one of many addresses that come and go: evidence of its largest flow.
        var isRelayOrScattered = false

        /// It authenticates as another domain whose reports are collected here, and which two witnesses know: one owner, or one administrator.
        var isSister = false
        /// The first day from which on the same name signs for the domain, and no longer only for itself; nil: it does not.
        var signsSince: Day?
        /// It passed SPF in the period or before it, whoever said so; only of misconfigured ones.
        var passedBefore = false
        /// Whether it authenticates as itself and nobody knows it: a supplier of the owner's, or a stranger.
        var isQuestion: Bool { verdict == .unaligned && notes.contains(.unrelated) && service == nil && !isSister }

        /// Whether it does not sign. Some reporters leave signatures out: who is seen to sign by anybody else does sign.
        var isUnsigned: Bool { unsigned > 0 && Double(signed + broken) < Advisor.unsignedShare * Double(unsigned) }
    }

    /// What shows that an address belongs to the domain: it passed with aligned SPF.
    struct Proof: Hashable, Sendable {
        /// Witnesses that saw it, in reports that did not arrive in the last days.
        var witnesses = 0
        /// Whether they have more than half of what all witnesses of the domain said.
        var isMajority = true
        /// Days on which any of them did.
        var days = 0
        /// The last day on which two of them did.
        var lastDay: Day

        /// Enough to print the address as something to put into SPF.
        var isEnough: Bool { witnesses >= Readiness.reportersNeeded && isMajority && days >= Advisor.provenDays }
    }

    /// A signature's domain and selector.
    struct Selector: Hashable, Sendable {
        var domain: String
        var selector: String
        /// Messages on which it verified.
        var passed: Int
        /// Messages on which it did not; errors that pass are neither.
        var failed: Int
        var passedReporters: Int
        /// Voices that saw it fail.
        var failedReporters: Int
        /// Those of them with standing.
        var failedWitnesses: Int
        var firstFailedDay: Day
        var lastDay: Day
        var passedByVoice = ByVoice()
        var failedByVoice = ByVoice()

        /// The reports leave out which one it is.
        var isUnnamed: Bool { selector == "?" }
        /// Where its key stands in DNS; without a selector only the domain is known.
        var place: String { isUnnamed ? domain : "\(selector)._domainkey.\(domain)" }

        /// Whether so much of it fails that it is more than mail changed on its way.
        var isBroken: Bool { failed > 1 && isAtLeast(Advisor.brokenShare) }

        /// Whether `share` of it fails.
        func isAtLeast(_ share: Double) -> Bool {
            var whole = passedByVoice
            whole.add(failedByVoice)
            return BoundedShare.exceeds(share.nextDown, failedByVoice, of: whole, witnesses: failedWitnesses)
        }
    }

    /// What SPF said of one of the domain's own names, in messages.
    struct SPFOutcome: Hashable, Sendable {
        var domain: String
        var passed = 0
        var permanentErrors = 0
        var temporaryErrors = 0
        var none = 0
        var neutral = 0
        var failed = 0
        var softFailed = 0
        /// Voices that met permanent errors.
        var permanentErrorReporters = 0
        /// Those of them with standing.
        var permanentErrorWitnesses = 0
        /// Witnesses of temporary errors.
        var temporaryErrorWitnesses = 0
        /// Voices that found no record.
        var noneReporters = 0
        /// Those of them with standing.
        var noneWitnesses = 0
        /// Voices that were told neither yes nor no.
        var neutralReporters = 0
        /// Those of them with standing.
        var neutralWitnesses = 0
        var checksByVoice = ByVoice()
        var permanentErrorsByVoice = ByVoice()
        var temporaryErrorsByVoice = ByVoice()

        var messages: Int { passed + permanentErrors + temporaryErrors + none + neutral + failed + softFailed }
    }

    /// A name below the policy domain.
    struct Subdomain: Hashable, Sendable {
        var name: String
        /// Messages whose verdict is spoofed.
        var spoofed: Int
        /// Of them, delivered.
        var delivered: Int
        /// All others.
        var others: Int
        /// Witnesses that saw strangers use it, by place in `voices`.
        var witnesses: Set<Int>
    }

    /// Somebody who sends reports.
    struct Reporter: Hashable, Sendable {
        var name: String
        /// Days with a report, ascending, none twice.
        var days: [Day]
        /// Reports whose day lies in the period.
        var reports: Int

        /// Median distance of days with reports; nil below two.
        var usualGap: Int? {
            let gaps = zip(days.dropFirst(), days).map { $1.distance(to: $0) }.sorted()
            return gaps.isEmpty ? nil : gaps[gaps.count / 2]
        }

        /// The longest distance of two days with reports next to each other.
        var longestGap: Int { zip(days.dropFirst(), days).map { $1.distance(to: $0) }.max() ?? 0 }
    }

    /// A published policy that a reporter saw on all of its reports from one day to another.
    struct PolicyRun: Hashable, Sendable {
        var reporter: String
        var since: Day
        var until: Day
        var p: String?
        var sp: String?
        var np: String?
        var pct: String?
        var testing: String?
        /// Whose word it is: several names of one voice saw one policy. Nil: the reporter's own.
        var voice: Int?

        /// Who votes with it.
        fileprivate var voter: String { voice.map { "\($0)" } ?? reporter }
    }

    /// Somebody who sends now and then, at even distances, and did not do so in the period.
    struct LateSender: Hashable, Sendable {
        var name: String
        var lastDay: Day
        /// Usual distance in days.
        var every: Int
        var addresses: [IPAddress]
    }
}

extension DomainFacts {
    /// All messages of the period.
    var messages: Int { totals.values.reduce(0) { $0 + $1.messages } }

    /// Messages of senders that are neither strangers nor a question.
    var knownMessages: Int { messages - (totals[.spoofed]?.messages ?? 0) - questions.messages }

    /// Messages of names that authenticate as themselves and that nobody knows.
    var questions: Treatment {
        senders.reduce(into: Treatment()) { sum, sender in if sender.isQuestion { sum.add(sender.treatment) } }
    }

    func total(_ verdict: Verdict) -> Treatment { totals[verdict] ?? Treatment() }

    func senders(_ verdict: Verdict) -> [Sender] { senders.filter { $0.verdict == verdict } }

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
struct CurrentPolicy: Hashable, Sendable {
    var p: String
    var sp: String?
    var np: String?
    var pct: String?
    var isTesting: Bool
    /// The first day from which on every report shows this `p`.
    var since: Day

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
    var policy: CurrentPolicy? {
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
