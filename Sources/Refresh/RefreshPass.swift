import DMARC
import GRDB
import Inference
import Organisations
import Store

/// One refresh, inside its transaction.
///
/// New records are added up to flows, history learns from these, and the networks that this touches are judged. Records that fit into memory
/// stay there, and each flow is written once, with its verdict. Of more than that the flows are written first, chunk after chunk, and read back
/// to be judged.
final class RefreshPass {
    private let db: Database
    private let suffixes: PublicSuffixes
    private let known: Int
    private let recordsInMemory: Int
    private let outcomes: Outcomes
    private let voices: Voices
    private let services: Services
    private let history: History
    private var result = VerdictRefresh.Outcome()
    private var touched: Set<Network> = []
    /// Policy domains, known before, whose witnesses are not the same any more, or weigh otherwise.
    private var reweighed: Set<Int> = []
    /// Flows known before with a verdict that they had not.
    private var changed: [FlowKey: (days: ClosedRange<Int>, verdict: Int)] = [:]

    init(_ db: Database, known: Int, suffixes: PublicSuffixes, services: Services, recordsInMemory: Int) throws {
        self.db = db
        self.suffixes = suffixes
        self.known = known
        self.recordsInMemory = recordsInMemory
        self.services = services
        outcomes = try Outcomes(Facts(db), suffixes, isWriting: true)
        voices = try Voices(db, outcomes)
        history = History(db)
    }

    /// Brings the verdicts up to date; nil, and nothing may be kept of what was written, if somebody who was heard is heard no more: then all is
    /// to be made anew.
    func run() throws -> VerdictRefresh.Outcome? {
        try VoiceNames(db, suffixes).fill(after: known)
        let taken = try TakenOut(db, known: known)
        let new = try NewRecords(db, after: known)
        try new.add(db, taken.late, isEntered: false)
        result.reports = new.reports.count
        guard !new.reports.isEmpty || !taken.isEmpty else { return result }
        // So much that making all of it anew is no more work.
        guard try taken.read(most: recordsInMemory) else { return nil }
        try voices.takeOut(taken.reports, upTo: known)
        guard try hear(new) else { return nil }
        reweighed = try voices.domainsOfChangedOrganisations()
        // One sort is quicker than an entry at a time, where everything is new.
        if known == 0 { try db.execute(sql: "DROP INDEX flows_authentication") }
        let verdicts = try RecordVerdicts(db)
        try takeOut(taken, verdicts)
        if let all = try new.all(most: recordsInMemory) {
            try all.forEachFlow(learn)
            try writeHistory()
            try verdicts.enter(all, try judge(all))
        } else {
            try stage(new)
            try writeHistory()
            try judgeStaged()
            outcomes.forget()
            try new.forEachChunk(most: recordsInMemory) { try verdicts.enter($0) }
        }
        if known == 0 { try indexFlows() }
        try verdicts.correct(changed)
        try verdicts.writeDaily()
        try enterKeyedResults()
        return result
    }

    /// Enters the results of chunks of sets that are whole by now. Sets never change, so neither do chunks.
    private func enterKeyedResults() throws {
        let first = try Int.fetchOne(db, sql: "SELECT max(chunk) + 1 FROM keyed_results") ?? 0
        let sets = try Int.fetchOne(db, sql: "SELECT max(id) + 1 FROM authentication_sets") ?? 0
        // The empty name belongs to nobody.
        let empty = try Int.fetchOne(db, sql: "SELECT id FROM names WHERE name = ''")
        let rows = try SQLRows(db, KeyedResults.resultsSQL)
        let insert = try HotStatement(db, "INSERT INTO keyed_results (chunk, results) VALUES (?, ?)")
        for chunk in first..<max(first, sets / KeyedResult.setsInChunk) {
            let results = try KeyedResult.sets(ofChunk: chunk, rows) { $0 == empty ? KeyedResult.Party() : try outcomes.party(of: $0) }
            insert.bind(1, chunk)
            insert.bind(2, bytes: KeyedResult.pack(results))
            try insert.run()
        }
    }

    /// SQLite sorts in pieces of the size of its cache, beside it.
    private func indexFlows() throws {
        let usual = try Int.fetchOne(db, sql: "PRAGMA cache_size") ?? -32768
        try db.execute(sql: "PRAGMA cache_size = -8192")
        try db.execute(sql: "CREATE INDEX flows_authentication ON flows (authentication_id, messages, verdict)")
        try db.execute(sql: "PRAGMA cache_size = \(usual)")
    }

    // MARK: - Voices

    /// Finds out whose reports are heard, and adds the older ones of those who are heard from now on. False: somebody is heard no more.
    private func hear(_ new: NewRecords) throws -> Bool {
        for report in new.reports {
            if let voice = report.voice { try voices.add(report, of: voice) }
        }
        guard case .promoted(let promoted) = try voices.settle() else { return false }
        let entered = try voices.unheardReports(of: promoted, upTo: known)
        try new.add(db, entered, isEntered: true)
        try new.setBits { report in try report.voice.map { try voices.bit(of: $0, domain: report.domain) } ?? 0 }
        let heard = try HotStatement(db, "DELETE FROM unheard_reports WHERE domain_id = ? AND report_id = ?")
        let unheard = try HotStatement(
            db, "INSERT INTO unheard_reports (domain_id, report_id, voice_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        for report in new.reports {
            if report.isEntered {
                heard.bind(1, report.domain)
                heard.bind(2, report.id)
                try heard.run()
            } else if report.voiceBit == 0 {
                unheard.bind(1, report.domain)
                unheard.bind(2, report.id)
                unheard.bind(3, report.voice.map { Int64($0) })
                try unheard.run()
            }
        }
        return true
    }

    /// Takes reports out of the figures by verdict, the packed records, the flows, and what was learned of these.
    private func takeOut(_ taken: TakenOut, _ verdicts: RecordVerdicts) throws {
        guard !taken.records.isEmpty else { return }
        try verdicts.takeOut(taken.records)
        let flows = try taken.restoreFlows(voices, outcomes)
        try history.takeOut(flows) { body in
            try FlowTable.forEachNetwork(Facts(db), outcomes) { flows in
                for stored in flows { try body(stored.flow.key, stored.flow.sums, stored.flow.shape) }
            }
        }
        for flow in taken.flows { touched.insert(Network(flow.source)) }
    }

    // MARK: - Flows

    private func writeHistory() throws {
        try history.write(reweighed: reweighed)
    }

    private func learn(_ new: NewFlow) throws {
        let key = new.key
        try history.add(key, new.sums, outcomes.shape(domain: key.domain, authentication: key.authentication, aligned: key.aligned))
        if known > 0 { touched.insert(Network(key.source)) }
    }

    /// Writes the flows of more records than are kept in memory. Verdict 0: not judged yet.
    private func stage(_ new: NewRecords) throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO flows (source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits,
                day_bits, overrides, verdict, confidence, notes, evidence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)
            ON CONFLICT DO UPDATE SET messages = \(Witnesses.kept("messages")) + excluded.messages,
                records = \(Witnesses.kept("records")) + excluded.records, first_day = \(Witnesses.kept("min", "first_day")),
                last_day = \(Witnesses.kept("max", "last_day")), reporter_bits = reporter_bits | excluded.reporter_bits,
                day_bits = \(Witnesses.kept("day_bits")) | excluded.day_bits, overrides = \(Witnesses.kept("overrides")) + excluded.overrides
            WHERE \(Witnesses.condition)
            """)
        try new.forEachChunk(most: recordsInMemory) { chunk in
            try chunk.forEachFlow { new in
                try learn(new)
                insert.bind(new.key, new.sums)
                try insert.run()
            }
        }
    }

    // MARK: - Verdicts

    /// Judges the networks that are touched, with the new flows of `chunk`. Gives the verdicts of its records.
    private func judge(_ chunk: RecordChunk) throws -> [UInt8] {
        var verdicts = [UInt8](repeating: UInt8(Verdict.unknown.stored), count: chunk.records.count)
        var place = 0
        let judging = try Judging(db, services, outcomes)
        func settle(_ network: Network, _ stored: [StoredFlow]) throws {
            let flows = try add(chunk, &place, network, to: stored)
            try self.settle(flows, judging) { new, verdict in
                for place in chunk.records(of: new) { verdicts[place] = UInt8(verdict) }
            }
        }
        if known == 0 {
            while let new = chunk.flow(at: place) { try settle(Network(new.key.source), []) }
        } else {
            try TouchedNetworks(db, outcomes).find(history, &touched)
            for network in touched.sorted() { try settle(network, try FlowTable.flows(Facts(db), outcomes, of: network)) }
        }
        return verdicts
    }

    /// Judges networks whose flows all stand in the table.
    private func judgeStaged() throws {
        let judging = try Judging(db, services, outcomes)
        if known == 0 {
            try FlowTable.forEachNetwork(Facts(db), outcomes) { try settle($0, judging) { _, _ in } }
        } else {
            try TouchedNetworks(db, outcomes).find(history, &touched)
            for network in touched.sorted() { try settle(try FlowTable.flows(Facts(db), outcomes, of: network), judging) { _, _ in } }
        }
    }

    /// The flows of a network with the new ones from `place` on added to them. Both are in order, and stay so.
    private func add(_ chunk: RecordChunk, _ place: inout Int, _ network: Network, to stored: [StoredFlow]) throws -> [StoredFlow] {
        var flows: [StoredFlow] = []
        var rest = stored[...]
        while let new = chunk.flow(at: place), Network(new.key.source) == network {
            place = new.places.upperBound
            while let next = rest.first, next.flow.key < new.key { flows.append(rest.removeFirst()) }
            if var known = rest.first, known.flow.key == new.key {
                rest.removeFirst()
                known.flow.add(new.sums)
                known.new = new
                flows.append(known)
            } else {
                let key = new.key
                var flow = Flow(
                    source: key.source, domain: key.domain, authentication: key.authentication, aligned: key.aligned,
                    shape: try outcomes.shape(domain: key.domain, authentication: key.authentication, aligned: key.aligned))
                flow.add(new.sums)
                flows.append(StoredFlow(flow: flow, verdict: 0, judgement: Judgement(), new: new))
            }
        }
        return flows.isEmpty ? stored : flows + rest
    }

    /// What flows are judged with, and written.
    private struct Judging {
        let judge: Judge<StoredKnowledge>
        let write: HotStatement

        init(_ db: Database, _ services: Services, _ outcomes: Outcomes) throws {
            judge = Judge(knowledge: try StoredKnowledge(Facts(db), services, outcomes))
            write = try HotStatement(
                db,
                """
                INSERT INTO flows (source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits,
                    day_bits, overrides, verdict, confidence, notes, evidence)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET messages = excluded.messages, records = excluded.records, first_day = excluded.first_day,
                    last_day = excluded.last_day, reporter_bits = excluded.reporter_bits, day_bits = excluded.day_bits,
                    overrides = excluded.overrides, verdict = excluded.verdict, confidence = excluded.confidence, notes = excluded.notes,
                    evidence = excluded.evidence
                """)
        }
    }

    /// Judges the flows of one network, and writes what is new or different. `body` gets the verdict of each that has new records in memory.
    private func settle(_ flows: [StoredFlow], _ judging: Judging, _ body: (NewFlow, Int) -> Void) throws {
        guard !flows.isEmpty else { return }
        result.flows += flows.count
        for (stored, judgement) in zip(flows, try judging.judge.judge(flows.map(\.flow))) {
            let verdict = judgement.verdict.stored
            if let new = stored.new { body(new, verdict) }
            guard stored.new != nil || stored.verdict == 0 || stored.judgement != judgement else { continue }
            let flow = stored.flow
            if stored.verdict != 0, stored.verdict != verdict {
                changed[flow.key] = (flow.firstDay...flow.lastDay, verdict)
                result.changed += 1
            }
            judging.write.bind(flow.key, flow.sums)
            judging.write.bind(12, verdict)
            judging.write.bind(13, judgement.confidence)
            judging.write.bind(14, judgement.notes.rawValue)
            judging.write.bind(15, judgement.evidence.bits)
            try judging.write.run()
        }
    }
}

extension HotStatement {
    /// Binds the first eleven columns of `flows`.
    fileprivate func bind(_ key: FlowKey, _ sums: FlowSums) {
        bind(1, key.source)
        bind(2, key.domain)
        bind(3, key.authentication)
        bind(4, key.aligned)
        bind(5, sums.messages)
        bind(6, sums.records)
        bind(7, sums.firstDay)
        bind(8, sums.lastDay)
        bind(9, sums.reporterBits)
        bind(10, sums.dayBits)
        bind(11, sums.overrides)
    }
}
