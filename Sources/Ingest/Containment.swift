import Mail

/// Keeps a message that ends the process from ending every run: what is being read is noted, and what was being read when a run was ended is
/// looked at in a process of its own before it is read here (`docs/decisions/0010-containment.md`).
public struct Containment: Sendable {
    /// What came of looking at a message.
    public enum Examination: Equatable, Sendable {
        /// It can be read and stored.
        case sound
        /// Reading it ends the process that does: a reason for refusal, and what was seen.
        case fatal(Reason, detail: String)
        /// It could not be looked at; the message is left for the next run.
        case notExamined(detail: String)
    }

    /// Why a message is refused that ended the process which looked at it.
    public enum Reason: String, Sendable, CaseIterable {
        /// It crashed.
        case crash = "parser-crash"
        /// It ran out of the memory that it may have.
        case memory = "parser-memory"
        /// It used the time that it may have.
        case time = "parser-time"
    }

    /// Looks at the bytes of a message in another process; the name is that of a file, and says nothing about a mail.
    public typealias Examine = @Sendable (_ bytes: [UInt8], _ form: MessageForm, _ name: String) -> Examination

    /// What is being read, and what was when an earlier run was ended.
    let notes: ReadingNotes
    /// Messages that are looked at although nothing is noted of them: those that were refused for ending the process.
    private var areAllSuspect: Bool
    /// Keys of messages that are looked at although nothing is noted of them.
    private var alsoSuspect: Set<String> = []
    let examine: Examine
    private let caution = CautionState()

    /// With `areAllSuspect` every message is looked at first.
    public init(notes: ReadingNotes, areAllSuspect: Bool = false, examine: @escaping Examine) {
        self.notes = notes
        self.areAllSuspect = areAllSuspect
        self.examine = examine
    }

    /// The same, looking at the messages of these keys although nothing is noted of them, and at no other of that kind.
    func looking(at keys: Set<String>) -> Containment {
        var other = self
        other.areAllSuspect = false
        other.alsoSuspect = keys
        return other
    }

    /// How much is known of what ended an earlier run.
    private struct Caution {
        /// Noted messages that were not looked at yet.
        var open: Set<ReadingNotes.Suspect> = []
        /// One of them ends the process: where there is one there may be more.
        var isProven = false
        /// Messages that were looked at without a reason of their own.
        var looks = 0
    }

    /// One for all copies of this value.
    private final class CautionState: Sendable {
        private let caution = Guarded(Caution())

        func withLock<Result: Sendable>(_ body: (inout Caution) -> Result) -> Result { caution.withLock { body(&$0) } }
    }

    /// Messages that are looked at in one run because others are suspect: each costs a process.
    private static let maxLooks = 10_000

    /// Begins a mailbox. What the ledger knows by now is not read again, and no reason for caution.
    func clear(_ mailbox: String, _ isKnown: (String) -> Bool) {
        let open = notes.suspects.filter { $0.mailbox == mailbox && !isKnown($0.key) }
        caution.withLock { $0.open.formUnion(open) }
    }

    /// Whether a message of a mailbox was being read when an earlier run ended.
    func hasSuspects(_ mailbox: String) -> Bool { notes.suspects.contains { $0.mailbox == mailbox } }

    /// Whether messages of a mailbox are to be looked at and committed one by one: until it is known which of them ended an earlier run,
    /// and to the end of the run once one has been found.
    func isCautious(_ mailbox: String) -> Bool {
        caution.withLock { $0.looks < Self.maxLooks && ($0.isProven || $0.open.contains { $0.mailbox == mailbox }) }
    }

    /// The run ended well.
    public func finish() { notes.finish() }

    private func isNamed(_ suspect: ReadingNotes.Suspect) -> Bool {
        areAllSuspect || alsoSuspect.contains(suspect.key) || notes.suspects.contains(suspect)
    }

    /// Whether a message is to be looked at. Such a message is noted and read by itself, so that what ends there names no other.
    func isCareful(_ message: Message, mailbox: String) -> Bool {
        isNamed(ReadingNotes.Suspect(mailbox: mailbox, key: message.key)) || isCautious(mailbox)
    }

    /// Looks at a message if there is reason to; nil: there is none, or it is sound.
    func objection(to message: Message, mailbox: String, _ bytes: [UInt8], name: String) -> Examination? {
        let suspect = ReadingNotes.Suspect(mailbox: mailbox, key: message.key)
        let isNamed = isNamed(suspect)
        guard isNamed || isCautious(mailbox) else { return nil }
        let found = examine(bytes, message.form, name)
        caution.withLock { caution in
            caution.open.remove(suspect)
            if !isNamed { caution.looks += 1 }
            if case .fatal = found { caution.isProven = true }
        }
        return found == .sound ? nil : found
    }
}
