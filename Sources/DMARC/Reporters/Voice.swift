/// Whose word a report is (docs/decisions/0013-voices.md).
public enum Voice {
    /// The voice of a report: who mailed it, whatever it calls itself in `org_name`.
    ///
    /// - Parameters:
    ///   - author: domain of the one author of the mail that it came in; nil: there was no mail, or not one author.
    ///   - email: the reporter's address, as the report gives it.
    ///   - giver: who answers for a canonical name: its organisational domain, or whoever gives such names away.
    /// - Returns: that, or where one reporter has several, the first of them in `reporters.tsv`; the domain
    ///   itself where anybody can have an address there; empty where neither names a domain.
    public static func name(author: String?, email: String?, giver: (String) -> String) -> String {
        guard let domain = author.flatMap(DomainName.named) ?? email.flatMap(DomainName.ofAddress) else { return "" }
        return name(of: domain, giver: giver)
    }

    /// The voice of a canonical name.
    public static func name(of domain: String, giver: (String) -> String) -> String {
        if KnownReporters.personal.contains(domain) { return domain }
        let known = KnownReporters.known
        return (known.reporter(of: domain) ?? known.reporter(of: giver(domain)))?.domains.first ?? giver(domain)
    }
}

extension DomainName {
    /// The canonical name, if `text` is the name of a domain.
    public static func named(_ text: String) -> String? {
        let name = canonical(text)
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

    /// The canonical domain of `john@a.example`, `<john@a.example>`, `@a.example` or `a.example`; nil if there is none.
    public static func ofAddress(_ text: String) -> String? {
        let host = text.utf8.lastIndex(of: UInt8(ascii: "@")).map { text[text.index(after: $0)...] } ?? text[...]
        return named(String(host.drop { $0.isWhitespace || $0 == "<" }.prefix { !$0.isWhitespace && $0 != ">" }))
    }
}
