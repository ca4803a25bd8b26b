import DMARC
import Organisations
import Store

/// Who reports, how regularly and how well.
public struct ReporterRow: Hashable, Sendable {
    /// Its name.
    public var reporter: String
    /// Counted reports with a day in the period.
    public var reports = 0
    /// Their records; one of a long window counts on the first of its days.
    public var records = 0
    /// Messages of those records in the period.
    public var messages = 0
    /// The days of its reports in the period: when, and how regularly.
    public var rhythm = ReportRhythm(days: [], dataUntil: Day(0))
    /// Distinct policy domains that it reports about.
    public var domains = 0
    /// In how many of its reports each tolerated breach of the format was met.
    public var deviations: [Deviation: Int] = [:]
    /// Records whose verdict on alignment is not the one that their raw results give.
    public var alignmentDisagreements = 0
    /// Combinations of source, signature and day on which another reporter said the opposite.
    public var contradictions = 0
    /// Its reports that came from whom they say.
    public var verified = 0
    /// Those of which nothing shows it; also those that were not checked.
    public var unverified = 0
    /// Those whose mail came from somebody else.
    public var mismatch = 0
    /// Messages of its largest report.
    public var largestReport = 0
    /// Addresses that its reports name for questions, in order of the alphabet.
    public var emails: [String] = []

    /// A row without figures.
    package init(reporter: String) { self.reporter = reporter }
}

/// The answer to "who reports".
public struct Reporters: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// One row a reporter with a counted report in the period: most messages first, then by name.
    public var rows: [ReporterRow]
    /// Reports of these with counts that are out of all proportion, by domain.
    public var outliers: [OutlyingReport] = []

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> Reporters {
        try readingShared(store, "reporters") { facts, shared in
            // Everybody's reports are read: the end of the data, and who contradicts whom, do not depend on whom one asks about.
            let scope = try Scope(facts, filter.ofEveryReporter)
            let names = try facts.reporterNames()
            var coverage = scope.coverage(messages: 0, reports: 0)
            coverage.unknownReporters = filter.reporters.filter { asked in
                !names.values.contains { $0.lowercased() == asked.lowercased() }
            }
            guard let period = scope.period else { return Reporters(coverage: coverage, rows: []) }
            let dataUntil = try min(period.until, scope.lastDay(facts) ?? period.until)
            let parts = try shared.split(scope.domains, facts) { facts, next in
                var census = Census(dataUntil: dataUntil)
                var records = try RecordCensus(facts, scope)
                while let domain = next() {
                    let reports = try KnownReports(facts, of: domain, in: period, scope)
                    census.add(reports, in: period)
                    try records.add(of: domain, reports)
                }
                return (census, records.sums)
            }
            var (census, records) = parts[0]
            for (others, _) in parts.dropFirst() { census.add(others) }
            records.add(parts.dropFirst().map(\.1))
            records.settle()
            let rows = census.rows(names: names, records).filter { filter.includes(reporter: $0.reporter) }
            coverage.reports = rows.reduce(0) { $0 + $1.reports }
            coverage.messages = rows.reduce(0) { $0 + $1.messages }
            let outliers = try scope.domains.flatMap { try OutlyingReport.find(facts, of: $0, scope) }
            return Reporters(
                coverage: coverage, rows: rows.sorted { ($1.messages, $0.reporter) < ($0.messages, $1.reporter) },
                outliers: outliers.filter { filter.includes(reporter: $0.reporter) })
        }
    }

    // MARK: - Reports

    /// What is added up from the reports alone.
    private struct Census: Sendable {
        private struct Entry: Sendable {
            var reports = 0
            var days: [Day] = []
            var domains = 0
            var lastDomain = -1
            var deviations: [UInt64: Int] = [:]
            var authenticities: [Authenticity: Int] = [:]
            var emails: Set<String> = []
            var largest = 0
        }

        private let dataUntil: Day
        private var entries: [Int: Entry] = [:]

        init(dataUntil: Day) { self.dataUntil = dataUntil }

        mutating func add(_ reports: KnownReports, in period: Period) {
            for report in reports.all {
                // Of a long window whose middle lies outside, the nearest day of the period.
                let day = min(max(report.day, period.since), period.until)
                add(report, on: day, domain: reports.domain)
            }
        }

        private mutating func add(_ report: KnownReport, on day: Day, domain: Int) {
            var entry = entries.removeValue(forKey: report.reporter) ?? Entry()
            entry.reports += 1
            if entry.days.last != day { entry.days.append(day) }
            // Reports come one domain after the other.
            if entry.lastDomain != domain { entry.domains += 1 }
            entry.lastDomain = domain
            entry.deviations[report.deviations, default: 0] += 1
            entry.authenticities[report.authenticity, default: 0] += 1
            entry.largest = max(entry.largest, report.messages)
            if let email = report.email, !email.isEmpty { entry.emails.insert(email) }
            entries[report.reporter] = entry
        }

        /// Adds what was found about other domains.
        mutating func add(_ other: Census) {
            for (reporter, entry) in other.entries {
                entries[reporter, default: Entry()].reports += entry.reports
                entries[reporter]?.days += entry.days
                entries[reporter]?.domains += entry.domains
                entries[reporter]?.deviations.merge(entry.deviations, uniquingKeysWith: +)
                entries[reporter]?.authenticities.merge(entry.authenticities, uniquingKeysWith: +)
                entries[reporter]?.emails.formUnion(entry.emails)
                let largest = max(entries[reporter]?.largest ?? 0, entry.largest)
                entries[reporter]?.largest = largest
            }
        }

        func rows(names: [Int: String], _ records: RecordSums) -> [ReporterRow] {
            entries.map { reporter, entry in
                var row = ReporterRow(reporter: names[reporter] ?? "")
                row.reports = entry.reports
                row.rhythm = ReportRhythm(days: entry.days, dataUntil: dataUntil)
                row.domains = entry.domains
                for (bits, count) in entry.deviations {
                    let set = Deviations(rawValue: bits)
                    for deviation in Deviation.allCases where set.contains(deviation) { row.deviations[deviation, default: 0] += count }
                }
                row.verified = entry.authenticities[.verified] ?? 0
                row.unverified = entry.authenticities[.unverified] ?? 0
                row.mismatch = entry.authenticities[.mismatch] ?? 0
                row.emails = entry.emails.sorted()
                row.largestReport = entry.largest
                let figures = records[reporter]
                row.records = figures.records
                row.messages = figures.messages
                row.alignmentDisagreements = figures.disagreements
                row.contradictions = figures.contradictions
                return row
            }
        }
    }

    // MARK: - Records

    private struct Figures: Sendable {
        var records = 0
        var messages = 0
        var disagreements = 0
        var contradictions = 0
    }

    /// What is added up from the records.
    private struct RecordSums: Sendable {
        fileprivate(set) var figures: [Figures] = []
        private var numbers: [Int: Int] = [:]
        private var reporters: [Int] = []
        fileprivate(set) var opposites = Opposites()

        subscript(_ reporter: Int) -> Figures { numbers[reporter].map { figures[$0] } ?? Figures() }

        mutating func number(of reporter: Int) -> Int {
            if let number = numbers[reporter] { return number }
            numbers[reporter] = figures.count
            reporters.append(reporter)
            figures.append(Figures())
            return figures.count - 1
        }

        /// Adds what was found about other domains, all of them at once.
        mutating func add(_ others: [RecordSums]) {
            var numbers: [[Int32]] = []
            for other in others {
                numbers.append([])
                for (reporter, found) in zip(other.reporters, other.figures) {
                    let number = number(of: reporter)
                    figures[number].records += found.records
                    figures[number].messages += found.messages
                    figures[number].disagreements += found.disagreements
                    numbers[numbers.count - 1].append(Int32(number))
                }
            }
            opposites.add(zip(others, numbers).map { ($0.opposites, $1) })
        }

        /// After the last record: who contradicts whom.
        mutating func settle() {
            for (number, count) in opposites.counts(reporters: figures.count).enumerated() { figures[number].contradictions = count }
        }
    }

    /// Adds them up.
    private struct RecordCensus {
        private(set) var sums = RecordSums()
        private let scan: RecordScan
        private var alignments: RecomputedAlignments
        private var names: NameLookup

        init(_ facts: Facts, _ scope: Scope) throws {
            scan = try RecordScan(facts, scope)
            alignments = try RecomputedAlignments(facts, try .ofVerdicts(facts))
            names = NameLookup(facts)
        }

        mutating func add(of domain: PolicyDomain, _ reports: KnownReports) throws {
            var (id, number) = (-1, 0)
            var report: KnownReport?
            try scan.forEach(of: domain.id, withEmpty: true) { record, day in
                if record.report != id {
                    id = record.report
                    report = reports[id]
                    number = report.map { sums.number(of: $0.reporter) } ?? 0
                }
                guard let report else { return }
                sums.figures[number].messages += record.messages
                let set = try alignments.place(record.authentication)
                try sums.opposites.note(alignments[set], source: record.source, day: day, reporter: number, &names)
                guard record.isFirstShare else { return }
                sums.figures[number].records += 1
                let raw = try alignments.alignment(set, headerFrom: record.headerFrom, report.modes)
                if raw.dkim != record.dkim || raw.spf != record.spf { sums.figures[number].disagreements += 1 }
            }
        }
    }
}

/// The counted reports of a domain that touch a period.
struct KnownReports {
    /// Key of the policy domain.
    let domain: Int
    private(set) var all: [KnownReport] = []
    private var places: [Int: Int] = [:]

    init(_ facts: Facts, of domain: PolicyDomain, in period: Period, _ scope: Scope) throws {
        self.domain = domain.id
        try facts.forEachKnownReport(of: domain, in: period) { report in
            guard scope.includes(report: report.id) else { return }
            places[report.id] = all.count
            all.append(report)
        }
    }

    /// The report with a key, if it counts and touches the period.
    subscript(_ id: Int) -> KnownReport? { places[id].map { all[$0] } }
}

/// Both alignment modes of a published policy.
struct AlignmentModes: Hashable {
    var dkim: AlignmentMode
    var spf: AlignmentMode
}

/// Raw results, and the alignment they give: worked out once for each combination of results, name in From and published modes.
struct RecomputedAlignments {
    private struct Key: Hashable {
        var set: Int
        var headerFrom: Int
        var modes: AlignmentModes
    }

    /// The latest answer of a set: most sets come with one name in From and one policy only.
    private struct Known {
        var headerFrom = -1
        var modes = AlignmentModes(dkim: .relaxed, spf: .relaxed)
        var alignment = Alignment(dkim: false, spf: false)
    }

    private var results: KeyedResults
    private var known: [Known] = []
    private var others: [Key: Alignment] = [:]

    init(_ facts: Facts, _ suffixes: PublicSuffixes) throws { results = try KeyedResults(facts, suffixes) }

    /// The place of the set with the key `id`, for the questions below.
    @inline(__always)
    mutating func place(_ id: Int) throws -> Int {
        let place = try results.place(id)
        if place >= known.count { known.append(contentsOf: repeatElement(Known(), count: results.count - known.count)) }
        return place
    }

    /// What the set says.
    @inline(__always)
    subscript(_ place: Int) -> ArraySlice<KeyedResult> { results[place] }

    @inline(__always)
    mutating func alignment(_ place: Int, headerFrom: Int, _ modes: AlignmentModes) throws -> Alignment {
        if known[place].headerFrom == headerFrom, known[place].modes == modes { return known[place].alignment }
        return try otherAlignment(place, headerFrom: headerFrom, modes)
    }

    private mutating func otherAlignment(_ place: Int, headerFrom: Int, _ modes: AlignmentModes) throws -> Alignment {
        let isFirst = known[place].headerFrom < 0
        let key = Key(set: place, headerFrom: headerFrom, modes: modes)
        if !isFirst, let alignment = others[key] { return alignment }
        let alignment = try results.alignment(place, from: headerFrom, dkim: modes.dkim, spf: modes.spf)
        if isFirst {
            known[place] = Known(headerFrom: headerFrom, modes: modes, alignment: alignment)
        } else {
            others[key] = alignment
        }
        return alignment
    }
}

extension Filter {
    /// The same without a choice of reporters.
    var ofEveryReporter: Filter {
        var filter = self
        filter.reporters = []
        return filter
    }
}

extension Scope {
    /// The last day that holds data of one of the domains.
    package func lastDay(_ facts: Facts) throws -> Day? {
        try domains.compactMap { try facts.extent(of: $0)?.until }.max()
    }
}

extension KnownReport {
    /// Both alignment modes of the policy that it shows.
    var modes: AlignmentModes { AlignmentModes(dkim: AlignmentMode(published: adkim), spf: AlignmentMode(published: aspf)) }
}
