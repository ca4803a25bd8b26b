/// D1 to D6: what a sound document may claim.
extension Corpus {
    static let scalars: [HostileInput] = claims + counts + dates + addresses + domains

    private static let claims: [HostileInput] = [
        document("D1", "a report that says google.com", .stored()) {
            Written(id: "d1").with {
                $0.org = "google.com"
                $0.email = "noreply-dmarc-support@google.com"
                $0.records = [Written.record(count: "999999")]
            }.text
        },
        document("D2", "the same report twice in one file", .stored(.trailingContent)) { Written(id: "d2").text + Written(id: "d2").text },
        document("D2", "a report id that is another's with blanks", .stored(.oddReportID)) { Written(id: "  d2-blank  ").text },
        document("D2", "a report id in brackets", .stored(.oddReportID)) { Written(id: "&lt;d2-brackets&gt;").text },
        document("D5", "a domain that is nobody's here", .stored()) {
            Written(id: "d5").with { $0.domain = "unrelated.example" }.text
        },
        document("D5", "a top-level domain", .stored()) { Written(id: "d5-tld").with { $0.domain = "com" }.text },
    ]

    private static let counts: [HostileInput] = joined(
        [
            "-5", "100000000000000000000000000", "1000000001", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
            "18446744073709551616",
            "1e3", "+5", "0x10", "1.5", "1,000", "1 000", "", "٥", "５", "NaN", "inf", "-0", "true", "five",
            String(repeating: "9", count: 1000), "1\u{200B}",
        ].enumerated().map { index, count in
            document("D3", "the count \(count.isEmpty ? "of nothing" : String(count.prefix(30)))", .stored(and: ["count-out-of-range"])) {
                Written(id: "d3-\(index)").with { $0.records = [Written.record(), Written.record(count: count)] }.text
            }
        },
        [
            document("D3", "the count 0", .stored(.oddCount)) {
                Written(id: "d3-0").with { $0.records = [Written.record(count: "0")] }.text
            },
            document("D3", "the count 1000000000", .stored()) {
                Written(id: "d3-9").with { $0.records = [Written.record(count: "1000000000")] }.text
            },
            document("D3", "the count 0000000000000000000005", .stored()) {
                Written(id: "d3-z").with { $0.records = [Written.record(count: "0000000000000000000005")] }.text
            },
            document("D3", "the count 5 in blanks", .stored(.paddedValue)) {
                Written(id: "d3-b").with { $0.records = [Written.record(count: " 5\n")] }.text
            },
            document("D3", "no count at all", .stored(and: ["count-out-of-range"])) {
                Written(id: "d3-n").with { $0.records = [Written.record(), Written.record().replacing("<count>1</count>", with: "")] }.text
            },
            document("D3", "1,000 counts of 10⁹", .stored()) {
                Written(id: "d3-sum").with {
                    $0.records = (0..<1000).map { Written.record(source: "198.51.\($0 / 256).\($0 % 256)", count: "1000000000") }
                }.text
            },
        ])

    private static let dates: [HostileInput] = joined(
        ([
            ("in the year 5138", "99999999999", "99999999999"), ("in milliseconds", "1718236800000", "1718323199000"),
            ("that ends first", "1718323199", "1718236800"),
            ("in 1970", "0", "86400"), ("before 2012", "1325375999", "1325462399"), ("of 27 years", "1325376000", "1718236800"),
            ("of 367 days", "1686614400", "1718323200"),
            ("that is negative", "-1718236800", "1718323199"), ("in words", "2024-06-13", "2024-06-14"),
            ("with an exponent", "1.7e9", "1.8e9"),
            ("of 26 digits", "10000000000000000000000000", "10000000000000000000000001"),
            ("at the end of 64 bits", "9223372036854775807", "9223372036854775807"),
            ("beyond 64 bits", "9223372036854775808", "9223372036854775809"), ("in Arabic digits", "١٧١٨٢٣٦٨٠٠", "١٧١٨٣٢٣١٩٩"),
            ("in hexadecimal", "0x666a3680", "0x666b8800"),
            ("next century", "4102444800", "4102531199"), ("two points", "1718236800.1.2", "1718323199"),
            ("with a sign", "+1718236800", "+1718323199"),
        ] as [(String, String, String)]).enumerated().map { index, entry in
            document("D4", "a window \(entry.0)", .refused("date-out-of-range")) {
                Written(id: "d4-\(index)").with {
                    $0.begin = entry.1
                    $0.end = entry.2
                }.text
            }
        },
        ([
            ("of no time", "1718236800", "1718236800"), ("of 366 days", "1686700800", "1718323200"),
            ("with fractions", "1718236800.999", "1718323199.5"),
            ("from the first day", "1325376000", "1325462399"),
        ] as [(String, String, String)]).enumerated().map { index, entry in
            document("D4", "a window \(entry.0)", .stored(.oddWindow).unless(index == 3)) {
                Written(id: "d4-ok-\(index)").with {
                    $0.begin = entry.1
                    $0.end = entry.2
                }.text
            }
        })

    private static let addresses: [HostileInput] = joined(
        ([
            "", "1.2.3", "256.1.1.1", "1.2.3.4.5", "1.2.3.4/24", "::1%eth0", "0x7f000001", "2130706433", "localhost", "1.2.3.4 5.6.7.8",
            ":::", "1::2::3", "12345::", "::ffff:999.1.1.1",
            "1.2.3.4;DROP TABLE records", "١.٢.٣.٤", "010.001.001.001", String(repeating: "1", count: 1000), "[::1]", "fe80::1/64",
        ] as [String]).enumerated().map { index, source in
            document("D6", "the address \(source.isEmpty ? "of nothing" : String(source.prefix(30)))", .stored(and: ["bad-source-ip"])) {
                Written(id: "d6-\(index)").with { $0.records = [Written.record(), Written.record(source: source)] }.text
            }
        },
        ["::ffff:192.0.2.1", "0:0:0:0:0:0:0:0", "255.255.255.255", "2001:DB8::A", "::"].enumerated().map { index, source in
            document("D6", "the address \(source)", .stored()) {
                Written(id: "d6-ok-\(index)").with { $0.records = [Written.record(source: source)] }.text
            }
        })

    private static let domains: [HostileInput] =
        ([
            ("a label of 64 letters", String(repeating: "l", count: 64) + ".example"),
            ("a name of 300 letters", String(repeating: "abcdefghi.", count: 30) + "nl"),
            ("two points", "a..b"), ("a point in front", ".example.nl"), ("mixed scripts", "pаypal.com"),
            ("a broken A-label", "xn--\u{FFFD}.example"), ("an A-label of nothing", "xn--.nl"),
            ("an overlong A-label", "xn--" + String(repeating: "9", count: 60) + ".nl"), ("blanks", "exa mple.nl"),
            ("a path", "../../etc/passwd"), ("an address", "postmaster@example.nl"),
            ("a wildcard", "*.%_.nl"), ("quotes", "a'b\"c.nl"), ("another's name", "google.com"), ("full-width letters", "ｅｘａｍｐｌｅ．ｎｌ"),
            ("a name of points", "......"),
        ] as [(String, String)]).enumerated().map { index, entry in
            document("D6", "a header_from of \(entry.0)", .stored()) {
                Written(id: "d6-from-\(index)").with {
                    $0.records = [
                        Written.record(
                            from: entry.1,
                            auth: Written.dkim(domain: entry.1) + "<spf><domain>\(entry.1)</domain><result>pass</result></spf>")
                    ]
                }.text
            }
        }
}

extension Expected {
    func unless(_ isPlain: Bool) -> Expected { isPlain ? .stored() : self }
}
