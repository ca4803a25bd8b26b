import DMARC
import GRDB

/// The counted records of a domain in full, one after the other: by day, report and place in the report. Nothing is held but the current one.
package struct OrderedRecords {
    /// Which record is the current one, and the day of its share.
    package struct Place {
        package var day: Day
        package var report: Int
        package var sequence: Int

        fileprivate func isBefore(_ other: Place) -> Bool {
            (day.number, report, sequence) < (other.day.number, other.report, other.sequence)
        }
    }

    /// What passed and what failed: each range comes in order, so both are merged.
    private let ranges: [SQLRows]
    private var places: [Place?]
    private var current: Int?
    private var reader: RecordReader

    package init(_ facts: Facts, of domain: PolicyDomain, in period: Period) throws {
        ranges = try (0...1).map { countedAs in
            try SQLRows(
                facts, RecordReader.periodSQL,
                [.integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)], cached: false)
        }
        reader = RecordReader(facts)
        places = []
        for range in ranges { places.append(try Self.place(range)) }
    }

    /// Moves `rows` on.
    private static func place(_ rows: SQLRows) throws -> Place? {
        try rows.next() ? Place(day: Day(rows.int(12)), report: rows.int(0), sequence: rows.int(1)) : nil
    }

    /// Moves to the next record; nil at the end.
    package mutating func next() throws -> Place? {
        if let current { places[current] = try Self.place(ranges[current]) }
        switch (places[0], places[1]) {
        case (let passed?, let failed?): current = failed.isBefore(passed) ? 1 : 0
        case (_?, nil): current = 0
        case (nil, _?): current = 1
        case (nil, nil): current = nil
        }
        return current.flatMap { places[$0] }
    }

    /// The current record, with a count of its own or with another one.
    package mutating func detail(messages: Int?) throws -> RecordDetail? {
        try current.map { try reader.detail(ranges[$0], messages: messages) }
    }
}
