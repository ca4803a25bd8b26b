/// Messages that are handed together to the process that reads them: what little goes back and forth for each would cost as much as reading it.
///
/// They are in the order of the mailbox; those of which it is known already what comes of them stand among the others and are not sent.
struct MessageBatch {
    /// Bytes of messages that are sent together. A larger one goes alone.
    static let maxBytes = 64 << 10
    /// Messages that are sent together: as many have to be looked at when a run was ended.
    static let maxMessages = 16

    /// A message of it.
    struct Entry {
        /// What is known of it, or what came of it.
        var message: ReadMessage
        /// What goes with its bytes.
        var head: MessageHead
        /// Where its bytes are in `frames`; nil: it is not sent.
        var place: Range<Int>?
        /// Bytes of it.
        var count = 0
    }

    private(set) var entries: [Entry] = []
    private var writer = WireWriter()
    /// The bytes of the last message where they do not lie in `frames`.
    private(set) var large: [UInt8]?
    /// The entry that is sent last; -1: none is.
    private(set) var last = -1

    /// What is sent, before `large`.
    var frames: [UInt8] { writer.bytes }

    /// Whether another message of so many bytes may be sent with these.
    func hasRoom(for count: Int) -> Bool {
        large == nil && entries.count < Self.maxMessages && (last < 0 || writer.bytes.count + count <= Self.maxBytes)
    }

    /// Forgets all messages.
    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        writer.removeAll()
        (large, last) = (nil, -1)
    }

    /// Adds a message of which it is known what comes of it.
    mutating func add(settled message: ReadMessage) {
        entries.append(Entry(message: message, head: MessageHead(form: .mail, name: "")))
    }

    /// Adds a message to be read; there must be room for it.
    mutating func add(_ bytes: [UInt8], _ head: MessageHead, _ message: ReadMessage, keepsRaw: Bool) {
        writer.begin()
        writer.put(head, keepsRaw: keepsRaw)
        let start = writer.bytes.count
        if bytes.count <= Self.maxBytes {
            bytes.withUnsafeBytes { writer.putRest($0) }
            writer.end(WireFrame.read.rawValue)
        } else {
            writer.end(WireFrame.read.rawValue, more: bytes.count)
            large = bytes
        }
        last = entries.count
        entries.append(Entry(message: message, head: head, place: start..<writer.bytes.count, count: bytes.count))
    }

    /// The bytes of a message that is sent.
    func bytes(of entry: Entry) -> [UInt8] {
        guard let place = entry.place else { return [] }
        return place.count == entry.count ? Array(writer.bytes[place]) : large ?? []
    }
}
