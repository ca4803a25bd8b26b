/// The highest scores so far: what is below the last of them cannot come to be among the first any more.
public struct Highest<Score: Comparable & Sendable>: Sendable {
    @usableFromInline let limit: Int?
    /// Descending, at most `limit`.
    @usableFromInline var scores: [Score] = []

    /// Of the first `limit`; nil: of all. To keep a long list in order costs more than it spares: then all are admitted.
    @inlinable
    public init(_ limit: Int?) { self.limit = limit.flatMap { $0 <= Self.longest ? $0 : nil } }

    @usableFromInline static var longest: Int { 1000 }

    /// Notes `score`; false if so many are higher that it cannot be among the first.
    @inlinable
    public mutating func admits(_ score: Score) -> Bool {
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
    @inlinable
    public func keeps(_ score: Score) -> Bool {
        guard let limit, scores.count == limit, let lowest = scores.last else { return limit != 0 }
        return score >= lowest
    }
}
