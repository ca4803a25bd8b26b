import Doctor
import Ingest
import Store

/// The checks of the database in depth, in words.
enum DatabaseDoctor {
    /// The write-ahead log is cut back to this by every run that ends well; above twice of it something keeps it from being cut.
    private static let usualLogBytes = 64 << 20

    static func findings(_ store: ReportStore, _ configuration: Configuration, now: Int) throws -> [DoctorFinding] {
        let found = try DatabaseCheck(suffixFile: configuration.publicSuffixList).run(store)
        var findings = found.map { finding in
            DoctorFinding(
                subject: "database", check: finding.check.rawValue, found: words(finding), next: next(finding),
                status: finding.isFine ? .done : .inputOutput)
        }
        // Of a damaged file the answer would be noise.
        let isReadable = found.allSatisfy { $0.isFine || ![.integrity, .schema, .references].contains($0.check) }
        if isReadable { findings.append(try documents(store, configuration, now: now)) }
        return findings
    }

    /// Reads every document that was kept, and compares it with what is stored of it.
    private static func documents(_ store: ReportStore, _ configuration: Configuration, now: Int) throws -> DoctorFinding {
        let read = try Reprocess(store: store, options: configuration.ingestOptions(now: now)).run(ReportSelection(), isDryRun: true)
        let wrong = read.changed + read.duplicate + read.refused
        let example = read.changes.first.map { ": report \($0.report): " + $0.what.joined(separator: ", ") } ?? ""
        return DoctorFinding(
            subject: "database", check: "documents",
            found: "\(read.reports - read.withoutRaw) reports with their documents"
                + (wrong == 0 ? "" : ", \(wrong) of them read otherwise or not at all\(example)"),
            next: wrong == 0
                ? "" : "dmarcstat reprocess, if this version is newer than what stored them; else dmarcstat doctor --repair, or a backup",
            status: wrong == 0 ? .done : .inputOutput)
    }

    private static func words(_ finding: DatabaseFinding) -> String {
        let (examined, wrong) = (finding.examined, finding.wrong)
        let example = finding.example.map { ": \($0)" } ?? ""
        switch finding.check {
        case .integrity: return wrong == 0 ? "\(examined) pages" : "\(wrong) faults\(example)"
        case .references: return wrong == 0 ? "\(examined) records" : "\(wrong) rows name something that is not there\(example)"
        case .schema: return "number \(examined)" + (wrong == 0 ? "" : ", \(wrong) objects are missing or foreign\(example)")
        case .contents: return counted(examined, "reports by their digests", wrong) + example
        case .knowledge: return counted(examined, "derived rows", wrong) + example
        case .ledger: return counted(examined, "messages", wrong)
        case .reports: return counted(examined, "reports", wrong)
        case .daily: return counted(examined, "figures by day", wrong)
        case .dailySources: return counted(examined, "lists of sources by day", wrong)
        case .sources: return counted(examined, "figures by source", wrong)
        case .verdicts: return wrong == 0 ? "of \(examined) reports" : "\(wrong) of \(examined) reports are not in them as they should be"
        case .flows: return counted(examined, "flows", wrong)
        case .dailyVerdicts: return counted(examined, "figures by verdict", wrong)
        case .packedRecords: return "\(examined) packed records" + (wrong == 0 ? "" : ", \(wrong) days of them wrong or missing")
        case .log: return "\(examined) bytes"
        }
    }

    private static func counted(_ examined: Int, _ unit: String, _ wrong: Int) -> String {
        "\(examined) \(unit)" + (wrong == 0 ? "" : ", \(wrong) of them wrong or missing")
    }

    private static func next(_ finding: DatabaseFinding) -> String {
        switch finding.check {
        case .verdicts: return finding.wrong == 0 ? "" : "the next dmarcstat ingest brings them up to date"
        case .log:
            return finding.examined <= usualLogBytes ? "" : "end programs that keep the database open; the next ingest cuts the log back"
        case .integrity: return finding.wrong == 0 ? "" : "restore a backup, then dmarcstat ingest; or ingest all mail into a new database"
        case .knowledge where finding.examined == 0 && finding.wrong == 0 && finding.example != nil:
            return "make room where temporary files are kept (TMPDIR), and run it again"
        case .schema: return finding.wrong == 0 ? "" : "dmarcstat doctor --repair removes foreign triggers; for the rest restore a backup"
        default:
            return finding.wrong == 0 ? "" : "dmarcstat doctor --repair makes it anew; please report it as a bug if the disk is sound"
        }
    }
}
