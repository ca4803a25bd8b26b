import DMARC
import Glibc

/// How much a piece of evidence says, in natural logarithms of odds: 2.3 makes a story ten times as likely, 4.6 a hundred times.
package struct Weight {
    /// How the weight follows from what is seen.
    package enum Amount: Hashable {
        /// Whenever it is seen.
        case fixed(Double)
        /// `base` + `slope` · ln(n), at most `limit`, for a count of n.
        case log(_ base: Double, _ slope: Double, limit: Double = .infinity)
        /// `base` + `slope` · ln(1 + n), at most `limit`, for a count of n.
        case log1(_ base: Double, _ slope: Double, limit: Double = .infinity)
        /// `base` + `slope` · n, at most `limit`, for a count of n.
        case line(_ base: Double, _ slope: Double, limit: Double)
        /// What the rule itself works out, within bounds.
        case odds(ClosedRange<Double>)

        /// The weight of `n` pieces; of `odds` the weight itself, within its bounds.
        @inline(__always)
        func of(_ n: Double) -> Double {
            switch self {
            case .fixed(let weight): weight
            case .log(let base, let slope, let limit): min(limit, base + slope * Glibc.log(n))
            case .log1(let base, let slope, let limit): min(limit, base + slope * Glibc.log(1 + n))
            case .line(let base, let slope, let limit): min(limit, base + slope * n)
            case .odds(let bounds): max(bounds.lowerBound, min(bounds.upperBound, n))
            }
        }

        /// As docs/VERDICTS.md shows it.
        var formula: String {
            func number(_ x: Double) -> String { x == x.rounded() ? String(Int(x)) : String(x) }
            func sum(_ base: Double, _ slope: Double, _ what: String, _ limit: Double) -> String {
                let part = abs(slope) == 1 ? what : "\(number(abs(slope))) · \(what)"
                let all = base == 0 ? (slope < 0 ? "−" : "") + part : "\(number(base)) \(slope < 0 ? "−" : "+") \(part)"
                return (limit.isFinite ? "\(all), at most \(number(limit))" : all).replacing("-", with: "−")
            }
            switch self {
            case .fixed(let weight): return (weight > 0 ? "+" : "") + number(weight).replacing("-", with: "−")
            case .log(let base, let slope, let limit): return sum(base, slope, "ln n", limit)
            case .log1(let base, let slope, let limit): return sum(base, slope, "ln (1 + n)", limit)
            case .line(let base, let slope, let limit): return sum(base, slope, "n", limit)
            case .odds(let bounds):
                return "\(number(bounds.lowerBound)) to \(number(bounds.upperBound))".replacing("-", with: "−")
            }
        }
    }

    /// The story that it speaks for, or against where it is negative.
    package let story: Verdict
    package let amount: Amount
    /// The code that stands for it where it speaks for the story, and where it speaks against.
    package let code: EvidenceCode?
    package let against: EvidenceCode?
    /// One line for a reader.
    package let reason: String

    private init(_ story: Verdict, _ amount: Amount, for code: EvidenceCode?, against: EvidenceCode?, _ reason: String) {
        self.story = story
        self.amount = amount
        self.code = code
        self.against = against
        self.reason = reason
    }

    package init(_ story: Verdict, _ amount: Amount, _ code: EvidenceCode, against: EvidenceCode? = nil, _ reason: String) {
        self.init(story, amount, for: code, against: against, reason)
    }

    package init(_ story: Verdict, _ amount: Amount, against: EvidenceCode? = nil, _ reason: String) {
        self.init(story, amount, for: nil, against: against, reason)
    }
}

/// What is known before a look at the evidence, in shares and counts.
package enum Usual {
    /// What passes through a forwarder is a mixture: this share of it arrives broken.
    static let brokenOnTheWay = 0.12
    /// This share of what a server sends itself arrives broken, through gateways and errors of receivers.
    static let brokenAtReceivers = 0.02
    /// Witnesses that one machine of a stranger hardly ever meets for weeks.
    package static let everybody = 10
    /// Days after which a source is no campaign of strangers any more.
    static let campaignDays = 21
    /// Rows from which on a server that was never listed is told from a relay for certain.
    static let rowsOfAServer = 40
    /// Addresses of one network, each with a little mail of one domain, that are a row of servers if together they send to everybody.
    static let rowOfServers = 4
    /// Days for which the end of one period and the begin of another may overlap.
    static let daysBetween = 3
}

/// How sure a verdict may be at most, whatever speaks for it.
package enum Cap: Int, CaseIterable, Hashable, Sendable {
    case likeliest, doubtful, oneReporter, fewReporters, newcomer, contradicted, narrow, unrelated
    case spfAligned, bothOwn, spfOwnUnaligned, strictAlignment, temporaryError, temporaryAtHome
    case takenOver, takenOverUnnamed, takenOverHidden

    /// 0…1000.
    package var most: Int {
        switch self {
        case .likeliest: 995
        case .doubtful, .oneReporter, .fewReporters, .temporaryAtHome, .takenOverHidden: 890
        case .newcomer, .contradicted, .narrow: 690
        case .unrelated: 850
        case .spfAligned: 998
        case .bothOwn: 990
        case .spfOwnUnaligned, .strictAlignment, .takenOver: 950
        case .temporaryError: 985
        case .takenOverUnnamed: 980
        }
    }

    /// One line for a reader.
    package var reason: String {
        switch self {
        case .likeliest: "Nothing that is weighed is surer than this."
        case .doubtful: "Another story explains it nearly as well."
        case .oneReporter: "It rests on the word of one witness."
        case .fewReporters: "Only a few of your witnesses met it."
        case .newcomer: "Only newcomers saw it, or reports that are not who they say."
        case .contradicted: "Of the witnesses who met the source most saw something else."
        case .narrow: "A sender of yours with so many records would have been met by more of your witnesses."
        case .unrelated: "A stranger with servers in good order and a small supplier of yours look the same."
        case .spfAligned: "SPF is aligned: your own DNS says who it is."
        case .bothOwn: "SPF passes for a name of yours, and your signature holds."
        case .spfOwnUnaligned: "SPF passes for a name of yours."
        case .strictAlignment: "Signed by you, and strict alignment does not accept the name."
        case .temporaryError: "A look-up failed for a while at a source that passes otherwise."
        case .temporaryAtHome: "A look-up failed for a while at a service that your signature is at home with."
        case .takenOver: "A look-up failed for a while: the verdict is that of the source's other mail."
        case .takenOverHidden: "The receiver hides the end of the address: the verdict is that of the same network's mail."
        case .takenOverUnnamed: "The report leaves out the selector or SPF: the verdict is that of the same source's mail in other reports."
        }
    }
}

/// All rules: what is looked at. Which weight each has stands in one table, `Weights`.
///
/// They are asked in rooms, by what SPF and the signature of the domain's own say of a flow. docs/VERDICTS.md shows the table.
package enum Rule: Int, CaseIterable, Hashable, Sendable {
    // Your signature holds, and SPF passes for somebody else: a service of yours, or a forwarder.
    case providerHost, providerOfYours, provider, signatureAtHome, signatureUnnamed, signatureElsewhere, signatureNowhere, nameCarries,
        bulkSender, relayingService
    // Your signature holds, and SPF says nothing of a name that publishes none.
    case unlistedAtHome, unlistedRelays, unlistedRare
    // The envelope was kept, and SPF fails: a server that SPF does not list, or a relay.
    case mostlyPassedOn, keyScattered, keyOnlyHere, keyOfService, otherPeriod, passesAmongFailures, neighbours, carriesOthers,
        passesForOthers, serviceSealsToo, oneSealOnly, wholeOnly, breadth, oneReceiverOfFew, largeRows, rowOfServers, receiverSawForwarding,
        serviceSealFromHome, envelopeOfHome
    // Your signature is broken, and SPF passes for somebody else: a list, a gateway, a service.
    case brokenAtHome, brokenMoreThanWhole, notAtHome, notAtHomeOwn, nameBreaks, oneReceiverOfMany, oneReceiverOfSome, servicesThereToo,
        peopleOnly, signsItself, signsNothing, receiverSaysList, receiverSaysForwarded, listHost, forwarderHost, gatewayHost, senderHost,
        providerSealHolds, forgersSeldomSign, keyNeverVerifies, keyNeverVerifiesUnsigned
    // Your signature is broken, and nobody else's passes.
    case noRelayShown, keyExists, wholeHereToo, sourceRelays, networkRelays, brokenAtOneReceiver, neverWhole, serviceSealBeside,
        foreignSealBeside, foreignSealHolds, forwardingOverride, listOverride, sourceSendsUnsigned, seldomBroken, gatewaySeal
    // Nothing of yours is signed, and somebody else passes.
    case authenticatesItself, bulkService, hostingService, relayService, seenOften, seenWidely, atHomeForOthers, steadyName, burst,
        manyDomains, providerHostAlone, providerSealAlone, ownSealAway, serviceSealAway, nameRelays, nameBreaksHere, domainUnsigned,
        domainPartlySigned, domainSigned, brokeMoreThanRelayed, relayedMoreThanBroke, listOverrideHere
    // Nothing passes.
    case seldomForgotten, domainNeverSends, steadyHosted, steadyOwn, listedOtherwise, manyRowsBroad, manyRows, manyMessages,
        signedElsewhere, yourMailIsSigned, yourMailIsUnsigned, strangersTryMany, seldomPassedOn, relaysOtherwise, networkRelaysUnsigned,
        signedMailPassedOn, unsignedMailPassedOn, overriddenShare, brokenServiceSeal, seldomService, bulkFails, hostFailsOften

    /// Where rules are asked: what SPF and the signature of the domain's own say of a flow.
    enum Room: String, CaseIterable {
        case besideSomebody = "Your signature holds, and SPF passes for somebody else"
        case besideNobody = "Your signature holds, beside a name that publishes no SPF"
        case envelopeKept = "The envelope was kept, and SPF fails"
        case changed = "Your signature is broken, and SPF passes for somebody else"
        case broken = "Your signature is broken, and nobody else's passes"
        case stranger = "Nothing of yours is signed, and somebody else passes"
        case nothing = "Nothing passes"

        /// The rule with which it begins; rules of other rooms are asked as well where they fit.
        var first: Rule {
            switch self {
            case .besideSomebody: .providerHost
            case .besideNobody: .unlistedAtHome
            case .envelopeKept: .mostlyPassedOn
            case .changed: .brokenAtHome
            case .broken: .noRelayShown
            case .stranger: .authenticatesItself
            case .nothing: .seldomForgotten
            }
        }
    }

    /// Whether it finds what a relay shows and a server of one's own does not.
    @inline(__always)
    var showsRelay: Bool {
        switch self {
        case .keyOfService, .carriesOthers, .serviceSealsToo, .breadth, .oneReceiverOfFew, .receiverSawForwarding, .serviceSealFromHome,
            .envelopeOfHome:
            true
        default: false
        }
    }

    /// As `explain` names it: the words of the case, with hyphens.
    package var name: String {
        var name = ""
        for character in String(describing: self) {
            if character.isUppercase { name += "-" }
            name += character.lowercased()
        }
        return name
    }

    /// Its weight.
    @inline(__always)
    package var weight: Weight { Weights.table[rawValue] }
}

/// The table of weights: round numbers from how mail works, never fitted to one world. docs/decisions/0007-verdicts.md says where they come from.
enum Weights {
    /// In the order of `Rule`.
    static let table = Rule.allCases.map(weight)

    // One line a rule: a table is read down its columns.
    // swift-format-ignore
    private static func weight(_ rule: Rule) -> Weight {
        switch rule {
        // Your signature holds, and SPF passes for somebody else.
        case .providerHost: .init(.dkimOnly, .fixed(9), .knownService, "The envelope names a host of the provider itself: invitations, automatic answers.")
        case .providerOfYours: .init(.dkimOnly, .fixed(9), .neighbourAuthorized, "The provider's own envelope, from where your mail passes SPF as well.")
        case .provider: .init(.dkimOnly, .fixed(4), .knownService, "The envelope is the mailbox provider's own.")
        case .signatureAtHome: .init(.dkimOnly, .log1(1, 1, limit: 5), .selectorAtHome, "Your signature is at home beside this name.")
        case .signatureUnnamed: .init(.forwarded, .fixed(0.5), "The report leaves out the selector.")
        case .signatureElsewhere: .init(.forwarded, .log1(1, 1, limit: 5), .selectorHomeElsewhere, "Your signature is at home somewhere else.")
        case .signatureNowhere: .init(.forwarded, .fixed(1), "Your signature is at home nowhere.")
        case .nameCarries: .init(.forwarded, .odds(-3...3), .nameRelays, "What this name carries for everybody is at home elsewhere, or here.")
        case .bulkSender: .init(.dkimOnly, .fixed(2), .knownService, "A known service sends from here.")
        case .relayingService: .init(.forwarded, .fixed(2), .knownForwarder, "A known forwarder, list host or gateway.")
        // Your signature holds, and SPF says nothing of a name that publishes none.
        case .unlistedAtHome: .init(.dkimOnly, .log1(1, 1, limit: 4), .selectorAtHome, "Your signature is at home beside this name, which publishes no SPF.")
        case .unlistedRelays: .init(.forwarded, .log1(2, 1.5), .sourceRelays, "The source otherwise passes mail on.")
        case .unlistedRare: .init(.forwarded, .log(0.5, 1.6, limit: 5.5), .thin, "The network sends far less of it than is usual for the service.")
        // The envelope was kept, and SPF fails.
        case .mostlyPassedOn: .init(.misconfigured, .fixed(-2.5), "Most of what keeps the envelope and fails SPF was passed on.")
        case .keyScattered: .init(.misconfigured, .fixed(-1), against: .scattered, "Each address has a small part of what this key is seen on.")
        case .keyOnlyHere: .init(.misconfigured, .log1(1.5, 1, limit: 4.5), .selectorUnknown, "The key is at home nowhere else: it was signed here.")
        case .keyOfService: .init(.misconfigured, .fixed(-2.5), against: .selectorHomeElsewhere, "The key is at home with a service.")
        case .otherPeriod: .init(.misconfigured, .log(3, 1, limit: 6), .passesAtOtherTimes, "The source passes SPF before or after.")
        case .passesAmongFailures: .init(.misconfigured, .fixed(1), .passesAtOtherTimes, "The source passes SPF at the same time.")
        case .neighbours: .init(.misconfigured, .odds(0...3), .neighbourAuthorized, "A neighbour is one of your servers.")
        case .carriesOthers: .init(.misconfigured, .log1(-1.5, -1), against: .otherDomains, "It carries other domains' signatures, whole.")
        case .passesForOthers: .init(.misconfigured, .fixed(1), .otherDomains, "It passes SPF for other domains: a server, and of somebody here.")
        case .serviceSealsToo: .init(.misconfigured, .odds(-5...0), against: .manySigners, "It carries services' signatures as well.")
        case .oneSealOnly: .init(.misconfigured, .line(0, 0.08, limit: 2), .oneSigner, "It carries your own signature alone.")
        case .wholeOnly: .init(.misconfigured, .odds(-2...2.5), "A relay breaks about an eighth of what it carries, a server next to nothing.")
        case .breadth: .init(.misconfigured, .odds(-3...2.5), .broad, against: .narrow, "How many of your receivers meet it, by what its rows would usually meet.")
        case .oneReceiverOfFew: .init(.misconfigured, .fixed(-1.5), "One receiver sees it, and others see your mail.")
        case .largeRows: .init(.misconfigured, .log(0.5, 0.7, limit: 1.5), "Rows of many messages.")
        case .rowOfServers: .init(.misconfigured, .odds(0...3.5), "Together with its neighbours it sends to everybody that you send to.")
        case .receiverSawForwarding: .init(.misconfigured, .fixed(-1), "A receiver took it for forwarded.")
        case .serviceSealFromHome: .init(.forwarded, .fixed(1.5), .selectorHomeElsewhere, "It carries the signature of a service that your own mail carries.")
        case .envelopeOfHome: .init(.forwarded, .fixed(2), .selectorHomeElsewhere, "The envelope names the service that your signature is at home with.")
        // Your signature is broken, and SPF passes for somebody else.
        case .brokenAtHome: .init(.dkimOnly, .fixed(4), .selectorAtHome, "Your signature is at home beside this name.")
        case .brokenMoreThanWhole: .init(.misconfigured, .fixed(5), "It is broken here more often than whole.")
        case .notAtHome: .init(.dkimOnly, .fixed(-8), "Your signature is not at home beside this name.")
        case .notAtHomeOwn: .init(.misconfigured, .fixed(-8), "Your signature is not at home beside this name.")
        case .nameBreaks: .init(.mailingList, .odds(-4.5...6.5), .nameBreaks, against: .nameRelays, "This name breaks more than forwarders do, or less.")
        case .oneReceiverOfMany: .init(.forwarded, .line(0, 1, limit: 7), .narrow, "One receiver alone sees it, of many: a gateway stands before one.")
        case .oneReceiverOfSome: .init(.forwarded, .line(0, 0.4, limit: 7), .narrow, "One receiver alone sees it, of a few.")
        case .servicesThereToo: .init(.forwarded, .fixed(2), .manySigners, "Services' mail passes here as well: everybody's does through a gateway.")
        case .peopleOnly: .init(.mailingList, .line(0, 0.25, limit: 3), "People's mail alone passes here: they write to a list.")
        case .signsItself: .init(.mailingList, .fixed(0.7), .dkimForeignPass, "It signs what it sends: lists do.")
        case .signsNothing: .init(.mailingList, .fixed(-0.7), "It signs nothing: few forwarders do.")
        case .receiverSaysList: .init(.mailingList, .fixed(1.5), "A receiver took it for a list.")
        case .receiverSaysForwarded: .init(.mailingList, .fixed(-1), "A receiver took it for forwarded.")
        case .listHost: .init(.mailingList, .fixed(3), .knownForwarder, "A known host of lists.")
        case .forwarderHost: .init(.forwarded, .fixed(3), .knownForwarder, "A known forwarder.")
        case .gatewayHost: .init(.forwarded, .fixed(3), .knownGateway, "A known security gateway.")
        case .senderHost: .init(.dkimOnly, .fixed(1), .knownService, "A known service sends from here.")
        case .providerSealHolds: .init(.forwarded, .log1(2, 1), .selectorHomeElsewhere, "The provider's signature that your mail carries holds.")
        case .forgersSeldomSign: .init(.spoofed, .fixed(-3), "Forgers seldom sign.")
        case .keyNeverVerifies: .init(.spoofed, .fixed(4), .selectorUnknown, "A signature that never verifies anywhere, for a domain that signs.")
        case .keyNeverVerifiesUnsigned: .init(.spoofed, .fixed(1), .selectorUnknown, "A signature that never verifies anywhere.")
        // Your signature is broken, and nobody else's passes.
        case .noRelayShown: .init(.spoofed, .fixed(1.2), "Most relays show themselves, by SPF or a signature of their own.")
        case .keyExists: .init(.forwarded, .fixed(1.7), "The key exists, and somebody else's name is in the envelope.")
        case .wholeHereToo: .init(.misconfigured, .log1(2, 1), "The source is a server of yours by what it sends whole.")
        case .sourceRelays: .init(.forwarded, .log1(2, 1), .sourceRelays, "The source passes on whole signatures, too.")
        case .networkRelays: .init(.forwarded, .fixed(0.7), .networkRelays, "Neighbours pass mail on.")
        case .brokenAtOneReceiver: .init(.forwarded, .line(0, 0.6, limit: 4), .narrow, "One receiver alone sees it.")
        case .neverWhole: .init(.misconfigured, .line(1.5, 0.7, limit: 7), .broad, "It is seen by many and never whole: what a relay carries mostly survives.")
        case .serviceSealBeside: .init(.forwarded, .fixed(3), .manySigners, "The service's signature stands beside yours: strangers do not copy both.")
        case .foreignSealBeside: .init(.forwarded, .fixed(2), .manySigners, "Somebody else's signature stands beside yours.")
        case .foreignSealHolds: .init(.forwarded, .fixed(2.5), .dkimForeignPass, "Somebody else's signature holds: who passed it on signed.")
        case .forwardingOverride: .init(.forwarded, .fixed(2), "A receiver took it for forwarded.")
        case .listOverride: .init(.forwarded, .fixed(0.7), "A receiver took it for a list.")
        case .sourceSendsUnsigned: .init(.spoofed, .log(1, 1), .sourceBreaks, "The source sends unsigned mail in your name as well.")
        case .seldomBroken: .init(.misconfigured, .fixed(-1), "Servers of one's own seldom break what they sign.")
        case .gatewaySeal: .init(.forwarded, .fixed(2), .knownGateway, "A known security gateway signed it.")
        // Nothing of yours is signed, and somebody else passes.
        case .authenticatesItself: .init(.unaligned, .fixed(0.5), "It authenticates as itself.")
        case .bulkService: .init(.unaligned, .fixed(4), .knownService, "A known service.")
        case .hostingService: .init(.unaligned, .fixed(2), .knownService, "A known hoster or mailbox provider.")
        case .relayService: .init(.forwarded, .fixed(1), .knownForwarder, "A known forwarder, list host or gateway.")
        case .seenOften: .init(.unaligned, .fixed(1), .nameSteady, "Seen on several days.")
        case .seenWidely: .init(.unaligned, .fixed(0.5), .nameSteady, "Seen by several receivers.")
        case .atHomeForOthers: .init(.unaligned, .fixed(2), .nameRelays, "Signatures of policy domains are at home with it.")
        case .steadyName: .init(.unaligned, .log1(0, 0.3, limit: 1.5), "A service is seen again and again.")
        case .burst: .init(.spoofed, .fixed(2), .scattered, "Many addresses within a few days.")
        case .manyDomains: .init(.spoofed, .fixed(0.7), .otherDomains, "Several domains, none of which it signs for.")
        case .providerHostAlone: .init(.unaligned, .fixed(4), .knownService, "The envelope names a host of the provider itself.")
        case .providerSealAlone: .init(.unaligned, .fixed(4), .knownService, "The provider's signature, on the provider's own host.")
        case .ownSealAway: .init(.forwarded, .log1(2, 1), .selectorHomeElsewhere, "A signature that is at home with your own servers.")
        case .serviceSealAway: .init(.forwarded, .log1(1, 1), .selectorHomeElsewhere, "A service's signature, away from where that service sends.")
        case .nameRelays: .init(.forwarded, .odds(-9...9), .nameRelays, "What this name carries has passed by, or is its own.")
        case .nameBreaksHere: .init(.mailingList, .odds(-9...9), .nameBreaks, "What this name carries has passed by, or is its own.")
        case .domainUnsigned: .init(.forwarded, .fixed(1.5), "Your mail is mostly unsigned: passed on, it looks like this.")
        case .domainPartlySigned: .init(.forwarded, .fixed(-1), "Most of your mail is signed.")
        case .domainSigned: .init(.forwarded, .fixed(-2.5), "Your mail is signed.")
        case .brokeMoreThanRelayed: .init(.forwarded, .fixed(-2), "What this name carries is mostly broken.")
        case .relayedMoreThanBroke: .init(.mailingList, .fixed(-2), "What this name carries mostly survives.")
        case .listOverrideHere: .init(.mailingList, .fixed(1), "A receiver took it for a list.")
        // Nothing passes.
        case .seldomForgotten: .init(.misconfigured, .fixed(-4.5), "Most of what has nothing of yours is a stranger's.")
        case .domainNeverSends: .init(.misconfigured, .fixed(-2), "Nobody sends from a domain that never sends.")
        case .steadyHosted: .init(.unaligned, .line(3.5, 1, limit: 8), .broad, "It goes on for weeks under its host's name: a web site.")
        case .steadyOwn: .init(.misconfigured, .line(0, 1, limit: 4.5), .broad, "It goes on for weeks, and everybody meets it.")
        case .listedOtherwise: .init(.misconfigured, .fixed(5), "A server that SPF lists, with another name of yours in the envelope.")
        case .manyRowsBroad: .init(.misconfigured, .log(0, 1.3, limit: 4), .broad, "Many rows, at many receivers, for weeks.")
        case .manyRows: .init(.misconfigured, .log(0, 0.39, limit: 1.2), "Many rows.")
        case .manyMessages: .init(.misconfigured, .fixed(1), "Rows of many messages.")
        case .signedElsewhere: .init(.misconfigured, .fixed(1), "The source sends signed mail as well.")
        case .yourMailIsSigned: .init(.misconfigured, .fixed(-1.5), "Your mail is signed.")
        case .yourMailIsUnsigned: .init(.misconfigured, .fixed(1.5), "Your mail is unsigned.")
        case .strangersTryMany: .init(.misconfigured, .log(-1, -0.5), against: .otherDomains, "It does the same in other domains' names.")
        case .seldomPassedOn: .init(.forwarded, .fixed(-4), "Little of what has nothing of yours was passed on.")
        case .relaysOtherwise: .init(.forwarded, .log1(1.5, 1), .sourceRelays, "The source passes on signed mail.")
        case .networkRelaysUnsigned: .init(.forwarded, .fixed(0.7), .networkRelays, "Neighbours pass mail on.")
        case .signedMailPassedOn: .init(.forwarded, .fixed(-1), "Your mail is signed: passed on, it would carry that.")
        case .unsignedMailPassedOn: .init(.forwarded, .fixed(2), "Your mail is unsigned: passed on, it looks like this.")
        case .overriddenShare: .init(.forwarded, .line(0, 1.5, limit: 1.5), "Receivers took a share of it for forwarded.")
        case .brokenServiceSeal: .init(.forwarded, .log1(2, 1), .selectorHomeElsewhere, "A broken signature of a service that signs your mail.")
        case .seldomService: .init(.unaligned, .fixed(-6), "Services seldom fail in their own name.")
        case .bulkFails: .init(.unaligned, .fixed(6), .knownService, "A known service, whose own SPF fails.")
        case .hostFailsOften: .init(.unaligned, .fixed(3), "The host in the envelope is seen with unsigned mail again and again.")
        }
    }
}
