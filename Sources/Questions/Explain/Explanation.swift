import DMARC
import Inference
import Organisations
import Store

/// Everything behind the verdicts on a source.
public struct SourceExplanation: Sendable {
    /// One outcome of authentication, over all time.
    public struct Line: Sendable {
        /// What SPF and DKIM said.
        public var authentication: AuthenticationSet
        /// Aligned SPF, as the reporters say.
        public var spfAligned: Bool
        /// Aligned DKIM, as the reporters say.
        public var dkimAligned: Bool
        /// Messages.
        public var messages: Int
        /// Records.
        public var records: Int
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
    }

    /// A signature of the policy domain, and where it is seen.
    public struct Seal: Hashable, Sendable {
        /// The policy domain, canonical; of a signature its own domain.
        public var domain: String
        /// Nil: the reports do not name it.
        public var selector: String?
        /// Where it passes otherwise: the policy domain itself, or an organisation. Nil: nowhere.
        public var home: String?
        /// Whether the home is the policy domain itself.
        public var isHomeOwn = false
        /// Records in which it verified, and in which it did not.
        public var verified = 0
        /// The same, where the signature did not verify.
        public var broken = 0
        /// Of those that verified, at home.
        public var atHome = 0
    }

    /// Another organisation whose SPF or signature passed.
    public struct Stranger: Hashable, Sendable {
        /// Its organisational domain.
        public var name: String
        /// The well-known service that it is, if any.
        public var service: Service?
        /// Records with a signature of a policy domain that survived, that broke, and with none.
        public var surviving = 0
        /// The same, where the signature did not verify.
        public var broken = 0
        /// Records without such a signature.
        public var unsigned = 0
        /// Of the surviving, those whose selector is at home elsewhere.
        public var relayed = 0
        /// About how many reporters, days, sources and policy domains.
        public var reporters = 0
        /// About how many days.
        public var days = 0
        /// About how many sources.
        public var sources = 0
        /// About how many policy domains.
        public var domains = 0
    }

    /// A verdict on a source for a policy domain, with its evidence.
    public struct Story: Sendable {
        /// The address.
        public var source: IPAddress
        /// The policy domain, canonical; of a signature its own domain.
        public var domain: String
        /// What it is.
        public var verdict: Verdict
        /// 0…1, of most messages.
        public var confidence: Double
        /// Remarks beside the verdict.
        public var notes: VerdictNotes
        /// All that it rests on; what bounds the confidence is said of most of its messages.
        public var evidence: EvidenceCodes
        /// Messages.
        public var messages = 0
        /// Messages that passed DMARC.
        public var passed = 0
        /// Records.
        public var records = 0
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
        /// About how many reporters saw it.
        public var reporters = 0
        /// Most messages first.
        public var lines: [Line] = []
        /// The policy domain's signatures that it carries.
        public var seals: [Seal] = []
        /// Other organisations that it authenticates as.
        public var strangers: [Stranger] = []
        /// What the source did otherwise.
        public var counts = Counts()
        /// How the verdict on its first line was weighed.
        public var weighing = Weighing()
    }

    /// How one verdict came about: the weights of its evidence, and what bounds the confidence.
    public struct Weighing: Sendable {
        /// What one rule says. docs/VERDICTS.md has the table of all.
        public struct Piece: Hashable, Sendable {
            /// Its name, such as `key-only-here`.
            public var rule: String
            /// The story that it speaks for, or against where the weight is negative.
            public var story: Verdict
            /// Natural logarithm of odds.
            public var weight: Double
            /// What was seen, in a sentence.
            public var reason: String
        }

        /// Why the confidence is not higher.
        public struct Bound: Hashable, Sendable {
            /// At most this, 0…1.
            public var confidence: Double
            /// Why, in a sentence.
            public var reason: String
        }

        /// The sum of each story that was told, the likeliest first.
        public var sums: [(story: Verdict, weight: Double)] = []
        /// The pieces, in the order in which they were asked. None: the verdict was read off, or taken over from other mail.
        public var pieces: [Piece] = []
        /// The bounds that were met, the last one decides.
        public var bounds: [Bound] = []

        package init() {}

        package init(_ weighing: Reasoning.Weighing) {
            pieces = weighing.contributions.map {
                Piece(rule: $0.rule.name, story: $0.story, weight: $0.weight, reason: $0.rule.weight.reason)
            }
            sums = weighing.stories.map { story in
                (story, weighing.contributions.reduce(0) { $1.story == story ? $0 + $1.weight : $0 })
            }
            sums.sort { ($1.weight, $0.story.stored) < ($0.weight, $1.story.stored) }
            bounds = weighing.caps.map { Bound(confidence: Double($0.most) / 1000, reason: $0.reason) }
        }
    }

    /// What the source, and its neighbours, did otherwise. Records.
    public struct Counts: Hashable, Sendable {
        /// For this policy domain: with aligned SPF, and on which days.
        public var aligned = 0
        /// The days of those.
        public var alignedDays: ClosedRange<Day>?
        /// Without aligned SPF and nobody else's passing: signature whole, broken, none at all.
        public var surviving = 0
        /// The same, where the signature did not verify.
        public var broken = 0
        /// The same without any signature.
        public var silent = 0
        /// The days of those.
        public var keptDays: ClosedRange<Day>?
        /// For all policy domains: signatures that survived, and nothing at all.
        public var allSurviving = 0
        /// Of them, without any signature.
        public var allSilent = 0
        /// About how many policy domains.
        public var domains = 0
        /// Neighbours with aligned SPF for the same policy domain.
        public var neighbours = 0
        /// How many policy domains the network sends for.
        public var networkDomains = 0
        /// Of this policy domain's records with aligned SPF, the percentage that is signed.
        public var signedPercent = 0
        /// Records that a receiver overrode.
        public var overridden = 0
    }

    /// The stories, most messages first.
    public let stories: [Story]

    /// The source, for the policy domains of `filter` (days and reporters play no part: verdicts are about all that is known).
    public static func ask(_ store: ReportStore, source: IPAddress, domains: [String]) throws(StoreError) -> SourceExplanation {
        try reading(store, "explain") { facts in
            let suffixes = try PublicSuffixes.ofVerdicts(facts)
            let filter = Filter(domains: domains, today: Day(0))
            let services = Services.known
            let outcomes = try Outcomes(facts, suffixes, isWriting: false)
            let knowledge = try StoredKnowledge(facts, services, outcomes)
            let reasoning = Reasoning()
            let judge = Judge(knowledge: knowledge, reasoning: reasoning)
            let network = try FlowTable.flows(facts, outcomes, of: Network(source))
            let survey = try judge.survey(network.map(\.flow))
            _ = try judge.judge(network.map(\.flow))
            var builder = try Builder(facts, services, outcomes)
            var stories: [StoryKey: [StoredFlow]] = [:]
            var weighings: [FlowKey: Reasoning.Weighing] = [:]
            for (index, stored) in network.enumerated() where stored.flow.source == source {
                weighings[stored.flow.key] = reasoning[index]
                stories[StoryKey(domain: stored.flow.domain, verdict: stored.verdict), default: []].append(stored)
            }
            var result: [Story] = []
            for (key, flows) in stories {
                let name = try builder.domain(key.domain)
                guard filter.includes(domain: name) else { continue }
                result.append(try builder.story(name, flows, survey.surroundings(source, key.domain), weighings))
            }
            result.sort { ($1.messages, $0.domain, $0.verdict.stored) < ($0.messages, $1.domain, $1.verdict.stored) }
            return SourceExplanation(stories: result)
        }
    }

    private struct StoryKey: Hashable {
        let domain: Int
        let verdict: Int
    }

    /// Turns flows into stories.
    private struct Builder {
        private let facts: Facts
        private let services: Services
        private let outcomes: Outcomes
        private var authentications: AuthenticationLookup
        private var names: NameLookup
        private var seals: [SelectorKey: Seal] = [:]
        private var strangers: [Int: Stranger?] = [:]

        init(_ facts: Facts, _ services: Services, _ outcomes: Outcomes) throws {
            self.facts = facts
            self.services = services
            self.outcomes = outcomes
            authentications = AuthenticationLookup(facts)
            names = NameLookup(facts)
        }

        func domain(_ id: Int) throws -> String {
            try facts.domainName(id)
        }

        mutating func story(
            _ domain: String, _ flows: [StoredFlow], _ around: Judge<StoredKnowledge>.Surroundings,
            _ weighings: [FlowKey: Reasoning.Weighing]
        ) throws -> Story {
            let sorted = flows.sorted {
                ($1.flow.messages, $0.flow.authentication, $0.flow.aligned) < ($0.flow.messages, $1.flow.authentication, $1.flow.aligned)
            }
            let first = sorted[0]
            var story = Story(
                source: first.flow.source, domain: domain, verdict: first.judgement.verdict,
                confidence: Double(first.judgement.confidence / 10) / 100, notes: first.judgement.notes, evidence: EvidenceCodes(),
                firstDay: Day(first.flow.firstDay), lastDay: Day(first.flow.lastDay))
            var evidence = first.judgement.evidence
            var reporterBits = 0
            for stored in sorted {
                let flow = stored.flow
                story.messages += flow.messages
                story.records += flow.records
                if flow.aligned != 0 { story.passed += flow.messages }
                story.firstDay = min(story.firstDay, Day(flow.firstDay))
                story.lastDay = max(story.lastDay, Day(flow.lastDay))
                reporterBits |= flow.reporterBits
                evidence.formUnion(stored.judgement.evidence.subtracting(.bounds))
                story.counts.overridden += flow.forwardedOverrides + flow.listOverrides + flow.arcOverrides
                story.lines.append(
                    Line(
                        authentication: try authentications.set(flow.authentication), spfAligned: flow.aligned & 1 == 1,
                        dkimAligned: flow.aligned & 2 == 2, messages: flow.messages, records: flow.records, firstDay: Day(flow.firstDay),
                        lastDay: Day(flow.lastDay)))
                for signature in flow.shape.own {
                    let seal = try seal(signature, for: flow.domain, domain)
                    if !story.seals.contains(seal) { story.seals.append(seal) }
                }
                for name in [flow.shape.spfForeignPass].compactMap(\.self) + flow.shape.foreignVerified {
                    guard let stranger = try stranger(name), !story.strangers.contains(stranger) else { continue }
                    story.strangers.append(stranger)
                }
            }
            story.evidence = evidence.consistent(records: story.records)
            story.reporters = Levels.count(reporterBits)
            story.weighing = Weighing(weighings[first.flow.key] ?? Reasoning.Weighing())
            try count(&story.counts, first.flow, around)
            return story
        }

        private func count(_ counts: inout Counts, _ flow: Flow, _ around: Judge<StoredKnowledge>.Surroundings) throws {
            let tally = around.tally
            counts.aligned = tally.aligned
            counts.alignedDays = tally.alignedDays.map { Day($0.lowerBound)...Day($0.upperBound) }
            counts.surviving = tally.surviving
            counts.broken = tally.broken
            counts.silent = tally.silent
            counts.keptDays = tally.keptDays.map { Day($0.lowerBound)...Day($0.upperBound) }
            counts.allSurviving = around.total.surviving
            counts.allSilent = around.total.silent
            counts.domains = around.total.domains
            counts.neighbours = (around.network.authorized[flow.domain]?.sources ?? 0) - (tally.aligned > 0 ? 1 : 0)
            counts.networkDomains = around.network.domains.count
            if let habits = try facts.habits(ofDomain: flow.domain), habits.aligned > 0 {
                counts.signedPercent = habits.signed * 100 / habits.aligned
            }
        }

        private mutating func seal(_ signature: Outcome.Signature, for policy: Int, _ domain: String) throws -> Seal {
            let selector = SelectorKey(domain: signature.domain, selector: signature.selector, policy: policy)
            if let known = seals[selector] { return known }
            var seal = Seal(domain: try names.name(signature.domain) ?? "", selector: nil)
            if signature.selector > 0 { seal.selector = try names.name(signature.selector) }
            let (home, places) = try facts.home(of: selector)
            if home == 0 {
                seal.home = domain
                seal.isHomeOwn = true
            } else if let organisation = Beside.organisation(home) {
                seal.home = try names.name(organisation)
            }
            for place in places {
                if place.isVerified { seal.verified += place.records } else { seal.broken += place.records }
                if place.isVerified, place.beside == home { seal.atHome += place.records }
            }
            seals[selector] = seal
            return seal
        }

        private mutating func stranger(_ id: Int) throws -> Stranger? {
            if let known = strangers[id] { return known }
            let found = try readStranger(id)
            strangers[id] = .some(found)
            return found
        }

        private mutating func readStranger(_ id: Int) throws -> Stranger? {
            guard let name = try names.name(id) else { return nil }
            var stranger = Stranger(name: name, service: services.service(of: name))
            if let known = try facts.organisation(id) { stranger.add(known) }
            return stranger
        }
    }
}

extension SourceExplanation.Stranger {
    mutating func add(_ known: KnownOrganisation) {
        surviving = known.surviving
        broken = known.broken
        unsigned = known.unsigned
        relayed = known.relayed
        reporters = Levels.count(known.reporterBits)
        days = Levels.count(known.dayBits)
        sources = Levels.count(known.sourceBits)
        domains = Levels.count(known.domainBits)
    }
}
