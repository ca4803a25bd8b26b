import Glibc

/// Files beside the database, and the database itself: whose they are, and that they are nobody else's trap.
///
/// Root may look after a database that a service of its own owns: what root makes in a folder is given to the owner of that folder, as SQLite
/// does with its own files beside a database. In a folder where anybody may make files, such as /tmp, nothing of anybody else is used.
package enum OwnFile {
    /// Opens the file at `path` for reading and writing, and makes it with mode 0600 if it is not there. A link is not followed.
    package static func open(_ path: String) throws(StoreError) -> Int32 {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY
        // Twice: somebody may remove it between the two.
        for _ in 0..<2 {
            let made = Glibc.open(path, flags | O_CREAT | O_EXCL, 0o600)
            if made >= 0 {
                give(made, path)
                return made
            }
            guard errno == EEXIST else { throw ReportStore.error(errno, path) }
            try check(path)
            let file = Glibc.open(path, flags)
            if file >= 0 { return file }
            guard errno == ENOENT else { throw ReportStore.error(errno, path) }
        }
        throw ReportStore.error(ENOENT, path)
    }

    /// Refuses what is at `path` if it is there and belongs to somebody else, in a folder where anybody may make files; and what is no file.
    package static func check(_ path: String) throws(StoreError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        let isLink = status.st_mode & S_IFMT == S_IFLNK
        guard isLink || status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(code: .databaseUnsafe, place: path, found: "not a regular file")
        }
        guard let folder = folder(of: path), isShared(folder) else { return }
        guard status.st_uid == geteuid() || status.st_uid == folder.st_uid else {
            throw StoreError(
                code: .databaseUnsafe, place: path,
                found:
                    "it belongs to another user (number \(status.st_uid)), in a folder where anybody may make files. Next: name a database in a"
                    + " folder of your own")
        }
    }

    /// Gives a file or folder that root has just made at `path` to the owner of the folder that it is in. Where that cannot be done there are no owners.
    static func give(_ file: Int32, _ path: String) {
        guard geteuid() == 0, let folder = folder(of: path), folder.st_uid != 0, !isShared(folder) else { return }
        fchown(file, folder.st_uid, folder.st_gid)
    }

    private static func folder(of path: String) -> stat? {
        var status = stat()
        return stat(ReportStore.directory(of: path), &status) == 0 ? status : nil
    }

    /// Whether anybody may make files there and remove only their own (sticky(7)).
    private static func isShared(_ folder: stat) -> Bool { folder.st_mode & S_IWOTH != 0 && folder.st_mode & S_ISVTX != 0 }
}
