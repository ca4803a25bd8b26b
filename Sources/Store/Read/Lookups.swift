import DMARC
import GRDB

/// Interned sets of authentication results by their key, with a memory of the latest ones.
package struct AuthenticationLookup {
    /// Question: the results of a set. Unit: one row a result, in the order of the report. Index: primary key of `authentication_results`.
    package static let resultsSQL = """
        SELECT method, domain_id, selector_id, scope, result, raw_result, human_result
        FROM authentication_results
        WHERE set_id = ?1
        ORDER BY position
        """

    /// Sets to remember: a bound on memory for exports of any length.
    private static let mostRemembered = 20_000

    private let facts: Facts
    private var rows: SQLRows?
    private var known: [Int: AuthenticationSet] = [:]
    /// The same few names repeat endlessly.
    private var names: NameLookup

    package init(_ facts: Facts) {
        self.facts = facts
        names = NameLookup(facts)
    }

    /// The set with the key `id`; empty if there is none.
    package mutating func set(_ id: Int) throws -> AuthenticationSet {
        if let set = known[id] { return set }
        let rows = try self.rows ?? SQLRows(facts, Self.resultsSQL)
        self.rows = rows
        try rows.restart(id)
        var set = AuthenticationSet()
        while try rows.next() {
            let result = AuthenticationResult(rawValue: rows.text(4)) ?? .unknown
            let domain = try names.name(rows.optionalInt(1))
            if rows.text(0) == "dkim" {
                set.dkim.append(
                    DKIMResult(
                        domain: domain, selector: try names.name(rows.optionalInt(2)), result: result, rawResult: rows.optionalText(5),
                        humanResult: rows.optionalText(6)))
            } else {
                set.spf.append(
                    SPFResult(
                        domain: domain, scope: rows.optionalText(3).flatMap(SPFScope.init(rawValue:)), result: result,
                        rawResult: rows.optionalText(5), humanResult: rows.optionalText(6)))
            }
        }
        if known.count >= Self.mostRemembered { known.removeAll(keepingCapacity: true) }
        known[id] = set
        return set
    }
}

extension AuthenticationLookup {
    /// Of sets with messages the one with most; of equals the first by what it says. Keys tell nothing: they depend on the order of arrival.
    package mutating func usual(of messages: [Int: Int]) throws -> Int? {
        guard let most = messages.values.max() else { return nil }
        return try first(of: messages.filter { $0.value == most }.map(\.key))
    }

    /// The set that comes first in the order of the alphabet: by its names, then by the words of its results. Nil: there is none.
    package mutating func first(of keys: [Int]) throws -> Int? {
        guard keys.count > 1 else { return keys.first }
        var first: (key: Int, bytes: [UInt8])?
        for key in keys {
            let bytes = try set(key).orderingBytes
            if let first, !bytes.lexicographicallyPrecedes(first.bytes) { continue }
            first = (key, bytes)
        }
        return first?.key
    }
}

/// Interned lists of override reasons by their key.
package struct OverrideLookup {
    /// Question: the reasons of a list. Unit: one row a reason, in the order of the report. Index: rowid of `override_sets`.
    package static let reasonsSQL = """
        SELECT json_extract(r.value, '$[0]'), json_extract(r.value, '$[1]')
        FROM override_sets o, json_each(o.reasons) r
        WHERE o.id = ?1
        ORDER BY r.key
        """

    private static let mostRemembered = 20_000
    private let facts: Facts
    private var rows: SQLRows?
    private var known: [Int: [PolicyOverride]] = [:]

    package init(_ facts: Facts) { self.facts = facts }

    /// Whether one of the reasons is an exception that the receiver made (`PolicyOverride.isException`); false for nil.
    package mutating func hasException(_ id: Int?) throws -> Bool {
        guard let id else { return false }
        return try reasons(id).contains(where: \.isException)
    }

    /// The list with the key `id`; empty for nil.
    package mutating func reasons(_ id: Int?) throws -> [PolicyOverride] {
        guard let id else { return [] }
        if let reasons = known[id] { return reasons }
        let rows = try self.rows ?? SQLRows(facts, Self.reasonsSQL)
        self.rows = rows
        try rows.restart(id)
        var reasons: [PolicyOverride] = []
        while try rows.next() { reasons.append(PolicyOverride(type: rows.text(0), comment: rows.optionalText(1))) }
        if known.count >= Self.mostRemembered { known.removeAll(keepingCapacity: true) }
        known[id] = reasons
        return reasons
    }
}

/// Interned names by their key.
package struct NameLookup {
    /// Question: a name. Unit: one row. Index: rowid of `names`.
    static let nameSQL = "SELECT name FROM names WHERE id = ?1"

    private static let mostRemembered = 50_000
    private let facts: Facts
    private var rows: SQLRows?
    private var known: [Int: String] = [:]

    package init(_ facts: Facts) { self.facts = facts }

    /// The name with the key `id`; nil for nil.
    package mutating func name(_ id: Int?) throws -> String? {
        guard let id else { return nil }
        if let name = known[id] { return name }
        let rows = try self.rows ?? SQLRows(facts, Self.nameSQL)
        self.rows = rows
        try rows.restart(id)
        let name = try rows.next() ? rows.text(0) : ""
        if known.count >= Self.mostRemembered { known.removeAll(keepingCapacity: true) }
        known[id] = name
        return name
    }
}

extension AuthenticationSet {
    /// All that it says, names first: what sets that are not the same are ordered by.
    fileprivate var orderingBytes: [UInt8] {
        var texts: [String?] = spf.map(\.domain) + [nil]
        for signature in dkim { texts += [signature.domain, signature.selector] }
        texts.append(nil)
        for check in spf { texts += [check.result.rawValue, check.scope?.rawValue, check.rawResult, check.humanResult] }
        for signature in dkim { texts += [signature.result.rawValue, signature.rawResult, signature.humanResult] }
        // A text that is absent comes before all others, also the empty one.
        return texts.flatMap { text in text.map { [1] + Array($0.utf8) + [0] } ?? [0] }
    }
}
