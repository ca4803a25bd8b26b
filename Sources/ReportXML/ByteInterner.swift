/// Gives equal byte strings the same small number, without making a `String` of each.
///
/// Open addressing over an arena. The hash is seeded per process, so nobody can prepare a report whose values collide.
struct ByteInterner: ~Copyable {
    private struct Slot {
        var hash: UInt64
        var offset: UInt32
        var length: UInt32
        var index: UInt32
    }

    private static let seed = UInt64.random(in: .min ... .max)
    private static let smallest = 64

    private var slots: UnsafeMutablePointer<Slot>
    private var capacity: Int
    private var arena: UnsafeMutablePointer<UInt8>
    private var arenaCapacity: Int
    private var arenaCount = 0
    private(set) var count = 0
    /// Bytes of all distinct strings.
    var byteCount: Int { arenaCount }

    init() {
        capacity = Self.smallest
        slots = .allocate(capacity: capacity)
        arenaCapacity = 4096
        arena = .allocate(capacity: arenaCapacity)
        clear()
    }

    deinit {
        slots.deallocate()
        arena.deallocate()
    }

    /// Forgets everything and gives back what a large document needed.
    mutating func reset() {
        if capacity > 8192 {
            slots.deallocate()
            capacity = Self.smallest
            slots = .allocate(capacity: capacity)
        }
        if arenaCapacity > 1 << 20 {
            arena.deallocate()
            arenaCapacity = 4096
            arena = .allocate(capacity: arenaCapacity)
        }
        clear()
    }

    private mutating func clear() {
        slots.initialize(repeating: Slot(hash: 0, offset: 0, length: 0, index: .max), count: capacity)
        arenaCount = 0
        count = 0
    }

    /// The number of `bytes`: a new one (the next integer) if they were not seen since the last reset.
    mutating func intern(_ bytes: UnsafeRawBufferPointer) -> (index: UInt32, isNew: Bool) {
        let hash = Self.hash(bytes)
        var position = Int(truncatingIfNeeded: hash) & (capacity - 1)
        while slots[position].index != .max {
            let slot = slots[position]
            if slot.hash == hash, Int(slot.length) == bytes.count, equal(bytes, arena + Int(slot.offset)) {
                return (slot.index, false)
            }
            position = (position + 1) & (capacity - 1)
        }
        reserve(bytes.count)
        if let base = bytes.baseAddress { UnsafeMutableRawPointer(arena + arenaCount).copyMemory(from: base, byteCount: bytes.count) }
        let index = UInt32(truncatingIfNeeded: count)
        slots[position] = Slot(hash: hash, offset: UInt32(arenaCount), length: UInt32(bytes.count), index: index)
        arenaCount += bytes.count
        count += 1
        if count * 2 > capacity { grow() }
        return (index, true)
    }

    @inline(__always)
    private func equal(_ bytes: UnsafeRawBufferPointer, _ stored: UnsafeMutablePointer<UInt8>) -> Bool {
        UnsafeRawBufferPointer(start: stored, count: bytes.count).elementsEqual(bytes)
    }

    private mutating func reserve(_ extra: Int) {
        guard arenaCount + extra > arenaCapacity else { return }
        let wanted = (arenaCount + extra) * 2
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
        larger.update(from: arena, count: arenaCount)
        arena.deallocate()
        arena = larger
        arenaCapacity = wanted
    }

    private mutating func grow() {
        let old = slots
        let oldCapacity = capacity
        capacity *= 2
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: Slot(hash: 0, offset: 0, length: 0, index: .max), count: capacity)
        for index in 0..<oldCapacity where old[index].index != .max {
            var position = Int(truncatingIfNeeded: old[index].hash) & (capacity - 1)
            while slots[position].index != .max { position = (position + 1) & (capacity - 1) }
            slots[position] = old[index]
        }
        old.deallocate()
    }

    @inline(__always)
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: bytes.count)
        var index = 0
        while index &+ 8 <= bytes.count {
            hash = fold(hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index &+= 8
        }
        var tail: UInt64 = 0
        while index < bytes.count {
            tail = tail << 8 | UInt64(bytes[index])
            index &+= 1
        }
        return fold(hash ^ tail)
    }

    @inline(__always)
    private static func fold(_ value: UInt64) -> UInt64 {
        let (high, low) = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return high ^ low ^ (value >> 32)
    }
}
