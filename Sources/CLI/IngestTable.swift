import Ingest
import Rendering
import Store

/// What an ingest did, for programs and for people.
enum IngestTable {
    /// One row; its members stand at the top level of the JSON object as well.
    static func make(_ tally: Tally) -> Table {
        func count(_ outcome: MessageOutcome) -> Cell { .integer(tally.messages[outcome] ?? 0) }
        let messages = Cell.object([
            ("seen", .integer(tally.seen)), ("stored", count(.stored)), ("duplicate", count(.duplicate)),
            ("not_a_report", count(.notAReport)),
            ("refused", count(.refused)), ("deferred", count(.deferred)), ("known", .integer(tally.known)),
            ("vanished", .integer(tally.vanished)),
        ])
        let documents = Cell.object([
            ("seen", .integer(tally.documents.seen)), ("stored", .integer(tally.documents.stored)),
            ("duplicate", .integer(tally.documents.duplicate)), ("conflict", .integer(tally.documents.conflict)),
            ("refused", .integer(tally.documents.refused)),
        ])
        let stored = Cell.object([
            ("reports", .integer(tally.stored.reports)), ("records", .integer(tally.stored.records)),
            ("messages", .integer(tally.stored.messages)), ("foreign_reports", .integer(tally.stored.foreign)),
        ])
        func list(_ refusals: [Refusal]) -> Cell {
            .array(
                refusals.map { refusal in
                    let place = refusal.member.isEmpty ? refusal.place : refusal.place + "!" + refusal.member
                    return .object([("place", .text(place)), ("code", .text(refusal.code)), ("detail", .text(refusal.detail))])
                })
        }
        let members: [(String, Cell)] = [
            ("messages", messages), ("documents", documents), ("stored", stored), ("refusals", list(tally.refusals)),
            ("deferrals", list(tally.deferrals)),
        ]
        return Table(
            name: "ingest", columns: members.map { Column(key: $0.0, title: $0.0) }, rows: [members.map(\.1)], extra: members)
    }

    /// What somebody should know of a run that nobody watched, in one line: `1 refused, 2 deferred: PLACE: CODE: …`; nil: there is nothing.
    static func noteworthy(_ tally: Tally, _ presentation: Presentation) -> String? {
        let counts = [IngestCondition.refused, .deferred, .conflict].compactMap { condition -> String? in
            let count = condition.count(tally)
            guard count > 0 else { return nil }
            if condition == .conflict { return presentation.grouped(count, "conflict") }
            return (count == Tally.maxRefusals ? "at least " : "") + "\(count) \(condition.rawValue)"
        }
        guard !counts.isEmpty else { return nil }
        let shown = 3
        let named = (tally.deferrals.prefix(shown) + tally.refusals.prefix(shown)).map { refusal in
            let place = refusal.member.isEmpty ? refusal.place : refusal.place + "!" + refusal.member
            return "\(place): \(refusal.code): \(refusal.detail)"
        }
        let all = tally.deferrals.count + tally.refusals.count
        let more = all > named.count ? "; and \(all - named.count) more" : ""
        let text = counts.joined(separator: ", ") + (named.isEmpty ? "" : ": " + named.joined(separator: "; ")) + more
        // Details are quoted from elsewhere, and may have line ends: it is one line all the same.
        return text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// `12 messages: 9 stored, 2 duplicate, 1 refused · 9 reports, 120 records about 4,500 messages`.
    static func sentence(_ tally: Tally, _ presentation: Presentation) -> String {
        let outcomes = MessageOutcome.allCases.compactMap { outcome in
            tally.messages[outcome].flatMap { $0 > 0 ? "\($0) \(outcome.word)" : nil }
        }
        var parts = [presentation.grouped(tally.seen, "message") + (outcomes.isEmpty ? "" : ": " + outcomes.joined(separator: ", "))]
        if tally.known > 0 { parts.append("\(presentation.grouped(tally.known, "message")) known already") }
        let stored = tally.stored
        if stored.reports > 0 {
            parts.append(
                presentation.grouped(stored.reports, "new report") + ", " + presentation.grouped(stored.records, "record") + " about "
                    + presentation.grouped(stored.messages, "message"))
        }
        if stored.foreign > 0 { parts.append("\(presentation.grouped(stored.foreign, "report")) about domains of others, in no figure") }
        if tally.documents.conflict > 0 { parts.append(presentation.grouped(tally.documents.conflict, "conflict")) }
        return parts.joined(separator: presentation.separator)
    }
}
