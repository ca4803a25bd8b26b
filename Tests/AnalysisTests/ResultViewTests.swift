import DMARC
import Organisations
import Testing

@Suite("What a set of results says of mail in one name")
struct ResultViewTests {
    private let book = NameBook(PublicSuffixes())

    private func view(_ spf: [SPFResult] = [], _ dkim: [DKIMResult] = [], for name: String = "example.nl") -> ResultView {
        ResultView(AuthenticationSet(dkim: dkim, spf: spf), for: name, book)
    }

    private func check(_ domain: String?, _ result: AuthenticationResult, _ scope: SPFScope? = nil) -> SPFResult {
        SPFResult(domain: domain, scope: scope, result: result)
    }

    private func signature(_ domain: String?, _ result: AuthenticationResult) -> DKIMResult {
        DKIMResult(domain: domain, selector: "s", result: result)
    }

    @Test("the envelope's sender comes before the name in HELO, whatever the order and the results")
    func helo() {
        let helo = check("mta.provider.example", .pass, .helo)
        let sender = check("bounce.example.nl", .softfail, .mfrom)
        for checks in [[helo, sender], [sender, helo]] {
            #expect(view(checks).check == sender)
            // A name in HELO is nobody's proof where the envelope has a sender.
            #expect(view(checks).others.isEmpty)
        }
        #expect(view([check("bounce.example.nl", .fail), helo]).check?.domain == "bounce.example.nl")
        #expect(view([helo]).check == helo)
        #expect(view([helo]).others == ["mta.provider.example"])
    }

    @Test("what made the mail pass is shown, the very name before its organisation")
    func aligned() {
        let foreign = check("sendgrid.net", .pass)
        let sister = check("mail.example.nl", .pass)
        let own = check("example.nl", .pass)
        #expect(view([foreign, sister]).check == sister)
        #expect(view([foreign, sister, own]).check == own)
        #expect(view([check("example.nl", .fail), foreign]).check?.domain == "example.nl")
        let signatures = [signature("sendgrid.net", .pass), signature("mail.example.nl", .pass), signature("example.nl", .pass)]
        #expect(view([], signatures).signature == signatures[2])
        #expect(view([], Array(signatures.prefix(2))).signature == signatures[1])
        #expect(view([], [signature("example.nl", .fail), signatures[0]]).signature == signatures[0])
        #expect(view([], [signature("example.nl", .fail), signature("other.example", .fail)]).signature?.domain == "example.nl")
    }

    @Test("others: those that passed first, SPF before DKIM, and none of the domain's own")
    func others() {
        let seen = view(
            [check("forwarder.example", .pass), check("example.nl", .fail)],
            [signature("mcsv.net", .fail), signature("list.example", .pass), signature("news.example.nl", .pass), signature(nil, .pass)])
        #expect(seen.others == ["forwarder.example", "list.example", "mcsv.net"])
    }

    @Test("the service is the first known one among them; the domain's own provider name is none of its own")
    func service() {
        let mailchimp = Services.known.service(of: "mcsv.net")
        #expect(mailchimp != nil)
        #expect(view([check("forwarder.example", .pass)], [signature("mcsv.net", .fail)]).service == mailchimp)
        let sendgrid = Services.known.service(of: "sendgrid.net")
        #expect(view([check("mcsv.net", .fail)], [signature("sendgrid.net", .pass)]).service == sendgrid)
        #expect(view([check("mcsv.net", .pass)], [], for: "mcsv.net").service == nil)
    }

    @Test("without a list of public suffixes only names above and below are one's own")
    func noList() {
        let book = NameBook(nil)
        #expect(book.isOwn("mail.example.nl", of: "example.nl") && book.isOwn("example.nl", of: "mail.example.nl"))
        #expect(!book.isOwn("a.example.nl", of: "b.example.nl") && !book.isOwn("badexample.nl", of: "example.nl"))
    }

    @Test("nothing said: nothing shown")
    func empty() {
        let seen = view()
        #expect(seen.check == nil && seen.signature == nil && seen.others.isEmpty && seen.service == nil)
    }
}
