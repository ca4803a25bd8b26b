import GRDB
import Inference
import Store

/// Writes `packed_records`: records are added to the last piece of their day, and get other verdicts in place.
final class RecordPacking {
    /// Bytes of a piece at most: four of them fill a page of 8 KiB, and none needs a second page (sqlite.org/fileformat2.html#cell_payload).
    static let pieceBytes = 1950
    /// Bytes that are kept until they are written.
    private static let mostWaiting = 1 << 20

    struct Place: Hashable, Comparable {
        let domain: Int
        let day: Int
        let countedAs: Int

        static func < (a: Place, b: Place) -> Bool { (a.domain, a.day, a.countedAs) < (b.domain, b.day, b.countedAs) }
    }

    private struct Waiting {
        var ipv4: [UInt8] = []
        var ipv6: [UInt8] = []
        var bytes: Int { ipv4.count + ipv6.count }
    }

    private let db: Database
    private let last: SQLRows
    private let insert: HotStatement
    private let pieces: SQLRows
    private var waiting: [Waiting] = []
    private var places: [Place: Int] = [:]
    /// Records come one day after the other, so mostly it is the same place.
    private var latest = Place(domain: -1, day: 0, countedAs: 0)
    private var latestNumber = 0
    private var bytes = 0

    /// Question: the last piece of a day. Unit: at most one row. Index: primary key of `packed_records`, one seek.
    static let lastSQL = """
        SELECT piece, ipv4, ipv6 FROM packed_records WHERE domain_id = ?1 AND day = ?2 AND counted_as = ?3 ORDER BY piece DESC LIMIT 1
        """

    /// Question: the pieces of some days. Unit: one row a piece. Index: primary key of `packed_records`, one contiguous range.
    static let piecesSQL = """
        SELECT day, piece, ipv4, ipv6 FROM packed_records WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3 AND counted_as = ?4
        """

    init(_ db: Database) throws {
        self.db = db
        last = try SQLRows(db, Self.lastSQL)
        pieces = try SQLRows(db, Self.piecesSQL)
        insert = try HotStatement(
            db,
            """
            INSERT INTO packed_records (domain_id, day, counted_as, piece, ipv4, ipv6) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET ipv4 = excluded.ipv4, ipv6 = excluded.ipv6
            """)
    }

    /// Adds a record, which is written by `flush` at the latest.
    func add(_ record: NewRecord, day: Int, report: Int, verdict: Int) throws {
        let place = Place(domain: record.domain, day: day, countedAs: record.aligned == 0 ? 1 : 0)
        if place != latest {
            if bytes > Self.mostWaiting { try flush() }
            latestNumber = places[place] ?? waiting.count
            latest = place
            if latestNumber == waiting.count {
                places[place] = latestNumber
                waiting.append(Waiting())
            }
        }
        let source = record.source
        bytes += source.isIPv4 ? PackedRecord.ipv4Bytes : PackedRecord.ipv6Bytes
        func append(to output: inout [UInt8]) {
            PackedRecord.append(
                PackedRecord.Fields(
                    source: source, report: report, authentication: record.key.authentication, headerFrom: record.headerFrom,
                    messages: record.messages, aligned: record.aligned, disposition: record.disposition,
                    isFirstShare: record.isFirstShare, hasException: record.hasException, verdict: verdict), to: &output)
        }
        if source.isIPv4 { append(to: &waiting[latestNumber].ipv4) } else { append(to: &waiting[latestNumber].ipv6) }
    }

    /// Writes what waits.
    func flush() throws {
        for (place, number) in places.sorted(by: { $0.key < $1.key }) { try write(waiting[number], place) }
        places.removeAll(keepingCapacity: true)
        waiting.removeAll(keepingCapacity: true)
        latest = Place(domain: -1, day: 0, countedAs: 0)
        bytes = 0
    }

    private func write(_ new: Waiting, _ place: Place) throws {
        var piece = 0
        var filled = Waiting()
        try last.restart(place.domain, place.day, place.countedAs)
        if try last.next() {
            piece = last.int(0)
            last.withBytes(1) { filled.ipv4 = Array($0) }
            last.withBytes(2) { filled.ipv6 = Array($0) }
        }
        last.stop()
        var (four, six) = (new.ipv4[...], new.ipv6[...])
        while !four.isEmpty || !six.isEmpty {
            let room = max(0, Self.pieceBytes - filled.bytes)
            let taken = four.prefix(room / PackedRecord.ipv4Bytes * PackedRecord.ipv4Bytes)
            let rest = four.count > taken.count ? 0 : room - taken.count
            let others = six.prefix(rest / PackedRecord.ipv6Bytes * PackedRecord.ipv6Bytes)
            if taken.isEmpty, others.isEmpty {
                // Full: what is in it is written already, or was before.
                piece += 1
                filled = Waiting()
                continue
            }
            four = four.dropFirst(taken.count)
            six = six.dropFirst(others.count)
            filled.ipv4 += taken
            filled.ipv6 += others
            try write(filled, place, piece)
        }
    }

    private func write(_ filled: Waiting, _ place: Place, _ piece: Int) throws {
        insert.bind(1, place.domain)
        insert.bind(2, place.day)
        insert.bind(3, place.countedAs)
        insert.bind(4, piece)
        insert.bind(5, bytes: filled.ipv4)
        insert.bind(6, bytes: filled.ipv6)
        try insert.run()
    }

    /// Takes the records of some reports out of the pieces of a day, on which they are. Calls `body` with each of them.
    func takeOut(_ reports: Set<Int>, _ place: Place, _ body: (PackedRecord) -> Void) throws {
        var changed: [(piece: Int, bytes: Waiting)] = []
        try pieces.restart(place.domain, place.day, place.day, place.countedAs)
        while try pieces.next() {
            var left = Waiting()
            var isChanged = false
            for column in 2...3 as ClosedRange<Int32> {
                let isIPv4 = column == 2
                let width = isIPv4 ? PackedRecord.ipv4Bytes : PackedRecord.ipv6Bytes
                try pieces.withBytes(column) { bytes in
                    var kept: [UInt8] = []
                    var offset = 0
                    try PackedRecord.forEach(bytes, isIPv4: isIPv4) { record in
                        if reports.contains(record.report) {
                            isChanged = true
                            body(record)
                        } else {
                            kept += bytes[offset..<offset + width]
                        }
                        offset += width
                    }
                    if isIPv4 { left.ipv4 = kept } else { left.ipv6 = kept }
                }
            }
            if isChanged { changed.append((pieces.int(1), left)) }
        }
        for (piece, left) in changed where left.bytes > 0 { try write(left, place, piece) }
        for (piece, left) in changed where left.bytes == 0 {
            try db.execute(
                sql: "DELETE FROM packed_records WHERE domain_id = ? AND day = ? AND counted_as = ? AND piece = ?",
                arguments: [place.domain, place.day, place.countedAs, piece])
        }
    }

    /// A report, and a day of it.
    struct ReportDay: Hashable {
        let day: Int
        let report: Int
    }

    /// The reports, by day, with a record of flows that `isMeant` says.
    func find(_ domain: Int, countedAs: Int, days: ClosedRange<Int>, _ isMeant: (FlowKey) -> Bool) throws -> Set<ReportDay> {
        var found: Set<ReportDay> = []
        try pieces.restart(domain, days.lowerBound, days.upperBound, countedAs)
        while try pieces.next() {
            let day = pieces.int(0)
            for column in 2...3 as ClosedRange<Int32> {
                try pieces.withBytes(column) { bytes in
                    try PackedRecord.forEach(bytes, isIPv4: column == 2) { record in
                        let key = FlowKey(
                            source: record.source, domain: domain, authentication: record.authentication, aligned: record.aligned)
                        if isMeant(key) { found.insert(ReportDay(day: day, report: record.report)) }
                    }
                }
            }
        }
        return found
    }

    // MARK: - Other verdicts

    /// Gives records of a domain the verdicts that `verdict` says for their flows; nil: as it is. Calls `body` with each that gets another one, its
    /// day, and the new verdict.
    func correct(
        _ domain: Int, countedAs: Int, days: ClosedRange<Int>, _ verdict: (FlowKey) -> Int?, _ body: (PackedRecord, Int, Int) -> Void
    ) throws {
        var corrected: [(place: Place, piece: Int, bytes: Waiting)] = []
        try pieces.restart(domain, days.lowerBound, days.upperBound, countedAs)
        while try pieces.next() {
            let day = pieces.int(0)
            var found = Waiting()
            var isChanged = false
            for column in 2...3 as ClosedRange<Int32> {
                let isIPv4 = column == 2
                try pieces.withBytes(column) { bytes in
                    var copy: [UInt8] = []
                    var place = 0
                    try PackedRecord.forEach(bytes, isIPv4: isIPv4) { record in
                        defer { place += isIPv4 ? PackedRecord.ipv4Bytes : PackedRecord.ipv6Bytes }
                        let key = FlowKey(
                            source: record.source, domain: domain, authentication: record.authentication, aligned: record.aligned)
                        guard let verdict = verdict(key), verdict != record.verdict else { return }
                        if copy.isEmpty { copy = Array(bytes) }
                        PackedRecord.set(verdict: verdict, at: place, of: &copy)
                        body(record, day, verdict)
                        isChanged = true
                    }
                    if copy.isEmpty { copy = Array(bytes) }
                    if isIPv4 { found.ipv4 = copy } else { found.ipv6 = copy }
                }
            }
            if isChanged { corrected.append((Place(domain: domain, day: day, countedAs: countedAs), pieces.int(1), found)) }
        }
        for (place, piece, bytes) in corrected { try write(bytes, place, piece) }
    }
}
