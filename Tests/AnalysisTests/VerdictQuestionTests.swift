import DMARC
import Testing

@testable import Advice
@testable import Organisations
@testable import Questions
@testable import Store

/// The questions about verdicts against answers that are worked out from the facts alone.
@Suite("Answers about verdicts equal brute force")
struct VerdictQuestionTests {
    private func sum(_ shares: [JudgedShare], where isWanted: (JudgedShare) -> Bool = { _ in true }) -> Int {
        shares.reduce(0) { $0 + (isWanted($1) ? $1.messages : 0) }
    }

    private func asking(_ judged: JudgedFacts, _ asked: BruteForceTests.Case) -> [JudgedShare] {
        judged.shares.filter { asked.includes($0.share.report) && asked.period.contains($0.share.day) && $0.messages > 0 }
    }

    private func isOwn(_ name: String?, _ domain: String) -> Bool {
        name.map { VerdictFacts.organisation(of: $0) == VerdictFacts.organisation(of: domain) } ?? false
    }

    /// The domain of the signature that made mail of `domain` pass, else of the first that verified, else of the first.
    private func shownSigner(_ set: AuthenticationSet, _ domain: String) -> String? {
        let verified = set.dkim.filter { $0.result == .pass }
        let chosen = verified.first { $0.domain == domain } ?? verified.first { isOwn($0.domain, domain) }
        return (chosen ?? verified.first ?? set.dkim.first)?.domain
    }

    /// The domain of the check that made mail of `domain` pass, else of the first.
    private func shownSender(_ set: AuthenticationSet, _ domain: String) -> String? {
        let senders = set.spf.filter { $0.scope != .helo }
        let passed = (senders.isEmpty ? set.spf : senders).filter { $0.result == .pass }
        return (passed.first { $0.domain == domain } ?? passed.first { isOwn($0.domain, domain) } ?? set.spf.first)?.domain
    }

    private func failed(_ shares: [JudgedShare], _ dispositions: Set<AppliedDisposition>) -> Int {
        sum(shares) { !$0.passed && dispositions.contains($0.share.record.disposition) }
    }

    private struct Key: Hashable {
        var source: IPAddress
        var domain: String
        var verdict: Verdict
    }

    @Test("sources", arguments: [31, 32] as [UInt64])
    func sources(seed: UInt64) throws {
        let judged = try JudgedFacts(seed: seed, reports: 60)
        var firstDays: [String: [IPAddress: Day]] = [:]
        for share in judged.shares {
            firstDays[share.domain, default: [:]][share.source] =
                min(firstDays[share.domain]?[share.source] ?? share.share.day, share.share.day)
        }
        var sawRow = false
        for asked in BruteForceTests.cases {
            let choices: [SourceList.Choice] = [
                .init(), .init(verdicts: [.spoofed, .authorized]), .init(isNew: true), .init(verdicts: [.forwarded], isNew: true),
            ]
            for choice in choices {
                let groups = Dictionary(grouping: asking(judged, asked)) {
                    Key(source: $0.source, domain: $0.domain, verdict: $0.verdict)
                }.filter { key, _ in
                    guard choice.verdicts.isEmpty || choice.verdicts.contains(key.verdict) else { return false }
                    guard choice.isNew else { return true }
                    return firstDays[key.domain]?[key.source].map { asked.period.contains($0) } ?? false
                }
                let ranked = groups.sorted { a, b in
                    let failures = (sum(a.value) { !$0.passed }, sum(b.value) { !$0.passed })
                    if failures.0 != failures.1 { return failures.0 > failures.1 }
                    if sum(a.value) != sum(b.value) { return sum(a.value) > sum(b.value) }
                    let texts = (a.key.source.description, b.key.source.description)
                    if texts.0 != texts.1 { return texts.0 < texts.1 }
                    return (a.key.domain, a.key.verdict.stored) < (b.key.domain, b.key.verdict.stored)
                }
                for limit in [nil, 1, 4] {
                    let answer = try SourceList.ask(judged.facts.store, asked.filter, choice, limit: limit)
                    #expect(answer.rows.count == min(limit ?? .max, ranked.count), "\(asked) \(choice)")
                    #expect(answer.count == ranked.count, "\(asked) \(choice)")
                    for (row, (key, shares)) in zip(answer.rows, ranked) {
                        sawRow = true
                        let set = judged.usualSet(shares)
                        #expect(
                            row
                                == SourceRow(
                                    source: key.source, domain: key.domain, messages: sum(shares), failed: sum(shares) { !$0.passed },
                                    verdict: key.verdict, conclusion: judged.conclusion(shares),
                                    spfDomain: shownSender(set, key.domain), dkimDomain: shownSigner(set, key.domain), service: nil,
                                    reporters: Set(shares.map(\.share.report.reporter)).count,
                                    firstDay: shares.map(\.share.day).min() ?? Day(0), lastDay: shares.map(\.share.day).max() ?? Day(0),
                                    delivered: failed(shares, [.none, .pass]), quarantined: failed(shares, [.quarantine]),
                                    rejected: failed(shares, [.reject]), spfPassed: sum(shares) { $0.share.record.spf },
                                    dkimPassed: sum(shares) { $0.share.record.dkim }), "\(asked) \(choice)")
                    }
                }
            }
        }
        #expect(sawRow)
    }

    private struct FromKey: Hashable {
        var source: IPAddress
        var domain: String
        var from: String
    }

    @Test("unaligned", arguments: [33, 34] as [UInt64])
    func unaligned(seed: UInt64) throws {
        let judged = try JudgedFacts(seed: seed, reports: 60)
        var seen: Set<ForeignProof> = []
        func foreign(_ share: JudgedShare) -> (spf: String?, dkim: String?) {
            func first(_ names: [String?]) -> String? { names.compactMap(\.self).first { !JudgedFacts.isOwn($0, of: share.headerFrom) } }
            return (
                first(share.set.spf.filter { $0.result == .pass }.map(\.domain)),
                first(share.set.dkim.filter { $0.result == .pass }.map(\.domain))
            )
        }
        for asked in BruteForceTests.cases {
            let everything = asking(judged, asked)
            for anyVerdict in [false, true] {
                let chosen = everything.filter { share in
                    let names = foreign(share)
                    return !share.passed && (anyVerdict || share.verdict == .unaligned) && (names.spf != nil || names.dkim != nil)
                }
                let groups = Dictionary(grouping: chosen) { FromKey(source: $0.source, domain: $0.domain, from: $0.headerFrom) }
                let ranked = groups.sorted { a, b in
                    if sum(a.value) != sum(b.value) { return sum(a.value) > sum(b.value) }
                    let texts = (a.key.source.description, b.key.source.description)
                    return texts.0 != texts.1 ? texts.0 < texts.1 : (a.key.domain, a.key.from) < (b.key.domain, b.key.from)
                }
                for limit in [nil, 3] {
                    let answer = try Unaligned.ask(judged.facts.store, asked.filter, anyVerdict: anyVerdict, limit: limit)
                    #expect(answer.count == ranked.count && answer.rows.count == min(limit ?? .max, ranked.count), "\(asked)")
                    for (row, (key, shares)) in zip(answer.rows, ranked) {
                        let votes = Dictionary(grouping: shares, by: \.verdict).mapValues { sum($0) }
                        let verdict = votes.sorted { ($1.value, $0.key.stored) < ($0.value, $1.key.stored) }.first?.key ?? .unknown
                        let set = judged.usualSet(shares)
                        let names = try foreign(#require(shares.first { $0.set == set }))
                        let proof: ForeignProof = names.dkim == nil ? .spf : names.spf == nil ? .dkim : .both
                        seen.insert(proof)
                        #expect(
                            row
                                == UnalignedRow(
                                    source: key.source, domain: key.domain, headerFrom: key.from,
                                    messages: sum(everything) {
                                        $0.source == key.source && $0.domain == key.domain && $0.headerFrom == key.from
                                    },
                                    failed: sum(shares), authenticatedAs: names.spf ?? names.dkim ?? "", proof: proof, service: nil,
                                    verdict: verdict, conclusion: judged.conclusion(shares.filter { $0.verdict == verdict }),
                                    reporters: Set(shares.map(\.share.report.reporter)).count,
                                    firstDay: shares.map(\.share.day).min() ?? Day(0), lastDay: shares.map(\.share.day).max() ?? Day(0),
                                    delivered: failed(shares, [.none, .pass]), quarantined: failed(shares, [.quarantine]),
                                    rejected: failed(shares, [.reject])), "\(asked)")
                    }
                }
            }
        }
        #expect(seen == Set(ForeignProof.allCases))
    }

    @Test("forwarding")
    func forwarding() throws {
        var homes: Set<String> = []
        for seed in [35, 36, 37, 38] as [UInt64] { try forwarding(seed, &homes) }
        #expect(homes == ["relay.example", "mail.example.org", "a.example"])
    }

    private func forwarding(_ seed: UInt64, _ homes: inout Set<String>) throws {
        let judged = try JudgedFacts(seed: seed, reports: 60)
        for asked in BruteForceTests.cases {
            let everything = asking(judged, asked)
            let groups = Dictionary(grouping: everything.filter { $0.verdict == .forwarded || $0.verdict == .mailingList }) {
                Key(source: $0.source, domain: $0.domain, verdict: .unknown)
            }
            let ranked = groups.sorted { a, b in
                let failures = (sum(a.value) { !$0.share.record.spf }, sum(b.value) { !$0.share.record.spf })
                if failures.0 != failures.1 { return failures.0 > failures.1 }
                if sum(a.value) != sum(b.value) { return sum(a.value) > sum(b.value) }
                let texts = (a.key.source.description, b.key.source.description)
                return texts.0 != texts.1 ? texts.0 < texts.1 : a.key.domain < b.key.domain
            }
            for limit in [nil, 2] {
                let answer = try Forwarding.ask(judged.facts.store, asked.filter, limit: limit)
                #expect(answer.count == ranked.count && answer.rows.count == min(limit ?? .max, ranked.count), "\(asked)")
                #expect(answer.explained == ranked.reduce(0) { $0 + sum($1.value) { !$0.share.record.spf } })
                #expect(answer.spfFailed == sum(everything) { !$0.share.record.spf })
                for (row, (key, shares)) in zip(answer.rows, ranked) {
                    let set = judged.usualSet(shares)
                    let signature = usualSignature(shares, key.domain)
                    let places = JudgedFacts.places.filter {
                        $0.domain == signature?.domain && $0.selector == signature?.selector && $0.policy == key.domain && $0.verified == 1
                    }
                    let best = places.map { ($0.messages, $0.beside ?? key.domain) }.sorted { ($1.0, $0.1) < ($0.0, $1.1) }.first
                    if let best { homes.insert(best.1) }
                    let forwarded = sum(shares) { $0.verdict == .forwarded }
                    #expect(
                        row
                            == ForwardingRow(
                                source: key.source, domain: key.domain, messages: sum(shares),
                                spfFailed: sum(shares) { !$0.share.record.spf },
                                dkimSurvived: sum(shares) { !$0.share.record.spf && $0.share.record.dkim },
                                failed: sum(shares) { !$0.passed }, spfDomain: set.spf.first?.domain, spfResult: set.spf.first?.result,
                                selector: signature?.selector, home: best?.1, service: nil,
                                verdict: forwarded >= sum(shares) - forwarded ? .forwarded : .mailingList,
                                conclusion: judged.conclusion(shares), reporters: Set(shares.map(\.share.report.reporter)).count,
                                firstDay: shares.map(\.share.day).min() ?? Day(0), lastDay: shares.map(\.share.day).max() ?? Day(0)),
                        "\(asked)")
                }
            }
        }
    }

    private struct Signature: Hashable {
        var domain: String
        var selector: String
    }

    private func usualSignature(_ shares: [JudgedShare], _ domain: String) -> Signature? {
        var votes: [Signature: Int] = [:]
        for share in shares {
            let own = share.set.dkim.filter { $0.domain.map { JudgedFacts.isOwn($0, of: domain) } ?? false }
            guard let signature = own.first(where: { $0.result == .pass }) ?? own.first, let name = signature.domain else { continue }
            votes[Signature(domain: name, selector: signature.selector ?? ""), default: 0] += share.messages
        }
        return votes.sorted { ($1.value, $0.key.selector, $0.key.domain) < ($0.value, $1.key.selector, $1.key.domain) }.first?.key
    }

    @Test("the verdict in top failures", arguments: [37, 38] as [UInt64])
    func topFailures(seed: UInt64) throws {
        let judged = try JudgedFacts(seed: seed, reports: 60)
        for asked in BruteForceTests.cases {
            let failures = asking(judged, asked).filter { !$0.passed }
            for row in try TopFailures.ask(judged.facts.store, asked.filter, limit: nil).rows {
                let shares = failures.filter { $0.source == row.source && $0.domain == row.domain }
                let votes = Dictionary(grouping: shares, by: \.verdict).mapValues { sum($0) }
                let verdict = votes.sorted { ($1.value, $0.key.stored) < ($0.value, $1.key.stored) }.first?.key
                #expect(row.verdict == verdict && row.failed == sum(shares), "\(asked)")
                #expect(row.conclusion == judged.conclusion(shares.filter { $0.verdict == verdict }), "\(asked)")
            }
        }
    }

    @Test("the pass rate without forwarding", arguments: [39, 40] as [UInt64])
    func withoutForwarding(seed: UInt64) throws {
        let judged = try JudgedFacts(seed: seed, reports: 60)
        func rate(_ shares: [JudgedShare]) -> Double? {
            let direct = shares.filter { $0.verdict != .forwarded && $0.verdict != .mailingList }
            return sum(direct) == 0 ? nil : Double(sum(direct) { $0.passed }) / Double(sum(direct))
        }
        for asked in BruteForceTests.cases {
            let everything = asking(judged, asked)
            let summary = try Summary.ask(judged.facts.store, asked.filter)
            #expect(summary.total.passRateWithoutForwarding == rate(everything), "\(asked)")
            for row in summary.rows {
                #expect(row.passRateWithoutForwarding == rate(everything.filter { $0.domain == row.domain }), "\(asked)")
            }
            for size in BucketSize.allCases {
                for row in try Trend.ask(judged.facts.store, asked.filter, by: size).rows {
                    #expect(row.passRateWithoutForwarding == rate(everything.filter { row.days.contains($0.share.day) }), "\(asked)")
                }
            }
        }
    }

    @Test("before the first verdicts there is no rate without forwarding")
    func noVerdicts() throws {
        let facts = try FactsFixture(seed: 3, reports: 20)
        let summary = try Summary.ask(facts.store, Filter(today: FactsFixture.today))
        #expect(summary.total.passRate != nil && summary.total.passRateWithoutForwarding == nil)
    }

    @Test("the code of the advice")
    func advice() {
        func code(_ verdict: Verdict, _ notes: VerdictNotes = [], _ kind: ServiceKind? = nil, _ delivered: Int = 0) -> String {
            Advice.code(verdict: verdict, notes: notes, service: kind, delivered: delivered)
        }
        #expect(code(.authorized).isEmpty && code(.dkimOnly).isEmpty && code(.unknown).isEmpty)
        #expect(code(.authorized, .dkimMissing) == "B1" && code(.authorized, .dkimBroken) == "B2")
        #expect(code(.authorized, .temporaryErrors).isEmpty)
        #expect(code(.forwarded, .gateway) == "A1" && code(.mailingList) == "A2" && code(.misconfigured) == "M1")
        #expect(code(.unaligned, [], .bulkSender) == "C1" && code(.unaligned) == "C1" && code(.unaligned, [], .hosting) == "C3")
        #expect(code(.spoofed, [], nil, 1) == "D1" && code(.spoofed) == "D2")
    }
}
