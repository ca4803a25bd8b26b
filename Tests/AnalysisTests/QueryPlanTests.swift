import DMARC
import GRDB
import Testing

@testable import Questions
@testable import Refresh
@testable import Store

@Suite("Query plans")
struct QueryPlanTests {
    /// What SQLite means to do for `sql`, with numbers in the place of its parameters.
    private func plan(_ sql: String) throws -> [String] {
        var text = sql
        for number in 1...6 { text = text.replacing("?\(number)", with: "1") }
        let facts = try FactsFixture(seed: 1, reports: 5)
        return try facts.store.reader.read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + text).map { $0["detail"] }
        }
    }

    @Test("records of a period are one contiguous range of the primary key, each with a seek for its flow at most")
    func ranges() throws {
        let range = "SEARCH records USING PRIMARY KEY (domain_id=? AND counted_as=? AND day>? AND day<?)"
        #expect(try plan(RecordReader.periodSQL) == [range])
        let joined = try plan(PackedRows.recordsSQL)
        #expect(joined.first == range.replacing("records", with: "r"))
        #expect(
            joined.dropFirst() == [
                "SEARCH f USING PRIMARY KEY (source=? AND domain_id=? AND authentication_id=? AND aligned=?) LEFT-JOIN"
            ])
    }

    @Test("one day of one report is one range, one share one seek")
    func shares() throws {
        let report = "SEARCH records USING PRIMARY KEY (domain_id=? AND counted_as=? AND day=? AND report_id=?"
        #expect(try plan(RecordReader.reportDaySQL) == [report + ")"])
        #expect(try plan(PackedRows.shareSQL) == [report + " AND sequence=?)"])
    }

    @Test("packed records of some days are one range, the last of a day is one seek")
    func packed() throws {
        let days = "SEARCH packed_records USING PRIMARY KEY (domain_id=? AND day>? AND day<?)"
        #expect(try plan(RecordScan.piecesSQL) == [days])
        #expect(try plan(RecordPacking.piecesSQL) == [days])
        #expect(try plan(RecordPacking.lastSQL) == ["SEARCH packed_records USING PRIMARY KEY (domain_id=? AND day=? AND counted_as=?)"])
        #expect(try plan(RecordScan.currentSQL).allSatisfy { !$0.contains("SCAN") || $0 == "SCAN CONSTANT ROW" })
    }

    @Test("figures over time read a range of the rollup")
    func daily() throws {
        #expect(try plan(Scope.dailySQL) == ["SEARCH daily USING PRIMARY KEY (domain_id=? AND day>? AND day<?)"])
        let verdicts = "SEARCH daily_verdicts USING PRIMARY KEY (domain_id=? AND verdict=? AND day>? AND day<?)"
        #expect(try plan(Scope.dailyVerdictsSQL) == [verdicts])
        #expect(try plan(SourceSQL.days) == ["SEARCH daily_sources USING PRIMARY KEY (domain_id=? AND day>? AND day<?)"])
    }

    @Test("reports that are no witnesses are found without looking at the others")
    func distrusted() throws {
        for sql in [Scope.distrustedMessagesSQL] {
            let plan = try plan(sql)
            #expect(plan.allSatisfy { $0.contains("reports_distrusted") }, "\(plan)")
        }
        #expect(
            try plan(Witnesses.unheardSQL) == [
                "SEARCH u USING PRIMARY KEY (domain_id=?)", "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)",
            ])
        #expect(try plan(Voices.unheardSQL) == ["SEARCH unheard_reports USING COVERING INDEX unheard_reports_voice (voice_id=?)"])
        #expect(try plan(Voices.speakersSQL) == ["SEARCH voice_organisations USING PRIMARY KEY (organisation_id=?)"])
        let first = try plan(ReportSQL.firstWitnessed)
        #expect(first.contains { $0.contains("reports_domain_day") } && first.contains { $0.contains("PRIMARY KEY") }, "\(first)")
        let unheard = try plan(Scope.unheardSQL)
        #expect(unheard.contains { $0.contains("SEARCH unheard_reports USING PRIMARY KEY (domain_id=?)") }, "\(unheard)")
        #expect(unheard.contains { $0.contains("reports_distrusted") } && unheard.contains { $0.contains("rowid>?") }, "\(unheard)")
        #expect(try plan(Scope.newcomersSQL).contains { $0.contains("SEARCH u USING PRIMARY KEY (domain_id=?)") })
    }

    @Test(
        "no hot question scans a table of facts or sorts",
        arguments: [
            ReporterLookup.reporterSQL, SourceSQL.newCounts, SourceSQL.life,
            ReportSQL.latestPolicies, Scope.reportsOfPeriodSQL, Scope.spreadReportsSQL, Scope.extentSQL, ReportSQL.list,
            ReportSQL.besideRecords, AuthenticationLookup.resultsSQL, NameLookup.nameSQL, FlowLookup.flowSQL, SourceSQL.new,
            KnowledgeSQL.signatures, KnowledgeSQL.homes, KeyedResults.keyedSQL, Scope.verdictStateSQL, ReportSQL.days,
            ReportSQL.header, KnowledgeSQL.habits, KnowledgeSQL.home, KnowledgeSQL.organisation, SourceServices.flowsSQL,
            KeyedResults.resultsSQL, KnowledgeSQL.placesOfKey, KnowledgeSQL.placesOfSelector, KnowledgeSQL.flowsOfSet,
            ReportSQL.policyKeys, ReportSQL.spreadPolicyKeys, ReportSQL.policy, ReportSQL.known, ReportSQL.knownSpread,
            ReportSQL.heard, KnowledgeSQL.judgements, KnowledgeSQL.lastSet,
            KnowledgeSQL.everPassed, KnowledgeSQL.everKnown, SourceSQL.latestDays, ReportSQL.firstWitnessed,
            KnowledgeSQL.standings, OutlyingReport.sizesSQL, OutlyingReport.reporterSQL,
        ])
    func noScan(sql: String) throws {
        let plan = try plan(sql)
        #expect(!plan.isEmpty)
        #expect(plan.allSatisfy { !$0.hasPrefix("SCAN ") || $0 == "SCAN CONSTANT ROW" }, "\(plan)")
        #expect(plan.allSatisfy { !$0.contains("TEMP B-TREE") }, "\(plan)")
    }
}
