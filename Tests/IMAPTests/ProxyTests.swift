import Foundation
import Glibc
import Mail
import Testing

@testable import IMAP

/// Stands between client and server and cuts, stalls or slows down.
final class Proxy: Sendable {
    enum Fault: Sendable {
        case none
        /// Closes both sides after so many bytes, of both directions together.
        case cut(after: Int)
        /// Passes on nothing more after so many bytes.
        case stall(after: Int)
        /// Passes on one byte at a time after so many bytes, so many milliseconds apart.
        case trickle(after: Int, milliseconds: UInt32)
    }

    private struct State {
        var fault = Fault.none
        var bytes = 0
        var connections = 0
    }

    let port: UInt16
    private let listener: Int32
    private let state = Monitor(State())

    init(to server: UInt16) {
        let listener = listen(on: "127.0.0.1", port: 0)
        self.listener = listener
        port = IMAPTests.port(of: listener)
        let state = state
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                if client < 0 {
                    close(listener)
                    return
                }
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                // A fault is for one connection, the next one is sound.
                let fault = state.update { state -> Fault in
                    defer { state.fault = .none }
                    state.connections += 1
                    return state.fault
                }
                Thread.detachNewThread { Self.pump(client, connect(to: server), fault, state) }
            }
        }
    }

    /// The thread closes the socket: its number must not be another's while it still listens.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    func next(_ fault: Fault) {
        state.update { state in
            state.fault = fault
            state.bytes = 0
            state.connections = 0
        }
    }

    /// Bytes passed on and connections made since the last `next`.
    var bytes: Int { state.read { $0.bytes } }
    var connections: Int { state.read { $0.connections } }

    private static func pump(_ client: Int32, _ server: Int32, _ fault: Fault, _ state: Monitor<State>) {
        defer {
            close(client)
            close(server)
        }
        var yes: Int32 = 1
        for end in [client, server] { setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size)) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var passed = 0
        while true {
            var entries = [pollfd(fd: client, events: Int16(POLLIN), revents: 0), pollfd(fd: server, events: Int16(POLLIN), revents: 0)]
            guard poll(&entries, 2, 20_000) > 0 else { return }
            for (entry, other) in [(entries[0], server), (entries[1], client)] where entry.revents != 0 {
                var most = buffer.count
                switch fault {
                case .cut(let after): most = min(most, after - passed)
                case .stall(let after): most = min(most, after - passed)
                case .trickle(let after, let milliseconds):
                    most = passed < after ? min(most, after - passed) : 1
                    if passed >= after { usleep(milliseconds * 1000) }
                case .none: break
                }
                if most <= 0 {
                    if case .stall = fault {
                        // Until the client has had enough (POLLRDHUP, which Glibc does not import).
                        var hangup = pollfd(fd: client, events: 0x2000, revents: 0)
                        while poll(&hangup, 1, 20_000) < 0 {}
                        return
                    }
                    // Half of the cuts are resets.
                    if passed % 2 == 0 {
                        var linger = linger(l_onoff: 1, l_linger: 0)
                        setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
                    }
                    return
                }
                let count = read(entry.fd, &buffer, most)
                guard count > 0 else { return }
                var sent = 0
                while sent < count {
                    let result = buffer.withUnsafeBytes { send(other, $0.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL)) }
                    guard result > 0 else { return }
                    sent += result
                }
                passed += count
                state.update { $0.bytes += count }
            }
        }
    }
}

extension NetworkTests {
    @Suite("a bad line")
    struct ProxyTests {
        static var limits: IMAPLimits {
            var limits = IMAPLimits()
            limits.retrySeconds = 0.001
            limits.connectSeconds = 5
            limits.readSeconds = 10
            limits.batchBytes = 20_000
            limits.aheadBytes = 20_000
            return limits
        }

        static let count = 12

        /// One run: reads a folder and moves all of it to another. What it read, and what went wrong.
        static func run(_ user: String, _ from: String, _ to: String, port: UInt16) -> (
            mails: [[UInt8]], error: MailError?, unsettled: [MailError]
        ) {
            var mails: [[UInt8]] = []
            var unsettled: [MailError] = []
            let mailbox = IMAPMailbox(
                account: Dovecot.plain.account(user, folder: from, port: port), limits: limits, isKnown: { _ in false })
            var buffer: [UInt8] = []
            do throws(MailError) {
                while true {
                    let messages = try mailbox.next(4)
                    if messages.isEmpty { break }
                    for message in messages {
                        try message.read(into: &buffer)
                        mails.append(buffer)
                    }
                    unsettled += mailbox.settle(messages.map { ($0.key, .move(to)) })
                }
            } catch {
                return (mails, error, unsettled)
            }
            return (mails, nil, unsettled)
        }

        @Test("that is cut at any of 504 bytes of a session loses nothing and gives nothing twice", arguments: [0, 1])
        func cuts(half: Int) throws {
            let server = Dovecot.plain
            let user = "cuts-\(half)"
            let expected = (0..<Self.count).map { DovecotTests.wire($0, bytes: $0 % 3 == 0 ? 9000 : 400) }
            let wanted = Set(expected)
            server.deliver((0..<Self.count).map { DovecotTests.mail($0, bytes: $0 % 3 == 0 ? 9000 : 400) }, to: user, ".A")
            server.deliver([], to: user, ".B")
            let proxy = Proxy(to: server.port)
            var (from, to) = ("A", "B")
            proxy.next(.none)
            #expect(Self.run(user, from, to, port: proxy.port).mails == expected)
            let length = proxy.bytes
            #expect(length > 40_000)
            var healed = 0
            for step in 0..<252 {
                (from, to) = (to, from)
                let position = (2 * step + half) * length / 504
                proxy.next(.cut(after: position))
                let (mails, error, unsettled) = Self.run(user, from, to, port: proxy.port)
                // The mailbox comes back by itself, and goes on where it was.
                #expect(error == nil && unsettled.isEmpty, "cut at \(position): \(error as Any) \(unsettled)")
                #expect(mails.count == Self.count && Set(mails) == wanted, "cut at \(position)")
                if proxy.connections > 1 { healed += 1 }
                #expect(server.mails(user, "." + from).isEmpty && server.mails(user, "." + to).count == Self.count, "cut at \(position)")
            }
            // All but those at the very end, which only cut the goodbye.
            #expect(healed > 240)
        }

        @Test("that goes silent, or lets through a byte now and then, is given up in time; amid the messages the next one is taken")
        func stalls() throws {
            let server = Dovecot.plain
            server.deliver((0..<40).map { DovecotTests.mail($0, bytes: 4000) }, to: "stalls")
            let proxy = Proxy(to: server.port)
            var limits = Self.limits
            limits.connectSeconds = 0.6
            limits.readSeconds = 0.5
            var healed = 0
            for position in [0, 700, 4500, 5500, 7000, 20_000, 100_000] {
                for fault in [Proxy.Fault.stall(after: position), .trickle(after: position, milliseconds: 40)] {
                    proxy.next(fault)
                    let mailbox = IMAPMailbox(account: server.account("stalls", port: proxy.port), limits: limits, isKnown: { _ in false })
                    let start = Date()
                    do {
                        #expect(try collect(mailbox).count == 40)
                        #expect(mailbox.failure == nil && proxy.connections == 2, "\(fault)")
                        healed += 1
                    } catch let error as MailError {
                        #expect(error.isOurFault)
                        #expect(mailbox.failure?.code == .timeout, "\(fault): \(mailbox.failure as Any)")
                    }
                    let seconds = Date().timeIntervalSince(start)
                    #expect(seconds < 4, "\(fault) took \(seconds) s")
                }
            }
            #expect((1...10).contains(healed), "\(healed)")
            // The limit of the whole run: each answer comes in time, but there are too many.
            proxy.next(.trickle(after: 9000, milliseconds: 1))
            limits.readSeconds = 30
            limits.runSeconds = 1
            let mailbox = IMAPMailbox(account: server.account("stalls", port: proxy.port), limits: limits, isKnown: { _ in false })
            let start = Date()
            #expect(throws: MailError.self) { _ = try collect(mailbox) }
            #expect(Date().timeIntervalSince(start) < 3)
            #expect(mailbox.failure?.code == .timeout)
        }
    }
}
