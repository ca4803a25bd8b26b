import DMARC
import GRDB

/// Sets of authentication results as `Outcome`s, with the organisations of their names; organisations met for the first time are entered in
/// the database, if it is being written to.
final class Outcomes {
    /// Question: the results of a set. Unit: one row a result, in the order of the report. Index: primary key.
    static let resultsSQL = """
        SELECT method, domain_id, selector_id, scope, result FROM authentication_results WHERE set_id = ?1 ORDER BY position
        """
    static let nameSQL = "SELECT name FROM names WHERE id = ?1"

    private let db: Database
    private let suffixes: PublicSuffixes
    private let isWriting: Bool
    private let results: SQLRows
    private let names: SQLRows
    private var outcomes = OutcomeMemory()
    private var organisations: [Int: Int] = [:]
    private var keys: [String: Int] = [:]
    private var own: [Int: Int] = [:]
    /// What may be remembered of each: a bound on memory.
    private static let mostRemembered = 90_000

    init(_ db: Database, _ suffixes: PublicSuffixes, isWriting: Bool) throws {
        self.db = db
        self.suffixes = suffixes
        self.isWriting = isWriting
        results = try SQLRows(db, Self.resultsSQL)
        names = try SQLRows(db, Self.nameSQL)
    }

    /// The key of the organisation of a policy domain; negative if no report names it.
    func organisation(ofPolicyDomain id: Int) throws -> Int {
        if let key = own[id] { return key }
        let name = try String.fetchOne(db, sql: "SELECT name FROM domains WHERE id = ?", arguments: [id]) ?? ""
        let key = try self.key(of: suffixes.organisation(of: name))
        own[id] = key
        return key
    }

    /// The key of the organisation of the name with the key `id`.
    func organisation(of id: Int) throws -> Int {
        if let key = organisations[id] { return key }
        try names.restart(id)
        let name = try names.next() ? names.text(0) : ""
        let key = try self.key(of: suffixes.organisation(of: name))
        if organisations.count >= Self.mostRemembered { organisations.removeAll() }
        organisations[id] = key
        if isWriting {
            try db.cachedStatement(sql: "INSERT OR IGNORE INTO organisation_names (organisation_id, name_id) VALUES (?, ?)")
                .execute(arguments: [key, id])
        }
        return key
    }

    private func key(of name: String) throws -> Int {
        if let key = keys[name] { return key }
        var key = try Int.fetchOne(db.cachedStatement(sql: "SELECT id FROM names WHERE name = ?"), arguments: [name])
        if key == nil, isWriting {
            try db.cachedStatement(sql: "INSERT INTO names (name) VALUES (?)").execute(arguments: [name])
            key = Int(db.lastInsertedRowID)
        }
        // What was never entered is nobody's: a number of its own.
        if isWriting, keys.count >= Self.mostRemembered { keys.removeAll() }
        let found = key ?? -1000 - keys.count
        keys[name] = found
        return found
    }

    /// The set with the key `id`.
    func outcome(_ id: Int) throws -> Outcome {
        if let outcome = outcomes[id] { return outcome }
        try results.restart(id)
        var signatures: [(domain: Int, selector: Int, seal: Outcome.Seal)] = []
        var spf: (domain: Int?, result: AuthenticationResult, isFrom: Bool)?
        while try results.next() {
            let result = AuthenticationResult(rawValue: results.text(4)) ?? .unknown
            let domain = results.optionalInt(1)
            if results.text(0) == "dkim" {
                guard let domain, result != .none else { continue }
                let seal: Outcome.Seal = result == .pass ? .verified : result == .temperror ? .temporary : .broken
                signatures.append((domain, results.optionalInt(2) ?? 0, seal))
            } else {
                let isFrom = results.optionalText(3) != "helo"
                // The envelope's sender counts; HELO only where there is nothing else.
                if spf == nil || (isFrom && spf?.isFrom == false) { spf = (domain, result, isFrom) }
            }
        }
        let kind: Outcome.SPF =
            switch spf?.result {
            case .some(.pass): .pass
            case .some(.temperror): .temporary
            case nil, .some(AuthenticationResult.none): .none
            default: .fail
            }
        let outcome = Outcome(
            spf: kind, spfOrganisation: try spf?.domain.map { try organisation(of: $0) }, spfName: spf?.domain,
            signatures: try signatures.map {
                Outcome.Signature(domain: $0.domain, selector: $0.selector, organisation: try organisation(of: $0.domain), seal: $0.seal)
            })
        outcomes.remember(outcome, id)
        return outcome
    }

    /// Gives the memory back that shapes took.
    func forget() { outcomes = OutcomeMemory() }

    /// How a flow authenticates.
    func shape(domain: Int, authentication: Int, aligned: Int) throws -> FlowShape {
        FlowShape(try outcome(authentication), own: try organisation(ofPolicyDomain: domain), aligned: aligned)
    }
}
