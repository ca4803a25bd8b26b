import DMARC
import GRDB

/// Finds where reporters contradict each other: the same source, the same signature (domain and selector), the same day; one says that it
/// verified, another that it did not.
///
/// Only `pass` and `fail` are counted: all other results say that nothing was found out. Signatures without a selector cannot be told
/// apart and are left aside.
struct Opposites {
    /// What a set of results says of a signature.
    private struct Statement {
        var signature: Int32
        var passed: Bool
    }

    private struct Key: Hashable {
        var source: Int32
        var signature: Int32
        var day: Int32
    }

    /// Which reporters said that it verified, and which that it did not.
    private struct Voices {
        var passed: Set<Int32> = []
        var failed: Set<Int32> = []
    }

    private struct Pass {
        var key: Key
        var reporter: Int32
    }

    private struct Signature: Hashable {
        var domain: String
        var selector: String
    }

    private var authentications: AuthenticationLookup
    private var statements: [Int: [Statement]] = [:]
    private var signatures: [Signature: Int32] = [:]
    /// Where somebody said that a signature did not verify: few, while almost every message has one that did.
    private var failures: [Key: Voices] = [:]
    private var failing: Set<Int32> = []
    private var passes: [Pass] = []

    init(_ db: Database) { authentications = AuthenticationLookup(db) }

    /// Whether the set with the key `id` says anything of signatures.
    mutating func hasSignatures(_ id: Int) throws -> Bool { try !statements(of: id).isEmpty }

    private mutating func statements(of id: Int) throws -> [Statement] {
        if let known = statements[id] { return known }
        var found: [Statement] = []
        for result in try authentications.set(id).dkim where result.result == .pass || result.result == .fail {
            guard let domain = result.domain, let selector = result.selector, !domain.isEmpty, !selector.isEmpty else { continue }
            // Selectors are domain labels: letter case means nothing.
            let signature = Signature(domain: domain, selector: selector.lowercased())
            let number = signatures[signature] ?? Int32(signatures.count)
            signatures[signature] = number
            found.append(Statement(signature: number, passed: result.result == .pass))
        }
        statements[id] = found
        return found
    }

    /// Notes what the set with the key `id` says.
    mutating func note(_ id: Int, source: Int, day: Int, reporter: Int) throws {
        for statement in try statements(of: id) {
            let key = Key(source: Int32(source), signature: statement.signature, day: Int32(day))
            if statement.passed {
                passes.append(Pass(key: key, reporter: Int32(reporter)))
            } else {
                failures[key, default: Voices()].failed.insert(Int32(reporter))
                failing.insert(key.source)
            }
        }
    }

    /// For each reporter, on how many combinations another one said the opposite.
    mutating func counts(reporters: Int) -> [Int] {
        for pass in passes where failing.contains(pass.key.source) {
            failures[pass.key]?.passed.insert(pass.reporter)
        }
        passes.removeAll()
        var counts = [Int](repeating: 0, count: reporters)
        for voices in failures.values where !voices.passed.isEmpty {
            for reporter in voices.passed.union(voices.failed) {
                let others = (
                    passed: voices.passed.count - (voices.passed.contains(reporter) ? 1 : 0),
                    failed: voices.failed.count - (voices.failed.contains(reporter) ? 1 : 0)
                )
                let isOpposed =
                    voices.passed.contains(reporter) && others.failed > 0 || voices.failed.contains(reporter) && others.passed > 0
                if isOpposed { counts[Int(reporter)] += 1 }
            }
        }
        return counts
    }
}
