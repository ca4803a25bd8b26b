@testable import CLI
import DMARC
import Foundation
import IMAP
import Mail
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    private func parse(_ text: String) throws(ConfigurationError) -> Configuration {
        try ConfigurationReader.parse(text, place: "config.toml")
    }

    private func failure(of text: String) -> ConfigurationError? {
        do throws(ConfigurationError) {
            _ = try parse(text)
            return nil
        } catch {
            return error
        }
    }

    static let imap = """
        [[mailbox]]
        name = "rua"
        kind = "imap"
        host = "imap.example.nl"
        user = "dmarc@example.nl"
        password_command = "pass show dmarc"

        """

    @Test("reads every key")
    func whole() throws {
        let configuration = try parse(
            """
            database = "/tmp/a.sqlite"
            keep_raw = false
            [authenticity]
            trusted_authserv_id = "mx.example.nl"
            [[mailbox]]
            name = "local"
            kind = "maildir"
            path = "/var/mail/dmarc"
            after = "mark-seen"
            [[mailbox]]
            name = "rua"
            kind = "imap"
            host = "imap.example.nl"
            port = 1143
            tls = "starttls"
            ca_file = "/etc/ca.pem"
            user = "dmarc@example.nl"
            auth = "oauthbearer"
            token_command = "helper --for 'dmarc box'"
            folders = ["INBOX", "DMARC/Prüfberichte"]
            since = "2026-01-01"
            after = "move:DMARC/done"
            after_refused = "delete"
            after_other = "mark-seen"
            connect_seconds = 5
            read_seconds = 6
            run_seconds = 7
            """)
        #expect(configuration.database == "/tmp/a.sqlite")
        #expect(!configuration.keepsRaw)
        #expect(configuration.trustedServers == ["mx.example.nl"])
        #expect(configuration.mailboxes.count == 2)
        let local = MailboxConfiguration(name: "local", place: .path("/var/mail/dmarc"), actions: MailActions(after: .markSeen))
        #expect(configuration.mailboxes.first == local)
        let expected = IMAPConfiguration(
            host: "imap.example.nl", port: 1143, tls: .startTLS, caFile: "/etc/ca.pem", user: "dmarc@example.nl", auth: .oauthbearer,
            secret: .command("helper --for 'dmarc box'"), folders: ["INBOX", "DMARC/Prüfberichte"], since: 20454, connectSeconds: 5,
            readSeconds: 6, runSeconds: 7)
        #expect(
            configuration.mailboxes.last
                == MailboxConfiguration(
                    name: "rua", place: .imap(expected),
                    actions: MailActions(after: .move("DMARC/done"), afterRefused: .delete, afterOther: .markSeen)))
    }

    @Test("trusts servers by name, one or several, and nobody otherwise")
    func trustedServers() throws {
        #expect(try parse("").trustedServers == nil)
        #expect(
            try parse("domains = [\"example.nl\", \"Bücher.example.\"]").ownDomains == OwnDomains(["example.nl", "xn--bcher-kva.example"]))
        for domains in ["[]", "[1]", "true", "\"example.nl\"", "[\"\"]", "[\"*.example.nl\"]", "[\"a@example.nl\"]", "[\"a..nl\"]"] {
            #expect(failure(of: "domains = \(domains)")?.key == "domains", "\(domains)")
        }
        #expect(try parse("[authenticity]\ntrusted_authserv_id = \"\"").trustedServers == [""])
        #expect(try parse("[authenticity]\ntrusted_authserv_id = [\"a.nl\", \"b.nl\"]").trustedServers == ["a.nl", "b.nl"])
        #expect(failure(of: "[authenticity]\ntrusted_authserv_id = []")?.key == "authenticity.trusted_authserv_id")
        #expect(failure(of: "[authenticity]\ntrusted_authserv_id = [1]")?.key == "authenticity.trusted_authserv_id")
        #expect(failure(of: "[authenticity]\ntrusted_authserv_id = true")?.code == .wrongValue)
        #expect(failure(of: "trusted_authserv_id = \"a.nl\"")?.code != nil)
        #expect(failure(of: "authenticity = 1")?.key == "authenticity")
        #expect(failure(of: "[authenticity]\nauthserv_id = \"a.nl\"")?.key == "authenticity.authserv_id")
        #expect(failure(of: "[[mailbox]]\ntrusted_authserv_id = \"a.nl\"")?.code != nil)
    }

    @Test("has safe defaults")
    func defaults() throws {
        let mailbox = try #require(try parse(Self.imap).mailboxes.first)
        guard case .imap(let imap) = mailbox.place else {
            Issue.record("not a server")
            return
        }
        #expect(imap.tls == .implicit && imap.port == 993 && imap.folders == ["INBOX"])
        #expect(mailbox.actions == MailActions() && !mailbox.actions.change)
        let startTLS = try #require(try parse(Self.imap + "tls = \"starttls\"").mailboxes.first)
        guard case .imap(let other) = startTLS.place else { return }
        #expect(other.port == 143)
    }

    @Test(
        "says what is wrong, where, and what was meant",
        arguments: [
            ("databas = \"x\"", "databas", "Did you mean database?"),
            ("[mailbox]\nname = \"a\"", "mailbox", "two brackets"),
            (imap + "pasword_command = \"x\"", "mailbox[1].pasword_command", "Did you mean password_command?"),
            (imap + "password = \"x\"", "mailbox[1].password", "A secret never stands in this file."),
            (imap + "tls = \"none\"", "mailbox[1].tls", "expected \"implicit\" or \"starttls\""),
            (imap + "port = 99999", "mailbox[1].port", "expected a number from 1 to 65535"),
            (imap + "auth = \"xoauth2\"", "mailbox[1].password_command", "takes token_command"),
            (imap + "password_file = \"/x\"", "mailbox[1].password_file", "exactly one of"),
            (imap + "since = \"yesterday\"", "mailbox[1].since", "expected a date"),
            (imap + "after = \"burn\"", "mailbox[1].after", "move:FOLDER"),
            (imap + "folders = []", "mailbox[1].folders", "expected a list"),
            (imap + imap, "mailbox[2].name", "another mailbox"),
            ("[[mailbox]]\nname = \"a\"\nkind = \"pop3\"", "mailbox[1].kind", "expected \"maildir\" or \"imap\""),
            ("[[mailbox]]\nname = \"a\"\nkind = \"maildir\"\nhost = \"x\"\npath = \"/\"", "mailbox[1].host", "no such key"),
        ])
    func wrong(text: String, key: String, part: String) throws {
        let error = try #require(failure(of: text))
        #expect(error.key == key)
        #expect(error.found.contains(part), "\(error.found)")
    }

    @Test(
        "what the parser of TOML takes for granted is a syntax error, not the end of the process",
        arguments: [
            ("[\u{e9}]", 2), ("[[\u{e9}]]", 3), (" [ \t\u{e9}", 5), ("[", 2), ("[\r", 2), ("[ ", 3), ("[[", 3), ("[?]", 2), ("[=]", 2),
            ("[\u{fffd}]", 2), ("[[ [a]]]", 4), ("[#a]", 2), ("[\u{0}]", 2), ("[\u{a0}a]", 2), ("a = 2026-11-22Tq", 5),
            ("a = [1, 0000-01-01t:", 9), ("a = [}", 6), ("a = [1,}", 8), ("a = [[1], \u{85}", 11), ("a = 2026-11-22 1", 5),
            ("a = 20_26-11-22 1", 5), ("a = 1.5", 5), ("a = {b = [{c = 1, d = _}]}", 23),
        ])
    func assertions(line: String, column: Int) {
        let before = "# [\u{e9}]\nb = \"\"\"\n[\"\"\"\"\n"
        for (text, number) in [(line + "\n", 1), ("\u{feff}" + line + "\ndatabase = \"a\"\n", 1), (before + line + "\n", 4)] {
            let error = #expect(throws: ConfigurationError.self) { try ConfigurationReader.parse(text, place: "c") }
            #expect(error?.code == .syntax && error?.place == "c:\(number):\(column)", "\(text)")
        }
    }

    @Test(
        "what only looks like it is read",
        arguments: [
            "\u{feff} [ \"limits\" ]\r\n[ 'authenticity']", "database = \"\"\"\n[\u{e9}]\"\"\"\n", "database = '''\n[\u{e9}\\'''''\n",
            "mailbox = [{name = 'a', kind = 'maildir', path = 'b'}, {name = 'c',kind='maildir',path=\"\"\"x\"\"\"},]",
            "limits = {records = 0x1F, members = +1_0, ratio=0o17}\nkeep_raw=true#\n", "database = \"\\\"[\" # [\u{e9}]\n  # [\n",
            "[authenticity]\ntrusted_authserv_id = [\n'a', # [}\n\"2026-11-22T\"\n]\n[limits]",
            "database = \"\"\"\\\n 2026-11-22Tq\"\"\"\"\"\n[limits]\n# 2026-11-22Tq",
        ])
    func noAssertions(text: String) { #expect(throws: Never.self) { try ConfigurationReader.parse(text, place: "c") } }

    @Test("a syntax error has its line")
    func syntax() throws {
        let error = try #require(failure(of: "database = \"a\"\nmailbox = ["))
        #expect(error.code == .syntax)
        #expect(error.place.hasPrefix("config.toml:2:"))
    }

    @Test("the template is a configuration, and every key in it is one")
    func template() throws {
        #expect(try parse(ConfigurationTemplate.text) == Configuration())
        let uncommented = ConfigurationTemplate.text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> Substring in
            guard line.hasPrefix("# "), line.contains(" = ") || ["# [[mailbox]]", "# [authenticity]", "# [limits]"].contains(line) else {
                return line
            }
            return line.dropFirst(2)
        }.joined(separator: "\n")
        let configuration = try parse(uncommented)
        #expect(configuration.mailboxes.map(\.name) == ["local", "rua"])
        #expect(configuration.trustedServers == ["mx.example.nl"])
    }

    @Test(
        "words of a command",
        arguments: [
            ("pass show dmarc", ["pass", "show", "dmarc"]), ("  a   b ", ["a", "b"]), ("a 'b c' \"d 'e\"", ["a", "b c", "d 'e"]),
            ("a''b \"\"", ["ab", ""]), ("$HOME ; | `x`", ["$HOME", ";", "|", "`x`"]), ("a 'b", nil), ("", []),
        ] as [(String, [String]?)])
    func words(command: String, expected: [String]?) {
        #expect(SecretSupply.words(command) == expected)
    }

    @Test("a file that others can write to is refused, for it names commands", arguments: [0o602, 0o666, 0o777])
    func writable(mode: Int) throws {
        let runner = try CommandRunner()
        let config = runner.directory.appendingPathComponent("config.toml").path
        try Data("keep_raw = true\n".utf8).write(to: URL(filePath: config))
        #expect(runner.ask(["status", "--config", config]).status == 74)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: config)
        let outcome = runner.ask(["status", "--config", config])
        // With --database it is not read; without, it is.
        #expect(outcome.status == 74)
        let read = runner.run(["status", "--config", config])
        #expect(read.status == 78 && read.errors.contains("others can write to it"), "\(read)")
    }
}
