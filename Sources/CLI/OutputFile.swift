import Glibc

/// A file that appears under its name only when it is complete. What is no file (a device, a pipe) is written to as it is; a link is followed.
final class OutputFile {
    private let path: String
    /// Nil: `path` is no regular file and is written to directly.
    private let temporaryPath: String?
    private let descriptor: Int32
    private var isKept = false

    /// Where to write.
    let channel: DescriptorChannel

    /// Opens a file of another name beside `path`.
    init(path: String) throws(CommandError) {
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
            guard descriptor >= 0 else { throw .output(path: path, .failed(errno)) }
            self.path = path
            temporaryPath = nil
            channel = DescriptorChannel(descriptor)
            return
        }
        let path = exists ? Self.resolved(path) : path
        var template = Array((path + ".XXXXXX").utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw .output(path: path, .failed(errno)) }
        self.path = path
        temporaryPath = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        channel = DescriptorChannel(descriptor)
        // mkstemp makes files of mode 0600; a report for the office has the mode of any other new file.
        let mask = umask(0)
        umask(mask)
        fchmod(descriptor, 0o666 & ~mask)
    }

    /// Where the links of a path lead; the path itself if that cannot be found out.
    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Puts the file under its name, replacing an older one.
    func keep() throws(CommandError) {
        guard let temporaryPath else { return }
        guard fsync(descriptor) == 0 || errno == EINVAL, rename(temporaryPath, path) == 0 else {
            throw .output(path: path, .failed(errno))
        }
        isKept = true
    }

    deinit {
        close(descriptor)
        if let temporaryPath, !isKept { unlink(temporaryPath) }
    }
}
