import DMARC
import Store

/// A voice that speaks of a domain under several names at the same time. That may be fine (Enterprise Outlook and Outlook.com are one voice and
/// see different mail), and it is what somebody does who wants to pass for many.
public struct VoiceOverlap: Hashable, Sendable {
    /// The voice; empty where nobody is named.
    public var voice: String
    /// The policy domain.
    public var domain: String
    /// Its names, in order of the alphabet.
    public var reporters: [String]
    /// Counted reports whose window overlaps that of one under another name.
    public var reports: Int
    /// Messages that these speak of.
    public var messages: Int
    /// First day of one of them.
    public var firstDay: Day
    /// Last day of one of them.
    public var lastDay: Day
}

/// The answer to "who speaks with several names".
public struct VoiceOverlaps: Sendable {
    /// What it is about.
    public var coverage: Coverage
    /// One row a voice and domain: most messages first, then by name.
    public var rows: [VoiceOverlap]

    /// Asks `store`.
    public static func ask(_ store: ReportStore, _ filter: Filter) throws(StoreError) -> VoiceOverlaps {
        try reading(store, "reporters") { facts in
            // Who speaks at the same time as somebody else does not depend on whom one asks about.
            let scope = try Scope(facts, filter.ofEveryReporter)
            var rows: [VoiceOverlap] = []
            if let period = scope.period {
                for domain in scope.domains {
                    var voice: Voiced?
                    try facts.forEachVoicedReport(of: domain, in: period) { report in
                        if voice?.id != report.voice {
                            if let row = voice?.overlap(about: domain.name) { rows.append(row) }
                            voice = Voiced(id: report.voice, name: report.voiceName)
                        }
                        voice?.add(
                            reporter: report.reporter, name: report.reporterName, window: report.window, messages: report.messages)
                    }
                    if let row = voice?.overlap(about: domain.name) { rows.append(row) }
                }
            }
            rows = rows.filter { $0.reporters.contains { filter.includes(reporter: $0) } }
            rows.sort { ($1.messages, $0.voice, $0.domain) < ($0.messages, $1.voice, $1.domain) }
            return VoiceOverlaps(
                coverage: scope.coverage(messages: rows.reduce(0) { $0 + $1.messages }, reports: rows.reduce(0) { $0 + $1.reports }),
                rows: rows)
        }
    }

    /// The reports of one voice about one domain, by the begin of their windows.
    private struct Voiced {
        struct Report {
            var reporter: Int
            var window: ReportWindow
            var messages: Int
        }

        let id: Int
        let name: String
        var names: [Int: String] = [:]
        var reports: [Report] = []

        init(id: Int, name: String) {
            self.id = id
            self.name = name
        }

        mutating func add(reporter: Int, name: String, window: ReportWindow, messages: Int) {
            names[reporter] = name
            reports.append(Report(reporter: reporter, window: window, messages: messages))
        }

        /// Nil if no two of its names report about the same time.
        func overlap(about domain: String) -> VoiceOverlap? {
            guard names.count > 1 else { return nil }
            // A window overlaps one that began before it if the latest end of those, of another name, lies behind its begin; and one that
            // began after it if the earliest begin of those lies before its end.
            var isOverlapping = [Bool](repeating: false, count: reports.count)
            var latest = Extremes()
            for (index, report) in reports.enumerated() {
                if latest.value(except: report.reporter).map({ $0 > report.window.begin }) == true { isOverlapping[index] = true }
                latest.take(report.window.end, of: report.reporter)
            }
            var earliest = Extremes()
            for index in reports.indices.reversed() {
                let report = reports[index]
                if earliest.value(except: report.reporter).map({ -$0 < report.window.end }) == true { isOverlapping[index] = true }
                earliest.take(-report.window.begin, of: report.reporter)
            }
            let found = zip(reports, isOverlapping).filter(\.1).map(\.0)
            guard let first = found.map(\.window.days.lowerBound).min(), let last = found.map(\.window.days.upperBound).max() else {
                return nil
            }
            return VoiceOverlap(
                voice: name, domain: domain, reporters: Set(found.compactMap { names[$0.reporter] }).sorted(), reports: found.count,
                messages: found.reduce(0) { $0 + $1.messages }, firstDay: first, lastDay: last)
        }
    }

    /// The greatest value, and the greatest of any other name than that one's.
    private struct Extremes {
        private var first: (value: Int, reporter: Int)?
        private var second: (value: Int, reporter: Int)?

        mutating func take(_ value: Int, of reporter: Int) {
            if let best = first, best.reporter != reporter {
                if value > best.value {
                    second = best
                    first = (value, reporter)
                } else if second.map({ value > $0.value }) ?? true {
                    second = (value, reporter)
                }
            } else {
                first = (max(value, first?.value ?? value), reporter)
            }
        }

        func value(except reporter: Int) -> Int? { first?.reporter == reporter ? second?.value : first?.value }
    }
}
