import ArchiveMaking
import Foundation

/// Z1 to Z8: archives.
extension Corpus {
    private static func report(_ id: String) -> [UInt8] { Written(id: id).bytes }
    private static let blanks = [UInt8](repeating: 0x20, count: 1 << 20)
    private static let letters = [UInt8](repeating: 0x61, count: 1 << 20)
    private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

    /// A piece of 64 KiB that compresses about `ratio` to 1.
    private static func thin(_ ratio: Int) -> [UInt8] {
        var state: UInt64 = 7
        var piece = [UInt8](repeating: 0x61, count: 65536)
        for index in 0..<(65536 / ratio) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            piece[index] = 0x41 + UInt8(state >> 60)
        }
        return piece
    }

    static let containers: [HostileInput] = bombs + overlaps + lies + nests + names + encrypted + strangers

    private static let bombs: [HostileInput] = [
        attachment("Z1", "gzip of 10 MiB of blanks behind a report", .stored()) {
            Archives.gzip(report("z1-10"), repeating: blanks, count: 10)
        },
        attachment("Z1", "gzip of 100 MiB of blanks behind a report", .refused("ratio-too-high")) {
            Archives.gzip(report("z1-100"), repeating: blanks, count: 100)
        },
        attachment("Z1", "gzip of 1 GiB in members of one stream", .refused("unpacked-too-large")) {
            Archives.gzip(report("z1-1024")) + Archives.repeated(Archives.gzip([], repeating: blanks, count: 32), 32)
        },
        attachment("Z1", "gzip of 100 MiB of NULs", .refused("no-report-in-archive")) { Archives.gzip([], repeating: zeros, count: 100) },
        attachment("Z1", "gzip of 100 MiB of letters", .refused("no-report-in-archive")) {
            Archives.gzip([], repeating: letters, count: 100)
        },
        attachment("Z1", "gzip of 100 MiB of comment", .refused("markup-too-long")) {
            Archives.gzip(Array("<feedback><!--".utf8), repeating: letters, count: 100)
        },
        attachment("Z1", "gzip of 100 MiB of <", .refused("markup-too-long")) {
            Archives.gzip([], repeating: [UInt8](repeating: 0x3C, count: 1 << 20), count: 100)
        },
        attachment("Z1", "zlib stream of 100 MiB of blanks", .refused("ratio-too-high")) {
            Archives.zlib(report("z1-zlib") + Archives.repeated(blanks, 100))
        },
        attachment("Z1", "zip of 100 MiB of blanks behind a report", .refused("ratio-too-high"), file: "r.zip") {
            Archives.zip([.init("r.xml", report("z1-zip") + Archives.repeated(blanks, 100))])
        },
        attachment("Z1", "zip of 40 MiB of letters and no report", .refused("no-report-in-archive"), file: "r.zip") {
            Archives.zip([.init("r.xml", Archives.repeated(letters, 40))])
        },
        attachment("Z1", "gzip of a gzip of 100 MiB", .refused("ratio-too-high")) {
            Archives.gzip(Archives.gzip(report("z1-gzgz"), repeating: blanks, count: 100))
        },
        attachment("Z1", "gzip in a gzip that unpacks to 40 MiB of stored blocks", .refused("ratio-too-high")) {
            Archives.gzip(Archives.gzip(report("z1-stored"), repeating: blanks, count: 40, level: 0))
        },
        attachment("Z1", "an inner archive of 34 MiB under the ratio", .refused("unpacked-too-large")) {
            Archives.gzip(Archives.gzip(report("z1-inner"), repeating: thin(250), count: 34 * 16, level: 0))
        },
        attachment("Z1", "a sound report and 20 MiB that nobody wants", .refused("text-too-long")) {
            Archives.gzip(Array("<feedback><version>".utf8), repeating: thin(100), count: 20 * 16)
        },
        attachment("Z1", "10 members of 4 MiB each, below the ratio one by one", .stored(and: ["ratio-too-high"]), file: "r.zip") {
            Archives.zip((0..<10).map { .init("\($0).xml", report("z1-ten-\($0)") + Archives.repeated(blanks, 4)) })
        },
    ]

    private static let overlaps: [HostileInput] = joined(
        [100, 200, 1000, 65_535].map { count in
            attachment("Z2", "zip with \(count) entries on one member", .refused("too-many-members"), file: "r.zip") {
                overlapping(report("z2-\(count)"), count)
            }
        },
        [
            attachment("Z2", "zip of 300 members that quote the next one's header", .refused("too-many-members"), file: "r.zip") {
                quoted(300)
            },
            attachment("Z2", "zip of 12 members that quote the next one's header", .refused("archive-damaged"), file: "r.zip") {
                quoted(12)
            },
            attachment("Z2", "zip of 16 reports", .stored(.oddArchive), file: "r.zip") {
                Archives.zip((0..<16).map { .init("\($0).xml", report("z2-many-\($0)")) })
            },
            attachment("Z2", "zip of 17 reports", .refused("too-many-members"), file: "r.zip") {
                Archives.zip((0..<17).map { .init("\($0).xml", report("z2-more-\($0)")) })
            },
            attachment("Z2", "zip of 5,000 empty members", .refused("too-many-members"), file: "r.zip") {
                Archives.zip((0..<5000).map { .init("\($0)", []) })
            },
            attachment("Z2", "zip of 100 directories", .refused("too-many-members"), file: "r.zip") {
                Archives.zip(
                    (0..<100).map { number in
                        var member = Archives.Member("d\(number)/", [])
                        member.unixMode = 0o040755
                        return member
                    })
            },
            attachment("Z2", "gzip of 20 documents one after another", .stored(.oddArchive, and: ["too-many-members"])) {
                Array((0..<20).map { Written(id: "z2-gz-\($0)").gzip }.joined())
            },
            attachment(
                "Z2", "zip of streamed members and no directory, 40 of them", .stored(.oddArchive, and: ["too-many-members"]), file: "r.zip"
            ) {
                Archives.zip(
                    (0..<40).map { number in
                        var member = Archives.Member("\(number).xml", report("z2-stream-\(number)"))
                        member.hasDataDescriptor = true
                        return member
                    }, hasDirectory: false)
            },
        ])

    /// `count` entries of the directory that all lead to the same member.
    private static func overlapping(_ content: [UInt8], _ count: Int) -> [UInt8] {
        let whole = Archives.zip([.init("a.xml", content)])
        guard let start = whole.indices.last(where: { whole[$0...].starts(with: [0x50, 0x4B, 1, 2]) }) else { return [] }
        let local = Array(whole[..<start])
        let entry = Array(whole[start..<(whole.count - 22)])
        let directory = Archives.repeated(entry, count)
        return local + directory + Archives.end(count, directory.count, at: local.count)
    }

    /// Members whose first block, stored, is the header of the member behind them, so that each unpacks to all that follow.
    private static func quoted(_ count: Int) -> [UInt8] {
        let kernel = [UInt8](repeating: 0x61, count: 64 << 10)
        var data = Archives.deflated(kernel, windowBits: -15)
        var content = kernel
        var headers: [(header: [UInt8], data: Int, crc: UInt32, size: Int)] = []
        func header(_ crc: UInt32, _ packed: Int, _ size: Int) -> [UInt8] {
            Archives.little(UInt32(0x0403_4b50)) + Archives.little(UInt16(20)) + Archives.little(UInt16(0)) + Archives.little(UInt16(8))
                + Archives.little(UInt32(0x21_0000)) + Archives.little(crc) + Archives.little(UInt32(packed))
                + Archives.little(UInt32(size))
                + Archives.little(UInt16(1)) + Archives.little(UInt16(0)) + [0x61]
        }
        for index in 0..<count {
            let crc = Archives.checksum(content)
            let own = header(crc, data.count, content.count)
            headers.append((own, data.count, crc, content.count))
            guard index < count - 1 else { break }
            data = [0] + Archives.little(UInt16(own.count)) + Archives.little(~UInt16(own.count)) + own + data
            content = own + content
        }
        // The outermost is last; its data holds all the others.
        let whole = (headers.last?.header ?? []) + data
        var directory: [UInt8] = []
        for entry in headers.reversed() {
            let offset = whole.count - entry.data - entry.header.count
            directory += Archives.little(UInt32(0x0201_4b50)) + Archives.little(UInt16(20)) + Archives.little(UInt16(20))
            directory += Archives.little(UInt16(0)) + Archives.little(UInt16(8)) + Archives.little(UInt32(0x21_0000))
            directory += Archives.little(entry.crc) + Archives.little(UInt32(entry.data)) + Archives.little(UInt32(entry.size))
            directory += Archives.little(UInt16(1)) + [UInt8](repeating: 0, count: 12) + Archives.little(UInt32(offset)) + [0x61]
        }
        return whole + directory + Archives.end(headers.count, directory.count, at: whole.count)
    }

    private static func lie(_ id: String, _ change: (inout Archives.Member) -> Void) -> [UInt8] {
        var member = Archives.Member("r.xml", report(id))
        change(&member)
        return Archives.zip([member])
    }

    private static let lies: [HostileInput] = joined(
        ([0, 1, 100, 0x7FFF_FFFF, .max] as [UInt32]).map { size in
            attachment("Z3", "zip that declares \(size) bytes", .refused("archive-damaged"), file: "r.zip") {
                lie("z3-\(size)") { $0.declaredSize = size }
            }
        },
        [
            attachment("Z3", "zip64 that declares 0 bytes", .refused("archive-damaged"), file: "r.zip") {
                lie("z3-64-0") {
                    $0.isZip64 = true
                    $0.declaredSize = 0
                }
            },
            attachment("Z3", "zip64 that declares 4 GiB", .refused("archive-damaged"), file: "r.zip") {
                lie("z3-64-max") {
                    $0.isZip64 = true
                    $0.declaredSize = .max
                }
            },
            attachment("Z3", "zip64 that tells the truth", .stored(), file: "r.zip") { lie("z3-64") { $0.isZip64 = true } },
            attachment("Z3", "zip with a wrong checksum", .refused("archive-damaged"), file: "r.zip") {
                lie("z3-crc") { $0.declaredChecksum = 1 }
            },
            attachment("Z3", "streamed zip", .stored(), file: "r.zip") { lie("z3-stream") { $0.hasDataDescriptor = true } },
            attachment("Z3", "zip without its directory", .stored(and: ["archive-damaged"]), file: "r.zip") {
                Archives.zip([.init("r.xml", report("z3-nodir"))], hasDirectory: false)
            },
            attachment("Z3", "zip with an unknown method", .refused("archive-damaged"), file: "r.zip") { lie("z3-m") { $0.method = 77 } },
            attachment("Z3", "zip with a stored member that says deflate", .refused("archive-damaged"), file: "r.zip") {
                lie("z3-s") {
                    $0.isStored = true
                    $0.method = 8
                }
            },
            attachment("Z3", "only the end of a zip", .refused("no-report-in-archive"), file: "r.zip") { Archives.end(0, 0, at: 0) },
            attachment("Z3", "the end of a zip that promises 65,535 members", .refused("no-report-in-archive"), file: "r.zip") {
                Archives.end(65_535, 0x7FFF_FFFF, at: 0x7FFF_FFFF)
            },
            attachment("Z3", "four bytes of a zip", .refused("archive-damaged"), file: "r.zip") { [0x50, 0x4B, 3, 4] },
        ],
        [5, 30, 60, 120, 200].map { cut in
            attachment("Z3", "zip cut \(cut) bytes before the directory's end", .refused("archive-damaged"), file: "r.zip") {
                let whole = Archives.zip([.init("r.xml", report("z3-cut"))], hasDirectory: false)
                return Array(whole.dropLast(cut))
            }
        })

    private static let nests: [HostileInput] = joined(
        [3, 4, 10, 25].flatMap { depth in
            [
                attachment("Z4", "gzip \(depth) deep", .refused("nested-too-deep")) {
                    (0..<depth).reduce(report("z4-gz-\(depth)")) { inner, _ in Archives.gzip(inner) }
                },
                attachment("Z4", "zip \(depth) deep", .refused("nested-too-deep"), file: "r.zip") {
                    (0..<depth).reduce(report("z4-zip-\(depth)")) { inner, _ in Archives.zip([.init("a.zip", inner)]) }
                },
            ]
        },
        [
            attachment("Z4", "gzip 2 deep", .stored(.oddArchive)) { Archives.gzip(Written(id: "z4-2").gzip) },
            attachment("Z4", "zip in a zip", .stored(.oddArchive), file: "r.zip") {
                Archives.zip([.init("a.zip", Archives.zip([.init("r.xml", report("z4-zz"))]))])
            },
            attachment("Z4", "16 zips in each of 5 zips in each other", .refused("nested-too-deep"), file: "r.zip") {
                (0..<5).reduce(report("z4-42")) { inner, _ in Archives.zip((0..<16).map { .init("\($0).zip", inner) }) }
            },
            attachment("Z4", "16 zips of 16 documents that are none", .refused("xml-malformed"), file: "r.zip") {
                Archives.zip((0..<16).map { .init("\($0).zip", Archives.zip((0..<16).map { .init("\($0)", Array("<a".utf8)) })) })
            },
            attachment("Z4", "a gzip that unpacks to itself's beginning", .refused("gzip-truncated")) {
                Array(Archives.gzip(Array(Archives.gzip(report("z4-self")).prefix(30))))
            },
            attachment("Z4", "zip named gz", .stored(.mislabelledContainer)) { Archives.zip([.init("r.xml", report("z4-zg"))]) },
            attachment("Z4", "gzip named zip", .stored(.mislabelledContainer), file: "r.zip") { Written(id: "z4-gz").gzip },
            attachment("Z4", "XML named zip", .stored(.mislabelledContainer, .plainAttachment), file: "r.zip") { report("z4-xz") },
            attachment("Z4", "zlib stream named zip", .stored(.mislabelledContainer, .oddArchive), file: "r.zip") {
                Archives.zlib(report("z4-zlib"))
            },
            attachment("Z4", "gzip that names itself another type of file", .stored(), file: "r.zip.exe") {
                Written(id: "z4-exe").gzip
            },
        ])

    private static let memberNames: [(what: String, name: [UInt8])] = [
        ("climbs out", Array("../../../../etc/cron.d/x".utf8)), ("is absolute", Array("/etc/passwd".utf8)),
        ("has a NUL", Array("a\0b.xml".utf8)), ("is 60,000 long", [UInt8](repeating: 0x61, count: 60_000)),
        ("is no UTF-8", [0xFF, 0xFE, 0x80, 0x2E, 0x78]), ("turns the direction", Array("a\u{202E}lmx.exe".utf8)),
        ("has escapes", Array("\u{1B}[2J\u{1B}]0;x\u{7}.xml".utf8)), ("has line ends", Array("a\r\nb.xml".utf8)),
        ("is a formula", Array("=cmd|'/c calc'!A1".utf8)), ("is empty", []), ("is a dot", Array(".".utf8)),
        ("is a device", Array("CON".utf8)), ("has a drive", Array("C:\\x.xml".utf8)),
        ("is markup", Array("</script><script>alert(1)".utf8)),
    ]

    private static let names: [HostileInput] = joined(
        memberNames.enumerated().map { index, entry in
            attachment("Z5", "a member's name \(entry.what)", .stored(), file: "r.zip") {
                var member = Archives.Member("", report("z5-\(index)"))
                member.name = entry.name
                return Archives.zip([member])
            }
        },
        ([("device", 0o020644), ("socket", 0o140644), ("directory", 0o040755)]
            as [(String, UInt32)])
            .map { what, mode in
                attachment("Z5", "a member that is a \(what)", .refused("no-report-in-archive"), file: "r.zip") {
                    lie("z5-mode") { $0.unixMode = mode }
                }
            },
        [
            attachment("Z5", "a member that is a symbolic link", .refused("no-report-in-archive"), file: "r.zip") {
                var member = Archives.Member("r.xml", Array("/etc/passwd".utf8))
                member.isStored = true
                member.unixMode = 0o120777
                return Archives.zip([member])
            },
            attachment("Z5", "a member that is a deflated symbolic link", .refused("archive-damaged"), file: "r.zip") {
                lie("z5-link") { $0.unixMode = 0o120777 }
            },
            // What Info-ZIP writes for a report that it read from a pipe.
            attachment("Z5", "a member that is a pipe", .stored(), file: "r.zip") { lie("z5-pipe") { $0.unixMode = 0o010644 } },
            attachment("Z5", "only what a Mac adds", .refused("no-report-in-archive"), file: "r.zip") {
                Archives.zip([.init("__MACOSX/._r.xml", report("z5-mac"))])
            },
        ])

    private static let encrypted: [HostileInput] = [
        attachment("Z6", "ZipCrypto", .refused("archive-encrypted"), file: "r.zip") { lie("z6") { $0.flags = 1 } },
        attachment("Z6", "AES", .refused("archive-encrypted"), file: "r.zip") {
            lie("z6-aes") {
                $0.flags = 1
                $0.method = 99
            }
        },
        attachment("Z6", "strong encryption", .refused("archive-encrypted"), file: "r.zip") { lie("z6-s") { $0.flags = 0x41 } },
        attachment("Z6", "one encrypted member beside a sound one", .stored(and: ["archive-encrypted"]), file: "r.zip") {
            var member = Archives.Member("a.xml", report("z6-a"))
            member.flags = 1
            return Archives.zip([member, .init("b.xml", report("z6-b"))])
        },
        attachment("Z6", "encrypted and streamed", .refused("archive-encrypted"), file: "r.zip") {
            lie("z6-d") {
                $0.flags = 1
                $0.hasDataDescriptor = true
            }
        },
    ]

    /// Formats that nothing here reads, or the first bytes of one that is read. Named as a report's they are refused, as a file and in a mail.
    private static let strangers: [HostileInput] = joined(
        ([
            ("RAR 4", "526172211a0700", "archive-rar"), ("RAR 5", "526172211a070100", "archive-rar"),
            ("7z", "377abcaf271c", "archive-seven-zip"),
            ("bzip2", "425a6839314159265359", "archive-damaged"),
            ("xz", "fd377a585a00", "archive-damaged"), ("lzma", "5d00008000", "archive-other"), ("zstd", "28b52ffd", "unpacked-too-large"),
            ("lz4", "04224d18", "archive-damaged"), ("compress", "1f9d90", "archive-other"),
            ("cab", "4d534346", "archive-other"),
            ("arj", "60ea", "archive-other"), ("lha", "21202d6c68352d", "archive-other"), ("tar", "7573746172003030", "unknown-container"),
            ("iso", "4344303031", "unknown-container"), ("cpio", "303730373031", "unknown-container"),
            ("ar", "213c617263683e0a", "unknown-container"), ("PDF", "255044462d", "unknown-container"),
            ("PNG", "89504e470d0a1a0a", "unknown-container"), ("a program", "7f454c46", "unknown-container"),
            ("a Windows program", "4d5a", "unknown-container"),
            ("SQLite", "53514c69746520666f726d6174203300", "unknown-container"), ("one byte", "00", "unknown-container"),
            ("half a gzip", "1f", "unknown-container"), ("half a zip", "504b", "unknown-container"),
        ] as [(String, String, String)]).map { what, hex, code in
            attachment("Z8", what, .refused(code), file: "r.zip") {
                let digits = Array(hex)
                let magic = stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
                return magic.count < 3 ? magic : magic + [UInt8](repeating: 0x90, count: 600)
            }
        },
        [
            attachment("Z8", "Outlook's own format", .refused("outlook-message"), file: "r.msg") {
                [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1] + [UInt8](repeating: 0, count: 600)
            },
            attachment("Z8", "nothing", .notAReport("empty-file"), file: "r.zip") { [] },
        ])
}
