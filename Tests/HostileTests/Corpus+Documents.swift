import ArchiveMaking

/// X1 to X6, X8, X9: documents.
extension Corpus {
    private static func pack(_ head: String, _ unit: String, _ count: Int, _ tail: String = "") -> [UInt8] {
        // Units of about 64 KiB, so that making it costs little.
        let many = max(1, 65_536 / max(1, unit.utf8.count))
        let block = Array(String(repeating: unit, count: many).utf8)
        let rest = Array(String(repeating: unit, count: count % many).utf8)
        return Archives.gzip(Array(head.utf8), repeating: block, count: count / many, rest + Array(tail.utf8))
    }

    /// `a0=1 a1=1 …`
    private static func numbered(_ count: Int, _ before: String, _ after: String) -> String {
        var text = ""
        for number in 0..<count { text += before + String(number) + after + " " }
        return text
    }

    private static func sound(_ id: String, _ change: (inout Written) -> Void) -> String { Written(id: id).with(change).text }

    static let documents: [HostileInput] = entities + floods + sizes + depths + many + shapes + cuts

    private static let doctypes: [(String, String)] = [
        ("a file", "<!DOCTYPE feedback [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"),
        ("an address", "<!DOCTYPE feedback [<!ENTITY x SYSTEM \"http://127.0.0.1:9/x\">]>"),
        ("a parameter entity", "<!DOCTYPE feedback [<!ENTITY % p SYSTEM \"http://127.0.0.1:9/x.dtd\"> %p;]>"),
        ("an external subset", "<!DOCTYPE feedback SYSTEM \"http://127.0.0.1:9/x.dtd\">"),
        ("a public subset", "<!DOCTYPE feedback PUBLIC \"-//W3C//DTD XHTML 1.0//EN\" \"file:///etc/passwd\">"),
        ("nothing", "<!DOCTYPE feedback>"), ("an empty subset", "<!DOCTYPE feedback []>"),
        ("a comment before", "<!-- x --><!DOCTYPE feedback [<!ENTITY x \"y\">]>"),
        ("3,000 blanks before", String(repeating: " ", count: 3000) + "<!DOCTYPE feedback [<!ENTITY x \"y\">]>"),
        ("an instruction before", "<?x y?><!DOCTYPE feedback [<!ENTITY x \"y\">]>"),
        ("an attribute with a default", "<!DOCTYPE feedback [<!ATTLIST feedback a CDATA \"b\">]>"),
        ("a notation", "<!DOCTYPE feedback [<!NOTATION n SYSTEM \"/bin/sh\">]>"),
        ("an entity of itself", "<!DOCTYPE feedback [<!ENTITY a \"&a;\">]>"),
    ]

    private static let entities: [HostileInput] = joined(
        doctypes.map { what, declaration in
            document("X1", "DOCTYPE with \(what)", .refused("doctype")) {
                sound("x1") {
                    $0.beforeRoot = declaration
                    $0.org = "&x;"
                }
            }
        },
        [
            attachment("X1", "DOCTYPE in UTF-16", .refused("doctype"), file: "r.xml") {
                [0xFF, 0xFE]
                    + Array("<!DOCTYPE feedback [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><feedback>&x;</feedback>".utf16).flatMap {
                        [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
                    }
            },
            document("X1", "DOCTYPE in UTF-7", .refused("unknown-encoding")) {
                "<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADwAIQ-DOCTYPE feedback+AD4-<feedback></feedback>"
            },
            document("X1", "DOCTYPE behind junk", .refused("doctype")) {
                sound("x1-junk") { $0.beforeRoot = "junk <!DOCTYPE feedback [<!ENTITY x 'y'>]>" }
            },
            document("X1", "an entity that nobody declared", .stored(.rawMarkupInText)) {
                sound("x1-undeclared") { $0.org = "a&secret;b" }
            },
            document("X1", "XInclude", .stored(.unknownElement)) {
                sound("x1-xi") {
                    $0.records.append("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"/etc/passwd\" parse=\"text\"/>")
                }
            },
            document("X1", "a style sheet", .stored()) {
                sound("x1-ss") { $0.beforeRoot = "<?xml-stylesheet type=\"text/xsl\" href=\"http://127.0.0.1:9/\"?>" }
            },
            document("X1", "a place of a schema", .stored(.namespace)) {
                sound("x1-sl") {
                    $0.root =
                        "<feedback xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"a http://127.0.0.1:9/a.xsd\">"
                }
            },
            document("X2", "billion laughs", .refused("doctype")) {
                let levels = (1...10).map { "<!ENTITY l\($0) \"\(String(repeating: "&l\($0 - 1);", count: 10))\">" }.joined()
                return "<?xml version=\"1.0\"?><!DOCTYPE f [<!ENTITY l0 \"ha\">\(levels)]><feedback>&l10;</feedback>"
            },
            attachment("X2", "quadratic blow-up", .refused("doctype")) {
                pack("<!DOCTYPE f [<!ENTITY a \"" + String(repeating: "a", count: 100_000) + "\">]><feedback><version>", "&a;", 10_000)
            },
            document("X2", "an entity in an attribute", .refused("doctype")) {
                "<!DOCTYPE f [<!ENTITY a \"b\">]><feedback a=\"&a;\"></feedback>"
            },
            attachment("X2", "100,000 declarations", .refused("doctype")) {
                pack("<!DOCTYPE f [", "<!ENTITY abcdefgh \"b\">", 100_000, "]><feedback/>")
            },
            attachment("X2", "1,000,000 references to characters", .refused("text-too-long")) {
                pack("<feedback><version>", "&#65;", 1_000_000)
            },
            document("X9", "a schema", .refused("wrong-root")) {
                "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><xs:include schemaLocation=\"/etc/passwd\"/></xs:schema>"
            },
            document("X9", "a transformation", .refused("wrong-root")) {
                "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"><xsl:template match=\"document('/etc/passwd')\"/></xsl:stylesheet>"
            },
            document("X9", "a catalogue", .refused("wrong-root")) { "<?oasis-xml-catalog catalog=\"http://127.0.0.1:9/\"?><catalog/>" },
        ])

    private static let floods: [HostileInput] = joined(
        [33, 40].map { count in
            document("X3", "\(count) attributes", .refused("too-many-attributes")) {
                "<feedback " + numbered(count, "a", "=\"1\"") + "></feedback>"
            }
        },
        [1000, 10_000, 100_000, 300_000].flatMap { count in
            [
                attachment("X3", "\(count) attributes in one tag", .refused("markup-too-long")) {
                    Archives.gzip(Array(("<feedback " + numbered(count, "a", "=\"1\"") + "></feedback>").utf8))
                },
                attachment("X3", "\(count) namespaces in one tag", .refused("markup-too-long")) {
                    Archives.gzip(
                        Array(("<feedback " + numbered(count, "xmlns:a", "=\"b\"") + "></feedback>").utf8))
                },
            ]
        },
        [
            document("X3", "32 attributes", .stored(.extraAttribute)) {
                sound("x3-32") {
                    $0.records = [Written.record(more: "<x " + numbered(32, "a", "=\"1\"") + "/>")]
                }
            },
            document("X3", "33 namespaces on a record", .refused("too-many-attributes")) {
                sound("x3-ns") {
                    $0.records.append("<record " + numbered(33, "xmlns:a", "=\"b\"") + "></record>")
                }
            },
            document("X3", "the same attribute 20 times", .stored(.rawMarkupInText)) {
                sound("x3-same") { $0.records = [Written.record(more: "<x " + String(repeating: "a=\"1\" ", count: 20) + "/>")] }
            },
            attachment("X3", "32 MiB of tags with 420 attributes", .refused("too-many-attributes")) {
                pack("<feedback>", "<x " + numbered(420, "a", "=\"\"") + "/>", 8000)
            },
            attachment("X3", "a flood in the second record", .refused("markup-too-long")) {
                pack(String(sound("x3-second") { $0.closing = "<record " }), "abcdefgh=\"1\" ", 100_000)
            },
            attachment("X3", "an end tag of 4 MB", .refused("markup-too-long")) {
                pack("<feedback><version>1</version", " ", 4_000_000, ">")
            },
            attachment("X3", "a flood in what is mended", .refused("markup-too-long")) {
                pack("<feedback><version>1 & 2</version><record ", "abcdefgh=\"1\" ", 100_000)
            },
        ])

    private static let sizes: [HostileInput] = [
        attachment("X4", "a text of 99 MB", .refused("text-too-long")) { pack("<feedback><version>", "abcdefgh", 99_000_000 / 8) },
        attachment("X4", "a text of 99 MB in an element that nobody knows", .refused("text-too-long")) {
            pack("<feedback><x>", "abcdefgh", 99_000_000 / 8)
        },
        attachment("X4", "99 MB of blanks between elements", .refused("text-too-long")) { pack("<feedback>", " \n", 99_000_000 / 2) },
        attachment("X4", "a CDATA section of 20 MB", .refused("markup-too-long")) {
            pack("<feedback><version><![CDATA[", "abcdefgh", 2_500_000)
        },
        attachment("X4", "a comment of 20 MB", .refused("markup-too-long")) { pack("<feedback><!-- ", "abcdefgh", 2_500_000) },
        attachment("X4", "an instruction of 20 MB", .refused("markup-too-long")) { pack("<feedback><?x ", "abcdefgh", 2_500_000) },
        attachment("X4", "an element's name of 20 MB", .refused("markup-too-long")) { pack("<feedback><", "abcdefgh", 2_500_000) },
        attachment("X4", "an attribute of 20 MB", .refused("markup-too-long")) { pack("<feedback><x a=\"", "abcdefgh", 2_500_000) },
        attachment("X4", "a prefix of 20 MB", .refused("markup-too-long")) { pack("<", "abcdefgh", 2_500_000) },
        attachment("X4", "an XML declaration of 20 MB", .refused("markup-too-long")) {
            pack("<?xml version=\"1.0\" ", "abcdefgh", 2_500_000)
        },
        attachment("X4", "500,000 comments", .refused("xml-truncated")) { pack("<feedback>", "<!--x-->", 500_000) },
        attachment("X4", "500,000 empty elements", .stored(.unknownElement, .largeReport)) {
            pack(sound("x4-empty") { $0.closing = "" }, "<x/>", 500_000, "</feedback>")
        },
        attachment("X4", "200,000 names of elements", .refused("too-many-names")) {
            pack(sound("x4-names") { $0.closing = "" } + numbered(200_000, "<n", "/>"), numbered(100, "<m", "/>"), 100, "</feedback>")
        },
        attachment("X4", "100,000 names of attributes", .refused("too-many-names")) {
            pack(sound("x4-anames") { $0.closing = "" } + numbered(100_000, "<x n", "=\"\"/>"), "", 0, "</feedback>")
        },
        attachment("X4", "100,000 namespaces", .refused("too-many-names")) {
            pack(sound("x4-spaces") { $0.closing = "" } + numbered(100_000, "<x xmlns=\"urn:", "\"/>"), "", 0, "</feedback>")
        },
        attachment("X4", "100,000 names of instructions", .refused("too-many-names")) {
            pack(sound("x4-pis") { $0.closing = "" } + numbered(100_000, "<?n", "?>"), "", 0, "</feedback>")
        },
        document("X4", "an organisation of 1,024 bytes", .stored()) { sound("x4-1024") { $0.org = String(repeating: "o", count: 1024) } },
        document("X4", "an organisation of 1,025 bytes", .refused("text-too-long")) {
            sound("x4-1025") { $0.org = String(repeating: "o", count: 1025) }
        },
        document("X4", "a report id of 2,000 bytes", .refused("text-too-long")) { Written(id: String(repeating: "i", count: 2000)).text },
        document("X4", "a policy domain of 2,000 bytes", .refused("text-too-long")) {
            sound("x4-domain") { $0.domain = String(repeating: "d", count: 2000) }
        },
        document("X4", "a header_from of 2,000 bytes", .refused("text-too-long")) {
            sound("x4-from") { $0.records = [Written.record(from: String(repeating: "d", count: 2000))] }
        },
        document("X4", "a selector of 2,000 bytes", .refused("text-too-long")) {
            sound("x4-sel") { $0.records = [Written.record(auth: Written.dkim(selector: String(repeating: "s", count: 2000)))] }
        },
        document("X4", "30,000 references in an organisation", .refused("text-too-long")) {
            sound("x4-refs") { $0.org = String(repeating: "&#x41;", count: 30_000) }
        },
        document("X4", "a contact of 5,000 bytes", .stored(.textClipped)) {
            sound("x4-contact") { $0.contact = String(repeating: "c", count: 5000) }
        },
        document("X4", "a remark of 60,000 bytes", .stored(.textClipped)) {
            sound("x4-human") { $0.records = [Written.record(auth: Written.dkim(human: String(repeating: "h", count: 60_000)))] }
        },
        document("X4", "a contact of 70,000 bytes", .refused("text-too-long")) {
            sound("x4-70") { $0.contact = String(repeating: "c", count: 70_000) }
        },
    ]

    private static let depths: [HostileInput] = joined(
        [33, 300, 10_000, 1_000_000].flatMap { depth in
            [
                attachment("X5", "\(depth) elements inside one another", .refused("too-deep")) { pack("<feedback>", "<x>", depth) },
                attachment("X5", "\(depth) records inside one another", .refused("too-deep")) { pack("<feedback>", "<record>", depth) },
            ]
        },
        [
            document("X5", "31 elements inside the root", .stored(.unknownElement)) {
                sound("x5") { $0.closing = String(repeating: "<x>", count: 31) + String(repeating: "</x>", count: 31) + "</feedback>" }
            }
        ])

    private static let many: [HostileInput] = [
        attachment("X6", "5,000 records", .stored(.largeReport)) {
            pack(sound("x6-5000") { $0.closing = "" }, Written.record(), 5000, "</feedback>")
        },
        attachment("X6", "5,000 records before the metadata", .stored(.largeReport)) {
            let written = Written(id: "x6-last")
            return pack("<feedback><version>1.0</version>", Written.record(), 5000, written.metadata + written.published + "</feedback>")
        },
        attachment("X6", "60,000 records that say nothing", .stored(.largeReport)) {
            pack(sound("x6-empty") { $0.closing = "" }, "<record><row/></record>", 60_000, "</feedback>")
        },
        attachment("X6", "1,500 records, each with other names", .stored(.largeReport)) {
            let records = (0..<1500).map {
                Written.record(
                    from: String(repeating: "\($0)", count: 60) + ".example",
                    auth: Written.dkim(selector: "\($0)" + String(repeating: "s", count: 400)))
            }
            return Archives.gzip(Array(sound("x6-names") { $0.records = records }.utf8))
        },
        document("X6", "a record with 1,000 signatures", .stored(.textClipped)) {
            sound("x6-sig") { $0.records = [Written.record(auth: (0..<1000).map { Written.dkim(domain: "d\($0).example") }.joined())] }
        },
        document("X6", "a record with 5,000 reasons", .stored(.textClipped)) {
            sound("x6-reason") {
                $0.records = [
                    Written.record(
                        row: String(repeating: "<reason><type>other</type><comment>abcdefghijkl</comment></reason>", count: 5000))
                ]
            }
        },
        document("X6", "10,000 errors of the reporter", .stored()) {
            sound("x6-errors") {
                $0.contact = "c</extra_contact_info>" + String(repeating: "<error>e</error>", count: 10_000) + "<extra_contact_info>"
            }
        },
        document("X6", "2,000 policies", .stored(.repeatedOrMisnamedGroup)) {
            sound("x6-policies") { written in written.records += Array(repeating: Written(id: "").published, count: 2000) }
        },
        attachment("X6", "4,000 records that cannot be read", .stored(.largeReport, and: ["bad-source-ip"])) {
            pack(sound("x6-bad") { $0.closing = "" }, Written.record(source: "x"), 4000, "</feedback>")
        },
    ]

    private static let shapes: [HostileInput] = [
        document("X8", "two roots", .stored(.trailingContent)) { Written(id: "x8-two").text + Written(id: "x8-two-b").text },
        document("X8", "a root in a root", .stored(.unknownElement)) {
            sound("x8-nested") { $0.records.append("<feedback><version>2</version></feedback>") }
        },
        document("X8", "markup behind the root", .stored(.trailingContent)) { Written(id: "x8-behind").text + "<script>alert(1)</script>" },
        document("X8", "a root of other letters", .refused("wrong-root")) { "<FEEDBACK></FEEDBACK>" },
        document("X8", "a page", .refused("wrong-root"), mail: .refused("wrong-root")) { "<html><body>feedback</body></html>" },
        document("X8", "a picture", .refused("wrong-root")) { "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>" },
        document("X8", "an empty root", .refused("missing-field")) { "<feedback/>" },
        document("X8", "only a declaration", .refused("xml-malformed")) { "<?xml version=\"1.0\"?>" },
        document("X8", "only <", .refused("xml-malformed")) { "<" },
        document("X8", "only blanks and <", .refused("xml-malformed")) { String(repeating: " ", count: 1000) + "<" },
        document("X8", "end tags in the wrong order", .stored(.rawMarkupInText)) {
            sound("x8-order") { $0.records.append("<x><y></x></y>") }
        },
        document("X8", "no end tags", .refused("xml-truncated")) { "<feedback><version>1<report_metadata><org_name>x" },
        document("X8", "only end tags", .refused("xml-malformed")) { "</feedback></feedback>" },
        document("X8", "no organisation and no address", .refused("missing-field")) {
            sound("x8-org") {
                $0.org = ""
                $0.email = ""
            }
        },
        document("X8", "no policy domain", .refused("missing-field")) { sound("x8-domain") { $0.domain = "" } },
        document("X8", "no period", .refused("missing-field")) { sound("x8-date") { $0.begin = "" } },
        document("X8", "no records", .stored(.noRecords)) { sound("x8-none") { $0.records = [] } },
        document("X8", "no report id", .stored(.oddReportID)) {
            Written(id: "").with {
                $0.begin = "1718236801"
            }.text
        },
        document("X8", "every value twice", .stored()) { sound("x8-twice") { $0.org = "First</org_name><org_name>Second" } },
        document("X8", "unknown words for every result", .stored(.oddAuthResult)) {
            sound("x8-words") {
                $0.records = [
                    Written.record(auth: Written.dkim(result: "maybe") + "<spf><domain>a.example</domain><result>hm</result></spf>")
                ]
            }
        },
        document("X8", "raw < and & in texts", .stored(.rawMarkupInText)) { sound("x8-raw") { $0.org = "A & B <a@b> & C" } },
        document("X8", "a million &", .refused("text-too-long")) { sound("x8-amp") { $0.org = String(repeating: "& ", count: 500_000) } },
        document("X8", "attributes without quotes", .stored(.rawMarkupInText)) {
            sound("x8-quotes") { $0.records = [Written.record(more: "<x a=b c/>")] }
        },
        document("X8", "control characters in a text", .stored(.invalidUTF8)) { sound("x8-control") { $0.org = "a\u{1}\u{1B}[31m\u{8}b" } },
        document("X8", "references to control characters", .stored(.rawMarkupInText)) {
            sound("x8-refs") { $0.org = "a&#27;[2J&#0;&#x8;b" }
        },
        document("X8", "a namespace of RFC 9990 with a prefix", .stored(.namespace)) {
            sound("x8-ns") { $0.root = "<feedback xmlns:d=\"urn:ietf:params:xml:ns:dmarc-2.0\">" }
        },
        document("X8", "a prefix that nobody declared", .stored(.namespace)) {
            sound("x8-prefix") { $0.records = [Written.record(more: "<q:x/>")] }
        },
    ]

    /// Cuts everywhere in a report of three records: never a count that differs from the whole.
    private static let cuts: [HostileInput] = (1...12).map { part in
        document("X8", "cut after \(part) of 13 parts", .refused("xml-truncated")) {
            let text = sound("x8-cut") { $0.records = (1...3).map { Written.record(source: "192.0.2.\($0)") } }
            return String(text.prefix(text.count * part / 13))
        }
    }
}
