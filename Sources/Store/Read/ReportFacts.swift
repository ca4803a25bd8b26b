import DMARC
import GRDB

/// A counted report as far as questions about reporters need it.
package struct KnownReport: Sendable {
    package var id: Int
    package var reporter: Int
    package var day: Day
    package var isSpread: Bool
    package var window: ReportWindow
    package var deviations: UInt64
    package var email: String?
    /// Alignment of DKIM and SPF as published.
    package var adkim: String?
    package var aspf: String?
    package var authenticity: Authenticity
    package var messages: Int
}

/// A report without its records, as a list of reports shows it.
package struct ReportHead: Sendable {
    package var id: Int
    package var reporter: String
    package var reportID: String
    package var window: ReportWindow
    package var records: Int
    package var messages: Int
    package var passed: Int
    package var p: String?
    package var sp: String?
    package var standard: String
    package var isCounted: Bool
    package var deviations: Deviations
    package var sender: ReportSender
}

/// A counted report with whose word it is.
package struct VoicedReport: Sendable {
    package var voice: Int
    package var voiceName: String
    package var reporter: Int
    package var reporterName: String
    package var window: ReportWindow
    package var messages: Int
}

/// A counted report as advice needs it.
package struct HeardReport: Sendable {
    package var id: Int
    package var reporter: Int
    package var day: Int
    package var policy: Int
    /// nil: nobody's.
    package var voice: Int?
    /// When it came, in seconds since 1970-01-01 UTC.
    package var arrived: Int
}

/// A report as it stands beside its records, and what is known of its mail.
package struct FullReport: Sendable {
    package var domain: Int
    package var isCounted: Bool
    package var header: ReportHeader
    package var deviations: Deviations
    package var refusedRecords: Int
    package var sender: ReportSender
}

/// Statements about reports.
package enum ReportSQL {
    /// Question: the counted reports of the period, but those with a long window. Unit: one row a report. Index: `reports_domain_day`; rowid of
    /// `policies`.
    package static let known = """
        SELECT r.id, r.reporter_id, r.day, r.is_spread, r.begin_utc, r.end_utc, r.deviations, r.email, p.adkim, p.aspf,
            r.authenticity, r.messages
        FROM reports r JOIN policies p ON p.id = r.policy_id
        WHERE r.domain_id = ?1 AND r.is_counted = 1 AND r.is_spread = 0 AND r.day BETWEEN ?2 AND ?3
        """

    /// Question: those with a long window. It is at most 366 days long, so that its middle is at most 183 days away. Unit: one row a report.
    /// Index: `reports_spread`; rowid of `policies`.
    package static let knownSpread = """
        SELECT r.id, r.reporter_id, r.day, r.is_spread, r.begin_utc, r.end_utc, r.deviations, r.email, p.adkim, p.aspf,
            r.authenticity, r.messages
        FROM reports r JOIN policies p ON p.id = r.policy_id
        WHERE r.domain_id = ?1 AND r.is_counted = 1 AND r.is_spread = 1 AND r.day BETWEEN ?2 - 184 AND ?3 + 184
        """

    /// Question: all reports of a domain that could touch the period, counted or not. Unit: one row a report. Index: `reports_domain_day`; rowids of
    /// `reporters`, `policies` and `names`.
    package static let list = """
        SELECT r.id, o.name, r.report_id, r.begin_utc, r.end_utc, r.records, r.messages, r.passed, p.p, p.sp, r.standard, r.is_counted,
            r.deviations, r.authenticity, r.mail_from_domain, n.name
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN policies p ON p.id = r.policy_id
            LEFT JOIN names n ON n.id = r.voice_id
        WHERE r.domain_id = ?1
            AND r.day BETWEEN ?2 - 184 AND ?3 + 184
            AND (r.is_spread = 1 OR r.day BETWEEN ?2 AND ?3)
        """

    /// Question: the counted reports of a domain that could touch the period, with whose word they are. Unit: one row a report, by voice and begin.
    /// Index: `reports_domain_day`; rowids of `reporters` and `names`.
    package static let voiced = """
        SELECT r.voice_id, n.name, r.reporter_id, o.name, r.begin_utc, r.end_utc, r.messages
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN names n ON n.id = r.voice_id
        WHERE r.domain_id = ?1 AND r.is_counted = 1
            AND r.day BETWEEN ?2 - 184 AND ?3 + 184
            AND (r.is_spread = 1 OR r.day BETWEEN ?2 AND ?3)
        ORDER BY r.voice_id, r.begin_utc
        """

    /// Question: who reported when, whose word it is, when it came, and which policy. Unit: one row a counted report, in the order of days. Index:
    /// `reports_domain_day`.
    package static let heard = """
        SELECT id, reporter_id, day, policy_id, voice_id, coalesce(arrived_utc, end_utc)
        FROM reports
        WHERE domain_id = ?1 AND is_counted = 1 AND day BETWEEN ?2 AND ?3
        ORDER BY day
        """

    /// Question: who reported on which days. Unit: one row a report. Index: `reports_domain_day`.
    package static let days = """
        SELECT reporter_id, day
        FROM reports
        WHERE domain_id = ?1 AND is_counted = 1 AND day BETWEEN ?2 AND ?3 AND (?4 = 0 OR authenticity = 1)
        """

    /// Question: the policy of each counted report, latest day first. Unit: one row a report. Index: `reports_domain_day`, read backwards
    /// and left after one day.
    package static let latestPolicies = """
        SELECT r.day, r.id, p.p, p.sp
        FROM reports r JOIN policies p ON p.id = r.policy_id
        WHERE r.domain_id = ?1 AND r.is_counted = 1 AND r.day BETWEEN ?2 AND ?3
        ORDER BY r.day DESC
        """

    /// Question: the policy that each report of a domain shows. Unit: one row a report. Index: `reports_domain_day`.
    package static let policyKeys = """
        SELECT id, policy_id FROM reports WHERE domain_id = ?1 AND is_counted = 1 AND day BETWEEN ?2 AND ?3
        """

    /// As `policyKeys`, for reports with a long window whose middle lies elsewhere. Index: `reports_spread`.
    package static let spreadPolicyKeys = """
        SELECT id, policy_id FROM reports WHERE domain_id = ?1 AND is_spread = 1 AND is_counted = 1 AND day BETWEEN ?2 - 184 AND ?3 + 184
        """

    /// Question: a policy. Unit: one row. Index: rowid of `policies`.
    package static let policy = "SELECT p, sp, np, adkim, aspf, pct, fo, testing, discovery_method FROM policies WHERE id = ?1"

    /// Question: the published policies. Unit: one row a policy. Index: none; a small table.
    package static let policies = "SELECT id, p, sp, np, adkim, aspf, pct, fo, testing, discovery_method FROM policies"

    /// Question: the first day with a report that is heard. Unit: at most one row. Index: `reports_domain_day`, left at the first row that fits;
    /// primary key of `unheard_reports`.
    package static let firstWitnessed = """
        SELECT day FROM reports r
        WHERE domain_id = ?1 AND is_counted = 1
            AND NOT EXISTS (SELECT 1 FROM unheard_reports u WHERE u.domain_id = ?1 AND u.report_id = r.id)
        ORDER BY day LIMIT 1
        """

    /// Question: a report without its records. Unit: at most one row. Index: rowids.
    package static let header = """
        SELECT o.name, d.name, r.domain_id, r.report_id, r.begin_utc, r.end_utc, r.is_counted, r.standard, r.version, r.email,
            r.contact_info, r.generator, r.errors, r.deviations, r.refused_records,
            p.p, p.sp, p.np, p.adkim, p.aspf, p.pct, p.fo, p.testing, p.discovery_method, r.authenticity,
            r.mail_from_domain, n.name, r.arrived_utc
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN domains d ON d.id = r.domain_id
            JOIN policies p ON p.id = r.policy_id
            LEFT JOIN names n ON n.id = r.voice_id
        WHERE r.id = ?1
        """

    /// Question: what a report says besides its records. Unit: one row. Index: rowids.
    package static let besideRecords = """
        SELECT o.name, r.report_id, r.begin_utc, r.end_utc, p.p, p.sp, p.np, p.adkim, p.aspf, p.pct, p.fo, p.testing,
            p.discovery_method
        FROM reports r
            JOIN reporters o ON o.id = r.reporter_id
            JOIN policies p ON p.id = r.policy_id
        WHERE r.id = ?1
        """
}

extension Facts {
    private func rows(_ sql: String, _ domain: PolicyDomain, _ period: Period) throws -> SQLRows {
        try SQLRows(self, sql, [.integer(domain.id), .integer(period.since.number), .integer(period.until.number)])
    }

    /// Names of reporters by their key.
    package func reporterNames() throws -> [Int: String] {
        var names: [Int: String] = [:]
        let rows = try SQLRows(self, Scope.reportersSQL)
        while try rows.next() { names[rows.int(0)] = rows.text(1) }
        return names
    }

    /// Calls `body` with the counted reports of a domain that touch the period.
    package func forEachKnownReport(of domain: PolicyDomain, in period: Period, _ body: (KnownReport) throws -> Void) throws {
        for sql in [ReportSQL.known, ReportSQL.knownSpread] {
            let rows = try rows(sql, domain, period)
            while try rows.next() {
                let window = ReportWindow(begin: rows.int(4), end: rows.int(5))
                let isSpread = rows.int(3) == 1
                guard !isSpread || window.touches(period) else { continue }
                try body(
                    KnownReport(
                        id: rows.int(0), reporter: rows.int(1), day: Day(rows.int(2)), isSpread: isSpread, window: window,
                        deviations: UInt64(bitPattern: Int64(rows.int(6))), email: rows.optionalText(7), adkim: rows.optionalText(8),
                        aspf: rows.optionalText(9), authenticity: rows.optionalInt(10).flatMap(Authenticity.init) ?? .unverified,
                        messages: rows.int(11)))
            }
        }
    }

    /// Calls `body` with all reports about a domain that touch the period, also those that do not count.
    package func forEachReportHead(of domain: PolicyDomain, in period: Period, _ body: (ReportHead) throws -> Void) throws {
        let rows = try rows(ReportSQL.list, domain, period)
        while try rows.next() {
            let window = ReportWindow(begin: rows.int(3), end: rows.int(4))
            guard window.touches(period) else { continue }
            try body(
                ReportHead(
                    id: rows.int(0), reporter: rows.text(1), reportID: rows.text(2), window: window, records: rows.int(5),
                    messages: rows.int(6), passed: rows.int(7), p: rows.optionalText(8), sp: rows.optionalText(9), standard: rows.text(10),
                    isCounted: rows.int(11) == 1, deviations: Deviations(rawValue: UInt64(bitPattern: Int64(rows.int(12)))),
                    sender: ReportSender(
                        authenticity: rows.optionalInt(13).flatMap(Authenticity.init), mailFromDomain: rows.optionalText(14),
                        voice: rows.optionalText(15))))
        }
    }

    /// Calls `body` with the counted reports about a domain that touch the period and are somebody's word, by voice and begin.
    package func forEachVoicedReport(of domain: PolicyDomain, in period: Period, _ body: (VoicedReport) throws -> Void) throws {
        let rows = try rows(ReportSQL.voiced, domain, period)
        while try rows.next() {
            let window = ReportWindow(begin: rows.int(4), end: rows.int(5))
            guard window.touches(period) else { continue }
            try body(
                VoicedReport(
                    voice: rows.int(0), voiceName: rows.text(1), reporter: rows.int(2), reporterName: rows.text(3), window: window,
                    messages: rows.int(6)))
        }
    }

    /// Calls `body` with the counted reports about a domain whose day lies in the period, in the order of days.
    package func forEachHeardReport(of domain: PolicyDomain, in period: Period, _ body: (HeardReport) throws -> Void) throws {
        let rows = try rows(ReportSQL.heard, domain, period)
        while try rows.next() {
            try body(
                HeardReport(
                    id: rows.int(0), reporter: rows.int(1), day: rows.int(2), policy: rows.int(3), voice: rows.optionalInt(4),
                    arrived: rows.int(5)))
        }
    }

    /// Calls `body` with the key of the reporter and the day of each counted report of the period.
    package func forEachReportDay(
        of domain: PolicyDomain, in period: Period, onlyVerified: Bool, _ body: (_ reporter: Int, _ day: Day) throws -> Void
    ) throws {
        let rows = try SQLRows(
            self, ReportSQL.days,
            [.integer(domain.id), .integer(period.since.number), .integer(period.until.number), .integer(onlyVerified ? 1 : 0)])
        while try rows.next() { try body(rows.int(0), Day(rows.int(1))) }
    }

    /// The policies `p` and `sp` of the counted reports of the last day of the period that `scope` has a report of.
    package func policiesOfLastDay(of domain: PolicyDomain, in period: Period, _ scope: Scope) throws -> [(p: String?, sp: String?)] {
        let rows = try rows(ReportSQL.latestPolicies, domain, period)
        var lastDay: Int?
        var found: [(p: String?, sp: String?)] = []
        while try rows.next() {
            guard scope.includes(report: rows.int(1)) else { continue }
            if let lastDay, rows.int(0) != lastDay { break }
            lastDay = rows.int(0)
            found.append((rows.optionalText(2), rows.optionalText(3)))
        }
        return found
    }

    /// The key of the policy of each counted report that may touch the period, by the key of the report.
    package func policyKeys(of domain: PolicyDomain, in period: Period) throws -> [Int: Int] {
        var policies: [Int: Int] = [:]
        for sql in [ReportSQL.policyKeys, ReportSQL.spreadPolicyKeys] {
            let rows = try rows(sql, domain, period)
            while try rows.next() { policies[rows.int(0)] = rows.int(1) }
        }
        return policies
    }

    /// The policy with the key `id`, as published for `domain`.
    package func policy(_ id: Int, of domain: String) throws -> PublishedPolicy? {
        let rows = try SQLRows(self, ReportSQL.policy, [.integer(id)])
        return try rows.next() ? PublishedPolicy(rows, from: 0, domain: domain) : nil
    }

    /// All policies by their key, without a domain.
    package func policies() throws -> [Int: PublishedPolicy] {
        var policies: [Int: PublishedPolicy] = [:]
        let rows = try SQLRows(self, ReportSQL.policies)
        while try rows.next() { policies[rows.int(0)] = PublishedPolicy(rows, from: 1, domain: "") }
        return policies
    }

    /// The first day of a domain with a report that is heard.
    package func firstWitnessedDay(of domain: PolicyDomain) throws -> Day? {
        let rows = try SQLRows(self, ReportSQL.firstWitnessed, [.integer(domain.id)])
        return try rows.next() ? Day(rows.int(0)) : nil
    }

    /// The report with the number `id`.
    package func report(_ id: Int) throws -> FullReport? {
        let row = try SQLRows(self, ReportSQL.header, [.integer(id)])
        guard try row.next() else { return nil }
        var header = ReportHeader()
        header.reporter = row.text(0)
        header.reportID = row.text(3)
        header.window = ReportWindow(begin: row.int(4), end: row.int(5))
        header.standard = ReportStandard(rawValue: row.text(7)) ?? .rfc7489
        header.version = row.optionalText(8)
        header.email = row.optionalText(9)
        header.contactInfo = row.optionalText(10)
        header.generator = row.optionalText(11)
        header.errors = row.optionalText(12).map { $0.split(separator: "\n").map(String.init) } ?? []
        header.policy = PublishedPolicy(row, from: 15, domain: row.text(1))
        return FullReport(
            domain: row.int(2), isCounted: row.int(6) == 1, header: header,
            deviations: Deviations(rawValue: UInt64(bitPattern: Int64(row.int(13)))), refusedRecords: row.int(14),
            sender: ReportSender(
                authenticity: row.optionalInt(24).flatMap(Authenticity.init), mailFromDomain: row.optionalText(25),
                voice: row.optionalText(26), arrivedAt: row.optionalInt(27)))
    }

    /// Who sent the report with the number `id`, its own id, its window, and its policy as published for `domain`.
    package func reportBesideRecords(
        _ id: Int, of domain: String
    ) throws -> (reporter: String, reportID: String, window: ReportWindow, policy: PublishedPolicy)? {
        let row = try SQLRows(self, ReportSQL.besideRecords, [.integer(id)])
        guard try row.next() else { return nil }
        return (
            row.text(0), row.text(1), ReportWindow(begin: row.int(2), end: row.int(3)), PublishedPolicy(row, from: 4, domain: domain)
        )
    }
}

extension ReportWindow {
    /// Whether one of its days lies in the period.
    package func touches(_ period: Period) -> Bool { days.lowerBound <= period.until && period.since <= days.upperBound }
}

extension PublishedPolicy {
    /// From nine columns in the order of the table `policies`.
    init(_ row: SQLRows, from column: Int32, domain: String) {
        self.init()
        self.domain = domain
        p = row.optionalText(column)
        sp = row.optionalText(column + 1)
        np = row.optionalText(column + 2)
        adkim = row.optionalText(column + 3)
        aspf = row.optionalText(column + 4)
        pct = row.optionalText(column + 5)
        fo = row.optionalText(column + 6)
        testing = row.optionalText(column + 7)
        discoveryMethod = row.optionalText(column + 8)
    }
}
