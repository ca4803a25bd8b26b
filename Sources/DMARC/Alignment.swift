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

    /// Whether DMARC passes.
    public var passed: Bool { dkim || spf }

    /// `dkim=pass spf=fail`.
    public var text: String { "dkim=\(dkim ? "pass" : "fail") spf=\(spf ? "pass" : "fail")" }
}
