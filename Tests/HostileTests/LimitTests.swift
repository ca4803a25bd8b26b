import ArchiveMaking
import DMARC
import Foundation
@testable import Ingest
import Mail
import ReportXML
import Testing
import Unpacking

/// Each limit of the one list, crossed through the whole reading path: what is just allowed passes, one more is refused with its code and names
/// the limit.
@Suite("Limits")
struct LimitTests {
    /// What meets a limit that is set to `value`: exactly, and by one too much.
    struct Crossing: Sendable {
        let key: String
        let value: Int
        /// The name of the file; a mail is read as one.
        var file = "r.xml"
        /// Other limits that would be met before.
        var others: [String: Int] = [:]
        /// Makes the bytes for a size of `value` or one more.
        let make: @Sendable (Int) -> [UInt8]
    }

    private static func mail(_ header: String, _ body: String = "") -> [UInt8] {
        Array(
            (header + "\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + Mails.base64("limit") + body + "\n").utf8)
    }

    private static func padded(_ bytes: [UInt8], to count: Int) -> [UInt8] { bytes + [UInt8](repeating: 0x20, count: count - bytes.count) }
    private static func letters(_ count: Int) -> String { String(repeating: "a", count: count) }
    private static let sound = Written(id: "limit")
    private static let records = (1...20).map { Written.record(source: "192.0.2.\($0)") }

    static let crossings: [Crossing] = [
        Crossing(key: "message_bytes", value: 5000) { padded(sound.bytes, to: $0) },
        Crossing(key: "header_bytes", value: 4096, file: "m/cur/1") { size in
            let head = "Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n"
            let fill = String(repeating: "X: aaaaaa\n", count: (size - head.utf8.count) / 10 - 1)
            let rest = size - head.utf8.count - fill.utf8.count
            return Array((fill + "Y: " + letters(rest - 4) + "\n" + head + "\n" + Mails.base64("limit")).utf8)
        },
        Crossing(key: "header_line_bytes", value: 998, file: "m/cur/1") { mail("X: " + letters($0 - 3)) },
        Crossing(key: "mail_header_fields", value: 100, file: "m/cur/1") { count in
            // One field and 20 times 2 and 3 are there anyway.
            let head = "Content-Type: multipart/mixed; boundary=b\n" + String(repeating: "X: y\n", count: count - 44) + "\n"
            let parts = String(repeating: "--b\nX: y\nContent-Type: text/plain\n\ntext\n", count: 20)
            return Array((head + parts + "--b\n").utf8) + mail("X: y") + Array("\n--b--\n".utf8)
        },
        Crossing(key: "mail_header_bytes", value: 5000, file: "m/cur/1") { size in
            let head = "Content-Type: multipart/mixed; boundary=b\n\n"
            let inner = "Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n"
            let fill = "Content-Type: text/plain\nZ: " + letters(size - head.utf8.count - inner.utf8.count - 30) + "\n\n"
            return Array((head + "--b\n" + fill + "text\n--b\n" + inner + Mails.base64("limit") + "\n--b--\n").utf8)
        },
        Crossing(key: "mime_depth", value: 3, file: "m/cur/1") { depth in
            let open = (0..<depth).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined()
            return Array(open.utf8) + mail("X: y")
        },
        Crossing(key: "mime_parts", value: 5, file: "m/cur/1") { count in
            let part = "--b\n" + String(decoding: mail("X: y"), as: UTF8.self)
            return Array(("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: count) + "--b--\n").utf8)
        },
        Crossing(key: "unpacked_bytes", value: 70_000, file: "r.gz") { Archives.gzip(padded(sound.bytes, to: $0)) },
        Crossing(key: "inner_archive_bytes", value: 5000, file: "r.gz") { size in
            // A stored gzip, filled up behind its end.
            let inner = Archives.gzip(sound.bytes, repeating: [], count: 0, level: 0)
            return Archives.gzip(padded(inner, to: size))
        },
        Crossing(key: "members", value: 3, file: "r.zip") { count in
            Archives.zip((0..<count).map { .init("\($0).xml", Written(id: "limit-\($0)").bytes) })
        },
        Crossing(key: "nesting", value: 3, file: "r.gz") { depth in (0..<depth).reduce(sound.bytes) { inner, _ in Archives.gzip(inner) } },
        Crossing(key: "attributes", value: 5) { count in
            sound.with { $0.records.append("<x " + (0..<count).map { "a\($0)='1'" }.joined(separator: " ") + "/>") }.bytes
        },
        Crossing(key: "element_depth", value: 10) { depth in
            sound.with { $0.records.append(String(repeating: "<x>", count: depth - 1) + String(repeating: "</x>", count: depth - 1)) }.bytes
        },
        Crossing(key: "element_bytes", value: 6000) { count in sound.with { $0.records.append("<x>" + letters(count) + "</x>") }.bytes },
        Crossing(key: "identity_bytes", value: 300) { count in sound.with { $0.org = letters(count) }.bytes },
        Crossing(key: "text_bytes", value: 4096) { count in sound.with { $0.contact = letters(count) }.bytes },
        Crossing(key: "results", value: 3) { count in
            sound.with { $0.records = [Written.record(auth: (0..<count).map { Written.dkim(domain: "d\($0).example") }.joined())] }.bytes
        },
        Crossing(key: "documents", value: 3, file: "r.zip") { count in
            Archives.zip((0..<count).map { .init("\($0).xml", Written(id: "limit-\($0)").bytes) })
        },
        Crossing(key: "records", value: 7) { count in sound.with { $0.records = Array(records.prefix(count)) }.bytes },
        Crossing(key: "count", value: 1000) { count in sound.with { $0.records = [Written.record(count: "\(count)")] }.bytes },
        Crossing(key: "window_days", value: 5) { days in sound.with { $0.end = String(1_718_236_800 + days * 86_400) }.bytes },
        Crossing(key: "future_days", value: 1) { days in
            let end = EachInputTests.now + days * 86_400
            return sound.with {
                $0.begin = String(end - 86_400)
                $0.end = String(end)
            }.bytes
        },
    ]

    /// Limits whose edge is not a size of the input: just below and just above, made by hand.
    static let edges: [(key: String, value: Int, file: String, below: @Sendable () -> [UInt8], above: @Sendable () -> [UInt8])] = [
        (
            "ratio", 40, "r.gz", { Archives.gzip(sound.with { $0.records = records }.bytes) },
            { Archives.gzip(padded(sound.bytes, to: 60_000)) }
        ),
        (
            "ratio_from_bytes", 50_000, "r.gz", { Archives.gzip(padded(sound.bytes, to: 50_000)) },
            { Archives.gzip(padded(sound.bytes, to: 500_001)) }
        ),
        (
            "checked_bytes", 20_000, "r.gz", { Archives.gzip(sound.bytes) },
            { Archives.gzip(Array("<feedback><a></b>".utf8) + Array(letters(600_000).utf8)) }
        ),
        (
            "names", 200, "r.xml", { sound.with { $0.records.append((0..<100).map { "<n\($0)/>" }.joined()) }.bytes },
            { sound.with { $0.records.append((0..<200).map { "<n\($0)/>" }.joined()) }.bytes }
        ),
        (
            "markup_bytes", 8192, "r.xml", { sound.with { $0.records.append("<!--" + letters(6000) + "-->") }.bytes },
            { sound.with { $0.records.append("<!--" + letters(10_000) + "-->") }.bytes }
        ),
        (
            "results_bytes", 4096, "r.xml", { sound.bytes },
            {
                sound.with {
                    $0.records = [
                        Written.record(auth: (0..<100).map { Written.dkim(domain: "d\($0).example", human: letters(100)) }.joined())
                    ]
                }.bytes
            }
        ),
        (
            "earliest_begin", 1_718_236_800, "r.xml", { sound.bytes },
            { sound.with { $0.begin = "1718236799" }.bytes }
        ),
        // No machine reads several MiB within a millisecond, and the first 64 KiB are free.
        (
            "parser_milliseconds", 1, "r.gz", { Archives.gzip(sound.bytes) },
            { Archives.gzip(sound.with { $0.records = Array(repeating: records.joined(), count: 1000) }.bytes) }
        ),
    ]

    private func read(_ bytes: [UInt8], file: String, _ values: [String: Int]) throws -> [ReadReport] {
        let folder = try HostileFolder()
        var options = IngestOptions(now: EachInputTests.now, organisations: { { $0 } })
        for (key, value) in values {
            let limit = try #require(Limits.all.first { $0.key == key })
            #expect(limit.range.contains(value), "\(key)")
            options.limits[keyPath: limit.field] = value
        }
        let path = try folder.write(file, bytes)
        guard file.hasPrefix("m/") else { return try readReports(path: path, options: options) }
        try folder.write("m/new/.keep", [])
        return try readReports(path: folder.path + "/m", options: options)
    }

    private func expectPass(_ found: [ReadReport], _ limit: Limit) {
        let codes = found.compactMap { $0.refusal?.code } + found.flatMap { $0.report?.refusedRecords.keys.map(\.rawValue) ?? [] }
        #expect(codes.isEmpty && !found.isEmpty, "\(limit.key): \(found.compactMap(\.refusal))")
        for report in found.compactMap(\.report) { #expect(!report.deviations.codes.contains(limit.code), "\(limit.key)") }
    }

    private func expectRefusal(_ found: [ReadReport], _ limit: Limit) {
        let reports = found.compactMap(\.report)
        if limit.code == "text-clipped" {
            #expect(reports.contains { $0.deviations.codes.contains(limit.code) }, "\(limit.key)")
        } else if limit.code == RecordRefusal.countOutOfRange.rawValue {
            #expect(reports.first?.refusedRecords[.countOutOfRange] == 1, "\(limit.key)")
        } else {
            let refusal = found.compactMap(\.refusal).first
            #expect(refusal?.code == limit.code, "\(limit.key): \(found.compactMap(\.refusal))")
            // Where it counts from is no limit to be raised.
            let named = limit.key == "ratio_from_bytes" ? "limits.ratio" : "limits." + limit.key
            #expect(refusal?.detail.contains("(\(named))") == true, "\(limit.key): \(refusal?.detail ?? "")")
        }
    }

    @Test("at the limit it passes, one more is refused and names the limit", arguments: crossings.map(\.key))
    func crossing(_ key: String) throws {
        let crossing = try #require(Self.crossings.first { $0.key == key })
        let limit = try #require(Limits.all.first { $0.key == key })
        var values = crossing.others
        values[key] = crossing.value
        expectPass(try read(crossing.make(crossing.value), file: crossing.file, values), limit)
        expectRefusal(try read(crossing.make(crossing.value + 1), file: crossing.file, values), limit)
        // The default lets it pass: the limit was what refused it.
        if crossing.value < limit.standard { expectPass(try read(crossing.make(crossing.value + 1), file: crossing.file, [:]), limit) }
    }

    @Test("below the limit it passes, above it is refused and names the limit", arguments: edges.map(\.key))
    func edge(_ key: String) throws {
        let edge = try #require(Self.edges.first { $0.key == key })
        let limit = try #require(Limits.all.first { $0.key == key })
        var values = [key: edge.value]
        if key == "ratio" { values["ratio_from_bytes"] = 1000 }
        if key == "ratio_from_bytes" { values["ratio"] = 20 }
        expectPass(try read(edge.below(), file: edge.file, values), limit)
        expectRefusal(try read(edge.above(), file: edge.file, values), limit)
    }

    @Test("each has a test, a default of its own in one place, and stands in the documentation")
    func inventory() throws {
        let keys = Limits.all.map(\.key)
        #expect(Set(keys).count == keys.count)
        // What may be kept refuses nothing; what it holds back is tested where mail is deleted. What is new only the store knows.
        let elsewhere = ["kept_bytes", "new_names", "new_sets", "sources", "run_bytes", "free_bytes"]
        #expect(Set(keys) == Set(Self.crossings.map(\.key) + Self.edges.map(\.key) + elsewhere))
        let page = try Self.document("CONFIGURATION")
        for limit in Limits.all {
            #expect(Limits()[keyPath: limit.field] == limit.standard, "\(limit.key)")
            #expect(limit.range.contains(limit.standard), "\(limit.key)")
            let row =
                "| `\(limit.key)` | \(limit.meaning) | \(limit.unit.rawValue) | \(limit.standard) | \(limit.range.lowerBound) … \(limit.range.upperBound) | `\(limit.code)` |"
            #expect(page.contains(row), "\(row)")
        }
        let documented = page.matches(of: /\n\| `([a-z_]+)` \|[^\n]*…[^\n]*`[a-z-]+` \|/).map { String($0.output.1) }
        #expect(documented == keys)
    }

    @Test("every refusal code stands in the documentation, with the limits that it may mean")
    func codes() throws {
        let page = try Self.document("DEVIATIONS")
        let section = try #require(page.range(of: "## Refusal codes").map { page[$0.upperBound...] })
        let rows = section.matches(of: /\n\| `([a-z-]+)` \| ([^|\n]+) \|([^\n]*)/)
        let documented = rows.map { String($0.output.1) }
        // A TLS report is refused only beside a report that is stored, and has a line in either table.
        #expect(Set(documented).count == documented.count - 1)
        // Neither of these refuses anything: one says that there is nothing to do, the other what could not be moved afterwards.
        let inner: Set = [MailError.Code.vanished.rawValue, MailError.Code.notSettled.rawValue]
        let codes =
            MailError.Code.allCases.map(\.rawValue).filter { !inner.contains($0) } + UnpackError.Code.allCases.map(\.rawValue)
            + ReportError.Code.allCases.map(\.rawValue) + RecordRefusal.allCases.map(\.rawValue)
            + PartRule.Code.allCases.map(\.rawValue) + [
                "not-a-report-mail", "empty-file", "tls-report", "failure-report", "bounce", "other-attachment",
            ]
        #expect(Set(codes).subtracting(documented) == [], "not documented")
        for row in rows {
            let keys = Limits.all.filter { $0.code == row.output.1 }.map { "`\($0.key)`" }.joined(separator: ", ")
            if !keys.isEmpty { #expect(row.output.3.contains(" \(keys) |"), "\(row.output.1): \(keys)") }
        }
    }

    private static func document(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "docs/\(name).md"), encoding: .utf8)
    }
}
