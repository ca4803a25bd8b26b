/// O1 to O7: texts that mean something to a spreadsheet, a terminal, a browser, a database or a log, in every field that is shown.
extension Corpus {
    static let dangerous: [(what: String, text: String)] = [
        ("a formula", "=cmd|'/c calc'!A1"), ("a formula behind a blank", " \u{3000}@SUM(1+1)"), ("a full-width formula", "＝1+1"),
        ("a minus", "-2+3"),
        ("terminal escapes", "\u{9B}31mred\u{9D}0;title\u{9C}\u{7F}"),
        ("bidi controls", "a\u{202E}cod.exe\u{2066}b\u{2069}\u{61C}\u{200F}"),
        ("invisible characters", "pay\u{200B}pal\u{AD}.\u{FEFF}com\u{2060}\u{200D}"), ("tags", "a\u{E0041}\u{E0042}\u{E007F}"),
        ("line ends", "a\nb\tc\u{2028}d\u{85}e"),
        ("a script", "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"),
        ("SQL", "'; DROP TABLE records; -- %_"),
        ("formats", "%s%n%x%@ {0} \\(x) ${HOME} `id`"), ("CSV", "a\",\"b\"\"\r\nc;d"), ("a label of metrics", "a\"} 1 2\\\n# HELP x"),
        ("marks on marks", "a" + String(repeating: "\u{301}", count: 100)),
        ("private use and nothing yet", "\u{E000}\u{10FFFD}\u{FFF9}\u{FFA0}"),
    ]

    /// Fields, by what they make of a report.
    private static let fields: [(what: String, change: @Sendable (inout Written, String) -> Void)] = [
        ("the organisation", { $0.org = $1 }), ("the contact", { $0.contact = $1 }), ("the report id", { $0.id += $1 }),
        ("the policy domain", { $0.domain = $1 }),
        ("the address of mail", { $0.email = $1 }), ("the policy", { $0.policy = "<p>\($1)</p><sp>\($1)</sp><fo>\($1)</fo>" }),
        ("header_from", { $0.records = [Written.record(from: $1)] }),
        ("a signature", { $0.records = [Written.record(auth: Written.dkim(domain: $1, selector: $1, result: $1, human: $1))] }),
        (
            "the SPF domain",
            { $0.records = [Written.record(auth: "<spf><domain>\($1)</domain><scope>\($1)</scope><result>\($1)</result></spf>")] }
        ),
        ("a reason", { $0.records = [Written.record(row: "<reason><type>\($1)</type><comment>\($1)</comment></reason>")] }),
        ("the source", { $0.records.append(Written.record(source: $1)) }), ("the count", { $0.records.append(Written.record(count: $1)) }),
    ]

    static let texts: [HostileInput] = dangerous.enumerated().flatMap { number, entry in
        fields.enumerated().map { index, field in
            let code = field.what == "the source" ? ["bad-source-ip"] : field.what == "the count" ? ["count-out-of-range"] : []
            return document("O", "\(entry.what) in \(field.what)", .stored(and: Set(code))) {
                Written(id: "o-\(number)-\(index)").with {
                    field.change(&$0, entry.text)
                    // So that it is among the failures, too.
                    $0.records = $0.records.map { $0.replacing("<spf>pass</spf>", with: "<spf>fail</spf>") }
                }.text
            }
        }
    }
}
