@testable import Unpacking

/// A receiver that keeps what it was given.
struct Recorder: DocumentReceiver {
    struct Document: Equatable {
        var facts: DocumentFacts
        var bytes: [UInt8]
        var error: UnpackError?
        /// How often it was delivered.
        var times = 1
    }

    var documents: [Document] = []
    /// Refuses further bytes of a document after this many.
    var wanted = Int.max
    /// How often each document is asked for once more.
    var repeats = 0
    /// What is neither a document nor a container is wanted if it begins so.
    var wantedFile: [UInt8]?
    private(set) var files: [(member: String, bytes: [UInt8])] = []
    private var current: [UInt8] = []
    private var times = 0
    private(set) var begun = 0

    init(wanted: Int = .max, repeats: Int = 0) {
        self.wanted = wanted
        self.repeats = repeats
    }

    mutating func documentBegins(_ facts: DocumentFacts) {
        current = []
        begun += 1
    }

    mutating func receive(_ chunk: UnsafeRawBufferPointer) -> Bool {
        current.append(contentsOf: chunk)
        return current.count < wanted
    }

    func wantsFile(beginning head: UnsafeRawBufferPointer, member: String) -> Bool { wantedFile.map { head.starts(with: $0) } ?? false }

    mutating func receiveFile(_ content: [UInt8], _ facts: DocumentFacts) { files.append((facts.member, content)) }

    mutating func documentEnds(_ facts: DocumentFacts, error: UnpackError?) -> NextStep {
        times += 1
        if times <= repeats { return .again }
        documents.append(Document(facts: facts, bytes: current, error: error, times: times))
        times = 0
        return .next
    }
}

/// What became of an attachment.
struct Outcome {
    var documents: [Recorder.Document]
    var begun: Int
    var error: UnpackError?

    var codes: [UnpackError.Code?] { documents.map { $0.error?.code } }
    /// The documents that may be trusted.
    var sound: [[UInt8]] { documents.filter { $0.error == nil }.map(\.bytes) }
    /// The one code this attachment ends with, thrown or told.
    var code: UnpackError.Code? { error?.code ?? documents.compactMap(\.error).first?.code }
}

func unpack(
    _ bytes: [UInt8], name: String = "", limits: UnpackLimits = UnpackLimits(), wanted: Int = .max, repeats: Int = 0
) -> Outcome {
    let unpacker = Unpacker(limits: limits)
    unpacker.beginMessage()
    return unpack(bytes, name: name, with: unpacker, wanted: wanted, repeats: repeats)
}

func unpack(
    _ bytes: [UInt8], name: String = "", with unpacker: Unpacker, wanted: Int = .max, repeats: Int = 0
) -> Outcome {
    var recorder = Recorder(wanted: wanted, repeats: repeats)
    var problem: UnpackError?
    bytes.withUnsafeBytes { bytes in
        do throws(UnpackError) {
            try unpacker.unpack(bytes, name: name, into: &recorder)
        } catch {
            problem = error
        }
    }
    return Outcome(documents: recorder.documents, begun: recorder.begun, error: problem)
}
