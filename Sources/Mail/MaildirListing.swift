import Glibc

/// The names in a maildir at one moment, sorted by folder and unique name.
///
/// The names lie in one array, because a million of them as strings would cost ten times the memory and time.
final class MaildirListing: Sendable {
    struct Folder: Sendable {
        /// What precedes the unique name in a key: "" for the maildir itself, else the subfolder's name and a slash.
        let keyPrefix: String
        /// What precedes `new/` and `cur/` in a path.
        let path: String
    }

    struct Entry: Sendable {
        /// Where its name begins; a NUL stands behind each name.
        var start: UInt32
        var count: UInt16
        /// How much of the name precedes `:2,`.
        var uniqueCount: UInt16
        var folder: UInt16
        var isNew: Bool
        /// Another file of this folder has the same unique name and comes first.
        var isTwin = false
    }

    let names: [UInt8]
    let entries: [Entry]
    let folders: [Folder]

    private init(names: [UInt8], entries: [Entry], folders: [Folder]) {
        self.names = names
        self.entries = entries
        self.folders = folders
    }

    /// Nothing.
    static let empty = MaildirListing(names: [], entries: [], folders: [])

    /// What a maildir looks like to whoever does not list it: which folders it has, and when a name in them last came or went. The time of a change
    /// (ctime) is set by the system alone. Nil: something cannot be looked at, or changed so recently that one more change would not show.
    static func imprint(_ root: Int32, excluding: Set<String>) -> String? {
        var oddities: [MailError] = []
        let folders = folders(root, place: "", excluding, &oddities)
        guard oddities.isEmpty else { return nil }
        var now = timespec()
        guard clock_gettime(CLOCK_REALTIME, &now) == 0 else { return nil }
        var imprint = ""
        for folder in folders {
            for box in ["new", "cur"] {
                var status = stat()
                guard fstatat(root, folder.path + box, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
                let changed = status.st_ctim
                // Linux counts in ticks of at most 10 ms; some file systems count in seconds.
                let age = Double(now.tv_sec - changed.tv_sec) + Double(now.tv_nsec - changed.tv_nsec) / 1e9
                guard age > (changed.tv_nsec == 0 ? 2 : 0.1) else { return nil }
                imprint += "\(folder.path)\(box) \(status.st_dev) \(status.st_ino) \(changed.tv_sec).\(changed.tv_nsec)\n"
            }
        }
        return imprint
    }

    /// Only the messages that are not known, and how many are. Nil if one of the known names is there twice: whether that is one file that was moved,
    /// or two, only the whole listing says.
    static func readUnknown(
        _ root: Int32, place: String, excluding: Set<String>, _ isKnown: (String) -> Bool
    ) -> (MaildirListing, oddities: [MailError], known: Int)? {
        var known: Set<Int> = []
        var isTwice = false
        let (listing, oddities) = read(root, place: place, excluding: excluding) { folder, unique in
            guard !isTwice else { return true }
            let name = text(of: unique)
            let key = folder.keyPrefix.isEmpty ? name : folder.keyPrefix + name
            guard isKnown(key) else { return false }
            isTwice = !known.insert(key.hashValue).inserted
            return true
        }
        return isTwice ? nil : (listing, oddities, known.count)
    }

    /// - Parameter isLeftOut: whether a message is not wanted, by its folder and unique name.
    static func read(
        _ root: Int32, place: String, excluding: Set<String> = [],
        isLeftOut: (Folder, UnsafeRawBufferPointer) -> Bool = { _, _ in false }
    ) -> (MaildirListing, oddities: [MailError]) {
        var names: [UInt8] = []
        var entries: [Entry] = []
        var oddities: [MailError] = []
        let folders = folders(root, place: place, excluding, &oddities)
        for (index, folder) in folders.enumerated() {
            let first = entries.count
            // new before cur: a file that moves meanwhile is seen twice rather than not at all.
            for box in ["new/", "cur/"] {
                let problem = forEachName(in: root, folder.path + box) { name in
                    guard name[0] != UInt8(ascii: ".") else { return }
                    let unique = uniqueCount(name)
                    guard unique > 0 else {
                        let path = place + "/" + folder.path + box + text(of: name)
                        oddities.append(MailError(code: .malformedName, place: path, found: "a name without a unique part"))
                        return
                    }
                    if isLeftOut(folder, UnsafeRawBufferPointer(rebasing: name[..<unique])) { return }
                    entries.append(
                        Entry(
                            start: UInt32(clamping: names.count), count: UInt16(clamping: name.count),
                            uniqueCount: UInt16(clamping: unique), folder: UInt16(clamping: index), isNew: box == "new/"))
                    names.append(contentsOf: name)
                    names.append(0)
                }
                if problem != 0 { oddities.append(.system(problem, place: place + "/" + folder.path + box)) }
            }
            names.withUnsafeBytes { bytes in
                entries[first...].sort { precedes($0, $1, bytes) }
            }
        }
        dropMoved(&entries, names, folders, root)
        return (MaildirListing(names: names, entries: entries, folders: folders), oddities)
    }

    /// The maildir itself and its Maildir++ subfolders, `.Name`, sorted.
    private static func folders(
        _ root: Int32, place: String, _ excluding: Set<String>, _ oddities: inout [MailError]
    ) -> [Folder] {
        var names: [String] = []
        let problem = forEachName(in: root, ".") { name in
            guard name[0] == UInt8(ascii: "."), let text = String(validating: name, as: UTF8.self) else { return }
            names.append(text)
        }
        if problem != 0 { oddities.append(.system(problem, place: place)) }
        var subfolders: [String] = []
        for name in names where !excluding.contains(name) {
            do throws(MailError) {
                if try isMaildir(root, name, place: place + "/" + name, isLinkFollowed: false) { subfolders.append(name) }
            } catch {
                oddities.append(error)
            }
        }
        return [Folder(keyPrefix: "", path: "")]
            + subfolders.sorted().prefix(Int(UInt16.max) - 1).map { Folder(keyPrefix: $0 + "/", path: $0 + "/") }
    }

    /// The length of the part of a name that precedes its flags, and that stays the same when they change.
    private static func uniqueCount(_ name: UnsafeRawBufferPointer) -> Int {
        guard let base = name.baseAddress, let colon = memchr(base, 0x3a, name.count) else { return name.count }
        var position = base.distance(to: UnsafeRawPointer(colon))
        while position + 2 < name.count {
            if name[position] == 0x3a, name[position + 1] == 0x32, name[position + 2] == 0x2c { return position }
            position += 1
        }
        return name.count
    }

    /// By unique name; of two with the same, that in `cur` first, then by the whole name.
    private static func precedes(_ a: Entry, _ b: Entry, _ names: UnsafeRawBufferPointer) -> Bool {
        let order = compare(a, Int(a.uniqueCount), b, Int(b.uniqueCount), names)
        if order != 0 { return order < 0 }
        if a.isNew != b.isNew { return b.isNew }
        return compare(a, Int(a.count), b, Int(b.count), names) < 0
    }

    private static func compare(_ a: Entry, _ aCount: Int, _ b: Entry, _ bCount: Int, _ names: UnsafeRawBufferPointer) -> Int {
        guard let base = names.baseAddress else { return 0 }
        let order = memcmp(base + Int(a.start), base + Int(b.start), min(aCount, bCount))
        return order != 0 ? Int(order) : aCount - bCount
    }

    /// Two entries with the same unique name are one file that was moved between two looks, or two files that a broken
    /// program named alike. The second is kept only if both are there.
    private static func dropMoved(_ entries: inout [Entry], _ names: [UInt8], _ folders: [Folder], _ root: Int32) {
        var kept: [Entry] = []
        var hasTwins = false
        names.withUnsafeBytes { bytes in
            for index in entries.indices.dropFirst() where !hasTwins {
                hasTwins = isSame(entries[index - 1], entries[index], bytes)
            }
            guard hasTwins else { return }
            for var entry in entries {
                guard let last = kept.last, isSame(last, entry, bytes) else {
                    kept.append(entry)
                    continue
                }
                var status = stat()
                let path = path(entry, names, folders)
                guard fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
                entry.isTwin = true
                kept.append(entry)
            }
        }
        if hasTwins { entries = kept }
    }

    private static func isSame(_ a: Entry, _ b: Entry, _ names: UnsafeRawBufferPointer) -> Bool {
        a.folder == b.folder && compare(a, Int(a.uniqueCount), b, Int(b.uniqueCount), names) == 0
    }

    /// Folder and unique name. A twin is known by its whole name, as in `cur/NAME`.
    func key(_ index: Int) -> String {
        let entry = entries[index]
        let prefix = folders[Int(entry.folder)].keyPrefix
        if entry.isTwin { return prefix + box(entry) + name(entry, Int(entry.count)) }
        let unique = name(entry, Int(entry.uniqueCount))
        return prefix.isEmpty ? unique : prefix + unique
    }

    /// The time that the unique name begins with (https://cr.yp.to/proto/maildir.html), in seconds since 1970; nil if it begins with no
    /// number that can be one.
    func deliveredAt(_ index: Int) -> Int? {
        let start = Int(entries[index].start)
        var seconds = 0
        // More digits are a number of another kind, and few of them a name that somebody thought of.
        for byte in names[start..<start + Int(entries[index].uniqueCount)] {
            guard (0x30...0x39).contains(byte) else { break }
            seconds = seconds * 10 + Int(byte & 15)
            if seconds > Self.plausibleTimes.upperBound { return nil }
        }
        return Self.plausibleTimes.contains(seconds) ? seconds : nil
    }

    /// 2001 to 2286: ten digits.
    private static let plausibleTimes = 1_000_000_000...9_999_999_999

    /// For people: `BELOW/new/NAME`.
    func place(_ index: Int, below root: String) -> String {
        let entry = entries[index]
        return root + "/" + folders[Int(entry.folder)].path + box(entry) + name(entry, Int(entry.count))
    }

    /// The path below the maildir when it was listed.
    func path(_ index: Int) -> [CChar] {
        Self.path(entries[index], names, folders)
    }

    private static func path(_ entry: Entry, _ names: [UInt8], _ folders: [Folder]) -> [CChar] {
        var path: [CChar] = []
        let folder = folders[Int(entry.folder)].path
        path.reserveCapacity(folder.utf8.count + 5 + Int(entry.count))
        path.append(contentsOf: folder.utf8.lazy.map { CChar(bitPattern: $0) })
        path.append(contentsOf: (entry.isNew ? "new/" : "cur/").utf8.lazy.map { CChar(bitPattern: $0) })
        let start = Int(entry.start)
        path.append(contentsOf: names[start...(start + Int(entry.count))].lazy.map { CChar(bitPattern: $0) })
        return path
    }

    private func box(_ entry: Entry) -> String {
        entry.isNew ? "new/" : "cur/"
    }

    private func name(_ entry: Entry, _ count: Int) -> String {
        names.withUnsafeBytes { text(of: UnsafeRawBufferPointer(rebasing: $0[Int(entry.start)..<Int(entry.start) + count])) }
    }

    /// The path the message has by now, found by its unique name. Nil if it is gone.
    func currentPath(_ index: Int, _ root: Int32) -> [CChar]? {
        let entry = entries[index]
        let folder = folders[Int(entry.folder)].path
        let start = Int(entry.start)
        let unique = Array(names[start..<start + Int(entry.uniqueCount)])
        // Most often a mail reader has put it into cur, unread or read.
        for suffix in [":2,", ":2,S", ""] {
            let path = Self.path(folder + "cur/", unique + Array(suffix.utf8))
            var status = stat()
            if fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) == 0 { return path }
        }
        var found: [CChar]?
        for box in ["new/", "cur/"] where found == nil {
            _ = forEachName(in: root, folder + box) { name in
                guard found == nil, Self.uniqueCount(name) == unique.count, name.starts(with: unique) else { return }
                found = Self.path(folder + box, Array(name))
            }
        }
        return found
    }

    private static func path(_ folder: String, _ name: [UInt8]) -> [CChar] {
        (Array(folder.utf8) + name + [0]).map { CChar(bitPattern: $0) }
    }

    /// The name below `cur` that marks the message at `path` as seen: its flags in ASCII order, `S` among them.
    func seenName(of path: [CChar]) -> [CChar] {
        let bytes = path.dropLast().map { UInt8(bitPattern: $0) }
        let name = bytes[((bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
        let unique = Array(name).withUnsafeBytes { Self.uniqueCount($0) }
        let flags = Set(name.dropFirst(unique + 3)).union([UInt8(ascii: "S")])
        return (Array(name.prefix(unique)) + Array(":2,".utf8) + flags.sorted() + [0]).map { CChar(bitPattern: $0) }
    }

    /// The entry of a key, by binary search among those of its folder.
    func index(of key: String) -> Int? {
        let slash = key.utf8.lastIndex(of: UInt8(ascii: "/"))
        let prefix = slash.map { String(key[...$0]) } ?? ""
        let unique = slash.map { String(key[key.utf8.index(after: $0)...]) } ?? key
        if let folder = folders.firstIndex(where: { $0.keyPrefix == prefix }) {
            var low = 0
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                if isBefore(middle, folder, Array(unique.utf8)) { low = middle + 1 } else { high = middle }
            }
            if low < entries.count, self.key(low) == key { return low }
        }
        // A twin, or a name that is no UTF-8.
        return entries.indices.first { self.key($0) == key }
    }

    private func isBefore(_ index: Int, _ folder: Int, _ unique: [UInt8]) -> Bool {
        let entry = entries[index]
        if Int(entry.folder) != folder { return Int(entry.folder) < folder }
        let start = Int(entry.start)
        return names[start..<start + Int(entry.uniqueCount)].lexicographicallyPrecedes(unique)
    }
}
