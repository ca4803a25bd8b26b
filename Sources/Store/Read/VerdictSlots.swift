/// Values by number and verdict. Most numbers have one verdict, so their values stand in a list instead of a table with a column for each.
public struct VerdictSlots<Value: Sendable>: Sendable {
    /// A value, and where the next one of the same number is.
    public struct Slot: Sendable {
        /// The number.
        public let number: Int32
        /// As stored.
        public let verdict: Int32
        @usableFromInline var next: Int32
        /// What is kept.
        public var value: Value

        @usableFromInline
        init(number: Int32, verdict: Int32, next: Int32, value: Value) {
            self.number = number
            self.verdict = verdict
            self.next = next
            self.value = value
        }
    }

    @usableFromInline var places: [Slot] = []
    @usableFromInline var heads: [Int32] = []

    package init() {}

    /// All of them, in the order of their first appearance.
    @inlinable public var slots: [Slot] { places }

    /// Calls `body` with the value for `number` and `verdict`. Numbers are small: there is an entry for each below it.
    @inlinable @inline(__always)
    public mutating func change(_ number: Int, _ verdict: Int, _ initial: @autoclosure () -> Value, _ body: (inout Value) -> Void) {
        while number >= heads.count { heads.append(-1) }
        var place = heads[number]
        while place >= 0, places[Int(place)].verdict != Int32(truncatingIfNeeded: verdict) { place = places[Int(place)].next }
        if place < 0 {
            place = Int32(places.count)
            places.append(Slot(number: Int32(number), verdict: Int32(truncatingIfNeeded: verdict), next: heads[number], value: initial()))
            heads[number] = place
        }
        body(&places[Int(place)].value)
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
    public func forEach(of number: Int, _ body: (Int, Value) -> Void) {
        var place = heads[number]
        while place >= 0 {
            body(Int(places[Int(place)].verdict), places[Int(place)].value)
            place = places[Int(place)].next
        }
    }
}
