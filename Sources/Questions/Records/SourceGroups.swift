import DMARC

/// Numbers pairs of an address and a whole number 0, 1, 2 … in the order of their first appearance. Most addresses have one pair.
struct SourceGroups: Sendable {
    private struct Group: Sendable {
        var source: Int32
        var next: Int32
        var key: Int
    }

    private var table = SourceTable()
    private var first: [Int32] = []
    private var groups: [Group] = []

    /// How many there are.
    var count: Int { groups.count }

    /// The addresses of all pairs, each once.
    var addresses: [IPAddress] { table.addresses }

    /// The address of a pair.
    func source(of group: Int) -> IPAddress { table.addresses[Int(groups[group].source)] }

    /// The number of a pair.
    func key(of group: Int) -> Int { groups[group].key }

    /// The number of the pair, a new one if it has none yet.
    @inline(__always)
    mutating func number(of address: IPAddress, _ key: Int) -> Int {
        let source = table.number(of: address)
        if source == first.count { first.append(-1) }
        var group = Int(first[source])
        while group >= 0 {
            if groups[group].key == key { return group }
            group = Int(groups[group].next)
        }
        groups.append(Group(source: Int32(source), next: first[source], key: key))
        first[source] = Int32(groups.count - 1)
        return groups.count - 1
    }

    /// The number of the pair, if it has one.
    @inline(__always)
    func find(_ address: IPAddress, _ key: Int) -> Int? {
        guard let source = table.find(address) else { return nil }
        var group = Int(first[source])
        while group >= 0 {
            if groups[group].key == key { return group }
            group = Int(groups[group].next)
        }
        return nil
    }
}
