import Foundation
import Glibc
import Testing

@testable import CLI

/// `password_command` and `token_command`: whatever the command does, the run goes on soon, and nothing of it is left.
@Suite("Commands that print a secret")
struct SecretCommandTests {
    /// What a shell is told, and what comes of it. `$mark` is a word that only processes of this test have in their command line.
    private struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var script: String
        /// The output; nil: there is a failure, which holds `says`.
        var output: String?
        var says = ""
        /// Whether it is ended at the deadline.
        var isLate = false

        var testDescription: String { name }
    }

    private static let cases = [
        Case(name: "prints and ends", script: "echo secret", output: "secret\n"),
        Case(name: "prints without a line end", script: "printf secret", output: "secret"),
        Case(name: "a grandchild keeps the pipe open", script: "sleep 600$mark & echo secret", output: "secret\n"),
        Case(
            name: "a grandchild keeps the pipe open, and its parent waits", script: "echo secret; sleep 600$mark & wait",
            says: "did not end", isLate: true),
        Case(name: "ignores SIGTERM", script: "trap '' TERM; sleep 600$mark; sleep 600$mark", says: "did not end", isLate: true),
        Case(
            name: "a grandchild ignores SIGTERM", script: "(trap '' TERM; while :; do sleep 600$mark; done) & wait", says: "did not end",
            isLate: true),
        Case(name: "stops itself", script: "kill -STOP $$", says: "did not end", isLate: true),
        Case(name: "endless output", script: "while :; do echo secret; done", says: "prints more than 16384 bytes"),
        Case(name: "endless output of a grandchild", script: "yes secret$mark & wait", says: "prints more than 16384 bytes"),
        Case(name: "endless output without a line end", script: "cat /dev/zero", says: "prints more than 16384 bytes"),
        Case(name: "no output", script: "true", output: ""),
        Case(name: "ends with a status", script: "echo secret; exit 3", says: "ended with status 3"),
        Case(name: "is ended by a signal", script: "echo secret; kill -KILL $$", says: "was ended by signal 9"),
        Case(name: "writes on standard error", script: "echo a hint >&2; echo secret", output: "secret\n"),
        Case(name: "writes on standard error without end", script: "while :; do echo noise; done >&2", says: "did not end", isLate: true),
        Case(name: "is slow", script: "sleep 0.4; echo secret", output: "secret\n"),
        Case(name: "is slow in the middle", script: "printf sec; sleep 0.4; echo ret", output: "secret\n"),
        Case(name: "closes its output early", script: "echo secret; exec >&-; sleep 0.4", output: "secret\n"),
        Case(
            name: "closes its output early and never ends", script: "echo secret; exec >&- 2>&-; sleep 600$mark", says: "did not end",
            isLate: true),
        Case(name: "reads its input", script: "cat; echo secret", output: "secret\n"),
    ]

    @Test("are bounded, and nothing that they started is left", arguments: cases)
    private func bounded(_ entry: Case) throws {
        // `sleep` takes what follows the number as a fraction of a second.
        let mark = ".000\(Int.random(in: 100_000_000...999_999_999))"
        let command = SecretCommand(seconds: 1, graceSeconds: 0.3)
        let clock = ContinuousClock()
        let start = clock.now
        let answer = command.run(["sh", "-c", entry.script.replacing("$mark", with: mark)])
        let took = start.duration(to: clock.now)
        if let output = entry.output {
            #expect(answer.failure == nil && String(decoding: answer.output, as: UTF8.self) == output, "\(answer)")
        } else {
            #expect(answer.failure?.contains(entry.says) == true, "\(answer)")
        }
        #expect(took < .seconds(30), "\(took)")
        #expect((took >= .seconds(1)) == entry.isLate || took > .seconds(2), "\(took)")
        #expect(answer.output.count <= SecretCommand.maxBytes + 1 && answer.errors.count <= 4096)
        // What was sent SIGKILL is gone a moment later.
        let end = clock.now + .seconds(20)
        while try !Self.processes(with: mark).isEmpty, clock.now < end { usleep(20_000) }
        #expect(try Self.processes(with: mark).isEmpty)
    }

    @Test("one that is not there cannot be started, and one that may not be")
    func notThere() {
        #expect(SecretCommand().run(["/nonexistent/pass"]).failure == "cannot be started: no such file or directory")
        #expect(SecretCommand().run(["dmarcstat-no-such-program"]).failure == "cannot be started: no such file or directory")
        #expect(SecretCommand().run(["/"]).failure == "cannot be started: permission denied")
    }

    @Test("one is ended at once when the run is to end")
    func stopped() {
        let clock = ContinuousClock()
        let start = clock.now
        var looks = 0
        let answer = SecretCommand(seconds: 60).run(["sleep", "600"]) {
            looks += 1
            return looks > 3
        }
        #expect(answer.failure?.contains("this run is to end") == true)
        #expect(start.duration(to: clock.now) < .seconds(30))
    }

    @Test("what one says on standard error is passed on, bounded and without the secret")
    func errors() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dmarcstat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = folder.appending(path: "secret.sh")
        let lines = ["exec >&2", "echo hint", "printf '\\033[31mred\\n'", "echo have hunter22", "seq 22", "exec >&3", "echo hunter22"]
        try Data((["exec 3>&1"] + lines).joined(separator: "\n").utf8).write(to: script)
        let errors = MemoryChannel()
        let context = Context(standardOutput: MemoryChannel(), standardError: errors, now: CommandRunner.now)
        _ = SecretSupply(context).fetched(.command("sh '\(script.path(percentEncoded: false))'"))
        #expect(
            errors.text.contains("sh: hint\n") && !errors.text.contains("hunter22") && !errors.text.contains("\u{1B}"), "\(errors.text)")
        #expect(errors.text.split(separator: "\n").count <= 20, "\(errors.text)")
    }

    /// The processes of this machine with this text in their command line.
    private static func processes(with mark: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard Int(name) != nil, let line = try? Data(contentsOf: URL(filePath: "/proc/\(name)/cmdline")) else { return false }
            return String(decoding: line, as: UTF8.self).contains(mark)
        }
    }
}
