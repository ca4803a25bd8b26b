import DMARC
import GRDB

/// Reads `DomainFacts`: one pass over the records of the period for each domain; everything older comes from small tables and rollups.
final class DomainFactsReader {
    /// How far before the period reporters, policies and rhythms are looked up, in days.
    static let historyDays = 90
    /// How far before the period regular senders are looked for, in days: three months and some.
    static let rhythmDays = 128
    /// Sets of authentication results that are read for each verdict, those with most messages first. Own servers and services use few;
    /// forwarders and strangers bring ever new ones, which tell nothing more.
    static let directSets = 600
    static let otherSets = 24
    /// Senders of each verdict that are kept, and of which the confidence is looked up.
    static let mostSenders = 25
    /// Numbers of verdicts lie below this.
    private static let verdictNumbers = 10
    /// Candidates for a regular sender that are looked up in the flows.
    static let mostCandidates = 24

    /// Question: who sent what, and what became of it. Unit: one row a record and day. Index: primary key of `records`, one range.
    static let recordsSQL = """
        SELECT report_id, source, messages, authentication_id, verdict, disposition, day, header_from_id
        FROM records
        WHERE domain_id = ?1 AND counted_as = ?2 AND day BETWEEN ?3 AND ?4
        """

    /// Question: who reported when, and which policy. Unit: one row a counted report. Index: `reports_domain_day`.
    static let reportsSQL = """
        SELECT id, reporter_id, day, policy_id
        FROM reports
        WHERE domain_id = ?1 AND is_counted = 1 AND day BETWEEN ?2 AND ?3
        """

    /// Question: the published policies. Unit: one row a policy. Index: none; a small table.
    static let policiesSQL = "SELECT id, p, sp, np, pct, testing FROM policies"

    /// Question: how sure is the verdict about a flow. Unit: one row a flow. Index: primary key of `flows`, one range.
    static let flowsSQL = """
        SELECT verdict, messages, confidence, notes, authentication_id
        FROM flows
        WHERE source = ?1 AND domain_id = ?2 AND authentication_id BETWEEN ?3 AND ?4
        """

    /// Question: was there ever a message that passed. Unit: at most one row. Index: primary key of `daily`, left at the first row.
    static let passedSQL = "SELECT 1 FROM daily WHERE domain_id = ?1 AND dkim + spf > 0 AND messages > 0 LIMIT 1"

    /// Question: was there ever a message of somebody who is not a stranger. Unit: at most one row. Index: primary key of `daily_verdicts`,
    /// left at the first row. Verdicts 3 to 8: from authorized to unaligned.
    static let knownSQL = "SELECT 1 FROM daily_verdicts WHERE domain_id = ?1 AND verdict BETWEEN 3 AND 8 AND messages > 0 LIMIT 1"

    /// Question: which sources were seen on which days. Unit: one row a day. Index: primary key of `daily_sources`, one range.
    static let daysSQL = "SELECT day, ipv4, ipv6 FROM daily_sources WHERE domain_id = ?1 AND day BETWEEN ?2 AND ?3"

    private let db: Database
    private let scope: Scope
    private let period: Period
    private let today: Day
    private let suffixes: PublicSuffixes
    private var authentications: AuthenticationLookup
    private var names: NameLookup
    private var services: Services?
    private var policies: [Int: DomainFacts.PolicyRun] = [:]
    private var reporterNames: [Int: String] = [:]
    private var lastDataDay: Day

    init(_ db: Database, _ scope: Scope, _ period: Period, today: Day, _ suffixes: PublicSuffixes) {
        self.db = db
        self.scope = scope
        self.period = period
        self.today = today
        self.suffixes = suffixes
        authentications = AuthenticationLookup(db)
        names = NameLookup(db)
        lastDataDay = period.since
    }

    /// The last day with data of any domain in scope, not after the period; also what is read once for all domains.
    func findLastDataDay() throws {
        let rows = try SQLRows(db, Scope.extentSQL)
        for domain in scope.domains {
            try rows.restart(domain.id)
            if try rows.next(), let last = rows.optionalInt(1) { lastDataDay = max(lastDataDay, min(Day(last), period.until)) }
        }
        let policies = try SQLRows(db, Self.policiesSQL)
        while try policies.next() {
            self.policies[policies.int(0)] = DomainFacts.PolicyRun(
                reporter: "", since: period.since, until: period.since, p: policies.optionalText(1), sp: policies.optionalText(2),
                np: policies.optionalText(3), pct: policies.optionalText(4), testing: policies.optionalText(5))
        }
        let reporters = try SQLRows(db, Scope.reportersSQL)
        while try reporters.next() { reporterNames[reporters.int(0)] = reporters.text(1) }
    }

    /// The facts of a domain; nil if there is no day with data.
    func facts(of domain: PolicyDomain) throws -> DomainFacts? {
        let extent = try SQLRows(db, Scope.extentSQL)
        try extent.restart(domain.id)
        guard try extent.next(), let first = extent.optionalInt(0), let last = extent.optionalInt(1) else { return nil }
        // A period that ends before the data do is looked at as from its own last day.
        var facts = DomainFacts(
            domain: domain.name, organisation: suffixes.organisation(of: domain.name), period: period, lastDataDay: lastDataDay,
            today: last > period.until.number ? period.until : today, firstDay: Day(first))
        let reporterOf = try addReports(of: domain, to: &facts)
        var table = SourceTable()
        let flows = try records(of: domain, reporterOf, &table, &facts)
        let sets = sets(of: flows)
        let looks = try looks(at: sets, in: facts)
        addSelectors(sets, looks, to: &facts)
        addSPF(sets, looks, to: &facts)
        try addSenders(of: domain, flows, looks, table, to: &facts)
        if facts.totals.allSatisfy({ $0.key == .spoofed || $0.key == .unknown }) {
            facts.everSent = try exists(Self.passedSQL, domain) || exists(Self.knownSQL, domain)
        }
        if scope.reports == nil { try addLateSenders(of: domain, flows, looks, table, to: &facts) }
        return facts
    }

    private func exists(_ sql: String, _ domain: PolicyDomain) throws -> Bool { try SQLRows(db, sql, [.integer(domain.id)]).next() }

    // MARK: - Reports

    /// Reporters and policies; returns the place of each report's reporter among all reporters, for masks of 128 bits.
    private func addReports(of domain: PolicyDomain, to facts: inout DomainFacts) throws -> [Int: Int] {
        struct Seen {
            var days: Set<Int> = []
            var reports = 0
            var policies: [Int: Int] = [:]
        }
        var places: [Int: Int] = [:]
        var reporterOf: [Int: Int] = [:]
        var seen: [Int: Seen] = [:]
        let rows = try SQLRows(
            db, Self.reportsSQL,
            [.integer(domain.id), .integer(period.since.number - Self.historyDays), .integer(period.until.number)])
        while try rows.next() {
            let (report, reporter, day, policy) = (rows.int(0), rows.int(1), rows.int(2), rows.int(3))
            // `scope.reports` holds reports of the period only: with `--reporter` there is no look before it.
            guard scope.includes(report: report) else { continue }
            let place = places[reporter] ?? places.count
            places[reporter] = place
            reporterOf[report] = min(place, 127)
            seen[reporter, default: Seen()].days.insert(day)
            if day >= period.since.number { seen[reporter, default: Seen()].reports += 1 }
            // Several reports of a day: the last in the order of the alphabet, so that the order of arrival does not matter.
            if let other = seen[reporter]?.policies[day], other == policy || (policies[other]?.tags ?? "") >= (policies[policy]?.tags ?? "")
            {
                continue
            }
            seen[reporter, default: Seen()].policies[day] = policy
        }
        for (reporter, seen) in seen {
            let name = reporterNames[reporter] ?? ""
            facts.reporters.append(
                DomainFacts.Reporter(name: name, days: seen.days.sorted().map { Day($0) }, reports: seen.reports))
            for (day, policy) in seen.policies.sorted(by: { $0.key < $1.key }) {
                guard var run = policies[policy] else { continue }
                run.reporter = name
                run.since = Day(day)
                run.until = Day(day)
                if let last = facts.policies.last, last.reporter == name, last.tags == run.tags {
                    facts.policies[facts.policies.count - 1].until = run.until
                } else {
                    facts.policies.append(run)
                }
            }
        }
        facts.reporters.sort { $0.name < $1.name }
        facts.policies.sort { ($0.reporter, $0.since) < ($1.reporter, $1.since) }
        return reporterOf
    }

    // MARK: - Records

    fileprivate struct FlowKey: Hashable {
        var source: Int32
        var verdict: Int8
        var authentication: Int
    }

    /// Records that are alike in source, results and verdict.
    fileprivate struct Flow {
        var key: FlowKey
        var treatment = DomainFacts.Treatment()
        var firstDay: Int
        var lastDay: Int
        var reporters: UInt128 = 0

        /// The number of the verdict; what is no verdict counts as unknown.
        var number: Int { (2...9).contains(key.verdict) ? Int(key.verdict) : Verdict.unknown.stored }
        var verdict: Verdict { Verdict(stored: number) }
    }

    private struct HeaderSum {
        var spoofed = 0
        var delivered = 0
        var others = 0
    }

    private func records(
        of domain: PolicyDomain, _ reporterOf: [Int: Int], _ table: inout SourceTable, _ facts: inout DomainFacts
    ) throws -> [Flow] {
        var flows: [Flow] = []
        var places: [FlowKey: Int] = [:]
        var headers: [Int: HeaderSum] = [:]
        let spoofed = Int8(Verdict.spoofed.stored)
        for countedAs in 0...1 {
            let rows = try SQLRows(
                db, Self.recordsSQL,
                [.integer(domain.id), .integer(countedAs), .integer(period.since.number), .integer(period.until.number)])
            var (lastReport, bit) = (-1, UInt128(0))
            var header = (id: -1, sum: HeaderSum())
            while try rows.next() {
                let report = rows.int(0)
                if report != lastReport {
                    lastReport = report
                    bit = UInt128(1) << UInt128(reporterOf[report] ?? 127)
                }
                guard scope.includes(report: report) else { continue }
                let messages = rows.int(2)
                guard messages > 0 else { continue }
                let key = FlowKey(
                    source: Int32(table.number(of: try rows.address(1))), verdict: Int8(truncatingIfNeeded: rows.int(4)),
                    authentication: rows.int(3))
                let day = rows.int(6)
                let place: Int
                if let known = places[key] {
                    place = known
                } else {
                    place = flows.count
                    places[key] = place
                    flows.append(Flow(key: key, firstDay: day, lastDay: day))
                }
                var isDelivered = false
                flows[place].treatment.messages += messages
                if countedAs == 0 {
                    flows[place].treatment.passed += messages
                } else {
                    switch AppliedDisposition(stored: rows.int(5)) {
                    case .none, .pass:
                        flows[place].treatment.delivered += messages
                        isDelivered = true
                    case .quarantine: flows[place].treatment.quarantined += messages
                    case .reject: flows[place].treatment.rejected += messages
                    }
                }
                flows[place].firstDay = min(flows[place].firstDay, day)
                flows[place].lastDay = max(flows[place].lastDay, day)
                flows[place].reporters |= bit
                let name = rows.int(7)
                if name != header.id {
                    if header.id >= 0 { headers[header.id] = header.sum }
                    header = (name, headers[name] ?? HeaderSum())
                }
                if key.verdict == spoofed {
                    header.sum.spoofed += messages
                    if isDelivered { header.sum.delivered += messages }
                } else {
                    header.sum.others += messages
                }
            }
            if header.id >= 0 { headers[header.id] = header.sum }
        }
        for (id, sum) in headers {
            guard let name = try names.name(id), name != domain.name, name.hasSuffix("." + domain.name) else { continue }
            facts.subdomains.append(
                DomainFacts.Subdomain(name: name, spoofed: sum.spoofed, delivered: sum.delivered, others: sum.others))
        }
        facts.subdomains.sort { $0.name < $1.name }
        return flows
    }

    // MARK: - Results

    /// What a set of results says about a domain.
    fileprivate struct Look {
        var spf = DomainFacts.SPFKind.none
        var spfDomain: String?
        /// SPF of one of the domain's own names, as the reporter said it.
        var ownSPF: (domain: String, result: AuthenticationResult)?
        var signatures: [(domain: String, selector: String, result: AuthenticationResult)] = []
        var foreignSignature: String?

        var isSigned = false
        var isBroken = false
    }

    /// All records of a verdict with the same set of results.
    fileprivate struct SetSum {
        var messages = 0
        var reporters: UInt128 = 0
        var firstDay = Int.max
        var lastDay = Int.min
    }

    /// By the number of the verdict: hashing the verdict itself would hash its word.
    private func sets(of flows: [Flow]) -> [[Int: SetSum]] {
        var sets = [[Int: SetSum]](repeating: [:], count: Self.verdictNumbers)
        for flow in flows { sets[flow.number][flow.key.authentication, default: SetSum()].add(flow) }
        return sets
    }

    private func looks(at sets: [[Int: SetSum]], in facts: DomainFacts) throws -> [Int: Look] {
        var looks: [Int: Look] = [:]
        for (number, sets) in sets.enumerated() {
            let isDirect = [.authorized, .dkimOnly, .misconfigured, .unaligned].contains(Verdict(stored: number))
            let most = isDirect ? Self.directSets : Self.otherSets
            let chosen = sets.map { (key: $0.key, messages: $0.value.messages) }.largest(most, by: \.messages)
                .sorted { ($0.messages, $1.key) > ($1.messages, $0.key) }
            for (id, _) in chosen.prefix(most) where looks[id] == nil { looks[id] = look(try authentications.set(id), facts.organisation) }
        }
        return looks
    }

    private func look(_ set: AuthenticationSet, _ organisation: String) -> Look {
        var look = Look()
        for signature in set.dkim {
            guard let domain = signature.domain else { continue }
            if suffixes.organisation(of: domain) == organisation {
                look.signatures.append((domain, signature.selector ?? "", signature.result))
            } else if signature.result == .pass {
                look.foreignSignature = look.foreignSignature ?? domain
            }
        }
        look.isSigned = look.signatures.contains { $0.result == .pass }
        look.isBroken = !look.isSigned && look.signatures.contains { $0.result.isBroken }
        // The envelope's sender says more than the name in HELO.
        let checks = set.spf.filter { $0.scope != .helo } + set.spf.filter { $0.scope == .helo }
        for check in checks {
            guard let domain = check.domain else { continue }
            let isOwn = suffixes.organisation(of: domain) == organisation
            if isOwn, check.scope != .helo, look.ownSPF == nil { look.ownSPF = (domain, check.result) }
            let kind: DomainFacts.SPFKind =
                switch (isOwn, check.result) {
                case (true, .pass): .ownPass
                case (true, .permerror), (true, .temperror): .ownError
                case (true, .none): .ownNone
                case (true, _): .ownFail
                case (false, .pass): .foreignPass
                case (false, _): .foreignFail
                }
            if look.spf == .none || kind == .ownPass || (kind == .foreignPass && look.spf == .foreignFail) {
                (look.spf, look.spfDomain) = (kind, domain)
            }
        }
        return look
    }

    private func addSelectors(_ sets: [[Int: SetSum]], _ looks: [Int: Look], to facts: inout DomainFacts) {
        struct Sum {
            var passed = 0
            var failed = 0
            var passedReporters: UInt128 = 0
            var failedReporters: UInt128 = 0
            var firstFailedDay = Int.max
            var lastDay = Int.min
        }
        var sums: [[String]: Sum] = [:]
        for verdict in [Verdict.authorized, .misconfigured, .dkimOnly] {
            for (id, set) in sets[verdict.stored] {
                for signature in looks[id]?.signatures ?? [] {
                    var sum = sums[[signature.domain, signature.selector]] ?? Sum()
                    if signature.result == .pass {
                        sum.passed += set.messages
                        sum.passedReporters |= set.reporters
                    } else if signature.result.isBroken {
                        sum.failed += set.messages
                        sum.failedReporters |= set.reporters
                        sum.firstFailedDay = min(sum.firstFailedDay, set.firstDay)
                    }
                    sum.lastDay = max(sum.lastDay, set.lastDay)
                    sums[[signature.domain, signature.selector]] = sum
                }
            }
        }
        facts.selectors = sums.map { key, sum in
            DomainFacts.Selector(
                domain: key[0], selector: key[1].isEmpty ? "?" : key[1], passed: sum.passed, failed: sum.failed,
                passedReporters: sum.passedReporters.nonzeroBitCount, failedReporters: sum.failedReporters.nonzeroBitCount,
                firstFailedDay: Day(sum.failed > 0 ? sum.firstFailedDay : sum.lastDay), lastDay: Day(sum.lastDay))
        }.sorted { ($0.domain, $0.selector) < ($1.domain, $1.selector) }
    }

    private func addSPF(_ sets: [[Int: SetSum]], _ looks: [Int: Look], to facts: inout DomainFacts) {
        var outcomes: [String: DomainFacts.SPFOutcome] = [:]
        var errors: [String: UInt128] = [:]
        var missing: [String: UInt128] = [:]
        for (id, set) in sets.joined() {
            guard let (domain, result) = looks[id]?.ownSPF else { continue }
            var outcome = outcomes[domain] ?? DomainFacts.SPFOutcome(domain: domain)
            let messages = set.messages
            switch result {
            case .pass: outcome.passed += messages
            case .permerror:
                outcome.permanentErrors += messages
                errors[domain, default: 0] |= set.reporters
            case .temperror: outcome.temporaryErrors += messages
            case .none:
                outcome.none += messages
                missing[domain, default: 0] |= set.reporters
            case .neutral: outcome.neutral += messages
            case .softfail: outcome.softFailed += messages
            case .fail, .policy, .unknown: outcome.failed += messages
            }
            outcomes[domain] = outcome
        }
        for (domain, mask) in errors { outcomes[domain]?.permanentErrorReporters = mask.nonzeroBitCount }
        for (domain, mask) in missing { outcomes[domain]?.noneReporters = mask.nonzeroBitCount }
        facts.spf = outcomes.values.sorted { $0.domain < $1.domain }
    }

    // MARK: - Senders

    private struct SPFCheck: Hashable {
        var kind: DomainFacts.SPFKind
        var domain: String?
    }

    /// What flows of one sender add up to.
    fileprivate struct SenderSum {
        var sender: DomainFacts.Sender
        var reporters: UInt128 = 0
        var flows: [Int] = []
    }

    private func addSenders(
        of domain: PolicyDomain, _ flows: [Flow], _ looks: [Int: Look], _ table: SourceTable, to facts: inout DomainFacts
    ) throws {
        var places: [Int: Int] = [:]
        var sums: [SenderSum] = []
        let names = Names(looks.mapValues { name(of: $0) })
        var totals = [DomainFacts.Treatment](repeating: DomainFacts.Treatment(), count: Self.verdictNumbers)
        // A bit for each verdict that a source was seen with.
        var verdictsOf = [UInt16](repeating: 0, count: table.addresses.count)
        var networks = SourceTable()
        for (index, flow) in flows.enumerated() {
            let number = flow.number
            let source = Int(flow.key.source)
            totals[number].add(flow.treatment)
            if verdictsOf[source] >> UInt16(number) & 1 == 0 {
                verdictsOf[source] |= 1 << UInt16(number)
                totals[number].sources += 1
                if number == Verdict.spoofed.stored { _ = networks.number(of: table.addresses[source].network) }
            }
            // A sender is an address of the domain's own, a name, or nobody in particular.
            let verdict = flow.verdict
            let named = names.number(of: flow.key.authentication)
            let identity: Int
            switch verdict {
            case .authorized, .misconfigured: identity = source
            case .spoofed, .unknown: identity = -1
            case .unaligned: identity = named.map { -2 - $0 } ?? source
            case .dkimOnly, .forwarded, .mailingList: identity = named.map { -2 - $0 } ?? -1
            }
            let key = identity &* 16 &+ number
            let place: Int
            if let known = places[key] {
                place = known
            } else {
                place = sums.count
                places[key] = place
                var sender = DomainFacts.Sender(verdict: verdict, firstDay: Day(flow.firstDay), lastDay: Day(flow.lastDay))
                if identity >= 0 { sender.name = table.addresses[source].description }
                if identity < -1 { (sender.name, sender.service) = names.all[-2 - identity] }
                sums.append(SenderSum(sender: sender))
            }
            sums[place].add(flow, index)
        }
        totals[Verdict.spoofed.stored].networks = networks.addresses.count
        for (number, total) in totals.enumerated() where total.messages > 0 { facts.totals[Verdict(stored: number)] = total }
        // Of strangers nothing more is asked; of all others whether they sign.
        for place in sums.indices where sums[place].sender.verdict != .spoofed { sums[place].addSignatures(flows, looks) }
        for verdict in Verdict.allCases {
            // An own sender without a fault needs no finding.
            let faulty = sums.indices.filter {
                let sender = sums[$0].sender
                return sender.verdict == verdict && (verdict != .authorized || sender.unsigned + sender.broken > 0)
            }
            let leading = faulty.sorted {
                (sums[$0].sender.treatment.messages, sums[$1].sender.name) > (sums[$1].sender.treatment.messages, sums[$0].sender.name)
            }.prefix(Self.mostSenders)
            for place in leading { facts.senders.append(try finished(sums[place], domain, flows, looks, table)) }
        }
        facts.senders.sort {
            ($0.verdict.stored, $1.treatment.messages, $0.name) < ($1.verdict.stored, $0.treatment.messages, $1.name)
        }
    }

    /// Names of senders, numbered: sets of results that name the same sender have the same number.
    private struct Names {
        private(set) var all: [(name: String, service: Service?)] = []
        private var numbers: [Int: Int] = [:]

        init(_ names: [Int: (name: String, service: Service?)]) {
            var known: [String: Int] = [:]
            for (set, named) in names where !named.name.isEmpty {
                let number = known[named.name] ?? all.count
                if number == all.count {
                    known[named.name] = number
                    all.append(named)
                }
                numbers[set] = number
            }
        }

        /// Nil where a set names nobody, or was not read.
        func number(of set: Int) -> Int? { numbers[set] }
    }

    /// Return paths of services and organisations often have a label of their own: these are not hosts.
    private func isMailName(_ domain: String) -> Bool {
        let label = domain.prefix { $0 != "." }
        return ["bounce", "bounces", "return", "rp", "mail", "em", "e", "news", "lists", "spf", "mta", "smtp", "email", "mailer"]
            .contains { label == $0 }
    }

    /// Whom a set of results names beside the domain itself; empty where it names nobody.
    private func name(of look: Look) -> (name: String, service: Service?) {
        let isForeign = look.spf == .foreignPass || look.spf == .foreignFail
        let candidates = [look.spf == .foreignPass ? look.spfDomain : nil, look.foreignSignature, isForeign ? look.spfDomain : nil]
            .compactMap(\.self)
        if services == nil, !candidates.isEmpty { services = Services() }
        for candidate in candidates {
            if let service = services?.service(of: candidate) { return (service.name, service) }
        }
        return (candidates.first.map { suffixes.organisation(of: $0) } ?? "", nil)
    }

    /// Days, addresses, and how sure the verdict is.
    private func finished(
        _ sum: SenderSum, _ domain: PolicyDomain, _ flows: [Flow], _ looks: [Int: Look], _ table: SourceTable
    ) throws -> DomainFacts.Sender {
        var sender = sum.sender
        var sources: [Int32: Int] = [:]
        var checks: [SPFCheck: Int] = [:]
        for index in sum.flows {
            let flow = flows[index]
            sources[flow.key.source, default: 0] += flow.treatment.messages
            guard sender.verdict != .spoofed, let look = looks[flow.key.authentication] else { continue }
            checks[SPFCheck(kind: look.spf, domain: look.spfDomain), default: 0] += flow.treatment.messages
        }
        sender.treatment.sources = sources.count
        sender.reporters = sum.reporters.nonzeroBitCount
        let check = checks.max {
            ($0.value, $1.key.kind.rawValue, $1.key.domain ?? "") < ($1.value, $0.key.kind.rawValue, $0.key.domain ?? "")
        }
        sender.spf = check?.key.kind ?? .none
        sender.spfDomain = check?.key.domain
        if sender.spf == .foreignPass, let domain = sender.spfDomain, domain != suffixes.organisation(of: domain) {
            sender.isHostName = !isMailName(domain)
        }
        let leading = sources.map { (address: table.addresses[Int($0.key)], messages: $0.value) }
        sender.addresses = leading.largest(5, by: \.messages).sorted {
            $0.messages != $1.messages ? $0.messages > $1.messages : $0.address.isBefore($1.address)
        }.prefix(5).map(\.address)
        var (weight, confidence) = (0, 0)
        let largest = sum.flows.map { (index: $0, messages: flows[$0].treatment.messages) }.largest(4, by: \.messages)
            .sorted { ($0.messages, $1.index) > ($1.messages, $0.index) }.prefix(4).map(\.index)
        for (place, index) in largest.enumerated() {
            let flow = flows[index]
            let rows = try SQLRows(
                db, Self.flowsSQL,
                [
                    .address(table.addresses[Int(flow.key.source)]), .integer(domain.id), .integer(flow.key.authentication),
                    .integer(flow.key.authentication),
                ])
            while try rows.next() {
                guard rows.int(0) == Int(flow.key.verdict) else { continue }
                weight += flow.treatment.messages
                confidence += flow.treatment.messages * rows.int(2)
                if place == 0 { sender.notes = VerdictNotes(rawValue: rows.int(3)) }
            }
        }
        sender.confidence = weight == 0 ? 0 : Double(confidence) / Double(weight) / 1000
        return sender
    }

    // MARK: - Regular senders

    /// Senders that come at even distances and did not come in the period. An address changes from month to month within its network, so
    /// networks are followed; a sender whose results were seen in the period came from elsewhere and is not late.
    private func addLateSenders(
        of domain: PolicyDomain, _ flows: [Flow], _ looks: [Int: Look], _ table: SourceTable, to facts: inout DomainFacts
    ) throws {
        var networks = NetworkDays()
        for address in table.addresses { networks.leaveOut(address) }
        let first = period.since.number - Self.rhythmDays
        let rows = try SQLRows(db, Self.daysSQL, [.integer(domain.id), .integer(first), .integer(period.since.number - 1)])
        while try rows.next() {
            let bit = UInt128(1) << UInt128(rows.int(0) - first)
            try rows.forEachAddress(1, width: 4) { networks.note($0, bit) }
            try rows.forEachAddress(2, width: 16) { networks.note($0, bit) }
        }
        var candidates: [(address: IPAddress, rhythm: Rhythm)] = []
        for (number, days) in networks.days.enumerated() {
            if let rhythm = Rhythm(days, first: first, until: period.since.number - 1) {
                candidates.append((networks.addresses[number], rhythm))
            }
        }
        candidates.sort { a, b in
            if a.rhythm.times != b.rhythm.times { return a.rhythm.times > b.rhythm.times }
            if a.rhythm.unevenness != b.rhythm.unevenness { return a.rhythm.unevenness < b.rhythm.unevenness }
            return a.address.isBefore(b.address)
        }
        guard !candidates.isEmpty else { return }
        let known: Set<Verdict> = [.authorized, .dkimOnly, .unaligned, .misconfigured]
        let presentSets = Set(flows.filter { known.contains($0.verdict) }.map(\.key.authentication))
        let presentNames = Set(facts.senders.map(\.name)).union(looks.values.filter(\.isSigned).flatMap { $0.signatures.map(\.selector) })
        var late: [String: DomainFacts.LateSender] = [:]
        for (address, rhythm) in candidates.prefix(Self.mostCandidates) {
            let rows = try SQLRows(db, Self.flowsSQL, [.address(address), .integer(domain.id), .integer(0), .integer(.max)])
            while try rows.next() {
                let verdict = Verdict(stored: rows.int(0))
                let set = rows.int(4)
                guard known.contains(verdict), !presentSets.contains(set) else { continue }
                let look = look(try authentications.set(set), facts.organisation)
                if look.signatures.contains(where: { $0.result == .pass && presentNames.contains($0.selector) }) { continue }
                let named = [.authorized, .misconfigured].contains(verdict) ? "" : name(of: look).name
                let name = named.isEmpty ? address.description : named
                guard !presentNames.contains(name), late[name].map({ $0.lastDay.number < rhythm.lastDay }) ?? true else { continue }
                late[name] = DomainFacts.LateSender(name: name, lastDay: Day(rhythm.lastDay), every: rhythm.every, addresses: [address])
            }
        }
        facts.lateSenders = late.values.sorted { $0.name < $1.name }
    }
}

/// On which days networks were seen, leaving out some.
private struct NetworkDays {
    private var table = SourceTable()
    private var leftOut = 0
    /// Of each network that is not left out.
    private(set) var days: [UInt128] = []
    /// The latest address of each.
    private(set) var addresses: [IPAddress] = []

    /// Only before anything is noted.
    mutating func leaveOut(_ address: IPAddress) {
        _ = table.number(of: address.network)
        leftOut = table.addresses.count
    }

    mutating func note(_ address: IPAddress, _ bit: UInt128) {
        let number = table.number(of: address.network) - leftOut
        guard number >= 0 else { return }
        if number == days.count {
            days.append(0)
            addresses.append(address)
        }
        days[number] |= bit
        addresses[number] = address
    }
}

/// Times at which somebody sends, at even distances of a month or a quarter.
struct Rhythm {
    /// Days that belong to one time: a batch goes out over some days, and reports of one day reach two.
    static let batchDays = 5
    static let monthly = 25...37
    static let quarterly = 83...99

    /// How often.
    let times: Int
    /// Mean distance in days.
    let every: Int
    /// Longest less shortest distance.
    let unevenness: Int
    /// First day of the latest time.
    let lastDay: Int

    /// Nil where there is no rhythm, or where it ended: bit n of `days` is the day `first + n`, and the next time is overdue at `until`.
    init?(_ days: UInt128, first: Int, until: Int) {
        guard days & (days &- 1) != 0 else { return nil }
        var rest = days
        let start = first + rest.trailingZeroBitCount
        var (last, count, isMonthly, isQuarterly) = (start, 1, true, true)
        var (shortest, longest) = (Int.max, 0)
        while true {
            rest &= rest - 1
            guard rest != 0 else { break }
            let day = first + rest.trailingZeroBitCount
            let gap = day - last
            if gap <= Self.batchDays { continue }
            isMonthly = isMonthly && Self.monthly.contains(gap)
            isQuarterly = isQuarterly && Self.quarterly.contains(gap)
            // Most networks come and go as they like: they are left at their first step.
            guard isMonthly || isQuarterly else { return nil }
            (shortest, longest) = (min(shortest, gap), max(longest, gap))
            (last, count) = (day, count + 1)
        }
        guard count > 1 else { return nil }
        every = (last - start + (count - 1) / 2) / (count - 1)
        // Twice its distance without a message: it has stopped, and nothing is to be waited for.
        guard until - last <= 2 * every else { return nil }
        times = count
        unevenness = longest - shortest
        lastDay = last
    }
}

extension DomainFactsReader.SetSum {
    fileprivate mutating func add(_ flow: DomainFactsReader.Flow) {
        messages += flow.treatment.messages
        reporters |= flow.reporters
        firstDay = min(firstDay, flow.firstDay)
        lastDay = max(lastDay, flow.lastDay)
    }
}

extension DomainFactsReader.SenderSum {
    fileprivate mutating func add(_ flow: DomainFactsReader.Flow, _ index: Int) {
        sender.treatment.add(flow.treatment)
        sender.firstDay = min(sender.firstDay, Day(flow.firstDay))
        sender.lastDay = max(sender.lastDay, Day(flow.lastDay))
        reporters |= flow.reporters
        flows.append(index)
    }

    /// Results that were not read say nothing, in particular not that there was no signature.
    fileprivate mutating func addSignatures(_ all: [DomainFactsReader.Flow], _ looks: [Int: DomainFactsReader.Look]) {
        for index in flows {
            guard let look = looks[all[index].key.authentication] else { continue }
            let messages = all[index].treatment.messages
            sender.signed += look.isSigned ? messages : 0
            sender.broken += look.isBroken ? messages : 0
            sender.unsigned += look.signatures.isEmpty ? messages : 0
            sender.hasForeignSignature = sender.hasForeignSignature || look.foreignSignature != nil
        }
    }
}

extension DomainFacts.PolicyRun {
    /// All tags in one text.
    fileprivate var tags: String { [p, sp, np, pct, testing].map { $0 ?? "-" }.joined(separator: ";") }
}

extension AuthenticationResult {
    /// A signature that is there and did not verify. An error that passes is neither good nor broken.
    fileprivate var isBroken: Bool {
        switch self {
        case .fail, .permerror, .policy, .neutral: true
        default: false
        }
    }
}

extension Array {
    /// At least the `count` elements of the largest values; sorting all of a domain's strangers would take longer than everything else.
    fileprivate func largest(_ count: Int, by value: (Element) -> Int) -> [Element] {
        guard self.count > count else { return self }
        var most = [Int](repeating: Int.min, count: count)
        for element in self {
            let value = value(element)
            guard value > most[0] else { continue }
            let place = (most.firstIndex { $0 >= value } ?? count) - 1
            for index in 0..<place { most[index] = most[index + 1] }
            most[place] = value
        }
        return filter { value($0) >= most[0] }
    }
}

extension IPAddress {
    /// An order of addresses that needs no text.
    fileprivate func isBefore(_ other: IPAddress) -> Bool {
        if isIPv4 != other.isIPv4 { return isIPv4 }
        return (high, low) < (other.high, other.low)
    }

    /// The /24 or /48 it lies in.
    fileprivate var network: IPAddress {
        isIPv4 ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low) & 0xFFFF_FF00) : IPAddress(high: high & 0xFFFF_FFFF_FFFF_0000, low: 0)
    }
}
