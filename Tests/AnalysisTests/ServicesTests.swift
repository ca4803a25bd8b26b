import Foundation
import Testing

@Suite("The table of services")
struct ServicesTests {
    /// One line of the table as it stands in the file: nothing trimmed, nothing repaired.
    struct Line: Sendable {
        let number: Int
        let fields: [String]
        var name: String { fields.first ?? "" }
        var kind: String { fields.count > 1 ? fields[1] : "" }
        var domains: [String] { fields.count > 2 ? fields[2].components(separatedBy: ",") : [] }
        var page: String { fields.count > 3 ? fields[3] : "" }
    }

    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/Organisations/services.tsv").standardizedFileURL

    private static let kinds: Set<String> = [
        "bulk-sender", "mailbox-provider", "mailbox-service", "forwarder", "list-host", "security-gateway", "hosting",
    ]

    /// Dutch makers, hosts and mailboxes. Names leave the table only together with this list.
    private static let dutch: Set<String> = [
        "AFAS", "Antagonist", "Argeweb", "Carerix", "CCV Shop", "Cloud86", "Copernica", "DDS", "Deployteq", "e-Boekhouden.nl",
        "Enormail", "Exact Online", "Freedom Internet", "Greenhost", "Hosting2GO", "Hostnet", "Hypernode", "KPN", "Laposta", "LionServe",
        "MailBlue", "MailCampaigns", "mijn.host", "Mijndomein", "MijnWebwinkel", "Mollie", "Moneybird", "MultiSafepay", "Prezent", "Savvii",
        "Sendcloud", "SmartLockr", "SnelStart", "Soverin", "Spotler", "SURFmailfilter", "Ternair", "Theory7", "TransIP", "Tripolis",
        "Versio", "Vevida", "Vimexx", "Webador", "WeFact", "XS4ALL", "Yourhosting", "Ziggo", "Zivver", "ZorgMail", "ZXCS",
    ]

    private static func lines() throws -> [Line] {
        try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n").enumerated()
            .filter { !$0.element.isEmpty && !$0.element.hasPrefix("#") }
            .map { Line(number: $0.offset + 1, fields: $0.element.components(separatedBy: "\t")) }
    }

    /// A host name in its canonical spelling: lower-case ASCII labels, no final dot, at least two labels.
    private static func isCanonical(_ domain: String) -> Bool {
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count > 1 && domain.utf8.count <= 253 && labels.last?.allSatisfy(\.isNumber) == false
            && labels.allSatisfy { label in
                !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
                    && label.utf8.allSatisfy { byte in (97...122).contains(byte) || (48...57).contains(byte) || byte == 45 }
            }
    }

    @Test("the file is UTF-8 with comments on top, one record a line, and ends with a line feed")
    func file() throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        #expect(text.hasPrefix("#"))
        #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"))
        #expect(!text.unicodeScalars.contains("\r") && !text.unicodeScalars.contains("\u{FEFF}"))
        let body = text.components(separatedBy: "\n").drop { $0.hasPrefix("#") }.dropLast()
        #expect(!body.contains { $0.isEmpty || $0.hasPrefix("#") }, "comments and empty lines belong on top")
    }

    @Test("every line has four columns in their form")
    func form() throws {
        for line in try Self.lines() {
            #expect(line.fields.count == 4, "line \(line.number)")
            for field in line.fields {
                #expect(!field.isEmpty && field == field.trimmingCharacters(in: .whitespaces), "line \(line.number): \(field)")
                #expect(!field.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }, "line \(line.number)")
            }
            #expect(Self.kinds.contains(line.kind), "line \(line.number): \(line.kind)")
        }
    }

    @Test("there are enough services, of every kind, and the Dutch ones are well represented")
    func coverage() throws {
        let lines = try Self.lines()
        #expect(lines.count >= 120)
        #expect(Set(lines.map(\.kind)) == Self.kinds)
        let dutch = lines.map(\.name).filter(Self.dutch.contains)
        #expect(dutch.count >= 25, "\(dutch)")
    }

    @Test("names are unique and sorted without regard to case")
    func names() throws {
        let names = try Self.lines().map { $0.name.lowercased() }
        for (before, after) in zip(names, names.dropFirst()) {
            #expect(before.unicodeScalars.lexicographicallyPrecedes(after.unicodeScalars), "\(before), \(after)")
        }
    }

    @Test("domains are canonical, and no two services list the same one")
    func domains() throws {
        var owner: [String: String] = [:]
        for line in try Self.lines() {
            #expect(line.domains == line.domains.sorted(), "line \(line.number)")
            for domain in line.domains {
                #expect(Self.isCanonical(domain), "line \(line.number): \(domain)")
                let other = owner.updateValue(line.name, forKey: domain)
                #expect(other == nil, "\(domain): \(line.name) and \(other ?? "")")
            }
        }
        // An entry covers everything below it, so a service gains nothing by listing a name below one of its own.
        for (domain, name) in owner {
            var parent = domain.drop { $0 != "." }.dropFirst()
            while !parent.isEmpty {
                #expect(owner[String(parent)] != name, "\(domain) is below \(parent)")
                parent = parent.drop { $0 != "." }.dropFirst()
            }
        }
    }

    @Test("every page is an https address with a host")
    func pages() throws {
        for line in try Self.lines() {
            let url = URL(string: line.page)
            #expect(url?.scheme == "https" && url?.user == nil && url?.port == nil, "line \(line.number): \(line.page)")
            #expect(Self.isCanonical(url?.host ?? ""), "line \(line.number): \(line.page)")
            #expect(line.page.utf8.allSatisfy { $0 > 32 && $0 < 127 }, "line \(line.number): \(line.page)")
        }
    }

    @Test("names that reports show every day are known, whatever else changes")
    func wellKnown() throws {
        var owner: [String: Line] = [:]
        for line in try Self.lines() { for domain in line.domains { owner[domain] = line } }
        let expected = [
            ("mcsv.net", "bulk-sender"), ("mandrillapp.com", "bulk-sender"), ("amazonses.com", "bulk-sender"),
            ("sendgrid.net", "bulk-sender"), ("mailgun.org", "bulk-sender"), ("exacttarget.com", "bulk-sender"),
            ("mktomail.com", "bulk-sender"), ("hubspotemail.net", "bulk-sender"), ("createsend.com", "bulk-sender"),
            ("google.com", "mailbox-provider"),
            ("gappssmtp.com", "mailbox-provider"), ("outlook.com", "mailbox-provider"), ("onmicrosoft.com", "mailbox-provider"),
            ("googlegroups.com", "list-host"), ("groups.io", "list-host"), ("forwardemail.net", "forwarder"), ("transip.email", "hosting"),
            ("pphosted.com", "security-gateway"), ("mimecast.com", "security-gateway"),
        ]
        for (domain, kind) in expected { #expect(owner[domain]?.kind == kind, "\(domain)") }
        #expect(owner["mcsv.net"]?.name != owner["mandrillapp.com"]?.name)
        #expect(owner["google.com"]?.name != owner["googlegroups.com"]?.name)
    }
}
