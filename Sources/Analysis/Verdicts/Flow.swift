import DMARC

/// What one source sends for one policy domain with one outcome of authentication.
struct Flow {
    var source: IPAddress
    /// Key in `domains`.
    var domain: Int
    var authentication: Int
    var aligned: Int
    var messages = 0
    var records = 0
    var firstDay = Int.max
    var lastDay = Int.min
    var reporterBits = 0
    var dayBits = 0
    /// Three counts of 20 bits: `forwarded` and `trusted_forwarder`, `mailing_list`, `local_policy` with `arc=pass`.
    var overrides = 0
    var shape: FlowShape

    /// Whether anybody saw it who is to be believed. Otherwise it says nothing of other flows, and its own verdict is never certain.
    var isWitnessed: Bool { reporterBits != 0 }

    var forwardedOverrides: Int { overrides & 0xFFFFF }
    var listOverrides: Int { overrides >> 20 & 0xFFFFF }
    var arcOverrides: Int { overrides >> 40 & 0xFFFFF }
}

/// A verdict on a flow.
struct Judgement: Hashable {
    var verdict = Verdict.unknown
    /// 0…1000.
    var confidence = 0
    var notes: VerdictNotes = []
    var evidence = EvidenceCodes()

    /// Surer first; of equals whichever says more, so that the order of the flows does not matter.
    func isBefore(_ other: Judgement) -> Bool {
        (confidence, notes.rawValue, evidence.bits) >= (other.confidence, other.notes.rawValue, other.evidence.bits)
    }

    /// Keeps the confidence below what `cap` allows.
    mutating func bound(by cap: Cap, _ reasoning: Reasoning?) {
        guard confidence > cap.most else { return }
        confidence = cap.most
        reasoning?.note(cap)
    }
}

/// Addresses that are neighbours: an IPv4 /24 or an IPv6 /48.
struct Network: Hashable, Comparable {
    let isIPv4: Bool
    let prefix: UInt64

    init(_ address: IPAddress) {
        isIPv4 = address.isIPv4
        prefix = address.isIPv4 ? address.low >> 8 : address.high >> 16
    }

    /// The lowest and the highest address of the network.
    var bounds: (IPAddress, IPAddress) {
        if isIPv4 {
            return (
                IPAddress(ipv4: UInt32(truncatingIfNeeded: prefix << 8)), IPAddress(ipv4: UInt32(truncatingIfNeeded: prefix << 8 | 255))
            )
        }
        return (IPAddress(high: prefix << 16, low: 0), IPAddress(high: prefix << 16 | 0xFFFF, low: .max))
    }

    static func < (a: Network, b: Network) -> Bool { a.isIPv4 == b.isIPv4 ? a.prefix < b.prefix : a.isIPv4 }
}

extension IPAddress {
    /// The first address of its network, which no host has: an IPv4 address that ends in 0, or an IPv6 address whose last 64 bits are 0.
    var isNetworkAddress: Bool { isIPv4 ? low & 0xFF == 0 : low == 0 }
}
