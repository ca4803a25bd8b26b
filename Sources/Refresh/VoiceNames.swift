import DMARC
import GRDB
import Organisations
import Store

/// Names the voices of reports that were stored before voices were noted.
struct VoiceNames {
    /// Question: reports whose voice is not noted yet, and who sent them. Unit: one row a report. Index: rowid.
    static let unnamedSQL = """
        SELECT id, mail_from_domain, email FROM reports WHERE id > ?1 AND voice_id IS NULL AND authenticity IS NOT 2
        """

    private let db: Database
    private let suffixes: PublicSuffixes

    init(_ db: Database, _ suffixes: PublicSuffixes) {
        self.db = db
        self.suffixes = suffixes
    }

    /// Those with a key above `known`.
    func fill(after known: Int) throws {
        var found: [(report: Int, voice: String)] = []
        let rows = try SQLRows(db, Self.unnamedSQL, [.integer(known)])
        while try rows.next() { found.append((rows.int(0), voice(author: rows.optionalText(1), email: rows.optionalText(2)))) }
        rows.stop()
        guard !found.isEmpty else { return }
        let update = try HotStatement(db, "UPDATE reports SET voice_id = ? WHERE id = ?")
        var keys: [String: Int64] = [:]
        for (report, name) in found {
            let key = try keys[name] ?? key(of: name)
            keys[name] = key
            update.bind(1, key)
            update.bind(2, report)
            try update.run()
        }
    }

    private func voice(author: String?, email: String?) -> String {
        Voice.name(author: author, email: email) { suffixes.giver(of: $0) }
    }

    private func key(of name: String) throws -> Int64 {
        if let key = try Int64.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [name]) { return key }
        try db.execute(sql: "INSERT INTO names (name) VALUES (?)", arguments: [name])
        return db.lastInsertedRowID
    }
}
