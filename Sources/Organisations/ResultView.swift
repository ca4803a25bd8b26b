import DMARC

/// What a set of results says of mail in one name: the one reading of it, for all columns of all tables.
package struct ResultView {
    private let set: AuthenticationSet
    private let name: String
    private let book: NameBook
    private let checks: [SPFResult]

    /// - Parameter name: whose mail it is: the policy domain, or the one in From where that is known. Of several results that align, one for the very
    ///   name comes before those for its organisation, since strict alignment asks for no less.
    package init(_ set: AuthenticationSet, for name: String, _ book: NameBook) {
        self.set = set
        self.name = name
        self.book = book
        checks = set.senderChecks
    }

    /// What SPF says: of the checks that count (`SenderCheck`) the one that made the mail pass, if one did; else the first.
    package var check: SPFResult? { aligned(checks.filter { $0.result == .pass }, \.domain) ?? checks.first }

    /// The signature that made the mail pass, if one did; else the first that verified; else the first.
    package var signature: DKIMResult? {
        let verified = set.dkim.filter { $0.result == .pass }
        return aligned(verified, \.domain) ?? verified.first ?? set.dkim.first
    }

    /// The names of other organisations, as they are written: those that passed first, SPF before DKIM, in the order of the report.
    package var others: [String] {
        var found: [String] = []
        _ = firstName { name in
            if !book.isOwn(name, of: self.name) { found.append(name) }
            return false
        }
        return found
    }

    /// The well-known service that is first among them.
    package var service: Service? {
        // Few names are a service's, so that is asked first.
        firstName { book.service(of: $0) != nil && !book.isOwn($0, of: name) }.flatMap { book.service(of: $0) }
    }

    /// The first name, in the order of `others`, that `isMeant`.
    private func firstName(_ isMeant: (String) -> Bool) -> String? {
        for passed in [true, false] {
            for check in checks where (check.result == .pass) == passed {
                if let name = check.domain, !name.isEmpty, isMeant(name) { return name }
            }
            for signature in set.dkim where (signature.result == .pass) == passed {
                if let name = signature.domain, !name.isEmpty, isMeant(name) { return name }
            }
        }
        return nil
    }

    private func aligned<Result>(_ results: [Result], _ domain: (Result) -> String?) -> Result? {
        if let exact = results.first(where: { domain($0) == name }) { return exact }
        return results.first { result in domain(result).map { !$0.isEmpty && book.isOwn($0, of: name) } ?? false }
    }
}
