import DMARC
import GRDB

/// Names that are no domains: anybody can call himself so (docs/decisions/0009-authenticity.md).
extension ReportWriter {
    /// Days between a voice's first report under a name and the first that another voice is measured by.
    private static let daysKnown = 14
    /// Days on which a voice must have reported under a name.
    private static let daysReported = 7
    /// Names that are remembered.
    private static let maxRemembered = 10_000

    /// A voice that has reported under a name for long, verified.
    struct EstablishedVoice {
        var name: String
        /// Seconds since 1970: when that was so.
        var since: Int
    }

    /// What is known of the mail, and a mismatch if the reporter's name belongs to somebody else: to a voice that has had it for long and that is
    /// called like it, while this one is not. Whoever comes first to a name that is not his own keeps nobody out.
    func judged(_ sender: ReportSender, _ header: ReportHeader) throws -> ReportSender {
        guard sender.authenticity == .verified, let voice = sender.voice, let arrived = sender.arrivedAt,
            DomainName.named(header.reporter) == nil, KnownReporters.known.reporter(named: header.reporter) == nil,
            !Self.isCalled(voice, header.reporter)
        else { return sender }
        let owners = try established(header.reporter)
        guard owners.contains(where: { $0.name != voice && $0.since <= arrived && Self.isCalled($0.name, header.reporter) }) else {
            return sender
        }
        var sender = sender
        sender.authenticity = .mismatch
        sender.voice = nil
        sender.rank = .mismatch
        return sender
    }

    /// Whether a voice is called like a name: `receiver.example` and "Example Receiver Inc.".
    static func isCalled(_ voice: String, _ name: String) -> Bool {
        func letters(_ text: some StringProtocol) -> String { String(text.lowercased().filter { $0.isLetter || $0.isNumber }) }
        let (label, name) = (letters(voice.prefix { $0 != "." }), letters(name))
        return label.utf8.count >= 3 && name.utf8.count >= 3 && (name.contains(label) || label.contains(name))
    }

    /// The voices that had reported under a name for long when this writer began.
    private func established(_ name: String) throws -> [EstablishedVoice] {
        if let known = establishedVoices[name] { return known }
        if establishedVoices.count >= Self.maxRemembered { establishedVoices.removeAll() }
        let rows = try Row.fetchAll(db, sql: Self.establishedSQL, arguments: [try interning.reporter(name)])
        var found: [EstablishedVoice] = []
        var (voice, days, first) = ("", 0, 0)
        for row in rows {
            if row[0] != voice { (voice, days, first) = (row[0], 0, row[1]) }
            days += 1
            // On this day it had reported on enough of them, the last long enough after the first.
            if days >= Self.daysReported, row[1] >= first + Self.daysKnown, found.last?.name != voice {
                found.append(EstablishedVoice(name: voice, since: row[1] * 86400))
            }
        }
        establishedVoices[name] = found
        return found
    }

    /// Question: on which days did verified reports of this name arrive, by voice. Unit: one row a voice and day. Index: `reports_verified`.
    static let establishedSQL = """
        SELECT n.name, p.arrived_utc / 86400 AS day
        FROM reports p JOIN names n ON n.id = p.voice_id
        WHERE p.reporter_id = ? AND p.authenticity = 1 AND p.arrived_utc IS NOT NULL
        GROUP BY p.voice_id, 2 ORDER BY p.voice_id, 2
        """
}
