import Foundation
import Testing

@testable import CLI

@Suite("Mail that could not be judged yet")
struct DeferredTests {
    private struct Deferral: Decodable {
        var place: String
        var code: String
        var detail: String
    }

    private struct Ingest: Decodable {
        struct Messages: Decodable {
            var seen: Int
            var stored: Int
            var refused: Int
            var deferred: Int
        }

        var messages: Messages
        var refusals: [Deferral]
        var deferrals: [Deferral]
    }

    private struct Status: Decodable {
        var deferred: Int
        var deferred_mails: [String]
    }

    private struct Check: Decodable {
        var check: String
        var result: String
        var found: String
        var next: String?
    }

    private struct Rows<Row: Decodable>: Decodable {
        var rows: [Row]
    }

    private func json<Value: Decodable>(_ type: Value.Type, _ outcome: Outcome) throws -> Value {
        try JSONDecoder().decode(type, from: Data(outcome.output.utf8))
    }

    private func mail(_ id: String, end: Int, date: String) -> String {
        """
        From: d@reporter.test
        Date: \(date)
        Subject: r
        Content-Type: text/xml; name="r.xml"

        <feedback><report_metadata><org_name>reporter.test</org_name><email>d@reporter.test</email><report_id>\(id)</report_id>
        <date_range><begin>\(end - 86_399)</begin><end>\(end)</end></date_range></report_metadata>
        <policy_published><domain>example.nl</domain><p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip>
        <count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
        <identifiers><header_from>example.nl</header_from></identifiers><auth_results/></record></feedback>

        """
    }

    @Test("is named with place and reason by ingest, status and doctor, each time, until it is judged or gone")
    func named() throws {
        let runner = try CommandRunner()
        let box = runner.directory.appendingPathComponent("box")
        for part in ["new", "cur", "tmp"] {
            try FileManager.default.createDirectory(at: box.appendingPathComponent(part), withIntermediateDirectories: true)
        }
        func write(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: box.appendingPathComponent("new/" + name))
        }
        // By its own mail it is no report of the future: only the clock can say.
        try write("1.M1P1.mx", mail("ahead", end: 1_906_000_000, date: "Sat, 25 May 2030 00:00:00 +0000"))
        try write("2.M1P1.mx", mail("sound", end: 1_780_358_399, date: "Tue, 02 Jun 2026 03:00:00 +0000"))
        for run in 1...2 {
            let outcome = runner.run(["ingest", "--database", runner.database, box.path, "--format", "json"])
            let answer = try json(Ingest.self, outcome)
            #expect(outcome.status == 0, "\(outcome)")
            #expect(answer.messages.deferred == 1 && answer.messages.stored == (run == 1 ? 1 : 0) && answer.refusals.isEmpty)
            try #require(answer.deferrals.count == 1)
            #expect(answer.deferrals[0].place.hasSuffix("/new/1.M1P1.mx!r.xml") && answer.deferrals[0].code == "date-out-of-range")
            #expect(answer.deferrals[0].detail.contains("by the clock of this machine"))
            // Under cron it is the one thing that is said, besides that it may be the clock.
            let cron = runner.run(["ingest", "--database", runner.database, box.path])
            #expect(cron.output.isEmpty && cron.errors.split(separator: "\n").count { $0.contains("1 deferred: ") } == 1, "\(cron)")
            let status = try json(Rows<Status>.self, runner.ask(["status", "--format", "json"])).rows
            #expect(status.map(\.deferred) == [1])
            #expect(status.flatMap(\.deferred_mails).count == 1)
            #expect(status[0].deferred_mails[0].contains("1.M1P1.mx: date-out-of-range: "), "\(status)")
            let doctor = runner.ask(["doctor", "--format", "json"])
            let check = try #require(try json(Rows<Check>.self, doctor).rows.first { $0.check == "deferred" })
            #expect(check.found.contains("1.M1P1.mx: date-out-of-range: ") && check.next?.isEmpty == false, "\(check)")
            #expect(runner.run(["ingest", "--database", runner.database, box.path, "--fail-on", "deferred"]).status == 1)
        }
        for line in runner.ask(["status"]).output.split(separator: "\n") where line.contains("which, and why") {
            #expect(line.contains("1.M1P1.mx"))
        }
        try FileManager.default.removeItem(at: box.appendingPathComponent("new/1.M1P1.mx"))
        let last = try json(Ingest.self, runner.run(["ingest", "--database", runner.database, box.path, "--format", "json"]))
        #expect(last.messages.seen == 0 && last.deferrals.isEmpty)
        #expect(try json(Rows<Status>.self, runner.ask(["status", "--format", "json"])).rows.map(\.deferred_mails) == [[]])
        #expect(try json(Rows<Check>.self, runner.ask(["doctor", "--format", "json"])).rows.allSatisfy { $0.check != "deferred" })
        #expect(runner.run(["ingest", "--database", runner.database, box.path, "--fail-on", "deferred"]).status == 0)
    }

    @Test(
        "an action that there is none of is answered with those that there are",
        arguments: ["--after", "--after-refused", "--after-other"], ["shred", "move", "move:", "Delete", ""])
    func unknownAction(option: String, word: String) throws {
        let runner = try CommandRunner()
        let outcome = runner.run(["ingest", "--database", runner.database, option, word, "x"])
        #expect(outcome.status == 64 && outcome.output.isEmpty)
        let values = ["leave", "mark-seen", "move:FOLDER", "delete"]
        for value in values + [option] { #expect(outcome.errors.contains(value), "\(outcome)") }
        let file = runner.directory.appendingPathComponent("config.toml").path
        let key = option.dropFirst(2).replacing("-", with: "_")
        try Data("[[mailbox]]\nname = \"a\"\nkind = \"maildir\"\npath = \"/x\"\n\(key) = \"\(word)\"\n".utf8).write(to: URL(filePath: file))
        // Nothing between the quotation marks is said to be nothing.
        if word.isEmpty { return }
        let configured = runner.run(["ingest", "--database", runner.database, "--config", file])
        #expect(configured.status == 78)
        for value in values + [String(key)] { #expect(configured.errors.contains(value), "\(configured)") }
    }
}
