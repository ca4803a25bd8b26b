import DMARC
import Foundation
import Testing

@Suite("The table of reporters")
struct KnownReportersTests {
    /// One line of the table as it stands in the file: nothing trimmed, nothing repaired.
    private struct Line {
        let number: Int
        let fields: [String]
        var names: [String] { fields[1] == "-" ? [] : fields[1].components(separatedBy: ";") }
        var domains: [String] { fields[2].components(separatedBy: ",") }
    }

    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/DMARC/Reporters/reporters.tsv").standardizedFileURL

    private static func lines() throws -> [Line] {
        try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n").enumerated()
            .filter { !$0.element.isEmpty && !$0.element.hasPrefix("#") }
            .map { Line(number: $0.offset + 1, fields: $0.element.components(separatedBy: "\t")) }
    }

    private static func folded(_ name: String) -> String { name.lowercased().filter { !$0.isWhitespace } }

    /// A host name in its canonical spelling: lower-case ASCII labels, no final dot, at least two labels.
    private static func isCanonical(_ domain: String) -> Bool {
        DomainName.named(domain) == domain && !domain.contains("_")
            && domain.split(separator: ".").allSatisfy { label in
                label.utf8.count <= 63 && label.first != "-" && label.last != "-"
            }
    }

    @Test("the file is UTF-8 with comments on top, one reporter a line, four columns in their form, sorted, and enough of them")
    func form() throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        #expect(text.hasPrefix("#") && text.hasSuffix("\n") && !text.hasSuffix("\n\n"))
        #expect(!text.unicodeScalars.contains("\r") && !text.unicodeScalars.contains("\u{FEFF}"))
        let body = text.components(separatedBy: "\n").drop { $0.hasPrefix("#") }.dropLast()
        #expect(!body.contains { $0.isEmpty || $0.hasPrefix("#") }, "comments and empty lines belong on top")
        let lines = try Self.lines()
        #expect(lines.count >= 40)
        for line in lines {
            try #require(line.fields.count == 4, "line \(line.number)")
            for field in line.fields + line.names {
                #expect(!field.isEmpty && field == field.trimmingCharacters(in: .whitespaces), "line \(line.number): \(field)")
                #expect(!field.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }, "line \(line.number)")
            }
            for domain in line.domains { #expect(Self.isCanonical(domain), "line \(line.number): \(domain)") }
            let page = URL(string: line.fields[3])
            #expect(page?.scheme == "https" && page?.user == nil && page?.port == nil, "line \(line.number)")
            #expect(Self.isCanonical(page?.host ?? ""), "line \(line.number): \(line.fields[3])")
        }
        let names = lines.map { $0.fields[0].lowercased() }
        for (before, after) in zip(names, names.dropFirst()) {
            #expect(before.unicodeScalars.lexicographicallyPrecedes(after.unicodeScalars), "\(before), \(after)")
        }
        #expect(KnownReporters.known.all.map(\.name) == lines.map { $0.fields[0] })
        #expect(KnownReporters.known.all.map(\.domains) == lines.map(\.domains))
    }

    @Test("no name and no domain stands for two reporters, nor for one twice")
    func uniqueness() throws {
        var names: [String: Int] = [:]
        var domains: [String: Int] = [:]
        for line in try Self.lines() {
            for name in line.names {
                #expect(names.updateValue(line.number, forKey: Self.folded(name)) == nil, "line \(line.number): \(name)")
            }
            for domain in line.domains {
                #expect(domains.updateValue(line.number, forKey: domain) == nil, "line \(line.number): \(domain)")
            }
        }
        // What stands below a domain belongs to it already, unless the voice is to be called by it.
        for (domain, line) in domains {
            var parent = domain.drop { $0 != "." }.dropFirst()
            while !parent.isEmpty {
                #expect(
                    domains[String(parent)].map { $0 == line } ?? true,
                    "\(domain) is below \(parent), of line \(domains[String(parent)] ?? 0)")
                parent = parent.drop { $0 != "." }.dropFirst()
            }
        }
        // A name that is a domain's belongs to whoever has the domain.
        for (name, line) in names {
            #expect(KnownReporters.known.reporter(of: name).map { domains[$0.domains[0]] == line } ?? true, "\(name)")
        }
    }

    @Test("a voice is called by a domain in which not everybody can have an address, if there is one")
    func first() {
        for reporter in KnownReporters.known.all where !reporter.domains.allSatisfy(KnownReporters.personal.contains) {
            #expect(!KnownReporters.personal.contains(reporter.domains[0]), "\(reporter.name)")
        }
        for domain in KnownReporters.personal { #expect(Self.isCanonical(domain), "\(domain)") }
    }

    @Test(
        "who mails for whom",
        arguments: [
            ("google.com", "google.com", true), ("GOOGLE.COM.", "mail.google.com", true), ("Google Inc.", "google.com", true),
            ("google.com", "gmail.com", false), ("google.com", "notgoogle.com", false), ("google.com", "google.com.evil.example", false),
            ("Enterprise Outlook", "microsoft.com", true), ("enterprise\u{A0} OUTLOOK", "microsoft.com", true),
            ("Outlook.com", "microsoft.com", true), ("protection.outlook.com", "microsoft.com", true),
            ("Outlook.com", "evil.example", false),
            ("Yahoo", "dmarc.yahoo.com", true), ("Yahoo! Inc.", "dmarc.yahoo.com", true), ("AOL", "abuse.aol.com", true),
            ("Mail.Ru", "corp.mail.ru", true), ("AMAZON-SES", "amazonses.com", true), ("AMAZON-SES", "amazon.example", false),
            ("Mimecast", "uk-1.mimecastreport.com", true), ("comcast.net", "alerts.comcast.net", true),
            ("GMX", "sicher.gmx.net", true), ("WEB.DE", "sicher.web.de", true), ("FastMail Pty Ltd", "fastmaildmarc.com", true),
            ("xs4all.nl", "dmarc-reports.xs4all.net", true), ("Soverin", "soverin.net", true), ("GoDaddy.com", "secureserver.net", true),
            ("docomo.ne.jp", "dmarc25.jp", true), ("Microsoft Corp.", "microsoft.com", true), ("zoho.com", "zoho.com", true),
        ])
    func mails(_ name: String, _ domain: String, _ does: Bool) throws {
        let reporter = try #require(KnownReporters.known.reporter(named: name))
        #expect(reporter.mails(from: domain) == does)
    }

    @Test("others are nobody known", arguments: ["", " ", "Example Receiver", "receiver.example", "com", "notgoogle.com", "-", "."])
    func others(_ name: String) {
        #expect(KnownReporters.known.reporter(named: name) == nil)
    }

    // MARK: - Voices

    /// Organisational domains by two labels, or three below `co.uk`: enough for names in tests.
    private static func organisation(_ name: String) -> String {
        name.split(separator: ".").suffix(name.hasSuffix(".co.uk") ? 3 : 2).joined(separator: ".")
    }

    @Test(
        "a voice is whoever mailed the report",
        arguments: [
            ("mail.receiver.example", "dmarc@other.example", "receiver.example"), ("Mail.Receiver.Example.", nil, "receiver.example"),
            ("a.b.receiver.co.uk", nil, "receiver.co.uk"), (nil, "<dmarc@mail.receiver.example>", "receiver.example"),
            (nil, "nonsense", ""), (nil, nil, ""), (nil, "", ""), ("localhost", "d@receiver.example", "receiver.example"),
            ("192.0.2.1", nil, ""),
            // One reporter, one voice, whatever it calls itself.
            ("microsoft.com", nil, "microsoft.com"), ("notification.microsoft.com", nil, "microsoft.com"),
            ("dmarc.yahoo.com", nil, "yahooinc.com"), ("yahooinc.com", nil, "yahooinc.com"), ("abuse.aol.com", nil, "yahooinc.com"),
            ("corp.mail.ru", nil, "corp.mail.ru"), ("other.mail.ru", nil, "corp.mail.ru"), ("xs4all.nl.evil.example", nil, "evil.example"),
            ("au-1.mimecastreport.com", nil, "mimecastreport.com"), ("mimecast.com", nil, "mimecastreport.com"),
            ("sicher.gmx.net", nil, "sicher.gmx.net"), ("sicher.web.de", nil, "sicher.gmx.net"),
            // A customer of a provider is not the provider.
            ("mail.ru", nil, "mail.ru"), ("outlook.com", nil, "outlook.com"), ("yahoo.com", nil, "yahoo.com"),
            (nil, "x@gmx.net", "gmx.net"),
        ] as [(String?, String?, String)])
    func voices(_ author: String?, _ email: String?, _ voice: String) {
        #expect(Voice.name(author: author, email: email, giver: Self.organisation) == voice)
    }
}
