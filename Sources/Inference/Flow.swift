import DMARC

/// What one source sends for one policy domain with one outcome of authentication.
package struct Flow {
    package var source: IPAddress
    /// Key in `domains`.
    package var domain: Int
    package var authentication: Int
    package var aligned: Int
    package var messages = 0
    package var records = 0
    package var firstDay = Int.max
    package var lastDay = Int.min
    package var reporterBits = 0
    package var dayBits = 0
    /// Three counts of 20 bits: `forwarded` and `trusted_forwarder`, `mailing_list`, `local_policy` with `arc=pass`.
    package var overrides = 0
    package var shape: FlowShape

    package init(
        source: IPAddress, domain: Int, authentication: Int, aligned: Int, messages: Int = 0, records: Int = 0, firstDay: Int = Int.max,
        lastDay: Int = Int.min, reporterBits: Int = 0, dayBits: Int = 0, overrides: Int = 0, shape: FlowShape
    ) {
        self.source = source
        self.domain = domain
        self.authentication = authentication
        self.aligned = aligned
        self.messages = messages
        self.records = records
        self.firstDay = firstDay
        self.lastDay = lastDay
        self.reporterBits = reporterBits
        self.dayBits = dayBits
        self.overrides = overrides
        self.shape = shape
    }

    /// Whether anybody saw it who is to be believed. Otherwise it says nothing of other flows, and its own verdict is never certain.
    var isWitnessed: Bool { reporterBits != 0 }

    package var forwardedOverrides: Int { overrides & 0xFFFFF }
    package var listOverrides: Int { overrides >> 20 & 0xFFFFF }
    package var arcOverrides: Int { overrides >> 40 & 0xFFFFF }
}

/// A verdict on a flow.
package struct Judgement: Hashable {
    package var verdict = Verdict.unknown
    /// 0…1000.
    package var confidence = 0
    package var notes: VerdictNotes = []
    package var evidence = EvidenceCodes()

    package init(
        verdict: Verdict = Verdict.unknown, confidence: Int = 0, notes: VerdictNotes = [], evidence: EvidenceCodes = EvidenceCodes()
    ) {
        self.verdict = verdict
        self.confidence = confidence
        self.notes = notes
        self.evidence = evidence
    }

    /// Surer first; of equals whichever says more, so that the order of the flows does not matter.
    package func isBefore(_ other: Judgement) -> Bool {
        (confidence, notes.rawValue, evidence.bits) >= (other.confidence, other.notes.rawValue, other.evidence.bits)
    }

    /// Keeps the confidence below what `cap` allows.
    package mutating func bound(by cap: Cap, _ reasoning: Reasoning?) {
        guard confidence > cap.most else { return }
        confidence = cap.most
        reasoning?.note(cap)
    }
}

/// Addresses that are neighbours: an IPv4 /24 or an IPv6 /48.
package struct Network: Hashable, Comparable {
    package let isIPv4: Bool
    package let prefix: UInt64

    package init(_ address: IPAddress) {
        isIPv4 = address.isIPv4
        prefix = address.isIPv4 ? address.low >> 8 : address.high >> 16
    }

    /// The lowest and the highest address of the network.
    package var bounds: (IPAddress, IPAddress) {
        if isIPv4 {
            return (
                IPAddress(ipv4: UInt32(truncatingIfNeeded: prefix << 8)), IPAddress(ipv4: UInt32(truncatingIfNeeded: prefix << 8 | 255))
            )
        }
        return (IPAddress(high: prefix << 16, low: 0), IPAddress(high: prefix << 16 | 0xFFFF, low: .max))
    }

    package static func < (a: Network, b: Network) -> Bool { a.isIPv4 == b.isIPv4 ? a.prefix < b.prefix : a.isIPv4 }
}

extension IPAddress {
    /// The first address of its network, which no host has: an IPv4 address that ends in 0, or an IPv6 address whose last 64 bits are 0.
    var isNetworkAddress: Bool { isIPv4 ? low & 0xFF == 0 : low == 0 }
}
