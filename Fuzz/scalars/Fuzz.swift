import DMARC

/// Dates, names and addresses: what is read is written, and read again as the same; canonical forms stay as they are.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    let text = String(decoding: bytes, as: UTF8.self)
    if let address = IPAddress(text: bytes) {
        require(IPAddress(address.description) == address, "\(address) is read as another address")
        require(address.withBytes { IPAddress(bytes: $0) } == address)
    }
    let name = DomainName.canonical(text)
    require(DomainName.canonical(name) == name, "a canonical name is not canonical")
    sink &+= DomainName.readable(name).utf8.count
    if let day = Day(iso: text) { require(Day(iso: day.description) == day, "\(day) is read as another day") }
    if count >= 16 {
        // Any window that a report may have: its shares add up, and none is negative.
        let begin = Int(bytes.loadUnaligned(as: UInt32.self))
        let seconds = Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) % (366 * 86_400)
        let messages = Int(bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self) % 1_000_000_001)
        let window = ReportWindow(begin: begin, end: begin + seconds)
        let shares = window.shares(of: messages)
        require(shares.reduce(0, +) == messages && shares.allSatisfy { $0 >= 0 }, "shares do not add up")
        require(shares.count == window.days.count)
    }
    return 0
}

/// Keeps the optimiser from dropping what is read.
nonisolated(unsafe) private var sink = 0
