import Glibc

/// What came from a process that reads mail is not what such a process writes: it was taken over, or there is a mistake in it.
struct WireError: Error {
    /// What was found; for people.
    var found: String
}

/// Values as bytes, for the way between the process that collects and those that read mail. Both are one program on one machine, so numbers are
/// written as they are.
struct WireWriter {
    /// Bytes of the header of a frame: what it is, and how many bytes follow.
    static let headerBytes = 8

    /// Frames, one behind the other: each its header and what was put.
    private(set) var bytes: [UInt8] = []
    /// Where the last of them begins.
    private var start = 0

    /// Forgets all frames.
    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Begins a frame behind those that are there.
    mutating func begin() {
        start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.headerBytes))
    }

    /// Ends it: a frame of this kind, which `more` bytes follow that are not in `bytes`.
    mutating func end(_ kind: UInt32, more: Int = 0) {
        let count = UInt32(bytes.count - start - Self.headerBytes + more)
        bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: kind, toByteOffset: start, as: UInt32.self)
            buffer.storeBytes(of: count, toByteOffset: start + 4, as: UInt32.self)
        }
    }

    mutating func put<Value: BitwiseCopyable>(_ value: Value) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }

    mutating func put(_ value: UInt8) { bytes.append(value) }

    mutating func put(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// Bytes that are the rest of the frame.
    mutating func putRest(_ values: UnsafeRawBufferPointer) { bytes.append(contentsOf: values) }

    mutating func put(_ values: [UInt8]) {
        put(UInt32(values.count))
        bytes.append(contentsOf: values)
    }

    mutating func put<Value: BitwiseCopyable>(all values: [Value]) {
        put(UInt32(values.count))
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ text: String) {
        let count = text.utf8.count
        put(UInt32(count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func put(_ text: String?) {
        guard let text else { return put(UInt32.max) }
        put(text)
    }

    mutating func put(_ value: Int?) {
        put(value != nil)
        put(value ?? 0)
    }

    mutating func put<Element>(list: [Element], _ body: (inout WireWriter, Element) -> Void) {
        put(UInt32(list.count))
        for element in list { body(&self, element) }
    }
}

/// Reads what a `WireWriter` wrote, and believes none of it.
struct WireReader {
    /// Bytes that one text may have: more than any limit on a field.
    private static let maxTextBytes = 1 << 20

    private var rest: UnsafeRawBufferPointer

    /// `bytes` must outlive it.
    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    /// Nothing is left.
    func requireEnd() throws(WireError) {
        guard rest.isEmpty else { throw WireError(found: "\(rest.count) bytes too many") }
    }

    private mutating func take(_ count: Int) throws(WireError) -> UnsafeRawBufferPointer {
        guard count <= rest.count else { throw WireError(found: "it ends too early") }
        // By hand: it is done for every value, and slices cost more than all the rest.
        let start = rest.baseAddress
        rest = UnsafeRawBufferPointer(start: start.map { $0 + count }, count: rest.count - count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// A value every pattern of whose bits is one.
    private mutating func value<Value: BitwiseCopyable>(_ type: Value.Type) throws(WireError) -> Value {
        try take(MemoryLayout<Value>.size).loadUnaligned(as: type)
    }

    mutating func byte() throws(WireError) -> UInt8 { try value(UInt8.self) }

    mutating func number() throws(WireError) -> UInt32 { try value(UInt32.self) }

    mutating func long() throws(WireError) -> UInt64 { try value(UInt64.self) }

    mutating func bool() throws(WireError) -> Bool {
        let value = try byte()
        guard value < 2 else { throw WireError(found: "neither yes nor no") }
        return value == 1
    }

    /// An integer within a range.
    mutating func integer(in range: ClosedRange<Int>) throws(WireError) -> Int {
        let number = try value(Int.self)
        guard range.contains(number) else { throw WireError(found: "\(number) instead of \(range)") }
        return number
    }

    mutating func integerIfAny(in range: ClosedRange<Int>) throws(WireError) -> Int? {
        guard try bool() else {
            _ = try value(Int.self)
            return nil
        }
        return try integer(in: range)
    }

    mutating func bytes() throws(WireError) -> [UInt8] { Array(try take(Int(number()))) }

    /// All that is left.
    mutating func all() -> UnsafeRawBufferPointer {
        defer { rest = UnsafeRawBufferPointer(start: nil, count: 0) }
        return rest
    }

    /// A list of plain integers, or of structures of them.
    mutating func plain<Value: BitwiseCopyable>(_ type: Value.Type) throws(WireError) -> UnsafeRawBufferPointer {
        let (count, overflow) = Int(try number()).multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
        guard !overflow else { throw WireError(found: "a list without end") }
        return try take(count)
    }

    mutating func text() throws(WireError) -> String {
        guard let text = try textIfAny() else { throw WireError(found: "a text is missing") }
        return text
    }

    mutating func textIfAny() throws(WireError) -> String? {
        let count = try number()
        if count == .max { return nil }
        guard count <= Self.maxTextBytes else { throw WireError(found: "a text of \(count) bytes") }
        return String(decoding: try take(Int(count)), as: UTF8.self)
    }

    /// A word of our own: lower-case letters, digits, hyphens.
    mutating func word() throws(WireError) -> String {
        let word = try text()
        let isWord =
            word.utf8.count <= 64 && word.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        guard isWord else { throw WireError(found: "a word that is none") }
        return word
    }

    /// A list each of whose elements takes at least a byte.
    mutating func list<Element>(_ body: (inout WireReader) throws(WireError) -> Element) throws(WireError) -> [Element] {
        let count = Int(try number())
        guard count <= rest.count else { throw WireError(found: "a list that is longer than what follows") }
        var list: [Element] = []
        list.reserveCapacity(min(count, 4096))
        for _ in 0..<count { list.append(try body(&self)) }
        return list
    }

    /// One of the cases of an enumeration, by its place among them.
    mutating func oneOf<Value: CaseIterable>(_ type: Value.Type) throws(WireError) -> Value where Value.AllCases == [Value] {
        let index = Int(try byte())
        let cases = Value.allCases
        guard index < cases.count else { throw WireError(found: "no case \(index)") }
        return cases[index]
    }
}
