import CLI
import Foundation

/// What a command did.
struct Outcome: Equatable {
    var status: Int32
    var output: String
    var errors: String
}

/// Runs commands in this process against a database of their own.
final class CommandRunner: Sendable {
    /// 2026-11-21T12:00:00Z.
    static let now = 1_795_262_400

    let directory: URL
    var database: String { directory.appendingPathComponent("dmarc.sqlite").path }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("dmarcstat-cli-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// The folder of this file's golden files.
    static let golden = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent(
        "Golden")

    /// The reports beside the golden files, in the order of their names.
    static let reports: [String] = {
        let folder = golden.appendingPathComponent("reports")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().map { folder.appendingPathComponent($0).path }
    }()

    /// The files of a database that holds the reports of `Golden/reports`: collected once, copied for each test.
    private static let collected: [String: Data] = {
        guard let runner = try? CommandRunner() else { return [:] }
        _ = runner.run(["ingest", "--database", runner.database] + reports)
        var files: [String: Data] = [:]
        for name in ["dmarc.sqlite", "dmarc.sqlite-wal"] {
            files[name] = try? Data(contentsOf: runner.directory.appendingPathComponent(name))
        }
        return files
    }()

    /// A runner whose database holds the reports of `Golden/reports`.
    static func filled() throws -> CommandRunner {
        let runner = try CommandRunner()
        for (name, bytes) in collected {
            let file = runner.directory.appendingPathComponent(name)
            try bytes.write(to: file)
            // As the program makes them; others may not read them.
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
        }
        return runner
    }

    func run(
        _ arguments: [String], width: Int? = nil, environment: [String: String] = ["HOME": "/nonexistent"], userID: UInt32 = 1000,
        output: (any OutputChannel)? = nil
    ) -> Outcome {
        let memory = MemoryChannel()
        let errors = MemoryChannel()
        let context = Context(
            environment: environment, standardOutput: output ?? memory, standardError: errors, terminalWidth: width,
            isErrorTerminal: false, now: Self.now, userID: userID)
        let status = DmarcstatMain.run(arguments: arguments, context: context)
        return Outcome(status: status, output: memory.text, errors: errors.text)
    }

    /// As `run`, on the filled database.
    func ask(_ arguments: [String], width: Int? = nil) -> Outcome {
        run(arguments + ["--database", database], width: width)
    }
}

/// A reader that goes away after the first bytes.
final class ClosedChannel: OutputChannel {
    func write(_ bytes: [UInt8]) throws(OutputError) { throw .closed }
}

/// A disk without room.
final class FullChannel: OutputChannel {
    func write(_ bytes: [UInt8]) throws(OutputError) { throw .failed(ENOSPC) }
}
