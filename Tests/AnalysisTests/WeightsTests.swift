import Foundation
import Testing

@testable import Inference

/// The table of weights, and docs/VERDICTS.md, which shows it. `RECORD_SNAPSHOTS=1` writes the document's part anew, and still fails.
@Suite("weights")
struct WeightsTests {
    private static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let begin = "<!-- The tables below are written from Sources/Inference/Weights.swift. -->\n"

    /// As the document shows it.
    private static func tables() -> String {
        var text = ""
        for room in Rule.Room.allCases {
            let next = Rule.Room.allCases.map(\.first.rawValue).filter { $0 > room.first.rawValue }.min() ?? Rule.allCases.count
            text += "\n### \(room.rawValue)\n\n| rule | story | weight | code | what is seen |\n|---|---|---|---|---|\n"
            for rule in Rule.allCases[room.first.rawValue..<next] {
                let row = rule.weight
                let codes = [row.code?.code, row.against.map { $0.code + "` (against)`" }].compactMap(\.self).map { "`\($0)`" }
                text += "| `\(rule.name)` | `\(row.story.rawValue)` | \(row.amount.formula) | "
                text += codes.joined(separator: ", ").replacing("``", with: "") + " | \(row.reason) |\n"
            }
        }
        text += "\n### Bounds\n\n| at most | why |\n|---|---|\n"
        for cap in Cap.allCases.sorted(by: { ($0.most, $0.rawValue) < ($1.most, $1.rawValue) }) {
            text += "| 0.\(cap.most) | \(cap.reason) |\n"
        }
        return text
    }

    @Test("docs/VERDICTS.md shows the table as it is")
    func document() throws {
        let file = Self.root.appendingPathComponent("docs/VERDICTS.md")
        let document = try String(contentsOf: file, encoding: .utf8)
        let mark = try #require(document.range(of: Self.begin))
        if ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] == "1" {
            try (document[..<mark.upperBound] + Self.tables()).write(to: file, atomically: true, encoding: .utf8)
            Issue.record("written anew; run again without RECORD_SNAPSHOTS")
        }
        #expect(document[mark.upperBound...] == Self.tables())
    }

    @Test("every rule is asked somewhere, has a name of its own and says something")
    func rules() throws {
        #expect(Set(Rule.allCases.map(\.name)).count == Rule.allCases.count)
        let folder = Self.root.appendingPathComponent("Sources/Inference")
        let judge = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasPrefix("Judge") }.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        #expect(judge.count > 10_000)
        for rule in Rule.allCases {
            let isAsked = judge.contains(try Regex("\\.\(String(describing: rule))\\b"))
            #expect(isAsked, "\(rule.name) stands in the table, and nobody asks it")
            #expect(rule.weight.reason.hasSuffix(".") && rule.weight.reason.count >= 10)
            let counts: [Double] = if case .odds = rule.weight.amount { [-1000, -1, 1, 1000] } else { [1, 2, 5, 30, 1000] }
            let some = counts.map(rule.weight.amount.of)
            #expect(some.allSatisfy { abs($0) < 20 && $0 == $0 }, "\(rule.name) outweighs everything")
            #expect(some.contains { $0 != 0 }, "\(rule.name) says nothing")
        }
        for room in Rule.Room.allCases { #expect(Rule.allCases.contains(room.first)) }
        #expect(Rule.Room.allCases.map(\.first.rawValue) == Rule.Room.allCases.map(\.first.rawValue).sorted())
        #expect(Rule.Room.allCases.first?.first == Rule.allCases.first)
    }
}
