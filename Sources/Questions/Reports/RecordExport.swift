import DMARC
import Organisations
import Store

/// A record with all that its report says about it: a row of `export records`.
public struct ExportedRecord: Hashable, Sendable {
    /// The first day of the period that its messages, or a share of them, fall on.
    public var day: Day
    /// The policy domain, canonical.
    public var domain: String
    /// Who sent the report.
    public var reporter: String
    /// The reporter's id for it; empty if it gave none.
    public var reportID: String
    /// The time it covers.
    public var window: ReportWindow
    /// The policy as published.
    public var policy: PublishedPolicy
    /// The record.
    public var record: RecordDetail
    /// The check and the signature that made it pass; where none did, the first check, and the first signature that verified or else the first.
    public var check: SPFResult?
    /// See `check`.
    public var signature: DKIMResult?
}

/// The answer to "give me the records".
public enum RecordExport {
    /// Hands out the records one at a time, ordered by domain, day, report and place in the report, and holds none of them.
    ///
    /// A record of a long window comes once, on the first of its days in the period, with the sum of its shares in the period.
    ///
    /// - Parameters:
    ///   - begin: called once, before the first record, with what the answer is about.
    ///   - row: returns false to stop.
    public static func ask(
        _ store: ReportStore, _ filter: Filter, begin: (Coverage) -> Bool, row: (ExportedRecord) -> Bool
    ) throws(StoreError) {
        try reading(store, "export") { facts in
            let scope = try Scope(facts, filter, usual: .everything)
            guard begin(try scope.totals(facts)), let period = scope.period else { return }
            for domain in scope.domains {
                var reader = DomainReader(facts, scope, domain, period)
                guard try reader.read(row) else { return }
            }
        }
    }

    /// A report as it stands beside each of its records.
    private struct Head {
        var id: Int
        var exported: ExportedRecord
        /// Of a long window: for each record its first day in the period and the sum of its shares in the period.
        var shares: [Int: (day: Int, messages: Int)]?
    }

    private struct DomainReader {
        let facts: Facts
        let scope: Scope
        let domain: PolicyDomain
        let period: Period
        let book: NameBook
        var current: Head?
        /// Reports with long windows, which come back on other days.
        var spread: [Int: Head] = [:]

        init(_ facts: Facts, _ scope: Scope, _ domain: PolicyDomain, _ period: Period) {
            self.facts = facts
            self.scope = scope
            self.domain = domain
            self.period = period
            book = NameBook(facts)
        }

        /// - Returns: false if `row` wants no more.
        mutating func read(_ row: (ExportedRecord) -> Bool) throws -> Bool {
            var records = try OrderedRecords(facts, of: domain, in: period)
            while let place = try records.next() {
                if let exported = try exported(&records, place), !row(exported) { return false }
            }
            return true
        }

        /// The current record with all that its report says; nil if it is not asked for, or was handed out on an earlier day.
        private mutating func exported(_ records: inout OrderedRecords, _ place: OrderedRecords.Place) throws -> ExportedRecord? {
            guard scope.includes(report: place.report) else { return nil }
            if current?.id != place.report { current = try spread[place.report] ?? head(place.report) }
            guard let current else { return nil }
            var exported = current.exported
            exported.day = place.day
            var messages: Int?
            if let shares = current.shares {
                guard let share = shares[place.sequence], share.day == place.day.number else { return nil }
                messages = share.messages
            }
            guard let record = try records.detail(messages: messages) else { return nil }
            exported.record = record
            let view = ResultView(record.authentication, for: record.headerFrom, book)
            (exported.check, exported.signature) = (view.check, view.signature)
            return exported
        }

        private mutating func head(_ id: Int) throws -> Head? {
            guard let report = try facts.reportBesideRecords(id, of: domain.name) else { return nil }
            let window = report.window
            let none = RecordDetail(
                sequence: 0, source: IPAddress(ipv4: 0), messages: 0, disposition: .none, dkim: .fail, spf: .fail, headerFrom: "",
                envelopeFrom: nil, envelopeTo: nil, authentication: AuthenticationSet(), overrides: [])
            let exported = ExportedRecord(
                day: window.day, domain: domain.name, reporter: report.reporter, reportID: report.reportID, window: window,
                policy: report.policy, record: none)
            guard window.isSpread else { return Head(id: id, exported: exported, shares: nil) }
            let head = Head(id: id, exported: exported, shares: try shares(of: id, window))
            // Those whose last day has gone by do not come back.
            let today = max(window.days.lowerBound, period.since)
            spread = spread.filter { $0.value.exported.window.days.upperBound >= today }
            spread[id] = head
            return head
        }

        private func shares(of id: Int, _ window: ReportWindow) throws -> [Int: (day: Int, messages: Int)] {
            var shares: [Int: (day: Int, messages: Int)] = [:]
            for countedAs in 0...1 {
                var day = max(window.days.lowerBound, period.since)
                while day <= min(window.days.upperBound, period.until) {
                    try facts.forEachRecord(ofReport: id, of: domain, countedAs: countedAs, on: day) {
                        shares[$0.sequence, default: (day.number, 0)].messages += $0.messages
                    }
                    day = day.advanced(by: 1)
                }
            }
            return shares
        }
    }
}

extension Scope {
    /// The coverage with its figures, from the rollup and the list of reports.
    package func totals(_ facts: Facts) throws -> Coverage {
        var messages = 0
        var reports = 0
        for domain in domains {
            try forEachDailyFigure(facts, of: domain) { messages += $0.messages }
            try forEachCountedReport(facts, of: domain) { _, _ in reports += 1 }
        }
        return coverage(messages: messages, reports: reports)
    }
}
