import Foundation
import Testing

/// How often verdicts are right, against floors that only rise: `make evaluate` measures all of it, this a part that takes seconds.
@Suite("Evaluation of verdicts", .enabled(if: Tool.python3 != nil, "python3 is not installed"))
struct EvaluationTests {
    private static let folder = Tool.root.appending(path: "Evaluation")

    @Test("verdicts in two worlds are at least as good as they were")
    func floors() throws {
        let folder = try Workdir()
        let run = try folder.run(
            try #require(Tool.python3),
            [
                Self.folder.appending(path: "evaluate.py").filePath, "--binary", Tool.binary.filePath, "--quick", "--floors",
                Self.folder.appending(path: "floors.tsv").filePath, "--check", "--keep", folder.path("worlds"),
            ])
        #expect(run.status == 0, "\(run.text.suffix(6000))\(run.errors)")
    }

    /// Each is a maildir of mails that are well authenticated as the forger's own domains, collected by the binary with a trusted server, with a list
    /// of own domains, and without a configuration. What must not move: `attackers.py`.
    private static let attacks = [
        "sybil-two-mails", "sybil-old-days", "big-names", "one-survives", "frame-by-subdomains", "frame-by-services", "thirty-mails",
        "dilution",
        "early-bird-unverified", "superset", "forged-bird", "forged-superset", "patient-fresh", "patient-subdomain",
    ]

    @Test("forged reports move no verdict, no advice and no figure")
    func attackers() throws {
        let folder = try Workdir()
        let run = try folder.run(
            try #require(Tool.python3),
            [
                Self.folder.appending(path: "attackers.py").filePath, "--binary", Tool.binary.filePath, "--quick", "--kinds",
                Self.attacks.joined(separator: ","),
            ])
        #expect(run.status == 0, "\(run.errors)")
        // A world in which the honest answers are wrong shows nothing.
        #expect(!run.text.contains("!! without an attacker"), "\(run.text)")
        let all = "\(Self.attacks.count) of \(Self.attacks.count) attacks held"
        #expect(run.text.components(separatedBy: all).count == 4, "\(run.text)")
    }

    @Test("advice: every number is counted again, and no DNS line names who is not the owner's")
    func advice() throws {
        let folder = try Workdir()
        let run = try folder.run(
            try #require(Tool.python3),
            [
                Self.folder.appending(path: "advice.py").filePath, "--binary", Tool.binary.filePath, "--quick", "--seeds", "1", "--groups",
                "small-microsoft,small-hoster,thin-forwards,parked,strangers-at-services,temporary-error", "--keep", folder.path("worlds"),
            ])
        #expect(run.status == 0, "\(run.text.suffix(6000))\(run.errors)")
        #expect(run.text.contains("0 of what was said is not so"))
    }

    @Test("the scorer can fail")
    func selfTest() throws {
        let folder = try Workdir()
        let run = try folder.run(
            try #require(Tool.python3), [Self.folder.appending(path: "evaluate.py").filePath, "--self-test"])
        #expect(run.status == 0, "\(run.text)\(run.errors)")
    }
}
