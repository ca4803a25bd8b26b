import DMARC
import GRDB
import Inference
import Store

/// Writes the verdicts of flows on their records, and on the packed ones, and what they add up to by day.
final class RecordVerdicts {
    private struct DailyKey: Hashable, Comparable {
        let domain: Int
        let verdict: Int
        let day: Int

        static func < (a: DailyKey, b: DailyKey) -> Bool { (a.domain, a.verdict, a.day) < (b.domain, b.verdict, b.day) }
    }

    private let db: Database
    private let update: HotStatement
    private let rows: SQLRows
    private let packing: RecordPacking
    private var daily: [DailyKey: (messages: Int, passed: Int)] = [:]

    init(_ db: Database) throws {
        self.db = db
        rows = try SQLRows(db, Self.recordsSQL)
        packing = try RecordPacking(db)
        update = try HotStatement(
            db, "UPDATE records SET verdict = ? WHERE domain_id = ? AND counted_as = ? AND day = ? AND report_id = ? AND sequence = ?")
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
            let report = chunk.report(of: record).id
            try packing.add(record, day: day, report: report, verdict: verdict)
            guard record.verdict != verdict else { continue }
            try set(verdict, record.domain, countedAs, day, report, record.sequence)
        }
        try packing.flush()
    }

    private func set(_ verdict: Int, _ domain: Int, _ countedAs: Int, _ day: Int, _ report: Int, _ sequence: Int) throws {
        update.bind(1, verdict)
        update.bind(2, domain)
        update.bind(3, countedAs)
        update.bind(4, day)
        update.bind(5, report)
        update.bind(6, sequence)
        try update.run()
    }

    /// Takes records out of the figures by day, and out of the packed ones.
    func takeOut(_ records: [TakenOut.Record]) throws {
        var places: [RecordPacking.Place: Set<Int>] = [:]
        for record in records {
            let countedAs = record.flow.aligned == 0 ? 1 : 0
            count(record.flow.domain, record.day, record.verdict, -record.messages, countedAs == 0 ? -record.messages : 0)
            places[RecordPacking.Place(domain: record.flow.domain, day: record.day, countedAs: countedAs), default: []].insert(
                record.report)
        }
        for (place, reports) in places { try packing.takeOut(reports, place) }
    }

    // MARK: - Older records

    /// Question: the records of a report on a day. Unit: one row a record. Index: primary key of `records`, one contiguous range.
    static let recordsSQL = """
        SELECT source, authentication_id, dkim, spf, messages, sequence, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4
        """

    private struct Part: Hashable {
        let domain: Int
        let countedAs: Int
    }

    private struct Correction {
        let sequence: Int
        let messages: Int
        let old: Int
        let new: Int
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
            for span in Witnesses.merged(days + (try Witnesses.otherDays(db, of: part.domain))) {
                let places = try packing.correct(part.domain, countedAs: part.countedAs, days: span) {
                    sets[$0.authentication] == nil ? nil : changed[$0]?.verdict
                }
                for place in places.sorted(by: { ($0.day, $0.report) < ($1.day, $1.report) }) { try correct(changed, part, place) }
            }
        }
    }

    private func correct(
        _ changed: [FlowKey: (days: ClosedRange<Int>, verdict: Int)], _ part: Part, _ place: RecordPacking.Changed
    ) throws {
        var found: [Correction] = []
        try rows.restart(part.domain, part.countedAs, place.day, place.report)
        while try rows.next() {
            let key = FlowKey(
                source: try rows.address(0), domain: part.domain, authentication: rows.int(1), aligned: rows.int(2) << 1 | rows.int(3))
            guard let verdict = changed[key]?.verdict, verdict != rows.int(6) else { continue }
            found.append(Correction(sequence: rows.int(5), messages: rows.int(4), old: rows.int(6), new: verdict))
        }
        for record in found {
            let passed = part.countedAs == 0 ? record.messages : 0
            count(part.domain, place.day, record.old, -record.messages, -passed)
            count(part.domain, place.day, record.new, record.messages, passed)
            try set(record.new, part.domain, part.countedAs, place.day, place.report, record.sequence)
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
        daily.removeAll()
        // A verdict that all of a day's records lost leaves no row: so would making all of them anew.
        try db.execute(
            sql: """
                DELETE FROM daily_verdicts AS v
                WHERE messages = 0 AND NOT EXISTS (
                    SELECT 1 FROM records r
                    WHERE r.domain_id = v.domain_id AND r.counted_as IN (0, 1) AND r.day = v.day AND r.verdict = v.verdict)
                """)
    }
}
