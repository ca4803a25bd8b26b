import Advice
import DMARC
import GRDB
import Organisations
import Store

/// How a stranger proved who it is.
public enum ForeignProof: String, CaseIterable, Hashable, Sendable {
    /// SPF passed for its domain.
    case spf
    /// A signature of its domain verified.
    case dkim
    case both
}

/// A source that authenticates as somebody else while it uses a domain in From. Figures in messages unless said otherwise.
public struct UnalignedRow: Hashable, Sendable {
    /// The connecting address.
    public var source: IPAddress
    /// The policy domain, canonical.
    public var domain: String
    /// The domain in From, canonical.
    public var headerFrom: String
    /// All messages of this source with this domain in From in the period.
    public var messages: Int
    /// Those of them that the row is about: they fail, and authenticate as somebody else.
    public var failed: Int
    /// The other domain, in the results that most of these messages share: that of SPF, else that of the signature.
    public var authenticatedAs: String
    /// How, in the same results.
    public var proof: ForeignProof
    /// The well-known service that the domain of SPF or of the signature belongs to.
    public var service: Service?
    /// That of most of these messages; of equals the one with the lower number.
    public var verdict: Verdict
    /// How sure that is, and why.
    public var conclusion: Conclusion
    /// Distinct reporters of these messages.
    public var reporters: Int
    /// First day with such messages in the period.
    public var firstDay: Day
    /// Last day with such messages in the period.
    public var lastDay: Day
    /// Such messages with disposition `none` or `pass`.
    public var delivered: Int
    /// Such messages with disposition `quarantine`.
    public var quarantined: Int
    /// Such messages with disposition `reject`.
    public var rejected: Int

    /// Which finding of `advise` fits.
    public var advice: String {
        Advice.code(verdict: verdict, notes: conclusion.notes, service: service?.kind, delivered: delivered)
    }
}

/// The answer to "who authenticates as somebody else while using my name".
public struct Unaligned: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// Most failed messages first, then by the text of the address, policy domain and domain in From.
    public var rows: [UnalignedRow]
    /// Rows, also those beyond the limit.
    public var count: Int

    /// Question: failed messages with some verdicts. Unit: one row a record and day. Index: primary key of `records`, one contiguous range.
    static let failuresSQL = """
        SELECT source, messages, report_id, day, disposition, header_from_id, authentication_id, verdict
        FROM records
        WHERE domain_id = ?1 AND counted_as = 1 AND day BETWEEN ?2 AND ?3 AND verdict BETWEEN ?4 AND ?5
        """

    /// Question: messages by source and domain in From. Unit: one row a record and day. Index: as `failuresSQL`.
    static let messagesSQL = """
        SELECT source, messages, report_id, header_from_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Asks `store` for the first `limit` rows; nil: all. With `anyVerdict` not only what is held for `unaligned`.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, anyVerdict: Bool, limit: Int?, withTotals: Bool = true
    ) throws(StoreError) -> Unaligned {
        try readingShared(store, "unaligned") { db, shared in
            let scope = try Scope(db, filter)
            guard let period = scope.period else {
                return Unaligned(coverage: scope.coverage(messages: 0, reports: 0), rows: [], count: 0)
            }
            let parts = try shared.split(scope.domains, db) { db, next in
                var part = Part()
                var tools = try Tools(db)
                while let domain = next() { try part.add(db, scope, of: domain, in: period, anyVerdict: anyVerdict, &tools) }
                return part
            }
            let rows = try rows(db, scope, of: leading(parts, limit: limit), parts, in: period)
            let coverage = withTotals ? try scope.totals(db) : scope.coverage(messages: 0, reports: 0)
            return Unaligned(coverage: coverage, rows: rows, count: parts.reduce(0) { $0 + $1.candidates.count })
        }
    }

    /// What is asked again and again.
    private struct Tools {
        var names: NameLookup
        private var results: KeyedResults
        /// The answers by the place of a set, with the name in From that they hold for: a set mostly comes with one only.
        private var known: [(from: Int, proof: Proof?)] = []

        init(_ db: Database) throws {
            names = NameLookup(db)
            results = try KeyedResults(db, .ofVerdicts(db))
        }

        /// As whom mail from `from` authenticates; nil if as nobody else.
        mutating func proof(from: Int, _ authentication: Int) throws -> Proof? {
            let place = try results.place(authentication)
            if place >= known.count {
                known.append(contentsOf: repeatElement((from: -1, proof: Proof?.none), count: results.count - known.count))
            }
            if known[place].from == from { return known[place].proof }
            let own = try results.organisation(of: from)
            var proof = Proof()
            let hasSender = results.hasSender(place)
            for result in results[place] where result.passed && result.domain != 0 && result.organisation != own {
                if result.isDKIM {
                    proof.dkim = proof.dkim ?? Int(result.domain)
                } else if SenderCheck.counts(isHELO: result.isHELO, hasSender: hasSender) {
                    proof.spf = proof.spf ?? Int(result.domain)
                }
            }
            let found = proof.spf == nil && proof.dkim == nil ? nil : proof
            known[place] = (from, found)
            return found
        }
    }

    /// The names of somebody else for which SPF and a signature passed.
    private struct Proof {
        var spf: Int?
        var dkim: Int?
    }

    private struct Candidate: Sendable {
        let domain: PolicyDomain
        let source: IPAddress
        let from: Int
        let headerFrom: String
        let failed: Int
        let last: Int32
    }

    /// What rows are ranked by.
    private struct Totals {
        var failed = 0
        var last: Int32 = -1
    }

    /// What one connection finds: the rows that may come to be shown, and their records.
    private struct Part: Sendable {
        private(set) var candidates: [Candidate] = []
        private(set) var kept = KeptRecords()

        mutating func add(
            _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, anyVerdict: Bool, _ tools: inout Tools
        ) throws {
            let (groups, totals) = try failures(db, scope, of: domain, in: period, anyVerdict: anyVerdict, &tools, &kept)
            for (group, totals) in totals.enumerated() {
                let from = groups.key(of: group)
                candidates.append(
                    Candidate(
                        domain: domain, source: groups.source(of: group), from: from, headerFrom: try tools.names.name(from) ?? "",
                        failed: totals.failed, last: totals.last))
            }
        }
    }

    private static func failures(
        _ db: Database, _ scope: Scope, of domain: PolicyDomain, in period: Period, anyVerdict: Bool, _ tools: inout Tools,
        _ kept: inout KeptRecords
    ) throws -> (SourceGroups, [Totals]) {
        var groups = SourceGroups()
        var totals: [Totals] = []
        let verdicts = anyVerdict ? 0...Int(UInt8.max) : Verdict.unaligned.stored...Verdict.unaligned.stored
        let rows = try SQLRows(
            db, failuresSQL,
            [
                .integer(domain.id), .integer(period.since.number), .integer(period.until.number), .integer(verdicts.lowerBound),
                .integer(verdicts.upperBound),
            ])
        while try rows.next() {
            let (messages, report, from, authentication) = (rows.int(1), rows.int(2), rows.int(5), rows.int(6))
            guard messages > 0, scope.includes(report: report), try tools.proof(from: from, authentication) != nil else { continue }
            let group = groups.number(of: try rows.address(0), from)
            if group == totals.count { totals.append(Totals()) }
            totals[group].failed += messages
            kept.add(
                RecordSums(
                    messages: messages, report: report, day: rows.int(3), disposition: AppliedDisposition(stored: rows.int(4)),
                    dkim: false, spf: false, authentication: authentication), verdict: rows.int(7), after: &totals[group].last)
        }
        return (groups, totals)
    }

    /// The first rows, and in which part they are.
    private static func leading(_ parts: [Part], limit: Int?) -> [(candidate: Candidate, part: Int)] {
        var highest = Highest<Int>(limit)
        var chosen: [(candidate: Candidate, part: Int)] = []
        for (number, part) in parts.enumerated() {
            for candidate in part.candidates where highest.admits(candidate.failed) { chosen.append((candidate, number)) }
        }
        chosen.removeAll { !highest.keeps($0.candidate.failed) }
        let named = chosen.map { (chosen: $0, text: $0.candidate.source.description) }
        let sorted = named.sorted { a, b in
            let (first, second) = (a.chosen.candidate, b.chosen.candidate)
            if first.failed != second.failed { return first.failed > second.failed }
            if a.text != b.text { return a.text < b.text }
            return first.domain.name != second.domain.name
                ? first.domain.name < second.domain.name : first.headerFrom < second.headerFrom
        }
        return sorted.prefix(limit ?? .max).map(\.chosen)
    }

    private static func rows(
        _ db: Database, _ scope: Scope, of leading: [(candidate: Candidate, part: Int)], _ parts: [Part], in period: Period
    ) throws -> [UnalignedRow] {
        var tools = try Tools(db)
        let book = NameBook(db)
        var reporterOf = try ReporterLookup(db)
        var flows = try FlowLookup(db)
        var authentications = AuthenticationLookup(db)
        let messages = try messages(db, scope, of: leading.map(\.candidate), in: period)
        return try zip(leading, messages).map { chosen, messages in
            let (candidate, domain) = (chosen.candidate, chosen.candidate.domain)
            var row = RowSums()
            // Messages by the key of their results, times 16, and the number of their verdict.
            var verdicts: [Int: Int] = [:]
            try parts[chosen.part].kept.forEach(from: candidate.last) { record, verdict in
                try row.add(record, &reporterOf)
                verdicts[record.authentication << 4 | verdict, default: 0] += record.messages
            }
            let (verdict, shares) = FlowShare.ofUsualVerdict(verdicts)
            let results = try row.usualResults(&authentications)
            let usual = try results.flatMap { try tools.proof(from: candidate.from, $0) }
            let set = try results.map { try authentications.set($0) } ?? AuthenticationSet()
            let spf = try tools.names.name(usual?.spf)
            let dkim = try tools.names.name(usual?.dkim)
            return UnalignedRow(
                source: candidate.source, domain: domain.name, headerFrom: candidate.headerFrom, messages: messages, failed: row.failed,
                authenticatedAs: spf ?? dkim ?? "", proof: spf == nil ? .dkim : dkim == nil ? .spf : .both,
                service: ResultView(set, for: candidate.headerFrom, book).service, verdict: verdict,
                conclusion: try flows.conclusion(candidate.source, domain, shares), reporters: row.reporters.count,
                firstDay: Day(row.firstDay), lastDay: Day(row.lastDay), delivered: row.delivered, quarantined: row.quarantined,
                rejected: row.rejected)
        }
    }

    /// All messages of the pairs of source and domain in From, whatever became of them.
    private static func messages(_ db: Database, _ scope: Scope, of leading: [Candidate], in period: Period) throws -> [Int] {
        var messages = [Int](repeating: 0, count: leading.count)
        for (domain, places) in Dictionary(grouping: leading.indices, by: { leading[$0].domain }) {
            var groups = SourceGroups()
            for place in places { _ = groups.number(of: leading[place].source, leading[place].from) }
            let life = try scope.life(db, of: domain, places.map { leading[$0].source }, in: period)
            for countedAs in life.mayPass ? [0, 1] : [1] {
                let rows = try SQLRows(
                    db, messagesSQL,
                    [.integer(domain.id), .integer(countedAs), .integer(life.days.since.number), .integer(life.days.until.number)])
                while try rows.next() {
                    guard let group = groups.find(try rows.address(0), rows.int(3)), scope.includes(report: rows.int(2)) else { continue }
                    messages[places[group]] += rows.int(1)
                }
            }
        }
        return messages
    }
}
