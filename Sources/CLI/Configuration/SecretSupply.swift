import Foundation
import IMAP

/// Fetches passwords and tokens from where the configuration says, at the moment a login needs them.
struct SecretSupply: Sendable {
    /// Seconds that a command may take.
    static let commandSeconds = 30
    /// Bytes of a password or token; access tokens run to a few KiB.
    static let maxBytes = 16 << 10

    private let credentialsDirectory: String?

    init(_ context: Context) { credentialsDirectory = context.variable("CREDENTIALS_DIRECTORY") }

    /// A secret that is fetched anew for each login.
    func secret(_ source: SecretSource) -> Secret {
        Secret { () throws(IMAPError) in try self.fetch(source) }
    }

    /// Refuses a secret that others can read, before anything is sent anywhere.
    func check(_ source: SecretSource, place: String, key: String) throws(ConfigurationError) {
        guard case .file(let path) = source else { return }
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw ConfigurationError(code: .unreadable, place: place, key: key, found: "\(path): \(systemWords(errno))")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw ConfigurationError(
                code: .permissions, place: place, key: key, found: "others can read \(path). Next: chmod 600 \(quoted(path))")
        }
    }

    private func fetch(_ source: SecretSource) throws(IMAPError) -> [UInt8] {
        switch source {
        case .file(let path): return try firstLine(of: path)
        case .credential(let name):
            guard let credentialsDirectory, !name.contains("/") else {
                throw IMAPError(
                    code: .noSecret, found: "there is no credential \(name): the process was not started by systemd with LoadCredential=")
            }
            return try firstLine(of: credentialsDirectory + "/" + name)
        case .command(let command): return try output(of: command)
        }
    }

    private func firstLine(of path: String) throws(IMAPError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw IMAPError(code: .noSecret, found: "\(path): \(systemWords(errno))") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Self.maxBytes)
        let count = fread(&bytes, 1, bytes.count, file)
        return try line(bytes[..<count], from: path)
    }

    private func line(_ bytes: ArraySlice<UInt8>, from place: String) throws(IMAPError) -> [UInt8] {
        var line = Array(bytes.prefix { $0 != 0x0A })
        if line.last == 0x0D { line.removeLast() }
        guard !line.isEmpty, bytes.count < Self.maxBytes else {
            throw IMAPError(
                code: .noSecret, found: "\(place): the first line is \(line.isEmpty ? "empty" : "too long") for a password or token")
        }
        return line
    }

    /// Starts the command without a shell; its first line is the secret, what it says on standard error is passed through.
    private func output(of command: String) throws(IMAPError) -> [UInt8] {
        guard let words = Self.words(command), let name = words.first else {
            throw IMAPError(code: .noSecret, found: "the command has an open quotation mark, or is empty")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        // Foundation keeps a process, and with it its pipe, for ever.
        defer { try? pipe.fileHandleForReading.close() }
        do { try process.run() } catch { throw IMAPError(code: .noSecret, found: "\(name) cannot be started") }
        // A command that hangs is ended; reading then comes to its end, too.
        let watch = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Self.commandSeconds), execute: watch)
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        watch.cancel()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let how = process.terminationReason == .exit ? "ended with status" : "was ended by signal"
            throw IMAPError(code: .noSecret, found: "\(name) \(how) \(process.terminationStatus)")
        }
        return try line(ArraySlice(bytes.prefix(Self.maxBytes)), from: name)
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
