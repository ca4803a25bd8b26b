import DMARC
import Foundation
import GRDB

@testable import Inference
@testable import Store

/// What a record says of one day, and what was concluded about it.
struct JudgedShare {
    var share: FactShare
    /// Key of its set of results.
    var authentication: Int
    var set: AuthenticationSet
    var headerFrom: String
    var verdict: Verdict

    var messages: Int { share.messages }
    var domain: String { share.report.domain }
    var source: IPAddress { share.record.source }
    var passed: Bool { share.record.passed }
    var flow: JudgedFacts.FlowKey {
        .init(
            source: source, domain: domain, authentication: authentication,
            aligned: (share.record.dkim ? 2 : 0) + (share.record.spf ? 1 : 0))
    }
}

/// Facts with verdicts that mean nothing, but are everywhere: every table that the questions about verdicts read is filled from them.
struct JudgedFacts {
    struct FlowKey: Hashable {
        var source: IPAddress
        var domain: String
        var authentication: Int
        var aligned: Int
    }

    struct Flow {
        var verdict: Verdict
        var confidence: Int
        var notes: VerdictNotes
        var evidence: EvidenceCodes
    }

    let facts: FactsFixture
    let shares: [JudgedShare]
    private(set) var flows: [FlowKey: Flow] = [:]

    /// Beside those of `FactsFixture`: some that know the policy domains' own names.
    static let ownSets = [
        AuthenticationSet(
            dkim: [
                DKIMResult(domain: "example.org", selector: "s1", result: .fail),
                DKIMResult(domain: "mail.example.org", selector: "s2", result: .pass),
            ], spf: [SPFResult(domain: "relay.example", scope: .mfrom, result: .pass)]),
        AuthenticationSet(
            dkim: [DKIMResult(domain: "two.example", selector: "s2", result: .pass)],
            spf: [SPFResult(domain: "example.org", scope: .mfrom, result: .softfail)]),
        AuthenticationSet(
            dkim: [
                DKIMResult(domain: "example.org", selector: "s1", result: .fail), DKIMResult(domain: nil, selector: nil, result: .pass),
            ],
            spf: [SPFResult(domain: "example.org", scope: .mfrom, result: .pass)]),
    ]

    static var sets: [AuthenticationSet] { FactsFixture.authentications + ownSets }

    /// Signing domain, selector, policy domain, beside (a name; nil: own SPF), verified, messages.
    static let places: [(domain: String, selector: String, policy: String, beside: String?, verified: Int, messages: Int)] = [
        ("example.org", "s1", "example.org", nil, 1, 50), ("example.org", "s1", "example.org", "relay.example", 1, 80),
        ("example.org", "s1", "example.org", "a.example", 0, 900), ("example.org", "s1", "mail.example.org", nil, 1, 50),
        ("mail.example.org", "s2", "example.org", "relay.example", 1, 7), ("mail.example.org", "s2", "example.org", "a.example", 1, 7),
    ]

    init(seed: UInt64, reports: Int) throws {
        let facts = try FactsFixture(seed: seed, reports: reports)
        self.facts = facts
        let firstNames = FactsFixture.domains
        var shares: [JudgedShare] = []
        var flows: [FlowKey: Flow] = [:]
        for share in facts.shares {
            let own = (share.report.id + share.record.sequence) % 3 == 0
            let usual = (FactsFixture.authentications.firstIndex(of: share.record.authentication) ?? 0) + 1
            let authentication = own ? FactsFixture.authentications.count + 1 + share.record.sequence % Self.ownSets.count : usual
            let froms = [share.report.domain, "mail.example.org", "two.example", "relay.example", share.report.domain]
            var judged = JudgedShare(
                share: share, authentication: authentication, set: Self.sets[authentication - 1],
                headerFrom: froms[(share.report.id * 7 + share.record.sequence) % froms.count], verdict: .unknown)
            let key = judged.flow
            let domain = firstNames.firstIndex(of: key.domain) ?? 0
            var generator = SeededGenerator(
                state: UInt64(domain * 31 + authentication * 1009 + key.aligned * 17) &+ key.source.low &* 7919 &+ seed)
            let word = generator.next()
            // A record of a flow that nobody judged yet has no verdict.
            let isJudged = word >> 3 % 7 != 0
            if isJudged { judged.verdict = Verdict.allCases[Int(word % 8)] }
            shares.append(judged)
            guard isJudged else { continue }
            flows[key] = Flow(
                verdict: judged.verdict, confidence: Int(word >> 8 % 1001), notes: VerdictNotes(rawValue: Int(word >> 20 & 63)),
                evidence: EvidenceCodes(bits: Int(word >> 26 & 0x1F_FFFF_FFFF)))
        }
        self.shares = shares
        self.flows = flows
        let queue = try DatabaseQueue(path: facts.path)
        try queue.write { [shares, flows] db in try Self.write(shares, flows, db) }
        try queue.close()
    }

    private static func write(_ shares: [JudgedShare], _ flows: [FlowKey: Flow], _ db: Database) throws {
        for name in ["s1", "s2", "example.org", "mail.example.org", "two.example", "relay.example", "a.example"] {
            try db.execute(sql: "INSERT OR IGNORE INTO names(name) VALUES (?)", arguments: [name])
        }
        func key(_ table: String, _ name: String?) throws -> Int? {
            guard let name else { return nil }
            return try Int.fetchOne(db, sql: "SELECT id FROM \(table) WHERE name = ?", arguments: [name])
        }
        for (index, set) in ownSets.enumerated() {
            let id = FactsFixture.authentications.count + 1 + index
            try db.execute(
                sql: "INSERT INTO authentication_sets(id, digest) VALUES (?, ?)",
                arguments: [id, Data(repeating: UInt8(200 + index), count: 16)])
            for (position, dkim) in set.dkim.enumerated() {
                try db.execute(
                    sql: "INSERT INTO authentication_results VALUES (?, ?, 'dkim', ?, ?, NULL, ?, NULL, NULL)",
                    arguments: [id, position, try key("names", dkim.domain), try key("names", dkim.selector), dkim.result.rawValue])
            }
            for (position, spf) in set.spf.enumerated() {
                try db.execute(
                    sql: "INSERT INTO authentication_results VALUES (?, ?, 'spf', ?, NULL, ?, ?, NULL, NULL)",
                    arguments: [id, set.dkim.count + position, try key("names", spf.domain), spf.scope?.rawValue, spf.result.rawValue])
            }
        }
        for judged in shares {
            try db.execute(
                sql: "UPDATE records SET authentication_id = ?, header_from_id = ? WHERE report_id = ? AND sequence = ?",
                arguments: [
                    judged.authentication, try key("names", judged.headerFrom), judged.share.report.id,
                    judged.share.record.sequence,
                ])
        }
        for (flow, what) in flows {
            try db.execute(
                sql: "INSERT INTO flows VALUES (?, ?, ?, ?, 1, 1, 0, 0, 0, 0, 0, ?, ?, ?, ?)",
                arguments: [
                    flow.source.withBytes { Data($0) }, try key("domains", flow.domain), flow.authentication, flow.aligned,
                    what.verdict.stored, what.confidence, what.notes.rawValue, what.evidence.bits,
                ])
        }
        for place in places {
            try db.execute(
                sql: "INSERT INTO selector_places VALUES (?, ?, ?, ?, ?, ?, 1, 0, 0, 0)",
                arguments: [
                    try key("names", place.domain), try key("names", place.selector), try key("domains", place.policy),
                    try key("names", place.beside) ?? 0, place.verified, place.messages,
                ])
        }
        try db.execute(
            sql: """
                INSERT INTO daily_verdicts
                SELECT r.domain_id, coalesce(f.verdict, 2) AS verdict, r.day, sum(r.messages),
                    sum(CASE r.counted_as WHEN 0 THEN r.messages ELSE 0 END)
                FROM records r LEFT JOIN flows f ON f.source = r.source AND f.domain_id = r.domain_id
                    AND f.authentication_id = r.authentication_id AND f.aligned = r.dkim * 2 + r.spf
                WHERE r.counted_as < 2 GROUP BY r.domain_id, 2, r.day
                """)
        try db.execute(sql: "UPDATE verdict_state SET rules = 'test'")
    }

    /// What must be concluded about `shares` of one source and policy domain.
    func conclusion(_ shares: [JudgedShare]) -> Conclusion {
        var messages: [FlowKey: Int] = [:]
        for share in shares where flows[share.flow] != nil { messages[share.flow, default: 0] += share.messages }
        let ranked = messages.sorted {
            if $0.value != $1.value { return $0.value > $1.value }
            if $0.key.authentication == $1.key.authentication { return $0.key.aligned < $1.key.aligned }
            return Self.said($0.key.authentication).lexicographicallyPrecedes(Self.said($1.key.authentication))
        }
        var conclusion = Conclusion()
        guard let first = ranked.first, let flow = flows[first.key] else { return conclusion }
        conclusion.notes = flow.notes
        conclusion.evidence = flow.evidence.consistent()
        let weighted = messages.reduce(0) { $0 + (flows[$1.key]?.confidence ?? 0) * $1.value }
        let perMille = Double(weighted) / Double(messages.values.reduce(0, +))
        conclusion.confidence = (perMille / 10 + 1e-9).rounded(.down) / 100
        return conclusion
    }

    /// The set that most messages of `shares` have; of equals the first by names, then by words.
    func usualSet(_ shares: [JudgedShare]) -> AuthenticationSet {
        let votes = Dictionary(grouping: shares, by: \.authentication).mapValues { $0.reduce(0) { $0 + $1.messages } }
        let ranked = votes.sorted { a, b in
            a.value != b.value ? a.value > b.value : Self.said(a.key).lexicographicallyPrecedes(Self.said(b.key))
        }
        return ranked.first.map { Self.sets[$0.key - 1] } ?? AuthenticationSet()
    }

    /// The names of a set, then its words; what is absent comes first.
    private static func said(_ key: Int) -> [String] {
        let set = sets[key - 1]
        let names = set.spf.map(\.domain) + [nil] + set.dkim.flatMap { [$0.domain, $0.selector] } + [nil]
        let words = set.spf.flatMap { [$0.result.rawValue, $0.scope?.rawValue, $0.rawResult, $0.humanResult] }
        return (names + words + set.dkim.flatMap { [$0.result.rawValue, $0.rawResult, $0.humanResult] }).map { $0.map { "=" + $0 } ?? "" }
    }

    /// All names of these tests have an organisational domain of two labels.
    static func isOwn(_ name: String, of domain: String) -> Bool {
        name.split(separator: ".").suffix(2) == domain.split(separator: ".").suffix(2)
    }
}
