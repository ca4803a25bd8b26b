import Foundation
import Testing

/// Nothing is lost and nothing counted twice, whatever fails when: a part of `make torture` that takes seconds.
@Suite("Torture", .serialized, .enabled(if: Tool.python3 != nil, "python3 is not installed"))
struct TortureTests {
    /// Whether processes may be traced here: a container can forbid it.
    static let mayTrace: Bool = {
        guard let folder = try? Workdir(), FileManager.default.isExecutableFile(atPath: "/usr/bin/strace") else { return false }
        return (try? folder.run("/usr/bin/strace", ["-f", "-o", "/dev/null", "-e", "trace=none", "/bin/true"]).status) == 0
    }()

    @Test(
        "an ingest is killed, and its disk fails, at points all over it",
        .enabled(if: Self.mayTrace, "strace is not installed, or may trace no process here"),
        arguments: [("KILL", "10"), ("ENOSPC", "6"), ("EIO", "6")])
    func points(_ error: String, _ limit: String) throws {
        try torture(["points", "--errors", error, "--limit", limit, "--mails", "20"])
    }

    @Test("a mailbox on NFS goes stale", .enabled(if: Self.mayTrace, "strace is not installed, or may trace no process here"))
    func stale() throws { try torture(["stale", "--limit", "24", "--mails", "20"]) }

    @Test("the log is lost after a kill", .enabled(if: Self.mayTrace, "strace is not installed, or may trace no process here"))
    func lostLog() throws { try torture(["lost-log", "--mails", "20"]) }

    @Test("two ingesters are killed at random, and four run at once on one maildir")
    func crowds() throws { try torture(["random-kills", "crowd", "--kills", "6", "--crowd", "4", "--mails", "20"]) }

    @Test("copies are made beside ingesters that run all the time")
    func backups() throws { try torture(["backups", "--backups", "20", "--mails", "20"]) }

    @Test("mail is moved and flagged while it is read; the database is where nothing may be written; files may not grow")
    func surroundings() throws { try torture(["moving", "read-only", "file-limit", "--kills", "10", "--mails", "20"]) }

    @Test(
        "the clock is wrong, or changes to summer time",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/faketime"), "faketime is not installed"))
    func clock() throws { try torture(["clock", "--mails", "20"]) }

    @Test("a signal ends it, whatever it waits for")
    func stop() throws { try torture(["stop", "--cycles", "2", "--mails", "20"]) }

    @Test("mail comes and questions are asked fifteen times")
    func soak() throws { try torture(["soak", "--cycles", "15", "--mails", "20"]) }

    @Test("what does not hold is found")
    func selfTest() throws { try torture(["self-test", "--mails", "20"]) }

    private func torture(_ arguments: [String]) throws {
        let folder = try Workdir()
        let script = Tool.root.appending(path: "Torture/torture.py").filePath
        let run = try folder.run(
            try #require(Tool.python3), [script, "--binary", Tool.binary.filePath] + arguments, environment: ["TMPDIR": folder.url.filePath]
        )
        #expect(run.status == 0, "\(run.text.suffix(6000))\(run.errors)")
        #expect(!run.text.contains("not run here"), "\(run.text)")
    }
}
