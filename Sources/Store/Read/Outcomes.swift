import DMARC
import GRDB
import Inference
import Organisations

/// Sets of authentication results as `Outcome`s, with the organisations of their names; organisations met for the first time are entered in
/// the database, if it is being written to.
package final class Outcomes {
    static let nameSQL = "SELECT name FROM names WHERE id = ?1"

    private let facts: Facts
    private let suffixes: PublicSuffixes
    private let services = Services.known
    private let isWriting: Bool
    private let rows: SQLRows
    private let chunks: SQLRows
    /// Sets in later chunks stand in `authentication_results` only.
    private let lastChunk: Int
    private var results: [KeyedResult] = []
    private let names: SQLRows
    private var outcomes = OutcomeMemory()
    /// The keys of organisations by those of names, times two, and 1 where the name belongs to a known service.
    private var organisations: [Int: Int] = [:]
    private var keys: [String: Int] = [:]
    private var own: [Int: Int] = [:]
    /// What may be remembered of each: a bound on memory.
    private static let mostRemembered = 90_000

    package init(_ facts: Facts, _ suffixes: PublicSuffixes, isWriting: Bool) throws {
        self.facts = facts
        self.suffixes = suffixes
        self.isWriting = isWriting
        rows = try SQLRows(facts, KeyedResults.resultsSQL)
        chunks = try SQLRows(facts, KeyedResults.keyedSQL)
        lastChunk = try Int.fetchOne(facts.db, sql: KeyedResults.lastChunkSQL) ?? -1
        names = try SQLRows(facts, Self.nameSQL)
    }

    /// The key of the organisation of a policy domain; negative if no report names it.
    package func organisation(ofPolicyDomain id: Int) throws -> Int {
        if let key = own[id] { return key }
        let name = try String.fetchOne(facts.db, sql: "SELECT name FROM domains WHERE id = ?", arguments: [id]) ?? ""
        let key = try self.key(of: suffixes.organisation(of: name))
        own[id] = key
        return key
    }

    /// The key of the organisation of the name with the key `id`.
    package func organisation(of id: Int) throws -> Int { try known(id) >> 1 }

    /// The same, and whether the name belongs to a known service.
    package func party(of id: Int) throws -> KeyedResult.Party {
        let known = try known(id)
        return KeyedResult.Party(organisation: Int32(known >> 1), isService: known & 1 == 1)
    }

    private func known(_ id: Int) throws -> Int {
        if let known = organisations[id] { return known }
        try names.restart(id)
        let name = try names.next() ? names.text(0) : ""
        let key = try self.key(of: suffixes.organisation(of: name))
        if organisations.count >= Self.mostRemembered { organisations.removeAll() }
        let known = key << 1 | (services.service(of: name) == nil ? 0 : 1)
        organisations[id] = known
        if isWriting {
            try facts.db.cachedStatement(sql: "INSERT OR IGNORE INTO organisation_names (organisation_id, name_id) VALUES (?, ?)")
                .execute(arguments: [key, id])
        }
        return known
    }

    private func key(of name: String) throws -> Int {
        if let key = keys[name] { return key }
        var key = try Int.fetchOne(facts.db.cachedStatement(sql: "SELECT id FROM names WHERE name = ?"), arguments: [name])
        if key == nil, isWriting {
            try facts.db.cachedStatement(sql: "INSERT INTO names (name) VALUES (?)").execute(arguments: [name])
            key = Int(facts.db.lastInsertedRowID)
        }
        // What was never entered is nobody's: a number of its own.
        if isWriting, keys.count >= Self.mostRemembered { keys.removeAll() }
        let found = key ?? -1000 - keys.count
        keys[name] = found
        return found
    }

    /// The set with the key `id`.
    package func outcome(_ id: Int) throws -> Outcome {
        if let outcome = outcomes[id] { return outcome }
        try readResults(of: id)
        var signatures: [Outcome.Signature] = []
        signatures.reserveCapacity(results.count)
        var spf: KeyedResult?
        let hasSender = results.contains { !$0.isDKIM && !$0.isHELO }
        for result in results {
            if result.isDKIM {
                guard result.domain != 0, !result.isAbsent else { continue }
                signatures.append(
                    Outcome.Signature(
                        domain: Int(result.domain), selector: Int(result.selector), organisation: try organisation(of: result),
                        seal: result.passed ? .verified : result.isTemporary ? .temporary : .broken))
            } else if spf == nil, SenderCheck.counts(isHELO: result.isHELO, hasSender: hasSender) {
                spf = result
            }
        }
        let kind: Outcome.SPF =
            switch spf {
            case nil: .none
            case .some(let result): result.passed ? .pass : result.isTemporary ? .temporary : result.isAbsent ? .none : .fail
            }
        let name = spf.flatMap { $0.domain == 0 ? nil : $0 }
        let outcome = Outcome(
            spf: kind, spfOrganisation: try name.map { try organisation(of: $0) }, spfName: name.map { Int($0.domain) },
            signatures: signatures)
        outcomes.remember(outcome, id)
        return outcome
    }

    private func organisation(of result: KeyedResult) throws -> Int {
        result.organisation != 0 ? Int(result.organisation) : try organisation(of: Int(result.domain))
    }

    /// Reads the results of a set, with the organisations of their names where they are known.
    private func readResults(of id: Int) throws {
        results.removeAll(keepingCapacity: true)
        let (chunk, set) = (id / KeyedResult.setsInChunk, id % KeyedResult.setsInChunk)
        if chunk <= lastChunk {
            try chunks.restart(chunk)
            if try chunks.next() {
                var isRead = false
                chunks.withBytes(0) { bytes in
                    guard KeyedResult.isChunk(bytes) else { return }
                    KeyedResult.unpack(bytes, chunk: 0, set: set, to: &results)
                    isRead = true
                }
                if isRead { return }
            }
        }
        try rows.restart(id, id)
        while try rows.next() { results.append(KeyedResult(rows, KeyedResult.Party())) }
    }

    /// Gives the memory back that shapes took.
    package func forget() { outcomes = OutcomeMemory() }

    /// How a flow authenticates.
    package func shape(domain: Int, authentication: Int, aligned: Int) throws -> FlowShape {
        FlowShape(try outcome(authentication), own: try organisation(ofPolicyDomain: domain), aligned: aligned)
    }
}
