import DMARC
import GRDB
import Inference

/// A flow with the verdict that it has in the database.
package struct StoredFlow {
    package var flow: Flow
    /// 0: none yet.
    package let verdict: Int
    package let judgement: Judgement
    /// What was added to it that is not in the database.
    package var new: NewFlow?

    package init(flow: Flow, verdict: Int, judgement: Judgement, new: NewFlow? = nil) {
        self.flow = flow
        self.verdict = verdict
        self.judgement = judgement
        self.new = new
    }
}

/// Flows of new records, in order.
package struct NewFlow {
    package let key: FlowKey
    package let sums: FlowSums
    /// Where its records are in the order of the flows.
    package let places: Range<Int>

    package init(key: FlowKey, sums: FlowSums, places: Range<Int>) {
        self.key = key
        self.sums = sums
        self.places = places
    }
}

extension Flow {
    package var key: FlowKey { FlowKey(source: source, domain: domain, authentication: authentication, aligned: aligned) }

    package var sums: FlowSums {
        FlowSums(
            messages: messages, records: records, firstDay: firstDay, lastDay: lastDay, reporterBits: reporterBits, dayBits: dayBits,
            overrides: overrides)
    }

    package mutating func add(_ sums: FlowSums) {
        var both = self.sums
        both.add(sums)
        messages = both.messages
        records = both.records
        firstDay = both.firstDay
        lastDay = both.lastDay
        reporterBits = both.reporterBits
        dayBits = both.dayBits
        overrides = both.overrides
    }
}

/// The table `flows`, read a network at a time.
package enum FlowTable {
    private static let columns = """
        source, domain_id, authentication_id, aligned, messages, records, first_day, last_day, reporter_bits, day_bits, overrides, verdict,
        confidence, notes, evidence
        """
    /// Question: all flows. Unit: one row a flow, by source. Index: primary key.
    static let allSQL = "SELECT \(columns) FROM flows ORDER BY source"
    /// Question: the flows of a network. Unit: one row a flow, by source. Index: primary key, one range. Addresses of the other family may lie
    /// between, for blobs are compared byte by byte.
    static let networkSQL = "SELECT \(columns) FROM flows WHERE source BETWEEN ?1 AND ?2 ORDER BY source"

    /// Calls `body` with the flows of each network in turn.
    package static func forEachNetwork(_ facts: Facts, _ outcomes: Outcomes, _ body: ([StoredFlow]) throws -> Void) throws {
        let rows = try SQLRows(facts, allSQL)
        // IPv4 and IPv6 stand mixed: each has a network of its own open.
        var open: [Bool: (network: Network, flows: [StoredFlow])] = [:]
        while try rows.next() {
            let stored = try read(rows, outcomes)
            let network = Network(stored.flow.source)
            if let group = open[network.isIPv4], group.network == network {
                open[network.isIPv4]?.flows.append(stored)
            } else {
                if let group = open[network.isIPv4] { try body(group.flows) }
                open[network.isIPv4] = (network, [stored])
            }
        }
        for group in open.values { try body(group.flows) }
    }

    /// Calls `body` with the flows of one network, if there are any.
    package static func read(_ facts: Facts, _ outcomes: Outcomes, _ network: Network, _ body: ([StoredFlow]) throws -> Void) throws {
        let flows = try flows(facts, outcomes, of: network)
        if !flows.isEmpty { try body(flows) }
    }

    /// The flows of one network.
    package static func flows(_ facts: Facts, _ outcomes: Outcomes, of network: Network) throws -> [StoredFlow] {
        let (first, last) = network.bounds
        let rows = try SQLRows(facts, networkSQL, [.address(first), .address(last)])
        var flows: [StoredFlow] = []
        while try rows.next() {
            guard (rows.byteCount(0) == 4) == network.isIPv4 else { continue }
            flows.append(try read(rows, outcomes))
        }
        return flows
    }

    private static func read(_ rows: SQLRows, _ outcomes: Outcomes) throws -> StoredFlow {
        let domain = rows.int(1)
        let authentication = rows.int(2)
        let aligned = rows.int(3)
        var flow = Flow(
            source: try rows.address(0), domain: domain, authentication: authentication, aligned: aligned,
            shape: try outcomes.shape(domain: domain, authentication: authentication, aligned: aligned))
        flow.messages = rows.int(4)
        flow.records = rows.int(5)
        flow.firstDay = rows.int(6)
        flow.lastDay = max(flow.firstDay, rows.int(7))
        flow.reporterBits = rows.int(8)
        flow.dayBits = rows.int(9)
        flow.overrides = rows.int(10)
        let judgement = Judgement(
            verdict: Verdict(stored: rows.int(11)), confidence: rows.int(12), notes: VerdictNotes(rawValue: rows.int(13)),
            evidence: EvidenceCodes(bits: rows.int(14)))
        return StoredFlow(flow: flow, verdict: rows.int(11), judgement: judgement)
    }
}
