import DMARC
import GRDB
import ReportStore

/// Brings the verdicts up to date with the reports: after an ingest, for what it touched.
///
/// Everything here is derived: flows are sums over records, knowledge is sums over flows, verdicts are functions of both. So a refresh of
/// what is new gives what making all of it anew would give, and the order in which reports came does not matter.
public struct VerdictRefresh: Sendable {
    /// What a refresh did.
    public struct Outcome: Hashable, Sendable {
        /// Reports that verdicts did not know yet.
        public var reports = 0
        /// Flows that were judged.
        public var flows = 0
        /// Of them, those known before whose verdict changed.
        public var changed = 0
        /// Whether all was made anew.
        public var isRebuild = false
    }

    /// Raised when the same reports would get other verdicts than before.
    static let rulesVersion = 2
    /// Flows that are kept in memory at a time, about 100 bytes each: a bound on memory.
    static let flowsInMemory = 300_000
    /// Records that are kept in memory at a time.
    static let recordsInMemory = 100_000

    private let suffixFile: String?

    /// - Parameter suffixFile: a Public Suffix List newer than the distribution's.
    public init(suffixFile: String? = nil) { self.suffixFile = suffixFile }

    /// Question: how far the verdicts have come. Unit: one row. Index: rowid.
    static let stateSQL = "SELECT report_id, rules, is_stale FROM verdict_state WHERE id = 1"

    /// Whether there are reports that the verdicts do not know, or rules that they were not made by.
    public func isNeeded(_ store: ReportStore) throws(AnalysisError) -> Bool {
        let rules = try rules()
        return try reading(store, "verdicts") { db in
            let (known, isStale) = try Self.state(db, rules.text)
            let last = try Int.fetchOne(db, sql: "SELECT max(id) FROM reports") ?? 0
            return isStale || known < last
        }
    }

    /// Brings the verdicts up to date, in one transaction. With `rebuild` all are made anew.
    public func run(_ store: ReportStore, rebuild: Bool = false) throws(AnalysisError) -> Outcome {
        let rules = try rules()
        do {
            return try store.update { db in try refresh(db, rules, rebuild: rebuild) }
        } catch let error as AnalysisError {
            throw error
        } catch {
            throw AnalysisError(error, place: "verdicts", store)
        }
    }

    /// Makes all verdicts anew, in the transaction of whoever changed the reports.
    func rebuild(in db: Database) throws { _ = try refresh(db, try rules(), rebuild: true) }

    private func refresh(_ db: Database, _ rules: Rules, rebuild: Bool) throws -> Outcome {
        var (known, isRebuild) = try Self.state(db, rules.text)
        if rebuild { isRebuild = true }
        if isRebuild {
            known = 0
            for table in [
                "flows", "selector_places", "selectors", "organisation_names", "keyed_results", "organisations", "domain_habits",
                "daily_verdicts",
            ] {
                try db.execute(sql: "DELETE FROM \(table)")
            }
            // Of deleted records the figures by verdict may have been kept.
            try db.execute(
                sql: """
                    INSERT INTO daily_verdicts (domain_id, verdict, day, messages, passed)
                    SELECT domain_id, verdict, day, sum(messages), sum(iif(dkim = 1 OR spf = 1, messages, 0)) FROM kept_daily
                    GROUP BY domain_id, verdict, day HAVING sum(messages) > 0
                    """)
        }
        let pass = try RefreshPass(db, known: known, suffixes: rules.suffixes, services: rules.services)
        var outcome = try pass.run()
        outcome.isRebuild = isRebuild
        try db.execute(
            sql: "UPDATE verdict_state SET report_id = ?, rules = ?, suffixes = ?, is_stale = 0 WHERE id = 1",
            arguments: [try Int.fetchOne(db, sql: "SELECT max(id) FROM reports") ?? 0, rules.text, suffixFile ?? ""])
        return outcome
    }

    /// Up to which report the verdicts have come, and whether they are to be made anew.
    private static func state(_ db: Database, _ rules: String) throws -> (known: Int, isStale: Bool) {
        let state = try SQLRows(db, stateSQL)
        guard try state.next() else { return (0, true) }
        let last = try Int.fetchOne(db, sql: "SELECT max(id) FROM reports") ?? 0
        // Keys of reports that were deleted are given again: what is known no longer is what is there.
        return (state.int(0), state.int(2) != 0 || state.text(1) != rules || state.int(0) > last)
    }

    private struct Rules {
        let suffixes: PublicSuffixes
        let services: Services
        let text: String
    }

    private func rules() throws(AnalysisError) -> Rules {
        guard let suffixes = PublicSuffixes(file: suffixFile) else {
            throw AnalysisError(code: .ioError, place: suffixFile ?? "libpsl", found: "no list of public suffixes that can be read")
        }
        let services = Services()
        return Rules(suffixes: suffixes, services: services, text: "\(Self.rulesVersion)/\(services.version)/\(suffixes.version)")
    }
}

/// One refresh, inside its transaction.
private final class RefreshPass {
    private let db: Database
    private let known: Int
    private let outcomes: Outcomes
    private let services: Services
    private let history: History
    private var overrides: OverrideWeights
    private var result = VerdictRefresh.Outcome()
    private var touched: Set<Network> = []
    /// All flows in order, if they were judged in memory.
    private var judged: [(key: FlowKey, verdict: Int)] = []
    /// Flows known before with a verdict that they had not.
    private var changed: [FlowKey: (days: ClosedRange<Int>, verdict: Int)] = [:]

    init(_ db: Database, known: Int, suffixes: PublicSuffixes, services: Services) throws {
        self.db = db
        self.known = known
        self.services = services
        outcomes = try Outcomes(db, suffixes, isWriting: true)
        history = History(db)
        overrides = OverrideWeights(db)
    }

    func run() throws -> VerdictRefresh.Outcome {
        let new = try NewRecords(db, after: known)
        result.reports = new.reports.count
        guard !new.reports.isEmpty else { return result }
        // One sort is quicker than an entry at a time, where everything is new.
        if known == 0 { try db.execute(sql: "DROP INDEX flows_authentication") }
        let all = try addFlows(new)
        if let all {
            try history.write()
            try judge(all)
        }
        if all == nil {
            try history.write()
            try judge()
        }
        if known == 0 { try db.execute(sql: "CREATE INDEX flows_authentication ON flows (authentication_id, messages, verdict)") }
        try enter(new)
        try correct()
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
            let results = try KeyedResult.sets(ofChunk: chunk, rows) { $0 == empty ? 0 : Int32(try outcomes.organisation(of: $0)) }
            insert.bind(1, chunk)
            insert.bind(2, bytes: KeyedResult.pack(results))
            try insert.run()
        }
    }

    // MARK: - Flows

    /// Adds up the new records. Nil: the flows are in their table, for there were some before, or there are too many. Otherwise all flows, in
    /// order; nothing is in the table.
    private func addFlows(_ new: NewRecords) throws -> [(key: FlowKey, value: FlowSums)]? {
        var isWritten = known > 0
        var sums: [FlowKey: FlowSums] = [:]
        sums.reserveCapacity(min(VerdictRefresh.flowsInMemory, new.reports.count * 8))
        for report in new.reports {
            try new.forEachRecord(of: report) { record in
                let weight = record.override == 0 ? 0 : try overrides.weight(record.override)
                sums[record.key, default: FlowSums()]
                    .add(messages: record.messages, day: record.day, reporterBit: report.reporterBit, override: weight)
            }
            if sums.count >= VerdictRefresh.flowsInMemory {
                try write(sums)
                isWritten = true
                sums.removeAll(keepingCapacity: true)
            }
        }
        if isWritten {
            try write(sums)
            return nil
        }
        let all = sums.sorted { $0.key < $1.key }
        for (key, sum) in all {
            try history.add(key, sum, outcomes.shape(domain: key.domain, authentication: key.authentication, aligned: key.aligned))
        }
        return all
    }

    /// `verdict` 0: not judged yet, so there is no record with an older one.
    private func write(_ sums: [FlowKey: FlowSums]) throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO flows (source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits,
                day_bits, overrides, verdict, confidence, notes, evidence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)
            ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, records = records + excluded.records,
                first_day = min(first_day, excluded.first_day), last_day = max(last_day, excluded.last_day),
                reporter_bits = reporter_bits | excluded.reporter_bits, day_bits = day_bits | excluded.day_bits,
                overrides = overrides + excluded.overrides
            """)
        for (key, sum) in sums.sorted(by: { $0.key < $1.key }) {
            let flow = try flow(key, sum)
            bind(insert, flow)
            try insert.run()
            try history.add(key, sum, flow.shape)
            if known > 0 { touched.insert(Network(key.source)) }
        }
    }

    // MARK: - Verdicts

    /// Judges flows that are in no table yet, and writes them with their verdicts.
    private func judge(_ all: [(key: FlowKey, value: FlowSums)]) throws {
        let judge = Judge(knowledge: try StoredKnowledge(db, services))
        let insert = try HotStatement(
            db,
            """
            INSERT INTO flows (source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits,
                day_bits, overrides, verdict, confidence, notes, evidence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        var start = 0
        judged.reserveCapacity(all.count)
        while start < all.count {
            let network = Network(all[start].key.source)
            var flows: [Flow] = []
            while start < all.count, Network(all[start].key.source) == network {
                flows.append(try flow(all[start].key, all[start].value))
                start += 1
            }
            for (flow, judgement) in zip(flows, try judge.judge(flows)) {
                bind(insert, flow)
                insert.bind(12, judgement.verdict.stored)
                insert.bind(13, judgement.confidence)
                insert.bind(14, judgement.notes.rawValue)
                insert.bind(15, judgement.evidence.bits)
                try insert.run()
                judged.append((flow.key, judgement.verdict.stored))
            }
            result.flows += flows.count
        }
    }

    private func flow(_ key: FlowKey, _ sum: FlowSums) throws -> Flow {
        Flow(
            source: key.source, domain: key.domain, authentication: key.authentication, aligned: key.aligned, messages: sum.messages,
            records: sum.records, firstDay: sum.firstDay, lastDay: sum.lastDay, reporterBits: sum.reporterBits, dayBits: sum.dayBits,
            overrides: sum.overrides,
            shape: try outcomes.shape(domain: key.domain, authentication: key.authentication, aligned: key.aligned))
    }

    private func bind(_ insert: HotStatement, _ flow: Flow) {
        insert.bind(1, flow.source)
        insert.bind(2, flow.domain)
        insert.bind(3, flow.authentication)
        insert.bind(4, flow.aligned)
        insert.bind(5, flow.messages)
        insert.bind(6, flow.records)
        insert.bind(7, flow.firstDay)
        insert.bind(8, flow.lastDay)
        insert.bind(9, flow.reporterBits)
        insert.bind(10, flow.dayBits)
        insert.bind(11, flow.overrides)
    }

    private func judge() throws {
        let knowledge = try StoredKnowledge(db, services)
        let judge = Judge(knowledge: knowledge)
        let update = try HotStatement(
            db,
            """
            UPDATE flows SET verdict = ?, confidence = ?, notes = ?, evidence = ?
            WHERE source = ? AND domain_id = ? AND authentication_id = ? AND aligned = ?
            """)
        let settle = { (flows: [StoredFlow]) in try self.settle(flows, judge, update) }
        if known == 0 || !history.changedDomains.isEmpty {
            try FlowTable.forEachNetwork(db, outcomes, settle)
        } else {
            try findTouched()
            for network in touched.sorted() { try FlowTable.read(db, outcomes, network, settle) }
        }
    }

    /// Networks with flows that rest on knowledge that changed.
    private func findTouched() throws {
        let sources = try SQLRows(db, "SELECT source FROM flows WHERE authentication_id = ?1")
        let setsOfName = try SQLRows(db, "SELECT set_id FROM authentication_results WHERE domain_id = ?1")
        let setsOfSelector = try SQLRows(
            db, "SELECT set_id FROM authentication_results WHERE domain_id = ?1 AND coalesce(selector_id, 0) = ?2 AND method = 'dkim'")
        let members = try SQLRows(db, "SELECT name_id FROM organisation_names WHERE organisation_id = ?1")
        var sets: Set<Int> = []
        var organisations = history.changedOrganisations
        for key in history.changedSelectors {
            // The signature of another organisation, whatever its selectors.
            if key.selector == 0 { organisations.insert(key.domain) }
            try setsOfSelector.restart(key.domain, key.selector)
            while try setsOfSelector.next() { sets.insert(setsOfSelector.int(0)) }
        }
        for organisation in organisations {
            try setsOfName.restart(organisation)
            while try setsOfName.next() { sets.insert(setsOfName.int(0)) }
            try members.restart(organisation)
            while try members.next() {
                try setsOfName.restart(members.int(0))
                while try setsOfName.next() { sets.insert(setsOfName.int(0)) }
            }
        }
        for set in sets {
            try sources.restart(set)
            while try sources.next() { touched.insert(Network(try sources.address(0))) }
        }
    }

    private func settle(_ flows: [StoredFlow], _ judge: Judge<StoredKnowledge>, _ update: HotStatement) throws {
        let judgements = try judge.judge(flows.map(\.flow))
        result.flows += flows.count
        for (stored, judgement) in zip(flows, judgements) where stored.judgement != judgement || stored.verdict == 0 {
            let verdict = judgement.verdict.stored
            let flow = stored.flow
            if stored.verdict != 0, stored.verdict != verdict {
                changed[flow.key] = (flow.firstDay...flow.lastDay, verdict)
                result.changed += 1
            }
            update.bind(1, verdict)
            update.bind(2, judgement.confidence)
            update.bind(3, judgement.notes.rawValue)
            update.bind(4, judgement.evidence.bits)
            update.bind(5, flow.source)
            update.bind(6, flow.domain)
            update.bind(7, flow.authentication)
            update.bind(8, flow.aligned)
            try update.run()
        }
    }

    // MARK: - Records and daily figures

    private struct Entry {
        let report: Int
        let record: NewRecords.Record
    }

    private struct DailyKey: Hashable, Comparable {
        let domain: Int
        let verdict: Int
        let day: Int

        static func < (a: DailyKey, b: DailyKey) -> Bool { (a.domain, a.verdict, a.day) < (b.domain, b.verdict, b.day) }
    }

    private var daily: [DailyKey: (messages: Int, passed: Int)] = [:]

    /// Gives the new records the verdicts of their flows.
    private func enter(_ new: NewRecords) throws {
        var entries: [Entry] = []
        for report in new.reports {
            try new.forEachRecord(of: report) { entries.append(Entry(report: report.id, record: $0)) }
            if entries.count >= VerdictRefresh.recordsInMemory {
                try enter(entries)
                entries.removeAll(keepingCapacity: true)
            }
        }
        try enter(entries)
        try writeDaily()
    }

    private func enter(_ entries: [Entry]) throws {
        // In the order of the flows, whose table is much larger than what is kept of it in memory.
        var order = Array(entries.indices)
        order.sort { entries[$0].record.key < entries[$1].record.key }
        let verdictOf = known > 0 ? try verdictsByKey(entries, order) : try verdictsByScan(entries, order)
        let update = try recordUpdate()
        for (index, entry) in entries.enumerated() {
            let record = entry.record
            let verdict = verdictOf[index]
            let passed = record.key.aligned != 0 ? record.messages : 0
            count(record.key.domain, record.day, verdict, record.messages, passed)
            guard record.verdict != verdict else { continue }
            try set(update, verdict, record.key.domain, record.countedAs, record.day, entry.report, record.sequence)
        }
    }

    /// For few records among many flows.
    private func verdictsByKey(_ entries: [Entry], _ order: [Int]) throws -> [Int] {
        let verdicts = try SQLRows(
            db, "SELECT verdict FROM flows WHERE source = ?1 AND domain_id = ?2 AND authentication_id = ?3 AND aligned = ?4")
        var verdictOf = [Int](repeating: Verdict.unknown.stored, count: entries.count)
        var last: (key: FlowKey, verdict: Int)?
        for index in order {
            let key = entries[index].record.key
            if last?.key != key {
                try verdicts.restart(address: key.source, key.domain, key.authentication, key.aligned)
                last = (key, try verdicts.next() ? verdicts.int(0) : Verdict.unknown.stored)
            }
            verdictOf[index] = last?.verdict ?? Verdict.unknown.stored
        }
        return verdictOf
    }

    /// For many records: both in the order of their keys, side by side.
    private func verdictsByScan(_ entries: [Entry], _ order: [Int]) throws -> [Int] {
        var verdictOf = [Int](repeating: Verdict.unknown.stored, count: entries.count)
        if !judged.isEmpty {
            var place = 0
            for index in order {
                while place < judged.count, judged[place].key < entries[index].record.key { place += 1 }
                if place < judged.count, judged[place].key == entries[index].record.key { verdictOf[index] = judged[place].verdict }
            }
            return verdictOf
        }
        // The flows of each family of addresses are in the order of `FlowKey`; between the families SQLite's order is another one.
        var places = [true: 0, false: order.count]
        for (place, index) in order.enumerated() where !entries[index].record.key.source.isIPv4 {
            places[false] = place
            break
        }
        let ends = [true: places[false] ?? 0, false: order.count]
        let flows = try SQLRows(
            db,
            "SELECT source, domain_id, authentication_id, aligned, verdict FROM flows ORDER BY source, domain_id, authentication_id, aligned"
        )
        while try flows.next() {
            let source = try flows.address(0)
            let end = ends[source.isIPv4] ?? 0
            var place = places[source.isIPv4] ?? 0
            guard place < end else { continue }
            let key = FlowKey(source: source, domain: flows.int(1), authentication: flows.int(2), aligned: flows.int(3))
            while place < end, entries[order[place]].record.key < key { place += 1 }
            while place < end, entries[order[place]].record.key == key {
                verdictOf[order[place]] = flows.int(4)
                place += 1
            }
            places[source.isIPv4] = place
        }
        return verdictOf
    }

    private func recordUpdate() throws -> HotStatement {
        try HotStatement(
            db, "UPDATE records SET verdict = ? WHERE domain_id = ? AND counted_as = ? AND day = ? AND report_id = ? AND sequence = ?")
    }

    private func set(
        _ update: HotStatement, _ verdict: Int, _ domain: Int, _ countedAs: Int, _ day: Int, _ report: Int, _ sequence: Int
    ) throws {
        update.bind(1, verdict)
        update.bind(2, domain)
        update.bind(3, countedAs)
        update.bind(4, day)
        update.bind(5, report)
        update.bind(6, sequence)
        try update.run()
    }

    private func count(_ domain: Int, _ day: Int, _ verdict: Int, _ messages: Int, _ passed: Int) {
        let key = DailyKey(domain: domain, verdict: verdict, day: day)
        let sum = daily[key] ?? (0, 0)
        daily[key] = (sum.messages + messages, sum.passed + passed)
    }

    private func writeDaily() throws {
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

    /// Question: records of a domain and outcome in a span of days. Unit: one row a record. Index: primary key of `records`.
    static let spanSQL = """
        SELECT source, authentication_id, dkim, spf, messages, day, report_id, sequence, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Gives older records the verdicts that their flows have now.
    private func correct() throws {
        guard !changed.isEmpty else { return }
        struct Part: Hashable {
            let domain: Int
            let countedAs: Int
        }
        var spans: [Part: [ClosedRange<Int>]] = [:]
        for (key, change) in changed {
            spans[Part(domain: key.domain, countedAs: key.aligned == 0 ? 1 : 0), default: []].append(change.days)
        }
        let rows = try SQLRows(db, Self.spanSQL)
        let update = try recordUpdate()
        for (part, days) in spans {
            for span in merged(days) {
                var found: [(record: NewRecords.Record, report: Int, verdict: Int)] = []
                try rows.restart(part.domain, part.countedAs, span.lowerBound, span.upperBound)
                while try rows.next() {
                    let report = rows.int(6)
                    guard report <= known else { continue }
                    let key = FlowKey(
                        source: try rows.address(0), domain: part.domain, authentication: rows.int(1),
                        aligned: rows.int(2) << 1 | rows.int(3))
                    guard let verdict = changed[key]?.verdict, verdict != rows.int(8) else { continue }
                    let record = NewRecords.Record(
                        key: key, day: rows.int(5), messages: rows.int(4), override: 0, sequence: rows.int(7), verdict: rows.int(8),
                        countedAs: part.countedAs)
                    found.append((record, report, verdict))
                }
                for (record, report, verdict) in found {
                    let passed = part.countedAs == 0 ? record.messages : 0
                    count(part.domain, record.day, record.verdict, -record.messages, -passed)
                    count(part.domain, record.day, verdict, record.messages, passed)
                    try set(update, verdict, part.domain, part.countedAs, record.day, report, record.sequence)
                }
            }
        }
        try writeDaily()
    }

    private func merged(_ days: [ClosedRange<Int>]) -> [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for span in days.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, span.lowerBound <= last.upperBound + 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, span.upperBound)
            } else {
                result.append(span)
            }
        }
        return result
    }
}

/// What an override says about forwarding: the weight of a record in `flows.overrides`.
private struct OverrideWeights {
    private var lookup: OverrideLookup
    private var known: [Int: Int] = [:]

    init(_ db: Database) { lookup = OverrideLookup(db) }

    mutating func weight(_ id: Int) throws -> Int {
        if let weight = known[id] { return weight }
        var weight = 0
        for reason in try lookup.reasons(id) {
            switch reason.type {
            case "forwarded", "trusted_forwarder": weight |= 1
            case "mailing_list": weight |= 1 << 20
            case "local_policy" where Self.saysARCPassed(reason.comment ?? ""): weight |= 1 << 40
            default: break
            }
        }
        known[id] = weight
        return weight
    }

    /// RFC 8617 §7.2: `arc=pass` at the beginning of a word; `arc=fail` and other comments are not it.
    static func saysARCPassed(_ comment: String) -> Bool {
        comment.lowercased().split { " \t;,()".contains($0) }.contains("arc=pass")
    }
}
