import Mail
import Store

/// What is to be done with a message where it lies.
enum Settlement: Equatable {
    /// Nothing.
    case leave
    /// This, which is not `leave`.
    case act(AfterAction)
    /// It was to be deleted, and is not: what was not stored of it would be gone.
    case withheld
}

extension IngestOptions {
    /// The one place where it is decided what is done with a message. It depends on what became of all of it, and each kind has a rule of its
    /// own; what is not in the database is never deleted by the rules for what was not stored.
    func settlement(of fate: MessageFate) -> Settlement {
        let action: AfterAction
        switch fate.outcome {
        case .deferred: return .leave
        case .notAReport: action = afterOther
        case .refused: action = afterRefused
        case .stored, .duplicate:
            if !fate.hasRefusal { return after == .leave ? .leave : .act(after) }
            action = afterRefused
        }
        switch action {
        case .leave: return .leave
        case .delete: return fate.isKept ? .act(.delete) : .withheld
        case .markSeen, .move: return .act(action)
        }
    }

    /// Whether a message is kept whole in the database: what was refused is, so that `reprocess` can read it again, unless nothing that comes
    /// in is to be kept; what holds no report only if it is to be deleted where it lies.
    func keeps(refused: Bool) -> Bool {
        isRetry || (keepsRaw && (refused || afterOther == .delete))
    }
}
