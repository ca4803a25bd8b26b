import DMARC
import GRDB

/// A record in full: what a row of a report says.
public struct RecordDetail: Hashable, Sendable {
    /// Place in the document, from 0; refused records leave a gap.
    public var sequence: Int
    /// The connecting address.
    public var source: IPAddress
    /// Messages that it speaks of; with a period and a long window, the share of its days in the period.
    public var messages: Int
    /// What was done to them.
    public var disposition: AppliedDisposition
    /// Aligned DKIM.
    public var dkim: AlignedResult
    /// Aligned SPF.
    public var spf: AlignedResult
    /// The domain in `From`, canonical.
    public var headerFrom: String
    /// The domain of MAIL FROM; nil: the report does not say.
    public var envelopeFrom: String?
    /// The domain of the recipient; nil: the report does not say.
    public var envelopeTo: String?
    /// The raw results.
    public var authentication: AuthenticationSet
    /// Why the policy was not applied.
    public var overrides: [PolicyOverride]

    /// All parts.
    public init(
        sequence: Int, source: IPAddress, messages: Int, disposition: AppliedDisposition, dkim: AlignedResult, spf: AlignedResult,
        headerFrom: String, envelopeFrom: String?, envelopeTo: String?, authentication: AuthenticationSet, overrides: [PolicyOverride]
    ) {
        self.sequence = sequence
        self.source = source
        self.messages = messages
        self.disposition = disposition
        self.dkim = dkim
        self.spf = spf
        self.headerFrom = headerFrom
        self.envelopeFrom = envelopeFrom
        self.envelopeTo = envelopeTo
        self.authentication = authentication
        self.overrides = overrides
    }

    /// DKIM or SPF is aligned.
    public var passed: Bool { dkim == .pass || spf == .pass }
}

/// Makes details of rows of `records`.
package struct RecordReader {
    /// The columns that `detail` reads, from the first on. The day comes last.
    package static let columns = """
        report_id, sequence, source, messages, disposition, dkim, spf, header_from_id, envelope_from_id, envelope_to_id,
            authentication_id, override_id, day
        """

    /// Question: the records of a domain. Unit: one row a record and day. Index: primary key of `records`, one contiguous range for each of
    /// the two values of `counted_as`, each in the order of days, reports and places in the report.
    package static let periodSQL = """
        SELECT \(columns)
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        ORDER BY day, report_id, sequence
        """

    /// Question: a report's records, or their shares, on one day. Unit: one row a record. Index: primary key of `records`, one range.
    package static let reportDaySQL = """
        SELECT \(columns)
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day = ?3 AND report_id = ?4
        """

    private var names: NameLookup
    private var authentications: AuthenticationLookup
    private var overrides: OverrideLookup

    package init(_ facts: Facts) {
        names = NameLookup(facts)
        authentications = AuthenticationLookup(facts)
        overrides = OverrideLookup(facts)
    }

    package mutating func detail(_ row: SQLRows, messages: Int? = nil) throws -> RecordDetail {
        RecordDetail(
            sequence: row.int(1), source: try row.address(2), messages: messages ?? row.int(3),
            disposition: AppliedDisposition(stored: row.int(4)), dkim: row.int(5) == 1 ? .pass : .fail,
            spf: row.int(6) == 1 ? .pass : .fail, headerFrom: try names.name(row.int(7)) ?? "",
            envelopeFrom: try names.name(row.optionalInt(8)), envelopeTo: try names.name(row.optionalInt(9)),
            authentication: try authentications.set(row.int(10)), overrides: try overrides.reasons(row.optionalInt(11)))
    }
}

/// A row of `records`, with keys.
package struct RecordRow {
    package var sequence: Int
    package var source: IPAddress
    package var messages: Int
    package var dkim: Bool
    package var spf: Bool
    package var headerFrom: Int
    package var authentication: Int
}

extension Facts {
    /// Calls `body` with the records of a report that count as `countedAs` says on a day.
    package func forEachRecord(
        ofReport id: Int, of domain: PolicyDomain, countedAs: Int, on day: Day, _ body: (RecordRow) throws -> Void
    ) throws {
        let rows = try SQLRows(
            self, RecordReader.reportDaySQL, [.integer(domain.id), .integer(countedAs), .integer(day.number), .integer(id)])
        while try rows.next() {
            try body(
                RecordRow(
                    sequence: rows.int(1), source: try rows.address(2), messages: rows.int(3), dkim: rows.int(5) == 1,
                    spf: rows.int(6) == 1, headerFrom: rows.int(7), authentication: rows.int(10)))
        }
    }

    /// All records of a report, by their place in it, those of a long window with the sum of their shares.
    package func records(of id: Int, _ report: FullReport) throws -> [RecordDetail] {
        var reader = RecordReader(self)
        var found: [RecordDetail] = []
        var places: [Int: Int] = [:]
        let rows = try SQLRows(self, RecordReader.reportDaySQL)
        for countedAs in report.isCounted ? 0...1 : 2...2 {
            for day in report.header.window.days {
                try rows.restart(report.domain, countedAs, day.number, id)
                while try rows.next() {
                    if let place = places[rows.int(1)] {
                        found[place].messages += rows.int(3)
                    } else {
                        places[rows.int(1)] = found.count
                        found.append(try reader.detail(rows))
                    }
                }
            }
        }
        return found.sorted { $0.sequence < $1.sequence }
    }
}
