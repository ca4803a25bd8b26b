import DMARC
import GRDB

/// Reports of one identity, found by index: a stranger may send thousands under one, and no further one may cost more for that
/// (docs/decisions/0005-conflicts.md).
extension ReportWriter {
    /// What two reports have in common that are one report, or in conflict.
    struct Identity {
        var domain: Int64
        var reporter: Int64
        var header: ReportHeader

        fileprivate var arguments: StatementArguments {
            [domain, header.window.begin, reporter, header.reportID, header.window.end]
        }
    }

    /// A stored report of the same identity.
    struct Rival {
        var id: Int64
        var isCounted: Bool
        var sender: ReportSender

        var contender: Contender { Contender(id: id, rank: sender.standing, voice: sender.voice) }
    }

    /// Reports of one identity and rank that are kept although they do not count. Reporters correct a report once or twice.
    public static let maxUncounted = 16
    /// Reports of one voice that a further one is compared with, of those that nobody vouches for. What comes after that many counts as well.
    static let maxCompared = 16
    /// Reports of one identity that are settled anew from the first on; beyond these what counts stays.
    private static let maxSettled = 64

    private static let identitySQL = "domain_id = ? AND begin_utc = ? AND reporter_id = ? AND report_id = ? AND end_utc = ?"
    private static let rivalSQL = """
        SELECT id, is_counted, authenticity, mail_from_domain, (SELECT name FROM names WHERE id = voice_id), arrived_utc, sender_rank, email
        FROM reports
        """

    func identity(_ header: ReportHeader) throws -> Identity {
        try Identity(domain: interning.domain(header.policy.domain), reporter: interning.reporter(header.reporter), header: header)
    }

    private func rival(_ row: Row) -> Rival {
        var sender = ReportSender(authenticity: row[2], mailFromDomain: row[3], voice: row[4], arrivedAt: row[5], rank: row[6])
        // Stored before voices were noted.
        if sender.voice == nil, sender.authenticity != .mismatch {
            sender.voice = Voice.name(author: sender.mailFromDomain, email: row[7], giver: giver)
        }
        return Rival(id: row[0], isCounted: row[1], sender: sender)
    }

    /// Whether any report of an identity is there. Nearly every report is new: this is asked in the cheapest way.
    func hasRivals(_ identity: Identity) throws -> Bool {
        findRival.bind(1, identity.domain)
        findRival.bind(2, identity.header.window.begin)
        findRival.bind(3, identity.reporter)
        findRival.bind(4, identity.header.reportID)
        findRival.bind(5, identity.header.window.end)
        return try findRival.integer() != nil
    }

    /// The stored report of an identity with the same content.
    func same(_ identity: Identity, _ digest: ContentDigest) throws -> Rival? {
        findSame.bind(1, identity.domain)
        findSame.bind(2, identity.header.window.begin)
        findSame.bind(3, identity.reporter)
        findSame.bind(4, identity.header.reportID)
        findSame.bind(5, identity.header.window.end)
        findSame.bind(6, digest)
        guard let id = try findSame.integer() else { return nil }
        return try Row.fetchOne(db.cachedStatement(sql: Self.rivalSQL + " WHERE id = ?"), arguments: [id]).map(rival)
    }

    /// Those of the counted reports of an identity that decide whether one of `sender` counts, in the order in which they came: all of a
    /// lower rank, some of the same voice and rank, and one of a higher rank.
    func counted(_ identity: Identity, _ sender: ReportSender) throws -> [Contender] {
        let rank = sender.standing
        // Where the name is no domain each voice has an identity of its own, and what is nobody's contends with everybody.
        let isApart = DomainName.named(identity.header.reporter) == nil && sender.voice != nil
        let voice = try sender.voice.flatMap { try Int64.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [$0]) }
        func fetch(_ rank: ReportSender.Rank, _ voices: [(id: Int64?, name: String?)]?, _ limit: Int) throws -> [Contender] {
            // Question: which reports count of one identity and rank. Unit: reports. Index: reports_rivals.
            let sql = "SELECT id, voice_id FROM reports WHERE \(Self.identitySQL) AND is_counted = 1 AND sender_rank = ?"
            guard let voices else {
                let rows = try Row.fetchAll(
                    db.cachedStatement(sql: sql + " LIMIT ?"), arguments: identity.arguments + [rank.rawValue, limit])
                return rows.map { row in
                    let id: Int64? = row[1]
                    return Contender(id: row[0], rank: rank, voice: id == nil ? nil : id == voice ? sender.voice : "")
                }
            }
            return try voices.flatMap { voice in
                try Int64.fetchAll(
                    db.cachedStatement(sql: sql + " AND voice_id IS ? ORDER BY id LIMIT ?"),
                    arguments: identity.arguments + [rank.rawValue, voice.id, limit]
                ).map { Contender(id: $0, rank: rank, voice: voice.name) }
            }
        }
        // A voice that nobody has heard of has no reports.
        let own: [(id: Int64?, name: String?)] = sender.voice == nil ? [(nil, nil)] : voice == nil ? [] : [(voice, sender.voice)]
        let rivals: [(id: Int64?, name: String?)]? = isApart ? own + [(nil, nil)] : nil
        var found: [Contender] = []
        for other in ReportSender.Rank.allCases {
            if other == rank {
                found += try fetch(other, own, rank > .unverified ? 1 : Self.maxCompared)
            } else {
                found += try fetch(other, rivals, other > rank ? 1 : .max)
            }
        }
        // Stored before ranks were noted: no more come.
        let sql = Self.rivalSQL + " WHERE \(Self.identitySQL) AND is_counted = 1 AND sender_rank IS NULL"
        found += try Row.fetchAll(db.cachedStatement(sql: sql), arguments: identity.arguments).map { rival($0).contender }
        return found.sorted { $0.id < $1.id }
    }

    /// Whether the report that came last is one more of its identity than are kept that do not count. It is in the table, not counted yet.
    ///
    /// One that loses is one too many beside others of its rank, whoever sent them. One that would take another's place is so only beside
    /// earlier ones of its own voice: no stranger keeps a correction out.
    func isSurplus(_ identity: Identity, _ sender: ReportSender, loses: Bool) throws -> Bool {
        // Question: how many do not count of one identity and rank. Unit: one row. Index: reports_rivals, at most as many entries as are kept.
        var condition = "\(Self.identitySQL) AND is_counted = 0 AND sender_rank = ?"
        var arguments = identity.arguments + [sender.standing.rawValue]
        if !loses || DomainName.named(identity.header.reporter) == nil {
            condition += " AND voice_id IS (SELECT id FROM names WHERE name = ?)"
            arguments += [sender.voice]
        }
        let sql = "SELECT count(*) FROM (SELECT 1 FROM reports WHERE \(condition) LIMIT ?)"
        let found = try Int.fetchOne(db.cachedStatement(sql: sql), arguments: arguments + [Self.maxUncounted + 1])
        return found ?? 0 > Self.maxUncounted
    }

    /// Decides anew which report of an identity counts, as if they had just come in the order of their numbers.
    func settleIdentity(_ domain: Int64, _ reporter: Int64, _ header: ReportHeader) throws {
        // Without an id the content is part of the identity, so there is no conflict.
        guard !header.reportID.isEmpty, try !isForeign(domain) else { return }
        let identity = Identity(domain: domain, reporter: reporter, header: header)
        let sql = Self.rivalSQL + " WHERE \(Self.identitySQL)"
        let rivals = try Row.fetchAll(
            db.cachedStatement(sql: sql + " ORDER BY id LIMIT ?"), arguments: identity.arguments + [Self.maxSettled]
        ).map(rival)
        var counted: [Contender] = []
        if rivals.count == Self.maxSettled, let last = rivals.last {
            // What counts beyond these stays, and so keeps its place among them.
            counted = try Row.fetchAll(
                db.cachedStatement(sql: sql + " AND is_counted = 1 AND id > ? ORDER BY sender_rank DESC LIMIT ?"),
                arguments: identity.arguments + [last.id, Self.maxCompared]
            ).map { rival($0).contender }
        }
        for rival in rivals { counted = try contend(rival.contender, counted, domain, header) }
        try settle(rivals, counted, identity)
    }

    /// Decides anew whether one stored report counts, of whose sender more is known now.
    func settleAlone(_ id: Int64, _ sender: ReportSender, _ header: ReportHeader) throws {
        let identity = try identity(header)
        guard !header.reportID.isEmpty, try !isForeign(identity.domain) else { return }
        let count = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT count(*) FROM (SELECT 1 FROM reports WHERE \(Self.identitySQL) LIMIT ?)"),
            arguments: identity.arguments + [Self.maxSettled])
        guard count == Self.maxSettled else {
            // Somebody else may count from now on, too.
            if count != 1 { try settleIdentity(identity.domain, identity.reporter, header) }
            return
        }
        var ids = Set(try counted(identity, sender).map(\.id))
        ids.insert(id)
        let statement = try db.makeStatement(sql: Self.rivalSQL + " WHERE id = ?")
        let rivals = try ids.sorted().compactMap { try Row.fetchOne(statement, arguments: [$0]).map(rival) }
        var counted: [Contender] = []
        for rival in rivals { counted = try contend(rival.contender, counted, identity.domain, header) }
        try settle(rivals, counted, identity)
    }

    private func settle(_ rivals: [Rival], _ counted: [Contender], _ identity: Identity) throws {
        let days = identity.header.window.days
        let ids = Set(counted.map(\.id))
        for rival in rivals where rival.isCounted != ids.contains(rival.id) {
            if rival.isCounted { replaced.domains.insert(identity.domain) }
            try setCounted(!rival.isCounted, rival.id, domain: identity.domain, days)
            note(identity.domain, days)
        }
    }
}
