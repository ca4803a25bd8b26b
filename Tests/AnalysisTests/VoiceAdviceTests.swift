import DMARC
import Testing

@testable import Advice

/// What forged reports can do to advice, in a database: nothing but noise.
@Suite("Advice by voices")
struct VoiceAdviceTests {
    typealias Mail = VoiceFixture.Mail

    /// Two witnesses that report two months of a domain in good order.
    private func healthy(standing: Int = 2, _ more: [Mail] = []) throws -> VoiceFixture {
        let fixture = try VoiceFixture()
        for voice in ["google.com", "outlook.com"] {
            try fixture.voice(voice, standing: standing)
            try fixture.report(0...59, of: voice, [.own()] + more)
        }
        return fixture
    }

    private func blockers(_ fixture: VoiceFixture) throws -> [String] {
        try #require(try fixture.finding(.readiness)).words("blockers")
    }

    @Test("two witnesses make a domain ready, a young store or newcomers do not")
    func standing() throws {
        #expect(try blockers(healthy()).isEmpty)
        #expect(try blockers(healthy(standing: 1)) == ["thin", "one-reporter"])
        #expect(try blockers(healthy(standing: 0)) == ["thin", "one-reporter"])
    }

    @Test("names are no voices: two names of one voice are one, and sybils of one domain stay one")
    func sybils() throws {
        let fixture = try VoiceFixture()
        try fixture.voice("sybil.example", standing: 2)
        for name in ["google.com", "Enterprise Outlook", "Yahoo", "sybil.example"] {
            try fixture.report(0...59, of: "sybil.example", as: name, [.own()])
        }
        #expect(try blockers(fixture) == ["one-reporter"])
        #expect(try fixture.finding(.readiness)?.count("reporters") == 1)
    }

    @Test("a newcomer's count of a thousand million is said, and decides nothing", arguments: [nil, 1] as [Int?])
    func newcomer(authenticity: Int?) throws {
        let fixture = try healthy()
        try fixture.report(
            5...5, of: "new.example", isHeard: false, authenticity: authenticity,
            [.service(1_000_000_000), .stranger(7, from: "shop.example.org")])
        let advice = try #require(try fixture.advice())
        #expect(advice.newcomers == 1 && advice.newcomerMessages == 1_000_000_007 && advice.unverifiedMessages == 0)
        #expect(advice.messages == 6_000 && advice.reports == 60)
        #expect(advice.findings.map(\.code) == [.readiness] && advice.findings[0].flag("ready"))
        #expect(advice.outliers.map(\.messages) == [1_000_000_007] && advice.outliers[0].others == 6_000)
    }

    @Test("what was checked and is not verified is not a newcomer's")
    func unverified() throws {
        let fixture = try healthy()
        try fixture.report(5...5, of: "new.example", isHeard: false, authenticity: 0, [.service(500)])
        let advice = try #require(try fixture.advice())
        #expect(advice.newcomers == 0 && advice.unverifiedMessages == 500 && advice.findings[0].flag("ready"))
    }

    @Test("a domain that only newcomers report about is shown, with nothing concluded")
    func onlyNewcomers() throws {
        let fixture = try VoiceFixture()
        try fixture.report(0...3, of: "new.example", isHeard: false, [.missing(50)])
        let advice = try #require(try fixture.advice())
        #expect(advice.findings.isEmpty && advice.newcomers == 1 && advice.newcomerMessages == 200 && advice.messages == 0)
    }

    @Test("what came after the last refresh is not heard before anybody looked whose word it is")
    func afterRefresh() throws {
        let fixture = try healthy()
        try fixture.execute("UPDATE verdict_state SET report_id = (SELECT max(id) FROM reports)")
        try fixture.report(0...0, of: "new.example", [.service(5_000)])
        let advice = try #require(try fixture.advice())
        #expect(advice.messages == 6_000 && advice.findings.map(\.code) == [.readiness])
    }

    // MARK: - DNS lines

    /// Three reporters over 45 days: the server falls out of SPF after 22.
    private func fallen(
        standing: [Int] = [2, 2, 2], passDays: ClosedRange<Int> = 23...44, passArrived: Int? = nil, passes: Bool = true,
        failArrived: Int? = nil, signed: Bool = false
    ) throws -> VoiceFixture {
        let fixture = try VoiceFixture()
        for (voice, standing) in zip(["google.com", "outlook.com", "yahoo.com"], standing) {
            try fixture.voice(voice, standing: standing)
            if passes { try fixture.report(passDays, of: voice, arrived: passArrived, [.own(), .own(40, source: 20)]) }
            try fixture.report(0...22, of: voice, arrived: failArrived, [.own(), .missing(40, signed: signed)])
        }
        return fixture
    }

    @Test("an honest server that fell out of SPF half-way keeps its line")
    func halfWay() throws {
        let finding = try #require(try fallen().finding(.missingServer))
        #expect(finding.severity == .act && finding.confidence == 0.95 && finding.flag("proven"))
        #expect(finding.dns == [DNSChange(.insert, "example.org", "TXT", "ip4:192.0.2.20")])
        #expect(try fallen(standing: [2, 2, 0]).finding(.missingServer)?.dns.count == 1, "two witnesses are enough")
    }

    @Test("without two witnesses on seven days, or while its signature carries it, it is a question")
    func question() throws {
        #expect(try fallen(standing: [2, 1, 0]).finding(.missingServer)?.dns == [])
        #expect(try fallen(standing: [1, 1, 1]).finding(.missingServer)?.severity == .watch)
        #expect(try fallen(passes: false).finding(.missingServer)?.dns == [], "it never passed")
        #expect(try fallen(passDays: 23...28).finding(.missingServer)?.dns == [], "six days")
        #expect(try fallen(passDays: 23...29).finding(.missingServer)?.dns.count == 1, "seven days")
        #expect(try fallen(signed: true).finding(.missingServer)?.dns == [], "it passes by its signature")
    }

    @Test("what arrived in the last three days is no ground for trust, whatever days it is about")
    func lastDays() throws {
        for days in 0...2 {
            #expect(try fallen(passArrived: days).finding(.missingServer)?.dns == [])
            #expect(try fallen(failArrived: days).finding(.missingServer)?.severity == .watch)
        }
        #expect(try fallen(passArrived: 3, failArrived: 3).finding(.missingServer)?.dns.count == 1)
    }

    @Test("what one voice saw pass is not proven by what others saw fail")
    func oneSawItPass() throws {
        let fixture = try VoiceFixture()
        for voice in ["google.com", "outlook.com", "liar.example"] {
            try fixture.voice(voice, standing: 2)
            try fixture.report(23...44, of: voice, [.own()] + (voice == "liar.example" ? [.own(40, source: 20)] : []))
            try fixture.report(0...22, of: voice, [.own(), .missing(40)])
        }
        #expect(try fixture.finding(.missingServer)?.dns == [])
    }

    @Test("two voices that came late, of five, print no line, however old the days are that they tell of")
    func fewOfMany() throws {
        let fixture = try VoiceFixture()
        for voice in ["google.com", "outlook.com", "yahoo.com"] {
            try fixture.voice(voice, standing: 2)
            try fixture.report(0...44, of: voice, [.own()])
        }
        for voice in ["liar.example", "friend.example"] {
            try fixture.voice(voice, standing: 2)
            try fixture.report(3...20, of: voice, [.own(), .missing(40)])
            try fixture.report(21...60, of: voice, arrived: 5, [.own(40, source: 20)])
        }
        let finding = try #require(try fixture.finding(.missingServer))
        #expect(finding.dns == [] && !finding.flag("proven"))
        #expect(finding.subjects == ["192.0.2.20"], "it is asked about")
    }

    // MARK: - Weight

    @Test("dilution: one count of a thousand million by a witness makes nobody ready")
    func dilution() throws {
        let fixture = try healthy([.missing(3)])
        #expect(try blockers(fixture) == ["misconfigured"])
        try fixture.voice("liar.example", standing: 2)
        try fixture.report(10...59, of: "liar.example", [.own(5)])
        try fixture.report(9...9, of: "liar.example", [.own(1_000_000_000)])
        var finding = try #require(try fixture.finding(.readiness))
        #expect(finding.words("blockers") == ["misconfigured"] && finding.flag("bounded"))
        #expect(finding.count("known_messages") > 1_000_000_000, "what is shown stays exact")
        #expect(try fixture.advice()?.outliers.map(\.reporter) == ["liar.example"])
        // Day after day it is no outlier any more, but still one voice.
        try fixture.report(0...8, of: "liar.example", [.own(1_000_000_000)])
        finding = try #require(try fixture.finding(.readiness))
        #expect(finding.words("blockers") == ["misconfigured"])
    }

    @Test("blocking: one count of a thousand million that nobody else confirms is not in the way")
    func blocking() throws {
        let fixture = try healthy()
        try fixture.voice("liar.example", standing: 2)
        try fixture.report(10...59, of: "liar.example", [.own(50)])
        try fixture.report(9...9, of: "liar.example", [.service(1_000_000_000)])
        let finding = try #require(try fixture.finding(.readiness))
        #expect(finding.flag("ready") && finding.flag("bounded"))
        #expect(try fixture.advice()?.outliers.count == 1)
        // What a witness sees day after day is.
        try fixture.report(0...8, of: "liar.example", [.own(50), .service(50)])
        #expect(try blockers(fixture) == ["unaligned", "one-witness"])
    }

    @Test("a broken selector and an SPF error stay in the way however many messages one voice adds")
    func selectors() throws {
        let fixture = try healthy()
        try fixture.execute(
            "UPDATE authentication_results SET result = iif(method = 'dkim', 'fail', 'permerror') WHERE set_id = 4")
        var broken = Mail.own(20)
        broken.set = 4
        for voice in ["google.com", "outlook.com"] { try fixture.report(0...29, of: voice, [broken]) }
        #expect(try blockers(fixture) == ["dkim-broken", "spf-error"])
        try fixture.voice("liar.example", standing: 2)
        try fixture.report(0...59, of: "liar.example", [.own(1_000_000)])
        #expect(try blockers(fixture) == ["dkim-broken", "spf-error"])
        #expect(try fixture.finding(.brokenSignature)?.count("passed") == 30_006_000, "what is shown stays exact")
        #expect(try fixture.finding(.brokenSignature)?.messages == 1_200 && fixture.finding(.spfError)?.messages == 1_200)
    }

    @Test("a sender above the share that one witness alone sees is in the way")
    func lonely() throws {
        let fixture = try healthy()
        try fixture.report(0...29, of: "google.com", [.own(9, source: 77)])
        #expect(try blockers(fixture) == ["one-witness"])
        try fixture.report(0...0, of: "outlook.com", [.own(1, source: 77)])
        #expect(try blockers(fixture).isEmpty)
    }

    @Test("names below the domain that one witness alone mentions close nothing; seen by two they do")
    func subdomains() throws {
        let fixture = try healthy()
        try fixture.voice("liar.example", standing: 2)
        try fixture.report(0...59, of: "liar.example", [.own(5), .stranger(9, from: "invented.example.org")])
        #expect(try fixture.finding(.spoofedSubdomain)?.severity == .watch)
        #expect(try fixture.finding(.spoofedSubdomain)?.dns == [])
        try fixture.report(0...0, of: "google.com", [.stranger(1, from: "invented.example.org")])
        #expect(try fixture.finding(.spoofedSubdomain)?.severity == .act)
    }

    @Test("a parked domain is closed on the word of two witnesses, and a forged pass of a newcomer does not keep it open")
    func parked() throws {
        func parked(standing: Int) throws -> VoiceFixture {
            let fixture = try VoiceFixture()
            for voice in ["google.com", "outlook.com"] {
                try fixture.voice(voice, standing: standing)
                try fixture.report(0...64, of: voice, [.stranger(2)])
            }
            return fixture
        }
        let fixture = try parked(standing: 2)
        #expect(try fixture.finding(.parked)?.severity == .act)
        try fixture.report(3...3, of: "new.example", isHeard: false, [.own(5)])
        #expect(try fixture.finding(.parked)?.severity == .act && fixture.finding(.parked)?.dns.count == 4)
        #expect(try parked(standing: 1).finding(.parked)?.severity == .watch)
    }
}
