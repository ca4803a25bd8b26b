import Foundation
import Glibc
import Mail

@testable import IMAP

/// A Dovecot of the tests' own on the loopback, with a private configuration and private authorities.
///
/// It is the child of a shell that stops it by its process id when this process ends, however that happens.
final class Dovecot: Sendable {
    /// What a server is to be like.
    struct Shape {
        var separator = "/"
        var prefix = ""
        /// The capabilities that it names after login; Dovecot's own if empty.
        var capability = ""
    }

    static let password = "s3cr3t-canary-0815"

    /// Why there is no server; nil if there can be one.
    static var hindrance: String? {
        if !FileManager.default.fileExists(atPath: "/usr/sbin/dovecot") { return "dovecot-imapd is not installed" }
        return geteuid() == 0 ? nil : "only root can start Dovecot"
    }

    static let isThere = hindrance == nil

    /// `/` as separator, no prefix.
    static let plain = Dovecot(Shape())
    /// `.` as separator, everything below `INBOX.`, no MOVE: like Courier.
    static let dotted = Dovecot(
        Shape(separator: ".", prefix: "INBOX.", capability: "IMAP4rev1 SASL-IR LITERAL+ ENABLE NAMESPACE UIDPLUS LIST-EXTENDED"))
    /// Neither MOVE nor UIDPLUS nor NAMESPACE.
    static let bare = Dovecot(Shape(capability: "IMAP4rev1"))

    let port: UInt16
    let startTLSPort: UInt16
    let folder: String
    private let shape: Shape
    /// As long as it is open, the server runs.
    private let lifeline: Int32

    var caFile: String { Certificates.shared.folder + "/ca.pem" }

    init(_ shape: Shape) {
        self.shape = shape
        port = freePort()
        startTLSPort = freePort()
        folder = "/tmp/imap-dovecot-" + UUID().uuidString
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        lifeline = ends[1]
        defer { close(ends[0]) }
        guard Self.isThere else { return }
        let manager = FileManager.default
        for name in ["", "/run", "/mail"] {
            try? manager.createDirectory(atPath: folder + name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        }
        own(folder + "/mail")
        write(configuration, to: folder + "/dovecot.conf")
        // Not with `Process`: its children would hold the other end of the pipe open too.
        let script = """
            /usr/sbin/dovecot -F -c "$0/dovecot.conf" </dev/null & server=$!
            cat >/dev/null; kill $server; wait $server; rm -rf "$0" "$1"
            """
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, folder + "/out", O_WRONLY | O_CREAT, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var arguments: [UnsafeMutablePointer<CChar>?] =
            ["sh", "-c", script, folder, Certificates.shared.folder].map { (word: String) in strdup(word) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
        // The threads that tests run on hold signals back, and a child would inherit that: nothing could end it.
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var child = pid_t()
        posix_spawn(&child, "/bin/sh", &actions, &attributes, &arguments, &environment)
        posix_spawnattr_destroy(&attributes)
        posix_spawn_file_actions_destroy(&actions)
        for word in arguments + environment { free(word) }
        for _ in 0..<200 {
            let first = connect(to: port)
            let second = connect(to: startTLSPort)
            defer { for number in [first, second] where number >= 0 { close(number) } }
            if first >= 0, second >= 0 { return }
            usleep(25_000)
        }
    }

    private var configuration: String {
        let certificates = Certificates.shared.folder
        return """
            base_dir = \(folder)/run
            state_dir = \(folder)/run
            log_path = \(folder)/log
            protocols = imap
            listen = 127.0.0.1, 127.0.0.2, 127.0.0.3
            ssl = required
            ssl_cert = <\(certificates)/server.pem
            ssl_key = <\(certificates)/server.key
            ssl_min_protocol = TLSv1.2
            local 127.0.0.2 {
              ssl_cert = <\(certificates)/expired.pem
            }
            local 127.0.0.3 {
              ssl_cert = <\(certificates)/stranger.pem
            }
            disable_plaintext_auth = yes
            auth_mechanisms = plain login oauthbearer xoauth2
            auth_failure_delay = 0
            auth_username_chars =
            mail_location = maildir:\(folder)/mail/%n/Maildir
            mail_uid = nobody
            mail_gid = nogroup
            first_valid_uid = 1
            first_valid_gid = 1
            mail_max_userip_connections = 200
            mail_fsync = never
            \(shape.capability.isEmpty ? "" : "imap_capability = \(shape.capability)")
            passdb {
              driver = passwd-file
              # One line for all users: the name it looks for is "any", whoever logs in.
              args = scheme=PLAIN username_format=any \(folder)/users
            }
            userdb {
              driver = static
              args = uid=nobody gid=nogroup home=\(folder)/mail/%n
            }
            service imap-login {
              inet_listener imap {
                port = \(startTLSPort)
              }
              inet_listener imaps {
                port = \(port)
                ssl = yes
              }
              service_count = 0
              process_min_avail = 1
              client_limit = 200
              process_limit = 4
            }
            service imap {
              service_count = 1000
              process_min_avail = 2
              process_limit = 200
            }
            service anvil {
              unix_listener anvil-auth-penalty {
                mode = 0
              }
            }
            namespace inbox {
              inbox = yes
              separator = \(shape.separator)
              prefix = \(shape.prefix)
            }

            """ + writeUsers()
    }

    private func writeUsers() -> String {
        write("any:{PLAIN}\(Self.password)\n", to: folder + "/users")
        return ""
    }

    // MARK: - Mail

    /// An account of this server; every user has the same password.
    func account(
        _ user: String, folder: String = "INBOX", tls: TLSMode = .implicit, host: String = "localhost",
        authentication: IMAPAuthentication = .password, port: UInt16 = 0, secret: String = Dovecot.password
    ) -> IMAPAccount {
        IMAPAccount(
            name: "rua", host: host, port: port != 0 ? port : tls == .implicit ? self.port : startTLSPort, tls: tls, caFile: caFile,
            user: user, authentication: authentication, secret: Secret(bytes: Array(secret.utf8)), folder: folder)
    }

    /// The maildir of a folder: `sub` as Maildir++ has it, such as `.DMARC.done`; "" for the INBOX.
    func maildir(_ user: String, _ sub: String = "") -> String {
        folder + "/mail/\(user)/Maildir" + (sub.isEmpty ? "" : "/" + sub)
    }

    /// Puts mails into a folder as new, in this order.
    func deliver(_ mails: [String], to user: String, _ sub: String = "", start: Int = 0) {
        let root = maildir(user, sub)
        for path in [folder + "/mail/\(user)", maildir(user), root, root + "/tmp", root + "/new", root + "/cur"] {
            if mkdir(path, 0o755) == 0 { own(path) }
        }
        for (index, mail) in mails.enumerated() {
            let bytes = Array(mail.utf8)
            let wire = bytes.count + bytes.count(where: { $0 == 10 })
            let number = String(1_700_000_000 + start + index)
            let path = "\(root)/new/\(number).M1P1.test,S=\(bytes.count),W=\(wire)"
            let file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o644)
            _ = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            close(file)
        }
    }

    /// The names of the mails in `new` and `cur` of a folder.
    func mails(_ user: String, _ sub: String = "") -> [String] {
        ["new", "cur"].flatMap { (try? FileManager.default.contentsOfDirectory(atPath: maildir(user, sub) + "/" + $0)) ?? [] }
    }

    private func own(_ path: String) {
        guard let nobody = getpwnam("nobody") else { return }
        chown(path, nobody.pointee.pw_uid, nobody.pointee.pw_gid)
    }
}

/// Reads a mailbox to its end.
func collect(_ mailbox: IMAPMailbox, _ limit: Int = 32) throws -> [(key: String, bytes: [UInt8])] {
    var all: [(key: String, bytes: [UInt8])] = []
    var buffer: [UInt8] = []
    while true {
        let messages = try mailbox.next(limit)
        if messages.isEmpty { return all }
        for message in messages {
            try message.read(into: &buffer)
            all.append((message.key, buffer))
        }
    }
}

/// A private authority and certificates for servers: a sound one, one that has expired, and one of another authority.
final class Certificates: Sendable {
    static let shared = Certificates()

    let folder: String
    private let owner = TemporaryFolder()

    init() {
        folder = owner.path
        write(
            """
            [ca]
            default_ca = own
            [own]
            new_certs_dir = .
            database = index.txt
            serial = serial
            policy = any
            default_md = sha256
            copy_extensions = none
            unique_subject = no
            [any]
            commonName = supplied
            """, to: folder + "/ca.conf")
        write("", to: folder + "/index.txt")
        write("01\n", to: folder + "/serial")
        write("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3\n", to: folder + "/names")
        let script = """
            set -e
            new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            openssl req -x509 $new -days 30 -subj '/CN=test authority' -keyout ca.key -out ca.pem
            openssl req -x509 $new -days 30 -subj '/CN=another authority' -keyout other.key -out other.pem
            openssl req $new -subj /CN=localhost -keyout server.key -out server.csr
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out server.pem
            openssl x509 -req -in server.csr -CA other.pem -CAkey other.key -CAcreateserial -days 30 -extfile names -out stranger.pem
            openssl ca -batch -config ca.conf -cert ca.pem -keyfile ca.key -extfile names -startdate 20200101000000Z \
              -enddate 20210101000000Z -notext -in server.csr -out expired.pem
            """
        run("/bin/sh", ["-c", script], in: folder)
    }
}
