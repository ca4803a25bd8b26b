import DMARC
import Foundation
import Testing

@testable import CLI

/// The situations of `Situations/`: the codes, the verdicts with their confidence, and the texts in both languages.
@Suite("Advice")
struct AdviceTests {
    static let folder = CommandRunner.golden.deletingLastPathComponent().appendingPathComponent("Situations")

    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".world") }.map { String($0.dropLast(6)) }.sorted()

    /// A database that holds the reports of a situation.
    private func runner(_ name: String) throws -> CommandRunner {
        let runner = try CommandRunner()
        let reports = runner.directory.appendingPathComponent("reports")
        try FileManager.default.createDirectory(at: reports, withIntermediateDirectories: false)
        let world = try String(contentsOf: Self.folder.appendingPathComponent("\(name).world"), encoding: .utf8)
        try Situation(world).write(to: reports)
        let outcome = runner.ask(["ingest", reports.path])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return runner
    }

    @Test("there are thirty situations")
    func count() { #expect(Self.names.count == 30) }

    @Test("a situation gives its codes and no others, in words of both languages", arguments: names)
    func situation(name: String) throws {
        let runner = try runner(name)
        let data = runner.ask(["advise", "--format", "json"])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(data.output.utf8)) as? [String: Any])
        #expect(object["schema"] as? String == "dmarcstat.advise/1")
        let rows = try #require(object["rows"] as? [[String: Any]])
        let codes = rows.compactMap { $0["code"] as? String }
        let expected = try String(contentsOf: Self.folder.appendingPathComponent("\(name).codes"), encoding: .utf8)
        #expect(codes.sorted() == expected.split(separator: "\n").map(String.init).sorted())
        try compare("\(name).verdicts", try verdicts(runner))
        for language in ["en", "nl"] {
            let outcome = runner.ask(["advise", "--all", "--lang", language, "--no-color"], width: 100)
            #expect(outcome.status == 0)
            try compare("\(name).\(language).txt", outcome.output)
        }
    }

    /// Domain, verdict and confidence, with how many sources and messages are judged so; notes where there are any.
    private func verdicts(_ runner: CommandRunner) throws -> String {
        let output = runner.ask(["sources", "--format", "ndjson", "--limit", "all", "--since", "2026-09-01", "--until", "2026-11-20"])
            .output
        var rows: [String: (sources: [String], messages: Int)] = [:]
        for line in output.split(separator: "\n") {
            let row = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let reasons = row["reasons"] as? [String] ?? []
            #expect(!(reasons.contains("broad") && reasons.contains("thin")), "\(line)")
            let notes = (row["notes"] as? [String] ?? []).map { " " + $0 }.joined()
            let confidence = String(format: "%.2f", try #require(row["confidence"] as? Double))
            let key = "\(row["domain"] ?? "") \(row["verdict"] ?? "") \(confidence)\(notes)"
            rows[key, default: ([], 0)].sources.append(try #require(row["source"] as? String))
            rows[key]?.messages += try #require(row["messages"] as? Int)
        }
        return rows.map { key, row in
            let shown = row.sources.count <= 3 ? row.sources.sorted().joined(separator: " ") : "\(row.sources.count) sources"
            return "\(key): \(row.messages) messages, \(shown)\n"
        }.sorted().joined()
    }

    private func compare(_ name: String, _ text: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("recorded \(name)")
            return
        }
        let expected = try? String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "\(name); RECORD_SNAPSHOTS=1 writes it anew")
    }

    @Test("keys and codes are the same in every language")
    func languages() throws {
        let runner = try runner("03-mailing-list")
        func rows(_ language: String) throws -> [[String: Any]] {
            let output = runner.ask(["advise", "--format", "ndjson", "--lang", language]).output
            return try output.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
        let (english, dutch) = (try rows("en"), try rows("nl"))
        #expect(!english.isEmpty && english.count == dutch.count)
        for (a, b) in zip(english, dutch) {
            #expect(a["text"] as? String != b["text"] as? String)
            for key in a.keys where key != "text" { #expect(a[key] as? NSObject == b[key] as? NSObject, "\(key)") }
        }
    }

    @Test("the language is that of the locale unless asked otherwise")
    func locale() throws {
        let runner = try runner("01-healthy")
        func first(_ environment: [String: String], _ arguments: [String] = []) -> String {
            var environment = environment
            environment["HOME"] = "/nonexistent"
            let outcome = runner.run(["advise", "--database", runner.database] + arguments, environment: environment)
            return outcome.output.contains("Klaar voor p=quarantine") ? "nl" : outcome.output.contains("Ready for") ? "en" : "?"
        }
        #expect(first([:]) == "en")
        #expect(first(["LANG": "nl_NL.UTF-8"]) == "nl")
        #expect(first(["LANG": "nl_BE"]) == "nl")
        #expect(first(["LANG": "nl_NL.UTF-8", "LC_ALL": "C"]) == "en")
        #expect(first(["LANG": "en_GB.UTF-8", "LC_MESSAGES": "nl_NL.UTF-8"]) == "nl")
        #expect(first(["LANG": "nl_NL.UTF-8"], ["--lang", "en"]) == "en")
        #expect(runner.ask(["advise", "--lang", "fr"]).status == 64)
    }

    @Test("without --all what is fine is one line, and a domain with nothing else only a name")
    func brief() throws {
        let runner = try runner("02-forwarder")
        let text = runner.ask(["advise"]).output
        #expect(text.contains("\nfine: Forwarded mail fails SPF, as always (A1)\n") && !text.contains("SRS"))
        #expect(runner.ask(["advise", "--all"]).output.contains("SRS"))
    }

    @Test("with reports of one reporter only, no stricter policy is advised")
    func oneReporter() throws {
        let runner = try runner("01-healthy")
        let output = runner.ask(["advise", "--reporter", "google.com", "--format", "csv"]).output
        #expect(output.contains("one-reporter") && !output.contains("p=quarantine\"\",\"\"replaces"))
    }

    // MARK: - Whose word counts

    /// A world of the kind of `Situations/`, collected.
    private func runner(world: String) throws -> CommandRunner {
        let runner = try CommandRunner()
        let reports = runner.directory.appendingPathComponent("reports")
        try FileManager.default.createDirectory(at: reports, withIntermediateDirectories: false)
        try Situation(world).write(to: reports)
        #expect(runner.ask(["ingest", reports.path]).status == 0)
        return runner
    }

    private func rows(_ runner: CommandRunner) throws -> [[String: Any]] {
        try runner.ask(["advise", "--format", "ndjson"]).output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private static let fallen = """
        domain winkel.example
        report google.com,outlook.com,yahoo.com 10-07..11-20 p=none
        mail google.com,outlook.com,yahoo.com 10-07..11-20 192.0.2.10 40 none pass pass spf=winkel.example:pass dkim=winkel.example:mail:pass
        mail google.com,outlook.com,yahoo.com 10-07..10-28 192.0.2.20 20 none fail pass spf=winkel.example:pass
        mail google.com,outlook.com,yahoo.com 10-29..11-20 192.0.2.20 20 none fail fail spf=winkel.example:softfail
        """

    @Test("a server that fell out of SPF half-way, seen by three reporters over 45 days, gets its line")
    func fallenOutOfSPF() throws {
        let runner = try runner(world: Self.fallen)
        let row = try #require(try rows(runner).first { $0["code"] as? String == "M1" })
        #expect(row["severity"] as? String == "act" && row["confidence"] as? Double ?? 0 >= 0.9)
        let dns = try #require(row["dns"] as? [[String: Any]])
        #expect(dns.map { $0["value"] as? String } == ["ip4:192.0.2.20"])
        #expect(runner.ask(["advise", "--lang", "nl"]).output.contains("voeg toe: ip4:192.0.2.20"))
    }

    @Test("two days of reports in good names make no server of a stranger, and print no line")
    func framed() throws {
        let runner = try runner(
            world: Self.fallen + """

                report google.nl,sybil.example,www.sybil.example 11-14..11-20 p=none
                mail google.nl,sybil.example,www.sybil.example 11-14..11-17 203.0.113.66 500 none fail pass spf=winkel.example:pass
                mail google.nl,sybil.example,www.sybil.example 11-18..11-20 203.0.113.66 500 none fail fail spf=winkel.example:softfail
                mail google.com,outlook.com 11-18..11-20 203.0.113.66 9 none fail fail spf=winkel.example:softfail
                """)
        let lines = try rows(runner).flatMap { $0["dns"] as? [[String: Any]] ?? [] }.compactMap { $0["value"] as? String }
        #expect(lines == ["ip4:192.0.2.20"])
        #expect(try rows(runner).contains { ($0["numbers"] as? [String: Any])?["ready"] as? Bool == true } == false)
    }

    @Test("a newcomer's count of a thousand million is named, in both languages, and decides nothing")
    func newcomer() throws {
        let runner = try runner("01-healthy")
        let world = """
            domain bakkerij.example
            report new.example 11-19..11-19 p=none
            mail new.example 11-19..11-19 198.51.100.9 1000000000 none fail fail spf=bakkerij.example:softfail
            """
        let folder = runner.directory.appendingPathComponent("forged")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        try Situation(world).write(to: folder)
        #expect(runner.ask(["ingest", folder.path]).status == 0)
        let english = runner.ask(["advise", "--lang", "en"]).output
        #expect(english.contains("Not heard yet: 1,000,000,000 messages from 1 new reporter.\n"))
        #expect(english.contains("One report of new.example says 1,000,000,000 messages; everybody else together 1,950.\n"))
        #expect(english.contains("Ready for p=quarantine") && english.contains("1 finding: 1 to do"))
        let dutch = runner.ask(["advise", "--lang", "nl"]).output
        #expect(dutch.contains("Telt nog niet mee: 1.000.000.000 berichten van 1 nieuwe ontvanger die rapporteert.\n"))
        #expect(dutch.contains("Eén rapport van new.example noemt 1.000.000.000 berichten; alle andere samen 1.950.\n"))
        let reporters = runner.ask(["reporters"]).output
        #expect(
            reporters.contains(
                "One report of new.example about bakkerij.example says 1,000,000,000 messages; everybody else together 1,950."))
        #expect(!runner.ask(["reporters", "--reporter", "google.com"]).output.contains("everybody else"))
        #expect(runner.ask(["summary", "--format", "csv"]).output.contains("1000001950"), "figures count every report")
    }

    // MARK: - What holds in every store

    /// Numbers that look random and are the same every time (SplitMix64).
    private struct Dice {
        var state: UInt64

        mutating func roll(_ range: ClosedRange<Int>) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return range.lowerBound + Int((z ^ (z >> 31)) % UInt64(range.count))
        }
    }

    /// A store of six weeks: a server in order, some that fell out of SPF, and strangers, forwarders, scattered addresses and lists in between.
    private static func store(seed: UInt64) -> (world: String, relays: Set<String>) {
        var dice = Dice(state: seed)
        let all = ["google.com", "outlook.com", "yahoo.com", "web.de", "comcast.net"]
        let reporters = all.prefix(dice.roll(2...5)).joined(separator: ",")
        let own = "spf=firma.example:pass dkim=firma.example:mail:pass"
        var lines = [
            "domain firma.example", "report \(reporters) 10-07..11-20 p=none",
            "mail \(reporters) 10-07..11-20 192.0.2.10 \(dice.roll(5...60)) none pass pass \(own)",
        ]
        var relays: Set<String> = []
        for number in 0..<dice.roll(8...14) {
            let who = all[dice.roll(0...1)]
            let some = dice.roll(0...1) == 0 ? who : reporters
            let first = dice.roll(1...9)
            let days = "11-0\(first)..11-\(dice.roll(10...20))"
            let day = "11-0\(first)..11-0\(first)"
            let every = "every \(dice.roll(1...6))"
            let count = dice.roll(1...9)
            let address = "198.51.100.\(10 + number)"
            switch dice.roll(0...6) {
            case 0:
                lines.append(
                    "mail \(some) 10-07..10-2\(dice.roll(1...9)) 192.0.2.\(20 + number) \(count) none fail pass spf=firma.example:pass")
                lines.append("mail \(some) 11-01..11-20 192.0.2.\(20 + number) \(count) none fail fail spf=firma.example:softfail")
            case 1:
                lines.append(
                    "mail \(who) \(day) \(address) 1 none fail fail spf=koper\(number).example:pass dkim=koper\(number).example:k:pass")
            case 2:
                lines.append("mail \(some) \(days) \(every) \(address) \(count) none fail fail spf=koper\(number).example:pass")
            case 3:
                // It passed the domain's own SPF for a while, and passes mail on: never to be put back.
                relays.insert(address)
                lines.append("mail \(some) 10-07..10-30 \(address) 2 none fail pass spf=firma.example:pass")
                lines.append(
                    "mail \(some) \(days) \(address) 2 none pass fail spf=doorgeef\(number).example:pass dkim=firma.example:mail:pass")
                lines.append("mail \(some) \(days) \(address) 1 none fail fail spf=firma.example:softfail")
                lines.append("mail \(some) \(days) \(address) 1 none fail fail spf=dienst.example:pass dkim=dienst.example:d:pass")
            case 4:
                for last in 1...60 { relays.insert("203.0.\(number).\(last)") }
                lines.append(
                    "mail \(who) 10-20..11-20 203.0.\(number).{1-60} 1 none pass fail spf=firma.example:softfail dkim=firma.example:mail:pass"
                )
            case 5:
                relays.insert(address)
                lines.append(
                    "mail \(some) \(days) \(every) \(address) 1 none fail fail spf=lijst\(number).example:pass dkim=firma.example:mail:fail"
                )
            default:
                lines.append("mail \(who) \(day) \(address) \(count) none fail fail spf=firma.example:softfail")
            }
        }
        return (lines.joined(separator: "\n"), relays)
    }

    @Test(
        "in every store: what is seen once is not steady, a stranger is no service, and what passes mail on is in no DNS line",
        arguments: 1...6 as ClosedRange<UInt64>)
    func everyStore(seed: UInt64) throws {
        let (world, relays) = Self.store(seed: seed)
        let runner = try runner(world: world)
        var seen: [String: [[String: Any]]] = [:]
        let list = runner.ask(["sources", "--format", "ndjson", "--limit", "all", "--since", "2026-09-01", "--until", "2026-11-20"]).output
        for line in list.split(separator: "\n") {
            let row = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let reasons = row["reasons"] as? [String] ?? []
            #expect(!(reasons.contains("broad") && reasons.contains("thin")), "\(line)")
            seen[row["source"] as? String ?? "", default: []].append(row)
        }
        for (source, rows) in seen {
            let text = runner.ask(["explain", source]).output.replacing(#/\s+/#, with: " ")
            if rows.count == 1, rows[0]["first_day"] as? String == rows[0]["last_day"] as? String {
                #expect(!text.contains("It is steady"), "\(text)")
            }
            if rows.count == 1, (rows[0]["notes"] as? [String] ?? []).contains("unrelated"), rows[0]["verdict"] as? String == "unaligned" {
                #expect(text.contains("or a stranger") && !text.lowercased().contains("real service"), "\(text)")
            }
        }
        for row in try self.rows(runner) {
            let dns = row["dns"] as? [[String: Any]] ?? []
            for word in dns.flatMap({ ($0["value"] as? String ?? "").split(separator: " ") }) where word.hasPrefix("ip") {
                let address = String(word.dropFirst(4))
                #expect(!relays.contains(address), "\(address) passes mail on")
                let verdicts = seen[address]?.compactMap { $0["verdict"] as? String } ?? []
                #expect(!verdicts.contains("forwarded") && !verdicts.contains("mailing-list"), "\(address) \(verdicts)")
            }
            let text = row["text"] as? String ?? ""
            if let match = text.firstMatch(of: #/between (\d+ \w+ \d+) and (\d+ \w+ \d+)/#) { #expect(match.1 != match.2, "\(text)") }
        }
    }

    @Test("that nobody is checked is said once, with the line to add, and not where somebody is")
    func trustHint() throws {
        let runner = try runner(world: Self.fallen)
        let file = runner.directory.appendingPathComponent("dmarcstat.toml")
        for command in [["status"], ["doctor"], ["advise"], ["advise", "--lang", "nl"]] {
            try "".write(to: file, atomically: true, encoding: .utf8)
            let said = runner.ask(command + ["--config", file.path]).output
            #expect(said.components(separatedBy: #"trusted_authserv_id = ["mx.example.nl"]"#).count == 2, "\(command) \(said)")
            try "[authenticity]\ntrusted_authserv_id = [\"mx.example.nl\"]\n".write(to: file, atomically: true, encoding: .utf8)
            #expect(!runner.ask(command + ["--config", file.path]).output.contains("trusted_authserv_id"), "\(command)")
        }
        #expect(runner.ask(["status", "--format", "ndjson"]).output.contains(#""senders_checked":false"#))
        #expect(runner.ask(["status", "--format", "ndjson", "--config", file.path]).output.contains(#""senders_checked":true"#))
        #expect(!runner.ask(["advise", "--format", "csv"]).output.contains("trusted_authserv_id"))
    }

    @Test("every text of every finding is there in both languages, and leaves nothing unsaid")
    func texts() throws {
        for name in Self.names {
            for language in ["en", "nl"] {
                let file = Self.folder.appendingPathComponent("\(name).\(language).txt")
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(!text.contains("Optional(") && !text.contains("  .") && !text.contains(" 1 messages"), "\(name)")
                #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 || $0.contains("https://") }, "\(name)")
            }
        }
    }

    @Test("numbers and days are written as the language does")
    func notation() {
        let dutch = DutchAdvice(most: 3).writer
        let english = EnglishAdvice(most: 3).writer
        let day = Day(year: 2026, month: 10, day: 1) ?? Day(0)
        #expect(dutch.number(1_234_567) == "1.234.567" && english.number(1_234_567) == "1,234,567")
        #expect(dutch.day(day) == "1 okt 2026" && english.day(day) == "1 Oct 2026")
        #expect(dutch.percent(1, of: 3) == "33,3%" && english.percent(999_999, of: 1_000_000) == ">99.9%")
        #expect(english.percent(1, of: 1_000_000) == "<0.1%" && english.percent(5, of: 5) == "100%" && english.percent(0, of: 0) == "–")
        #expect(dutch.list(["a", "b", "c", "d", "e"]) == "a, b, c en 2 andere" && english.list(["a", "b"]) == "a and b")
        #expect(english.list(["a", "b", "c", "d"]) == "a, b, c and d")
        #expect(relativeName("_dmarc.shop.example.org", zone: "example.org") == "_dmarc.shop")
        #expect(relativeName("example.org", zone: "example.org") == "@")
    }
}
