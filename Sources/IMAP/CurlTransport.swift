import CLibCurl
import Glibc

/// A connection made by libcurl: TCP, TLS 1.2 or later with verification, from the first byte or by STARTTLS; then raw bytes.
///
/// libcurl is given no credentials, so it can send none: it reads the greeting, asks for capabilities, starts TLS, and leaves the rest to
/// us. What the server says until then arrives in the header callback, where a PREAUTH greeting is seen.
final class CurlTransport: Transport {
    private let curl: cshim_lib
    private let handle: OpaquePointer
    private let socket: Int32
    private let isCancelled: @Sendable () -> Bool
    private var isOpen = true
    let certificate: CertificateFacts?

    /// libcurl, found when the first connection is made: `curl_global_init` must be called once, before anything else.
    // Any thread may use it: the table never changes again, and what it points to stays where it is.
    nonisolated(unsafe) private static let loaded: Result<cshim_lib, IMAPError> = {
        var problem: UnsafePointer<CChar>?
        guard let curl = cshim_load(&problem) else {
            let reason = problem.map { String(cString: $0) } ?? CSHIM_LIBRARY
            return .failure(IMAPError(code: .noLibrary, found: "libcurl, which IMAP needs, cannot be loaded: \(reason)"))
        }
        guard curl.pointee.global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else {
            return .failure(IMAPError(code: .noLibrary, found: "libcurl cannot be initialised"))
        }
        return .success(curl)
    }()

    /// Connects.
    ///
    /// - Throws: `imap-tls-required`, `imap-certificate`, `imap-lost`, `imap-timeout`, `imap-protocol`, `imap-response-too-large`,
    ///   `imap-account`, `imap-no-library`.
    init(
        _ account: IMAPAccount, _ limits: IMAPLimits, deadline: Deadline, isCancelled: @escaping @Sendable () -> Bool
    ) throws(IMAPError) {
        self.isCancelled = isCancelled
        let curl = try Self.loaded.get()
        guard let easy = curl.pointee.easy_init() else { throw IMAPError(code: .noLibrary, found: "libcurl cannot be initialised") }
        let handle = OpaquePointer(easy)
        let greeting = Greeting()
        // libcurl writes at most CURL_ERROR_SIZE bytes into it while the handle lives.
        let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        let seconds = min(.after(seconds: limits.connectSeconds), deadline).secondsLeft
        Self.set(curl, handle, account, Int(seconds * 1000), greeting, message)
        let result = withExtendedLifetime(greeting) { withoutBrokenPipe { curl.pointee.easy_perform(easy) } }
        let words = String(cString: message)
        cshim_set_ptr(curl, easy, CURLOPT_ERRORBUFFER, nil)
        message.deallocate()
        cshim_set_cb(curl, easy, CURLOPT_HEADERFUNCTION, { _, size, count, _ in size * count })
        cshim_set_ptr(curl, easy, CURLOPT_HEADERDATA, nil)
        var problem = Self.error(curl, result, words, greeting, account)
        if problem == nil, greeting.isPreauthenticated {
            problem = IMAPError(
                code: .tlsRequired, found: "the server takes the connection for logged in before TLS and login: \(greeting.firstLine)")
        }
        var socket: Int32 = -1
        if problem == nil, cshim_get_sock(curl, easy, &socket) != CURLE_OK || socket < 0 {
            problem = IMAPError(code: .lost, found: "the connection ended at once")
        }
        if let problem {
            withoutBrokenPipe { curl.pointee.easy_cleanup(easy) }
            throw problem
        }
        self.curl = curl
        self.handle = handle
        self.socket = socket
        // Children are none of the server's business.
        _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
        certificate = Self.certificate(curl, handle)
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        // Otherwise libcurl would say LOGOUT in its own way and wait for an answer.
        shutdown(socket, Int32(SHUT_RDWR))
        withoutBrokenPipe { curl.pointee.easy_cleanup(UnsafeMutableRawPointer(handle)) }
    }

    // MARK: - Connecting

    /// What the server says before login.
    private final class Greeting {
        var bytes: [UInt8] = []
        var count = 0

        var firstLine: String { clipped(bytes.prefix { $0 != 0x0d && $0 != 0x0a }) }

        var isPreauthenticated: Bool { String(decoding: bytes.prefix(9), as: UTF8.self).uppercased() == "* PREAUTH" }
    }

    private static func set(
        _ curl: cshim_lib, _ handle: OpaquePointer, _ account: IMAPAccount, _ milliseconds: Int, _ greeting: Greeting,
        _ message: UnsafeMutablePointer<CChar>
    ) {
        let easy = UnsafeMutableRawPointer(handle)
        let host = account.host.contains(":") ? "[\(account.host)]" : account.host
        let scheme = account.tls == .implicit ? "imaps" : "imap"
        cshim_set_str(curl, easy, CURLOPT_URL, "\(scheme)://\(host):\(account.port)/")
        cshim_set_str(curl, easy, CURLOPT_PROTOCOLS_STR, "imap,imaps")
        cshim_set_long(curl, easy, CURLOPT_CONNECT_ONLY, 1)
        cshim_set_long(curl, easy, CURLOPT_NOSIGNAL, 1)
        cshim_set_long(curl, easy, CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue))
        cshim_set_long(curl, easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        cshim_set_long(curl, easy, CURLOPT_SSL_VERIFYPEER, 1)
        cshim_set_long(curl, easy, CURLOPT_SSL_VERIFYHOST, 2)
        cshim_set_long(curl, easy, CURLOPT_CERTINFO, 1)
        if let file = account.caFile {
            cshim_set_str(curl, easy, CURLOPT_CAINFO, file)
            // The system's directory of authorities would be trusted beside the file.
            cshim_set_str(curl, easy, CURLOPT_CAPATH, nil)
        }
        // No proxy from the environment: the mailbox's server is the only one that is spoken to.
        cshim_set_str(curl, easy, CURLOPT_PROXY, "")
        cshim_set_long(curl, easy, CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        cshim_set_long(curl, easy, CURLOPT_TCP_KEEPALIVE, 1)
        cshim_set_long(curl, easy, CURLOPT_CONNECTTIMEOUT_MS, max(1, milliseconds))
        cshim_set_long(curl, easy, CURLOPT_TIMEOUT_MS, max(1, milliseconds))
        cshim_set_ptr(curl, easy, CURLOPT_ERRORBUFFER, message)
        cshim_set_ptr(curl, easy, CURLOPT_HEADERDATA, Unmanaged.passUnretained(greeting).toOpaque())
        cshim_set_cb(curl, easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let greeting = Unmanaged<Greeting>.fromOpaque(context).takeUnretainedValue()
            greeting.count += size * count
            // Any other number than that given ends the transfer.
            guard greeting.count <= IMAPLimits.maxGreetingBytes else { return 0 }
            if greeting.bytes.count < 1024 {
                greeting.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count).prefix(1024))
            }
            return size * count
        }
    }

    /// What a result of libcurl means; nil for success.
    private static func error(
        _ curl: cshim_lib, _ result: CURLcode, _ words: String, _ greeting: Greeting, _ account: IMAPAccount
    ) -> IMAPError? {
        let said = greeting.bytes.isEmpty ? "" : "; the server said: \(greeting.firstLine)"
        let reason = words.isEmpty ? meaning(curl, result) : words
        switch result {
        case CURLE_OK:
            return nil
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
            return IMAPError(code: .certificate, found: reason)
        case CURLE_SSL_CACERT_BADFILE:
            return IMAPError(code: .certificate, found: "the file of authorities cannot be used: \(account.caFile ?? "the system's")")
        case CURLE_USE_SSL_FAILED:
            if greeting.isPreauthenticated {
                return IMAPError(
                    code: .tlsRequired, found: "the server takes the connection for logged in before TLS and login: \(greeting.firstLine)")
            }
            return IMAPError(code: .tlsRequired, found: "the server does not start TLS\(said)")
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER, CURLE_SSL_ENGINE_INITFAILED:
            // Also a connection that was cut amid the handshake.
            return IMAPError(code: .tlsRequired, found: "no TLS connection of version 1.2 or later: \(reason)", mayPass: true)
        case CURLE_OPERATION_TIMEDOUT:
            return IMAPError(code: .timeout, found: "no connection in time\(said)")
        case CURLE_WRITE_ERROR:
            return IMAPError(code: .responseTooLarge, found: "a greeting above \(IMAPLimits.maxGreetingBytes) bytes\(said)")
        case CURLE_WEIRD_SERVER_REPLY:
            if account.tls == .startTLS, String(decoding: greeting.bytes.prefix(4), as: UTF8.self).uppercased() == "* OK" {
                // Words behind the answer to STARTTLS, among others: they would pass for words said under TLS (CVE-2021-22947).
                return IMAPError(code: .tlsRequired, found: "the server does not start TLS as it must\(said)")
            }
            let isFarewell = String(decoding: greeting.bytes.prefix(5), as: UTF8.self).uppercased() == "* BYE"
            return IMAPError(code: isFarewell ? .lost : .malformed, found: "no greeting of an IMAP server\(said)")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            return IMAPError(code: .account, found: "\(account.host): \(reason)")
        default:
            return IMAPError(code: .lost, found: reason + said)
        }
    }

    private static func meaning(_ curl: cshim_lib, _ result: CURLcode) -> String {
        curl.pointee.easy_strerror(result).map { String(cString: $0) } ?? "result \(result.rawValue) of libcurl"
    }

    private static func certificate(_ curl: cshim_lib, _ handle: OpaquePointer) -> CertificateFacts? {
        var chain: UnsafeMutablePointer<curl_certinfo>?
        guard cshim_get_certinfo(curl, UnsafeMutableRawPointer(handle), &chain) == CURLE_OK, let chain, chain.pointee.num_of_certs > 0,
            let list = chain.pointee.certinfo
        else { return nil }
        var facts = CertificateFacts(subject: "", issuer: "", expiry: "")
        var entry = list[0]
        while let line = entry {
            if let data = line.pointee.data {
                let text = String(cString: data)
                func value(_ name: String) -> String? {
                    text.hasPrefix(name + ":") ? clipped(Array(text.utf8.dropFirst(name.utf8.count + 1))) : nil
                }
                if let subject = value("Subject") { facts.subject = subject }
                if let issuer = value("Issuer") { facts.issuer = issuer }
                if let expiry = value("Expire date") { facts.expiry = expiry }
            }
            entry = line.pointee.next
        }
        return facts
    }

    // MARK: - Bytes

    func send(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) throws(IMAPError) {
        var sent = 0
        while sent < bytes.count {
            guard isOpen, let base = bytes.baseAddress else { throw IMAPError(code: .lost, found: "the connection is closed") }
            var count = 0
            let result = withoutBrokenPipe {
                curl.pointee.easy_send(UnsafeMutableRawPointer(handle), base + sent, bytes.count - sent, &count)
            }
            switch result {
            case CURLE_OK: sent += count
            case CURLE_AGAIN: try wait(Int16(POLLOUT), deadline)
            default: throw IMAPError(code: .lost, found: "while sending: " + Self.meaning(curl, result))
            }
        }
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer, deadline: Deadline) throws(IMAPError) -> Int {
        while true {
            guard isOpen, let base = buffer.baseAddress else { throw IMAPError(code: .lost, found: "the connection is closed") }
            var count = 0
            // Before any poll: TLS may hold bytes that the socket no longer has.
            let result = withoutBrokenPipe { curl.pointee.easy_recv(UnsafeMutableRawPointer(handle), base, buffer.count, &count) }
            switch result {
            case CURLE_OK: return count
            case CURLE_AGAIN: try wait(Int16(POLLIN), deadline)
            default: throw IMAPError(code: .lost, found: "while receiving: " + Self.meaning(curl, result))
            }
        }
    }

    /// Waits in slices, so that a mailbox that is closed need not wait for a server.
    private func wait(_ events: Int16, _ deadline: Deadline) throws(IMAPError) {
        while true {
            if isCancelled() { throw IMAPError(code: .cancelled, found: "the mailbox was closed") }
            let milliseconds = deadline.milliseconds(atMost: 200)
            guard milliseconds > 0 else { throw IMAPError(code: .timeout, found: "the server does not answer in time") }
            var entry = pollfd(fd: socket, events: events, revents: 0)
            let ready = poll(&entry, 1, milliseconds)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw IMAPError(code: .lost, found: String(cString: strerror(errno))) }
        }
    }
}

/// Keeps a write to a closed connection from ending the process: libcurl leaves that to us with CURLOPT_NOSIGNAL, and without that option
/// it would change the signal's handling for all threads. The signal goes to the thread that writes, so it is held back there and dropped.
private func withoutBrokenPipe<Result>(_ body: () -> Result) -> Result {
    var pipe = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    var old = sigset_t()
    pthread_sigmask(SIG_BLOCK, &pipe, &old)
    let result = body()
    if sigismember(&old, SIGPIPE) == 0 {
        var none = timespec()
        while sigtimedwait(&pipe, nil, &none) == SIGPIPE {}
        pthread_sigmask(SIG_SETMASK, &old, nil)
    }
    return result
}
