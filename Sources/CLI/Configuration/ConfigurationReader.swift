import DMARC
import Glibc
import IMAP
import Ingest
import Mail
import TOMLKit

/// Reads the configuration file: TOML → `Configuration`. An unknown key is an error, for a mistyped one may be a safety that is off.
struct ConfigurationReader {
    private let place: String

    private init(place: String) { self.place = place }

    /// The file that counts: that of the flag, of `$DMARCSTAT_CONFIG`, the user's own, the machine's. Nil where there is none.
    static func find(flag: String?, _ context: Context) -> String? {
        if let flag { return flag }
        if let named = context.variable("DMARCSTAT_CONFIG") { return named }
        let home =
            context.variable("XDG_CONFIG_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil } ?? context.variable("HOME").map { $0 + "/.config" }
        let candidates = [home.map { $0 + "/dmarcstat/config.toml" }, "/etc/dmarcstat.toml"].compactMap(\.self)
        return candidates.first { access($0, F_OK) == 0 }
    }

    /// Reads the file at `path`.
    static func read(path: String) throws(ConfigurationError) -> Configuration {
        let text = try contents(of: path)
        var configuration = try parse(text, place: path)
        configuration.path = path
        return configuration
    }

    /// Reads `text`; `place` is for errors.
    static func parse(_ text: String, place: String) throws(ConfigurationError) -> Configuration {
        if let fault = TOMLGuard.fault(in: text) {
            throw ConfigurationError(code: .syntax, place: "\(place):\(fault.line):\(fault.column)", key: "", found: fault.expected)
        }
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw ConfigurationError(
                code: .syntax, place: "\(place):\(error.source.begin.line):\(error.source.begin.column)", key: "", found: error.description)
        } catch {
            throw ConfigurationError(code: .syntax, place: place, key: "", found: "not TOML")
        }
        return try ConfigurationReader(place: place).configuration(table)
    }

    private static func contents(of path: String) throws(ConfigurationError) -> String {
        guard let file = fopen(path, "re") else {
            throw ConfigurationError(code: .unreadable, place: path, key: "", found: systemWords(errno))
        }
        defer { fclose(file) }
        var status = stat()
        if fstat(fileno(file), &status) == 0, let objection = objection(to: path, status, geteuid()) {
            throw ConfigurationError(code: .permissions, place: path, key: "", found: objection)
        }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else {
            throw ConfigurationError(code: .unreadable, place: path, key: "", found: systemWords(errno))
        }
        guard count < bytes.count else {
            throw ConfigurationError(code: .unreadable, place: path, key: "", found: "larger than 1 MiB: this is no configuration")
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Why a file is not to be believed, as ssh sees it: it names commands, and others could write them. Many systems give each user a group of the
    /// same number, of which nobody else is a member.
    private static func objection(to path: String, _ status: stat, _ user: uid_t) -> String? {
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        let isGroups = status.st_mode & S_IWGRP != 0 && status.st_gid != status.st_uid
        guard status.st_mode & S_IWOTH == 0, !isGroups else {
            return "others can write to it, and it names commands. Next: chmod go-w \(quoted(path))"
        }
        guard user == 0 || status.st_uid == user || status.st_uid == 0 else {
            return "it belongs to another user (number \(status.st_uid)), and it names commands. Next: use a copy of your own"
        }
        return nil
    }

    // MARK: - Tables

    private func configuration(_ table: TOMLTable) throws(ConfigurationError) -> Configuration {
        try requireKnown(
            table, ["database", "domains", "forget_days", "keep_raw", "public_suffix_list", "authenticity", "limits", "mailbox"], "")
        var configuration = Configuration()
        configuration.database = try text(table, "database", "")
        if let objection = configuration.database.flatMap(DatabaseOptions.objection) { throw wrong("database", objection) }
        configuration.publicSuffixList = try text(table, "public_suffix_list", "")
        configuration.keepsRaw = try boolean(table, "keep_raw", "") ?? true
        configuration.forgetDays = try integer(table, "forget_days", "", 0...36_500) ?? configuration.forgetDays
        configuration.ownDomains = try ownDomains(table)
        configuration.trustedServers = try trustedServers(table)
        configuration.limits = try limits(table)
        guard let value = table["mailbox"] else { return configuration }
        guard let list = value.array else { throw wrong("mailbox", "expected [[mailbox]], with two brackets") }
        for index in 0..<list.count {
            guard let entry = list[index].table else { throw wrong("mailbox", "expected [[mailbox]], with two brackets") }
            let mailbox = try mailbox(entry, "mailbox[\(index + 1)].")
            if configuration.mailboxes.contains(where: { $0.name == mailbox.name }) {
                throw wrong("mailbox[\(index + 1)].name", "\"\(mailbox.name)\" is the name of another mailbox, too")
            }
            configuration.mailboxes.append(mailbox)
        }
        return configuration
    }

    /// An empty list would mean none or all: it is an error, as is what cannot be a name and would make every report a stranger's.
    private func ownDomains(_ table: TOMLTable) throws(ConfigurationError) -> OwnDomains {
        let key = "domains"
        guard let value = table[key] else { return OwnDomains() }
        guard let list = value.array, list.count > 0 else { throw wrong(key, "expected a list, as [\"example.nl\"]") }
        let names = try texts(list, key)
        for name in names {
            let labels = DomainName.canonical(name).split(separator: ".", omittingEmptySubsequences: false)
            let isName = labels.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(Self.isOfName) }
            guard isName else {
                throw wrong(key, "\"\(name)\": expected the name of a domain, as \"example.nl\"; all below it is meant, too")
            }
        }
        return OwnDomains(names)
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// A text or a list of texts. The empty text stands for fields without a name, as Microsoft 365 writes them.
    private func trustedServers(_ table: TOMLTable) throws(ConfigurationError) -> [String]? {
        guard let section = table["authenticity"] else { return nil }
        guard let table = section.table else { throw wrong("authenticity", "expected [authenticity], with one bracket") }
        let (name, key) = ("trusted_authserv_id", "authenticity.trusted_authserv_id")
        try requireKnown(table, [name], "authenticity.")
        guard let value = table[name] else { return nil }
        if let text = value.string { return [text] }
        guard let list = value.array, list.count > 0 else { throw wrong(key, "expected a text, or a list as [\"mx.example.nl\"]") }
        return try texts(list, key)
    }

    private func limits(_ table: TOMLTable) throws(ConfigurationError) -> Limits {
        var limits = Limits()
        guard let value = table["limits"] else { return limits }
        guard let table = value.table else { throw wrong("limits", "expected [limits], with one bracket") }
        try requireKnown(table, Limits.all.map(\.key), "limits.")
        for limit in Limits.all {
            if let number = try integer(table, limit.key, "limits.", limit.range) { limits[keyPath: limit.field] = number }
        }
        return limits
    }

    private static let common = ["name", "kind", "after", "after_refused", "after_other"]
    private static let imapKeys = [
        "host", "port", "tls", "ca_file", "user", "auth", "password_command", "password_file", "password_credential", "token_command",
        "folders",
        "since", "connect_seconds", "read_seconds", "run_seconds",
    ]

    private func mailbox(_ table: TOMLTable, _ prefix: String) throws(ConfigurationError) -> MailboxConfiguration {
        let kind = try required(table, "kind", prefix)
        switch kind {
        case "maildir": try requireKnown(table, Self.common + ["path"], prefix)
        case "imap": try requireKnown(table, Self.common + Self.imapKeys, prefix)
        default: throw wrong(prefix + "kind", "\"\(kind)\": expected \"maildir\" or \"imap\"")
        }
        let place: MailboxConfiguration.Place = kind == "imap" ? .imap(try imap(table, prefix)) : .path(try required(table, "path", prefix))
        var mailbox = MailboxConfiguration(name: try required(table, "name", prefix), place: place)
        mailbox.actions.after = try action(table, "after", prefix)
        mailbox.actions.afterRefused = try action(table, "after_refused", prefix)
        mailbox.actions.afterOther = try action(table, "after_other", prefix)
        return mailbox
    }

    private func imap(_ table: TOMLTable, _ prefix: String) throws(ConfigurationError) -> IMAPConfiguration {
        let tls = try choice(table, "tls", prefix, TLSMode.self) ?? .implicit
        let auth = try choice(table, "auth", prefix, IMAPAuthentication.self) ?? .password
        let port = try integer(table, "port", prefix, 1...65535) ?? Int(tls.defaultPort)
        return IMAPConfiguration(
            host: try required(table, "host", prefix), port: port, tls: tls, caFile: try text(table, "ca_file", prefix),
            user: try required(table, "user", prefix), auth: auth, secret: try secret(table, auth, prefix),
            folders: try folders(table, prefix), since: try day(table, "since", prefix),
            connectSeconds: try integer(table, "connect_seconds", prefix, 1...300),
            readSeconds: try integer(table, "read_seconds", prefix, 1...3600),
            runSeconds: try integer(table, "run_seconds", prefix, 1...86400))
    }

    /// Exactly one source, and the one that fits the way of logging in.
    private func secret(_ table: TOMLTable, _ auth: IMAPAuthentication, _ prefix: String) throws(ConfigurationError) -> SecretSource {
        var sources: [(key: String, source: SecretSource)] = []
        if let command = try text(table, "password_command", prefix) { sources.append(("password_command", .command(command))) }
        if let command = try text(table, "token_command", prefix) { sources.append(("token_command", .command(command))) }
        if let file = try text(table, "password_file", prefix) { sources.append(("password_file", .file(file))) }
        if let name = try text(table, "password_credential", prefix) { sources.append(("password_credential", .credential(name))) }
        guard let first = sources.first, sources.count == 1 else {
            let keys = auth == .password ? "password_command, password_file or password_credential" : "token_command"
            throw wrong(prefix + (sources.last?.key ?? "password_command"), "expected exactly one of \(keys)")
        }
        guard (auth == .password) == (first.key != "token_command") else {
            throw wrong(prefix + first.key, "auth = \"\(auth.rawValue)\" takes \(auth == .password ? "a password" : "token_command")")
        }
        return first.source
    }

    // MARK: - Values

    private func wrong(_ key: String, _ found: String) -> ConfigurationError {
        ConfigurationError(code: .wrongValue, place: place, key: key, found: found)
    }

    private func requireKnown(_ table: TOMLTable, _ keys: [String], _ prefix: String) throws(ConfigurationError) {
        for key in table.keys where !keys.contains(key) {
            let hint =
                suggestion(for: key, among: keys).map { "Did you mean \($0)?" } ?? "The keys here are \(keys.joined(separator: ", "))."
            let secret = ["password", "token", "secret"].contains(key) ? " A secret never stands in this file." : ""
            throw ConfigurationError(code: .unknownKey, place: place, key: prefix + key, found: "there is no such key.\(secret) \(hint)")
        }
    }

    private func text(_ table: TOMLTable, _ key: String, _ prefix: String) throws(ConfigurationError) -> String? {
        guard let value = table[key] else { return nil }
        guard let text = value.string, !text.isEmpty else { throw wrong(prefix + key, "expected a text in quotes") }
        return text
    }

    private func required(_ table: TOMLTable, _ key: String, _ prefix: String) throws(ConfigurationError) -> String {
        guard let text = try text(table, key, prefix) else { throw wrong(prefix + key, "is missing") }
        return text
    }

    private func boolean(_ table: TOMLTable, _ key: String, _ prefix: String) throws(ConfigurationError) -> Bool? {
        guard let value = table[key] else { return nil }
        guard let boolean = value.bool else { throw wrong(prefix + key, "expected true or false") }
        return boolean
    }

    private func integer(
        _ table: TOMLTable, _ key: String, _ prefix: String, _ range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int? {
        guard let value = table[key] else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw wrong(prefix + key, "expected a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func choice<Choice: RawRepresentable & CaseIterable>(
        _ table: TOMLTable, _ key: String, _ prefix: String, _ type: Choice.Type
    ) throws(ConfigurationError) -> Choice? where Choice.RawValue == String {
        guard let word = try text(table, key, prefix) else { return nil }
        guard let choice = Choice(rawValue: word) else {
            throw wrong(prefix + key, "\"\(word)\": expected \(Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))")
        }
        return choice
    }

    private func folders(_ table: TOMLTable, _ prefix: String) throws(ConfigurationError) -> [String] {
        guard let value = table["folders"] else { return ["INBOX"] }
        guard let list = value.array, list.count > 0 else { throw wrong(prefix + "folders", "expected a list, as [\"INBOX\"]") }
        let folders = try texts(list, prefix + "folders")
        guard !folders.contains("") else { throw wrong(prefix + "folders", "expected texts in quotes") }
        return folders
    }

    private func texts(_ list: TOMLArray, _ key: String) throws(ConfigurationError) -> [String] {
        var texts: [String] = []
        for index in 0..<list.count {
            guard let text = list[index].string else { throw wrong(key, "expected texts in quotes") }
            texts.append(text)
        }
        return texts
    }

    private func day(_ table: TOMLTable, _ key: String, _ prefix: String) throws(ConfigurationError) -> Int? {
        guard let word = try text(table, key, prefix) else { return nil }
        guard let day = Day(iso: word) else { throw wrong(prefix + key, "\"\(word)\": expected a date, as \"2026-11-01\"") }
        return day.number
    }

    private func action(_ table: TOMLTable, _ key: String, _ prefix: String) throws(ConfigurationError) -> AfterAction {
        guard let word = try text(table, key, prefix) else { return .leave }
        guard let action = SettleAction(argument: word) else {
            throw wrong(prefix + key, "\"\(word)\": expected \"leave\", \"mark-seen\", \"delete\" or \"move:FOLDER\"")
        }
        return action.action
    }
}
