import CLibPSL
import DMARC
import Glibc

/// Organisational domains by the Public Suffix List (RFC 7489 §3.2): for grouping and explaining only. Reporters' verdicts on alignment are
/// shown, never overwritten; RFC 9989 aligns by a walk through DNS, which cannot be repeated years later.
///
/// The list is the distribution's (`libpsl`), or a newer file.
public final class PublicSuffixes {
    private let list: OpaquePointer
    private var known: [String: String] = [:]
    private static let mostRemembered = 200_000

    /// The list of the distribution; with `file`, that one (the format of publicsuffix.org or libpsl's own). Nil if it cannot be read.
    public init?(file: String? = nil) {
        guard let list = file.map({ psl_load_file($0) }) ?? psl_latest(nil) else { return nil }
        self.list = list
    }

    // `psl_latest` may answer with the built-in list, which `psl_free` leaves alone.
    deinit { psl_free(list) }

    /// The organisational domain of a canonical name: its public suffix and one label more. A public suffix itself, an address or an empty
    /// name is its own.
    public func organisation(of name: String) -> String {
        if let organisation = known[name] { return organisation }
        let found = name.withCString { start -> String? in
            guard let end = psl_registrable_domain(list, start) else { return nil }
            return String(cString: end)
        }
        if known.count >= Self.mostRemembered { known.removeAll(keepingCapacity: true) }
        known[name] = found ?? name
        return found ?? name
    }

    /// Whether `name` aligns with `from` (RFC 7489 §3.1): the same name, or, relaxed, the same organisation.
    public func isAligned(_ name: String, with from: String, strict: Bool) -> Bool {
        strict ? name == from : organisation(of: name) == organisation(of: from)
    }

    /// What tells one list from another: verdicts that were made with another one are made anew.
    public var version: String { "\(psl_suffix_count(list)).\(psl_suffix_exception_count(list)).\(psl_suffix_wildcard_count(list))" }
}
