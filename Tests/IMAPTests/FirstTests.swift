import Foundation
import Mail
import Testing

@testable import IMAP

@Suite("First", .serialized, .enabled(if: Dovecot.isThere))
struct FirstTests {
    @Test func first() throws {
        let server = Dovecot.plain
        server.deliver((0..<3000).map { "Subject: \($0)\nFrom: a@b.c\n\n" + String(repeating: "body \($0)\n", count: 400) }, to: "first")
        let box = IMAPMailbox(account: server.account("first"), isKnown: { _ in false })
        let start = Date()
        print(try box.open(), Date().timeIntervalSince(start))
        var n = 0, bytes = 0
        var buffer: [UInt8] = []
        while true {
            let some = try box.next(32)
            if some.isEmpty { break }
            for m in some { try m.read(into: &buffer); n += 1; bytes += buffer.count }
        }
        print(n, bytes, Date().timeIntervalSince(start))
        #expect(n == 3000)
    }
}
