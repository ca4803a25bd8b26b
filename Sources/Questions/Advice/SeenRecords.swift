import Advice
import DMARC
import Store

/// What a set of results says about a domain.
package struct Look {
    package var spf = DomainFacts.SPFKind.none
    package var spfDomain: String?
    /// SPF of one of the domain's own names, as the reporter said it.
    var ownSPF: (domain: String, result: AuthenticationResult)?
    package var signatures: [(domain: String, selector: String, result: AuthenticationResult)] = []
    var foreignSignature: String?

    var isSigned = false
    package var isBroken = false
}

/// All records of a verdict with the same set of results.
struct SetSum {
    var messages = 0
    var voices: UInt128 = 0
    var firstDay = Int.max
    var lastDay = Int.min
}

/// Records that are alike in source, results and verdict.
struct SeenFlow {
    /// Number among the sources of the domain.
    var source: Int32
    /// Number among the sets of results of the domain.
    var set: Int32
    /// Of the verdict, 2 to 9.
    var number: UInt8
    var firstDay: Int32
    var lastDay: Int32
    var messages = 0
    var passed = 0
    var quarantined = 0
    var rejected = 0
    /// A bit for each voice that saw it.
    var voices: UInt128 = 0
    /// Those whose reports did not arrive in the last days only.
    var settled: UInt128 = 0
    /// Place of the latest of its `VoiceMessages`.
    fileprivate var share: Int32 = -1

    var treatment: DomainFacts.Treatment {
        DomainFacts.Treatment(
            messages: messages, passed: passed, delivered: messages - passed - quarantined - rejected, quarantined: quarantined,
            rejected: rejected)
    }
}

/// What one voice says of a flow.
private struct VoiceMessages {
    let voice: Int32
    /// Place of the next one of the same flow; -1: none.
    let next: Int32
    var messages: Int
}

/// The records of a domain in the period, added up in one pass. Sources and sets of results are numbered from 0, so that all else is arrays.
struct SeenRecords {
    /// Messages in the name of a name in From, by its key.
    struct HeaderSum {
        var spoofed = 0
        var delivered = 0
        var others = 0
        /// Who saw strangers use it.
        var voices: UInt128 = 0
    }

    private(set) var table = SourceTable()
    private(set) var flows: [SeenFlow] = []
    /// The key of each set of results.
    private(set) var setKeys: [Int] = []
    /// The names in From that were met, by key, and what was sent in them.
    private(set) var headers: [(name: Int, sum: HeaderSum)] = []
    /// What each set says; nil: it was not read.
    var looks: [Look?] = []
    /// Whether a count was out of all proportion, so that not all of it decides.
    private(set) var hasOutliers = false
    /// Messages of strangers since the present policy stands; nil: no report shows one.
    private(set) var strangersNow: DomainFacts.Treatment?
    private let policySince: Int
    private var shares: [VoiceMessages] = []

    init(_ reader: DomainFactsReader, _ domain: PolicyDomain, _ reports: HeardReports, policySince: Day? = nil) throws {
        self.policySince = policySince?.number ?? .max
        strangersNow = policySince.map { _ in DomainFacts.Treatment() }
        var index = FlowIndex()
        var headerPlaces = KeyedPlaces()
        var outliers = Outliers(reader.period, voices: reports.voices)
        try read(domain, .failed, reader, reports, &index, &headerPlaces, &outliers)
        // Who else uses a name below the domain matters only where strangers do.
        var hasStrangersBelow = false
        for (key, sum) in headers where sum.spoofed > 0 {
            hasStrangersBelow = try hasStrangersBelow || reader.names.name(key) != domain.name
        }
        try read(
            domain, hasStrangersBelow ? .passed : .passedWithoutNames, reader, reports, &index, &headerPlaces, &outliers)
        for outlier in outliers.find() { try setAside(outlier, domain, reader, reports, &index) }
        for key in setKeys { reader.setPlaces[key] = -1 }
    }

    private enum Kind {
        case failed, passed, passedWithoutNames
    }

    private mutating func read(
        _ domain: PolicyDomain, _ kind: Kind, _ reader: DomainFactsReader, _ reports: HeardReports, _ index: inout FlowIndex,
        _ headerPlaces: inout KeyedPlaces, _ outliers: inout Outliers
    ) throws {
        var (lastReport, voice, bit, isSettled) = (-1, 0, UInt128(0), true)
        try reader.records.forEach(of: domain.id, in: reader.period, kind == .failed ? .failed : .passed) { record, recordDay in
            let report = record.report
            if report != lastReport {
                lastReport = report
                (voice, isSettled) = reports[report]
                bit = UInt128(1) << UInt128(voice)
            }
            let messages = record.messages
            let set = try setNumber(of: record.authentication, reader)
            let stored = record.verdict
            // What is no verdict counts as unknown.
            let number = (3...9).contains(stored) ? UInt8(stored) : 2
            let day = Int32(truncatingIfNeeded: recordDay)
            let source = Int32(table.number(of: record.source))
            let place = index.place(source: source, set: set, number: number)
            if place == flows.count {
                flows.append(SeenFlow(source: source, set: set, number: number, firstDay: day, lastDay: day))
            }
            flows[place].messages += messages
            var isDelivered = false
            if kind != .failed {
                flows[place].passed += messages
            } else {
                let disposition = AppliedDisposition(stored: record.disposition)
                isDelivered = disposition.isDelivered
                flows[place].quarantined += disposition == .quarantine ? messages : 0
                flows[place].rejected += disposition == .reject ? messages : 0
            }
            flows[place].firstDay = min(flows[place].firstDay, day)
            flows[place].lastDay = max(flows[place].lastDay, day)
            flows[place].voices |= bit
            if isSettled { flows[place].settled |= bit }
            if Int(number) == Verdict.spoofed.stored, recordDay >= policySince {
                strangersNow?.messages += messages
                strangersNow?.passed += kind == .failed ? 0 : messages
                strangersNow?.delivered += isDelivered ? messages : 0
            }
            add(messages, of: voice, to: place)
            outliers.note(messages, voice: voice, day: recordDay, verdict: Int(number))
            if kind == .passedWithoutNames { return }
            let header = headerPlace(of: record.headerFrom, &headerPlaces)
            if Int(number) == Verdict.spoofed.stored {
                headers[header].sum.spoofed += messages
                headers[header].sum.voices |= bit
                if isDelivered { headers[header].sum.delivered += messages }
            } else {
                headers[header].sum.others += messages
            }
        }
    }

    /// Few voices see a flow, or few flows are seen by many.
    @inline(__always)
    private mutating func add(_ messages: Int, of voice: Int, to place: Int) {
        var share = flows[place].share
        while share >= 0 {
            if shares[Int(share)].voice == Int32(voice) {
                shares[Int(share)].messages += messages
                return
            }
            share = shares[Int(share)].next
        }
        shares.append(VoiceMessages(voice: Int32(voice), next: flows[place].share, messages: messages))
        flows[place].share = Int32(shares.count - 1)
    }

    /// Takes back what may not count of an outlier: the records of that day are read again.
    @inline(never)
    private mutating func setAside(
        _ outlier: (voice: Int, day: Int, verdict: Int, kept: Double), _ domain: PolicyDomain, _ reader: DomainFactsReader,
        _ reports: HeardReports, _ index: inout FlowIndex
    ) throws {
        hasOutliers = true
        let day = Period(since: Day(outlier.day), until: Day(outlier.day))
        try reader.records.forEach(of: domain.id, in: day) { record, _ in
            let stored = record.verdict
            let number = (3...9).contains(stored) ? UInt8(stored) : 2
            guard Int(number) == outlier.verdict, reports[record.report].voice == outlier.voice, let source = table.find(record.source)
            else { return }
            let set = try setNumber(of: record.authentication, reader)
            let place = index.place(source: Int32(source), set: set, number: number)
            let cut = record.messages - Int((Double(record.messages) * outlier.kept).rounded())
            if place < flows.count { add(-cut, of: outlier.voice, to: place) }
        }
    }

    /// Calls `body` with what each voice says of a flow, outliers set aside.
    func forEachVoice(of flow: SeenFlow, _ body: (_ voice: Int, _ messages: Int) -> Void) {
        var share = flow.share
        while share >= 0 {
            body(Int(shares[Int(share)].voice), shares[Int(share)].messages)
            share = shares[Int(share)].next
        }
    }

    @inline(__always)
    private mutating func headerPlace(of name: Int, _ places: inout KeyedPlaces) -> Int {
        if let place = places[name] { return place }
        places[name] = headers.count
        headers.append((name, HeaderSum()))
        return headers.count - 1
    }

    @inline(__always)
    private mutating func setNumber(of key: Int, _ reader: DomainFactsReader) throws -> Int32 {
        // A packed record may name anything once it is damaged.
        guard reader.setPlaces.indices.contains(key) else {
            throw Facts.damage("a record of a set of results that is not there")
        }
        let known = reader.setPlaces[key]
        if known >= 0 { return known }
        let number = Int32(setKeys.count)
        reader.setPlaces[key] = number
        setKeys.append(key)
        return number
    }

    /// By number of verdict, then of set.
    func sets() -> [[SetSum]] {
        var sets = [[SetSum]](
            repeating: [SetSum](repeating: SetSum(), count: setKeys.count), count: DomainFactsReader.verdictNumbers)
        for flow in flows {
            let (number, set) = (Int(flow.number), Int(flow.set))
            sets[number][set].messages += flow.messages
            sets[number][set].voices |= flow.voices
            sets[number][set].firstDay = min(sets[number][set].firstDay, Int(flow.firstDay))
            sets[number][set].lastDay = max(sets[number][set].lastDay, Int(flow.lastDay))
        }
        return sets
    }
}

/// Numbers flows 0, 1, 2 … by source, set and verdict: an open-addressing hash table, quicker than a dictionary, with a seed of its own in every
/// process because strangers choose the sources.
private struct FlowIndex {
    private var keys = [UInt64](repeating: .max, count: 4096)
    private var numbers = [Int32](repeating: -1, count: 4096)
    private var count = 0
    private static let seed = UInt64.random(in: .min ... .max)

    /// The number of a flow, a new one if it has none yet. Sources and sets have 32 and 28 bits, which is more than a database holds.
    @inline(__always)
    mutating func place(source: Int32, set: Int32, number: UInt8) -> Int {
        let key = UInt64(UInt32(bitPattern: source)) << 32 | UInt64(UInt32(bitPattern: set)) << 4 | UInt64(number & 15)
        var slot = Self.slot(key, keys.count)
        while numbers[slot] >= 0 {
            if keys[slot] == key { return Int(numbers[slot]) }
            slot = (slot &+ 1) & (keys.count - 1)
        }
        keys[slot] = key
        numbers[slot] = Int32(count)
        count += 1
        if count * 2 > keys.count { grow() }
        return count - 1
    }

    private mutating func grow() {
        let (oldKeys, oldNumbers) = (keys, numbers)
        keys = [UInt64](repeating: .max, count: oldKeys.count * 4)
        numbers = [Int32](repeating: -1, count: keys.count)
        for (key, number) in zip(oldKeys, oldNumbers) where number >= 0 {
            var slot = Self.slot(key, keys.count)
            while numbers[slot] >= 0 { slot = (slot &+ 1) & (keys.count - 1) }
            keys[slot] = key
            numbers[slot] = number
        }
    }

    @inline(__always)
    private static func slot(_ key: UInt64, _ size: Int) -> Int {
        var z = (key ^ seed) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 32)) &* 0x94D0_49BB_1331_11EB
        return Int(truncatingIfNeeded: z ^ (z >> 31)) & (size - 1)
    }
}

extension DomainFactsReader {
    /// Names below the policy domain in From.
    package func subdomains(of domain: PolicyDomain, _ seen: SeenRecords, _ reports: HeardReports) throws -> [DomainFacts.Subdomain] {
        var subdomains: [DomainFacts.Subdomain] = []
        for (id, sum) in seen.headers {
            guard let name = try names.name(id), name.hasSuffix("." + domain.name) else { continue }
            subdomains.append(
                DomainFacts.Subdomain(
                    name: name, spoofed: sum.spoofed, delivered: sum.delivered, others: sum.others,
                    witnesses: Set((0..<reports.voices).filter { sum.voices >> UInt128($0) & 1 == 1 && reports.isWitness($0) })
                ))
        }
        return subdomains.sorted { $0.name < $1.name }
    }
}
