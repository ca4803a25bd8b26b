import DMARC
import Store

/// A row of a table by source that may come to be shown.
struct RankedSource<Score: Comparable & Sendable>: Sendable {
    var domain: PolicyDomain
    var source: IPAddress
    /// What else tells rows apart, as a number: a verdict, a name in From; 0 where nothing does.
    var key: Int
    /// The highest comes first.
    var score: Score
}

/// The first pass over the records: a score for each row, and nothing else, because most rows will not be shown.
///
/// It is filled domain by domain, on one thread or on several (`SharedReading`), and keeps those rows only that can still come to be among the first.
struct SourceRanking<Score: Comparable & Sendable>: Sendable {
    private(set) var candidates: [RankedSource<Score>] = []
    /// Rows, also those that cannot come to be shown.
    private(set) var count = 0
    private var highest: Highest<Score>
    /// So many candidates are looked through again.
    private var most = 8192

    init(limit: Int?) { highest = Highest(limit) }

    /// Adds what was found about `domain`: a score for each of `groups`. Those for which `isRow` says false are none.
    mutating func add(
        _ domain: PolicyDomain, _ groups: SourceGroups, _ scores: [Score], where isRow: (_ group: Int) -> Bool = { _ in true }
    ) {
        for (group, score) in scores.enumerated() where isRow(group) {
            count += 1
            guard highest.admits(score) else { continue }
            candidates.append(
                RankedSource(domain: domain, source: groups.source(of: group), key: groups.key(of: group), score: score))
        }
        // Those of many small domains would pile up otherwise.
        guard candidates.count > most else { return }
        candidates.removeAll { !highest.keeps($0.score) }
        most = max(most, 2 * candidates.count)
    }

    /// The first `limit` rows of several parts, in the order of the table: the highest score first, then by the text of the address, by policy domain,
    /// and by what else tells them apart. Texts are made only of those that can still be among the first.
    static func leading(
        _ parts: [SourceRanking], limit: Int?, keysBefore: (Int, Int) -> Bool = { $0 < $1 }
    ) -> [RankedSource<Score>] {
        var highest = Highest<Score>(limit)
        for part in parts { for candidate in part.candidates { _ = highest.admits(candidate.score) } }
        let chosen = parts.flatMap { part in part.candidates.filter { highest.keeps($0.score) } }.sorted { $0.score > $1.score }
        var leading: [RankedSource<Score>] = []
        var start = 0
        while start < chosen.count, leading.count < limit ?? .max {
            let equal = chosen[start...].prefix { $0.score == chosen[start].score }
            start = equal.endIndex
            let sorted = equal.map { (row: $0, text: $0.source.description) }.sorted { a, b in
                if a.text != b.text { return a.text < b.text }
                if a.row.domain.name != b.row.domain.name { return a.row.domain.name < b.row.domain.name }
                return keysBefore(a.row.key, b.row.key)
            }
            leading += sorted.prefix((limit ?? .max) - leading.count).map(\.row)
        }
        return leading
    }
}

extension RankedSource {
    /// The second pass, over the domains of the leading rows only: for each row what `body` adds up from its records, in the order of `leading`.
    ///
    /// - Parameters:
    ///   - key: tells the row of a source that a record belongs to.
    ///   - tools: made once on each thread.
    static func details<Detail: Sendable, Tools>(
        of leading: [RankedSource], _ facts: Facts, _ shared: SharedReading, _ scope: Scope, initial: Detail,
        tools: @Sendable (Facts) throws -> Tools, key: @Sendable (PackedRecord) -> Int,
        _ body: @Sendable (inout Detail, PackedRecord, _ day: Int, _ row: RankedSource, inout Tools) throws -> Void
    ) throws -> [Detail] {
        guard let period = scope.period else { return [] }
        let places = Dictionary(grouping: leading.indices) { leading[$0].domain }
        // Largest first: the threads are done at about the same time.
        let domains = places.keys.sorted { (places[$0]?.count ?? 0, $1.id) > (places[$1]?.count ?? 0, $0.id) }
        let parts = try shared.split(domains, facts) { facts, next in
            var found: [(place: Int, detail: Detail)] = []
            let scan = try RecordScan(facts, scope)
            var tools = try tools(facts)
            while let domain = next() {
                let places = places[domain] ?? []
                var groups = SourceGroups()
                for place in places { _ = groups.number(of: leading[place].source, leading[place].key) }
                var details = [Detail](repeating: initial, count: places.count)
                let life = try facts.life(of: places.map { leading[$0].source }, for: domain, in: period)
                try scan.forEach(of: domain.id, in: life.days, life.mayPass ? .all : .failed) { record, day in
                    guard let group = groups.find(record.source, key(record)) else { return }
                    try body(&details[group], record, day, leading[places[group]], &tools)
                }
                found += zip(places, details).map { ($0, $1) }
            }
            return found
        }
        return parts.flatMap(\.self).sorted { $0.place < $1.place }.map(\.detail)
    }
}

extension Sequence {
    /// The elements of the `limit` highest scores, and those that score as the last of these, in their order; nil: all.
    func leading<Score: Comparable & Sendable>(_ limit: Int?, by score: (Element) -> Score) -> [Element] {
        guard let limit else { return Array(self) }
        var highest = Highest<Score>(limit)
        for element in self { _ = highest.admits(score(element)) }
        return filter { highest.keeps(score($0)) }
    }
}
