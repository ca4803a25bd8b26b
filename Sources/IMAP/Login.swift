extension Session {
    /// Logs in as `account` says.
    ///
    /// - Throws: `imap-login`, `imap-no-secret`; and what ends a connection.
    func logIn(_ account: IMAPAccount) throws(IMAPError) {
        try account.secret.use { (secret) throws(IMAPError) in
            guard !secret.isEmpty, !secret.contains(0), !secret.contains(0x0a), !secret.contains(0x0d) else {
                throw IMAPError(code: .noSecret, found: "the password or token is empty, or holds a line end or NUL")
            }
            switch account.authentication {
            case .password:
                if capabilities.contains("AUTH=PLAIN") {
                    try authenticate("PLAIN", Self.plain(account, secret), secret)
                } else if !capabilities.contains("LOGINDISABLED") {
                    try logIn(account.user, secret)
                } else {
                    throw unsupported("a password")
                }
            case .xoauth2:
                guard capabilities.contains("AUTH=XOAUTH2") else { throw unsupported("XOAUTH2") }
                try authenticate("XOAUTH2", Self.xoauth2(account, secret), secret)
            case .oauthbearer:
                guard capabilities.contains("AUTH=OAUTHBEARER") else { throw unsupported("OAUTHBEARER") }
                try authenticate("OAUTHBEARER", Self.oauthbearer(account, secret), secret)
            }
        }
    }

    private func unsupported(_ what: String) -> IMAPError {
        let offered = capabilities.filter { $0.hasPrefix("AUTH=") || $0 == "LOGINDISABLED" }.sorted().joined(separator: " ")
        return IMAPError(code: .login, found: "the server takes no login by \(what); it offers: \(offered.isEmpty ? "none" : offered)")
    }

    ///     message = [authzid] UTF8NUL authcid UTF8NUL passwd      ; RFC 4616 section 2
    private static func plain(_ account: IMAPAccount, _ secret: [UInt8]) -> [UInt8] {
        var bytes = [0] + Array(account.user.utf8) + [0]
        // Appended in place: `+` would leave copies behind that nobody wipes.
        bytes.reserveCapacity(bytes.count + secret.count)
        bytes.append(contentsOf: secret)
        return bytes
    }

    ///     "user=" {User} "^Aauth=Bearer " {token} "^A^A"          ; https://developers.google.com/gmail/imap/xoauth2-protocol
    private static func xoauth2(_ account: IMAPAccount, _ token: [UInt8]) -> [UInt8] {
        var bytes = Array("user=\(account.user)\u{1}auth=Bearer ".utf8)
        bytes.reserveCapacity(bytes.count + token.count + 2)
        bytes.append(contentsOf: token)
        bytes.append(contentsOf: [1, 1])
        return bytes
    }

    ///     client-resp = gs2-header kvsep *kvpair kvsep            ; RFC 7628 section 3.1
    private static func oauthbearer(_ account: IMAPAccount, _ token: [UInt8]) -> [UInt8] {
        // RFC 5801 section 4, saslname.
        let name = account.user.flatMap { $0 == "=" ? "=3D" : $0 == "," ? "=2C" : String($0) }
        var bytes = Array("n,a=\(String(name)),\u{1}host=\(account.host)\u{1}port=\(account.port)\u{1}auth=Bearer ".utf8)
        bytes.reserveCapacity(bytes.count + token.count + 2)
        bytes.append(contentsOf: token)
        bytes.append(contentsOf: [1, 1])
        return bytes
    }

    ///     authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)
    private func authenticate(_ mechanism: String, _ message: consuming [UInt8], _ secret: [UInt8]) throws(IMAPError) {
        defer { wipe(&message) }
        var coded = base64(message)
        defer { wipe(&coded) }
        var command = Command("AUTHENTICATE " + mechanism)
        var isSent = false
        if capabilities.contains("SASL-IR") {
            command.append([0x20])
            command.append(coded)
            isSent = true
        }
        var asked = 0
        let status = try run(
            command,
            onContinuation: { (_) throws(IMAPError) in
                asked += 1
                guard asked <= 2 else { throw IMAPError(code: .malformed, found: "AUTHENTICATE: the server asks without end") }
                defer { isSent = true }
                // After a refusal the OAuth mechanisms send an error that wants an empty answer: XOAUTH2 nothing, RFC 7628 section 3.2.3
                // a single 0x01.
                if isSent { return mechanism == "OAUTHBEARER" ? Array("AQ==".utf8) : [] }
                return Array(coded)
            })
        guard status.word == .ok else { throw refusal(status, secret, coded) }
    }

    ///     login = "LOGIN" SP userid SP password
    private func logIn(_ user: String, _ secret: [UInt8]) throws(IMAPError) {
        var command = Command("LOGIN")
        command.add(Array(user.utf8))
        command.add(secret)
        let status = try run(command)
        guard status.word == .ok else { throw refusal(status, secret, secret) }
    }

    /// What the server says of a refused login, unless it repeats what it was sent.
    private func refusal(_ status: Status, _ secret: [UInt8], _ coded: [UInt8]) -> IMAPError {
        // RFC 5530 section 3: the password may be right, the server cannot tell at the moment.
        let isTheServersFault = status.word == .no && status.code == .other("UNAVAILABLE")
        let text = Array(status.text.utf8)
        let repeats = status.word == .bad || holdsPiece(of: secret, text) || holdsPiece(of: coded, text)
        let words = repeats ? "(the server's words are left out: they may hold the password)" : status.text
        return IMAPError(
            code: isTheServersFault ? .lost : .login, found: "the server refuses the login: \(status.word.rawValue) \(words)")
    }

    /// Whether `text` holds `secret`, or six bytes of it in a row.
    private func holdsPiece(of secret: [UInt8], _ text: [UInt8]) -> Bool {
        let length = min(6, secret.count)
        guard text.count >= length else { return false }
        var pieces = Set<ArraySlice<UInt8>>()
        for start in 0...secret.count - length { pieces.insert(secret[start..<start + length]) }
        return (0...text.count - length).contains { pieces.contains(text[$0..<$0 + length]) }
    }
}
