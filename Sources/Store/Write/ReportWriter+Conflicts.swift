import DMARC
import GRDB

/// Two reports with one identity and different content (docs/decisions/0005-conflicts.md).
extension ReportWriter {
    /// One of several reports with one identity.
    struct Contender {
        var id: Int64
        var rank: ReportSender.Rank
        /// Nil: nobody's.
        var voice: String?
    }

    /// The days of a window, one by one: a range of days would read what all other reports have on them.
    static let daysSQL = "RECURSIVE days (day) AS (SELECT :first UNION ALL SELECT day + 1 FROM days WHERE day < :last)"

    /// Decides which reports of an identity are counted, now that another one came. Its records are in, not counted.
    func settleConflict(_ report: OpenReport, _ sender: ReportSender) throws -> DocumentOutcome {
        // Reports about domains of others are in no figure, whoever sends them.
        let identity = Identity(domain: report.domain, reporter: report.reporter, header: report.header)
        if report.isForeign {
            return try report.replacing == nil && isSurplus(identity, sender, loses: true) ? .surplus : .conflict(replaced: false)
        }
        let before = try counted(identity, sender)
        let new = Contender(id: report.id, rank: sender.standing, voice: sender.voice)
        let after = try contend(new, before, report.domain, report.header)
        let days = report.header.window.days
        let isCounted = after.contains { $0.id == new.id }
        let losers = before.filter { old in !after.contains { $0.id == old.id } }
        // What was read again has its place. Whoever is worth more than those before is never one too many.
        if report.replacing == nil, !isCounted || losers.contains(where: { $0.rank == new.rank }),
            try isSurplus(identity, sender, loses: !isCounted)
        {
            return .surplus
        }
        var replacedAny = false
        for old in losers {
            replacedAny = true
            // Only a superset has all of the other one's sources on all of its days.
            if old.rank != new.rank || old.voice != new.voice {
                replaced.domains.insert(report.domain)
                replaced.isChanged = true
            }
            try setCounted(false, old.id, domain: report.domain, days)
        }
        if isCounted { try setCounted(true, new.id, domain: report.domain, days) }
        return isCounted && !replacedAny ? .stored : .conflict(replaced: isCounted)
    }

    /// The reports that are counted once `new` has come to `counted`, in the order in which they came.
    ///
    /// Whoever is worth more goes before, whichever came first. Where the reporter's name is no domain, each voice has an identity of its
    /// own. Among equals of different voices nobody can tell who is right, and nobody hides anybody; nor among those of one voice that
    /// nothing vouches for. Else the documented rules decide: a superset takes the place, otherwise the first stays.
    func contend(_ new: Contender, _ counted: [Contender], _ domain: Int64, _ header: ReportHeader) throws -> [Contender] {
        // What is nobody's contends with everybody.
        let isApart = DomainName.named(header.reporter) == nil
        let isRival = { (other: Contender) in !isApart || other.voice == new.voice || other.voice == nil || new.voice == nil }
        if counted.contains(where: { isRival($0) && $0.rank > new.rank }) { return counted }
        var left = counted.filter { !isRival($0) || $0.rank == new.rank }
        let equals = left.filter { isRival($0) && $0.voice == new.voice }
        if new.rank > .unverified {
            if let old = equals.first {
                guard try replaces(new.id, old.id, domain: domain, header.window) else { return counted }
                left.removeAll { $0.id == old.id }
            }
        } else {
            for old in equals.prefix(Self.maxCompared) {
                if try replaces(old.id, new.id, domain: domain, header.window, orEquals: true) { return counted }
                if try replaces(new.id, old.id, domain: domain, header.window) { left.removeAll { $0.id == old.id } }
            }
        }
        return left + [new]
    }

    /// Whether the report `new` contains every record of `old`, which has the same identity, with at least its count, and says more.
    func replaces(_ new: Int64, _ old: Int64, domain: Int64, _ window: ReportWindow, orEquals: Bool = false) throws -> Bool {
        // What is smaller contains nothing: most are told apart by that.
        guard try isLarger(new, than: old, orEquals: orEquals) else { return false }
        guard try window.isSpread || hasFirstSource(new, of: old, domain: domain, window.day) else { return false }
        let days = window.days
        let missing = try Bool.fetchOne(
            db.cachedStatement(
                sql: """
                    WITH \(Self.daysSQL),
                    old AS (
                        SELECT source, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id,
                               sum(messages) AS messages, count(DISTINCT sequence) AS records
                        FROM records
                        WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day IN (SELECT day FROM days) AND report_id = :old
                        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
                    new AS (
                        SELECT source, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id,
                               sum(messages) AS messages, count(DISTINCT sequence) AS records
                        FROM records
                        WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day IN (SELECT day FROM days) AND report_id = :new
                        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9)
                    SELECT EXISTS (
                        SELECT 1 FROM old LEFT JOIN new
                            ON new.source = old.source AND new.disposition = old.disposition AND new.dkim = old.dkim AND new.spf = old.spf
                            AND new.header_from_id = old.header_from_id AND new.envelope_from_id IS old.envelope_from_id
                            AND new.envelope_to_id IS old.envelope_to_id AND new.authentication_id = old.authentication_id
                            AND new.override_id IS old.override_id
                        WHERE new.messages IS NULL OR new.messages < old.messages OR new.records < old.records)
                    """),
            arguments: [
                "domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "old": old, "new": new,
            ])
        guard missing == false else { return false }
        guard window.isSpread else { return true }
        // On each day of a long window it must have all of the sources: rounding may leave one without a share on a day.
        let lost = try Bool.fetchOne(
            db.cachedStatement(
                sql: """
                    WITH \(Self.daysSQL)
                    SELECT EXISTS (
                        SELECT day, source FROM records
                        WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day IN (SELECT day FROM days) AND report_id = :old
                            AND messages > 0
                        EXCEPT
                        SELECT day, source FROM records
                        WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day IN (SELECT day FROM days) AND report_id = :new
                            AND messages > 0)
                    """),
            arguments: [
                "domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "old": old, "new": new,
            ])
        return lost == false
    }

    /// Whether a report speaks of the source that the other one's first record has: where it does not, it does not contain that. Of thousands under one
    /// id nearly all are told apart by it, at a tenth of the cost of the whole comparison.
    private func hasFirstSource(_ new: Int64, of old: Int64, domain: Int64, _ day: Day) throws -> Bool {
        let statement = try db.cachedStatement(
            sql: """
                SELECT EXISTS (
                    SELECT 1 FROM records
                    WHERE domain_id = ?1 AND counted_as IN (0, 1, 2) AND day = ?2 AND report_id = ?4 AND source = (
                        SELECT source FROM records
                        WHERE domain_id = ?1 AND counted_as IN (0, 1, 2) AND day = ?2 AND report_id = ?3 LIMIT 1))
                    OR NOT EXISTS (
                        SELECT 1 FROM records WHERE domain_id = ?1 AND counted_as IN (0, 1, 2) AND day = ?2 AND report_id = ?3)
                """)
        return try Bool.fetchOne(statement, arguments: [domain, day.number, old, new]) ?? true
    }

    /// Whether a report speaks of more messages than the other. Two reports of the same records differ in their policy only; the first stays.
    private func isLarger(_ new: Int64, than old: Int64, orEquals: Bool) throws -> Bool {
        let statement = try db.cachedStatement(
            sql: "SELECT n.messages - o.messages FROM reports n, reports o WHERE n.id = ? AND o.id = ? AND n.records >= o.records")
        guard let more = try Int.fetchOne(statement, arguments: [new, old]) else { return false }
        return more > 0 || orEquals && more == 0
    }

    /// Takes a stored report into the figures, or out of them.
    func setCounted(_ isCounted: Bool, _ id: Int64, domain: Int64, _ days: ClosedRange<Day>) throws {
        try noteForVerdicts(id)
        let present = isCounted ? "= 2" : "IN (0, 1)"
        try addRollups(of: id, domain: domain, days, countedAs: present, sign: isCounted ? 1 : -1)
        try db.execute(
            sql: """
                WITH \(Self.daysSQL)
                UPDATE records SET counted_as = \(isCounted ? "(dkim = 0 AND spf = 0)" : "2")
                WHERE domain_id = :domain AND counted_as \(present) AND day IN (SELECT day FROM days) AND report_id = :id
                """, arguments: ["domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "id": id])
        try db.execute(sql: "UPDATE reports SET is_counted = ? WHERE id = ?", arguments: [isCounted, id])
    }

    /// A stored report will count otherwise from now on, or be somebody else's word. What verdicts know of it is noted, once: the next refresh takes
    /// it out of them, and judges what it touches again. What they never knew makes nothing stale.
    func noteForVerdicts(_ id: Int64) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO recounted_reports (report_id, was_counted, voice_id)
                SELECT id, is_counted, iif(authenticity <> 1, NULL, voice_id) FROM reports
                WHERE id = ? AND id <= (SELECT report_id FROM verdict_state WHERE id = 1)
                """)
        try statement.execute(arguments: [id])
    }

    /// Adds the rows of a stored report to the rollups, or takes them away. What replaces a report in a conflict has all of its sources
    /// on all of its days, so the first and last day of a source stay right; `finishReplacing` sees to it elsewhere.
    func addRollups(of id: Int64, domain: Int64, _ days: ClosedRange<Day>, countedAs: String, sign: Int) throws {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                WITH \(Self.daysSQL)
                SELECT day, source, messages, disposition, dkim, spf, sequence FROM records
                WHERE domain_id = :domain AND counted_as \(countedAs) AND day IN (SELECT day FROM days) AND report_id = :id
                ORDER BY sequence, day
                """, arguments: ["domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "id": id])
        var lastSequence: Int?
        while let row = try rows.next() {
            guard let source = try row.address(1), let disposition = AppliedDisposition(rawValue: row[3]) else { continue }
            let sequence: Int = row[6]
            rollups.add(
                domain: domain, day: row[0], source: source, messages: row[2], disposition: disposition,
                dkim: row[4] == 1 ? .pass : .fail, spf: row[5] == 1 ? .pass : .fail, isFirstShare: sequence != lastSequence, sign: sign)
            lastSequence = sequence
        }
    }
}

extension Row {
    /// The address in a column; nil if it holds none.
    func address(_ index: Int) throws -> IPAddress? {
        try withUnsafeData(atIndex: index) { data in data.flatMap { $0.withUnsafeBytes { IPAddress(bytes: $0) } } }
    }

    /// The digest in a column; that of nothing if it holds none.
    func digest(_ index: Int) throws -> ContentDigest {
        try withUnsafeData(atIndex: index) { data -> ContentDigest in
            guard let data, data.count == 16 else { return ContentDigest() }
            return data.withUnsafeBytes { bytes in
                ContentDigest(
                    first: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    second: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
        }
    }
}
