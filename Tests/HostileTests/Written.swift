import ArchiveMaking

/// A report as text, with any part of it replaced. Sound as it stands.
struct Written: Sendable {
    var id: String
    var declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    var beforeRoot = ""
    var root = "<feedback>"
    var org = "Reporter"
    var email = "a@reporter.example"
    var contact = ""
    var begin = "1718236800"
    var end = "1718323199"
    var domain = "example.nl"
    var policy = "<adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>"
    var records = [Self.record()]
    var closing = "</feedback>\n"

    init(id: String) { self.id = id }

    static func record(
        source: String = "192.0.2.1", count: String = "1", row: String = "", from: String = "example.nl",
        auth: String = "<spf><domain>example.nl</domain><scope>mfrom</scope><result>pass</result></spf>", more: String = ""
    ) -> String {
        "<record><row><source_ip>\(source)</source_ip><count>\(count)</count><policy_evaluated><disposition>none</disposition>"
            + "<dkim>fail</dkim><spf>pass</spf>\(row)</policy_evaluated></row><identifiers><envelope_from>example.nl</envelope_from>"
            + "<header_from>\(from)</header_from></identifiers><auth_results>\(auth)</auth_results>\(more)</record>\n"
    }

    static func dkim(domain: String = "example.nl", selector: String = "s", result: String = "pass", human: String = "") -> String {
        "<dkim><domain>\(domain)</domain><selector>\(selector)</selector><result>\(result)</result>"
            + (human.isEmpty ? "" : "<human_result>\(human)</human_result>") + "</dkim>"
    }

    var metadata: String {
        "<report_metadata><org_name>\(org)</org_name><email>\(email)</email>"
            + (contact.isEmpty ? "" : "<extra_contact_info>\(contact)</extra_contact_info>")
            + "<report_id>\(id)</report_id><date_range><begin>\(begin)</begin><end>\(end)</end></date_range></report_metadata>\n"
    }

    var published: String { "<policy_published><domain>\(domain)</domain>\(policy)</policy_published>\n" }

    var text: String {
        declaration + beforeRoot + root + "<version>1.0</version>\n" + metadata + published + records.joined() + closing
    }

    var bytes: [UInt8] { Array(text.utf8) }
    var gzip: [UInt8] { Archives.gzip(bytes) }

    /// The same with changes.
    func with(_ change: (inout Written) -> Void) -> Written {
        var copy = self
        change(&copy)
        return copy
    }
}
