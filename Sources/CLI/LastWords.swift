import CLinux
import Rendering

/// What is said should the process trap: a statement that cannot be undone says what it was about, and what is to be done.
///
/// Numbers in a database are what we wrote, or the file is damaged in a way that SQLite has no checksum for. Reading checks what it can; this is
/// for what nobody thought of.
enum LastWords {
    /// A question is asked of the database at `path`.
    static func question(_ path: String, _ context: Context) {
        say(
            "\(path): damaged: there is something in it that no sound database holds, and the question was ended. Next: dmarcstat doctor"
                + " --database \(quoted(path)); if that finds nothing please report this as a defect.", .inputOutput, context)
    }

    /// The verdicts are made anew, after what was collected is stored.
    static func verdicts(_ path: String, _ context: Context) {
        say(
            "\(path): the verdicts could not be made anew: what makes them crashed. What was collected is stored. Next: dmarcstat doctor --database"
                + " \(quoted(path)); if that finds nothing please report this as a defect.", .defect, context)
    }

    /// A trap is one again.
    static func none(_ context: Context) {
        if context.executable != nil { dmarcstat_expect_no_trap() }
    }

    private static func say(_ text: String, _ status: ExitStatus, _ context: Context) {
        // Inside another program, as in tests, its own signals are left alone.
        guard context.executable != nil else { return }
        var words = "dmarcstat: " + safeText(text, maxScalars: 4000) + "\n"
        words.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { dmarcstat_expect_trap($0.baseAddress, $0.count, status.rawValue) }
        }
    }
}
