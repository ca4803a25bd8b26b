/// The JSON that users rely on (names and meaning: the table of keys in the documentation), decoded strictly:
/// a key that is missing fails the test.

struct Answer<Row: Decodable>: Decodable {
    struct Period: Decodable, Equatable {
        let since: String
        let until: String
    }

    let schema: String
    let period: Period?
    let rows: [Row]
}

struct SummaryRow: Decodable {
    let domain: String
    let reports: Int
    let records: Int
    let messages: Int
    let passed: Int
    let failed: Int
    let pass_rate: Double?
    let dkim_passed: Int
    let spf_passed: Int
    let none: Int
    let quarantined: Int
    let rejected: Int
    let first_day: String?
    let last_day: String?
}

struct FailureRow: Decodable {
    let rank: Int
    let source: String
    let domain: String
    let messages: Int
    let failed: Int
    let delivered: Int
    let quarantined: Int
    let rejected: Int
}

struct TrendRow: Decodable {
    let period: String
    let messages: Int
    let passed: Int
    let failed: Int
    let pass_rate: Double?
}

struct RefusedRow: Decodable {
    let time: String
    let outcome: String
    let code: String
    let place: String
    let member: String?
    let detail: String?
}

struct IngestAnswer: Decodable {
    struct Messages: Decodable {
        let seen: Int
        let stored: Int
        let duplicate: Int
        let not_a_report: Int
        let refused: Int
        let deferred: Int
    }
    struct Documents: Decodable {
        let seen: Int
        let stored: Int
        let duplicate: Int
        let conflict: Int
        let refused: Int
    }
    struct Stored: Decodable {
        let reports: Int
        let records: Int
        let messages: Int
    }
    struct Refusal: Decodable {
        let place: String
        let code: String
        let detail: String?
    }

    let schema: String
    let messages: Messages
    let documents: Documents
    let stored: Stored
    let refusals: [Refusal]
}

/// What the generator of corpora says must be found.
struct Truth: Decodable {
    struct Domain: Decodable {
        let reports: Int
        let records: Int
        let messages: Int
        let pass_messages: Int
        let dkim_pass_messages: Int
        let spf_pass_messages: Int
        let dispositions: [String: Int]
        /// Day → messages, passed messages.
        let days: [String: [Int]]
        let top_failing_sources: [FailingSource]
    }
    struct FailingSource: Decodable, Equatable {
        let source: String
        let failed: Int

        init(source: String, failed: Int) {
            self.source = source
            self.failed = failed
        }

        init(from decoder: any Decoder) throws {
            var pair = try decoder.unkeyedContainer()
            source = try pair.decode(String.self)
            failed = try pair.decode(Int.self)
        }
    }
    struct Total: Decodable {
        let reports: Int
        let records: Int
        let messages: Int
        let duplicates: Int
        let broken: Int
        let files: Int
    }
    struct File: Decodable {
        let path: String
        let kind: String
    }

    let total: Total
    let domains: [String: Domain]
    let broken_files: [File]
}
