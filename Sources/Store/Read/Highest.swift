/// The highest scores so far: what is below the last of them cannot come to be among the first any more.
package struct Highest<Score: Comparable> {
    private let limit: Int?
    /// Descending, at most `limit`.
    private var scores: [Score] = []

    /// Of the first `limit`; nil: of all. To keep a long list in order costs more than it spares: then all are admitted.
    package init(_ limit: Int?) { self.limit = limit.flatMap { $0 <= Self.longest ? $0 : nil } }

    private static var longest: Int { 1000 }

    /// Notes `score`; false if so many are higher that it cannot be among the first.
    package mutating func admits(_ score: Score) -> Bool {
        guard let limit else { return true }
        if scores.count == limit {
            guard let lowest = scores.last, score >= lowest else { return false }
            if score == lowest { return true }
            scores.removeLast()
        }
        let place = scores.firstIndex { $0 < score } ?? scores.count
        if place < limit { scores.insert(score, at: place) }
        return true
    }

    /// Whether `score` can still be among the first, once all are noted.
    package func keeps(_ score: Score) -> Bool {
        guard let limit, scores.count == limit, let lowest = scores.last else { return limit != 0 }
        return score >= lowest
    }
}
