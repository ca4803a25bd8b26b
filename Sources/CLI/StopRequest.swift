import Glibc
import Synchronization

/// Whether SIGINT or SIGTERM asked the process to stop: what was begun is finished, nothing new is begun.
public enum StopRequest {
    private static let flag = Atomic<Bool>(false)

    /// Whether it did.
    public static var wasMade: Bool { flag.load(ordering: .relaxed) }

    /// Listens from now on. A second signal ends the process at once.
    public static func listen() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                StopRequest.flag.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
        }
    }
}
