/// A well-known reporter, from `reporters.tsv`.
public struct KnownReporter: Hashable, Sendable {
    /// As it writes itself.
    public let name: String
    /// What its reports may have as `org_name`, in lower case and without blanks. Names of domains below `domains` belong to it as well.
    public let names: [String]
    /// What it mails reports from: each stands for everything below it, too. The first is what its voice is called by.
    public let domains: [String]
    /// Where that is to be seen.
    public let page: String

    /// Whether it sends reports from the canonical name `domain`.
    public func mails(from domain: String) -> Bool { domains.contains { KnownReporters.isBelow(domain, $0) } }
}

/// The table of well-known reporters: read from the binary, no look-ups.
public struct KnownReporters: Sendable {
    /// All of them, as in the file.
    public let all: [KnownReporter]
    private let byName: [String: Int]
    private let byDomain: [String: Int]

    /// The table of the file `reporters.tsv`, parsed when it is first asked for.
    public static let known = KnownReporters(text: String(decoding: PackageResources.reporters_tsv, as: UTF8.self))

    /// Domains in which anybody can have an address: a mail from there speaks for a customer, not for the provider.
    public static let personal: Set<String> = [
        "126.com", "163.com", "aol.com", "bk.ru", "fastmail.com", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net",
        "googlemail.com", "hotmail.com", "icloud.com", "inbox.ru", "list.ru", "live.com", "mac.com", "mail.ru", "me.com", "msn.com",
        "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "xs4all.nl", "yahoo.com", "yandex.com",
        "yandex.ru", "yeah.net", "ymail.com", "zoho.com",
    ]

    /// Lines `name TAB names TAB domains TAB page`; `#` begins a comment. Lines of another form are left out: a test keeps the file free of them.
    init(text: String) {
        var all: [KnownReporter] = []
        var byName: [String: Int] = [:]
        var byDomain: [String: Int] = [:]
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map { String(Substring($0)) }
            guard fields.count == 4 else { continue }
            let names = fields[1].utf8.split(separator: UInt8(ascii: ";")).map { Self.folded(String(Substring($0))) }.filter { $0 != "-" }
            let domains = fields[2].utf8.split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
            for name in names { byName[name] = all.count }
            for domain in domains { byDomain[domain] = all.count }
            all.append(KnownReporter(name: fields[0], names: names, domains: domains, page: fields[3]))
        }
        self.all = all
        self.byName = byName
        self.byDomain = byDomain
    }

    /// The reporter that goes by a name in `org_name`, letter case and blanks aside: one of its names, or a domain of its.
    public func reporter(named name: String) -> KnownReporter? {
        let name = Self.folded(name)
        if let index = byName[name] { return all[index] }
        return reporter(of: DomainName.canonical(name))
    }

    /// The reporter that a canonical name belongs to.
    public func reporter(of domain: String) -> KnownReporter? {
        var rest = domain[...]
        while true {
            if let index = byDomain[String(rest)] { return all[index] }
            guard let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
            rest = rest[rest.utf8.index(after: dot)...]
        }
    }

    /// Of the domains that one reporter uses always the same one; any other canonical name as it is.
    public func family(of domain: String) -> String { reporter(of: domain)?.domains.first ?? domain }

    /// Lower case, without blanks.
    private static func folded(_ name: String) -> String {
        String(String.UnicodeScalarView(name.lowercased().unicodeScalars.filter { !$0.properties.isWhitespace }))
    }

    static func isBelow(_ name: String, _ domain: String) -> Bool {
        guard name.utf8.count > domain.utf8.count else { return name == domain }
        return name.hasSuffix(domain) && name.utf8.dropLast(domain.utf8.count).last == UInt8(ascii: ".")
    }
}
