/// A connection that is encrypted already, greeted, and not logged in: bytes out, bytes in.
///
/// Used by one thread at a time. Whatever it throws ends the connection; `place` is empty.
protocol Transport: AnyObject {
    /// What the other side showed of itself.
    var certificate: CertificateFacts? { get }

    /// Sends all of `bytes`.
    ///
    /// - Throws: `imap-timeout`, `imap-lost`, `imap-cancelled`.
    func send(_ bytes: UnsafeRawBufferPointer, deadline: Deadline) throws(IMAPError)

    /// Puts at least one byte into `buffer`, which is not empty, and returns how many; 0 when the other side has closed.
    ///
    /// - Throws: as `send`.
    func receive(into buffer: UnsafeMutableRawBufferPointer, deadline: Deadline) throws(IMAPError) -> Int

    /// Ends the connection at once.
    func close()
}

/// What a server's certificate says.
struct CertificateFacts: Equatable, Sendable {
    var subject: String
    var issuer: String
    /// As OpenSSL writes it: `Nov 21 19:57:46 2027 GMT`.
    var expiry: String
}
