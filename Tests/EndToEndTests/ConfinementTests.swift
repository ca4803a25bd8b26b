import CLinux
import Foundation
import Glibc
import Testing

@testable import CLI

/// What the built program can no longer do once it reads mail. What the kernel of this machine does not have is not tested.
@Suite("Confinement")
struct ConfinementTests {
    private static let kernel = Kernel.running()

    private func maildir(_ folder: Workdir, _ name: String, _ reports: [String]) throws -> String {
        for part in ["cur", "new", "tmp"] {
            try FileManager.default.createDirectory(atPath: folder.path("\(name)/\(part)"), withIntermediateDirectories: true)
        }
        for (number, report) in reports.enumerated() {
            let mail = "From: dmarc@reporter.example\nSubject: Report Domain: example.org\nContent-Type: text/xml\n\n\(report)"
            try folder.write("\(name)/new/178027200\(number).M1P1.host", Data(mail.utf8))
        }
        return folder.path(name)
    }

    private func names(_ folder: Workdir, _ path: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder.path(path)).count
    }

    @Test(
        "who stores reports cannot open other files, make others, nor reach the network",
        .enabled(if: kernel.landlockVersion > 0 && kernel.hasFilters))
    func places() throws {
        let folder = try Workdir()
        let report = try folder.write("a.xml", Data(sampleReport(organisation: "seeded-places.example").utf8))
        let run = try Tool.run(["ingest", report, "--database", folder.path("dmarc.sqlite"), "--format", "json"], in: folder)
        #expect(try run.json(IngestAnswer.self).messages.stored == 1)
    }

    @Test("mail is moved, marked and deleted where it was asked for, whatever the places are")
    func moves() throws {
        let folder = try Workdir()
        func ingest(_ arguments: String...) throws {
            let run = try Tool.run(["ingest"] + arguments + ["--format", "json"], in: folder)
            #expect(try run.json(IngestAnswer.self).messages.stored == 1, "\(run)")
            #expect(!run.errors.contains("not moved"), "\(run)")
        }
        // A database by a relative path, in a folder that is not there yet.
        let box = try maildir(folder, "a", [sampleReport(id: "a")])
        try ingest(box, "--database", "deep/er/dmarc.sqlite", "--after", "move:DMARC/done")
        #expect(try names(folder, "a/.DMARC.done/cur") == 1 && names(folder, "a/new") == 0)
        // Another maildir, named by its path; the database by a link to it.
        let database = folder.path("link.sqlite")
        try FileManager.default.createSymbolicLink(atPath: database, withDestinationPath: "deep/er/dmarc.sqlite")
        _ = try maildir(folder, "archive", [])
        let second = try maildir(folder, "b", [sampleReport(id: "b")])
        try ingest(second, "--database", database, "--after", "move:" + folder.path("archive"))
        #expect(try names(folder, "archive/cur") == 1)
        try ingest(try maildir(folder, "c", [sampleReport(id: "c")]), "--database", "deep/er/dmarc.sqlite", "--after", "mark-seen")
        #expect(try names(folder, "c/cur") == 1)
        try ingest(try maildir(folder, "d", [sampleReport(id: "d")]), "--database", "deep/er/dmarc.sqlite", "--after", "delete")
        #expect(try names(folder, "d/new") == 0)
        // One file among others, into a folder beside it, and into one elsewhere.
        let file = try folder.write("files/e.xml", Data(sampleReport(id: "e").utf8))
        try ingest(file, "--database", "deep/er/dmarc.sqlite", "--after", "move:done")
        #expect(try names(folder, "files/done") == 1)
        let other = try folder.write("files/f.xml", Data(sampleReport(id: "f").utf8))
        try ingest(other, "--database", "deep/er/dmarc.sqlite", "--after", "move:" + folder.path("elsewhere"))
        #expect(try names(folder, "elsewhere") == 1)
        let last = try folder.write("files/g.xml", Data(sampleReport(id: "g").utf8))
        let answer = folder.path("answers.json")
        let run = try Tool.run(["ingest", last, "--database", "deep/er/dmarc.sqlite", "--output", answer], in: folder)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
        let written = try JSONDecoder().decode(IngestAnswer.self, from: Data(contentsOf: URL(filePath: answer)))
        #expect(written.messages.stored == 1)
    }

    @Test("an ingest has no new privileges, a filter, no core files, and memory that nobody looks into", .enabled(if: kernel.hasFilters))
    func process() throws {
        let folder = try Workdir()
        let pipe = folder.path("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        let started = try folder.start(Tool.binary.filePath, ["ingest", pipe, "--database", folder.path("dmarc.sqlite")])
        defer { started.kill() }
        let place = "/proc/\(started.process.processIdentifier)"
        func status(_ key: String) -> String? {
            let text = try? String(contentsOfFile: place + "/status", encoding: .utf8)
            return text?.split(separator: "\n").first { $0.hasPrefix(key + ":") }?.split(separator: "\t").last.map(String.init)
        }
        for _ in 0..<500 where status("Seccomp") != "2" { usleep(20_000) }
        #expect(status("Seccomp") == "2" && status("NoNewPrivs") == "1")
        let limits = try String(contentsOfFile: place + "/limits", encoding: .utf8)
        let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
        #expect(core?.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(limits)")
        // Of a process that nobody looks into all but the name belongs to root.
        var found = stat()
        #expect(stat(place + "/environ", &found) == 0 && found.st_uid == 0)
        let writer = open(pipe, O_WRONLY | O_CLOEXEC)
        try #require(writer >= 0)
        close(writer)
        #expect(try started.finish().status == 0)
    }

    @Test("doctor says what this kernel has to confine with")
    func doctor() throws {
        let folder = try Workdir()
        let run = try Tool.run(["doctor", "--format", "csv"], in: folder)
        let line = try #require(run.text.split(whereSeparator: \.isNewline).first { $0.contains("confinement") })
        #expect(line.contains(Self.kernel.landlockVersion > 0 ? "(Landlock \(Self.kernel.landlockVersion))" : "this kernel has n"))
        #expect(line.contains(",ok,"))
    }

    @Test("what a kernel lacks is said with what to do, and is no failure")
    func kernels() {
        for version in 0...7 {
            for hasFilters in [false, true] {
                let kernel = Kernel(landlockVersion: version, hasFilters: hasFilters)
                #expect(kernel.found.contains("no seccomp") || kernel.found.contains("neither") || hasFilters)
                #expect(kernel.found.contains("(Landlock \(version))") == (version > 0))
                #expect(kernel.found.contains("Landlock"), "\(kernel.found)")
                #expect(kernel.next.isEmpty == (version >= 4 && hasFilters), "\(kernel)")
                #expect(kernel.canKeepToPlaces(movingMail: true) == (version >= 2))
                #expect(kernel.canKeepToPlaces(movingMail: false) == (version >= 1))
            }
        }
    }
}
