import DMARC
import Glibc
import Mail
import ReportXML
import Store

/// Has messages read in another process, a batch after the other. Its answers are believed as little as a mail.
final class ConfinedReader {
    /// What came of a batch.
    enum Outcome {
        /// All of it was handed on.
        case done
        /// Nobody wants to know.
        case unwanted
        case lost(Loss)
    }

    /// The process ended, was ended, or answered what cannot be, before all was answered.
    struct Loss {
        /// How.
        var how: String
        /// Whether anything of the first message without an answer had been passed on by then.
        var isBegun: Bool
    }

    private let readers: ConfinedReaders
    private var connection: ConfinedReaders.Connection?

    /// Bytes that a frame may have beyond twice the message: what is unpacked is passed on in pieces, and documents as they came.
    private static let frameBytes = 256 << 20

    init(_ readers: ConfinedReaders) { self.readers = readers }

    deinit { if let connection { readers.giveBack(connection) } }

    /// Has a batch read. Each message is handed to `done` in its turn; pieces of a large report go to `emit` before that, as `MessageReader.read`
    /// has it. Either is false if nobody wants to know more.
    func read(_ batch: MessageBatch, emit: @escaping (IngestEvent) -> Bool, done: (ReadMessage) -> Bool) -> Outcome {
        guard batch.last >= 0 else { return batch.entries.allSatisfy { done($0.message) } ? .done : .unwanted }
        guard let connection = connection ?? readers.take() else { return .lost(Loss(how: "there is no process for it", isBegun: false)) }
        self.connection = connection
        guard Socket.send(connection.socket, batch.frames), batch.large.map({ Socket.send(connection.socket, $0) }) != false else {
            return lose(connection, .gone, isBegun: false)
        }
        let watch = Watch(connection.process, readers.allowance)
        for (index, entry) in batch.entries.enumerated() {
            guard entry.place != nil else {
                guard done(entry.message) else { return lose(connection, .unwanted, isBegun: false) }
                continue
            }
            var exchange = Exchange(message: entry.message, options: readers.options, emit: emit)
            watch.begin(isAlone: batch.entries.count == 1)
            let end: Exchange.End
            do throws(WireError) {
                end = try receive(&exchange, entry.count, isLast: index == batch.last, connection, watch)
            } catch {
                // Not even its next answer is of use: whoever sends this may have the process in his hands.
                end = .nonsense(error.found)
            }
            guard case .message(let message) = end else {
                exchange.abandon()
                return lose(connection, end, isBegun: exchange.hasBegun)
            }
            guard done(message) else { return lose(connection, .unwanted, isBegun: false) }
        }
        return .done
    }

    private func receive(
        _ exchange: inout Exchange, _ count: Int, isLast: Bool, _ connection: ConfinedReaders.Connection, _ watch: Watch
    ) throws(WireError) -> Exchange.End {
        while let (kind, content) = connection.inbox.next(maxBytes: 2 * count + Self.frameBytes, isPatient: watch.isPatient) {
            guard let end = try exchange.take(WireFrame(rawValue: kind), content) else {
                if exchange.hasBegun { watch.isAlone = true }
                continue
            }
            guard !isLast || connection.inbox.isEmpty else { throw WireError(found: "more than an answer") }
            return end
        }
        return watch.end
    }

    /// The process is of no more use.
    private func lose(_ connection: ConfinedReaders.Connection, _ end: Exchange.End, isBegun: Bool) -> Outcome {
        self.connection = nil
        let status = readers.discard(connection)
        // The writer has given up: nobody asks what became of it.
        if case .unwanted = end { return .unwanted }
        return .lost(Loss(how: Self.words(end, status), isBegun: isBegun))
    }

    private static func words(_ end: Exchange.End, _ status: Int32?) -> String {
        switch end {
        case .nonsense(let found): return "the process that read it answered what cannot be: \(found)"
        case .late(let found): return "the process that read it \(found)"
        case .gone, .message, .unwanted: break
        }
        guard let status, status >= 0 else { return "the process that read it is gone" }
        let signal = status & 0x7F
        return "the process that read it was ended by " + (signal == 0 ? "itself" : "signal \(signal)")
    }

    /// Patience with a reader that computes, up to a point. Asked once a second, and not at all while answers come.
    private final class Watch {
        /// Seconds of CPU without an answer after which the messages of a batch are read one by one.
        private static let secondsTogether = 5

        private let process: pid_t
        private let allowance: ConfinedReaders.Allowance
        private let clock = ContinuousClock()
        private var start: (time: ContinuousClock.Instant, cpu: Double)?
        /// Why it gave up.
        private(set) var end = Exchange.End.gone
        /// Whether the message at hand can be given no second chance, and so gets all the time there is.
        var isAlone = true

        init(_ process: pid_t, _ allowance: ConfinedReaders.Allowance) {
            self.process = process
            self.allowance = allowance
        }

        /// A message begins.
        func begin(isAlone: Bool) {
            self.isAlone = isAlone
            start = nil
        }

        /// False: it takes too long.
        func isPatient() -> Bool {
            let used = cpuSeconds
            let seconds = isAlone ? allowance.seconds : min(allowance.seconds, Self.secondsTogether)
            guard let start else {
                // What it took before this second is not worth a look at the clock for each message.
                start = (clock.now, used)
                return true
            }
            if used - start.cpu > Double(seconds) {
                end = .late("used the \(seconds) s of CPU that it may have")
                return false
            }
            let patience = seconds * 4 + 30
            if clock.now - start.time > .seconds(patience) {
                end = .late("did nothing for \(patience) s")
                return false
            }
            return true
        }

        private var cpuSeconds: Double {
            var identifier = clockid_t()
            var time = timespec()
            guard clock_getcpuclockid(process, &identifier) == 0, clock_gettime(identifier, &time) == 0 else { return 0 }
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }
}

/// The answers about one message, in the only order in which they make sense.
private struct Exchange {
    /// How it ended.
    enum End {
        case message(ReadMessage)
        case gone, unwanted
        case nonsense(String)
        case late(String)
    }

    private let message: ReadMessage
    private let options: IngestOptions
    private let emit: (IngestEvent) -> Bool
    /// Something was passed on.
    private(set) var hasBegun = false
    private var isOpen = false
    private var records = 0
    private var messages = 0
    private var shared: [UInt8]?

    init(message: ReadMessage, options: IngestOptions, emit: @escaping (IngestEvent) -> Bool) {
        self.message = message
        self.options = options
        self.emit = emit
    }

    /// Takes an answer; nil: others follow.
    mutating func take(_ frame: WireFrame?, _ bytes: UnsafeRawBufferPointer) throws(WireError) -> End? {
        var wire = WireReader(bytes)
        let limits = options.limits.xml
        let event: IngestEvent
        switch frame {
        case .messageBegins:
            try require(!hasBegun)
            hasBegun = true
            event = .messageBegins(key: message.key, place: message.place)
        case .reportBegins:
            try require(hasBegun && !isOpen)
            (isOpen, records, messages) = (true, 0, 0)
            event = .reportBegins(try wire.header(limits, now: options.now))
        case .records:
            try require(isOpen)
            let batch = try wire.batch(limits)
            add(batch)
            event = .records(batch)
        case .reportEnds:
            try require(isOpen)
            let document = try wire.document(limits, now: options.now, shared: &shared)
            try require(document.batches.isEmpty && document.report.recordCount == records && document.report.messageCount == messages)
            isOpen = false
            event = .reportEnds(document)
        case .reportAbandoned:
            try require(isOpen)
            isOpen = false
            event = .reportAbandoned
        case .message:
            try require(!isOpen)
            let message = try wire.message(message, limits, now: options.now, shared: &shared)
            try wire.requireEnd()
            for document in message.documents {
                (records, messages) = (0, 0)
                for batch in document.batches { add(batch) }
                try require(document.report.recordCount == records && document.report.messageCount == messages)
            }
            return .message(message)
        case .read, nil: throw WireError(found: "an answer of no kind")
        }
        try wire.requireEnd()
        return emit(event) ? nil : .unwanted
    }

    /// What was begun and will not be ended is given up.
    mutating func abandon() {
        if isOpen { _ = emit(.reportAbandoned) }
        isOpen = false
    }

    private mutating func add(_ batch: RecordBatch) {
        records += batch.records.count
        messages += batch.records.reduce(0) { $0 + Int($1.messages) }
    }

    private func require(_ holds: Bool) throws(WireError) {
        guard holds else { throw WireError(found: "an answer that does not fit those before it") }
    }
}
