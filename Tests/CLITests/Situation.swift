import Foundation

/// A small world as `Situations/README.md` describes it, written as real reports.
struct Situation {
    struct Wrong: Error {
        var line: String
    }

    private struct Mail {
        var source: String
        var count: Int
        var disposition: String
        var dkim: String
        var spf: String
        var headerFrom: String
        var spfResults: [[String]] = []
        var dkimResults: [[String]] = []
        var reason: String?
    }

    private struct Report {
        var tags: [String: String]
        var mails: [Mail] = []
    }

    private struct Identity: Hashable {
        var domain: String
        var reporter: String
        var day: Int
    }

    private var reports: [Identity: Report] = [:]

    /// 2026-01-01T00:00:00Z.
    private static let newYear = 1_767_225_600
    private static let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    init(_ text: String) throws {
        let lines = text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
        guard let first = lines.first, first.hasPrefix("domain ") else { throw Wrong(line: lines.first ?? "") }
        var domain = ""
        for line in lines {
            if line.hasPrefix("domain ") {
                domain = String(line.dropFirst(7))
                continue
            }
            var words = line.split(separator: " ").map(String.init)
            guard words.count > 3, let days = Self.days(words[2]) else { throw Wrong(line: line) }
            let reporters = words[1].split(separator: ",").map(String.init)
            let isReport = words[0] == "report"
            words.removeFirst(3)
            var every = 1
            if words.first == "every", words.count > 1, let number = Int(words[1]) {
                every = number
                words.removeFirst(2)
            }
            for reporter in reporters {
                for (place, day) in stride(from: days.lowerBound, through: days.upperBound, by: every).enumerated() {
                    let identity = Identity(domain: domain, reporter: reporter, day: day)
                    if isReport {
                        reports[identity] = Report(tags: Self.tags(words))
                    } else {
                        guard reports[identity] != nil, let mail = Self.mail(words, domain, place) else { throw Wrong(line: line) }
                        reports[identity]?.mails.append(mail)
                    }
                }
            }
        }
    }

    /// Days of 2026, counted from 0, from `09-22..11-20`.
    private static func days(_ text: String) -> ClosedRange<Int>? {
        let ends = text.components(separatedBy: "..").compactMap { end -> Int? in
            let parts = end.split(separator: "-").compactMap { Int($0) }
            guard parts.count == 2, (1...12).contains(parts[0]) else { return nil }
            return months.prefix(parts[0] - 1).reduce(0, +) + parts[1] - 1
        }
        return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
    }

    private static func tags(_ words: [String]) -> [String: String] {
        Dictionary(words.map { word in (String(word.prefix { $0 != "=" }), String(word.drop { $0 != "=" }.dropFirst())) }) { $1 }
    }

    private static func mail(_ words: [String], _ domain: String, _ place: Int) -> Mail? {
        guard words.count >= 5, let count = Int(words[1]) else { return nil }
        var mail = Mail(
            source: source(words[0], place), count: count, disposition: words[2], dkim: words[3], spf: words[4], headerFrom: domain)
        for word in words.dropFirst(5) {
            let value = word.drop { $0 != "=" }.dropFirst()
            switch word.prefix(while: { $0 != "=" }) {
            case "from": mail.headerFrom = String(value)
            case "spf": mail.spfResults.append(value.split(separator: ":").map(String.init))
            case "dkim": mail.dkimResults.append(value.split(separator: ":").map(String.init))
            case "reason": mail.reason = String(value)
            default: return nil
            }
        }
        return mail
    }

    /// `203.0.{100-160}.17`: one address more each time, in a circle.
    private static func source(_ text: String, _ place: Int) -> String {
        guard let match = text.firstMatch(of: #/\{(\d+)-(\d+)\}/#), let first = Int(match.1), let last = Int(match.2) else { return text }
        return text.replacing(#/\{\d+-\d+\}/#, with: String(first + place % (last - first + 1)))
    }

    /// Writes a file for each report.
    func write(to folder: URL) throws {
        for (identity, report) in reports {
            let file = folder.appendingPathComponent("\(identity.domain)-\(identity.reporter)-\(identity.day).xml")
            try xml(identity, report).write(to: file, atomically: false, encoding: .utf8)
        }
    }

    private func xml(_ identity: Identity, _ report: Report) -> String {
        let (domain, reporter, day) = (identity.domain, identity.reporter, identity.day)
        let begin = Self.newYear + day * 86400
        let tags = ["p", "sp", "np", "pct"].compactMap { tag in report.tags[tag].map { "<\(tag)>\($0)</\(tag)>" } }.joined()
        var text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <feedback>
            <report_metadata><org_name>\(reporter)</org_name><email>reports@\(reporter.lowercased())</email>\
            <report_id>\(domain)-\(day)</report_id>\
            <date_range><begin>\(begin)</begin><end>\(begin + 86399)</end></date_range></report_metadata>
            <policy_published><domain>\(domain)</domain><adkim>r</adkim><aspf>r</aspf>\(tags)</policy_published>

            """
        for mail in report.mails {
            let reason = mail.reason.map { "<reason><type>\($0)</type><comment></comment></reason>" } ?? ""
            let dkim = mail.dkimResults.map {
                "<dkim><domain>\($0[0])</domain><selector>\($0[1])</selector><result>\($0[2])</result></dkim>"
            }.joined()
            let spf = mail.spfResults.map { "<spf><domain>\($0[0])</domain><scope>mfrom</scope><result>\($0[1])</result></spf>" }.joined()
            text += """
                <record><row><source_ip>\(mail.source)</source_ip><count>\(mail.count)</count><policy_evaluated>\
                <disposition>\(mail.disposition)</disposition><dkim>\(mail.dkim)</dkim><spf>\(mail.spf)</spf>\(reason)</policy_evaluated>\
                </row><identifiers><header_from>\(mail.headerFrom)</header_from></identifiers>\
                <auth_results>\(dkim)\(spf)</auth_results></record>

                """
        }
        return text + "</feedback>\n"
    }
}
