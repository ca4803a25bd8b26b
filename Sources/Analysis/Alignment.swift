import DMARC

/// How close a name must be to the one in From (`adkim`, `aspf`; RFC 7489 §6.3).
public enum AlignmentMode: Hashable, Sendable {
    /// The same organisation is enough. What holds where nothing is published.
    case relaxed
    /// The same name.
    case strict

    /// As published: `s`, in either case, is strict; everything else, absent or not, is relaxed.
    public init(published word: String?) { self = word?.lowercased() == "s" ? .strict : .relaxed }

    /// The word of the standard.
    public var word: String { self == .strict ? "s" : "r" }
}

/// Which of the two methods passed with a name that aligns with From.
public struct Alignment: Hashable, Sendable {
    /// A signature verified and its domain aligns.
    public var dkim: Bool
    /// The envelope's sender passed SPF and its domain aligns.
    public var spf: Bool

    /// Both parts.
    public init(dkim: Bool, spf: Bool) {
        self.dkim = dkim
        self.spf = spf
    }

    /// Worked out anew from the raw results of a record (RFC 7489 §3.1), whatever the reporter concluded.
    ///
    /// - Only the result `pass` passes; a result without a domain aligns with nothing.
    /// - SPF speaks of the envelope's sender. Checks of the name in HELO count only where there is no other: receivers check it in place of
    ///   an empty sender (RFC 7489 §3.1.2).
    /// - A name without organisational domain, such as a public suffix, aligns with itself only.
    public init(
        of results: AuthenticationSet, headerFrom: String, dkim dkimMode: AlignmentMode, spf spfMode: AlignmentMode, suffixes: PublicSuffixes
    ) {
        dkim = results.dkim.contains { signature in
            guard signature.result == .pass, let domain = signature.domain, !domain.isEmpty else { return false }
            return suffixes.isAligned(domain, with: headerFrom, strict: dkimMode == .strict)
        }
        let senders = results.spf.filter { $0.scope != .helo }
        spf = (senders.isEmpty ? results.spf : senders).contains { check in
            guard check.result == .pass, let domain = check.domain, !domain.isEmpty else { return false }
            return suffixes.isAligned(domain, with: headerFrom, strict: spfMode == .strict)
        }
    }

    /// Whether DMARC passes.
    public var passed: Bool { dkim || spf }

    /// `dkim=pass spf=fail`.
    public var text: String { "dkim=\(dkim ? "pass" : "fail") spf=\(spf ? "pass" : "fail")" }
}
