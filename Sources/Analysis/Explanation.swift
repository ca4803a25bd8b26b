import DMARC
import GRDB
import ReportStore

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
        /// All that it rests on.
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
    public static func ask(_ store: ReportStore, source: IPAddress, domains: [String]) throws(AnalysisError) -> SourceExplanation {
        try reading(store, "explain") { db in
            let suffixes = try PublicSuffixes.ofVerdicts(db)
            let filter = Filter(domains: domains, today: Day(0))
            let services = Services()
            let outcomes = try Outcomes(db, suffixes, isWriting: false)
            let knowledge = try StoredKnowledge(db, services)
            let judge = Judge(knowledge: knowledge)
            let network = try FlowTable.flows(db, outcomes, of: Network(source))
            let survey = try judge.survey(network.map(\.flow))
            var builder = try Builder(db, services, outcomes)
            var stories: [StoryKey: [StoredFlow]] = [:]
            for stored in network where stored.flow.source == source {
                stories[StoryKey(domain: stored.flow.domain, verdict: stored.verdict), default: []].append(stored)
            }
            var result: [Story] = []
            for (key, flows) in stories {
                let name = try builder.domain(key.domain)
                guard filter.includes(domain: name) else { continue }
                result.append(try builder.story(name, flows, survey.surroundings(source, key.domain), knowledge))
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
        private let db: Database
        private let services: Services
        private let outcomes: Outcomes
        private var authentications: AuthenticationLookup
        private var names: NameLookup
        private var seals: [SelectorKey: Seal] = [:]
        private var strangers: [Int: Stranger?] = [:]

        init(_ db: Database, _ services: Services, _ outcomes: Outcomes) throws {
            self.db = db
            self.services = services
            self.outcomes = outcomes
            authentications = AuthenticationLookup(db)
            names = NameLookup(db)
        }

        func domain(_ id: Int) throws -> String {
            try String.fetchOne(db, sql: "SELECT name FROM domains WHERE id = ?", arguments: [id]) ?? ""
        }

        mutating func story(
            _ domain: String, _ flows: [StoredFlow], _ around: Judge<StoredKnowledge>.Surroundings, _ knowledge: StoredKnowledge
        ) throws -> Story {
            let sorted = flows.sorted {
                ($1.flow.messages, $0.flow.authentication, $0.flow.aligned) < ($0.flow.messages, $1.flow.authentication, $1.flow.aligned)
            }
            let first = sorted[0]
            var story = Story(
                source: first.flow.source, domain: domain, verdict: first.judgement.verdict,
                confidence: Double(first.judgement.confidence / 10) / 100, notes: first.judgement.notes, evidence: EvidenceCodes(),
                firstDay: Day(first.flow.firstDay), lastDay: Day(first.flow.lastDay))
            var bits = 0
            var reporterBits = 0
            for stored in sorted {
                let flow = stored.flow
                story.messages += flow.messages
                story.records += flow.records
                if flow.aligned != 0 { story.passed += flow.messages }
                story.firstDay = min(story.firstDay, Day(flow.firstDay))
                story.lastDay = max(story.lastDay, Day(flow.lastDay))
                reporterBits |= flow.reporterBits
                bits |= stored.judgement.evidence.bits
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
            story.evidence = EvidenceCodes(bits: bits)
            story.reporters = Levels.count(reporterBits)
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
            let habits = try Row.fetchOne(
                db, sql: "SELECT aligned, signed FROM domain_habits WHERE domain_id = ?", arguments: [flow.domain])
            if let habits, (habits[0] as Int) > 0 { counts.signedPercent = (habits[1] as Int) * 100 / (habits[0] as Int) }
        }

        private mutating func seal(_ signature: Outcome.Signature, for policy: Int, _ domain: String) throws -> Seal {
            let selector = SelectorKey(domain: signature.domain, selector: signature.selector, policy: policy)
            if let known = seals[selector] { return known }
            var seal = Seal(domain: try names.name(signature.domain) ?? "", selector: nil)
            if signature.selector > 0 { seal.selector = try names.name(signature.selector) }
            let key: StatementArguments = [signature.domain, signature.selector, policy]
            let home =
                try Int.fetchOne(
                    db, sql: "SELECT home FROM selectors WHERE domain_id = ? AND selector_id = ? AND policy_id = ?", arguments: key) ?? -1
            if home == 0 {
                seal.home = domain
                seal.isHomeOwn = true
            } else if let organisation = Beside.organisation(home) {
                seal.home = try names.name(organisation)
            }
            let places = try SQLRows(
                db, "SELECT beside, verified, records FROM selector_places WHERE domain_id = ?1 AND selector_id = ?2 AND policy_id = ?3",
                [.integer(signature.domain), .integer(signature.selector), .integer(policy)])
            while try places.next() {
                let records = places.int(2)
                if places.int(1) == 1 { seal.verified += records } else { seal.broken += records }
                if places.int(1) == 1, places.int(0) == home { seal.atHome += records }
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
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT surviving, broken, unsigned, relayed, reporter_bits, day_bits, source_bits, domain_bits
                    FROM organisations WHERE name_id = ?
                    """, arguments: [id])
            guard let name = try names.name(id) else { return nil }
            var stranger = Stranger(name: name, service: services.service(of: name))
            guard let row else { return stranger }
            stranger.surviving = row[0]
            stranger.broken = row[1]
            stranger.unsigned = row[2]
            stranger.relayed = row[3]
            stranger.reporters = Levels.count(row[4])
            stranger.days = Levels.count(row[5])
            stranger.sources = Levels.count(row[6])
            stranger.domains = Levels.count(row[7])
            return stranger
        }
    }
}

/// Everywhere a name or a selector is seen.
public struct NameExplanation: Sendable {
    /// Life of a selector: from where, since when, and how often it verifies.
    public struct Place: Hashable, Sendable {
        /// For whom.
        public var policyDomain: String
        /// The policy domain, canonical; of a signature its own domain.
        public var domain: String
        /// Nil: the reports do not name it.
        public var selector: String?
        /// Whose SPF it stands beside: nil where that is the policy domain's own, or none.
        public var beside: String?
        /// What it stands beside.
        public var kind: Kind
        /// Records in which it verified.
        public var verified: Int
        /// The same, where the signature did not verify.
        public var broken: Int
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
        /// About how many reporters.
        public var reporters: Int
        /// Seen away from where the selector is at home.
        public var isUnexpected = false
    }

    /// What a signature stands beside.
    public enum Kind: String, Sendable {
        case own, ownFailing = "own-failing", none, foreignFailing = "foreign-failing", organisation, unlisted
    }

    /// What is known of an organisation, if the name is one that was met.
    public let organisation: SourceExplanation.Stranger?
    /// Selectors that the name or the selector stands for, by policy domain and first day.
    public let places: [Place]
    /// Sources that authenticate as the organisation, most messages first; at most 20.
    public let sources: [(source: IPAddress, domain: String, verdict: Verdict, messages: Int)]

    /// A domain, or a selector: `s1`, `s1._domainkey.example.nl`.
    public static func ask(_ store: ReportStore, name: String) throws(AnalysisError) -> NameExplanation {
        try reading(store, "explain") { db in
            var selector: String?
            var domain: String? = name
            if let range = name.firstRange(of: "._domainkey.") {
                selector = String(name[..<range.lowerBound])
                domain = String(name[range.upperBound...])
            } else if !name.contains(".") {
                selector = name
                domain = nil
            }
            let organisation = try domain.flatMap { try Self.organisation(db, $0) }
            return NameExplanation(
                organisation: organisation, places: try places(db, domain: domain, selector: selector),
                sources: selector == nil ? try domain.map { try sources(db, $0) } ?? [] : [])
        }
    }

    private static func organisation(_ db: Database, _ name: String) throws -> SourceExplanation.Stranger? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT o.surviving, o.broken, o.unsigned, o.relayed, o.reporter_bits, o.day_bits, o.source_bits, o.domain_bits
                FROM organisations o JOIN names n ON n.id = o.name_id WHERE n.name = ?
                """, arguments: [name])
        guard let row else { return nil }
        var stranger = SourceExplanation.Stranger(name: name, service: Services().service(of: name))
        stranger.surviving = row[0]
        stranger.broken = row[1]
        stranger.unsigned = row[2]
        stranger.relayed = row[3]
        stranger.reporters = Levels.count(row[4])
        stranger.days = Levels.count(row[5])
        stranger.sources = Levels.count(row[6])
        stranger.domains = Levels.count(row[7])
        return stranger
    }

    private static func places(_ db: Database, domain: String?, selector: String?) throws -> [Place] {
        // Without such a name no selector is found: no key is below 0.
        func key(_ name: String?, _ table: String) throws -> Int {
            try name.flatMap { try Int.fetchOne(db, sql: "SELECT id FROM \(table) WHERE name = ?", arguments: [$0]) } ?? -1
        }
        let rows = try SQLRows(
            db,
            """
            SELECT p.beside, p.verified, p.records, p.first_day, p.last_day, p.reporter_bits, n.name, s.name, d.name, b.name, h.home,
                h.other_home
            FROM selectors h CROSS JOIN selector_places p USING (domain_id, selector_id, policy_id)
                JOIN names n ON n.id = p.domain_id
                JOIN domains d ON d.id = p.policy_id
                LEFT JOIN names s ON s.id = p.selector_id
                LEFT JOIN names b ON b.id = CASE WHEN p.beside <= -1000 THEN -1000 - p.beside ELSE p.beside END
            WHERE (h.domain_id = ?1 OR h.policy_id = ?2 OR ?3) AND (h.selector_id = ?4 OR ?5)
            ORDER BY d.name, n.name, s.name, p.first_day, p.beside
            """,
            [
                .integer(try key(domain, "names")), .integer(try key(domain, "domains")), .integer(domain == nil ? 1 : 0),
                .integer(try key(selector, "names")), .integer(selector == nil ? 1 : 0),
            ])
        var places: [Place] = []
        while try rows.next() {
            let beside = rows.int(0)
            let home = rows.int(10)
            let isVerified = rows.int(1) == 1
            let kind: Kind =
                switch beside {
                case Beside.ownAligned: .own
                case Beside.ownFailing: .ownFailing
                case Beside.foreignFailing: .foreignFailing
                case ...(-1000): .unlisted
                case 1...: .organisation
                default: .none
                }
            let otherHome = rows.optionalInt(11) ?? -1
            let place = Place(
                policyDomain: rows.text(8), domain: rows.text(6), selector: rows.optionalText(7), beside: rows.optionalText(9), kind: kind,
                verified: isVerified ? rows.int(2) : 0, broken: isVerified ? 0 : rows.int(2), firstDay: Day(rows.int(3)),
                lastDay: Day(rows.int(4)), reporters: Levels.count(rows.int(5)),
                isUnexpected: isVerified && home != -1 && beside != home && (otherHome == -1 || beside != otherHome))
            if let last = places.last, last.policyDomain == place.policyDomain, last.domain == place.domain,
                last.selector == place.selector,
                last.kind == place.kind, last.beside == place.beside
            {
                places[places.count - 1].verified += place.verified
                places[places.count - 1].broken += place.broken
                places[places.count - 1].firstDay = min(last.firstDay, place.firstDay)
                places[places.count - 1].lastDay = max(last.lastDay, place.lastDay)
                places[places.count - 1].isUnexpected = last.isUnexpected || place.isUnexpected
            } else {
                places.append(place)
            }
        }
        return places
    }

    private static func sources(_ db: Database, _ name: String) throws -> [(
        source: IPAddress, domain: String, verdict: Verdict, messages: Int
    )] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT f.source, d.name, f.verdict, f.messages
                FROM (
                    SELECT source, domain_id, verdict, sum(messages) AS messages
                    FROM flows
                    WHERE aligned IN (0, 2) AND authentication_id IN (
                        SELECT a.set_id FROM authentication_results a
                        WHERE a.result = 'pass' AND a.domain_id IN (
                            SELECT o.name_id FROM organisation_names o JOIN names n ON n.id = o.organisation_id WHERE n.name = ?))
                    GROUP BY 1, 2, 3
                ) f JOIN domains d ON d.id = f.domain_id
                ORDER BY 4 DESC, 1, 2, 3 LIMIT 20
                """, arguments: [name])
        return try rows.compactMap { row in
            let source = try row.withUnsafeData(atIndex: 0) { data in data.flatMap { $0.withUnsafeBytes { IPAddress(bytes: $0) } } }
            return source.map { ($0, row[1], Verdict(stored: row[2]), row[3]) }
        }
    }
}
