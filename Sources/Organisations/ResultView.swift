import DMARC

/// What a set of results says of mail in one name: the one reading of it, for all columns of all tables.
package struct ResultView {
    /// What SPF says: of the checks that count (`SenderCheck`) the one that made the mail pass, if one did; else the first.
    package let check: SPFResult?
    /// The signature that made the mail pass, if one did; else the first that verified; else the first.
    package let signature: DKIMResult?
    /// The names of other organisations, as they are written: those that passed first, SPF before DKIM, in the order of the report.
    package let others: [String]
    /// The well-known service that is first among them.
    package let service: Service?

    /// - Parameter name: whose mail it is: the policy domain, or the one in From where that is known. Of several results that align, one for the very
    ///   name comes before those for its organisation, since strict alignment asks for no less.
    package init(_ set: AuthenticationSet, for name: String, _ book: NameBook) {
        let checks = set.senderChecks
        let verified = set.dkim.filter { $0.result == .pass }
        check = Self.aligned(checks.filter { $0.result == .pass }, for: name, book, \.domain) ?? checks.first
        signature = Self.aligned(verified, for: name, book, \.domain) ?? verified.first ?? set.dkim.first
        let said = checks.map { ($0.domain, $0.result == .pass) } + set.dkim.map { ($0.domain, $0.result == .pass) }
        let foreign = said.compactMap { other, passed -> (name: String, passed: Bool)? in
            guard let other, !other.isEmpty, !book.isOwn(other, of: name) else { return nil }
            return (other, passed)
        }
        others = foreign.filter(\.passed).map(\.name) + foreign.filter { !$0.passed }.map(\.name)
        service = others.lazy.compactMap { book.service(of: $0) }.first
    }

    private static func aligned<Result>(
        _ results: [Result], for name: String, _ book: NameBook, _ domain: (Result) -> String?
    ) -> Result? {
        if let exact = results.first(where: { domain($0) == name }) { return exact }
        return results.first { result in domain(result).map { !$0.isEmpty && book.isOwn($0, of: name) } ?? false }
    }
}
