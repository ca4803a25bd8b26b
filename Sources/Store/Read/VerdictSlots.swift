/// Values by number and verdict. Most numbers have one verdict, so their values stand in a list instead of a table with a column for each.
package struct VerdictSlots<Value: Sendable>: Sendable {
    /// A value, and where the next one of the same number is.
    package struct Slot: Sendable {
        package let number: Int32
        /// As stored.
        package let verdict: Int32
        package var next: Int32
        package var value: Value
    }

    /// All of them, in the order of their first appearance.
    package internal(set) var slots: [Slot] = []
    @usableFromInline var heads: [Int32] = []

    package init() {}

    /// Calls `body` with the value for `number` and `verdict`. Numbers are small: there is an entry for each below it.
    @inlinable @inline(__always)
    package mutating func change(_ number: Int, _ verdict: Int, _ initial: @autoclosure () -> Value, _ body: (inout Value) -> Void) {
        while number >= heads.count { heads.append(-1) }
        var place = heads[number]
        while place >= 0, slots[Int(place)].verdict != Int32(truncatingIfNeeded: verdict) { place = slots[Int(place)].next }
        if place < 0 {
            place = Int32(slots.count)
            slots.append(Slot(number: Int32(number), verdict: Int32(truncatingIfNeeded: verdict), next: heads[number], value: initial()))
            heads[number] = place
        }
        body(&slots[Int(place)].value)
    }

    /// How many numbers there are.
    package var count: Int { heads.count }

    /// The verdicts and values of a number, in no order.
    package func values(of number: Int) -> [(verdict: Int, value: Value)] {
        var found: [(verdict: Int, value: Value)] = []
        forEach(of: number) { found.append(($0, $1)) }
        return found
    }

    /// As `values(of:)`, without a list.
    @inlinable @inline(__always)
    package func forEach(of number: Int, _ body: (Int, Value) -> Void) {
        var place = heads[number]
        while place >= 0 {
            body(Int(slots[Int(place)].verdict), slots[Int(place)].value)
            place = slots[Int(place)].next
        }
    }
}

/// The lowest of the `limit` highest weights: what is below cannot come to be among the first. Nil: everything can.
package func lowestOfLeading<Weight: Comparable>(_ weights: some Sequence<Weight>, limit: Int?) -> Weight? {
    guard let limit, limit > 0 else { return nil }
    var leading: [Weight] = []
    for weight in weights {
        if leading.count == limit {
            guard let lowest = leading.last, weight > lowest else { continue }
            leading.removeLast()
        }
        leading.insert(weight, at: leading.firstIndex { $0 < weight } ?? leading.count)
    }
    return leading.count == limit ? leading.last : nil
}
