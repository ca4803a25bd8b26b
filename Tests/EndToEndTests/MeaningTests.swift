import Foundation
import Testing

/// Sound reports whose meaning is easily mistaken: `reports-sample/meanings`.
@Suite("What reports mean")
struct MeaningTests {
    private static let folder = Tool.root.appending(path: "reports-sample/meanings")

    private struct Exported: Decodable {
        let source: String
        let passed: Bool
        let dkim: String
        let spf: String
        let spf_domain: String?
        let spf_scope: String?
        let dkim_domain: String?
        let dkim_selector: String?
        let dkim_result: String?
        let dkim_count: Int
        let override_types: [String]
        let override_comments: [String]
    }

    private struct Source: Decodable {
        let source: String
        let domain: String
        let messages: Int
        let failed: Int
        let verdict: String
        let spf_domain: String?
        let dkim_domain: String?
    }

    private struct Reporter: Decodable {
        let reporter: String
        let contradictions: Int
    }

    /// A database of these samples.
    private func collect(_ names: [String]) throws -> Workdir {
        let folder = try Workdir()
        let paths = names.map { Self.folder.appending(path: $0 + ".xml").filePath }
        let run = try Tool.run(["ingest", "--database", folder.path("d.sqlite")] + paths, in: folder)
        try #require(run.status == 0, "\(run)")
        return folder
    }

    private func ask<Row: Decodable>(_ folder: Workdir, _ question: String, _ type: Row.Type) throws -> [Row] {
        let arguments = [question, "--database", folder.path("d.sqlite"), "--format", "json"] + Tool.allDays
        return try Tool.run(arguments, in: folder).json(Answer<Row>.self).rows
    }

    @Test("where one signature or check is shown for what passed, it is the one that made it pass")
    func shown() throws {
        let folder = try collect(["second-signature-aligns", "second-signature-aligns-strictly"])
        let records = try Dictionary(uniqueKeysWithValues: ask(folder, "export", Exported.self).map { ($0.source, $0) })
        func signature(_ source: String) -> [String?] {
            [records[source]?.dkim_domain, records[source]?.dkim_selector, records[source]?.dkim_result]
        }
        #expect(signature("192.0.2.60") == ["example.nl", "s1", "pass"])
        #expect(records["192.0.2.60"]?.dkim_count == 2 && records["192.0.2.60"]?.spf_domain == "retour.nieuwsbrief.example")
        // Nothing made it pass: the one that verified says most.
        #expect(signature("192.0.2.61") == ["nieuwsbrief.example", "n1", "pass"])
        #expect(signature("192.0.2.62") == ["mail.example.nl", "s2", "pass"])
        #expect(records["192.0.2.63"]?.spf_domain == "example.nl" && records["192.0.2.63"]?.spf_scope == "mfrom")
        #expect(signature("192.0.2.63") == ["nieuwsbrief.example", "n1", "pass"])
        #expect(signature("192.0.2.64") == ["example.nl", "s1", "pass"])
        let sources = try Dictionary(uniqueKeysWithValues: ask(folder, "sources", Source.self).map { ($0.source, $0) })
        for (source, record) in records {
            #expect(sources[source]?.dkim_domain == record.dkim_domain, "\(source)")
            #expect(sources[source]?.spf_domain == record.spf_domain, "\(source)")
        }
    }

    @Test("a record that lists a signature as pass and as fail contradicts nobody, and nobody contradicts it")
    func bothWays() throws {
        let folder = try collect(["a", "b", "c"].map { "one-signature-both-ways-" + $0 })
        let reporters = try ask(folder, "reporters", Reporter.self)
        #expect(reporters.map(\.reporter).sorted() == ["bundelaar.example", "derde.example", "ontvanger.example"])
        #expect(reporters.allSatisfy { $0.contradictions == 0 }, "\(reporters)")
        // Who says fail alone does, in whatever order and letter case the other lists its signatures.
        let text = try String(contentsOf: Self.folder.appending(path: "one-signature-both-ways-b.xml"), encoding: .utf8)
        let opposite = text.replacing("ontvanger.example", with: "vierde.example").replacing(
            "<selector>s1</selector>\n        <result>pass</result>", with: "<selector>S1</selector>\n        <result>fail</result>")
        try #require(opposite.contains("S1"))
        let path = try folder.write("opposite.xml", Data(opposite.utf8))
        try #require(try Tool.run(["ingest", "--database", folder.path("d.sqlite"), path], in: folder).status == 0)
        let counts = try Dictionary(uniqueKeysWithValues: ask(folder, "reporters", Reporter.self).map { ($0.reporter, $0.contradictions) })
        #expect(counts == ["bundelaar.example": 0, "derde.example": 1, "ontvanger.example": 1, "vierde.example": 1])
    }

    @Test("a subdomain with a policy of its own is a domain of its own")
    func subdomain() throws {
        let folder = try collect(["subdomain-is-policy-domain"])
        let summary = try ask(folder, "summary", SummaryRow.self)
        #expect(summary.map(\.domain) == ["nieuws.example.nl"])
        #expect(summary.map(\.messages) == [3] && summary.map(\.failed) == [3] && summary.map(\.quarantined) == [3])
        let sources = try ask(folder, "sources", Source.self)
        #expect(sources.map(\.domain) == ["nieuws.example.nl"] && sources.map(\.spf_domain) == ["vreemd.example"])
        #expect(sources.allSatisfy { $0.dkim_domain == nil && $0.failed == 3 })
        // Whoever asks about the domain above gets it too.
        let above = try Tool.run(
            ["summary", "--domain", "example.nl", "--database", folder.path("d.sqlite"), "--format", "json"] + Tool.allDays, in: folder)
        #expect(try above.json(Answer<SummaryRow>.self).rows.map(\.domain) == ["nieuws.example.nl"])
    }

    @Test("a receiver's remark that mail looks forwarded is kept word for word and changes no result")
    func remark() throws {
        let folder = try collect(["remark-says-forwarded"])
        let records = try Dictionary(uniqueKeysWithValues: ask(folder, "export", Exported.self).map { ($0.source, $0) })
        #expect(records["198.51.100.60"]?.override_types == ["forwarded"])
        #expect(records["198.51.100.60"]?.override_comments == ["looks forwarded, policy not applied"])
        #expect(records["198.51.100.60"]?.passed == false && records["198.51.100.60"]?.dkim == "fail")
        let sources = try Dictionary(uniqueKeysWithValues: ask(folder, "sources", Source.self).map { ($0.source, $0) })
        #expect(sources["198.51.100.60"]?.failed == 2 && sources["198.51.100.60"]?.verdict == "forwarded")
        #expect(sources["198.51.100.61"]?.failed == 0 && sources["198.51.100.61"]?.verdict == "forwarded")
        #expect(sources["192.0.2.71"]?.failed == 0 && sources["192.0.2.71"]?.verdict == "authorized")
        let summary = try ask(folder, "summary", SummaryRow.self)
        #expect(summary.map(\.messages) == [24] && summary.map(\.passed) == [22] && summary.map(\.failed) == [2])
    }
}
