import Glibc

/// One run at a time for each database: an advisory lock on a file beside it, which the kernel gives up with the process that holds it.
///
/// A lock file that is left behind means nothing; only the lock on it does.
public struct StoreLock: ~Copyable {
    private let file: Int32

    /// Takes the lock, waiting up to `waitSeconds` for another run. Throws `locked` when it does not get it.
    public init(database path: String, waitSeconds: Double) throws(StoreError) {
        let lockPath = path + ".lock"
        let file = try OwnFile.open(lockPath)
        var waited = 0.0
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let number = errno
            guard number == EWOULDBLOCK || number == EINTR, waited < waitSeconds else {
                close(file)
                throw StoreError(
                    code: number == EWOULDBLOCK ? .databaseLocked : .ioError, place: path,
                    found: number == EWOULDBLOCK ? "another run has held it for \(Int(waited)) s" : String(cString: strerror(number)))
            }
            usleep(50_000)
            waited += 0.05
        }
        self.file = file
    }

    deinit {
        close(file)
    }
}

/// Keeps writers of ours out while a database is read as one that does not change: a shared hold on the file that they lock.
final class WriterGuard: Sendable {
    private let file: Int32

    /// Nil while somebody writes. A database that nobody ever wrote to here has no such file, and no such writer.
    init?(database path: String) {
        file = open(path + ".lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if file < 0 {
            guard errno == ENOENT else { return nil }
            return
        }
        guard flock(file, LOCK_SH | LOCK_NB) == 0 else {
            close(file)
            return nil
        }
    }

    deinit { if file >= 0 { close(file) } }
}
