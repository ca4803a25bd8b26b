import DMARC
import Mail

/// Judges whether a report came from whom it says. Pure; the rules are those of docs/decisions/0009-authenticity.md, in their order.
struct SenderCheck {
    /// A canonical name's organisational domain.
    let organisation: (String) -> String
    /// Who answers for a canonical name, as a voice.
    let giver: (String) -> String

    init(organisation: @escaping (String) -> String, giver: ((String) -> String)? = nil) {
        self.organisation = organisation
        self.giver = giver ?? organisation
    }

    /// What is known of the mail that a report came in, but for its time.
    ///
    /// - Parameters:
    ///   - isMail: whether it came in a mail; else the owner put it where it is.
    ///   - author: domain in From, as written; nil: there is no mail, or not one author.
    ///   - results: what trusted servers found out about the mail; nil: none is trusted.
    ///   - objections: what the topmost fields of the mail say where no server is trusted: it counts as far as it speaks against the mail, and
    ///     only where two reports contend for one identity.
    ///   - isForwarded: the report lies in a message inside the mail, so the mail's author only passed it on.
    ///   - fileName: name of the attachment.
    func sender(
        _ header: ReportHeader, isMail: Bool, author: String?, results: [AuthenticationResults]?, objections: [AuthenticationResults] = [],
        isForwarded: Bool, fileName: String
    ) -> ReportSender {
        var sender = ReportSender(mailFromDomain: author.map(DomainName.canonical))
        let domain = author.flatMap(DomainName.named)
        if let results {
            sender.authenticity = judge(header, author: author, results: results, isForwarded: isForwarded, fileName: fileName)
        } else if let domain, !isForwarded, isOfOther(header, domain), organisation(domain) != organisation(header.policy.domain) {
            // Who mails for whom is known, whoever else is asked. But an address of the owner's own may be a list that puts itself into From.
            sender.authenticity = .mismatch
        }
        if sender.authenticity != .mismatch { sender.voice = Voice.name(author: domain, email: header.email, giver: giver) }
        sender.rank =
            switch sender.authenticity {
            case .verified: .verified
            case .mismatch: .mismatch
            case .unverified:
                !isMail ? .unchecked : domain.map { !isForwarded && isAuthentic($0, results ?? []) } == true ? .elsewhere : .unverified
            case nil where !isMail: .unchecked
            case nil where failsDMARC(objections) && !isForwarded: .unverified
            case nil:
                agrees(header, domain, isForwarded: isForwarded, fileName: fileName) && !isDoubtful(domain, objections)
                    ? .unchecked : .elsewhere
            }
        return sender
    }

    private func failsDMARC(_ results: [AuthenticationResults]) -> Bool {
        results.contains { $0.results.contains { $0.method == "dmarc" && $0.result == "fail" } }
    }

    /// Whether somebody looked at who sent the mail, and says nothing that shows its author.
    private func isDoubtful(_ author: String?, _ objections: [AuthenticationResults]) -> Bool {
        guard let author, objections.contains(where: { $0.results.contains { ["dkim", "dmarc", "spf"].contains($0.method) } })
        else { return false }
        return !isAuthentic(author, objections)
    }

    /// Whether the report has the name of a reporter who never sends reports from `author`.
    private func isOfOther(_ header: ReportHeader, _ author: String) -> Bool {
        KnownReporters.known.reporter(named: header.reporter).map { !$0.mails(from: author) } ?? false
    }

    /// Whether nothing says that the report is somebody else's than its mail's author's.
    private func agrees(_ header: ReportHeader, _ author: String?, isForwarded: Bool, fileName: String) -> Bool {
        guard let author, !isForwarded, !KnownReporters.personal.contains(author) else { return false }
        return reporter(header, fileName).map { $0 == family(author) } ?? true
    }

    /// Whom the report names; nil: nobody.
    private func reporter(_ header: ReportHeader, _ fileName: String) -> String? {
        if let named = named(header) { return named }
        if let address = header.email.flatMap(DomainName.ofAddress) { return family(address) }
        let receiver = MailDeviations.isReportName(fileName, of: header) ? fileName.split(separator: "!").first : nil
        return receiver.flatMap { DomainName.named(String($0)) }.map(family)
    }

    private func named(_ header: ReportHeader) -> String? {
        if let known = KnownReporters.known.reporter(named: header.reporter) { return known.domains.first }
        return DomainName.named(header.reporter).map(family)
    }

    /// The verdict where a mail server is trusted; the parameters are those of `sender`.
    func judge(
        _ header: ReportHeader, author: String?, results: [AuthenticationResults], isForwarded: Bool, fileName: String
    ) -> Authenticity {
        guard let author = author.flatMap(DomainName.named), !isForwarded else { return .unverified }
        if isOfOther(header, author) { return .mismatch }
        guard let reporter = reporter(header, fileName) else { return .unverified }
        let sender = family(author)
        let isAuthentic = isAuthentic(author, results)
        if reporter == sender { return isAuthentic && !KnownReporters.personal.contains(author) ? .verified : .unverified }
        let address = header.email.flatMap(DomainName.ofAddress).map(family)
        // A gateway that reports in its customer's name; an organisation with an address elsewhere.
        if named(header) != nil { return address == sender ? .unverified : .mismatch }
        return isAuthentic || address == nil ? .unverified : .mismatch
    }

    /// Whether the mail is from the domain in From: DMARC says so, or, where it says nothing, DKIM or SPF passes for the same organisation.
    private func isAuthentic(_ author: String, _ results: [AuthenticationResults]) -> Bool {
        let results = results.flatMap(\.results)
        let sender = organisation(author)
        func isSender(_ name: String?) -> Bool { name.flatMap(DomainName.ofAddress).map(organisation) == sender }
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

    /// The organisational domain, or where one organisation has several that it reports under, one of them.
    private func family(_ name: String) -> String {
        let known = KnownReporters.known
        return (known.reporter(of: name) ?? known.reporter(of: organisation(name)))?.domains.first ?? organisation(name)
    }
}
