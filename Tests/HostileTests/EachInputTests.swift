import DMARC
import Foundation
import Glibc
import Ingest
import Testing

/// Each input alone, as a file and as a mail.
@Suite("Hostile inputs")
struct EachInputTests {
    /// 2026-11-21.
    static let now = 1_795_219_200
    /// THREATS R7: more than this is a finding, on any machine; on a fast one they take a hundredth of it.
    static let cpuSeconds = 5.0

    @Test("are many, have names of their own, and cover every threat")
    func inventory() {
        let inputs = Corpus.all
        #expect(inputs.count >= 300)
        let names = Dictionary(grouping: inputs, by: \.testDescription).filter { $1.count > 1 }
        #expect(names.isEmpty, "\(names.keys.sorted())")
        let threats = Set(inputs.map(\.threat))
        let wanted = (1...8).map { "Z\($0)" } + (1...9).map { "X\($0)" } + (1...5).map { "E\($0)" } + (1...6).map { "D\($0)" }
        #expect(threats.isSuperset(of: wanted), "\(Set(wanted).subtracting(threats))")
    }

    @Test("end with their own code or deviation, in bounded time", arguments: Corpus.all)
    func each(_ input: HostileInput) throws {
        let made = try input.made()
        if let file = made.file { try check(input, input.expected, at: file) }
        try check(input, input.expectedInMail, at: made.maildir)
    }

    private func check(_ input: HostileInput, _ expected: Expected, at path: String) throws {
        let start = Self.threadSeconds()
        let found = try readReports(path: path, options: IngestOptions(now: Self.now, organisations: { { $0 } }))
        let seconds = Self.threadSeconds() - start
        #expect(seconds < Self.cpuSeconds, "\(input.testDescription): \(seconds) s")
        let reports = found.compactMap(\.report)
        let codes = Set(found.compactMap { $0.refusal?.code } + reports.flatMap { $0.refusedRecords.keys.map(\.rawValue) })
        #expect(
            codes == expected.codes,
            "\(input.testDescription), \(path.hasSuffix("/mail") ? "mail" : "file"): \(found.compactMap(\.refusal))"
        )
        #expect(reports.isEmpty == (expected.outcome != .stored), "\(input.testDescription)")
        let deviations = reports.reduce(Deviations()) { $0.union($1.deviations) }
        for deviation in expected.deviations { #expect(deviations.contains(deviation), "\(input.testDescription): \(deviations.codes)") }
    }

    /// CPU time of this thread, which `readReports` does all its work in: other tests do not count.
    static func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A folder that is gone when its owner is.
final class HostileFolder: Sendable {
    let url = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-hostile-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { remove() }

    func remove() { try? FileManager.default.removeItem(at: url) }

    var path: String { url.path(percentEncoded: false) }

    /// Writes a file; returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
        return file.path(percentEncoded: false)
    }

    func makeFolders(_ names: String...) throws {
        for name in names { try FileManager.default.createDirectory(at: url.appending(path: name), withIntermediateDirectories: true) }
    }

    /// Another name for a file that is there.
    func link(_ file: String, _ name: String) throws { try #require(Glibc.link(file, path + "/" + name) == 0, "\(name): \(errno)") }
}
