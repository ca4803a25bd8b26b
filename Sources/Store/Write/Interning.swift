import DMARC
import GRDB

/// Numbers for the values that repeat: names, reporters, domains, policies, sets of results, lists of reasons.
///
/// What was looked up is remembered for the run, up to a bound; then the database is asked again. After a rollback nothing remembered may
/// be believed (`forget`).
final class Interning {
    /// Entries of one kind that are remembered, and bytes of names.
    private static let bound = 100_000
    private static let maxNameBytes = 8 << 20

    private let db: Database
    /// Names and sets of results that were not in the database, since this was made.
    private(set) var (newNames, newSets) = (0, 0)
    private var names: [String: Int64] = [:]
    private var nameBytes = 0
    private var reporters: [String: Int64] = [:]
    private var domains: [String: Int64] = [:]
    private var policies: [PublishedPolicy: Int64] = [:]
    private var authentications: [ContentDigest: Int64] = [:]
    private var overrides: [[PolicyOverride]: Int64] = [:]

    private let insertName: HotStatement
    private let findName: HotStatement
    private let insertSet: HotStatement
    private let findSet: HotStatement
    private let insertResult: HotStatement

    init(_ db: Database) throws {
        self.db = db
        insertName = try HotStatement(db, "INSERT OR IGNORE INTO names (name) VALUES (?)")
        findName = try HotStatement(db, "SELECT id FROM names WHERE name = ?")
        insertSet = try HotStatement(db, "INSERT OR IGNORE INTO authentication_sets (digest) VALUES (?)")
        findSet = try HotStatement(db, "SELECT id FROM authentication_sets WHERE digest = ?")
        insertResult = try HotStatement(
            db,
            """
            INSERT INTO authentication_results
                (set_id, position, method, domain_id, selector_id, scope, result, raw_result, human_result)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
    }

    /// After a rollback: numbers given out since may belong to nobody, or soon to somebody else.
    func forget() {
        names.removeAll()
        reporters.removeAll()
        domains.removeAll()
        policies.removeAll()
        authentications.removeAll()
        overrides.removeAll()
    }

    func name(_ text: String) throws -> Int64 {
        if let known = names[text] { return known }
        if names.count >= Self.bound || nameBytes >= Self.maxNameBytes {
            names.removeAll()
            nameBytes = 0
        }
        nameBytes += text.utf8.count
        insertName.bind(1, text)
        try insertName.run()
        let id: Int64
        if db.changesCount > 0 {
            id = db.lastInsertedRowID
            newNames += 1
        } else {
            findName.bind(1, text)
            id = try findName.integer() ?? 0
        }
        names[text] = id
        return id
    }

    func reporter(_ name: String) throws -> Int64 {
        if let known = reporters[name] { return known }
        if reporters.count >= Self.bound { reporters.removeAll() }
        let id = try number(of: name, in: "reporters")
        reporters[name] = id
        return id
    }

    func domain(_ name: String) throws -> Int64 {
        if let known = domains[name] { return known }
        if domains.count >= Self.bound { domains.removeAll() }
        let id = try number(of: name, in: "domains")
        domains[name] = id
        return id
    }

    private func number(of name: String, in table: String) throws -> Int64 {
        try db.execute(sql: "INSERT OR IGNORE INTO \(table) (name) VALUES (?)", arguments: [name])
        if db.changesCount > 0 { return db.lastInsertedRowID }
        return try Int64.fetchOne(db, sql: "SELECT id FROM \(table) WHERE name = ?", arguments: [name]) ?? 0
    }

    /// The policy without its domain.
    func policy(_ policy: PublishedPolicy) throws -> Int64 {
        var key = policy
        key.domain = ""
        if let known = policies[key] { return known }
        if policies.count >= Self.bound { policies.removeAll() }
        let values: StatementArguments = [
            key.p, key.sp, key.np, key.adkim, key.aspf, key.pct, key.fo, key.testing, key.discoveryMethod,
        ]
        let found = try Int64.fetchOne(
            db,
            sql: """
                SELECT id FROM policies WHERE p IS ? AND sp IS ? AND np IS ? AND adkim IS ? AND aspf IS ? AND pct IS ? AND fo IS ?
                    AND testing IS ? AND discovery_method IS ?
                """, arguments: values)
        if let found {
            policies[key] = found
            return found
        }
        try db.execute(
            sql: """
                INSERT INTO policies (p, sp, np, adkim, aspf, pct, fo, testing, discovery_method) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, arguments: values)
        policies[key] = db.lastInsertedRowID
        return db.lastInsertedRowID
    }

    func authentication(_ set: AuthenticationSet, _ digest: ContentDigest) throws -> Int64 {
        if let known = authentications[digest] { return known }
        if authentications.count >= Self.bound { authentications.removeAll(keepingCapacity: true) }
        insertSet.bind(1, digest)
        try insertSet.run()
        let id: Int64
        if db.changesCount > 0 {
            id = db.lastInsertedRowID
            newSets += 1
            try insert(set, id)
        } else {
            findSet.bind(1, digest)
            id = try findSet.integer() ?? 0
        }
        authentications[digest] = id
        return id
    }

    private func insert(_ set: AuthenticationSet, _ id: Int64) throws {
        var position = 0
        for dkim in set.dkim {
            let domain = try dkim.domain.map { try name($0) }
            let selector = try dkim.selector.map { try name($0) }
            insertResult.bind(3, "dkim")
            insertResult.bind(5, selector)
            insertResult.bind(6, String?.none)
            try insert(id, &position, domain, dkim.result, dkim.rawResult, dkim.humanResult)
        }
        for spf in set.spf {
            let domain = try spf.domain.map { try name($0) }
            insertResult.bind(3, "spf")
            insertResult.bind(5, Int64?.none)
            insertResult.bind(6, spf.scope?.rawValue)
            try insert(id, &position, domain, spf.result, spf.rawResult, spf.humanResult)
        }
    }

    private func insert(
        _ id: Int64, _ position: inout Int, _ domain: Int64?, _ result: AuthenticationResult, _ raw: String?, _ human: String?
    ) throws {
        insertResult.bind(1, id)
        insertResult.bind(2, position)
        insertResult.bind(4, domain)
        insertResult.bind(7, result.rawValue)
        insertResult.bind(8, raw)
        insertResult.bind(9, human)
        try insertResult.run()
        position += 1
    }

    func overrides(_ reasons: [PolicyOverride]) throws -> Int64 {
        if let known = overrides[reasons] { return known }
        if overrides.count >= Self.bound / 20 { overrides.removeAll() }
        let json = "[" + reasons.map { "[\(Self.json($0.type)),\($0.comment.map(Self.json) ?? "null")]" }.joined(separator: ",") + "]"
        try db.execute(sql: "INSERT OR IGNORE INTO override_sets (reasons) VALUES (?)", arguments: [json])
        let id: Int64 =
            db.changesCount > 0
            ? db.lastInsertedRowID
            : try Int64.fetchOne(db, sql: "SELECT id FROM override_sets WHERE reasons = ?", arguments: [json]) ?? 0
        overrides[reasons] = id
        return id
    }

    /// A JSON string (RFC 8259 §7).
    private static func json(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\u{0}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}
