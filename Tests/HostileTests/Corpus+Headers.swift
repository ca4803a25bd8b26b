/// E3: names and subjects in the encodings of RFC 2047 and RFC 2231.
extension Corpus {
    private static let fields: [(what: String, type: String, subject: String)] = [
        ("a name in pieces", "application/gzip; name*0=a; name*1=b.gz", "x"),
        ("a name in pieces out of order", "application/gzip; name*2=c; name*0=a; name*1=b", "x"),
        ("a name whose pieces have huge numbers", "application/gzip; name*99999999999999999999=a; name*0=b", "x"),
        ("a name whose pieces have negative numbers", "application/gzip; name*-1=a; name*0=b", "x"),
        ("a name in 2,000 pieces", "application/gzip" + (0..<2000).map { "; name*\($0)=a" }.joined(), "x"),
        ("a name whose first piece is missing", "application/gzip; name*1=a; name*2=b", "x"),
        ("a name of an unknown charset", "application/gzip; name*=x-nobody'en'%E9%FF%00", "x"),
        ("a name with broken percents", "application/gzip; name*=utf-8''%%%4%zz%1", "x"),
        ("a name without its quotes", "application/gzip; name*=utf-8", "x"),
        ("a name that climbs out", "application/gzip; name=\"../../etc/passwd\"", "x"),
        ("a name of escapes", "application/gzip; name*=utf-8''%1B%5B2J%07%0D%0A%E2%80%AE.gz", "x"),
        ("a name of 60,000 bytes", "application/gzip; name=\"" + String(repeating: "n", count: 60_000) + "\"", "x"),
        ("a name with 30,000 backslashes", "application/gzip; name=\"" + String(repeating: "\\", count: 30_000) + "\"", "x"),
        ("a name whose quote is open", "application/gzip; name=\"a.gz", "x"),
        ("a name of = signs", "application/gzip; name==?utf-8?B?" + String(repeating: "=", count: 1000), "x"),
        ("a subject whose word is cut", "application/gzip", "=?utf-8?B?YWJj"),
        ("a subject whose base64 is broken", "application/gzip", "=?utf-8?B?!!!!?= =?utf-8?B?=?="),
        ("a subject of an unknown charset", "application/gzip", "=?x-nobody?Q?=FF=FE?="),
        ("a subject of words in words", "application/gzip", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?="),
        ("a subject of 4,000 words", "application/gzip", String(repeating: "=?utf-8?Q?a?=\n ", count: 4000)),
        ("a subject of control characters", "application/gzip", "=?utf-8?Q?=1B[2J=00=07=0D=0AX:_y?="),
        ("a subject of bidi controls", "application/gzip", "=?utf-8?B?4oCu4oGm4oCL77u/?="),
        ("a subject of an encoding that there is not", "application/gzip", "=?utf-8?X?abc?="),
        ("a subject in UTF-16 and UTF-7", "application/gzip", "=?utf-16?B?2ADYANg=?= =?utf-7?Q?+AGE?="),
        ("a subject of 60,000 quotation marks", "application/gzip", String(repeating: "=?", count: 30_000)),
        ("a subject in raw bytes", "application/gzip", "é \u{9B}31m \u{202E}"),
        ("a type of slashes", "////; a=b; ;;; =; name", "x"),
        ("a type with parameters of 2,000 names", "application/gzip" + (0..<2000).map { "; p\($0)=v" }.joined(), "x"),
        ("a type in comments", "(a(b(c)))application/gzip(x)", "x"),
        ("a type that is a formula", "=cmd|'/c calc'!A1", "%s%n%x"),
    ]

    static let headers: [HostileInput] = fields.enumerated().map { index, field in
        mail("E3", field.what, .stored()) {
            "From: a@b.example\nSubject: \(field.subject)\nContent-Type: \(field.type)\nContent-Transfer-Encoding: base64\n\n"
                + Mails.base64("e3-\(index)") + "\n"
        }
    }
}
