import CLinux
import Glibc

/// What the kernel has to confine this process with.
public struct Kernel: Sendable {
    /// The version of Landlock (landlock(7)); 0: there is none, or it is switched off.
    public var landlockVersion: Int
    /// Whether calls of the system can be filtered (seccomp(2)), on an architecture whose numbers are known here.
    public var hasFilters: Bool

    /// Both parts.
    public init(landlockVersion: Int, hasFilters: Bool) {
        self.landlockVersion = landlockVersion
        self.hasFilters = hasFilters
    }

    /// The running kernel, as it answers this process: a container may withhold what it has.
    public static func running() -> Kernel {
        Kernel(landlockVersion: Int(dmarcstat_landlock_abi()), hasFilters: dmarcstat_has_seccomp() != 0)
    }

    /// Nobody looks into this process, and no file of its memory is left behind should it crash: there are passwords in it, and other people's
    /// mail.
    func protectMemory() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        dmarcstat_forbid_looking()
    }

    /// Whether Landlock can keep an ingest to its places. The first version forbids to move a file into another directory.
    func canKeepToPlaces(movingMail: Bool) -> Bool { landlockVersion >= (movingMail ? 2 : 1) }

    // MARK: - For people

    /// What an ingest is confined by here.
    var found: String {
        let files = landlockVersion < 4 ? "files" : "files and TCP connections"
        switch (landlockVersion > 0, hasFilters) {
        case (false, false): return "this kernel has neither Landlock nor seccomp: an ingest may do all that its user may"
        case (false, true): return "this kernel has no Landlock; what mails are read with is confined by seccomp, the rest is not"
        case (true, false): return "ingest is kept to its \(files) (Landlock \(landlockVersion)); this kernel has no seccomp"
        case (true, true): return "ingest is kept to its \(files) (Landlock \(landlockVersion)) and to the calls it needs (seccomp)"
        }
    }

    /// What could be done about what is missing; empty: nothing is.
    var next: String {
        if landlockVersion == 0 {
            return "Linux 5.19 or newer with landlock among its security modules (lsm=), and a container that lets it be used"
        }
        if landlockVersion == 1 { return "Linux 5.19 or newer: where mail is moved, this one's Landlock cannot be used" }
        if !hasFilters { return "a container that lets seccomp be used" }
        return landlockVersion < 4 ? "Linux 6.7 or newer also limits TCP connections" : ""
    }
}
