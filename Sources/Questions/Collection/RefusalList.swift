import DMARC
import Store

/// Something that was not stored, and why.
public struct RefusalRow: Hashable, Sendable {
    /// When the message was read, in seconds since 1970-01-01 UTC.
    public var time: Int
    /// What became of the whole message.
    public var outcome: MessageOutcome
    /// `message`, `document` or `records`: how much of it was not stored.
    public var scope: String
    /// Why: a code of docs/DEVIATIONS.md.
    public var code: String
    /// Where the message is.
    public var place: String
    /// Attachment and archive member; empty for the message itself.
    public var member: String
    /// What was found, and which limit.
    public var detail: String
    /// Records not stored, where `scope` is `records`.
    public var records: Int
}

/// The answer to "what was not stored, and why".
public struct RefusalList: Sendable {
    /// The days asked for; nil: all.
    public var period: Period?
    /// Oldest first.
    public var rows: [RefusalRow]
    /// How many there are, also those beyond the limit.
    public var count: Int
    /// Whether any message was ever read.
    public var isLedgerEmpty: Bool

    /// Asks `store` for the newest `limit`; nil: all. Domains and reporters of what was not stored are not known, so a filter has none.
    public static func ask(
        _ store: ReportStore, period request: PeriodRequest, today: Day, limit: Int?
    ) throws(StoreError) -> RefusalList {
        try reading(store, "refused") { facts in
            let isAsked = request.since != nil || request.until != nil
            // The days are those on which messages were read: a period without an end reaches to today, one without a beginning to the
            // first of them.
            var request = request
            if request.since == nil { request.since = .days(Day(0), Day(0)) }
            let period = isAsked ? request.resolve(data: nil, today: today) : nil
            var found: [RefusalRow] = []
            var count = 0
            try facts.forEachRefusal { refusal in
                guard period?.contains(Day(containing: refusal.time)) ?? true else { return }
                count += 1
                found.append(
                    RefusalRow(
                        time: refusal.time, outcome: refusal.outcome, scope: refusal.scope, code: refusal.code, place: refusal.place,
                        member: refusal.member, detail: refusal.detail, records: refusal.records))
                // The rows before the last `limit` are let go now and then, so that a long ledger needs no more memory than the answer.
                if let limit, found.count > 2 * limit + 1024 { found.removeFirst(found.count - limit) }
            }
            if let limit, found.count > limit { found.removeFirst(found.count - limit) }
            return RefusalList(period: period, rows: found, count: count, isLedgerEmpty: try facts.isLedgerEmpty())
        }
    }
}
