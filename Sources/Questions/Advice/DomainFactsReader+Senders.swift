import Advice
import DMARC
import Organisations
import Store

/// What flows of one sender add up to.
private struct SenderSum {
    var sender: DomainFacts.Sender
    /// The address that it is called by, as a number among the sources of the domain; nil: it has a name.
    var address: Int32?
    var voices: UInt128 = 0
    var settled: UInt128 = 0
    var flows: [Int32] = []
}

/// Sums by small number, emptied after each use: a dictionary for every sender would take longer than all else.
private struct Tally {
    private var sums: [Int]
    /// The numbers with a sum, in the order of their first appearance.
    private(set) var numbers: [Int32] = []

    init(count: Int) { sums = [Int](repeating: 0, count: count) }

    subscript(_ number: Int32) -> Int { sums[Int(number)] }

    /// Amounts are above 0.
    @inline(__always)
    mutating func add(_ amount: Int, to number: Int32) {
        if sums[Int(number)] == 0 { numbers.append(number) }
        sums[Int(number)] += amount
    }

    mutating func empty() {
        for number in numbers { sums[Int(number)] = 0 }
        numbers.removeAll(keepingCapacity: true)
    }
}

/// How SPF came out, and for which name.
private struct SPFCheck: Hashable {
    var kind: DomainFacts.SPFKind
    var domain: String?
}

/// Names of senders, numbered: sets of results that name the same sender have the same number.
private struct SenderNames {
    private(set) var all: [(name: String, service: Service?)] = []
    /// Of each set; -1 where it names nobody, or was not read.
    private(set) var numbers: [Int]

    init(_ looks: [Look?], _ name: (Look) -> (name: String, service: Service?)) {
        numbers = [Int](repeating: -1, count: looks.count)
        var known: [String: Int] = [:]
        for (set, look) in looks.enumerated() {
            guard let look else { continue }
            let named = name(look)
            guard !named.name.isEmpty else { continue }
            let number = known[named.name] ?? all.count
            if number == all.count {
                known[named.name] = number
                all.append(named)
            }
            numbers[set] = number
        }
    }
}

extension DomainFactsReader {
    /// Who sends, by verdict.
    func addSenders(of domain: PolicyDomain, _ seen: SeenRecords, _ reports: HeardReports, to facts: inout DomainFacts) throws {
        let (flows, table) = (seen.flows, seen.table)
        let verdicts = (0..<Self.verdictNumbers).map { Verdict(stored: $0) }
        let names = SenderNames(seen.looks) { self.name(of: $0) }
        var sums: [SenderSum] = []
        var sendersOf = [[Int]](repeating: [], count: Self.verdictNumbers)
        // The places of senders by verdict: at 0 nobody in particular, then addresses of the domain's own, then names.
        var places = [[Int32]](repeating: [], count: Self.verdictNumbers)
        var totals = [DomainFacts.Treatment](repeating: DomainFacts.Treatment(), count: Self.verdictNumbers)
        // A bit for each verdict that a source was seen with.
        var verdictsOf = [UInt16](repeating: 0, count: table.addresses.count)
        var networks = SourceTable()
        for (index, flow) in flows.enumerated() {
            let number = Int(flow.number)
            let source = Int(flow.source)
            totals[number].add(flow.treatment)
            if verdictsOf[source] >> UInt16(number) & 1 == 0 {
                verdictsOf[source] |= 1 << UInt16(number)
                totals[number].sources += 1
                if number == Verdict.spoofed.stored { _ = networks.number(of: table.addresses[source].network) }
            }
            let verdict = verdicts[number]
            let named = names.numbers[Int(flow.set)]
            let identity =
                switch verdict {
                case .authorized, .misconfigured: 1 + source
                case .spoofed, .unknown: 0
                case .unaligned: named < 0 ? 1 + source : 1 + table.addresses.count + named
                case .dkimOnly, .forwarded, .mailingList: named < 0 ? 0 : 1 + table.addresses.count + named
                }
            if places[number].isEmpty {
                places[number] = [Int32](repeating: -1, count: 1 + table.addresses.count + names.all.count)
            }
            var place = Int(places[number][identity])
            if place < 0 {
                place = sums.count
                places[number][identity] = Int32(place)
                var sender = DomainFacts.Sender(
                    verdict: verdict, firstDay: Day(Int(flow.firstDay)), lastDay: Day(Int(flow.lastDay)))
                if identity > table.addresses.count { (sender.name, sender.service) = names.all[named] }
                let isAddress = identity > 0 && identity <= table.addresses.count
                sums.append(SenderSum(sender: sender, address: isAddress ? flow.source : nil))
                sendersOf[number].append(place)
            }
            sums[place].add(flow, Int32(index))
        }
        totals[Verdict.spoofed.stored].networks = networks.addresses.count
        for (number, total) in totals.enumerated() where total.messages > 0 { facts.totals[verdicts[number]] = total }
        // Of strangers nothing more is asked; of all others whether they sign.
        for place in sums.indices where sums[place].sender.verdict != .spoofed { sums[place].addSignatures(seen) }
        for place in sums.indices where sums[place].sender.verdict == .unaligned { try judge(&sums[place], domain, seen) }
        settle(&sums, reports)
        addFaults(sums, seen, reports, to: &facts)
        var sources = Tally(count: table.addresses.count)
        var sets = Tally(count: seen.looks.count)
        for verdict in Verdict.allCases {
            // An own sender without a fault needs no finding.
            let faulty = sendersOf[verdict.stored].filter {
                verdict != .authorized || sums[$0].sender.unsigned > 0 || sums[$0].sender.broken > 0
            }
            // Findings about these name and count all of them.
            let most = [.authorized, .misconfigured, .unaligned, .dkimOnly].contains(verdict) ? Int.max : Self.mostSenders
            // Texts of addresses are made only of those that can still be among the first.
            let largest = faulty.leading(most) { sums[$0].sender.treatment.messages }
            for place in largest {
                if let address = sums[place].address { sums[place].sender.name = table.addresses[Int(address)].description }
            }
            let leading = largest.sorted {
                (sums[$0].sender.treatment.messages, sums[$1].sender.name) > (sums[$1].sender.treatment.messages, sums[$0].sender.name)
            }.prefix(most)
            var rank = 0
            for place in leading {
                // Of own senders only those are asked about that do not sign: of the others nothing is said.
                let isSubject = verdict != .authorized || sums[place].sender.isUnsigned
                // The evidence of own servers decides what is said; of all others the largest speak for the rest.
                let asked = !isSubject ? 0 : rank < Self.mostJudged ? Self.judgedFlows : verdict == .misconfigured ? Self.judgedFlows : 0
                rank += isSubject ? 1 : 0
                var sender = try finished(sums[place], asking: asked, domain, seen, reports, &sources, &sets)
                // What passes on the mail of others stands in nobody's SPF, whatever else comes from there.
                if verdict == .misconfigured, let address = sums[place].address {
                    let others = [Verdict.forwarded, .mailingList].contains { verdictsOf[Int(address)] >> UInt16($0.stored) & 1 == 1 }
                    sender.isRelayOrScattered = sender.isRelayOrScattered || others
                }
                facts.senders.append(sender)
            }
        }
        facts.senders.sort {
            ($0.verdict.stored, $1.treatment.messages, $0.name) < ($1.verdict.stored, $0.treatment.messages, $1.name)
        }
    }

    /// Return paths of services and organisations often have a label of their own: these are not hosts.
    private func isMailName(_ domain: String) -> Bool {
        let label = domain.prefix { $0 != "." }
        return ["bounce", "bounces", "return", "rp", "mail", "em", "e", "news", "lists", "spf", "mta", "smtp", "email", "mailer"]
            .contains { label == $0 }
    }

    /// Whom a set of results names beside the domain itself; empty where it names nobody.
    package func name(of look: Look) -> (name: String, service: Service?) {
        let isForeign = look.spf == .foreignPass || look.spf == .foreignFail
        let candidates = [look.spf == .foreignPass ? look.spfDomain : nil, look.foreignSignature, isForeign ? look.spfDomain : nil]
            .compactMap(\.self)
        for candidate in candidates {
            if let service = service(of: candidate) { return (service.name, service) }
        }
        return (candidates.first.map { suffixes.organisation(of: $0) } ?? "", nil)
    }

    private func service(of name: String) -> Service? {
        if let known = knownServices[name] { return known }
        let service = Services.known.service(of: name)
        knownServices[name] = .some(service)
        return service
    }

    /// What is noted of a sender, and how sure its verdict is, by its largest flow.
    private func judge(_ sum: inout SenderSum, _ domain: PolicyDomain, _ seen: SeenRecords) throws {
        guard let largest = sum.flows.max(by: { (seen.flows[Int($0)].messages, $1) < (seen.flows[Int($1)].messages, $0) }) else { return }
        let flow = seen.flows[Int(largest)]
        for judgement in try judgements(of: flow, domain, seen) {
            sum.sender.confidence = Double(judgement.confidence) / 1000
            sum.sender.notes = judgement.notes
        }
        if sum.sender.isQuestion, sum.address == nil {
            sum.sender.isSister = try standings(of: sum.sender.name).values.count { $0 == 2 } >= Readiness.reportersNeeded
        }
    }

    /// What is concluded about the stored flows of the same verdict.
    private func judgements(of flow: SeenFlow, _ domain: PolicyDomain, _ seen: SeenRecords) throws -> [FlowJudgement] {
        let source = seen.table.addresses[Int(flow.source)]
        return try stored.judgements(of: source, for: domain, authentication: seen.setKeys[Int(flow.set)]).filter {
            $0.verdict == Int(flow.number)
        }
    }

    /// Which of those that authenticate as themselves have been set up since: two witnesses see them sign for the domain, on later days only.
    private func settle(_ sums: inout [SenderSum], _ reports: HeardReports) {
        var signing: [String: Day] = [:]
        for sum in sums where sum.sender.verdict == .dkimOnly && !sum.sender.name.isEmpty {
            if reports.witnesses(sum.voices) >= Readiness.reportersNeeded { signing[sum.sender.name] = sum.sender.firstDay }
        }
        for place in sums.indices where sums[place].sender.verdict == .unaligned {
            guard let since = signing[sums[place].sender.name], since > sums[place].sender.lastDay else { continue }
            sums[place].sender.signsSince = since
        }
    }

    /// Addresses, SPF, and how sure the verdict is.
    private func finished(
        _ sum: SenderSum, asking asked: Int, _ domain: PolicyDomain, _ seen: SeenRecords, _ reports: HeardReports, _ sources: inout Tally,
        _ sets: inout Tally
    ) throws -> DomainFacts.Sender {
        var sender = sum.sender
        sources.empty()
        sets.empty()
        for index in sum.flows {
            let flow = seen.flows[Int(index)]
            sources.add(flow.messages, to: flow.source)
            sets.add(flow.messages, to: flow.set)
        }
        sender.treatment.sources = sources.numbers.count
        if sender.verdict == .unaligned { sender.sources = sources.numbers }
        sender.voices = sum.voices
        sender.reporters = sum.voices.nonzeroBitCount
        sender.witnesses = reports.witnesses(sum.voices)
        sender.settledWitnesses = reports.witnesses(sum.settled)
        sender.isSeenByMost = reports.isMajority(Set((0..<reports.voices).filter { sum.settled >> UInt128($0) & 1 == 1 }))
        sender.decisive = sum.byVoice(seen).messages
        var checks: [SPFCheck: Int] = [:]
        for set in sets.numbers {
            if let look = seen.looks[Int(set)] { checks[SPFCheck(kind: look.spf, domain: look.spfDomain), default: 0] += sets[set] }
        }
        let check = checks.max {
            ($0.value, $1.key.kind.rawValue, $1.key.domain ?? "") < ($1.value, $0.key.kind.rawValue, $0.key.domain ?? "")
        }
        sender.spf = check?.key.kind ?? .none
        sender.spfDomain = check?.key.domain
        if sender.spf == .foreignPass, let domain = sender.spfDomain, domain != suffixes.organisation(of: domain) {
            sender.isHostName = !isMailName(domain)
        }
        let leading = sources.numbers.leading(5) { sources[$0] }.map { (address: seen.table.addresses[Int($0)], messages: sources[$0]) }
        sender.addresses = leading.sorted {
            $0.messages != $1.messages ? $0.messages > $1.messages : $0.address.isBefore($1.address)
        }.prefix(5).map(\.address)
        if sender.isQuestion {
            for address in sender.addresses {
                if let first = try stored.life(of: address, for: domain)?.firstDay {
                    sender.knownSince = min(sender.knownSince ?? first, first)
                }
            }
        }
        guard asked > 0 else { return sender }
        let largest = sum.flows.leading(asked) { seen.flows[Int($0)].messages }
            .sorted { (seen.flows[Int($0)].messages, $1) > (seen.flows[Int($1)].messages, $0) }.prefix(asked)
        var (weight, confidence) = (0, 0)
        for (rank, index) in largest.enumerated() {
            let flow = seen.flows[Int(index)]
            for judgement in try judgements(of: flow, domain, seen) {
                weight += flow.messages
                confidence += flow.messages * judgement.confidence
                if rank == 0 { sender.notes = judgement.notes }
                let evidence = judgement.evidence
                let isRelay = [.knownForwarder, .knownGateway, .nameRelays, .scattered].contains { evidence.contains($0) }
                sender.isRelayOrScattered = sender.isRelayOrScattered || isRelay
            }
        }
        if weight > 0 { sender.confidence = Double(confidence) / Double(weight) / 1000 }
        return sender
    }
}

extension DomainFactsReader {
    /// What is in the way of a stricter policy, by whose word it is.
    private func addFaults(_ sums: [SenderSum], _ seen: SeenRecords, _ reports: HeardReports, to facts: inout DomainFacts) {
        var known = [Int](repeating: 0, count: reports.voices)
        for flow in seen.flows where Int(flow.number) != Verdict.spoofed.stored { seen.forEachVoice(of: flow) { known[$0] += $1 } }
        // A name that nobody knows makes no share of others smaller.
        for sum in sums where sum.sender.isQuestion {
            for index in sum.flows { seen.forEachVoice(of: seen.flows[Int(index)]) { known[$0] -= $1 } }
        }
        for (voice, messages) in known.enumerated() { facts.known.add(messages, of: voice) }
        let least = max(Readiness.fewestToSee, Int(Readiness.quietShare * Double(facts.known.messages)) + 1)
        var voicesOf: [Readiness.Kind: UInt128] = [:]
        // Receivers that hide the end of addresses see a server as its network.
        var hidden: [IPAddress: UInt128] = [:]
        for sum in sums {
            guard let address = sum.address.map({ seen.table.addresses[Int($0)] }), address == address.network else { continue }
            hidden[address, default: 0] |= sum.voices
        }
        for sum in sums {
            let verdict = sum.sender.verdict
            let kind: Readiness.Kind? =
                switch verdict {
                case .misconfigured: .misconfigured
                case .unaligned: sum.sender.isQuestion || sum.sender.signsSince != nil ? nil : .unaligned
                case .authorized: sum.sender.isUnsigned ? .dkimMissing : nil
                case .mailingList: .mailingList
                case .unknown: .unknown
                case .dkimOnly, .forwarded, .spoofed: nil
                }
            if let kind {
                var fault = facts.faults[kind] ?? DomainFacts.Fault()
                for index in sum.flows {
                    let flow = seen.flows[Int(index)]
                    let look = seen.looks[Int(flow.set)]
                    // Where SPF ends in an error the server is not at fault: that is a blocker of its own.
                    if kind == .misconfigured, look?.spf == .ownError { continue }
                    if kind == .dkimMissing, look?.signatures.isEmpty != true { continue }
                    let messages = kind == .dkimMissing ? flow.passed : flow.messages - (kind == .unknown ? flow.passed : 0)
                    guard messages > 0 else { continue }
                    fault.messages += messages
                    voicesOf[kind, default: 0] |= flow.voices
                    let part = Double(messages) / Double(flow.messages)
                    seen.forEachVoice(of: flow) { fault.byVoice.add(Int(Double($1) * part), of: $0) }
                }
                facts.faults[kind] = fault
            }
            let isOwn = [.authorized, .dkimOnly, .misconfigured, .unaligned].contains(verdict) && !sum.sender.isQuestion
            guard isOwn, sum.sender.treatment.messages >= least, sum.address != nil || !sum.sender.name.isEmpty,
                reports.witnesses(sum.voices | (sum.address.flatMap { hidden[seen.table.addresses[Int($0)].network] } ?? 0))
                    < Readiness.reportersNeeded
            else { continue }
            let sender = sum.byVoice(seen)
            if sender.messages >= least, BoundedShare.share(sender, of: facts.known) > Readiness.quietShare {
                facts.lonelySenders.append(sum.address.map { seen.table.addresses[Int($0)].description } ?? sum.sender.name)
            }
        }
        for (kind, voices) in voicesOf { facts.faults[kind]?.witnesses = reports.witnesses(voices) }
        facts.lonelySenders.sort()
    }

    /// Which misconfigured addresses passed with aligned SPF, before they fell out of it, and who saw that.
    func addProofs(of domain: PolicyDomain, _ reports: HeardReports, to facts: inout DomainFacts) throws {
        var candidates: [IPAddress: [(voice: Int, day: Int)]] = [:]
        for sender in facts.senders(.misconfigured) {
            for address in sender.addresses {
                if let ever = try stored.life(of: address, for: domain), ever.passed > 0 { candidates[address] = [] }
            }
        }
        guard !candidates.isEmpty else { return }
        var passed: Set<IPAddress> = []
        let days = Period(since: period.since.advanced(by: -DomainFacts.historyDays), until: period.until)
        try records.forEach(of: domain.id, in: days, .passed) { record, day in
            guard record.spf, candidates[record.source] != nil else { return }
            let (voice, isSettled) = reports[record.report]
            passed.insert(record.source)
            guard isSettled, reports.isWitness(voice) else { return }
            candidates[record.source]?.append((voice, day))
        }
        for index in facts.senders.indices where facts.senders[index].verdict == .misconfigured {
            for address in facts.senders[index].addresses {
                facts.senders[index].passedBefore = facts.senders[index].passedBefore || passed.contains(address)
                guard let passes = candidates[address], !passes.isEmpty else { continue }
                var lastDays: [Int: Int] = [:]
                for (voice, day) in passes { lastDays[voice] = max(lastDays[voice] ?? day, day) }
                let last = lastDays.values.sorted(by: >).prefix(Readiness.reportersNeeded).last ?? 0
                facts.senders[index].proofs[address] = DomainFacts.Proof(
                    witnesses: lastDays.count, isMajority: reports.isMajority(Set(lastDays.keys)), days: Set(passes.map(\.day)).count,
                    lastDay: Day(last))
            }
        }
    }
}

extension SenderSum {
    fileprivate mutating func add(_ flow: SeenFlow, _ index: Int32) {
        sender.treatment.add(flow.treatment)
        sender.firstDay = min(sender.firstDay, Day(Int(flow.firstDay)))
        sender.lastDay = max(sender.lastDay, Day(Int(flow.lastDay)))
        voices |= flow.voices
        settled |= flow.settled
        flows.append(index)
    }

    /// Its messages as they decide.
    fileprivate func byVoice(_ seen: SeenRecords) -> ByVoice {
        var counts = ByVoice()
        for index in flows { seen.forEachVoice(of: seen.flows[Int(index)]) { counts.add($1, of: $0) } }
        return counts
    }

    /// Results that were not read say nothing, in particular not that there was no signature.
    fileprivate mutating func addSignatures(_ seen: SeenRecords) {
        for index in flows {
            let flow = seen.flows[Int(index)]
            guard let look = seen.looks[Int(flow.set)] else { continue }
            sender.signed += look.isSigned ? flow.messages : 0
            sender.broken += look.isBroken ? flow.messages : 0
            // What SPF carries alone; what fails for a while, as with a temporary error, is carried by nothing.
            sender.unsigned += look.signatures.isEmpty ? (sender.verdict == .authorized ? flow.passed : flow.messages) : 0
            sender.foreignPassed += look.spf == .foreignPass ? flow.messages : 0
            sender.foreignSigned += look.foreignSignature == nil ? 0 : flow.messages
        }
    }
}

extension IPAddress {
    /// An order of addresses that needs no text.
    package func isBefore(_ other: IPAddress) -> Bool {
        if isIPv4 != other.isIPv4 { return isIPv4 }
        return (high, low) < (other.high, other.low)
    }

    /// The /24 or /48 it lies in.
    package var network: IPAddress {
        isIPv4 ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low) & 0xFFFF_FF00) : IPAddress(high: high & 0xFFFF_FFFF_FFFF_0000, low: 0)
    }
}
