import DMARC
import Mail
import Testing

@testable import Ingest

/// Organisational domains by two labels, or three below `co.uk`: enough for names in tests.
private func organisation(_ name: String) -> String {
    let labels = name.split(separator: ".")
    return labels.suffix(name.hasSuffix(".co.uk") ? 3 : 2).joined(separator: ".")
}

@Suite("Senders of reports")
struct SenderCheckTests {
    private func judge(
        _ reporter: String, _ email: String?, from: String?, _ results: String..., isForwarded: Bool = false, file: String = ""
    ) -> String {
        var header = ReportHeader()
        header.reporter = reporter
        header.email = email
        header.policy.domain = "example.org"
        header.window = ReportWindow(begin: 1, end: 2)
        let fields = results.compactMap { AuthenticationResults.parse(Array("mx.example.nl; \($0)".utf8)) }
        #expect(fields.count == results.count)
        return SenderCheck(organisation: organisation)
            .judge(header, author: from, results: fields, isForwarded: isForwarded, fileName: file).word
    }

    private static let google = "noreply-dmarc-support@google.com"

    @Test(
        "honest reports are verified",
        arguments: [
            ("google.com", google, "google.com", "dmarc=pass header.from=google.com"),
            ("google.com", google, "google.com", "dkim=pass header.i=@google.com header.s=1; spf=softfail smtp.mailfrom=x@list.example"),
            ("google.com", google, "google.com", "dkim=fail header.d=google.com; dkim=pass header.d=google.com; dmarc=none"),
            ("google.com", google, "google.com", "spf=pass smtp.mailfrom=noreply@google.com; spf=none smtp.helo=mail.google.com"),
            ("Enterprise Outlook", "dmarcreport@microsoft.com", "microsoft.com", "dkim=pass header.d=microsoft.com"),
            ("Outlook.com", "dmarcreport@microsoft.com", "microsoft.com", "dkim=pass header.d=notification.microsoft.com"),
            ("Yahoo", "dmarchelp@yahooinc.com", "dmarc.yahoo.com", "dkim=pass header.d=yahoo.com; dmarc=pass header.from=dmarc.yahoo.com"),
            ("Mail.Ru", "dmarc_support@corp.mail.ru", "corp.mail.ru", "dkim=pass header.d=corp.mail.ru"),
            ("xs4all.nl", "noreply@dmarc-reports.xs4all.net", "dmarc-reports.xs4all.net", "dkim=pass header.d=dmarc-reports.xs4all.net"),
            ("AMAZON-SES", "postmaster@amazonses.com", "amazonses.com", "dmarc=bestguesspass; dkim=pass header.d=amazonses.com"),
            ("FastMail Pty Ltd", "<reports@fastmaildmarc.com>", "fastmaildmarc.com", "dmarc=pass (p=none)"),
            ("Example Receiver", nil, "Mail.Receiver.Example", "dmarc=pass header.from=mail.receiver.example"),
        ] as [(String, String?, String, String)])
    func honest(_ reporter: String, _ email: String?, _ from: String, _ results: String) {
        #expect(judge(reporter, email, from: from, results, file: "receiver.example!example.org!1!2.xml.gz") == "verified")
    }

    @Test("what is not shown is unverified")
    func unverified() {
        let google = Self.google
        #expect(judge("google.com", google, from: "google.com") == "unverified")
        #expect(
            judge("google.com", google, from: "google.com", "dmarc=fail header.from=google.com; dkim=pass header.d=google.com")
                == "unverified")
        #expect(judge("google.com", google, from: "google.com", "dmarc=pass header.from=google.com", "dmarc=fail") == "unverified")
        #expect(judge("google.com", google, from: "google.com", "dmarc=pass header.from=evil.example") == "unverified")
        #expect(
            judge("google.com", google, from: "google.com", "dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example")
                == "unverified")
        #expect(judge("google.com", google, from: "google.com", "spf=fail (x); spf=pass smtp.mailfrom=google.com") == "unverified")
        #expect(judge("google.com", google, from: "google.com", "spf=pass smtp.helo=google.com") == "unverified")
        #expect(
            judge("google.com", google, from: "google.com", "arc=pass header.d=google.com; auth=pass smtp.auth=a@google.com")
                == "unverified")
        #expect(judge("google.com", google, from: nil, "dmarc=pass header.from=google.com") == "unverified")
        #expect(judge("google.com", google, from: "google.com", "dmarc=pass", isForwarded: true) == "unverified")
        // No mail, as for a report in a file.
        #expect(judge("google.com", google, from: nil, file: "google.com!example.org!1!2.zip") == "unverified")
        // Nobody to compare with.
        #expect(judge("Somebody", nil, from: "a.example", "dmarc=pass") == "unverified")
        #expect(judge("Somebody", "nonsense", from: "a.example", "dmarc=pass", file: "a.example.xml") == "unverified")
    }

    @Test("a customer of a provider is not the provider")
    func personal() {
        #expect(judge("Outlook.com", "x@outlook.com", from: "outlook.com", "dmarc=pass header.from=outlook.com") == "unverified")
        #expect(judge("mail.ru", "x@mail.ru", from: "mail.ru", "dmarc=pass header.from=mail.ru") == "unverified")
        #expect(judge("google.com", Self.google, from: "gmail.com", "dmarc=pass header.from=gmail.com") == "mismatch")
        // A customer's signature does not align with the company's own domain.
        #expect(judge("Outlook.com", "dmarcreport@microsoft.com", from: "microsoft.com", "dkim=pass header.d=outlook.com") == "unverified")
    }

    @Test("another organisation than the report names is a mismatch")
    func mismatch() {
        #expect(judge("google.com", Self.google, from: "evil.example", "dmarc=pass header.from=evil.example") == "mismatch")
        #expect(judge("google.com", Self.google, from: "evil.example") == "mismatch")
        #expect(judge("Google Inc.", Self.google, from: "evil.example") == "mismatch")
        #expect(judge("google.com", nil, from: "evil.co.uk", "dmarc=pass") == "mismatch")
        // The name of a file is no second reporter.
        #expect(
            judge("google.com", Self.google, from: "evil.example", "dmarc=pass", file: "evil.example!example.org!1!2.zip") == "mismatch")
    }

    @Test("a gateway that reports in its customer's name, and an address elsewhere, contradict nobody")
    func gateways() {
        #expect(judge("customer.example", "MAILER-DAEMON@esa2.iphmx.com", from: "esa2.iphmx.com", "dmarc=pass") == "unverified")
        #expect(judge("customer.example", "MAILER-DAEMON@esa2.iphmx.com", from: "esa2.iphmx.com") == "unverified")
        #expect(judge("Avnet", "dmarc@avnet.eu", from: "avnet.com", "dmarc=pass header.from=avnet.com") == "unverified")
        // … but of whom it is known what he mails from.
        #expect(judge("google.com", "x@evil.example", from: "evil.example", "dmarc=pass") == "mismatch")
    }

    /// What a report in Google's name is worth where no server is trusted: authenticity, rank, voice.
    private func unchecked(_ field: String?, from author: String = "google.com", isForwarded: Bool = false) -> String {
        var header = ReportHeader()
        header.reporter = "google.com"
        header.email = Self.google
        header.policy.domain = "example.org"
        header.window = ReportWindow(begin: 1, end: 2)
        let sender = SenderCheck(organisation: organisation).sender(
            header, isMail: true, author: author, results: nil,
            objections: field.flatMap { AuthenticationResults.parse(Array("any.example; \($0)".utf8)) }.map { [$0] } ?? [],
            isForwarded: isForwarded, fileName: "")
        return "\(sender.authenticity.map(\.word) ?? "unchecked") \(sender.rank?.rawValue ?? -1) \(sender.voice ?? "-")"
    }

    @Test("where no server is trusted, what a field says against the mail counts, and what it says for it does not")
    func objections() {
        #expect(unchecked(nil) == "unchecked 3 google.com")
        #expect(unchecked("dkim=pass header.d=google.com; dmarc=pass header.from=google.com") == "unchecked 3 google.com")
        #expect(unchecked("dkim=none; spf=fail smtp.mailfrom=google.com; dmarc=fail header.from=google.com") == "unchecked 1 google.com")
        // Looked at, and not shown: it gives way to one that is.
        #expect(unchecked("dkim=none; spf=softfail smtp.mailfrom=google.com") == "unchecked 2 google.com")
        #expect(unchecked("iprev=pass") == "unchecked 3 google.com")
        // Somebody passed it on.
        #expect(unchecked("dmarc=fail", isForwarded: true) == "unchecked 2 google.com")
    }
}
