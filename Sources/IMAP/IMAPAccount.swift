import Glibc

/// How the connection is encrypted. There is no third way, and none that does not verify the server's certificate.
public enum TLSMode: String, Sendable, CaseIterable {
    /// TLS from the first byte (RFC 8314), by default on port 993.
    case implicit
    /// STARTTLS (RFC 9051 section 6.2.1), required, by default on port 143.
    case startTLS = "starttls"

    /// The port that is meant when none is named.
    public var defaultPort: UInt16 { self == .implicit ? 993 : 143 }
}

/// How the user logs in.
public enum IMAPAuthentication: String, Sendable, CaseIterable {
    /// AUTHENTICATE PLAIN (RFC 4616), else LOGIN.
    case password
    /// XOAUTH2, as Google and Microsoft document it: the secret is an access token.
    case xoauth2
    /// OAUTHBEARER (RFC 7628): the secret is an access token.
    case oauthbearer
}

/// A password or token. It has no description, and neither `print`, `dump` nor a debugger's summary shows it.
///
/// It is asked for at each login, because a connection may have to be made again, and what was given is wiped after that login.
public final class Secret: Sendable, CustomReflectable {
    private let supply: @Sendable () throws(IMAPError) -> [UInt8]

    /// A secret that `supply` fetches whenever a login needs it, from a command or a file. It throws `imap-no-secret`.
    public init(_ supply: @escaping @Sendable () throws(IMAPError) -> [UInt8]) { self.supply = supply }

    /// A secret that is at hand. It stays in memory until this object goes, and is wiped then.
    public convenience init(bytes: [UInt8]) {
        let kept = KeptBytes(bytes)
        self.init { () throws(IMAPError) in kept.copy() }
    }

    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Calls `body` with the bytes and wipes them.
    func use<Result>(_ body: ([UInt8]) throws(IMAPError) -> Result) throws(IMAPError) -> Result {
        var bytes = try supply()
        defer { wipe(&bytes) }
        return try body(bytes)
    }

    /// `@unchecked Sendable`: written by `init` and `deinit` only.
    private final class KeptBytes: @unchecked Sendable {
        private let bytes: UnsafeMutableRawBufferPointer

        init(_ source: [UInt8]) {
            bytes = .allocate(byteCount: source.count, alignment: 1)
            bytes.copyBytes(from: source)
        }

        deinit {
            if let base = bytes.baseAddress { explicit_bzero(base, bytes.count) }
            bytes.deallocate()
        }

        func copy() -> [UInt8] { Array(bytes) }
    }
}

/// Overwrites `bytes` with zeros and empties it. Copies that share its storage do not change, so there must be none.
func wipe(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { bytes in
        if let base = bytes.baseAddress { explicit_bzero(base, bytes.count) }
    }
    bytes.removeAll()
}

/// A folder of an account on a server, and how to get at it.
public struct IMAPAccount: Sendable {
    /// What its owner calls it; for places and errors.
    public var name: String
    /// The server: a host name in ASCII (`xn--…`), or an address.
    public var host: String
    /// The TCP port.
    public var port: UInt16
    /// How the connection is encrypted.
    public var tls: TLSMode
    /// A file of authorities (PEM) to trust in place of the system's.
    public var caFile: String?
    /// The user.
    public var user: String
    /// How the user logs in.
    public var authentication: IMAPAuthentication
    /// The password or token.
    public var secret: Secret
    /// The folder as people write it: `INBOX`, `DMARC/Prüfberichte`; `/` parts a folder from those in it, whatever the server uses.
    public var folder: String
    /// Only messages that arrived on this day or later count: days since 1970-01-01. A server compares days of its own time zone, so
    /// the day before is asked for too. Nil: all messages.
    public var since: Int?
    /// What this program tells servers that ask who it is (RFC 2971), beside its name; "" for nothing.
    public var version = ""

    /// An account; `port` 0 stands for the default of `tls`.
    public init(
        name: String, host: String, port: UInt16 = 0, tls: TLSMode = .implicit, caFile: String? = nil, user: String,
        authentication: IMAPAuthentication = .password, secret: Secret, folder: String = "INBOX", since: Int? = nil
    ) {
        self.name = name
        self.host = host
        self.port = port == 0 ? tls.defaultPort : port
        self.tls = tls
        self.caFile = caFile
        self.user = user
        self.authentication = authentication
        self.secret = secret
        self.folder = folder
        self.since = since
    }

    /// For people: `rua/INBOX`.
    var place: String { name + "/" + folder }

    /// The folder's address (RFC 5092), such as `imap://dmarc%40example.nl@imap.example.nl:993/INBOX`.
    var address: String {
        let host = host.contains(":") ? "[\(host)]" : host.lowercased()
        return "imap://\(percentEncoded(user))@\(host):\(port)/\(percentEncoded(folder))"
    }

    /// Refuses what could be mistaken for something else in a URL, a command or an authentication.
    func check() throws(IMAPError) {
        let hostIsPlain = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard hostIsPlain, !host.isEmpty, host.utf8.count <= 253 else {
            throw IMAPError(code: .account, place: name, found: "host \"\(host)\" is no host name in ASCII and no address")
        }
        for (what, text) in [("user", user), ("folder", folder)] {
            guard !text.isEmpty, text.utf8.count <= 1000, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw IMAPError(code: .account, place: name, found: "the \(what) is empty, too long or holds control characters")
            }
        }
    }
}

/// RFC 3986 section 2.1, with `/` left as it is.
private func percentEncoded(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
            result.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            result += "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    return result
}
