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

    /// Reports of one voice that a further one is compared with, of those that nobody vouches for. What comes after that many counts as well.
    private static let maxCompared = 16

    /// Decides which reports of an identity are counted, now that another one came. Its records are in, not counted.
    func settleConflict(_ report: OpenReport, _ sender: ReportSender) throws -> DocumentOutcome {
        // Reports about domains of others are in no figure, whoever sends them.
        if report.isForeign { return .conflict(replaced: false) }
        let before = report.rivals.filter(\.isCounted).map(\.contender)
        let new = Contender(id: report.id, rank: sender.standing, voice: sender.voice)
        let after = try contend(new, before, report.domain, report.header)
        let days = report.header.window.days
        let isCounted = after.contains { $0.id == new.id }
        var replacedAny = false
        for old in before where !after.contains(where: { $0.id == old.id }) {
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
        let days = window.days
        let missing = try Bool.fetchOne(
            db,
            sql: """
                WITH
                old AS (
                    SELECT source, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id,
                           sum(messages) AS messages, count(DISTINCT sequence) AS records
                    FROM records
                    WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day BETWEEN :first AND :last AND report_id = :old
                    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
                new AS (
                    SELECT source, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id, authentication_id, override_id,
                           sum(messages) AS messages, count(DISTINCT sequence) AS records
                    FROM records
                    WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day BETWEEN :first AND :last AND report_id = :new
                    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9)
                SELECT EXISTS (
                    SELECT 1 FROM old LEFT JOIN new
                        ON new.source = old.source AND new.disposition = old.disposition AND new.dkim = old.dkim AND new.spf = old.spf
                        AND new.header_from_id = old.header_from_id AND new.envelope_from_id IS old.envelope_from_id
                        AND new.envelope_to_id IS old.envelope_to_id AND new.authentication_id = old.authentication_id
                        AND new.override_id IS old.override_id
                    WHERE new.messages IS NULL OR new.messages < old.messages OR new.records < old.records)
                """,
            arguments: [
                "domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "old": old, "new": new,
            ])
        return try missing == false && isLarger(new, than: old, domain: domain, window, orEquals: orEquals)
    }

    /// Whether the new report says more than the counted one, and on each day of a long window has all of its sources: rounding may leave a
    /// source without a share on a day. Two reports of the same records differ in their policy only; the first stays.
    private func isLarger(
        _ new: Int64, than old: Int64, domain: Int64, _ window: ReportWindow, orEquals: Bool
    ) throws -> Bool {
        let days = window.days
        let sums = """
            SELECT coalesce(sum(messages), 0), count(DISTINCT sequence) FROM records
            WHERE domain_id = ? AND counted_as IN (0, 1, 2) AND day BETWEEN ? AND ? AND report_id = ?
            """
        func sum(_ id: Int64) throws -> (Int, Int) {
            let arguments: StatementArguments = [domain, days.lowerBound.number, days.upperBound.number, id]
            guard let row = try Row.fetchOne(db, sql: sums, arguments: arguments) else { return (0, 0) }
            return (row[0], row[1])
        }
        let (newSum, oldSum) = try (sum(new), sum(old))
        guard newSum > oldSum || orEquals && newSum == oldSum else { return false }
        guard window.isSpread else { return true }
        let lost = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (
                    SELECT day, source FROM records
                    WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day BETWEEN :first AND :last AND report_id = :old AND messages > 0
                    EXCEPT
                    SELECT day, source FROM records
                    WHERE domain_id = :domain AND counted_as IN (0, 1, 2) AND day BETWEEN :first AND :last AND report_id = :new AND messages > 0)
                """,
            arguments: [
                "domain": domain, "first": days.lowerBound.number, "last": days.upperBound.number, "old": old, "new": new,
            ])
        return lost == false
    }

    /// Takes a stored report into the figures, or out of them.
    func setCounted(_ isCounted: Bool, _ id: Int64, domain: Int64, _ days: ClosedRange<Day>) throws {
        let present = isCounted ? "= 2" : "IN (0, 1)"
        try addRollups(of: id, domain: domain, days, countedAs: present, sign: isCounted ? 1 : -1)
        try db.execute(
            sql: """
                UPDATE records SET counted_as = \(isCounted ? "(dkim = 0 AND spf = 0)" : "2")
                WHERE domain_id = ? AND counted_as \(present) AND day BETWEEN ? AND ? AND report_id = ?
                """, arguments: [domain, days.lowerBound.number, days.upperBound.number, id])
        try db.execute(sql: "UPDATE reports SET is_counted = ? WHERE id = ?", arguments: [isCounted, id])
        // Verdicts are made of sums, and what made a flow broad or old cannot be taken out of them.
        if !isCounted { try db.execute(sql: "UPDATE verdict_state SET is_stale = 1 WHERE report_id >= ?", arguments: [id]) }
    }

    /// Adds the rows of a stored report to the rollups, or takes them away. What replaces a report in a conflict has all of its sources
    /// on all of its days, so the first and last day of a source stay right; `finishReplacing` sees to it elsewhere.
    func addRollups(of id: Int64, domain: Int64, _ days: ClosedRange<Day>, countedAs: String, sign: Int) throws {
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT day, source, messages, disposition, dkim, spf, sequence FROM records
                WHERE domain_id = ? AND counted_as \(countedAs) AND day BETWEEN ? AND ? AND report_id = ? ORDER BY sequence, day
                """, arguments: [domain, days.lowerBound.number, days.upperBound.number, id])
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
