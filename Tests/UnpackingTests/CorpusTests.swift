import Foundation
import Testing

@testable import Unpacking

/// Real report files, which lie beside the project on some machines.
@Suite("Real report files")
struct CorpusTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/corpus").path

    /// Path and number of reports of each file that holds any and is no mail.
    static let files: [(path: String, reports: Int)] = {
        let index = FileManager.default.contents(atPath: folder + "/INDEX.tsv") ?? Data()
        return String(decoding: index, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard columns.count > 8, columns[3].hasPrefix("aggregate-"), columns[3] != "aggregate-mail", let reports = Int(columns[8])
            else { return nil }
            return (String(columns[0]), reports)
        }
    }()

    @Test("each gives its reports", .enabled(if: !files.isEmpty, "no ../shared/corpus beside the project"))
    func reports() {
        for (path, reports) in Self.files where reports > 0 {
            let bytes = Array(FileManager.default.contents(atPath: Self.folder + "/" + path) ?? Data())
            let outcome = unpack(bytes, name: path)
            #expect(outcome.error == nil, "\(path)")
            #expect(outcome.sound.count == reports, "\(path): \(outcome.documents.map(\.facts))")
        }
    }
}
