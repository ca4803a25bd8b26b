import Glibc

/// A file that appears under its name only when it is complete.
final class OutputFile {
    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var isKept = false

    /// Where to write.
    let channel: DescriptorChannel

    /// Opens a file of another name beside `path`.
    init(path: String) throws(CommandError) {
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

    /// Puts the file under its name, replacing an older one.
    func keep() throws(CommandError) {
        guard fsync(descriptor) == 0 || errno == EINVAL, rename(temporaryPath, path) == 0 else {
            throw .output(path: path, .failed(errno))
        }
        isKept = true
    }

    deinit {
        close(descriptor)
        if !isKept { unlink(temporaryPath) }
    }
}
