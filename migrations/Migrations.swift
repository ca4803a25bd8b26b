/// The numbered SQL files of this folder, embedded in the binary, in their order.
///
/// Forward only: a file that was released never changes, and its place in the list is its number. The database keeps the number of the last
/// one in `user_version` (sqlite.org/pragma.html#pragma_user_version).
public enum Migrations {
    /// Name and SQL of each migration; the first has number 1.
    public static let all: [(name: String, sql: String)] = [
        ("0001_initial", String(decoding: PackageResources._001_initial_sql, as: UTF8.self)),
        ("0002_reports_covering", String(decoding: PackageResources._002_reports_covering_sql, as: UTF8.self)),
        ("0003_packed_records", String(decoding: PackageResources._003_packed_records_sql, as: UTF8.self)),
        ("0004_voices", String(decoding: PackageResources._004_voices_sql, as: UTF8.self)),
        ("0005_rivals", String(decoding: PackageResources._005_rivals_sql, as: UTF8.self)),
        ("0006_record_facts", String(decoding: PackageResources._006_record_facts_sql, as: UTF8.self)),
    ]
}
