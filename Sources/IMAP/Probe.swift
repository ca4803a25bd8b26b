import Glibc
import Mail

/// One step of trying out an account.
public struct ProbeStep: Equatable, Sendable {
    /// What was tried, in this order.
    public enum Name: String, Sendable, CaseIterable {
        /// Host, port, TLS, the certificate's trust and host name.
        case connection
        /// What the certificate says.
        case certificate
        /// What the server can do.
        case capabilities
        /// User and password or token.
        case login
        /// The folder to read.
        case folder
        /// How many messages are in it.
        case messageCount = "message-count"
        /// Whether messages may be marked, moved and deleted.
        case change
        /// A folder that messages are to be moved to.
        case target
    }

    /// How it went.
    public enum Outcome: Equatable, Sendable {
        /// It works.
        case passed
        /// It works, but not all that is asked for will.
        case doubtful
        /// It does not work; what comes after it was not tried.
        case failed(IMAPError)
    }

    /// What was tried.
    public let name: Name
    /// How it went.
    public let outcome: Outcome
    /// What was found, for people. Foreign text.
    public let found: String
    /// The end of the certificate's validity in seconds since 1970; for `certificate` alone.
    public let expires: Int?
}

/// Tries out an account step by step, up to the first that fails. Nothing is changed but that the server may take messages for no longer
/// recent; no folder is made.
///
/// - Parameter targets: folders that messages are to be moved to, as people write them.
public func probe(_ account: IMAPAccount, limits: IMAPLimits = IMAPLimits(), targets: [String] = []) -> [ProbeStep] {
    var steps: [ProbeStep] = []
    let deadline = Deadline.after(seconds: limits.runSeconds)
    func pass(_ name: ProbeStep.Name, _ found: String, _ outcome: ProbeStep.Outcome = .passed, expires: Int? = nil) {
        steps.append(ProbeStep(name: name, outcome: outcome, found: found, expires: expires))
    }
    var current = ProbeStep.Name.connection
    var open: Session?
    do throws(IMAPError) {
        try account.check()
        let transport = try CurlTransport(account, limits, deadline: deadline) { false }
        let session = Session(transport, limits, runDeadline: deadline)
        open = session
        pass(.connection, "\(account.host):\(account.port), \(account.tls == .implicit ? "TLS" : "STARTTLS")")
        if let facts = session.certificate {
            pass(.certificate, "\(facts.subject); issued by \(facts.issuer); valid until \(facts.expiry)", expires: seconds(facts.expiry))
        }
        current = .capabilities
        try session.askCapabilities()
        current = .login
        try session.logIn(account)
        try session.prepare(version: account.version)
        // Many servers name all they can only after the login.
        pass(.capabilities, session.capabilities.sorted().joined(separator: " "))
        pass(.login, "\(account.user), \(account.authentication.rawValue)")
        current = .folder
        let folder = try session.open(session.candidates(account.folder), toChange: true)
        pass(
            .folder,
            folder.uidValidity.map { "\(folder.name), UIDVALIDITY \($0)" }
                ?? "\(folder.name), no UIDVALIDITY: all its messages are fetched in each run and known by their content")
        current = .messageCount
        pass(.messageCount, folder.messageCount.map { "\($0)" } ?? "the server does not say")
        current = .change
        let (found, outcome) = changes(folder, session)
        pass(.change, found, outcome)
        current = .target
        for target in targets {
            let names = session.candidates(target)
            var existing: String?
            for name in names where existing == nil {
                if try session.find(name) != nil { existing = name }
            }
            if let existing {
                pass(.target, "\(existing) is there")
            } else {
                pass(.target, "\(names.first ?? target) is not there; it will be made when the first message is moved")
            }
        }
    } catch {
        // What the server names before the login may be why it fails.
        if current == .login, let open { pass(.capabilities, open.capabilities.sorted().joined(separator: " ")) }
        steps.append(ProbeStep(name: current, outcome: .failed(error.at(account.place)), found: error.found, expires: nil))
        if error.endsConnection { open?.close() }
    }
    open?.logOut()
    return steps
}

/// A time as OpenSSL writes it, such as `Nov 21 19:57:46 2027 GMT`.
private func seconds(_ text: String) -> Int? {
    let words = text.split(whereSeparator: { $0 == " " || $0 == ":" })
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard words.count >= 6, let month = months.firstIndex(of: String(words[0])), let day = Int32(words[1]), let hour = Int32(words[2]),
        let minute = Int32(words[3]), let second = Int32(words[4]), let year = Int32(words[5]), (1900...9999).contains(year)
    else { return nil }
    var time = tm()
    time.tm_year = year - 1900
    time.tm_mon = Int32(month)
    (time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec) = (day, hour, minute, second)
    return timegm(&time)
}

/// What may be done with messages.
private func changes(_ folder: OpenFolder, _ session: Session) -> (String, ProbeStep.Outcome) {
    if folder.isReadOnly { return ("the folder is read-only: messages can only be left as they are", .doubtful) }
    let flags = folder.permanentFlags
    // Without the list all flags can be changed (RFC 9051 section 7.1).
    guard flags.isEmpty || flags.contains("\\seen") else { return ("messages cannot be marked as seen", .doubtful) }
    let canDelete = flags.isEmpty || flags.contains("\\deleted")
    if session.canMove { return ("messages can be marked and moved (MOVE)" + (canDelete ? " and deleted" : ""), .passed) }
    guard canDelete else { return ("messages can be marked, but neither moved nor deleted", .doubtful) }
    if session.canExpungeOne { return ("messages can be marked, moved (COPY and UID EXPUNGE) and deleted", .passed) }
    return (
        "messages can be marked; what is moved (copied) or deleted stays in the folder, marked as deleted, until a mail program removes what is"
            + " so marked: the server lacks UIDPLUS", .doubtful
    )
}
