import DMARC
import GRDB
import ReportStore

/// Everywhere a name or a selector is seen.
public struct NameExplanation: Sendable {
    /// Life of a selector: from where, since when, and how often it verifies.
    public struct Place: Hashable, Sendable {
        /// For whom.
        public var policyDomain: String
        /// The policy domain, canonical; of a signature its own domain.
        public var domain: String
        /// Nil: the reports do not name it.
        public var selector: String?
        /// Whose SPF it stands beside: nil where that is the policy domain's own, or none.
        public var beside: String?
        /// What it stands beside.
        public var kind: Kind
        /// Records in which it verified.
        public var verified: Int
        /// The same, where the signature did not verify.
        public var broken: Int
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
        /// About how many reporters.
        public var reporters: Int
        /// Seen away from where the selector is at home.
        public var isUnexpected = false
        /// Of the selector for the policy domain, at all places.
        public var life: Life
    }

    /// All that is known of a selector for a policy domain.
    public struct Life: Hashable, Sendable {
        /// Records in which it verified.
        public var verified = 0
        /// The same, where the signature did not verify.
        public var broken = 0
        /// First day.
        public var firstDay: Day
        /// Last day.
        public var lastDay: Day
    }

    /// What a signature stands beside.
    public enum Kind: String, Sendable {
        case own, ownFailing = "own-failing", none, foreignFailing = "foreign-failing", organisation, unlisted
    }

    /// What is known of an organisation, if the name is one that was met.
    public let organisation: SourceExplanation.Stranger?
    /// Where selectors that the name or the selector stands for were seen, those with most records; by policy domain, selector and first day.
    public let places: [Place]
    /// How many there are beyond the limit.
    public let otherPlaces: Int
    /// Whether any report has the name or the selector, whatever else is known of it.
    public let isMet: Bool
    /// Sources that authenticate as the organisation, most messages first; at most 20.
    public let sources: [(source: IPAddress, domain: String, verdict: Verdict, messages: Int)]

    /// A domain, or a selector: `s1`, `s1._domainkey.example.nl`.
    ///
    /// - Parameter limit: how many places; nil: all.
    public static func ask(_ store: ReportStore, name: String, limit: Int? = nil) throws(AnalysisError) -> NameExplanation {
        try reading(store, "explain") { db in
            var selector: String?
            var domain: String? = name
            if let range = name.firstRange(of: "._domainkey.") {
                selector = String(name[..<range.lowerBound])
                domain = String(name[range.upperBound...])
            } else if !name.contains(".") {
                selector = name
                domain = nil
            }
            let organisation = try domain.flatMap { try Self.organisation(db, $0) }
            let (places, others) = try SelectorPlaces.leading(db, domain: domain, selector: selector, limit: limit)
            let isMet = try [domain, selector].compactMap(\.self).allSatisfy { try Self.isMet(db, $0) }
            return NameExplanation(
                organisation: organisation, places: places, otherPlaces: others, isMet: isMet,
                sources: selector == nil ? try domain.map { try sources(db, $0) } ?? [] : [])
        }
    }

    private static func isMet(_ db: Database, _ name: String) throws -> Bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM names WHERE name = ?1) OR EXISTS (SELECT 1 FROM domains WHERE name = ?1)"
        return try Bool.fetchOne(db, sql: sql, arguments: [name]) ?? false
    }

    private static func organisation(_ db: Database, _ name: String) throws -> SourceExplanation.Stranger? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT o.surviving, o.broken, o.unsigned, o.relayed, o.reporter_bits, o.day_bits, o.source_bits, o.domain_bits
                FROM organisations o JOIN names n ON n.id = o.name_id WHERE n.name = ?
                """, arguments: [name])
        guard let row else { return nil }
        var stranger = SourceExplanation.Stranger(name: name, service: Services().service(of: name))
        stranger.surviving = row[0]
        stranger.broken = row[1]
        stranger.unsigned = row[2]
        stranger.relayed = row[3]
        stranger.reporters = Levels.count(row[4])
        stranger.days = Levels.count(row[5])
        stranger.sources = Levels.count(row[6])
        stranger.domains = Levels.count(row[7])
        return stranger
    }

    private static func sources(_ db: Database, _ name: String) throws -> [(
        source: IPAddress, domain: String, verdict: Verdict, messages: Int
    )] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT f.source, d.name, f.verdict, f.messages
                FROM (
                    SELECT source, domain_id, verdict, sum(messages) AS messages
                    FROM flows
                    WHERE aligned IN (0, 2) AND authentication_id IN (
                        SELECT a.set_id FROM authentication_results a
                        WHERE a.result = 'pass' AND a.domain_id IN (
                            SELECT o.name_id FROM organisation_names o JOIN names n ON n.id = o.organisation_id WHERE n.name = ?))
                    GROUP BY 1, 2, 3
                ) f JOIN domains d ON d.id = f.domain_id
                ORDER BY 4 DESC, 1, 2, 3 LIMIT 20
                """, arguments: [name])
        return try rows.compactMap { row in
            let source = try row.withUnsafeData(atIndex: 0) { data in data.flatMap { $0.withUnsafeBytes { IPAddress(bytes: $0) } } }
            return source.map { ($0, row[1], Verdict(stored: row[2]), row[3]) }
        }
    }
}
