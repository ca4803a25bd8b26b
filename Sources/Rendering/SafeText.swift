/// Text from a report, a mail or a server, made safe for a terminal, a log or a page.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and everything that is invisible or
/// changes the direction of what follows (bidi controls, zero-width characters, tags, soft hyphens, fillers)
/// become visible as `\u{1b}`. At most four combining marks may follow a character, so that none can paint
/// over the lines around it. Threat O2; Unicode TR36 section 2, UAX #9.
///
/// - Parameters:
///   - text: anything.
///   - maxScalars: the most Unicode scalars to return; when there are more the last one returned is `…`.
///     An escape is never cut in two.
/// - Returns: text without any scalar below U+0020, and with no line break.
public func safeText(_ text: String, maxScalars: Int) -> String {
    safeText(text, maxScalars: maxScalars, ascii: false)
}

/// As ``safeText(_:maxScalars:)``; with `ascii` everything beyond ASCII is made visible, too, but for punctuation that has a plain twin.
public func safeText(_ text: String, maxScalars: Int, ascii: Bool) -> String {
    let text = ascii ? plainPunctuation(text) : text
    if text.utf8.count <= maxScalars, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
    if text.utf8.count <= maxScalars,
        text.unicodeScalars.allSatisfy({ !isDeceptive($0) && !isCombining($0) && (!ascii || $0.isASCII) })
    {
        return text
    }
    var result = String.UnicodeScalarView()
    var count = 0
    // Where to cut, should the text turn out too long: the last place that leaves room for the mark of omission.
    var cut = result.endIndex
    let omission = ascii ? "..." : "…"
    var marks = 0
    for scalar in text.unicodeScalars {
        let isMark = isCombining(scalar)
        marks = isMark ? marks + 1 : 0
        let isHidden = isDeceptive(scalar) || (ascii && !scalar.isASCII) || marks > 4 || (isMark && count == 0)
        let length = isHidden ? 4 + hexadecimalDigits(scalar.value) : 1
        if count + length > maxScalars {
            return maxScalars < omission.unicodeScalars.count ? "" : String(result[..<cut]) + omission
        }
        if isHidden {
            result.append(contentsOf: visible(scalar).unicodeScalars)
        } else {
            result.append(scalar)
        }
        count += length
        if count + omission.unicodeScalars.count <= maxScalars { cut = result.endIndex }
    }
    return String(result)
}

private func plainPunctuation(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        switch scalar {
        case "–", "—", "−": result.append("-")
        case "‘", "’": result.append("'")
        case "“", "”": result.append("\"")
        case "…": result.append(contentsOf: "...".unicodeScalars)
        case "→": result.append(contentsOf: "->".unicodeScalars)
        case "≥": result.append(contentsOf: ">=".unicodeScalars)
        case "≤": result.append(contentsOf: "<=".unicodeScalars)
        case "·": result.append("|")
        default: result.append(scalar)
        }
    }
    return String(result)
}

private func hexadecimalDigits(_ value: UInt32) -> Int { value == 0 ? 1 : (32 - value.leadingZeroBitCount + 3) / 4 }

private func isCombining(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x300 else { return false }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return true
    default: return false
    }
}
