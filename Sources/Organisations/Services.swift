/// What a well-known service does.
public enum ServiceKind: String, CaseIterable, Hashable, Sendable {
    /// Sends for its customers: newsletters, invoices, tickets.
    case bulkSender = "bulk-sender"
    /// Mailboxes for people; their servers send, forward and host lists.
    case mailboxProvider = "mailbox-provider"
    /// What such a provider sends itself in the name of those who have a mailbox with it: invitations, notices.
    case mailboxService = "mailbox-service"
    /// Passes mail on.
    case forwarder
    /// Hosts mailing lists.
    case listHost = "list-host"
    /// Checks mail on its way in or out.
    case securityGateway = "security-gateway"
    /// Hosts websites and the mail of their domains.
    case hosting
}

/// A well-known service, from `services.tsv`.
public struct Service: Hashable, Sendable {
    /// As it writes itself.
    public let name: String
    /// What it does.
    public let kind: ServiceKind
    /// Names in SPF, DKIM and return paths; each stands for everything below it, too.
    public let domains: [String]
    /// Where it documents how to authenticate a domain.
    public let page: String
}

/// The table of well-known services: read from the binary, no look-ups.
public struct Services: Sendable {
    /// All of them, as in the file.
    public let all: [Service]
    private let byDomain: [Substring: Int]
    /// What tells one table from another.
    package let version: Int

    /// The table of the file `services.tsv`, parsed when it is first asked for.
    public static let known = Services(text: String(decoding: PackageResources.services_tsv, as: UTF8.self))

    /// Lines `name TAB kind TAB domains TAB page`; `#` begins a comment. Lines of another form are left out: a test keeps the file free of them.
    package init(text: String) {
        var all: [Service] = []
        var byDomain: [Substring: Int] = [:]
        // Bytes, not characters: what makes up a character takes far longer to find out than all the rest.
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map { String(Substring($0)) }
            guard fields.count == 4, let kind = ServiceKind(rawValue: fields[1]) else { continue }
            let domains = fields[2].utf8.split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
            for domain in domains { byDomain[domain[...]] = all.count }
            all.append(Service(name: fields[0], kind: kind, domains: domains, page: fields[3]))
        }
        self.all = all
        self.byDomain = byDomain
        version = text.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF_FFFF }
    }

    /// The service that a canonical name belongs to: of the longest entry that is the name or stands above it.
    public func service(of name: String) -> Service? { place(of: name).map { all[$0] } }

    /// Its place in `all`.
    package func place(of name: String) -> Int? {
        var rest = Substring(name)
        while true {
            if let index = byDomain[rest] { return index }
            guard let parent = Self.parent(of: rest) else { return nil }
            rest = parent
        }
    }

    private static func parent(of name: Substring) -> Substring? {
        name.utf8.firstIndex(of: UInt8(ascii: ".")).map { name[name.utf8.index(after: $0)...] }
    }
}
