import Foundation
import Testing

/// Reports as they are published in other projects: real reporters and their habits. Read from `../shared/corpus`, which has an
/// index of what is written in each file. Where we rightly store something else, `corpus-differences.tsv` says what and why.
@Suite("Published reports", .enabled(if: Tool.shared("corpus/INDEX.tsv") != nil, "needs ../shared/corpus"))
struct PublishedReportsTests {
    struct Entry: Sendable, CustomTestStringConvertible {
        let path: String
        let kind: String
        let records: Int
        let messages: Int
        let reports: Int
        var testDescription: String { path }
    }

    struct Difference: Equatable {
        let records: Int
        let messages: Int
        let reason: String
    }

    static let entries: [Entry] = {
        guard let index = Tool.shared("corpus/INDEX.tsv"), let text = try? String(contentsOf: index, encoding: .utf8) else { return [] }
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 9, fields[3].hasPrefix("aggregate-"), let records = Int(fields[5]), let messages = Int(fields[6]) else {
                return nil
            }
            return Entry(path: fields[0], kind: fields[3], records: records, messages: messages, reports: Int(fields[8]) ?? 0)
        }
    }()

    /// path, records stored, messages stored, reason; lines beginning with # are comments.
    static let differences: [String: Difference] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "corpus-differences.tsv")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [:] }
        let pairs = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line -> (String, Difference)? in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 4, let records = Int(fields[1]), let messages = Int(fields[2]), !fields[3].isEmpty else { return nil }
            return (fields[0], Difference(records: records, messages: messages, reason: fields[3]))
        }
        return Dictionary(pairs) { first, _ in first }
    }()

    @Test("is stored with every record and message that is written in it", arguments: entries)
    func stored(_ entry: Entry) throws {
        let folder = try Workdir()
        let file = try #require(Tool.shared("corpus/\(entry.path)"))
        let run = try Tool.run(["ingest", "--database", folder.path("dmarc.sqlite"), file.filePath, "--format", "json"], in: folder)
        let answer = try run.json(IngestAnswer.self)
        let refusals: Comment = "\(answer.refusals.map { "\($0.code): \($0.detail ?? "")" })"
        if let difference = Self.differences[entry.path] {
            #expect(answer.stored.records == difference.records, refusals)
            #expect(answer.stored.messages == difference.messages, refusals)
            #expect(
                answer.stored.records != entry.records || answer.stored.messages != entry.messages
                    || answer.stored.reports != entry.reports,
                "corpus-differences.tsv lists \(entry.path), but nothing differs")
        } else {
            #expect(answer.stored.reports == entry.reports, refusals)
            #expect(answer.stored.records == entry.records, refusals)
            #expect(answer.stored.messages == entry.messages, refusals)
        }
    }

    @Test("the list of differences names files that exist, once, with a reason")
    func differencesAreSound() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "corpus-differences.tsv")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(Self.differences.count == lines.count, "a line is malformed or a path is listed twice")
        for path in Self.differences.keys { #expect(Self.entries.contains { $0.path == path }, "\(path) is not in the corpus") }
    }
}
