import Foundation
import GRDB
import Mail
import Store
import Testing
import Unpacking

@testable import Ingest

/// A maildir with one mail of each kind.
private struct MixedMaildir {
    /// What a mail is, as far as it matters for what may be done with it.
    enum Kind: CaseIterable {
        case stored, duplicate, storedAndRefused, duplicateAndRefused, lostRecords, refused, tooLarge, note, bounce, failureReport,
            tlsReport

        /// The key that is for this kind.
        var key: Key {
            switch self {
            case .stored, .duplicate: .after
            case .storedAndRefused, .duplicateAndRefused, .lostRecords, .refused, .tooLarge: .refused
            case .note, .bounce, .failureReport, .tlsReport: .other
            }
        }
    }

    enum Key { case after, refused, other }

    static let sound = part("a", Written(id: "a").text)
    static let damaged = part("b", String(Written(id: "b").text.dropLast(60)))

    static func part(_ name: String, _ text: String) -> String {
        "--x\nContent-Type: text/xml; name=\"\(name).xml\"\nContent-Disposition: attachment; filename=\"\(name).xml\"\n\n\(text)\n"
    }

    static func mail(_ subject: String, _ type: String, _ body: String) -> String {
        "From: a@b.example\nSubject: \(subject)\nMIME-Version: 1.0\nContent-Type: \(type)\n\n\(body)"
    }

    static func mixed(_ parts: String...) -> String { mail("x", "multipart/mixed; boundary=x", parts.joined() + "--x--\n") }

    static func text(of kind: Kind) -> String {
        switch kind {
        case .stored, .duplicate: mixed(sound)
        case .storedAndRefused: mixed(part("c", Written(id: "c").text), damaged)
        case .duplicateAndRefused: mixed(sound, damaged)
        case .lostRecords:
            mixed(part("d", Written(id: "d", records: [("192.0.2.1", 5, true, true), ("192.0.2.999", 6, true, true)]).text))
        case .refused: mixed(damaged)
        case .tooLarge: mixed(part("e", Written(id: "e").text), String(repeating: "x", count: 9000))
        case .note: mail("a question", "text/plain", "Is this mail yours?\n")
        case .bounce:
            mail(
                "Undelivered", "multipart/report; report-type=delivery-status; boundary=x",
                "--x\n\nno\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\nAction: failed\n--x--\n")
        case .failureReport:
            mail(
                "FW: x", "multipart/report; report-type=feedback-report; boundary=x",
                "--x\n\nno\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--x--\n")
        case .tlsReport:
            mail(
                "Report Domain: a", "multipart/report; report-type=tlsrpt; boundary=x",
                "--x\nContent-Type: application/tlsrpt+json\n\n{}\n--x--\n")
        }
    }

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(at: folder.url.appending(path: name), withIntermediateDirectories: true)
        }
        for (index, kind) in Kind.allCases.enumerated() { try folder.write("new/\(Self.name(index)).host", Self.text(of: kind)) }
    }

    static func name(_ index: Int) -> String { index < 10 ? "0\(index).a" : "\(index).a" }

    /// Where the mail of a kind is now: `new`, `cur:2,S`, `.Done/cur:2,S`; nil: gone.
    func place(_ kind: Kind) throws -> String? {
        let unique = Self.name(Kind.allCases.firstIndex(of: kind) ?? 0)
        for sub in ["new", "cur", ".Done/cur"] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: sub).path)) ?? []
            if let name = names.first(where: { $0.hasPrefix(unique) }) { return sub + String(name.dropFirst(unique.count + 5)) }
        }
        return nil
    }
}

@Suite("What is done with mail")
struct SettlingTests {
    static let actions: [AfterAction] = [.leave, .markSeen, .move("Done"), .delete]

    private static func options(_ after: AfterAction, _ refused: AfterAction, _ other: AfterAction) -> IngestOptions {
        var options = Samples.options()
        options.limits.mail.maxMessageBytes = 8192
        options.after = after
        options.afterRefused = refused
        options.afterOther = other
        return options
    }

    /// What must have become of a mail, written down by hand and not taken from the code.
    private static func expected(_ kind: MixedMaildir.Kind, _ action: AfterAction, keepsRaw: Bool) -> String? {
        switch action {
        case .leave: return "new"
        case .markSeen: return "cur:2,S"
        case .move: return ".Done/cur:2,S"
        case .delete:
            if kind.key == .after { return nil }
            // Without its bytes in the database it stays.
            return keepsRaw && kind != .tooLarge ? nil : "new"
        }
    }

    /// Whether the bytes of a message, or of its report, are in the database.
    private static func isInDatabase(_ store: ReportStore, _ text: String) throws -> Bool {
        let blobs = try store.reader.read {
            try Data.fetchAll($0, sql: "SELECT bytes FROM kept_messages UNION ALL SELECT bytes FROM raw_documents")
        }
        let contents = blobs.compactMap { blob in blob.withUnsafeBytes { Unpacker.gzipInflated($0, maxBytes: 1 << 24) } }
        return contents.contains { content in
            let kept = String(decoding: content, as: UTF8.self)
            return kept == text || (!kept.isEmpty && text.contains(kept))
        }
    }

    @Test("each kind has a rule of its own: every action for every key", arguments: [true, false])
    func table(keepsRaw: Bool) throws {
        for after in Self.actions {
            for refused in Self.actions {
                // Without the documents only what is deleted differs.
                for other in keepsRaw ? Self.actions : [refused] {
                    let box = try MixedMaildir()
                    var options = Self.options(after, refused, other)
                    options.keepsRaw = keepsRaw
                    let store = try ReportStore(path: ":memory:", access: .readWrite)
                    let tally = try Ingest(store: store, options: options).run(path: box.folder.path)
                    let label = "after \(after), refused \(refused), other \(other), raw \(keepsRaw)"
                    #expect(
                        tally.messages == [.stored: 3, .duplicate: 1, .refused: 3, .notAReport: 4], "\(label): \(tally.messages)")
                    #expect(tally.unsettled.isEmpty, "\(label)")
                    var withheld = 0
                    for kind in MixedMaildir.Kind.allCases {
                        let action = kind.key == .after ? after : kind.key == .refused ? refused : other
                        let place = try box.place(kind)
                        #expect(place == Self.expected(kind, action, keepsRaw: keepsRaw), "\(label): \(kind)")
                        if action == .delete, place != nil { withheld += 1 }
                        if place == nil, keepsRaw {
                            #expect(try Self.isInDatabase(store, MixedMaildir.text(of: kind)), "\(label): \(kind)")
                        }
                    }
                    #expect(tally.withheld.count == withheld, "\(label)")
                    // Nothing is left to do, and a second run does nothing.
                    #expect(try store.value("SELECT count(*) FROM messages WHERE is_settled = 0") == 0)
                    let places = try MixedMaildir.Kind.allCases.map { try box.place($0) }
                    let again = try Ingest(store: store, options: options).run { isKnown throws(MailError) in
                        try openMailbox(
                            path: box.folder.path, standardInput: 0, limits: options.limits.mail, excluding: ["Done"], isKnown: isKnown)
                    }
                    #expect(again.seen == 0 && again.withheld.isEmpty, "\(label)")
                    #expect(try MixedMaildir.Kind.allCases.map { try box.place($0) } == places)
                }
            }
        }
    }

    @Test(
        "a run that was killed before it touched the mailbox: the next comes to the same, for each kind and action",
        arguments: [true, false])
    func killed(keepsRaw: Bool) throws {
        for action in Self.actions.dropFirst() {
            let box = try MixedMaildir()
            var options = Self.options(action, action, action)
            options.keepsRaw = keepsRaw
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            _ = try Ingest(store: store, options: options).run { isKnown throws(MailError) in
                Untouched(try openMailbox(path: box.folder.path, standardInput: 0, limits: options.limits.mail, isKnown: isKnown))
            }
            for kind in MixedMaildir.Kind.allCases { #expect(try box.place(kind) == "new") }
            let second = try Ingest(store: store, options: options).run(path: box.folder.path)
            #expect(second.seen == 0 && second.unsettled.isEmpty)
            for kind in MixedMaildir.Kind.allCases {
                #expect(try box.place(kind) == Self.expected(kind, action, keepsRaw: keepsRaw), "\(action), raw \(keepsRaw): \(kind)")
            }
            #expect(try store.value("SELECT count(*) FROM messages WHERE is_settled = 0") == 0)
        }
    }

    @Test("what a run meant to move is not deleted by the next if it is not kept")
    func changedMind() throws {
        let box = try MixedMaildir()
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        _ = try Ingest(store: store, options: Self.options(.leave, .leave, .move("Done"))).run { isKnown throws(MailError) in
            Untouched(try openMailbox(path: box.folder.path, standardInput: 0, limits: MailLimits(), isKnown: isKnown))
        }
        let second = try Ingest(store: store, options: Self.options(.leave, .leave, .delete)).run(path: box.folder.path)
        #expect(second.withheld.count == 4)
        for kind in MixedMaildir.Kind.allCases { #expect(try box.place(kind) == "new") }
    }

    @Test("kept mail takes no more room than it may, and what finds none is not deleted")
    func room() throws {
        let box = try MixedMaildir()
        var options = Self.options(.delete, .delete, .delete)
        options.limits.maxKeptBytes = 900
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try Ingest(store: store, options: options).run(path: box.folder.path)
        let kept = try store.value("SELECT count(*) FROM kept_messages")
        #expect(try store.value("SELECT sum(length(bytes)) FROM kept_messages") <= 900)
        #expect(kept > 0 && kept < 7)
        let left = try MixedMaildir.Kind.allCases.filter { try box.place($0) != nil }
        #expect(left.count == tally.withheld.count && left.count == 8 - kept)
    }

    @Test("what was refused beside a stored report is read again, and counts once more for nothing")
    func retried() throws {
        let box = try MixedMaildir()
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let options = Self.options(.delete, .delete, .delete)
        _ = try Ingest(store: store, options: options).run(path: box.folder.path)
        let ledger = "SELECT group_concat(outcome || ':' || n) FROM (SELECT outcome, count(*) AS n FROM messages GROUP BY 1 ORDER BY 1)"
        func outcomes() throws -> String? { try store.reader.read { try String.fetchOne($0, sql: ledger) } }
        #expect(try outcomes() == "1:3,2:1,3:4,4:3")
        let kept = try store.value("SELECT count(*) FROM kept_messages")
        #expect(kept == 7)
        let records = try store.value("SELECT count(*) FROM records")
        // The limit that refused nothing then still refuses nothing.
        for _ in 0..<2 {
            let retry = RetryKept(store: store, options: options)
            _ = try retry.run()
            #expect(try retry.count() == kept)
            #expect(try outcomes() == "1:3,2:1,3:4,4:3")
            #expect(try store.value("SELECT count(*) FROM records") == records)
            let uneven = """
                SELECT count(*) FROM runs r WHERE seen <> stored + duplicate + not_a_report + refused + deferred
                    OR stored <> (SELECT count(*) FROM messages WHERE run_id = r.id AND outcome = 1)
                    OR refused - taken_over <> (SELECT count(*) FROM messages WHERE run_id = r.id AND outcome = 4)
                """
            #expect(try store.value(uneven) == 0)
        }
        // A parser that reads what was cut short: here the bytes are mended instead.
        let whole = MixedMaildir.mixed(MixedMaildir.part("c", Written(id: "c").text), MixedMaildir.part("b", Written(id: "b").text))
        let bytes = Array(whole.utf8).withUnsafeBytes { Unpacker.gzipCompressed($0) }
        let id = try store.value("SELECT id FROM messages WHERE key = '02.a.host'")
        try store.write { writer in
            try writer.begin()
            try writer.keep(KeptMessage(isMail: true, bytes: bytes), message: Int64(id))
            try writer.commit()
        }
        let tally = try RetryKept(store: store, options: options).run()
        #expect(tally.documents.stored == 1)
        #expect(try outcomes() == "1:3,2:1,3:4,4:3")
        #expect(try store.value("SELECT count(*) FROM refusals WHERE message_id = \(id)") == 0)
        #expect(try store.value("SELECT count(*) FROM records") == records + 1)
    }
}

/// A mailbox that nothing can be done in: as if the run were killed before.
private final class Untouched: Mailbox {
    private let inner: any Mailbox
    init(_ inner: any Mailbox) { self.inner = inner }
    var identifier: String { inner.identifier }
    var expectedCount: Int? { inner.expectedCount }
    var knownCount: Int { inner.knownCount }
    var oddities: [MailError] { inner.oddities }
    func next(_ limit: Int) throws(MailError) -> [Message] { try inner.next(limit) }
    func settle(_ messages: [(key: String, action: AfterAction)]) -> [MailError] {
        messages.map { MailError(code: .notSettled, place: $0.key, found: "killed", errno: EIO) }
    }
}
