import DMARC
import Rendering
import Store

/// Sentences for people about errors: where · what was found and expected · what to do next. The only file with such sentences.
enum Diagnostics {
    /// Whether `error` is of a kind that this file has sentences for.
    static func isOurs(_ error: any Error) -> Bool {
        error is CommandError || error is StoreError || error is OutputError || error is AlreadySaid
            || error is ConfigurationError || error is ClockError
    }

    /// The sentence for `error`, without the program's name; nil where nothing is to be said.
    static func sentence(for error: any Error) -> String? {
        switch error {
        case let error as CommandError: words(error)
        case let error as StoreError: words(error)
        case let error as ConfigurationError: words(error)
        case let error as ClockError: words(error)
        case OutputError.closed, is AlreadySaid: nil
        case OutputError.failed(let number): "standard output cannot be written: \(systemWords(number))."
        default: "something went wrong that should not be possible: \(type(of: error)). Please report it as a bug."
        }
    }

    private static func words(_ error: CommandError) -> String? {
        switch error {
        case .usage(let sentence): sentence
        case .noDatabasePlace:
            "no place for a database: there is neither --database, nor XDG_DATA_HOME, nor HOME. Next: add --database FILE."
        case .noSuchReport(let id, let database):
            "there is no report \(id) in \(database). Next: dmarcstat reports lists those that are there, with their numbers."
        case .input(let error):
            "\(error.place) cannot be read: \(error.found). Expected a report file, a mail, an mbox, a maildir or a folder of them."
        case .output(_, .closed): nil
        case .output(let path, .failed(let number)):
            "\(path ?? "standard output") cannot be written: \(systemWords(number))."
        }
    }

    private static func words(_ error: StoreError) -> String {
        if !error.question.isEmpty, let words = words(of: error) { return words }
        return switch error.code {
        case .missing: "no database at \(error.place) yet. Next: dmarcstat ingest PATH, where PATH is a maildir or a folder of reports."
        case .databaseLocked: "\(error.place) is in use by another process (\(error.found)). Next: try again when that is done."
        case .databaseNewer:
            "\(error.place) was written by a newer dmarcstat (\(error.found)). Next: install that version, or name another file with --database."
        case .databaseDamaged:
            "\(error.place) is no sound dmarcstat database (\(error.found)). Next: restore a backup, or name another file with --database."
        case .fileExists: "\(error.place) is there already and is left as it is. Next: name another file, or add --force."
        case .databaseUnsafe: "\(error.place) is not safe to open: \(error.found)."
        case .diskFull: "no room for \(error.place): \(error.found). Next: make room and run the same command again."
        default: "\(error.place): \(error.code.rawValue): \(error.found)."
        }
    }

    private static func words(_ error: ClockError) -> String {
        func text(_ time: Int) -> String { isoInstant(time) ?? "nothing that is a date" }
        return
            "the clock of this machine says \(text(error.now)), but \(error.witness) \(text(error.time)). By a clock that is behind, reports would be"
            + " refused as ones of the future, so nothing was read. Next: set the clock, and run the same command again; if it is right now, add"
            + " --trust-clock once."
    }

    private static func words(_ error: ConfigurationError) -> String {
        let key = error.key.isEmpty ? "" : error.key + ": "
        return "\(error.place): \(key)\(error.found)" + (error.found.hasSuffix("?") || error.found.hasSuffix(".") ? "" : ".")
    }

    /// An error met on the way to an answer, where it is said otherwise than one that keeps the database from being opened or written.
    private static func words(of error: StoreError) -> String? {
        switch error.code {
        case .databaseDamaged: "\(error.place) is damaged (\(error.found)). Next: restore a backup."
        case .diskFull: "no room for \(error.place) or temporary data (\(error.found)). Next: make room and run the same command again."
        case .ioError, .databasePermission: "\(error.place) cannot be read or written (\(error.found))."
        case .defect: "\(error.question) failed for a reason that should not be possible: \(error.found). Please report it as a bug."
        default: nil
        }
    }
}
