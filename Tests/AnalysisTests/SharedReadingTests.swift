import DMARC
import Foundation
import GRDB
import Synchronization
import Testing

@testable import Questions
@testable import Store

@Suite("Two connections that share the work")
struct SharedReadingTests {
    /// What each call was given. A call ends only after `calls` were made, or after a while.
    private func split(_ store: ReportStore, waitingFor calls: Int, between: () throws -> Void = {}) throws -> [[String]] {
        try SharedReading.$leastBytes.withValue(0) {
            let shared = SharedReading(store)
            try between()
            return try reading(store, "test") { facts in
                let scope = try Scope(facts, Filter(today: FactsFixture.today))
                let begun = Mutex(0)
                return try shared.split(scope.domains, facts) { _, next in
                    var given: [String] = []
                    begun.withLock { $0 += 1 }
                    while let domain = next() {
                        given.append(domain.name)
                        let deadline = Date(timeIntervalSinceNow: 30)
                        while begun.withLock({ $0 }) < calls, Date() < deadline { Thread.sleep(forTimeInterval: 0.001) }
                    }
                    return given
                }
            }
        }
    }

    @Test("each domain is given to one of two")
    func both() throws {
        let facts = try FactsFixture(seed: 61, reports: 60)
        let parts = try split(facts.store, waitingFor: 2)
        #expect(parts.count == 2 && parts.allSatisfy { !$0.isEmpty })
        #expect(parts.joined().sorted() == FactsFixture.domains.sorted())
    }

    @Test("a connection that sees another state takes no part")
    func otherState() throws {
        let facts = try FactsFixture(seed: 62, reports: 60)
        let parts = try split(facts.store, waitingFor: 1) {
            let other = try DatabaseQueue(path: facts.path)
            try other.write { try $0.execute(sql: "INSERT INTO domains (name) VALUES ('late.example')") }
            try other.close()
        }
        #expect(parts.count == 1)
        #expect(parts.joined().sorted() == (FactsFixture.domains + ["late.example"]).sorted())
    }

    @Test("the answers are those of one connection", arguments: [63, 64] as [UInt64])
    func answers(seed: UInt64) throws {
        let facts = try VerdictFacts.random(seed: seed, reports: 90)
        let filter = Filter(today: Day(20800)).limited(to: Period(since: Day(20600), until: Day(20690)))
        func ask(leastBytes: Int) throws -> [AnyHashable] {
            try SharedReading.$leastBytes.withValue(leastBytes) {
                let strict = try WhatIf.ask(facts.store, filter, WhatIfSettings(dkimMode: .strict, spfMode: .strict))
                let reject = try WhatIf.ask(facts.store, filter, WhatIfSettings(policy: .reject), sources: 5)
                let sources = try ChangeExplained.ask(facts.store, filter)
                let services = try ChangeExplained.ask(facts.store, filter, grouping: .service)
                let reporters = try Reporters.ask(facts.store, filter)
                let disagreements = try Disagreements.ask(facts.store, filter)
                let advisory = try Advisory.ask(facts.store, filter)
                return [
                    strict.verdicts, strict.sources, strict.total, strict.affectedSources, reject.verdicts, reject.sources, reject.total,
                    sources.rows, services.rows, reporters.rows, disagreements.rows, advisory.domains,
                ]
            }
        }
        let alone = try ask(leastBytes: .max)
        // Who gets which domain is left to chance.
        for _ in 0..<5 { #expect(try ask(leastBytes: 0) == alone) }
    }
}
