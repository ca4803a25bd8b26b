/// A command without its tag: text, and literals that the server must agree to before they are sent.
struct Command {
    enum Part {
        case text([UInt8])
        case literal([UInt8])
    }

    /// The first word, for errors.
    let name: String
    private(set) var parts: [Part] = []

    init(_ text: String) {
        name = text.split(separator: " ").prefix(text.hasPrefix("UID ") ? 2 : 1).joined(separator: " ")
        parts = [.text(Array(text.utf8))]
    }

    /// Adds a space and `string`: quoted where RFC 9051 allows it, else a literal.
    ///
    ///     astring = 1*ASTRING-CHAR / quoted / literal
    mutating func add(_ string: [UInt8], isUTF8: Bool = false) {
        append([0x20])
        let isQuotable =
            string.count <= 1000 && string.allSatisfy { $0 >= 0x20 && $0 != 0x7f && (isUTF8 || $0 < 0x80) }
        guard isQuotable else {
            parts.append(.literal(string))
            return
        }
        var quoted: [UInt8] = [UInt8(ascii: "\"")]
        quoted.reserveCapacity(string.count * 2 + 2)
        for byte in string {
            if byte == UInt8(ascii: "\"") || byte == 0x5c { quoted.append(0x5c) }
            quoted.append(byte)
        }
        quoted.append(UInt8(ascii: "\""))
        append(quoted)
        wipe(&quoted)
    }

    /// Adds bytes to the text.
    mutating func append(_ bytes: [UInt8]) {
        guard case .text(var text) = parts.last else {
            parts.append(.text(bytes))
            return
        }
        // So that the text is not shared, and not copied by the next line.
        parts.removeLast()
        text.append(contentsOf: bytes)
        parts.append(.text(text))
    }

    /// Overwrites everything.
    mutating func wipeAll() {
        while let part = parts.popLast() {
            switch part {
            case .text(var bytes), .literal(var bytes): wipe(&bytes)
            }
        }
    }
}

/// A set of UIDs as commands have it (RFC 9051 section 9, `sequence-set`): `4:9,12`.
///
/// Only UIDs that follow each other without a gap are joined, so that nothing is named that is not in `uids`, which ascend.
func uidSet(_ uids: some Sequence<UInt32>) -> String {
    var result = ""
    var range: (first: UInt32, last: UInt32)?
    func close() {
        guard let range else { return }
        if !result.isEmpty { result += "," }
        result += range.first == range.last ? "\(range.first)" : "\(range.first):\(range.last)"
    }
    for uid in uids {
        if let open = range, uid == open.last &+ 1 {
            range = (open.first, uid)
        } else {
            close()
            range = (uid, uid)
        }
    }
    close()
    return result
}

/// A date as SEARCH wants it (RFC 9051 section 9, `date`): `1-Nov-2026`.
func searchDate(daysSince1970 days: Int) -> String {
    // Howard Hinnant's algorithm for the proleptic Gregorian calendar ("chrono-Compatible Low-Level Date Algorithms").
    let shifted = max(-700_000, min(days, 2_900_000)) + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let digits = String(max(0, year))
    return "\(day)-\(names[month - 1])-\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)"
}
