import DMARC
import GRDB

/// What sets of results say, in keys of `names` instead of texts: a tenth of the time, and every other record may have a set of its own.
struct KeyedResults {
    /// Question: what passed and what failed in a set. Unit: one row a result. Index: primary key of `authentication_results`.
    static let resultsSQL = """
        SELECT method = 'dkim', domain_id, selector_id, scope = 'helo', CASE result WHEN 'pass' THEN 1 WHEN 'fail' THEN 2 ELSE 0 END
        FROM authentication_results
        WHERE set_id = ?1
        """

    /// A signature that passed or failed, of a known domain and selector.
    struct Statement {
        var domain: Int
        var selector: Int
        var passed: Bool
    }

    /// One set.
    struct Results {
        var passing = PassingNames<Int>()
        var statements: [Statement] = []
    }

    private let rows: SQLRows
    private let suffixes: PublicSuffixes
    private var names: NameLookup
    private var organisations: [Int: Int] = [:]
    private var numbers: [String: Int] = [:]

    init(_ db: Database, _ suffixes: PublicSuffixes) throws {
        rows = try SQLRows(db, Self.resultsSQL)
        self.suffixes = suffixes
        names = NameLookup(db)
    }

    /// The set with the key `id`, not remembered.
    func results(_ id: Int) throws -> Results {
        var results = Results()
        try rows.restart(id)
        while try rows.next() {
            let passed = rows.int(4) == 1
            if rows.int(0) == 1 {
                let domain = rows.optionalInt(1)
                results.passing.addSignature(domain, passed: passed)
                if rows.int(4) != 0, let domain, let selector = rows.optionalInt(2) {
                    results.statements.append(Statement(domain: domain, selector: selector, passed: passed))
                }
            } else {
                results.passing.addCheck(rows.optionalInt(1), isGreeting: rows.int(3) == 1, passed: passed)
            }
        }
        return results
    }

    /// Whether one name aligns with another.
    mutating func isAligned(_ name: Int, with from: Int, _ mode: AlignmentMode) throws -> Bool {
        let organisation = try organisation(of: name)
        guard organisation >= 0 else { return false }
        return try name == from || (mode == .relaxed && organisation == self.organisation(of: from))
    }

    /// Alignment of a set with the name `from`.
    mutating func alignment(_ results: Results, from: Int, dkim: AlignmentMode, spf: AlignmentMode) throws -> Alignment {
        try Alignment(of: results.passing, dkim: dkim, spf: spf) { try isAligned($0, with: from, $1) }
    }

    /// A number for the organisation of a name, the same for all names of one; -1 for an empty name.
    private mutating func organisation(of name: Int) throws -> Int {
        if let known = organisations[name] { return known }
        let text = try names.name(name) ?? ""
        let organisation = suffixes.organisation(of: text)
        let number = text.isEmpty ? -1 : numbers[organisation] ?? numbers.count
        if number >= 0 { numbers[organisation] = number }
        organisations[name] = number
        return number
    }
}
