import CLinux
import Glibc
import Mail
import Store

/// Keeps an ingest to its places once its configuration is read and its secrets are fetched: the folder of the database, its mailboxes, and
/// what the system's libraries read (`docs/decisions/0015-confinement.md`). What is not named here cannot be opened any more.
struct Confinement {
    /// Rights of Landlock, by their place (landlock(7)).
    private enum Right {
        static let execute: UInt64 = 1 << 0
        static let writeFile: UInt64 = 1 << 1
        static let readFile: UInt64 = 1 << 2
        static let readDirectory: UInt64 = 1 << 3
        static let removeFile: UInt64 = 1 << 5
        static let makeDirectory: UInt64 = 1 << 7
        static let makeFile: UInt64 = 1 << 8
        static let move: UInt64 = 1 << 13
        static let truncate: UInt64 = 1 << 14

        static let bind: UInt64 = 1 << 0
        static let connect: UInt64 = 1 << 1

        /// All that a version of Landlock knows: on files, on TCP, and beyond the process (signals, and sockets without a file).
        static func all(_ version: Int) -> (files: UInt64, net: UInt64, scopes: UInt64) {
            var files: UInt64 = (1 << 13) - 1
            if version >= 2 { files |= move }
            if version >= 3 { files |= truncate }
            if version >= 5 { files |= 1 << 15 }
            return (files, version >= 4 ? bind | connect : 0, version >= 6 ? 3 : 0)
        }

        /// Rights that a file can have; the others are a directory's.
        static let ofFiles = execute | writeFile | readFile | truncate
    }

    /// What may be done below a place.
    private enum Use {
        case read
        /// One set for all places that change: between places with other rights nothing could be moved.
        case change
        case run

        var rights: UInt64 {
            switch self {
            case .read: Right.readFile | Right.readDirectory
            case .change:
                Right.readFile | Right.readDirectory | Right.writeFile | Right.truncate | Right.makeFile | Right.makeDirectory
                    | Right.removeFile | Right.move
            case .run: Right.readFile | Right.execute
            }
        }
    }

    private var places: [(path: String, use: Use)] = []
    private var ports: Set<UInt16> = []
    private var movesMail = false
    private let context: Context

    /// What every run needs.
    private init(_ context: Context) {
        self.context = context
        // Programs and libraries, character sets, time zones, the list of public suffixes.
        for path in ["/usr", "/lib", "/lib64", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/localtime"] { read(path) }
        for path in (context.variable("LD_LIBRARY_PATH") ?? "").split(separator: ":") { read(String(path)) }
        for folder in Self.libraryFolders { read(folder) }
        // The memory that a process takes which looks at a suspect (proc(5)), and how many processors there are.
        for path in ["/proc", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random"] { read(path) }
        places.append(("/dev/null", .change))
        // `IsolatedReader` starts this program anew.
        if let executable = context.executable { places.append((executable, .run)) }
        if let loader = dmarcstat_loader() { places.append((String(cString: loader), .run)) }
        // Where SQLite puts what a large sort does not hold in memory (sqlite.org/tempfiles.html, section 5).
        let temporary = ["SQLITE_TMPDIR", "TMPDIR"].compactMap(context.variable) + ["/var/tmp", "/usr/tmp", "/tmp", "."]
        if let first = temporary.first(where: { access($0, W_OK | X_OK) == 0 }) { change(first) }
    }

    /// What an ingest of these needs.
    init(_ targets: [MailboxTarget], database path: String, _ configuration: Configuration, output: String?, _ context: Context) {
        self.init(context)
        changeFolder(of: path)
        if let output { changeFolder(of: output) }
        if let list = configuration.publicSuffixList { read(list) }
        for target in targets {
            switch target.place {
            case .path(let path): add(path, target.actions)
            case .imap(let account, _):
                ports.insert(account.port)
                if let file = account.caFile { read(file) }
            }
        }
        if !ports.isEmpty { addNetwork() }
    }

    /// Whether this run reaches a server.
    private var isOnline: Bool { !ports.isEmpty }

    private mutating func read(_ path: String) { places.append((path, .read)) }

    private mutating func change(_ path: String) { places.append((path, .change)) }

    /// The folder of a file, and that of what it is a link to.
    private mutating func changeFolder(of path: String) {
        for path in [path, Self.resolved(path)].compactMap({ $0 }) { change(Self.folder(of: path)) }
    }

    /// A mailbox on disk, and where its mail is moved to.
    private mutating func add(_ path: String, _ actions: MailActions) {
        guard path != "-" else { return }
        guard actions.change else { return read(path) }
        movesMail = true
        let resolved = Self.resolved(path) ?? path
        let isFolder = (try? mailboxKind(path: path)).map { $0 == .maildir || $0 == .directory } ?? true
        let home = isFolder ? resolved : Self.folder(of: resolved)
        change(home)
        for folder in actions.folders {
            let target = folder.hasPrefix("/") ? folder : home + "/" + folder
            // Beside files it may lie elsewhere, and be made on the way.
            if let place = Self.resolved(target) ?? Self.resolved(Self.folder(of: target)) { change(place) }
        }
    }

    /// Names of hosts, certificates, and the services that know them.
    private mutating func addNetwork() {
        let files = ["resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols", "passwd", "group"]
        let folders = ["ssl", "pki", "ca-certificates", "crypto-policies", "gnutls", "krb5.conf", "krb5.conf.d", "gss", "openssl"]
        for name in files + folders { read("/etc/" + name) }
        // The list of name servers is replaced by another file of the same name when the network changes.
        for name in ["systemd/resolve", "resolvconf", "NetworkManager", "connman", "nscd"] { read("/run/" + name) }
        read("/var/lib/ca-certificates")
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "OPENSSL_CONF"] { context.variable(name).map { read($0) } }
        // An answer that is too long for a datagram is asked for once more over TCP (RFC 7766).
        ports.insert(53)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// The folders that the libraries of this process were loaded from: `examine` loads them anew.
    private static var libraryFolders: Set<String> {
        let paths = sequence(state: UInt32(0)) { index -> String? in
            defer { index += 1 }
            return dmarcstat_library(index).map { String(cString: $0) }
        }
        return Set(paths.filter { $0.hasPrefix("/") }.map(folder))
    }

    // MARK: - Doing it

    /// From now on. What the kernel does not have is gone without; `doctor` says so. There is one thread: the rules hold for it and all that it
    /// makes.
    func begin(_ kernel: Kernel) {
        if kernel.canKeepToPlaces(movingMail: movesMail) { keepToPlaces(kernel.landlockVersion) }
        if kernel.hasFilters { _ = dmarcstat_give_up_calls(isOnline ? 0 : 1) }
    }

    private func keepToPlaces(_ version: Int) {
        let all = Right.all(version)
        let rules = dmarcstat_landlock_begin(all.files, all.net, all.scopes)
        guard rules >= 0 else { return }
        defer { close(rules) }
        for (path, use) in places {
            // What is not there now is not missed, and what is on no disk, such as a pipe, cannot be forbidden.
            let rights = use.rights & all.files
            _ = dmarcstat_landlock_allow_path(rules, path, rights, rights & Right.ofFiles)
        }
        if all.net != 0 { for port in ports { _ = dmarcstat_landlock_allow_connect(rules, UInt64(port)) } }
        _ = dmarcstat_landlock_enforce(rules)
    }
}
