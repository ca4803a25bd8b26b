import Glibc
import IMAP

/// Fetches passwords and tokens from where the configuration says.
struct SecretSupply: Sendable {
    private let context: Context
    private let command: SecretCommand

    /// - Parameter command: the bounds on commands.
    init(_ context: Context, command: SecretCommand = SecretCommand()) {
        self.context = context
        self.command = command
    }

    /// A secret that is fetched anew for each login.
    func secret(_ source: SecretSource) -> Secret {
        Secret { () throws(IMAPError) in try self.fetch(source) }
    }

    /// A secret that is fetched now, once, and serves for all logins of a run; that it cannot be had is what a login finds.
    ///
    /// A command may take its time or wait for a person: nobody else is to wait for it, so this comes before the database is locked.
    func fetched(_ source: SecretSource) -> Secret {
        do throws(IMAPError) {
            var bytes = try fetch(source)
            defer { wipe(&bytes) }
            return Secret(bytes: bytes)
        } catch {
            return Secret { () throws(IMAPError) in throw error }
        }
    }

    /// Refuses a secret that others can read, before anything is sent anywhere.
    func check(_ source: SecretSource, place: String, key: String) throws(ConfigurationError) {
        guard case .file(let path) = source else { return }
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw ConfigurationError(code: .unreadable, place: place, key: key, found: "\(path): \(systemWords(errno))")
        }
        if let objection = Self.objection(to: path, status, geteuid()) {
            throw ConfigurationError(code: .permissions, place: place, key: key, found: objection)
        }
    }

    /// Why a file is not private enough for a secret, as ssh sees it: others may use it, or it belongs to somebody else. Nil: it is.
    private static func objection(to path: String, _ status: stat, _ user: uid_t) -> String? {
        guard status.st_mode & S_IFMT == S_IFREG else { return "\(path) is no regular file" }
        guard status.st_mode & 0o077 == 0 else { return "others can read \(path). Next: chmod 600 \(quoted(path))" }
        guard user == 0 || status.st_uid == user || status.st_uid == 0 else {
            return "\(path) belongs to another user (number \(status.st_uid)), who can change it"
        }
        return nil
    }

    private func fetch(_ source: SecretSource) throws(IMAPError) -> [UInt8] {
        switch source {
        case .file(let path): return try firstLine(of: path, isPrivate: true)
        case .credential(let name):
            guard let credentialsDirectory = context.variable("CREDENTIALS_DIRECTORY"), !name.contains("/") else {
                throw IMAPError(
                    code: .noSecret, found: "there is no credential \(name): the process was not started by systemd with LoadCredential=")
            }
            return try firstLine(of: credentialsDirectory + "/" + name)
        case .command(let command): return try output(of: command)
        }
    }

    /// With `isPrivate` the file must be its owner's alone, at the moment it is read.
    private func firstLine(of path: String, isPrivate: Bool = false) throws(IMAPError) -> [UInt8] {
        // A pipe in its place would hold us until somebody writes to it.
        let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { throw IMAPError(code: .noSecret, found: "\(path): \(systemWords(errno))") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw IMAPError(code: .noSecret, found: "\(path): \(systemWords(errno))") }
        if isPrivate, let objection = Self.objection(to: path, status, geteuid()) { throw IMAPError(code: .noSecret, found: objection) }
        var bytes = [UInt8](repeating: 0, count: SecretCommand.maxBytes)
        defer { wipe(&bytes) }
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                buffer.baseAddress.map { read(file, $0 + count, buffer.count - count) } ?? 0
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw IMAPError(code: .noSecret, found: "\(path): \(systemWords(errno))") }
            if got == 0 { break }
            count += got
        }
        return try line(bytes[..<count], from: path)
    }

    private func line(_ bytes: ArraySlice<UInt8>, from place: String) throws(IMAPError) -> [UInt8] {
        var line = Array(bytes.prefix { $0 != 0x0A })
        if line.last == 0x0D { line.removeLast() }
        guard !line.isEmpty, line.count < bytes.count || bytes.count < SecretCommand.maxBytes else {
            throw IMAPError(
                code: .noSecret, found: "\(place): the first line is \(line.isEmpty ? "empty" : "too long") for a password or token")
        }
        return line
    }

    /// Its first line is the secret; what it says on standard error is passed on, made safe.
    private func output(of command: String) throws(IMAPError) -> [UInt8] {
        guard let words = Self.words(command), let name = words.first else {
            throw IMAPError(code: .noSecret, found: "the command has an open quotation mark, or is empty")
        }
        var answer = self.command.run(words, shouldStop: { StopRequest.wasMade })
        defer { wipe(&answer.output) }
        pass(on: answer, name)
        if let failure = answer.failure { throw IMAPError(code: .noSecret, found: "\(name) \(failure)") }
        return try line(answer.output[...], from: name)
    }

    private static let maxErrorLines = 20

    /// A line that holds the secret stays where it is: whoever traces a command (`set -x`) does not mean the log of a cron job.
    private func pass(on answer: SecretCommand.Answer, _ name: String) {
        let secret = answer.output.prefix { $0 != 0x0A && $0 != 0x0D }
        for line in answer.errors.split(separator: 0x0A).prefix(Self.maxErrorLines) {
            let repeats = secret.count >= 4 && String(decoding: line, as: UTF8.self).contains(String(decoding: secret, as: UTF8.self))
            context.say("\(name): " + (repeats ? "(a line that holds the secret)" : String(decoding: line, as: UTF8.self)))
        }
    }

    private func wipe(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { if let base = $0.baseAddress { explicit_bzero(base, $0.count) } }
        bytes.removeAll()
    }

    /// The words of a command: parted by blanks, with '…' and "…" around what holds blanks. Nil if a quotation mark is left open.
    static func words(_ command: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in command {
            if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return quote == nil ? words : nil
    }
}
