import DMARC
import Testing

@testable import Questions
@testable import Store

/// Against a recount from the records alone that shares no code with the answer.
@Suite("what-if")
struct WhatIfTests {
    struct Case: CustomStringConvertible, Sendable {
        var settings: WhatIfSettings
        var description: String { "\(settings)" }
    }

    static let cases: [Case] = {
        var cases: [Case] = []
        for policy in [nil] + PublishedDisposition.allCases.map(Optional.some) {
            for (dkim, spf) in [(nil, nil), (.strict, .strict), (.strict, nil), (nil, .relaxed), (.relaxed, .strict)]
                as [(AlignmentMode?, AlignmentMode?)]
            {
                for (noDKIM, noSPF) in [(false, false), (true, false), (false, true), (true, true)] {
                    cases.append(
                        Case(
                            settings: WhatIfSettings(
                                policy: policy, dkimMode: dkim, spfMode: spf, isWithoutDKIM: noDKIM, isWithoutSPF: noSPF)))
                }
            }
        }
        return cases
    }()

    private struct Key: Hashable {
        var verdict: Verdict
        var source: IPAddress?
        var domain: String?
    }

    // MARK: - By hand

    private func aligns(_ name: String?, _ from: String, strict: Bool) -> Bool {
        guard let name else { return false }
        return strict ? name == from : VerdictFacts.organisation(of: name) == VerdictFacts.organisation(of: from)
    }

    private func wouldPass(_ share: VerdictShare, _ settings: WhatIfSettings) -> Bool {
        let record = share.record
        func method(_ said: Bool, _ published: String?, _ wanted: AlignmentMode?, _ raw: (Bool) -> Bool) -> Bool {
            let isStrict = ["s", "S"].contains(published)
            switch wanted {
            case .strict where !isStrict: return said && raw(true)
            case .relaxed where isStrict: return said || raw(false)
            default: return said
            }
        }
        let dkim = method(record.dkim, share.report.policy.adkim, settings.dkimMode) { strict in
            record.results.dkim.contains { $0.result == .pass && aligns($0.domain, record.headerFrom, strict: strict) }
        }
        let spf = method(record.spf, share.report.policy.aspf, settings.spfMode) { strict in
            let hasSender = record.results.spf.contains { $0.scope != .helo }
            return record.results.spf.contains {
                $0.result == .pass && (!hasSender || $0.scope != .helo) && aligns($0.domain, record.headerFrom, strict: strict)
            }
        }
        return (dkim && !settings.isWithoutDKIM) || (spf && !settings.isWithoutSPF)
    }

    private func policy(_ share: VerdictShare, _ settings: WhatIfSettings) -> String {
        if let policy = settings.policy { return policy.rawValue }
        let words = ["none", "quarantine", "reject"]
        let published = share.report.policy
        let isBelow = share.record.headerFrom.hasSuffix("." + share.report.domain)
        var found = (isBelow ? published.sp : published.p)?.lowercased()
        if found == nil || !words.contains(found ?? "") { found = published.p?.lowercased() }
        let index = words.firstIndex(of: found ?? "") ?? 0
        return words[published.testing == "y" ? max(0, index - 1) : index]
    }

    private func figures(_ share: VerdictShare, _ settings: WhatIfSettings) -> WhatIfFigures {
        let record = share.record
        let (now, later) = (record.passed, wouldPass(share, settings))
        let isDelivered = [.none, .pass].contains(record.disposition)
        var willBe = isDelivered
        if now != later, later { willBe = true }
        if !later, now || settings.policy != nil { willBe = policy(share, settings) == "none" }
        var figures = WhatIfFigures()
        let count = share.messages
        figures.messages = count
        if isDelivered { figures.deliveredNow = count }
        if now { figures.passesNow = count }
        if now, !later { figures.wouldFail = count }
        if !now, later { figures.wouldPass = count }
        if isDelivered, !willBe {
            figures.notDelivered = count
            let exceptions = ["forwarded", "mailing_list", "local_policy", "trusted_forwarder"]
            if record.overrides.contains(where: { exceptions.contains($0.type) }) { figures.overridden = count }
        }
        if !isDelivered, willBe { figures.newlyDelivered = count }
        return figures
    }

    // MARK: - Comparing

    @Test("equals a recount from the raw records", arguments: [41, 42] as [UInt64])
    func recount(seed: UInt64) throws {
        let facts = try VerdictFacts.random(seed: seed, reports: 90)
        let everything = facts.shares
        let period = Period(since: Day(20580), until: Day(20690))
        let filters = [
            Filter(today: Day(20800)).limited(to: period),
            Filter(domains: ["example.org"], reporters: ["google.com", "yahoo"], today: Day(20800)).limited(to: period),
        ]
        for filter in filters {
            let shares = everything.filter { share in
                period.contains(share.day) && share.messages > 0 && filter.includes(domain: share.report.domain)
                    && filter.includes(reporter: share.report.reporter)
            }
            for asked in Self.cases {
                let answer = try WhatIf.ask(facts.store, filter, asked.settings)
                var verdicts: [Key: WhatIfFigures] = [:]
                var sources: [Key: WhatIfFigures] = [:]
                for share in shares {
                    let figures = figures(share, asked.settings)
                    let verdict = share.record.verdict
                    verdicts[Key(verdict: verdict), default: WhatIfFigures()].add(figures)
                    sources[Key(verdict: verdict, source: share.record.source, domain: share.report.domain), default: WhatIfFigures()].add(
                        figures)
                }
                let found = (
                    verdicts: Dictionary(uniqueKeysWithValues: answer.verdicts.map { (Key(verdict: $0.verdict), $0.figures) }),
                    sources: Dictionary(
                        uniqueKeysWithValues: answer.sources.map {
                            (Key(verdict: $0.verdict, source: $0.source, domain: $0.domain), $0.figures)
                        })
                )
                #expect(found.verdicts == verdicts, "\(asked)")
                #expect(found.sources == sources, "\(asked)")
                #expect(answer.affectedSources == sources.values.count { $0.isAffected })
                #expect(answer.total == verdicts.values.reduce(into: WhatIfFigures()) { $0.add($1) })
                let first = try WhatIf.ask(facts.store, filter, asked.settings, sources: 4)
                #expect(first.sources == Array(answer.sources.filter(\.figures.isAffected).prefix(4)), "\(asked)")
                let losses = answer.sources.map(\.figures.notDelivered)
                #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 >= $1 })
            }
        }
    }

    private func fact(_ change: (inout WhatIfFact) -> Void) -> WhatIfFact {
        var policy = PublishedPolicy()
        policy.domain = "example.org"
        policy.p = "none"
        var fact = WhatIfFact(
            said: Alignment(dkim: false, spf: false), disposition: .none, headerFrom: "example.org", policy: policy, hasException: false)
        change(&fact)
        return fact
    }

    private func outcome(_ settings: WhatIfSettings, _ change: (inout WhatIfFact) -> Void) -> WhatIfOutcome {
        // By the raw results only subdomains passed.
        settings.outcome(fact(change)) { Alignment(dkim: $0 == .relaxed, spf: $1 == .relaxed) }
    }

    @Test("a stricter policy takes what fails and is delivered, and nothing else")
    func policy() {
        let reject = WhatIfSettings(policy: .reject)
        #expect(outcome(reject) { _ in } == [.deliveredNow, .notDelivered])
        #expect(outcome(reject) { $0.said.spf = true } == [.deliveredNow, .passesNow])
        #expect(outcome(reject) { $0.disposition = .quarantine } == [])
        #expect(
            outcome(reject) { $0.hasException = PolicyOverride(type: "mailing_list").isException } == [
                .deliveredNow, .notDelivered, .overridden,
            ])
        #expect(
            outcome(reject) { $0.hasException = PolicyOverride(type: "sampled_out").isException } == [.deliveredNow, .notDelivered])
        #expect(outcome(WhatIfSettings(policy: PublishedDisposition.none)) { $0.disposition = .reject } == [.newlyDelivered])
    }

    @Test("strict alignment fails what only relaxed alignment let pass; the published policy decides what that means")
    func strict() {
        let strict = WhatIfSettings(dkimMode: .strict, spfMode: .strict)
        func bySubdomain(_ fact: inout WhatIfFact) {
            fact.said.spf = true
        }
        #expect(outcome(strict) { bySubdomain(&$0) } == [.deliveredNow, .passesNow, .wouldFail])
        #expect(
            outcome(strict) {
                bySubdomain(&$0)
                $0.policy.p = "reject"
            } == [.deliveredNow, .passesNow, .wouldFail, .notDelivered])
        // Nothing changes for who publishes it already, whatever the raw results say.
        #expect(
            outcome(strict) {
                bySubdomain(&$0)
                $0.policy.aspf = "s"
            } == [.deliveredNow, .passesNow])
    }
}
