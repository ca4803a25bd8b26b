import CLinux
import Foundation
import GRDB
import Glibc
import Synchronization
import Testing

/// One process that collects and answers over and over: its memory, its open files and the log of its database must not grow.
/// `DMARCSTAT_SOAK_CYCLES` says how often; `make soak` asks for 2,000.
///
/// A round is a test case of its own, and looked at as the next begins: Swift Testing keeps a backtrace of 300 to 600 bytes for each error that is
/// thrown, also for those that are caught, until the case ends. That is some 20 KiB a cycle, and not ours.
@Suite("Soak", .serialized)
struct SoakTests {
    static let cycles = ProcessInfo.processInfo.environment["DMARCSTAT_SOAK_CYCLES"].flatMap(Int.init) ?? 50
    static let rounds = 10
    /// Other tests run in this process while all tests do, with memory and files of their own.
    static let isAlone = cycles > 50

    /// What the process has at the beginning of a round.
    struct Look {
        /// Memory that was asked for and not given back (mallinfo2(3)), in bytes.
        var live: Int
        /// Memory that is in use or kept for later use, in bytes.
        var resident: Int
        var files: [String]
    }

    private final class Soak: Sendable {
        let runner: CommandRunner
        let looks = Mutex<[Look]>([])
        let log = Mutex<Int>(0)
        private let reader = Mutex<DatabaseQueue?>(nil)

        init() throws { runner = try CommandRunner() }

        /// Somebody else has the database open, or its log would be gone after each command.
        func keepOpen() throws {
            var configuration = Configuration()
            configuration.readonly = true
            let path = runner.database
            try reader.withLock { [configuration] reader in
                if reader == nil { reader = try DatabaseQueue(path: path, configuration: configuration) }
                _ = try reader?.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM reports") }
            }
        }
    }
    private static let soak = Result { try Soak() }

    @Test("nothing grows in a process that ingests and answers again and again", arguments: 0...rounds)
    func sameProcess(round: Int) throws {
        let soak = try Self.soak.get()
        let look = try Self.look()
        soak.looks.withLock { $0.append(look) }
        guard round < Self.rounds else { return try Self.compare(soak) }
        let reports = CommandRunner.reports
        try #require(reports.count > 3)
        let questions = [["summary"], ["top-failures"], ["trend"], ["sources"], ["advise"], ["reporters"], ["export"], ["status"]]
        for cycle in round * Self.cycles / Self.rounds..<(round + 1) * Self.cycles / Self.rounds {
            // Another report at first; later on all are duplicates in a new container: a copy under another name.
            let name = soak.runner.directory.appendingPathComponent("mail-\(cycle % 40).xml").path
            try? FileManager.default.removeItem(atPath: name)
            try FileManager.default.copyItem(atPath: reports[cycle % reports.count], toPath: name)
            #expect(soak.runner.run(["ingest", "--database", soak.runner.database, name]).status == 0)
            try soak.keepOpen()
            let question = questions[cycle % questions.count]
            #expect(soak.runner.run(question + ["--database", soak.runner.database]).status == 0, "\(question)")
            var status = stat()
            if stat(soak.runner.database + "-wal", &status) == 0 { soak.log.withLock { $0 = max($0, Int(status.st_size)) } }
        }
    }

    /// The first round fills what is filled once; what is lowest in each half of the others is ours, whatever else runs. Alone, 2,000 cycles may
    /// add a MiB to what is asked for: bytes a cycle, not the KiB that an object left behind would be. What the allocator keeps varies more.
    private static func compare(_ soak: Soak) throws {
        let looks = soak.looks.withLock { $0 }
        let log = soak.log.withLock { $0 }
        try #require(looks.count == rounds + 1)
        func lowest(_ value: (Look) -> Int) throws -> (first: Int, last: Int) {
            let half = rounds / 2
            return (try #require(looks[1...half].map(value).min()), try #require(looks[(half + 1)...].map(value).min()))
        }
        // Sockets and pipes of other tests come and go; what is open in the directory of this one is ours.
        let own = soak.runner.directory.path
        let (live, resident) = (try lowest(\.live), try lowest(\.resident))
        let files = try lowest { look in isAlone ? look.files.count : look.files.count { $0.hasPrefix(own) } }
        #expect(live.last < live.first + (isAlone ? 1 : 32) << 20, "asked for: \(live.first >> 10) KiB, then \(live.last >> 10) KiB")
        #expect(
            resident.last < resident.first + (isAlone ? 4 : 32) << 20,
            "resident memory: \(resident.first >> 10) KiB, then \(resident.last >> 10) KiB")
        #expect(
            files.last <= files.first,
            "open files: \(files.first), then \(files.last): \((looks.last?.files ?? []).sorted())")
        // It begins anew after 4,096 pages of 8 KiB, and the last transaction may go beyond that.
        #expect(log > 0 && log <= 36 << 20, "bytes of the log: \(log)")
        guard isAlone else { return }
        let size = (try FileManager.default.attributesOfItem(atPath: soak.runner.database)[.size] as? Int) ?? 0
        FileHandle.standardError.write(
            Data(
                """
                soak: \(cycles) cycles in one process; memory asked for \(live.first >> 10) KiB, then \(live.last >> 10) KiB; resident \
                \(resident.first >> 10) KiB, then \(resident.last >> 10) KiB; open files \(files.first), then \(files.last); log at most \(log) bytes; \
                database \(size >> 10) KiB; by round, asked for and resident: \
                \(looks.map { "\($0.live >> 10)/\($0.resident >> 10)" }.joined(separator: " "))

                """.utf8))
    }

    private static func look() throws -> Look {
        let memory = mallinfo2()
        // proc(5), `statm`.
        let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        let resident = (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        let files = numbers.map { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0)) ?? "?" }
        return Look(live: Int(memory.uordblks) + Int(memory.hblkhd), resident: resident, files: files)
    }
}
