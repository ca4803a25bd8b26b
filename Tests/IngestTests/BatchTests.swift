import DMARC
import Foundation
import Mail
import Store
import Testing
import Unpacking

@testable import Ingest

/// Messages that are handed together to who reads them. The readers are threads here that do what such a process does, and end or lie when they are
/// told to.
@Suite("Messages that are read together")
struct BatchTests {
    /// What a reader does instead of reading a message.
    enum Trick: Sendable {
        case none
        /// It is gone, with all that it had not sent.
        case end
        /// It sends this instead of what it came to.
        case send([UInt8])
        /// It sends this behind it.
        case sendAfter([UInt8])
        /// It sends this and is gone.
        case sendAndEnd([UInt8])
    }

    /// What is sent to a reader, and what its client did.
    private final class Journal: Sendable {
        private let state = Guarded((sent: [[String]](), examined: [String]()))

        var sent: [[String]] { state.withLock { $0.sent } }
        var examined: [String] { state.withLock { $0.examined } }

        func begin() { state.withLock { $0.sent.append([]) } }
        func note(sent text: String) { state.withLock { $0.sent[$0.sent.count - 1].append(text) } }
        func note(examined text: String) { state.withLock { $0.examined.append(text) } }
    }

    private static func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes.prefix(200), as: UTF8.self) }

    /// Readers of which each does as `trick` says with a message that has a text in it.
    private static func readers(
        _ count: Int, _ options: IngestOptions, journal record: Journal = Journal(), trick: @escaping @Sendable (String) -> Trick
    ) throws -> ConfinedReaders {
        let connections = try (0..<count).map { _ in
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            let end = ends[1]
            Thread.detachNewThread {
                serve(end, options, record, trick)
                close(end)
            }
            return ConfinedReaders.Connection(inbox: FrameReader(ends[0]), process: 0)
        }
        return ConfinedReaders(options: options, connections)
    }

    private static func serve(_ socket: Int32, _ options: IngestOptions, _ record: Journal, _ trick: (String) -> Trick) {
        let process = ReaderProcess(reader: MessageReader(options: options), allowance: ConfinedReaders.Allowance())
        let inbox = FrameReader(socket)
        let outbox = ReaderProcess.Outbox(socket)
        var isFirst = true
        while let (_, content) = inbox.next(maxBytes: 1 << 28) {
            let words = String(decoding: content, as: UTF8.self)
            if isFirst { record.begin() }
            record.note(sent: words.components(separatedBy: "<report_id>").last?.components(separatedBy: "<").first ?? "")
            switch trick(words) {
            case .none: guard process.read(content, outbox) else { return }
            case .end: return
            case .send(let bytes): guard outbox.flush(), Socket.send(socket, bytes) else { return }
            case .sendAndEnd(let bytes):
                _ = outbox.flush() && Socket.send(socket, bytes)
                return
            case .sendAfter(let bytes): guard process.read(content, outbox), outbox.flush(), Socket.send(socket, bytes) else { return }
            }
            isFirst = !inbox.hasNext
            guard !isFirst || outbox.flush() else { return }
        }
    }

    private static func report(_ id: String, records: Int = 1) -> [UInt8] {
        var written = Written()
        written.id = id
        written.records = Array(repeating: ("10.0.0.1", 1, true, false), count: records)
        return Array(written.text.utf8)
    }

    private static func message(_ key: String, _ bytes: [UInt8]) -> Message {
        Message(key: key, place: "box/\(key).xml", form: .file) { (buffer: inout [UInt8]) throws(MailError) in buffer = bytes }
    }

    private static let names = (0..<6).map { "m\($0)" }

    /// What comes of messages in which a report of each name is, or what `bytes` says.
    private static func read(
        _ names: [String] = names, readers: ConfinedReaders, _ options: IngestOptions, journal record: Journal = Journal(),
        bytes: (String) -> [UInt8] = { report($0) }
    ) throws -> (messages: [ReadMessage], events: [IngestEvent]) {
        let folder = try TemporaryFolder()
        var options = options
        options.readers = readers
        options.containment = Containment(notes: try ReadingNotes(database: folder.path + "/a.sqlite")) { bytes, _, name in
            record.note(examined: name)
            return text(bytes).contains("poison") ? .fatal(.crash, detail: "as it was told to") : .sound
        }
        let reader = MessageReader(options: options)
        var messages: [ReadMessage] = []
        var events: [IngestEvent] = []
        let goesOn = reader.read(together: names.map { message($0, bytes($0)) }[...]) { event in
            if case .message(let message) = event { messages.append(message) } else { events.append(event) }
            return true
        }
        #expect(goesOn)
        return (messages, events)
    }

    private static func ids(_ messages: [ReadMessage]) -> [String] {
        messages.map { message in
            message.refusals.first.map { $0.code } ?? message.documents.map(\.report.header.reportID).joined(separator: " ")
        }
    }

    @Test("they are sent in one go, answered in one go, and come to what each comes to alone")
    func together() throws {
        let options = Samples.options()
        let record = Journal()
        let read = try Self.read(readers: try Self.readers(1, options, journal: record) { _ in .none }, options, journal: record)
        #expect(Self.ids(read.messages) == Self.names && read.messages.map(\.key) == Self.names)
        #expect(record.sent == [Self.names])
        let samples = try Samples.all.map { [UInt8](try Data(contentsOf: Samples.folder.appending(path: $0))) }
        let here = MessageReader(options: options)
        let readers = try Self.readers(1, options) { _ in .none }
        for start in stride(from: 0, to: samples.count, by: 20) {
            let some = Array(samples.indices.dropFirst(start).prefix(20))
            let found = try Self.read(some.map(String.init), readers: readers, options) { samples[Int($0) ?? 0] }
            for (index, message) in zip(some, found.messages) {
                let alone = here.read(Self.message("\(index)", samples[index])) { _ in true }
                #expect(message.key == "\(index)" && message.refusals == alone.refusals && message.kind == alone.kind)
                #expect(message.documents.map(\.report) == alone.documents.map(\.report))
                #expect(message.documents.flatMap(\.batches).map(\.records) == alone.documents.flatMap(\.batches).map(\.records))
                #expect(message.kept?.bytes == alone.kept?.bytes)
            }
            #expect(found.messages.count == some.count)
        }
    }

    @Test("one that ends who reads it is refused, and it alone, wherever it stands", arguments: [0, 3, 5])
    func poison(place: Int) throws {
        let options = Samples.options()
        let record = Journal()
        let readers = try Self.readers(4, options, journal: record) { $0.contains("poison") ? .end : .none }
        let read = try Self.read(readers: readers, options, journal: record) { name in
            Self.report(name == Self.names[place] ? "poison" : name)
        }
        var wanted = Self.names
        wanted[place] = "parser-crash"
        #expect(Self.ids(read.messages) == wanted && read.messages.map(\.key) == Self.names)
        #expect(record.examined == ["m\(place).xml"])
        #expect(read.messages[place].kept != nil)
    }

    @Test("several of them in one go cost a refusal each; all of them too")
    func severalPoisons() throws {
        let options = Samples.options()
        for poisons in [[0, 1], [2, 5], Array(0..<6)] {
            let readers = try Self.readers(8, options) { $0.contains("poison") ? .end : .none }
            let read = try Self.read(readers: readers, options) { name in
                Self.report(poisons.map { Self.names[$0] }.contains(name) ? "poison" : name)
            }
            #expect(
                Self.ids(read.messages) == Self.names.enumerated().map { poisons.contains($0.offset) ? "parser-crash" : $0.element })
        }
    }

    @Test("a reader that is killed on its way costs nothing: what has no answer is read by another", arguments: [0, 2, 5])
    func killed(place: Int) throws {
        let options = Samples.options()
        let record = Journal()
        let isKilled = Guarded(false)
        let readers = try Self.readers(2, options, journal: record) { words in
            let isFirst = isKilled.withLock { isKilled in
                guard words.contains("<report_id>\(Self.names[place])<"), !isKilled else { return false }
                isKilled = true
                return true
            }
            return isFirst ? .end : .none
        }
        let read = try Self.read(readers: readers, options, journal: record)
        #expect(Self.ids(read.messages) == Self.names)
        #expect(record.examined.isEmpty)
        // Each alone, the second time.
        #expect(record.sent.dropFirst() == Self.names.map { [$0] }[...])
    }

    @Test("without another reader they are left for the next run, and nothing is refused for good")
    func noOther() throws {
        let options = Samples.options()
        let read = try Self.read(readers: try Self.readers(1, options) { $0.contains("<report_id>m2<") ? .end : .none }, options)
        #expect(read.messages.map(\.key) == Self.names)
        #expect(read.messages.allSatisfy { $0.isDeferred && $0.refusals.map(\.code) == ["not-examined"] })
    }

    @Test("one that is too large, or gone, is refused in its place; one larger than a batch goes alone")
    func sizes() throws {
        let folder = try TemporaryFolder()
        var options = Samples.options()
        let record = Journal()
        options.readers = try Self.readers(1, options, journal: record) { _ in .none }
        options.containment = Containment(notes: try ReadingNotes(database: folder.path + "/a.sqlite")) { _, _, _ in .sound }
        var messages = Self.names.map { Self.message($0, Self.report($0)) }
        let large = Self.report("large", records: 1000)
        try #require(large.count > MessageBatch.maxBytes)
        messages[0] = Message(key: "m0", place: "m0", form: .file) { (_: inout [UInt8]) throws(MailError) in
            throw MailError(code: .messageTooLarge, place: "m0", found: "too much")
        }
        messages[2] = messages[0]
        messages[3] = Self.message("m3", large)
        messages[5] = Message(key: "m5", place: "m5", form: .file) { (_: inout [UInt8]) throws(MailError) in
            throw MailError(code: .vanished, place: "m5", found: "")
        }
        var found: [ReadMessage] = []
        let reader = MessageReader(options: options)
        func emit(_ event: IngestEvent) -> Bool {
            if case .message(let message) = event { found.append(message) }
            return true
        }
        #expect(reader.read(together: messages[...], emit: emit))
        #expect(Self.ids(found) == ["message-too-large", "m1", "message-too-large", "large", "m4", "vanished"])
        #expect(found[5].isVanished)
        #expect(record.sent == [["m1"], ["large"], ["m4"]])
        // None that is sent at all.
        found = []
        #expect(reader.read(together: [messages[0], messages[2]], emit: emit))
        #expect(Self.ids(found) == ["message-too-large", "message-too-large"])
    }

    @Test("no more is sent together than fits, in bytes and in messages")
    func room() {
        var batch = MessageBatch()
        let head = MessageHead(form: .mail, name: "")
        let message = ReadMessage(key: "", place: "")
        #expect(batch.hasRoom(for: .max))
        batch.add([UInt8](repeating: 1, count: MessageBatch.maxBytes / 2), head, message, keepsRaw: true)
        #expect(batch.hasRoom(for: 1000) && !batch.hasRoom(for: MessageBatch.maxBytes / 2))
        for _ in 1..<MessageBatch.maxMessages { batch.add([1], head, message, keepsRaw: true) }
        #expect(!batch.hasRoom(for: 0))
        batch.removeAll()
        let large = [UInt8](repeating: 2, count: MessageBatch.maxBytes + 1)
        batch.add(large, head, message, keepsRaw: true)
        #expect(!batch.hasRoom(for: 0) && batch.large == large && batch.bytes(of: batch.entries[0]) == large)
        batch.removeAll()
        for number in 0..<3 { batch.add([UInt8](repeating: UInt8(number), count: number), head, message, keepsRaw: true) }
        #expect(batch.entries.map(batch.bytes) == [[], [1], [2, 2]])
    }

    /// What cannot be an answer to the message at hand, as it is sent.
    static func impossible() -> [[UInt8]] {
        func frame(_ kind: UInt32, _ body: (inout WireWriter) -> Void = { _ in }) -> [UInt8] {
            var writer = WireWriter()
            writer.begin()
            body(&writer)
            writer.end(kind)
            return writer.bytes
        }
        let message = frame(WireFrame.message.rawValue) { writer in
            var shared = WireWriter.SharedBytes()
            writer.put(ReadMessage(key: "", place: ""), &shared)
        }
        return [
            frame(WireFrame.message.rawValue), frame(WireFrame.read.rawValue), frame(77), frame(WireFrame.records.rawValue),
            frame(WireFrame.reportEnds.rawValue), frame(WireFrame.reportAbandoned.rawValue), frame(.max),
            frame(WireFrame.message.rawValue) { $0.put(UInt32.max) }, Array(message.dropLast()) + [9],
            // A length that nothing has.
            [6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        ]
    }

    @Test("what cannot be an answer ends who sent it, and costs no other message of the batch anything", arguments: impossible())
    func liar(lie: [UInt8]) throws {
        let options = Samples.options()
        let readers = try Self.readers(4, options) { $0.contains("poison") ? .send(lie) : .none }
        let read = try Self.read(readers: readers, options) { Self.report($0 == "m2" ? "poison" : $0) }
        #expect(Self.ids(read.messages) == ["m0", "m1", "parser-crash", "m3", "m4", "m5"])
    }

    @Test("an answer that nobody asked for ends who sent it; one that is cut is as a death")
    func surplus() throws {
        let options = Samples.options()
        var extra = WireWriter()
        extra.begin()
        extra.end(WireFrame.reportAbandoned.rawValue)
        let tricks: [(Trick, String)] = [
            (.sendAfter(extra.bytes), "poison"), (.sendAndEnd(Array(extra.bytes.prefix(5))), "parser-crash"),
            (.sendAndEnd([7, 0, 0, 0, 9, 0, 0, 0, 1]), "parser-crash"),
        ]
        for (trick, wanted) in tricks {
            let readers = try Self.readers(4, options) { $0.contains("<report_id>poison<") ? trick : .none }
            let read = try Self.read(["m0", "m1", "m2", "m3"], readers: readers, options) { Self.report($0 == "m1" ? "poison" : $0) }
            #expect(Self.ids(read.messages) == ["m0", wanted, "m2", "m3"])
        }
    }

    @Test("a large report amidst small ones comes in pieces, in its turn; who is ended after it costs it nothing")
    func large() throws {
        let options = Samples.options()
        let packed = Self.report("large", records: 42_000).withUnsafeBytes { Unpacker.gzipCompressed($0) }
        try #require(packed.count < MessageBatch.maxBytes - 4000)
        let readers = try Self.readers(4, options) { $0.contains("poison") ? .end : .none }
        let read = try Self.read(["m0", "m1", "m2"], readers: readers, options) { name in
            name == "m1" ? packed : Self.report(name == "m2" ? "poison" : name)
        }
        #expect(Self.ids(read.messages) == ["m0", "", "parser-crash"])
        let records = read.events.reduce(0) { sum, event in
            if case .records(let batch) = event { sum + batch.records.count } else { sum }
        }
        #expect(records == 42_000)
        let ends = read.events.filter { if case .reportEnds = $0 { true } else { false } }
        #expect(ends.count == 1)
    }

    @Test("a writer that gives up is asked nothing more")
    func unwanted() throws {
        var options = Samples.options()
        let folder = try TemporaryFolder()
        options.readers = try Self.readers(1, options) { _ in .none }
        options.containment = Containment(notes: try ReadingNotes(database: folder.path + "/a.sqlite")) { _, _, _ in .sound }
        var count = 0
        let reader = MessageReader(options: options)
        let messages = Self.names.map { Self.message($0, Self.report($0)) }
        let goesOn = reader.read(together: messages[...]) { _ in
            count += 1
            return count < 3
        }
        #expect(!goesOn && count == 3)
    }

    @Test("frames come whole, however they are cut on the way")
    func frames() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        var writer = WireWriter()
        let contents = [0, 1, 7, 100_000, 3, 300_000, 0, 64 << 10, 2].map { [UInt8](repeating: UInt8($0 & 0xFF), count: $0) }
        for (kind, content) in contents.enumerated() {
            writer.begin()
            content.withUnsafeBytes { writer.putRest($0) }
            writer.end(UInt32(kind))
        }
        let (bytes, end) = (writer.bytes, ends[1])
        Thread.detachNewThread {
            var offset = 0
            while offset < bytes.count {
                let piece = min([1, 3, 8, 977, 50_000][offset % 5], bytes.count - offset)
                _ = Socket.send(end, Array(bytes[offset..<offset + piece]))
                offset += piece
            }
            close(end)
        }
        let inbox = FrameReader(ends[0])
        for (kind, content) in contents.enumerated() {
            let frame = try #require(inbox.next(maxBytes: 1 << 20))
            #expect(frame.kind == UInt32(kind) && frame.content.elementsEqual(content))
        }
        #expect(inbox.isEmpty && !inbox.hasNext && inbox.next(maxBytes: 1 << 20) == nil)
        close(ends[0])
    }

    @Test("all that is read together is noted before, as many as a note holds, and is suspect if the run is ended")
    func notes() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.sqlite"
        let keys = (0..<MessageBatch.maxMessages).map { "cur/\($0):2,S" }
        let notes = try ReadingNotes(database: path)
        #expect(ReadingNotes.room(for: keys, of: "/box") == keys.count)
        for slot in 0..<66 { #expect(notes.begin(keys.map { "\(slot)-\($0)" }, of: "/box", slot: slot)) }
        let next = try ReadingNotes(database: path)
        #expect(next.suspects.count == 66 * keys.count && next.suspects.contains { $0 == .init(mailbox: "/box", key: "65-" + keys[15]) })
        // They stay suspect until a run ends well.
        #expect(try ReadingNotes(database: path).suspects == next.suspects)
        let other = folder.path + "/b.sqlite"
        let long = (0..<16).map { String(repeating: "k", count: 4000 + $0) }
        let box = String(repeating: "b", count: 4000)
        let room = ReadingNotes.room(for: long, of: box)
        #expect(room == 3)
        let many = try ReadingNotes(database: other)
        #expect(many.begin(long.prefix(room), of: box, slot: 1) && many.begin(long.dropFirst(room).prefix(room), of: box, slot: 2))
        for _ in 0..<2 { #expect(try ReadingNotes(database: other).suspects == Set(long.prefix(6).map { .init(mailbox: box, key: $0) })) }
        #expect(ReadingNotes.room(for: [String(repeating: "k", count: 20_000)], of: "/box") == 1)
        #expect(ReadingNotes.room(for: [], of: "") == 1)
    }
}
