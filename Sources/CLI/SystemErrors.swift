import Glibc

extension ExitStatus {
    /// The code of a system's error number.
    init(systemError number: Int32) {
        self =
            switch number {
            case ENOSPC, EDQUOT, EFBIG, EAGAIN: .tryAgain
            case EACCES, EPERM, EROFS: .permission
            case ETIMEDOUT: .tryAgain
            case EHOSTUNREACH, EPROTO, ECONNREFUSED, ECANCELED: .unavailable
            case EINVAL: .configuration
            default: .inputOutput
            }
    }
}

/// What an error number of the system says, in words that do not depend on the locale.
func systemWords(_ number: Int32) -> String {
    switch number {
    case ENOENT: "no such file or directory"
    case EACCES, EPERM: "permission denied"
    case ENOSPC, EDQUOT: "no space left on the device"
    case EFBIG: "the file would be larger than is allowed"
    case EISDIR: "it is a directory"
    case ENOTDIR: "a part of the path is not a directory"
    case EROFS: "the file system is read-only"
    case EIO: "input/output error"
    default: "system error \(number)"
    }
}
