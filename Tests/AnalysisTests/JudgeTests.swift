import DMARC
import Testing

@testable import Inference

/// The stories, told without a database: what is known is put down by hand.
@Suite("The judge")
struct JudgeTests {
    /// Names by key: 1 the policy domain's organisation, 2 a service, 3 a forwarder, 4 a list, 5 nobody knows.
    private static let own = 1
    private static let service = 2
    private static let forwarder = 3
    private static let list = 4
    private static let stranger = 5

    private struct Hand: Knowledge {
        var selectors: [SelectorKey: SelectorFacts] = [:]
        var organisations: [Int: OrganisationFacts] = [:]
        var habit = HabitFacts()
        var witnesses = Quorum()

        func selector(_ key: SelectorKey) -> SelectorFacts { selectors[key] ?? SelectorFacts() }
        func ownSelector(_ key: SelectorKey) -> SelectorFacts { selector(key) }
        func organisation(_ id: Int) -> OrganisationFacts { organisations[id] ?? OrganisationFacts() }
        func habits(domain: Int) -> HabitFacts { habit }
        func quorum(domain: Int) -> Quorum { witnesses }
    }

    private static func facts(home: Int, verified: Double, broken: Double = 0, reporters: Double = 5) -> SelectorFacts {
        var facts = SelectorFacts()
        facts.home = home
        facts.verified = verified
        facts.atHome = home == -1 ? 0 : verified * 0.8
        facts.broken = broken
        facts.reporters = reporters
        return facts
    }

    /// A domain that signs with selector 10 at home, and whose service signs with selector 20.
    private static let hand: Hand = {
        var hand = Hand()
        hand.selectors[SelectorKey(domain: own, selector: 10, policy: 7)] = facts(home: 0, verified: 400)
        hand.selectors[SelectorKey(domain: own, selector: 20, policy: 7)] = facts(home: service, verified: 200)
        var known = OrganisationFacts()
        known.atHome = 200
        known.reporters = 6
        known.days = 40
        hand.organisations[service] = known
        known = OrganisationFacts()
        known.relayed = 60
        known.broken = 6
        known.brokenShare = 0.09
        known.reporters = 5
        known.days = 40
        hand.organisations[forwarder] = known
        known = OrganisationFacts()
        known.broken = 60
        known.brokenShare = 1
        known.reporters = 5
        known.days = 40
        known.signs = 60
        hand.organisations[list] = known
        known = OrganisationFacts()
        known.unsigned = 3
        known.reporters = 2
        hand.organisations[stranger] = known
        hand.habit.records = 1000
        hand.habit.aligned = 600
        hand.habit.signedShare = 1
        hand.habit.reporters = 6
        return hand
    }()

    private static func flow(
        _ address: String, spf: Outcome.SPF, of name: Int?, _ signatures: [(name: Int, selector: Int, seal: Outcome.Seal)], aligned: Int,
        records: Int, messages: Int? = nil, days: ClosedRange<Int> = 100...160, reporters: Int = 4
    ) -> Flow {
        let outcome = Outcome(
            spf: spf, spfOrganisation: name, spfName: name,
            signatures: signatures.map { Outcome.Signature(domain: $0.name, selector: $0.selector, organisation: $0.name, seal: $0.seal) })
        var flow = Flow(
            source: IPAddress(address) ?? IPAddress(ipv4: 0), domain: 7, authentication: 1, aligned: aligned,
            shape: FlowShape(outcome, own: own, aligned: aligned))
        flow.records = records
        flow.messages = messages ?? records * 2
        flow.firstDay = days.lowerBound
        flow.lastDay = days.upperBound
        for bit in 0..<reporters { flow.reporterBits |= 1 << bit }
        for day in 0..<min(records, days.count) { flow.dayBits |= 1 << (day & 63) }
        return flow
    }

    private static func judge(_ flows: [Flow], _ hand: Hand = hand) throws -> [Judgement] { try Judge(knowledge: hand).judge(flows) }

    @Test("aligned SPF is authorized; what is missing is noted")
    func authorized() throws {
        let signed = Self.flow("192.0.2.1", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 50)
        let plain = Self.flow("192.0.2.2", spf: .pass, of: Self.own, [], aligned: 1, records: 50)
        let broken = Self.flow("192.0.2.3", spf: .pass, of: Self.own, [(Self.own, 10, .broken)], aligned: 1, records: 50)
        let judgements = try Self.judge([signed, plain, broken])
        #expect(judgements.map(\.verdict) == [.authorized, .authorized, .authorized])
        #expect(judgements.map(\.notes) == [[], .dkimMissing, .dkimBroken])
        #expect(judgements.allSatisfy { $0.confidence >= 990 })
    }

    @Test("one reporter's word is never certain")
    func oneReporter() throws {
        let judgement = try Self.judge([
            Self.flow("192.0.2.1", spf: .pass, of: Self.own, [], aligned: 1, records: 500, reporters: 1)
        ])[0]
        #expect(judgement.verdict == .authorized)
        #expect(judgement.confidence <= 890)
        #expect(judgement.evidence.contains(.oneReporter))
    }

    @Test("a signature at home with the name beside it is a service's; away from home it was passed on")
    func services() throws {
        let service = Self.flow("198.51.100.1", spf: .pass, of: Self.service, [(Self.own, 20, .verified)], aligned: 2, records: 30)
        let passedOn = Self.flow("203.0.113.1", spf: .pass, of: Self.forwarder, [(Self.own, 20, .verified)], aligned: 2, records: 3)
        let ownPassedOn = Self.flow("203.0.113.2", spf: .pass, of: Self.forwarder, [(Self.own, 10, .verified)], aligned: 2, records: 3)
        let judgements = try Self.judge([service]) + Self.judge([passedOn, ownPassedOn])
        #expect(judgements.map(\.verdict) == [.dkimOnly, .forwarded, .forwarded])
        #expect(judgements[1].notes.contains(.serviceMail) && !judgements[2].notes.contains(.serviceMail))
        #expect(judgements[0].evidence.contains(.selectorAtHome) && judgements[2].evidence.contains(.selectorHomeElsewhere))
        #expect(judgements.allSatisfy { $0.confidence >= 900 })
    }

    @Test("a whole signature with a failing envelope was passed on")
    func keptEnvelope() throws {
        let one = Self.flow("203.0.113.9", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 1, reporters: 1)
        #expect(try Self.judge([one])[0].verdict == .forwarded)
        // Where it carries a service's mail as well, that is certain.
        let mixture = [
            Self.flow("203.0.113.9", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 12),
            Self.flow("203.0.113.9", spf: .fail, of: Self.service, [(Self.own, 20, .verified)], aligned: 2, records: 5),
        ]
        let judgements = try Self.judge(mixture)
        #expect(judgements.map(\.verdict) == [.forwarded, .forwarded])
        #expect(judgements[0].confidence >= 900)
    }

    /// What a domain of fourteen witnesses, and the providers around it, are known for.
    private static let wide: Hand = {
        var hand = Self.hand
        hand.habit.reporters = 11.5
        var provider = OrganisationFacts()
        provider.relayed = 300
        provider.reporters = 5
        provider.service = .mailboxProvider
        provider.serviceNumber = 1
        hand.organisations[6] = provider
        // A host of the provider, its calendar, and what it signs a customer's mail with.
        hand.organisations[61] = OrganisationFacts()
        var calendar = OrganisationFacts()
        calendar.service = .mailboxService
        hand.organisations[62] = calendar
        var tenant = OrganisationFacts()
        tenant.serviceNumber = 1
        hand.organisations[63] = tenant
        hand.selectors[SelectorKey(domain: 63, selector: 0, policy: 7)] = facts(home: 0, verified: 400)
        // A key that a service has as well, and one that is at home nowhere.
        hand.selectors[SelectorKey(domain: own, selector: 30, policy: 7)] = {
            var both = facts(home: 0, verified: 500)
            both.otherHome = service
            return both
        }()
        hand.selectors[SelectorKey(domain: own, selector: 40, policy: 7)] = facts(home: -1, verified: 400)
        return hand
    }()

    private static func flow(
        _ address: String, beside name: Int, of organisation: Int, _ signatures: [(name: Int, selector: Int, seal: Outcome.Seal)],
        aligned: Int
    ) -> Flow {
        var flow = flow(address, spf: .pass, of: organisation, signatures, aligned: aligned, records: 6)
        let outcome = Outcome(
            spf: .pass, spfOrganisation: organisation, spfName: name,
            signatures: signatures.map { Outcome.Signature(domain: $0.name, selector: $0.selector, organisation: $0.name, seal: $0.seal) })
        flow.shape = FlowShape(outcome, own: own, aligned: aligned)
        return flow
    }

    @Test("a service that has the domain's own key is no forwarder")
    func oneKey() throws {
        let flow = Self.flow("198.51.100.7", spf: .pass, of: Self.service, [(Self.own, 30, .verified)], aligned: 2, records: 400)
        let judgement = try Self.judge([flow], Self.wide)[0]
        #expect(judgement.verdict == .dkimOnly && judgement.confidence >= 900)
    }

    @Test("a provider's invitations and automatic answers are no forwards")
    func providersHosts() throws {
        let own = Self.flow("198.51.100.1", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 200)
        let answer = Self.flow("198.51.100.2", beside: 61, of: 6, [(Self.own, 10, .verified)], aligned: 2)
        let invitation = Self.flow("203.0.113.2", beside: 62, of: 6, [(Self.own, 10, .verified)], aligned: 2)
        let judgements = try Self.judge([own, answer], Self.wide) + Self.judge([invitation], Self.wide)
        #expect(judgements.map(\.verdict) == [.authorized, .dkimOnly, .dkimOnly])
        // With the provider's signature alone it is the domain's, and not aligned.
        let alone = Self.flow("198.51.100.2", beside: 61, of: 6, [(63, 5, .verified)], aligned: 0)
        #expect(try Self.judge([alone], Self.wide)[0].verdict == .unaligned)
        // With a mailbox's name in the envelope somebody passed it on.
        let passedOn = Self.flow("203.0.113.3", spf: .pass, of: 6, [(Self.own, 10, .verified)], aligned: 2, records: 3)
        #expect(try Self.judge([passedOn], Self.wide)[0].verdict == .forwarded)
    }

    @Test("a key at home nowhere: a server is a few addresses, people's forwards are hundreds")
    func scatteredKey() throws {
        let server = Self.flow(
            "203.0.113.4", spf: .fail, of: Self.own, [(Self.own, 40, .verified)], aligned: 2, records: 200, reporters: 12)
        let forward = Self.flow("203.0.114.4", spf: .fail, of: Self.own, [(Self.own, 40, .verified)], aligned: 2, records: 2, reporters: 1)
        #expect(try Self.judge([server], Self.wide)[0].verdict == .misconfigured)
        #expect(try Self.judge([forward], Self.wide)[0].verdict == .forwarded)
    }

    @Test("whoever sends to everybody is a server, whoever sends to two is a relay")
    func breadth() throws {
        let server = Self.flow("203.0.113.5", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 90, reporters: 12)
        let relay = Self.flow("203.0.114.5", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 90, reporters: 2)
        let judgements = try Self.judge([server], Self.wide) + Self.judge([relay], Self.wide)
        #expect(judgements.map(\.verdict) == [.misconfigured, .forwarded])
        // The look-up that fails now and then changes nothing about who it is.
        let error = Self.flow(
            "203.0.113.5", spf: .temporary, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 9, reporters: 9)
        #expect(try Self.judge([server, error], Self.wide)[1].verdict == .misconfigured)
    }

    @Test("an unsigned machine that goes on for months is probably the domain's; for certain nobody knows")
    func forgottenPrinter() throws {
        let printer = Self.flow("203.0.113.6", spf: .fail, of: Self.own, [], aligned: 0, records: 300, days: 100...160, reporters: 12)
        let rented = Self.flow("203.0.114.6", spf: .fail, of: Self.own, [], aligned: 0, records: 300, days: 100...104, reporters: 12)
        let judgements = try Self.judge([printer], Self.wide) + Self.judge([rented], Self.wide)
        #expect(judgements.map(\.verdict) == [.misconfigured, .spoofed])
        #expect(judgements.allSatisfy { $0.confidence < 900 })
    }

    @Test("a server that passed SPF and does not any more is misconfigured; its passing days stay authorized")
    func halfWay() throws {
        let before = Self.flow("192.0.2.9", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 40, days: 100...130)
        let after = Self.flow("192.0.2.9", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 40, days: 131...160)
        let judgements = try Self.judge([before, after])
        #expect(judgements.map(\.verdict) == [.authorized, .misconfigured])
        #expect(judgements[1].evidence.contains(.passesAtOtherTimes))
        #expect(judgements[1].confidence >= 900)
    }

    @Test("the neighbour of your servers, with your mail alone, is a forgotten server")
    func neighbour() throws {
        let own = Self.flow("192.0.2.10", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 100)
        let forgotten = Self.flow(
            "192.0.2.11", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 60, messages: 900)
        let judgement = try Self.judge([own, forgotten])[1]
        #expect(judgement.verdict == .misconfigured)
        #expect(judgement.evidence.contains(.neighbourAuthorized))
    }

    @Test("who breaks everything is a list, who breaks a little forwards")
    func lists() throws {
        let list = Self.flow(
            "203.0.113.20", spf: .pass, of: Self.list, [(Self.own, 10, .broken), (Self.list, 30, .verified)], aligned: 0, records: 10)
        let forwarder = Self.flow("203.0.113.30", spf: .pass, of: Self.forwarder, [(Self.own, 10, .broken)], aligned: 0, records: 1)
        #expect(try Self.judge([list])[0].verdict == .mailingList)
        #expect(try Self.judge([forwarder])[0].verdict == .forwarded)
    }

    @Test("a signature that never verifies anywhere is a stranger's")
    func madeUpSignature() throws {
        let flow = Self.flow("100.64.9.9", spf: .fail, of: Self.own, [(Self.own, 99, .broken)], aligned: 0, records: 2, reporters: 2)
        let judgement = try Self.judge([flow])[0]
        #expect(judgement.verdict == .spoofed)
        #expect(judgement.evidence.contains(.selectorUnknown))
    }

    @Test("a single broken signature with the envelope kept is doubtful, whatever it is called")
    func undecidable() throws {
        let flow = Self.flow("100.64.9.9", spf: .fail, of: Self.own, [(Self.own, 10, .broken)], aligned: 0, records: 1, reporters: 1)
        #expect(try Self.judge([flow])[0].confidence < 900)
        // The same from a source that passes on whole ones as well was passed on.
        let relay = Self.flow("100.64.9.9", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 20, reporters: 2)
        #expect(try Self.judge([flow, relay]).map(\.verdict) == [.forwarded, .forwarded])
    }

    @Test("neither SPF nor key: steady, broad and alone is your own server")
    func neither() throws {
        let flow = Self.flow(
            "192.0.2.77", spf: .fail, of: Self.own, [(Self.own, 10, .broken)], aligned: 0, records: 40, messages: 600, reporters: 5)
        let judgement = try Self.judge([flow])[0]
        #expect(judgement.verdict == .misconfigured)
        #expect(judgement.notes.contains(.dkimBroken))
    }

    @Test("a service that authenticates as itself is unaligned, a burst of it is not")
    func unaligned() throws {
        var hand = Self.hand
        var steady = OrganisationFacts()
        steady.unsigned = 80
        steady.days = 40
        steady.reporters = 5
        steady.span = 200
        hand.organisations[8] = steady
        var burst = OrganisationFacts()
        burst.unsigned = 90
        burst.days = 2
        burst.reporters = 2
        burst.span = 2
        burst.sources = 60
        burst.domains = 8
        hand.organisations[9] = burst
        let flows = [8, 9].map { name in
            Self.flow("198.51.100.\(name)", spf: .pass, of: name, [(name, 40, .verified)], aligned: 0, records: 8)
        }
        let judgements = try Self.judge(flows, hand)
        #expect(judgements.map(\.verdict) == [.unaligned, .spoofed])
        #expect(judgements.allSatisfy { $0.notes == .unrelated })
    }

    @Test("nothing at all is somebody else")
    func nothing() throws {
        let flow = Self.flow("100.64.3.4", spf: .fail, of: Self.own, [], aligned: 0, records: 1, reporters: 1)
        #expect(try Self.judge([flow])[0].verdict == .spoofed)
    }

    @Test("an error of a look-up says nothing: the source's other mail does")
    func temporary() throws {
        let flows = [
            Self.flow("192.0.2.1", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 50),
            Self.flow("192.0.2.1", spf: .temporary, of: Self.own, [(Self.own, 10, .temporary)], aligned: 0, records: 1),
        ]
        let judgements = try Self.judge(flows)
        #expect(judgements[1].verdict == .authorized)
        #expect(judgements[1].notes == .temporaryErrors)
    }

    @Test("a report without selectors, or without SPF, goes with those that have them")
    func unnamed() throws {
        let flows = [
            Self.flow("198.51.100.1", spf: .pass, of: Self.service, [(Self.own, 20, .verified)], aligned: 2, records: 30),
            Self.flow("198.51.100.1", spf: .pass, of: Self.service, [(Self.own, 0, .verified)], aligned: 2, records: 4),
            Self.flow("198.51.100.1", spf: .none, of: nil, [(Self.own, 20, .verified)], aligned: 2, records: 2),
        ]
        #expect(try Self.judge(flows).map(\.verdict) == [.dkimOnly, .dkimOnly, .dkimOnly])
    }

    @Test("what arrives broken from a server of your own is the server's, not a relay's")
    func brokenAtHome() throws {
        let whole = Self.flow("192.0.2.40", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 400, reporters: 12)
        let broken = Self.flow("192.0.2.40", spf: .fail, of: Self.own, [(Self.own, 10, .broken)], aligned: 0, records: 6)
        let judgements = try Self.judge([whole, broken], Self.wide)
        #expect(judgements.map(\.verdict) == [.misconfigured, .misconfigured])
        // Where the same source carries others' mail as well, it is a relay, whole or broken.
        let mixture = [
            Self.flow("203.0.113.40", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 20),
            Self.flow("203.0.113.40", spf: .fail, of: Self.own, [(Self.own, 10, .broken)], aligned: 0, records: 3),
            Self.flow("203.0.113.40", spf: .fail, of: Self.service, [(Self.own, 20, .verified)], aligned: 2, records: 12),
        ]
        #expect(try Self.judge(mixture, Self.wide).map(\.verdict) == [.forwarded, .forwarded, .forwarded])
    }

    @Test("a relay is certain only where something shows it that a server does not")
    func shown() throws {
        let one = Self.flow("203.0.113.41", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 2)
        let judgement = try Self.judge([one], Self.wide)[0]
        #expect(judgement.verdict == .forwarded && judgement.confidence <= 890)
        let mixed = Self.flow("203.0.113.41", spf: .fail, of: Self.service, [(Self.own, 20, .verified)], aligned: 2, records: 5)
        #expect(try Self.judge([one, mixed], Self.wide)[0].confidence >= 900)
    }

    @Test("an error of a look-up at a source that passes and fails is as sure as the share of what passes")
    func errorsBetween() throws {
        let aligned = Self.flow("192.0.2.42", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 60)
        let failing = Self.flow(
            "192.0.2.42", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 40, days: 130...160)
        let error = Self.flow("192.0.2.42", spf: .temporary, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 9)
        let judgement = try Self.judge([aligned, failing, error], Self.wide)[2]
        #expect(judgement.verdict == .authorized && judgement.confidence == 600)
        // At a host that sends mail of its own beside the domain's, an error in the host's name is not settled by the domain's.
        let hosts = Self.flow("192.0.2.42", spf: .temporary, of: Self.stranger, [], aligned: 0, records: 1)
        #expect(try Self.judge([aligned, hosts], Self.wide)[1].verdict != .authorized)
    }

    @Test("where a receiver hides the end of an address, its network's mail says what it is")
    func hidden() throws {
        let servers = [40, 41].map {
            Self.flow("192.0.2.\($0)", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 300, reporters: 12)
        }
        let hidden = Self.flow("192.0.2.0", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 150, reporters: 2)
        #expect(try Self.judge([hidden], Self.wide)[0].verdict == .forwarded)
        let judgement = try Self.judge([hidden] + servers, Self.wide)[0]
        #expect(judgement.verdict == .misconfigured && judgement.confidence <= 890)
        #expect(IPAddress("2001:db8:1::")?.isNetworkAddress == true && IPAddress("2001:db8:1::25")?.isNetworkAddress == false)
    }

    @Test("the order of the flows does not matter")
    func order() throws {
        let flows = [
            Self.flow("203.0.113.9", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: 12),
            Self.flow("203.0.113.9", spf: .fail, of: Self.service, [(Self.own, 20, .verified)], aligned: 2, records: 5),
            Self.flow("203.0.113.9", spf: .fail, of: Self.own, [(Self.own, 10, .broken)], aligned: 0, records: 2),
            Self.flow("203.0.113.10", spf: .pass, of: Self.own, [], aligned: 1, records: 2),
        ]
        let forward = try Self.judge(flows)
        #expect(try Self.judge(flows.reversed()) == forward.reversed())
    }

    @Test("a signature that is at home with one policy domain is at home with all of its organisation")
    func organisation() {
        let main = Self.facts(home: 0, verified: 300)
        let below = Self.facts(home: Self.forwarder, verified: 6)
        let joined = SelectorFacts(joining: [below, main])
        #expect(joined.home == 0 && joined.verified == 306 && joined.atHome == 240)
        #expect(SelectorFacts(joining: [main, below]) == joined)
        #expect(SelectorFacts(joining: []) == SelectorFacts())
        let services = SelectorFacts(joining: [Self.facts(home: 2, verified: 10), Self.facts(home: 3, verified: 20)])
        #expect(services.isHome(2) && services.isHome(3) && !services.isHome(0))
    }

    // MARK: - Few of many

    /// The same domain, with so many witnesses; the last of them report now and then.
    private static func witnessed(by daily: Int, seldom: Int = 0) -> Hand {
        var hand = Self.hand
        hand.witnesses = Self.quorum(daily: daily, seldom: seldom)
        return hand
    }

    private static func quorum(daily: Int, seldom: Int = 0) -> Quorum {
        var quorum = Quorum()
        for place in 0..<daily + seldom { quorum.add(1 << place, weight: place < daily ? Quorum.daily : 1) }
        return quorum
    }

    private static func first(_ voices: Int) -> Int { (1 << voices) - 1 }

    @Test("how many witnesses are enough, by how many there are")
    func quorum() {
        let needed = [0: 2, 1: 2, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 5, 9: 5, 14: 5, 15: 6, 18: 7, 21: 8, 200: 8]
        for (witnesses, voices) in needed { #expect(Quorum.needed(of: witnesses) == voices, "\(witnesses)") }
        for voices in 2...40 {
            #expect(Self.quorum(daily: voices).isEnough(Self.first(Quorum.needed(of: voices))))
            #expect(!Self.quorum(daily: voices).isEnough(Self.first(Quorum.needed(of: voices) - 1)), "\(voices)")
        }
        // Two that report day by day have more to say than five that report now and then; and no weight is got by a name that shares a bit.
        #expect(Self.quorum(daily: 2, seldom: 5).isEnough(0b11) && !Self.quorum(daily: 4, seldom: 1).isEnough(0b11))
        var shared = Self.quorum(daily: 3)
        for _ in 0..<2 { shared.add(1, weight: 1) }
        #expect(!shared.isEnough(0b11) && shared.isEnough(0b110))
        // A few records meet a few.
        let (four, five, eleven) = (Self.quorum(daily: 4), Self.quorum(daily: 5), Self.quorum(daily: 11))
        #expect(!eleven.isNarrow(0b11, records: 4) && eleven.isNarrow(0b11, records: 18))
        #expect(!four.isNarrow(0b11, records: 1000) && five.isNarrow(0b11, records: 18))
        #expect(!Quorum().isNarrow(0, records: 1000) && Quorum().isEnough(0b11) && !Quorum().isEnough(1))
        #expect(!eleven.isMinority(1, among: 0b11) && eleven.isMinority(1, among: 0b111) && !eleven.isMinority(0b11, among: 0b111))
    }

    @Test("what a voice weighs, by how close its first seven days are")
    func weights() {
        func weight(_ step: Int, _ count: Int = 7) -> Int {
            Quorum.weight(of: VoiceDays(first: (0..<count).map { 100 + $0 * step }, last: 900))
        }
        #expect([1, 2, 4, 7].map { weight($0) } == [8, 4, 2, 1])
        #expect([weight(1, 0), weight(1, 4), weight(1, 6)] == [1, 1, 2])
    }

    @Test("what two of eleven say of an address that nobody else ever met is not believed; what most say is")
    func invented() throws {
        func flows(_ reporters: Int, records: Int = 18) -> [Flow] {
            [
                Self.flow(
                    "103.77.5.66", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: records, days: 100...109,
                    reporters: reporters),
                Self.flow(
                    "103.77.5.66", spf: .fail, of: Self.own, [(Self.own, 10, .verified)], aligned: 2, records: records, days: 110...119,
                    reporters: reporters),
            ]
        }
        let lies = try Self.judge(flows(2), Self.witnessed(by: 11))
        #expect(lies.allSatisfy { $0.confidence <= 690 || $0.verdict == .forwarded && $0.confidence < 900 })
        #expect(lies[0].evidence.contains(.fewReporters) && !lies[1].evidence.contains(.passesAtOtherTimes))
        #expect(try Self.judge(flows(2, records: 3), Self.witnessed(by: 11)).allSatisfy { $0.confidence <= 890 }, "too few records to tell")
        for honest in [try Self.judge(flows(3), Self.witnessed(by: 3)), try Self.judge(flows(8), Self.witnessed(by: 11))] {
            #expect(honest.map(\.verdict) == [.authorized, .misconfigured])
            #expect(honest.allSatisfy { $0.confidence >= 900 && !$0.evidence.contains(.fewReporters) })
        }
    }

    @Test("what two say of a source that eight saw otherwise is not believed, and changes nothing for these")
    func contradicted() throws {
        let silent = Self.flow("91.203.70.8", spf: .fail, of: Self.own, [], aligned: 0, records: 120, reporters: 8)
        let lie = Self.flow(
            "91.203.70.8", spf: .pass, of: Self.own, [(Self.own, 10, .verified)], aligned: 3, records: 90, reporters: 2)
        let alone = try Self.judge([silent], Self.witnessed(by: 8))[0]
        let both = try Self.judge([silent, lie], Self.witnessed(by: 8))
        #expect(both[0] == alone && alone.verdict == .spoofed)
        #expect(both[1].confidence == 690 && both[1].evidence.contains(.contradicted))
        // Half of them is no minority: who is right is open, and nothing is sure.
        let half = Self.flow("91.203.70.8", spf: .fail, of: Self.own, [], aligned: 0, records: 120, reporters: 2)
        #expect(try Self.judge([half, lie], Self.witnessed(by: 4)).allSatisfy { $0.confidence < 900 })
    }

    @Test("levels: powers of two, and what they stand for")
    func levels() {
        #expect([0, 1, 2, 3, 4, 7, 8, 1023, 1024].map(Levels.level) == [0, 1, 2, 2, 3, 3, 4, 10, 11])
        #expect(Levels.level(.max) == 31)
        for count in 1...5000 {
            let value = Levels.value(Levels.level(count))
            #expect(value > Double(count) / 2 && value < Double(count) * 2, "\(count)")
        }
        let packed = Levels.pack([3, 31, 0, 17])
        #expect((0..<4).map { Levels.unpack(packed, $0) } == [3, 31, 0, 17])
    }
}
