/// Which checks of SPF speak of who sent a message.
///
/// DMARC looks at the envelope's sender. Receivers check the name in HELO in its place where the sender is empty, and some report both: then the
/// name in HELO says nothing that DMARC asks (RFC 7489 §3.1.2, §4.1). Whatever reads results asks here.
public enum SenderCheck {
    /// Whether a check counts.
    ///
    /// - Parameters:
    ///   - isHELO: it is of the name in HELO.
    ///   - hasSender: the same message has a check of the envelope's sender as well.
    @inlinable
    public static func counts(isHELO: Bool, hasSender: Bool) -> Bool { !isHELO || !hasSender }
}

extension AuthenticationSet {
    /// The checks of SPF that count, in the order of the report.
    public var senderChecks: [SPFResult] {
        let hasSender = spf.contains { $0.scope != .helo }
        return spf.filter { SenderCheck.counts(isHELO: $0.scope == .helo, hasSender: hasSender) }
    }
}
