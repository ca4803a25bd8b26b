/// Which fields `Authentication-Results` of a message can be believed (RFC 8601 sections 5 and 7.1).
///
/// Anybody can write such a field into a mail, with any server's name. What the own servers add stands above what came with the mail; and
/// above the topmost field Received, which a server puts on top of all that it was sent, nothing can have come with it. So the fields
/// there count, all of them that carry a trusted name; where there are none, the topmost one below it alone. Fields in the headers of parts and of
/// messages inside the message never count.
struct TrustedResults {
    /// In lower case; nil where none is known.
    private let servers: [String]?

    init(servers: [String]? = nil) {
        self.servers = servers?.map { asciiLowercase($0) }
    }

    /// What the topmost fields say, whoever wrote them; nil where servers are trusted. Nobody writes that his own forgery is one, so what speaks
    /// against a mail can be believed without a name; what speaks for it cannot.
    func objections(in header: HeaderBlock, _ bytes: UnsafeRawBufferPointer) -> [AuthenticationResults]? {
        guard servers == nil else { return nil }
        var found: [AuthenticationResults] = []
        var isTopmost = false
        for field in header.authentications {
            let isOnTop = header.receivedStart.map { field.lowerBound < $0 } ?? false
            // What stands below those on top may have come with the mail, in the same server's name. Where none is on top, the first server's are all.
            if !isOnTop, isTopmost { break }
            guard let results = AuthenticationResults.parse(bytes[field]),
                isOnTop || found.first?.server ?? results.server == results.server
            else { break }
            isTopmost = isTopmost || isOnTop
            found.append(results)
        }
        return found
    }

    /// Those of the header block of a message that count; nil where no server is trusted.
    func results(of header: HeaderBlock, _ bytes: UnsafeRawBufferPointer) -> [AuthenticationResults]? {
        guard let servers else { return nil }
        var counted: [AuthenticationResults] = []
        for field in header.authentications {
            let isOnTop = header.receivedStart.map { field.lowerBound < $0 } ?? false
            if !isOnTop, !counted.isEmpty { break }
            // The own server's, spoilt by what it quotes: what stands below may be forged.
            guard let results = AuthenticationResults.parse(bytes[field]) else { break }
            if servers.contains(results.server) { counted.append(results) }
        }
        return counted
    }
}
