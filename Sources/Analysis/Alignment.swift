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

    /// Worked out anew from the names that passed (RFC 7489 §3.1), whatever the reporter concluded. `aligns` says whether a name aligns with
    /// the one in From in a mode.
    init<Name>(
        of names: PassingNames<Name>, dkim dkimMode: AlignmentMode, spf spfMode: AlignmentMode, aligns: (Name, AlignmentMode) throws -> Bool
    ) rethrows {
        dkim = try names.dkim.contains { try aligns($0, dkimMode) }
        spf = try names.spf.contains { try aligns($0, spfMode) }
    }

    /// Worked out anew from the raw results of a record. A name without organisational domain, such as a public suffix, aligns with itself
    /// only; an empty one with nothing.
    public init(
        of results: AuthenticationSet, headerFrom: String, dkim dkimMode: AlignmentMode, spf spfMode: AlignmentMode,
        suffixes: PublicSuffixes
    ) {
        self.init(of: PassingNames(results), dkim: dkimMode, spf: spfMode) { name, mode in
            !name.isEmpty && suffixes.isAligned(name, with: headerFrom, strict: mode == .strict)
        }
    }

    /// Whether DMARC passes.
    public var passed: Bool { dkim || spf }

    /// `dkim=pass spf=fail`.
    public var text: String { "dkim=\(dkim ? "pass" : "fail") spf=\(spf ? "pass" : "fail")" }
}

/// The names that passed, as texts or as keys.
///
/// Only the result `pass` passes. SPF speaks of the envelope's sender: checks of the name in HELO count only where there is no other, for
/// receivers check it in place of an empty sender (RFC 7489 §3.1.2). A result without a name is as good as none.
struct PassingNames<Name> {
    private(set) var dkim: [Name] = []
    private var senders: [Name] = []
    private var greetings: [Name] = []
    private var hasSender = false

    init() {}

    /// The names that SPF passed for.
    var spf: [Name] { hasSender ? senders : greetings }

    mutating func addSignature(_ name: Name?, passed: Bool) {
        if passed, let name { dkim.append(name) }
    }

    mutating func addCheck(_ name: Name?, isGreeting: Bool, passed: Bool) {
        if !isGreeting { hasSender = true }
        guard passed, let name else { return }
        if isGreeting { greetings.append(name) } else { senders.append(name) }
    }
}

extension PassingNames<String> {
    init(_ results: AuthenticationSet) {
        for result in results.dkim { addSignature(result.domain, passed: result.result == .pass) }
        for result in results.spf { addCheck(result.domain, isGreeting: result.scope == .helo, passed: result.result == .pass) }
    }
}
