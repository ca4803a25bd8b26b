import Foundation
import Glibc
import Testing

@testable import IMAP

/// A server in plain text on a socket: says a greeting and canned answers, and keeps all it hears.
final class PlainServer: Sendable {
    let port: UInt16
    private let heard = Monitor([UInt8]())
    private let listener: Int32

    /// - Parameter answer: to a line, without its CRLF and tag; nil closes.
    init(greeting: String, answer: @escaping @Sendable (_ line: String, _ tag: String) -> String?) {
        let listener = listen(on: "127.0.0.1", port: 0)
        self.listener = listener
        port = IMAPTests.port(of: listener)
        let heard = heard
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                if client < 0 {
                    close(listener)
                    return
                }
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                Self.say(greeting, to: client)
                var line: [UInt8] = []
                var byte: UInt8 = 0
                while read(client, &byte, 1) == 1 {
                    heard.update { $0.append(byte) }
                    line.append(byte)
                    guard byte == 10 else { continue }
                    let words = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
                    line = []
                    guard let text = answer(words.dropFirst().joined(separator: " "), words.first ?? "") else { break }
                    Self.say(text, to: client)
                }
                close(client)
            }
        }
    }

    /// The thread closes the socket: its number must not be another's while it still listens.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private static func say(_ text: String, to client: Int32) { _ = text.withCString { send(client, $0, strlen($0), Int32(MSG_NOSIGNAL)) } }

    /// All bytes that came, as text.
    var text: String { heard.read { String(decoding: $0, as: UTF8.self) } }
}

extension NetworkTests {
    @Suite("nothing is said to a server that cannot be trusted")
    struct RefusalTests {
        static func error(_ account: IMAPAccount) -> IMAPError? {
            var limits = IMAPLimits()
            limits.retrySeconds = 0.01
            limits.connectSeconds = 2
            let mailbox = IMAPMailbox(account: account, limits: limits, isKnown: { _ in false })
            do throws(IMAPError) {
                try mailbox.open()
                return nil
            } catch {
                return error
            }
        }

        @Test("an unknown authority, another host name, a certificate of the past", arguments: TLSMode.allCases)
        func certificates(tls: TLSMode) {
            let server = Dovecot.plain
            #expect(Self.error(server.account("cert", tls: tls)) == nil)
            #expect(Self.error(server.account("cert", tls: tls, host: "127.0.0.1")) == nil)

            var unknown = server.account("cert", tls: tls)
            unknown.caFile = Certificates.shared.folder + "/other.pem"
            #expect(Self.error(unknown)?.code == .certificate)
            unknown.caFile = nil
            #expect(Self.error(unknown)?.code == .certificate)
            unknown.caFile = "/nowhere.pem"
            #expect(Self.error(unknown)?.code == .certificate)
            #expect(Self.error(server.account("cert", tls: tls, host: "127.0.0.3"))?.code == .certificate)

            let name = ProcessInfo.processInfo.hostName
            if gethostbyname(name) != nil, name != "localhost" {
                let error = Self.error(server.account("cert", tls: tls, host: name))
                #expect(error?.code == .certificate || error?.code == .lost)
            }
            let other = Self.error(server.account("cert", tls: tls, host: "ip6-localhost"))
            #expect(other?.code == .certificate || other?.code == .lost)

            let expired = Self.error(server.account("cert", tls: tls, host: "127.0.0.2"))
            #expect(expired?.code == .certificate)
            #expect(expired?.found.contains("expired") == true)
            // Dovecot's log knows every login and every attempt at one.
            let log = (try? String(contentsOfFile: server.folder + "/log", encoding: .utf8)) ?? ""
            #expect(!log.isEmpty)
            #expect(!log.split(separator: "\n").contains { $0.contains("lip=127.0.0.2") && $0.contains("user=<cert>") })
            #expect(!log.split(separator: "\n").contains { $0.contains("lip=127.0.0.3") && $0.contains("user=<cert>") })
        }

        @Test("a certificate for 127.0.0.1 is none for 127.0.0.4")
        func wrongName() {
            // Dovecot listens on 127.0.0.2 with names of its own; this server has the sound certificate on another address.
            let account = Dovecot.plain.account("cert")
            let port = freePort()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.currentDirectoryURL = URL(fileURLWithPath: Certificates.shared.folder)
            process.arguments = ["s_server", "-accept", "127.0.0.4:\(port)", "-cert", "server.pem", "-key", "server.key", "-quiet"]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            do { try process.run() } catch { return }
            defer { kill(process.processIdentifier, SIGKILL) }
            usleep(300_000)
            var other = account
            other.host = "127.0.0.4"
            other.port = port
            let error = Self.error(other)
            #expect(error?.code == .certificate)
            #expect(error?.found.contains("127.0.0.4") == true)
        }

        @Test("a server that knows TLS 1.1 at most")
        func oldTLS() {
            let port = freePort()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.currentDirectoryURL = URL(fileURLWithPath: Certificates.shared.folder)
            process.arguments = [
                "s_server", "-accept", "127.0.0.1:\(port)", "-cert", "server.pem", "-key", "server.key", "-quiet", "-tls1_1", "-cipher",
                "ALL:@SECLEVEL=0",
            ]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            do { try process.run() } catch { return }
            defer { kill(process.processIdentifier, SIGKILL) }
            usleep(300_000)
            #expect(Self.error(Dovecot.plain.account("old", port: port))?.code == .tlsRequired)
        }

        static let noTLS = "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"

        @Test(
            "a server without STARTTLS, with a refused one, with one that slips in words before TLS, with a PREAUTH greeting, with no IMAP at all",
            arguments: [
                ("* OK hello\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "OK", IMAPError.Code.tlsRequired),
                (
                    "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED\r\n", "OK",
                    .tlsRequired
                ),
                ("* OK hello\r\n", "* CAPABILITY IMAP4rev1 STARTTLS\r\n", "NO", .tlsRequired),
                ("* PREAUTH welcome\r\n", "* CAPABILITY IMAP4rev1 STARTTLS\r\n", "OK", .tlsRequired),
                (
                    "* OK hello\r\n", "* CAPABILITY IMAP4rev1 STARTTLS\r\n", "OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA003 OK",
                    .tlsRequired
                ),
                ("* BYE too many\r\n", "", "OK", .lost), ("220 mail ESMTP\r\n", "", "OK", .timeout),
            ])
        func plainText(greeting: String, capability: String, starting: String, code: IMAPError.Code) {
            let server = PlainServer(greeting: greeting) { line, tag in
                line == "CAPABILITY" ? capability + "\(tag) OK\r\n" : line == "STARTTLS" ? "\(tag) \(starting)\r\n" : "\(tag) OK\r\n"
            }
            let error = Self.error(Dovecot.plain.account("plain", tls: .startTLS, port: server.port))
            #expect(error?.code == code, "\(error as Any)")
            #expect(!server.text.contains("AUTHENTICATE") && !server.text.contains("LOGIN") && !server.text.contains("canary"))
            #expect(!server.text.contains(String(decoding: base64(Array(Dovecot.password.utf8)), as: UTF8.self)))
        }

        @Test("a server that takes the connection for logged in, under TLS too")
        func preauthenticatedUnderTLS() {
            let port = freePort()
            let words = Pipe()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.currentDirectoryURL = URL(fileURLWithPath: Certificates.shared.folder)
            process.arguments = ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", "server.pem", "-key", "server.key", "-quiet"]
            process.standardInput = words
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            do { try process.run() } catch { return }
            defer { kill(process.processIdentifier, SIGKILL) }
            usleep(300_000)
            // The answer to the CAPABILITY that libcurl sends comes with the greeting.
            let said = "* PREAUTH welcome\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA001 OK done\r\n"
            words.fileHandleForWriting.write(Data(said.utf8))
            let error = Self.error(Dovecot.plain.account("preauth", port: port))
            #expect(error?.code == .tlsRequired)
            #expect(error?.found.contains("PREAUTH welcome") == true)
        }

        @Test("a server in plain text on the port for TLS")
        func plainTextOnTLSPort() {
            let server = PlainServer(greeting: "* OK hello\r\n") { _, tag in "\(tag) OK\r\n" }
            let error = Self.error(Dovecot.plain.account("plain", port: server.port))
            #expect(error?.code == .tlsRequired)
            #expect(!server.text.contains("canary") && !server.text.contains("LOGIN"))
        }

        @Test(
            "an account that is written so that it could mean something else",
            arguments: ["", "a b", "evil.example/x", "user@host", "höst", "[::1]", "a\r\nb"])
        func accounts(host: String) {
            #expect(Self.error(Dovecot.plain.account("x", host: host))?.code == .account)
            #expect(Self.error(Dovecot.plain.account("x\r\ny"))?.code == .account)
            #expect(Self.error(Dovecot.plain.account("x", folder: "a\u{7}b"))?.code == .account)
            #expect(Self.error(Dovecot.plain.account("x", secret: ""))?.code == .noSecret)
            #expect(Self.error(Dovecot.plain.account("x", secret: "a\nb"))?.code == .noSecret)
        }
    }
}
