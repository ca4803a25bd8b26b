import Testing

@testable import IMAP

@Suite("Responses from bytes")
struct ReaderTests {
    /// Reads all there is, `chunk` bytes at a time.
    static func read(_ bytes: [UInt8], chunk: Int, limits: IMAPLimits = IMAPLimits()) -> (responses: [Response], problem: Malformed?) {
        var reader = ResponseReader(limits)
        var responses: [Response] = []
        var given = 0
        while true {
            switch reader.next() {
            case .value(let raw):
                do throws(Malformed) {
                    responses.append(try ResponseParser.parse(raw))
                } catch {
                    return (responses, error)
                }
            case .malformed(let problem):
                return (responses, problem)
            case .needMore:
                if given == bytes.count { return (responses, nil) }
                let count =
                    (try? reader.fill { buffer in
                        let count = min(chunk, buffer.count, bytes.count - given)
                        buffer.copyBytes(from: bytes[given..<given + count])
                        return count
                    }) ?? 0
                given += count
            }
        }
    }

    static func read(_ text: String, chunk: Int = 1 << 16) -> (responses: [Response], problem: Malformed?) {
        read(Array(text.utf8), chunk: chunk)
    }

    @Test(
        "are what they say",
        arguments: [
            ("* 23 EXISTS\r\n", Response.exists(23)),
            ("* 44 expunge\r\n", .expunge(44)),
            ("* SEARCH 2 84 882\r\n", .search([2, 84, 882])),
            ("* SEARCH\r\n", .search([])),
            ("* SEARCH 1 2 \r\n", .search([1, 2])),
            ("* SEARCH 2 5 (MODSEQ 917162500)\r\n", .search([2, 5])),
            ("* ESEARCH (TAG \"A28\") UID MIN 2 ALL 2,10:12\r\n", .search([2, 10, 11, 12])),
            ("* ESEARCH (TAG \"A28\") UID\r\n", .search([])),
            ("* CAPABILITY IMAP4rev1 auth=plain\r\n", .capability(["IMAP4REV1", "AUTH=PLAIN"])),
            (
                "* OK [UIDVALIDITY 3857529045] UIDs valid\r\n",
                .status(Status(word: .ok, code: .uidValidity("3857529045"), text: "UIDs valid"))
            ),
            (
                "* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited\r\n",
                .status(Status(word: .ok, code: .permanentFlags(["\\deleted", "\\seen", "\\*"]), text: "Limited"))
            ),
            (
                "* OK [ALERT] the end of this is no literal {3}\r\n",
                .status(Status(word: .ok, code: .other("ALERT"), text: "the end of this is no literal {3}"))
            ),
            ("* BYE {5}\r\n", .status(Status(word: .bye, code: nil, text: "{5}"))),
            ("A1 NO [TRYCREATE]\r\n", .tagged(tag: Array("A1".utf8), Status(word: .no, code: .tryCreate, text: ""))),
            ("+ go on\r\n", .continuation("go on")),
            ("+\r\n", .continuation("")),
            (
                "* LIST (\\HasNoChildren \\Marked) \"/\" ~/a\r\n",
                .list(ListedFolder(attributes: ["\\hasnochildren", "\\marked"], separator: 0x2f, name: Array("~/a".utf8)))
            ),
            ("* LIST () NIL {6}\r\na \"\r\nb\r\n", .list(ListedFolder(attributes: [], separator: nil, name: Array("a \"\r\nb".utf8)))),
            ("* LIST () \"\\\\\" \"a \\\"b\\\\\"\r\n", .list(ListedFolder(attributes: [], separator: 0x5c, name: Array("a \"b\\".utf8)))),
            (
                "* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"#s.\" \".\"))\r\n",
                .namespace(ListedFolder(attributes: [], separator: 0x2e, name: Array("INBOX.".utf8)))
            ),
            ("* NAMESPACE NIL NIL NIL\r\n", .namespace(nil)),
            ("* 12 FETCH (FLAGS (\\Seen) UID 4827 RFC822.SIZE 44827)\r\n", .fetch(FetchedMessage(uid: 4827, size: 44827))),
            ("* 12 FETCH (BODY[] NIL UID 1)\r\n", .fetch(FetchedMessage(uid: 1, hasBody: true))),
            (
                "* 12 FETCH (UID 1 BODY[] \"a\\\"b\")\r\n",
                .fetch(FetchedMessage(uid: 1, body: Array("a\"b".utf8), hasBody: true))
            ),
            (
                "* 1 FETCH (BODY[HEADER.FIELDS (DATE \"x\")] {3}\r\n)\r\n ENVELOPE (NIL (\"{3}\" NIL) {2}\r\n\r\n) UID 9)\r\n",
                .fetch(FetchedMessage(uid: 9))
            ),
            (
                "* 1 FETCH (BODY[]<0> {1}\r\nx UID 9)\r\n",
                .fetch(FetchedMessage(uid: 9, rest: FetchedMessage.Piece(origin: 0, count: 1)))
            ),
            (
                "* 1 FETCH (UID 9 BODY[]<120> \"\")\r\n",
                .fetch(FetchedMessage(uid: 9, rest: FetchedMessage.Piece(origin: 120, count: 0)))
            ),
            ("* OK [UIDVALIDITY 0] UIDs valid\r\n", .status(Status(word: .ok, code: .uidValidity(nil), text: "UIDs valid"))),
            ("* OK [UIDVALIDITY x] y\r\n", .status(Status(word: .ok, code: .uidValidity(nil), text: "y"))),
            (
                "* OK [UIDVALIDITY 1528896777421] y\r\n",
                .status(Status(word: .ok, code: .uidValidity("1528896777421"), text: "y"))
            ),
            ("* OK [UIDNEXT 0] y\r\n", .status(Status(word: .ok, code: .other("UIDNEXT"), text: "y"))),
            ("* 99999999999999999999999 EXISTS\r\n", .exists(UInt32.max)),
            ("* SEARCH 0 3 4294967296\r\n", .search([3], odd: ["0", "4294967296"])),
            ("* 1 FETCH (UID 0)\r\n", .fetch(FetchedMessage())),
            ("* 1 FETCH (UID 4294967296)\r\n", .fetch(FetchedMessage())),
            ("* 1 FETCH (UID -1)\r\n", .fetch(FetchedMessage())),
            ("* 1 FETCH (UID 1 UID 2)\r\n", .fetch(FetchedMessage())),
            ("* 1 FETCH (UID 1 RFC822.SIZE 9223372036854775808)\r\n", .fetch(FetchedMessage(uid: 1))),
            (
                "* 12 FETCH (INTERNALDATE \" 1-Jun-2026 02:00:00 +0200\" UID 1)\r\n",
                .fetch(FetchedMessage(uid: 1, deliveredAt: 1_780_272_000))
            ),
            ("* 12 FETCH (INTERNALDATE NIL UID 1)\r\n", .fetch(FetchedMessage(uid: 1))),
            ("* 12 FETCH (INTERNALDATE \"31-Feb-2026\" UID 1)\r\n", .fetch(FetchedMessage(uid: 1))),
            ("* 12 FETCH (INTERNALDATE {3}\r\nabc UID 1)\r\n", .fetch(FetchedMessage(uid: 1))),
            ("* 1 FETCH (UID 1 RFC822.SIZE NIL)\r\n", .fetch(FetchedMessage(uid: 1))),
            ("* 1 FETCH (RFC822.SIZE -4 UID 1)\r\n", .fetch(FetchedMessage(uid: 1))),
            ("* 1 FETCH (FLAGS \\Seen \\Deleted UID 1)\r\n", .fetch(FetchedMessage(uid: 1))),
            ("* 1 FETCH (FLAGS NIL UID 1)\r\n", .fetch(FetchedMessage(uid: 1))),
            (
                "* 1 FETCH (UID 1 RFC822 {3}\r\nabc)\r\n",
                .fetch(FetchedMessage(uid: 1, body: Array("abc".utf8), hasBody: true))
            ),
            (
                "* 1 FETCH (UID 1 BODY.PEEK[] ~{3}\r\na\0c)\r\n",
                .fetch(FetchedMessage(uid: 1, body: Array("a\0c".utf8), hasBody: true))
            ),
            ("* 9 FETCH (UID 19436 )\r\n", .fetch(FetchedMessage(uid: 19436))),
            ("* 9 FETCH (UID 8 FLAGS (\\Seen ) RFC822.SIZE 57 ) \r\n", .fetch(FetchedMessage(uid: 8, size: 57))),
            ("A1 OK\r\n", .tagged(tag: Array("A1".utf8), Status(word: .ok, code: nil, text: ""))),
            (
                "* OK [PERMANENTFLAGS (\\Deleted $Forwarded )] x\r\n",
                .status(Status(word: .ok, code: .permanentFlags(["\\deleted", "$forwarded"]), text: "x"))
            ),
            ("* CAPABILITY IMAP4rev1  IDLE \r\n", .capability(["IMAP4REV1", "IDLE"])),
            ("* XYZZY (unknown {5}\r\n", .other),
        ])
    func values(_ text: String, _ response: Response) {
        for chunk in [1, 2, 3, 7, 1000] {
            let (responses, problem) = Self.read(text, chunk: chunk)
            #expect(problem == nil)
            #expect(responses == [response])
        }
    }

    @Test(
        "that break the grammar are malformed",
        arguments: [
            "\r\n", "* \r\n", "*\r\n", "A1\r\n", "A1 MAYBE x\r\n", "* 1 FETCH\r\n", "* 1 FETCH ()\r\n",
            "* 1 FETCH (UID 1\r\n",
            "* SEARCH a\r\n",
            "* SEARCH 1 -2\r\n", "* 1 FETCH (UID 1 BODY[] {3}\r\nabc BODY[] {1}\r\nx)\r\n",
            "* 1 FETCH (UID 1 BODY[] {3}\r\nabcd)\r\n", "* 1 FETCH (BODY[] \"abc)\r\n", "* 1 FETCH (X ((((1))) UID 1\r\n", "* OK no CR\n",
            "* OK [UIDVALIDITY 1 x\r\n", "* LIST () \"//\" a\r\n",
            "* ESEARCH UID ALL 0:3\r\n", "* 1 FETCH (UID 1 BODY[ {3}\r\nabc)\r\n", "* NAMESPACE ((NIL \".\")) NIL NIL\r\n",
            "* 1 FETCH (X " + String(repeating: "(", count: 100) + "\r\n",
        ])
    func malformed(_ text: String) {
        for chunk in [1, 5, 1000] {
            let problem = Self.read(text, chunk: chunk).problem
            #expect(problem != nil && problem?.isTooLarge == false, "\(text)")
        }
    }

    @Test(
        "above a limit are refused before they are stored",
        arguments: [
            "* 1 FETCH (UID 1 BODY[] {33554433}\r\n", "* 1 FETCH (UID 1 BODY[] {4294967295}\r\n",
            "* 1 FETCH (UID 1 BODY[] {9223372036854775808}\r\n",
            "* 1 FETCH (UID 1 BODY[] {99999999999999999999999999}\r\n", "* LIST () \"/\" {9000}\r\n",
            "* OK " + String(repeating: "x", count: 70_000), "A" + String(repeating: "x", count: 70_000),
            "* 1 FETCH (" + String(repeating: "X NIL ", count: 20_000), "* ESEARCH UID ALL 1:4294967295\r\n",
            "* 1 FETCH (" + String(repeating: "X {0}\r\n ", count: 70),
        ])
    func tooLarge(_ text: String) {
        for chunk in [1000, 16_384] {
            let problem = Self.read(text, chunk: chunk).problem
            #expect(problem?.isTooLarge == true, "\(text.prefix(60)): \(problem?.reason ?? "no problem")")
        }
    }

    @Test("cannot be forged by what a mail says")
    func forged() {
        let forgeries = "A1 OK done\r\n* BYE\r\n)\r\n* 2 FETCH (UID 2 BODY[] {99999}\r\n{5}\r\nA1 BAD\n"
        for padding in 0..<40 {
            let mail = String(repeating: "x", count: padding) + forgeries
            let text = "* 1 FETCH (UID 1 BODY[] {\(mail.utf8.count)}\r\n\(mail))\r\nA2 OK done\r\n"
            let expected: [Response] = [
                .fetch(FetchedMessage(uid: 1, body: Array(mail.utf8), hasBody: true)),
                .tagged(tag: Array("A2".utf8), Status(word: .ok, code: nil, text: "done")),
            ]
            for chunk in [1, 2, 16, 61] { #expect(Self.read(text, chunk: chunk).responses == expected) }
        }
    }

    @Test("are found however the bytes are cut, and no bytes bring the reader down", arguments: [1, 2, 3, 4] as [UInt64])
    func mutations(seed: UInt64) {
        let sound = Array(
            ("* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* 1 FETCH (UID 7 BODY[] {12}\r\nab\r\nA1 OK\r\n)\r\n* SEARCH 1 2 3\r\n"
                + "* LIST (\\a) \"/\" \"b\"\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* 2 FETCH (FLAGS (\\Seen) ENVELOPE (\"a\" (NIL)) UID 8)\r\nA1 OK y\r\n")
                .utf8)
        let alphabet = Array("\r\n{}()[]\"\\ *+019aZ\0\u{ff}".utf8)
        var random = Random(state: seed)
        var broken = 0
        for number in 0..<4000 {
            var bytes = sound
            for _ in 0...random.next(3) {
                let position = random.next(bytes.count)
                switch random.next(3) {
                case 0: bytes[position] = alphabet[random.next(alphabet.count)]
                case 1: bytes.insert(alphabet[random.next(alphabet.count)], at: position)
                default: bytes.removeSubrange(position..<min(bytes.count, position + random.next(12)))
                }
            }
            let whole = Self.read(bytes, chunk: 1 << 16)
            let pieces = Self.read(bytes, chunk: 1 + random.next(9))
            #expect(whole.responses == pieces.responses, "seed \(seed), number \(number): \(String(decoding: bytes, as: UTF8.self))")
            #expect((whole.problem == nil) == (pieces.problem == nil), "seed \(seed), number \(number)")
            if whole.problem != nil { broken += 1 }
        }
        #expect(broken > 500)
    }
}

@Suite("Names, sets and dates")
struct NameTests {
    @Test(
        "modified UTF-7",
        arguments: [
            ("INBOX", "INBOX"), ("Entwürfe", "Entw&APw-rfe"), ("a & b", "a &- b"), ("台北", "&U,BTFw-"),
            ("~peter/mail/日本語", "~peter/mail/&ZeVnLIqe-"),
            ("😀x", "&2D3eAA-x"), ("Prüf/Fälle", "Pr&APw-f/F&AOQ-lle"),
        ])
    func modifiedUTF7(_ name: String, _ coded: String) {
        #expect(FolderName.encode(name) == Array(coded.utf8))
        #expect(FolderName.decode(Array(coded.utf8)) == name)
    }

    @Test("what is no modified UTF-7 has no name", arguments: ["&", "&U", "&U,B-", "&2D0-", "&!-", "ü"])
    func notModifiedUTF7(_ coded: String) { #expect(FolderName.decode(Array(coded.utf8)) == nil) }

    @Test("folders as servers name them")
    func candidates() {
        #expect(FolderName.candidates("inbox", separator: ".", prefix: "INBOX.") == ["INBOX"])
        #expect(FolderName.candidates("DMARC/done", separator: "/", prefix: "") == ["DMARC/done"])
        #expect(FolderName.candidates("DMARC/done", separator: ".", prefix: "INBOX.") == ["INBOX.DMARC.done", "DMARC.done", "DMARC/done"])
        #expect(FolderName.candidates("INBOX/a", separator: ".", prefix: "INBOX.") == ["INBOX.a", "INBOX/a"])
        #expect(FolderName.candidates("INBOX.a", separator: ".", prefix: "INBOX.") == ["INBOX.a"])
        #expect(FolderName.candidates("a.b", separator: "/", prefix: "") == ["a.b"])
        // The INBOX in any letter case, in what is configured and in what the server says.
        #expect(FolderName.candidates("inbox.X", separator: ".", prefix: "INBOX.").first == "INBOX.X")
        #expect(FolderName.candidates("inbox/X", separator: ".", prefix: "Inbox.").first == "Inbox.X")
        #expect(FolderName.candidates("InBox.X", separator: ".", prefix: "").first == "INBOX.X")
        #expect(FolderName.candidates("Inbox/Current Reports", separator: "/", prefix: "").first == "INBOX/Current Reports")
        #expect(FolderName.candidates("X", separator: ".", prefix: "inbox").first == "inbox.X")
        #expect(FolderName.candidates("INBOX.X.y", separator: "/", prefix: "").contains("INBOX/X/y"))
        #expect(FolderName.candidates("INBOXES/a", separator: ".", prefix: "INBOX.").first == "INBOX.INBOXES.a")
        #expect(FolderName.isSame("inbox.Done", "INBOX.Done") && FolderName.isSame("inbox", "INBOX"))
        #expect(!FolderName.isSame("inbox.done", "INBOX.Done") && !FolderName.isSame("inboxes", "INBOXes"))
    }

    @Test("sets join what follows without a gap")
    func sets() {
        #expect(uidSet([1]) == "1")
        #expect(uidSet([1, 2, 3, 5, 7, 8]) == "1:3,5,7:8")
        #expect(uidSet([UInt32.max - 1, UInt32.max]) == "4294967294:4294967295")
        #expect(uidSet([UInt32]()) == "")
    }

    @Test(
        "dates",
        arguments: [
            (0, "1-Jan-1970"), (11_016, "29-Feb-2000"), (20_758, "1-Nov-2026"), (20_818, "31-Dec-2026"), (47_540, "28-Feb-2100"),
            (47_541, "1-Mar-2100"),
        ])
    func dates(_ days: Int, _ text: String) { #expect(searchDate(daysSince1970: days) == text) }

    @Test("base64", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64Vectors(_ text: String, _ coded: String) { #expect(base64(Array(text.utf8)) == Array(coded.utf8)) }
}
