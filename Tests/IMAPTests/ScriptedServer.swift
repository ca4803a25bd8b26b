import Foundation
import Synchronization

@testable import IMAP

/// A server in a few lines that says what a test wants it to say. It is behind a `Transport`, so it needs no socket.
final class ScriptedServer: Sendable {
    struct State {
        var mails: [UInt32: [UInt8]] = [:]
        /// What it says of UIDVALIDITY; "" for nothing.
        var uidValidity = "7"
        var capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER NAMESPACE UIDPLUS MOVE"
        var folders: Set<String> = ["INBOX"]
        /// All command lines, without tags, of all connections.
        var log: [String] = []
        var connections = 0
        var moved: [UInt32] = []
        /// Messages copied to another folder, one entry for each copy, and those marked as deleted.
        var copies: [UInt32] = []
        var deleted: Set<UInt32> = []
        /// From then on it behaves.
        var isHealed = false
    }

    /// What the server says in place of `normal`; nil closes the connection, and so do two bytes 0xff at the end. The tag is the client's.
    typealias Twist = @Sendable (_ command: String, _ tag: String, _ normal: [UInt8], _ connection: Int) -> [UInt8]?

    let state: Mutex<State>
    let twist: Twist
    /// How many bytes are given at a time.
    let chunk: Int

    init(
        mails: [UInt32: String] = [:], chunk: Int = 1 << 16, capabilities: String? = nil,
        twist: @escaping Twist = { _, _, normal, _ in normal }
    ) {
        var state = State()
        state.mails = mails.mapValues { Array($0.utf8) }
        if let capabilities { state.capabilities = capabilities }
        self.state = Mutex(state)
        self.twist = twist
        self.chunk = chunk
    }

    var log: [String] { state.withLock { $0.log } }

    var connections: Int { state.withLock { $0.connections } }

    static let account = IMAPAccount(
        name: "rua", host: "mail.example", user: "dmarc@example.nl", secret: Secret(bytes: Array("pw-canary".utf8)))

    func mailbox(
        _ account: IMAPAccount = ScriptedServer.account, limits: IMAPLimits = ScriptedServer.limits,
        isKnown: @escaping @Sendable (String) -> Bool = { _ in false }
    ) -> IMAPMailbox {
        IMAPMailbox(account: account, limits: limits, isKnown: isKnown) { (_, _, _, _) throws(IMAPError) in
            ScriptedTransport(
                self,
                self.state.withLock { state -> Int in
                    state.connections += 1
                    return state.connections
                })
        }
    }

    /// Quick to give up.
    static var limits: IMAPLimits {
        var limits = IMAPLimits()
        limits.retrySeconds = 0.001
        limits.readSeconds = 2
        return limits
    }

    /// The sound answer to a command.
    func answer(_ command: String, _ tag: String) -> String {
        let words = command.split(separator: " ").map(String.init)
        let name = words[0] == "UID" && words.count > 1 ? "UID " + words[1] : words[0]
        let done = "\(tag) OK \(name) done\r\n"
        return state.withLock { state in
            switch name {
            case "CAPABILITY": return "* CAPABILITY \(state.capabilities)\r\n" + done
            case "ENABLE": return "* ENABLED UTF8=ACCEPT\r\n" + done
            case "NAMESPACE": return "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n" + done
            case "LIST":
                let folder = words.last.map { $0.replacingOccurrences(of: "\"", with: "") } ?? ""
                return folder.isEmpty
                    ? "* LIST (\\NoSelect) \"/\" \"\"\r\n" + done
                    : state.folders.contains(folder) ? "* LIST () \"/\" \"\(folder)\"\r\n" + done : done
            case "CREATE":
                state.folders.insert(words[1].replacingOccurrences(of: "\"", with: ""))
                return done
            case "EXAMINE", "SELECT":
                let validity = state.uidValidity.isEmpty ? "" : "* OK [UIDVALIDITY \(state.uidValidity)] v\r\n"
                return "* \(state.mails.count) EXISTS\r\n" + validity + "* FLAGS (\\Seen)\r\n"
                    + "\(tag) OK [\(name == "SELECT" ? "READ-WRITE" : "READ-ONLY")] open\r\n"
            case "UID SEARCH": return "* SEARCH" + state.mails.keys.sorted().map { " \($0)" }.joined() + "\r\n" + done
            case "UID FETCH":
                var text = ""
                let asked = words[2] == "1:*" ? state.mails.keys.sorted() : Self.uids(words[2])
                for (index, uid) in asked.enumerated() {
                    guard let mail = state.mails[uid] else { continue }
                    if let range = command.range(of: "BODY.PEEK[]<") {
                        let origin = Int(command[range.upperBound...].prefix { $0.isNumber }) ?? 0
                        let rest = String(decoding: mail.dropFirst(origin).prefix(64), as: UTF8.self)
                        text += "* \(index + 1) FETCH (UID \(uid) BODY[]<\(origin)> {\(rest.utf8.count)}\r\n\(rest))\r\n"
                        continue
                    }
                    text +=
                        command.contains("BODY.PEEK[]")
                        ? "* \(index + 1) FETCH (UID \(uid) BODY[] {\(mail.count)}\r\n\(String(decoding: mail, as: UTF8.self)))\r\n"
                        : "* \(index + 1) FETCH (UID \(uid) RFC822.SIZE \(mail.count) INTERNALDATE \"01-Jun-2026 02:00:00 +0200\")\r\n"
                }
                return text + done
            case "UID MOVE":
                for uid in Self.uids(words[2]) where state.mails.removeValue(forKey: uid) != nil { state.moved.append(uid) }
                return done
            case "UID COPY":
                state.copies += Self.uids(words[2])
                return done
            case "UID STORE":
                if command.contains("\\Deleted") { state.deleted.formUnion(Self.uids(words[2])) }
                return done
            case "UID EXPUNGE":
                for uid in Self.uids(words[2]) where state.deleted.contains(uid) { state.mails[uid] = nil }
                return done
            default: return done
            }
        }
    }

    static func uids(_ set: String) -> [UInt32] {
        set.split(separator: ",").flatMap { part -> [UInt32] in
            let ends = part.split(separator: ":").compactMap { UInt32($0) }
            return ends.count == 2 ? Array(ends[0]...ends[1]) : ends
        }
    }
}

/// The client's end.
final class ScriptedTransport: Transport {
    let certificate: CertificateFacts? = nil
    private let server: ScriptedServer
    private let connection: Int
    private var line: [UInt8] = []
    private var output: [UInt8] = []
    private var given = 0
    private var isClosed = false
    /// Whether the next line belongs to an authentication: its tag.
    private var asking: String?
    private var partial = ""

    init(_ server: ScriptedServer, _ connection: Int) {
        self.server = server
        self.connection = connection
    }

    func send(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) throws(IMAPError) {
        if isClosed { throw IMAPError(code: .lost, found: "closed") }
        for byte in bytes {
            line.append(byte)
            guard byte == 0x0a else { continue }
            let text = String(decoding: line.dropLast(2), as: UTF8.self)
            line = []
            take(text)
        }
    }

    private func take(_ line: String) {
        // A literal without a line end in it: the line goes on.
        partial += line
        if partial.hasSuffix("}"), partial.contains("{") {
            partial += "|"
            output += Array("+ go on\r\n".utf8)
            return
        }
        let text = partial
        partial = ""
        var tag = asking ?? String(text.prefix { $0 != " " })
        var command = asking == nil ? String(text.dropFirst(tag.count + 1)) : text
        if command.isEmpty { command = "(empty)" }
        asking = nil
        if tag.isEmpty { tag = "?" }
        server.state.withLock { $0.log.append(command) }
        let normal = Array(server.answer(command, tag).utf8)
        let isHealed = server.state.withLock { $0.isHealed }
        guard let bytes = isHealed ? normal : server.twist(command, tag, normal, connection) else {
            isClosed = true
            return
        }
        if bytes.starts(with: "+".utf8) { asking = tag }
        // A mark of the tests' own: these bytes, then the end.
        isClosed = bytes.suffix(2) == [0xff, 0xff]
        output += isClosed ? bytes.dropLast(2) : bytes[...]
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, deadline: Deadline) throws(IMAPError) -> Int {
        guard given < output.count else {
            if isClosed { return 0 }
            throw IMAPError(code: .timeout, found: "nothing to say")
        }
        let count = min(buffer.count, server.chunk, output.count - given)
        buffer.copyBytes(from: output[given..<given + count])
        given += count
        if given == output.count { (output, given) = ([], 0) }
        return count
    }

    func close() { isClosed = true }
}
