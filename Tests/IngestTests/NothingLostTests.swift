import DMARC
import Foundation
import GRDB
import Ingest
import Mail
import Store
import Testing
import Unpacking

@Suite("Nothing is lost")
struct NothingLostTests {
    /// Where a collection of mails and files may be; the second is beside the project, or is not.
    static let collections: [URL] = {
        let beside = Samples.folder.deletingLastPathComponent().deletingLastPathComponent().appending(path: "shared")
        return [Samples.folder, beside.appending(path: "corpus"), beside.appending(path: "cases")]
            .filter { FileManager.default.fileExists(atPath: $0.path) }
    }()

    /// Copies of all files below `source`, whatever they are.
    private static func copy(_ source: URL, to folder: TemporaryFolder) throws -> [String] {
        let root = source.resolvingSymlinksInPath()
        let files = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        var names: [String] = []
        for file in files.sorted() where !file.split(separator: "/").contains(where: { $0.hasPrefix(".") }) {
            var isFolder: ObjCBool = false
            let path = root.appending(path: file).path
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else { continue }
            let target = folder.url.appending(path: file)
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(contentsOf: URL(filePath: path)).write(to: target)
            names.append(file)
        }
        return names
    }

    /// Everything is to be deleted. What is gone then must be in the database: as a report whose document is there, or whole.
    @Test("the bytes of every mail that is gone are in the database, and the outcomes add up", arguments: collections)
    func deleted(collection: URL) throws {
        let folder = try TemporaryFolder()
        let names = try Self.copy(collection, to: folder)
        try #require(names.count > 10)
        let originals = try names.reduce(into: [String: Data]()) {
            $0[$1] = try Data(contentsOf: folder.url.appending(path: $1))
        }
        var options = Samples.options()
        options.after = .delete
        options.afterRefused = .delete
        options.afterOther = .delete
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try Ingest(store: store, options: options).run(path: folder.path)
        #expect(tally.seen >= names.count)
        #expect(try store.value("SELECT count(*) FROM messages") == tally.seen)
        #expect(try store.value("SELECT seen - stored - duplicate - not_a_report - refused - deferred FROM runs") == 0)
        #expect(
            tally.documents.seen == tally.documents.stored + tally.documents.duplicate + tally.documents.conflict + tally.documents.refused)
        #expect(tally.withheld.isEmpty && tally.deferrals.isEmpty)

        let blobs = try store.reader.read { try Data.fetchAll($0, sql: "SELECT bytes FROM kept_messages") }
        let kept = Set(blobs.compactMap { blob in blob.withUnsafeBytes { Unpacker.gzipInflated($0, maxBytes: 1 << 26) } })
        let reports = try store.reader.read {
            try Set(
                String.fetchAll(
                    $0,
                    sql: """
                        SELECT o.name || '|' || d.name || '|' || r.report_id || '|' || r.begin_utc || '|' || r.end_utc FROM reports r
                        JOIN reporters o ON o.id = r.reporter_id JOIN domains d ON d.id = r.domain_id WHERE r.raw_id IS NOT NULL
                        """))
        }
        var gone = 0
        for name in names {
            guard !FileManager.default.fileExists(atPath: folder.url.appending(path: name).path), let bytes = originals[name] else {
                continue
            }
            gone += 1
            if kept.contains([UInt8](bytes)) { continue }
            // Not kept whole: then every report in it is stored with its document, and there was nothing else to be read.
            let copy = try TemporaryFolder()
            let path = copy.url.appending(path: URL(filePath: name).lastPathComponent)
            try bytes.write(to: path)
            let found = try readReports(path: path.path, options: Samples.options())
            #expect(found.allSatisfy { $0.refusal == nil } && !found.isEmpty, "\(name): \(found.compactMap(\.refusal))")
            for report in found.compactMap(\.report) {
                let header = report.header
                let identity = [header.reporter, header.policy.domain, header.reportID, "\(header.window.begin)", "\(header.window.end)"]
                #expect(reports.contains(identity.joined(separator: "|")), "\(name): \(identity)")
            }
        }
        // An mbox is never written to; everything else was to go.
        #expect(gone >= names.count - 5, "\(gone) of \(names.count)")
    }

    /// What each case beside the project must come to: outcome, code, messages that the reports speak of.
    static let cases: [(file: String, outcome: MessageOutcome, code: String?, messages: Int)] = [
        ("mails/own-report-in-a-bounce.eml", .notAReport, "bounce", 0), ("mails/smime-detached.eml", .stored, nil, 13),
        ("mails/smime-opaque.eml", .stored, nil, 14), ("mails/winmail-dat.eml", .refused, "tnef", 0),
        ("mails/attached-mail-in-base64.eml", .stored, nil, 31), ("mails/one-good-one-damaged.eml", .stored, "gzip-truncated", 41),
        ("mails/note-from-a-person.eml", .notAReport, "not-a-report-mail", 0), ("mails/plain-report.eml", .stored, nil, 64),
        ("mails/report-in-7z.eml", .refused, "archive-seven-zip", 0), ("mails/mail-with-bom.eml", .stored, nil, 51),
        ("mails/mail-in-gzip.eml.gz", .stored, nil, 72), ("mails/apple-mail-forwarded.eml", .stored, nil, 12),
        ("mails/zip-compressed-type.eml", .stored, nil, 5), ("mails/multipart-related.eml", .stored, nil, 8),
        ("mails/path-as-name.eml", .stored, nil, 2),
    ]

    @Test(
        "cases from public bug reports",
        .enabled(if: collections.contains { $0.lastPathComponent == "cases" }, "../shared/cases is not here"),
        arguments: cases.map(\.file))
    func publicCase(_ file: String) throws {
        let root = try #require(Self.collections.first { $0.lastPathComponent == "cases" })
        let want = try #require(Self.cases.first { $0.file == file })
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try Ingest(store: store, options: Samples.options()).run(path: root.appending(path: file).path)
        #expect(tally.messages == [want.outcome: 1])
        let code = try store.reader.read { try String.fetchOne($0, sql: "SELECT code FROM refusals") }
        #expect(code == want.code)
        #expect(tally.stored.messages == want.messages)
    }

    @Test("a maildir that Dovecot compresses is read", .enabled(if: collections.contains { $0.lastPathComponent == "cases" }))
    func compressedMaildir() throws {
        let root = try #require(Self.collections.first { $0.lastPathComponent == "cases" })
        let store = try ReportStore(path: ":memory:", access: .readWrite)
        let tally = try Ingest(store: store, options: Samples.options()).run(path: root.appending(path: "maildir").path)
        #expect(tally.messages == [.stored: 3])
    }

    @Test("a byte order mark, blank lines and compression change nothing, in a file, a folder, a maildir, an mbox and a stream")
    func dresses() throws {
        let mail = "From: a@b.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/xml; name=r.xml\n\n"
        let mark = "\u{feff}"
        for (number, before) in [mark, "\n", "\r\n\r\n", mark + "\n", " \n\t\n", ""].enumerated() {
            func text(_ id: String) -> String { before + mail + Written(id: "\(number)-\(id)").text }
            let folder = try TemporaryFolder()
            try folder.write("one.eml", text("file"))
            try folder.write("many/a.eml", text("a"))
            try folder.write("many/b", text("b"))
            for name in ["cur", "tmp"] {
                try FileManager.default.createDirectory(at: folder.url.appending(path: "box/" + name), withIntermediateDirectories: true)
            }
            try folder.write("box/new/1.a.host", text("maildir"))
            let packed = Array(text("packed").utf8).withUnsafeBytes { Data(Unpacker.gzipCompressed($0)) }
            try packed.write(to: folder.url.appending(path: "box/cur/2.b.host:2,SZ"))
            try folder.write(
                "mbox",
                before + "From a Thu\n" + mail + Written(id: "\(number)-c").text + "\nFrom a Thu\n" + mail + Written(id: "\(number)-d").text
            )
            let store = try ReportStore(path: ":memory:", access: .readWrite)
            for (path, count) in [("one.eml", 1), ("many", 2), ("box", 2), ("mbox", 2)] {
                let tally = try Ingest(store: store, options: Samples.options()).run(path: folder.path + "/" + path)
                #expect(tally.messages == [.stored: count], "\(number) \(path): \(tally.messages)")
                let again = try Ingest(store: store, options: Samples.options()).run(path: folder.path + "/" + path)
                #expect(again.seen == 0 && again.known == count)
            }
            for (input, expected) in [("one.eml", MessageOutcome.duplicate), ("mbox", .duplicate)] {
                let file = open(folder.path + "/" + input, O_RDONLY)
                defer { close(file) }
                var options = Samples.options()
                options.standardInput = file
                let tally = try Ingest(store: store, options: options).run(path: "-")
                #expect(tally.messages == [expected: input == "mbox" ? 2 : 1], "\(number) \(input) from a stream")
            }
        }
    }
}
