import Foundation
import Glibc
import Testing

/// The machine around the program: its clock, its users, pipes without an end.
@Suite("Surroundings: the clock")
struct ClockTests {
    static let faketime = ["/usr/bin/faketime", "/usr/local/bin/faketime"].first { FileManager.default.isExecutableFile(atPath: $0) }
    /// 2026-06-02T03:00:00Z: when the sample mail was sent, a few hours after its report ends.
    private static let sent = 1_780_369_200

    /// A maildir with mails of `reports`: the name of each, when its report ends, and what its Date says.
    private func box(_ mails: [(name: String, end: Int, date: String)]) throws -> Workdir {
        let folder = try Workdir()
        for part in ["new", "cur", "tmp"] {
            try FileManager.default.createDirectory(atPath: folder.path("box/\(part)"), withIntermediateDirectories: true)
        }
        for mail in mails { try add(mail, to: folder) }
        return folder
    }

    private func add(_ mail: (name: String, end: Int, date: String), to folder: Workdir) throws {
        let report = sampleReport(id: mail.name).replacing("1780272000", with: "\(mail.end - 86399)").replacing(
            "1780358399", with: "\(mail.end)")
        let date = mail.date.isEmpty ? "" : "Date: \(mail.date)\n"
        let text =
            "From: dmarc@reporter.example\nTo: dmarc@example.com\n\(date)Subject: Report Domain: example.com\nContent-Type: text/xml; name=\"r.xml\"\n\n\(report)"
        try folder.write("box/new/\(mail.name)", Data(text.utf8))
    }

    /// With refused mail deleted: what must never become of mail because of our clock.
    private func ingest(_ folder: Workdir, at time: String, _ extra: String...) throws -> Finished {
        let arguments = [time, Tool.binary.filePath, "ingest", "--database", folder.path("dmarc.sqlite"), "--after-refused", "delete"]
        return try folder.run(try #require(Self.faketime), arguments + ["--format", "json", folder.path("box")] + extra)
    }

    private func names(_ folder: Workdir) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder.path("box/new")).count
    }

    private static let honest = (end: 1_780_358_399, date: "Tue, 02 Jun 2026 03:00:00 +0000")

    @Test(
        "set back before the last run, it ends the run; a step of minutes does not",
        .enabled(if: Self.faketime != nil, "faketime is not installed"))
    func beforeLastRun() throws {
        let folder = try box([("1.M1P1.mx", Self.honest.end, Self.honest.date)])
        #expect(try ingest(folder, at: "2026-06-10 12:00:00 UTC").json(IngestAnswer.self).messages.stored == 1)
        try add(("2.M1P1.mx", Self.honest.end, Self.honest.date), to: folder)
        for time in ["2026-06-10 10:00:00 UTC", "2026-06-03 12:00:00 UTC", "2015-01-01 00:00:00 UTC", "2001-01-01 00:00:00 UTC"] {
            let run = try ingest(folder, at: time)
            #expect(
                run.status == 75 && run.output.isEmpty && run.errors.contains("clock") && run.errors.contains("Next: "), "\(time) \(run)")
        }
        let step = try ingest(folder, at: "2026-06-10 11:50:00 UTC").json(IngestAnswer.self)
        #expect(step.messages.stored == 1 && step.messages.seen == 1)
    }

    @Test(
        "set forward once, it needs a word before a run at the right time, and only one",
        .enabled(if: Self.faketime != nil, "faketime is not installed"))
    func forward() throws {
        let folder = try box([("1.M1P1.mx", Self.honest.end, Self.honest.date)])
        // What a stranger dates so is believed at that time; it must not count later.
        try add(("2.M1P1.mx", 2_148_000_000, "Tue, 19 Jan 2038 03:00:00 +0000"), to: folder)
        #expect(try ingest(folder, at: "2038-01-30 12:00:00 UTC").json(IngestAnswer.self).messages.stored == 2)
        #expect(try ingest(folder, at: "2026-06-10 12:00:00 UTC").status == 75)
        #expect(try ingest(folder, at: "2026-06-10 12:00:00 UTC", "--trust-clock").status == 0)
        try add(("3.M1P1.mx", Self.honest.end, Self.honest.date), to: folder)
        #expect(try ingest(folder, at: "2026-06-11 12:00:00 UTC").json(IngestAnswer.self).messages.stored == 1)
    }

    @Test("a forged report that ends two days ahead stops nobody", .enabled(if: Self.faketime != nil, "faketime is not installed"))
    func twoDaysAhead() throws {
        let end = Self.sent + 2 * 86400 - 60
        let folder = try box([("1.M1P1.mx", end, "Thu, 04 Jun 2026 03:00:00 +0000")])
        #expect(try ingest(folder, at: "2026-06-02 03:00:00 UTC").json(IngestAnswer.self).messages.stored == 1)
        for time in ["2026-06-02 02:59:00 UTC", "2026-06-02 03:10:00 UTC", "2026-06-03 03:00:00 UTC"] {
            #expect(try ingest(folder, at: time).status == 0)
        }
    }

    @Test(
        "set back before mail was delivered, it ends the run and nothing is judged",
        .enabled(if: Self.faketime != nil, "faketime is not installed"))
    func beforeDelivery() throws {
        let folder = try box((0..<4).map { ("\(Self.sent + $0).M1P1.mx", Self.honest.end, Self.honest.date) })
        try folder.write("box/new/1.M9P1.mx", Data("From: a\n\nno report".utf8))
        for time in ["2026-05-01 00:00:00 UTC", "2015-01-01 00:00:00 UTC"] {
            let run = try ingest(folder, at: time)
            #expect(run.status == 75 && run.errors.contains("was delivered 2026-06-02T03:00:0"), "\(run)")
            #expect(try names(folder) == 5)
        }
        let later = try ingest(folder, at: "2026-06-02 04:00:00 UTC").json(IngestAnswer.self)
        #expect(later.messages.stored == 4 && later.messages.not_a_report == 1)
        // One server with a wrong clock, once, is no witness among others.
        try add(("\(Self.sent + 9 * 86400).M1P1.mx", Self.honest.end, Self.honest.date), to: folder)
        for number in 0..<3 { try add(("\(Self.sent + 60 + number).M7P1.mx", Self.honest.end, Self.honest.date), to: folder) }
        #expect(try ingest(folder, at: "2026-06-03 04:00:00 UTC").json(IngestAnswer.self).messages.seen == 4)
    }

    @Test(
        "what lies in the future by our clock only is left, and is stored when the clock is right",
        .enabled(if: Self.faketime != nil, "faketime is not installed"))
    func onlyByOurClock() throws {
        // Names that say nothing of the time; some mails without a Date; and files that are no mails.
        for kind in ["mails", "no-date", "files"] {
            let folder = try box([])
            for number in 0..<4 {
                let name = "\(number).M1P1.mx"
                if kind == "files" {
                    try folder.write("box/new/\(name)", Data(sampleReport(id: name).utf8))
                } else {
                    try add((name, Self.honest.end, kind == "mails" ? Self.honest.date : ""), to: folder)
                }
            }
            for time in ["2026-05-01 00:00:00 UTC", "2015-01-01 00:00:00 UTC"] {
                let run = try folder.run(
                    try #require(Self.faketime),
                    [
                        time, Tool.binary.filePath, "ingest", "--trust-clock", "--database", folder.path("dmarc.sqlite"), "--after-refused",
                        "delete", folder.path("box"),
                    ])
                #expect(run.status == 75 && run.errors.contains("Next: set the clock"), "\(kind) \(run)")
                #expect(try names(folder) == 4, "\(kind)")
            }
            let later = try ingest(folder, at: "2026-06-02 04:00:00 UTC").json(IngestAnswer.self)
            #expect(later.messages.stored == 4 && later.messages.seen == 4, "\(kind)")
        }
    }

    @Test(
        "a stranger's Date in the future has its own mail deferred, and nobody else's",
        .enabled(if: Self.faketime != nil, "faketime is not installed"))
    func forgedDate() throws {
        let future = 1_906_000_000
        let folder = try box([
            ("1.M1P1.mx", Self.honest.end, Self.honest.date), ("2.M1P1.mx", future, "Sat, 25 May 2030 00:00:00 +0000"),
            ("3.M1P1.mx", Self.honest.end, "Sat, 25 May 2030 00:00:00 +0000"),
            // By its own mail it lies in the future: refused, and dealt with as refused mail is.
            ("4.M1P1.mx", future, Self.honest.date),
        ])
        for round in 0..<3 {
            let run = try ingest(folder, at: "2026-06-0\(3 + round) 12:00:00 UTC")
            #expect(run.status == 0, "\(run)")
            let answer = try run.json(IngestAnswer.self)
            #expect(answer.messages.deferred == 1 && answer.messages.seen == (round == 0 ? 4 : 1), "\(run)")
            #expect(answer.messages.stored == (round == 0 ? 2 : 0) && answer.messages.refused == (round == 0 ? 1 : 0), "\(run)")
            #expect(try names(folder) == 3)
        }
    }
}

@Suite("Surroundings: pipes")
struct PipeTests {
    /// Whether another run gets the lock of the database.
    private func isFree(_ folder: Workdir) throws -> Bool {
        let report = try folder.write("other.xml", Data(sampleReport(id: UUID().uuidString).utf8))
        let run = try Tool.run(["ingest", "--database", folder.path("dmarc.sqlite"), report, "--format", "json"], in: folder)
        #expect(run.status == 0, "\(run)")
        // A run that does not get it within ten seconds ends with 75.
        return run.status == 0
    }

    @Test("a pipe that nobody writes to, or somebody slowly, keeps nobody from the database")
    func silent() throws {
        let folder = try Workdir()
        let pipe = folder.path("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let waiting = try folder.start(
            Tool.binary.filePath, ["ingest", "--database", folder.path("dmarc.sqlite"), pipe, "--format", "json"])
        let end = open(pipe, O_WRONLY)
        try #require(end >= 0)
        let mail = Array(sampleMail().utf8)
        #expect(mail[..<200].withUnsafeBytes { write(end, $0.baseAddress, 200) } == 200)
        usleep(300_000)
        #expect(try isFree(folder))
        #expect(mail[200...].withUnsafeBytes { write(end, $0.baseAddress, $0.count) } == mail.count - 200)
        #expect(try isFree(folder))
        close(end)
        let answer = try waiting.finish().json(IngestAnswer.self)
        #expect(answer.messages.seen == 1 && answer.messages.stored == 1)
        let status = try Tool.run(["status", "--database", folder.path("dmarc.sqlite")], in: folder)
        #expect(status.status == 0, "\(status)")
    }

    @Test("an mbox without end is stored a round at a time, and keeps nobody from the database")
    func endless() throws {
        let folder = try Workdir()
        let writer = try folder.write(
            "writer.sh",
            Data(
                "i=0; while [ -e go ]; do i=$((i+1)); printf 'From a\\nSubject: %s\\n\\nnothing\\n\\n' $i; sleep 0.01; done | exec \"$@\"\n"
                    .utf8))
        try folder.write("go", Data())
        let waiting = try folder.start("/bin/sh", [writer, Tool.binary.filePath, "ingest", "--database", folder.path("dmarc.sqlite"), "-"])
        // The writer ends when it is gone, and the reader with it.
        let go = folder.path("go")
        defer { unlink(go) }
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(60)
        var seen = 0
        while seen < 50, clock.now < deadline {
            usleep(500_000)
            let refused = try Tool.run(
                ["refused", "--database", folder.path("dmarc.sqlite"), "--limit", "all", "--format", "ndjson"], in: folder)
            seen = refused.text.split(separator: "\n").count
            if refused.status == 0 { #expect(try isFree(folder)) }
        }
        #expect(seen >= 50)
        unlink(go)
        let finished = try waiting.finish()
        #expect(finished.status == 0, "\(finished)")
    }
}

@Suite("Surroundings: users", .enabled(if: geteuid() == 0, "only root can be somebody else"))
struct UserTests {
    private static let nobody: uid_t = 65534

    private func owners(_ folder: Workdir, _ name: String) throws -> [String: uid_t] {
        var owners: [String: uid_t] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path(name)) {
            var status = stat()
            try #require(lstat(folder.path(name) + "/" + file, &status) == 0)
            owners[file] = status.st_uid
        }
        return owners
    }

    @Test("root leaves nothing of root in the folder of another user")
    func root() throws {
        let folder = try Workdir()
        let report = try folder.write("report.xml", Data(sampleReport().utf8))
        try #require(mkdir(folder.path("db"), 0o700) == 0 && chown(folder.path("db"), Self.nobody, Self.nobody) == 0)
        let database = folder.path("db/dmarc.sqlite")
        func run(_ arguments: String...) throws -> Finished { try Tool.run(arguments + ["--database", database], in: folder) }
        #expect(try run("ingest", report).status == 0)
        let after = try owners(folder, "db")
        #expect(after.allSatisfy { $0.value == Self.nobody }, "\(after)")
        // While it is open: with its log and the index of that.
        let holder = try folder.start(
            try #require(Tool.python3),
            [
                "-c",
                "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1])\nc.execute('select * from runs').fetchall()\nc.execute('begin')\nc.execute('select * from runs').fetchall()\nopen(sys.argv[1]+'.ready','w')\ntime.sleep(60)",
                database,
            ])
        defer { holder.kill() }
        while !FileManager.default.fileExists(atPath: database + ".ready"), holder.process.isRunning { usleep(50_000) }
        try FileManager.default.removeItem(atPath: database + ".ready")
        for question in ["summary", "status", "doctor"] { #expect(try run(question).status == 0) }
        let second = try folder.write("second.xml", Data(sampleReport(id: "2").utf8))
        #expect(try run("ingest", second).status == 0)
        #expect(try run("backup", folder.path("db/copy.sqlite")).status == 0)
        let found = try owners(folder, "db")
        #expect(found.keys.contains("dmarc.sqlite-wal") && found.keys.contains("copy.sqlite"), "\(found)")
        #expect(found.allSatisfy { $0.value == Self.nobody }, "\(found)")
        // A folder that is not there yet is made in it.
        let deeper = try Tool.run(["ingest", second, "--database", folder.path("db/a/b/dmarc.sqlite")], in: folder)
        #expect(deeper.status == 0)
        let made = try (owners(folder, "db"), owners(folder, "db/a/b"))
        #expect(made.0["a"] == Self.nobody && made.1.allSatisfy { $0.value == Self.nobody }, "\(made)")
    }

    @Test(
        "nothing of somebody else is used in a folder where anybody may make files",
        arguments: ["dmarc.sqlite", "dmarc.sqlite.lock", "dmarc.sqlite-wal", "dmarc.sqlite.reading"])
    func sticky(name: String) throws {
        let folder = try Workdir()
        let report = try folder.write("report.xml", Data(sampleReport().utf8))
        try #require(mkdir(folder.path("tmp"), 0o777) == 0 && chmod(folder.path("tmp"), 0o1777) == 0)
        let database = folder.path("tmp/dmarc.sqlite")
        if name != "dmarc.sqlite" { try #require(try Tool.run(["ingest", report, "--database", database], in: folder).status == 0) }
        let file = folder.path("tmp/" + name)
        if !FileManager.default.fileExists(atPath: file) { try Data().write(to: URL(filePath: file)) }
        try #require(chown(file, Self.nobody, Self.nobody) == 0)
        let run = try Tool.run(["ingest", report, "--database", database], in: folder)
        #expect(run.status == 77 && run.errors.contains("belongs to another user") && run.errors.contains(name), "\(run)")
    }

    @Test("a database that others may read is said to be, one that anybody may write to is refused")
    func mode() throws {
        let folder = try Workdir()
        let report = try folder.write("report.xml", Data(sampleReport().utf8))
        let database = folder.path("dmarc.sqlite")
        func ingest() throws -> Finished { try Tool.run(["ingest", report, "--database", database], in: folder) }
        let first = try ingest()
        #expect(first.status == 0 && first.errors.isEmpty, "\(first)")
        for mode: mode_t in [0o640, 0o604] {
            try #require(chmod(database, mode) == 0)
            let run = try ingest()
            #expect(run.status == 0 && run.errors.contains("others may read") && run.errors.contains("chmod 600"), "\(run)")
        }
        try #require(chmod(database, 0o606) == 0)
        for command in [["ingest", report], ["summary"]] {
            let run = try Tool.run(command + ["--database", database], in: folder)
            #expect(run.status == 77 && run.errors.contains("anybody may write to it"), "\(run)")
        }
    }
}

@Suite("Surroundings: a disk without room", .enabled(if: FullDisk.canBeMade, "mounting a file system takes root"))
struct FullDiskTests {
    @Test("every command that writes says that there is no room, questions are answered, and a purge can make some")
    func full() throws {
        let folder = try Workdir()
        let disk = try FullDisk(folder)
        let database = disk.path + "/dmarc.sqlite"
        func run(_ arguments: String..., database: String? = nil) throws -> Finished {
            try Tool.run(arguments + ["--database", database ?? disk.path + "/dmarc.sqlite"], in: folder)
        }
        for number in 0..<300 { try folder.write("box/\(number).xml", Data(sampleReport(id: "\(number)", sources: 120).utf8)) }
        // On so small a disk nothing is begun, unless the configuration says that little room is enough.
        let careful = try run("ingest", folder.path("box"))
        #expect(careful.status == 75 && careful.errors.contains("disk-full") && careful.errors.contains("Next: make room"), "\(careful)")
        let lastByte = try folder.write("config.toml", Data("[limits]\nfree_bytes = 0\n".utf8))
        try #require(try run("ingest", folder.path("box"), "--config", lastByte).status == 0)
        let answers = try ["summary", "sources", "status", "refused", "doctor"].map { try run($0).text }
        try disk.fill()
        let new = try folder.write("new.xml", Data(sampleReport(id: "new").utf8))
        for command in [
            ["ingest", new, "--config", lastByte], ["purge", "--before", "2026-12-01"], ["purge", "--before", "2026-12-01", "--raw-only"],
            ["reprocess"],
            ["backup", disk.path + "/copy.sqlite"], ["export", "--output", disk.path + "/export.csv"],
        ] {
            let finished = try Tool.run(command + ["--database", database], in: folder)
            #expect(finished.status == 75, "\(finished)")
            #expect(finished.errors.contains("no room") || finished.errors.contains("no space left"), "\(finished)")
        }
        let configuration = try Tool.run(["init", disk.path + "/config.toml"], in: folder)
        #expect(configuration.status == 75 && configuration.errors.contains("no space left"), "\(configuration)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: disk.path).allSatisfy { $0.hasPrefix("dmarc.sqlite") || $0 == "filler" })
        #expect(try ["summary", "sources", "status", "refused", "doctor"].map { try run($0).text } == answers)
        // What the command says helps.
        let purge = try run("purge", "--before", "2026-12-01", "--raw-only", "--vacuum")
        #expect(purge.status == 75 && purge.errors.contains("dmarcstat backup /OTHER/DISK/copy.sqlite"), "\(purge)")
        let copy = folder.path("copy.sqlite")
        #expect(try run("backup", copy).status == 0)
        let purged = try run("purge", "--before", "2026-12-01", "--vacuum", database: copy)
        #expect(purged.status == 0, "\(purged)")
        var (before, after) = (stat(), stat())
        try #require(stat(database, &before) == 0 && stat(copy, &after) == 0)
        #expect(after.st_size < before.st_size - 2_000_000, "\(before.st_size) \(after.st_size)")
        try #require(try folder.run("/bin/mv", [copy, database]).status == 0)
        let stored = try run("ingest", new, "--config", lastByte, "--format", "json")
        #expect(try stored.json(IngestAnswer.self).messages.stored == 1, "\(stored)")
        #expect(try run("doctor").status == 0)
    }
}

/// A small file system of its own, as root can make one.
final class FullDisk {
    let path: String

    static let canBeMade: Bool = {
        guard geteuid() == 0, let folder = try? Workdir(), let disk = try? FullDisk(folder) else { return false }
        return FileManager.default.fileExists(atPath: disk.path)
    }()

    init(_ folder: Workdir) throws {
        path = folder.path("disk")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let mounted = try folder.run("/bin/mount", ["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", path])
        guard mounted.status == 0 else { throw POSIXError(.EPERM) }
    }

    deinit { umount(path) }

    /// Takes all room that is left.
    func fill() throws {
        let file = open(path + "/filler", O_WRONLY | O_CREAT, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        for size in [65536, 4096, 512, 1] {
            let bytes = [UInt8](repeating: 1, count: size)
            while write(file, bytes, size) > 0 {}
        }
    }
}
