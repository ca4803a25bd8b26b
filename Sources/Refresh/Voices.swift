import GRDB
import Inference
import Store

/// What is known of voices, in the tables `voices` and `voice_organisations`: added to with new reports, before anything is learned from these.
package final class Voices {
    /// A voice that speaks of an organisation's domains.
    package struct Speaker: Hashable {
        let organisation: Int
        let voice: Int
    }

    /// Question: all voices. Unit: one row a voice. Index: none, all are read.
    static let voicesSQL = "SELECT voice_id, days, last_day FROM voices"
    /// Question: who speaks of an organisation's domains. Unit: one row a voice. Index: primary key.
    static let speakersSQL = "SELECT voice_id, networks, standing FROM voice_organisations WHERE organisation_id = ?1"
    /// Question: sources whose mail a report says is aligned, on a day. Unit: one row a record. Index: primary key of `records`, one range.
    package static let sourcesSQL = "SELECT source FROM records WHERE domain_id = ?1 AND counted_as = 0 AND day = ?2 AND report_id = ?3"
    /// Question: the reports of a voice that are not heard. Unit: one row a report. Index: `unheard_reports_voice`.
    package static let unheardSQL = "SELECT report_id, domain_id FROM unheard_reports WHERE voice_id = ?1 AND report_id <= ?2"

    private struct Known {
        var said = Said()
        /// As it stands in the database; nil: it is not there.
        var stored: Standing?
        /// `Quorum.weight`, by what stands there.
        var storedWeight = 0
        var isChanged = false
    }

    private let db: Database
    private let outcomes: Outcomes
    private let sources: SQLRows
    private var days: [Int: VoiceDays] = [:]
    private var changedVoices: Set<Int> = []
    private var rulesBefore: StandingRules
    /// Organisations that were looked at, with all who speak of them.
    private var speakers: [Int: [Int: Known]] = [:]
    private var bits: [Int: Int] = [:]
    /// Organisations whose witnesses are not the same any more, or weigh otherwise.
    private(set) var changedOrganisations: Set<Int> = []

    package init(_ db: Database, _ outcomes: Outcomes) throws {
        self.db = db
        self.outcomes = outcomes
        sources = try SQLRows(db, Self.sourcesSQL)
        let rows = try SQLRows(db, Self.voicesSQL)
        while try rows.next() {
            var first: [Int] = []
            rows.withBytes(1) { bytes in first = Packed.numbers(bytes).map { Int(Int32(bitPattern: $0)) } }
            days[rows.int(0)] = VoiceDays(first: first, last: rows.int(2))
        }
        rulesBefore = StandingRules(days)
    }

    // MARK: - Adding

    /// A new report of a voice.
    package func add(_ report: NewRecords.Report, of voice: Int) throws {
        let day = report.arrival
        if days[voice, default: VoiceDays()].add(day) { changedVoices.insert(voice) }
        let organisation = try outcomes.organisation(ofPolicyDomain: report.domain)
        try load(organisation)
        var known = speakers[organisation]?[voice] ?? Known(isChanged: true)
        if known.said.days.addFirst(day) { known.isChanged = true }
        try addNetworks(of: report, to: &known)
        speakers[organisation]?[voice] = known
    }

    /// Question: what is left of those whose word was taken out. Unit: one row a report. Index: rowid of `reports`, read once as a whole.
    static let restSQL = """
        SELECT \(NewRecords.columns) FROM reports
        WHERE is_counted = 1 AND id <= ?1 AND voice_id IN (SELECT voice_id FROM recounted_reports WHERE was_counted = 1)
            AND id NOT IN (SELECT report_id FROM recounted_reports)
        """

    /// Takes out what was known by `reports`: what their voices said is put together from those that are left. To be called before anything is
    /// added.
    func takeOut(_ reports: [TakenOut.Report], upTo known: Int) throws {
        var meant: Set<Speaker> = []
        // A sketch without any of their networks never had them.
        var sketched: Set<Speaker> = []
        for report in reports {
            guard let voice = report.voice else { continue }
            let speaker = Speaker(organisation: try outcomes.organisation(ofPolicyDomain: report.domain), voice: voice)
            try load(speaker.organisation)
            days[voice] = VoiceDays()
            changedVoices.insert(voice)
            meant.insert(speaker)
            guard let networks = speakers[speaker.organisation]?[voice]?.said.networks else { continue }
            if !report.hashes.isDisjoint(with: networks.hashes) { sketched.insert(speaker) }
        }
        guard !meant.isEmpty else { return }
        for speaker in meant {
            speakers[speaker.organisation]?[speaker.voice]?.said.days = VoiceDays()
            speakers[speaker.organisation]?[speaker.voice]?.isChanged = true
            if sketched.contains(speaker) { speakers[speaker.organisation]?[speaker.voice]?.said.networks = NetworkSketch() }
        }
        let rest = try SQLRows(db, Self.restSQL, [.integer(known)])
        while try rest.next() {
            let report = NewRecords.report(rest, isEntered: false)
            guard let voice = report.voice else { continue }
            days[voice]?.add(report.arrival)
            let speaker = Speaker(organisation: try outcomes.organisation(ofPolicyDomain: report.domain), voice: voice)
            guard meant.contains(speaker), var known = speakers[speaker.organisation]?[voice] else { continue }
            _ = known.said.days.addFirst(report.arrival)
            if sketched.contains(speaker) { try addNetworks(of: report, to: &known) }
            speakers[speaker.organisation]?[voice] = known
        }
    }

    private func addNetworks(of report: NewRecords.Report, to known: inout Known) throws {
        for day in report.days {
            try sources.restart(report.domain, day, report.id)
            while try sources.next() {
                if known.said.networks.add(NetworkSketch.hash(of: Network(try sources.address(0)))) { known.isChanged = true }
            }
        }
    }

    private func load(_ organisation: Int) throws {
        guard speakers[organisation] == nil else { return }
        var found: [Int: Known] = [:]
        let rows = try SQLRows(db, Self.speakersSQL, [.integer(organisation)])
        while try rows.next() {
            var said = Said()
            rows.withBytes(1) { said = Said($0) }
            found[rows.int(0)] = Known(
                said: said, stored: Standing(rawValue: rows.int(2)), storedWeight: Quorum.weight(of: said.days))
        }
        speakers[organisation] = found
    }

    // MARK: - Standing

    /// What came of new reports.
    package enum Change {
        /// These are heard from now on.
        case promoted([Speaker])
        /// Somebody who was heard is heard no more, or counts otherwise: what was learned cannot be taken out again.
        case demoted
    }

    /// Finds out who is heard now, and writes all that is known of voices.
    package func settle() throws -> Change {
        for voice in changedVoices where days[voice]?.first.isEmpty == true {
            // All that it said was taken out.
            days[voice] = nil
            try db.execute(sql: "DELETE FROM voices WHERE voice_id = ?", arguments: [voice])
        }
        let rules = StandingRules(days)
        if rules.isYoung != rulesBefore.isYoung || rules.tested != rulesBefore.tested {
            for id in try Int.fetchAll(db, sql: "SELECT DISTINCT organisation_id FROM voice_organisations") { try load(id) }
        }
        var promoted: [Speaker] = []
        var isDemoted = false
        let insert = try HotStatement(
            db,
            """
            INSERT INTO voice_organisations (organisation_id, voice_id, networks, standing) VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET networks = excluded.networks, standing = excluded.standing
            """)
        for (organisation, voices) in speakers {
            let present = voices.filter { !$0.value.said.days.first.isEmpty }
            let standings = rules.standings(present.map { ($0.key, $0.value.said.networks) })
            for (voice, known) in voices {
                guard present[voice] != nil else {
                    if known.stored == .witness { changedOrganisations.insert(organisation) }
                    if known.stored != .newcomer { isDemoted = true }
                    try db.execute(
                        sql: "DELETE FROM voice_organisations WHERE organisation_id = ? AND voice_id = ?", arguments: [organisation, voice])
                    speakers[organisation]?[voice] = nil
                    continue
                }
                let standing = standings[voice] ?? .newcomer
                let before = known.stored == .witness ? known.storedWeight : 0
                if (standing == .witness ? Quorum.weight(of: known.said.days) : 0) != before { changedOrganisations.insert(organisation) }
                if let stored = known.stored, stored != standing {
                    if stored == .newcomer {
                        promoted.append(Speaker(organisation: organisation, voice: voice))
                    } else {
                        isDemoted = true
                    }
                }
                guard known.isChanged || known.stored != standing else { continue }
                insert.bind(1, organisation)
                insert.bind(2, voice)
                insert.bind(3, bytes: known.said.bytes)
                insert.bind(4, standing.rawValue)
                try insert.run()
                speakers[organisation]?[voice]?.stored = standing
            }
        }
        try writeDays()
        return isDemoted ? .demoted : .promoted(promoted)
    }

    private func writeDays() throws {
        let insert = try HotStatement(
            db,
            """
            INSERT INTO voices (voice_id, days, last_day) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET days = excluded.days, last_day = excluded.last_day
            """)
        for voice in changedVoices {
            guard let known = days[voice] else { continue }
            insert.bind(1, voice)
            insert.bind(2, bytes: Packed.bytes(known.first.map { UInt32(bitPattern: Int32(clamping: $0)) }))
            insert.bind(3, known.last)
            try insert.run()
        }
    }

    /// The bit that a voice sets in what is known of an organisation's domains: none for a newcomer. To be asked after `settle`.
    package func bit(of voice: Int, domain: Int) throws -> Int {
        let organisation = try outcomes.organisation(ofPolicyDomain: domain)
        try load(organisation)
        switch speakers[organisation]?[voice]?.stored ?? .newcomer {
        case .newcomer: return 0
        case .together: return Levels.togetherBit
        case .witness:
            if let bit = bits[voice] { return bit }
            let name = try String.fetchOne(db, sql: "SELECT name FROM names WHERE id = ?", arguments: [voice]) ?? ""
            let bit = Levels.bit(ofVoice: name)
            bits[voice] = bit
            return bit
        }
    }

    /// Policy domains that verdicts know, of organisations whose witnesses are not the same any more, or weigh otherwise.
    func domainsOfChangedOrganisations() throws -> Set<Int> {
        guard !changedOrganisations.isEmpty else { return [] }
        let known = try Int.fetchAll(db, sql: "SELECT domain_id FROM domain_habits")
        return Set(try known.filter { changedOrganisations.contains(try outcomes.organisation(ofPolicyDomain: $0)) })
    }

    /// The older reports, up to `known`, of those who are heard from now on.
    func unheardReports(of promoted: [Speaker], upTo known: Int) throws -> [Int] {
        guard !promoted.isEmpty else { return [] }
        let rows = try SQLRows(db, Self.unheardSQL)
        var organisations: [Int: Set<Int>] = [:]
        for speaker in promoted { organisations[speaker.voice, default: []].insert(speaker.organisation) }
        var reports: [Int] = []
        for (voice, heard) in organisations {
            try rows.restart(voice, known)
            while try rows.next() {
                if heard.contains(try outcomes.organisation(ofPolicyDomain: rows.int(1))) { reports.append(rows.int(0)) }
            }
        }
        return reports.sorted()
    }
}
