import DMARC
import Doctor
import Foundation
import GRDB
import Organisations
import Questions
import Store
import Testing

@testable import Ingest

/// Two reports with one identity, of which one may be a stranger's (docs/decisions/0005-conflicts.md).
@Suite("Conflicts between senders")
struct ConflictTests {
    private static let now = 1_790_000_000
    /// The window of `Written`.
    private static let end = Written().end

    /// A report and how it came.
    struct Copy: Sendable {
        var reporter = "receiver.example"
        var email = "dmarc@receiver.example"
        /// Domain in From; nil: a file that came in no mail.
        var from: String? = "receiver.example"
        /// What the own server found out.
        var dmarc = "pass"
        /// Where the messages it speaks of came from, and how many.
        var records = [("192.0.2.1", 5)]
        var received: Int? = ConflictTests.end + 3600
        /// By how many days its window lies later than usual.
        var day = 0

        var text: String {
            var written = Written()
            written.reporter = reporter
            written.begin += day * 86400
            written.end += day * 86400
            written.records = records.map { ($0.0, $0.1, true, true) }
            let report = written.text.replacing("a@reporter.example", with: email)
            guard let from else { return report }
            return """
                Authentication-Results: mx.example.nl; dmarc=\(dmarc) header.from=\(from)
                \(received.map { "Received: from x by mx.example.nl; \(ConflictTests.date($0))\n" } ?? "")From: reports <d@\(from)>
                Date: \(ConflictTests.date(ConflictTests.end + 1800))
                MIME-Version: 1.0
                Content-Type: text/xml; name="r.xml"

                \(report)
                """
        }
    }

    private static func date(_ seconds: Int) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "EEE, d MMM yyyy HH:mm:ss '+0000'"
        return formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds)))
    }

    private static let lie = [("203.0.113.66", 7)]
    private static let superset = [("192.0.2.1", 5), ("203.0.113.66", 7)]
    private static let real = ["192.0.2.1 5"]
    private static let both = ["192.0.2.1 5", "203.0.113.66 7"]

    private static func options(trusting: Bool, _ domains: OwnDomains = OwnDomains()) -> IngestOptions {
        var options = IngestOptions(now: now) {
            guard let suffixes = PublicSuffixes() else { return { $0 } }
            return { suffixes.organisation(of: $0) }
        }
        if trusting { options.trustedServers = ["mx.example.nl"] }
        options.ownDomains = domains
        return options
    }

    private static func ingest(_ copies: [Copy], into store: ReportStore, _ options: IngestOptions) throws {
        for copy in copies {
            let folder = try TemporaryFolder()
            try folder.write("1", copy.text)
            let tally = try Ingest(store: store, options: options).run(path: folder.path)
            #expect(tally.refusals.isEmpty && tally.documents.seen == 1)
        }
    }

    /// What is counted: sources and their messages.
    private static func counted(_ store: ReportStore) throws -> [String] {
        #expect(try store.figures() == store.recomputedFigures())
        #expect(try DatabaseCheck().run(store).allSatisfy(\.isFine))
        return try store.reader.read { db in
            try Row.fetchAll(db, sql: "SELECT source, sum(messages) FROM records WHERE counted_as < 2 GROUP BY 1 ORDER BY 1").map { row in
                try #require(row.withUnsafeData(atIndex: 0) { data in data?.withUnsafeBytes { IPAddress(bytes: $0) } }).description + " "
                    + (row[1] as Int).description
            }
        }
    }

    /// What is counted after `copies` came in this order; reading everything again changes nothing of it.
    private static func outcome(_ copies: [Copy], trusting: Bool, _ domains: OwnDomains = OwnDomains()) throws -> [String] {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let options = options(trusting: trusting, domains)
        try ingest(copies, into: store, options)
        let found = try counted(store)
        let senders = "SELECT group_concat(coalesce(voice_id, '-') || ' ' || coalesce(arrived_utc, '-') || ' ' || sender_rank) FROM reports"
        let before = try store.reader.read { try String.fetchOne($0, sql: senders) }
        try store.update { try $0.execute(sql: "UPDATE reports SET generator = 'of an older parser'") }
        let again = try Reprocess(store: store, options: options).run(ReportSelection(), isDryRun: false)
        #expect(again.changed == copies.count - again.duplicate)
        #expect(try counted(store) == found)
        #expect(try store.reader.read { try String.fetchOne($0, sql: senders) } == before)
        return found
    }

    /// Two copies, and what counts of them in whatever order they come.
    struct Situation: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var isTrusting: Bool
        var copies: [Copy]
        var counted: [String]

        init(_ description: String, trusting: Bool, _ real: Copy, _ other: Copy, _ counted: [String]) {
            testDescription = description
            isTrusting = trusting
            copies = [real, other]
            self.counted = counted
        }
    }

    static let situations: [Situation] = {
        let google = Copy(reporter: "google.com", email: "noreply-dmarc-support@google.com", from: "google.com")
        let outlook = Copy(reporter: "Enterprise Outlook", email: "dmarcreport@microsoft.com", from: "microsoft.com")
        let named = Copy(reporter: "Receiver Inc.")
        let gateway = Copy(reporter: "customer.example", email: "x@esa1.gateway.example", from: "esa1.gateway.example")
        let poor = Copy(dmarc: "none")
        func forged(_ copy: Copy, from: String? = nil, email: String? = nil, _ dmarc: String? = nil, _ records: [(String, Int)] = lie)
            -> Copy
        {
            var copy = copy
            if let from { copy.from = from }
            if let email { copy.email = email }
            if let dmarc { copy.dmarc = dmarc }
            copy.records = records
            return copy
        }
        let evil = "evil.example"
        let address = "x@evil.example"
        var file = google
        file.from = nil
        return [
            Situation("verified, unverified", trusting: true, google, forged(google, "fail"), real),
            Situation("verified, unverified superset", trusting: true, google, forged(google, "fail", superset), real),
            Situation("verified, mismatch", trusting: true, google, forged(google, from: evil), real),
            Situation("verified, mismatch that names himself", trusting: true, google, forged(google, from: evil, email: address), real),
            Situation("verified, mismatch superset", trusting: true, google, forged(google, from: evil, "pass", superset), real),
            Situation("verified, somebody not known", trusting: true, Copy(), forged(Copy(), from: evil), real),
            Situation("verified, as if a gateway", trusting: true, Copy(), forged(Copy(), from: evil, email: address), real),
            Situation("verified, mismatch by a name", trusting: true, outlook, forged(outlook, from: evil, email: address), real),
            Situation("two verified voices of one name", trusting: true, named, forged(named, from: evil, email: address), both),
            Situation(
                "a superset of another voice", trusting: true, named, forged(named, from: evil, email: address, "pass", superset),
                [
                    "192.0.2.1 10", "203.0.113.66 7",
                ]),
            Situation("one name, mismatch", trusting: true, named, forged(named, from: evil, "none"), real),
            Situation("one name, authentic", trusting: true, named, forged(named, from: evil), both),
            Situation("a gateway, another one", trusting: true, gateway, forged(gateway, from: evil, email: address), both),
            Situation("a gateway, in its name", trusting: true, gateway, forged(gateway, "fail"), real),
            Situation("a gateway, a superset in its name", trusting: true, gateway, forged(gateway, "fail", superset), real),
            Situation("nothing vouches for either", trusting: true, poor, forged(poor), both),
            Situation("nothing vouches for a superset", trusting: true, poor, forged(poor, nil, superset), both),
            Situation("a file, a mismatch", trusting: true, file, forged(google, from: evil), real),
            Situation("a file, unverified", trusting: true, file, forged(google, "fail"), real),
            Situation(
                "two mismatches", trusting: true, forged(google, from: "list.example", "pass", [("192.0.2.1", 5)]),
                forged(google, from: evil), both),
            Situation("unchecked, mismatch", trusting: false, google, forged(google, from: evil), real),
            Situation("unchecked, mismatch that names himself", trusting: false, google, forged(google, from: evil, email: address), real),
            Situation("unchecked, mismatch superset", trusting: false, google, forged(google, from: evil, nil, superset), real),
            Situation("unchecked, from elsewhere", trusting: false, Copy(), forged(Copy(), from: evil), real),
            Situation("unchecked, as if a gateway", trusting: false, Copy(), forged(Copy(), from: evil, email: address), real),
            Situation("unchecked, mismatch by a name", trusting: false, outlook, forged(outlook, from: evil, email: address), real),
            Situation("unchecked, two voices of one name", trusting: false, named, forged(named, from: evil, email: address), both),
            Situation("unchecked gateways", trusting: false, gateway, forged(gateway, from: evil, email: address), both),
            Situation("an unchecked file, a mismatch", trusting: false, file, forged(google, from: evil), real),
            Situation(
                "an unchecked customer of a provider", trusting: false,
                Copy(reporter: "Mail.Ru", email: "d@corp.mail.ru", from: "corp.mail.ru"),
                Copy(reporter: "Mail.Ru", email: "d@corp.mail.ru", from: "mail.ru", records: lie), real),
        ]
    }()

    @Test("nobody who is worth less takes a report out of the figures, whoever comes first", arguments: situations)
    func rank(_ situation: Situation) throws {
        let domain = OwnDomains(["example.nl"])
        for copies in [situation.copies, situation.copies.reversed()] {
            #expect(try Self.outcome(copies, trusting: situation.isTrusting) == situation.counted)
            #expect(try Self.outcome(copies, trusting: situation.isTrusting, domain) == situation.counted)
            #expect(try Self.outcome(copies, trusting: situation.isTrusting, OwnDomains(["other.example"])) == [])
        }
    }

    @Test("reports about a domain that becomes an own one are settled in the same way", arguments: situations)
    func adopted(_ situation: Situation) throws {
        for copies in [situation.copies, situation.copies.reversed()] {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            try Self.ingest(copies, into: store, Self.options(trusting: situation.isTrusting, OwnDomains(["other.example"])))
            let options = Self.options(trusting: situation.isTrusting)
            try store.write { writer in
                writer.giver = options.givers()
                try writer.adopt(options.ownDomains)
            }
            #expect(try Self.counted(store) == situation.counted)
        }
    }

    @Test("what was stored before ranks and voices were noted contends by what is known of it")
    func older() throws {
        let named = Copy(reporter: "Receiver Inc.")
        func forged(_ copy: Copy, from: String? = nil, _ dmarc: String = "pass") -> Copy {
            var copy = copy
            copy.from = from ?? copy.from
            copy.email = from.map { "x@" + $0 } ?? copy.email
            copy.dmarc = dmarc
            copy.records = Self.lie
            return copy
        }
        let lies = ["203.0.113.66 7"]
        let cases: [(old: Copy, new: Copy, trusting: Bool, counted: [String])] = [
            (Copy(), forged(Copy(), "fail"), true, Self.real), (forged(Copy(), "fail"), Copy(), true, Self.real),
            (Copy(), forged(Copy(), from: "evil.example"), true, Self.real),
            (forged(Copy(), from: "evil.example"), Copy(), true, Self.real),
            (Copy(), forged(Copy(), from: "evil.example"), false, Self.real),
            // Nobody knows any more whose mail that was: both have the benefit of the doubt.
            (forged(Copy(), from: "evil.example"), Copy(), false, Self.both),
            (named, forged(named, from: "evil.example"), false, Self.both), (forged(named, from: "evil.example"), named, false, Self.both),
            (Copy(), forged(Copy()), false, Self.real), (forged(Copy()), Copy(), false, lies),
            (Copy(from: nil), forged(Copy()), false, Self.real), (forged(Copy()), Copy(from: nil), false, lies),
        ]
        for (number, (old, new, isTrusting, expected)) in cases.enumerated() {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            let options = Self.options(trusting: isTrusting)
            try Self.ingest([old], into: store, options)
            try store.update { try $0.execute(sql: "UPDATE reports SET voice_id = NULL, arrived_utc = NULL, sender_rank = NULL") }
            try Self.ingest([new], into: store, options)
            #expect(try Self.counted(store) == expected, "\(number)")
        }
    }

    @Test("inside one voice a superset counts, else the first", arguments: [true, false])
    func oneVoice(isTrusting: Bool) throws {
        for reporter in ["receiver.example", "Receiver Inc."] {
            let first = Copy(reporter: reporter)
            var other = first
            other.records = Self.lie
            var larger = first
            larger.records = Self.superset
            #expect(try Self.outcome([first, other], trusting: isTrusting) == Self.real)
            #expect(try Self.outcome([other, first], trusting: isTrusting) == ["203.0.113.66 7"])
            #expect(try Self.outcome([first, larger], trusting: isTrusting) == Self.both)
            #expect(try Self.outcome([larger, first], trusting: isTrusting) == Self.both)
            #expect(try Self.outcome([larger, first, other], trusting: isTrusting) == Self.both)
        }
    }

    @Test("one and the same content is a duplicate, whoever sends it; the best of its mails counts")
    func duplicates() throws {
        let named = Copy(reporter: "Receiver Inc.")
        var other = named
        other.from = "evil.example"
        other.email = "dmarc@receiver.example"
        for copies in [[named, other], [other, named]] {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            try Self.ingest(copies, into: store, Self.options(trusting: true))
            #expect(try Self.counted(store) == Self.real)
            #expect(try Self.senders(store) == ["verified receiver.example receiver.example 4 \(Self.end + 3600)"])
        }
        // It let a forgery stand beside it until it was verified.
        var poor = Copy(dmarc: "none")
        var forged = poor
        forged.records = Self.lie
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        try Self.ingest([poor, forged], into: store, Self.options(trusting: true))
        #expect(try Self.counted(store) == Self.both)
        poor.dmarc = "pass"
        try Self.ingest([poor], into: store, Self.options(trusting: true))
        #expect(try Self.counted(store) == Self.real)
    }

    // MARK: - Who and when

    /// Word, domain in From, voice, rank and arrival of each report.
    private static func senders(_ store: ReportStore) throws -> [String] {
        try store.reader.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT authenticity, mail_from_domain, n.name, sender_rank, arrived_utc
                    FROM reports p LEFT JOIN names n ON n.id = p.voice_id ORDER BY p.id
                    """
            ).map { row in
                let authenticity = (row[0] as Int?).flatMap(Authenticity.init)?.word ?? "unchecked"
                func text(_ index: Int) -> String { row[index].map { (value: any DatabaseValueConvertible) in "\(value)" } ?? "-" }
                return [authenticity, text(1), text(2), text(3), text(4)].joined(separator: " ")
            }
        }
    }

    @Test(
        "each report has its voice and its rank",
        arguments: [
            (Copy(), true, "verified receiver.example receiver.example 4"),
            (Copy(), false, "unchecked receiver.example receiver.example 3"),
            (Copy(from: "mail.receiver.example"), false, "unchecked mail.receiver.example receiver.example 3"),
            (Copy(dmarc: "fail"), true, "unverified receiver.example receiver.example 1"),
            (Copy(from: "evil.example"), true, "mismatch evil.example - 0"),
            (Copy(from: "evil.example"), false, "unchecked evil.example evil.example 2"),
            (Copy(email: "x@evil.example", from: "evil.example"), true, "unverified evil.example evil.example 2"),
            (Copy(reporter: "google.com", from: "evil.example"), false, "mismatch evil.example - 0"),
            (Copy(reporter: "google.com", email: "x@evil.example", from: "evil.example"), true, "mismatch evil.example - 0"),
            // A group of the owner's that puts itself into From.
            (
                Copy(reporter: "google.com", email: "x@google.com", from: "lists.example.nl"), false,
                "unchecked lists.example.nl example.nl 2"
            ),
            (Copy(reporter: "google.com", email: "x@google.com", from: "lists.example.nl"), true, "mismatch lists.example.nl - 0"),
            (Copy(reporter: "Enterprise Outlook", from: "microsoft.com"), true, "verified microsoft.com microsoft.com 4"),
            (Copy(reporter: "Outlook.com", from: "microsoft.com"), false, "unchecked microsoft.com microsoft.com 3"),
            (Copy(reporter: "Outlook.com", from: "outlook.com"), false, "unchecked outlook.com outlook.com 2"),
            (Copy(reporter: "Outlook.com", from: "outlook.com"), true, "unverified outlook.com outlook.com 2"),
            (Copy(reporter: "Receiver Inc.", email: "none"), false, "unchecked receiver.example receiver.example 3"),
            (Copy(from: nil), true, "unverified - receiver.example 3"), (Copy(from: nil), false, "unchecked - receiver.example 3"),
            (Copy(reporter: "google.com", from: nil), false, "unchecked - receiver.example 3"),
            (Copy(reporter: "Receiver Inc.", email: "none", from: nil), false, "unchecked -  3"),
        ] as [(Copy, Bool, String)])
    func stored(_ copy: Copy, _ isTrusting: Bool, _ expected: String) throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        try Self.ingest([copy], into: store, Self.options(trusting: isTrusting))
        let arrived = copy.from == nil ? "-" : "\(Self.end + 3600)"
        #expect(try Self.senders(store) == ["\(expected) \(arrived)"])
        let read = try Self.read(copy, isTrusting)
        #expect(
            read.voice
                == (expected.contains(" - 0") ? nil : expected.split(separator: " ", omittingEmptySubsequences: false)[2]).map(String.init))
    }

    /// The same without a database, as `show` does it.
    private static func read(_ copy: Copy, _ isTrusting: Bool) throws -> ReportSender {
        let folder = try TemporaryFolder()
        return try #require(
            readReports(path: folder.write("1", copy.text), options: options(trusting: isTrusting)).first { $0.report != nil }?.sender)
    }

    @Test("a report in a message inside a mail is passed on by the mail's author, who speaks for himself")
    func passedOn() throws {
        let inner = Copy(reporter: "google.com", email: "x@google.com", from: "google.com").text
        let text = """
            From: colleague@example.nl
            Date: \(Self.date(Self.end + 7200))
            MIME-Version: 1.0
            Content-Type: message/rfc822

            \(inner)
            """
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let folder = try TemporaryFolder()
        try folder.write("1", text)
        _ = try Ingest(store: store, options: Self.options(trusting: false)).run(path: folder.path)
        #expect(try Self.senders(store) == ["unchecked example.nl example.nl 2 \(Self.end + 7200)"])
    }

    @Test("the own server says when a mail arrived, else the mailbox, else the mail; never later than now, nor before its report's window")
    func arrival() throws {
        let (delivered, received, dated) = (Self.end + 7200, Self.end + 3600, Self.end + 1800)
        func arrived(_ trusting: Bool, name: String = "\(delivered).M1P1.host", received: Int? = received) throws -> String {
            let folder = try TemporaryFolder()
            for box in ["cur", "tmp"] {
                try FileManager.default.createDirectory(atPath: folder.path + "/" + box, withIntermediateDirectories: true)
            }
            var copy = Copy()
            copy.received = received
            try folder.write("new/" + name, copy.text)
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            _ = try Ingest(store: store, options: Self.options(trusting: trusting)).run(path: folder.path)
            return try Self.senders(store).map { String($0.split(separator: " ").last ?? "") }.joined()
        }
        #expect(try arrived(true) == "\(received)")
        #expect(try arrived(false) == "\(delivered)")
        #expect(try arrived(true, received: nil) == "\(delivered)")
        #expect(try arrived(false, name: "x") == "\(received)")
        #expect(try arrived(true, name: "x", received: nil) == "\(dated)")
        #expect(try arrived(true, received: 4_000_000_000) == "\(Self.now)")
        #expect(try arrived(false, name: "4000000000.x") == "\(Self.now)")
        // Nothing arrives before what it speaks of.
        #expect(try arrived(true, received: 1_500_000_000) == "\(delivered)")
        #expect(try arrived(false, name: "1500000000.x") == "\(received)")
        #expect(try arrived(false, name: "1500000000.x", received: 1_500_000_000) == "\(dated)")
    }

    @Test("another copy never makes a report older")
    func age() throws {
        func arrived(_ copies: [Copy], _ trusting: Bool) throws -> String {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            try Self.ingest(copies, into: store, Self.options(trusting: trusting))
            return try Self.senders(store).map { String($0.split(separator: " ").last ?? "") }.joined()
        }
        var (early, late) = (Copy(), Copy())
        early.received = Self.end + 100
        late.received = Self.end + 900_000
        for isTrusting in [true, false] {
            #expect(try arrived([early, late], isTrusting) == "\(Self.end + 100)")
            #expect(try arrived([late, early], isTrusting) == "\(Self.end + 900_000)")
        }
        early.dmarc = "fail"
        #expect(try arrived([early, late], true) == "\(Self.end + 900_000)")
        #expect(try arrived([Copy(from: nil), late], true) == "\(Self.end + 900_000)")
        #expect(try arrived([Copy(from: nil), late], false) == "-")
    }

    // MARK: - Names

    /// A report of each of `days`, arriving an hour after its window.
    private static func series(_ copy: Copy, _ days: [Int]) -> [Copy] {
        days.map { day in
            var copy = copy
            copy.day = day
            copy.received = end + day * 86400 + 3600
            return copy
        }
    }

    private static let honest = Copy(reporter: "Example Receiver Inc.")
    private static let stranger = Copy(reporter: "Example Receiver Inc.", email: "x@evil.example", from: "evil.example")

    @Test("a name that is no domain belongs to who has had it for long and is called like it")
    func names() throws {
        func word(_ before: [Copy], _ last: Copy, trusting: Bool = true) throws -> String {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            try Self.ingest(before + [last], into: store, Self.options(trusting: trusting))
            return try #require(Self.senders(store).last).split(separator: " ").prefix(2).joined(separator: " ")
        }
        let weeks = [0, 2, 4, 6, 8, 10, 14]
        let later = Self.series(Self.stranger, [15])[0]
        #expect(try word(Self.series(Self.honest, weeks), later) == "mismatch evil.example")
        // Not on days enough, not for long enough, not verified, not checked at all.
        #expect(try word(Self.series(Self.honest, [0, 2, 4, 6, 8, 14]), later) == "verified evil.example")
        #expect(try word(Self.series(Self.honest, [0, 2, 4, 6, 8, 10, 13]), later) == "verified evil.example")
        var poor = Self.honest
        poor.dmarc = "none"
        #expect(try word(Self.series(poor, weeks), later) == "verified evil.example")
        #expect(try word(Self.series(Self.honest, weeks), later, trusting: false) == "unchecked evil.example")
        // Many reports on one day are one day.
        #expect(
            try word(Self.series(Self.honest, [0]) + Self.series(Self.honest, Array(20..<25)), Self.series(Self.stranger, [30])[0])
                == "verified evil.example")
        // By when they arrived, not by when the stranger's is read.
        #expect(try word(Self.series(Self.honest, weeks), Self.series(Self.stranger, [13])[0]) == "verified evil.example")
        // A stranger who comes first keeps nobody out, and whoever is called like the name may have it.
        #expect(try word(Self.series(Self.stranger, weeks), Self.series(Self.honest, [15])[0]) == "verified receiver.example")
        let relative = Copy(reporter: "Example Receiver Inc.", email: "d@receiver.test", from: "mail.receiver.test")
        #expect(try word(Self.series(Self.honest, weeks), Self.series(relative, [15])[0]) == "verified mail.receiver.test")
        // What is somebody else's anyway.
        #expect(try word(Self.series(Self.honest, weeks), Self.series(Self.honest, [15])[0]) == "verified receiver.example")
    }

    @Test("a mismatch of a name pushes no report out, whoever comes first")
    func namedConflict() throws {
        let before = Self.series(Self.honest, [0, 2, 4, 6, 8, 10, 14])
        var real = Self.series(Self.honest, [20])[0]
        real.records = [("192.0.2.20", 1)]
        var forged = Self.series(Self.stranger, [20])[0]
        forged.records = [("192.0.2.20", 1), ("203.0.113.66", 7)]
        for copies in [[real, forged], [forged, real]] {
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            try Self.ingest(before, into: store, Self.options(trusting: true))
            try Self.ingest(copies, into: store, Self.options(trusting: true))
            #expect(try Self.counted(store) == ["192.0.2.1 35", "192.0.2.20 1"])
        }
    }

    @Test("voices that speak under several names at the same time are listed")
    func overlaps() throws {
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let outlook = Copy(reporter: "Outlook.com", email: "d@microsoft.com", from: "microsoft.com")
        var enterprise = outlook
        enterprise.reporter = "Enterprise Outlook"
        enterprise.records = [("192.0.2.3", 100)]
        var stranger = Self.stranger
        stranger.records = [("203.0.113.66", 5)]
        var second = stranger
        second.reporter = "Other Inc."
        let copies =
            Self.series(outlook, [0, 1, 2, 9]) + Self.series(enterprise, [1, 2, 3]) + Self.series(Self.honest, [0, 1, 2])
            // One after the other is no overlap.
            + Self.series(stranger, [0, 1]) + Self.series(second, [2, 3])
        try Self.ingest(copies, into: store, Self.options(trusting: false))
        func rows(_ change: (inout Filter) -> Void = { _ in }) throws -> [String] {
            var filter = Filter(today: Day(containing: Self.end + 10 * 86400))
            change(&filter)
            return try VoiceOverlaps.ask(store, filter).rows.map { row in
                "\(row.voice) \(row.domain) \(row.reporters) \(row.reports) \(row.messages) \(row.firstDay.distance(to: row.lastDay))"
            }
        }
        let expected = #"microsoft.com example.nl ["Enterprise Outlook", "Outlook.com"] 4 210 1"#
        #expect(try rows() == [expected])
        #expect(try rows { $0.reporters = ["Outlook.com"] } == [expected])
        #expect(try rows { $0.reporters = ["Example Receiver Inc."] } == [])
        // A window of three days that lies around two of others.
        let week = Copy(reporter: "Week", email: "x@evil.example", from: "evil.example").text
            .replacing("<end>\(Self.end)<", with: "<end>\(Self.end + 2 * 86400)<")
        let folder = try TemporaryFolder()
        try folder.write("1", week)
        _ = try Ingest(store: store, options: Self.options(trusting: false)).run(path: folder.path)
        let last = try rows().last
        #expect(last == #"evil.example example.nl ["Example Receiver Inc.", "Other Inc.", "Week"] 4 20 2"#)
    }
}
