import DMARC
import Foundation
import GRDB
import Testing

@testable import Organisations
@testable import Store

@Suite("Recomputed alignment")
struct AlignmentTests {
    private let results: StoredResults

    init() throws { results = try StoredResults() }

    private func signed(_ domain: String?, _ result: AuthenticationResult = .pass) -> AuthenticationSet {
        AuthenticationSet(dkim: [DKIMResult(domain: domain, selector: "s", result: result)])
    }

    private func sent(_ domain: String?, _ result: AuthenticationResult = .pass, scope: SPFScope? = nil) -> AuthenticationSet {
        AuthenticationSet(spf: [SPFResult(domain: domain, scope: scope, result: result)])
    }

    private func align(
        _ set: AuthenticationSet, _ from: String, dkim: AlignmentMode = .relaxed, spf: AlignmentMode = .relaxed
    ) throws -> Alignment {
        try results.align(set, from, dkim, spf)
    }

    @Test(
        "names, relaxed and strict",
        arguments: [
            ("example.org", "example.org", true, true), ("mail.example.org", "example.org", true, false),
            ("example.org", "mail.example.org", true, false), ("a.example.org", "b.example.org", true, false),
            ("notexample.org", "example.org", false, false), ("example.org.evil.net", "example.org", false, false),
            ("shop.example.co.uk", "example.co.uk", true, false), ("other.co.uk", "example.co.uk", false, false),
            ("co.uk", "example.co.uk", false, false), ("co.uk", "co.uk", true, true), ("org", "example.org", false, false),
            ("xn--bcher-kva.example", "mail.xn--bcher-kva.example", true, false), ("", "example.org", false, false),
        ])
    func names(name: String, from: String, relaxed: Bool, strict: Bool) throws {
        #expect(try align(signed(name), from) == Alignment(dkim: relaxed, spf: false))
        #expect(try align(sent(name), from) == Alignment(dkim: false, spf: relaxed))
        #expect(try align(signed(name), from, dkim: .strict, spf: .relaxed).dkim == strict)
        #expect(try align(sent(name), from, dkim: .relaxed, spf: .strict).spf == strict)
        // The mode of the other method means nothing.
        #expect(try align(signed(name), from, dkim: .relaxed, spf: .strict).dkim == relaxed)
        #expect(try align(sent(name), from, dkim: .strict, spf: .relaxed).spf == relaxed)
    }

    @Test("only pass passes", arguments: AuthenticationResult.allCases)
    func results(result: AuthenticationResult) throws {
        let isPass = result == .pass
        #expect(try align(signed("example.org", result), "example.org") == Alignment(dkim: isPass, spf: false))
        #expect(try align(sent("example.org", result), "example.org") == Alignment(dkim: false, spf: isPass))
    }

    @Test("one of several is enough, and it must be the one that passes")
    func several() throws {
        let both = AuthenticationSet(
            dkim: [
                DKIMResult(domain: "example.org", selector: "a", result: .fail),
                DKIMResult(domain: "service.example", selector: "b", result: .pass),
            ],
            spf: [
                SPFResult(domain: "relay.test", scope: nil, result: .pass), SPFResult(domain: "example.org", scope: .mfrom, result: .pass),
            ])
        #expect(try align(both, "example.org") == Alignment(dkim: false, spf: true))
        #expect(try align(both, "service.example") == Alignment(dkim: true, spf: false))
    }

    @Test("HELO counts only where the sender was not checked")
    func helo() throws {
        #expect(try align(sent("mail.example.org", scope: .helo), "example.org").spf)
        let both = AuthenticationSet(spf: [
            SPFResult(domain: "example.org", scope: .helo, result: .pass), SPFResult(domain: "relay.test", scope: .mfrom, result: .fail),
        ])
        #expect(try !align(both, "example.org").spf)
    }

    @Test("results without domain, and none at all")
    func absent() throws {
        #expect(try align(signed(nil), "example.org") == Alignment(dkim: false, spf: false))
        #expect(try align(sent(nil), "") == Alignment(dkim: false, spf: false))
        #expect(try align(AuthenticationSet(), "example.org") == Alignment(dkim: false, spf: false))
    }

    @Test(
        "names that are given away for nothing are whoever's who gives them",
        arguments: [
            ("mx.melder1.github.io", "github.io"), ("melder2.github.io", "github.io"), ("github.io", "github.io"),
            ("klant.onmicrosoft.com", "onmicrosoft.com"), ("mail.example.co.uk", "example.co.uk"), ("mail.example.nl", "example.nl"),
            ("dmarc.corp.mail.ru", "mail.ru"), ("co.uk", "co.uk"), ("nl", "nl"), ("localhost", "localhost"), ("", ""),
            ("x.unlisted", "x.unlisted"),
        ])
    func givers(_ name: String, _ giver: String) throws {
        let suffixes = try #require(PublicSuffixes())
        #expect(suffixes.giver(of: name) == giver)
        // They are strangers to each other all the same, where mail is aligned.
        #expect(try !align(signed("a.github.io"), "b.github.io").dkim)
    }

    @Test("published modes")
    func modes() {
        for word in ["s", "S"] { #expect(AlignmentMode(published: word) == .strict) }
        for word in ["r", "", "strict", nil] { #expect(AlignmentMode(published: word) == .relaxed) }
    }
}

/// Sets of results as a database holds them, in a directory of its own.
private final class StoredResults {
    private let directory: URL
    private let queue: DatabaseQueue
    private let suffixes: PublicSuffixes
    private var sets = 0

    init() throws {
        suffixes = try #require(PublicSuffixes())
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let path = directory.appendingPathComponent("results.sqlite").path
        _ = try ReportStore(path: path, access: .readWrite)
        queue = try DatabaseQueue(path: path)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func align(_ set: AuthenticationSet, _ from: String, _ dkim: AlignmentMode, _ spf: AlignmentMode) throws -> Alignment {
        sets += 1
        let id = sets
        return try queue.write { db in
            try db.execute(
                sql: "INSERT INTO authentication_sets(id, digest) VALUES (?, ?)", arguments: [id, withUnsafeBytes(of: id) { Data($0) }])
            for (position, result) in set.dkim.enumerated() {
                try add(db, id, position, "dkim", result.domain, scope: nil, result.result)
            }
            for (position, result) in set.spf.enumerated() {
                try add(db, id, set.dkim.count + position, "spf", result.domain, scope: result.scope, result.result)
            }
            var keyed = try KeyedResults(Facts(db), suffixes)
            return try keyed.alignment(keyed.place(id), from: try key(db, from), dkim: dkim, spf: spf)
        }
    }

    private func add(
        _ db: Database, _ id: Int, _ position: Int, _ method: String, _ domain: String?, scope: SPFScope?, _ result: AuthenticationResult
    ) throws {
        try db.execute(
            sql: "INSERT INTO authentication_results VALUES (?, ?, ?, ?, NULL, ?, ?, NULL, NULL)",
            arguments: [id, position, method, try domain.map { try key(db, $0) }, scope?.rawValue, result.rawValue])
    }

    private func key(_ db: Database, _ name: String) throws -> Int {
        try db.execute(sql: "INSERT INTO names(name) VALUES (?) ON CONFLICT DO NOTHING", arguments: [name])
        return try #require(try Int.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [name]))
    }
}
