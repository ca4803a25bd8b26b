import DMARC
import GRDB
import Inference
import Store

/// The records of reports that verdicts do not know yet, in the order of their table, as many at a time as are asked for.
package final class NewRecords {
    static let columns = """
        id, domain_id, iif(authenticity <> 1, NULL, voice_id), day, is_spread, begin_utc, end_utc, coalesce(arrived_utc, end_utc) / 86400
        """
    /// Question: counted reports behind the known ones. Unit: one row a report, by domain and day. Index: rowid.
    static let reportsSQL = "SELECT \(columns) FROM reports WHERE id > ?1 AND is_counted = 1 ORDER BY domain_id, day, id"
    /// Question: a counted report. Unit: one row. Index: rowid.
    static let reportSQL = "SELECT \(columns) FROM reports WHERE id = ?1 AND is_counted = 1"
    /// Question: the records of a report on a day, from one on. Unit: one row a record. Index: primary key of `records`, one range.
    static let recordsSQL = """
        SELECT source, authentication_id, dkim, spf, messages, override_id, sequence, disposition, header_from_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4 AND sequence >= ?5
        """

    package struct Report {
        let id: Int
        let domain: Int
        /// nil: nobody's, or it was checked whom it came from, and is not verified.
        let voice: Int?
        /// The day on which it arrived.
        let arrival: Int
        let days: ClosedRange<Int>
        /// Its records have verdicts already, but nothing was learned from them: its voice was a newcomer then.
        let isEntered: Bool
        /// What its voice sets in what is known (`Voices.bit`); 0: nothing is learned from it.
        var voiceBit = 0
    }

    /// Where reading goes on.
    private struct Place {
        var report = 0
        var countedAs = 0
        var dayOffset = 0
        var sequence = 0

        mutating func moveOn(_ report: Report) {
            sequence = 0
            dayOffset += 1
            guard dayOffset == report.days.count else { return }
            dayOffset = 0
            countedAs += 1
            guard countedAs > 1 else { return }
            countedAs = 0
            self.report += 1
        }
    }

    private(set) var reports: [Report]
    private let rows: SQLRows
    private var overrides: OverrideWeights
    private var place = Place()
    /// Of a report with a long window: the records of which a share was read.
    private var shared: Set<Int> = []

    /// All reports with a key above `known`.
    init(_ db: Database, after known: Int) throws {
        var reports: [Report] = []
        let found = try SQLRows(db, Self.reportsSQL, [.integer(known)])
        while try found.next() { reports.append(Self.report(found, isEntered: false)) }
        self.reports = reports
        rows = try SQLRows(db, Self.recordsSQL)
        overrides = OverrideWeights(db)
    }

    static func report(_ rows: SQLRows, isEntered: Bool) -> Report {
        let day = rows.int(3)
        var days = day...day
        if rows.int(4) != 0 {
            let window = ReportWindow(begin: rows.int(5), end: rows.int(6)).days
            days = window.lowerBound.number...window.upperBound.number
        }
        return Report(
            id: rows.int(0), domain: rows.int(1), voice: rows.optionalInt(2), arrival: rows.int(7), days: days, isEntered: isEntered)
    }

    /// Adds older reports: of voices that are heard from now on (`isEntered`), or which did not count until now. Nothing may have been read.
    func add(_ db: Database, _ ids: [Int], isEntered: Bool) throws {
        guard !ids.isEmpty else { return }
        let found = try SQLRows(db, Self.reportSQL)
        for id in ids {
            try found.restart(id)
            if try found.next() { reports.append(Self.report(found, isEntered: isEntered)) }
        }
    }

    /// Sets what each report's voice sets in what is known.
    func setBits(_ bit: (Report) throws -> Int) rethrows {
        for place in reports.indices { reports[place].voiceBit = try bit(reports[place]) }
    }

    private var isAtEnd: Bool { place.report == reports.count }

    /// All of them; nil, and none was read, if there are more than `most`.
    func all(most: Int) throws -> RecordChunk? {
        let records = try next(most)
        if isAtEnd { return RecordChunk(records, reports) }
        rewind()
        return nil
    }

    /// Calls `body` with all of them, at most `most` at a time.
    func forEachChunk(most: Int, _ body: (RecordChunk) throws -> Void) throws {
        while !isAtEnd { try body(RecordChunk(try next(most), reports)) }
        rewind()
    }

    private func rewind() {
        place = Place()
        shared = []
    }

    /// The next records, at most `most`; one for each day that a share of it falls on.
    private func next(_ most: Int) throws -> [NewRecord] {
        var records: [NewRecord] = []
        // What is not used of it is never touched, so it costs nothing.
        records.reserveCapacity(most)
        while !isAtEnd {
            let report = reports[place.report]
            let day = report.days.lowerBound + place.dayOffset
            try rows.restart(report.domain, place.countedAs, day, report.id, place.sequence)
            while try rows.next() {
                guard records.count < most else {
                    place.sequence = rows.int(6)
                    rows.stop()
                    return records
                }
                let override = rows.int(5)
                records.append(
                    try NewRecord(
                        source: rows.address(0), domain: report.domain, authentication: rows.int(1),
                        aligned: rows.int(2) << 1 | rows.int(3),
                        messages: rows.int(4), report: place.report, dayOffset: place.dayOffset, disposition: rows.int(7),
                        headerFrom: rows.int(8), isFirstShare: report.days.count == 1 || shared.insert(rows.int(6)).inserted,
                        override: override == 0 ? 0 : overrides.weight(override)))
            }
            let last = place.report
            place.moveOn(report)
            if place.report != last, !shared.isEmpty { shared = [] }
        }
        return records
    }
}

/// One of them, in 40 bytes: many are kept in memory.
struct NewRecord {
    private let high: UInt64
    private let low: UInt64
    private let domainKey: Int32
    private let authenticationKey: Int32
    private let messageCount: UInt32
    private let reportPlace: Int32
    private let headerFromKey: Int32
    private let dayPlace: UInt16
    /// From the lowest: two bits for what is aligned, two for the disposition.
    private let outcomeBits: UInt8
    /// From the lowest: one bit for the family of the address, four for the override, one for the first share.
    private let bits: UInt8

    /// - Parameter report: its place in `NewRecords.reports`.
    init(
        source: IPAddress, domain: Int, authentication: Int, aligned: Int, messages: Int, report: Int, dayOffset: Int, disposition: Int,
        headerFrom: Int, isFirstShare: Bool, override: OverrideWeights.Weight
    ) {
        high = source.high
        low = source.low
        // Keys and counts beyond these bounds are in no sound database.
        domainKey = Int32(clamping: domain)
        authenticationKey = Int32(clamping: authentication)
        messageCount = UInt32(clamping: messages)
        reportPlace = Int32(clamping: report)
        dayPlace = UInt16(clamping: dayOffset)
        headerFromKey = Int32(clamping: headerFrom)
        outcomeBits = UInt8((aligned & 3) | (disposition & 3) << 2)
        bits = (source.isIPv4 ? 1 : 0) | override << 1 | (isFirstShare ? 32 : 0)
    }

    private var isIPv4: Bool { bits & 1 == 1 }
    var source: IPAddress { isIPv4 ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low)) : IPAddress(high: high, low: low) }
    var key: FlowKey { FlowKey(source: source, domain: domain, authentication: Int(authenticationKey), aligned: aligned) }
    var domain: Int { Int(domainKey) }
    var aligned: Int { Int(outcomeBits & 3) }
    var disposition: Int { Int(outcomeBits >> 2) }
    /// Key of the name in From.
    var headerFrom: Int { Int(headerFromKey) }
    var messages: Int { Int(messageCount) }
    var report: Int { Int(reportPlace) }
    /// The day, counted from the first of its report.
    var dayOffset: Int { Int(dayPlace) }
    /// A record of a long window counts as a record on the first of its days only.
    var isFirstShare: Bool { bits & 32 != 0 }
    var override: Int { OverrideWeights.sum(bits >> 1 & 7) }
    /// Whether the receiver made an exception by a judgement of its own.
    var hasException: Bool { bits & 16 != 0 }

    func isOfSameFlow(as other: NewRecord) -> Bool {
        low == other.low && high == other.high && domainKey == other.domainKey && authenticationKey == other.authenticationKey
            && aligned == other.aligned && isIPv4 == other.isIPv4
    }

    /// The order of `FlowKey`.
    @inline(__always)
    func isBefore(_ other: NewRecord) -> Bool {
        if isIPv4 != other.isIPv4 { return isIPv4 }
        if high != other.high { return high < other.high }
        if low != other.low { return low < other.low }
        if domainKey != other.domainKey { return domainKey < other.domainKey }
        if authenticationKey != other.authenticationKey { return authenticationKey < other.authenticationKey }
        return aligned < other.aligned
    }
}

/// New records that are kept in memory, as they were read, and the flows that they add up to.
struct RecordChunk {
    let records: [NewRecord]
    private let reports: [NewRecords.Report]
    /// Places in `records`, in the order of the flows.
    private let order: [UInt32]

    init(_ records: [NewRecord], _ reports: [NewRecords.Report]) {
        self.records = records
        self.reports = reports
        var order = (0..<UInt32(records.count)).map { $0 }
        records.withUnsafeBufferPointer { records in
            order.sort { records[Int($0)].isBefore(records[Int($1)]) }
        }
        self.order = order
    }

    func report(of record: NewRecord) -> NewRecords.Report { reports[record.report] }

    func day(of record: NewRecord) -> Int { reports[record.report].days.lowerBound + record.dayOffset }

    /// The places in `records` of a flow's records.
    func records(of flow: NewFlow) -> LazyMapSequence<ArraySlice<UInt32>, Int> { order[flow.places].lazy.map { Int($0) } }

    /// The flow whose records begin at `place` in the order of the flows; nil at the end.
    func flow(at place: Int) -> NewFlow? {
        guard place < order.count else { return nil }
        let first = records[Int(order[place])]
        var sums = FlowSums()
        var end = place
        while end < order.count {
            let record = records[Int(order[end])]
            guard record.isOfSameFlow(as: first) else { break }
            let report = reports[record.report]
            sums.add(
                messages: record.messages, day: report.days.lowerBound + record.dayOffset, reporterBit: report.voiceBit,
                override: record.override)
            end += 1
        }
        return NewFlow(key: first.key, sums: sums, places: place..<end)
    }

    func forEachFlow(_ body: (NewFlow) throws -> Void) throws {
        var place = 0
        while let flow = flow(at: place) {
            try body(flow)
            place = flow.places.upperBound
        }
    }
}
