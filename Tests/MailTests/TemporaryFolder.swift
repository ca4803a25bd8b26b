import Foundation

@testable import Mail

/// A folder that is gone when the test is over.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array((FileManager.default.temporaryDirectory.path + "/dmarcstat-mail-XXXXXX").utf8CString)
        guard let made = mkdtemp(&template) else { throw POSIXError(.EIO) }
        path = String(cString: made)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func folder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
    }

    func maildir(_ name: String = "box") throws -> String {
        for part in ["new", "cur", "tmp"] { try folder("\(name)/\(part)") }
        return path + "/" + name
    }

    func write(_ name: String, _ content: String) throws {
        try Data(content.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func names(_ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + name).sorted()
    }

    func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: path + "/" + name).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// All messages of a mailbox.
func allMessages(_ mailbox: any Mailbox, batch: Int = 3) throws -> [Message] {
    var messages: [Message] = []
    while true {
        let more = try mailbox.next(batch)
        if more.isEmpty { return messages }
        messages += more
    }
}

func open(_ path: String, limits: MailLimits = MailLimits(), known: Set<String> = []) throws(MailError) -> any Mailbox {
    try openMailbox(path: path, standardInput: 0, limits: limits) { known.contains($0) }
}

/// The content of a message, or the code it is refused with.
func content(_ message: Message) -> String {
    var buffer = Array("left over from another message".utf8)
    do throws(MailError) {
        try message.read(into: &buffer)
        return String(decoding: buffer, as: UTF8.self)
    } catch {
        return error.code.rawValue
    }
}
