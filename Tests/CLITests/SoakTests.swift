import Foundation
import Glibc
import Testing

/// One process that collects and answers over and over: its memory, its open files and the log of its database must not grow.
/// `DMARCSTAT_SOAK_CYCLES` says how often; `make soak` asks for 2,000.
@Suite("Soak", .serialized)
struct SoakTests {
    static let cycles = ProcessInfo.processInfo.environment["DMARCSTAT_SOAK_CYCLES"].flatMap(Int.init) ?? 50

    @Test("nothing grows in a process that ingests and answers again and again")
    func sameProcess() throws {
        let runner = try CommandRunner()
        let reports = CommandRunner.reports
        try #require(reports.count > 3)
        let questions = [["summary"], ["top-failures"], ["trend"], ["sources"], ["advise"], ["reporters"], ["export"], ["status"]]
        var memory: [Int] = []
        var files: [[String]] = []
        var log = 0
        for cycle in 0..<Self.cycles {
            // Another report at first; later on all are duplicates in a new container: a copy under another name.
            let name = runner.directory.appendingPathComponent("mail-\(cycle % 40).xml").path
            try? FileManager.default.removeItem(atPath: name)
            try FileManager.default.copyItem(atPath: reports[cycle % reports.count], toPath: name)
            #expect(runner.run(["ingest", "--database", runner.database, name]).status == 0)
            let question = questions[cycle % questions.count]
            #expect(runner.run(question + ["--database", runner.database]).status == 0, "\(question)")
            var status = stat()
            if stat(runner.database + "-wal", &status) == 0 { log = max(log, Int(status.st_size)) }
            memory.append(try Self.residentBytes())
            files.append(Self.openFiles())
        }
        // Other tests run in this process and have memory and files of their own while they do: what is lowest in each half is ours.
        let half = Self.cycles / 2
        let (first, last) = (try #require(memory[..<half].suffix(half / 2).min()), try #require(memory[half...].min()))
        #expect(last < first + 32 << 20, "resident memory: \(first >> 10) KiB, then \(last >> 10) KiB")
        let (firstFiles, lastFiles) = (try #require(files[..<half].map(\.count).min()), try #require(files[half...].map(\.count).min()))
        #expect(lastFiles <= firstFiles + 3, "open files: \(firstFiles), then \(lastFiles): \((files.last ?? []).sorted())")
        #expect(log <= 64 << 20, "bytes of the log: \(log)")
        guard Self.cycles > 50 else { return }
        let size = (try FileManager.default.attributesOfItem(atPath: runner.database)[.size] as? Int) ?? 0
        FileHandle.standardError.write(
            Data(
                """
                soak: \(Self.cycles) cycles in one process; resident memory \(first >> 10) KiB, then \(last >> 10) KiB; open files \(firstFiles), \
                then \(lastFiles); log at most \(log) bytes; database \(size >> 10) KiB

                """.utf8))
    }

    private static func openFiles() -> [String] {
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return numbers.map { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0)) ?? "?" }
    }

    /// Resident memory of this process (proc(5), `statm`).
    private static func residentBytes() throws -> Int {
        let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
