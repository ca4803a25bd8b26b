import GRDB
import Glibc
import Refresh
import Store

/// Compares what is derived of all reports with what is derived of them anew, in a copy.
enum DerivedCheck {
    /// What a refresh of verdicts writes, but for `packed_records`, whose pieces lie as their records came, and the verdicts on records: these two are
    /// checked against flows and records themselves. Each with its columns, the key first.
    private static let tables: [(name: String, columns: String)] = [
        (
            "flows",
            "source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits, day_bits, overrides, verdict, confidence, notes, evidence"
        ),
        ("selector_places", "domain_id, selector_id, policy_id, beside, verified, messages, records, first_day, last_day, reporter_bits"),
        ("selectors", "domain_id, selector_id, policy_id, home, other_home, levels"),
        ("organisation_names", "organisation_id, name_id"),
        ("keyed_results", "chunk, results"),
        (
            "organisations",
            "name_id, surviving, broken, unsigned, messages, first_day, last_day, reporter_bits, day_bits, domain_bits, source_bits, signs, relayed, levels, more_levels"
        ),
        ("domain_habits", "domain_id, records, aligned, signed, reporter_bits, day_bits, levels"),
        ("daily_verdicts", "domain_id, verdict, day, messages, passed"),
        ("voices", "voice_id, days, last_day"),
        ("voice_organisations", "organisation_id, voice_id, networks, standing"),
        ("unheard_reports", "domain_id, report_id, voice_id"),
    ]

    /// Rows that are compared, and how many are wrong, missing or too many; nil: there is no room for a copy.
    static func find(_ store: ReportStore, suffixFile: String?) throws(StoreError) -> DatabaseFinding? {
        do {
            let folder = try Folder(for: store)
            guard folder.hasRoom else { return nil }
            let path = folder.path + "/copy.sqlite"
            _ = try store.backup(to: path)
            let copy = try ReportStore(path: path, access: .readWrite)
            _ = try VerdictRefresh(suffixFile: suffixFile).run(copy, rebuild: true)
            return try store.reader.read { stored in
                try copy.reader.read { fresh in
                    var finding = DatabaseFinding(check: .knowledge, examined: 0, wrong: 0)
                    for (table, columns) in tables {
                        let (rows, wrong) = try compare(stored, fresh, table, columns)
                        finding.examined += rows
                        finding.wrong += wrong
                        if wrong > 0 { finding.example = finding.example ?? table }
                    }
                    return finding
                }
            }
        } catch {
            throw StoreError(error, question: "doctor", store)
        }
    }

    /// Rows of `stored`, and how many of either side have none like them on the other.
    private static func compare(
        _ stored: Database, _ fresh: Database, _ table: String, _ columns: String
    ) throws -> (rows: Int, wrong: Int) {
        let column = columns.split(separator: ", ").prefix(5).joined(separator: ", ")
        // Whose a name is stays noted after the last flow of it is gone.
        let isMemory = table == "organisation_names"
        let columns = columns.split(separator: ", ").map { "quote(\($0))" }.joined(separator: " || ',' || ")
        let sql = "SELECT \(columns) FROM \(table) ORDER BY \(column)"
        let (ours, theirs) = (try SQLRows(stored, sql), try SQLRows(fresh, sql))
        var rows = 0
        while true {
            let (hasOurs, hasTheirs) = (try ours.next(), try theirs.next())
            if !hasOurs, !hasTheirs { return (rows, 0) }
            guard hasOurs == hasTheirs, ours.text(0) == theirs.text(0) else { break }
            rows += 1
        }
        // They differ somewhere: how many do is counted by their hashes, whatever their order.
        var counts: [Int: Int] = [:]
        let (again, others) = (try SQLRows(stored, sql, cached: false), try SQLRows(fresh, sql, cached: false))
        rows = 0
        while try again.next() {
            rows += 1
            counts[again.text(0).hashValue, default: 0] += 1
        }
        while try others.next() { counts[others.text(0).hashValue, default: 0] -= 1 }
        let (tooMany, missing) = counts.values.reduce(into: (0, 0)) { sum, count in
            if count > 0 { sum.0 += count } else { sum.1 -= count }
        }
        return (rows, isMemory ? missing : max(1, tooMany, missing))
    }

    /// A folder for the copy that nobody else can look into, removed with this.
    private final class Folder {
        let path: String
        private let needed: Int

        init(for store: ReportStore) throws {
            let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
            var template = Array((parent + "/dmarcstat-doctor-XXXXXX").utf8CString)
            guard mkdtemp(&template) != nil else {
                throw StoreError(code: .ioError, place: parent, found: String(cString: strerror(errno)))
            }
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            // The copy, and as much in its log.
            needed = try store.reader.read { db in
                try (Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0) * (Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0) * 2
            }
        }

        var hasRoom: Bool {
            var found = statvfs()
            guard statvfs(path, &found) == 0 else { return false }
            return Int(clamping: UInt64(found.f_bavail).multipliedReportingOverflow(by: UInt64(found.f_frsize)).partialValue)
                > needed + 64 << 20
        }

        deinit {
            for suffix in ["", "-wal", "-shm", "-journal", ".lock"] { unlink(path + "/copy.sqlite" + suffix) }
            rmdir(path)
        }
    }
}
