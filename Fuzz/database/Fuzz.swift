import CLI
import Foundation

/// A damaged database → every question: an answer, or a word that the database is damaged; never a crash.
///
/// The database is made once, of the samples of reporters. Each input is a list of what a disk may do to it, six bytes each.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var bytes = place.sound
    let edits = UnsafeBufferPointer(start: start, count: count)
    for edit in stride(from: 0, to: min(edits.count - edits.count % 6, 6 * 64), by: 6) {
        damage(&bytes, edits[edit] % 8, at: edits[edit + 1..<edit + 5].reduce(0) { $0 << 8 | Int($1) }, edits[edit + 5])
    }
    for suffix in ["-wal", "-shm"] { unlink(place.database + suffix) }
    guard FileManager.default.createFile(atPath: place.database, contents: Data(bytes), attributes: [.posixPermissions: 0o600]) else {
        fatalError("no room for a database in \(place.folder)")
    }
    for question in questions {
        let (status, output, errors) = place.ask(question)
        // 64: there is no such report. 75: the file says that a newer version made it, or that somebody else is at it.
        require([0, 1, 64, 74, 75, 78].contains(status), "\(question): status \(status): \(errors)")
        require(status < 2 || output > 0 || !errors.isEmpty, "\(question): status \(status), and nothing is said")
        sink &+= output
    }
    return 0
}

private func damage(_ bytes: inout [UInt8], _ kind: UInt8, at position: Int, _ value: UInt8) {
    let page = 8192
    let place = position % bytes.count
    switch kind {
    case 0, 1, 2: bytes[place] ^= 1 << (value & 7)
    case 3, 4: bytes[place] = value
    case 5: for place in place..<min(place + 8, bytes.count) { bytes[place] = value & 1 == 0 ? 0 : 0xFF }
    case 6:
        // A page of another place.
        let (from, to) = (Int(value) * page % bytes.count, place / page * page)
        guard max(from, to) + page <= bytes.count else { return }
        bytes.replaceSubrange(to..<to + page, with: Array(bytes[from..<from + page]))
    default: bytes.removeLast(min(bytes.count - 512, Int(value) * 32))
    }
}

private let all = ["--since", "2012-01-01", "--until", "2026-12-31", "--limit", "all"]
private let period = ["--since", "2012-01-01", "--until", "2026-12-31"]

/// Each reads other tables, or the same in another way.
private let questions: [[String]] = [
    ["summary"] + period, ["top-failures"] + all, ["top-failures", "--by", "source"] + all, ["sources", "--format", "json"] + all,
    ["unaligned"] + all, ["forwarding"] + all, ["trend", "--explain"] + period, ["trend", "--by", "month"] + period,
    ["what-if", "--policy", "reject"] + period, ["advise"] + period, ["reporters"] + all, ["reports"] + all, ["show", "1"], ["show", "2"],
    ["refused", "--limit", "all"], ["status"], ["export", "--format", "csv"] + all, ["explain", "example.org"], ["explain", "192.0.2.1"],
    ["doctor"],
]

private let place = Place()

/// A folder with the database.
private final class Place: Sendable {
    let folder: String
    var database: String { folder + "/dmarc.sqlite" }
    let sound: [UInt8]

    init() {
        let parent = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        folder = parent + "/dmarcstat-fuzz-\(getpid())"
        let (source, whole) = (folder + "/source.sqlite", folder + "/whole.sqlite")
        setenv("TMPDIR", folder, 1)
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch { fatalError("\(error)") }
        atexit { try? FileManager.default.removeItem(atPath: place.folder) }
        // A backup is one file, without a log.
        for command in [["ingest", "--database", source, "reports-sample/reporters"], ["backup", "--database", source, whole]] {
            let (status, _, errors) = Self.run(command)
            require(status == 0, "\(command): status \(status): \(errors)")
        }
        sound = FileManager.default.contents(atPath: whole).map { [UInt8]($0) } ?? []
        require(sound.count > 100_000, "a database of \(sound.count) bytes")
    }

    func ask(_ question: [String]) -> (status: Int32, output: Int, errors: String) { Self.run(question + ["--database", database]) }

    private static func run(_ arguments: [String]) -> (status: Int32, output: Int, errors: String) {
        let (output, errors) = (MemoryChannel(), MemoryChannel())
        // 2026-11-21T12:00:00Z.
        let context = Context(
            environment: ["HOME": "/nonexistent"], standardOutput: output, standardError: errors, isErrorTerminal: false, now: 1_795_262_400
        )
        return (DmarcstatMain.run(arguments: arguments, context: context), output.text.utf8.count, errors.text)
    }
}

/// Keeps the optimiser from dropping what is asked.
nonisolated(unsafe) private var sink = 0
