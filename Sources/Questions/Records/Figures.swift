import DMARC
import Store

/// What records come to: the one sum that the rows of all tables by source are made of. Messages unless said otherwise.
struct Figures: Sendable {
    var messages = 0
    /// Neither DKIM nor SPF aligned.
    var failed = 0
    var spfAligned = 0
    var dkimAligned = 0
    /// Failed messages by what was done with them.
    var delivered = 0
    var quarantined = 0
    var rejected = 0
    private var firstNumber = Int.max
    private var lastNumber = Int.min

    /// The first and the last day with such records; nil: there are none.
    var days: ClosedRange<Day>? { firstNumber <= lastNumber ? Day(firstNumber)...Day(lastNumber) : nil }

    @inline(__always)
    mutating func add(_ record: PackedRecord, _ day: Int) {
        let count = record.messages
        messages += count
        if record.spf { spfAligned += count }
        if record.dkim { dkimAligned += count }
        if record.aligned == 0 {
            failed += count
            switch AppliedDisposition(stored: record.disposition) {
            case .none, .pass: delivered += count
            case .quarantine: quarantined += count
            case .reject: rejected += count
            }
        }
        firstNumber = min(firstNumber, day)
        lastNumber = max(lastNumber, day)
    }
}

/// The records of a row of a table by source: their figures, who reported them, and the flows that they belong to.
struct RowFacts: Sendable {
    private struct Flow: Hashable {
        var authentication: Int
        var aligned: Int
        var verdict: Int
    }

    private(set) var figures = Figures()
    private(set) var reporters: Set<Int> = []
    private var lastReport = -1
    private var messages: [Flow: Int] = [:]

    mutating func add(_ record: PackedRecord, _ day: Int, _ reporterOf: inout ReporterLookup) throws {
        figures.add(record, day)
        // Records of a report stand together.
        if record.report != lastReport {
            lastReport = record.report
            reporters.insert(try reporterOf.reporter(record.report))
        }
        let flow = Flow(authentication: record.authentication, aligned: record.aligned, verdict: record.verdict)
        messages[flow, default: 0] += record.messages
    }

    /// In no order.
    var flows: [PeriodFlow] {
        messages.map {
            PeriodFlow(authentication: $0.key.authentication, aligned: $0.key.aligned, verdict: $0.key.verdict, messages: $0.value)
        }
    }

    /// The key of the set of results that most messages share.
    func usualResults(_ authentications: inout AuthenticationLookup) throws -> Int? {
        var sets: [Int: Int] = [:]
        for (flow, messages) in messages { sets[flow.authentication, default: 0] += messages }
        return try authentications.usual(of: sets)
    }

    /// The verdict of most messages, of equals the one with the lower number.
    var usualVerdict: Verdict {
        var totals: [Int: Int] = [:]
        for (flow, messages) in messages { totals[flow.verdict, default: 0] += messages }
        return totals.max { ($0.value, $1.key) < ($1.value, $0.key) }.map { Verdict(stored: $0.key) } ?? .unknown
    }

    /// The flows with a verdict.
    func flows(with verdict: Verdict) -> [PeriodFlow] { flows.filter { Verdict(stored: $0.verdict) == verdict } }
}
