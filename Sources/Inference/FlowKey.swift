import DMARC

/// The key of a flow, in the order of its table.
package struct FlowKey: Hashable, Comparable {
    package let source: IPAddress
    package let domain: Int
    package let authentication: Int
    package let aligned: Int

    package init(source: IPAddress, domain: Int, authentication: Int, aligned: Int) {
        self.source = source
        self.domain = domain
        self.authentication = authentication
        self.aligned = aligned
    }

    package static func < (a: FlowKey, b: FlowKey) -> Bool {
        if a.source != b.source { return a.source < b.source }
        return (a.domain, a.authentication, a.aligned) < (b.domain, b.authentication, b.aligned)
    }
}

/// Figures that add up, whatever the order: those of witnesses, or, where there is none, of the others (`Witnesses`).
package struct FlowSums {
    package var messages = 0
    package var records = 0
    package var firstDay = Int.max
    package var lastDay = Int.min
    package var reporterBits = 0
    package var dayBits = 0
    package var overrides = 0

    package init(
        messages: Int = 0, records: Int = 0, firstDay: Int = Int.max, lastDay: Int = Int.min, reporterBits: Int = 0, dayBits: Int = 0,
        overrides: Int = 0
    ) {
        self.messages = messages
        self.records = records
        self.firstDay = firstDay
        self.lastDay = lastDay
        self.reporterBits = reporterBits
        self.dayBits = dayBits
        self.overrides = overrides
    }

    /// Whether what those reporters say is to be added. The first witness makes what others said forgotten.
    @inline(__always)
    private mutating func hears(_ bits: Int) -> Bool {
        if bits == 0 { return reporterBits == 0 }
        if reporterBits == 0, records > 0 { self = FlowSums() }
        return true
    }

    @inline(__always)
    package mutating func add(messages: Int, day: Int, reporterBit: Int, override: Int) {
        guard hears(reporterBit) else { return }
        self.messages += messages
        records += 1
        firstDay = min(firstDay, day)
        lastDay = max(lastDay, day)
        reporterBits |= reporterBit
        dayBits |= Levels.bit(of: day)
        overrides += override
    }

    package mutating func add(_ other: FlowSums) {
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
