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

    @Test("the scorer can fail")
    func selfTest() throws {
        let folder = try Workdir()
        let run = try folder.run(
            try #require(Tool.python3), [Self.folder.appending(path: "evaluate.py").filePath, "--self-test"])
        #expect(run.status == 0, "\(run.text)\(run.errors)")
    }
}
