/// A reader of RFC 4180, as strict as the grammar: `nil` for anything that is not CSV with CR LF line ends.
///
///     file = record *(CRLF record) [CRLF]
///     field = (escaped / non-escaped)
///     escaped = DQUOTE *(TEXTDATA / COMMA / CR / LF / 2DQUOTE) DQUOTE
func readCSV(_ text: String) -> [[String]]? {
    let bytes = Array(text.utf8)
    let (quote, comma, cr, lf) = (UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: "\r"), UInt8(ascii: "\n"))
    var records: [[String]] = []
    var record: [String] = []
    var position = 0
    while position < bytes.count {
        var field: [UInt8] = []
        if bytes[position] == quote {
            position += 1
            while true {
                guard position < bytes.count else { return nil }
                if bytes[position] == quote {
                    if position + 1 < bytes.count, bytes[position + 1] == quote {
                        position += 1
                    } else {
                        position += 1
                        break
                    }
                }
                field.append(bytes[position])
                position += 1
            }
        } else {
            while position < bytes.count, bytes[position] != comma, bytes[position] != cr {
                guard bytes[position] != quote, bytes[position] != lf else { return nil }
                field.append(bytes[position])
                position += 1
            }
        }
        record.append(String(decoding: field, as: UTF8.self))
        if position == bytes.count { return nil }
        if bytes[position] == comma {
            position += 1
            if position == bytes.count { return nil }
            // A line that ends with a comma has one more, empty field.
            if bytes[position] == cr {
                record.append("")
            } else {
                continue
            }
        }
        guard position + 1 < bytes.count, bytes[position] == cr, bytes[position + 1] == lf else { return nil }
        position += 2
        records.append(record)
        record = []
    }
    return records
}
