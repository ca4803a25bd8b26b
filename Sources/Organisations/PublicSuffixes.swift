import CLibPSL
import Glibc

/// Organisational domains by the Public Suffix List (RFC 7489 §3.2): for grouping and explaining only. Reporters' verdicts on alignment are
/// shown, never overwritten; RFC 9989 aligns by a walk through DNS, which cannot be repeated years later.
///
/// The list is the distribution's (`libpsl`), or a newer file.
public final class PublicSuffixes {
    private let list: OpaquePointer
    private let file: String?
    private var known: [String: String] = [:]
    private static let mostRemembered = 200_000

    /// The list of the distribution; with `file`, that one (the format of publicsuffix.org or libpsl's own). Nil if it cannot be read.
    public init?(file: String? = nil) {
        guard let list = file.map({ psl_load_file($0) }) ?? psl_latest(nil) else { return nil }
        self.list = list
        self.file = file
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
        let organisation = found.flatMap { tenant(of: name, at: $0) } ?? found ?? name
        if known.count >= Self.mostRemembered { known.removeAll(keepingCapacity: true) }
        known[name] = organisation
        return organisation
    }

    /// Who answers for a name, as the voice of reports: its organisational domain, but where anybody gets a name of his own below somebody else's for
    /// nothing (`NAME.github.io`, `TENANT.onmicrosoft.com`), whoever gives these away: by the part of the list that registries are in.
    public func giver(of name: String) -> String {
        var giver = organisation(of: name)
        for provider in Self.tenants.keys where giver.hasSuffix("." + provider) { return provider }
        // Whatever private suffixes lie in one another.
        while let dot = giver.firstIndex(of: ".") {
            let suffix = String(giver[giver.index(after: dot)...])
            guard suffix.contains("."), psl_is_public_suffix2(list, suffix, Int32(PSL_TYPE_ICANN)) == 0,
                psl_is_public_suffix2(list, suffix, Int32(PSL_TYPE_ANY)) == 1
            else { break }
            giver = suffix
        }
        return giver
    }

    /// Names that a mailbox provider gives its customers, and how many labels of a customer stand before them. They are no public suffixes,
    /// but who signs as one customer is not another: `TENANT.onmicrosoft.com`, `example-nl.20230601.gappssmtp.com`.
    private static let tenants = ["onmicrosoft.com": 1, "gappssmtp.com": 2]

    private func tenant(of name: String, at provider: String) -> String? {
        guard let labels = Self.tenants[provider], name.utf8.count > provider.utf8.count + 1 else { return nil }
        return name.dropLast(provider.utf8.count + 1).split(separator: ".").suffix(labels).joined(separator: ".") + "." + provider
    }

    /// What tells one list from another: verdicts that were made with another one are made anew. By content, since libpsl does not count
    /// the suffixes of a compiled list. Without a file of ours it may take the distribution's or the one built into it, so both are named.
    public var version: String {
        if let file { return Self.digest(ofFile: file) }
        let distributed = psl_dist_filename().map { Self.digest(ofFile: String(cString: $0)) } ?? "-"
        let builtIn = psl_builtin_sha1sum().map { String(cString: $0).prefix(16) } ?? "-"
        return "\(distributed).\(builtIn)"
    }

    /// FNV-1a of a file's bytes, 64 bits in hexadecimal digits; `-` if it cannot be read.
    private static func digest(ofFile path: String) -> String {
        guard let file = fopen(path, "re") else { return "-" }
        defer { fclose(file) }
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { return String(digest, radix: 16) }
            for byte in piece[..<count] { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
    }
}
