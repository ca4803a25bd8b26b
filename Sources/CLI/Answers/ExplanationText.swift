import DMARC
import Organisations
import Questions
import Rendering

/// Verdicts in whole sentences, for `explain`: what it is, what speaks for it, what would change it.
struct ExplanationText {
    let presentation: Presentation

    /// The note on one verdict, a line an entry; empty lines part its pieces.
    func note(_ story: SourceExplanation.Story) -> [String] {
        var lines: [String] = []
        let domain = DomainName.readable(story.domain)
        let sureness = story.confidence >= 0.9 ? "sure" : story.confidence >= 0.7 ? "likely" : "a guess"
        lines.append(
            "\(story.source) for \(domain): \(story.verdict.rawValue.uppercased()), \(sureness) "
                + "(confidence \(share(story.confidence)))\(notes(story))")
        lines.append("  " + meaning(story))
        lines.append("")
        lines.append(
            "  \(presentation.grouped(story.messages, "message")) in \(presentation.grouped(story.records, "record")), "
                + "\(days(story.firstDay...story.lastDay)), seen by about \(presentation.grouped(story.reporters, "reporter")); "
                + "\(presentation.grouped(story.passed)) passed DMARC.")
        lines.append("")
        let doubts = Self.doubts[story.verdict] ?? []
        lines.append("  What speaks for it:")
        for sentence in evidence(story, where: { !doubts.contains($0) }) { lines.append("  \(bullet) " + sentence) }
        let against = evidence(story, where: { doubts.contains($0) })
        if !against.isEmpty {
            lines.append("")
            lines.append("  What speaks against it:")
            for sentence in against { lines.append("  \(bullet) " + sentence) }
        }
        lines.append("")
        lines += weighing(story.weighing)
        lines.append("")
        lines.append("  What the receivers saw:")
        let outcomes = outcomes(story.lines)
        for line in outcomes.prefix(8) { lines.append("  \(bullet) " + line) }
        if outcomes.count > 8 { lines.append("  \(bullet) and \(outcomes.count - 8) more ways, with fewer messages") }
        lines.append("")
        lines.append("  What would change it:")
        for sentence in changes(story) { lines.append("  \(bullet) " + sentence) }
        return lines
    }

    /// The weights that add up to the verdict, and what bounds it.
    private func weighing(_ weighing: SourceExplanation.Weighing) -> [String] {
        var lines = ["  How it was weighed (of most of its messages; 2.3 more make a story ten times as likely, 4.6 a hundred times):"]
        for piece in weighing.pieces {
            lines.append("  \(bullet) \(signed(piece.weight)) \(piece.story.rawValue): \(piece.reason) (\(piece.rule))")
        }
        if !weighing.sums.isEmpty {
            lines.append(
                "  \(bullet) together: " + weighing.sums.map { "\($0.story.rawValue) \(signed($0.weight))" }.joined(separator: ", "))
        }
        for bound in weighing.bounds { lines.append("  \(bullet) at most \(share(bound.confidence)): \(bound.reason)") }
        return lines
    }

    /// A weight with its sign and two decimals.
    private func signed(_ weight: Double) -> String {
        let hundredths = Int((abs(weight) * 100).rounded())
        let cents = hundredths % 100
        return "\(weight < 0 ? "-" : "+")\(hundredths / 100).\(cents < 10 ? "0" : "")\(cents)"
    }

    private func share(_ fraction: Double) -> String { percentage(fraction, decimalPoint: ".") ?? "?" }

    private var bullet: String { presentation.style.ascii ? "-" : "•" }

    private func notes(_ story: SourceExplanation.Story) -> String {
        story.notes.codes.isEmpty ? "" : ", " + story.notes.codes.joined(separator: ", ")
    }

    private func meaning(_ story: SourceExplanation.Story) -> String {
        let domain = DomainName.readable(story.domain)
        switch story.verdict {
        case .unknown: return "There is too little to say who this is."
        case .authorized: return "Your own server, or a service that you set up: SPF is aligned with \(domain)."
        case .dkimOnly: return "A service that signs as \(domain) and uses a return path of its own. That is fine."
        case .forwarded:
            return story.passed == story.messages
                ? "Somebody passed your messages on. SPF broke on the way, the signature held, and DMARC passes: nothing to mend."
                : "Somebody passed your messages on, and SPF broke on the way; where the signature broke as well, DMARC fails."
        case .mailingList: return "A mailing list took your messages, changed them and sent them out under its own name."
        case .misconfigured:
            return "It looks like a server of yours that \(domain) does not list in SPF, or whose signature does not verify."
        case .unaligned:
            return story.notes.contains(.unrelated)
                ? "Somebody sends as \(domain) and authenticates as himself: a supplier of yours that nobody else uses, or a stranger."
                : "A service sends as \(domain), but authenticates as itself."
        case .spoofed: return "Somebody else uses the name \(domain). Nothing connects this source with you."
        }
    }

    // MARK: - Evidence

    /// Evidence that was weighed and spoke for another story.
    private static let doubts: [Verdict: Set<EvidenceCode>] = [
        .forwarded: [.oneSigner, .neighbourAuthorized, .passesAtOtherTimes, .selectorUnknown],
        .mailingList: [.selectorUnknown, .knownService],
        .misconfigured: [.otherDomains, .manySigners, .narrow, .domainSigns, .sourceRelays, .networkRelays],
        .unaligned: [.scattered, .otherDomains, .nameRelays],
        .spoofed: [.networkRelays, .sourceRelays, .passesAtOtherTimes, .neighbourAuthorized, .broad, .nameSteady, .knownService],
        .dkimOnly: [.thin, .sourceRelays],
    ]

    private func evidence(_ story: SourceExplanation.Story, where isChosen: (EvidenceCode) -> Bool) -> [String] {
        let sentences = EvidenceCode.allCases.filter { story.evidence.contains($0) && isChosen($0) }.compactMap { sentence($0, story) }
        var said: Set<String> = []
        return sentences.filter { said.insert($0).inserted }
    }

    /// What a code means here; nil where another sentence says it.
    private func sentence(_ code: EvidenceCode, _ story: SourceExplanation.Story) -> String? {
        let counts = story.counts
        let domain = DomainName.readable(story.domain)
        switch code {
        case .spfAligned: return "SPF passes and is aligned: your own DNS lists this address."
        case .dkimAligned: return "A signature of \(domain) verifies, so the message comes from where your key is."
        case .spfOwnFail:
            return "The envelope names \(domain), and SPF does not list this address: the envelope was kept, or the server forgotten."
        case .spfOwnUnaligned: return "SPF passes for a name of yours that strict alignment does not accept."
        case .spfForeignPass: return story.strangers.isEmpty ? nil : "SPF passes for \(list(story.strangers.map(\.name))), not for you."
        case .spfForeignFail: return "SPF was checked for somebody else's name and failed."
        case .spfNone: return "The reports know no SPF result that would say who it is."
        case .temporaryError: return "Look-ups failed for a while at the receiver; that says nothing about the source."
        case .dkimOwnBroken: return "A signature of \(domain) is there and does not verify."
        case .dkimForeignPass:
            return story.strangers.isEmpty ? nil : "It carries a valid signature of \(list(story.strangers.map(\.name)))."
        case .dkimNone: return "It carries no signature at all."
        case .overrideForwarded, .overrideMailingList, .overrideArcPass:
            return
                "Receivers treated \(presentation.grouped(counts.overridden, "record")) as forwarded, as a list's, or trusted its ARC seal."
        case .selectorAtHome, .selectorHomeElsewhere:
            let homes = story.seals.filter { $0.home != nil && $0.selector != nil }.prefix(3).map(home)
            return homes.isEmpty ? nil : homes.joined(separator: " ")
        case .selectorUnknown:
            let homeless = story.seals.filter { seal in
                // A report that leaves out the selector sees the same signatures as those that name it.
                seal.home == nil && (seal.selector != nil || !story.seals.contains { $0.domain == seal.domain && $0.selector != nil })
            }
            let names = homeless.map(name)
            return names.isEmpty ? nil : "The signature \(list(names)) is at home nowhere else."
        case .nameRelays, .nameBreaks:
            let records = story.strangers.filter { $0.surviving + $0.broken + $0.unsigned > 0 }.prefix(2).map(record)
            return records.isEmpty ? nil : records.joined(separator: " ")
        case .sourceRelays:
            return
                "The same source delivered \(presentation.grouped(counts.allSurviving, "record")) whose signature held without aligned SPF, "
                + "for \(presentation.grouped(counts.domains, "policy domain"))."
        case .sourceBreaks:
            return "The same source delivered \(presentation.grouped(counts.broken, "record")) with a broken signature and "
                + "\(presentation.grouped(counts.allSilent)) with none."
        case .networkRelays: return "Its neighbours pass mail on as well."
        case .neighbourAuthorized:
            return "\(presentation.grouped(counts.neighbours, "neighbour")) in the same network "
                + "\(counts.neighbours == 1 ? "is" : "are") listed in your SPF."
        case .passesAtOtherTimes:
            guard let aligned = counts.alignedDays else { return "The same source passes at other times." }
            return "The same source passed with aligned SPF in \(presentation.grouped(counts.aligned, "record")), \(days(aligned))."
        case .manySigners: return "It carries signatures of services, too: a mixture that forwarders have and your servers do not."
        case .oneSigner:
            return
                "All of its \(presentation.grouped(counts.surviving + counts.broken, "record")) carry your own signature and no service's."
        case .otherDomains: return "It sends for \(presentation.grouped(counts.domains, "policy domain")) of yours."
        case .broad:
            let span = story.firstDay.distance(to: story.lastDay) + 1
            let receivers = story.reporters < 2 ? nil : "by \(story.reporters == 2 ? "two" : "several") receivers"
            if span >= 5 { return "It is steady: seen over \(presentation.grouped(span, "day"))\(receivers.map { " " + $0 } ?? "")." }
            return receivers.map { "It was seen \($0)." }
        case .nameSteady:
            let names = list(story.strangers.map(\.name))
            return "\(names.isEmpty ? "The name that it authenticates as" : names) is seen on several days, or by several receivers."
        case .narrow: return "Only one receiver, or hardly more, ever saw it."
        case .thin: return "There are very few records of it."
        case .scattered: return "Many addresses, each with few messages, within days."
        case .knownService, .knownForwarder, .knownGateway:
            let known = story.strangers.compactMap(\.service)
            return known.first.map { "\($0.name) is known: \(kind($0.kind)). It documents its authentication at \($0.page)" }
        case .domainSigns: return "\(counts.signedPercent) % of what \(domain) sends with aligned SPF is signed; this is not."
        case .domainDoesNotSign: return "\(domain) hardly signs its mail, so a missing signature says nothing."
        case .noWitness: return "Only reports whose sender could not be verified speak of it, so it is never called certain."
        case .oneReporter: return "All of this rests on one reporter's word, so it is never called certain."
        case .fewReporters: return "Of the reporters that are known for long only a few ever met this, so it is never called certain."
        case .contradicted: return "Most reporters that are known for long and met the source saw something else, so this is not believed."
        }
    }

    private func home(_ seal: SourceExplanation.Seal) -> String {
        let place = seal.isHomeOwn ? "with your own servers" : "with \(DomainName.readable(seal.home ?? ""))"
        return "The signature \(name(seal)) is at home \(place): \(presentation.grouped(seal.atHome)) of "
            + "\(presentation.grouped(seal.verified, "verified record")) were sent from there."
    }

    private func record(_ stranger: SourceExplanation.Stranger) -> String {
        "Of what came with SPF or a signature of \(DomainName.readable(stranger.name)), your signatures survived in "
            + "\(presentation.grouped(stranger.surviving, "record")) (\(presentation.grouped(stranger.relayed)) of them away from home), broke in "
            + "\(presentation.grouped(stranger.broken)) and were absent in \(presentation.grouped(stranger.unsigned))."
    }

    private func name(_ seal: SourceExplanation.Seal) -> String {
        seal.selector.map { "\($0)._domainkey.\(DomainName.readable(seal.domain))" } ?? "of \(DomainName.readable(seal.domain))"
    }

    private func list(_ names: [String]) -> String {
        var said: Set<String> = []
        let names = names.filter { said.insert($0).inserted }.prefix(3).map { DomainName.readable($0) }
        return names.joined(separator: ", ")
    }

    private func kind(_ kind: ServiceKind) -> String {
        switch kind {
        case .bulkSender: "it sends for its customers"
        case .mailboxService: "a mailbox provider sends it in the name of its customers"
        case .mailboxProvider: "a provider of mailboxes, whose servers send, forward and host lists"
        case .forwarder: "it passes mail on"
        case .listHost: "it hosts mailing lists"
        case .securityGateway: "it checks mail on its way"
        case .hosting: "it hosts websites and mail"
        }
    }

    private func days(_ days: ClosedRange<Day>) -> String {
        days.lowerBound == days.upperBound ? "on \(days.lowerBound)" : "\(days.lowerBound) to \(days.upperBound)"
    }

    /// What was seen, each way once, most messages first.
    private func outcomes(_ lines: [SourceExplanation.Line]) -> [String] {
        var ways: [(text: String, messages: Int, days: ClosedRange<Day>)] = []
        for line in lines {
            let text = outcome(line)
            let days = line.firstDay...line.lastDay
            if let index = ways.firstIndex(where: { $0.text == text }) {
                ways[index].messages += line.messages
                let known = ways[index].days
                ways[index].days = min(known.lowerBound, days.lowerBound)...max(known.upperBound, days.upperBound)
            } else {
                ways.append((text, line.messages, days))
            }
        }
        return ways.sorted { ($1.messages, $0.text) < ($0.messages, $1.text) }.map {
            "\(presentation.grouped($0.messages, "message")), \(days($0.days)): \($0.text)"
        }
    }

    private func outcome(_ line: SourceExplanation.Line) -> String {
        let spf = line.authentication.spf.map { "SPF \($0.result.rawValue) for \(DomainName.readable($0.domain ?? "?"))" }
        let dkim = line.authentication.dkim.map { result in
            "DKIM \(result.result.rawValue) for \(DomainName.readable(result.domain ?? "?"))" + (result.selector.map { " (\($0))" } ?? "")
        }
        let parts = dkim + spf
        return (parts.isEmpty ? "no result" : parts.joined(separator: ", ")) + "; \(aligned(line))"
    }

    private func aligned(_ line: SourceExplanation.Line) -> String {
        switch (line.dkimAligned, line.spfAligned) {
        case (true, true): "both aligned"
        case (true, false): "DKIM aligned"
        case (false, true): "SPF aligned"
        case (false, false): "nothing aligned"
        }
    }

    // MARK: - What would change it

    private func changes(_ story: SourceExplanation.Story) -> [String] {
        let domain = DomainName.readable(story.domain)
        switch story.verdict {
        case .unknown: return ["More reports."]
        case .authorized:
            return [
                "If SPF of \(domain) no longer listed it: misconfigured if it stays your server, forwarded if it passes on others' mail."
            ]
        case .dkimOnly:
            return [
                "The same signature seen beside your own SPF, or beside many other names: then this would be forwarding.",
                "A return path below \(domain) would make it authorized; that is optional.",
            ]
        case .forwarded:
            return [
                "If the address is yours: list it in SPF, and it becomes authorized. Never list a forwarder that is not yours.",
                "If it sent only your own mail, steadily, to many receivers, and never a service's: misconfigured.",
                "If most of what it delivers had broken signatures: mailing-list.",
            ]
        case .mailingList:
            return [
                "If most signatures survived there, it would be a forwarder.",
                "If it never carried a signature of yours: unaligned.",
            ]
        case .misconfigured:
            return [
                "The address in the SPF record of \(domain): authorized, from the next reports on.",
                "Mail of other domains or of services coming through it: forwarded.",
            ]
        case .unaligned:
            return [
                "A signature with d=\(domain), set up at the service: dkim-only, and DMARC passes.",
                "A return path below \(domain) at the service: authorized.",
                "A short burst from many addresses instead of steady mail: spoofed.",
            ]
        case .spoofed:
            return [
                "One message with aligned SPF from it, or from neighbours that are yours.",
                "Whole signatures of yours arriving from it: then it is a forwarder.",
            ]
        }
    }

    // MARK: - Names and selectors

    /// The note on a name or a selector.
    func note(_ answer: NameExplanation, _ name: String) -> [String] {
        var lines: [String] = []
        if let organisation = answer.organisation {
            let known = organisation.service.map { " (\($0.name): \(kind($0.kind)))" } ?? ""
            lines.append(DomainName.readable(organisation.name) + known)
            lines.append("  " + record(organisation))
            lines.append(
                "  Seen by about \(presentation.grouped(organisation.reporters, "reporter")) on about \(presentation.grouped(organisation.days, "day")), "
                    + "from about \(presentation.grouped(organisation.sources, "source")), for \(presentation.grouped(organisation.domains, "policy domain"))."
            )
            lines.append("  " + judgement(organisation))
        }
        if !answer.sources.isEmpty {
            lines += lines.isEmpty ? [] : [""]
            lines.append("Sources that authenticate as \(DomainName.readable(name)):")
            for source in answer.sources {
                lines.append(
                    "  \(source.source) for \(DomainName.readable(source.domain)): \(source.verdict.rawValue), "
                        + presentation.grouped(source.messages, "message"))
            }
        }
        var last: String?
        for place in answer.places {
            let key = (place.selector.map { "\($0)._domainkey." } ?? "no selector given, ") + DomainName.readable(place.domain)
            let heading = "\(key) for \(DomainName.readable(place.policyDomain))"
            if heading != last {
                lines += lines.isEmpty ? [] : [""]
                lines.append(heading + life(place.life))
                last = heading
            }
            lines.append("  \(bullet) " + self.place(place))
        }
        if answer.otherPlaces > 0 {
            let all = presentation.grouped(answer.places.count + answer.otherPlaces, "place")
            lines += ["", "\(presentation.grouped(answer.places.count)) of \(all), those with most records; the others with --limit all."]
        }
        return lines
    }

    private func judgement(_ organisation: SourceExplanation.Stranger) -> String {
        let carried = organisation.surviving + organisation.broken
        if carried == 0 { return "It never carried a signature of yours: it authenticates as itself." }
        if organisation.broken * 2 > carried { return "It mostly breaks your signatures: a list, or a gateway that rewrites." }
        if organisation.relayed * 2 > organisation.surviving {
            return "It mostly carries signatures that are at home elsewhere: it passes mail on."
        }
        return "It carries signatures that are at home with it: a service that signs for you."
    }

    /// First and last day of a selector, and how often it verifies.
    private func life(_ life: NameExplanation.Life) -> String {
        let records = life.verified + life.broken
        let rate = records == 0 ? "" : ", verifies in \(share(Double(life.verified) / Double(records)))"
        return ": \(days(life.firstDay...life.lastDay)), \(presentation.grouped(records, "record"))\(rate)"
    }

    private func place(_ place: NameExplanation.Place) -> String {
        let beside =
            switch place.kind {
            case .own: "beside your own SPF"
            case .ownFailing: "beside your own SPF, failing"
            case .none: "without SPF"
            case .foreignFailing: "beside a failing SPF of somebody else"
            case .organisation: "beside the SPF of \(DomainName.readable(place.beside ?? "?"))"
            case .unlisted: "beside \(DomainName.readable(place.beside ?? "?")), which publishes no SPF"
            }
        return "\(beside): \(presentation.grouped(place.verified)) verified, \(presentation.grouped(place.broken)) broken, "
            + days(place.firstDay...place.lastDay) + (place.isUnexpected ? "; away from home" : "")
    }
}
