import DMARC
import Mail

/// Judges whether a report came from whom it says. Pure; the rules are those of docs/decisions/0009-authenticity.md, in their order.
struct SenderCheck {
    /// A canonical name's organisational domain.
    let organisation: (String) -> String

    /// - Parameters:
    ///   - author: domain in From, as written; nil: there is no mail, or not one author.
    ///   - results: what trusted servers found out about the mail.
    ///   - isForwarded: the report lies in a message inside the mail, so the mail's author only passed it on.
    ///   - fileName: name of the attachment.
    func judge(
        _ header: ReportHeader, author: String?, results: [AuthenticationResults], isForwarded: Bool, fileName: String
    ) -> Authenticity {
        guard let author = author.flatMap(domain), !isForwarded else { return .unverified }
        let sender = family(author)
        let named = domain(header.reporter).map(family)
        let address = header.email.flatMap(domainOfAddress).map(family)
        let receiver = MailDeviations.isReportName(fileName, of: header) ? fileName.split(separator: "!").first : nil
        guard let reporter = named ?? address ?? receiver.flatMap({ domain(String($0)) }).map(family) else { return .unverified }
        let isAuthentic = isAuthentic(author, results)
        if reporter == sender { return isAuthentic && !Self.personal.contains(author) ? .verified : .unverified }
        // A gateway that reports in its customer's name; an organisation with an address elsewhere.
        if named != nil { return address == sender ? .unverified : .mismatch }
        return isAuthentic || address == nil ? .unverified : .mismatch
    }

    /// Whether the mail is from the domain in From: DMARC says so, or, where it says nothing, DKIM or SPF passes for the same organisation.
    private func isAuthentic(_ author: String, _ results: [AuthenticationResults]) -> Bool {
        let results = results.flatMap(\.results)
        let sender = organisation(author)
        func isSender(_ name: String?) -> Bool { name.flatMap(domainOfAddress).map(organisation) == sender }
        let dmarc = results.filter { $0.method == "dmarc" }
        // One that contradicts the others may be the only one that is no forgery.
        if dmarc.contains(where: { $0.result == "fail" }) { return false }
        let passed = dmarc.filter { $0.result == "pass" }
        if !passed.isEmpty { return passed.allSatisfy { $0["header.from"] == nil || isSender($0["header.from"]) } }
        if results.contains(where: { $0.method == "dkim" && $0.result == "pass" && isSender($0["header.d"] ?? $0["header.i"]) }) {
            return true
        }
        let spf = results.filter { $0.method == "spf" && $0["smtp.helo"] == nil || $0.method == "spf" && $0["smtp.mailfrom"] != nil }
        return !spf.isEmpty && spf.allSatisfy { $0.result == "pass" && isSender($0["smtp.mailfrom"]) }
    }

    // MARK: - Names

    /// The canonical name, if `text` is the name of a domain.
    private func domain(_ text: String) -> String? {
        let name = DomainName.canonical(text)
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isName = labels.allSatisfy { label in
            !label.isEmpty
                && label.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                }
        }
        guard labels.count >= 2, name.utf8.count <= 253, isName, labels.last?.utf8.allSatisfy({ (0x30...0x39).contains($0) }) == false
        else { return nil }
        return name
    }

    /// The domain of `john@a.example`, `<john@a.example>`, `@a.example` or `a.example`.
    private func domainOfAddress(_ text: String) -> String? {
        let host = text.utf8.lastIndex(of: UInt8(ascii: "@")).map { text[text.index(after: $0)...] } ?? text[...]
        return domain(String(host.drop { $0.isWhitespace || $0 == "<" }.prefix { !$0.isWhitespace && $0 != ">" }))
    }

    /// The organisational domain, or where one organisation has several that it reports under, one of them.
    private func family(_ name: String) -> String {
        let organisation = organisation(name)
        return Self.families[organisation] ?? organisation
    }

    /// Of large reporters whose mails and reports name different domains.
    private static let families = [
        "outlook.com": "microsoft.com", "hotmail.com": "microsoft.com", "aol.com": "yahoo.com", "yahooinc.com": "yahoo.com",
        "secureserver.net": "godaddy.com", "fastmaildmarc.com": "fastmail.com", "xs4all.net": "xs4all.nl",
        "mimecastreport.com": "mimecast.com", "mimecast.org": "mimecast.com",
    ]

    /// Domains in which anybody can have an address: such a mail proves a customer, not the provider.
    private static let personal: Set<String> = [
        "126.com", "163.com", "aol.com", "bk.ru", "fastmail.com", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net",
        "googlemail.com", "hotmail.com", "icloud.com", "inbox.ru", "list.ru", "live.com", "mac.com", "mail.ru", "me.com", "msn.com",
        "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "xs4all.nl", "yahoo.com", "yandex.com",
        "yandex.ru",
        "ymail.com", "zoho.com",
    ]
}
