import Foundation
import Glibc
import Testing

/// What scripts and cron rely on: exit codes, silence, closed pipes, and output that no stranger can turn against its reader.
@Suite("Exit codes and silence")
struct BehaviourTests {
    @Test(
        "a wrong command line is 64, and says so on standard error",
        arguments: [
            ["no-such-command"], ["summary", "--no-such-flag"], ["summary", "--format", "pdf"], ["summary", "--since", "the day before"],
        ])
    func usage(_ arguments: [String]) throws {
        let run = try Tool.run(arguments, in: try Workdir())
        #expect(run.status == 64, "\(run)")
        #expect(run.output.isEmpty, "\(run)")
        #expect(!run.errors.isEmpty, "\(run)")
    }

    @Test("help and version are 0, on standard output", arguments: [["--help"], ["--version"], ["ingest", "--help"], ["summary", "-h"]])
    func help(_ arguments: [String]) throws {
        let run = try Tool.run(arguments, in: try Workdir())
        #expect(run.status == 0, "\(run)")
        #expect(!run.output.isEmpty && run.errors.isEmpty, "\(run)")
    }

    @Test("a file that is not there is 74 and named")
    func missingFile() throws {
        let folder = try Workdir()
        let run = try Tool.run(["ingest", "--database", folder.path("dmarc.sqlite"), folder.path("no-such-mailbox")], in: folder)
        #expect(run.status == 74, "\(run)")
        #expect(run.errors.contains("no-such-mailbox"), "\(run)")
    }

    @Test("a question to a database that is not there is not 0, and makes no database")
    func missingDatabase() throws {
        let folder = try Workdir()
        let run = try Tool.run(["summary", "--database", folder.path("none.sqlite")], in: folder)
        #expect(run.status == 74, "\(run)")
        #expect(!FileManager.default.fileExists(atPath: folder.path("none.sqlite")))
    }

    @Test("another run holds the lock: 75 after a bounded wait, and nothing is stored")
    func locked() throws {
        let folder = try Workdir()
        let database = folder.path("dmarc.sqlite")
        let report = try folder.write("one.xml", Data(sampleReport().utf8))
        try #require(try Tool.run(["ingest", "--database", database, report], in: folder).status == 0)
        let lock = open(database + ".lock", O_RDWR)
        try #require(lock >= 0, "no lock file beside the database")
        defer { close(lock) }
        try #require(flock(lock, LOCK_EX | LOCK_NB) == 0, "a finished run still holds the lock")
        let other = try folder.write("two.xml", Data(sampleReport(id: "another").utf8))
        let run = try Tool.run(["ingest", "--database", database, other], in: folder)
        #expect(run.status == 75, "\(run)")
        flock(lock, LOCK_UN)
        let after = try Tool.run(["ingest", "--database", database, other, "--format", "json"], in: folder).json(IngestAnswer.self)
        #expect(after.stored.reports == 1)
    }

    @Test("a good run without a terminal prints nothing at all, also when it is repeated")
    func cronSilence() throws {
        let folder = try Workdir()
        try folder.write("maildir/new/1.M1P1.mx", Data(sampleMail().utf8))
        for name in ["maildir/cur", "maildir/tmp"] {
            try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
        }
        for _ in 0..<2 {
            let run = try Tool.run(["ingest", "--database", folder.path("dmarc.sqlite"), folder.path("maildir")], in: folder)
            #expect(run.status == 0 && run.output.isEmpty && run.errors.isEmpty, "\(run)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("maildir/new"))
        #expect(names == ["1.M1P1.mx"], "mail is left as it is unless told otherwise")
    }

    @Test("reports about domains that are not in the configuration are kept apart, and said to be")
    func foreignDomains() throws {
        let folder = try Workdir()
        let database = folder.path("dmarc.sqlite")
        let foreign = sampleReport(id: "foreign").replacing(
            "<policy_published><domain>example.com", with: "<policy_published><domain>other.test")
        let reports = [
            try folder.write("own.xml", Data(sampleReport().utf8)), try folder.write("foreign.xml", Data(foreign.utf8)),
        ]
        func run(_ arguments: String..., domains: String?) throws -> Finished {
            let text = domains.map { "domains = [\"\($0)\"]\n" } ?? ""
            let config = try folder.write("config.toml", Data(text.utf8))
            return try Tool.run(arguments + ["--config", config, "--database", database], in: folder)
        }
        func figures(_ domains: String?) throws -> [String] {
            try [["summary"], ["sources"], ["export"], ["export", "daily"]].map { question in
                let answer = try Tool.run(question + ["--format", "csv", "--database", database] + Tool.allDays, in: folder)
                #expect(answer.status == 0, "\(answer)")
                return answer.text
            }
        }
        try #require(try run("ingest", reports[0], domains: nil).status == 0)
        let own = try figures(nil)
        let ingest = try run("ingest", "--format", "json", reports[1], domains: "example.com")
        #expect(ingest.status == 0 && ingest.text.contains("\"foreign_reports\":1"), "\(ingest)")
        #expect(try figures("example.com") == own)
        let status = try run("status", "--format", "json", domains: "example.com")
        #expect(status.text.contains("\"foreign_reports\":1") && status.text.contains("\"foreign_domains\":[\"other.test\"]"), "\(status)")
        let show = try Tool.run(["show", "2", "--database", database], in: folder)
        #expect(show.text.contains("not among yours") && show.text.contains("foreign-domain"), "\(show)")
        let list = try Tool.run(["reports", "--format", "csv", "--database", database] + Tool.allDays, in: folder)
        #expect(list.text.split(separator: "\r\n").count { $0.contains("foreign-domain") } == 1, "\(list)")
        // Another list holds for what is stored.
        #expect(try run("ingest", reports[0], domains: "test").status == 0)
        let turned = try figures("test")
        #expect(turned != own && turned[2].contains("other.test") && !turned[2].contains("\r\nexample.com,"), "\(turned[2])")
        #expect(try run("ingest", reports[0], domains: "*.example.com").status == 78)
    }

    @Test("a stranger's hostile mail is 0, with --strict 65")
    func strict() throws {
        let folder = try Workdir()
        let hostile = try folder.write("hostile.xml", Data("<!DOCTYPE feedback [<!ENTITY a \"b\">]><feedback>&a;</feedback>".utf8))
        let lenient = try Tool.run(["ingest", "--database", folder.path("a.sqlite"), hostile, "--format", "json"], in: folder)
        let answer = try lenient.json(IngestAnswer.self)
        #expect(answer.messages.refused == 1)
        #expect(answer.refusals.map(\.code) == ["doctype"])
        let strict = try Tool.run(["ingest", "--strict", "--database", folder.path("b.sqlite"), hostile], in: folder)
        #expect(strict.status == 65, "\(strict)")
    }

    @Test("a closed pipe is success", arguments: ["csv", "json", "ndjson", "table"])
    func closedPipe(_ format: String) throws {
        let folder = try Workdir()
        let database = folder.path("dmarc.sqlite")
        // More than a pipe holds, so that the writer does meet the closed end.
        let report = try folder.write("many.xml", Data(sampleReport(sources: 3000).utf8))
        try #require(try Tool.run(["ingest", "--database", database, report], in: folder).status == 0)
        let script =
            "set -o pipefail; \"$0\" export --database \"$1\" --format \(format) --since 2025-01-01 --until 2026-12-31 | head -c 10 >/dev/null"
        let run = try folder.run("/bin/bash", ["-c", script, Tool.binary.filePath, database])
        #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
    }

    @Test("a full disk is not success")
    func fullDisk() throws {
        let folder = try Workdir()
        let database = folder.path("dmarc.sqlite")
        let report = try folder.write("many.xml", Data(sampleReport(sources: 3000).utf8))
        try #require(try Tool.run(["ingest", "--database", database, report], in: folder).status == 0)
        let script = "\"$0\" export --database \"$1\" --format csv --since 2025-01-01 --until 2026-12-31 >/dev/full"
        let run = try folder.run("/bin/bash", ["-c", script, Tool.binary.filePath, database])
        #expect([74, 75].contains(run.status), "\(run)")
        #expect(!run.errors.isEmpty, "\(run)")
    }

    @Test("the database can be read by its owner only")
    func mode() throws {
        let folder = try Workdir()
        let report = try folder.write("one.xml", Data(sampleReport().utf8))
        try #require(try Tool.run(["ingest", "--database", folder.path("dmarc.sqlite"), report], in: folder).status == 0)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path("dmarc.sqlite"))
        #expect((attributes[.posixPermissions] as? Int) == 0o600)
    }
}

@Suite("Output against hostile reports")
struct HostileOutputTests {
    /// Texts that act on spreadsheets or terminals, in every field that takes text.
    static let hostile = sampleReport(
        organisation: "=cmd|' /c calc'!A1 \u{202e}\u{200b}\u{9b}31m", id: "@SUM(1+1)\u{85}", selector: "+1", reason: "-2+3\u{2028}\u{feff}")

    static let questions = [
        ["summary"], ["top-failures"], ["trend", "--by", "day"], ["sources"], ["reporters"], ["reports"], ["export"], ["refused"],
    ]

    @Test("no text of a stranger moves the cursor or hides", arguments: questions)
    func text(_ question: [String]) throws {
        let (folder, database) = try database()
        let period = question == ["refused"] ? [] : Tool.allDays
        let run = try Tool.run(question + ["--database", database, "--format", "table"] + period, in: folder)
        guard try isKnown(run) else { return }
        for scalar in run.text.unicodeScalars {
            let isControl = (scalar.value < 0x20 && scalar != "\n") || (0x7F...0x9F).contains(scalar.value)
            let isHidden = scalar.properties.generalCategory == .format || scalar == "\u{2028}"
            #expect(!isControl && !isHidden, "U+\(String(scalar.value, radix: 16)) in \(run)")
        }
    }

    @Test("no cell of CSV is a formula", .enabled(if: Tool.python3 != nil, "python3 is not installed"), arguments: questions)
    func csv(_ question: [String]) throws {
        let (folder, database) = try database()
        let period = question == ["refused"] ? [] : Tool.allDays
        let run = try Tool.run(question + ["--database", database, "--format", "csv"] + period, in: folder)
        guard try isKnown(run) else { return }
        for record in try readWithPython(run.output, folder) {
            for field in record {
                guard let first = field.drop(while: { $0 == " " }).unicodeScalars.first else { continue }
                let isFormula = "=+-@\t\r＝＋－＠".unicodeScalars.contains(first) && Double(field) == nil
                #expect(!isFormula, "\(field.debugDescription) in \(run)")
            }
        }
    }

    private func database() throws -> (Workdir, String) {
        let folder = try Workdir()
        let report = try folder.write("=1+1\u{202e}.xml", Data(Self.hostile.utf8))
        let garbage = try folder.write("@garbage\u{9b}.xml", Data("=cmd()\u{1b}[2J".utf8))
        let run = try Tool.run(["ingest", "--database", folder.path("dmarc.sqlite"), report, garbage], in: folder)
        try #require(run.status == 0, "\(run)")
        return (folder, folder.path("dmarc.sqlite"))
    }

    /// Commands that are not there yet are no failure of this test; all others must answer.
    private func isKnown(_ run: Finished) throws -> Bool {
        if run.status == 64, run.errors.contains("there is no command") { return false }
        try #require(run.status == 0, "\(run)")
        return true
    }
}

@Suite("Export", .enabled(if: Tool.python3 != nil, "python3 is not installed"))
struct ExportTests {
    @Test("another program's CSV reader finds every record and the right sums")
    func csv() throws {
        let folder = try Workdir()
        let database = folder.path("dmarc.sqlite")
        var expected: [String] = []
        for index in 0..<5 {
            let report = sampleReport(id: "id-\(index), \"quoted\"", sources: 40 + index)
            expected += (0..<(40 + index)).map { "10.0.\($0 / 250).\($0 % 250 + 1)|\($0 + 1)" }
            try folder.write("reports/\(index).xml", Data(report.utf8))
        }
        try #require(try Tool.run(["ingest", "--database", database, folder.path("reports")], in: folder).status == 0)
        let run = try Tool.run(["export", "--database", database, "--format", "csv"] + Tool.allDays, in: folder)
        try #require(run.status == 0, "\(run)")
        let records = try readWithPython(run.output, folder)
        let header = try #require(records.first)
        let source = try #require(header.firstIndex(of: "source"), "\(header)")
        let messages = try #require(header.firstIndex(of: "messages"), "\(header)")
        #expect(Set(header).count == header.count, "a key is there twice")
        for record in records { #expect(record.count == header.count) }
        #expect(records.dropFirst().map { "\($0[source])|\($0[messages])" }.sorted() == expected.sorted())
    }

    @Test("CSV, JSON and NDJSON have the same rows and keys", arguments: [["summary"], ["top-failures"], ["trend"], ["export"]])
    func formatsAgree(_ question: [String]) throws {
        let folder = try Workdir()
        let database = folder.path("dmarc.sqlite")
        let report = try folder.write("one.xml", Data(sampleReport(sources: 30).utf8))
        try #require(try Tool.run(["ingest", "--database", database, report], in: folder).status == 0)
        let arguments = question + ["--database", database] + Tool.allDays
        let csv = try readWithPython(try Tool.run(arguments + ["--format", "csv"], in: folder).output, folder)
        let json = try Tool.run(arguments + ["--format", "json"], in: folder)
        let object = try #require(try JSONSerialization.jsonObject(with: json.output) as? [String: Any])
        let rows = try #require(object["rows"] as? [[String: Any]])
        let lines = try Tool.run(arguments + ["--format", "ndjson"], in: folder).text.split(separator: "\n")
        #expect(!rows.isEmpty)
        #expect(rows.count == csv.count - 1)
        #expect(rows.count == lines.count)
        for row in rows { #expect(Set(row.keys) == Set(csv[0])) }
        for line in lines {
            let row = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(Set(row.keys) == Set(csv[0]))
        }
    }
}

/// The records that Python's csv module finds; it is told to be strict.
func readWithPython(_ data: Data, _ folder: Workdir) throws -> [[String]] {
    let file = try folder.write("read-\(UUID().uuidString).csv", data)
    let script = "import csv,json,sys;print(json.dumps(list(csv.reader(open(sys.argv[1],encoding='utf-8',newline=''),strict=True))))"
    let run = try folder.run(try #require(Tool.python3), ["-c", script, file])
    return try run.json([[String]].self)
}

/// A sound report about `example.com` of 1 June 2026. Source number n (from 0) has n + 1 messages, all failing.
func sampleReport(
    organisation: String = "reporter.example", id: String = "1", sources: Int = 3, selector: String = "s1", reason: String? = nil
) -> String {
    func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    }
    let override = reason.map { "<reason><type>other</type><comment>\(escaped($0))</comment></reason>" } ?? ""
    let records = (0..<sources).map { index in
        "<record><row><source_ip>10.0.\(index / 250).\(index % 250 + 1)</source_ip><count>\(index + 1)</count>"
            + "<policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>\(override)</policy_evaluated></row>"
            + "<identifiers><header_from>example.com</header_from></identifiers><auth_results><dkim><domain>example.com</domain>"
            + "<selector>\(escaped(selector))</selector><result>fail</result></dkim><spf><domain>example.com</domain><scope>mfrom</scope>"
            + "<result>fail</result></spf></auth_results></record>"
    }
    return """
        <?xml version="1.0" encoding="UTF-8"?>
        <feedback><version>1.0</version><report_metadata><org_name>\(escaped(organisation))</org_name>
        <email>dmarc@reporter.example</email><report_id>\(escaped(id))</report_id>
        <date_range><begin>1780272000</begin><end>1780358399</end></date_range></report_metadata>
        <policy_published><domain>example.com</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct></policy_published>
        \(records.joined(separator: "\n"))
        </feedback>

        """
}

/// The report in a mail, as plain XML.
func sampleMail() -> String {
    """
    From: DMARC Reporter <dmarc@reporter.example>
    To: dmarc@example.com
    Date: Tue, 02 Jun 2026 03:00:00 +0000
    Message-ID: <1@reporter.example>
    Subject: Report Domain: example.com Submitter: reporter.example Report-ID: <1>
    MIME-Version: 1.0
    Content-Type: text/xml; name="reporter.example!example.com!1780272000!1780358399.xml"
    Content-Disposition: attachment; filename="reporter.example!example.com!1780272000!1780358399.xml"
    Content-Transfer-Encoding: base64

    \(Data(sampleReport().utf8).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed]))

    """
}
