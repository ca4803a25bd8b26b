import Foundation
import Testing

/// Which libraries the program needs for what.
@Suite("Libraries")
struct LibraryTests {
    /// A folder in which the loader finds a libcurl that is none, before it finds the real one.
    private func withoutLibcurl() throws -> (Workdir, environment: [String: String]) {
        let folder = try Workdir()
        try folder.write("libraries/libcurl.so.4", Data("not a library".utf8))
        return (folder, ["LD_LIBRARY_PATH": folder.path("libraries")])
    }

    @Test("without libcurl everything works but IMAP")
    func othersWork() throws {
        let (folder, environment) = try withoutLibcurl()
        let report = try folder.write("one.xml", Data(sampleReport().utf8))
        let database = folder.path("dmarc.sqlite")
        for arguments in [["ingest", report], ["summary"], ["doctor"]] {
            let run = try Tool.run(arguments + ["--database", database], in: folder, environment: environment)
            #expect(run.status == 0, "\(run)")
        }
    }

    @Test("without libcurl IMAP says what is missing, and what to install", arguments: [["ingest"], ["doctor"]])
    func imapSaysSo(_ arguments: [String]) throws {
        let (folder, environment) = try withoutLibcurl()
        let configuration = """
            [[mailbox]]
            name = "rua"
            kind = "imap"
            host = "localhost"
            user = "dmarc"
            password_command = "echo secret"
            """
        let file = try folder.write("config.toml", Data(configuration.utf8))
        let run = try Tool.run(
            arguments + ["--config", file, "--database", folder.path("dmarc.sqlite")], in: folder, environment: environment)
        #expect(run.status == 74, "\(run)")
        let said = run.text + run.errors
        #expect(said.contains("imap-no-library: libcurl, which IMAP needs, cannot be loaded"), "\(run)")
        #expect(arguments != ["doctor"] || said.contains("apt-get install libcurl4"), "\(run)")
    }
}
