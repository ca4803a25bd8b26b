import Glibc

/// One run at a time for each database: an advisory lock on a file beside it, which the kernel gives up with the process that holds it.
///
/// A lock file that is left behind means nothing; only the lock on it does.
public struct StoreLock: ~Copyable {
    private let file: Int32

    /// Takes the lock, waiting up to `waitSeconds` for another run. Throws `locked` when it does not get it.
    public init(database path: String, waitSeconds: Double) throws(StoreError) {
        let lockPath = path + ".lock"
        let file = open(lockPath, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            let code: StoreError.Code =
                errno == EACCES || errno == EPERM || errno == EROFS ? .databasePermission : errno == ENOSPC ? .diskFull : .ioError
            throw StoreError(code: code, place: lockPath, found: String(cString: strerror(errno)))
        }
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
