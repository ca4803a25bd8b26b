import Foundation
import Glibc
import Testing

/// The built program, run as users run it.
enum Tool {
    /// `DMARCSTAT_BINARY`, or the product beside the test bundle.
    static let binary: URL =
        ProcessInfo.processInfo.environment["DMARCSTAT_BINARY"].map { URL(filePath: $0) }
        ?? Bundle.main.bundleURL.appending(path: "dmarcstat")

    /// The root of the project.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The optional folder beside the project with published reports and a generator of corpora; `nil` when absent.
    static func shared(_ path: String) -> URL? {
        let url = root.deletingLastPathComponent().appending(path: "shared/\(path)")
        return FileManager.default.fileExists(atPath: url.filePath) ? url : nil
    }

    static let corpusGenerator = shared("tools/gen_corpus.py")
    static let python3 = ["/usr/bin/python3", "/usr/local/bin/python3"].first { FileManager.default.isExecutableFile(atPath: $0) }
    /// A period that holds every report of these tests; not longer, because `trend` answers with every day of it.
    static let allDays = ["--since", "2025-01-01", "--until", "2026-12-31"]

    /// Runs the program with nothing on standard input and no terminal, in an environment of its own.
    static func run(_ arguments: [String], in folder: Workdir, environment: [String: String] = [:]) throws -> Finished {
        try folder.run(binary.filePath, arguments, environment: environment)
    }
}

/// A command that has ended.
struct Finished: CustomStringConvertible {
    let command: String
    let status: Int32
    let output: Data
    let errors: String

    var text: String { String(decoding: output, as: UTF8.self) }

    /// Everything a reader of a failed test needs.
    var description: String {
        "$ \(command)\nstatus \(status)\n--- stdout (\(output.count) bytes)\n\(text.prefix(2000))\n--- stderr\n\(errors.prefix(2000))"
    }

    /// Expects success, and reads standard output as JSON.
    func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try #require(status == 0, "\(self)")
        do {
            return try JSONDecoder().decode(type, from: output)
        } catch {
            Issue.record("\(error)\n\(self)")
            throw error
        }
    }
}

/// A folder of one test, removed with it.
final class Workdir: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-test-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// A path in the folder.
    func path(_ name: String) -> String { url.appending(path: name).filePath }

    /// Writes a file into the folder.
    @discardableResult
    func write(_ name: String, _ data: Data) throws -> String {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: file)
        return file.filePath
    }

    /// Starts a command with its output in files, so that no pipe can fill up.
    func start(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Started {
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = url
        // Nothing of the developer's: no configuration, no colour, no terminal.
        var variables = ["PATH": "/usr/bin:/bin", "HOME": url.filePath, "LANG": "C.UTF-8", "TZ": "UTC"]
        variables.merge(environment) { $1 }
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        let name = UUID().uuidString
        let files = ["out", "err"].map { url.appending(path: ".\(name).\($0)") }
        for file in files { try Data().write(to: file) }
        let handles = try files.map { try FileHandle(forWritingTo: $0) }
        process.standardOutput = handles[0]
        process.standardError = handles[1]
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        // Foundation keeps a process, and with it these, for ever: a thousand commands later its `select` writes behind its set of 1,024
        // descriptors (sys/select.h, FD_SETSIZE).
        defer { for handle in handles { try? handle.close() } }
        try process.run()
        return Started(process: process, ended: ended, output: files[0], errors: files[1])
    }

    /// Runs a command to its end.
    func run(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws -> Finished {
        try start(executable, arguments, environment: environment).finish()
    }
}

/// A command that may still run.
struct Started {
    /// Longer than anything here takes on a slow machine; a command that hangs fails its test instead of stopping all of them.
    static let patienceSeconds = 300.0

    let process: Process
    let ended: DispatchSemaphore
    let output: URL
    let errors: URL

    /// Ends the command at once, as a crash or a power cut would. Does nothing when it has ended by itself.
    func kill() { if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) } }

    func finish() throws -> Finished {
        var hung = false
        if ended.wait(timeout: .now() + Self.patienceSeconds) == .timedOut {
            hung = true
            kill()
            ended.wait()
        }
        defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
        let command = ([process.executableURL?.lastPathComponent ?? ""] + (process.arguments ?? [])).joined(separator: " ")
        let finished = Finished(
            command: command, status: process.terminationStatus, output: try Data(contentsOf: output),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
        if hung { Issue.record("did not end within \(Self.patienceSeconds) seconds\n\(finished)") }
        return finished
    }
}

extension URL {
    /// The path as the file system has it; `path()` alone would encode blanks and everything beyond ASCII.
    var filePath: String { path(percentEncoded: false) }
}
