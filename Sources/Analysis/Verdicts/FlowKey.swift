import DMARC

/// The key of a flow, in the order of its table.
struct FlowKey: Hashable, Comparable {
    let source: IPAddress
    let domain: Int
    let authentication: Int
    let aligned: Int

    static func < (a: FlowKey, b: FlowKey) -> Bool {
        if a.source != b.source { return a.source < b.source }
        return (a.domain, a.authentication, a.aligned) < (b.domain, b.authentication, b.aligned)
    }
}

/// Figures that add up, whatever the order: those of witnesses, or, where there is none, of the others (`Witnesses`).
struct FlowSums {
    var messages = 0
    var records = 0
    var firstDay = Int.max
    var lastDay = Int.min
    var reporterBits = 0
    var dayBits = 0
    var overrides = 0

    /// Whether what those reporters say is to be added. The first witness makes what others said forgotten.
    @inline(__always)
    private mutating func hears(_ bits: Int) -> Bool {
        if bits == 0 { return reporterBits == 0 }
        if reporterBits == 0, records > 0 { self = FlowSums() }
        return true
    }

    @inline(__always)
    mutating func add(messages: Int, day: Int, reporterBit: Int, override: Int) {
        guard hears(reporterBit) else { return }
        self.messages += messages
        records += 1
        firstDay = min(firstDay, day)
        lastDay = max(lastDay, day)
        reporterBits |= reporterBit
        dayBits |= Levels.bit(of: day)
        overrides += override
    }

    mutating func add(_ other: FlowSums) {
        guard hears(other.reporterBits) else { return }
        messages += other.messages
        records += other.records
        firstDay = min(firstDay, other.firstDay)
        lastDay = max(lastDay, other.lastDay)
        reporterBits |= other.reporterBits
        dayBits |= other.dayBits
        overrides += other.overrides
    }
}
