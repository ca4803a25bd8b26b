import DMARC
import Glibc
import Testing

@Suite("IP addresses")
struct IPAddressTests {
    @Test(
        "reads any spelling and writes the canonical one",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("255.255.255.255", "255.255.255.255"), ("0.0.0.0", "0.0.0.0"),
            ("2001:DB8::1", "2001:db8::1"), ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:C000:201", "192.0.2.1"),
            ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("fe80:0:0:1::", "fe80:0:0:1::"),
        ])
    func canonical(written: String, expected: String) throws {
        #expect(try #require(IPAddress(written)).description == expected)
    }

    @Test(
        "refuses what is no address",
        arguments: [
            "", " ", "192.0.2", "192.0.2.1.5", "192.0.2.256", "192.0.02.1", "192.0.2.", ".192.0.2.1", "1.2.3.-4", "192.0.2.1 ",
            "host.example",
            ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "1:", ":1", "::192.0.2.1.1",
            "fe80::1%eth0",
            "192.0.2.1/24", "[::1]", "1:2:3:4:5:6:7:192.0.2.1",
        ])
    func refused(written: String) {
        #expect(IPAddress(written) == nil)
    }

    @Test("agrees with the system's reader and writer on random addresses")
    func agreesWithSystem() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            // Many zero groups, so that every place of `::` occurs.
            let groups = (0..<8).map { _ in
                UInt16.random(in: 0...3, using: &random) == 0 ? UInt16.random(in: 0...UInt16.max, using: &random) : 0
            }
            let text = groups.map { String($0, radix: 16) }.joined(separator: ":")
            var parsed = in6_addr()
            try #require(inet_pton(AF_INET6, text, &parsed) == 1)
            let address = try #require(IPAddress(text), "\(text)")
            if address.isIPv4 { continue }
            var buffer = [CChar](repeating: 0, count: 64)
            inet_ntop(AF_INET6, &parsed, &buffer, 64)
            let system = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            // The system writes old IPv4-compatible addresses with dots; RFC 5952 leaves that open.
            if !system.contains(".") { #expect(address.description == system) }
            #expect(IPAddress(address.description) == address)
            #expect(address.withBytes { IPAddress(bytes: $0) } == address)
        }
    }
}
