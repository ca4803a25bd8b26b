import Foundation
import Testing

@testable import Mail

/// The quick reader must say exactly what GMime says, or leave the mail to it.
@Suite("Both readers agree")
struct DifferentialTests {
    /// Mails of the shapes that reporters use, to be mutated.
    static let seeds: [String] = [
        MimeTests.multipart(
            "Content-Type: text/plain; charset=us-ascii\n\nhello\n-- \nsignature",
            "Content-Type: application/gzip;\n\tname=\"a!b!1!2.xml.gz\"\nContent-Disposition: attachment;\n\tfilename=\"a!b!1!2.xml.gz\"\n"
                + "Content-Transfer-Encoding: base64\n\nPD94bWwgdmVyc2lvbj0iMS4wIj8+\nPGZlZWRiYWNrPsO8PC9mZWVkYmFjaz4=\n"),
        MimeTests.multipart(
            "Content-Type: multipart/alternative; boundary=\"XX.alt\"\n\n--XX.alt\nContent-Type: text/plain\n\na\n--XX.alt\n"
                + "Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>=3D</p>\n--XX.alt--\n",
            "Content-Type: application/zip; name=z.zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n"),
        "Return-Path: <a@b>\nReceived: from x\n\tby y; z\nDate: Sat, 1 Nov 2025 00:00:00 +0000\nMessage-ID: <1@x>\n"
            + "From: \"DMARC\" <a@b>\nSubject: Report Domain: a\n Submitter: b\n Report-ID: <c>\nMIME-Version: 1.0\n"
            + "Content-Type: application/zip; name=\"z.zip\"\nContent-Disposition: attachment; filename=\"z.zip\"\n"
            + "Content-Transfer-Encoding: base64\n\nUEsDBAUGBwgJCgsMDQ4P\nEBESExQVFhcYGRob\n",
        "Subject: Report domain: a\n\tSubmitter: b\nFrom: a\nContent-Type: application/gzip;\n\tname*0=\"a!b!1\";\n\tname*1=\"!2.xml\"\n"
            + "Content-Disposition: attachment;\n\tfilename*0=\"a!b!1\";\n\tfilename*1=\"!2.xml\"; filename*2=\".gz\"\n\nx\n",
    ]

    func check(_ bytes: [UInt8], _ note: @autoclosure () -> String) -> Bool {
        let scan = readMail(bytes, .scan)
        if scan.error != nil || isKnownToDiffer(bytes) { return false }
        let tree = readMail(bytes, .tree)
        #expect(scan.parts == tree.parts, "\(note())")
        #expect(scan.facts == tree.facts, "\(note())")
        return true
    }

    /// GMime cuts or leaves a byte where CRLF and LF are mixed, and ends a header field at a NUL.
    func isKnownToDiffer(_ bytes: [UInt8]) -> Bool {
        let lineFeeds = bytes.indices.filter { bytes[$0] == 10 }
        let withReturn = lineFeeds.filter { $0 > 0 && bytes[$0 - 1] == 13 }
        return bytes.contains(0) || (!withReturn.isEmpty && withReturn.count < lineFeeds.count)
    }

    @Test("over thousands of mails with a few bytes changed", arguments: [1, 2, 3, 4] as [UInt64])
    func mutations(seed: UInt64) {
        var random = Random(state: seed)
        let alphabet = Array("\n\r \t:;=\"-X\\/*?()<>ab0,.\0\u{7f}ÿ".utf8) + Array("--XX".utf8)
        let texts = [
            "\n", "\n\n", "--XX", "--XX--", "--XX\n", "\n--XX\n", "Content-Type: text/xml\n",
            "boundary=", "\n ", "; name=x", "==", "*0", "*1*",
        ]
        let pieces = texts.map { Array($0.utf8) }
        var compared = 0
        for number in 0..<1_500 {
            var bytes = Array(Self.seeds[number % Self.seeds.count].utf8)
            if number % 2 == 1 { bytes = bytes.flatMap { $0 == 10 ? [13, 10] : [$0] } }
            for _ in 0...random.next(3) {
                let position = random.next(bytes.count)
                switch random.next(5) {
                case 0: bytes[position] = alphabet[random.next(alphabet.count)]
                case 1: bytes.insert(alphabet[random.next(alphabet.count)], at: position)
                case 2: bytes.remove(at: position)
                case 3:
                    let piece = pieces[random.next(pieces.count)]
                    bytes.insert(contentsOf: number % 2 == 1 ? piece.flatMap { $0 == 10 ? [13, 10] : [$0] } : piece, at: position)
                default: bytes.removeSubrange(position..<min(bytes.count, position + random.next(40)))
                }
                if bytes.isEmpty { bytes = [10] }
            }
            if check(bytes, "seed \(seed), number \(number):\n\(String(decoding: bytes, as: UTF8.self))") { compared += 1 }
        }
        #expect(compared > 300)
    }

    @Test("over every prefix of a mail")
    func prefixes() {
        for seed in Self.seeds {
            let bytes = Array(seed.utf8)
            for count in 0..<bytes.count { _ = check(Array(bytes[..<count]), "\(count) bytes of:\n\(seed)") }
        }
    }

    @Test("over all lengths and line lengths of base64")
    func base64() {
        for length in 0..<200 {
            let data = Data((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) })
            var text = data.base64EncodedString()
            for line in [4, 5, 7, 60, 76] {
                let lines = stride(from: 0, to: text.utf8.count, by: line).map { start in
                    String(text[text.index(text.startIndex, offsetBy: start)...].prefix(line))
                }
                let mail = "X: y\nContent-Transfer-Encoding: base64\n\n" + lines.joined(separator: "\n")
                #expect(readMail(Array(mail.utf8), .scan).parts.map(\.bytes) == [Array(data)])
                #expect(check(Array(mail.utf8), mail))
            }
            text += "="
            #expect(check(Array("X: y\nContent-Transfer-Encoding: base64\n\n\(text)".utf8), text))
        }
    }

    /// Real mails, which lie beside the project on some machines.
    static let corpus: [String] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/corpus").path
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".eml") }.sorted().map { folder + "/" + $0 }
    }()

    @Test("over real mails, with LF and CRLF", .enabled(if: !corpus.isEmpty, "no ../shared/corpus beside the project"))
    func realMails() throws {
        for path in Self.corpus {
            let bytes = Array(FileManager.default.contents(atPath: path) ?? Data())
            let plain = bytes.filter { $0 != 13 }
            for twin in [bytes, plain, plain.flatMap { $0 == 10 ? [13, 10] : [$0] }] {
                _ = check(twin, path)
                #expect(!readMail(twin).parts.isEmpty, "\(path)")
            }
        }
    }
}

/// A small generator of numbers, the same in each run (SplitMix64).
struct Random {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((value ^ (value >> 31)) % UInt64(max(1, bound)))
    }
}
