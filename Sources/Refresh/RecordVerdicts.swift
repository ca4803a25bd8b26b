import DMARC
import GRDB
import Inference
import Store

/// Writes the verdicts of flows on the packed records, and what they add up to by day.
final class RecordVerdicts {
    private struct DailyKey: Hashable, Comparable {
        let domain: Int
        let verdict: Int
        let day: Int

        static func < (a: DailyKey, b: DailyKey) -> Bool { (a.domain, a.verdict, a.day) < (b.domain, b.verdict, b.day) }
    }

    private let db: Database
    private let packing: RecordPacking
    private var daily: [DailyKey: (messages: Int, passed: Int)] = [:]

    init(_ db: Database) throws {
        self.db = db
        packing = try RecordPacking(db)
    }

    /// Gives new records the verdicts of their flows, which stand in the table.
    func enter(_ chunk: RecordChunk) throws {
        let rows = try SQLRows(
            db, "SELECT verdict FROM flows WHERE source = ?1 AND domain_id = ?2 AND authentication_id = ?3 AND aligned = ?4")
        var verdicts = [UInt8](repeating: UInt8(Verdict.unknown.stored), count: chunk.records.count)
        // In the order of the flows, whose table is much larger than what is kept of it in memory.
        try chunk.forEachFlow { flow in
            try rows.restart(address: flow.key.source, flow.key.domain, flow.key.authentication, flow.key.aligned)
            guard try rows.next() else { return }
            for place in chunk.records(of: flow) { verdicts[place] = UInt8(rows.int(0)) }
        }
        try enter(chunk, verdicts)
    }

    /// Gives new records their verdicts.
    func enter(_ chunk: RecordChunk, _ verdicts: [UInt8]) throws {
        for (place, record) in chunk.records.enumerated() where !chunk.report(of: record).isEntered {
            let verdict = Int(verdicts[place])
            let day = chunk.day(of: record)
            let countedAs = record.aligned == 0 ? 1 : 0
            count(record.domain, day, verdict, record.messages, countedAs == 0 ? record.messages : 0)
            try packing.add(record, day: day, report: chunk.report(of: record).id, verdict: verdict)
        }
        try packing.flush()
    }

    /// Takes records out of the figures by day, and out of the packed ones.
    func takeOut(_ records: [TakenOut.Record]) throws {
        var places: [RecordPacking.Place: Set<Int>] = [:]
        for record in records {
            let place = RecordPacking.Place(domain: record.flow.domain, day: record.day, countedAs: record.flow.aligned == 0 ? 1 : 0)
            places[place, default: []].insert(record.report)
        }
        for (place, reports) in places {
            try packing.takeOut(reports, place) { record in
                count(place.domain, place.day, record.verdict, -record.messages, place.countedAs == 0 ? -record.messages : 0)
            }
        }
    }

    // MARK: - Older records

    private struct Part: Hashable {
        let domain: Int
        let countedAs: Int
    }

    /// Gives the records of older reports the verdicts that their flows have now.
    func correct(_ changed: [FlowKey: (days: ClosedRange<Int>, verdict: Int)]) throws {
        var spans: [Part: [ClosedRange<Int>]] = [:]
        for (key, change) in changed {
            spans[Part(domain: key.domain, countedAs: key.aligned == 0 ? 1 : 0), default: []].append(change.days)
        }
        // Most records have a set of results of which no flow changed, which is told more quickly than the flow is looked up.
        var sets = KeyedPlaces()
        for key in changed.keys { sets[key.authentication] = 1 }
        for (part, days) in spans {
            for span in Witnesses.merged(days + (try Witnesses.otherDays(Facts(db), of: part.domain))) {
                try packing.correct(part.domain, countedAs: part.countedAs, days: span) {
                    sets[$0.authentication] == nil ? nil : changed[$0]?.verdict
                } _: { record, day, verdict in
                    let passed = part.countedAs == 0 ? record.messages : 0
                    count(part.domain, day, record.verdict, -record.messages, -passed)
                    count(part.domain, day, verdict, record.messages, passed)
                }
            }
        }
    }

    // MARK: - Daily figures

    private func count(_ domain: Int, _ day: Int, _ verdict: Int, _ messages: Int, _ passed: Int) {
        let key = DailyKey(domain: domain, verdict: verdict, day: day)
        let sum = daily[key] ?? (0, 0)
        daily[key] = (sum.messages + messages, sum.passed + passed)
    }

    /// Writes what the verdicts of records that were entered and corrected come to.
    func writeDaily() throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO daily_verdicts (domain_id, verdict, day, messages, passed) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, passed = passed + excluded.passed
            """)
        for (key, sum) in daily.sorted(by: { $0.key < $1.key }) {
            insert.bind(1, key.domain)
            insert.bind(2, key.verdict)
            insert.bind(3, key.day)
            insert.bind(4, sum.messages)
            insert.bind(5, sum.passed)
            try insert.run()
        }
        // A verdict that all of a day's records lost leaves no row: so would making all of them anew.
        let delete = try HotStatement(db, "DELETE FROM daily_verdicts WHERE domain_id = ? AND verdict = ? AND day = ? AND messages = 0")
        for (key, sum) in daily where sum.messages <= 0 {
            delete.bind(1, key.domain)
            delete.bind(2, key.verdict)
            delete.bind(3, key.day)
            try delete.run()
        }
        daily.removeAll()
    }
}
