import DMARC
import Foundation
import Glibc
import Synchronization
import Testing

/// One input that somebody could send, and what must become of it.
struct HostileInput: Sendable, CustomTestStringConvertible {
    /// The bytes are a mail, or the attachment of one.
    enum Form: Sendable, Equatable {
        case mail
        case attachment(String)
    }

    /// The id of the threat, as `X3`.
    let threat: String
    /// What it is, unique among all.
    let name: String
    let form: Form
    let expected: Expected
    /// Another fate than `expected` when it comes as a mail: content that is no archive is nobody's report there.
    let expectedInMail: Expected
    let make: @Sendable () -> [UInt8]
    private let kept = MadeInput()

    init(
        threat: String, name: String, form: Form, expected: Expected, expectedInMail: Expected, make: @escaping @Sendable () -> [UInt8]
    ) {
        self.threat = threat
        self.name = name
        self.form = form
        self.expected = expected
        self.expectedInMail = expectedInMail
        self.make = make
    }

    /// Where it lies on disk. Made once a process: many are large, and making them takes longer than reading them.
    func made() throws -> MadeInput.Paths { try kept.paths(self) }

    var testDescription: String { "\(threat) \(name)" }

    /// As a mail: a sound one around the attachment.
    func asMail(_ bytes: [UInt8]) -> [UInt8] {
        guard case .attachment(let name) = form else { return bytes }
        return Mails.around(bytes, name: name)
    }
}

/// One input on disk. Only to be read, and linked to.
final class MadeInput: Sendable {
    struct Paths: Sendable {
        /// The attachment as a file of its name; nil for a mail.
        var file: String?
        /// A maildir with one mail.
        var maildir: String
        /// That mail.
        var mail: String { maildir + "/cur/1" }
    }

    /// One folder for all, removed when the process ends: no owner of a static ends before it.
    private static let folder: Result<HostileFolder, any Error> = Result {
        let folder = try HostileFolder()
        atexit { try? MadeInput.folder.get().remove() }
        return folder
    }

    private let made = Mutex<Paths?>(nil)

    func paths(_ input: HostileInput) throws -> Paths {
        try made.withLock { made in
            if let made { return made }
            let (folder, own) = (try Self.folder.get(), UUID().uuidString)
            let bytes = input.make()
            var paths = Paths(maildir: folder.path + "/\(own)/mail")
            if case .attachment(let name) = input.form { paths.file = try folder.write("\(own)/file/\(name)", bytes) }
            try folder.write("\(own)/mail/new/.keep", [])
            try folder.write("\(own)/mail/cur/1", input.asMail(bytes))
            made = paths
            return paths
        }
    }
}

/// What must become of an input.
struct Expected: Sendable, Equatable {
    enum Outcome: Sendable {
        case stored, refused, notAReport
    }

    var outcome: Outcome
    /// All refusal codes: of the message, its documents and groups of records; for `notAReport` the kind.
    var codes: Set<String> = []
    /// Deviations that a stored report must carry, among others.
    var deviations: Set<Deviation> = []

    static func refused(_ codes: String...) -> Expected { Expected(outcome: .refused, codes: Set(codes)) }
    static func notAReport(_ kind: String) -> Expected { Expected(outcome: .notAReport, codes: [kind]) }
    static func stored(_ deviations: Deviation..., and codes: Set<String> = []) -> Expected {
        Expected(outcome: .stored, codes: codes, deviations: Set(deviations))
    }
}

/// All inputs; each file `Corpus+….swift` holds those of one kind of threat.
enum Corpus {
    static let all: [HostileInput] = containers + compressed + documents + encodings + mails + headers + scalars + texts

    /// Lists one after another; with `+` the compiler takes too long.
    static func joined(_ lists: [HostileInput]...) -> [HostileInput] { lists.flatMap(\.self) }

    static func attachment(
        _ threat: String, _ name: String, _ expected: Expected, mail: Expected? = nil, file: String = "report.gz",
        _ make: @escaping @Sendable () -> [UInt8]
    ) -> HostileInput {
        HostileInput(threat: threat, name: name, form: .attachment(file), expected: expected, expectedInMail: mail ?? expected, make: make)
    }

    /// A document, as plain XML.
    static func document(
        _ threat: String, _ name: String, _ expected: Expected, mail: Expected? = nil, _ make: @escaping @Sendable () -> String
    ) -> HostileInput {
        attachment(threat, name, expected, mail: mail, file: "report.xml") { Array(make().utf8) }
    }

    static func mail(_ threat: String, _ name: String, _ expected: Expected, _ make: @escaping @Sendable () -> String) -> HostileInput {
        HostileInput(threat: threat, name: name, form: .mail, expected: expected, expectedInMail: expected) { Array(make().utf8) }
    }
}

/// Mails.
enum Mails {
    static func around(_ bytes: [UInt8], name: String) -> [UInt8] {
        var mail = Data(
            """
            From: reports@reporter.example
            To: dmarc@example.nl
            Subject: Report Domain: example.nl Submitter: reporter.example Report-ID: <1>
            MIME-Version: 1.0
            Content-Type: multipart/mixed; boundary="=_b"

            --=_b
            Content-Type: text/plain

            This is a report.
            --=_b
            Content-Type: application/octet-stream; name="\(name)"
            Content-Transfer-Encoding: base64


            """.utf8)
        mail.append(Data(bytes).base64EncodedData(options: [.lineLength76Characters, .endLineWithLineFeed]))
        mail.append(Data("\n--=_b--\n".utf8))
        return [UInt8](mail)
    }

    /// The base64 of a small sound report, gzipped, in lines.
    static func base64(_ id: String) -> String {
        String(
            decoding: Data(Written(id: id).gzip).base64EncodedData(options: [.lineLength76Characters, .endLineWithLineFeed]), as: UTF8.self)
    }

    /// A mail with these header lines, whose only part is a report.
    static func headed(_ header: String, id: String) -> String {
        header + "\nContent-Type: application/gzip; name=r.gz\nContent-Transfer-Encoding: base64\n\n" + base64(id) + "\n"
    }
}
