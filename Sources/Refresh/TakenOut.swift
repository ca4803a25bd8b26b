import DMARC
import GRDB
import Inference
import Store

/// Reports that verdicts know, and that do not count any more, or are somebody else's word: they are taken out of what is derived.
///
/// Sums could be subtracted, but not the first day, nor who saw a flow. So the flows that they had a part in are added up anew from the records that
/// are left, and what was learned of these flows from the flows that are left.
final class TakenOut {
    /// Such a report, as verdicts know it.
    struct Report {
        let id: Int
        let domain: Int
        let days: ClosedRange<Int>
        /// Whose word it was.
        let voice: Int?
        /// The networks whose mail it says is aligned.
        var hashes: Set<UInt32> = []
    }

    /// A record of one.
    struct Record {
        let report: Int
        let day: Int
        let flow: FlowKey
    }

    /// Question: the reports. Unit: one row a report. Index: rowids.
    static let reportsSQL = """
        SELECT \(NewRecords.columns), (SELECT was_counted FROM recounted_reports WHERE report_id = reports.id), is_counted,
            (SELECT voice_id FROM recounted_reports WHERE report_id = reports.id)
        FROM reports WHERE id IN (SELECT report_id FROM recounted_reports) AND id <= ?1
        """
    /// Question: the records of a report on a day, wherever it counts now. Unit: one row a record. Index: primary key of `records`, three ranges.
    static let recordsSQL = """
        SELECT source, authentication_id, dkim, spf
        FROM records
        WHERE domain_id = ?1 AND counted_as IN (0, 1, 2) AND day = ?2 AND report_id = ?3
        """
    /// Question: a flow. Unit: one row. Index: primary key of `flows`.
    static let flowSQL = """
        SELECT first_day, last_day, reporter_bits FROM flows
        WHERE source = ?1 AND domain_id = ?2 AND authentication_id = ?3 AND aligned = ?4
        """
    /// Question: whose word a report is. Unit: one row. Index: rowid.
    static let voiceSQL = "SELECT iif(authenticity <> 1, NULL, voice_id) FROM reports WHERE id = ?1"

    private let db: Database
    private(set) var reports: [Report] = []
    /// Reports that count now, and are to be added.
    private(set) var late: [Int] = []
    private(set) var records: [Record] = []
    /// What the records belong to.
    private(set) var flows: Set<FlowKey> = []
    /// Of each domain, the days of reports that teach nothing, and these reports, before it is found out who is heard.
    private var others: [Int: (days: [ClosedRange<Int>], reports: Set<Int>)] = [:]

    init(_ db: Database, known: Int) throws {
        self.db = db
        let rows = try SQLRows(db, Self.reportsSQL, [.integer(known)])
        while try rows.next() {
            let report = NewRecords.report(rows, isEntered: false)
            if rows.int(8) != 0 {
                reports.append(Report(id: report.id, domain: report.domain, days: report.days, voice: rows.optionalInt(10)))
            }
            if rows.int(9) != 0 { late.append(report.id) }
        }
    }

    var isEmpty: Bool { reports.isEmpty && late.isEmpty }

    /// Reads the records; false if there are more than `most`.
    func read(most: Int) throws -> Bool {
        let rows = try SQLRows(db, Self.recordsSQL)
        for place in reports.indices {
            let report = reports[place]
            for day in report.days {
                try rows.restart(report.domain, day, report.id)
                while try rows.next() {
                    guard records.count < most else { return false }
                    let source = try rows.address(0)
                    let aligned = rows.int(2) << 1 | rows.int(3)
                    let flow = FlowKey(source: source, domain: report.domain, authentication: rows.int(1), aligned: aligned)
                    records.append(Record(report: report.id, day: day, flow: flow))
                    flows.insert(flow)
                    if aligned != 0 { reports[place].hashes.insert(NetworkSketch.hash(of: Network(source))) }
                }
            }
        }
        let heard = try HotStatement(db, "DELETE FROM unheard_reports WHERE domain_id = ? AND report_id = ?")
        for report in reports {
            heard.bind(1, report.domain)
            heard.bind(2, report.id)
            try heard.run()
        }
        for domain in Set(reports.map(\.domain)) {
            let unheard = try Int.fetchAll(db, sql: "SELECT report_id FROM unheard_reports WHERE domain_id = ?", arguments: [domain])
            others[domain] = (try Witnesses.otherDays(Facts(db), of: domain), Set(unheard))
        }
        return true
    }

    /// Adds up the flows anew that the records had a part in, from packed records that are without them already. Those that nobody else speaks of
    /// are gone. Gives the ones that something was learned from, with how they authenticate.
    func restoreFlows(_ voices: Voices, _ outcomes: Outcomes) throws -> [(key: FlowKey, shape: FlowShape)] {
        var spans: [Int: [ClosedRange<Int>]] = [:]
        var learned: [(key: FlowKey, shape: FlowShape)] = []
        let stored = try SQLRows(db, Self.flowSQL)
        for flow in flows {
            try stored.restart(address: flow.source, flow.domain, flow.authentication, flow.aligned)
            guard try stored.next() else { continue }
            spans[flow.domain, default: []].append(stored.int(0)...max(stored.int(0), stored.int(1)))
            guard stored.int(2) != 0 else { continue }
            let shape = try outcomes.shape(domain: flow.domain, authentication: flow.authentication, aligned: flow.aligned)
            learned.append((flow, shape))
        }
        stored.stop()
        var sums: [FlowKey: FlowSums] = [:]
        for (domain, days) in spans { try add(domain, days, voices, to: &sums) }
        try write(sums)
        return learned
    }

    private func add(_ domain: Int, _ days: [ClosedRange<Int>], _ voices: Voices, to sums: inout [FlowKey: FlowSums]) throws {
        let packing = try RecordPacking(db)
        let rows = try SQLRows(db, NewRecords.recordsSQL)
        let voice = try SQLRows(db, Self.voiceSQL)
        var overrides = OverrideWeights(db)
        var bits: [Int: Int] = [:]
        let other = others[domain] ?? ([], [])
        // Most records have a set of results of none of these flows, which is told more quickly than the flow is looked up.
        var sets = KeyedPlaces()
        for flow in flows { sets[flow.authentication] = 1 }
        for countedAs in 0...1 {
            for span in Witnesses.merged(days + other.days) {
                for place in try packing.find(
                    domain, countedAs: countedAs, days: span, { sets[$0.authentication] != nil && flows.contains($0) })
                {
                    if bits[place.report] == nil {
                        try voice.restart(place.report)
                        let id = try voice.next() ? voice.optionalInt(0) : nil
                        bits[place.report] =
                            other.reports.contains(place.report) ? 0 : try id.map { try voices.bit(of: $0, domain: domain) } ?? 0
                    }
                    try rows.restart(domain, countedAs, place.day, place.report, 0)
                    while try rows.next() {
                        let key = FlowKey(
                            source: try rows.address(0), domain: domain, authentication: rows.int(1),
                            aligned: rows.int(2) << 1 | rows.int(3))
                        guard flows.contains(key) else { continue }
                        let override = rows.int(5)
                        sums[key, default: FlowSums()].add(
                            messages: rows.int(4), day: place.day, reporterBit: bits[place.report] ?? 0,
                            override: override == 0 ? 0 : OverrideWeights.sum(try overrides.weight(override)))
                    }
                }
            }
        }
    }

    private func write(_ sums: [FlowKey: FlowSums]) throws {
        let update = try HotStatement(
            db,
            """
            UPDATE flows SET messages = ?, records = ?, first_day = ?, last_day = ?, reporter_bits = ?, day_bits = ?, overrides = ?
            WHERE source = ? AND domain_id = ? AND authentication_id = ? AND aligned = ?
            """)
        let delete = try HotStatement(
            db, "DELETE FROM flows WHERE source = ? AND domain_id = ? AND authentication_id = ? AND aligned = ?")
        for flow in flows.sorted() {
            guard let sum = sums[flow] else {
                delete.bind(1, flow.source)
                delete.bind(2, flow.domain)
                delete.bind(3, flow.authentication)
                delete.bind(4, flow.aligned)
                try delete.run()
                continue
            }
            update.bind(1, sum.messages)
            update.bind(2, sum.records)
            update.bind(3, sum.firstDay)
            update.bind(4, sum.lastDay)
            update.bind(5, sum.reporterBits)
            update.bind(6, sum.dayBits)
            update.bind(7, sum.overrides)
            update.bind(8, flow.source)
            update.bind(9, flow.domain)
            update.bind(10, flow.authentication)
            update.bind(11, flow.aligned)
            try update.run()
        }
    }
}
